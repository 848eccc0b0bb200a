//! Problems as they are written.

use std::sync::Arc;

use ansatz_expr::Pool;

use super::{Coefficient, Condition, Part, Place, Problem, Range, check, lower, place};
use crate::geometry::SpaceTime;
use crate::{BoxDomain, Geometry, PdeError, Points};

/// A problem that is being written; [`Problem::new`] begins one.
#[derive(Debug, Clone, Default)]
pub struct ProblemBuilder {
    coordinates: Vec<(String, [f64; 2])>,
    space: Option<(Vec<String>, Arc<dyn Geometry>)>,
    time: Option<(String, [f64; 2])>,
    unknowns: Vec<String>,
    coefficients: Vec<Coefficient>,
    constants: Vec<(String, f64)>,
    periodic: Vec<String>,
    equations: Vec<String>,
    conditions: Vec<(Place, String, Option<Vec<f64>>)>,
    forms: Vec<(String, String)>,
    detached: Vec<String>,
    /// Names that were given in vain, with why.
    misfits: Vec<(String, &'static str)>,
    unchecked: bool,
}

impl ProblemBuilder {
    /// A coordinate of space in an interval; several make a box.
    #[must_use]
    pub fn coordinate(mut self, name: &str, interval: [f64; 2]) -> Self {
        self.coordinates.push((name.into(), interval));
        self
    }

    /// Coordinates of space in any domain, in place of intervals.
    #[must_use]
    pub fn space(mut self, names: &[&str], domain: impl Geometry + 'static) -> Self {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        if self.space.is_some() {
            let again = "`space` was called before; one domain has all coordinates of space";
            self.misfits.push((names.join(", "), again));
        }
        self.space = Some((names, Arc::new(domain)));
        self
    }

    /// Time, the last coordinate.
    #[must_use]
    pub fn time(mut self, name: &str, interval: [f64; 2]) -> Self {
        if self.time.is_some() {
            let again = "`time` was called before; there is one time";
            self.misfits.push((name.into(), again));
        }
        self.time = Some((name.into(), interval));
        self
    }

    /// A function of all coordinates that is to be found.
    #[must_use]
    pub fn unknown(mut self, name: &str) -> Self {
        self.unknowns.push(name.into());
        self
    }

    /// A number that is to be found.
    #[must_use]
    pub fn coefficient(mut self, name: &str, start: f64) -> Self {
        self.coefficients.push(Coefficient {
            name: name.into(),
            start,
            range: Range::Any,
        });
        self
    }

    /// A number above 0 that is to be found.
    #[must_use]
    pub fn positive_coefficient(mut self, name: &str, start: f64) -> Self {
        self.coefficients.push(Coefficient {
            name: name.into(),
            start,
            range: Range::Positive,
        });
        self
    }

    /// A number with a name.
    #[must_use]
    pub fn constant(mut self, name: &str, value: f64) -> Self {
        self.constants.push((name.into(), value));
        self
    }

    /// An equation that holds inside.
    #[must_use]
    pub fn equation(mut self, text: &str) -> Self {
        self.equations.push(text.into());
        self
    }

    /// Values and all derivatives repeat along a coordinate: networks are made so.
    #[must_use]
    pub fn periodic(mut self, coordinate: &str) -> Self {
        self.periodic.push(coordinate.into());
        self
    }

    /// An equation that holds at a place: `"t = 0"`, `"x = -1"`, `"boundary"` (of space, at all times), the name of a
    /// face, or any [`Place`]. `u_n` is the derivative along the outward normal.
    #[must_use]
    pub fn condition(mut self, place: impl Into<Place>, text: &str) -> Self {
        self.conditions.push((place.into(), text.into(), None));
        self
    }

    /// Measured values of an expression, such as `"u"`, at points.
    #[must_use]
    pub fn measured(mut self, expression: &str, points: Points, values: Vec<f64>) -> Self {
        let place = Place::Points(points);
        self.conditions
            .push((place, expression.into(), Some(values)));
        self
    }

    /// The form of an unknown, which meets conditions exactly: an expression of the coordinates and of the names of the
    /// unknowns, that stand for the outputs of the network: `-sin(pi*x) + t*(1 - x^2)*u`.
    #[must_use]
    pub fn form(mut self, unknown: &str, text: &str) -> Self {
        self.forms.push((unknown.into(), text.into()));
        self
    }

    /// A quantity of the equations, such as `"u_xx"`, that is a constant to the training: the equations do not change it, only
    /// what stands beside it. For inverse problems, where a field that was measured shall not bend to coefficients that are
    /// still wrong.
    #[must_use]
    pub fn detached(mut self, quantity: &str) -> Self {
        self.detached.push(quantity.into());
        self
    }

