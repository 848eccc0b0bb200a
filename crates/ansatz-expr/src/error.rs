//! What making, reading and evaluating expressions can fail with.

use thiserror::Error;

/// An expression could not be read, made or evaluated. Positions are bytes from the start of the text.
///
/// Operators cannot return errors. An operation without a value (a division by a literal zero, a symbol of an impossible
/// name) gives an expression that holds the error, and so is every expression made from it; [`Expr::check`], parsing,
/// [`Pool::formula`] and everything built on it return that error.
///
/// [`Expr::check`]: crate::Expr::check
/// [`Pool::formula`]: crate::Pool::formula
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ExprError {
    /// A name that was not declared.
    #[error("unknown symbol `{name}` at byte {position}; {}", declared(.known))]
    UnknownSymbol {
        /// The name.
        name: String,
        /// Where it stands.
        position: usize,
        /// The declared names, the closest first.
        known: Vec<String>,
    },
    /// A call of something that is no function.
    #[error("unknown function `{name}` at byte {position}; closest are {}", .known.join(", "))]
    UnknownFunction {
        /// The name.
        name: String,
        /// Where it stands.
        position: usize,
        /// Names of functions, the closest first.
        known: Vec<String>,
    },
    /// A derivative that can be read in several ways.
    #[error(
        "`{name}` at byte {position} is the derivative of `{field}` in several ways; separate the symbols: {field}_{{{first}}} or {field}_{{{second}}}"
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// Where it stands.
        position: usize,
        /// The function.
        field: String,
        /// One reading.
        first: String,
        /// Another.
        second: String,
    },
    /// Text that does not follow the grammar.
    #[error("at byte {position}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        position: usize,
        /// What would fit.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// More nesting than is allowed.
    #[error("at byte {position}: nested deeper than {limit} levels; name the inner parts")]
    Depth {
        /// Where the limit was passed.
        position: usize,
        /// The limit.
        limit: usize,
    },
    /// A function with too many or too few arguments.
    #[error("`{function}` at byte {position} takes {expected}, {got} given")]
    Arity {
        /// The function.
        function: String,
        /// Where it stands.
        position: usize,
        /// What it takes.
        expected: String,
        /// Arguments given.
        got: usize,
    },
    /// A division by the number zero.
    #[error("division of `{term}` by zero")]
    DivisionByZero {
        /// What was divided.
        term: String,
    },
    /// A function of a number where it has no (real, finite) value.
    #[error("`{term}` has no value")]
    Domain {
        /// The function and its argument.
        term: String,
    },
    /// A number that is not finite: given so, or an overflow of exact arithmetic on numbers.
    #[error("{value} is not a finite number")]
    NotFinite {
        /// The value.
        value: f64,
    },
    /// A name that text could not refer to.
    #[error("`{name}` cannot be a name: {problem}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        problem: String,
    },
    /// A function of unknowns, or a derivative, with respect to something that is no symbol.
    #[error("{what} needs a symbol, `{got}` is none")]
    NotASymbol {
        /// What needs it.
        what: String,
        /// What it got.
        got: String,
    },
    /// A symbol was replaced that an unknown function depends on.
    #[error(
        "`{field}` depends on `{symbol}`, which cannot be replaced while `{field}` is unknown: replace `{field}` first"
    )]
    Argument {
        /// The function.
        field: String,
        /// The symbol.
        symbol: String,
    },
    /// Expressions of two pools in one operation.
    #[error("expressions of two pools cannot be combined")]
    OtherPool,
    /// A leaf of the formula that no input stands for.
    #[error("`{leaf}` is unbound; inputs are {}", .inputs.join(", "))]
    Unbound {
        /// The leaf.
        leaf: String,
        /// Names of the inputs.
        inputs: Vec<String>,
    },
    /// As many arrays as inputs (or outputs) are needed.
    #[error("{what}: {got} given, {expected} needed")]
    Count {
        /// What was counted.
        what: &'static str,
        /// Number needed.
        expected: usize,
        /// Number given.
        got: usize,
    },
    /// Arrays that do not have the common length.
    #[error("{what} {index} has {got} elements, {expected} are needed")]
    Length {
        /// Input or output.
        what: &'static str,
        /// Which one.
        index: usize,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        got: usize,
    },
    /// A value that is not finite.
    #[error("output {output} is {value} at point {point}: the formula has no finite value there")]
    Value {
        /// Which output.
        output: usize,
        /// Which point.
        point: usize,
        /// The value.
        value: f64,
    },
}

fn declared(known: &[String]) -> String {
    if known.is_empty() {
        return "no symbol is declared".into();
    }
    format!("declared are {}", known.join(", "))
}
