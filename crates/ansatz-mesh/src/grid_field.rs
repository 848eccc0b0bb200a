//! Samples as a field: the trilinear interpolant.
//!
//! Within a cell F = Σ_c w_c f_c with w_c the products of t or 1 − t along the axes; F is continuous, its gradient jumps at
//! faces of cells. Outside of the grid the polynomial of the nearest cell goes on. Cost: eight samples for each point.

use ansatz_core::{DifferentiableField, Scalar, ScalarField};

use crate::{Grid, MeshError};

/// The trilinear interpolant of a grid, with its derivatives by position and by samples.
///
/// ```
/// use ansatz_mesh::core::ScalarField;
/// use ansatz_mesh::{Grid, GridField, GridShape};
///
/// let shape = GridShape::spanning([3; 3], [0.0; 3], [1.0; 3])?;
/// let samples = shape.sample(&|[x, y, z]: [f64; 3]| x - 2.0 * y * z);
/// let field = GridField::new(Grid::new(shape, &samples)?);
/// let mut values = [0.0];
/// field.eval(&[[0.3, 0.2, 0.9]], &mut values);
/// assert!((values[0] - (0.3 - 2.0 * 0.2 * 0.9)).abs() < 1e-15);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct GridField<'a, T> {
    grid: Grid<'a, T>,
}

/// A sample beside a point: where it is in the data, its weight there, and the gradient of the weight.
#[derive(Debug, Clone, Copy)]
struct Corner {
    at: usize,
    weight: f64,
    slope: [f64; 3],
}

impl<'a, T: Scalar> GridField<'a, T> {
    /// The interpolant of a grid.
    pub fn new(grid: Grid<'a, T>) -> Self {
        Self { grid }
    }

    fn corners(&self, point: &[T; 3]) -> [Corner; 8] {
        let shape = self.grid.shape();
        let (n, o, h) = (shape.dims(), shape.origin(), shape.spacing());
        let x: [f64; 3] = std::array::from_fn(|a| (point[a].f64() - o[a]) / h[a]);
        // A negative number becomes zero, as does NaN.
        let low: [usize; 3] = std::array::from_fn(|a| (x[a] as usize).min(n[a] - 2));
        let t: [f64; 3] = std::array::from_fn(|a| x[a] - low[a] as f64);
        std::array::from_fn(|c| {
            let bit = [c & 1, c >> 1 & 1, c >> 2];
            let w: [f64; 3] = std::array::from_fn(|a| if bit[a] == 1 { t[a] } else { 1.0 - t[a] });
            let d: [f64; 3] = std::array::from_fn(|a| if bit[a] == 1 { 1.0 } else { -1.0 } / h[a]);
            Corner {
                at: ((low[0] + bit[0]) * n[1] + low[1] + bit[1]) * n[2] + low[2] + bit[2],
                weight: w[0] * w[1] * w[2],
                slope: [d[0] * w[1] * w[2], w[0] * d[1] * w[2], w[0] * w[1] * d[2]],
            }
        })
    }

    fn data(&self, at: usize) -> f64 {
        self.grid.data()[at].f64()
    }

    /// The derivative of a loss with respect to the samples, from the one with respect to the values at points: what
    /// [`crate::LevelSetDerivative::vjp`] hands on when the samples are the parameters.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one cotangent for each point.
    pub fn vjp(&self, points: &[[T; 3]], cotangent: &[T]) -> Result<Vec<T>, MeshError> {
        let (expected, found) = (points.len(), cotangent.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "cotangent",
                expected,
                found,
            });
        }
        let mut samples = vec![0.0; self.grid.data().len()];
        for (point, c) in points.iter().zip(cotangent) {
            for corner in self.corners(point) {
                samples[corner.at] += corner.weight * c.f64();
            }
        }
        Ok(samples.into_iter().map(T::of).collect())
    }
}

impl<T: Scalar> ScalarField<T> for GridField<'_, T> {
    fn eval(&self, points: &[[T; 3]], values: &mut [T]) {
        for (value, point) in values.iter_mut().zip(points) {
            let corners = self.corners(point);
            *value = T::of(corners.iter().map(|c| c.weight * self.data(c.at)).sum());
        }
    }
}

impl<T: Scalar> DifferentiableField<T> for GridField<'_, T> {
    fn eval_gradient(&self, points: &[[T; 3]], values: &mut [T], gradients: &mut [[T; 3]]) {
        for ((value, gradient), point) in values.iter_mut().zip(gradients).zip(points) {
            let corners = self.corners(point);
            *value = T::of(corners.iter().map(|c| c.weight * self.data(c.at)).sum());
            *gradient = std::array::from_fn(|a| {
                T::of(corners.iter().map(|c| c.slope[a] * self.data(c.at)).sum())
            });
        }
    }
}
