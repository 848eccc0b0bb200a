//! Equations, domain and conditions, as text or as expressions.
//!
//! A problem is data: nothing of a network or a method is in it. Coordinates, unknowns, coefficients to be found and
//! constants have names; equations and conditions are expressions of them, of derivatives `u_xx` and of the outward
//! normal derivative `u_n`. What does not fit is refused when the problem is built, with the term it stands in.

mod builder;
mod check;
mod form;
mod grid;
mod lower;
mod place;
mod pointwise;

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_expr::{Formula, Pool};
use ansatz_nn::{Parameter, Scope};

pub(crate) use place::Part;
pub use place::Place;
pub(crate) use pointwise::Pointwise;

use crate::{Geometry, Model, PdeError, Points, Sampler, Term};
pub use builder::ProblemBuilder;
pub(crate) use form::Formed;
pub(crate) use lower::Lowered;

/// A coefficient that is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// Its name in equations.
    pub name: String,
    /// Where the search starts.
    pub start: f64,
    /// What it may be.
    pub range: Range,
}

/// What a coefficient may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// Any number.
    #[default]
    Any,
    /// Numbers above 0: its logarithm is trained.
    Positive,
}

/// One condition.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Where it holds.
    pub place: Place,
    /// The equation.
    pub text: String,
    pub(crate) lowered: Arc<Lowered>,
    pub(crate) part: Part,
    /// Values of a measurement that belong to the points, if there are any.
    values: Option<Vec<f64>>,
}

impl Condition {
    /// Values that were measured at the points of its place.
    pub(crate) fn values(&self) -> Option<&[f64]> {
        self.values.as_deref()
    }
}

/// A boundary value problem or an inverse one.
///
/// ```
/// use ansatz_pde::Problem;
/// let problem = Problem::new()
///     .coordinate("x", [-1.0, 1.0])
///     .time("t", [0.0, 1.0])
///     .unknown("u")
///     .equation("u_t + u*u_x = (0.01/pi)*u_xx")
///     .condition("t = 0", "u = -sin(pi*x)")
///     .condition("boundary", "u = 0")
///     .build()?;
/// assert_eq!(problem.order("u", "x"), 2);
///
/// let error = Problem::new()
///     .coordinate("x", [0.0, 1.0])
///     .unknown("u")
///     .equation("u_xx = k*u")
///     .build()
///     .unwrap_err();
/// assert!(error.to_string().starts_with("in `u_xx = k*u`: unknown symbol `k` at byte 7"));
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Problem {
    coordinates: Vec<String>,
    /// The last coordinate is time.
    has_time: bool,
    unknowns: Vec<String>,
    coefficients: Vec<Coefficient>,
    constants: Vec<(String, f64)>,
    domain: Arc<dyn Geometry>,
    periods: Vec<Option<f64>>,
    equations: Vec<String>,
    lowered: Arc<Lowered>,
    conditions: Vec<Condition>,
    form: Option<Arc<Formula>>,
}

