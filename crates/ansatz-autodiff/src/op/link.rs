//! The same elements under another name.

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// The first input, not before the others are there, and never the same node as another: for what must
/// be told apart from its source or computed again later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link;

impl Primitive for Link {
    fn name(&self) -> &'static str {
        "link"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        None
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        inputs.first().cloned().ok_or("an input is needed".into())
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        _: &[Array<'g>],
        _: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        tangents[0]
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        _: Array<'g>,
    ) -> Array<'g> {
        if i == 0 { bar } else { inputs[i].zeros() }
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Link
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        out.copy_from_slice(inputs[0].0);
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}
