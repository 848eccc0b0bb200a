//! Quadratic error functions: the point that best lies on some tangent planes.
//!
//! E(x) = Σᵢ (nᵢ·(x − pᵢ))² is minimised about the mean m of the pᵢ. Givens rotations bring the rows [nᵢ, nᵢ·(pᵢ − m)]
//! into a triangle, which keeps the digits that normal equations lose; a singular value decomposition of it drops the
//! directions that the planes do not fix, in which x stays at m.
//!
//! Source: T. Ju, F. Losasso, S. Schaefer, J. Warren, Dual contouring of Hermite data (2002).

use nalgebra::{Matrix3, Point3, Vector3};

/// Where a vertex may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CellPolicy {
    /// Wherever E is least: features are exact, but a vertex may leave its cell, and triangles may fold.
    #[default]
    Free,
    /// The nearest point of the cell.
    Clamp,
    /// Where E is least within the cell.
    Constrained,
}

/// How quadratic error functions are solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Qef {
    /// Singular values up to this fraction of the largest count as zero.
    pub truncation: f64,
    /// Weight w of three rows w·(x − m), which hold the vertex near the mean of its crossings.
    pub regularisation: f64,
    /// Where a vertex may be.
    pub policy: CellPolicy,
}

impl Default for Qef {
    fn default() -> Self {
        Self {
            truncation: 0.1,
            regularisation: 0.0,
            policy: CellPolicy::Free,
        }
    }
}

/// Rows of a least-squares problem in three unknowns, rotated into a triangle.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rows {
    r: [[f64; 4]; 3],
}

impl Rows {
    pub(crate) fn push(&mut self, mut row: [f64; 4]) {
        for c in 0..3 {
            // Rows are unit normals: nothing overflows.
            let h = (self.r[c][c] * self.r[c][c] + row[c] * row[c]).sqrt();
            if h > 0.0 {
                let (cos, sin) = (self.r[c][c] / h, row[c] / h);
                for k in c..4 {
                    let (a, b) = (self.r[c][k], row[k]);
                    (self.r[c][k], row[k]) = (cos * a + sin * b, cos * b - sin * a);
                }
            }
        }
    }

    /// The least solution with the coordinates of `fixed` at their values.
    fn solve(&self, fixed: [Option<f64>; 3], truncation: f64) -> Vector3<f64> {
        let mut matrix = Matrix3::from_fn(|i, k| self.r[i][k]);
        let mut right = Vector3::from_fn(|i, _| self.r[i][3]);
        for (axis, value) in fixed.iter().enumerate() {
            if let Some(x) = value {
                right -= matrix.column(axis) * *x;
                matrix.column_mut(axis).fill(0.0);
            }
        }
        let parts = decompose(&matrix);
        let cut = truncation * parts[0].size;
        let mut x = Vector3::zeros();
        for part in parts.iter().filter(|p| p.size > cut) {
            x += part.direction * (part.image.dot(&right) / (part.size * part.size));
        }
        for (axis, value) in fixed.iter().enumerate() {
            if let Some(value) = value {
                x[axis] = *value;
            }
        }
        x
    }

    /// The least solution, the rank, and the right singular vectors as rows, largest singular value first.
    pub(crate) fn ranked(&self, truncation: f64) -> (Vector3<f64>, usize, Matrix3<f64>) {
        let matrix = Matrix3::from_fn(|i, k| self.r[i][k]);
        let parts = decompose(&matrix);
        let cut = truncation * parts[0].size;
        let rank = parts.iter().filter(|p| p.size > cut).count();
        let x = self.solve([None; 3], truncation);
        let directions = parts.map(|p| p.direction.transpose());
        (x, rank, Matrix3::from_rows(&directions))
    }

    /// E less its least value.
    fn error(&self, x: &Vector3<f64>) -> f64 {
        self.r
            .iter()
            .map(|r| (r[0] * x[0] + r[1] * x[1] + r[2] * x[2] - r[3]).powi(2))
            .sum()
    }
}

/// One triple of a singular value decomposition: v, A v and |A v|.
#[derive(Debug, Clone, Copy)]
struct Part {
    direction: Vector3<f64>,
    image: Vector3<f64>,
    size: f64,
}

