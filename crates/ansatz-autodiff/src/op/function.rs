//! Functions of the user's own, as closures over slices.
//!
//! A [`UserFunction`] is a primitive whose value is computed by a closure: a lookup, a solver, a call of
//! another library. Its derivatives are closures as well, or array programs, which can be differentiated
//! again:
//!
//! | given | by | derivatives there are |
//! |---|---|---|
//! | nothing | [`Graph::function`] | none |
//! | products with the Jacobian, over slices | [`UserFunction::with_tangent`] | first, forwards |
//! | products with its transpose, over slices | [`UserFunction::with_cotangent`] | first, backwards |
//! | the same as array programs | [`UserFunction::with_tangent_program`], [`UserFunction::with_cotangent_program`] | as many as the programs have |
//!
//! Differentiation that needs a rule that is not there panics when the derivative is written, and names the
//! function. [`Array::stop_gradient`] keeps derivatives away.
//!
//! Closures compute in double precision and are called by one thread at a time for the whole array; by
//! [`UserFunction::by_rows`] they are called for one row at a time, by several threads.

use std::sync::Arc;

use super::{Pass, Primitive, Rule, Split};
use crate::{Array, Graph, Shape};

type Forward = dyn Fn(&[&[f64]], &mut [f64]) + Send + Sync;
type Tangent = dyn Fn(&[&[f64]], &[&[f64]], &mut [f64]) + Send + Sync;
type Cotangent = dyn Fn(&[&[f64]], &[f64], &mut [&mut [f64]]) + Send + Sync;
type TangentProgram =
    dyn for<'g> Fn(&[Array<'g>], Array<'g>, &[Array<'g>]) -> Array<'g> + Send + Sync;
type CotangentProgram =
    dyn for<'g> Fn(&[Array<'g>], Array<'g>, Array<'g>) -> Vec<Array<'g>> + Send + Sync;

/// A rule, over slices or as a program.
enum By<S: ?Sized, P: ?Sized> {
    Slices(Arc<S>),
    Program(Arc<P>),
    Nothing,
}

impl<S: ?Sized, P: ?Sized> Clone for By<S, P> {
    fn clone(&self) -> Self {
        match self {
            Self::Slices(f) => Self::Slices(f.clone()),
            Self::Program(f) => Self::Program(f.clone()),
            Self::Nothing => Self::Nothing,
        }
    }
}

impl<S: ?Sized, P: ?Sized> By<S, P> {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    fn is_slices(&self) -> bool {
        matches!(self, Self::Slices(_))
    }

    fn address(&self) -> u64 {
        match self {
            Self::Slices(f) => address(f),
            Self::Program(f) => address(f),
            Self::Nothing => 0,
        }
    }
}

/// Closures are the same if they are one.
fn address<F: ?Sized>(f: &Arc<F>) -> u64 {
    Arc::as_ptr(f).cast::<()>() as usize as u64
}

/// A primitive that is computed by a closure over slices. Apply it by [`Graph::apply`].
///
/// ```
/// use ansatz_autodiff::op::UserFunction;
/// use ansatz_autodiff::{Graph, Options, Program, gradient};
/// // The largest singular value's square, say, from a library: here x₀² + 3·x₁.
/// let f = UserFunction::new("energy", &[], |inputs, out| {
///     let x = inputs[0];
///     out[0] = x[0] * x[0] + 3.0 * x[1];
/// })
/// .with_cotangent(|inputs, bar, cotangents| {
///     cotangents[0][0] = 2.0 * inputs[0][0] * bar[0];
///     cotangents[0][1] = 3.0 * bar[0];
/// });
/// let g = Graph::new();
/// let x = g.input(&[2]);
/// let y = g.apply(f, &[x.sin()]);
/// let slope = gradient(y, &[x])[0];
/// let program = Program::<f64>::compile(&g.finish(&[y, slope]), &Options::default())?;
/// let (mut value, mut slope) = ([0.0], [0.0; 2]);
/// program.run(&[&[0.0, 0.0]], &mut [&mut value, &mut slope])?;
/// assert_eq!((value, slope), ([0.0], [0.0, 3.0]));
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[derive(Clone)]
pub struct UserFunction {
    name: &'static str,
    shape: Shape,
    rows: bool,
    forward: Arc<Forward>,
    tangent: By<Tangent, TangentProgram>,
    cotangent: By<Cotangent, CotangentProgram>,
    part: Part,
}

