#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod dmcmc;
pub mod dpm_ot;
mod error;
pub mod flow;
pub mod fokker_planck;
mod grid;
pub mod interpolant;
pub mod plan;
pub mod preset;
pub mod schedule;
pub mod score_sde;
pub mod solver;

pub use ansatz_core as core;
pub use ansatz_diffeq as diffeq;
pub use ansatz_stats as stats;
pub use dmcmc::{DenoisingMcmc, ExactLevels, Harvest, LevelDraw, LevelPosterior, NoisyChains};
pub use dpm_ot::{DpmOt, Ladder, Start};
pub use error::{PlanError, SampleError};
pub use flow::{Clock, Encoded, ExactTrace, Hutchinson, ProbabilityFlow};
pub use fokker_planck::FokkerPlanck;
pub use grid::{LabelSpacing, Spacing, TimeGrid};
pub use interpolant::{BridgeSde, Gamma, Interpolant, Path, Scheme, Target};
pub use plan::{
    AdjointDpm, Checkpoints, Gradient, GradientPlan, Linear, NoiseSource, Plan, PlanBuilder,
    Progress, Request, Run, Value,
};
pub use schedule::{
    Betas, Discrete, Edm, FlowLinear, Ramp, ResidualTable, ScaledNoise, SubVp, UnitTime,
    VarianceExploding, VpCosine, VpLinear,
};
pub use score_sde::{
    Known, Langevin, LangevinStep, LastStep, Predictor, PredictorCorrector, Process, ReverseSde,
    ScoreSde, Transition,
};
pub use solver::{
    AdaptiveSampler, Alternate, Bdia, Bh, Blocks, Churn, Coefficients, Consistency,
    ConsistencyModel, Ddim, Deis, DenoiseToZero, DpmAdaptive, DpmMultistep, DpmSinglestep, Edict,
    EvoDiff, EvoDiffSampler, ExactInversion, Form, HalfSteps, Heun, LowerOrder, MeanReverting,
    OBelm, OrderPair, Partner, Pndm, Rddm, ResidualPair, ReversibleHeun, RhoRungeKutta, Rule,
    Sampler, SdeDpmMultistep, Shifted, Solver, StationaryVelocity, StepCoefficients, UniPc,
    Variable, WarmUp,
};
