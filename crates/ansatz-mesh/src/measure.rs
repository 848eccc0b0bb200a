//! Measures of one mesh: area, volume, topology.
//!
//! Sums are in f64 and run over triangles in their order, so that they have the same bits on every
//! machine and for any number of threads. What compares two surfaces stands in [`crate::compare`].

mod intersect;
mod topology;

pub use intersect::self_intersections;
pub(crate) use topology::broken_vertices;
pub use topology::{Component, Topology};

use ansatz_core::Scalar;

use crate::geometry::{bounds, checked, corners, cross};
use crate::{Mesh, MeshError};

/// The area of a mesh, Σ |(b − a)×(c − a)|/2. Cost: one pass.
///
/// # Errors
/// [`MeshError::Index`] and [`MeshError::Vertex`] for a mesh that is unsound.
pub fn area<T: Scalar>(mesh: &Mesh<T>) -> Result<f64, MeshError> {
    let vertices = checked(mesh)?;
    let twice: f64 = mesh
        .triangles
        .iter()
        .map(|t| cross(&corners(&vertices, *t)).norm())
        .sum();
    Ok(twice / 2.0)
}

/// The signed volume Σ a·(b×c)/6 that a closed mesh encloses: positive when triangles wind
/// counter-clockwise seen from outside. Cost: one pass.
///
/// Corners are taken relative to the centre of the bounding box, which changes nothing for a closed
/// mesh except the rounding; the number of an open mesh depends on that choice and means little.
///
/// # Errors
/// [`MeshError::Index`] and [`MeshError::Vertex`] for a mesh that is unsound.
///
/// ```
/// use ansatz_mesh::{Mesh, measure, nalgebra::Point3};
/// let corner = |i: u32| Point3::new(f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2));
/// let tetrahedron = Mesh::new(
///     [0, 1, 2, 4].map(corner).to_vec(),
///     vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
/// )?;
/// assert!((measure::volume(&tetrahedron)? - 1.0 / 6.0).abs() < 1e-15);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
pub fn volume<T: Scalar>(mesh: &Mesh<T>) -> Result<f64, MeshError> {
    let vertices = checked(mesh)?;
    let [low, high] = bounds(&vertices);
    let centre = (low + high) / 2.0;
    let six: f64 = mesh
        .triangles
        .iter()
        .map(|t| {
            let [a, b, c] = corners(&vertices, *t).map(|v| v - centre);
            a.dot(&b.cross(&c))
        })
        .sum();
    Ok(six / 6.0)
}