/// What of a function is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Value,
    /// J·ẋ by a closure: the inputs are x and ẋ.
    Along,
    /// Jᵀ·ȳ by a closure: the inputs are x and ȳ, the result has the cotangents of all x one after the other.
    Back,
}

impl std::fmt::Debug for UserFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.name, self.shape)
    }
}

impl UserFunction {
    /// The function `forward(inputs, result)`, whose result has the shape `shape`. The result may hold
    /// anything before. It must give the same for the same inputs, and take inputs of any values.
    #[must_use]
    pub fn new<F>(name: &'static str, shape: &[usize], forward: F) -> Self
    where
        F: Fn(&[&[f64]], &mut [f64]) + Send + Sync + 'static,
    {
        Self {
            name,
            shape: Shape::new(shape),
            rows: false,
            forward: Arc::new(forward),
            tangent: By::Nothing,
            cotangent: By::Nothing,
            part: Part::Value,
        }
    }

    /// Row i of the result depends on row i of each input: closures are called for one row of each at a
    /// time, and the rows of a batch are shared among threads.
    #[must_use]
    pub fn by_rows(self) -> Self {
        Self { rows: true, ..self }
    }

    /// The derivative along tangents, `tangent(inputs, tangents, result)`: the Jacobian's product.
    #[must_use]
    pub fn with_tangent<F>(self, tangent: F) -> Self
    where
        F: Fn(&[&[f64]], &[&[f64]], &mut [f64]) + Send + Sync + 'static,
    {
        Self {
            tangent: By::Slices(Arc::new(tangent)),
            ..self
        }
    }

    /// The cotangents of the inputs, `cotangent(inputs, bar, cotangents)`: products with the transposed
    /// Jacobian. They are zero before.
    #[must_use]
    pub fn with_cotangent<F>(self, cotangent: F) -> Self
    where
        F: Fn(&[&[f64]], &[f64], &mut [&mut [f64]]) + Send + Sync + 'static,
    {
        Self {
            cotangent: By::Slices(Arc::new(cotangent)),
            ..self
        }
    }

    /// The derivative along tangents as an array program, `tangent(inputs, result, tangents)`, linear in
    /// the last.
    #[must_use]
    pub fn with_tangent_program<F>(self, tangent: F) -> Self
    where
        F: for<'g> Fn(&[Array<'g>], Array<'g>, &[Array<'g>]) -> Array<'g> + Send + Sync + 'static,
    {
        Self {
            tangent: By::Program(Arc::new(tangent)),
            ..self
        }
    }

    /// The cotangents of all inputs as an array program, `cotangent(inputs, result, bar)`, linear in the
    /// last.
    #[must_use]
    pub fn with_cotangent_program<F>(self, cotangent: F) -> Self
    where
        F: for<'g> Fn(&[Array<'g>], Array<'g>, Array<'g>) -> Vec<Array<'g>> + Send + Sync + 'static,
    {
        Self {
            cotangent: By::Program(Arc::new(cotangent)),
            ..self
        }
    }

    fn part(&self, part: Part) -> Self {
        Self {
            part,
            ..self.clone()
        }
    }

    fn lacks(&self, what: &str, method: &str) -> String {
        format!(
            "{} has no rule for {what}: give it one by UserFunction::{method}, or take its inputs or its \
             result through stop_gradient",
            self.name
        )
    }

    /// The product with the Jacobian at `inputs`.
    fn along<'g>(&self, inputs: &[Array<'g>], tangents: &[Option<Array<'g>>]) -> Array<'g> {
        let filled = filled(inputs, tangents);
        let all: Vec<Array<'g>> = inputs.iter().copied().chain(filled).collect();
        all[0].make(self.part(Part::Along), &all)
    }

    /// The product with the transposed Jacobian at `inputs`: the part of input `i`.
    fn back<'g>(&self, i: usize, inputs: &[Array<'g>], bar: Array<'g>) -> Array<'g> {
        let all: Vec<Array<'g>> = inputs.iter().copied().chain([bar]).collect();
        let parts = bar.make(self.part(Part::Back), &all);
        let first = usize::from(self.rows);
        let width = |x: &Array<'g>| x.shape()[first..].iter().product::<usize>();
        let start = inputs[..i].iter().map(width).sum::<usize>();
        let part: Vec<usize> = (start..start + width(&inputs[i])).collect();
        parts.take(first, &part).reshape(&inputs[i].shape())
    }

    /// What [`UserFunction::back`] gives for all inputs, taken apart.
    fn apart<'g>(&self, inputs: &[Array<'g>], all: Array<'g>) -> Vec<Option<Array<'g>>> {
        let (axis, mut start) = (all.shape().rank() - 1, 0);
        let part = |x: &Array<'g>| {
            let (_, width) = self.extent(&x.shape());
            let part: Vec<usize> = (start..start + width).collect();
            start += width;
            Some(all.take(axis, &part).reshape(&x.shape()))
        };
        inputs.iter().map(part).collect()
    }

    /// Elements that belong together, and how many times there are such.
    fn extent(&self, shape: &Shape) -> (usize, usize) {
        if self.rows {
            (shape[0], shape[1..].iter().product())
        } else {
            (1, shape.len())
        }
    }

    /// Of the inputs of this part, how many are the function's.
    fn count(&self, inputs: usize) -> usize {
        match self.part {
            Part::Value => inputs,
            Part::Along => inputs / 2,
            Part::Back => inputs.saturating_sub(1),
        }
    }

    /// Calls `f` with the inputs and the result, row by row if they are rows.
    fn each(
        &self,
        inputs: &[(&[f64], &Shape)],
        (out, shape): (&mut [f64], &Shape),
        f: impl Fn(&[&[f64]], &mut [f64]),
    ) {
        let (count, width) = self.extent(shape);
        let mut few = [&[][..]; FEW];
        let mut many = Vec::new();
        let views = if inputs.len() <= FEW {
            &mut few[..inputs.len()]
        } else {
            many.resize(inputs.len(), &[][..]);
            &mut many[..]
        };
        for row in 0..count {
            for (view, (x, shape)) in views.iter_mut().zip(inputs) {
                let (_, width) = self.extent(shape);
                *view = &x[row * width..(row + 1) * width];
            }
            f(views, &mut out[row * width..(row + 1) * width]);
        }
    }
}

