//! Linear measurements of a matrix.

use ansatz_core::Key;
use rayon::prelude::*;

/// Linear measurements of matrices, given row by row.
pub trait Measurement: Sync {
    /// n₁ and n₂.
    fn shape(&self) -> [usize; 2];

    /// Number of measurements.
    fn count(&self) -> usize;

    /// `yᵢ ← ⟨Aᵢ, M⟩`.
    fn measure(&self, m: &[f64], y: &mut [f64]);

    /// `e ← Σ (⟨Aᵢ, P⟩ − yᵢ)·Aᵢ`; gives Σ (⟨Aᵢ, P⟩ − yᵢ)².
    fn residual(&self, p: &[f64], y: &[f64], e: &mut [f64]) -> f64;
}

/// All entries, measured one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// n₁.
    pub rows: usize,
    /// n₂.
    pub columns: usize,
}

impl Measurement for Full {
    fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn count(&self) -> usize {
        self.rows * self.columns
    }

    fn measure(&self, m: &[f64], y: &mut [f64]) {
        y.copy_from_slice(m);
    }

    fn residual(&self, p: &[f64], y: &[f64], e: &mut [f64]) -> f64 {
        let mut loss = 0.0;
        for ((e, p), y) in e.iter_mut().zip(p).zip(y) {
            *e = p - y;
            loss += *e * *e;
        }
        loss
    }
}

/// Whether matrices of measurements are symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Independent entries.
    #[default]
    General,
    /// ½(A + Aᵀ), for symmetric M*.
    Symmetric,
}

/// Gaussian measurements: entries of variance 1/m, made anew from a key whenever they are needed. Memory O(n₁n₂) for each
/// thread, m·n₁n₂ random numbers a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gaussian {
    /// n₁.
    pub rows: usize,
    /// n₂.
    pub columns: usize,
    /// m.
    pub count: usize,
    /// Symmetric or not; symmetric ones are square.
    pub form: Form,
    /// Where the numbers come from; measurement i is stream i.
    pub key: Key,
}

/// Measurements that one task makes: fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 64;

impl Gaussian {
    fn matrix(&self, i: usize, out: &mut [f64]) {
        self.key.fill_normal(i as u64, out);
        let scale = 1.0 / (self.count as f64).sqrt();
        for a in out.iter_mut() {
            *a *= scale;
        }
        if self.form == Form::Symmetric {
            for row in 0..self.rows {
                for column in 0..row {
                    let (a, b) = (row * self.columns + column, column * self.columns + row);
                    let mean = 0.5 * (out[a] + out[b]);
                    (out[a], out[b]) = (mean, mean);
                }
            }
        }
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Measurement for Gaussian {
    fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    fn count(&self) -> usize {
        self.count
    }

    fn measure(&self, m: &[f64], y: &mut [f64]) {
        y.par_chunks_mut(CHUNK).enumerate().for_each(|(c, y)| {
            let mut a = vec![0.0; m.len()];
            for (i, y) in y.iter_mut().enumerate() {
                self.matrix(c * CHUNK + i, &mut a);
                *y = dot(&a, m);
            }
        });
    }

    fn residual(&self, p: &[f64], y: &[f64], e: &mut [f64]) -> f64 {
        let parts: Vec<(f64, Vec<f64>)> = y
            .par_chunks(CHUNK)
            .enumerate()
            .map(|(c, y)| {
                let (mut a, mut sum, mut loss) = (vec![0.0; p.len()], vec![0.0; p.len()], 0.0);
                for (i, y) in y.iter().enumerate() {
                    self.matrix(c * CHUNK + i, &mut a);
                    let gap = dot(&a, p) - y;
                    loss += gap * gap;
                    for (sum, a) in sum.iter_mut().zip(&a) {
                        *sum += gap * a;
                    }
                }
                (loss, sum)
            })
            .collect();
        e.fill(0.0);
        let mut loss = 0.0;
        for (part, sum) in &parts {
            loss += part;
            for (e, s) in e.iter_mut().zip(sum) {
                *e += s;
            }
        }
        loss
    }
}