/// The singular value decomposition, largest value first: columns are turned until they are at right angles (Hestenes 1958).
/// For three columns that takes a quarter of the time of the general method.
fn decompose(matrix: &Matrix3<f64>) -> [Part; 3] {
    let mut image: [Vector3<f64>; 3] = std::array::from_fn(|c| matrix.column(c).into_owned());
    let mut direction = [Vector3::x(), Vector3::y(), Vector3::z()];
    // Convergence is quadratic: four rounds or five do, however the columns lie.
    for _ in 0..30 {
        let mut turned = false;
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            let across = image[p].dot(&image[q]);
            let (a, b) = (image[p].norm_squared(), image[q].norm_squared());
            if across * across <= f64::EPSILON * f64::EPSILON * (a * b) {
                continue;
            }
            turned = true;
            let half = (b - a) / (2.0 * across);
            let t = half.signum() / (half.abs() + (1.0 + half * half).sqrt());
            let cos = 1.0 / (1.0 + t * t).sqrt();
            for columns in [&mut image, &mut direction] {
                let (x, y) = (columns[p], columns[q]);
                columns[p] = (x - y * t) * cos;
                columns[q] = (y + x * t) * cos;
            }
        }
        if !turned {
            break;
        }
    }
    let mut parts: [Part; 3] = std::array::from_fn(|c| Part {
        direction: direction[c],
        image: image[c],
        size: image[c].norm(),
    });
    parts.sort_unstable_by(|a, b| b.size.total_cmp(&a.size));
    parts
}

impl Qef {
    /// The vertex for points with unit normals in the cell from `low` to `high`. Normals of length zero are left out.
    pub fn vertex(
        &self,
        planes: impl Iterator<Item = (Point3<f64>, Vector3<f64>)> + Clone,
        low: [f64; 3],
        high: [f64; 3],
    ) -> Point3<f64> {
        let (mut sum, mut count) = (Vector3::zeros(), 0);
        for (p, _) in planes.clone() {
            sum += p.coords;
            count += 1;
        }
        if count == 0 {
            return nalgebra::center(&Point3::from(low), &Point3::from(high));
        }
        let mean = sum / f64::from(count);
        let mut rows = Rows::default();
        for (p, n) in planes {
            rows.push([n.x, n.y, n.z, n.dot(&(p.coords - mean))]);
        }
        if self.regularisation > 0.0 {
            for axis in 0..3 {
                let mut row = [0.0; 4];
                row[axis] = self.regularisation;
                rows.push(row);
            }
        }
        let box_low = Vector3::from(low) - mean;
        let box_high = Vector3::from(high) - mean;
        let free = rows.solve([None; 3], self.truncation);
        let x = match self.policy {
            CellPolicy::Free => free,
            CellPolicy::Clamp => free.zip_zip_map(&box_low, &box_high, f64::clamp),
            CellPolicy::Constrained => self.constrained(&rows, free, box_low, box_high),
        };
        Point3::from(mean + x)
    }