/// Arrays that are handed over by a list on the stack.
const FEW: usize = 32;

/// Tangents with zeros for those that are zero.
fn filled<'g>(
    inputs: &[Array<'g>],
    tangents: &[Option<Array<'g>>],
) -> impl Iterator<Item = Array<'g>> {
    let all = tangents.iter().zip(inputs);
    all.map(|(t, x)| t.unwrap_or_else(|| x.zeros()))
}

/// `out` cut into parts as long as the inputs, for `f`.
fn cut(inputs: &[&[f64]], out: &mut [f64], f: impl FnOnce(&mut [&mut [f64]])) {
    let mut few: [&mut [f64]; FEW] = std::array::from_fn(|_| &mut [][..]);
    let mut many: Vec<&mut [f64]> = Vec::new();
    let parts = if inputs.len() <= FEW {
        &mut few[..inputs.len()]
    } else {
        many.resize_with(inputs.len(), Default::default);
        &mut many[..]
    };
    let mut rest = out;
    for (part, x) in parts.iter_mut().zip(inputs) {
        (*part, rest) = rest.split_at_mut(x.len());
    }
    f(parts);
}

impl Primitive for UserFunction {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let rules = [self.tangent.address(), self.cotangent.address()];
        let parts = [address(&self.forward), self.rows.into(), self.part as u64];
        Some([parts.as_slice(), &rules].concat())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let own = &inputs[..self.count(inputs.len())];
        if own.is_empty() {
            return Err("an input is needed".into());
        }
        if self.rows && self.shape.rank() == 0 {
            return Err("a number has no rows".into());
        }
        if self.rows && inputs.iter().any(|x| x.first() != self.shape.first()) {
            return Err(format!("not all inputs have the rows of {}", self.shape));
        }
        let width: usize = own.iter().map(|x| self.extent(x).1).sum();
        Ok(match self.part {
            Part::Value | Part::Along => self.shape.clone(),
            Part::Back if self.rows => Shape::new(&[own[0][0], width]),
            Part::Back => Shape::new(&[width]),
        })
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn missing(&self, pass: Pass, moves: &[bool]) -> Option<String> {
        let (still, _) = moves.split_at(self.count(moves.len()));
        let twice = still.contains(&true);
        let forwards = ("tangents", "with_tangent");
        let backwards = ("cotangents", "with_cotangent");
        let (what, method) = match (pass, self.part) {
            (_, Part::Along) if twice => ("second derivatives", "with_tangent_program"),
            (_, Part::Back) if twice => ("second derivatives", "with_cotangent_program"),
            (Pass::Forwards, Part::Value) if self.tangent.is_missing() => forwards,
            (Pass::Backwards, Part::Value) if self.cotangent.is_missing() => backwards,
            // Each product is transposed by the other.
            (Pass::Backwards, Part::Along) if !self.cotangent.is_slices() => backwards,
            (Pass::Backwards, Part::Back) if !self.tangent.is_slices() => forwards,
            _ => return None,
        };
        Some(self.lacks(what, method))
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        if tangents.iter().all(Option::is_none) {
            return None;
        }
        let count = self.count(inputs.len());
        Some(match (self.part, &self.tangent) {
            (Part::Value, By::Program(program)) => {
                let filled: Vec<_> = filled(inputs, tangents).collect();
                program(inputs, out, &filled)
            }
            (Part::Value, _) => self.along(inputs, tangents),
            (Part::Along, _) => self.along(&inputs[..count], &tangents[count..]),
            (Part::Back, _) => {
                let mut all = inputs.to_vec();
                *all.last_mut()? = (*tangents.last()?)?;
                all[0].make(self.clone(), &all)
            }
        })
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let own = &inputs[..self.count(inputs.len())];
        match (self.part, &self.cotangent) {
            (Part::Value, By::Program(program)) => {
                let all = program(inputs, out, bar);
                assert_eq!(all.len(), inputs.len(), "{}: cotangents", self.name);
                all[i]
            }
            (Part::Value, _) => self.back(i, own, bar),
            (Part::Along, _) => self.back(i - own.len(), own, bar),
            // The transpose of the transpose: along the parts of the result's cotangent.
            (Part::Back, _) => self.along(own, &self.apart(own, bar)),
        }
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        if self.rows && split.iter().all(|s| *s) {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], out: (&mut [f64], &Shape)) {
        let count = self.count(inputs.len());
        self.each(inputs, out, |all, y| {
            let (x, more) = all.split_at(count);
            match (self.part, &self.tangent, &self.cotangent) {
                (Part::Value, _, _) => (self.forward)(x, y),
                (Part::Along, By::Slices(tangent), _) => tangent(x, more, y),
                (Part::Back, _, By::Slices(cotangent)) => {
                    y.fill(0.0);
                    cut(x, y, |parts| cotangent(x, more[0], parts));
                }
                _ => y.fill(f64::NAN),
            }
        });
    }
}

impl Graph {
    /// The result, of shape `shape`, of a closure over slices: `function(inputs, result)`. It has no
    /// derivative, and differentiating through it panics; see [`UserFunction`] for rules, and
    /// [`Array::stop_gradient`].
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let x = g.input(&[3]);
    /// let sorted = g.function(&[x], &[3], |inputs, out| {
    ///     out.copy_from_slice(inputs[0]);
    ///     out.sort_by(f64::total_cmp);
    /// });
    /// let program = Program::<f64>::compile(&g.finish(&[sorted]), &Options::default())?;
    /// let mut out = [0.0; 3];
    /// program.run(&[&[3.0, 1.0, 2.0]], &mut [&mut out])?;
    /// assert_eq!(out, [1.0, 2.0, 3.0]);
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// Without inputs: what never changes is a constant.
    #[track_caller]
    pub fn function<'g, F>(
        &'g self,
        inputs: &[Array<'g>],
        shape: &[usize],
        function: F,
    ) -> Array<'g>
    where
        F: Fn(&[&[f64]], &mut [f64]) + Send + Sync + 'static,
    {
        self.make(
            Arc::new(UserFunction::new("function", shape, function)),
            inputs,
        )
    }
}
