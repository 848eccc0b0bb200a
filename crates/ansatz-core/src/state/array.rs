//! `ndarray` arrays of any dimension as states.
//!
//! Arrays that lie in memory in the same order share the slice kernels. Mixed orders (one array
//! row by row, another column by column) are first brought into the order of `self`, which
//! allocates: keep one layout in hot loops.

use std::borrow::Cow;

use ndarray::{Array, Dimension, ShapeBuilder};

use super::{Combination, HostState, State, Tolerance, combine_in_turn, kernel, tiled};
use crate::{Key, Scalar};

/// An array with the shape and, for row- or column-major arrays, the memory order of `x`.
fn zeros_like<T: Scalar, D: Dimension>(x: &Array<T, D>) -> Array<T, D> {
    let column_major = !x.is_standard_layout() && x.t().is_standard_layout();
    Array::zeros(x.raw_dim().set_f(column_major))
}

fn same_order<T: Scalar, D: Dimension>(x: &Array<T, D>, y: &Array<T, D>) -> bool {
    x.strides() == y.strides() && x.as_slice_memory_order().is_some()
}

/// Elements of `x` in the memory order of `like`, which is row- or column-major.
fn in_order_of<'a, T: Scalar, D: Dimension>(
    x: &'a Array<T, D>,
    like: &Array<T, D>,
) -> Cow<'a, [T]> {
    assert_eq!(x.shape(), like.shape(), "arrays of different shape");
    match x.as_slice_memory_order() {
        Some(s) if x.strides() == like.strides() => Cow::Borrowed(s),
        _ => {
            let mut y = zeros_like(like);
            y.zip_mut_with(x, |y, x| *y = *x);
            Cow::Owned(y.into_raw_vec_and_offset().0)
        }
    }
}

/// The elements of an array known to be contiguous, for writing.
fn contiguous_mut<T, D: Dimension>(x: &mut Array<T, D>) -> &mut [T] {
    x.as_slice_memory_order_mut().unwrap_or(&mut [])
}

/// The elements of an array known to be contiguous.
fn elements<T, D: Dimension>(x: &Array<T, D>) -> &[T] {
    x.as_slice_memory_order().unwrap_or(&[])
}

impl<T: Scalar, D: Dimension> State for Array<T, D> {
    type Scalar = T;

    fn len(&self) -> usize {
        self.shape().iter().product()
    }

    fn same_shape(&self, other: &Self) -> bool {
        self.shape() == other.shape()
    }

    fn zeros_like(&self) -> Self {
        zeros_like(self)
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        for (_, x) in terms {
            assert_eq!(
                x.shape(),
                self.shape(),
                "lincomb: arrays of different shape"
            );
        }
        if terms.iter().all(|(_, x)| same_order(x, self))
            && let Some(dst) = self.as_slice_memory_order_mut()
        {
            return kernel::lincomb(dst, beta, terms, |x| elements(x));
        }
        let mut dst = zeros_like(self);
        if beta != 0.0 {
            dst.zip_mut_with(self, |d, s| *d = *s);
        }
        let flat: Vec<_> = terms
            .iter()
            .map(|(c, x)| (*c, in_order_of(x, &dst)))
            .collect();
        if let Some(d) = dst.as_slice_memory_order_mut() {
            kernel::lincomb(d, beta, &flat, |x| x);
        }
        self.zip_mut_with(&dst, |s, d| *s = *d);
    }

    fn dot(&self, other: &Self) -> f64 {
        if same_order(self, other) && self.shape() == other.shape() {
            return kernel::dot(elements(self), elements(other));
        }
        let like = plain_order(self);
        kernel::dot(&in_order_of(self, &like), &in_order_of(other, &like))
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        if [a, b]
            .iter()
            .all(|s| same_order(self, s) && self.shape() == s.shape())
        {
            return kernel::error_norm(elements(self), elements(a), elements(b), tol);
        }
        let like = plain_order(self);
        let [x, a, b] = [self, a, b].map(|s| in_order_of(s, &like));
        kernel::error_norm(&x, &a, &b, tol)
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        if let Some(s) = self.as_slice_mut() {
            key.fill_normal(stream, s);
        } else {
            // Noise belongs to the logical index: a layout must not change a sample.
            let mut noise = vec![T::zero(); State::len(self)];
            key.fill_normal(stream, &mut noise);
            for (x, z) in self.iter_mut().zip(noise) {
                *x = z;
            }
        }
    }

    fn combine_all(slots: &mut [Self], program: &[Combination]) -> bool {
        let aligned = slots.windows(2).all(|w| same_order(&w[0], &w[1]))
            && slots.first().is_some_and(|s| same_order(s, s));
        aligned
            .then(|| tiled::combine_all(slots, program, contiguous_mut))
            .flatten()
            .unwrap_or_else(|| combine_in_turn(slots, program))
    }

    fn is_finite(&self) -> bool {
        match self.as_slice_memory_order() {
            Some(s) => kernel::is_finite(s),
            None => self.iter().all(|v| v.is_finite()),
        }
    }
}

/// A row- or column-major array to order others by: `x` itself, unless its axes are permuted in
/// another way or it has holes.
fn plain_order<T: Scalar, D: Dimension>(x: &Array<T, D>) -> Cow<'_, Array<T, D>> {
    if x.is_standard_layout() || x.t().is_standard_layout() {
        Cow::Borrowed(x)
    } else {
        Cow::Owned(zeros_like(x))
    }
}

/// Arrays in standard (row-major) layout.
///
/// # Panics
/// `as_slice` and `as_mut_slice` panic on an array in another layout.
impl<T: Scalar, D: Dimension> HostState for Array<T, D> {
    fn as_slice(&self) -> &[T] {
        self.as_slice_memory_order()
            .filter(|_| self.is_standard_layout())
            .expect("an array in standard layout")
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        assert!(self.is_standard_layout(), "an array in standard layout");
        self.as_slice_memory_order_mut().unwrap_or(&mut [])
    }
}
