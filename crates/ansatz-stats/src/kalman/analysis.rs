//! The parts of an analysis, in measurements divided by their noise.

use ansatz_core::Key;
use rayon::prelude::*;

use super::dense::{Factor, eigen, gram, product};
use super::{KalmanError, Noise, length};

/// Stream of the draws.
const STREAM: u64 = 0x0e4f;

/// L of R = LLᵀ.
pub(super) enum Root {
    Diagonal(Vec<f64>),
    Full(Factor),
}

impl Root {
    pub(super) fn of(noise: Noise<'_>, m: usize) -> Result<Self, KalmanError> {
        let what = "the covariance of the noise";
        match noise {
            Noise::Variances(v) => match v.iter().position(|v| *v <= 0.0) {
                Some(index) => Err(KalmanError::NotPositiveDefinite {
                    what,
                    index,
                    pivot: v[index],
                }),
                None => Ok(Self::Diagonal(v.iter().map(|v| v.sqrt()).collect())),
            },
            Noise::Covariance(c) => Ok(Self::Full(Factor::of(c, m, what)?)),
        }
    }

    /// x ← L⁻¹x.
    pub(super) fn whiten(&self, x: &mut [f64]) {
        match self {
            Self::Diagonal(s) => x.iter_mut().zip(s).for_each(|(x, s)| *x /= s),
            Self::Full(factor) => factor.forward(x),
        }
    }

    /// x ← Lx.
    pub(super) fn colour(&self, x: &mut [f64]) {
        match self {
            Self::Diagonal(s) => x.iter_mut().zip(s).for_each(|(x, s)| *x *= s),
            Self::Full(factor) => factor.times(x),
        }
    }
}

/// Mean of rows and what they differ from it, times a factor.
pub(super) fn anomalies(x: &[f64], n: usize, factor: f64) -> (Vec<f64>, Vec<f64>) {
    let width = x.len() / n;
    let mut mean = vec![0.0; width];
    for row in x.chunks(width) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x);
    }
    for m in &mut mean {
        *m /= n as f64;
    }
    let rows = x.chunks(width);
    let off = rows.flat_map(|row| row.iter().zip(&mean).map(|(x, m)| factor * (x - m)));
    (mean.clone(), off.collect())
}

/// Normal draws `[n, m]` whose mean over members is 0, and whose covariance is I on average.
pub(super) fn draws(n: usize, m: usize, key: Key) -> Vec<f64> {
    let mut draws = vec![0.0; n * m];
    key.fill_normal(STREAM, &mut draws);
    anomalies(&draws, n, (n as f64 / (n - 1) as f64).sqrt()).1
}

/// Draws become S⁻¹(y + εᵢ − Hxᵢ), with `off` = y − Hx̄ and anomalies `y` that are to be multiplied by `scale`.
pub(super) fn perturbed(draws: &mut [f64], off: &[f64], y: &[f64], scale: f64, s: &Factor) {
    let m = off.len();
    let rows = draws.par_chunks_mut(m).zip(y.par_chunks(m));
    rows.for_each(|(row, y)| {
        for ((e, o), y) in row.iter_mut().zip(off).zip(y) {
            *e += o - scale * y;
        }
        s.solve(row);
    });
}

/// What perturbed measurements add to members: all whitened.
pub(super) fn global(
    a: &[f64],
    y: &[f64],
    off: &[f64],
    n: usize,
    mut draws: Vec<f64>,
) -> Result<Vec<f64>, KalmanError> {
    let (m, scale) = (off.len(), ((n - 1) as f64).sqrt());
    let what = "the covariance of predicted measurements";
    if m <= n {
        let yt = transposed(y, n);
        let mut s = gram(&yt, n);
        add_identity(&mut s, m);
        perturbed(&mut draws, off, y, scale, &Factor::of(&s, m, what)?);
        return Ok(product(&draws, &product(&yt, a, n), m));
    }
    let mut s = gram(y, m);
    add_identity(&mut s, n);
    let s = Factor::of(&s, n, what)?;
    for (row, y) in draws.chunks_mut(m).zip(y.chunks(m)) {
        for ((e, o), y) in row.iter_mut().zip(off).zip(y) {
            *e += o - scale * y;
        }
    }
    // Row i: Ỹ(y + εᵢ − Hxᵢ), solved for.
    let mut w = product(&draws, &transposed(y, n), m);
    w.par_chunks_mut(n).for_each(|row| s.solve(row));
    Ok(product(&w, a, n))
}

