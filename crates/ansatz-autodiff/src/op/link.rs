//! The same elements under another name, computed later, or constant for derivatives.

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// Its input, never the same node as another: for what must be told apart from its source.
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

    fn cotangent<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>], _: Array<'g>) -> Array<'g> {
        bar
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

/// The first input, not before the others are there: what is made of it is computed late, and so are its
/// tangents. Never the same node as another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Later;

impl Primitive for Later {
    fn name(&self) -> &'static str {
        "later"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        None
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        inputs.first().cloned().ok_or("an input is needed".into())
    }

    /// In the first input; see [`Lowering::Link`].
    fn rule(&self) -> Rule {
        Rule::Linear
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

/// Its input, which is constant for derivatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopGradient;

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => Ok(x.clone()),
            _ => Err("one input is needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Reshape
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        out.copy_from_slice(inputs[0].0);
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Array<'_> {
    /// The same array, which derivatives take for a constant. `x + (f(x) − x).stop_gradient()` has the
    /// value of f and the derivative of the identity.
    #[must_use]
    pub fn stop_gradient(self) -> Self {
        self.make(StopGradient, &[self])
    }
}
