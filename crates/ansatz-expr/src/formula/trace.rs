//! Formulas as array programs.

use ansatz_autodiff::{Array, Graph};

use super::{Algebra, Formula, Leaf};
use crate::Function;

impl Formula {
    /// Writes the formula into an array program: arrays for the leaves give arrays for the outputs, element by element. An
    /// output without leaves is a number of shape `[]`.
    ///
    /// The program is differentiated, compiled and run as any other, together with the network that the leaves come
    /// from.
    ///
    /// # Panics
    /// When the shapes of the leaves do not broadcast.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// let x = pool.symbol("x");
    /// let formula = pool.formula(&[x.sin() * x])?;
    /// let g = Graph::new();
    /// let points = g.input(&[3]);
    /// let y = formula.trace(&g, |_| points)[0];
    /// let program = Program::<f64>::compile(&g.finish(&[y]), &Options::default())?;
    /// let mut out = [0.0; 3];
    /// program.run(&[&[0.0, 1.0, 2.0]], &mut [&mut out])?;
    /// assert!((out[2] - 2.0 * 2.0_f64.sin()).abs() < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace<'g>(
        &self,
        graph: &'g Graph,
        leaf: impl FnMut(&Leaf) -> Array<'g>,
    ) -> Vec<Array<'g>> {
        self.fold(&mut Arrays(graph), leaf)
    }
}

struct Arrays<'g>(&'g Graph);

impl<'g> Algebra for Arrays<'g> {
    type Value = Array<'g>;

    fn number(&mut self, value: f64) -> Array<'g> {
        self.0.number(value)
    }

    fn add(&mut self, a: &Array<'g>, b: &Array<'g>) -> Array<'g> {
        *a + *b
    }

    fn sub(&mut self, a: &Array<'g>, b: &Array<'g>) -> Array<'g> {
        *a - *b
    }

    fn mul(&mut self, a: &Array<'g>, b: &Array<'g>) -> Array<'g> {
        *a * *b
    }

    fn div(&mut self, a: &Array<'g>, b: &Array<'g>) -> Array<'g> {
        *a / *b
    }

    fn neg(&mut self, a: &Array<'g>) -> Array<'g> {
        -*a
    }

    fn powi(&mut self, a: &Array<'g>, n: i32) -> Array<'g> {
        a.powi(n)
    }

    fn sqrt(&mut self, a: &Array<'g>) -> Array<'g> {
        a.sqrt()
    }

    fn pow(&mut self, a: &Array<'g>, b: &Array<'g>) -> Array<'g> {
        (*b * a.ln()).exp()
    }

    fn powf(&mut self, a: &Array<'g>, c: f64) -> Array<'g> {
        a.powf(c)
    }

    fn call(&mut self, function: Function, a: &Array<'g>) -> Array<'g> {
        match function {
            Function::Exp => a.exp(),
            Function::Ln => a.ln(),
            Function::Sin => a.sin(),
            Function::Cos => a.cos(),
            Function::Tan => a.tan(),
            Function::Asin => a.asin(),
            Function::Acos => a.acos(),
            Function::Atan => a.atan(),
            Function::Sinh => a.sinh(),
            Function::Cosh => a.cosh(),
            Function::Tanh => a.tanh(),
            Function::Asinh => a.asinh(),
            Function::Acosh => a.acosh(),
            Function::Atanh => a.atanh(),
            Function::Erf => a.erf(),
            Function::Abs => a.abs(),
            Function::Sign => a.sign(),
        }
    }
}
