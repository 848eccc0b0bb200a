//! Maps made of maps.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check};
use crate::LinalgError;

/// The residual of a fixed point, F(x, θ) = x − T(x, θ).
///
/// The sign makes ∂F/∂x = I − ∂T/∂x positive for contractions T, as ∂F/∂x is for gradients of convex functions: the
/// same solvers and the same ridge serve both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPoint<T>(pub T);

impl<T: ParametricMap> ParametricMap for FixedPoint<T> {
    fn unknowns(&self) -> usize {
        self.0.unknowns()
    }

    fn arguments(&self) -> Vec<usize> {
        self.0.arguments()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let map = self.0.linearise(at, out)?;
        subtract(at.x, out);
        Ok(Box::new(Residual(map)))
    }
}

/// `out ← x − out`.
fn subtract(x: &[f64], out: &mut [f64]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = x - *out;
    }
}

struct Residual<'a>(Box<dyn Derivative + 'a>);

impl Derivative for Residual<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.0.jvp_x(w, out)?;
        subtract(w, out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.0.vjp_x(v, out)?;
        subtract(v, out);
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        self.0.jvp_args(w, out)?;
        for out in out.iter_mut() {
            *out = -*out;
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        self.0.vjp_args(v, out)?;
        out.iter_mut()
            .flat_map(|out| out.iter_mut())
            .for_each(|out| *out = -*out);
        Ok(())
    }
}

/// The map x ↦ outer(inner(x)); the arguments are those of `inner`, then those of `outer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compose<O, I> {
    /// What comes last.
    pub outer: O,
    /// What comes first.
    pub inner: I,
}

/// A composition that is one operator, such as bounds after a monotone fit.
impl<O: Proximal, I: Proximal> Proximal for Compose<O, I> {
    fn scaled(self, step: f64) -> Self {
        Self {
            outer: self.outer.scaled(step),
            inner: self.inner.scaled(step),
        }
    }
}

impl<O: ParametricMap, I: ParametricMap> ParametricMap for Compose<O, I> {
    fn unknowns(&self) -> usize {
        self.inner.unknowns()
    }

    fn outputs(&self) -> usize {
        self.outer.outputs()
    }

    fn arguments(&self) -> Vec<usize> {
        let mut all = self.inner.arguments();
        all.extend(self.outer.arguments());
        all
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let first = self.inner.arguments().len();
        let mut middle = vec![0.0; self.inner.outputs()];
        let (inner_args, outer_args) = at.args.split_at(first);
        let inner = Point {
            x: at.x,
            args: inner_args,
        };
        let inner = self.inner.linearise(inner, &mut middle)?;
        let outer = Point {
            x: &middle,
            args: outer_args,
        };
        let outer = self.outer.linearise(outer, out)?;
        Ok(Box::new(Chain {
            outer,
            inner,
            first,
            middle: middle.len(),
        }))
    }
}

struct Chain<'a> {
    outer: Box<dyn Derivative + 'a>,
    inner: Box<dyn Derivative + 'a>,
    /// Arguments of the inner map.
    first: usize,
    /// Length between the two.
    middle: usize,
}

impl Derivative for Chain<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let mut middle = vec![0.0; self.middle];
        self.inner.jvp_x(w, &mut middle)?;
        self.outer.jvp_x(&middle, out)
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let mut middle = vec![0.0; self.middle];
        self.outer.vjp_x(v, &mut middle)?;
        self.inner.vjp_x(&middle, out)
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let (inner, outer) = w.split_at(self.first);
        let mut middle = vec![0.0; self.middle];
        self.inner.jvp_args(inner, &mut middle)?;
        let mut through = vec![0.0; out.len()];
        self.outer.jvp_x(&middle, &mut through)?;
        self.outer.jvp_args(outer, out)?;
        for (out, t) in out.iter_mut().zip(&through) {
            *out += t;
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let (inner, outer) = out.split_at_mut(self.first);
        let mut middle = vec![0.0; self.middle];
        self.outer.vjp_x(v, &mut middle)?;
        self.outer.vjp_args(v, outer)?;
        self.inner.vjp_args(&middle, inner)
    }
}

/// Maps side by side, each on its own part of x with its own arguments: blocks of a block coordinate method, products
/// of sets.
pub struct Stack<'a>(pub Vec<Box<dyn ParametricMap + 'a>>);

impl ParametricMap for Stack<'_> {
    fn unknowns(&self) -> usize {
        self.0.iter().map(ParametricMap::unknowns).sum()
    }

    fn outputs(&self) -> usize {
        self.0.iter().map(ParametricMap::outputs).sum()
    }

    fn arguments(&self) -> Vec<usize> {
        self.0.iter().flat_map(ParametricMap::arguments).collect()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        mut out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let mut parts = Vec::with_capacity(self.0.len());
        let (mut x, mut args) = (at.x, at.args);
        for map in &self.0 {
            let lengths = [map.unknowns(), map.outputs(), map.arguments().len()];
            let here = Point {
                x: &x[..lengths[0]],
                args: &args[..lengths[2]],
            };
            let (now, later) = out.split_at_mut(lengths[1]);
            parts.push((map.linearise(here, now)?, lengths));
            (x, args, out) = (&x[lengths[0]..], &args[lengths[2]..], later);
        }
        Ok(Box::new(SideBySide(parts)))
    }
}

/// Derivatives with their unknowns, outputs and number of arguments.
struct SideBySide<'a>(Vec<(Box<dyn Derivative + 'a>, [usize; 3])>);

impl Derivative for SideBySide<'_> {
    fn jvp_x(&self, mut w: &[f64], mut out: &mut [f64]) -> Result<(), EvalError> {
        for (map, [n, m, _]) in &self.0 {
            let (now, later) = out.split_at_mut(*m);
            map.jvp_x(&w[..*n], now)?;
            (w, out) = (&w[*n..], later);
        }
        Ok(())
    }

    fn vjp_x(&self, mut v: &[f64], mut out: &mut [f64]) -> Result<(), EvalError> {
        for (map, [n, m, _]) in &self.0 {
            let (now, later) = out.split_at_mut(*n);
            map.vjp_x(&v[..*m], now)?;
            (v, out) = (&v[*m..], later);
        }
        Ok(())
    }

    fn jvp_args(&self, mut w: &[&[f64]], mut out: &mut [f64]) -> Result<(), EvalError> {
        for (map, [_, m, k]) in &self.0 {
            let (now, later) = out.split_at_mut(*m);
            map.jvp_args(&w[..*k], now)?;
            (w, out) = (&w[*k..], later);
        }
        Ok(())
    }

    fn vjp_args(&self, mut v: &[f64], mut out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        for (map, [_, m, k]) in &self.0 {
            let (now, later) = out.split_at_mut(*k);
            map.vjp_args(&v[..*m], now)?;
            (v, out) = (&v[*m..], later);
        }
        Ok(())
    }
}
