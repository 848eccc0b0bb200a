//! Monotone vectors.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check};
use crate::LinalgError;

/// Direction of a monotone vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// y₁ ≤ y₂ ≤ …
    #[default]
    Ascending,
    /// y₁ ≥ y₂ ≥ …
    Descending,
}

/// The monotone vector nearest to x, by pooling adjacent violators: means over blocks. O(n), no arguments.
///
/// Bounds come after: `Compose { outer: Separable::new(Elementwise::Hypercube, …), inner: Isotonic { … } }` is the
/// projection on the order simplex 1 ≥ y₁ ≥ … ≥ yₙ ≥ 0.
///
/// Source: M. Best, N. Chakravarti, *Active set algorithms for isotonic regression*, 1990.
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
        let sign = match self.order {
            Order::Ascending => 1.0,
            Order::Descending => -1.0,
        };
        // Sum and length of each block.
        let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(self.n);
        let mean = |(sum, length): (f64, usize)| sum / length as f64;
        for x in at.x {
            let mut block = (sign * x, 1);
            while let Some(last) = blocks.last().copied() {
                if mean(last) < mean(block) {
                    break;
                }
                block = (block.0 + last.0, block.1 + last.1);
                blocks.pop();
            }
            blocks.push(block);
        }
        let lengths: Vec<usize> = blocks.iter().map(|(_, length)| *length).collect();
        let pooled = Pooled(lengths);
        pooled.average(at.x, out);
        Ok(Box::new(pooled))
    }
}

/// Lengths of the blocks.
struct Pooled(Vec<usize>);

impl Pooled {
    fn average(&self, x: &[f64], out: &mut [f64]) {
        let mut start = 0;
        for length in &self.0 {
            let range = start..start + length;
            let mean = x[range.clone()].iter().sum::<f64>() / *length as f64;
            out[range.clone()].fill(mean);
            start = range.end;
        }
    }
}

impl Derivative for Pooled {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.average(w, out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.average(v, out);
        Ok(())
    }

    fn jvp_args(&self, _: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        Ok(())
    }

    fn vjp_args(&self, _: &[f64], _: &mut [&mut [f64]]) -> Result<(), EvalError> {
        Ok(())
    }
}
