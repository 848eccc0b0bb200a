//! What computes expressions: instructions in order, common parts once, without a pool.

mod code;
mod compile;
mod lower;
#[cfg(feature = "autodiff")]
mod trace;

use crate::{ExprError, Function};

pub use code::Language;
pub use compile::Compiled;

/// A derivative of an unknown function, or the function itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldDerivative {
    /// Name of the function.
    pub field: String,
    /// How often it is differentiated by each of its arguments, in their order.
    pub orders: Vec<usize>,
}

impl FieldDerivative {
    /// Number of derivatives, 0 for the function itself.
    #[must_use]
    pub fn order(&self) -> usize {
        self.orders.iter().sum()
    }
}

/// What a formula must be given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaf {
    /// A symbol, by its name.
    Symbol(String),
    /// An unknown function or a derivative of it.
    Field(FieldDerivative),
}

/// An operation on values of earlier instructions, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Instruction {
    /// A number.
    Number(f64),
    /// A leaf, by its number among [`Formula::leaves`].
    Leaf(usize),
    /// a + b.
    Add(usize, usize),
    /// a − b.
    Sub(usize, usize),
    /// a·b.
    Mul(usize, usize),
    /// a/b.
    Div(usize, usize),
    /// −a.
    Neg(usize),
    /// aⁿ for n ≥ 2.
    Powi(usize, i32),
    /// √a.
    Sqrt(usize),
    /// a^b.
    Pow(usize, usize),
    /// A function of a.
    Call(Function, usize),
}

impl Instruction {
    /// The numbers of its operands.
    pub(crate) fn operands(self) -> impl Iterator<Item = usize> {
        let [a, b] = match self {
            Self::Number(_) | Self::Leaf(_) => [None, None],
            Self::Neg(a) | Self::Powi(a, _) | Self::Sqrt(a) | Self::Call(_, a) => [Some(a), None],
            Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b)
            | Self::Pow(a, b) => [Some(a), Some(b)],
        };
        a.into_iter().chain(b)
    }

    pub(crate) fn renamed(self, name: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Number(_) | Self::Leaf(_) => self,
            Self::Add(a, b) => Self::Add(name(a), name(b)),
            Self::Sub(a, b) => Self::Sub(name(a), name(b)),
            Self::Mul(a, b) => Self::Mul(name(a), name(b)),
            Self::Div(a, b) => Self::Div(name(a), name(b)),
            Self::Pow(a, b) => Self::Pow(name(a), name(b)),
            Self::Neg(a) => Self::Neg(name(a)),
            Self::Powi(a, n) => Self::Powi(name(a), n),
            Self::Sqrt(a) => Self::Sqrt(name(a)),
            Self::Call(f, a) => Self::Call(f, name(a)),
        }
    }

    /// Cycles by the model of [`Formula::cost`].
    #[must_use]
    pub fn cost(self) -> u64 {
        match self {
            Self::Number(_) | Self::Leaf(_) => 0,
            Self::Add(..) | Self::Sub(..) | Self::Neg(_) => 1,
            Self::Mul(..) => 3,
            Self::Div(..) => 24,
            Self::Powi(_, n) => 3 * u64::from(n.unsigned_abs().max(1).next_power_of_two().ilog2()),
            Self::Sqrt(_) => 20,
            Self::Pow(..) => 80,
            Self::Call(function, _) => function.cost(),
        }
    }
}

/// Values that formulas compute with: numbers, intervals, Taylor series, arrays of another library, text.
pub trait Algebra {
    /// A value.
    type Value: Clone;

    /// The value of a number.
    fn number(&mut self, value: f64) -> Self::Value;

    /// a + b.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;

