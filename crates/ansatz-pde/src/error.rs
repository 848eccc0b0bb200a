//! What equations, domains and solvers can fail with.

use ansatz_expr::ExprError;
use ansatz_linalg::LinalgError;
use ansatz_nn::NetworkError;
use ansatz_nn::autodiff::AutodiffError;
use ansatz_physics::PhysicsError;
use thiserror::Error;

use crate::DomainError;

/// A problem could not be stated, compiled or solved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PdeError {
    /// A program could not be compiled or run.
    #[error(transparent)]
    Program(#[from] AutodiffError),
    /// A network could not be trained.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A Markov chain failed.
    #[error(transparent)]
    Chain(#[from] ansatz_stats::ChainError),
    /// Draws that cannot be diagnosed.
    #[error(transparent)]
    Diagnostic(#[from] ansatz_stats::DiagnosticError),
    /// A domain could not be built, or points could not be placed in it.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// An ensemble could not be filtered.
    #[error(transparent)]
    Filter(#[from] ansatz_stats::kalman::KalmanError),
    /// An option outside its range.
    #[error("{name} = {value}: {needed}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// Arrays or lists of another length.
    #[error("{what}: {got} given, {expected} needed")]
    Width {
        /// What was counted.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// Text that cannot be read.
    #[error("in `{term}`: {source}")]
    Text {
        /// The equation, condition or form.
        term: String,
        /// What is wrong.
        source: Box<ExprError>,
    },
    /// Linear algebra that failed.
    #[error(transparent)]
    Algebra(#[from] LinalgError),
    /// A problem of a kind that a method does not treat.
    #[error("`{term}`: {method} needs {needed}")]
    Unsuited {
        /// The part of the problem.
        term: String,
        /// The method.
        method: &'static str,
        /// What it can treat.
        needed: &'static str,
    },
    /// A reference that cannot be made, or is asked for outside of its domain.
    #[error(transparent)]
    Physics(#[from] PhysicsError),
    /// A part of a problem without which there is none.
    #[error("the problem has no {what}: {remedy}")]
    Nothing {
        /// What is missing.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} `{name}`; there are {}", .known.join(", "))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// Names that there are.
        known: Vec<String>,
    },
    /// A name that stands for two things.
    #[error("`{name}` is the name of two coordinates, unknowns, coefficients or constants")]
    Twice {
        /// The name.
        name: String,
    },
    /// A part of a problem that does not go with the rest of it.
    #[error("`{part}`: {why}")]
    Misfit {
        /// The name of a coordinate, unknown, coefficient or constant.
        part: String,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A point of a condition or a measurement that is not in the domain.
    #[error(
        "in `{term}`: point {index} lies {distance:e} outside of the domain; coordinates come in the order in which they were \
         declared, time last"
    )]
    OutsideDomain {
        /// The condition, or the expression that was measured.
        term: String,
        /// Number of the point.
        index: usize,
        /// Its distance from the domain, or a lower bound of it.
        distance: f64,
    },
    /// A problem of an order that asks for more conditions.
    #[error(
        "`{unknown}` is of order {order} in `{coordinate}`, which asks for {needed} condition(s) where `{coordinate}` starts or \
         ends; there are {found}. Add them, give `{unknown}` a form, or call `incomplete`"
    )]
    MissingCondition {
        /// The unknown.
        unknown: String,
        /// The coordinate.
        coordinate: String,
        /// Highest order of a derivative.
        order: usize,
        /// Conditions needed.
        needed: usize,
        /// Conditions found.
        found: usize,
    },
    /// The normal where there is none.
    #[error(
        "in `{term}`: `{part}` needs a boundary's outward normal, and one derivative along it at most"
    )]
    Normal {
        /// The equation or condition.
        term: String,
        /// The part.
        part: String,
    },
    /// A part of a term that a method cannot treat.
    #[error("in `{term}`, `{part}`: {source}")]
    Term {
        /// The equation or condition.
        term: String,
        /// The part.
        part: String,
        /// Why not.
        source: Box<PdeError>,
    },
    /// A derivative of an order that is not computed.
    #[error("a derivative of order {order}; orders from 1 to {most} are computed")]
    Order {
        /// Its order.
        order: usize,
        /// The highest order.
        most: usize,
    },
    /// Second derivatives through a function with corners.
    #[error(
        "a derivative of order {order} through `{function}`, which has corners: it would be zero without being so; take a \
         smooth activation such as tanh"
    )]
    Kink {
        /// The function.
        function: &'static str,
        /// Order of the derivative.
        order: usize,
    },
    /// Conditions or equations without a point.
    #[error("the term `{term}` has no points")]
    NoPoints {
        /// The term of the loss.
        term: String,
    },
    /// A number that is not finite.
    #[error("{what}, element {index}: {value} is not finite")]
    NotFinite {
        /// Where it was given.
        what: String,
        /// Its place.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A step in time whose loss or parameters are not finite.
    #[error(
        "step {step} in time diverged ({value}): shorten the step, or lower the rate; the parameters are those before it"
    )]
    Diverged {
        /// Number of the step, from 1.
        step: usize,
        /// The number that is not finite.
        value: f64,
    },
    /// A point outside of the domain.
    #[error(
        "coordinate {axis} of a point is {value}, outside of [{low}, {high}]: shorten the step, or take `Outside::Clamp`"
    )]
    Outside {
        /// The coordinate.
        axis: usize,
        /// Its value.
        value: f64,
        /// Least value in the domain.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// A grid that cannot be cut into equal parts.
    #[error("axis {axis} has {points} points, which {parts} parts do not divide evenly")]
    IndivisibleSplit {
        /// The axis.
        axis: usize,
        /// Its points.
        points: usize,
        /// Parts asked for.
        parts: usize,
    },
    /// Least squares with fewer equations than unknowns.
    #[error("{rows} equations for {unknowns} unknowns: sample more points, or set a ridge above 0")]
    Underdetermined {
        /// Equations of one expert.
        rows: usize,
        /// Unknowns of one expert.
        unknowns: usize,
    },
    /// Characteristics that are out of order.
    #[error(
        "at time {time} characteristics cross at the label {label}: the solution has a shock in labels"
    )]
    Crossing {
        /// The time.
        time: f64,
        /// The first label that is beyond the next one.
        label: f64,
    },
    /// A fractional derivative of a whole order.
    #[error("a fractional derivative of order {order}: take the derivative of that whole order")]
    UseIntegerDerivative {
        /// Its order.
        order: f64,
    },
    /// Nothing to learn from.
    #[error("{what} has no data: give it at least one observation")]
    NoData {
        /// What was to learn.
        what: &'static str,
    },
    /// A matrix that is no covariance.
    #[error(
        "{what} is not positive definite: a pivot is {pivot:e} with {jitter:e} added to the diagonal"
    )]
    NotPositiveDefinite {
        /// Which matrix.
        what: &'static str,
        /// The pivot.
        pivot: f64,
        /// The most that was added.
        jitter: f64,
    },
    /// Scattered nodes whose neighbours lie on a line, say.
    #[error(
        "the {neighbours} neighbours of node {node} do not determine a polynomial of degree {degree}: take more neighbours, a \
         lower degree, or nodes that are spread more evenly"
    )]
    Undetermined {
        /// Number of the node.
        node: usize,
        /// Its neighbours.
        neighbours: usize,
        /// The degree.
        degree: usize,
    },
    /// A node outside of the domain.
    #[error("node {node} lies {distance:e} outside of the domain")]
    Misplaced {
        /// Number of the node.
        node: usize,
        /// Its distance from the domain.
        distance: f64,
    },
    /// More probes than directions.
    #[error("{probes} coordinates to be drawn from {dims} without repetition")]
    TooManyProbes {
        /// Probes asked for.
        probes: usize,
        /// Number of coordinates.
        dims: usize,
    },
}

/// Checks an option.
pub(crate) fn within(
    name: &'static str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    needed: &'static str,
) -> Result<(), PdeError> {
    if range.contains(&value) && value.is_finite() {
        return Ok(());
    }
    Err(PdeError::Option {
        name,
        value,
        needed,
    })
}

/// Checks a length.
pub(crate) fn expect(what: &'static str, expected: usize, got: usize) -> Result<(), PdeError> {
    if expected == got {
        return Ok(());
    }
    Err(PdeError::Width {
        what,
        expected,
        got,
    })
}

/// Checks that all numbers are finite.
pub(crate) fn finite(what: impl FnOnce() -> String, values: &[f64]) -> Result<(), PdeError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PdeError::NotFinite {
            what: what(),
            index,
            value: values[index],
        }),
    }
}
