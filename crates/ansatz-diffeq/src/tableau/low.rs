//! Tables of order 1 to 4.

use super::{EXPLICIT, Tableau};

/// Euler's method.
pub const EULER: Tableau = Tableau {
    name: "Euler",
    order: 1,
    nodes: &[0.0],
    coefficients: &[&[]],
    weights: &[1.0],
    ..EXPLICIT
};

/// The explicit midpoint rule (C. Runge, *Über die numerische Auflösung von
/// Differentialgleichungen*, 1895).
pub const MIDPOINT: Tableau = Tableau {
    name: "midpoint",
    order: 2,
    nodes: &[0.0, 0.5],
    coefficients: &[&[], &[0.5]],
    weights: &[0.0, 1.0],
    ..EXPLICIT
};

/// Ralston's method of order 2 (A. Ralston, *Runge-Kutta methods with minimum error bounds*, 1962).
pub const RALSTON2: Tableau = Tableau {
    name: "Ralston 2",
    order: 2,
    nodes: &[0.0, 2.0 / 3.0],
    coefficients: &[&[], &[2.0 / 3.0]],
    weights: &[0.25, 0.75],
    ..EXPLICIT
};

/// Heun's method of order 2 with Euler's as the embedded one (K. Heun, *Neue Methoden zur
/// approximativen Integration der Differentialgleichungen*, 1900).
pub const HEUN2: Tableau = Tableau {
    name: "Heun 2(1)",
    order: 2,
    nodes: &[0.0, 1.0],
    coefficients: &[&[], &[1.0]],
    weights: &[0.5, 0.5],
    error: &[-0.5, 0.5],
    ..EXPLICIT
};

/// Bogacki-Shampine 3(2) (P. Bogacki, L. Shampine, *A 3(2) pair of Runge-Kutta formulas*, 1989).
pub const BOGACKI_SHAMPINE: Tableau = Tableau {
    name: "Bogacki-Shampine 3(2)",
    order: 3,
    nodes: &[0.0, 0.5, 0.75, 1.0],
    coefficients: &[
        &[],
        &[0.5],
        &[0.0, 0.75],
        &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0],
    ],
    weights: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
    error: &[
        2.0 / 9.0 - 7.0 / 24.0,
        1.0 / 3.0 - 1.0 / 4.0,
        4.0 / 9.0 - 1.0 / 3.0,
        -1.0 / 8.0,
    ],
    ..EXPLICIT
};

/// The classical method of order 4 (W. Kutta, *Beitrag zur näherungsweisen Integration totaler
/// Differentialgleichungen*, 1901).
pub const RK4: Tableau = Tableau {
    name: "RK4",
    order: 4,
    nodes: &[0.0, 0.5, 0.5, 1.0],
    coefficients: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    weights: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    ..EXPLICIT
};
