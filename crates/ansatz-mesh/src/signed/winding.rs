//! How often a surface goes round a point.

use std::f64::consts::PI;

use ansatz_core::Scalar;

use crate::closest::TriangleTree;
use crate::geometry::{Vec3, cross};
use crate::tree::STACK;
use crate::{Mesh, MeshError};

/// The generalised winding number of a mesh, w(p) = Σ Ω(p)/4π with Ω the signed solid angle of a
/// triangle: 1 inside and 0 outside of a closed mesh, in between near holes, a sum of layers where
/// surfaces overlap.
///
/// tan(Ω/2) = det[a b c]/(|a||b||c| + (a·b)|c| + (b·c)|a| + (c·a)|b|), a, b, c relative to p (A. van
/// Oosterom, J. Strackee, *The solid angle of a plane triangle*, 1983). Definition: A. Jacobson, L.
/// Kavan, O. Sorkine-Hornung, *Robust inside-outside segmentation using generalized winding numbers*,
/// 2013, eq. 5. A cluster of triangles of radius r that is farther than `opening`·r counts as one
/// dipole (G. Barill, N. Dickson, R. Schmidt, D. Levin, A. Jacobson, *Fast winding numbers for soups
/// and clouds*, 2018, eq. 9, first term): O(log F) per point.
///
/// ```
/// use ansatz_mesh::{Mesh, WindingNumber, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// let winding = WindingNumber::new(&mesh)?;
/// assert!((winding.exact([0.1, 0.1, 0.1]) - 1.0).abs() < 1e-15);
/// assert!(winding.at([1.0, 1.0, 1.0]).abs() < 1e-2);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone)]
pub struct WindingNumber {
    /// How many radii away a cluster counts as a dipole; 2 by default. Larger is slower and more
    /// exact: the error falls as its square.
    pub opening: f64,
    tree: TriangleTree,
    clusters: Vec<Cluster>,
}

/// The triangles below a node of the tree, seen from afar.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    /// Σ of area vectors.
    moment: Vec3,
    /// Mean of the triangles' centroids, weighted by area.
    centre: Vec3,
    /// From the centre to the farthest corner of the box.
    radius: f64,
}

impl WindingNumber {
    /// Prepares queries. Cost: F log F.
    ///
    /// # Errors
    /// [`MeshError::Empty`] without triangles, [`MeshError::Index`] and [`MeshError::Vertex`] for a
    /// mesh that is unsound.
    pub fn new<T: Scalar>(mesh: &Mesh<T>) -> Result<Self, MeshError> {
        let tree = TriangleTree::new(mesh)?;
        let nodes = &tree.tree.nodes;
        let mut sums = vec![(Vec3::zeros(), Vec3::zeros(), 0.0); nodes.len()];
        let mut clusters = Vec::with_capacity(nodes.len());
        // Children come after their parents.
        for (i, node) in nodes.iter().enumerate().rev() {
            sums[i] = if node.count > 0 {
                let mut sum = (Vec3::zeros(), Vec3::zeros(), 0.0);
                for corners in &tree.corners[node.at as usize..(node.at + node.count) as usize] {
                    let vector = cross(corners) / 2.0;
                    let area = vector.norm();
                    sum.0 += vector;
                    sum.1 += (corners[0] + corners[1] + corners[2]) * (area / 3.0);
                    sum.2 += area;
                }
                sum
            } else {
                let (a, b) = (sums[i + 1], sums[node.at as usize]);
                (a.0 + b.0, a.1 + b.1, a.2 + b.2)
            };
            let (moment, weighted, area) = sums[i];
            let middle = (node.low + node.high) / 2.0;
            let centre = if area > 0.0 { weighted / area } else { middle };
            let radius = (centre - node.low).sup(&(node.high - centre)).norm();
            clusters.push(Cluster {
                moment,
                centre,
                radius,
            });
        }
        clusters.reverse();
        Ok(Self {
            opening: 2.0,
            tree,
            clusters,
        })
    }

    /// The winding number by the tree.
    pub fn at(&self, p: [f64; 3]) -> f64 {
        let p = Vec3::from(p);
        let nodes = &self.tree.tree.nodes;
        let mut stack = [0_u32; STACK];
        let mut height = 1;
        let mut solid = 0.0;
        while height > 0 {
            height -= 1;
            let index = stack[height];
            let (node, cluster) = (&nodes[index as usize], &self.clusters[index as usize]);
            let away = cluster.centre - p;
            let distance = away.norm();
            if distance > self.opening * cluster.radius {
                solid += cluster.moment.dot(&away) / (distance * distance * distance);
            } else if node.count > 0 {
                let slots = node.at as usize..(node.at + node.count) as usize;
                solid += self.tree.corners[slots]
                    .iter()
                    .map(|c| angle(&p, c))
                    .sum::<f64>();
            } else {
                (stack[height], stack[height + 1]) = (node.at, index + 1);
                height += 2;
            }
        }
        solid / (4.0 * PI)
    }

    /// The winding number as a sum over all triangles. Cost: O(F).
    pub fn exact(&self, p: [f64; 3]) -> f64 {
        let p = Vec3::from(p);
        let solid: f64 = self.tree.corners.iter().map(|c| angle(&p, c)).sum();
        solid / (4.0 * PI)
    }
}

/// The solid angle of a triangle, positive when its normal points away from `p`.
fn angle(p: &Vec3, corners: &[Vec3; 3]) -> f64 {
    let [a, b, c] = corners.map(|v| v - p);
    let (la, lb, lc) = (a.norm(), b.norm(), c.norm());
    let above = a.dot(&b.cross(&c));
    let below = la * lb * lc + a.dot(&b) * lc + b.dot(&c) * la + c.dot(&a) * lb;
    if above == 0.0 && below == 0.0 {
        return 0.0;
    }
    2.0 * above.atan2(below)
}
