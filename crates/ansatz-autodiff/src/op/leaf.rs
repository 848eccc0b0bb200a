//! Inputs and constants.

use super::{Lowering, Primitive, Rule};
use crate::Shape;

/// An input of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub(crate) index: usize,
    pub(crate) batched: bool,
}

impl Primitive for Input {
    fn name(&self) -> &'static str {
        "input"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.index as u64])
    }

    fn shape(&self, _: &[Shape]) -> Result<Shape, String> {
        Err("inputs are made by Graph::input".into())
    }

    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Input {
            index: self.index,
            batched: self.batched,
        }
    }

    fn evaluate(&self, _: &[(&[f64], &Shape)], _: (&mut [f64], &Shape)) {}

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

/// Known elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    values: Vec<f64>,
}

impl Constant {
    pub(crate) fn new(values: Vec<f64>) -> Self {
        Self { values }
    }
}

impl Primitive for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(self.values.iter().map(|v| v.to_bits()).collect())
    }

    fn shape(&self, _: &[Shape]) -> Result<Shape, String> {
        Err("constants are made by Graph::constant".into())
    }

    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Constant(&self.values)
    }

    fn evaluate(&self, _: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        out.copy_from_slice(&self.values);
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}
