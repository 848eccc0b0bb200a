//! Functions of the user's own, as closures over slices, and what stops derivatives.
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

use super::{Lowering, Primitive, Rule, Split};
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

    fn identity(&self) -> Vec<u64> {
        let rules = [self.tangent.address(), self.cotangent.address()];
        vec![address(&self.forward), self.rows.into(), rules[0], rules[1]]
    }

    fn missing(&self, what: &str, method: &str) -> ! {
        panic!(
            "{} has no rule for {what}: give it one by UserFunction::{method}, or take its inputs or its \
             result through stop_gradient",
            self.name
        )
    }

    /// The product with the Jacobian at `inputs`.
    fn along<'g>(&self, inputs: &[Array<'g>], tangents: &[Option<Array<'g>>]) -> Array<'g> {
        if !matches!(self.tangent, By::Slices(_)) {
            self.missing("tangents", "with_tangent");
        }
        let filled = tangents.iter().zip(inputs);
        let filled = filled.map(|(t, x)| t.unwrap_or_else(|| x.zeros()));
        let all: Vec<Array<'g>> = inputs.iter().copied().chain(filled).collect();
        all[0].make(Product(self.clone()), &all)
    }

    /// The product with the transposed Jacobian at `inputs`: the part of input `i`.
    fn back<'g>(&self, i: usize, inputs: &[Array<'g>], bar: Array<'g>) -> Array<'g> {
        if !matches!(self.cotangent, By::Slices(_)) {
            self.missing("cotangents", "with_cotangent");
        }
        let all: Vec<Array<'g>> = inputs.iter().copied().chain([bar]).collect();
        let parts = bar.make(TransposedProduct(self.clone()), &all);
        let first = usize::from(self.rows);
        let width = |x: &Array<'g>| x.shape()[first..].iter().product::<usize>();
        let start = inputs[..i].iter().map(width).sum::<usize>();
        let part: Vec<usize> = (start..start + width(&inputs[i])).collect();
        parts.take(first, &part).reshape(&inputs[i].shape())
    }

    /// Elements that belong together, and how many times there are such.
    fn extent(&self, shape: &Shape) -> (usize, usize) {
        if self.rows {
            (shape[0], shape[1..].iter().product())
        } else {
            (1, shape.len())
        }
    }

    fn fits(&self, inputs: &[Shape]) -> Result<(), String> {
        if inputs.is_empty() {
            return Err("an input is needed".into());
        }
        if self.rows && inputs.iter().any(|x| x.first() != self.shape.first()) {
            return Err(format!("not all inputs have the rows of {}", self.shape));
        }
        if self.rows && self.shape.rank() == 0 {
            return Err("a number has no rows".into());
        }
        Ok(())
    }

    fn met(&self, split: &[bool]) -> Split {
        if self.rows && split.iter().all(|s| *s) {
            Split::Rows
        } else {
            Split::Whole
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

impl Primitive for UserFunction {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.identity())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        self.fits(inputs)?;
        Ok(self.shape.clone())
    }

    fn rule(&self) -> Rule {
        Rule::General
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
        let By::Program(program) = &self.tangent else {
            return Some(self.along(inputs, tangents));
        };
        let filled = tangents.iter().zip(inputs);
        let filled: Vec<_> = filled
            .map(|(t, x)| t.unwrap_or_else(|| x.zeros()))
            .collect();
        let tangent = program(inputs, out, &filled);
        assert_eq!(tangent.shape(), out.shape(), "{}: a tangent", self.name);
        Some(tangent)
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let By::Program(program) = &self.cotangent else {
            return self.back(i, inputs, bar);
        };
        let all = program(inputs, out, bar);
        assert_eq!(all.len(), inputs.len(), "{}: cotangents", self.name);
        assert_eq!(
            all[i].shape(),
            inputs[i].shape(),
            "{}: cotangent {i}",
            self.name
        );
        all[i]
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        self.met(split)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], out: (&mut [f64], &Shape)) {
        self.each(inputs, out, |x, y| (self.forward)(x, y));
    }
}

