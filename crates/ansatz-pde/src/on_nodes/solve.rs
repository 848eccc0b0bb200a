//! Values at nodes by least squares.
//!
//! Steps of Gauss and Newton, shortened until they lower the residual: columns of the sparse Jacobian are its products with
//! unit vectors, and QR solves each linear problem, so that the condition of spectral and fourth-order stencils is not
//! squared. Damping by the columns' lengths (Levenberg and Marquardt) would be of no use here: it holds back the smooth parts
//! of a solution, which have the least influence on the residual.
//!
//! Reference: J. Dennis, R. Schnabel, *Numerical methods for unconstrained optimization and nonlinear equations*, 1983
//! (section 10.3).

use std::cell::RefCell;

use ansatz_autodiff::{ProgramResidual, Signature};
use ansatz_core::{EvalError, Residual};
use ansatz_linalg::LinalgError;
use faer::Col;
use faer::linalg::solvers::SolveLstsq;
use faer::sparse::{SparseColMat, Triplet};
use rayon::prelude::*;

use super::OnNodes;
use crate::PdeError;
use crate::error::{expect, finite, within};

/// Values that solve a problem on nodes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NodeSolution {
    /// The unknowns at the nodes, row by row, in the problem's form.
    pub values: Vec<f64>,
    /// Root of the mean square of all residuals, at the start and after each step.
    pub history: Vec<f64>,
    /// Evaluations of the residuals: one at the start, and those of whole, half and shorter steps.
    pub evaluations: usize,
}

/// The damping, in parts of the columns' lengths: it decides where values have no influence on any residual.
const DAMPING: f64 = 1e-10;

/// The part of the residual by which the last step lowers it.
const SETTLED: f64 = 1e-9;

/// The part of the first residual that is rounding.
const ROUNDING: f64 = 1e-13;

/// The shortest part of a step.
const SHORTEST: f64 = 1e-6;

impl OnNodes {
    /// The values that make the sum of the squares of all residuals smallest, from `start` (row by row of nodes), by at most
    /// `steps` steps of Gauss and Newton. It ends when no step lowers the sum any more, or by next to nothing, or when nothing but rounding is left: for a linear
    /// problem after one or two.
    ///
    /// Cost of a step for N values: N products with the Jacobian, and a sparse QR of it; on a grid of two coordinates of the
    /// order N^1.5 operations for differences, N³ for spectral stencils.
    ///
    /// # Errors
    /// [`PdeError::Width`] and [`PdeError::NotFinite`] for the start and for residuals there, [`PdeError::Unsuited`] for
    /// problems with coefficients to be found, [`PdeError::Option`] for a factor of the equations that is not above 0, what
    /// [`OnNodes::residuals`] refuses, [`PdeError::Algebra`].
    pub fn solve(&self, start: &[f64], steps: usize) -> Result<NodeSolution, PdeError> {
        let factor = self.equations;
        within("equations", factor, f64::MIN_POSITIVE.., "a number above 0")?;
        if let Some(c) = self.problem.coefficients().first() {
            return Err(PdeError::Unsuited {
                term: c.name.clone(),
                method: "least squares of values at nodes",
                needed: "equations without coefficients to be found",
            });
        }
        let (n, unknowns) = (self.stencils.points().len(), self.problem.unknowns().len());
        expect("values at the start", n * unknowns, start.len())?;
        finite(|| "values at the start".into(), start)?;
        let refused = RefCell::new(None);
        let shape = [n, unknowns];
        let signature = Signature {
            state: &shape,
            ..Signature::default()
        };
        let system = ProgramResidual::<f64>::new(&signature, Vec::new(), |u, _| {
            self.all(u).unwrap_or_else(|error| {
                refused.replace(Some(error));
                u.zeros()
            })
        });
        if let Some(error) = refused.into_inner() {
            return Err(error);
        }
        let system = system?;
        let rows = system.residuals();
        let mean = |r: &[f64]| (r.iter().map(|r| r * r).sum::<f64>() / rows as f64).sqrt();
        let (mut u, mut r) = (start.to_vec(), vec![0.0; rows]);
        system.eval(&u, &mut r).map_err(failed)?;
        finite(|| "residuals at the start".into(), &r)?;
        let (mut history, mut evaluations) = (vec![mean(&r)], 1);
        let (mut trial, mut left) = (u.clone(), r.clone());
        for _ in 0..steps {
            let now = history[history.len() - 1];
            let step = step(&jacobian(&system, &u)?, &r)?;
            // Half of the step and half of that until it lowers the residual: it always points downhill.
            let mut part = 1.0;
            let lower = loop {
                for ((t, u), s) in trial.iter_mut().zip(&u).zip(&step) {
                    *t = u + part * s;
                }
                system.eval(&trial, &mut left).map_err(failed)?;
                evaluations += 1;
                let next = mean(&left);
                if next < (1.0 - 1e-4 * part) * now {
                    break Some(next);
                }
                part *= 0.5;
                if part < SHORTEST {
                    break None;
                }
            };
            let Some(next) = lower else { break };
            std::mem::swap(&mut u, &mut trial);
            std::mem::swap(&mut r, &mut left);
            history.push(next);
            if next > (1.0 - SETTLED) * now || next <= ROUNDING * history[0] {
                break;
            }
        }
        Ok(NodeSolution {
            values: self.shape_values(&u)?,
            history,
            evaluations,
        })
    }
}

