//! Handles of arrays in a program that is being written: what they are, how they combine, and what is simplified.

mod elementwise;
mod movement;
mod reduce;

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use crate::graph::{Graph, Id};
use crate::op::{Binary, Link, Lowering, Primitive, Unary};
use crate::{AutodiffError, Shape, shape};

/// An array of a [`Graph`]. Operators and methods add operations to the graph and return their results;
/// nothing is computed.
///
/// Two arrays that are combined element by element are first broadcast to a common shape: axes are
/// aligned at the end, and axes of length 1 stretch.
///
/// # Panics
/// When shapes do not fit, at the line that combines them. Where shapes come from data, methods have a form that gives an error
/// instead: [`Array::try_reshape`], [`Array::try_matmul`], …; before operators and other functions of two
/// arrays, [`Array::try_stretched`] is asked; for any primitive there is [`Graph::try_apply`].
///
/// ```
/// use ansatz_autodiff::Graph;
/// let g = Graph::new();
/// let x = g.input(&[5, 3]);
/// let w = g.input(&[3, 2]);
/// let y = (x.matmul(w) + 1.0).tanh();
/// assert_eq!(&y.shape()[..], [5, 2]);
/// ```
#[derive(Clone, Copy)]
pub struct Array<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: Id,
}

impl std::fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{} {}", self.id, self.shape())
    }
}

impl<'g> Array<'g> {
    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.graph.nodes.borrow().list[self.id as usize]
            .shape
            .clone()
    }

    /// Its graph.
    #[must_use]
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    #[track_caller]
    pub(crate) fn make(self, primitive: impl Primitive, inputs: &[Self]) -> Self {
        self.graph.make(Arc::new(primitive), inputs)
    }

    /// The same array under a name of its own, past which nothing is simplified: for derivatives with
    /// respect to an array that is not an input.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, gradient};
    /// let g = Graph::new();
    /// let x = g.input(&[3]);
    /// let middle = (x * 2.0).variable();
    /// let slope = gradient((middle * 3.0).sum(), &[middle])[0];
    /// # assert_eq!(&slope.shape()[..], [3]);
    /// ```
    #[must_use]
    pub fn variable(self) -> Self {
        self.make(Link, &[self])
    }

    pub(crate) fn try_make(
        self,
        primitive: impl Primitive,
        inputs: &[Self],
    ) -> Result<Self, AutodiffError> {
        self.graph.try_make(Arc::new(primitive), inputs)
    }

    /// Both arrays, broadcast to a common shape, as operators and functions of two arrays do it.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`] when they do not broadcast.
    pub fn try_stretched(self, other: Self) -> Result<(Self, Self), AutodiffError> {
        let shape = common("broadcast", self, other)?;
        Ok((self.broadcast(&shape), other.broadcast(&shape)))
    }

    #[track_caller]
    pub(crate) fn stretched(self, other: Self) -> (Self, Self) {
        settled(self.try_stretched(other))
    }

    /// The number that all elements are, if that is known.
    pub(crate) fn as_number(self) -> Option<f64> {
        let node = self.graph.node(self.id);
        match node.primitive.lowering() {
            Lowering::Constant(values) => {
                let first = *values.first()?;
                values
                    .iter()
                    .all(|v| v.to_bits() == first.to_bits())
                    .then_some(first)
            }
            Lowering::Broadcast | Lowering::Reshape => self.input(node.inputs[0]).as_number(),
            _ => None,
        }
    }

    fn input(self, id: Id) -> Self {
        Self {
            graph: self.graph,
            id,
        }
    }

    /// What is broadcast to give this array.
    pub(crate) fn source(self) -> Option<Self> {
        let node = self.graph.node(self.id);
        match node.primitive.lowering() {
            Lowering::Broadcast => Some(self.input(node.inputs[0])),
            _ => None,
        }
    }

    /// An array of the same shape, all elements `value`.
    #[must_use]
    pub fn filled(self, value: f64) -> Self {
        self.graph.number(value).broadcast(&self.shape())
    }

    /// Zeros of the same shape.
    #[must_use]
    pub fn zeros(self) -> Self {
        self.filled(0.0)
    }

    /// Ones of the same shape.
    #[must_use]
    pub fn ones(self) -> Self {
        self.filled(1.0)
    }

    #[track_caller]
    fn unary(self, function: Unary) -> Self {
        if let Some(value) = self.as_number() {
            return self.filled(function.at(value));
        }
        // Computed before it is copied.
        if let Some(source) = self.source() {
            return source.unary(function).broadcast(&self.shape());
        }
        self.make(function, &[self])
    }

    #[track_caller]
    fn binary(self, other: Self, function: Binary) -> Self {
        let (a, b) = (self.shape(), other.shape());
        let shape = settled(common(function.name(), self, other));
        let numbers = (self.as_number(), other.as_number());
        let folded = match (function, numbers) {
            (f, (Some(x), Some(y))) => Some(self.graph.number(f.at(x, y))),
            (Binary::Add | Binary::Sub, (None, Some(0.0))) => Some(self),
            (Binary::Add, (Some(0.0), None)) => Some(other),
            (Binary::Add, (None, Some(c))) => Some(self.shift(c)),
            (Binary::Add, (Some(c), None)) => Some(other.shift(c)),
            (Binary::Sub, (None, Some(c))) => Some(self.shift(-c)),
            (Binary::Sub, (Some(c), None)) => Some((-other).shift(c)),
            (Binary::Mul, (None, Some(c))) => Some(self.scale(c)),
            (Binary::Mul, (Some(c), None)) => Some(other.scale(c)),
            _ => None,
        };
        if let Some(array) = folded {
            return array.broadcast(&shape);
        }
        // Computed before they are copied, where both are copies of one shape.
        if let (Some(x), Some(y)) = (
            self.source().or((a != shape).then_some(self)),
            other.source().or((b != shape).then_some(other)),
        ) && x.shape() == y.shape()
        {
            return x.join(y, function).broadcast(&shape);
        }
        let (x, y) = (self.broadcast(&shape), other.broadcast(&shape));
        x.join(y, function)
    }

    /// An operation on arrays of one shape, signs and factors drawn out, equal operands in one order: so
    /// that equal values are one node.
    #[expect(clippy::float_cmp, reason = "a factor is one or it is not")]
    fn join(self, other: Self, function: Binary) -> Self {
        use Binary::{Add, Mul, Sub};
        let (x, y) = if self.id <= other.id || function == Sub {
            (self, other)
        } else {
            (other, self)
        };
        if x.id == y.id && function != Mul {
            return x.scale(if function == Add { 2.0 } else { 0.0 });
        }
        match (function, x.factor(), y.factor()) {
            (Mul, (c, x), (d, y)) if c * d != 1.0 => x.join(y, Mul).scale(c * d),
            (Add, _, (-1.0, y)) => x.join(y, Sub),
            (Add, (-1.0, x), _) => y.join(x, Sub),
            (Sub, _, (-1.0, y)) => x.join(y, Add),
            (f, (c, x), (d, y)) if f != Mul && c == d && c != 1.0 => x.join(y, f).scale(c),
            _ => x.make(function, &[x, y]),
        }
    }

    /// The number and the array whose product this is.
    fn factor(self) -> (f64, Self) {
        let node = self.graph.node(self.id);
        match node.primitive.lowering() {
            Lowering::Unary(Unary::Neg) => (-1.0, self.input(node.inputs[0])),
            Lowering::Unary(Unary::Scale(c)) => (c, self.input(node.inputs[0])),
            _ => (1.0, self),
        }
    }

    #[expect(clippy::float_cmp, reason = "a factor is one or it is not")]
    fn scale(self, c: f64) -> Self {
        if c == 1.0 {
            return self;
        }
        if c == 0.0 {
            return self.zeros();
        }
        match self.factor() {
            (d, inner) if d != 1.0 => inner.scale(c * d),
            _ if c == -1.0 => -self,
            _ => self.unary(Unary::Scale(c)),
        }
    }

    fn shift(self, c: f64) -> Self {
        if c == 0.0 {
            return self;
        }
        self.unary(Unary::Shift(c))
    }
}

