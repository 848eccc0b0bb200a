//! Radical inverses.
//!
//! i = Σ dₖ bᵏ goes to Σ πₖ(dₖ) b^{−k−1}, b the j-th prime, πₖ the identity, a shift of digits, or a random permutation.

use ansatz_core::Key;

use super::{BELOW_ONE, Scramble, Sequence, permutation, uniform};

pub(super) struct Halton {
    bases: Vec<u64>,
    /// For each base, images of digits: place × base. Empty: each is its own.
    digits: Vec<Vec<u32>>,
    skip: u64,
}

impl Halton {
    pub(super) fn new(dims: usize, sequence: Sequence, key: Key) -> Self {
        let bases = primes(dims);
        let digits = bases.iter().enumerate().map(|(j, b)| {
            let key = key.fold_in(j as u64);
            // So many digits that the next is below the rounding of 1.
            let places = (54.0 / (*b as f64).log2()).ceil() as u64;
            match sequence.scramble {
                Scramble::None => Vec::new(),
                Scramble::DigitalShift => (0..places)
                    .flat_map(|k| {
                        let shift = (uniform(key, k) * *b as f64) as u64;
                        (0..*b).map(move |d| ((d + shift) % *b) as u32)
                    })
                    .collect(),
                Scramble::Owen => (0..places)
                    .flat_map(|k| permutation(*b as usize, key.fold_in(k)))
                    .collect(),
            }
        });
        Self {
            digits: digits.collect(),
            bases,
            skip: sequence.skip,
        }
    }

    pub(super) fn skip(&self) -> u64 {
        self.skip
    }

    pub(super) fn fill(&self, i: u64, row: &mut [f64]) {
        let i = i + self.skip;
        for ((x, b), images) in row.iter_mut().zip(&self.bases).zip(&self.digits) {
            *x = if images.is_empty() {
                plain(i, *b)
            } else {
                scrambled(i, *b, images)
            };
        }
    }
}

fn plain(mut i: u64, b: u64) -> f64 {
    let (mut sum, mut weight) = (0.0, 1.0);
    while i > 0 {
        weight /= b as f64;
        sum += (i % b) as f64 * weight;
        i /= b;
    }
    sum.min(BELOW_ONE)
}

fn scrambled(mut i: u64, b: u64, images: &[u32]) -> f64 {
    let (mut sum, mut weight) = (0.0, 1.0);
    // Zeros above the number's last digit have images as well.
    for place in images.chunks_exact(b as usize) {
        weight /= b as f64;
        sum += f64::from(place[(i % b) as usize]) * weight;
        i /= b;
    }
    sum.min(BELOW_ONE)
}

/// The first `n` primes.
fn primes(n: usize) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::with_capacity(n);
    let mut candidate = 2;
    while found.len() < n {
        let small = found.iter().take_while(|p| *p * *p <= candidate);
        if small.into_iter().all(|p| candidate % p != 0) {
            found.push(candidate);
        }
        candidate += 1;
    }
    found
}
