//! Elements in other places: all linear.

use super::strided::{Around, Block, Movement, nest};
use super::{Lowering, Prepared, Primitive, Rule, Split};
use crate::{Array, Shape};

/// Copies along new axes in front and along axes of length 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    pub(crate) to: Shape,
}

/// The same elements in order, in another shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reshape {
    pub(crate) to: Shape,
}

/// Axes in another order: axis i of the result is axis `order[i]` of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transpose {
    pub(crate) order: Vec<usize>,
}

/// A block of the input: along each axis from `start`, `length` elements, `step` apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    pub(crate) ranges: Vec<Range>,
}

/// The transpose of [`Slice`]: the input in a block of zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pad {
    pub(crate) to: Shape,
    pub(crate) ranges: Vec<Range>,
}

/// Arrays one after the other along an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concatenate {
    pub(crate) axis: usize,
}

/// Indices start, start + step, …, of which there are `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First index.
    pub start: usize,
    /// Number of indices.
    pub length: usize,
    /// Distance.
    pub step: usize,
}

impl Range {
    /// All of an axis.
    #[must_use]
    pub fn all(length: usize) -> Self {
        Self {
            start: 0,
            length,
            step: 1,
        }
    }
}

fn one(inputs: &[Shape]) -> Result<&Shape, String> {
    match inputs {
        [x] => Ok(x),
        _ => Err("one input is needed".into()),
    }
}

fn numbers(values: &[usize]) -> Vec<u64> {
    values.iter().map(|v| *v as u64).collect()
}

