//! Equations of one unknown as functions of numbers.

use ansatz_expr::Compiled;

use super::lower::{Reader, normal_misused, term};
use crate::PdeError;

/// An equation as a function of numbers: coordinates, then derivatives of the unknown.
#[derive(Debug, Clone)]
pub(crate) struct Pointwise {
    compiled: Compiled,
    /// Orders of the derivatives.
    pub(crate) wanted: Vec<Vec<usize>>,
}

impl Pointwise {
    /// The residual; its slopes in the derivatives go to `slopes`. NaN where the formula has no value.
    pub(crate) fn at(&self, x: &[f64], fields: &[f64], slopes: &mut [f64]) -> f64 {
        let inputs = [x, fields].concat();
        let (mut outputs, mut registers) = (vec![0.0; 1 + slopes.len()], Vec::new());
        let run = self.compiled.at(&inputs, &mut outputs, &mut registers);
        if run.is_err() {
            outputs.fill(f64::NAN);
        }
        slopes.copy_from_slice(&outputs[1..]);
        outputs[0]
    }
}

impl Reader<'_> {
    /// An equation of one unknown as a function of numbers, with its slopes.
    pub(super) fn pointwise(&self, text: &str) -> Result<Pointwise, PdeError> {
        let e = self.pool.equation(text).map_err(term(text))?;
        let e = e.substitute(&self.constants);
        let dims = self.coordinates.len();
        let (mut outputs, mut wanted) = (vec![e], Vec::new());
        let mut names: Vec<String> = self.coordinates.to_vec();
        for derivative in e.fields() {
            let mut leaf = self.pool.parse(&derivative.field).map_err(term(text))?;
            for (name, order) in self.coordinates.iter().zip(&derivative.orders) {
                for _ in 0..*order {
                    leaf = leaf.derivative(self.pool.symbol(name));
                }
            }
            if derivative.orders.get(dims).is_some_and(|n| *n > 0) {
                return Err(normal_misused(text, &leaf.to_string()));
            }
            outputs.push(e.derivative(leaf));
            names.push(leaf.to_string());
            let mut orders = derivative.orders;
            orders.truncate(dims);
            wanted.push(orders);
        }
        let formula = self.pool.formula(&outputs).map_err(term(text))?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Pointwise {
            compiled: formula.compile(&names).map_err(term(text))?,
            wanted,
        })
    }
}
