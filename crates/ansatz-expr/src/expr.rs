//! Handles of expressions and what is done with them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::arena::{Arena, Id, Node};
use crate::number::Number;
use crate::{ExprError, FieldDerivative, Function, Pool};

/// An expression: a handle to a node of its [`Pool`]. Equal expressions of one pool are equal handles.
///
/// It is written as text that [`Pool::parse`] reads back.
#[derive(Clone, Copy)]
pub struct Expr<'p> {
    pub(crate) pool: &'p Pool,
    pub(crate) id: Id,
}

impl PartialEq for Expr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.pool, other.pool)
    }
}

impl Eq for Expr<'_> {}

impl Hash for Expr<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for Expr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pool.arena.borrow().text(self.id))
    }
}

impl fmt::Debug for Expr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! functions {
    ($($method:ident $function:ident, $words:literal;)*) => {
        impl<'p> Expr<'p> {
            $(
                #[doc = $words]
                #[must_use]
                pub fn $method(self) -> Self {
                    self.call(Function::$function)
                }
            )*
        }
    };
}

functions! {
    exp Exp, "eˣ.";
    ln Ln, "Natural logarithm.";
    sin Sin, "Sine.";
    cos Cos, "Cosine.";
    tan Tan, "Tangent.";
    asin Asin, "Arcsine.";
    acos Acos, "Arccosine.";
    atan Atan, "Arctangent.";
    sinh Sinh, "Hyperbolic sine.";
    cosh Cosh, "Hyperbolic cosine.";
    tanh Tanh, "Hyperbolic tangent.";
    asinh Asinh, "Inverse hyperbolic sine.";
    acosh Acosh, "Inverse hyperbolic cosine.";
    atanh Atanh, "Inverse hyperbolic tangent.";
    erf Erf, "Error function.";
    abs Abs, "|x|.";
    sign Sign, "−1, 0 or 1.";
}

