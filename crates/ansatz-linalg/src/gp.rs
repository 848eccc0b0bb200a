//! Gaussian processes that solve partial differential equations with high frequencies (GP-HM).
//!
//! The solution u of N(u) = f on a box, with values g on its faces, is a Gaussian process whose covariance is a mixture of
//! bumps in the spectrum, one mixture per coordinate. On a tensor grid of N = Πn_d points the covariance matrix is
//! C = C₁⊗C₂⊗…; derivatives of u are conditional means, u_xx = C₁″C₁⁻¹u and so on. Values of u, weights, frequencies and
//! widths of all bumps and two noise levels are found together by maximising their log joint density
//!
//! ```text
//! J = −½ Σ_d (N/n_d)·log|C_d| − ½ uᵀC⁻¹u + λ_b·(½N_b·log τ₁ − ½τ₁‖u_b − g‖²) + ½N·log τ₂ − ½τ₂‖N(u) − f‖²,
//! ```
//!
//! which asks that u be probable, meet the N_b boundary values and satisfy the equation at all points. Frequencies that the
//! equation needs are found on the way; where networks fail on sin 100x, this reaches 1e-6.
//!
//! For linear equations on a box with known resolution a spectral method (Chebfun, ApproxFun) is shorter work and more
//! accurate; this is for nonlinear ones, for few frequencies far apart, and when the spectrum itself is asked for.
//!
//! | part | |
//! |---|---|
//! | [`Mixture`], [`Covariance`] | kernels, and the trait for one's own |
//! | [`Equation`], [`Residual`], [`Problem`] | equations with their data, and the trait for one's own |
//! | [`GpSolver`] | training, a second stage for a slow part, warnings |
//! | [`Solution`] | u and its derivatives anywhere, the learnt spectrum |
//! | [`solve_linear`] | a linear equation with a given kernel, without training |
//!
//! Cost of a step with Q components: in one dimension on a uniform grid O(n² + nQ) time and O(n) memory, about 0.5 ms for n =
//! 400 and Q = 30; otherwise O(Σn_d³ + N·Σn_d) time and O(Σn_d² + N) memory.
//!
//! S. Fang, M. Cooley, D. Long, S. Li, R. Kirby, S. Zhe, *Solving high frequency and multi-scale PDEs with Gaussian
//! processes*, ICLR 2024.

mod axis;
mod direct;
mod elementary;
mod equation;
mod factor;
mod kernel;
mod objective;
mod solution;
mod train;

pub use direct::solve_linear;
pub use equation::{Derivative, Equation, Problem, Reaction, Residual, uniform_grid};
pub use kernel::{Component, Covariance, Envelope, Frequencies, Mixture};
pub use objective::Weighing;
pub use solution::Solution;
pub use train::{Bounds, GpRecord, GpSolver, GpStep, GpWarning, Rate, TrainOptions};
