//! Marching cubes' vertices as functions of the samples.

use nalgebra::Vector3;

use ansatz_core::Scalar;

use crate::marching_cubes::Part;
use crate::{Ambiguity, Grid, MarchingCubes, Mesh, MeshError, Normals, Workspace};

/// Marching cubes' vertices as functions of the samples: v = x_a + t(x_b − x_a), t = (iso − f_a)/(f_b − f_a).
///
/// The vertices are those of [`MarchingCubes`], in its order. Those that [`Ambiguity::Trilinear`] adds inside of cells are
/// means of crossings, and move with them.
#[derive(Debug, Clone, PartialEq)]
pub struct GridEdges {
    samples: usize,
    spacing: [f64; 3],
    /// Lower and upper sample, axis, and ∂t/∂f of both.
    edges: Vec<([usize; 2], usize, [f64; 2])>,
    /// The crossings of which each vertex inside of a cell is the mean.
    inner: Vec<Vec<u32>>,
}

impl GridEdges {
    /// The vertices of a grid for a mode of [`MarchingCubes`].
    ///
    /// # Errors
    /// As [`MarchingCubes::extract`].
    pub fn new<T: Scalar>(
        grid: &Grid<'_, T>,
        iso: T,
        ambiguity: Ambiguity,
    ) -> Result<Self, MeshError> {
        let mut workspace = Workspace::default();
        let method = MarchingCubes {
            ambiguity,
            normals: Normals::None,
        };
        method.extract_into(grid, iso, &mut workspace, &mut Mesh::default())?;
        let [_, n1, n2] = grid.shape().dims();
        let strides = [n1 * n2, n2, 1];
        let mut edges = Vec::new();
        workspace.crossings.for_each(|axis, at| {
            let low = (0..3).map(|a| at[a] * strides[a]).sum::<usize>();
            let ends = [low, low + strides[axis]];
            let [a, b] = ends.map(|s| grid.data()[s].f64() - iso.f64());
            let square = (a - b) * (a - b);
            edges.push((ends, axis, [-b / square, a / square]));
        });
        let sources = workspace.parts.iter().flat_map(Part::sources);
        Ok(Self {
            samples: grid.data().len(),
            spacing: grid.shape().spacing(),
            edges,
            inner: sources.map(<[u32]>::to_vec).collect(),
        })
    }

    /// How many vertices there are.
    pub fn len(&self) -> usize {
        self.edges.len() + self.inner.len()
    }

    /// Whether nothing is crossed.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The derivative of a loss with respect to the samples, from the one with respect to the vertices.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one cotangent for each vertex.
    pub fn vjp<T: Scalar>(&self, cotangent: &[Vector3<T>]) -> Result<Vec<T>, MeshError> {
        let (expected, found) = (self.len(), cotangent.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "cotangent",
                expected,
                found,
            });
        }
        let (outer, inner) = cotangent.split_at(self.edges.len());
        let mut outer: Vec<Vector3<f64>> = outer.iter().map(|c| c.map(Scalar::f64)).collect();
        for (sources, c) in self.inner.iter().zip(inner) {
            let share = c.map(Scalar::f64) / sources.len() as f64;
            for e in sources {
                outer[*e as usize] += share;
            }
        }
        let mut samples = vec![0.0; self.samples];
        for ((ends, axis, slopes), c) in self.edges.iter().zip(&outer) {
            for m in 0..2 {
                samples[ends[m]] += c[*axis] * self.spacing[*axis] * slopes[m];
            }
        }
        Ok(samples.into_iter().map(T::of).collect())
    }

    /// How the vertices move with the samples.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one change for each sample.
    pub fn jvp<T: Scalar>(&self, change: &[T]) -> Result<Vec<Vector3<T>>, MeshError> {
        let (expected, found) = (self.samples, change.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "change of samples",
                expected,
                found,
            });
        }
        let mut moved: Vec<Vector3<f64>> = self
            .edges
            .iter()
            .map(|(ends, axis, slopes)| {
                let t: f64 = (0..2).map(|m| slopes[m] * change[ends[m]].f64()).sum();
                let mut v = Vector3::zeros();
                v[*axis] = t * self.spacing[*axis];
                v
            })
            .collect();
        for sources in &self.inner {
            let sum: Vector3<f64> = sources.iter().map(|e| moved[*e as usize]).sum();
            moved.push(sum / sources.len() as f64);
        }
        Ok(moved.into_iter().map(|v| v.map(T::of)).collect())
    }
}
