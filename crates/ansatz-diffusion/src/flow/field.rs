//! The right-hand side of the probability flow, with and without densities.

use ansatz_core::{
    Denoiser, DivergenceDenoiser, EvalError, NoiseLevel, NoiseSchedule, Prediction, State,
    VectorField,
};

use super::Clock;
use super::augmented::Augmented;

/// dx/du for u the time or λ.
pub(super) struct FlowField<'a, M: ?Sized> {
    model: &'a M,
    schedule: &'a dyn NoiseSchedule,
    clock: Clock,
}

impl<'a, M: ?Sized> FlowField<'a, M> {
    pub(super) fn new(model: &'a M, schedule: &'a dyn NoiseSchedule, clock: Clock) -> Self {
        Self {
            model,
            schedule,
            clock,
        }
    }

    /// `(c_x, c_ε)` of `dx/du = c_x·x + c_ε·ε`, and where the model is asked.
    fn coefficients(&self, u: f64) -> (f64, f64, NoiseLevel) {
        let t = match self.clock {
            Clock::Time => u,
            // Rounding must not carry the ends out of the schedule's range.
            Clock::LogSnr => self
                .schedule
                .t_of_lambda(u)
                .clamp(self.schedule.t_min(), self.schedule.t_max()),
        };
        let at = self.schedule.level(t);
        let f = self.schedule.log_alpha_rate(t);
        let m = f - at.sigma_rate / at.sigma;
        match self.clock {
            Clock::Time => (f, -at.sigma * m, at),
            Clock::LogSnr => (f / m, -at.sigma, at),
        }
    }
}

impl<S: State, M: Denoiser<S> + ?Sized> VectorField<S> for FlowField<'_, M> {
    fn eval(&self, u: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        let (c_x, c_noise, at) = self.coefficients(u);
        self.model.eval_as(Prediction::Noise, x, &at, dx)?;
        dx.lincomb(c_noise, &[(c_x, x)]);
        Ok(())
    }
}

/// The same right-hand side with its divergence.
pub(super) struct WithDensity<'a, M: ?Sized>(pub(super) FlowField<'a, M>);

impl<S: State, M: DivergenceDenoiser<S> + ?Sized> VectorField<Augmented<S>> for WithDensity<'_, M> {
    fn eval(&self, u: f64, y: &Augmented<S>, dy: &mut Augmented<S>) -> Result<(), EvalError> {
        let (c_x, c_noise, at) = self.0.coefficients(u);
        self.0
            .model
            .eval_divergence_as(Prediction::Noise, &y.x, &at, &mut dy.x, &mut dy.log)?;
        dy.x.lincomb(c_noise, &[(c_x, &y.x)]);
        let elements = y.x.len() as f64 / y.log.len() as f64;
        for d in &mut dy.log {
            *d = c_x * elements + c_noise * *d;
        }
        Ok(())
    }
}
