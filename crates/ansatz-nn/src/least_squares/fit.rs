//! The loop of damped steps.

use ansatz_autodiff::Element;
use ansatz_core::{Event, NoiseLevel, Observer};

use super::{LeastSquares, Normal, expect};
use crate::optimizer::within;
use crate::{NetworkError, Parameters, Stop};

/// The Levenberg-Marquardt method; with `damping: 0.0` that of Gauss and Newton, damped only after a step that fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevenbergMarquardt {
    /// Most steps.
    pub steps: usize,
    /// μ at the start, in parts of the largest element of the diagonal of JᵀJ for [`Damping::Uniform`].
    pub damping: f64,
    /// What is damped.
    pub scaling: Damping,
    /// Largest element of Jᵀr at which the fit ends.
    pub gradient: f64,
    /// The fit ends when a step is shorter than this part of the parameters.
    pub change: f64,
    /// Rows of J that are held together.
    pub chunk: usize,
    /// Most trained parameters, or residuals if those are fewer: two matrices of as many rows and columns are kept.
    pub most: usize,
}

/// The matrix D of the damping μD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Damping {
    /// The identity (Levenberg): for networks, whose parameters are of one size.
    #[default]
    Uniform,
    /// The largest diagonal of JᵀJ so far (Marquardt, J. Moré): steps do not depend on the units of parameters.
    Scaled,
}

impl Default for LevenbergMarquardt {
    /// 100 steps, μ = 1e-3, uniform damping, gradients to 1e-12, changes of 1e-12, 256 rows, up to 10 000 parameters.
    fn default() -> Self {
        Self {
            steps: 100,
            damping: 1e-3,
            scaling: Damping::Uniform,
            gradient: 1e-12,
            change: 1e-12,
            chunk: 256,
            most: 10_000,
        }
    }
}

/// What a fit reached, and its cost.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fit {
    /// ½Σr² at the points that were fitted.
    pub loss: f64,
    /// ½Σr² at as many fresh points, if they were given: much larger when the fit follows its points alone.
    pub fresh: Option<f64>,
    /// Largest element of Jᵀr.
    pub slope: f64,
    /// Steps taken.
    pub steps: usize,
    /// Trial steps that made the loss larger.
    pub rejected: usize,
    /// μ at the end, to go on from.
    pub damping: f64,
    /// Why it ended.
    pub stop: Stop,
}

/// What an observer sees after each step.
#[derive(Debug)]
#[non_exhaustive]
pub struct FitStep<'a, T> {
    /// The state of the fit; `stop` says nothing yet.
    pub fit: Fit,
    /// The gain ratio of the step: 1 where the linear model is right.
    pub gain: f64,
    /// The parameters after the step.
    pub parameters: &'a Parameters<T>,
}

