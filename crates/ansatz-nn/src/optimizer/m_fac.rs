//! Natural gradient steps by the inverse of the empirical Fisher matrix of the latest gradients.
//!
//! θ ← θ − rate·F⁻¹(g + decay·θ) with F = λI + (1/m)·Σ gᵢgᵢᵀ over a window of m gradients, the current one among them.
//! Each step sweeps twice over the window: 4dm operations and m³/3 for d parameters, dm numbers of memory. It moves along
//! directions in which gradients are small as fast as along those in which they are large, which badly scaled problems
//! reward.
//!
//! Reference: E. Frantar, E. Kurtic, D. Alistarh, *M-FAC: Efficient matrix-free approximations of second-order
//! information*, 2021, section 3.2.

use std::borrow::Cow;
use std::fmt;

use ansatz_core::{Scalar, State};
use ansatz_linalg::fisher::{FactorOptions, FisherFactor, Refresh};

use super::{Rule, within};
use crate::NetworkError;

/// Parameters that are exactly 0 when training starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zeros {
    /// They are trained like the others.
    #[default]
    Trained,
    /// They stay 0: what was pruned stays pruned.
    Kept,
}

/// Options of [`MFac`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MFacOptions {
    /// m. Each gradient takes the memory of the parameters. Default 1024, as published.
    pub window: usize,
    /// λ: the smaller, the longer are steps along directions in which gradients vanish. Default 1e-5.
    pub damping: f64,
    /// μ of v ← μv + (1 − μ)u, by which the step u = F⁻¹g is smoothed.
    pub momentum: f64,
    /// Factor of the penalty ½‖θ‖², whose gradient enters the window with the others.
    pub weight_decay: f64,
    /// What becomes of zeros.
    pub zeros: Zeros,
}

impl Default for MFacOptions {
    fn default() -> Self {
        Self {
            window: 1024,
            damping: 1e-5,
            momentum: 0.0,
            weight_decay: 0.0,
            zeros: Zeros::default(),
        }
    }
}

/// Matrix-free approximate curvature. Learning rates of 1e-4 to 1e-3 are usual.
#[derive(Default)]
pub struct MFac {
    /// Its options.
    pub options: MFacOptions,
    /// The m×m side of the window: follows from the gradients in the buffers.
    factor: Option<FisherFactor>,
}

impl MFac {
    /// The rule with its options.
    #[must_use]
    pub fn new(options: MFacOptions) -> Self {
        Self {
            options,
            factor: None,
        }
    }

    /// The factor of the gradients before this step.
    fn factor<T: Scalar>(
        &mut self,
        step: u64,
        rows: &[Vec<T>],
    ) -> Result<FisherFactor, NetworkError> {
        // The factor must not depend on gradients that have left: a training that goes on does not know them.
        let options = FactorOptions {
            damping: self.options.damping,
            refresh: Refresh::Anew,
            ..FactorOptions::default()
        };
        let before = step as usize - 1;
        Ok(match self.factor.take() {
            Some(factor) if before > 0 => factor,
            _ if before == 0 => FisherFactor::new(rows.len(), options)?,
            _ => {
                let count = before.min(rows.len());
                FisherFactor::of_rows(rows, count, before % rows.len(), options)?
            }
        })
    }
}

/// What it has derived is left out: checkpoints compare this text.
impl fmt::Debug for MFac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MFac").field(&self.options).finish()
    }
}

impl Clone for MFac {
    fn clone(&self) -> Self {
        Self::new(self.options)
    }
}

impl PartialEq for MFac {
    fn eq(&self, other: &Self) -> bool {
        self.options == other.options
    }
}

impl<T: Scalar> Rule<T> for MFac {
    fn check(&self) -> Result<(), NetworkError> {
        let o = &self.options;
        within("window", o.window as f64, 1.0.., "at least 1 gradient")?;
        within(
            "damping",
            o.damping,
            f64::MIN_POSITIVE..,
            "a positive number",
        )?;
        within("momentum", o.momentum, 0.0..1.0, "0 <= momentum < 1")?;
        within(
            "weight_decay",
            o.weight_decay,
            0.0..,
            "a number not below 0",
        )
    }

    /// The gradients in their places, the smoothed step (or the latest one), and marks of what is trained.
    fn buffers(&self) -> Vec<Cow<'static, str>> {
        let gradients = (0..self.options.window).map(|i| format!("gradient.{i}").into());
        let others = ["direction".into(), "trained".into()];
        gradients.chain(others).collect()
    }

    fn forget(&mut self) {
        self.factor = None;
    }

    fn step(
        &mut self,
        step: u64,
        rate: f64,
        gradient: &[T],
        parameters: &mut [T],
        buffers: &mut [Vec<T>],
    ) -> Result<(), NetworkError> {
        let (rows, others) = buffers.split_at_mut(self.options.window.min(buffers.len()));
        let [direction, trained] = others else {
            return Ok(());
        };
        if step == 1 {
            for (mark, p) in trained.iter_mut().zip(&*parameters) {
                let kept = self.options.zeros == Zeros::Kept && *p == T::zero();
                *mark = if kept { T::zero() } else { T::one() };
            }
        }
        let decay = T::of(self.options.weight_decay);
        let slopes = gradient.iter().zip(&*parameters).zip(&*trained);
        let slope: Vec<T> = slopes.map(|((g, p), t)| *t * (*g + decay * *p)).collect();
        let mut along = vec![T::zero(); slope.len()];
        let mut factor = self.factor(step, rows)?;
        let done = factor.update_and_apply(rows, &slope, &mut along);
        self.factor = Some(factor);
        done?;
        let mu = self.options.momentum;
        direction.lincomb(mu, &[(1.0 - mu, &along)]);
        let rate = T::of(rate);
        for (p, v) in parameters.iter_mut().zip(&*direction) {
            *p -= rate * *v;
        }
        Ok(())
    }
}
