//! Dual contouring of Hermite data: sharp edges and corners.
//!
//! Each crossing carries the tangent plane of the surface there, and the vertex of a cell minimises the distances to the
//! planes of its crossings ([`Qef`]). The planes come from central differences of the samples
//! ([`DualContouring::extract`]) or from the field itself ([`DualContouring::extract_field`]), which alone can be exact at
//! sharp features.
//!
//! Cost: that of surface nets and a 3×3 singular value decomposition for each vertex.
//!
//! Sources: T. Ju, F. Losasso, S. Schaefer, J. Warren, Dual contouring of Hermite data (2002); S. Schaefer, T. Ju,
//! J. Warren, Manifold dual contouring (2007).

use nalgebra::{Point3, Vector3};

use ansatz_core::{DifferentiableField, Scalar};

use crate::crossings::{Crossings, unit};
use crate::dual::Engine;
use crate::workspace::dual_extraction;
use crate::{
    DualVertices, Grid, GridShape, Mesh, MeshError, Normals, Qef, QuadMesh, QuadSplit, Workspace,
};

/// How crossings are found on an edge when the field can be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roots {
    /// Evaluations of the field for each crossing, at most.
    pub steps: usize,
    /// A crossing is good when it is known to this fraction of the spacing.
    pub tolerance: f64,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            steps: 8,
            tolerance: 1e-4,
        }
    }
}

/// Dual contouring and its options. From a grid it takes tangent planes by central differences; vertices have normals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualContouring {
    /// How many vertices a cell has.
    pub vertices: DualVertices,
    /// How vertices are placed.
    pub qef: Qef,
    /// How crossings are found by [`DualContouring::extract_field`].
    pub roots: Roots,
    /// How quads become triangles.
    pub split: QuadSplit,
}

impl Default for DualContouring {
    fn default() -> Self {
        Self {
            vertices: DualVertices::Manifold,
            qef: Qef::default(),
            roots: Roots::default(),
            split: QuadSplit::SimilarNormals,
        }
    }
}

dual_extraction!(DualContouring);

impl DualContouring {
    /// As [`DualContouring::quads`], into memory that is there. On an error `mesh` is as it was.
    ///
    /// # Errors
    /// As [`crate::MarchingCubes::extract`].
    pub fn quads_into<T: Scalar>(
        &self,
        grid: &Grid<'_, T>,
        iso: T,
        workspace: &mut Workspace<T>,
        mesh: &mut QuadMesh<T>,
    ) -> Result<(), MeshError> {
        let Workspace {
            crossings,
            points,
            normals,
            ..
        } = workspace;
        crossings.run(grid, iso, Normals::CentralDifferences, points, normals)?;
        self.place(grid.shape(), workspace, mesh)
    }

    /// The surface of {f < iso} of a field sampled on a grid, with crossings and tangent planes from the field.
    ///
    /// # Errors
    /// As [`crate::MarchingCubes::extract`], and [`MeshError::NotFinite`] for a gradient.
    pub fn extract_field<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        shape: GridShape,
        iso: T,
    ) -> Result<Mesh<T>, MeshError> {
        let mut mesh = Mesh::default();
        self.quads_field(field, shape, iso)?
            .triangulate_into(self.split, &mut mesh);
        Ok(mesh)
    }

    /// As [`DualContouring::extract_field`], before quads are cut.
    ///
    /// # Errors
    /// As [`DualContouring::extract_field`].
    pub fn quads_field<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        shape: GridShape,
        iso: T,
    ) -> Result<QuadMesh<T>, MeshError> {
        let samples = shape.sample(field);
        let grid = Grid::new(shape, &samples)?;
        let mut workspace = Workspace::default();
        let Workspace {
            crossings,
            points,
            normals,
            ..
        } = &mut workspace;
        crossings.run(&grid, iso, Normals::None, points, normals)?;
        hermite(field, &grid, iso, self.roots, crossings, points, normals)?;
        let mut mesh = QuadMesh::default();
        self.place(shape, &mut workspace, &mut mesh)?;
        Ok(mesh)
    }

    /// Vertices and quads from crossings and normals in the workspace.
    fn place<T: Scalar>(
        &self,
        shape: GridShape,
        workspace: &mut Workspace<T>,
        mesh: &mut QuadMesh<T>,
    ) -> Result<(), MeshError> {
        let Workspace {
            crossings,
            points,
            normals,
            dual,
            ..
        } = workspace;
        let (points, normals): (&[_], &[_]) = (points, normals);
        let (o, h) = (shape.origin(), shape.spacing());
        let engine = Engine {
            crossings,
            dims: shape.dims(),
            normals: Some(normals),
            vertices: self.vertices,
            cells: false,
            rule: |cell: [usize; 3], names: &[u32]| {
                let planes = names.iter().map(|&c| {
                    let (p, n) = (&points[c as usize], &normals[c as usize]);
                    (p.map(Scalar::f64), n.map(Scalar::f64))
                });
                let low: [f64; 3] = std::array::from_fn(|a| o[a] + cell[a] as f64 * h[a]);
                let high = std::array::from_fn(|a| low[a] + h[a]);
                self.qef.vertex(planes, low, high).map(T::of)
            },
        };
        engine.run(dual, mesh)
    }
}

