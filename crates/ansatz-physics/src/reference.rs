//! What all references share: values at points, and how good they are.
//!
//! A learned solution is judged by a reference, and an error below the reference's own means nothing. Every reference
//! therefore states its accuracy, and refuses points where it says nothing.

use crate::PhysicsError;

/// A solution that others are compared with.
pub trait Reference {
    /// Numbers in a point.
    fn inputs(&self) -> usize;

    /// Numbers at a point.
    fn outputs(&self) -> usize;

    /// Values at a point: coordinates of space first, then the time, in the order that the type documents.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for points outside; [`PhysicsError::NotConverged`] where a quadrature does not settle;
    /// [`PhysicsError::Parameter`] for slices of other lengths than [`Self::inputs`] and [`Self::outputs`].
    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError>;

    /// An estimate of the largest error of a value, in the units of the values.
    fn accuracy(&self) -> f64;

    /// The relative error √(Σ(û − u)²/Σu²) over points, all outputs together, of values given row by row.
    ///
    /// # Errors
    /// Those of [`Self::evaluate`]; [`PhysicsError::Parameter`] when the numbers of points and of values differ;
    /// [`PhysicsError::NotFinite`] for a value that is not a number, or a reference that vanishes at all points.
    fn relative_error(&self, points: &[f64], values: &[f64]) -> Result<f64, PhysicsError> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let count = points.len() / inputs;
        check_length("points", points.len(), count * inputs)?;
        check_length("values", values.len(), count * outputs)?;
        let mut out = vec![0.0; outputs];
        let (mut gap, mut size) = (0.0, 0.0);
        for (point, row) in points
            .chunks_exact(inputs)
            .zip(values.chunks_exact(outputs))
        {
            self.evaluate(point, &mut out)?;
            for (u, v) in out.iter().zip(row) {
                gap += (u - v) * (u - v);
                size += u * u;
            }
        }
        let error = (gap / size).sqrt();
        if error.is_finite() {
            return Ok(error);
        }
        let index = values.iter().position(|v| !v.is_finite());
        Err(PhysicsError::NotFinite {
            what: "values, or their error relative to zeros",
            index: index.unwrap_or(0),
            value: error,
        })
    }
}

/// `value` must lie in [low, high].
pub(crate) fn inside(
    coordinate: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<(), PhysicsError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PhysicsError::OutsideDomain {
        coordinate,
        value,
        low,
        high,
    })
}

/// A parameter that must be positive and finite.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<f64, PhysicsError> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(PhysicsError::Parameter {
        name,
        value,
        needed: "must be positive and finite",
    })
}

/// A parameter that must be finite.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<f64, PhysicsError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(PhysicsError::Parameter {
        name,
        value,
        needed: "must be finite",
    })
}

/// A slice must have the length that is needed.
pub(crate) fn check_length(
    name: &'static str,
    length: usize,
    needed: usize,
) -> Result<(), PhysicsError> {
    if length == needed {
        return Ok(());
    }
    Err(PhysicsError::Parameter {
        name,
        value: length as f64,
        needed: "must have as many numbers as the reference documents",
    })
}

/// The first number that is not finite, as an error.
pub(crate) fn all_finite(what: &'static str, values: &[f64]) -> Result<(), PhysicsError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PhysicsError::NotFinite {
            what,
            index,
            value: values[index],
        }),
    }
}

/// Times must be finite, not negative and not fall.
pub(crate) fn check_times(times: &[f64]) -> Result<(), PhysicsError> {
    all_finite("times", times)?;
    let mut before = 0.0;
    for t in times {
        if *t < before {
            return Err(PhysicsError::Parameter {
                name: "time",
                value: *t,
                needed: "must not be negative, nor earlier than the one before",
            });
        }
        before = *t;
    }
    if times.is_empty() {
        return Err(PhysicsError::Parameter {
            name: "number of times",
            value: 0.0,
            needed: "must be 1 or more",
        });
    }
    Ok(())
}
