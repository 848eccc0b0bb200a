//! Whether names are free and conditions enough.

use super::place::Part;
use super::{Coefficient, Problem};
use crate::PdeError;

/// The place of a name among those that are known.
pub(super) fn known(what: &'static str, name: &str, names: &[String]) -> Result<usize, PdeError> {
    let place = names.iter().position(|n| n == name);
    place.ok_or_else(|| PdeError::Unknown {
        what,
        name: name.to_owned(),
        known: names.to_vec(),
    })
}

/// Each name stands for one thing.
pub(super) fn names(
    coordinates: &[String],
    unknowns: &[String],
    coefficients: &[Coefficient],
    constants: &[(String, f64)],
) -> Result<(), PdeError> {
    let coefficients_ = coefficients.iter().map(|c| &c.name);
    let all = coordinates.iter().chain(unknowns).chain(coefficients_);
    let mut all: Vec<&String> = all.chain(constants.iter().map(|c| &c.0)).collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(PdeError::Twice {
            name: pair[0].clone(),
        }),
    }?;
    for c in coefficients {
        let finite = c.start.is_finite();
        if !finite || (c.range == super::Range::Positive && c.start <= 0.0) {
            return Err(PdeError::Option {
                name: "start of a coefficient",
                value: c.start,
                needed: "a number, above 0 for one that is positive",
            });
        }
    }
    Ok(())
}

/// The conditions that a problem of these orders needs: k initial ones for an unknown of order k in time; for each
/// coordinate of space in which it is of order 1 or more one at least (order 2 or more in systems), of order 3 or more two,
/// that hold where the coordinate ends. A problem whose unknowns are given in a form, or measured, is left to the user.
pub(super) fn conditions(problem: &Problem) -> Result<(), PdeError> {
    let time = problem.time_axis();
    for (field, unknown) in problem.unknowns.iter().enumerate() {
        let speaks = |c: &&super::Condition| c.lowered.wanted.iter().any(|(f, _)| *f == field);
        let own: Vec<&super::Condition> = problem.conditions.iter().filter(speaks).collect();
        let measured = own.iter().any(|c| matches!(c.part, Part::Points(_)));
        if measured || problem.form.is_some() {
            continue;
        }
        for (axis, coordinate) in problem.coordinates.iter().enumerate() {
            let order = problem.order(unknown, coordinate);
            if order == 0 || problem.periods[axis].is_some() {
                continue;
            }
            let bounds = problem.domain.bounds();
            let ends = [bounds.low[axis], bounds.high[axis]];
            let of_space = Some(axis) != time;
            let holds = |c: &&&super::Condition| match &c.part {
                Part::Points(_) => false,
                Part::Boundary { whole: true, .. } => of_space,
                Part::Boundary { fixed: None, .. } => true,
                Part::Boundary {
                    fixed: Some((a, value)),
                    ..
                } => {
                    *a == axis
                        && ends
                            .iter()
                            .any(|e| (e - value).abs() <= 1e-9 * (1.0 + e.abs()))
                }
            };
            let found = own.iter().filter(holds).count();
            // In systems an unknown of order 1 may need none of its own, as a pressure.
            let needed = match (of_space, order) {
                (true, 1) if problem.unknowns.len() > 1 => 0,
                (true, _) => order.div_ceil(2),
                (false, _) => order,
            };
            if found < needed {
                return Err(PdeError::MissingCondition {
                    unknown: unknown.clone(),
                    coordinate: coordinate.clone(),
                    order,
                    needed,
                    found,
                });
            }
        }
    }
    Ok(())
}
