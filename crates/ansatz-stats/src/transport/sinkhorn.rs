//! Entropic transport in the log domain.
//!
//! Between measures Σ aᵢδ(xᵢ) and Σ bⱼδ(yⱼ) with costs c,
//!
//! `OT_ε = min_P Σ Pᵢⱼcᵢⱼ + ε·KL(P | a⊗b)` over P ≥ 0 with row sums a and column sums b.
//!
//! The minimum is `Pᵢⱼ = aᵢbⱼ·exp((fᵢ + gⱼ − cᵢⱼ)/ε)`, where the potentials satisfy
//! `fᵢ = −ε·ln Σⱼ bⱼ·exp((gⱼ − cᵢⱼ)/ε)` and its mirror image, which are taken in turn. After an update of g all column
//! sums are exact; the distance `Σᵢ |Σⱼ Pᵢⱼ − aᵢ|` of the row sums comes with the next update of f, and ends the run.
//! Before, ε falls from the largest cost to its final value, one pair of updates a stage, which saves the many
//! iterations that a small ε would take from nothing.
//!
//! `S_ε(a, b) = OT_ε(a, b) − ½OT_ε(a, a) − ½OT_ε(b, b)` takes off the bias of the entropy: it is positive, and 0 for
//! equal measures alone. The self-transports are solved by the averaged updates `f ← ½(f + T f)`, in a few
//! iterations.
//!
//! Cost: 2nm exponentials an iteration, 4 ns each on one core; O(n + m) numbers of memory beyond a transposed
//! copy of a matrix, nothing allocated in an iteration. Iterations grow like 1/ε.
//!
//! Use it for smooth distances between samples and for soft assignments. Take ε as a fraction, 0.01 to 0.1, of
//! the mean cost; the cost of the coupling exceeds the unregularised one by about ε·ln n at most.
//!
//! References: M. Cuturi, *Sinkhorn distances*, 2013; B. Schmitzer, *Stabilized sparse scaling algorithms for
//! entropy regularized transport problems*, 2019 (log domain, ε-scaling); J. Feydy et al., *Interpolating between
//! optimal transport and MMD using Sinkhorn divergences*, 2019 (equations 1 to 3, symmetric updates).

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::cost::{BLOCK, Rows};
use super::exponential::exp_of_negative;
use super::{Cost, Coupling, positive, weights, worth_sharing};
use crate::TransportError;

/// Options of entropic transport.
///
/// ```
/// use ansatz_stats::transport::{Cost, Sinkhorn};
/// // Two points each; the cheap assignment is crosswise.
/// let solver = Sinkhorn { epsilon: 0.05, ..Sinkhorn::default() };
/// let plan = solver.solve(&[0.5, 0.5], &[0.5, 0.5], Cost::Matrix(&[1.0, 0.0, 0.0, 1.0]))?;
/// let mut row = [0.0; 2];
/// plan.row(0, &mut row)?;
/// assert!(row[0] < 1e-8 && (row[1] - 0.5).abs() < 1e-8);
/// # Ok::<(), ansatz_stats::TransportError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sinkhorn {
    /// Strength ε > 0 of the entropy, in the units of the cost.
    pub epsilon: f64,
    /// Sum of the errors of the row sums at which to stop.
    pub tolerance: f64,
    /// Most iterations, at least 1.
    pub max_iterations: usize,
    /// Factor in (0, 1] by which ε falls from the largest cost; 1 starts at ε.
    pub scaling: f64,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self {
            epsilon: 0.05,
            tolerance: 1e-9,
            max_iterations: 10_000,
            scaling: 0.5,
        }
    }
}

