//! Rows picked by index, and the transpose: rows added up by index.
//!
//! Along an axis of length n, [`Take`] gives `out[.., j, ..] = x[.., indices[j], ..]` and [`ScatterAdd`]
//! `out[.., i, ..] = Σ x[.., j, ..]` over all j with `indices[j]` = i, in the order of j. Each is the
//! transpose of the other. Their indices are known when the program is written (meshes, graphs, periodic
//! boundaries); [`Gather`] and [`ScatterAddAt`] read theirs from an array at run time (embeddings).
//!
//! Cost: one pass over the result and the input.

mod kernel;

use std::sync::Arc;

use super::{Prepared, Primitive, Rule, Split};
use crate::array::settled;
use crate::{Array, AutodiffError, Shape};
use kernel::{ByIndex, Way};

/// Rows along an axis by indices that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub(crate) axis: usize,
    pub(crate) indices: Arc<[usize]>,
}

/// Rows along an axis added into an axis of `length`, by indices that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScatterAdd {
    pub(crate) axis: usize,
    pub(crate) indices: Arc<[usize]>,
    pub(crate) length: usize,
}

/// Rows along an axis of the first input by indices in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather {
    pub(crate) axis: usize,
    pub(crate) missing: Missing,
}

/// What stands for rows that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Nan,
    Zero,
}

/// Rows of the first input added into an axis of `length` by indices in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScatterAddAt {
    pub(crate) axis: usize,
    pub(crate) length: usize,
}

impl Array<'_> {
    /// Rows `indices` along `axis`: `out[.., j, ..] = x[.., indices[j], ..]`. Indices may repeat. Linear;
    /// the transpose is [`Array::scatter_add`].
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let u = g.input(&[4]);
    /// // The periodic difference u[i + 1] − u[i].
    /// let du = u.take(0, &[1, 2, 3, 0]) - u;
    /// let program = Program::<f64>::compile(&g.finish(&[du]), &Options::default())?;
    /// let mut out = [0.0; 4];
    /// program.run(&[&[1.0, 4.0, 9.0, 16.0]], &mut [&mut out])?;
    /// assert_eq!(out, [3.0, 5.0, 7.0, -15.0]);
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, or an index is not below its length;
    /// [`Array::try_take`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn take(self, axis: usize, indices: &[usize]) -> Self {
        settled(self.try_take(axis, indices))
    }

    /// [`Array::take`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_take(self, axis: usize, indices: &[usize]) -> Result<Self, AutodiffError> {
        let indices = indices.into();
        self.try_make(Take { axis, indices }, &[self])
    }

    /// Row j along `axis` is added to row `indices[j]` of an array of zeros that has `length` rows there,
    /// in the order of j. Linear; the transpose is [`Array::take`].
    ///
    /// # Panics
    /// When there is no such axis, there are not as many indices as rows, or one is not below `length`;
    /// [`Array::try_scatter_add`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn scatter_add(self, axis: usize, indices: &[usize], length: usize) -> Self {
        settled(self.try_scatter_add(axis, indices, length))
    }

    /// [`Array::scatter_add`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_scatter_add(
        self,
        axis: usize,
        indices: &[usize],
        length: usize,
    ) -> Result<Self, AutodiffError> {
        let scatter = ScatterAdd {
            axis,
            indices: indices.into(),
            length,
        };
        self.try_make(scatter, &[self])
    }

    /// Rows along `axis` by whole numbers in `indices`: the shape is this one's with `axis` replaced by the
    /// axes of `indices`. Linear in this array, constant in the indices.
    ///
    /// A batch is split where the axis is not the first, or where the table is whole and its rows are
    /// looked up by a split array (an embedding). What is not the number of a row, NaN or a fraction
    /// included, gives a row of NaN. Whole numbers are exact in `f32` up to 2²⁴.
    ///
    /// # Panics
    /// When there is no such axis;
    /// [`Array::try_gather`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn gather(self, axis: usize, indices: Self) -> Self {
        settled(self.try_gather(axis, indices))
    }

    /// [`Array::gather`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_gather(self, axis: usize, indices: Self) -> Result<Self, AutodiffError> {
        let missing = Missing::Nan;
        self.try_make(Gather { axis, missing }, &[self, indices])
    }

    /// The transpose of [`Array::gather`]: the axes of this array that start at `axis` are those of
    /// `indices`; its rows are added into one axis of `length` in their place, in order. A row whose index
    /// is not a whole number below `length` is added nowhere.
    ///
    /// # Panics
    /// When the axes of `indices` are not found at `axis`;
    /// [`Array::try_scatter_add_at`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn scatter_add_at(self, axis: usize, indices: Self, length: usize) -> Self {
        settled(self.try_scatter_add_at(axis, indices, length))
    }

    /// [`Array::scatter_add_at`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_scatter_add_at(
        self,
        axis: usize,
        indices: Self,
        length: usize,
    ) -> Result<Self, AutodiffError> {
        self.try_make(ScatterAddAt { axis, length }, &[self, indices])
    }

    /// The elements in opposite order along `axes`.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn reverse(self, axes: &[usize]) -> Self {
        let shape = self.shape();
        axes.iter().fold(self, |x, axis| {
            let length = shape.get(*axis).copied().unwrap_or(0);
            let indices: Vec<usize> = (0..length).rev().collect();
            x.take(*axis, &indices)
        })
    }
}

