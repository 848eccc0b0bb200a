//! Pairs of states are states: coupled methods (EDICT, augmented ODEs) need no code of their own.

use super::{State, Tolerance};
use crate::Key;

/// Terms handled without allocation; longer sums are split, which rounds once more per split.
const MAX_TERMS: usize = 8;

fn part<'a, P, S: State + 'a>(
    dst: &mut S,
    beta: f64,
    terms: &[(f64, &'a P)],
    pick: impl Fn(&'a P) -> &'a S,
) {
    if terms.is_empty() {
        return dst.lincomb(beta, &[]);
    }
    for (i, chunk) in terms.chunks(MAX_TERMS).enumerate() {
        let mut picked = [(0.0, pick(chunk[0].1)); MAX_TERMS];
        for (p, (c, s)) in picked.iter_mut().zip(chunk) {
            *p = (*c, pick(s));
        }
        dst.lincomb(if i == 0 { beta } else { 1.0 }, &picked[..chunk.len()]);
    }
}

impl<A: State, B: State<Scalar = A::Scalar>> State for (A, B) {
    type Scalar = A::Scalar;

    fn len(&self) -> usize {
        self.0.len() + self.1.len()
    }

    fn same_shape(&self, other: &Self) -> bool {
        self.0.same_shape(&other.0) && self.1.same_shape(&other.1)
    }

    fn zeros_like(&self) -> Self {
        (self.0.zeros_like(), self.1.zeros_like())
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        part(&mut self.0, beta, terms, |s| &s.0);
        part(&mut self.1, beta, terms, |s| &s.1);
    }

    fn dot(&self, other: &Self) -> f64 {
        self.0.dot(&other.0) + self.1.dot(&other.1)
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let (n, m) = (self.0.len() as f64, self.1.len() as f64);
        let e = self.0.error_norm(&a.0, &b.0, tol);
        let f = self.1.error_norm(&a.1, &b.1, tol);
        ((n * e * e + m * f * f) / (n + m)).sqrt()
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        self.0.fill_normal(key.fold_in(0), stream);
        self.1.fill_normal(key.fold_in(1), stream);
    }

    fn is_finite(&self) -> bool {
        self.0.is_finite() && self.1.is_finite()
    }
}