impl Problem {
    /// Begins to write a problem.
    #[expect(
        clippy::new_ret_no_self,
        reason = "the front door is the problem's name"
    )]
    #[must_use]
    pub fn new() -> ProblemBuilder {
        ProblemBuilder::default()
    }

    /// Names of the coordinates, in the order of points: space, then time.
    #[must_use]
    pub fn coordinates(&self) -> &[String] {
        &self.coordinates
    }

    /// The axis of time, if there is one.
    #[must_use]
    pub fn time_axis(&self) -> Option<usize> {
        self.has_time.then(|| self.coordinates.len() - 1)
    }

    /// Names of the unknowns.
    #[must_use]
    pub fn unknowns(&self) -> &[String] {
        &self.unknowns
    }

    /// Coefficients to be found.
    #[must_use]
    pub fn coefficients(&self) -> &[Coefficient] {
        &self.coefficients
    }

    /// Where the equations hold.
    #[must_use]
    pub fn domain(&self) -> &Arc<dyn Geometry> {
        &self.domain
    }

    /// The equations as they were written.
    #[must_use]
    pub fn equations(&self) -> &[String] {
        &self.equations
    }

    /// The conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The period of each coordinate, if it has one.
    #[must_use]
    pub fn periods(&self) -> &[Option<f64>] {
        &self.periods
    }

    /// Highest order of a derivative of an unknown in a coordinate in the equations.
    #[must_use]
    pub fn order(&self, unknown: &str, coordinate: &str) -> usize {
        let place = |names: &[String], name: &str| names.iter().position(|n| n == name);
        let (Some(field), Some(axis)) = (
            place(&self.unknowns, unknown),
            place(&self.coordinates, coordinate),
        ) else {
            return 0;
        };
        let own = self.lowered.wanted.iter().filter(|(f, _)| *f == field);
        own.map(|(_, orders)| orders[axis]).max().unwrap_or(0)
    }

    /// The equations' residuals, one column for each, of points `[n, d]`.
    pub(crate) fn residual(&self) -> &Arc<Lowered> {
        &self.lowered
    }

    /// The axis of a coordinate.
    ///
    /// # Errors
    /// [`PdeError::Unknown`].
    pub fn axis(&self, coordinate: &str) -> Result<usize, PdeError> {
        check::known("coordinate", coordinate, &self.coordinates)
    }

    /// Expressions of the unknowns and their derivatives, one column for each.
    pub(crate) fn expressions(&self, texts: &[String]) -> Result<Lowered, PdeError> {
        let pool = Pool::new();
        let names = (&self.coordinates[..], &self.unknowns[..]);
        lower::Reader::new(&pool, names, &self.coefficients, &self.constants).expressions(texts)
    }

    /// An equation or condition of one unknown as a function of numbers.
    pub(crate) fn pointwise(&self, text: &str) -> Result<Pointwise, PdeError> {
        let pool = Pool::new();
        let names = (&self.coordinates[..], &self.unknowns[..]);
        lower::Reader::new(&pool, names, &self.coefficients, &self.constants).pointwise(text)
    }

    /// Parameters for the coefficients.
    pub(crate) fn place_coefficients(&self, scope: &mut Scope<'_>) -> Vec<Parameter> {
        let place = |c: &Coefficient| {
            let start = match c.range {
                Range::Any => c.start,
                Range::Positive => c.start.ln(),
            };
            scope.parameter(&c.name, &[1], ansatz_nn::Init::Constant(start))
        };
        self.coefficients.iter().map(place).collect()
    }

    /// The model in the form that conditions ask for, if one was given.
    pub(crate) fn formed(&self, model: Model) -> Model {
        match &self.form {
            None => model,
            Some(formula) => Arc::new(Formed {
                net: model,
                formula: formula.clone(),
                coordinates: self.coordinates.clone(),
                unknowns: self.unknowns.clone(),
            }),
        }
    }

    /// Values `[n, unknowns]` at points `[n, d]` in the form that conditions ask for, if one was given.
    pub(crate) fn shaped<'g>(&self, x: Array<'g>, values: Array<'g>) -> Array<'g> {
        let Some(formula) = &self.form else {
            return values;
        };
        let formed = Formed {
            net: (),
            formula: formula.clone(),
            coordinates: self.coordinates.clone(),
            unknowns: self.unknowns.clone(),
        };
        formed.shape(x, values)
    }

    /// The terms of a loss for `model`: the equations at points inside, each condition at points of its place. All are means
    /// over points of squared residuals.
    ///
    /// # Errors
    /// [`PdeError::Domain`] when a place has no points.
    pub fn terms(
        &self,
        model: &Model,
        coefficients: &[Parameter],
        points: &Counts,
        key: Key,
    ) -> Result<Vec<Term>, PdeError> {
        let dims = self.coordinates.len();
        let sampler = points.sampler;
        let mut terms = Vec::new();
        if points.inside > 0 {
            let (domain, n) = (self.domain.clone(), points.inside);
            domain.sample_interior(n, &sampler, key)?;
            let residual = self
                .lowered
                .clone()
                .of(model.clone(), coefficients.to_vec());
            let name = self.equations.join("; ");
            let term = Term::new(name, dims, Vec::new(), residual).drawn(key, n, move |key, n| {
                let points = domain.sample_interior(n, &sampler, key);
                points.map(Points::into_vec).unwrap_or_default()
            });
            terms.push(term);
        }
        for (i, condition) in self.conditions.iter().enumerate() {
            let key = key.fold_in(1 + i as u64);
            let lowered = condition.lowered.clone();
            let residual = lowered.clone().of(model.clone(), coefficients.to_vec());
            let columns = lowered.columns();
            let source = condition.source(sampler);
            let first = source(key, points.on_conditions)?;
            let mut term = Term::new(condition.name(), columns, first, residual);
            if condition.draws() {
                term.source = Some(Arc::new(move |key, n| source(key, n).unwrap_or_default()));
            }
            terms.push(term);
        }
        Ok(terms)
    }
}

/// How many points, and how they are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Points at which the equations are asked for.
    pub inside: usize,
    /// Points for each condition.
    pub on_conditions: usize,
    /// How they are spread.
    pub sampler: Sampler,
}

impl Default for Counts {
    /// 1000 inside, 100 for each condition, scrambled Sobol points.
    fn default() -> Self {
        Self {
            inside: 1000,
            on_conditions: 100,
            sampler: Sampler::default(),
        }
    }
}
