//! Handles of arrays in a program that is being written.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use crate::graph::{Graph, Id};
use crate::op::{
    Binary, Broadcast, Compare, Comparison, Concatenate, Link, Lowering, MatMul, Pad, Primitive,
    Range, ReduceMax, Reshape, Select, Side, Slice, Sum, Transpose, Unary,
};
use crate::{Shape, shape};

/// An array of a [`Graph`]. Operators and methods add operations to the graph and return their results;
/// nothing is computed.
///
/// Two arrays that are combined element by element are first broadcast to a common shape: axes are
/// aligned at the end, and axes of length 1 stretch.
///
/// # Panics
/// When shapes do not fit, at the line that combines them; [`Graph::apply`] documents the rules.
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
        let Some(shape) = shape::broadcast(&a, &b) else {
            panic!("{}: {a} and {b} do not broadcast", function.name());
        };
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

    /// 1/x.
    #[must_use]
    pub fn recip(self) -> Self {
        self.unary(Unary::Recip)
    }

    /// √x.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// eˣ.
    #[must_use]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// ln x.
    #[must_use]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// eˣ − 1, exact near 0.
    #[must_use]
    pub fn expm1(self) -> Self {
        self.unary(Unary::Expm1)
    }

    /// ln(1 + x), exact near 0.
    #[must_use]
    pub fn ln1p(self) -> Self {
        self.unary(Unary::Ln1p)
    }

    /// 1/√x.
    #[must_use]
    pub fn rsqrt(self) -> Self {
        self.unary(Unary::Rsqrt)
    }

    /// sin x.
    #[must_use]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// cos x.
    #[must_use]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// tanh x.
    #[must_use]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// 1/(1 + e⁻ˣ).
    #[must_use]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// ln(1 + eˣ).
    #[must_use]
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// x/(1 + e⁻ˣ).
    #[must_use]
    pub fn silu(self) -> Self {
        self.unary(Unary::Silu)
    }

    /// The error function.
    #[must_use]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// tan x.
    #[must_use]
    pub fn tan(self) -> Self {
        self.unary(Unary::Tan)
    }

    /// arcsin x.
    #[must_use]
    pub fn asin(self) -> Self {
        self.unary(Unary::Asin)
    }

    /// arccos x.
    #[must_use]
    pub fn acos(self) -> Self {
        self.unary(Unary::Acos)
    }

    /// arctan x.
    #[must_use]
    pub fn atan(self) -> Self {
        self.unary(Unary::Atan)
    }

    /// sinh x.
    #[must_use]
    pub fn sinh(self) -> Self {
        self.unary(Unary::Sinh)
    }

    /// cosh x.
    #[must_use]
    pub fn cosh(self) -> Self {
        self.unary(Unary::Cosh)
    }

    /// arsinh x.
    #[must_use]
    pub fn asinh(self) -> Self {
        self.unary(Unary::Asinh)
    }

    /// arcosh x.
    #[must_use]
    pub fn acosh(self) -> Self {
        self.unary(Unary::Acosh)
    }

    /// artanh x.
    #[must_use]
    pub fn atanh(self) -> Self {
        self.unary(Unary::Atanh)
    }

    /// 2ˣ.
    #[must_use]
    pub fn exp2(self) -> Self {
        self.unary(Unary::Exp2)
    }

    /// The logarithm of x to base 2.
    #[must_use]
    pub fn log2(self) -> Self {
        self.unary(Unary::Log2)
    }

    /// The logarithm of x to base 10.
    #[must_use]
    pub fn log10(self) -> Self {
        self.unary(Unary::Log10)
    }

    /// x·Φ(x) with the normal distribution function Φ.
    #[must_use]
    pub fn gelu(self) -> Self {
        self.unary(Unary::Gelu)
    }

    /// max(x, 0), with derivative 0 at 0.
    #[must_use]
    pub fn relu(self) -> Self {
        let positive = self.zeros().less(self);
        positive.select(self, self.zeros())
    }

    /// |x|, with derivative 0 at 0.
    #[must_use]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// −1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// x².
    #[must_use]
    pub fn square(self) -> Self {
        self * self
    }

    /// xⁿ.
    #[must_use]
    pub fn powi(self, n: i32) -> Self {
        match n {
            0 => self.ones(),
            1 => self,
            2 => self * self,
            _ => self.unary(Unary::Powi(n)),
        }
    }

    /// xᶜ for x > 0.
    #[must_use]
    pub fn powf(self, c: f64) -> Self {
        self.unary(Unary::Powf(c))
    }

    /// 1 where it is less than `other`, else 0.
    #[must_use]
    #[track_caller]
    pub fn less(self, other: Self) -> Self {
        self.compare(other, Comparison::Less)
    }

    /// A comparison, 1 or 0.
    #[must_use]
    #[track_caller]
    pub fn compare(self, other: Self, comparison: Comparison) -> Self {
        let (a, b) = self.stretched(other);
        self.make(Compare(comparison), &[a, b])
    }

    #[track_caller]
    pub(crate) fn stretched(self, other: Self) -> (Self, Self) {
        let (a, b) = (self.shape(), other.shape());
        let Some(shape) = shape::broadcast(&a, &b) else {
            panic!("{a} and {b} do not broadcast");
        };
        (self.broadcast(&shape), other.broadcast(&shape))
    }

    /// `a` where this array is not 0, else `b`.
    #[must_use]
    #[track_caller]
    pub fn select(self, a: Self, b: Self) -> Self {
        let (a, b) = a.stretched(b);
        let (condition, a) = self.stretched(a);
        let (condition, b) = condition.stretched(b);
        self.make(Select, &[condition, a, b])
    }

    /// The larger of two; the derivative is that of the one taken, of `other` where they are equal.
    #[must_use]
    #[track_caller]
    pub fn max(self, other: Self) -> Self {
        other.less(self).select(self, other)
    }

    /// The smaller of two; the derivative is that of the one taken, of `other` where they are equal.
    #[must_use]
    #[track_caller]
    pub fn min(self, other: Self) -> Self {
        self.less(other).select(self, other)
    }

    /// The nearest number in [low, high]; the derivative is 1 in the interval and 0 outside. NaN stays.
    #[must_use]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        let (low, high) = (self.filled(low), self.filled(high));
        let above = high.less(self).select(high, self);
        self.less(low).select(low, above)
    }

    /// Copies along new axes in front and axes of length 1.
    #[must_use]
    #[track_caller]
    pub fn broadcast(self, to: &[usize]) -> Self {
        if self.shape()[..] == *to {
            return self;
        }
        let source = self.source().unwrap_or(self);
        let to = Shape::new(to);
        source.make(Broadcast { to }, &[source])
    }

    /// The same elements in another shape.
    #[must_use]
    #[track_caller]
    pub fn reshape(self, to: &[usize]) -> Self {
        if self.shape()[..] == *to {
            return self;
        }
        if let Some(value) = self.as_number()
            && self.shape().len() == Shape::new(to).len()
        {
            return self.graph.number(value).broadcast(to);
        }
        let to = Shape::new(to);
        self.make(Reshape { to }, &[self])
    }

    /// Axes in another order.
    #[must_use]
    #[track_caller]
    pub fn transpose(self, order: &[usize]) -> Self {
        if order.iter().copied().eq(0..order.len()) && order.len() == self.shape().rank() {
            return self;
        }
        let order = order.to_vec();
        self.make(Transpose { order }, &[self])
    }

    /// A block.
    #[must_use]
    #[track_caller]
    pub fn slice(self, ranges: &[Range]) -> Self {
        let ranges = ranges.to_vec();
        self.make(Slice { ranges }, &[self])
    }

    /// Elements `start..end` along an axis.
    ///
    /// # Panics
    /// When there is no such axis, or no such elements.
    #[must_use]
    #[track_caller]
    pub fn narrow(self, axis: usize, start: usize, end: usize) -> Self {
        let shape = self.shape();
        assert!(axis < shape.rank() && start <= end, "narrow of {shape}");
        let mut ranges: Vec<Range> = shape.iter().map(|n| Range::all(*n)).collect();
        ranges[axis] = Range {
            start,
            length: end - start,
            step: 1,
        };
        self.slice(&ranges)
    }

    /// A block of zeros with this array at `ranges`.
    #[must_use]
    #[track_caller]
    pub fn pad(self, to: &[usize], ranges: &[Range]) -> Self {
        let (to, ranges) = (Shape::new(to), ranges.to_vec());
        self.make(Pad { to, ranges }, &[self])
    }

    /// Arrays one after the other along an axis.
    ///
    /// # Panics
    /// When there are none, or shapes do not fit.
    #[must_use]
    #[track_caller]
    pub fn concatenate(arrays: &[Self], axis: usize) -> Self {
        match arrays {
            [] => panic!("concatenate needs an array"),
            [one] => *one,
            [first, ..] => first.make(Concatenate { axis }, arrays),
        }
    }

    /// The sum of all elements.
    #[must_use]
    pub fn sum(self) -> Self {
        let axes: Vec<usize> = (0..self.shape().rank()).collect();
        self.sum_axes(&axes)
    }

    /// Sums along axes, which disappear.
    #[must_use]
    #[track_caller]
    pub fn sum_axes(self, axes: &[usize]) -> Self {
        if axes.is_empty() {
            return self;
        }
        let shape = self.shape();
        if let Some(value) = self.as_number() {
            let count: usize = axes.iter().map(|a| shape[*a]).product();
            let kept: Vec<usize> = (0..shape.rank())
                .filter(|i| !axes.contains(i))
                .map(|i| shape[i])
                .collect();
            return self.graph.number(value * count as f64).broadcast(&kept);
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        self.make(Sum { axes }, &[self])
    }

    /// The mean of all elements.
    #[must_use]
    pub fn mean(self) -> Self {
        self.sum() * (1.0 / self.shape().len().max(1) as f64)
    }

    /// The largest along axes, as a constant of differentiation.
    #[must_use]
    #[track_caller]
    pub fn reduce_max(self, axes: &[usize]) -> Self {
        let axes = axes.to_vec();
        self.make(ReduceMax { axes }, &[self])
    }

    /// The smallest along axes, as a constant of differentiation.
    #[must_use]
    #[track_caller]
    pub fn reduce_min(self, axes: &[usize]) -> Self {
        -(-self).reduce_max(axes)
    }

    /// Means along axes, which disappear.
    #[must_use]
    #[track_caller]
    pub fn mean_axes(self, axes: &[usize]) -> Self {
        let sum = self.sum_axes(axes);
        let count = self.shape().len() / sum.shape().len().max(1);
        sum * (1.0 / count.max(1) as f64)
    }

    /// Means of the squared distances to the mean along axes, which disappear.
    #[must_use]
    #[track_caller]
    pub fn variance(self, axes: &[usize]) -> Self {
        let mean = self.mean_axes(axes).spread(axes, &self.shape());
        (self - mean).square().mean_axes(axes)
    }

    /// The transpose of a sum along `axes` of an array of shape `to`.
    pub(crate) fn spread(self, axes: &[usize], to: &Shape) -> Self {
        let lengths: Vec<usize> = (0..to.rank())
            .map(|i| if axes.contains(&i) { 1 } else { to[i] })
            .collect();
        self.reshape(&lengths).broadcast(to)
    }

    /// ln Σ eˣ along axes, without overflow.
    #[must_use]
    #[track_caller]
    pub fn log_sum_exp(self, axes: &[usize]) -> Self {
        let largest = self.reduce_max(axes);
        let spread = largest.spread(axes, &self.shape());
        (self - spread).exp().sum_axes(axes).ln() + largest
    }

    /// eˣ/Σ eˣ along axes, without overflow.
    #[must_use]
    #[track_caller]
    pub fn softmax(self, axes: &[usize]) -> Self {
        let largest = self.reduce_max(axes).spread(axes, &self.shape());
        let e = (self - largest).exp();
        e * e.sum_axes(axes).recip().spread(axes, &self.shape())
    }

    /// The matrix product, for each pair of matrices in the last two axes.
    #[must_use]
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.matmul_by(other, Side::Plain, Side::Plain)
    }

    /// The matrix product with either factor transposed.
    #[must_use]
    #[track_caller]
    pub fn matmul_by(self, other: Self, left: Side, right: Side) -> Self {
        let product = MatMul { left, right };
        let shape = product.shape(&[self.shape(), other.shape()]);
        if let Ok(shape) = &shape
            && (self.as_number() == Some(0.0) || other.as_number() == Some(0.0))
        {
            return self.graph.number(0.0).broadcast(shape);
        }
        // Equal rows have equal products.
        if let (Some(source), Side::Plain, Ok(shape)) = (self.source(), left, &shape)
            && let [.., k] = source.shape()[..]
            && source.shape().len() == k
            && shape.rank() == 2
        {
            return source
                .reshape(&[1, k])
                .matmul_by(other, left, right)
                .broadcast(shape);
        }
        // So has a product of the transpose: an outer one with the sum of the other's rows.
        if let (Some(source), Side::Transposed, Side::Plain, Ok(shape)) =
            (self.source(), left, right, &shape)
            && let [.., k] = source.shape()[..]
            && source.shape().len() == k
            && shape.rank() == 2
        {
            let sums = other.sum_axes(&[0]).reshape(&[1, shape[1]]);
            return source.reshape(&[k, 1]).matmul(sums);
        }
        self.make(product, &[self, other])
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
    ($trait:ident, $method:ident, $on_arrays:expr, $on_number:expr) => {
        impl $trait for Array<'_> {
            type Output = Self;

            #[track_caller]
            fn $method(self, other: Self) -> Self {
                $on_arrays(self, other)
            }
        }

        impl $trait<f64> for Array<'_> {
            type Output = Self;

            fn $method(self, other: f64) -> Self {
                $on_number(self, other)
            }
        }
    };
}

operator!(Add, add, |a: Self, b| a.binary(b, Binary::Add), Self::shift);
operator!(
    Sub,
    sub,
    |a: Self, b| a.binary(b, Binary::Sub),
    |a: Self, c: f64| a.shift(-c)
);
operator!(Mul, mul, |a: Self, b| a.binary(b, Binary::Mul), Self::scale);
operator!(
    Div,
    div,
    |a: Self, b: Self| a * b.recip(),
    |a: Self, c: f64| a.scale(1.0 / c)
);