impl<'p> Expr<'p> {
    /// Its pool.
    #[must_use]
    pub fn pool(self) -> &'p Pool {
        self.pool
    }

    fn with(self, other: Self, f: impl FnOnce(&mut Arena, Id, Id) -> Id) -> Self {
        self.pool.make(|arena| {
            if std::ptr::eq(self.pool, other.pool) {
                f(arena, self.id, other.id)
            } else {
                arena.undefined(ExprError::OtherPool)
            }
        })
    }

    /// A function of it.
    #[must_use]
    pub fn call(self, function: Function) -> Self {
        self.pool.make(|arena| arena.call(function, self.id))
    }

    /// xⁿ.
    #[must_use]
    pub fn powi(self, n: i32) -> Self {
        let exponent = Number::integer(i64::from(n));
        self.pool
            .make(|arena| arena.product(&[(self.id, exponent)]))
    }

    /// x^c.
    #[must_use]
    pub fn powf(self, c: f64) -> Self {
        self.pow(self.pool.number(c))
    }

    /// x^y.
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        self.with(exponent, Arena::power)
    }

    /// √x.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.pool
            .make(|arena| arena.product(&[(self.id, Number::HALF)]))
    }

    /// As LaTeX, without delimiters.
    #[must_use]
    pub fn latex(self) -> String {
        self.pool.arena.borrow().latex(self.id)
    }

    /// Itself, or the error that it holds.
    ///
    /// # Errors
    /// What had no value when it was made.
    pub fn check(self) -> Result<Self, ExprError> {
        match self.pool.arena.borrow().error(self.id) {
            Some(error) => Err(error.clone()),
            None => Ok(self),
        }
    }

    /// The number that it is, if it is one.
    #[must_use]
    pub fn as_number(self) -> Option<f64> {
        match self.pool.arena.borrow().node(self.id) {
            Node::Number(n) => Some(n.value()),
            Node::Constant(c) => Some(c.value()),
            _ => None,
        }
    }

    /// Whether it is the number 0.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.as_number() == Some(0.0)
    }

    /// The derivative with respect to a symbol; with respect to an unknown function or one of its derivatives, that leaf
    /// is taken as a variable of its own.
    ///
    /// Anything else than a leaf gives an expression that holds [`ExprError::NotASymbol`]. Takes a step for each
    /// distinct node.
    #[must_use]
    pub fn derivative(self, variable: Self) -> Self {
        self.with(variable, Arena::derivative)
    }

    /// All of `replacements` at once, each a leaf and what takes its place.
    ///
    /// An unknown function takes its derivatives with it: with `u` by x², `u_x` becomes 2x. A derivative is replaced by
    /// itself only. A symbol that an unknown function depends on cannot be replaced while that function stays: the
    /// result then holds [`ExprError::Argument`].
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    /// let u = pool.field("u", &[x, t]);
    /// let heat = pool.parse("u_t - u_xx")?;
    /// let solution = (-t).exp() * x.sin();
    /// assert!(heat.substitute(&[(u, solution)]).is_zero());
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    #[must_use]
    pub fn substitute(self, replacements: &[(Self, Self)]) -> Self {
        let foreign = |e: &Self| !std::ptr::eq(e.pool, self.pool);
        if replacements.iter().any(|(a, b)| foreign(a) || foreign(b)) {
            return self
                .pool
                .make(|arena| arena.undefined(ExprError::OtherPool));
        }
        let ids: Vec<(Id, Id)> = replacements.iter().map(|(a, b)| (a.id, b.id)).collect();
        self.pool.make(|arena| arena.substitute(self.id, &ids))
    }

    /// Products and whole powers of sums multiplied out, everywhere, where that gives up to 100 000 terms.
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
    /// assert_eq!((x + y).powi(2).expand(), x * x + 2.0 * x * y + y * y);
    /// ```
    #[must_use]
    pub fn expand(self) -> Self {
        self.pool.make(|arena| arena.expand(self.id))
    }

    /// The symbols in it, in the order of their declaration.
    #[must_use]
    pub fn symbols(self) -> Vec<Self> {
        let arena = self.pool.arena.borrow();
        let is_symbol = |id: &Id| matches!(arena.node(*id), Node::Symbol(_));
        let mut ids = arena.reachable(&[self.id]);
        ids.retain(is_symbol);
        let pool = self.pool;
        ids.into_iter().map(|id| Self { pool, id }).collect()
    }

    /// The unknown functions in it and their derivatives, each once.
    #[must_use]
    pub fn fields(self) -> Vec<FieldDerivative> {
        let arena = self.pool.arena.borrow();
        let ids = arena.reachable(&[self.id]);
        let mut found: Vec<(u32, &[u32])> = ids
            .iter()
            .filter_map(|id| match arena.node(*id) {
                Node::Field(field, orders) => Some((*field, &**orders)),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        let leaf = |(field, orders): &(u32, &[u32])| FieldDerivative {
            field: arena.names[*field as usize].name.clone(),
            orders: orders.iter().map(|n| *n as usize).collect(),
        };
        found.iter().map(leaf).collect()
    }

    /// Cycles that its formula takes, by the model of [`Formula::cost`](crate::Formula::cost).
    ///
    /// # Errors
    /// The error that it holds.
    pub fn cost(self) -> Result<u64, ExprError> {
        Ok(self.pool.formula(&[self])?.cost())
    }

    /// Its value with numbers for all leaves, by their names.
    ///
    /// # Errors
    /// [`ExprError::Unbound`], [`ExprError::Value`], and the error that it holds.
    pub fn evaluate(self, values: &[(&str, f64)]) -> Result<f64, ExprError> {
        let (names, values): (Vec<&str>, Vec<f64>) = values.iter().copied().unzip();
        let compiled = self.pool.formula(&[self])?.compile(&names)?;
        let mut out = [0.0];
        compiled.at(&values, &mut out, &mut Vec::new())?;
        Ok(out[0])
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $make:path) => {
        impl<'p> $trait for Expr<'p> {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.with(other, $make)
            }
        }

        impl<'p> $trait<f64> for Expr<'p> {
            type Output = Self;

            fn $method(self, other: f64) -> Self {
                self.with(self.pool.number(other), $make)
            }
        }

        impl<'p> $trait<Expr<'p>> for f64 {
            type Output = Expr<'p>;

            fn $method(self, other: Expr<'p>) -> Expr<'p> {
                other.pool.number(self).with(other, $make)
            }
        }
    };
}

operator!(Add, add, Arena::add);
operator!(Sub, sub, Arena::subtract);
operator!(Mul, mul, Arena::multiply);
operator!(Div, div, Arena::divide);

impl Neg for Expr<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.pool
            .make(|arena| arena.scale(self.id, Number::MINUS_ONE))
    }
}

impl std::iter::Sum for Expr<'_> {
    /// # Panics
    /// Without terms: there is no pool to make a zero in.
    fn sum<I: Iterator<Item = Self>>(mut iter: I) -> Self {
        let Some(first) = iter.next() else {
            panic!("a sum of expressions has a term")
        };
        iter.fold(first, Add::add)
    }
}
