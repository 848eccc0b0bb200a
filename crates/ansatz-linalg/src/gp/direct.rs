//! Linear equations with a given kernel, solved at once.
//!
//! With u = C·a and L = N∘C the linear equation N applied to the kernel, a minimises
//!
//! ```text
//! aᵀC·a + λ_bτ₁‖P·C·a − g‖² + τ₂‖L·a − f‖²,
//! ```
//!
//! where P takes the boundary values: a problem of least squares with C = RᵀR, solved by a QR factorisation of
//! (R; √(λ_bτ₁)·P·C; √τ₂·L) with columns of equal length. The normal equations, with the square of the condition, lose what
//! the kernel can tell: on sin 100x with one component of the right frequency errors are 1e-4 instead of 1e-5, where they
//! can be factored at all. Cost: 4 N³ flops and 4 N² numbers: for one dimension, and small grids in more.

use faer::linalg::cholesky::llt::factor::LltError;
use faer::linalg::solvers::SolveLstsq;
use faer::{Mat, Side};

use crate::LinalgError;
use crate::error::{shape, within};

use super::equation::{Problem, Residual, point};
use super::kernel::Covariance;
use super::objective::Weighing;
use super::solution::{Solution, Stage};

/// Solves a linear equation with a given kernel and noise, without training.
///
/// `theta` holds the kernel's parameters of each coordinate in turn; `precision` is τ₁ of the boundary and τ₂ of the
/// equation, 1 both unless the data are noisy.
///
/// ```
/// use ansatz_linalg::gp::{Equation, Mixture, Covariance, Problem, Weighing, solve_linear, uniform_grid};
/// let exact = |x: &[f64]| x[0] * x[0];
/// let grid = uniform_grid(0.0, 1.0, 30);
/// let problem = Problem::from_functions(Equation::poisson(1), vec![grid], |_| 2.0, exact)?;
/// let kernel = Mixture::matern();
/// let u = solve_linear(&problem, &kernel, &kernel.start(), [1.0, 1.0], &Weighing::default())?;
/// assert!((u.at(&[0.5], &[0])?[0] - 0.25).abs() < 1e-3);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
///
/// # Errors
/// [`LinalgError::Shape`] for another number of parameters; [`LinalgError::Parameter`] for an equation that is not linear
/// in u, and weights out of range; [`LinalgError::TooLarge`] before anything is allocated;
/// [`LinalgError::NotPositiveDefinite`].
pub fn solve_linear<'a, R: Residual>(
    problem: &'a Problem<R>,
    kernel: &'a dyn Covariance,
    theta: &[f64],
    precision: [f64; 2],
    weighing: &Weighing,
) -> Result<Solution<'a>, LinalgError> {
    let grids = problem.grids();
    let (total, count) = (problem.points(), kernel.parameters());
    shape("parameters of the kernel", count * grids.len(), theta.len())?;
    crate::error::finite("parameters of the kernel", theta)?;
    within(
        "precision of the boundary",
        precision[0],
        0.0..,
        "must be 0 or more",
    )?;
    within(
        "precision of the equation",
        precision[1],
        0.0..,
        "must be 0 or more",
    )?;
    let needed = total.saturating_mul(total).saturating_mul(8 * 6);
    if needed > weighing.memory {
        return Err(LinalgError::TooLarge {
            what: "dense system of all points",
            needed,
            limit: weighing.memory,
        });
    }
    let derivatives = problem.residual().derivatives();
    // The kernel along each coordinate, by order.
    let tables: Vec<[Mat<f64>; 3]> = grids
        .iter()
        .enumerate()
        .map(|(d, grid)| tables(grid, kernel, &theta[d * count..][..count], weighing.jitter))
        .collect();
    let entry = |k: &[usize], mut i: usize, mut j: usize| {
        let mut product = 1.0;
        for (d, grid) in grids.iter().enumerate().rev() {
            let n = grid.len();
            product *= tables[d][k[d]][(i % n, j % n)];
            (i, j) = (i / n, j / n);
        }
        product
    };
    let zero = vec![0; grids.len()];
    let covariance = Mat::from_fn(total, total, |i, j| entry(&zero, i, j));

    let mut equation = Mat::<f64>::zeros(total, total);
    let mut source = vec![0.0; total];
    let (mut x, mut slopes) = (vec![0.0; grids.len()], vec![0.0; derivatives.len()]);
    let probe: Vec<f64> = (0..derivatives.len()).map(|k| 1.5 + k as f64).collect();
    let nothing = vec![0.0; derivatives.len()];
    for i in 0..total {
        point(grids, i, &mut x);
        let probed = problem.residual().evaluate(&x, &probe, &mut slopes);
        let constant = problem.residual().evaluate(&x, &nothing, &mut slopes);
        let linear: f64 = slopes.iter().zip(&probe).map(|(s, p)| s * p).sum();
        let apart = (probed - constant - linear).abs();
        if apart.is_nan() || apart > 1e-9 * (probed.abs() + constant.abs() + linear.abs()) {
            return Err(LinalgError::Parameter {
                name: "departure of the equation from linearity",
                value: apart,
                needed: "must be 0: train a solver for a nonlinear equation",
            });
        }
        source[i] = problem.source()[i] - constant;
        for (k, slope) in derivatives.iter().zip(&slopes) {
            for j in 0..total {
                equation[(i, j)] += slope * entry(k, i, j);
            }
        }
    }
    let root = covariance
        .llt(Side::Lower)
        .map_err(
            |LltError::NonPositivePivot { index }| LinalgError::NotPositiveDefinite {
                what: "covariance matrix of all points",
                at: index,
                value: covariance[(0, 0)],
            },
        )?;
    let faces = problem.faces();
    let weights = [weighing.boundary * precision[0], precision[1]].map(f64::sqrt);
    let rows = 2 * total + faces.len();
    let mut system = Mat::from_fn(rows, total, |i, j| {
        if i < total {
            root.L()[(j, i)]
        } else if i < 2 * total {
            weights[1] * equation[(i - total, j)]
        } else {
            weights[0] * covariance[(faces[i - 2 * total], j)]
        }
    });
    let rhs = Mat::from_fn(rows, 1, |i, _| {
        if i < total {
            0.0
        } else if i < 2 * total {
            weights[1] * source[i - total]
        } else {
            weights[0] * problem.boundary()[i - 2 * total]
        }
    });
    let scale: Vec<f64> = (0..total).map(|j| 1.0 / system.col(j).norm_l2()).collect();
    for j in 0..total {
        for i in 0..rows {
            system[(i, j)] *= scale[j];
        }
    }
    let a = system.qr().solve_lstsq(&rhs);
    let alpha: Vec<f64> = (0..total).map(|i| a[(i, 0)] * scale[i]).collect();
    crate::error::finite("coefficients of the kernel", &alpha)?;
    Ok(Solution {
        stages: vec![Stage {
            kernel,
            theta: theta.chunks(count).map(<[f64]>::to_vec).collect(),
            grids,
            alpha,
        }],
    })
}

fn tables(grid: &[f64], kernel: &dyn Covariance, theta: &[f64], jitter: f64) -> [Mat<f64>; 3] {
    let n = grid.len();
    let distances: Vec<f64> = grid
        .iter()
        .flat_map(|x| grid.iter().map(move |y| (x - y).abs()))
        .collect();
    let mut values = [(); 3].map(|()| vec![0.0; n * n]);
    let [a, b, c] = &mut values;
    kernel.values(theta, &distances, [Some(a), Some(b), Some(c)]);
    [0, 1, 2].map(|order| {
        Mat::from_fn(n, n, |i, j| {
            let value = values[order][i * n + j];
            match order {
                0 if i == j => value + jitter,
                1 if i < j => -value,
                _ => value,
            }
        })
    })
}
