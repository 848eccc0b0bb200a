//! Solvers: each turns a schedule and a grid into a [`Plan`].
//!
//! A solver is a struct of public options with a `Default`, and one method. It knows its formulas
//! and nothing about memory, models, noise sources or observers.

mod adaptive;
mod bdia;
mod ddim;
mod deis;
mod denoise;
mod dpm;
mod edict;
mod edm;
mod evodiff;
pub(crate) mod exponential;
mod invertible;
mod lcm;
mod mrs;
mod o_belm;
pub(crate) mod phi;
mod pndm;
mod rddm;
mod reversible_heun;
mod rho_rk;
mod rows;
mod sde;
mod singlestep;
mod unipc;

pub use adaptive::{AdaptiveSampler, DpmAdaptive, OrderPair};
pub use bdia::Bdia;
pub use ddim::Ddim;
pub use deis::{Deis, StepCoefficients, Variable};
pub use denoise::DenoiseToZero;
pub use dpm::{Coefficients, DpmMultistep, Form, LowerOrder};
pub use edict::{Alternate, Edict};
pub use edm::{Churn, Heun, Rule};
pub use evodiff::{EvoDiff, EvoDiffSampler};
pub use invertible::{ExactInversion, MAX_AMPLIFICATION_F32, MAX_AMPLIFICATION_F64, Partner};
pub use lcm::{Consistency, ConsistencyModel};
pub use mrs::{MeanReverting, Shifted, StationaryVelocity};
pub use o_belm::OBelm;
pub use pndm::{HalfSteps, Pndm, WarmUp};
pub use rddm::{Rddm, ResidualPair};
pub use reversible_heun::ReversibleHeun;
pub use rho_rk::RhoRungeKutta;
pub(crate) use rho_rk::{between, stages};
pub(crate) use rows::{Evaluator, finite, row_length};
pub use sde::SdeDpmMultistep;
pub use singlestep::{Blocks, DpmSinglestep};
pub use unipc::{Bh, UniPc};

use ansatz_core::{Denoiser, Key, NoiseSchedule, Observer, Report, State};

use crate::{Plan, PlanError, SampleError, TimeGrid};

/// A method that is fixed once the grid is: its coefficients depend on noise levels only.
pub trait Solver {
    /// Works out all coefficients.
    ///
    /// # Errors
    /// [`PlanError`] for options out of range or a grid that the method cannot use.
    fn plan(&self, schedule: &dyn NoiseSchedule, grid: &TimeGrid) -> Result<Plan, PlanError>;
}

/// Any method that turns noise into a sample: plans, and methods whose steps depend on the states.
pub trait Sampler<S: State> {
    /// Samples in place.
    ///
    /// # Errors
    /// [`SampleError`]; `x` is then unchanged.
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError>;
}

impl<S: State> Sampler<S> for Plan {
    fn sample(
        &self,
        model: &dyn Denoiser<S>,
        x: &mut S,
        key: Key,
        observer: &mut dyn Observer<S>,
    ) -> Result<Report, SampleError> {
        self.sample(model, x, key, observer)
    }
}
