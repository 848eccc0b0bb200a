//! Monotone vectors.
//!
//! Both projections are means over blocks of neighbours, which pooling of adjacent violators finds in O(n): a block
//! joins the one before it as long as the two are out of order.
//!
//! Sources: M. Best, N. Chakravarti, *Active set algorithms for isotonic regression*, 1990; M. Blondel, O. Teboul,
//! Q. Berthet, J. Djolonga, *Fast differentiable sorting and ranking*, 2020, propositions 2 and 4.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check};
use crate::LinalgError;
use crate::error::finite;

/// Direction of a monotone vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// y₁ ≤ y₂ ≤ …
    #[default]
    Ascending,
    /// y₁ ≥ y₂ ≥ …
    Descending,
}

/// Lengths of the blocks. `value` is the common value of a block.
fn pool<B: Copy>(
    singles: impl Iterator<Item = B>,
    join: impl Fn(B, B) -> B,
    value: impl Fn(B) -> f64,
    order: Order,
) -> Vec<usize> {
    let below = |a: f64, b: f64| match order {
        Order::Ascending => a < b,
        Order::Descending => a > b,
    };
    let mut blocks: Vec<(B, usize)> = Vec::new();
    for single in singles {
        let mut block = (single, 1);
        while let Some((last, length)) = blocks.pop_if(|b| !below(value(b.0), value(block.0))) {
            block = (join(last, block.0), block.1 + length);
        }
        blocks.push(block);
    }
    blocks.into_iter().map(|(_, length)| length).collect()
}

/// The monotone vector nearest to x: means over blocks. O(n), no arguments.
///
/// It is as well the minimiser of every Bregman divergence D(x, y) among monotone y.
///
/// Bounds come after: `Compose { outer: Separable::new(Elementwise::Hypercube, …), inner: Isotonic { … } }` is the
/// projection on the order simplex 1 ≥ y₁ ≥ … ≥ yₙ ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isotonic {
    /// Elements.
    pub n: usize,
    /// Direction.
    pub order: Order,
}

impl Proximal for Isotonic {}

impl ParametricMap for Isotonic {
    fn unknowns(&self) -> usize {
        self.n
    }

    fn arguments(&self) -> Vec<usize> {
        Vec::new()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let blocks = pool(
            at.x.iter().map(|x| (*x, 1.0)),
            |a, b| (a.0 + b.0, a.1 + b.1),
            |(sum, length)| sum / length,
            self.order,
        );
        let mut means = at.x.to_vec();
        let mut weights = vec![1.0; self.n];
        for (x, weight) in parts(&blocks, &mut means).zip(parts(&blocks, &mut weights)) {
            let length = x.len() as f64;
            let mean = x.iter().sum::<f64>() / length;
            x.fill(mean);
            weight.fill(1.0 / length);
        }
        out.copy_from_slice(&means);
        Ok(Box::new(Pooled {
            blocks,
            x: weights,
            argument: None,
        }))
    }
}

/// The monotone vector v that minimises Σ e^(xᵢ−vᵢ) + e^(wᵢ)·vᵢ, the projection in the Kullback-Leibler divergence behind
/// entropic soft sorts and ranks: over each block
///
/// ```text
/// v = log Σ e^xᵢ − log Σ e^wᵢ
/// ```
///
/// O(n), with the argument w. (The projection argmin KL(y, x) on monotone positive y is e^[`Isotonic`] of log x, and argmin
/// KL(x, y) is [`Isotonic`] itself.)
///
/// ```
/// use ansatz_linalg::implicit::{EntropicIsotonic, Order, ParametricMap, Point};
/// let map = EntropicIsotonic { n: 3, order: Order::Descending };
/// let mut v = [0.0; 3];
/// // The last two are out of order: log(e¹ + e²) − log 2.
/// map.value(Point { x: &[3.0, 1.0, 2.0], args: &[&[0.0; 3]] }, &mut v)?;
/// let pooled = ((1.0_f64.exp() + 2.0_f64.exp()) / 2.0).ln();
/// assert!((v[1] - pooled).abs() < 1e-15 && v[1] == v[2] && v[0] == 3.0);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntropicIsotonic {
    /// Elements.
    pub n: usize,
    /// Direction.
    pub order: Order,
}

/// log(e^a + e^b).
fn log_add(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// Makes softmax(x) of x; gives log Σ e^x.
fn softmax(x: &mut [f64]) -> f64 {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for x in x.iter_mut() {
        *x = (*x - most).exp();
        sum += *x;
    }
    for x in x {
        *x /= sum;
    }
    most + sum.ln()
}

impl ParametricMap for EntropicIsotonic {
    fn unknowns(&self) -> usize {
        self.n
    }

    fn arguments(&self) -> Vec<usize> {
        vec![self.n]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        finite("weights of a monotone fit", at.args[0])?;
        let blocks = pool(
            at.x.iter().copied().zip(at.args[0].iter().copied()),
            |a, b| (log_add(a.0, b.0), log_add(a.1, b.1)),
            |(x, w)| x - w,
            self.order,
        );
        let (mut x, mut w) = (at.x.to_vec(), at.args[0].to_vec());
        let each = parts(&blocks, &mut x).zip(parts(&blocks, &mut w));
        for ((x, w), out) in each.zip(parts(&blocks, out)) {
            let value = softmax(x) - softmax(w);
            out.fill(value);
        }
        Ok(Box::new(Pooled {
            blocks,
            x,
            argument: Some(w),
        }))
    }
}

/// An array cut into blocks.
fn parts<'a>(blocks: &[usize], x: &'a mut [f64]) -> impl Iterator<Item = &'a mut [f64]> {
    let mut rest = x;
    blocks.iter().map(move |length| {
        let (part, after) = std::mem::take(&mut rest).split_at_mut(*length);
        rest = after;
        part
    })
}

/// Weighted means over blocks, with weights of sum 1, and minus those of the argument.
struct Pooled {
    blocks: Vec<usize>,
    x: Vec<f64>,
    argument: Option<Vec<f64>>,
}

impl Pooled {
    fn mean(&self, sign: f64, weights: &[f64], from: &[f64], out: &mut [f64]) {
        let mut start = 0;
        for part in parts(&self.blocks, out) {
            let range = start..start + part.len();
            part.fill(sign * super::dot(&weights[range.clone()], &from[range.clone()]));
            start = range.end;
        }
    }

    fn spread(&self, sign: f64, weights: &[f64], from: &[f64], out: &mut [f64]) {
        let mut start = 0;
        for part in parts(&self.blocks, out) {
            let range = start..start + part.len();
            let sum: f64 = from[range.clone()].iter().sum();
            for (out, weight) in part.iter_mut().zip(&weights[range.clone()]) {
                *out = sign * weight * sum;
            }
            start = range.end;
        }
    }
}

impl Derivative for Pooled {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.mean(1.0, &self.x, w, out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.spread(1.0, &self.x, v, out);
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        match (&self.argument, w) {
            (Some(weights), [w]) => self.mean(-1.0, weights, w, out),
            _ => out.fill(0.0),
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        if let (Some(weights), [out]) = (&self.argument, out) {
            self.spread(-1.0, weights, v, out);
        }
        Ok(())
    }
}
