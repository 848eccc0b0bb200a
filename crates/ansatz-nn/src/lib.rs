#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod adapt;
mod archive;
mod bounds;
#[cfg(feature = "dfdx")]
pub mod dfdx;
mod error;
mod grid;
mod implicit;
mod information;
mod init;
mod interaction;
mod layer;
mod least_squares;
mod modularity;
mod network;
mod objective;
mod optimizer;
mod parameters;
mod pass;
mod train;

pub use adapt::ProgramDirection;
pub use ansatz_autodiff as autodiff;
pub use ansatz_core as core;
pub use archive::Archive;
pub use bounds::{Bounded, Interval, robust_loss};
pub use error::NetworkError;
pub use grid::GridSide;
pub use implicit::{ImplicitFunction, ProgramMap};
pub use information::{Denominator, bottleneck_loss, cauchy_schwarz_divergence};
pub use information::{cauchy_schwarz_information, conditional_divergence, gaussian_kernel};
pub use init::Init;
pub use interaction::{InteractionBasis, Stage, interaction_bases};
pub use layer::{Activation, Dense, Factorisation, Layer, Mlp, MlpOptions};
pub use layer::{Attention, Placement, Splitting, TransformerBlock, TransformerOptions};
pub use layer::{BatchNorm, Dropout, GroupNorm, LayerNorm, RmsNorm};
pub use layer::{Conv, ConvTransposed};
pub use layer::{FourierFeatures, GaussianFeatures, Siren, Trained};
pub use least_squares::{
    Damping, Fit, FitStep, LeastSquares, LevenbergMarquardt, linear_least_squares,
};
pub use modularity::{
    Communities, InteractionWeight, Leiden, WeightedEdge, interaction_edges, modularity,
};
pub use network::sheaf;
pub use network::{DeepONet, Fno, FnoOptions, GraphConv, ModifiedMlp, ResidualMlp, SpectralConv};
pub use network::{DirectionNet, DirectionOptions, box_laplacian, direction_loss};
pub use network::{MultiONet, MultiONetOptions, UNet, UNetOptions};
pub use network::{PirateNet, Separable};
pub use objective::{Data, Loss, Objective};
pub use optimizer::{
    Adam, Decay, Descent, Iterate, Lbfgs, Lookahead, MFac, MFacOptions, Optimizer, Rule, Schedule,
    Sgd, Stop, StrongWolfe, Zeros,
};
pub use parameters::{Entry, Layout, Parameter, Parameters, Scope};
pub use pass::{Mode, Pass};
pub use train::{Average, Checkpoint, Progress, Training, TrainingOptions};
