//! How far two surfaces are from one another.
//!
//! For samples A' of a surface A and B' of B let d(a, B) be the distance of a point to the other
//! surface. Papers differ in factors; these are the definitions here:
//!
//! | measure | formula |
//! |---|---|
//! | accuracy | mean of d(a, B) over A' |
//! | completeness | mean of d(b, A) over B' |
//! | chamfer-L1 | ½ (accuracy + completeness) |
//! | chamfer-L2 | ½ (mean d(a, B)² + mean d(b, A)²): squared distances, no root |
//! | Hausdorff | max of all d(a, B) and d(b, A): from below, since only samples are looked at |
//! | normal consistency | ½ (mean \|n·n'\| over A' + the same over B'), n' the normal at the closest point |
//! | F(τ) | 2PR/(P + R), P the share of d(a, B) ≤ τ, R that of d(b, A) ≤ τ |
//!
//! So A is what was reconstructed and B is the truth. Papers that print the sum of the two directions
//! print twice our chamfer distance. [`Distance::PointTriangle`] measures to the surface;
//! [`Distance::PointPoint`] measures to the other's samples, as most papers do, and has a floor of
//! about half the samples' spacing.
//!
//! Cost: n closest-point queries per side, 1 to 3 µs each on one thread; they run in parallel.
//!
//! Reference for the selection: L. Mescheder, M. Oechsle, M. Niemeyer, S. Nowozin, A. Geiger,
//! *Occupancy networks: learning 3D reconstruction in function space*, 2019, supplement; F-score: A.
//! Knapitsch, J. Park, Q.-Y. Zhou, V. Koltun, *Tanks and temples*, 2017, section 4.

use ansatz_core::{Key, Scalar};
use nalgebra::{Point3, Vector3};
use rayon::prelude::*;

use crate::closest::TriangleTree;
use crate::geometry::{Vec3, checked, corners, cross, unit_or_zero, widen};
use crate::sample::{Pattern, SurfaceSampler};
use crate::tree::Tree;
use crate::{Mesh, MeshError};

/// What the distance to the other surface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Distance {
    /// To its nearest triangle: exact.
    #[default]
    PointTriangle,
    /// To its nearest sample.
    PointPoint,
}

/// Options of a comparison.
///
/// ```
/// use ansatz_mesh::{Compare, Mesh, nalgebra::Point3};
/// let square = |z: f64| {
///     let corner = |x, y| Point3::new(x, y, z);
///     let points = vec![corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)];
///     Mesh::new(points, vec![[0, 1, 2], [0, 2, 3]])
/// };
/// let compare = Compare { samples: 1000, thresholds: vec![0.1], ..Compare::default() };
/// let found = compare.meshes(&square(0.0)?, &square(0.25)?)?;
/// assert!((found.chamfer_l1 - 0.25).abs() < 1e-12 && (found.chamfer_l2 - 0.0625).abs() < 1e-12);
/// assert!((found.hausdorff - 0.25).abs() < 1e-12 && found.f_scores[0].f == 0.0);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Compare {
    /// Samples of each surface.
    pub samples: usize,
    /// How they are spread.
    pub pattern: Pattern,
    /// What they are compared with.
    pub distance: Distance,
    /// Thresholds τ of F-scores.
    pub thresholds: Vec<f64>,
    /// Where the randomness comes from.
    pub key: Key,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            samples: 100_000,
            pattern: Pattern::Uniform,
            distance: Distance::PointTriangle,
            thresholds: Vec::new(),
            key: Key::new(0),
        }
    }
}

/// Distances between two surfaces; the head of [`crate::compare`] has the formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Mean distance of samples of A to B.
    pub accuracy: f64,
    /// Mean distance of samples of B to A.
    pub completeness: f64,
    /// ½ (accuracy + completeness).
    pub chamfer_l1: f64,
    /// ½ of the sum of both mean squared distances.
    pub chamfer_l2: f64,
    /// The largest distance of a sample, of both sides.
    pub hausdorff: f64,
    /// ½ of the sum of both means of |n·n'|; `None` for points without normals.
    pub normal_consistency: Option<f64>,
    /// One entry per threshold.
    pub f_scores: Vec<FScore>,
}