impl LevenbergMarquardt {
    /// Fits the trained parameters to data. `fresh` are other points, as many, that are not fitted: the loss at them is
    /// computed after each step and reported beside the other one.
    ///
    /// # Errors
    /// [`NetworkError::Option`]; [`NetworkError::Size`] for more parameters and residuals than `most` and data that do not fit;
    /// [`NetworkError::NotFinite`] when residuals or slopes are not finite. The parameters are the best ones so far.
    pub fn fit<T, O>(
        &self,
        problem: &mut LeastSquares<T>,
        parameters: &mut Parameters<T>,
        data: &[&[T]],
        fresh: Option<&[&[T]]>,
        observer: &mut O,
    ) -> Result<Fit, NetworkError>
    where
        T: Element,
        O: for<'a> Observer<FitStep<'a, T>> + ?Sized,
    {
        self.check()?;
        let p = problem.trained();
        let rows = p.min(problem.residuals());
        expect(
            "trained parameters or residuals (raise LevenbergMarquardt::most)",
            rows.min(self.most),
            rows,
        )?;
        let mut normal = Normal::new(p, problem.residuals(), self.chunk);
        let (mut step, mut most, mut scale) = (vec![0.0; p], vec![0.0; p], vec![1.0; p]);
        let mut trial = parameters.clone();

        let loss = problem.normal(parameters, data, &mut normal)?;
        let mut now = Fit {
            loss,
            fresh: None,
            slope: largest(&normal.slopes),
            steps: 0,
            rejected: 0,
            damping: self.damping,
            stop: Stop::Steps,
        };
        finite(&now)?;
        now.fresh = fresh.map(|f| problem.loss(parameters, f)).transpose()?;
        if self.scaling == Damping::Uniform {
            now.damping *= normal.diagonal().fold(0.0, f64::max);
        }
        let mut growth = 2.0;
        while now.steps < self.steps {
            if now.slope <= self.gradient {
                now.stop = Stop::Gradient;
                break;
            }
            if self.scaling == Damping::Scaled {
                for ((most, scale), d) in most.iter_mut().zip(&mut scale).zip(normal.diagonal()) {
                    *most = d.max(*most);
                    *scale = if *most > 0.0 {
                        most.sqrt().recip()
                    } else {
                        1.0
                    };
                }
            }
            let Some(gain) = self.attempt(
                problem,
                (parameters, &mut trial),
                data,
                (&mut normal, &scale, &mut step),
                (&mut now, &mut growth),
            )?
            else {
                now.stop = Stop::Change;
                break;
            };
            let moved = problem.normal(&trial, data, &mut normal)?;
            let slope = largest(&normal.slopes);
            (now.loss, now.slope) = (moved, slope);
            finite(&now)?;
            parameters.values_mut().copy_from_slice(trial.values());
            now.steps += 1;
            now.fresh = fresh.map(|f| problem.loss(parameters, f)).transpose()?;
            let level = NoiseLevel::clean(now.steps as f64);
            let state = FitStep {
                fit: now,
                gain,
                parameters,
            };
            let evaluations = now.steps + now.rejected + 1;
            let event = Event::new(now.steps, self.steps, evaluations, level, &state);
            if observer.on_step(&event).is_break() {
                now.stop = Stop::Observer;
                break;
            }
        }
        if now.stop == Stop::Steps && now.slope <= self.gradient {
            now.stop = Stop::Gradient;
        }
        Ok(now)
    }

    /// Raises the damping until a step lowers the loss: its gain ratio, with the parameters in `trial`. `None` when the
    /// step has become too short.
    fn attempt<T: Element>(
        &self,
        problem: &mut LeastSquares<T>,
        (from, trial): (&Parameters<T>, &mut Parameters<T>),
        data: &[&[T]],
        (normal, scale, step): (&mut Normal, &[f64], &mut [f64]),
        (now, growth): (&mut Fit, &mut f64),
    ) -> Result<Option<f64>, NetworkError> {
        let size = problem.norm(from);
        // What an undamped step that failed is damped by first, in parts of the scaled diagonal.
        let diagonal = normal.diagonal().zip(scale).map(|(d, s)| d * s * s);
        let least = 1e-12 * diagonal.fold(f64::MIN_POSITIVE, f64::max);
        loop {
            let mu = now.damping;
            if normal.solve(mu, scale, step) {
                let length = step.iter().map(|d| d * d).sum::<f64>().sqrt();
                if length <= self.change * (size + self.change) {
                    return Ok(None);
                }
                problem.moved(from, step, trial);
                let loss = problem.loss(trial, data)?;
                let parts = step.iter().zip(&normal.slopes).zip(scale);
                let foretold: f64 = parts
                    .map(|((d, g), s)| 0.5 * d * (mu * d / (s * s) - g))
                    .sum();
                let gain = (now.loss - loss) / foretold;
                if gain > 0.0 && loss.is_finite() {
                    // Nielsen's rule: less damping the better the model, without jumps.
                    now.damping *= (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 3.0);
                    *growth = 2.0;
                    return Ok(Some(gain));
                }
            }
            now.rejected += 1;
            now.damping = (mu * *growth).max(least);
            *growth *= 2.0;
            if !now.damping.is_finite() {
                now.damping = mu;
                return Ok(None);
            }
        }
    }

    fn check(&self) -> Result<(), NetworkError> {
        let needed = "a number not below 0";
        within("damping", self.damping, 0.0.., needed)?;
        within("gradient", self.gradient, 0.0.., needed)?;
        within("change", self.change, 0.0.., needed)?;
        within("chunk", self.chunk as f64, 1.0.., "1 or more")
    }
}

fn largest(x: &[f64]) -> f64 {
    x.iter()
        .map(|v| v.abs())
        .fold(0.0, |most, v| if v.is_nan() || v > most { v } else { most })
}

fn finite(now: &Fit) -> Result<(), NetworkError> {
    for (what, value) in [("loss", now.loss), ("largest slope", now.slope)] {
        if !value.is_finite() {
            let step = now.steps;
            return Err(NetworkError::NotFinite { step, what, value });
        }
    }
    Ok(())
}
