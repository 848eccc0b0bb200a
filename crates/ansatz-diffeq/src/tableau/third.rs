//! Three-stage tables of order 3, without error estimates.

use super::{EXPLICIT, Tableau};

/// Kutta's method of order 3 (W. Kutta, *Beitrag zur näherungsweisen Integration totaler
/// Differentialgleichungen*, 1901).
pub const KUTTA3: Tableau = Tableau {
    name: "Kutta 3",
    order: 3,
    nodes: &[0.0, 0.5, 1.0],
    coefficients: &[&[], &[0.5], &[-1.0, 2.0]],
    weights: &[1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0],
    ..EXPLICIT
};

/// Heun's method of order 3 (K. Heun, *Neue Methoden zur approximativen Integration der
/// Differentialgleichungen*, 1900).
pub const HEUN3: Tableau = Tableau {
    name: "Heun 3",
    order: 3,
    nodes: &[0.0, 1.0 / 3.0, 2.0 / 3.0],
    coefficients: &[&[], &[1.0 / 3.0], &[0.0, 2.0 / 3.0]],
    weights: &[0.25, 0.0, 0.75],
    ..EXPLICIT
};

/// Ralston's method of order 3 (A. Ralston, *Runge-Kutta methods with minimum error bounds*, 1962).
/// It is the solution part of [`BOGACKI_SHAMPINE`](super::BOGACKI_SHAMPINE).
pub const RALSTON3: Tableau = Tableau {
    name: "Ralston 3",
    order: 3,
    nodes: &[0.0, 0.5, 0.75],
    coefficients: &[&[], &[0.5], &[0.0, 0.75]],
    weights: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0],
    ..EXPLICIT
};

/// Van der Houwen's method of order 3 (P. van der Houwen, *Explicit Runge-Kutta formulas with
/// increased stability boundaries*, 1972).
pub const HOUWEN3: Tableau = Tableau {
    name: "van der Houwen 3",
    order: 3,
    nodes: &[0.0, 8.0 / 15.0, 2.0 / 3.0],
    coefficients: &[&[], &[8.0 / 15.0], &[0.25, 5.0 / 12.0]],
    weights: &[0.25, 0.0, 0.75],
    ..EXPLICIT
};

/// The strong-stability-preserving method of order 3 (C.-W. Shu, S. Osher, *Efficient
/// implementation of essentially non-oscillatory shock-capturing schemes*, 1988).
pub const SSP3: Tableau = Tableau {
    name: "SSP 3",
    order: 3,
    nodes: &[0.0, 1.0, 0.5],
    coefficients: &[&[], &[1.0], &[0.25, 0.25]],
    weights: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0],
    ..EXPLICIT
};