/// Precision and recall at one distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FScore {
    /// τ.
    pub threshold: f64,
    /// Share of samples of A within τ of B.
    pub precision: f64,
    /// Share of samples of B within τ of A.
    pub recall: f64,
    /// 2PR/(P + R); 0 when both are.
    pub f: f64,
}

/// Points with normals, where there are some.
struct Side {
    points: Vec<Vec3>,
    normals: Option<Vec<Vec3>>,
}

/// A distance and |n·n'| (or 0) of each sample of one side.
type Found = Vec<(f64, f64)>;

impl Compare {
    /// Compares surface A (what was made) with B (what it should be). A triangle's normal counts, not
    /// the normals of vertices.
    ///
    /// # Errors
    /// [`MeshError::Empty`] when a mesh has no area, `samples` is 0, [`MeshError::Index`] and
    /// [`MeshError::Vertex`] for a mesh that is unsound, [`MeshError::NotFinite`] for a threshold.
    pub fn meshes<T: Scalar, U: Scalar>(
        &self,
        a: &Mesh<T>,
        b: &Mesh<U>,
    ) -> Result<Comparison, MeshError> {
        self.check()?;
        let (a, a_tree, a_normals) = self.side(a, 0)?;
        let (b, b_tree, b_normals) = self.side(b, 1)?;
        let (there, back) = match self.distance {
            Distance::PointPoint => (to_points(&a, &b), to_points(&b, &a)),
            Distance::PointTriangle => (
                to_triangles(&a, &b_tree, &b_normals),
                to_triangles(&b, &a_tree, &a_normals),
            ),
        };
        Ok(self.summary(&there, &back, true))
    }

    /// Compares two sets of points, with unit normals or without; all points count, `samples` and
    /// `distance` do not.
    ///
    /// # Errors
    /// [`MeshError::Empty`] for a set without points, [`MeshError::Vertex`] for a point that is not
    /// finite, [`MeshError::Normals`] when there is not one normal per point,
    /// [`MeshError::NotFinite`] for a threshold.
    pub fn points<T: Scalar, U: Scalar>(
        &self,
        a: (&[Point3<T>], Option<&[Vector3<T>]>),
        b: (&[Point3<U>], Option<&[Vector3<U>]>),
    ) -> Result<Comparison, MeshError> {
        self.check_thresholds()?;
        let (a, b) = (cloud(a)?, cloud(b)?);
        let normals = a.normals.is_some() && b.normals.is_some();
        Ok(self.summary(&to_points(&a, &b), &to_points(&b, &a), normals))
    }

    fn check(&self) -> Result<(), MeshError> {
        if self.samples == 0 {
            return Err(MeshError::Empty);
        }
        self.check_thresholds()
    }

    fn check_thresholds(&self) -> Result<(), MeshError> {
        match self.thresholds.iter().find(|t| !t.is_finite()) {
            None => Ok(()),
            Some(&value) => Err(MeshError::NotFinite {
                what: "threshold",
                value,
            }),
        }
    }

    /// Samples and tree of a mesh, and the normals of its triangles.
    fn side<T: Scalar>(
        &self,
        mesh: &Mesh<T>,
        number: u64,
    ) -> Result<(Side, TriangleTree, Vec<Vec3>), MeshError> {
        let vertices = checked(mesh)?;
        let tree = TriangleTree::of(&vertices, &mesh.triangles)?;
        let normals: Vec<Vec3> = mesh
            .triangles
            .iter()
            .map(|t| unit_or_zero(cross(&corners(&vertices, *t))))
            .collect();
        let samples = SurfaceSampler {
            count: self.samples,
            pattern: self.pattern,
            key: self.key.fold_in(number),
        }
        .sample(mesh)?;
        let side = Side {
            points: samples.points.iter().map(|p| Vec3::from(*p)).collect(),
            normals: Some(samples.faces.iter().map(|f| normals[*f as usize]).collect()),
        };
        Ok((side, tree, normals))
    }

