//! The trajectory of one chain, doubled leaf by leaf.

use ansatz_core::{Key, Scalar};

use crate::Mass;
use crate::ensemble::probability;

/// The row of a chain in the batch: its next leaf.
pub(super) struct Row<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) p: &'a mut [T],
    pub(super) score: &'a mut [T],
    pub(super) log_density: f64,
}

/// What does not change within a step.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) mass: &'a Mass,
    pub(super) key: Key,
    pub(super) stream: u64,
    pub(super) max_depth: usize,
    pub(super) max_energy_change: f64,
}

/// Why a trajectory ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Turn,
    Divergence,
    Depth,
}

/// A point with the target's values.
#[derive(Debug, Clone)]
pub(super) struct Place<T> {
    pub(super) x: Vec<T>,
    pub(super) score: Vec<T>,
    pub(super) log_density: f64,
}

impl<T: Scalar> Place<T> {
    fn new(dim: usize) -> Self {
        Self {
            x: vec![T::zero(); dim],
            score: vec![T::zero(); dim],
            log_density: 0.0,
        }
    }

    fn set(&mut self, row: &Row<'_, T>) {
        self.x.copy_from_slice(row.x);
        self.score.copy_from_slice(row.score);
        self.log_density = row.log_density;
    }
}

/// An end of the trajectory, with the momentum forward in time.
#[derive(Debug, Clone)]
struct Tip<T> {
    x: Vec<T>,
    p: Vec<T>,
    score: Vec<T>,
}

#[derive(Debug, Clone)]
pub(super) struct Tree<T> {
    /// Which chain it is.
    pub(super) chain: usize,
    /// The draw so far.
    pub(super) draw: Place<T>,
    pub(super) end: Option<End>,
    /// Leaves made, and the sum of their acceptances.
    pub(super) leaves: u64,
    pub(super) accepted: f64,
    /// H at the start.
    energy: f64,
    /// Before and after, in time.
    tips: [Tip<T>; 2],
    /// ln of the sum of exp(H at the start − H), and the sum of momenta.
    log_weight: f64,
    sum: Vec<f64>,
    depth: usize,
    half: Half<T>,
}

/// The half that is being added; its momenta point away from the rest.
#[derive(Debug, Clone)]
struct Half<T> {
    /// Which tip it continues: 0 backward, 1 forward.
    side: usize,
    leaf: usize,
    draw: Place<T>,
    log_weight: f64,
    sum: Vec<f64>,
    /// First leaves of sub-trajectories, `[slots, dim]`: momenta, and sums up to them.
    momenta: Vec<T>,
    sums: Vec<f64>,
    /// The momenta of the leaves before these, and of the latest leaf.
    previous: Vec<T>,
    latest: Vec<T>,
}

/// ln(eᵃ + eᵇ)
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if high == f64::NEG_INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

/// Random numbers of a chain in a step are counted from here: leaves, then doublings.
const DOUBLINGS: u64 = 1 << 31;

impl<T: Scalar> Tree<T> {
    pub(super) fn new(chain: usize, dim: usize, max_depth: usize) -> Self {
        let tip = Tip {
            x: vec![T::zero(); dim],
            p: vec![T::zero(); dim],
            score: vec![T::zero(); dim],
        };
        let slots = (max_depth - 1).max(1);
        Self {
            chain,
            draw: Place::new(dim),
            end: None,
            leaves: 0,
            accepted: 0.0,
            energy: 0.0,
            tips: [tip.clone(), tip],
            log_weight: 0.0,
            sum: vec![0.0; dim],
            depth: 0,
            half: Half {
                side: 0,
                leaf: 0,
                draw: Place::new(dim),
                log_weight: 0.0,
                sum: vec![0.0; dim],
                momenta: vec![T::zero(); slots * dim],
                sums: vec![0.0; slots * dim],
                previous: vec![T::zero(); slots * dim],
                latest: vec![T::zero(); dim],
            },
        }
    }

    /// A trajectory of the one point that the row holds.
    pub(super) fn plant(&mut self, row: &mut Row<'_, T>, at: Setting<'_>) {
        self.draw.set(row);
        self.energy = at.mass.kinetic(row.p) - row.log_density;
        for tip in &mut self.tips {
            tip.x.copy_from_slice(row.x);
            tip.p.copy_from_slice(row.p);
            tip.score.copy_from_slice(row.score);
        }
        for (s, p) in self.sum.iter_mut().zip(&*row.p) {
            *s = p.f64();
        }
        (self.log_weight, self.depth, self.end) = (0.0, 0, None);
        (self.leaves, self.accepted) = (0, 0.0);
        self.sprout(row, at);
    }

    fn uniform(&self, at: Setting<'_>, count: u64) -> [f64; 2] {
        at.key
            .uniform(at.stream, ((self.chain as u64) << 32) + count)
    }

    /// Starts a half: the row becomes the tip that it continues.
    fn sprout(&mut self, row: &mut Row<'_, T>, at: Setting<'_>) {
        let [coin, _] = self.uniform(at, DOUBLINGS + self.depth as u64);
        let side = usize::from(coin < 0.5);
        let tip = &self.tips[side];
        row.x.copy_from_slice(&tip.x);
        row.score.copy_from_slice(&tip.score);
        for (to, p) in row.p.iter_mut().zip(&tip.p) {
            *to = if side == 0 { -*p } else { *p };
        }
        let half = &mut self.half;
        (half.side, half.leaf, half.log_weight) = (side, 0, f64::NEG_INFINITY);
        half.sum.fill(0.0);
    }

