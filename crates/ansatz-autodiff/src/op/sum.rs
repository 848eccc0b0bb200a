//! Reductions along axes, which disappear.

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// The sum along axes, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub(crate) axes: Vec<usize>,
}

/// The largest along axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReduceMax {
    pub(crate) axes: Vec<usize>,
}

/// The shape without `axes`.
fn without(inputs: &[Shape], axes: &[usize]) -> Result<Shape, String> {
    let [x] = inputs else {
        return Err("one input is needed".into());
    };
    if let Some(axis) = axes.iter().find(|a| **a >= x.rank()) {
        return Err(format!("there is no axis {axis}"));
    }
    let kept = (0..x.rank()).filter(|i| !axes.contains(i)).map(|i| x[i]);
    Ok(Shape::new(&kept.collect::<Vec<_>>()))
}

/// Where each element of `x` goes.
fn targets(x: &Shape, axes: &[usize], out: &Shape) -> impl Iterator<Item = usize> {
    let (from, to) = (x.strides(), out.strides());
    let mut kept = 0;
    let mut factors = vec![0; x.rank()];
    for (i, factor) in factors.iter_mut().enumerate() {
        if !axes.contains(&i) {
            *factor = to[kept];
            kept += 1;
        }
    }
    let lengths = x.to_vec();
    (0..x.len()).map(move |i| {
        let axes = from.iter().zip(&lengths).zip(&factors);
        axes.map(|((s, n), f)| (i / s % n) * f).sum()
    })
}

impl Primitive for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.axes.iter().map(|a| *a as u64).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        without(inputs, &self.axes)
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        bar.spread(&self.axes, &inputs[0].shape())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Sum(&self.axes)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, shape): (&mut [f64], &Shape)) {
        let (x, from) = inputs[0];
        out.fill(0.0);
        for (v, i) in x.iter().zip(targets(from, &self.axes, shape)) {
            out[i] += v;
        }
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].len() as u64
    }
}

impl Primitive for ReduceMax {
    fn name(&self) -> &'static str {
        "reduce_max"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.axes.iter().map(|a| *a as u64).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        without(inputs, &self.axes)
    }

    /// It serves to keep exponentials in range, where its derivative cancels; the differentiable
    /// maximum is written with comparisons.
    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, shape): (&mut [f64], &Shape)) {
        let (x, from) = inputs[0];
        out.fill(f64::NEG_INFINITY);
        for (v, i) in x.iter().zip(targets(from, &self.axes, shape)) {
            // NaN stays.
            if *v > out[i] || v.is_nan() {
                out[i] = *v;
            }
        }
    }
}
