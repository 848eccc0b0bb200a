//! Copies, other shapes, blocks.

use super::settled;
use crate::op::{Broadcast, Concatenate, Pad, Primitive, Range, Reshape, Slice, Transpose};
use crate::{Array, AutodiffError, Shape};

impl Array<'_> {
    /// Copies along new axes in front and axes of length 1.
    ///
    /// # Panics
    /// When other axes differ; [`Array::try_broadcast`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn broadcast(self, to: &[usize]) -> Self {
        settled(self.try_broadcast(to))
    }

    /// [`Array::broadcast`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_broadcast(self, to: &[usize]) -> Result<Self, AutodiffError> {
        if self.shape()[..] == *to {
            return Ok(self);
        }
        let source = self.source().unwrap_or(self);
        let copies = Broadcast { to: Shape::new(to) };
        // Copies of copies are copies of this array as well.
        copies
            .shape(&[self.shape()])
            .map_err(|e| AutodiffError::operation("broadcast", e, &[self.shape()]))?;
        source.try_make(copies, &[source])
    }

    /// The same elements in another shape.
    ///
    /// # Panics
    /// When it has another number of elements; [`Array::try_reshape`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn reshape(self, to: &[usize]) -> Self {
        settled(self.try_reshape(to))
    }

    /// [`Array::reshape`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_reshape(self, to: &[usize]) -> Result<Self, AutodiffError> {
        if self.shape()[..] == *to {
            return Ok(self);
        }
        let to = Shape::new(to);
        match self.as_number() {
            Some(value) if self.shape().len() == to.len() => {
                self.graph.number(value).try_broadcast(&to)
            }
            _ => self.try_make(Reshape { to }, &[self]),
        }
    }

    /// Axes in another order.
    ///
    /// # Panics
    /// When `order` does not name each axis once; [`Array::try_transpose`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn transpose(self, order: &[usize]) -> Self {
        settled(self.try_transpose(order))
    }

    /// [`Array::transpose`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_transpose(self, order: &[usize]) -> Result<Self, AutodiffError> {
        if order.iter().copied().eq(0..order.len()) && order.len() == self.shape().rank() {
            return Ok(self);
        }
        let order = order.to_vec();
        self.try_make(Transpose { order }, &[self])
    }

    /// A block.
    ///
    /// # Panics
    /// When there is not a range for each axis, or one leaves it; [`Array::try_slice`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn slice(self, ranges: &[Range]) -> Self {
        settled(self.try_slice(ranges))
    }

    /// [`Array::slice`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_slice(self, ranges: &[Range]) -> Result<Self, AutodiffError> {
        let ranges = ranges.to_vec();
        self.try_make(Slice { ranges }, &[self])
    }

    /// Elements `start..end` along an axis.
    ///
    /// # Panics
    /// When there is no such axis, or no such elements; [`Array::try_narrow`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn narrow(self, axis: usize, start: usize, end: usize) -> Self {
        settled(self.try_narrow(axis, start, end))
    }

    /// [`Array::narrow`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_narrow(self, axis: usize, start: usize, end: usize) -> Result<Self, AutodiffError> {
        let shape = self.shape();
        let mut ranges: Vec<Range> = shape.iter().map(|n| Range::all(*n)).collect();
        let (Some(range), Some(length)) = (ranges.get_mut(axis), end.checked_sub(start)) else {
            let problem = format!("there are no elements {start}..{end} along axis {axis}");
            return Err(AutodiffError::operation("narrow", problem, &[shape]));
        };
        *range = Range {
            start,
            length,
            step: 1,
        };
        self.try_slice(&ranges)
    }

    /// A block of zeros with this array at `ranges`.
    ///
    /// # Panics
    /// When the ranges do not have this array's shape, or leave the block; [`Array::try_pad`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn pad(self, to: &[usize], ranges: &[Range]) -> Self {
        settled(self.try_pad(to, ranges))
    }

    /// [`Array::pad`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_pad(self, to: &[usize], ranges: &[Range]) -> Result<Self, AutodiffError> {
        let (to, ranges) = (Shape::new(to), ranges.to_vec());
        self.try_make(Pad { to, ranges }, &[self])
    }

    /// Arrays one after the other along an axis.
    ///
    /// # Panics
    /// When there are none, or shapes do not fit; [`Array::try_concatenate`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn concatenate(arrays: &[Self], axis: usize) -> Self {
        settled(Self::try_concatenate(arrays, axis))
    }

    /// [`Array::concatenate`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_concatenate(arrays: &[Self], axis: usize) -> Result<Self, AutodiffError> {
        match arrays {
            [] => {
                let problem = "an array is needed";
                Err(AutodiffError::operation("concatenate", problem, &[]))
            }
            [one] => Ok(*one),
            [first, ..] => first.try_make(Concatenate { axis }, arrays),
        }
    }
}
