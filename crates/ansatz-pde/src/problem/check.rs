//! Whether names are free and conditions enough.

use ansatz_expr::Pool;

use super::place::Part;
use super::{Coefficient, Condition, Lowered, Problem};
use crate::{Geometry, PdeError, Points};

/// The place of a name among those that are known.
pub(super) fn known(what: &'static str, name: &str, names: &[String]) -> Result<usize, PdeError> {
    let place = names.iter().position(|n| n == name);
    place.ok_or_else(|| PdeError::Unknown {
        what,
        name: name.to_owned(),
        known: names.to_vec(),
    })
}

/// Each name is one, and stands for one thing.
pub(super) fn names(
    coordinates: &[String],
    unknowns: &[String],
    coefficients: &[Coefficient],
    constants: &[(String, f64)],
) -> Result<(), PdeError> {
    let misfit = |part: &String, why: &'static str| PdeError::Misfit {
        part: part.clone(),
        why,
    };
    let coefficients_ = coefficients.iter().map(|c| &c.name);
    let others = unknowns.iter().chain(coefficients_);
    let others: Vec<&String> = others.chain(constants.iter().map(|c| &c.0)).collect();
    if let Some(name) = others.iter().find(|name| **name == super::lower::NORMAL) {
        let why = "this name is the outward normal of `u_n`; take another one";
        return Err(misfit(name, why));
    }
    let mut all: Vec<&String> = coordinates.iter().chain(others).collect();
    let pool = Pool::new();
    if let Some(name) = all.iter().find(|name| pool.symbol(name).check().is_err()) {
        let why = "names are letters, digits and underscores, begin with a letter and end without an underscore; words of \
                   equations such as `sin` and `pi` are taken";
        return Err(misfit(name, why));
    }
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(PdeError::Twice {
            name: pair[0].clone(),
        }),
    }?;
    if let Some((name, _)) = constants.iter().find(|(_, v)| !v.is_finite()) {
        return Err(misfit(name, "the value of a constant must be finite"));
    }
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

/// There are points, and they lie in the domain, up to its tolerance and whole periods.
pub(super) fn inside(
    term: &str,
    points: &Points,
    domain: &dyn Geometry,
    periods: &[Option<f64>],
) -> Result<(), PdeError> {
    if points.is_empty() {
        let term = term.to_owned();
        return Err(PdeError::NoPoints { term });
    }
    if domain.is_cloud() {
        return Ok(());
    }
    let (bounds, tolerance) = (domain.bounds(), domain.tolerance());
    for (index, row) in points.rows().enumerate() {
        let mut x = row.to_vec();
        for ((x, low), period) in x.iter_mut().zip(&bounds.low).zip(periods) {
            if let Some(period) = period {
                *x = low + (*x - low).rem_euclid(*period);
            }
        }
        let distance = domain.distance(&x);
        if distance > tolerance {
            return Err(PdeError::OutsideDomain {
                term: term.to_owned(),
                index,
                distance,
            });
        }
    }
    Ok(())
}

/// Every unknown and every coefficient stands in an equation, and there are as many equations as unknowns; what was measured
/// counts as one.
pub(super) fn used(problem: &Problem) -> Result<(), PdeError> {
    let conditions = problem.conditions.iter();
    let measured: Vec<&Condition> = conditions.filter(|c| c.values.is_some()).collect();
    let misfit = |name: &String, why: &'static str| PdeError::Misfit {
        part: name.clone(),
        why,
    };
    let speaks = |lowered: &Lowered, field: usize| lowered.wanted.iter().any(|(f, _)| *f == field);
    for (field, unknown) in problem.unknowns.iter().enumerate() {
        let known = measured.iter().any(|c| speaks(&c.lowered, field));
        if !(speaks(&problem.lowered, field) || known) {
            let why = "no equation speaks of this unknown: add one, leave the unknown out, or call `incomplete`";
            return Err(misfit(unknown, why));
        }
    }
    for (number, coefficient) in problem.coefficients.iter().enumerate() {
        let mut all = problem.conditions.iter().map(|c| &c.lowered);
        if !(problem.lowered.has_coefficient(number) || all.any(|l| l.has_coefficient(number))) {
            let why = "no equation and no condition speaks of this coefficient, so nothing would move it from its start";
            return Err(misfit(&coefficient.name, why));
        }
    }
    let (equations, unknowns) = (problem.equations.len(), problem.unknowns.len());
    if equations + measured.len() < unknowns {
        return Err(PdeError::Width {
            what: "equations, one for each unknown (or call `incomplete`)",
            expected: unknowns,
            got: equations,
        });
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
