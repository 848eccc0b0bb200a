//! Sampling from consistency models.
//!
//! A consistency model maps any point of a trajectory to its end: x̂ = f(x, τ). Sampling jumps to
//! the end and adds noise for the next, smaller level: `x ← α_τ′·f(x, τ) + σ_τ′·z`; the last jump
//! adds none. Latent consistency models are networks x̂₀ with the boundary built in,
//! `f = c_skip·x + c_out·x̂₀`, `c_skip = σ_d²/(u² + σ_d²)`, `c_out = u/√(u² + σ_d²)`, u = 10·label.
//!
//! Cost: one evaluation and one draw a step, two states. The samples of an exact consistency model
//! are exact after one step; a learned one gains from 2 to 8.
//!
//! Use it with consistency-distilled models only: an ordinary denoiser gives averages.
//!
//! References: Y. Song, P. Dhariwal, M. Chen, I. Sutskever, *Consistency models*, 2023, algorithm 1;
//! S. Luo, Y. Tan, L. Huang, J. Li, H. Zhao, *Latent consistency models*, 2023, algorithm 3 and
//! appendix; its program for u = 10·label.

use ansatz_core::{Denoiser, EvalError, NoiseLevel, NoiseSchedule, Prediction, State, stream};

use super::Solver;
use crate::{Plan, PlanError, TimeGrid};

/// Multistep consistency sampling.
///
/// ```
/// use ansatz_core::{Key, NoiseLevel, Prediction, denoiser::from_fn};
/// use ansatz_diffusion::{Betas, Consistency, Discrete, LabelSpacing, Solver, TimeGrid};
/// let schedule = Discrete::new(Betas::ScaledLinear(0.00085, 0.012), 1000)?;
/// let grid = TimeGrid::labels(&schedule, LabelSpacing::Origins(50), 4)?;
/// let plan = Consistency.plan(&schedule, &grid)?;
/// assert_eq!((plan.nfe(), plan.draws(), plan.levels()[1].t), (4, 3, 759.0));
/// // The consistency function of data N(0, 0.25), exactly.
/// let model = from_fn(Prediction::Data, |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
///     let scale = 0.5 / (0.25 * at.alpha * at.alpha + at.sigma * at.sigma).sqrt();
///     out.iter_mut().zip(x).for_each(|(o, x)| *o = scale * x);
///     Ok(())
/// });
/// let mut x = vec![1.0];
/// plan.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert!(x[0].abs() < 3.0);
/// # Ok::<(), ansatz_diffusion::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consistency;

impl Solver for Consistency {
    /// # Errors
    /// None of its own.
    fn plan(&self, _: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError> {
        let mut p = Plan::builder();
        let mut x = p.input();
        for (i, (from, to)) in grid.pairs().enumerate() {
            let clean = p.eval(x, from, Prediction::Data);
            x = if to.sigma > 0.0 {
                let z = p.normal(stream::step(i as u64));
                p.combine(to.alpha * clean + to.sigma * z)
            } else {
                p.combine(to.alpha * clean)
            };
            p.step(to, &[x]);
        }
        p.finish(&[x])
    }
}

/// A latent consistency model from its network: `c_skip·x + c_out·x̂₀`, which is x at label 0.
///
/// The network may predict any kind; it is read as data. Times of the levels are labels.
#[derive(Debug, Clone, Copy)]
pub struct ConsistencyModel<D> {
    inner: D,
    timestep_scaling: f64,
    sigma_data: f64,
}

impl<D> ConsistencyModel<D> {
    /// With the constants of latent consistency models: u = 10·label, σ_d = 0.5.
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            timestep_scaling: 10.0,
            sigma_data: 0.5,
        }
    }

    /// With other constants.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] unless both are positive and finite.
    pub fn with_constants(
        inner: D,
        timestep_scaling: f64,
        sigma_data: f64,
    ) -> Result<Self, EvalError> {
        for (what, value) in [
            ("timestep_scaling", timestep_scaling),
            ("sigma_data", sigma_data),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(EvalError::OutOfRange {
                    what,
                    value,
                    min: f64::MIN_POSITIVE,
                    max: f64::MAX,
                });
            }
        }
        Ok(Self {
            inner,
            timestep_scaling,
            sigma_data,
        })
    }

    /// `(c_skip, c_out)` at a label.
    pub fn boundary(&self, label: f64) -> (f64, f64) {
        let (u, s) = (self.timestep_scaling * label, self.sigma_data);
        let square = u * u + s * s;
        (s * s / square, u / square.sqrt())
    }
}

impl<S: State, D: Denoiser<S>> Denoiser<S> for ConsistencyModel<D> {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let (skip, keep) = self.boundary(at.t);
        self.inner.eval_as(Prediction::Data, x, at, out)?;
        out.lincomb(keep, &[(skip, x)]);
        Ok(())
    }
}
