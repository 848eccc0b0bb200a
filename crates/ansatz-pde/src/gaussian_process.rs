//! Gaussian processes with learnt spectra (GP-HM), for problems written as text.
//!
//! The method is that of [`ansatz_linalg::gp`]: a box, one unknown given on all of its boundary, derivatives of order two at
//! most in each coordinate, high frequencies. It finds frequencies that networks do not; see there for mathematics and cost.
//! Equations may be nonlinear: their slopes are symbolic.

use std::cell::RefCell;

use ansatz_core::Observer;
use ansatz_linalg::gp::{
    self, Derivative, GpRecord, GpSolver, GpStep, Mixture, Residual, TrainOptions, Weighing,
    uniform_grid,
};

use crate::problem::{Part, Pointwise};
use crate::{PdeError, Points, Problem};

const METHOD: &str = "a Gaussian process";

/// A Gaussian process on a regular grid.
///
/// ```
/// use ansatz_pde::linalg::gp::{Envelope, Mixture, TrainOptions};
/// use ansatz_pde::{GaussianProcess, Problem};
/// let problem = Problem::new()
///     .coordinate("x", [0.0, 1.0])
///     .unknown("u")
///     .equation("u_xx = -100*sin(10*x)")
///     .condition("boundary", "u = sin(10*x)")
///     .build()?;
/// let process = GaussianProcess {
///     points: vec![40],
///     kernel: Mixture::spectral(Envelope::StudentT, 5, 4.0)?,
///     options: TrainOptions { steps: 10_000, ..TrainOptions::default() },
///     ..GaussianProcess::default()
/// };
/// let posed = process.pose(&problem)?;
/// let (_, solution) = process.solve(&posed, &mut ())?;
/// let u = solution.at(&[0.33], &[0])?[0];
/// assert!((u - 3.3_f64.sin()).abs() < 1e-2);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct GaussianProcess {
    /// Points along each coordinate.
    pub points: Vec<usize>,
    /// The covariance at the start.
    pub kernel: Mixture,
    /// How the boundary is weighed.
    pub weighing: Weighing,
    /// Its training.
    pub options: TrainOptions,
}

impl Default for GaussianProcess {
    /// Matérn 5/2, no points: give as many numbers as there are coordinates.
    fn default() -> Self {
        Self {
            points: Vec::new(),
            kernel: Mixture::matern(),
            weighing: Weighing::default(),
            options: TrainOptions::default(),
        }
    }
}

/// An equation that was written as text, as a pointwise function of derivatives.
#[derive(Debug, Clone)]
pub struct TextResidual(Pointwise);

impl Residual for TextResidual {
    fn derivatives(&self) -> Vec<Derivative> {
        self.0.wanted.clone()
    }

    fn evaluate(&self, x: &[f64], fields: &[f64], slopes: &mut [f64]) -> f64 {
        self.0.at(x, fields, slopes)
    }
}

impl GaussianProcess {
    /// The problem on the grid.
    ///
    /// # Errors
    /// [`PdeError::Unsuited`] for problems of time, of several unknowns or equations, with forms or periods, and for
    /// conditions that do not give the unknown itself everywhere on the boundary; [`PdeError::Width`] for another number of
    /// coordinates; [`PdeError::Algebra`] for orders above 2 and grids that are too small.
    pub fn pose(&self, problem: &Problem) -> Result<gp::Problem<TextResidual>, PdeError> {
        let refuse = |term: &str, needed| PdeError::Unsuited {
            term: term.to_owned(),
            method: METHOD,
            needed,
        };
        let (coordinates, unknowns) = (problem.coordinates(), problem.unknowns());
        crate::error::expect(
            "points, one number for each coordinate",
            coordinates.len(),
            self.points.len(),
        )?;
        if let Some(axis) = problem.time_axis() {
            return Err(refuse(
                &coordinates[axis],
                "values on all of the boundary: make time a `coordinate`",
            ));
        }
        if let [_, other, ..] = unknowns {
            return Err(refuse(other, "one unknown"));
        }
        if problem.equations().len() > 1 {
            return Err(refuse(&problem.equations()[1], "one equation"));
        }
        if let Some(axis) = problem.periods().iter().position(Option::is_some) {
            return Err(refuse(
                &coordinates[axis],
                "values at both ends of a coordinate in place of a period",
            ));
        }
        let residual = TextResidual(problem.pointwise(&problem.equations()[0])?);
        let mut given = Vec::new();
        for condition in problem.conditions() {
            let value = problem.pointwise(&condition.text)?;
            let Part::Boundary { part, .. } = &condition.part else {
                return Err(refuse(&condition.text, "conditions on the boundary"));
            };
            let itself = value.wanted.len() == 1 && value.wanted[0].iter().all(|k| *k == 0);
            if !itself {
                return Err(refuse(
                    &condition.text,
                    "values of the unknown on the boundary",
                ));
            }
            given.push((part.clone(), value, condition.text.clone()));
        }
        let bounds = problem.domain().bounds();
        let ends = bounds.low.iter().zip(&bounds.high);
        let grids = ends
            .zip(&self.points)
            .map(|((a, b), n)| uniform_grid(*a, *b, *n));
        // The first condition whose part holds the point; what fails is told after all points.
        let failed: RefCell<Option<PdeError>> = RefCell::new(None);
        let value = |x: &[f64]| {
            let point = Points::new(x.len(), x.to_vec());
            let holds = |part: &crate::Boundary| {
                point
                    .as_ref()
                    .is_ok_and(|p| part.contains(p).is_ok_and(|on| on[0]))
            };
            let Some((_, value, text)) = given.iter().find(|(part, ..)| holds(part)) else {
                let term = format!("the boundary at {x:?}");
                *failed.borrow_mut() = Some(refuse(&term, "a condition on all of the boundary"));
                return 0.0;
            };
            // r = s·u + r₀ says u = −r₀/s.
            let mut slope = [0.0];
            let rest = value.at(x, &[0.0], &mut slope);
            let first = slope[0];
            value.at(x, &[1.0], &mut slope);
            if (slope[0] - first).abs() > 1e-12 * first.abs() || first == 0.0 {
                *failed.borrow_mut() =
                    Some(refuse(text, "conditions that are linear in the unknown"));
            }
            -rest / first
        };
        let posed = gp::Problem::from_functions(residual, grids.collect(), |_| 0.0, value);
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(posed?),
        }
    }

    /// Trains on a problem that [`GaussianProcess::pose`] made.
    ///
    /// # Errors
    /// As [`GpSolver::new`] and [`GpSolver::train`].
    pub fn solve<'a>(
        &'a self,
        posed: &'a gp::Problem<TextResidual>,
        observer: &mut dyn for<'s> Observer<GpStep<'s, 'a, TextResidual>>,
    ) -> Result<(GpRecord, gp::Solution<'a>), PdeError> {
        let mut solver = GpSolver::new(posed, &self.kernel, self.weighing)?;
        let record = solver.train(&self.options, observer)?;
        Ok((record, solver.solution()?))
    }
}
