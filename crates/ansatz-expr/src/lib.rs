#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod arena;
mod error;
mod expr;
mod formula;
mod function;
mod jacobian;
mod number;
mod parse;
mod pool;
mod print;
mod rules;
mod simplify;

#[cfg(feature = "autodiff")]
pub use ansatz_autodiff as autodiff;
pub use error::ExprError;
pub use expr::Expr;
pub use formula::{Algebra, Compiled, FieldDerivative, Formula, Instruction, Language, Leaf};
pub use function::Function;
pub use jacobian::{Jacobian, Sparsity};
pub use pool::Pool;
pub use rules::{Bindings, Head, Pattern, Rule, Strategy, Term};
#[cfg(feature = "egraph")]
pub use simplify::Saturation;
