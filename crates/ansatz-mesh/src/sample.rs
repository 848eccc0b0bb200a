//! Points on the surface of a mesh: independent, stratified, or spread out evenly.
//!
//! A point is drawn uniformly by area. Each is a function of (key, its number), whatever the number
//! of threads.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ansatz_core::{Key, Scalar};
use rayon::prelude::*;

use crate::closest::at;
use crate::geometry::{Vec3, checked, corners, cross};
use crate::spatial::CellHash;
use crate::{Mesh, MeshError};

/// How points are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pattern {
    /// Independent and uniform by area: a triangle from an alias table (A. Walker, *An efficient
    /// method for generating discrete random variables with general distributions*, 1977), then a
    /// point of it. The error of a mean falls as n^(−1/2).
    #[default]
    Uniform,
    /// One point in each of n strips of equal area along the list of triangles: counts per triangle
    /// differ from their expectation by less than two.
    Stratified,
    /// No two points close to one another: of 5·n uniform ones, those with the nearest neighbours are
    /// dropped one by one (C. Yuksel, *Sample elimination for generating Poisson disk sample sets*,
    /// 2015, with α = 8 and no lower limit of the weights' distance).
    PoissonDisc,
}

/// Draws points from the surface of a mesh.
///
/// ```
/// use ansatz_mesh::{Mesh, Pattern, SurfaceSampler, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0), Point3::new(0.0, 1.0, 0.0)];
/// let mesh = Mesh::new(points, vec![[0, 1, 2]])?;
/// let sampler = SurfaceSampler { count: 100, pattern: Pattern::Stratified, ..SurfaceSampler::default() };
/// let samples = sampler.sample(&mesh)?;
/// assert!(samples.points.iter().all(|p| p[0] + p[1] <= 1.0 && p[2] == 0.0));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfaceSampler {
    /// How many points; 100,000 by default.
    pub count: usize,
    /// How they are spread.
    pub pattern: Pattern,
    /// Where the randomness comes from.
    pub key: Key,
}

impl Default for SurfaceSampler {
    fn default() -> Self {
        Self {
            count: 100_000,
            pattern: Pattern::default(),
            key: Key::new(0),
        }
    }
}

/// Points on a mesh.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    /// Where they are.
    pub points: Vec<[f64; 3]>,
    /// The triangle of each.
    pub faces: Vec<u32>,
    /// Their barycentric coordinates there.
    pub barycentric: Vec<[f64; 3]>,
}

impl SurfaceSampler {
    /// Points of a mesh. Cost: O(F + n); for [`Pattern::PoissonDisc`] about 5 µs per point.
    ///
    /// # Errors
    /// [`MeshError::Empty`] when the area is zero, [`MeshError::Index`] and [`MeshError::Vertex`] for
    /// a mesh that is unsound.
    pub fn sample<T: Scalar>(&self, mesh: &Mesh<T>) -> Result<Samples, MeshError> {
        let vertices = checked(mesh)?;
        let areas: Vec<f64> = mesh
            .triangles
            .iter()
            .map(|t| cross(&corners(&vertices, *t)).norm())
            .collect();
        let total: f64 = areas.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(MeshError::Empty);
        }
        let (count, key) = (self.count, self.key);
        let place = |face: u32, [u, v]: [f64; 2]| {
            // The square folded along its diagonal: uniform, and no root is needed.
            let [u, v] = if u + v > 1.0 {
                [1.0 - u, 1.0 - v]
            } else {
                [u, v]
            };
            let weights = [1.0 - u - v, u, v];
            let corners = corners(&vertices, mesh.triangles[face as usize]);
            (at(&corners, &weights), face, weights)
        };
        let uniform = |n: usize| -> Vec<_> {
            let table = Alias::new(&areas, total);
            let draw = |i: usize| {
                let [u, v] = key.uniform(0, i as u64);
                place(table.pick(u, v), key.uniform(1, i as u64))
            };
            (0..n).into_par_iter().map(draw).collect()
        };
        let drawn = match self.pattern {
            Pattern::Uniform => uniform(count),
            Pattern::Stratified => {
                let mut sums = areas.clone();
                for i in 1..sums.len() {
                    sums[i] += sums[i - 1];
                }
                let last = areas.iter().rposition(|a| *a > 0.0).unwrap_or(0);
                let draw = |i: usize| {
                    let [u, _] = key.uniform(0, i as u64);
                    let target = (i as f64 + u) / count as f64 * sums[last];
                    let face = sums.partition_point(|s| *s <= target).min(last);
                    place(face as u32, key.uniform(1, i as u64))
                };
                (0..count).into_par_iter().map(draw).collect()
            }
            Pattern::PoissonDisc => {
                let many = uniform(5 * count);
                let points: Vec<Vec3> = many.iter().map(|d| d.0).collect();
                let kept = eliminate(&points, count, total / 2.0);
                kept.iter().map(|i| many[*i]).collect()
            }
        };
        Ok(Samples {
            points: drawn.iter().map(|d| d.0.into()).collect(),
            faces: drawn.iter().map(|d| d.1).collect(),
            barycentric: drawn.iter().map(|d| d.2).collect(),
        })
    }
}

