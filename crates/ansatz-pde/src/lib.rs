#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod caputo;
mod curriculum;
mod decomposition;
mod derivatives;
mod error;
mod estimate;
pub mod evolution;
pub mod experts;
mod gaussian_process;
mod gaussians;
pub mod geometry;
pub mod insr;
pub mod ipinner;
pub mod lagrangian;
mod legs;
mod marching;
pub mod metalic;
mod model;
mod network;
mod on_nodes;
mod pinn;
pub mod points;
mod probe;
mod problem;
mod solution;
pub mod stencil;
pub mod suite;
mod terms;
mod train;
pub mod uncertainty;
pub mod windows;

pub use ansatz_autodiff as autodiff;
pub use ansatz_core as core;
pub use ansatz_linalg as linalg;
pub use ansatz_nn as nn;
pub use ansatz_stats as stats;
pub use caputo::Caputo;
pub use curriculum::{Curriculum, Level};
pub use decomposition::{Interface, Parts, PartsOptions, Subdomains};
pub use derivatives::{MOST, grid_partials, partials};
pub use error::PdeError;
pub use estimate::{Probes, bilaplacian_estimate, trace_estimate};
pub use gaussian_process::{GaussianProcess, TextResidual};
pub use gaussians::{Gaussians, GaussiansOptions, Orientation};
pub use geometry::error::DomainError;
pub use geometry::{
    Ball, Boundary, BoundaryPoints, Bounds, BoxDomain, Csg, Cylinder, Ellipse, Face, Geometry,
    Moved, PointCloud, Polygon, Radial, SpaceTime, Test, Where, periodic_pairs,
};
pub use marching::{Marching, WindowStart};
pub use model::{Model, Normalised, Periodic, Shaped, relative_error, sample};
pub use network::{Assembly, Make, Network};
pub use on_nodes::{NodeSolution, OnNodes};
pub use pinn::{CausalTime, Pinn, Refine};
pub use points::adaptive::{Density, Refinement};
pub use points::{GridAt, Points, Sampler, Scramble, Sequence};
pub use problem::{Coefficient, Condition, Counts, Place, Problem, ProblemBuilder, Range};
pub use solution::{ErrorReport, Solution};
pub use terms::{Causal, Frozen, Residual, Source, Sources, Term, Terms, Weighting};
pub use train::{Moment, Stage, TermReport, TrainReport, Trainer};
pub use windows::{Decomposition, Window};