impl Sinkhorn {
    /// The coupling of weights `a` and `b` with these costs. Weights may be 0.
    ///
    /// # Errors
    /// [`TransportError`] for measures without points, weights that are negative or do not sum to 1, a cost
    /// of another size or that is not finite, options out of range, and [`TransportError::NotConverged`].
    pub fn solve<'a>(
        &self,
        a: &[f64],
        b: &[f64],
        cost: Cost<'a>,
    ) -> Result<Coupling<'a>, TransportError> {
        self.validate()?;
        let (n, m) = (a.len(), b.len());
        check_measure("a", a)?;
        check_measure("b", b)?;
        cost.check(n, m)?;
        let (forth, back) = (Rows::forth(cost, m), Rows::back(cost, n, m));
        let (mut to_x, mut to_y) = (Side::new(&forth, b), Side::new(&back, a));
        let (mut f, mut g) = (vec![0.0; n], vec![0.0; m]);
        let mut next = vec![0.0; n];
        let mut stages = self.stages(&forth, n, m);
        let mut made = 0;
        while made < self.max_iterations {
            let epsilon = stages.next().unwrap_or(self.epsilon);
            to_x.soft_minimum(&g, epsilon, &mut next);
            let last = epsilon <= self.epsilon;
            // The first potential f belongs to no g.
            let error = if last && made > 0 {
                excess(a, &f, &next, epsilon)
            } else {
                f64::INFINITY
            };
            if error <= self.tolerance {
                return Ok(Coupling::new(forth, a, b, f, g, self.epsilon, made, error));
            }
            std::mem::swap(&mut f, &mut next);
            to_y.soft_minimum(&f, epsilon, &mut g);
            made += 1;
        }
        to_x.soft_minimum(&g, self.epsilon, &mut next);
        let error = excess(a, &f, &next, self.epsilon);
        if error <= self.tolerance {
            return Ok(Coupling::new(forth, a, b, f, g, self.epsilon, made, error));
        }
        Err(self.not_converged(made, error))
    }

    /// `OT_ε` between a measure and itself, for a symmetric cost: twice the mean of its potential.
    ///
    /// # Errors
    /// As [`Sinkhorn::solve`].
    pub fn self_value(&self, a: &[f64], cost: Cost<'_>) -> Result<f64, TransportError> {
        self.validate()?;
        check_measure("a", a)?;
        let n = a.len();
        cost.check(n, n)?;
        let forth = Rows::forth(cost, n);
        let mut side = Side::new(&forth, a);
        let (mut f, mut next) = (vec![0.0; n], vec![0.0; n]);
        let mut stages = self.stages(&forth, n, n);
        let mut error = f64::INFINITY;
        for _ in 0..self.max_iterations {
            let epsilon = stages.next().unwrap_or(self.epsilon);
            side.soft_minimum(&f, epsilon, &mut next);
            if epsilon <= self.epsilon {
                error = excess(a, &f, &next, epsilon);
            }
            for (f, t) in f.iter_mut().zip(&next) {
                *f = 0.5 * (*f + t);
            }
            if error <= self.tolerance {
                return Ok(2.0 * mean(a, &f));
            }
        }
        Err(self.not_converged(self.max_iterations, error))
    }

    /// The debiased divergence of weighted points, `[n, dim]` and `[m, dim]`, for the squared distance.
    ///
    /// # Errors
    /// As [`Sinkhorn::solve`].
    ///
    /// ```
    /// use ansatz_stats::transport::Sinkhorn;
    /// // Two points each, one pair moved by 3: the entropy of far points does not matter.
    /// let (a, x, y) = ([0.5; 2], [0.0, 50.0], [3.0, 53.0]);
    /// let divergence = Sinkhorn { epsilon: 1.0, ..Sinkhorn::default() }.divergence(&a, &x, &a, &y, 1)?;
    /// assert!((divergence - 9.0).abs() < 1e-8);
    /// # Ok::<(), ansatz_stats::TransportError>(())
    /// ```
    pub fn divergence(
        &self,
        a: &[f64],
        x: &[f64],
        b: &[f64],
        y: &[f64],
        dim: usize,
    ) -> Result<f64, TransportError> {
        let between = |x, y| Cost::SquaredDistance { x, y, dim };
        let value = self.solve(a, b, between(x, y))?.value();
        let own = self.self_value(a, between(x, x))? + self.self_value(b, between(y, y))?;
        Ok(value - 0.5 * own)
    }

    fn validate(&self) -> Result<(), TransportError> {
        positive("epsilon", self.epsilon)?;
        positive("tolerance", self.tolerance)?;
        if !(self.scaling > 0.0 && self.scaling <= 1.0) {
            return Err(TransportError::Option {
                name: "scaling",
                value: self.scaling,
                allowed: "a number in (0, 1]",
            });
        }
        if self.max_iterations == 0 {
            return Err(TransportError::Option {
                name: "max_iterations",
                value: 0.0,
                allowed: "at least 1",
            });
        }
        Ok(())
    }

    /// The values of ε above the last, falling.
    fn stages(&self, rows: &Rows<'_>, n: usize, m: usize) -> impl Iterator<Item = f64> + use<> {
        let (last, scaling) = (self.epsilon, self.scaling);
        let start = if scaling < 1.0 {
            (0..n).fold(0.0, |c, i| f64::max(c, rows.largest(i, m)))
        } else {
            last
        };
        std::iter::successors(Some(start), move |e| Some(e * scaling))
            .take_while(move |e| *e > last)
    }

    fn not_converged(&self, iterations: usize, error: f64) -> TransportError {
        TransportError::NotConverged {
            iterations,
            error,
            tolerance: self.tolerance,
        }
    }
}

