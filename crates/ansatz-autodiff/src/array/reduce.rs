//! Sums, means, largest elements, and products of matrices.

use super::settled;
use crate::op::{MatMul, Primitive, ReduceMax, Side, Sum};
use crate::{Array, AutodiffError, Shape};

impl Array<'_> {
    /// The sum of all elements.
    #[must_use]
    pub fn sum(self) -> Self {
        let axes: Vec<usize> = (0..self.shape().rank()).collect();
        self.sum_axes(&axes)
    }

    /// Sums along axes, which disappear.
    ///
    /// # Panics
    /// When there is no such axis; [`Array::try_sum_axes`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn sum_axes(self, axes: &[usize]) -> Self {
        settled(self.try_sum_axes(axes))
    }

    /// [`Array::sum_axes`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_sum_axes(self, axes: &[usize]) -> Result<Self, AutodiffError> {
        if axes.is_empty() {
            return Ok(self);
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        let Some(value) = self.as_number() else {
            return self.try_make(Sum { axes }, &[self]);
        };
        let kept = Sum { axes }.shape(&[self.shape()]);
        let kept = kept.map_err(|e| AutodiffError::operation("sum", e, &[self.shape()]))?;
        let count = self.shape().len() / kept.len().max(1);
        self.graph.number(value * count as f64).try_broadcast(&kept)
    }

    /// The mean of all elements.
    #[must_use]
    pub fn mean(self) -> Self {
        self.sum() * (1.0 / self.shape().len().max(1) as f64)
    }

    /// The largest along axes, as a constant of differentiation.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn reduce_max(self, axes: &[usize]) -> Self {
        let axes = axes.to_vec();
        self.make(ReduceMax { axes }, &[self])
    }

    /// The smallest along axes, as a constant of differentiation.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn reduce_min(self, axes: &[usize]) -> Self {
        -(-self).reduce_max(axes)
    }

    /// Means along axes, which disappear.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn mean_axes(self, axes: &[usize]) -> Self {
        let sum = self.sum_axes(axes);
        let count = self.shape().len() / sum.shape().len().max(1);
        sum * (1.0 / count.max(1) as f64)
    }

    /// Means of the squared distances to the mean along axes, which disappear.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn variance(self, axes: &[usize]) -> Self {
        let mean = self.mean_axes(axes).spread(axes, &self.shape());
        (self - mean).square().mean_axes(axes)
    }

    /// The transpose of a sum along `axes` of an array of shape `to`.
    pub(crate) fn spread(self, axes: &[usize], to: &Shape) -> Self {
        let lengths: Vec<usize> = (0..to.rank())
            .map(|i| if axes.contains(&i) { 1 } else { to[i] })
            .collect();
        self.reshape(&lengths).broadcast(to)
    }

    /// ln Σ eˣ along axes, without overflow.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn log_sum_exp(self, axes: &[usize]) -> Self {
        let largest = self.reduce_max(axes);
        let spread = largest.spread(axes, &self.shape());
        (self - spread).exp().sum_axes(axes).ln() + largest
    }

    /// eˣ/Σ eˣ along axes, without overflow.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn softmax(self, axes: &[usize]) -> Self {
        let largest = self.reduce_max(axes).spread(axes, &self.shape());
        let e = (self - largest).exp();
        e * e.sum_axes(axes).recip().spread(axes, &self.shape())
    }

    /// The matrix product, for each pair of matrices in the last two axes.
    ///
    /// # Panics
    /// When there are less than two axes, the columns are not the other's rows, or the outer axes differ;
    /// [`Array::try_matmul`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        settled(self.try_matmul(other))
    }

    /// [`Array::matmul`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_matmul(self, other: Self) -> Result<Self, AutodiffError> {
        self.try_matmul_by(other, Side::Plain, Side::Plain)
    }

    /// The matrix product with either factor transposed.
    ///
    /// # Panics
    /// As [`Array::matmul`]; [`Array::try_matmul_by`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn matmul_by(self, other: Self, left: Side, right: Side) -> Self {
        settled(self.try_matmul_by(other, left, right))
    }

    /// [`Array::matmul_by`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_matmul_by(
        self,
        other: Self,
        left: Side,
        right: Side,
    ) -> Result<Self, AutodiffError> {
        let product = MatMul { left, right };
        let shapes = [self.shape(), other.shape()];
        let shape = product
            .shape(&shapes)
            .map_err(|e| AutodiffError::operation(product.name(), e, &shapes))?;
        if self.as_number() == Some(0.0) || other.as_number() == Some(0.0) {
            return self.graph.number(0.0).try_broadcast(&shape);
        }
        // Equal rows have equal products.
        if let (Some(source), 2) = (self.source(), shape.rank())
            && let [.., k] = source.shape()[..]
            && source.shape().len() == k
        {
            if left == Side::Plain {
                let row = source.try_reshape(&[1, k])?;
                return row.try_matmul_by(other, left, right)?.try_broadcast(&shape);
            }
            // So has a product of the transpose: an outer one with the sum of the other's rows.
            if right == Side::Plain {
                let sums = other.try_sum_axes(&[0])?.try_reshape(&[1, shape[1]])?;
                return source.try_reshape(&[k, 1])?.try_matmul(sums);
            }
        }
        self.try_make(product, &[self, other])
    }
}
