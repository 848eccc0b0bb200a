//! Regularisers and deformation beside the surface.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use super::FlexiGrid;
use crate::MeshError;

/// L_sign, which pushes towards fewer crossings, and its derivative: the mean over the grid's edges whose ends differ in
/// sign of `BCE(σ(sₐ), [s_b > 0]) + BCE(σ(s_b), [sₐ > 0])`. Zero where no edge is crossed.
///
/// # Errors
/// [`MeshError::Count`] unless there is one value for each vertex of the grid.
pub fn sign_regulariser<T: Scalar>(
    grid: &impl FlexiGrid,
    values: &[T],
) -> Result<(f64, Vec<T>), MeshError> {
    let (expected, found) = (grid.sizes().vertices, values.len());
    if found != expected {
        return Err(MeshError::Count {
            what: "values",
            expected,
            found,
        });
    }
    let edges = grid.crossed(values);
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
    deform_by(points, |_| spacing, raw)
}

/// The derivative with respect to δ from the one with respect to the positions of [`deform`].
pub fn deform_vjp<T: Scalar>(
    spacing: [f64; 3],
    raw: &[Vector3<T>],
    cotangent: &[Vector3<T>],
) -> Vec<Vector3<T>> {
    deform_vjp_by(|_| spacing, raw, cotangent)
}

/// How far a coordinate may move.
fn reach(spacing: f64) -> f64 {
    spacing / 2.0 * (1.0 - 1e-8)
}

/// As [`deform`], each vertex with its own spacing.
pub(super) fn deform_by<T: Scalar>(
    points: &[Point3<T>],
    spacing: impl Fn(usize) -> [f64; 3],
    raw: &[Vector3<T>],
) -> Vec<Point3<T>> {
    let moved = |(v, (p, d)): (usize, (&Point3<T>, &Vector3<T>))| {
        let h = spacing(v);
        Point3::from(std::array::from_fn(|a| {
            T::of(p[a].f64() + reach(h[a]) * d[a].f64().tanh())
        }))
    };
    points.iter().zip(raw).enumerate().map(moved).collect()
}

/// As [`deform_vjp`], each vertex with its own spacing.
pub(super) fn deform_vjp_by<T: Scalar>(
    spacing: impl Fn(usize) -> [f64; 3],
    raw: &[Vector3<T>],
    cotangent: &[Vector3<T>],
) -> Vec<Vector3<T>> {
    let back = |(v, (d, c)): (usize, (&Vector3<T>, &Vector3<T>))| {
        let h = spacing(v);
        Vector3::from(std::array::from_fn(|a| {
            T::of(reach(h[a]) * (1.0 - d[a].f64().tanh().powi(2)) * c[a].f64())
        }))
    };
    raw.iter().zip(cotangent).enumerate().map(back).collect()
}
