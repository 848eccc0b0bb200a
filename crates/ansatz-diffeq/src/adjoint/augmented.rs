//! The states of adjoint equations: a state, its cotangent, the gradient of the parameters.

use ansatz_core::{Key, State, Tolerance};

/// (y, a, g). The parameters' part counts in error norms only if asked to.
#[derive(Debug, Clone)]
pub(crate) struct Augmented<S> {
    pub(crate) y: S,
    pub(crate) a: S,
    pub(crate) g: Vec<f64>,
    pub(crate) norm: ErrorNorm,
}

/// What the step-size control of an adjoint equation looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorNorm {
    /// State and cotangent: the parameters' gradient is an integral that does not feed back (P.
    /// Kidger, R. Chen, T. Lyons, *"Hey, that's not an ODE": faster ODE adjoints via seminorms*, 2021).
    #[default]
    WithoutParams,
    /// All three.
    Full,
}

/// Terms that one pass takes: the stages of any table and the state.
const MAX_TERMS: usize = 18;

impl<S: State> State for Augmented<S> {
    type Scalar = S::Scalar;

    fn len(&self) -> usize {
        self.y.len() + self.a.len() + self.g.len()
    }

    fn zeros_like(&self) -> Self {
        Self {
            y: self.y.zeros_like(),
            a: self.a.zeros_like(),
            g: vec![0.0; self.g.len()],
            norm: self.norm,
        }
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        if terms.is_empty() {
            self.y.lincomb(beta, &[]);
            self.a.lincomb(beta, &[]);
            self.g.lincomb(beta, &[]);
        }
        for (i, chunk) in terms.chunks(MAX_TERMS).enumerate() {
            let beta = if i == 0 { beta } else { 1.0 };
            let n = chunk.len();
            let first = chunk[0].1;
            let mut y = [(0.0, &first.y); MAX_TERMS];
            let mut a = [(0.0, &first.a); MAX_TERMS];
            let mut g = [(0.0, &first.g); MAX_TERMS];
            for (k, (c, s)) in chunk.iter().enumerate() {
                (y[k], a[k], g[k]) = ((*c, &s.y), (*c, &s.a), (*c, &s.g));
            }
            self.y.lincomb(beta, &y[..n]);
            self.a.lincomb(beta, &a[..n]);
            self.g.lincomb(beta, &g[..n]);
        }
    }

    fn dot(&self, other: &Self) -> f64 {
        self.y.dot(&other.y) + self.a.dot(&other.a) + self.g.dot(&other.g)
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        let parts = [
            (self.y.error_norm(&a.y, &b.y, tol), self.y.len()),
            (self.a.error_norm(&a.a, &b.a, tol), self.a.len()),
            (self.g.error_norm(&a.g, &b.g, tol), self.g.len()),
        ];
        let parts = match self.norm {
            ErrorNorm::WithoutParams => &parts[..2],
            ErrorNorm::Full => &parts[..],
        };
        let count: usize = parts.iter().map(|(_, n)| n).sum();
        if count == 0 {
            return 0.0;
        }
        let sum: f64 = parts.iter().map(|(q, n)| q * q * *n as f64).sum();
        (sum / count as f64).sqrt()
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        self.y.fill_normal(key.fold_in(0), stream);
        self.a.fill_normal(key.fold_in(1), stream);
        self.g.fill_normal(key.fold_in(2), stream);
    }

    fn is_finite(&self) -> bool {
        self.y.is_finite() && self.a.is_finite() && self.g.is_finite()
    }
}