/// The shape that both are broadcast to.
fn common(name: &'static str, a: Array<'_>, b: Array<'_>) -> Result<Shape, AutodiffError> {
    let (a, b) = (a.shape(), b.shape());
    let shape = shape::broadcast(&a, &b);
    shape.ok_or_else(|| AutodiffError::operation(name, "they do not broadcast", &[a, b]))
}

/// What a method that panics makes of the form that does not.
#[track_caller]
pub(crate) fn settled<T>(result: Result<T, AutodiffError>) -> T {
    match result {
        Ok(value) => value,
        Err(problem) => panic!("{problem}"),
    }
}

impl Neg for Array<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        let node = self.graph.node(self.id);
        match node.primitive.lowering() {
            Lowering::Unary(Unary::Neg) => self.input(node.inputs[0]),
            Lowering::Unary(Unary::Scale(c)) => self.input(node.inputs[0]).scale(-c),
            _ => self.unary(Unary::Neg),
        }
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, |$a:ident, $b:ident| $arrays:expr, |$x:ident, $c:ident| $number:expr) => {
        impl $trait for Array<'_> {
            type Output = Self;

            #[track_caller]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                $arrays
            }
        }

        impl $trait<f64> for Array<'_> {
            type Output = Self;

            fn $method(self, other: f64) -> Self {
                let ($x, $c) = (self, other);
                $number
            }
        }
    };
}

operator!(Add, add, |a, b| a.binary(b, Binary::Add), |x, c| x.shift(c));
operator!(Sub, sub, |a, b| a.binary(b, Binary::Sub), |x, c| x
    .shift(-c));
operator!(Mul, mul, |a, b| a.binary(b, Binary::Mul), |x, c| x.scale(c));
operator!(Div, div, |a, b| a.binary(b.recip(), Binary::Mul), |x, c| x
    .scale(1.0 / c));
