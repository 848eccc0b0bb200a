//! Arithmetic on points that every module shares, in f64.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use crate::{Mesh, MeshError};

pub(crate) type Vec3 = Vector3<f64>;

/// The same point in f64; exact.
#[inline]
pub(crate) fn widen<T: Scalar>(p: &Point3<T>) -> Vec3 {
    Vec3::new(p.x.f64(), p.y.f64(), p.z.f64())
}

/// The nearest point of the type of a mesh.
#[inline]
pub(crate) fn narrow<T: Scalar>(v: Vec3) -> Point3<T> {
    Point3::new(T::of(v.x), T::of(v.y), T::of(v.z))
}

/// The nearest vector of the type of a mesh.
#[inline]
pub(crate) fn narrow_vector<T: Scalar>(v: Vec3) -> Vector3<T> {
    Vector3::new(T::of(v.x), T::of(v.y), T::of(v.z))
}

/// Twice the area vector of a triangle: its direction is that of the normal.
#[inline]
pub(crate) fn cross(c: &[Vec3; 3]) -> Vec3 {
    (c[1] - c[0]).cross(&(c[2] - c[0]))
}

/// The corners of a triangle.
#[inline]
pub(crate) fn corners(vertices: &[Vec3], triangle: [u32; 3]) -> [Vec3; 3] {
    triangle.map(|v| vertices[v as usize])
}

/// A vector of length one, or zero when there is no direction.
#[inline]
pub(crate) fn unit_or_zero(v: Vec3) -> Vec3 {
    let length = v.norm();
    if length > 0.0 && length.is_finite() {
        v / length
    } else {
        Vec3::zeros()
    }
}

/// Whether every triangle names vertices that exist, and half-edges can be counted in 32 bits.
pub(crate) fn check_indices(triangles: &[[u32; 3]], vertices: usize) -> Result<(), MeshError> {
    // A half-edge is numbered 3·triangle + corner.
    if triangles.len() > u32::MAX as usize / 3 || vertices > u32::MAX as usize {
        let vertices = vertices.max(triangles.len().saturating_mul(3));
        return Err(MeshError::TooLarge { vertices });
    }
    for (face, triangle) in triangles.iter().enumerate() {
        if let Some(&vertex) = triangle.iter().find(|&&v| v as usize >= vertices) {
            return Err(MeshError::Index {
                face,
                vertex,
                vertices,
            });
        }
    }
    Ok(())
}

/// The vertices in f64, once indices and positions are known to be sound.
pub(crate) fn checked<T: Scalar>(mesh: &Mesh<T>) -> Result<Vec<Vec3>, MeshError> {
    check_indices(&mesh.triangles, mesh.vertices.len())?;
    let vertices: Vec<Vec3> = mesh.vertices.iter().map(widen).collect();
    match vertices
        .iter()
        .position(|v| !v.iter().all(|x| x.is_finite()))
    {
        None => Ok(vertices),
        Some(index) => Err(MeshError::Vertex {
            index,
            position: vertices[index].into(),
        }),
    }
}

/// The box around points: lowest and highest corner; both zero for no points.
pub(crate) fn bounds(points: &[Vec3]) -> [Vec3; 2] {
    let Some(&first) = points.first() else {
        return [Vec3::zeros(); 2];
    };
    points
        .iter()
        .fold([first; 2], |[low, high], p| [low.inf(p), high.sup(p)])
}
