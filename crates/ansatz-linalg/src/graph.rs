//! Graphs of point clouds, their Laplacians and heat, and embeddings that keep geodesic distances.
//!
//! ```text
//! points → graph W → L → heat H = exp(−τL) → distances d² = −4τ·log H → coordinates
//! ```
//!
//! Heat spreads along a surface, so that the logarithm of what arrives tells the distance along it (Varadhan), smoothed
//! over all paths: noise and short-circuits hurt less than they do shortest paths. On clean data shortest paths are better.
//!
//! | step | | cost |
//! |---|---|---|
//! | graph | [`Graph::alpha_decay`], [`Graph::nearest`] | O(N²D), in parallel |
//! | Laplacian | [`Graph::laplacian`], a sparse operator | O(edges) |
//! | heat | [`HeatMethod`]: eigenvectors, Chebyshev, backward Euler | O(N³); O(K·edges·N); sparse factor + O(K·fill·N) |
//! | distances | [`HeatGeodesic`]; [`Graph::shortest_paths`] for comparison | O(N²) for each τ; O(N·edges·log N) |
//! | coordinates | [`classical_scaling`], [`Smacof`], [`StochasticScaling`] | O(N³) once; O(N²) a sweep |
//!
//! Memory is O(N²): above some 20 000 points embed landmarks instead.
//!
//! Sources: G. Huguet, A. Tong, E. De Brouwer, Y. Zhang, G. Wolf, I. Adelstein, S. Krishnaswamy, *A heat diffusion
//! perspective on geodesic preserving dimensionality reduction*, 2023; S. Varadhan, *On the behavior of the fundamental
//! solution of the heat equation with variable coefficients*, 1967; K. Moon and others, *Visualizing structure and
//! transitions in high-dimensional biological data*, 2019 (the α-decay kernel).

mod build;
mod embed;
mod geodesic;
mod heat;
mod paths;
mod stochastic;

pub use build::{Graph, LaplacianKind};
pub use embed::{Smacof, SmacofReport, StressWeights, classical_scaling, procrustes};
pub use geodesic::{GeodesicDistances, HeatGeodesic, Times, pairwise_distances, triplet_distances};
pub use heat::{HeatKernel, HeatMethod};
pub use stochastic::StochasticScaling;
