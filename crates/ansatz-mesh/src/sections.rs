//! Contours of a solid on planes.

use crate::geometry::{Vec3, unit_or_zero};

/// What planes see of a solid, as segmentations of slices give it: closed contours on each plane.
/// [`crate::io::csl`] reads and writes them, [`crate::slice::slice`] makes them from a mesh.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CrossSections {
    /// The planes; one without contours says that nothing of the solid is on it.
    pub planes: Vec<Section>,
    /// How many labels the contours may have, 0 for the outside included.
    pub labels: u32,
}

/// One plane, normal·x + offset = 0, with its contours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// (A, B, C) of A x + B y + C z + D = 0; not zero, and not of length one in every file.
    pub normal: [f64; 3],
    /// D.
    pub offset: f64,
    /// Corners of contours, on the plane but for what a file got wrong.
    pub vertices: Vec<[f64; 3]>,
    /// Closed polygons.
    pub contours: Vec<Contour>,
}

/// A closed polygon on a plane: counter-clockwise seen against the normal's direction (from where it
/// points to) around material, clockwise around a hole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contour {
    /// What is inside: 1 for one material, 2 is in use for holes.
    pub label: u32,
    /// The contour of the same plane that this one is a hole of.
    pub hole_of: Option<usize>,
    /// Corners, as indices of the plane's vertices; the last is joined to the first.
    pub vertices: Vec<u32>,
}

impl Section {
    /// The signed distance of a point to the plane, positive where the normal points.
    pub fn distance(&self, p: [f64; 3]) -> f64 {
        let normal = Vec3::from(self.normal);
        (normal.dot(&Vec3::from(p)) + self.offset) / normal.norm()
    }

    /// Two unit vectors that span the plane; with the normal they form a right-handed frame.
    pub fn frame(&self) -> [[f64; 3]; 2] {
        let normal = unit_or_zero(Vec3::from(self.normal));
        let helper = Vec3::ith(normal.iamin(), 1.0);
        let u = unit_or_zero(helper - normal * normal.dot(&helper));
        [u.into(), normal.cross(&u).into()]
    }

    /// The signed area of a contour by the shoelace formula: positive counter-clockwise.
    pub fn area(&self, contour: &Contour) -> f64 {
        let Some(&first) = contour.vertices.first() else {
            return 0.0;
        };
        let at = |i: u32| Vec3::from(self.vertices[i as usize]);
        let origin = at(first);
        let twice: Vec3 = contour
            .vertices
            .windows(2)
            .map(|w| (at(w[0]) - origin).cross(&(at(w[1]) - origin)))
            .sum();
        twice.dot(&unit_or_zero(Vec3::from(self.normal))) / 2.0
    }

    /// The area of the material on the plane: the sum over all contours, holes being negative.
    pub fn total_area(&self) -> f64 {
        self.contours.iter().map(|c| self.area(c)).sum()
    }

    /// Moves each vertex to the nearest point of the plane, and tells the longest way that one went:
    /// files hold vertices that are off their plane.
    pub fn project(&mut self) -> f64 {
        let normal = unit_or_zero(Vec3::from(self.normal));
        let mut longest = 0.0_f64;
        for i in 0..self.vertices.len() {
            let distance = self.distance(self.vertices[i]);
            longest = longest.max(distance.abs());
            self.vertices[i] = (Vec3::from(self.vertices[i]) - normal * distance).into();
        }
        longest
    }
}
