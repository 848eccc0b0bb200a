//! How far a learned density is from solving the Fokker-Planck equation.
//!
//! If u = log p and the data is noised by `dx = f·x dt + g dW`, then
//! `R = ∂ₜu − [½g²(Δu + |∇u|²) − f·x·∇u − f·dim]` vanishes, and the probability flow and the reverse
//! equation have the same marginals. A network misses this, and the distance between the two samplers is
//! bounded in terms of ∫E|R|. The score form `∂ₜs − ∇[½g²(div s + |s|²) − f·x·s]` is the gradient of R
//! and needs no density.
//!
//! Time derivatives are central differences of order 6; so are the space derivatives of the score
//! form, which costs `6·dim` evaluations with divergence.
//!
//! Use it as a diagnostic of models in `f64`, away from the ends of the schedule.
//!
//! References: T. Deveney et al., *Closing the ODE-SDE gap in score-based diffusion models through
//! the Fokker-Planck equation*, 2023; C. Lai et al., *FP-Diffusion*, 2023 (score form).

use ansatz_core::{
    DensityDenoiser, DivergenceDenoiser, EvalError, HostState, NoiseLevel, NoiseSchedule,
    Prediction, Scalar,
};

/// Central differences of order 6: weights of ±h, ±2h, ±3h, over h.
const WEIGHTS: [f64; 3] = [0.75, -0.15, 1.0 / 60.0];

/// The residual of the Fokker-Planck equation of a schedule.
///
/// ```
/// use ansatz_diffusion::{FokkerPlanck, VpLinear};
/// use ansatz_testkit::{Mixture, tb1};
/// let schedule = VpLinear::default();
/// let x = tb1::points(16);
/// let mut r = [f64::NAN; 16];
/// FokkerPlanck::new(&schedule).residual(&Mixture::tb1(), &x, 0.5, &mut r)?;
/// assert!(r.iter().all(|r| r.abs() < 1e-8)); // an exact density
/// # Ok::<(), ansatz_core::EvalError>(())
/// ```
#[derive(Clone, Copy)]
pub struct FokkerPlanck<'a> {
    /// Where α and σ come from.
    pub schedule: &'a dyn NoiseSchedule,
    /// Step of the time differences, relative to the smaller of the time and 1.
    pub time_step: f64,
    /// Step of the space differences of the score form.
    pub space_step: f64,
}

impl<'a> FokkerPlanck<'a> {
    /// With steps that suit `f64`: 0.01 in time, 0.01 in space.
    #[must_use]
    pub fn new(schedule: &'a dyn NoiseSchedule) -> Self {
        Self {
            schedule,
            time_step: 0.01,
            space_step: 0.01,
        }
    }

    /// R of each sample of `x` at time `t`; the length of `out` is the number of samples.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for a time that is not inside (0, t_max] or a step that is not
    /// positive; those of the model.
    pub fn residual<S: HostState>(
        &self,
        model: &dyn DensityDenoiser<S>,
        x: &S,
        t: f64,
        out: &mut [f64],
    ) -> Result<(), EvalError> {
        let h = self.step(t)?;
        let mut bracket = vec![0.0; out.len()];
        self.bracket(model, x, &self.schedule.level(t), &mut bracket)?;
        out.fill(0.0);
        let mut u = vec![0.0; out.len()];
        for (offset, weight) in stencil() {
            let at = self.schedule.level(t + offset * h);
            model.log_density(x, &at, &mut u)?;
            for (o, u) in out.iter_mut().zip(&u) {
                *o += weight / h * u;
            }
        }
        let drift = self.schedule.drift(t) * (x.len() as f64 / out.len() as f64);
        for (o, b) in out.iter_mut().zip(&bracket) {
            *o -= b - drift;
        }
        Ok(())
    }

    /// ∇R for each of `samples` samples, in the shape of `x`.
    ///
    /// # Errors
    /// As [`FokkerPlanck::residual`].
    pub fn score_residual<S: HostState>(
        &self,
        model: &dyn DivergenceDenoiser<S>,
        x: &S,
        t: f64,
        samples: usize,
        out: &mut S,
    ) -> Result<(), EvalError> {
        let h = self.step(t)?;
        let mut score = x.zeros_like();
        out.lincomb(0.0, &[]);
        for (offset, weight) in stencil() {
            let at = self.schedule.level(t + offset * h);
            model.eval_as(Prediction::Score, x, &at, &mut score)?;
            out.lincomb(1.0, &[(weight / h, &score)]);
        }
        let at = self.schedule.level(t);
        let dim = x.len() / samples.max(1);
        let mut bracket = vec![0.0; samples];
        for i in 0..dim {
            for (offset, weight) in stencil() {
                let mut moved = x.clone();
                for row in moved.as_mut_slice().chunks_exact_mut(dim) {
                    row[i] = S::Scalar::of(row[i].f64() + offset * self.space_step);
                }
                self.bracket(model, &moved, &at, &mut bracket)?;
                let rows = out.as_mut_slice().chunks_exact_mut(dim);
                for (row, b) in rows.zip(&bracket) {
                    row[i] = S::Scalar::of(row[i].f64() - weight / self.space_step * b);
                }
            }
        }
        Ok(())
    }

    /// ½g²(div s + |s|²) − f·x·s, without the constant −f·dim.
    fn bracket<S: HostState, M: DivergenceDenoiser<S> + ?Sized>(
        &self,
        model: &M,
        x: &S,
        at: &NoiseLevel,
        out: &mut [f64],
    ) -> Result<(), EvalError> {
        let mut score = x.zeros_like();
        model.eval_divergence_as(Prediction::Score, x, at, &mut score, out)?;
        let f = self.schedule.drift(at.t);
        let half = 0.5 * self.schedule.diffusion_squared(at.t);
        let dim = (x.len() / out.len().max(1)).max(1);
        let rows = x
            .as_slice()
            .chunks_exact(dim)
            .zip(score.as_slice().chunks_exact(dim));
        for (o, (x, s)) in out.iter_mut().zip(rows) {
            let square: f64 = s.iter().map(|s| s.f64() * s.f64()).sum();
            let product: f64 = x.iter().zip(s).map(|(x, s)| x.f64() * s.f64()).sum();
            *o = half * (*o + square) - f * product;
        }
        Ok(())
    }

    /// Step of the time differences, which must stay between 0 and the end of the schedule.
    fn step(&self, t: f64) -> Result<f64, EvalError> {
        let check = |what, value: f64, max| {
            if value > 0.0 && value <= max {
                Ok(())
            } else {
                let min = f64::MIN_POSITIVE;
                Err(EvalError::OutOfRange {
                    what,
                    value,
                    min,
                    max,
                })
            }
        };
        check("t", t, self.schedule.t_max())?;
        check("time_step", self.time_step, 0.3)?;
        check("space_step", self.space_step, f64::MAX)?;
        // Schedules go on smoothly behind their last time, but not before 0.
        Ok(self.time_step * t.min(1.0))
    }
}

/// Offsets and weights of the difference quotient.
fn stencil() -> impl Iterator<Item = (f64, f64)> {
    WEIGHTS.into_iter().zip(1..).flat_map(|(w, k)| {
        let k = f64::from(k);
        [(k, w), (-k, -w)]
    })
}