/// What the transform adds to members.
pub(super) fn transform(a: &[f64], y: &[f64], off: &[f64], n: usize) -> Vec<f64> {
    let m = off.len();
    let scale = ((n - 1) as f64).sqrt();
    let yt = transposed(y, n);
    let small = m <= n;
    let (size, g) = if small {
        (m, gram(&yt, n))
    } else {
        (n, gram(y, m))
    };
    let (lambda, e) = eigen(g, size);
    // E·f(Λ)·Eᵀ.
    let function = |f: &dyn Fn(f64) -> f64| {
        let mut left = e.clone();
        for row in left.chunks_mut(size) {
            row.iter_mut()
                .zip(&lambda)
                .for_each(|(v, l)| *v *= f(l.max(0.0)));
        }
        product(&left, &transposed(&e, size), size)
    };
    let inverse = function(&|l| (1.0 + l).recip());
    let root = |l: f64| (1.0 + l).sqrt();
    if small {
        // (I + ỸỸᵀ)^(−½) − I = Ỹ·φ(ỸᵀỸ)·Ỹᵀ with φ(λ) = ((1 + λ)^(−½) − 1)/λ, written without cancellation.
        let phi = function(&|l| -(root(l) * (1.0 + root(l))).recip());
        let shift = product(off, &inverse, m);
        let mut w = product(y, &phi, m);
        for row in w.chunks_mut(m) {
            row.iter_mut()
                .zip(&shift)
                .for_each(|(w, s)| *w = *w * scale + s);
        }
        return product(&w, &product(&yt, a, n), m);
    }
    let shift = product(&product(off, &yt, m), &inverse, n);
    let mut w = function(&|l| root(l).recip() - 1.0);
    for row in w.chunks_mut(n) {
        row.iter_mut()
            .zip(&shift)
            .for_each(|(w, s)| *w = *w * scale + s);
    }
    product(&w, a, n)
}

/// The same for each number of the state by itself, with the noise of far measurements enlarged.
pub(super) fn local(
    a: &[f64],
    y: &[f64],
    off: &[f64],
    n: usize,
    taper: &[f64],
) -> Result<Vec<f64>, KalmanError> {
    let (m, d) = (off.len(), a.len() / n);
    let columns: Vec<Vec<f64>> = (0..d)
        .into_par_iter()
        .map(|k| {
            let roots: Vec<f64> = taper[k * m..(k + 1) * m].iter().map(|t| t.sqrt()).collect();
            let column: Vec<f64> = a.iter().skip(k).step_by(d).copied().collect();
            let near = |row: &[f64]| row.iter().zip(&roots).map(|(v, r)| v * r).collect();
            let y: Vec<f64> = y
                .chunks(m)
                .flat_map(|row| -> Vec<f64> { near(row) })
                .collect();
            let off: Vec<f64> = near(off);
            transform(&column, &y, &off, n)
        })
        .collect();
    let moved = transposed(&columns.concat(), d);
    length("the analysis", n * d, moved.len())?;
    Ok(moved)
}

/// ρ∘YᵀY + R.
pub(super) fn covariance(y: &[f64], m: usize, taper: &[f64], noise: Noise<'_>) -> Vec<f64> {
    let n = y.len() / m;
    let mut s = gram(&transposed(y, n), n);
    s.iter_mut().zip(taper).for_each(|(s, t)| *s *= t);
    match noise {
        Noise::Variances(v) => {
            for (i, v) in v.iter().enumerate() {
                s[i * m + i] += v;
            }
        }
        Noise::Covariance(c) => s.iter_mut().zip(c).for_each(|(s, c)| *s += c),
    }
    s
}

pub(super) fn add_identity(s: &mut [f64], size: usize) {
    for i in 0..size {
        s[i * size + i] += 1.0;
    }
}

/// The transpose of a matrix of `rows` rows.
pub(super) fn transposed(x: &[f64], rows: usize) -> Vec<f64> {
    let columns = x.len() / rows;
    let mut out = Vec::with_capacity(x.len());
    for j in 0..columns {
        out.extend((0..rows).map(|i| x[i * columns + j]));
    }
    out
}
