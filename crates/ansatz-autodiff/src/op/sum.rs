//! Reductions along axes, which disappear.

use super::strided::{Largest, Reduction, Total};
use super::{Lowering, Prepared, Primitive, Rule, Split};
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

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        if self.axes.contains(&0) {
            Split::Sum
        } else {
            Split::Rows
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, split: &[bool]) -> Option<Prepared> {
        let add = split == [true] && self.axes.contains(&0);
        let kernel = Reduction::<Total>::new(&inputs[0], &self.axes, add);
        Some(Prepared::new(kernel))
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

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        if self.axes.contains(&0) {
            Split::Whole
        } else {
            Split::Rows
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let kernel = Reduction::<Largest>::new(&inputs[0], &self.axes, false);
        Some(Prepared::new(kernel))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].len() as u64
    }
}
