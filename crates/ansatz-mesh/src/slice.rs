//! Sections of a closed mesh by planes.
//!
//! A vertex on a plane counts as above it, so that every triangle is crossed in one segment or none,
//! and the segments form closed polygons whatever the position of the plane. Polygons run
//! counter-clockwise around material seen from where the plane's normal points to.

use ansatz_core::Scalar;

use crate::edges::{Edges, ends};
use crate::geometry::{Vec3, checked, unit_or_zero};
use crate::measure::Topology;
use crate::sections::{Contour, CrossSections, Section};
use crate::{Mesh, MeshError};

/// A plane, normal·x + offset = 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plane {
    /// Any length but zero.
    pub normal: [f64; 3],
    /// Minus the normal's product with a point of the plane.
    pub offset: f64,
}

/// What each plane sees of the inside of a mesh. Outer contours have label 1; holes have label 2 and
/// name the contour around them. A plane that misses the mesh has no contour.
///
/// Cost: O(F) per plane.
///
/// # Errors
/// [`MeshError::NotWatertight`] for a mesh that has no inside, [`MeshError::Option`] for a normal that
/// is zero or not finite, [`MeshError::Index`] and [`MeshError::Vertex`] for a mesh that is unsound.
///
/// ```
/// use ansatz_mesh::{Mesh, nalgebra::Point3, slice::{Plane, slice}};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// let sections = slice(&mesh, &[Plane { normal: [0.0, 0.0, 1.0], offset: -0.5 }])?;
/// assert_eq!(sections.planes[0].total_area(), 0.125);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
pub fn slice<T: Scalar>(mesh: &Mesh<T>, planes: &[Plane]) -> Result<CrossSections, MeshError> {
    let points = checked(mesh)?;
    let topology = Topology::of(mesh)?;
    if !topology.is_watertight() {
        return Err(MeshError::NotWatertight {
            boundary: topology.boundary_edges,
            non_manifold: topology.non_manifold_edges,
            inconsistent: topology.inconsistent_edges,
        });
    }
    let mut edge_of = vec![u32::MAX; 3 * mesh.triangles.len()];
    let edges = Edges::new(&mesh.triangles, points.len());
    for (e, halves) in (0..).zip(edges.iter()) {
        for h in halves {
            edge_of[*h as usize] = e;
        }
    }
    let cut = |plane: &Plane| {
        let normal = Vec3::from(plane.normal);
        let length = normal.norm();
        if !(length > 0.0 && length.is_finite() && plane.offset.is_finite()) {
            return Err(MeshError::Option {
                what: "length of a plane's normal",
                value: length,
                range: "positive and finite, with a finite offset",
            });
        }
        Ok(section(
            &points,
            &mesh.triangles,
            &edge_of,
            edges.len(),
            plane,
        ))
    };
    Ok(CrossSections {
        planes: planes.iter().map(cut).collect::<Result<_, _>>()?,
        labels: 3,
    })
}

fn section(
    points: &[Vec3],
    triangles: &[[u32; 3]],
    edge_of: &[u32],
    edges: usize,
    plane: &Plane,
) -> Section {
    let normal = Vec3::from(plane.normal);
    let height: Vec<f64> = points
        .iter()
        .map(|p| normal.dot(p) + plane.offset)
        .collect();
    let above = |v: u32| height[v as usize] >= 0.0;
    // Where the segment that begins on an edge ends: going round a triangle, material is on the left
    // of the way from where its border comes down to where it goes up.
    let mut next = vec![u32::MAX; edges];
    let mut half_of = vec![0_u32; edges];
    let mut starts = Vec::new();
    for (f, t) in triangles.iter().enumerate() {
        let sides = t.map(above);
        if sides[0] == sides[1] && sides[1] == sides[2] {
            continue;
        }
        let (mut down, mut up) = (u32::MAX, u32::MAX);
        for k in 0..3 {
            let half = (3 * f + k) as u32;
            match (sides[k], sides[(k + 1) % 3]) {
                (true, false) => down = half,
                (false, true) => up = half,
                _ => {}
            }
        }
        // A triangle that names a vertex twice has no edges and is passed over.
        if let (Some(&d), Some(&u)) = (edge_of.get(down as usize), edge_of.get(up as usize))
            && d != u32::MAX
            && u != u32::MAX
        {
            next[d as usize] = u;
            half_of[d as usize] = down;
            starts.push(d);
        }
    }
    let crossing = |edge: u32| {
        let [a, b] = ends(triangles, half_of[edge as usize]);
        // From the lower vertex on, so that both triangles of an edge mean the same point.
        let (a, b) = (a.min(b) as usize, a.max(b) as usize);
        let t = height[a] / (height[a] - height[b]);
        points[a] + (points[b] - points[a]) * t
    };
    let mut section = Section {
        normal: plane.normal,
        offset: plane.offset,
        ..Section::default()
    };
    for start in starts {
        let first = section.vertices.len();
        let mut edge = start;
        while next[edge as usize] != u32::MAX {
            let p: [f64; 3] = crossing(edge).into();
            // All edges of a vertex on the plane cross there.
            if section.vertices.len() == first || section.vertices.last() != Some(&p) {
                section.vertices.push(p);
            }
            edge = std::mem::replace(&mut next[edge as usize], u32::MAX);
        }
        if section.vertices.len() > first + 1
            && section.vertices.last() == section.vertices.get(first)
        {
            section.vertices.pop();
        }
        if section.vertices.len() < first + 3 {
            section.vertices.truncate(first);
        } else {
            section.contours.push(Contour {
                label: 1,
                hole_of: None,
                vertices: (first as u32..section.vertices.len() as u32).collect(),
            });
        }
    }
    name_holes(&mut section);
    section
}

/// Contours with negative area are holes of the smallest contour around them.
fn name_holes(section: &mut Section) {
    let [u, v] = section.frame().map(Vec3::from);
    let flat: Vec<[f64; 2]> = section
        .vertices
        .iter()
        .map(|p| [u.dot(&Vec3::from(*p)), v.dot(&Vec3::from(*p))])
        .collect();
    let areas: Vec<f64> = section.contours.iter().map(|c| section.area(c)).collect();
    for hole in 0..areas.len() {
        if areas[hole] >= 0.0 {
            continue;
        }
        let inner = flat[section.contours[hole].vertices[0] as usize];
        let around = (0..areas.len())
            .filter(|o| areas[*o] > 0.0 && inside(inner, &section.contours[*o].vertices, &flat))
            .min_by(|a, b| areas[*a].total_cmp(&areas[*b]));
        section.contours[hole].label = 2;
        section.contours[hole].hole_of = around;
    }
}

/// Even-odd rule.
fn inside([x, y]: [f64; 2], polygon: &[u32], points: &[[f64; 2]]) -> bool {
    let mut odd = false;
    for (i, b) in polygon.iter().enumerate() {
        let a = polygon[if i == 0 { polygon.len() - 1 } else { i - 1 }];
        let ([ax, ay], [bx, by]) = (points[a as usize], points[*b as usize]);
        if (ay > y) != (by > y) && x < ax + (bx - ax) * (y - ay) / (by - ay) {
            odd = !odd;
        }
    }
    odd
}

impl Plane {
    /// The plane through a point.
    pub fn through(point: [f64; 3], normal: [f64; 3]) -> Self {
        let offset = -Vec3::from(normal).dot(&Vec3::from(point));
        Self { normal, offset }
    }

    /// The unit normal, or zero.
    pub fn direction(&self) -> [f64; 3] {
        unit_or_zero(Vec3::from(self.normal)).into()
    }
}