    /// Leaves out the checks that there are as many conditions as the orders of the equations ask for, as many equations as
    /// unknowns, and no unknown or coefficient that nothing speaks of.
    #[must_use]
    pub fn incomplete(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// The same with another interval of time.
    pub(crate) fn during(mut self, interval: [f64; 2]) -> Self {
        if let Some(time) = &mut self.time {
            time.1 = interval;
        }
        self
    }

    /// The same with another value of a constant.
    pub(crate) fn with_constant(mut self, name: &str, value: f64) -> Result<Self, PdeError> {
        let names: Vec<String> = self.constants.iter().map(|c| c.0.clone()).collect();
        let place = check::known("constant", name, &names)?;
        self.constants[place].1 = value;
        Ok(self)
    }

    /// The same with those conditions that `keep` keeps, and for points of measurements the rows that `row` keeps.
    pub(crate) fn retain(
        mut self,
        keep: impl Fn(usize) -> bool,
        row: impl Fn(&[f64]) -> bool,
    ) -> Self {
        let all = std::mem::take(&mut self.conditions).into_iter().enumerate();
        for (_, (place, text, values)) in all.filter(|(i, _)| keep(*i)) {
            let Place::Points(points) = place else {
                self.conditions.push((place, text, values));
                continue;
            };
            let kept: Vec<bool> = points.rows().map(&row).collect();
            let rows = points.rows().zip(&kept).filter(|(_, k)| **k);
            let rows: Vec<f64> = rows.flat_map(|(x, _)| x.iter().copied()).collect();
            let values = values.map(|all| {
                let own = all.iter().zip(&kept).filter(|(_, k)| **k);
                own.map(|(v, _)| *v).collect::<Vec<f64>>()
            });
            if let (false, Ok(points)) = (rows.is_empty(), Points::new(points.dims(), rows)) {
                self.conditions.push((Place::Points(points), text, values));
            }
        }
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// [`PdeError::Text`] with the term that cannot be read and the name it is about, [`PdeError::MissingCondition`] when
    /// the orders of the equations ask for more conditions than there are, [`PdeError::Domain`] for an impossible domain
    /// or place, [`PdeError::Term`] for derivatives of too high an order, [`PdeError::Twice`] for a name of two things,
    /// [`PdeError::Misfit`] for one that nothing speaks of or that was given in vain, [`PdeError::OutsideDomain`] for points
    /// that are not in the domain.
    pub fn build(self) -> Result<Problem, PdeError> {
        if let Some((part, why)) = self.misfits.first() {
            let part = part.clone();
            return Err(PdeError::Misfit { part, why });
        }
        if let (Some(_), Some((name, _))) = (&self.space, self.coordinates.first()) {
            return Err(PdeError::Misfit {
                part: name.clone(),
                why: "`space` has all coordinates of space; put this one into its domain",
            });
        }
        let (space_names, space) = match self.space {
            Some((names, geometry)) => (names, Some(geometry)),
            None if self.coordinates.is_empty() => (Vec::new(), None),
            None => {
                let (names, intervals): (Vec<_>, Vec<_>) = self.coordinates.iter().cloned().unzip();
                let low = intervals.iter().map(|i| i[0]).collect();
                let high = intervals.iter().map(|i| i[1]).collect();
                let domain: Arc<dyn Geometry> = Arc::new(BoxDomain::new(low, high)?);
                (names, Some(domain))
            }
        };
        let has_time = self.time.is_some();
        let mut coordinates = space_names;
        let mut cylinder = None;
        let domain: Arc<dyn Geometry> = match (space, self.time) {
            (Some(space), None) => space,
            (Some(space), Some((name, interval))) => {
                coordinates.push(name);
                let both = SpaceTime::new(space, interval)?;
                cylinder = Some(both.clone());
                Arc::new(both)
            }
            (None, Some((name, [from, to]))) => {
                coordinates.push(name);
                Arc::new(BoxDomain::interval(from, to)?)
            }
            (None, None) => {
                return Err(PdeError::Nothing {
                    what: "coordinate",
                    remedy: "add one with `coordinate`, `space` or `time`",
                });
            }
        };
        crate::error::expect("names of coordinates", domain.dims(), coordinates.len())?;
        for (what, remedy, empty) in [
            (
                "unknown",
                "add one with `unknown`",
                self.unknowns.is_empty(),
            ),
            (
                "equation",
                "add one with `equation`",
                self.equations.is_empty(),
            ),
        ] {
            if empty {
                return Err(PdeError::Nothing { what, remedy });
            }
        }
        check::names(
            &coordinates,
            &self.unknowns,
            &self.coefficients,
            &self.constants,
        )?;
        let bounds = domain.bounds();
        let mut periods = vec![None; coordinates.len()];
        for name in &self.periodic {
            let axis = check::known("coordinate", name, &coordinates)?;
            periods[axis] = Some(bounds.high[axis] - bounds.low[axis]);
        }

        let pool = Pool::new();
        let reader = lower::Reader::new(
            &pool,
            (&coordinates, &self.unknowns),
            &self.coefficients,
            &self.constants,
        );
        let lowered = reader.equations(&self.equations, &self.detached)?;
        let form = reader.forms(&self.forms)?;
        let places = place::Domain {
            coordinates: &coordinates,
            all: &domain,
            time: cylinder.as_ref(),
            pool: &pool,
        };
        let mut conditions = Vec::new();
        for (place, text, values) in self.conditions {
            let part = places.find(&place)?;
            let on_boundary = matches!(part, Part::Boundary { .. });
            let lowered = reader.condition(&text, values.is_some(), on_boundary)?;
            if let Part::Points(points) = &part {
                check::inside(&text, points, &*domain, &periods)?;
            }
            if let (Part::Points(points), Some(values)) = (&part, &values) {
                crate::error::expect("measured values", points.len(), values.len())?;
                crate::error::finite(|| format!("values of `{text}`"), values)?;
            }
            conditions.push(Condition {
                place,
                text,
                lowered: Arc::new(lowered),
                part,
                values,
            });
        }
        let problem = Problem {
            coordinates,
            has_time,
            unknowns: self.unknowns,
            coefficients: self.coefficients,
            constants: self.constants,
            domain,
            periods,
            equations: self.equations,
            lowered: Arc::new(lowered),
            conditions,
            form,
        };
        if !self.unchecked {
            check::used(&problem)?;
            check::conditions(&problem)?;
        }
        Ok(problem)
    }
}
