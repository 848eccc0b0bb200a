//! What was learnt: the solution anywhere, its derivatives, its spectrum.

use faer::{Accum, Mat};

use crate::LinalgError;
use crate::error::{finite, shape, within};
use crate::operator::along;

use super::kernel::{Component, Covariance};

/// One Gaussian process: u(x) = Σ α·Πk_d(x_d, grid_d).
#[derive(Debug, Clone)]
pub(super) struct Stage<'a> {
    pub(super) kernel: &'a dyn Covariance,
    /// Parameters of each coordinate.
    pub(super) theta: Vec<Vec<f64>>,
    pub(super) grids: &'a [Vec<f64>],
    /// C⁻¹u.
    pub(super) alpha: Vec<f64>,
}

/// A solution as a sum of Gaussian processes, one unless there was a second stage.
#[derive(Debug, Clone)]
pub struct Solution<'a> {
    pub(super) stages: Vec<Stage<'a>>,
}

impl Solution<'_> {
    /// ∂ᵏu on a tensor grid, in row-major order; `derivative` has an order of 0 to 2 for each coordinate, zeros for u itself.
    ///
    /// Cost: for m points along each of D coordinates, D products of m × n matrices.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for another number of coordinates, [`LinalgError::Parameter`] for an order above 2,
    /// [`LinalgError::NotFinite`].
    pub fn on_grid(
        &self,
        grids: &[Vec<f64>],
        derivative: &[usize],
    ) -> Result<Vec<f64>, LinalgError> {
        self.check(derivative)?;
        shape("grids", derivative.len(), grids.len())?;
        for grid in grids {
            finite("grid", grid)?;
        }
        let mut sum = vec![0.0; grids.iter().map(Vec::len).product()];
        for stage in &self.stages {
            let mut x = stage.alpha.clone();
            let mut right = x.len();
            for (d, grid) in grids.iter().enumerate() {
                let cross = stage.cross(d, grid, derivative[d]);
                right /= stage.grids[d].len();
                let mut y = vec![0.0; x.len() / stage.grids[d].len() * grid.len()];
                if !y.is_empty() {
                    along(cross.as_ref(), right, &x, &mut y, Accum::Replace);
                }
                x = y;
            }
            for (s, x) in sum.iter_mut().zip(x) {
                *s += x;
            }
        }
        Ok(sum)
    }

    /// ∂ᵏu at scattered points, which stand one after the other in `points`.
    ///
    /// Cost: N multiply-adds per point, N the points of the training grid.
    ///
    /// # Errors
    /// Those of [`Solution::on_grid`].
    pub fn at(&self, points: &[f64], derivative: &[usize]) -> Result<Vec<f64>, LinalgError> {
        self.check(derivative)?;
        let dimensions = derivative.len();
        if !points.len().is_multiple_of(dimensions) {
            return Err(LinalgError::Shape {
                what: "coordinates of scattered points",
                expected: points.len().next_multiple_of(dimensions),
                got: points.len(),
            });
        }
        finite("points", points)?;
        let mut sum = vec![0.0; points.len() / dimensions];
        for stage in &self.stages {
            for (point, s) in points.chunks(dimensions).zip(&mut sum) {
                let mut x = stage.alpha.clone();
                let mut right = x.len();
                for d in 0..dimensions {
                    let cross = stage.cross(d, &point[d..=d], derivative[d]);
                    right /= stage.grids[d].len();
                    let mut y = vec![0.0; right];
                    along(cross.as_ref(), right, &x, &mut y, Accum::Replace);
                    x = y;
                }
                *s += x[0];
            }
        }
        Ok(sum)
    }

    /// The learnt spectrum of coordinate `d`, the heaviest component first.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] when there is no such coordinate.
    pub fn spectrum(&self, d: usize) -> Result<Vec<Component>, LinalgError> {
        let dimensions = self.stages.first().map_or(0, |s| s.grids.len());
        let range = 0.0..dimensions as f64;
        within(
            "coordinate",
            d as f64,
            range,
            "must be one of the problem's",
        )?;
        let mut all: Vec<Component> = self
            .stages
            .iter()
            .flat_map(|s| s.kernel.spectrum(&s.theta[d]))
            .collect();
        all.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        Ok(all)
    }

    fn check(&self, derivative: &[usize]) -> Result<(), LinalgError> {
        let dimensions = self.stages.first().map_or(0, |s| s.grids.len());
        shape("orders of derivative", dimensions, derivative.len())?;
        for order in derivative {
            within(
                "order of a derivative",
                *order as f64,
                0.0..=2.0,
                "must be 0, 1 or 2",
            )?;
        }
        Ok(())
    }
}

impl Stage<'_> {
    /// k⁽ᵒ⁾(x, grid) for each x.
    fn cross(&self, d: usize, x: &[f64], order: usize) -> Mat<f64> {
        let grid = &self.grids[d];
        let distances: Vec<f64> = x
            .iter()
            .flat_map(|x| grid.iter().map(move |g| (x - g).abs()))
            .collect();
        let mut values = vec![0.0; distances.len()];
        let mut out = [None, None, None];
        out[order] = Some(values.as_mut_slice());
        self.kernel.values(&self.theta[d], &distances, out);
        Mat::from_fn(x.len(), grid.len(), |i, j| {
            let value = values[i * grid.len() + j];
            if order == 1 && x[i] < grid[j] {
                -value
            } else {
                value
            }
        })
    }
}