/// The shape with `axis` replaced by `lengths`.
fn replaced(x: &Shape, axis: usize, count: usize, lengths: &[usize]) -> Shape {
    let mut shape = x[..axis].to_vec();
    shape.extend_from_slice(lengths);
    shape.extend_from_slice(&x[axis + count..]);
    Shape::new(&shape)
}

fn has_axis(x: &Shape, axis: usize) -> Result<(), String> {
    if axis < x.rank() {
        Ok(())
    } else {
        Err(format!("there is no axis {axis}"))
    }
}

fn below(indices: &[usize], length: usize) -> Result<(), String> {
    match indices.iter().find(|i| **i >= length) {
        None => Ok(()),
        Some(i) => Err(format!("there is no row {i} of {length}")),
    }
}

fn known(axis: usize, indices: &[usize], length: usize) -> Vec<u64> {
    let all = [axis, length].into_iter().chain(indices.iter().copied());
    all.map(|v| v as u64).collect()
}

/// Points are rows wherever the axis is another one.
fn beside(axis: usize) -> Split {
    if axis > 0 { Split::Rows } else { Split::Whole }
}

impl Primitive for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(known(self.axis, &self.indices, 0))
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x] = inputs else {
            return Err("one input is needed".into());
        };
        has_axis(x, self.axis)?;
        below(&self.indices, x[self.axis])?;
        Ok(replaced(x, self.axis, 1, &[self.indices.len()]))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        bar.scatter_add(self.axis, &self.indices, inputs[0].shape()[self.axis])
    }

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        beside(self.axis)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let way = Way::Pick(Missing::Nan);
        let kernel = ByIndex::new((&inputs[0], self.axis, 1), self.indices.len(), way);
        Some(Prepared::new(ByIndex {
            length: inputs[0][self.axis],
            indices: Some(self.indices.clone()),
            ..kernel
        }))
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Primitive for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(known(self.axis, &self.indices, self.length))
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x] = inputs else {
            return Err("one input is needed".into());
        };
        has_axis(x, self.axis)?;
        below(&self.indices, self.length)?;
        if x[self.axis] != self.indices.len() {
            return Err(format!("{} indices", self.indices.len()));
        }
        Ok(replaced(x, self.axis, 1, &[self.length]))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        bar.take(self.axis, &self.indices)
    }

    fn split(&self, _: &[Shape], _: &[bool]) -> Split {
        beside(self.axis)
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let count = self.indices.len();
        let kernel = ByIndex::new((&inputs[0], self.axis, 1), count, Way::AddUp);
        Some(Prepared::new(ByIndex {
            length: self.length,
            indices: Some(self.indices.clone()),
            ..kernel
        }))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].len() as u64
    }
}

impl Primitive for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.axis as u64, self.missing as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x, indices] = inputs else {
            return Err("an array and indices are needed".into());
        };
        has_axis(x, self.axis)?;
        Ok(replaced(x, self.axis, 1, indices))
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        _: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        tangents[0].map(|dx| dx.make(*self, &[dx, inputs[1]]))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        _: Array<'g>,
    ) -> Array<'g> {
        if i > 0 {
            return inputs[i].zeros();
        }
        bar.scatter_add_at(self.axis, inputs[1], inputs[0].shape()[self.axis])
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        match (self.axis, split) {
            (0, [false, true]) | (1.., [true, false]) => Split::Rows,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, split: &[bool]) -> Option<Prepared> {
        let way = Way::Pick(self.missing);
        let kernel = ByIndex::new((&inputs[0], self.axis, 1), inputs[1].len(), way);
        Some(Prepared::new(ByIndex {
            length: inputs[0][self.axis],
            points: split[1],
            ..kernel
        }))
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }
}

impl Primitive for ScatterAddAt {
    fn name(&self) -> &'static str {
        "scatter_add_at"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![self.axis as u64, self.length as u64])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x, indices] = inputs else {
            return Err("an array and indices are needed".into());
        };
        let end = self.axis + indices.rank();
        if x.get(self.axis..end) != Some(&indices[..]) {
            return Err(format!("the axes from {} are not {indices}", self.axis));
        }
        Ok(replaced(x, self.axis, indices.rank(), &[self.length]))
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        _: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        tangents[0].map(|dx| dx.scatter_add_at(self.axis, inputs[1], self.length))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        _: Array<'g>,
    ) -> Array<'g> {
        if i > 0 {
            return inputs[i].zeros();
        }
        // What was added nowhere has no slope.
        let rows = Gather {
            axis: self.axis,
            missing: Missing::Zero,
        };
        bar.make(rows, &[bar, inputs[1]])
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        match (self.axis, split) {
            (0, [true, true]) => Split::Sum,
            (1.., [true, false]) => Split::Rows,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], _: &Shape, split: &[bool]) -> Option<Prepared> {
        let (count, rank) = (inputs[1].len(), inputs[1].rank());
        let kernel = ByIndex::new((&inputs[0], self.axis, rank), count, Way::AddUp);
        Some(Prepared::new(ByIndex {
            length: self.length,
            points: split[1],
            ..kernel
        }))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        inputs[0].len() as u64
    }
}
