//! Samples of a field that changes little by little, asked again near its surface alone.

use nalgebra::Point3;

use ansatz_core::{Scalar, ScalarField};

use crate::sparse::ask;
use crate::{Grid, GridShape, MeshError};

/// Samples on a grid for a field whose parameters are being optimised.
///
/// After a step the surface is near where it was, so only the cells that held a vertex and their neighbours are sampled
/// again: the corners of these cells, and the neighbours along the axes of these corners (their stars of seven points).
/// Other samples keep old values, whose signs are right while the surface moves by less than a cell. Parts that are born
/// elsewhere are seen at the next full sampling.
///
/// Cost of a step: O(surface) evaluations, about 8 for each active cell.
///
/// Source: E. Remelli et al., MeshSDF: differentiable iso-surface extraction (2020), section 3.3, whose program never
/// samples the whole grid again.
///
/// ```
/// use ansatz_mesh::{GridShape, MarchingCubes, RefreshedSamples};
///
/// let shape = GridShape::spanning([33; 3], [-1.0; 3], [1.0; 3])?;
/// let mut samples = RefreshedSamples::<f64>::new(shape, 10)?;
/// let mut vertices = Vec::new();
/// for step in 0..5 {
///     let radius = 0.6 + 0.01 * f64::from(step);
///     let ball = move |[x, y, z]: [f64; 3]| (x * x + y * y + z * z).sqrt() - radius;
///     let asked = samples.refresh(&ball, &vertices);
///     assert_eq!(asked < shape.samples() / 3, step > 0);
///     vertices = MarchingCubes::default().extract(&samples.grid()?, 0.0)?.vertices;
/// }
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RefreshedSamples<T> {
    shape: GridShape,
    samples: Vec<T>,
    every: usize,
    age: usize,
}

impl<T: Scalar> RefreshedSamples<T> {
    /// Samples that are all asked again at each `every`-th refresh.
    ///
    /// # Errors
    /// [`MeshError::Option`] when `every` is zero.
    pub fn new(shape: GridShape, every: usize) -> Result<Self, MeshError> {
        if every == 0 {
            return Err(MeshError::Option {
                what: "refreshes from one full sampling to the next",
                value: 0.0,
                range: "at least 1",
            });
        }
        Ok(Self {
            shape,
            samples: Vec::new(),
            every,
            age: 0,
        })
    }

    /// Asks a field again around the vertices of the mesh of the step before; everywhere the first time, each `every`-th
    /// time, and without vertices. Gives the number of evaluations.
    pub fn refresh(&mut self, field: &impl ScalarField<T>, vertices: &[Point3<T>]) -> usize {
        let full = self.age.is_multiple_of(self.every) || vertices.is_empty();
        self.age = if full { 1 } else { self.age + 1 };
        if full {
            self.samples = self.shape.sample(field);
            return self.samples.len();
        }
        let at = self.stars(vertices);
        let points: Vec<[T; 3]> = at.iter().map(|&s| self.shape.point(s).map(T::of)).collect();
        let [_, n1, n2] = self.shape.dims();
        for ([i, j, k], value) in at.iter().zip(ask(field, &points)) {
            self.samples[(i * n1 + j) * n2 + k] = value;
        }
        points.len()
    }

    /// The samples as they are now.
    ///
    /// # Errors
    /// [`MeshError::Length`] before the first refresh.
    pub fn grid(&self) -> Result<Grid<'_, T>, MeshError> {
        Grid::new(self.shape, &self.samples)
    }

    /// The samples around the cells of vertices.
    fn stars(&self, vertices: &[Point3<T>]) -> Vec<[usize; 3]> {
        let (n, o, h) = (self.shape.dims(), self.shape.origin(), self.shape.spacing());
        let mut cells: Vec<[usize; 3]> = vertices
            .iter()
            .map(|v| std::array::from_fn(|a| (((v[a].f64() - o[a]) / h[a]) as usize).min(n[a] - 2)))
            .collect();
        cells.sort_unstable();
        cells.dedup();
        let mut found = Vec::with_capacity(16 * cells.len());
        for low in cells {
            for c in 0..8 {
                let corner = [low[0] + (c & 1), low[1] + (c >> 1 & 1), low[2] + (c >> 2)];
                found.push(corner);
                for axis in 0..3 {
                    for place in [corner[axis].wrapping_sub(1), corner[axis] + 1] {
                        if place < n[axis] {
                            let mut beside = corner;
                            beside[axis] = place;
                            found.push(beside);
                        }
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
