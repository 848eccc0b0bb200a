//! Formulas as source text of a function of one point.

use std::fmt::Write as _;

use super::{Formula, Instruction};
use crate::Function;

/// A programming language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// `fn name(x: &[f64; n], out: &mut [f64; m])`.
    Rust,
    /// C99, `void name(const double x[n], double out[m])`; needs `math.h`.
    C,
}

impl Formula {
    /// A function `name` that reads the leaves from `x`, in the order of [`Formula::names`], and writes the outputs.
    ///
    /// The operations are those of [`Formula::instructions`], in their order. `name` is taken as it is. In Rust the error
    /// function is `libm::erf`.
    ///
    /// ```
    /// use ansatz_expr::{Language, Pool};
    /// let pool = Pool::new();
    /// pool.symbol("x");
    /// let formula = pool.formula(&[pool.parse("2*sin(x)")?])?;
    /// let code = formula.code(Language::C, "wave");
    /// assert!(code.contains("const double v1 = sin(v0);"), "{code}");
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    #[must_use]
    pub fn code(&self, language: Language, name: &str) -> String {
        let (inputs, outputs) = (self.leaves.len(), self.outputs.len());
        let mut text = String::new();
        // Writing to a string does not fail.
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            let _ = text.write_fmt(arguments);
            text.push('\n');
        };
        let variable = match language {
            Language::Rust => {
                line(format_args!("/// Inputs: {}.", self.names.join(", ")));
                line(format_args!(
                    "pub fn {name}(x: &[f64; {inputs}], out: &mut [f64; {outputs}]) {{"
                ));
                "let"
            }
            Language::C => {
                line(format_args!("/* Inputs: {}. */", self.names.join(", ")));
                line(format_args!(
                    "void {name}(const double x[{}], double out[{outputs}]) {{",
                    inputs.max(1)
                ));
                "const double"
            }
        };
        for (i, instruction) in self.instructions.iter().enumerate() {
            let value = expression(*instruction, language);
            line(format_args!("    {variable} v{i} = {value};"));
        }
        for (i, output) in self.outputs.iter().enumerate() {
            line(format_args!("    out[{i}] = v{output};"));
        }
        line(format_args!("}}"));
        text
    }
}

fn expression(instruction: Instruction, language: Language) -> String {
    let rust = language == Language::Rust;
    match instruction {
        Instruction::Number(value) if rust => format!("{value:?}_f64"),
        Instruction::Number(value) => format!("{value:?}"),
        Instruction::Leaf(leaf) => format!("x[{leaf}]"),
        Instruction::Add(a, b) => format!("v{a} + v{b}"),
        Instruction::Sub(a, b) => format!("v{a} - v{b}"),
        Instruction::Mul(a, b) => format!("v{a} * v{b}"),
        Instruction::Div(a, b) => format!("v{a} / v{b}"),
        Instruction::Neg(a) => format!("-v{a}"),
        Instruction::Powi(a, n) if rust => format!("v{a}.powi({n})"),
        Instruction::Powi(a, 2) => format!("v{a} * v{a}"),
        Instruction::Powi(a, n) => format!("pow(v{a}, {n}.0)"),
        Instruction::Sqrt(a) if rust => format!("v{a}.sqrt()"),
        Instruction::Sqrt(a) => format!("sqrt(v{a})"),
        Instruction::Pow(a, b) if rust => format!("v{a}.powf(v{b})"),
        Instruction::Pow(a, b) => format!("pow(v{a}, v{b})"),
        Instruction::Call(function, a) => match (function, rust) {
            (Function::Erf, true) => format!("libm::erf(v{a})"),
            (Function::Sign, true) => format!("if v{a} == 0.0 {{ v{a} }} else {{ v{a}.signum() }}"),
            (Function::Sign, false) => format!("(v{a} > 0.0) - (v{a} < 0.0)"),
            (Function::Ln, false) => format!("log(v{a})"),
            (Function::Abs, false) => format!("fabs(v{a})"),
            (_, true) => format!("v{a}.{}()", function.name()),
            (_, false) => format!("{}(v{a})", function.name()),
        },
    }
}
