//! Maps that are sums of products of argument matrices with vectors: linear systems, and the parts of quadratic programs.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, add_outer, add_product, add_transposed, check};
use crate::LinalgError;
use crate::error::finite;

/// The matrix of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// The identity.
    Identity,
    /// Argument k, row by row.
    Matrix(usize),
    /// The transpose of argument k.
    Transposed(usize),
}

/// The vector of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// x.
    Unknowns,
    /// Argument k.
    Argument(usize),
}

/// One summand, `coefficient`·`factor`·`operand`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// A number.
    pub coefficient: f64,
    /// A matrix.
    pub factor: Factor,
    /// A vector.
    pub operand: Operand,
}

/// y = Σ cₜ·Mₜ·vₜ, where matrices are arguments and vectors are x or arguments. A product costs as much as the value.
#[derive(Debug, Clone, PartialEq)]
pub struct Bilinear {
    unknowns: usize,
    outputs: usize,
    arguments: Vec<usize>,
    terms: Vec<Term>,
}

impl Bilinear {
    /// From the lengths of x, y and the arguments, and the terms.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] when a term names an argument that does not exist, or lengths do not fit.
    pub fn new(
        unknowns: usize,
        outputs: usize,
        arguments: Vec<usize>,
        terms: Vec<Term>,
    ) -> Result<Self, LinalgError> {
        let known = |k: usize| {
            arguments.get(k).copied().ok_or(LinalgError::Shape {
                what: "arguments (at least)",
                expected: k + 1,
                got: arguments.len(),
            })
        };
        for term in &terms {
            let length = match term.operand {
                Operand::Unknowns => unknowns,
                Operand::Argument(k) => known(k)?,
            };
            let (expected, got) = match term.factor {
                Factor::Identity => (outputs, length),
                Factor::Matrix(k) | Factor::Transposed(k) => (outputs * length, known(k)?),
            };
            crate::error::shape("elements of a factor", expected, got)?;
        }
        Ok(Self {
            unknowns,
            outputs,
            arguments,
            terms,
        })
    }

    /// The same for terms that are known to fit.
    pub(super) fn fitting(
        unknowns: usize,
        outputs: usize,
        arguments: Vec<usize>,
        terms: Vec<Term>,
    ) -> Self {
        Self {
            unknowns,
            outputs,
            arguments,
            terms,
        }
    }

    /// A·x − b for square A of order `n`, with the arguments [A, b].
    #[must_use]
    pub fn linear_system(n: usize) -> Self {
        Self {
            unknowns: n,
            outputs: n,
            arguments: vec![n * n, n],
            terms: vec![
                Term {
                    coefficient: 1.0,
                    factor: Factor::Matrix(0),
                    operand: Operand::Unknowns,
                },
                Term {
                    coefficient: -1.0,
                    factor: Factor::Identity,
                    operand: Operand::Argument(1),
                },
            ],
        }
    }
}

/// `out ← out + c·M·v`.
fn accumulate(c: f64, factor: Factor, args: &[&[f64]], v: &[f64], out: &mut [f64]) {
    match factor {
        Factor::Identity => {
            for (out, v) in out.iter_mut().zip(v) {
                *out += c * v;
            }
        }
        Factor::Matrix(k) => add_product(c, args[k], v, out),
        Factor::Transposed(k) => add_transposed(c, args[k], v, out),
    }
}

/// The transpose of a factor.
fn transposed(factor: Factor) -> Factor {
    match factor {
        Factor::Identity => Factor::Identity,
        Factor::Matrix(k) => Factor::Transposed(k),
        Factor::Transposed(k) => Factor::Matrix(k),
    }
}

impl ParametricMap for Bilinear {
    fn unknowns(&self) -> usize {
        self.unknowns
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn arguments(&self) -> Vec<usize> {
        self.arguments.clone()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        self.value(at, out)?;
        Ok(Box::new(AtPoint {
            map: self,
            x: at.x.to_vec(),
            args: at.args.iter().map(|a| a.to_vec()).collect(),
        }))
    }

    fn value(&self, at: Point<'_>, out: &mut [f64]) -> Result<(), LinalgError> {
        check(self, at, out)?;
        out.fill(0.0);
        for term in &self.terms {
            let v = match term.operand {
                Operand::Unknowns => at.x,
                Operand::Argument(k) => at.args[k],
            };
            accumulate(term.coefficient, term.factor, at.args, v, out);
        }
        finite("value of a map", out)
    }
}

struct AtPoint<'a> {
    map: &'a Bilinear,
    x: Vec<f64>,
    args: Vec<Vec<f64>>,
}

impl AtPoint<'_> {
    fn args(&self) -> Vec<&[f64]> {
        self.args.iter().map(Vec::as_slice).collect()
    }

    fn operand(&self, term: &Term) -> &[f64] {
        match term.operand {
            Operand::Unknowns => &self.x,
            Operand::Argument(k) => &self.args[k],
        }
    }

    fn in_x(&self) -> impl Iterator<Item = &Term> {
        let terms = self.map.terms.iter();
        terms.filter(|t| t.operand == Operand::Unknowns)
    }
}

impl Derivative for AtPoint<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        let args = self.args();
        for term in self.in_x() {
            accumulate(term.coefficient, term.factor, &args, w, out);
        }
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        let args = self.args();
        for term in self.in_x() {
            accumulate(term.coefficient, transposed(term.factor), &args, v, out);
        }
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(0.0);
        let args = self.args();
        for term in &self.map.terms {
            if term.factor != Factor::Identity {
                let v = self.operand(term);
                accumulate(term.coefficient, term.factor, w, v, out);
            }
            if let Operand::Argument(k) = term.operand {
                accumulate(term.coefficient, term.factor, &args, w[k], out);
            }
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        for out in out.iter_mut() {
            out.fill(0.0);
        }
        let args = self.args();
        for term in &self.map.terms {
            let (c, operand) = (term.coefficient, self.operand(term));
            match term.factor {
                Factor::Identity => {}
                Factor::Matrix(k) => add_outer(c, v, operand, out[k]),
                Factor::Transposed(k) => add_outer(c, operand, v, out[k]),
            }
            if let Operand::Argument(k) = term.operand {
                accumulate(c, transposed(term.factor), &args, v, out[k]);
            }
        }
        Ok(())
    }
}
