//! The signed distance on a grid: exact near the surface, from the eikonal equation elsewhere.

use ansatz_core::Scalar;
use rayon::prelude::*;

use super::SignedDistance;
use crate::geometry::Vec3;
use crate::grid::GridShape;

/// How a grid of signed distances is filled.
///
/// Samples within `band` of the surface, and those on the sides of the grid, are exact. The others
/// solve |∇d| = 1 by Gauss-Seidel sweeps in eight directions with Godunov's upwind differences (H.
/// Zhao, *A fast sweeping method for eikonal equations*, 2005): an error of first order in the
/// spacing, far from the surface only. The sign is exact everywhere.
///
/// ```
/// use ansatz_mesh::{GridDistance, GridShape, Mesh, Sign, SignedDistance, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// let shape = GridShape::spanning([9; 3], [-1.0; 3], [2.0; 3])?;
/// let distance = SignedDistance::new(&mesh, Sign::PseudoNormal)?;
/// let samples: Vec<f32> = GridDistance::default().sample(&distance, shape);
/// assert!((samples[0] - 3_f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridDistance {
    /// Half the width of the exact band, in units of the largest spacing; at least 1 is used.
    /// Infinite: every sample is exact.
    pub band: f64,
    /// Rounds of eight sweeps; one is enough unless the inside is a maze.
    pub rounds: usize,
}

impl Default for GridDistance {
    fn default() -> Self {
        Self {
            band: 3.0,
            rounds: 1,
        }
    }
}

/// Whether a sample is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    /// If the surface is within reach.
    Near,
    Always,
}

impl GridDistance {
    /// Signed distances at the samples of a grid, z fastest. Cost: a query per sample of the band,
    /// about 40 ns per sample for the sweeps.
    pub fn sample<T: Scalar>(&self, distance: &SignedDistance, shape: GridShape) -> Vec<T> {
        let dims = shape.dims();
        let (origin, spacing) = (shape.origin(), shape.spacing());
        let mut values = vec![f64::INFINITY; shape.samples()];
        let mut exact = self.exact(distance, shape);
        let point = |n: usize| {
            let index = [n / dims[2] / dims[1], n / dims[2] % dims[1], n % dims[2]];
            std::array::from_fn(|a| origin[a] + index[a] as f64 * spacing[a])
        };
        let reach = self.reach(shape);
        values
            .par_iter_mut()
            .zip(&mut exact)
            .enumerate()
            .for_each(|(n, (value, exact))| {
                let limit = match *exact {
                    Asked::No => return,
                    Asked::Near => reach,
                    Asked::Always => f64::INFINITY,
                };
                let p = point(n);
                match distance.tree.closest_within(p, limit) {
                    Some(found) => *value = distance.signed(p, &found),
                    None => *exact = Asked::No,
                }
            });
        let exact: Vec<bool> = exact.iter().map(|e| *e != Asked::No).collect();
        if !exact.iter().all(|e| *e) {
            for _ in 0..self.rounds.max(1) {
                sweeps(&mut values, &exact, dims, spacing);
            }
        }
        values.into_iter().map(T::of).collect()
    }

    /// Half the width of the band.
    fn reach(&self, shape: GridShape) -> f64 {
        // A little more than a cell, so that rounding leaves no gap between neighbours.
        self.band.max(1.001) * Vec3::from(shape.spacing()).max()
    }

    /// Which samples are to be exact: those on the sides, and those near the boxes of triangles.
    fn exact(&self, distance: &SignedDistance, shape: GridShape) -> Vec<Asked> {
        let dims = shape.dims();
        let (origin, spacing) = (Vec3::from(shape.origin()), Vec3::from(shape.spacing()));
        let reach = Vec3::repeat(self.reach(shape));
        if reach.x.is_infinite() {
            return vec![Asked::Always; shape.samples()];
        }
        let at = |i: usize, j: usize, k: usize| (i * dims[1] + j) * dims[2] + k;
        let mut exact = vec![Asked::No; shape.samples()];
        for corners in &distance.tree.corners {
            let low = corners[0].inf(&corners[1]).inf(&corners[2]) - reach - origin;
            let high = corners[0].sup(&corners[1]).sup(&corners[2]) + reach - origin;
            // A cast from a negative number is 0.
            let first: [usize; 3] = std::array::from_fn(|a| (low[a] / spacing[a]).ceil() as usize);
            let end: [usize; 3] = std::array::from_fn(|a| {
                if high[a] < 0.0 {
                    0
                } else {
                    ((high[a] / spacing[a]).floor() as usize)
                        .saturating_add(1)
                        .min(dims[a])
                }
            });
            for i in first[0]..end[0] {
                for j in first[1]..end[1] {
                    if first[2] < end[2] {
                        exact[at(i, j, first[2])..=at(i, j, end[2] - 1)].fill(Asked::Near);
                    }
                }
            }
        }
        for i in 0..dims[0] {
            for j in 0..dims[1] {
                let end = [(i, 0), (j, 1)]
                    .iter()
                    .any(|(x, a)| *x == 0 || x + 1 == dims[*a]);
                for k in 0..dims[2] {
                    if end || k == 0 || k + 1 == dims[2] {
                        exact[at(i, j, k)] = Asked::Always;
                    }
                }
            }
        }
        exact
    }
}

/// Eight sweeps. A sample takes its sign from the neighbour that its value came from: the band is wider
/// than a cell, so that no two neighbours outside of it lie on different sides.
fn sweeps(values: &mut [f64], exact: &[bool], dims: [usize; 3], spacing: [f64; 3]) {
    let stride = [dims[1] * dims[2], dims[2], 1];
    for direction in 0..8 {
        let along = |axis: usize, step: usize| {
            if direction >> axis & 1 == 0 {
                step
            } else {
                dims[axis] - 1 - step
            }
        };
        for i in 0..dims[0] {
            for j in 0..dims[1] {
                for k in 0..dims[2] {
                    let index = [along(0, i), along(1, j), along(2, k)];
                    let n = index[0] * stride[0] + index[1] * stride[1] + index[2];
                    if exact[n] {
                        continue;
                    }
                    // Samples on the sides are exact: there are neighbours on both sides.
                    let mut upwind = [(0.0, 0.0); 3];
                    let mut nearest = f64::INFINITY;
                    for axis in 0..3 {
                        let (a, b) = (values[n - stride[axis]], values[n + stride[axis]]);
                        let least = if b.abs() < a.abs() { b } else { a };
                        upwind[axis] = (least.abs(), spacing[axis]);
                        if least.abs() < nearest.abs() {
                            nearest = least;
                        }
                    }
                    if nearest.is_infinite() {
                        continue;
                    }
                    let candidate = godunov(upwind);
                    if candidate < values[n].abs() {
                        values[n] = candidate.copysign(nearest);
                    }
                }
            }
        }
    }
}

/// The u that solves Σ (max(u − aᵢ, 0)/hᵢ)² = 1.
fn godunov(mut upwind: [(f64, f64); 3]) -> f64 {
    upwind.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
    let mut u = upwind[0].0 + upwind[0].1;
    // Σ w(u − a)² = 1 over the first terms, w = 1/h²: u grows as terms join while u > a of the next.
    let (mut w, mut wa, mut waa) = (0.0, 0.0, 0.0);
    for (i, (a, h)) in upwind.into_iter().enumerate() {
        if i > 0 && u <= a {
            break;
        }
        let weight = 1.0 / (h * h);
        w += weight;
        wa += weight * a;
        waa += weight * a * a;
        let discriminant = wa * wa - w * (waa - 1.0);
        u = (wa + discriminant.max(0.0).sqrt()) / w;
    }
    u
}