fn check_measure(what: &'static str, a: &[f64]) -> Result<(), TransportError> {
    if a.is_empty() {
        return Err(TransportError::TooFew {
            what,
            needed: 1,
            got: 0,
        });
    }
    weights(what, a, "not negative", |w| w >= 0.0)
}

/// Σ aᵢ·|exp((fᵢ − f'ᵢ)/ε) − 1|: row i sums to aᵢ·exp((fᵢ − f'ᵢ)/ε) if f' is the update of f.
fn excess(a: &[f64], f: &[f64], next: &[f64], epsilon: f64) -> f64 {
    let terms = a.iter().zip(f).zip(next);
    terms
        .map(|((a, f), t)| a * ((f - t) / epsilon).exp_m1().abs())
        .sum()
}

/// Σ aᵢfᵢ; a point without weight counts for nothing.
pub(super) fn mean(a: &[f64], f: &[f64]) -> f64 {
    a.iter().zip(f).map(|(a, f)| a * f).sum()
}

/// One direction: potentials of one side from those of the other.
struct Side<'a> {
    rows: &'a Rows<'a>,
    log_weights: Vec<f64>,
    /// (potential)/ε + ln(weight)
    offsets: Vec<f64>,
}

impl<'a> Side<'a> {
    fn new(rows: &'a Rows<'a>, weights: &[f64]) -> Self {
        Self {
            rows,
            log_weights: weights.iter().map(|w| w.ln()).collect(),
            offsets: vec![0.0; weights.len()],
        }
    }

    /// `outᵢ ← −ε·ln Σⱼ wⱼ·exp((gⱼ − cᵢⱼ)/ε)`
    fn soft_minimum(&mut self, g: &[f64], epsilon: f64, out: &mut [f64]) {
        for ((o, g), w) in self.offsets.iter_mut().zip(g).zip(&self.log_weights) {
            *o = g / epsilon + w;
        }
        let (rows, offsets) = (self.rows, &self.offsets);
        let one = |i: usize| {
            let sum = LogSum {
                rows,
                row: i,
                offsets,
                inverse: 1.0 / epsilon,
            };
            -epsilon * Arch::new().dispatch(sum)
        };
        if worth_sharing(out.len() * rows.work(offsets.len())) {
            out.par_iter_mut()
                .enumerate()
                .for_each(|(i, o)| *o = one(i));
        } else {
            out.iter_mut().enumerate().for_each(|(i, o)| *o = one(i));
        }
    }
}

/// ln Σⱼ exp(offsetⱼ − cᵢⱼ/ε) of one row, block by block with a running maximum.
struct LogSum<'a> {
    rows: &'a Rows<'a>,
    row: usize,
    offsets: &'a [f64],
    inverse: f64,
}

/// Partial sums of a block.
const LANES: usize = 8;

impl NullaryFnOnce for LogSum<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut buffer = [0.0; BLOCK];
        let (mut top, mut sum) = (f64::NEG_INFINITY, 0.0);
        let columns = self.offsets.len();
        for first in (0..columns).step_by(BLOCK) {
            let block = &mut buffer[..BLOCK.min(columns - first)];
            self.rows.fill(self.row, columns, first, block);
            for (z, o) in block.iter_mut().zip(&self.offsets[first..]) {
                *z = o - self.inverse * *z;
            }
            let largest = lanes(block, f64::NEG_INFINITY, |m, z| if z > m { z } else { m })
                .into_iter()
                .fold(f64::NEG_INFINITY, f64::max);
            if largest == f64::NEG_INFINITY {
                continue;
            }
            if largest > top {
                // From the old maximum to the new; 0 at the first block.
                sum *= (top - largest).exp();
                top = largest;
            }
            let parts = lanes(block, 0.0, |s, z| s + exp_of_negative(z - top));
            sum += parts.into_iter().sum::<f64>();
        }
        top + sum.ln()
    }
}

#[inline(always)]
fn lanes(block: &[f64], start: f64, f: impl Fn(f64, f64) -> f64) -> [f64; LANES] {
    let mut lanes = [start; LANES];
    let chunks = block.chunks_exact(LANES);
    for (lane, z) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = f(*lane, *z);
    }
    for z in chunks {
        for k in 0..LANES {
            lanes[k] = f(lanes[k], z[k]);
        }
    }
    lanes
}
