//! Eigenvalues of symmetric tridiagonal matrices by implicit QL steps.
//!
//! Source: H. Bowdler, R. Martin, C. Reinsch, J. Wilkinson, *The QR and QL algorithms for symmetric matrices*, Numer.
//! Math. 11 (1968); quadrature from first components: G. Golub, J. Welsch, *Calculation of Gauss quadrature rules*,
//! Math. Comp. 23 (1969).

use crate::LinalgError;

/// Steps allowed for one eigenvalue.
const MAX_SWEEPS: usize = 60;

/// tridiag(β, α, β).
#[derive(Debug, Clone, PartialEq)]
pub struct Tridiagonal {
    /// The diagonal.
    pub alpha: Vec<f64>,
    /// Beside it, one shorter.
    pub beta: Vec<f64>,
}

impl Tridiagonal {
    /// Eigenvalues ascending, and the eigenvectors one after the other. m² numbers, about 3m³ operations.
    ///
    /// # Errors
    /// [`LinalgError::NotConverged`], which finite entries do not cause.
    pub fn eigen(&self) -> Result<(Vec<f64>, Vec<f64>), LinalgError> {
        let m = self.alpha.len();
        let mut rows = vec![0.0; m * m];
        for i in 0..m {
            rows[i * m + i] = 1.0;
        }
        // Vector k in row k: rotations then mix two contiguous rows.
        let mut values = self.alpha.clone();
        self.iterate(&mut values, |i, c, s| {
            let (low, high) = rows.split_at_mut((i + 1) * m);
            let (low, high) = (&mut low[i * m..], &mut high[..m]);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
            }
        })?;
        let mut order: Vec<usize> = (0..m).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let vectors = order
            .iter()
            .flat_map(|k| rows[k * m..][..m].iter().copied())
            .collect();
        Ok((order.iter().map(|k| values[*k]).collect(), vectors))
    }

    /// Nodes ascending and weights of the Gauss quadrature that T stands for: eigenvalues, and squares of the first
    /// components of eigenvectors, which sum to 1. About 30m² operations.
    ///
    /// # Errors
    /// [`LinalgError::NotConverged`], which finite entries do not cause.
    pub fn quadrature(&self) -> Result<Vec<(f64, f64)>, LinalgError> {
        let m = self.alpha.len();
        let mut first = vec![0.0; m];
        if let Some(one) = first.first_mut() {
            *one = 1.0;
        }
        let mut values = self.alpha.clone();
        self.iterate(&mut values, |i, c, s| {
            let (a, b) = (first[i], first[i + 1]);
            (first[i], first[i + 1]) = (c * a - s * b, s * a + c * b);
        })?;
        let mut rule: Vec<(f64, f64)> = values
            .iter()
            .zip(&first)
            .map(|(v, w)| (*v, w * w))
            .collect();
        rule.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(rule)
    }

    /// Makes the diagonal in `d` the eigenvalues; `rotate(i, c, s)` is told of every rotation of i and i + 1.
    fn iterate(
        &self,
        d: &mut [f64],
        mut rotate: impl FnMut(usize, f64, f64),
    ) -> Result<(), LinalgError> {
        let m = d.len();
        let mut e = self.beta.clone();
        e.resize(m, 0.0);
        for l in 0..m {
            for sweep in 0.. {
                // The first element beside the diagonal that is nothing.
                let end = (l..m - 1)
                    .find(|i| e[*i].abs() <= f64::EPSILON * (d[*i].abs() + d[i + 1].abs()))
                    .unwrap_or(m - 1);
                if end == l {
                    break;
                }
                if sweep == MAX_SWEEPS {
                    return Err(LinalgError::NotConverged {
                        iterations: sweep,
                        residual: e[l].abs(),
                        tolerance: f64::EPSILON * (d[l].abs() + d[l + 1].abs()),
                    });
                }
                // Wilkinson's shift, then a bulge chased upwards.
                let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
                let r = g.hypot(1.0);
                g = d[end] - d[l] + e[l] / (g + r.copysign(g));
                let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
                let mut split = false;
                for i in (l..end).rev() {
                    let (f, b) = (s * e[i], c * e[i]);
                    let r = f.hypot(g);
                    e[i + 1] = r;
                    if r == 0.0 {
                        d[i + 1] -= p;
                        e[end] = 0.0;
                        split = true;
                        break;
                    }
                    (s, c) = (f / r, g / r);
                    g = d[i + 1] - p;
                    let r = (d[i] - g) * s + 2.0 * c * b;
                    p = s * r;
                    d[i + 1] = g + p;
                    g = c * r - b;
                    rotate(i, c, s);
                }
                if !split {
                    d[l] -= p;
                    e[l] = g;
                    e[end] = 0.0;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tridiag(−1, 2, −1): λ = 2 − 2cos(kπ/(m+1)), components sin(ikπ/(m+1)).
    #[test]
    fn second_difference() {
        let m = 40;
        let t = Tridiagonal {
            alpha: vec![2.0; m],
            beta: vec![-1.0; m - 1],
        };
        let (values, vectors) = t.eigen().unwrap();
        let rule = t.quadrature().unwrap();
        let step = std::f64::consts::PI / (m + 1) as f64;
        for k in 0..m {
            let exact = 2.0 - 2.0 * ((k + 1) as f64 * step).cos();
            assert!((values[k] - exact).abs() < 1e-14);
            assert!((rule[k].0 - exact).abs() < 1e-14);
            let weight = 2.0 / (m + 1) as f64 * ((k + 1) as f64 * step).sin().powi(2);
            assert!((rule[k].1 - weight).abs() < 1e-14);
            let v = &vectors[k * m..][..m];
            for i in 0..m {
                let below = if i > 0 { v[i - 1] } else { 0.0 };
                let above = if i + 1 < m { v[i + 1] } else { 0.0 };
                let product = 2.0 * v[i] - below - above;
                assert!((product - exact * v[i]).abs() < 1e-14);
            }
        }
    }
}