/// Moves crossings onto the level set of the field and asks for its directions there.
pub(crate) fn hermite<T: Scalar>(
    field: &impl DifferentiableField<T>,
    grid: &Grid<'_, T>,
    iso: T,
    roots: Roots,
    crossings: &Crossings<T>,
    points: &mut [Point3<T>],
    normals: &mut Vec<Vector3<T>>,
) -> Result<(), MeshError> {
    /// A bracket of a crossing: two places on the edge (0 to 1) with values of both signs.
    struct Edge {
        axis: usize,
        low: [f64; 3],
        ends: [f64; 2],
        values: [f64; 2],
        t: f64,
        /// The end that stayed in the step before.
        stayed: usize,
    }
    let shape = grid.shape();
    let [_, n1, n2] = shape.dims();
    let (h, iso) = (shape.spacing(), iso.f64());
    let mut edges = Vec::with_capacity(points.len());
    crossings.for_each(|axis, at| {
        let flat = (at[0] * n1 + at[1]) * n2 + at[2];
        let next = flat + [n1 * n2, n2, 1][axis];
        let values = [flat, next].map(|s| grid.data()[s].f64() - iso);
        let t = crate::crossings::fraction(grid.data()[flat], grid.data()[next], iso);
        edges.push(Edge {
            axis,
            low: shape.point(at),
            ends: [0.0, 1.0],
            values,
            t,
            stayed: 2,
        });
    });
    let place = |e: &Edge| {
        let mut p = e.low;
        p[e.axis] += e.t * h[e.axis];
        p.map(T::of)
    };
    let mut asked: Vec<usize> = (0..edges.len()).collect();
    let (mut at, mut values) = (Vec::new(), Vec::new());
    for _ in 0..roots.steps {
        if asked.is_empty() {
            break;
        }
        at.clear();
        at.extend(asked.iter().map(|&e| place(&edges[e])));
        values.resize(at.len(), T::zero());
        field.eval(&at, &mut values);
        let mut answers = values.iter();
        asked.retain(|&e| {
            let edge = &mut edges[e];
            let value = answers.next().map_or(f64::NAN, |v| v.f64()) - iso;
            // The side of the bracket that has the sign of the value moves.
            let side = usize::from((value < 0.0) == (edge.values[1] < 0.0));
            let before = edge.t;
            edge.ends[side] = edge.t;
            edge.values[side] = value;
            if value == 0.0 || value.is_nan() {
                return false;
            }
            // Illinois: an end that stays twice counts half, so that both ends close in.
            if edge.stayed == 1 - side {
                edge.values[1 - side] *= 0.5;
            }
            edge.stayed = 1 - side;
            let [a, b] = edge.ends;
            let [fa, fb] = edge.values;
            edge.t = (a - fa * (b - a) / (fb - fa)).max(a).min(b);
            (edge.t - before).abs() > roots.tolerance && b - a > roots.tolerance
        });
    }
    at.clear();
    at.extend(edges.iter().map(place));
    values.resize(at.len(), T::zero());
    let mut gradients = vec![[T::zero(); 3]; at.len()];
    field.eval_gradient(&at, &mut values, &mut gradients);
    if let Some(g) = gradients.iter().flatten().find(|g| !g.is_finite()) {
        return Err(MeshError::NotFinite {
            what: "gradient",
            value: g.f64(),
        });
    }
    for (point, p) in points.iter_mut().zip(&at) {
        *point = Point3::from(*p);
    }
    normals.clear();
    normals.extend(
        gradients
            .iter()
            .map(|g| unit(Vector3::from(g.map(Scalar::f64)))),
    );
    Ok(())
}