    /// a − b.
    fn sub(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;

    /// a·b.
    fn mul(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;

    /// a/b.
    fn div(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;

    /// −a.
    fn neg(&mut self, a: &Self::Value) -> Self::Value;

    /// aⁿ for n ≥ 2: by squares unless it is written otherwise.
    fn powi(&mut self, a: &Self::Value, n: i32) -> Self::Value {
        let (mut square, mut left) = (a.clone(), n.unsigned_abs());
        let mut result: Option<Self::Value> = None;
        loop {
            if left & 1 == 1 {
                result = Some(match result {
                    Some(result) => self.mul(&result, &square),
                    None => square.clone(),
                });
            }
            left >>= 1;
            match result {
                Some(result) if left == 0 => return result,
                None if left == 0 => return self.number(1.0),
                _ => square = self.mul(&square, &square),
            }
        }
    }

    /// √a.
    fn sqrt(&mut self, a: &Self::Value) -> Self::Value;

    /// a^b.
    fn pow(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;

    /// a^c.
    fn powf(&mut self, a: &Self::Value, c: f64) -> Self::Value {
        let c = self.number(c);
        self.pow(a, &c)
    }

    /// A function of a.
    fn call(&mut self, function: Function, a: &Self::Value) -> Self::Value;
}

/// Instructions that compute expressions, common parts once; made by [`Pool::formula`](crate::Pool::formula).
///
/// ```
/// use ansatz_expr::{Leaf, Pool};
/// let pool = Pool::new();
/// let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
/// let radius = (x * x + y * y).sqrt();
/// let formula = pool.formula(&[radius, 1.0 / radius])?;
/// assert_eq!(formula.leaves()[0], Leaf::Symbol("x".into()));
/// let compiled = formula.compile(&["x", "y"])?;
/// let out = compiled.evaluate(&[&[3.0, 6.0], &[4.0, 8.0]])?;
/// assert_eq!(out, [[5.0, 10.0], [0.2, 0.1]]);
/// # Ok::<(), ansatz_expr::ExprError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) names: Vec<String>,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) outputs: Vec<usize>,
}

impl Formula {
    /// What it must be given, each once: symbols in the order of their declaration, then functions with their derivatives.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The leaves as text writes them: `x`, `u`, `u_xx`.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The instructions, operands first.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The instructions that compute the outputs.
    #[must_use]
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// Cycles of one evaluation by a rough model of a processor: 1 for a sum or a sign, 3 for a product, 24 for a division, 20
    /// for a square root, 3⌈log₂ n⌉ for an n-th power, 40 for a function, 80 for any other power; numbers and leaves are
    /// free.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.instructions.iter().map(|i| i.cost()).sum()
    }

    /// Computes the outputs in an algebra, given the value of each leaf.
    pub fn fold<A: Algebra>(
        &self,
        algebra: &mut A,
        mut leaf: impl FnMut(&Leaf) -> A::Value,
    ) -> Vec<A::Value> {
        let leaves: Vec<A::Value> = self.leaves.iter().map(&mut leaf).collect();
        let mut values: Vec<A::Value> = Vec::with_capacity(self.instructions.len());
        for instruction in &self.instructions {
            let value = match *instruction {
                Instruction::Number(value) => algebra.number(value),
                Instruction::Leaf(leaf) => leaves[leaf].clone(),
                Instruction::Add(a, b) => algebra.add(&values[a], &values[b]),
                Instruction::Sub(a, b) => algebra.sub(&values[a], &values[b]),
                Instruction::Mul(a, b) => algebra.mul(&values[a], &values[b]),
                Instruction::Div(a, b) => algebra.div(&values[a], &values[b]),
                Instruction::Neg(a) => algebra.neg(&values[a]),
                Instruction::Powi(a, n) => algebra.powi(&values[a], n),
                Instruction::Sqrt(a) => algebra.sqrt(&values[a]),
                Instruction::Pow(a, b) => match self.instructions[b] {
                    Instruction::Number(c) => algebra.powf(&values[a], c),
                    _ => algebra.pow(&values[a], &values[b]),
                },
                Instruction::Call(function, a) => algebra.call(function, &values[a]),
            };
            values.push(value);
        }
        self.outputs.iter().map(|o| values[*o].clone()).collect()
    }

    /// Code that evaluates it over arrays, given in the order of `names` (those of [`Formula::names`], blanks aside). Names
    /// that it does not use are allowed.
    ///
    /// # Errors
    /// [`ExprError::Unbound`] for a leaf that is not among the names.
    pub fn compile(&self, names: &[&str]) -> Result<Compiled, ExprError> {
        Compiled::new(self, names)
    }
}