    /// Takes the leaf that the row holds; the row is then where the next starts, unless this was the last.
    pub(super) fn grow(&mut self, row: &mut Row<'_, T>, at: Setting<'_>) {
        let gain = self.energy - (at.mass.kinetic(row.p) - row.log_density);
        self.leaves += 1;
        self.accepted += probability(gain).unwrap_or(0.0);
        if gain.is_nan() || gain <= -at.max_energy_change || gain == f64::INFINITY {
            self.end = Some(End::Divergence);
            return;
        }
        let [u, _] = self.uniform(at, self.leaves);
        if self.half.add(row, gain, u, at.mass) {
            self.end = Some(End::Turn);
        } else if self.half.leaf == 1 << self.depth {
            self.join(row, at);
        }
    }

    /// The half is whole: joins it to the trajectory.
    fn join(&mut self, row: &mut Row<'_, T>, at: Setting<'_>) {
        let [_, u] = self.uniform(at, DOUBLINGS + self.depth as u64);
        let half = &mut self.half;
        if u < (half.log_weight - self.log_weight).exp() {
            std::mem::swap(&mut self.draw, &mut half.draw);
        }
        self.log_weight = log_add(self.log_weight, half.log_weight);
        let sign = if half.side == 1 { 1.0 } else { -1.0 };
        // In the half's direction: far tip, …, near tip, first leaf, …, last leaf.
        let [near, far] = [half.side, 1 - half.side].map(|side| &self.tips[side].p);
        let (old, new, first) = (&self.sum, &half.sum, &half.momenta);
        let turn = turns(at.mass, row.p.len(), &|i| Arc {
            ends: [sign * far[i].f64(), row.p[i].f64()],
            middle: [sign * near[i].f64(), first[i].f64()],
            sums: [sign * old[i], new[i]],
        });
        for (s, h) in self.sum.iter_mut().zip(&half.sum) {
            *s += sign * h;
        }
        let tip = &mut self.tips[half.side];
        tip.x.copy_from_slice(row.x);
        tip.score.copy_from_slice(row.score);
        for (to, p) in tip.p.iter_mut().zip(&*row.p) {
            *to = if sign > 0.0 { *p } else { -*p };
        }
        self.depth += 1;
        if turn {
            self.end = Some(End::Turn);
        } else if self.depth == at.max_depth {
            self.end = Some(End::Depth);
        } else {
            self.sprout(row, at);
        }
    }
}

impl<T: Scalar> Half<T> {
    /// Adds a leaf; tells whether a sub-trajectory that it ends turns.
    fn add(&mut self, row: &Row<'_, T>, gain: f64, u: f64, mass: &Mass) -> bool {
        let dim = row.p.len();
        for (s, p) in self.sum.iter_mut().zip(&*row.p) {
            *s += p.f64();
        }
        self.log_weight = log_add(self.log_weight, gain);
        if u < (gain - self.log_weight).exp() {
            self.draw.set(row);
        }
        let n = self.leaf;
        self.leaf += 1;
        let slot = (n >> 1).count_ones() as usize;
        let ended = n.trailing_ones() as usize;
        let turn = (slot + 1 - ended..=slot).rev().any(|slot| {
            let (this, next) = (slot * dim, (slot + 1) * dim);
            // A pair has no middle but its ends; a longer one was cut before the leaf of the next slot.
            let pair = slot == (n >> 1).count_ones() as usize;
            turns(mass, dim, &|i| {
                let (first, last) = (self.momenta[this + i].f64(), row.p[i].f64());
                let before = self.sums[this + i] - first;
                if pair {
                    return Arc {
                        ends: [first, last],
                        middle: [first, last],
                        sums: [first, last],
                    };
                }
                let (left, right) = (self.previous[next + i].f64(), self.momenta[next + i].f64());
                let middle = self.sums[next + i] - right;
                Arc {
                    ends: [first, last],
                    middle: [left, right],
                    sums: [middle - before, self.sum[i] - middle],
                }
            })
        });
        if n.is_multiple_of(2) {
            self.momenta[slot * dim..][..dim].copy_from_slice(row.p);
            self.sums[slot * dim..][..dim].copy_from_slice(&self.sum);
            self.previous[slot * dim..][..dim].copy_from_slice(&self.latest);
        }
        self.latest.copy_from_slice(row.p);
        turn
    }
}

/// One coordinate of the momenta of two arcs that follow one another.
struct Arc {
    /// The first of the first and the last of the second.
    ends: [f64; 2],
    /// The last of the first and the first of the second.
    middle: [f64; 2],
    /// The sum of each.
    sums: [f64; 2],
}

/// Whether two arcs turn back together, or one of them with the nearest point of the other.
fn turns(mass: &Mass, dim: usize, at: &impl Fn(usize) -> Arc) -> bool {
    let mut products = [[0.0; 2]; 3];
    for i in 0..dim {
        let Arc { ends, middle, sums } = at(i);
        let spans = [
            (ends[0], ends[1], sums[0] + sums[1]),
            (ends[0], middle[1], sums[0] + middle[1]),
            (middle[0], ends[1], middle[0] + sums[1]),
        ];
        let inverse = mass.inverse(i);
        for ((first, last, sum), product) in spans.into_iter().zip(&mut products) {
            let rho = inverse * (sum - 0.5 * (first + last));
            product[0] += first * rho;
            product[1] += last * rho;
        }
    }
    products.iter().flatten().any(|p| *p <= 0.0)
}
