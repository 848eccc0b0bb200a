//! One interval and its two parts, in units of standard deviations.
//!
//! With θ = l/h and ρ = r/h, the numbers of the whole are x = L(θ)·x_l + R(θ)·x_r. L is lower triangular and
//! R(θ) = D·L(ρ)·D with D = diag(1, −1, 1): the Legendre polynomials of [0, 1], restricted to [0, θ]. The rows of
//! [L R] are orthonormal. With N the orthonormal complement, x_l = Lᵀx + N_l·X and x_r = Rᵀx + N_r·X where X is
//! fresh noise. N comes from (√ρ·eᵢ, −√θ·eᵢ) by Gram-Schmidt: after the projection these keep
//! singular values of at least ¼ for all θ, so N is accurate and smooth in θ.

use ansatz_core::{Key, State};

/// Most numbers per component.
pub(super) const MAX: usize = 3;

/// Variances of W, H, K over an interval of unit length.
pub(super) const VARIANCES: [f64; MAX] = [1.0, 1.0 / 12.0, 1.0 / 720.0];

type Square = [[f64; MAX]; MAX];

/// The matrices of one split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    moments: usize,
    left: Square,
    right: Square,
    noise_left: Square,
    noise_right: Square,
}

/// L(θ), with ρ = 1 − θ given for its digits.
#[inline]
fn restrict(theta: f64, rho: f64) -> Square {
    let s = theta.sqrt();
    [
        [s, 0.0, 0.0],
        [3.0_f64.sqrt() * s * rho, theta * s, 0.0],
        [
            5.0_f64.sqrt() * s * rho * (rho - theta),
            15.0_f64.sqrt() * s * theta * rho,
            theta * theta * s,
        ],
    ]
}

/// L and R.
#[inline]
fn halves(theta: f64, rho: f64) -> [Square; 2] {
    let mut right = restrict(rho, theta);
    for (j, row) in right.iter_mut().enumerate() {
        for (i, x) in row.iter_mut().enumerate() {
            if (i + j) % 2 == 1 {
                *x = -*x;
            }
        }
    }
    [restrict(theta, rho), right]
}

impl Split {
    /// A split into parts of the lengths l and r.
    #[inline]
    pub(super) fn at(l: f64, r: f64, moments: usize) -> Self {
        let h = l + r;
        let (theta, rho) = (l / h, r / h);
        let [left, right] = halves(theta, rho);
        let [noise_left, noise_right] = complement(theta, rho, moments, &left, &right);
        Self {
            moments,
            left,
            right,
            noise_left,
            noise_right,
        }
    }

    /// The parts of `whole`, given noise.
    pub(super) fn left<S: State>(&self, whole: &[S], noise: &[S], out: &mut [S]) {
        self.part(&self.left, &self.noise_left, whole, noise, out);
    }

    pub(super) fn right<S: State>(&self, whole: &[S], noise: &[S], out: &mut [S]) {
        self.part(&self.right, &self.noise_right, whole, noise, out);
    }

    fn part<S: State>(
        &self,
        down: &Square,
        fresh: &Square,
        whole: &[S],
        noise: &[S],
        out: &mut [S],
    ) {
        let n = self.moments;
        for (i, x) in out.iter_mut().enumerate() {
            let mut terms = [(0.0, &whole[0]); 2 * MAX];
            let mut count = 0;
            for j in i..n {
                terms[count] = (down[j][i], &whole[j]);
                count += 1;
            }
            for m in 0..n {
                if fresh[i][m] != 0.0 {
                    terms[count] = (fresh[i][m], &noise[m]);
                    count += 1;
                }
            }
            x.lincomb(0.0, &terms[..count]);
        }
    }
}

