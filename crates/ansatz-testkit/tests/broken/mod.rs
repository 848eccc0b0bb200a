//! Implementations that are wrong in one place each.

pub(crate) mod maps;

use std::sync::atomic::{AtomicU64, Ordering};

use ansatz_core::{
    Denoiser, EvalError, Key, NoiseLevel, NoiseSchedule, Prediction, State, Tolerance,
};

/// What is wrong with a [`Faulty`] state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Len,
    ZerosLike,
    Assign,
    ZeroBeta,
    LostTerm,
    RoundsEachTerm,
    Dot,
    ErrorNorm,
    Finite,
    NoiseStream,
    NoiseKey,
    NoiseScale,
    NoiseRepeats,
    Threads,
}

/// A vector of `f32` with one fault.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) values: Vec<f32>,
    pub(crate) fault: Fault,
}

static CALLS: AtomicU64 = AtomicU64::new(0);

impl State for Faulty {
    type Scalar = f32;

    fn len(&self) -> usize {
        self.values.len() + usize::from(self.fault == Fault::Len)
    }

    fn zeros_like(&self) -> Self {
        let fill = if self.fault == Fault::ZerosLike {
            1.0
        } else {
            0.0
        };
        Self {
            values: vec![fill; self.values.len()],
            fault: self.fault,
        }
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        let terms: Vec<_> = terms.iter().map(|(c, s)| (*c, &s.values)).collect();
        match self.fault {
            Fault::ZeroBeta if beta == 0.0 => {
                // 0·NaN is NaN.
                self.values.iter_mut().for_each(|v| *v *= 0.0);
                self.values.lincomb(1.0, &terms);
            }
            Fault::LostTerm => self.values.lincomb(beta, &terms[..terms.len().min(6)]),
            Fault::RoundsEachTerm => {
                self.values.lincomb(beta, &[]);
                for term in terms {
                    self.values.lincomb(1.0, &[term]);
                }
            }
            _ => self.values.lincomb(beta, &terms),
        }
    }

    fn dot(&self, other: &Self) -> f64 {
        let factor = match self.fault {
            Fault::Dot => 1.0 + 1e-9,
            Fault::Threads => 1.0 + f64::EPSILON * rayon::current_num_threads() as f64,
            _ => 1.0,
        };
        factor * self.values.dot(&other.values)
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        let b = if self.fault == Fault::ErrorNorm { a } else { b };
        self.values.error_norm(&a.values, &b.values, tol)
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        let (key, stream) = match self.fault {
            Fault::NoiseStream => (key, 0),
            Fault::NoiseKey => (Key::new(0), stream),
            Fault::NoiseRepeats => (key.fold_in(CALLS.fetch_add(1, Ordering::Relaxed)), stream),
            _ => (key, stream),
        };
        self.values.fill_normal(key, stream);
        if self.fault == Fault::NoiseScale {
            self.values.iter_mut().for_each(|v| *v *= 1.2);
        }
    }

    fn assign(&mut self, other: &Self) {
        if self.fault != Fault::Assign {
            self.values.assign(&other.values);
        }
    }

    fn is_finite(&self) -> bool {
        self.fault == Fault::Finite || self.values.is_finite()
    }
}

/// A data model (half the input) whose own conversion to one kind is wrong.
pub(crate) struct OwnConversion(pub(crate) Prediction);

impl Denoiser<Vec<f64>> for OwnConversion {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        out.lincomb(0.0, &[(0.5, x)]);
        Ok(())
    }

    fn eval_as(
        &self,
        want: Prediction,
        x: &Vec<f64>,
        at: &NoiseLevel,
        out: &mut Vec<f64>,
    ) -> Result<(), EvalError> {
        if want == self.0 && want == Prediction::Score {
            return Err(EvalError::NonFinite { what: "the score" });
        }
        let (c_x, c_y) = at.convert(Prediction::Data, want)?;
        self.eval(x, at, out)?;
        let factor = if want == self.0 { 1.0 + 1e-9 } else { 1.0 };
        out.lincomb(factor * c_y, &[(factor * c_x, x)]);
        Ok(())
    }
}

/// α = 1 − t, σ = t, with factors that spoil one function each; the ends are singular.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) sigma: f64,
    pub(crate) alpha_rate: f64,
    pub(crate) sigma_rate: f64,
    pub(crate) inverse: f64,
    pub(crate) ends: (f64, f64),
}

impl Linear {
    pub(crate) const RIGHT: Self = Self {
        sigma: 1.0,
        alpha_rate: 1.0,
        sigma_rate: 1.0,
        inverse: 1.0,
        ends: (0.0, 1.0),
    };
}

impl NoiseSchedule for Linear {
    fn t_min(&self) -> f64 {
        self.ends.0
    }

    fn t_max(&self) -> f64 {
        self.ends.1
    }

    fn log_alpha(&self, t: f64) -> f64 {
        (-t).ln_1p()
    }

    fn sigma(&self, t: f64) -> f64 {
        self.sigma * t
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        -self.alpha_rate / (1.0 - t)
    }

    fn sigma_rate(&self, _: f64) -> f64 {
        self.sigma * self.sigma_rate
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        self.inverse / (1.0 + lambda.exp())
    }
}
