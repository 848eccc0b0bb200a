//! Regularisers and deformation beside the surface.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use super::HexGrid;
use crate::MeshError;
use crate::cube::EDGES;

/// L_sign, which pushes towards fewer crossings, and its derivative: the mean over the grid's edges whose ends differ in
/// sign of `BCE(σ(sₐ), [s_b > 0]) + BCE(σ(s_b), [sₐ > 0])`. Zero where no edge is crossed.
///
/// # Errors
/// [`MeshError::Count`] unless there is one value for each vertex of the grid.
pub fn sign_regulariser<T: Scalar>(
    grid: &HexGrid,
    values: &[T],
) -> Result<(f64, Vec<T>), MeshError> {
    let (expected, found) = (grid.vertices(), values.len());
    if found != expected {
        return Err(MeshError::Count {
            what: "values",
            expected,
            found,
        });
    }
    let mut edges: Vec<[u32; 2]> = Vec::new();
    for cell in grid.cells() {
        for ends in EDGES {
            let [a, b] = ends.map(|c| cell[usize::from(c)]);
            if (values[a as usize] < T::zero()) != (values[b as usize] < T::zero()) {
                edges.push([a.min(b), a.max(b)]);
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    let mut gradient = vec![0.0; values.len()];
    let mut loss = 0.0;
    let scale = 1.0 / edges.len().max(1) as f64;
    for &[a, b] in &edges {
        for (v, other) in [(a, b), (b, a)] {
            let x = values[v as usize].f64();
            let target = f64::from(u8::from(values[other as usize] > T::zero()));
            // ln(1 + eˣ) without overflow.
            let softplus = x.max(0.0) + (-x.abs()).exp().ln_1p();
            loss += scale * (softplus - x * target);
            gradient[v as usize] += scale * (1.0 / (1.0 + (-x).exp()) - target);
        }
    }
    Ok((loss, gradient.into_iter().map(T::of).collect()))
}

/// Positions that move less than half a spacing h: x = x₀ + (h/2)(1 − 10⁻⁸)·tanh δ, so that no cell folds over the centre
/// of its neighbour.
pub fn deform<T: Scalar>(
    points: &[Point3<T>],
    spacing: [f64; 3],
    raw: &[Vector3<T>],
) -> Vec<Point3<T>> {
    let half = spacing.map(|h| h / 2.0 * (1.0 - 1e-8));
    let moved = |(p, d): (&Point3<T>, &Vector3<T>)| {
        Point3::from(std::array::from_fn(|a| {
            T::of(p[a].f64() + half[a] * d[a].f64().tanh())
        }))
    };
    points.iter().zip(raw).map(moved).collect()
}

/// The derivative with respect to δ from the one with respect to the positions of [`deform`].
pub fn deform_vjp<T: Scalar>(
    spacing: [f64; 3],
    raw: &[Vector3<T>],
    cotangent: &[Vector3<T>],
) -> Vec<Vector3<T>> {
    let half = spacing.map(|h| h / 2.0 * (1.0 - 1e-8));
    let back = |(d, c): (&Vector3<T>, &Vector3<T>)| {
        Vector3::from(std::array::from_fn(|a| {
            T::of(half[a] * (1.0 - d[a].f64().tanh().powi(2)) * c[a].f64())
        }))
    };
    raw.iter().zip(cotangent).map(back).collect()
}