fn failed(error: EvalError) -> PdeError {
    PdeError::Algebra(LinalgError::from(error))
}

/// A column: numbers of rows, and what stands there.
type Column = Vec<(usize, f64)>;

/// The columns of the Jacobian at `u`.
fn jacobian(system: &ProgramResidual<f64>, u: &[f64]) -> Result<Vec<Column>, PdeError> {
    let column = |j: usize| {
        let (mut unit, mut out) = (vec![0.0; u.len()], vec![0.0; system.residuals()]);
        unit[j] = 1.0;
        system.jvp(u, &unit, &mut out).map_err(failed)?;
        let all = out.into_iter().enumerate();
        Ok(all.filter(|(_, v)| *v != 0.0).collect())
    };
    (0..u.len()).into_par_iter().map(column).collect()
}

/// The step s that makes ‖r + Js‖² + Σ(λ·lⱼ·sⱼ)² smallest, lⱼ being the length of column j and λ a trifle.
fn step(columns: &[Column], r: &[f64]) -> Result<Vec<f64>, PdeError> {
    let length = |c: &Column| c.iter().map(|(_, v)| v * v).sum::<f64>().sqrt();
    let lengths: Vec<f64> = columns.iter().map(length).collect();
    let most = lengths.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let (rows, size) = (r.len(), columns.len());
    let mut triplets = Vec::new();
    for (j, (column, length)) in columns.iter().zip(&lengths).enumerate() {
        triplets.extend(column.iter().map(|(i, v)| Triplet::new(*i, j, *v)));
        // Values without influence stay where they are.
        let own = if *length > 0.0 { *length } else { most };
        triplets.push(Triplet::new(rows + j, j, DAMPING * own));
    }
    let wrong = |what| LinalgError::Breakdown {
        iteration: 0,
        what,
        value: f64::NAN,
    };
    let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(rows + size, size, &triplets)
        .map_err(|_| wrong("Jacobian at the nodes"))?;
    let factor = matrix
        .sp_qr()
        .map_err(|_| wrong("QR of the Jacobian at the nodes"))?;
    let right = Col::<f64>::from_fn(rows + size, |i| r.get(i).map_or(0.0, |r| -r));
    let found = factor.solve_lstsq(&right);
    let step: Vec<f64> = (0..size).map(|j| found[j]).collect();
    match step.iter().find(|s| !s.is_finite()) {
        None => Ok(step),
        Some(_) => Err(wrong("step of Gauss and Newton at the nodes").into()),
    }
}