    /// The best of the solutions within the box: free, on its faces, on its edges, at its corners.
    fn constrained(
        &self,
        rows: &Rows,
        free: Vector3<f64>,
        low: Vector3<f64>,
        high: Vector3<f64>,
    ) -> Vector3<f64> {
        let within = |x: &Vector3<f64>| (0..3).all(|a| x[a] >= low[a] && x[a] <= high[a]);
        if within(&free) {
            return free;
        }
        for fixed in 1..=3 {
            let mut best: Option<(f64, Vector3<f64>)> = None;
            // Each coordinate is free, at its low end or at its high end.
            for pattern in 0..27_u32 {
                let held = [pattern % 3, pattern / 3 % 3, pattern / 9];
                if held.iter().filter(|&&h| h > 0).count() != fixed {
                    continue;
                }
                let at = std::array::from_fn(|a| match held[a] {
                    0 => None,
                    1 => Some(low[a]),
                    _ => Some(high[a]),
                });
                let x = rows.solve(at, self.truncation);
                let error = rows.error(&x);
                if within(&x) && best.is_none_or(|(least, _)| error < least) {
                    best = Some((error, x));
                }
            }
            if let Some((_, x)) = best {
                return x;
            }
        }
        free.zip_zip_map(&low, &high, f64::clamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(of: &[([f64; 3], [f64; 3])]) -> Vec<(Point3<f64>, Vector3<f64>)> {
        of.iter()
            .map(|(p, n)| (Point3::from(*p), Vector3::from(*n).normalize()))
            .collect()
    }

    #[test]
    fn three_planes_meet_in_a_point() {
        let corner = planes(&[
            ([0.2, 0.9, 0.1], [1.0, 0.0, 0.0]),
            ([0.7, 0.3, 0.5], [0.0, 1.0, 0.0]),
            ([0.1, 0.4, 0.6], [0.0, 0.0, 1.0]),
        ]);
        let x = Qef::default().vertex(corner.iter().copied(), [0.0; 3], [1.0; 3]);
        assert!((x - Point3::new(0.2, 0.3, 0.6)).norm() < 1e-14);
    }

    #[test]
    fn loose_directions_stay_at_the_mean() {
        let flat = planes(&[
            ([0.0, 0.0, 0.5], [0.0, 0.0, 1.0]),
            ([1.0, 1.0, 0.5], [0.0, 0.0, 1.0]),
        ]);
        let x = Qef::default().vertex(flat.iter().copied(), [0.0; 3], [1.0; 3]);
        assert!((x - Point3::new(0.5, 0.5, 0.5)).norm() < 1e-14);
    }

    /// A = Σ σ u vᵀ with orthonormal v and u, for random, flat, thin and zero matrices.
    #[test]
    fn decompositions_give_the_matrix_back() {
        let key = ansatz_core::Key::new(3);
        for m in 0..1000 {
            let mut a =
                Matrix3::from_fn(|i, k| key.uniform(0, 9 * m + 3 * i as u64 + k as u64)[0] - 0.5);
            let scale = 10.0_f64.powi(-((m % 5) as i32) * 3);
            match m % 4 {
                1 => a.set_column(1, &(a.column(0) * 2.0)),
                2 => a = a.column(0) * a.row(1),
                3 => a.set_column(2, &(a.column(2) * scale)),
                _ => (),
            }
            if m == 0 {
                a.fill(0.0);
            }
            let parts = decompose(&a);
            let known = a.singular_values();
            let mut sum = Matrix3::zeros();
            for (c, part) in parts.iter().enumerate() {
                sum += part.image * part.direction.transpose();
                assert!((part.size - known[c]).abs() < 1e-14);
                for (d, other) in parts.iter().enumerate() {
                    let unit = if c == d { 1.0 } else { 0.0 };
                    assert!((part.direction.dot(&other.direction) - unit).abs() < 1e-14);
                    let angle = part.image.dot(&other.image);
                    assert!(c == d || angle.abs() <= 1e-14 * part.size.max(other.size));
                }
            }
            assert!((sum - a).amax() < 1e-15 * 4.0);
        }
    }

    /// Against a search over a fine lattice of the cell.
    #[test]
    fn constrained_solutions_are_the_best_of_the_cell() {
        let skew = planes(&[
            ([0.9, 0.2, 0.1], [1.0, 0.3, -0.2]),
            ([0.8, 0.9, 0.4], [0.9, 0.6, 0.1]),
            ([0.7, 0.5, 0.9], [0.8, -0.3, 0.7]),
            ([1.0, 0.1, 0.6], [0.4, 0.9, 0.2]),
        ]);
        let error = |x: Point3<f64>| {
            skew.iter()
                .map(|(p, n)| n.dot(&(x - p)).powi(2))
                .sum::<f64>()
        };
        let solver = |policy| Qef {
            policy,
            truncation: 1e-12,
            ..Qef::default()
        };
        let (low, high) = ([0.0; 3], [1.0, 1.0, 0.2]);
        let free = solver(CellPolicy::Free).vertex(skew.iter().copied(), low, high);
        assert!(free.iter().zip(high).any(|(x, h)| *x < 0.0 || *x > h));
        let found = solver(CellPolicy::Constrained).vertex(skew.iter().copied(), low, high);
        let mut best = f64::INFINITY;
        for i in 0..=50 {
            for j in 0..=50 {
                for k in 0..=50 {
                    let t = |m: i32, a: usize| high[a] * f64::from(m) / 50.0;
                    best = best.min(error(Point3::new(t(i, 0), t(j, 1), t(k, 2))));
                }
            }
        }
        assert!(error(found) <= best + 1e-12 && error(found) > best - 1e-2 * best.max(0.1));
    }
}
