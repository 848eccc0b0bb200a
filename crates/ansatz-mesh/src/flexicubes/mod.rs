//! FlexiCubes: a mesh as a differentiable function of values on a grid and of weights for each cell.
//!
//! A dual method ([`crate::DualMarchingCubes`]) whose vertices can be steered: the crossing of edge (i, j) as cell q sees
//! it is u = (A xⱼ − B xᵢ)/(A − B) with A = sᵢαᵢ, B = sⱼαⱼ, the vertex of a loop is Σ βₑuₑ/Σ βₑ, and γ weighs the two
//! diagonals of a quad. Positive weights keep each vertex inside of its cell, whatever they are; raw weights are squashed
//! by 1 + w·tanh and w·σ + (1 − w)/2 with w = 0.99. Signs and connectivity are constants of the derivatives.
//!
//! [`FlexiCubes::extract`] gives a [`FlexiSurface`], which keeps what [`FlexiSurface::vjp`] and [`FlexiSurface::jvp`]
//! need. On a lattice the mesh is a manifold wherever it does not leave the grid; triangles may intersect. [`OctreeGrid`]
//! has small cells where they are wanted and large ones elsewhere, and meshes without cracks between them.
//!
//! Cost: O(cells) to find the surface, O(surface) for mesh and derivatives.
//!
//! Source: T. Shen, J. Munkberg, J. Hasselgren, K. Yin, Z. Wang, W. Chen, Z. Gojcic, S. Fidler, N. Sharp, J. Gao,
//! Flexible isosurface extraction for gradient-based mesh optimization (2023).

mod develop;
mod grid;
mod octree;
mod qef;
mod regularise;
mod sheets;
mod surface;
mod tetrahedra;

pub use develop::developability;
pub use grid::HexGrid;
pub use octree::OctreeGrid;
pub use regularise::{deform, deform_vjp, sign_regulariser};
pub use surface::{FlexiSurface, FlexiVariation};
pub use tetrahedra::TetMesh;

use nalgebra::Point3;

use ansatz_core::Scalar;

use crate::MeshError;

/// Range of the weights: α and β lie in (1 − w, 1 + w), γ in ((1 − w)/2, (1 + w)/2).
pub(crate) const WEIGHT: f64 = 0.99;

/// How quads become triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FlexiSplit {
    /// Four triangles around a centre that γ weighs: differentiable in γ.
    #[default]
    Training,
    /// Two triangles along the diagonal of the larger product of γ.
    Evaluation,
}

/// Grids that FlexiCubes works on: [`HexGrid`], all cells alike, and [`OctreeGrid`], cells of several sizes.
pub trait FlexiGrid: sheets::Cells {}

impl FlexiGrid for HexGrid {}
impl FlexiGrid for OctreeGrid {}

/// FlexiCubes and its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlexiCubes {
    /// How quads become triangles.
    pub split: FlexiSplit,
}

/// What the surface is a function of.
#[derive(Debug, Clone, Copy)]
pub struct FlexiParameters<'a, T: Scalar> {
    /// Positions x of the grid's vertices.
    pub points: &'a [Point3<T>],
    /// Values s at the grid's vertices; negative inside.
    pub values: &'a [T],
    /// Raw weights a, one for each vertex of each cell (eight on a [`HexGrid`]); `None` stands for α = 1.
    pub alpha: Option<&'a [T]>,
    /// Raw weights b, one for each edge of each cell (twelve on a [`HexGrid`]); `None` stands for β = 1.
    pub beta: Option<&'a [T]>,
    /// Raw weights g, one for each cell; `None` stands for γ = 1.
    pub gamma: Option<&'a [T]>,
}

impl<'a, T: Scalar> FlexiParameters<'a, T> {
    /// Positions and values with all weights one.
    pub fn new(points: &'a [Point3<T>], values: &'a [T]) -> Self {
        Self {
            points,
            values,
            alpha: None,
            beta: None,
            gamma: None,
        }
    }

    fn check(&self, grid: &impl FlexiGrid) -> Result<(), MeshError> {
        let sizes = grid.sizes();
        let n = sizes.vertices;
        let counts = [
            ("points", Some(self.points.len()), n),
            ("values", Some(self.values.len()), n),
            ("alpha", self.alpha.map(<[T]>::len), sizes.alpha),
            ("beta", self.beta.map(<[T]>::len), sizes.beta),
            ("gamma", self.gamma.map(<[T]>::len), sizes.gamma),
        ];
        for (what, found, expected) in counts {
            if let Some(found) = found.filter(|f| *f != expected) {
                return Err(MeshError::Count {
                    what,
                    expected,
                    found,
                });
            }
        }
        let weights = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("gamma", self.gamma),
        ];
        let arrays = weights.into_iter().chain([("values", Some(self.values))]);
        for (what, array) in arrays {
            if let Some((index, value)) = array.and_then(first_bad) {
                return Err(MeshError::Value { what, index, value });
            }
        }
        if let Some(index) = self
            .points
            .iter()
            .position(|p| p.iter().any(|x| !x.is_finite()))
        {
            let position = self.points[index].map(Scalar::f64).into();
            return Err(MeshError::Vertex { index, position });
        }
        Ok(())
    }
}

fn first_bad<T: Scalar>(array: &[T]) -> Option<(usize, f64)> {
    array
        .iter()
        .position(|x| !x.is_finite())
        .map(|i| (i, array[i].f64()))
}

impl FlexiCubes {
    /// The surface of {s < 0}.
    ///
    /// ```
    /// use ansatz_mesh::flexicubes::{FlexiCubes, FlexiParameters, HexGrid};
    ///
    /// let grid = HexGrid::lattice([8; 3])?;
    /// let points = grid.lattice_points([-1.0; 3], [1.0; 3]);
    /// let values: Vec<f64> = points.iter().map(|p| p.coords.norm() - 0.7).collect();
    /// let parameters = FlexiParameters::new(&points, &values);
    /// let surface = FlexiCubes::default().extract(&grid, &parameters)?;
    /// // The derivative of Σ|v|² with respect to all parameters.
    /// let cotangent: Vec<_> = surface.mesh.vertices.iter().map(|v| v.coords * 2.0).collect();
    /// let gradient = surface.vjp(&cotangent, &[])?;
    /// assert_eq!(gradient.values.len(), points.len());
    /// # Ok::<(), ansatz_mesh::MeshError>(())
    /// ```
    ///
    /// # Errors
    /// [`MeshError::Count`] for an array of another length than the grid asks for, [`MeshError::Value`] and
    /// [`MeshError::Vertex`] for what is not finite.
    pub fn extract<T: Scalar>(
        &self,
        grid: &impl FlexiGrid,
        parameters: &FlexiParameters<'_, T>,
    ) -> Result<FlexiSurface<T>, MeshError> {
        parameters.check(grid)?;
        Ok(FlexiSurface::new(grid, parameters, self.split))
    }
}
