//! Where expressions live.

use std::cell::RefCell;

use crate::arena::{Arena, Constant, Id};
use crate::{Expr, ExprError, Formula};

/// A store of expressions, each kept once: equal expressions are the same node, and comparing them costs nothing.
///
/// Sums are a constant and a map from terms to coefficients, products a coefficient and a map from bases to exponents, so that
/// x + x, x·x and sums of sums are in canonical form as they are written, at a constant cost (amortised) for each operation.
/// Numbers are rationals while numerator and denominator are below 2⁵³, `f64` beyond. Nothing is ever removed; dropping the
/// pool frees it.
///
/// What is rewritten as it is made holds wherever both sides have values: x/x = 1, 0·x = 0, √x·√x = x. √(x²) stays.
///
/// ```
/// use ansatz_expr::Pool;
/// let pool = Pool::new();
/// let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
/// assert_eq!((x + y) + x, 2.0 * x + y);
/// assert_eq!((x * y.sin()).derivative(y).to_string(), "x*cos(y)");
/// ```
#[derive(Debug, Default)]
pub struct Pool {
    pub(crate) arena: RefCell<Arena>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn make(&self, f: impl FnOnce(&mut Arena) -> Id) -> Expr<'_> {
        let id = f(&mut self.arena.borrow_mut());
        Expr { pool: self, id }
    }

    /// The symbol of that name. A name that text could not refer to gives an expression that holds
    /// [`ExprError::Name`].
    pub fn symbol(&self, name: &str) -> Expr<'_> {
        self.make(|arena| arena.symbol(name))
    }

    /// A number. One that is printed with few digits is the decimal fraction that is printed: `0.1` is 1/10. One that is
    /// not finite gives an expression that holds [`ExprError::NotFinite`].
    pub fn number(&self, value: f64) -> Expr<'_> {
        self.make(|arena| arena.number(value))
    }

    /// π.
    pub fn pi(&self) -> Expr<'_> {
        self.make(|arena| arena.constant(Constant::Pi))
    }

    /// An unknown function of symbols. Its derivatives are leaves: `u.derivative(x)` is `u_x`.
    ///
    /// Arguments that are no symbols, a repeated one, or a name that is taken give an expression that holds the error.
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    /// let u = pool.field("u", &[x, t]);
    /// assert_eq!((u * u).derivative(x).to_string(), "2*u*u_x");
    /// ```
    pub fn field<'p>(&'p self, name: &str, arguments: &[Expr<'p>]) -> Expr<'p> {
        if arguments.iter().any(|a| !std::ptr::eq(a.pool, self)) {
            return self.make(|arena| arena.undefined(ExprError::OtherPool));
        }
        let ids: Vec<Id> = arguments.iter().map(|a| a.id).collect();
        self.make(|arena| arena.field(name, &ids))
    }

    /// The declared names, symbols and functions, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let arena = self.arena.borrow();
        arena.names.iter().map(|n| n.name.clone()).collect()
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.borrow().len()
    }

    /// Whether nothing was made yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What computes `outputs`, common parts once; it owns all that it needs.
    ///
    /// # Errors
    /// The error that an output holds, [`ExprError::OtherPool`].
    pub fn formula(&self, outputs: &[Expr<'_>]) -> Result<Formula, ExprError> {
        for output in outputs {
            if !std::ptr::eq(output.pool, self) {
                return Err(ExprError::OtherPool);
            }
            output.check()?;
        }
        let ids: Vec<Id> = outputs.iter().map(|e| e.id).collect();
        Formula::lower(&self.arena.borrow(), &ids)
    }
}