/// J·ẋ by a closure: the inputs are x and ẋ.
#[derive(Debug)]
struct Product(UserFunction);

impl Primitive for Product {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.0.identity())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        self.0.shape(inputs)
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        _: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let (still, moving) = tangents.split_at(inputs.len() / 2);
        if still.iter().any(Option::is_some) {
            self.0.missing("second derivatives", "with_tangent_program");
        }
        let moves = moving.iter().any(Option::is_some);
        moves.then(|| self.0.along(&inputs[..still.len()], moving))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        _: Array<'g>,
    ) -> Array<'g> {
        let count = inputs.len() / 2;
        match i.checked_sub(count) {
            Some(i) => self.0.back(i, &inputs[..count], bar),
            None => self.0.missing("second derivatives", "with_tangent_program"),
        }
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        self.0.met(split)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], out: (&mut [f64], &Shape)) {
        self.0.each(inputs, out, |all, y| {
            if let By::Slices(tangent) = &self.0.tangent {
                let (x, dx) = all.split_at(all.len() / 2);
                tangent(x, dx, y);
            }
        });
    }
}

/// Jᵀ·ȳ by a closure: the inputs are x and ȳ, the result has the cotangents of all x one after the other.
#[derive(Debug)]
struct TransposedProduct(UserFunction);

impl Primitive for TransposedProduct {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.0.identity())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let Some((_, inputs)) = inputs.split_last() else {
            return Err("a cotangent is needed".into());
        };
        self.0.fits(inputs)?;
        let width: usize = inputs.iter().map(|x| self.0.extent(x).1).sum();
        Ok(if self.0.rows {
            Shape::new(&[inputs[0][0], width])
        } else {
            Shape::new(&[width])
        })
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        _: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let (bar, still) = tangents.split_last()?;
        if still.iter().any(Option::is_some) {
            self.0
                .missing("second derivatives", "with_cotangent_program");
        }
        let mut all = inputs.to_vec();
        *all.last_mut()? = (*bar)?;
        Some(all[0].make(Self(self.0.clone()), &all))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let x = &inputs[..inputs.len() - 1];
        if i < x.len() {
            self.0
                .missing("second derivatives", "with_cotangent_program");
        }
        // The transpose of the transpose: along the parts of the result's cotangent.
        let axis = out.shape().rank() - 1;
        let mut start = 0;
        let parts: Vec<Option<Array<'g>>> = x
            .iter()
            .map(|x| {
                let (_, width) = self.0.extent(&x.shape());
                let part: Vec<usize> = (start..start + width).collect();
                start += width;
                Some(bar.take(axis, &part).reshape(&x.shape()))
            })
            .collect();
        self.0.along(x, &parts)
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        self.0.met(split)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], out: (&mut [f64], &Shape)) {
        let count = inputs.len() - 1;
        self.0.each(inputs, out, |all, y| {
            let (x, bar) = all.split_at(count);
            y.fill(0.0);
            let mut parts: Vec<&mut [f64]> = Vec::with_capacity(count);
            let mut rest = y;
            for x in x {
                let (part, more) = rest.split_at_mut(x.len());
                parts.push(part);
                rest = more;
            }
            if let By::Slices(cotangent) = &self.0.cotangent {
                cotangent(x, bar[0], &mut parts);
            }
        });
    }
}

/// Its input, which is constant for derivatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopGradient;

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => Ok(x.clone()),
            _ => Err("one input is needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Reshape
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        out.copy_from_slice(inputs[0].0);
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Array<'_> {
    /// The same array, which derivatives take for a constant. `x + (f(x) − x).stop_gradient()` has the
    /// value of f and the derivative of the identity.
    #[must_use]
    pub fn stop_gradient(self) -> Self {
        self.make(StopGradient, &[self])
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
