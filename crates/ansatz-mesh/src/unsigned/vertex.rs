//! The vertex that the tangent planes of a leaf fix, and how vertices around an edge become triangles.

use std::collections::HashMap;

use nalgebra::{Matrix3, Vector3};

use super::{DualMeshUdf, Place, Sample, UdfVertex, Vertex, around};
use crate::cube::EDGES;
use crate::qef::Rows;

/// Whether a point is in a box enlarged by so much on each side.
fn within(p: &Vector3<f64>, low: &Vector3<f64>, size: f64, more: f64) -> bool {
    (0..3).all(|a| p[a] >= low[a] - more && p[a] <= low[a] + size + more)
}

impl DualMeshUdf {
    /// The vertex of a leaf: by all valid samples, or by those that project into it or near it.
    pub(super) fn vertex(&self, leaf: Place, samples: &HashMap<Place, Sample>) -> Option<Vertex> {
        let (low, size) = (self.point(leaf.map(|x| 2 * x)), self.edge());
        let valid: Vec<Sample> = around(leaf)
            .map(|p| samples[&p])
            .filter(|s| s.valid)
            .collect();
        if valid.len() <= 2 {
            return None;
        }
        if let Some(vertex) = self.solve(&valid, low, size) {
            return Some(vertex);
        }
        for more in [1e-4, 0.02, 0.07, 0.12, 0.17, 0.22, 0.27] {
            let near = valid
                .iter()
                .copied()
                .filter(|s| within(&s.projection, &low, size, more * size));
            let near: Vec<Sample> = near.collect();
            if near.len() > 2 {
                return self
                    .solve(&near, low, size)
                    .filter(|v| within(&v.at, &low, size, 1e-4 * size));
            }
        }
        None
    }

    fn solve(&self, samples: &[Sample], low: Vector3<f64>, size: f64) -> Option<Vertex> {
        let inside: Vec<_> = samples
            .iter()
            .map(|s| s.projection)
            .filter(|p| within(p, &low, size, 0.01 * size))
            .collect();
        let origin = if inside.is_empty() {
            low.add_scalar(size / 2.0)
        } else {
            inside.iter().sum::<Vector3<f64>>() / inside.len() as f64
        };
        let mut rows = Rows::default();
        for Sample {
            gradient: g,
            projection,
            ..
        } in samples
        {
            rows.push([g.x, g.y, g.z, g.dot(&(projection - origin))]);
        }
        let (x, rank, directions) = rows.ranked(self.truncation);
        let x = x + origin;
        match rank {
            3 => within(&x, &low, size, self.margins.corner * size).then_some(Vertex {
                at: x,
                kind: UdfVertex::Corner,
                direction: Vector3::zeros(),
            }),
            2 => {
                let direction = directions.row(2).transpose();
                let hits = (0..6).filter_map(|f| {
                    let (axis, side) = (f / 2, f64::from(f as u8 % 2));
                    let slope = direction[axis];
                    (slope.abs() >= 1e-4)
                        .then(|| x + direction * ((low[axis] + side * size - x[axis]) / slope))
                });
                let at = mean_within(&hits.collect::<Vec<_>>(), low, size, self.margins.edge)?;
                Some(Vertex {
                    at,
                    kind: UdfVertex::Edge,
                    direction,
                })
            }
            _ => {
                let normal = directions.row(0).transpose();
                let hits = EDGES.iter().enumerate().filter_map(|(e, ends)| {
                    let axis = e / 4;
                    let corner = Vector3::from(
                        [0, 1, 2].map(|a| low[a] + f64::from(ends[0] >> a & 1) * size),
                    );
                    let slope = normal[axis];
                    (slope.abs() >= 1e-4).then(|| {
                        let mut hit = corner;
                        hit[axis] += normal.dot(&(x - corner)) / slope;
                        hit
                    })
                });
                let at = mean_within(&hits.collect::<Vec<_>>(), low, size, self.margins.plane)?;
                Some(Vertex {
                    at,
                    kind: UdfVertex::Plane,
                    direction: normal,
                })
            }
        }
    }
}

/// The mean of the points in a box, or else in the box enlarged by so many sides.
fn mean_within(
    points: &[Vector3<f64>],
    low: Vector3<f64>,
    size: f64,
    margin: f64,
) -> Option<Vector3<f64>> {
    [1e-5, margin * size].into_iter().find_map(|more| {
        let inside: Vec<_> = points
            .iter()
            .filter(|p| within(p, &low, size, more))
            .collect();
        let count = inside.len() as f64;
        (!inside.is_empty()).then(|| inside.into_iter().sum::<Vector3<f64>>() / count)
    })
}

/// The triangles of a quad, or none where its vertices are of other pieces of the surface.
pub(super) fn split(quad: [&Vertex; 4]) -> Option<[[usize; 3]; 2]> {
    const FIRST: [[usize; 3]; 2] = [[0, 1, 2], [0, 2, 3]];
    const SECOND: [[usize; 3]; 2] = [[0, 1, 3], [1, 2, 3]];
    let middle: Vector3<f64> = quad.iter().map(|v| v.at).sum::<Vector3<f64>>() / 4.0;
    let mut scatter = Matrix3::zeros();
    for v in quad {
        let d = v.at - middle;
        scatter += d * d.transpose();
    }
    // Singular values of the centred points are roots of these eigenvalues.
    let eigen = scatter.symmetric_eigen();
    let (least, largest) = (eigen.eigenvalues.imin(), eigen.eigenvalues.max());
    if eigen.eigenvalues[least].max(0.0).sqrt() < 0.25 * largest.max(0.0).sqrt() {
        let normal = eigen.eigenvectors.column(least);
        let good = |v: &&Vertex| match v.kind {
            UdfVertex::Plane => v.direction.dot(&normal).abs() >= 0.85,
            UdfVertex::Edge => v.direction.dot(&normal).abs() <= 0.5,
            UdfVertex::Corner => true,
        };
        return quad.iter().all(good).then_some(FIRST);
    }
    let planes: Vec<usize> = (0..4)
        .filter(|&m| quad[m].kind == UdfVertex::Plane)
        .collect();
    let fits = |m: usize| {
        let [before, here, after] = [(m + 3) % 4, m, (m + 1) % 4].map(|m| quad[m].at);
        let normal = (here - before).cross(&(after - here));
        normal
            .try_normalize(0.0)
            .is_some_and(|n| n.dot(&quad[m].direction).abs() >= 0.85)
    };
    if !planes.iter().all(|&m| fits(m)) {
        return None;
    }
    match planes[..] {
        [] if quad[0].kind == UdfVertex::Edge && quad[2].kind == UdfVertex::Edge => Some(FIRST),
        [] => Some(SECOND),
        // The plane's vertex is cut off: the diagonal goes between its neighbours.
        [m] => Some(if m % 2 == 0 { SECOND } else { FIRST }),
        [m, n] if n - m == 2 => Some(if m % 2 == 0 { SECOND } else { FIRST }),
        _ => None,
    }
}
