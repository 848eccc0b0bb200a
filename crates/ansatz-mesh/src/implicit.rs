//! Derivatives of a surface with respect to the field it came from, whatever made the mesh.
//!
//! When a field f changes by εφ, its level set moves along the normal: a point v of it moves by −ε φ(v)·∇f/|∇f|². So a
//! loss with derivative g_v at each vertex has the derivative Σ c_v ∂f(v; z)/∂z with respect to parameters z of the field,
//! c_v = −g_v·∇f(v)/|∇f(v)|²; for a signed distance |∇f| = 1 and c_v = −g_v·n. Topology may change between steps: the
//! formula never sees triangles. The movement along the surface has no meaning for a field, hence losses should not depend
//! on it. A part that is about to be born has no vertices and no derivative.
//!
//! [`GridEdges`] is the other way: the exact derivative of marching cubes' vertices with respect to the samples, for grids
//! that are parameters themselves. The two differ along the surface alone, up to the spacing. [`LevelSetProjection`] moves
//! vertices onto the level set first, where the formula holds; [`RefreshedSamples`] saves evaluations from step to step.
//!
//! Cost: one evaluation of the field with its gradient at the vertices, and one product with ∂f/∂z.
//!
//! Sources: E. Remelli et al., MeshSDF: differentiable iso-surface extraction (2020), theorem 1; B. Guillard et al.,
//! DeepMesh: differentiable iso-surface extraction (2021), theorem 1 for general fields.

use nalgebra::{Point3, Vector3};

use ansatz_core::{DifferentiableField, Scalar};

use crate::MeshError;

mod edges;
mod project;
mod refresh;

pub use edges::GridEdges;
pub use project::{LevelSetProjection, Projected};
pub use refresh::RefreshedSamples;

/// How a level set moves with its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Motion {
    /// −∇f/|∇f|², for every field.
    #[default]
    Implicit,
    /// −∇f/|∇f|, which is right where |∇f| = 1.
    SignedDistance,
}

/// The derivative of a level set with respect to its field.
///
/// ```
/// use ansatz_mesh::core::{DifferentiableField, ScalarField};
/// use ansatz_mesh::nalgebra::{Point3, Vector3};
/// use ansatz_mesh::LevelSetDerivative;
///
/// struct Ball;
/// impl ScalarField<f64> for Ball {
///     fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
///         for (v, [x, y, z]) in values.iter_mut().zip(points) {
///             *v = x * x + y * y + z * z - 1.0;
///         }
///     }
/// }
/// impl DifferentiableField<f64> for Ball {
///     fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
///         self.eval(points, values);
///         for (g, p) in gradients.iter_mut().zip(points) {
///             *g = p.map(|x| 2.0 * x);
///         }
///     }
/// }
/// // How far the sphere moves outward when the field rises by one: by −1/|∇f|.
/// let at = [Point3::new(1.0, 0.0, 0.0)];
/// let c = LevelSetDerivative::default().vjp(&Ball, &at, &[Vector3::x()])?;
/// assert!((c.values[0] + 0.5).abs() < 1e-15);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelSetDerivative {
    /// How the level set moves with its field.
    pub motion: Motion,
    /// Vertices where |∇f| is below this fraction of the median do not count.
    pub guard: f64,
}

impl Default for LevelSetDerivative {
    fn default() -> Self {
        Self {
            motion: Motion::Implicit,
            guard: 1e-6,
        }
    }
}

/// What a loss asks of the field at the vertices of a mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldCotangent<T> {
    /// c_v, the derivative of the loss with respect to the field's value at each vertex: pull it back through
    /// z ↦ f(v; z), vertices held.
    pub values: Vec<T>,
    /// Vertices left out because the gradient of the field vanishes there.
    pub skipped: usize,
}

impl LevelSetDerivative {
    /// The derivative of a loss with respect to the field's values at the vertices, from the one with respect to the
    /// vertices.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one cotangent for each vertex, [`MeshError::NotFinite`] for a gradient or a
    /// cotangent.
    pub fn vjp<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        vertices: &[Point3<T>],
        cotangent: &[Vector3<T>],
    ) -> Result<FieldCotangent<T>, MeshError> {
        let (expected, found) = (vertices.len(), cotangent.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "cotangent",
                expected,
                found,
            });
        }
        if let Some(x) = cotangent.iter().flatten().find(|x| !x.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "cotangent",
                value: x.f64(),
            });
        }
        let (motion, skipped) = self.motions(field, vertices)?;
        let values = motion
            .iter()
            .zip(cotangent)
            .map(|(m, c)| T::of(m.dot(&c.map(Scalar::f64))))
            .collect();
        Ok(FieldCotangent { values, skipped })
    }

    /// How vertices move when the field's values there change.
    ///
    /// # Errors
    /// [`MeshError::Count`] unless there is one change for each vertex, [`MeshError::NotFinite`] for a gradient.
    pub fn jvp<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        vertices: &[Point3<T>],
        change: &[T],
    ) -> Result<Vec<Vector3<T>>, MeshError> {
        let (expected, found) = (vertices.len(), change.len());
        if expected != found {
            return Err(MeshError::Count {
                what: "change of values",
                expected,
                found,
            });
        }
        let (motion, _) = self.motions(field, vertices)?;
        Ok(motion
            .iter()
            .zip(change)
            .map(|(m, c)| (m * c.f64()).map(T::of))
            .collect())
    }

    /// dv/df at each vertex, zero where the gradient vanishes, and how often it does.
    fn motions<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        vertices: &[Point3<T>],
    ) -> Result<(Vec<Vector3<f64>>, usize), MeshError> {
        let points: Vec<[T; 3]> = vertices.iter().map(|p| (*p).into()).collect();
        let mut values = vec![T::zero(); points.len()];
        let mut gradients = vec![[T::zero(); 3]; points.len()];
        field.eval_gradient(&points, &mut values, &mut gradients);
        if let Some(g) = gradients.iter().flatten().find(|g| !g.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "gradient",
                value: g.f64(),
            });
        }
        let gradients: Vec<Vector3<f64>> = gradients
            .iter()
            .map(|g| Vector3::from(g.map(Scalar::f64)))
            .collect();
        let mut sizes: Vec<f64> = gradients.iter().map(Vector3::norm).collect();
        let middle = sizes.len() / 2;
        let least = if sizes.is_empty() {
            0.0
        } else {
            self.guard * *sizes.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        let mut skipped = 0;
        let motion = gradients
            .iter()
            .map(|g| {
                let size = g.norm();
                if size <= least || size == 0.0 {
                    skipped += 1;
                    return Vector3::zeros();
                }
                match self.motion {
                    Motion::Implicit => -g / (size * size),
                    Motion::SignedDistance => -g / size,
                }
            })
            .collect();
        Ok((motion, skipped))
    }
}
