//! From expressions to arrays of a network's values and derivatives.

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_expr::{Expr, ExprError, Formula, Leaf, Pool};
use ansatz_nn::{GridSide, Layer, Parameter, Pass};

use super::{Coefficient, Range};
use crate::derivatives::MOST;
use crate::{Model, PdeError, grid_partials, partials};

/// What a measurement's value is called in its residual.
const MEASURED: &str = "measured_value";

/// What an argument of unknowns is called whose derivative is the normal one.
pub(super) const NORMAL: &str = "n";

/// Residuals of some equations, with the derivatives that they need.
#[derive(Debug)]
pub(crate) struct Lowered {
    formula: Formula,
    /// Derivatives of unknowns: which unknown, orders by coordinate.
    pub(crate) wanted: Vec<(usize, Vec<usize>)>,
    leaves: Vec<Source>,
    /// Leaves that are constants to the training.
    detached: Vec<bool>,
    coefficients: Vec<Range>,
    dims: usize,
    /// Rows hold a normal behind the coordinates.
    pub(crate) has_normal: bool,
}

/// Where the value of a leaf comes from.
#[derive(Debug)]
enum Source {
    Coordinate(usize),
    Coefficient(usize),
    /// One of `wanted`.
    Derivative(usize),
    /// The sum of these of `wanted`, each times its component of the normal.
    Normal(Vec<usize>),
    /// The last number of the row.
    Measured,
}

/// Reads text with the names of a problem.
pub(super) struct Reader<'p> {
    pub(super) pool: &'p Pool,
    pub(super) coordinates: &'p [String],
    unknowns: &'p [String],
    coefficients: &'p [Coefficient],
    pub(super) constants: Vec<(Expr<'p>, Expr<'p>)>,
}

/// A term in an error.
pub(super) fn term(text: &str) -> impl FnOnce(ExprError) -> PdeError {
    let term = text.to_owned();
    |source| PdeError::Text {
        term,
        source: Box::new(source),
    }
}

impl<'p> Reader<'p> {
    pub(super) fn new(
        pool: &'p Pool,
        (coordinates, unknowns): (&'p [String], &'p [String]),
        coefficients: &'p [Coefficient],
        constants: &[(String, f64)],
    ) -> Self {
        let normal = !coordinates.iter().any(|c| c == NORMAL);
        let mut arguments: Vec<Expr<'p>> = coordinates.iter().map(|c| pool.symbol(c)).collect();
        if normal {
            arguments.push(pool.symbol(NORMAL));
        }
        for unknown in unknowns {
            pool.field(unknown, &arguments);
        }
        for coefficient in coefficients {
            pool.symbol(&coefficient.name);
        }
        let constants = constants.iter();
        let constants = constants.map(|(name, value)| (pool.symbol(name), pool.number(*value)));
        Self {
            constants: constants.collect(),
            pool,
            coordinates,
            unknowns,
            coefficients,
        }
    }

    /// Why a text is refused; `u(x, t)` is a frequent one.
    fn refused(&self, text: &str, error: ExprError) -> PdeError {
        match &error {
            ExprError::Arity { function, .. } if self.unknowns.contains(function) => {
                let source = PdeError::Misfit {
                    part: function.clone(),
                    why: "unknowns are written without arguments; all of them depend on all coordinates",
                };
                PdeError::Term {
                    term: text.to_owned(),
                    part: format!("{function}(...)"),
                    source: Box::new(source),
                }
            }
            _ => term(text)(error),
        }
    }

    /// Residuals of equations that hold inside, with those leaves that are constants to the training.
    pub(super) fn equations(
        &self,
        texts: &[String],
        detached: &[String],
    ) -> Result<Lowered, PdeError> {
        let read = |text: &String| {
            let e = self
                .pool
                .equation(text)
                .map_err(|e| self.refused(text, e))?;
            self.lower(text, &[e], false).map(|l| (e, l))
        };
        // One by one for errors that name the equation, then all together.
        let all = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let expressions: Vec<Expr<'p>> = all.iter().map(|(e, _)| *e).collect();
        let mut lowered = self.lower(&texts.join("; "), &expressions, false)?;
        let names = lowered.formula.names();
        for text in detached {
            let leaf = self.pool.parse(text).map_err(term(text))?.to_string();
            let place = super::check::known("quantity of the equations", &leaf, names)?;
            lowered.detached[place] = true;
        }
        Ok(lowered)
    }

