//! A state with one number per sample beside it.

use ansatz_core::{Key, State, Tolerance};

/// Terms handled without allocation; longer sums are split.
const MAX_TERMS: usize = 8;

/// A state and log volumes, which stay in `f64` whatever the state is stored in.
#[derive(Debug, Clone)]
pub(super) struct Augmented<S> {
    pub(super) x: S,
    pub(super) log: Vec<f64>,
}

impl<S: State> State for Augmented<S> {
    type Scalar = S::Scalar;

    fn len(&self) -> usize {
        self.x.len() + self.log.len()
    }

    fn zeros_like(&self) -> Self {
        Self {
            x: self.x.zeros_like(),
            log: self.log.zeros_like(),
        }
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        let Some((_, first)) = terms.first() else {
            self.x.lincomb(beta, &[]);
            return self.log.lincomb(beta, &[]);
        };
        for (i, chunk) in terms.chunks(MAX_TERMS).enumerate() {
            let beta = if i == 0 { beta } else { 1.0 };
            let (mut xs, mut logs) = ([(0.0, &first.x); MAX_TERMS], [(0.0, &first.log); MAX_TERMS]);
            for ((x, log), (c, s)) in xs.iter_mut().zip(&mut logs).zip(chunk) {
                *x = (*c, &s.x);
                *log = (*c, &s.log);
            }
            self.x.lincomb(beta, &xs[..chunk.len()]);
            self.log.lincomb(beta, &logs[..chunk.len()]);
        }
    }

    fn dot(&self, other: &Self) -> f64 {
        self.x.dot(&other.x) + self.log.dot(&other.log)
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let (n, m) = (self.x.len() as f64, self.log.len() as f64);
        let e = self.x.error_norm(&a.x, &b.x, tol);
        let f = self.log.error_norm(&a.log, &b.log, tol);
        ((n * e * e + m * f * f) / (n + m)).sqrt()
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        self.x.fill_normal(key.fold_in(0), stream);
        self.log.fill_normal(key.fold_in(1), stream);
    }

    fn is_finite(&self) -> bool {
        self.x.is_finite() && self.log.is_finite()
    }
}
