//! Sobol's sequence, and its scrambling.
//!
//! Point i is the exclusive or of the direction numbers at the bits of i ⊕ ⌊i/2⌋ (I. Antonov, V. Saleev, *An economic method
//! of computing LPτ-sequences*, 1979); direction numbers follow from a primitive polynomial of degree s with coefficients a by
//! vₖ = a₁vₖ₋₁ ⊕ … ⊕ aₛ₋₁vₖ₋ₛ₊₁ ⊕ vₖ₋ₛ ⊕ 2⁻ˢvₖ₋ₛ (S. Joe, F. Kuo, 2008, equation 2). Numbers have 53 bits.

use ansatz_core::Key;

use super::directions::DIRECTIONS;
use super::{Scramble, Sequence};
use crate::DomainError;

const BITS: usize = 53;

/// Digits that share one random block of 128 bits: a tree of depth 7 has 127 nodes.
const DEPTH: usize = 7;

pub(super) struct Sobol {
    axes: Vec<Axis>,
    scramble: Scramble,
    skip: u64,
}

struct Axis {
    directions: [u64; BITS],
    key: Key,
    shift: u64,
}

impl Sobol {
    pub(super) fn new(dims: usize, sequence: Sequence, key: Key) -> Result<Self, DomainError> {
        if dims > DIRECTIONS.len() {
            return Err(DomainError::Value {
                name: "coordinates of Sobol's points",
                value: dims as f64,
                needed: "at most 100; take uniform points for more",
            });
        }
        let axes = (0..dims).map(|j| {
            let key = key.fold_in(j as u64);
            let [a, b, ..] = key.bits(0, 0);
            let random = (u64::from(a) | u64::from(b) << 32) >> (64 - BITS);
            let shifted = sequence.scramble == Scramble::DigitalShift;
            Axis {
                directions: directions(j),
                key,
                shift: if shifted { random } else { 0 },
            }
        });
        Ok(Self {
            axes: axes.collect(),
            scramble: sequence.scramble,
            skip: sequence.skip,
        })
    }

    pub(super) fn fill(&self, i: u64, row: &mut [f64]) {
        let i = i + self.skip;
        let code = i ^ (i >> 1);
        for (x, axis) in row.iter_mut().zip(&self.axes) {
            let (mut bits, mut left) = (axis.shift, code);
            while left != 0 {
                bits ^= axis.directions[left.trailing_zeros() as usize % BITS];
                left &= left - 1;
            }
            if self.scramble == Scramble::Owen {
                bits = nested(bits, axis.key);
            }
            *x = bits as f64 * (f64::EPSILON / 2.0);
        }
    }
}

fn directions(axis: usize) -> [u64; BITS] {
    let (polynomial, first) = DIRECTIONS[axis];
    let degree = first.len();
    let mut v = [0; BITS];
    for k in 0..BITS {
        v[k] = if let Some(m) = first.get(k) {
            u64::from(*m) << (BITS - 1 - k)
        } else if degree == 0 {
            1 << (BITS - 1 - k)
        } else {
            (1..degree).fold(v[k - degree] ^ (v[k - degree] >> degree), |sum, j| {
                let coefficient = u64::from(polynomial >> (degree - j) & 1);
                sum ^ (coefficient * v[k - j])
            })
        };
    }
    v
}

/// Flips each bit by a random one that is a function of the bits above it.
fn nested(bits: u64, key: Key) -> u64 {
    let mut flips = 0;
    for group in 0..BITS.div_ceil(DEPTH) {
        let top = group * DEPTH;
        let above = if top == 0 { 0 } else { bits >> (BITS - top) };
        let random = key.bits(1 + group as u64, above);
        let mut node = 1_usize;
        for place in top..(top + DEPTH).min(BITS) {
            let at = BITS - 1 - place;
            flips |= u64::from(random[node / 32] >> (node % 32) & 1) << at;
            node = 2 * node + (bits >> at & 1) as usize;
        }
    }
    bits ^ flips
}