    /// Expressions that hold no equation.
    pub(super) fn expressions(&self, texts: &[String]) -> Result<Lowered, PdeError> {
        let read = |text: &String| self.pool.parse(text).map_err(|e| self.refused(text, e));
        let all = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.lower(&texts.join("; "), &all, false)
    }

    /// The residual of a condition: of an equation, or of an expression that was measured.
    pub(super) fn condition(
        &self,
        text: &str,
        measured: bool,
        on_boundary: bool,
    ) -> Result<Lowered, PdeError> {
        let e = if measured {
            let e = self.pool.parse(text).map_err(|e| self.refused(text, e))?;
            e - self.pool.symbol(MEASURED)
        } else {
            self.pool
                .equation(text)
                .map_err(|e| self.refused(text, e))?
        };
        self.lower(text, &[e], on_boundary)
    }

    fn lower(
        &self,
        text: &str,
        expressions: &[Expr<'p>],
        on_boundary: bool,
    ) -> Result<Lowered, PdeError> {
        let number = |e: &Expr<'p>| e.substitute(&self.constants);
        let expressions: Vec<Expr<'p>> = expressions.iter().map(number).collect();
        let formula = self.pool.formula(&expressions).map_err(term(text))?;
        let place = |names: &[String], name: &str| names.iter().position(|n| n == name);
        let dims = self.coordinates.len();
        let mut wanted: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut want = |field: usize, orders: Vec<usize>| {
            let new = (field, orders);
            let known = wanted.iter().position(|w| *w == new);
            known.unwrap_or_else(|| {
                wanted.push(new);
                wanted.len() - 1
            })
        };
        let mut has_normal = false;
        let mut leaves = Vec::new();
        for (leaf, name) in formula.leaves().iter().zip(formula.names()) {
            leaves.push(match leaf {
                Leaf::Symbol(name) if name == MEASURED => Source::Measured,
                Leaf::Symbol(name) => {
                    let coefficient = self.coefficients.iter().position(|c| c.name == *name);
                    match (place(self.coordinates, name), coefficient) {
                        (Some(axis), _) => Source::Coordinate(axis),
                        (_, Some(i)) => Source::Coefficient(i),
                        // Constants were replaced; only the normal is left.
                        _ => return Err(normal_misused(text, name)),
                    }
                }
                Leaf::Field(derivative) => {
                    let field = place(self.unknowns, &derivative.field).unwrap_or(0);
                    let order = derivative.order();
                    if order > MOST {
                        return Err(PdeError::Term {
                            term: text.to_owned(),
                            part: name.clone(),
                            source: Box::new(PdeError::Order { order, most: MOST }),
                        });
                    }
                    let mut orders = derivative.orders.clone();
                    orders.truncate(dims);
                    let along = derivative.orders.get(dims).copied().unwrap_or(0);
                    match along {
                        0 => Source::Derivative(want(field, orders)),
                        1 if on_boundary => {
                            has_normal = true;
                            let one = |axis: usize| {
                                let mut orders = orders.clone();
                                orders[axis] += 1;
                                want(field, orders)
                            };
                            Source::Normal((0..dims).map(one).collect())
                        }
                        _ => return Err(normal_misused(text, name)),
                    }
                }
            });
        }
        Ok(Lowered {
            detached: vec![false; leaves.len()],
            formula,
            wanted,
            leaves,
            coefficients: self.coefficients.iter().map(|c| c.range).collect(),
            dims,
            has_normal,
        })
    }

    /// The forms of all unknowns as one formula of coordinates and outputs of the network.
    pub(super) fn forms(
        &self,
        forms: &[(String, String)],
    ) -> Result<Option<Arc<Formula>>, PdeError> {
        if forms.is_empty() {
            return Ok(None);
        }
        for (i, (name, _)) in forms.iter().enumerate() {
            super::check::known("unknown", name, self.unknowns)?;
            if forms[..i].iter().any(|(before, _)| before == name) {
                return Err(PdeError::Misfit {
                    part: name.clone(),
                    why: "`form` was called for this unknown before; an unknown has one form",
                });
            }
        }
        // Unknowns are plain symbols here: the network's outputs.
        let pool = Pool::new();
        for name in self.coordinates.iter().chain(self.unknowns) {
            pool.symbol(name);
        }
        let constants: Vec<_> = self
            .constants
            .iter()
            .filter_map(|(name, value)| {
                Some((
                    pool.symbol(&name.to_string()),
                    pool.number(value.as_number()?),
                ))
            })
            .collect();
        let read = |unknown: &String| match forms.iter().find(|(name, _)| name == unknown) {
            None => Ok(pool.symbol(unknown)),
            Some((_, text)) => {
                let e = pool.parse(text).map_err(term(text))?;
                Ok(e.substitute(&constants))
            }
        };
        let all = self.unknowns.iter().map(read);
        let all = all.collect::<Result<Vec<_>, PdeError>>()?;
        let formula = pool.formula(&all).map_err(term("forms"))?;
        let output =
            |leaf: &Leaf| matches!(leaf, Leaf::Symbol(name) if self.unknowns.contains(name));
        if !formula.leaves().iter().any(output) {
            return Err(PdeError::Misfit {
                part: forms[0].0.clone(),
                why: "the form holds no unknown, so that nothing is left to be found; write it as g + l*u with the network `u`",
            });
        }
        Ok(Some(Arc::new(formula)))
    }
}

pub(super) fn normal_misused(text: &str, part: &str) -> PdeError {
    PdeError::Normal {
        term: text.to_owned(),
        part: part.to_owned(),
    }
}

impl Lowered {
    /// Numbers in a row of points: coordinates, a normal, a measured value.
    pub(crate) fn columns(&self) -> usize {
        let measured = self.leaves.iter().any(|l| matches!(l, Source::Measured));
        self.dims * (1 + usize::from(self.has_normal)) + usize::from(measured)
    }

