//! What domains, points and subdomains can fail with.

use thiserror::Error;

/// A domain could not be built, or points could not be placed in it.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DomainError {
    /// Points with another number of coordinates than the domain.
    #[error("{what} have {got} coordinates, the domain has {expected}")]
    Width {
        /// Which points.
        what: &'static str,
        /// Coordinates of the domain.
        expected: usize,
        /// Coordinates found.
        got: usize,
    },
    /// A list of numbers that is not a whole number of points.
    #[error("{numbers} numbers are not a whole number of points of {dims} coordinates")]
    Rows {
        /// Numbers given.
        numbers: usize,
        /// Coordinates of a point.
        dims: usize,
    },
    /// A list of another length than the points it belongs to.
    #[error("{what}: {got} given, {expected} needed")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many are needed.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// NaN or infinity where a number was needed.
    #[error("{what} number {index} is {value}: it must be finite")]
    NonFinite {
        /// Which list.
        what: &'static str,
        /// Where in it.
        index: usize,
        /// The value found.
        value: f64,
    },
    /// An interval without inside.
    #[error("axis {axis} goes from {low} to {high}: its upper end must lie above its lower one")]
    Extent {
        /// The axis.
        axis: usize,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A length, count or option outside its range.
    #[error("{name} = {value}: {needed}")]
    Value {
        /// What it is called.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// Edges of a polygon that meet away from their common corner.
    #[error("edges {first} and {second} of the polygon cross or touch: give a simple polygon")]
    Crossing {
        /// One edge, by its first corner.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A boundary condition's part of the boundary holds no point.
    #[error("no point of the boundary belongs to `{name}`: look at its faces, value or predicate")]
    EmptyBoundary {
        /// The name of the part.
        name: String,
    },
    /// A face that the geometry does not have.
    #[error("there is no face `{name}`; there are {known:?}")]
    NoFace {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A difference that leaves its first part whole.
    #[error("part {part} of the difference does not meet the first one, so nothing is removed")]
    NothingRemoved {
        /// Which part.
        part: usize,
    },
    /// A difference or intersection that leaves nothing.
    #[error("nothing is left of the {operation}")]
    NothingLeft {
        /// `difference` or `intersection`.
        operation: &'static str,
    },
    /// A domain that fills so little of its bounding box that points cannot be found by rejection.
    #[error(
        "{found} of {wanted} points found in {tried} tries: the domain is too thin for its box"
    )]
    TooThin {
        /// Points asked for.
        wanted: usize,
        /// Points found.
        found: usize,
        /// Candidates looked at.
        tried: usize,
    },
    /// A geometry without such points.
    #[error("{what} cannot be sampled: {remedy}")]
    NoPoints {
        /// What was asked for.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A point of the lower boundary whose image is no point of the upper one.
    #[error("the image of {point:?} across axis {axis} is not on the boundary")]
    NotPeriodic {
        /// The axis.
        axis: usize,
        /// The point on the lower side.
        point: Vec<f64>,
    },
    /// A rotation that is not one.
    #[error("the rotation is not orthogonal: RᵀR differs from 1 by {defect:e}")]
    Rotation {
        /// Largest element of |RᵀR − 1|.
        defect: f64,
    },
    /// Neighbouring subdomains that do not overlap, or a domain that they do not cover.
    #[error(
        "axis {axis}: there is a gap before subdomain {index}: widen the subdomains until neighbours overlap"
    )]
    GapBetweenSubdomains {
        /// The axis.
        axis: usize,
        /// The subdomain above the gap; their number when the gap lies above the last.
        index: usize,
    },
}

/// Finite or an error.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<(), DomainError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(DomainError::NonFinite {
            what,
            index,
            value: values[index],
        }),
    }
}

/// Positive and finite or an error.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), DomainError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(DomainError::Value {
        name,
        value,
        needed: "it must be positive and finite",
    })
}
