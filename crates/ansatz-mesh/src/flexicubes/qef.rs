//! Vertices that minimise a quadratic error function, for a field that is known with its gradient.

use nalgebra::{Point3, Vector3};

use ansatz_core::{DifferentiableField, Scalar};

use super::{FlexiCubes, FlexiGrid, FlexiParameters, FlexiSplit, FlexiSurface};
use crate::crossings::unit;
use crate::{CellPolicy, Mesh, MeshError, Qef, QuadMesh, QuadSplit};

impl FlexiCubes {
    /// The surface of a known field with vertices that minimise Σ (n·(v − p))² + 10⁻⁶|v − m|² over the unweighted crossings
    /// p of their loop, m being their mean, and quads cut where normals agree more. Not differentiable; weights are not used.
    ///
    /// # Errors
    /// As [`FlexiCubes::extract`], and [`MeshError::NotFinite`] for a gradient.
    pub fn extract_field<T: Scalar>(
        &self,
        grid: &impl FlexiGrid,
        points: &[Point3<T>],
        values: &[T],
        field: &impl DifferentiableField<T>,
    ) -> Result<Mesh<T>, MeshError> {
        let parameters = FlexiParameters::new(points, values);
        let surface = Self {
            split: FlexiSplit::Evaluation,
        }
        .extract(grid, &parameters)?;
        let FlexiSurface {
            crossings,
            duals,
            quads,
            triangles,
            ..
        } = &surface;
        let at: Vec<[T; 3]> = crossings
            .iter()
            .map(|c| c.plain.map(T::of).into())
            .collect();
        let mut answers = vec![T::zero(); at.len()];
        let mut gradients = vec![[T::zero(); 3]; at.len()];
        field.eval_gradient(&at, &mut answers, &mut gradients);
        if let Some(g) = gradients.iter().flatten().find(|g| !g.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "gradient",
                value: g.f64(),
            });
        }
        let normals: Vec<Vector3<f64>> = gradients
            .iter()
            .map(|g| unit(Vector3::from(g.map(Scalar::f64))))
            .collect();
        let qef = Qef {
            truncation: 0.0,
            regularisation: 1e-3,
            policy: CellPolicy::Free,
        };
        let mut mesh = QuadMesh::default();
        let mut directions = Vec::with_capacity(duals.len());
        for dual in duals {
            let own = dual.from as usize..dual.to as usize;
            let planes = own
                .clone()
                .map(|c| (Point3::from(crossings[c].plain), normals[c]));
            mesh.vertices
                .push(qef.vertex(planes, [0.0; 3], [0.0; 3]).map(T::of));
            directions.push(unit(normals[own].iter().sum()));
        }
        mesh.normals = Some(directions);
        mesh.quads = quads.iter().map(|q| q.corners).collect();
        let mut mesh = mesh.triangulate(QuadSplit::SimilarNormals);
        mesh.triangles.extend(triangles.iter().map(|t| t.corners));
        Ok(mesh)
    }
}