    /// Whether a coefficient stands in it.
    pub(super) fn has_coefficient(&self, number: usize) -> bool {
        let own = |leaf: &Source| matches!(leaf, Source::Coefficient(i) if *i == number);
        self.leaves.iter().any(own)
    }

    /// The residuals of a model, as a term takes them.
    pub(crate) fn of(
        self: Arc<Self>,
        model: Model,
        coefficients: Vec<Parameter>,
    ) -> impl for<'g> Fn(&Pass<'g>, Array<'g>) -> Result<Array<'g>, PdeError> + Send + Sync + 'static
    {
        move |pass, rows| self.trace(pass, rows, &*model, &coefficients)
    }

    /// The residuals `[n, equations]` at rows of points.
    pub(crate) fn trace<'g>(
        &self,
        pass: &Pass<'g>,
        rows: Array<'g>,
        model: &(dyn Layer + Send + Sync),
        coefficients: &[Parameter],
    ) -> Result<Array<'g>, PdeError> {
        let x = self.coordinates_of(rows);
        let u = model.apply(pass, x);
        self.trace_of(pass, rows, coefficients, |orders| partials(u, x, orders))
    }

    /// The residuals `[n₀, n₁, …, equations]` on a tensor grid, the sides being those of all coordinates; without conditions, which
    /// hold in places of their own.
    pub(crate) fn trace_on_grid<'g>(
        &self,
        pass: &Pass<'g>,
        sides: &[GridSide<'g>],
        model: &(dyn Layer + Send + Sync),
        coefficients: &[Parameter],
    ) -> Result<Array<'g>, PdeError> {
        let u = model.on_grid(pass, sides);
        let moves: Vec<Array<'g>> = sides.iter().map(|side| side.values).collect();
        // Orders are counted by coordinate, sides may be in another order.
        let orders_of_sides = |index: &Vec<usize>| -> Vec<usize> {
            sides.iter().map(|side| index[side.column]).collect()
        };
        self.trace_with(
            pass,
            coefficients,
            &u.shape(),
            |orders| {
                let orders: Vec<Vec<usize>> = orders.iter().map(orders_of_sides).collect();
                grid_partials(u, &moves, &orders)
            },
            |place| match place {
                Given::Coordinate(axis) => GridSide::coordinate(sides, axis),
                Given::Normal(_) | Given::Measured => None,
            },
        )
    }

    fn coordinates_of<'g>(&self, rows: Array<'g>) -> Array<'g> {
        if self.columns() == self.dims {
            rows
        } else {
            rows.narrow(1, 0, self.dims)
        }
    }

    /// The same from derivatives of the unknowns at the rows, however they are found: for each multi-index an array
    /// `[n, unknowns]`.
    pub(crate) fn trace_of<'g>(
        &self,
        pass: &Pass<'g>,
        rows: Array<'g>,
        coefficients: &[Parameter],
        derivatives: impl FnOnce(&[Vec<usize>]) -> Result<Vec<Array<'g>>, PdeError>,
    ) -> Result<Array<'g>, PdeError> {
        let (x, d) = (self.coordinates_of(rows), self.dims);
        let shape = [rows.shape()[0], 1];
        self.trace_with(pass, coefficients, &shape, derivatives, |given| {
            Some(match given {
                Given::Coordinate(axis) => column(x, axis),
                Given::Normal(axis) => column(rows, d + axis),
                Given::Measured => column(rows, rows.shape()[1] - 1),
            })
        })
    }

    /// The same where values have the axes of `shape`, over which what is given is broadcast; the last is that of the unknowns.
    fn trace_with<'g>(
        &self,
        pass: &Pass<'g>,
        coefficients: &[Parameter],
        shape: &[usize],
        derivatives: impl FnOnce(&[Vec<usize>]) -> Result<Vec<Array<'g>>, PdeError>,
        given: impl Fn(Given) -> Option<Array<'g>>,
    ) -> Result<Array<'g>, PdeError> {
        let mut orders: Vec<Vec<usize>> = self.wanted.iter().map(|(_, o)| o.clone()).collect();
        orders.sort_unstable();
        orders.dedup();
        let all = derivatives(&orders)?;
        let derivative = |i: usize| {
            let (field, index) = &self.wanted[i];
            // They were asked for.
            let place = orders.binary_search(index).unwrap_or(0);
            column(all[place], *field)
        };
        let given = |what| given(what).unwrap_or_else(|| pass.graph().number(0.0));
        let mut leaves = self.leaves.iter().zip(&self.detached);
        let outputs = self.formula.trace(pass.graph(), |_| {
            let (leaf, detached) = leaves.next().unwrap_or((&Source::Measured, &false));
            let value = match leaf {
                Source::Coordinate(axis) => given(Given::Coordinate(*axis)),
                Source::Coefficient(i) => {
                    let value = pass[coefficients[*i]];
                    match self.coefficients[*i] {
                        Range::Any => value,
                        Range::Positive => value.exp(),
                    }
                }
                Source::Derivative(i) => derivative(*i),
                Source::Normal(parts) => {
                    let each = parts.iter().enumerate();
                    let each = each.map(|(k, i)| given(Given::Normal(k)) * derivative(*i));
                    each.reduce(|a, b| a + b)
                        .unwrap_or_else(|| pass.graph().number(0.0))
                }
                Source::Measured => given(Given::Measured),
            };
            if *detached {
                value.stop_gradient()
            } else {
                value
            }
        });
        Ok(beside(&outputs, shape))
    }
}

/// What a residual takes beside the unknowns.
#[derive(Debug, Clone, Copy)]
enum Given {
    Coordinate(usize),
    /// A component of the normal.
    Normal(usize),
    Measured,
}

/// One column of the last axis.
pub(super) fn column(a: Array<'_>, i: usize) -> Array<'_> {
    let shape = a.shape();
    match shape[..] {
        [.., 1] => a,
        _ => a.narrow(shape.rank() - 1, i, i + 1),
    }
}

/// Columns of the last axis side by side, in a shape of which the last axis does not matter.
pub(super) fn beside<'g>(columns: &[Array<'g>], shape: &[usize]) -> Array<'g> {
    let last = shape.len() - 1;
    let full = [&shape[..last], &[1]].concat();
    let columns: Vec<Array<'g>> = columns.iter().map(|a| a.broadcast(&full)).collect();
    match columns[..] {
        [one] => one,
        _ => Array::concatenate(&columns, last),
    }
}
