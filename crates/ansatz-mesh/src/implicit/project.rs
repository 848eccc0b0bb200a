//! Vertices moved onto the level set they stand for.

use nalgebra::{Point3, Vector3};

use ansatz_core::{DifferentiableField, Scalar};

use crate::MeshError;

/// Newton's method along the gradient: v ← v − (f(v) − iso)·∇f/|∇f|². Extractors leave vertices at a distance of second
/// order in the spacing from the level set (and those inside of cells farther off); on a smooth field the error is squared
/// by each step.
///
/// ```
/// use ansatz_mesh::{Grid, GridField, GridShape, LevelSetProjection, SurfaceNets};
///
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let samples = shape.sample(&|[x, y, z]: [f64; 3]| (x * x + y * y + z * z).sqrt() - 0.7);
/// let grid = Grid::new(shape, &samples)?;
/// let mut mesh = SurfaceNets::default().extract(&grid, 0.0)?;
/// let found = LevelSetProjection::default().apply(&GridField::new(grid), 0.0, &mut mesh.vertices)?;
/// assert!(found.largest < 1e-12);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelSetProjection {
    /// Steps for each vertex, at most; each costs one evaluation of value and gradient, and one more is made at the end.
    pub steps: usize,
    /// How far a vertex may go from where it was; the spacing of the grid is a good choice. A vertex that would go
    /// farther stays at the best place before.
    pub reach: f64,
}

impl Default for LevelSetProjection {
    fn default() -> Self {
        Self {
            steps: 8,
            reach: f64::INFINITY,
        }
    }
}

/// How a projection ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projected {
    /// The largest |f − iso| at a vertex.
    pub largest: f64,
    /// Vertices that stopped at `reach`, or where the gradient vanishes.
    pub held: usize,
}

/// A vertex on its way.
struct Walker {
    vertex: usize,
    start: Vector3<f64>,
    /// Where to look next.
    next: Vector3<f64>,
}

impl LevelSetProjection {
    /// Moves vertices towards {f = iso}. A step that does not bring |f − iso| down is taken back and ends the vertex. On an
    /// error the vertices are as they were.
    ///
    /// # Errors
    /// [`MeshError::NotFinite`] for the iso value, or for a value or gradient of the field; [`MeshError::Option`] for a
    /// reach that is not positive.
    pub fn apply<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        iso: T,
        vertices: &mut [Point3<T>],
    ) -> Result<Projected, MeshError> {
        if !iso.is_finite() {
            let (what, value) = ("iso value", iso.f64());
            return Err(MeshError::NotFinite { what, value });
        }
        if self.reach.is_nan() || self.reach <= 0.0 {
            return Err(MeshError::Option {
                what: "reach",
                value: self.reach,
                range: "a positive number",
            });
        }
        let mut best: Vec<(Point3<T>, f64)> =
            vertices.iter().map(|p| (*p, f64::INFINITY)).collect();
        let mut walkers: Vec<Walker> = vertices
            .iter()
            .enumerate()
            .map(|(vertex, p)| {
                let start = p.coords.map(Scalar::f64);
                let next = start;
                Walker {
                    vertex,
                    start,
                    next,
                }
            })
            .collect();
        let (mut values, mut gradients) = (Vec::new(), Vec::new());
        let mut held = 0;
        for _ in 0..=self.steps {
            let at: Vec<[T; 3]> = walkers.iter().map(|w| w.next.map(T::of).into()).collect();
            values.resize(at.len(), T::zero());
            gradients.resize(at.len(), [T::zero(); 3]);
            field.eval_gradient(&at, &mut values, &mut gradients);
            let mut failure = None;
            let mut answers = at.iter().zip(&values).zip(&gradients);
            walkers.retain_mut(|w| {
                let Some(((place, value), gradient)) = answers.next() else {
                    return false;
                };
                if let Some(bad) = gradient.iter().chain([value]).find(|x| !x.is_finite()) {
                    failure = Some(bad.f64());
                    return false;
                }
                let off = value.f64() - iso.f64();
                if off.abs() >= best[w.vertex].1 {
                    return false;
                }
                best[w.vertex] = (Point3::from(*place), off.abs());
                let gradient = Vector3::from(gradient.map(Scalar::f64));
                let square = gradient.norm_squared();
                let step = gradient * (off / square);
                w.next = Vector3::from(place.map(Scalar::f64)) - step;
                let distance = (w.next - w.start).norm();
                let near = distance.is_finite() && distance <= self.reach;
                held += usize::from(off != 0.0 && !near);
                off != 0.0 && near
            });
            if let Some(value) = failure {
                let what = "field at a vertex";
                return Err(MeshError::NotFinite { what, value });
            }
        }
        for (vertex, (place, _)) in vertices.iter_mut().zip(&best) {
            *vertex = *place;
        }
        let largest = best.iter().map(|b| b.1).fold(0.0, f64::max);
        Ok(Projected { largest, held })
    }
}