    fn summary(&self, there: &Found, back: &Found, normals: bool) -> Comparison {
        let mean = |found: &Found, f: &dyn Fn(&(f64, f64)) -> f64| {
            found.iter().map(f).sum::<f64>() / found.len() as f64
        };
        let both = |f: &dyn Fn(&(f64, f64)) -> f64| f64::midpoint(mean(there, f), mean(back, f));
        let (accuracy, completeness) = (mean(there, &|x| x.0), mean(back, &|x| x.0));
        let score = |&threshold: &f64| {
            let within = |found: &Found| mean(found, &|x| f64::from(u8::from(x.0 <= threshold)));
            let (precision, recall) = (within(there), within(back));
            let sum = precision + recall;
            FScore {
                threshold,
                precision,
                recall,
                f: if sum > 0.0 {
                    2.0 * precision * recall / sum
                } else {
                    0.0
                },
            }
        };
        Comparison {
            accuracy,
            completeness,
            chamfer_l1: f64::midpoint(accuracy, completeness),
            chamfer_l2: both(&|x| x.0 * x.0),
            hausdorff: there.iter().chain(back).fold(0.0, |m, x| x.0.max(m)),
            normal_consistency: normals.then(|| both(&|x| x.1)),
            f_scores: self.thresholds.iter().map(score).collect(),
        }
    }
}

fn cloud<T: Scalar>(
    (points, normals): (&[Point3<T>], Option<&[Vector3<T>]>),
) -> Result<Side, MeshError> {
    if points.is_empty() {
        return Err(MeshError::Empty);
    }
    if let Some(normals) = normals.filter(|n| n.len() != points.len()) {
        return Err(MeshError::Normals {
            found: normals.len(),
            vertices: points.len(),
        });
    }
    let points: Vec<Vec3> = points.iter().map(widen).collect();
    if let Some(index) = points.iter().position(|p| !p.iter().all(|x| x.is_finite())) {
        let position = points[index].into();
        return Err(MeshError::Vertex { index, position });
    }
    let normals = normals.map(|n| n.iter().map(|v| v.map(Scalar::f64)).collect());
    Ok(Side { points, normals })
}

fn to_triangles(from: &Side, tree: &TriangleTree, normals: &[Vec3]) -> Found {
    let own = from.normals.as_deref();
    from.points
        .par_iter()
        .enumerate()
        .map(|(i, p)| {
            let closest = tree.closest((*p).into());
            let cosine = own.map_or(0.0, |n| n[i].dot(&normals[closest.triangle]).abs());
            (closest.distance, cosine)
        })
        .collect()
}

fn to_points(from: &Side, to: &Side) -> Found {
    let boxes: Vec<[Vec3; 2]> = to.points.iter().map(|p| [*p; 2]).collect();
    let tree = Tree::new(&boxes);
    from.points
        .par_iter()
        .enumerate()
        .map(|(i, p)| {
            let (mut best, mut item) = (f64::INFINITY, u32::MAX);
            tree.nearest(p, best, |slot| {
                let candidate = tree.items[slot];
                let distance = (to.points[candidate as usize] - p).norm_squared();
                if distance < best || (distance <= best && candidate < item) {
                    (best, item) = (distance, candidate);
                }
                best
            });
            let cosine = match (&from.normals, &to.normals) {
                (Some(own), Some(other)) => own[i].dot(&other[item as usize]).abs(),
                _ => 0.0,
            };
            (best.sqrt(), cosine)
        })
        .collect()
}