impl Primitive for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(numbers(&self.to))
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let x = one(inputs)?;
        match crate::shape::broadcast(x, &self.to) {
            Some(shape) if shape == self.to => Ok(shape),
            _ => Err(format!("it does not stretch to {}", self.to)),
        }
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let shape = inputs[0].shape();
        let ahead = self.to.rank() - shape.rank();
        let stretched = |i: &usize| *i < ahead || shape[i - ahead] != self.to[*i];
        let axes: Vec<usize> = (0..self.to.rank()).filter(stretched).collect();
        bar.sum_axes(&axes).reshape(&shape)
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Broadcast
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, _: &[bool]) -> Option<Prepared> {
        let x = &inputs[0];
        let (ahead, strides) = (out.rank() - x.rank(), x.strides());
        let from = (0..out.rank()).map(|i| match i.checked_sub(ahead) {
            Some(j) if x[j] == out[i] => strides[j],
            _ => 0,
        });
        let from: Vec<usize> = from.collect();
        Some(Movement::gather((x, out), 0, &from).prepare())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Primitive for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(numbers(&self.to))
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let x = one(inputs)?;
        if x.len() == self.to.len() {
            Ok(self.to.clone())
        } else {
            Err(format!("{} has another number of elements", self.to))
        }
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        bar.reshape(&inputs[0].shape())
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

impl Primitive for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(numbers(&self.order))
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let x = one(inputs)?;
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().eq(0..x.rank()) {
            let lengths: Vec<usize> = self.order.iter().map(|a| x[*a]).collect();
            Ok(Shape::new(&lengths))
        } else {
            Err(format!("{:?} is no order of its axes", self.order))
        }
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        let mut inverse = vec![0; self.order.len()];
        for (i, a) in self.order.iter().enumerate() {
            inverse[*a] = i;
        }
        bar.transpose(&inverse)
    }

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        match self.order.first() {
            Some(0) => Split::Rows,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, _: &[bool]) -> Option<Prepared> {
        let strides = inputs[0].strides();
        let from: Vec<usize> = self.order.iter().map(|a| strides[*a]).collect();
        Some(Movement::gather((&inputs[0], out), 0, &from).prepare())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

fn ranges(ranges: &[Range]) -> impl Iterator<Item = u64> {
    ranges
        .iter()
        .flat_map(|r| [r.start as u64, r.length as u64, r.step as u64])
}

/// Whether every range lies in its axis.
fn fits(ranges: &[Range], shape: &Shape) -> Result<(), String> {
    let inside = |(r, n): (&Range, &usize)| {
        r.step > 0 && (r.length == 0 || r.start + (r.length - 1) * r.step < *n)
    };
    if ranges.len() == shape.rank() && ranges.iter().zip(shape.iter()).all(inside) {
        Ok(())
    } else {
        Err(format!("{ranges:?} does not lie in {shape}"))
    }
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(ranges(&self.ranges).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        fits(&self.ranges, one(inputs)?)?;
        let lengths: Vec<usize> = self.ranges.iter().map(|r| r.length).collect();
        Ok(Shape::new(&lengths))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        bar.pad(&inputs[0].shape(), &self.ranges)
    }

    fn split(&self, inputs: &[Shape], _: &[bool]) -> Split {
        rows(&self.ranges, &inputs[0])
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, split: &[bool]) -> Option<Prepared> {
        let x = &inputs[0];
        let (start, from) = block(x, &self.ranges, split);
        Some(Movement::gather((x, out), start, &from).prepare())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

/// Offset of a block's first element, and the distances between its neighbours; of a row, if it is split.
fn block(shape: &Shape, ranges: &[Range], split: &[bool]) -> (usize, Vec<usize>) {
    let strides = shape.strides();
    let all = Range::all(1);
    let range = |i: usize| match (i, split) {
        (0, [true]) => all,
        _ => ranges[i],
    };
    let axes = strides.iter().enumerate();
    let offset = axes.clone().map(|(i, s)| range(i).start * s).sum();
    (offset, axes.map(|(i, s)| range(i).step * s).collect())
}

/// A block with all of the first axis goes row by row.
fn rows(ranges: &[Range], shape: &Shape) -> Split {
    match ranges.first().zip(shape.first()) {
        Some((range, n)) if *range == Range::all(*n) => Split::Rows,
        _ => Split::Whole,
    }
}

impl Primitive for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let shape = self.to.iter().map(|n| *n as u64);
        Some(shape.chain(ranges(&self.ranges)).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let x = one(inputs)?;
        fits(&self.ranges, &self.to)?;
        if self.ranges.iter().map(|r| &r.length).eq(x.iter()) {
            Ok(self.to.clone())
        } else {
            Err(format!("the block {:?} has another shape", self.ranges))
        }
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        bar.slice(&self.ranges)
    }

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        rows(&self.ranges, &self.to)
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, split: &[bool]) -> Option<Prepared> {
        let x = &inputs[0];
        let (start, to) = block(out, &self.ranges, split);
        let block = Block {
            start: (0, start),
            width: x.len(),
            loops: nest(x, &x.strides(), &to),
        };
        let movement = Movement {
            blocks: vec![block],
            width: out.len(),
            around: Around::Zeros,
        };
        Some(movement.prepare())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Primitive for Concatenate {
    fn name(&self) -> &'static str {
        "concatenate"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.axis as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let Some(first) = inputs.first() else {
            return Err("an input is needed".into());
        };
        let mut lengths = first.to_vec();
        if self.axis >= lengths.len() {
            return Err(format!("there is no axis {}", self.axis));
        }
        for x in &inputs[1..] {
            let same = x.rank() == lengths.len()
                && (0..lengths.len()).all(|i| i == self.axis || x[i] == lengths[i]);
            if !same {
                return Err("the other axes differ".into());
            }
            lengths[self.axis] += x[self.axis];
        }
        Ok(Shape::new(&lengths))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let start = inputs[..i].iter().map(|x| x.shape()[self.axis]).sum();
        let mut ranges: Vec<Range> = bar.shape().iter().map(|n| Range::all(*n)).collect();
        ranges[self.axis] = Range {
            start,
            length: inputs[i].shape()[self.axis],
            step: 1,
        };
        bar.slice(&ranges)
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        if self.axis > 0 && !split.contains(&false) {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, _: &[bool]) -> Option<Prepared> {
        let to = out.strides();
        let mut start = 0;
        let block = |x: &Shape| {
            let here = start;
            start += x[self.axis] * to[self.axis];
            Block {
                start: (0, here),
                width: x.len(),
                loops: nest(x, &x.strides(), &to),
            }
        };
        let movement = Movement {
            blocks: inputs.iter().map(block).collect(),
            width: out.len(),
            around: Around::Nothing,
        };
        Some(movement.prepare())
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}