/// N, by parts: column m belongs to noise m.
fn complement(theta: f64, rho: f64, n: usize, left: &Square, right: &Square) -> [Square; 2] {
    let dot = |a: &[f64; 2 * MAX], b: &[f64; 2 * MAX]| -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    };
    if n == 1 {
        let mut noise = [[[0.0; MAX]; MAX]; 2];
        noise[0][0][0] = rho.sqrt();
        noise[1][0][0] = -theta.sqrt();
        return noise;
    }
    // Rows of [L R], then the columns of N as they are found.
    let mut basis = [[0.0; 2 * MAX]; 2 * MAX];
    for j in 0..n {
        basis[j][..n].copy_from_slice(&left[j][..n]);
        basis[j][MAX..MAX + n].copy_from_slice(&right[j][..n]);
    }
    for m in 0..n {
        let mut v = [0.0; 2 * MAX];
        v[m] = rho.sqrt();
        v[MAX + m] = -theta.sqrt();
        // Twice is enough: the first pass leaves at most 1/¼ rounding errors.
        for _ in 0..2 {
            for b in &basis[..n + m] {
                let c = dot(&v, b);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= c * b);
            }
        }
        let length = dot(&v, &v).sqrt();
        basis[n + m] = v.map(|v| v / length);
    }
    let mut noise = [[[0.0; MAX]; MAX]; 2];
    for m in 0..n {
        for i in 0..n {
            noise[0][i][m] = basis[n + m][i];
            noise[1][i][m] = basis[n + m][MAX + i];
        }
    }
    noise
}

/// `first ← ` the union of two neighbours of the lengths l and r.
pub(super) fn append<S: State>(first: &mut [S], second: &[S], l: f64, r: f64) {
    let h = l + r;
    let [left, right] = halves(l / h, r / h);
    union(first, second, &left, &right);
}

/// `second ← ` the union of two neighbours of the lengths l and r.
pub(super) fn prepend<S: State>(second: &mut [S], first: &[S], l: f64, r: f64) {
    let h = l + r;
    let [left, right] = halves(l / h, r / h);
    union(second, first, &right, &left);
}

/// `x ← A·x + B·y` with lower triangles, from the last row to the first.
fn union<S: State>(x: &mut [S], y: &[S], a: &Square, b: &Square) {
    for j in (0..x.len()).rev() {
        let (earlier, rest) = x.split_at_mut(j);
        let mut terms = [(0.0, &y[0]); 2 * MAX];
        let mut count = 0;
        for i in 0..=j {
            terms[count] = (b[j][i], &y[i]);
            count += 1;
        }
        for i in 0..j {
            terms[count] = (a[j][i], &earlier[i]);
            count += 1;
        }
        rest[0].lincomb(a[j][j], &terms[..count]);
    }
}

/// `whole ← ` what is left of it behind a first part: of the lengths l (first) and r.
pub(super) fn remove_first<S: State>(whole: &mut [S], first: &[S], l: f64, r: f64) {
    let h = l + r;
    let [left, right] = halves(l / h, r / h);
    for j in 0..whole.len() {
        let (earlier, rest) = whole.split_at_mut(j);
        let pivot = 1.0 / right[j][j];
        let mut terms = [(0.0, &first[0]); 2 * MAX];
        let mut count = 0;
        for i in 0..=j {
            terms[count] = (-left[j][i] * pivot, &first[i]);
            count += 1;
        }
        for i in 0..j {
            terms[count] = (-right[j][i] * pivot, &earlier[i]);
            count += 1;
        }
        rest[0].lincomb(pivot, &terms[..count]);
    }
}

/// Fresh noise of one node. Streams of different nodes and numbers never meet.
pub(super) fn draw<S: State>(key: Key, node: u64, noise: &mut [S]) {
    for (m, x) in noise.iter_mut().enumerate() {
        x.fill_normal(key, 4 * node + m as u64);
    }
}