/// Draws an index with probability proportional to its weight in constant time.
struct Alias {
    keep: Vec<f64>,
    other: Vec<u32>,
}

impl Alias {
    fn new(weights: &[f64], total: f64) -> Self {
        let n = weights.len();
        let mut keep: Vec<f64> = weights.iter().map(|w| w / total * n as f64).collect();
        let mut other: Vec<u32> = (0..n as u32).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..n as u32).partition(|i| keep[*i as usize] < 1.0);
        while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
            small.pop();
            other[s as usize] = l;
            keep[l as usize] -= 1.0 - keep[s as usize];
            if keep[l as usize] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        // What rounding leaves over is full, except that a weight of zero is never drawn.
        let heaviest = (0..n).max_by(|a, b| weights[*a].total_cmp(&weights[*b]));
        for i in small.into_iter().chain(large) {
            if weights[i as usize] > 0.0 {
                keep[i as usize] = 1.0;
            } else if let Some(h) = heaviest {
                (keep[i as usize], other[i as usize]) = (0.0, h as u32);
            }
        }
        Self { keep, other }
    }

    fn pick(&self, u: f64, v: f64) -> u32 {
        let n = self.keep.len();
        let i = ((u * n as f64) as usize).min(n - 1);
        if v < self.keep[i] {
            i as u32
        } else {
            self.other[i]
        }
    }
}

/// A point with the sum of its neighbours' weights; the greatest comes first, of equals the lowest
/// number.
#[derive(PartialEq)]
struct Crowded(f64, usize);

impl Eq for Crowded {}

impl PartialOrd for Crowded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Crowded {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

/// The numbers of `count` points that are left when the most crowded ones go, in order.
fn eliminate(points: &[Vec3], count: usize, area: f64) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    // The largest radius at which `count` discs can cover the area: hexagonal packing.
    let reach = 2.0 * (area / (2.0 * 3_f64.sqrt() * count as f64)).sqrt();
    let cells = CellHash::new(points, reach);
    let around = |i: usize, visit: &mut dyn FnMut(usize, f64)| {
        cells.around(&points[i], |j| {
            let distance = (points[j] - points[i]).norm();
            if j != i && distance < reach {
                visit(j, (1.0 - distance / reach).powi(8));
            }
        });
    };
    let mut weights: Vec<f64> = (0..points.len())
        .into_par_iter()
        .map(|i| {
            let mut sum = 0.0;
            around(i, &mut |_, w| sum += w);
            sum
        })
        .collect();
    let mut gone = vec![false; points.len()];
    let mut heap: BinaryHeap<Crowded> = weights
        .iter()
        .enumerate()
        .map(|(i, w)| Crowded(*w, i))
        .collect();
    let mut left = points.len();
    while left > count {
        let Some(Crowded(weight, i)) = heap.pop() else {
            break;
        };
        if gone[i] {
            continue;
        }
        // Weights only fall: an entry that is out of date comes back with what it is now.
        if weight > weights[i] {
            heap.push(Crowded(weights[i], i));
            continue;
        }
        gone[i] = true;
        left -= 1;
        around(i, &mut |j, w| weights[j] -= w);
    }
    (0..points.len()).filter(|i| !gone[*i]).collect()
}
