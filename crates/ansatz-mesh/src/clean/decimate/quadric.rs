//! Sums of squared distances to planes, as functions of a point.

use std::ops::AddAssign;

use crate::geometry::Vec3;

/// Condition number above which the minimiser of a quadric is not trusted.
const CONDITION: f64 = 1e8;

/// Q(x) = xᵀAx + 2bᵀx + c, A symmetric: entries 11, 12, 13, 22, 23, 33.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quadric {
    a: [f64; 6],
    b: [f64; 3],
    c: f64,
    /// Σ of the areas of faces.
    pub(super) area: f64,
}

impl Quadric {
    /// weight·(n·(x − p))² for a unit vector n.
    pub(super) fn plane(n: &Vec3, p: &Vec3, weight: f64) -> Self {
        let d = -n.dot(p);
        let w = n * weight;
        Self {
            a: [
                w.x * n.x,
                w.x * n.y,
                w.x * n.z,
                w.y * n.y,
                w.y * n.z,
                w.z * n.z,
            ],
            b: [w.x * d, w.y * d, w.z * d],
            c: weight * d * d,
            area: 0.0,
        }
    }

    #[inline]
    pub(super) fn at(&self, x: &Vec3) -> f64 {
        let [xx, xy, xz, yy, yz, zz] = self.a;
        let row = Vec3::new(
            xx * x.x + xy * x.y + xz * x.z + 2.0 * self.b[0],
            xy * x.x + yy * x.y + yz * x.z + 2.0 * self.b[1],
            xz * x.x + yz * x.y + zz * x.z + 2.0 * self.b[2],
        );
        // Rounding may bring a sum of squares below zero.
        (row.dot(x) + self.c).max(0.0)
    }

    /// The point of the least value, if A is far from singular.
    #[inline]
    fn minimiser(&self) -> Option<Vec3> {
        let [xx, xy, xz, yy, yz, zz] = self.a;
        // The adjugate; A⁻¹ = adj/det.
        let adj = [
            yy * zz - yz * yz,
            xz * yz - xy * zz,
            xy * yz - xz * yy,
            xx * zz - xz * xz,
            xy * xz - xx * yz,
            xx * yy - xy * xy,
        ];
        let det = xx * adj[0] + xy * adj[1] + xz * adj[2];
        let norm2 = |m: &[f64; 6]| {
            m[0] * m[0]
                + m[3] * m[3]
                + m[5] * m[5]
                + 2.0 * (m[1] * m[1] + m[2] * m[2] + m[4] * m[4])
        };
        // Frobenius norms bound the condition number within a factor of 3.
        if norm2(&self.a) * norm2(&adj) >= CONDITION * CONDITION * det * det {
            return None;
        }
        let [p, q, r] = self.b.map(|b| -b / det);
        Some(Vec3::new(
            adj[0] * p + adj[1] * q + adj[2] * r,
            adj[1] * p + adj[3] * q + adj[4] * r,
            adj[2] * p + adj[4] * q + adj[5] * r,
        ))
    }

    /// The best place for an edge from p to q, and its value.
    #[inline]
    pub(super) fn best(&self, p: &Vec3, q: &Vec3) -> (Vec3, f64) {
        if let Some(x) = self.minimiser() {
            return (x, self.at(&x));
        }
        let middle = (p + q) / 2.0;
        let mut best = (*p, self.at(p));
        for x in [*q, middle] {
            let value = self.at(&x);
            if value < best.1 {
                best = (x, value);
            }
        }
        best
    }
}

impl AddAssign for Quadric {
    #[inline]
    fn add_assign(&mut self, o: Self) {
        self.a.iter_mut().zip(o.a).for_each(|(x, y)| *x += y);
        self.b.iter_mut().zip(o.b).for_each(|(x, y)| *x += y);
        self.c += o.c;
        self.area += o.area;
    }
}
