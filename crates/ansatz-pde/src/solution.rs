//! What a solver found: values, derivatives, residuals and coefficients anywhere in the domain.

use std::fmt;

use ansatz_autodiff::Element;
use ansatz_core::Key;
use ansatz_nn::Parameters;

use crate::error::expect;
use crate::{
    Assembly, PdeError, Problem, Range, Sampler, TrainReport, partials, relative_error, sample,
};

/// A trained solution.
#[derive(Clone)]
pub struct Solution<T> {
    /// The problem.
    pub problem: Problem,
    /// The unknowns and the places of their parameters.
    pub assembly: Assembly,
    /// The parameters.
    pub parameters: Parameters<T>,
    /// What training reached.
    pub report: TrainReport,
}

impl<T> fmt::Debug for Solution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Solution of {:?}\n{}",
            self.problem.equations(),
            self.report
        )
    }
}

/// How far a solution is from another.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ErrorReport {
    /// ‖u − v‖₂/‖v‖₂.
    pub relative: f64,
    /// max |u − v|.
    pub largest: f64,
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (r, m) = (self.relative, self.largest);
        write!(f, "relative L2 error {r:.2e}, largest error {m:.2e}")
    }
}

impl<T: Element> Solution<T> {
    /// The unknowns at points, rows of coordinates: rows of unknowns. Outside of the domain nothing was asked of them: values
    /// there are the network's own, and good for nothing.
    ///
    /// # Errors
    /// [`PdeError::Domain`] for an incomplete row, [`PdeError::NotFinite`] for a coordinate or a value.
    pub fn values(&self, points: &[f64]) -> Result<Vec<f64>, PdeError> {
        let model = &self.assembly.model;
        let dims = self.problem.coordinates().len();
        sample(&self.parameters, dims, points, |pass, x| {
            Ok(model.apply(pass, x))
        })
    }

    /// A derivative of all unknowns, by its order in each coordinate.
    ///
    /// # Errors
    /// As [`Solution::values`], and [`PdeError::Order`].
    pub fn derivatives(&self, points: &[f64], orders: &[usize]) -> Result<Vec<f64>, PdeError> {
        let model = &self.assembly.model;
        let dims = self.problem.coordinates().len();
        sample(&self.parameters, dims, points, |pass, x| {
            let all = partials(model.apply(pass, x), x, &[orders.to_vec()])?;
            Ok(all[0])
        })
    }

    /// Values of expressions of the coordinates, the unknowns and their derivatives, such as `"psi_y"`, at points: rows of as
    /// many numbers as there are expressions.
    ///
    /// # Errors
    /// As [`Solution::values`]; [`PdeError::Text`] for an expression that cannot be read, [`PdeError::Nothing`] for none.
    pub fn expressions(&self, points: &[f64], texts: &[&str]) -> Result<Vec<f64>, PdeError> {
        if texts.is_empty() {
            return Err(PdeError::Nothing {
                what: "expression",
                remedy: "give one at least, such as \"u_x\"",
            });
        }
        let Assembly {
            model,
            coefficients,
            ..
        } = &self.assembly;
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        let lowered = self.problem.expressions(&texts)?;
        let dims = self.problem.coordinates().len();
        sample(&self.parameters, dims, points, |pass, x| {
            lowered.trace(pass, x, &**model, coefficients)
        })
    }

    /// Residuals of the equations at points: rows of equations.
    ///
    /// # Errors
    /// As [`Solution::values`].
    pub fn residuals(&self, points: &[f64]) -> Result<Vec<f64>, PdeError> {
        let Assembly {
            model,
            coefficients,
            ..
        } = &self.assembly;
        let dims = self.problem.coordinates().len();
        let lowered = self.problem.residual();
        sample(&self.parameters, dims, points, |pass, x| {
            lowered.trace(pass, x, &**model, coefficients)
        })
    }

    /// The mean of |r| over fresh points of the domain, of all equations.
    ///
    /// # Errors
    /// As [`Solution::values`]; [`PdeError::NoPoints`] for none.
    pub fn mean_residual(&self, points: usize, key: Key) -> Result<f64, PdeError> {
        if points == 0 {
            let term = self.problem.equations().join("; ");
            return Err(PdeError::NoPoints { term });
        }
        let domain = self.problem.domain();
        let points = domain.sample_interior(points, &Sampler::Uniform, key)?;
        let r = self.residuals(points.as_slice())?;
        Ok(r.iter().map(|r| r.abs()).sum::<f64>() / r.len() as f64)
    }

    /// The coefficients that were found, by their names.
    #[must_use]
    pub fn coefficients(&self) -> Vec<(String, f64)> {
        let places = self.assembly.coefficients.iter();
        let all = self.problem.coefficients().iter().zip(places);
        all.map(|(c, place)| {
            let entry = self.assembly.layout.entry(*place);
            let value = self.parameters.values()[entry.range().start].f64();
            let value = match c.range {
                Range::Any => value,
                Range::Positive => value.exp(),
            };
            (c.name.clone(), value)
        })
        .collect()
    }

    /// How far the unknowns are at `points` from `exact`, which gives as many numbers for a point as there are unknowns.
    ///
    /// # Errors
    /// As [`Solution::values`] and [`relative_error`].
    pub fn error_against<F>(&self, points: &[f64], exact: F) -> Result<ErrorReport, PdeError>
    where
        F: Fn(&[f64]) -> Vec<f64>,
    {
        let dims = self.problem.coordinates().len();
        let exact: Vec<f64> = points.chunks(dims).flat_map(exact).collect();
        self.error(points, &exact)
    }

    /// How far the unknowns are at `points` from `exact` values there.
    ///
    /// # Errors
    /// As [`Solution::values`] and [`relative_error`].
    pub fn error(&self, points: &[f64], exact: &[f64]) -> Result<ErrorReport, PdeError> {
        let found = self.values(points)?;
        expect("exact values", found.len(), exact.len())?;
        let off = found.iter().zip(exact).map(|(u, v)| (u - v).abs());
        Ok(ErrorReport {
            relative: relative_error(&found, exact)?,
            largest: off.fold(0.0, f64::max),
        })
    }

    /// Points of a regular grid with `counts` in each coordinate, ends with them, the last coordinate running fastest; for
    /// pictures and errors.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number of counts than coordinates.
    pub fn grid(&self, counts: &[usize]) -> Result<Vec<f64>, PdeError> {
        let bounds = self.problem.domain().bounds();
        expect(
            "counts, one for each coordinate",
            bounds.low.len(),
            counts.len(),
        )?;
        let total = counts.iter().product();
        let mut points = Vec::with_capacity(total * counts.len());
        for number in 0..total {
            let mut rest = number;
            let mut row = vec![0.0; counts.len()];
            for (axis, n) in counts.iter().enumerate().rev() {
                let u = (rest % n) as f64 / (n.max(&2) - 1) as f64;
                rest /= n;
                row[axis] = bounds.low[axis] * (1.0 - u) + bounds.high[axis] * u;
            }
            points.extend(row);
        }
        Ok(points)
    }
}
