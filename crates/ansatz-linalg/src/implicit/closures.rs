//! Maps from closures.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, check};
use crate::LinalgError;
use crate::error::finite;

type Value<'f> = dyn Fn(Point<'_>, &mut [f64]) + Send + Sync + 'f;
type Product<'f> = dyn Fn(Point<'_>, &[f64], &mut [f64]) + Send + Sync + 'f;
type Along<'f> = dyn Fn(Point<'_>, &[&[f64]], &mut [f64]) + Send + Sync + 'f;
type Back<'f> = dyn Fn(Point<'_>, &[f64], &mut [&mut [f64]]) + Send + Sync + 'f;

/// A map whose value and four products are closures; each overwrites its result.
///
/// A linearisation copies x and θ once.
pub struct Closures<'f> {
    unknowns: usize,
    outputs: usize,
    arguments: Vec<usize>,
    value: Box<Value<'f>>,
    jvp_x: Box<Product<'f>>,
    /// `None` for a symmetric derivative.
    vjp_x: Option<Box<Product<'f>>>,
    jvp_args: Box<Along<'f>>,
    vjp_args: Box<Back<'f>>,
}

impl<'f> Closures<'f> {
    /// From `value(at, out)`, `jvp_x(at, w, out)`, `vjp_x(at, v, out)`, `jvp_args(at, w, out)` and
    /// `vjp_args(at, v, out)`, with `shape` = [unknowns, outputs].
    #[must_use]
    pub fn new(
        shape: [usize; 2],
        arguments: &[usize],
        value: impl Fn(Point<'_>, &mut [f64]) + Send + Sync + 'f,
        jvp_x: impl Fn(Point<'_>, &[f64], &mut [f64]) + Send + Sync + 'f,
        vjp_x: impl Fn(Point<'_>, &[f64], &mut [f64]) + Send + Sync + 'f,
        jvp_args: impl Fn(Point<'_>, &[&[f64]], &mut [f64]) + Send + Sync + 'f,
        vjp_args: impl Fn(Point<'_>, &[f64], &mut [&mut [f64]]) + Send + Sync + 'f,
    ) -> Self {
        let [unknowns, outputs] = shape;
        Self {
            unknowns,
            outputs,
            arguments: arguments.to_vec(),
            value: Box::new(value),
            jvp_x: Box::new(jvp_x),
            vjp_x: Some(Box::new(vjp_x)),
            jvp_args: Box::new(jvp_args),
            vjp_args: Box::new(vjp_args),
        }
    }

    /// A gradient: a square map whose derivative, by `hessian(at, w, out)`, is symmetric.
    #[must_use]
    pub fn gradient(
        unknowns: usize,
        arguments: &[usize],
        value: impl Fn(Point<'_>, &mut [f64]) + Send + Sync + 'f,
        hessian: impl Fn(Point<'_>, &[f64], &mut [f64]) + Send + Sync + 'f,
        jvp_args: impl Fn(Point<'_>, &[&[f64]], &mut [f64]) + Send + Sync + 'f,
        vjp_args: impl Fn(Point<'_>, &[f64], &mut [&mut [f64]]) + Send + Sync + 'f,
    ) -> Self {
        Self {
            unknowns,
            outputs: unknowns,
            arguments: arguments.to_vec(),
            value: Box::new(value),
            jvp_x: Box::new(hessian),
            vjp_x: None,
            jvp_args: Box::new(jvp_args),
            vjp_args: Box::new(vjp_args),
        }
    }
}

impl ParametricMap for Closures<'_> {
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
        (self.value)(at, out);
        finite("value of a map", out)
    }
}

struct AtPoint<'a> {
    map: &'a Closures<'a>,
    x: Vec<f64>,
    args: Vec<Vec<f64>>,
}

impl AtPoint<'_> {
    fn with(&self, then: impl FnOnce(Point<'_>)) {
        let args: Vec<&[f64]> = self.args.iter().map(Vec::as_slice).collect();
        then(Point {
            x: &self.x,
            args: &args,
        });
    }
}

impl Derivative for AtPoint<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.with(|at| (self.map.jvp_x)(at, w, out));
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let product = self.map.vjp_x.as_ref().unwrap_or(&self.map.jvp_x);
        self.with(|at| product(at, v, out));
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        self.with(|at| (self.map.jvp_args)(at, w, out));
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        self.with(|at| (self.map.vjp_args)(at, v, out));
        Ok(())
    }
}
