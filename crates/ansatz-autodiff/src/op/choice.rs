//! Comparisons and choices.

use super::{Lowering, Primitive, Rule};
use crate::{Array, Shape};

/// Which comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// a < b.
    Less,
    /// a ≤ b.
    LessOrEqual,
    /// a = b.
    Equal,
}

impl Comparison {
    /// 1 where it holds, else 0; 0 for NaN.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "it is what the user asks for")]
    pub fn at(self, a: f64, b: f64) -> f64 {
        let holds = match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Equal => a == b,
        };
        f64::from(u8::from(holds))
    }
}

/// 1 where a comparison holds, else 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compare(pub Comparison);

impl Primitive for Compare {
    fn name(&self) -> &'static str {
        match self.0 {
            Comparison::Less => "less",
            Comparison::LessOrEqual => "less_or_equal",
            Comparison::Equal => "equal",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.0 as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        super::Binary::Add.shape(inputs)
    }

    fn rule(&self) -> Rule {
        Rule::Constant
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Compare(self.0)
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        for ((o, a), b) in out.iter_mut().zip(inputs[0].0).zip(inputs[1].0) {
            *o = self.0.at(*a, *b);
        }
    }
}

/// The second input where the first is not 0, else the third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Select;

impl Primitive for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(Vec::new())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [c, a, b] if a == b && c == a => Ok(a.clone()),
            [_, _, _] => Err("the shapes differ".into()),
            _ => Err("three inputs are needed".into()),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Chosen
    }

    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let zero = bar.zeros();
        match i {
            1 => inputs[0].select(bar, zero),
            2 => inputs[0].select(zero, bar),
            _ => zero,
        }
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Select
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        for (i, o) in out.iter_mut().enumerate() {
            let chosen = if inputs[0].0[i] == 0.0 { 2 } else { 1 };
            *o = inputs[chosen].0[i];
        }
    }
}
