//! Interface conditions for two subdomains, chosen for each problem by a bandit that learns from problem to problem.
//!
//! A family of equations with parameters β is solved by two networks on two parts of the domain. What ties them together is
//! a choice: nine penalties on the interface ([`InterfaceTerm`]), each on or off, 512 sets. No set is best for all β.
//! [`Bandit`] sees β, chooses a set, is told −log₁₀ of the error after training, and fits a Gaussian process over (β, set)
//! ([`Surrogate`]); in stages it chooses once more after each part of the training. What it plays against is an
//! [`Environment`]: [`Subdomains`] trains networks, and anything else with contexts, switches and rewards will do.
//!
//! Cost: one training for each play; beside it O(n³) for a fit after n plays.
//!
//! When to use it: many problems of one family are to be solved by decomposed networks, so that some hundred trainings pay
//! for a choice. For one problem take continuity of the value and of the flux.
//!
//! Reference: S. Li, M. Penwarden, Y. Xu, C. Tillinghast, A. Narayan, R. Kirby, S. Zhe, *Meta learning of interface
//! conditions for multi-domain physics-informed neural networks*, 2023.

mod bandit;
mod family;
mod interface;
mod subdomains;
mod surrogate;

pub use bandit::{Bandit, BanditOptions, Environment, Play, Policy, Total, all_actions};
pub use family::{Family, Inputs, Solution, Split};
pub use interface::{Interface, InterfaceTerm, Operator};
pub use subdomains::{SubdomainOptions, Subdomains};
pub use surrogate::{Factor, Surrogate};