/// Keeps the noise of paths apart from all else that is drawn from the same key.
pub(super) fn private(key: Key) -> Key {
    const BROWNIAN: u64 = 0x0062_726f_776e_6961;
    key.fold_in(BROWNIAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [L R; N] is orthogonal at every split, and the closed forms of the literature are in it.
    #[test]
    fn splits_are_rotations() {
        for theta in [1e-12, 1e-6, 0.01, 0.2, 0.5, 0.7, 0.999_999] {
            for n in 1..=MAX {
                let s = Split::at(theta, 1.0 - theta, n);
                // Rows of the rotation: the whole, then the noise.
                let mut rows = Vec::new();
                for j in 0..n {
                    rows.push([&s.left[j][..n], &s.right[j][..n]].concat());
                }
                for m in 0..n {
                    let column = |a: &Square| (0..n).map(|i| a[i][m]).collect::<Vec<_>>();
                    rows.push([column(&s.noise_left), column(&s.noise_right)].concat());
                }
                for (i, a) in rows.iter().enumerate() {
                    for (j, b) in rows.iter().enumerate() {
                        let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                        let want = f64::from(u8::from(i == j));
                        assert!((dot - want).abs() < 1e-14, "{theta} {n}: {i} {j} {dot}");
                    }
                }
            }
        }
    }

    /// Conditional covariances agree with the printed splits of (W, H) and, in the middle, (W, H, K).
    #[test]
    fn conditional_laws_are_the_published_ones() {
        let h: f64 = 0.7;
        for theta in [0.1, 0.5, 0.8] {
            let (l, r) = (theta * h, (1.0 - theta) * h);
            let s = Split::at(l, r, 2);
            let unit = |v: f64, length: f64| (v * length).sqrt();
            // W_l = (l/h)W + (6lr/h²)H + …, H_l = (l/h)²H + …
            let (wl, hl) = (unit(1.0, l), unit(1.0 / 12.0, l));
            let (w, hh) = (unit(1.0, h), unit(1.0 / 12.0, h));
            assert!((wl * s.left[0][0] / w - l / h).abs() < 1e-14);
            assert!((wl * s.left[1][0] / hh - 6.0 * l * r / (h * h)).abs() < 1e-14);
            assert!((hl * s.left[1][1] / hh - (l / h).powi(2)).abs() < 1e-14);
            // … + 2(al + br)/h·X₁ and − a·X₁ + c·r·X₂
            let v = 0.5 * (l * r / (l.powi(3) + r.powi(3))).sqrt();
            let (a, b, c) = (v * l * l / h, v * r * r / h, v / 3.0_f64.sqrt());
            let x = 2.0 * (a * l + b * r) / h;
            let cov =
                |i: usize, j: usize, p: &Square, q: &Square| p[i][0] * q[j][0] + p[i][1] * q[j][1];
            let (n_l, n_r) = (&s.noise_left, &s.noise_right);
            let hr = unit(1.0 / 12.0, r);
            assert!((wl * wl * cov(0, 0, n_l, n_l) - x * x).abs() < 1e-14);
            assert!((wl * hl * cov(0, 1, n_l, n_l) + x * a).abs() < 1e-14);
            assert!((hl * hl * cov(1, 1, n_l, n_l) - (a * a + c * c * r * r)).abs() < 1e-14);
            assert!((hl * hr * cov(1, 1, n_l, n_r) - (a * b - c * c * r * l)).abs() < 1e-14);
        }
        // z ~ N(0, h/16), x ~ N(0, h/768), y ~ N(0, h/2880) in W/2 + 3H/2 + z, H/4 − z/2 + 15K/4 + x, …
        let s = Split::at(0.5 * h, 0.5 * h, 3);
        let part: [f64; 3] = VARIANCES.map(|v| (0.5 * h * v).sqrt());
        let whole = VARIANCES.map(|v| (h * v).sqrt());
        let (z, x, y) = (h / 16.0, h / 768.0, h / 2880.0);
        let want = [
            [z, -0.5 * z, 0.0],
            [-0.5 * z, 0.25 * z + x, -0.5 * x],
            [0.0, -0.5 * x, 0.25 * x + y],
        ];
        let down = [[0.5, 1.5, 0.0], [0.0, 0.25, 3.75], [0.0, 0.0, 0.125]];
        for i in 0..3 {
            for j in 0..3 {
                let n = &s.noise_left;
                let cov: f64 = (0..3).map(|m| n[i][m] * n[j][m]).sum();
                let got = part[i] * part[j] * cov;
                assert!((got - want[i][j]).abs() < 1e-15, "{i} {j}: {got}");
                let got = part[i] * s.left[j][i] / whole[j];
                assert!((got - down[i][j]).abs() < 1e-14, "{i} {j}: {got}");
            }
        }
    }
}
