//! Contractions: sums of products over axes that are named by labels.
//!
//! `a.contract(b, "bij,jk->bik")` has the elements `out[b, i, k] = Σⱼ a[b, i, j]·b[j, k]`: axes with one
//! label run together, and labels that the result lacks are summed over (Einstein's convention). Labels
//! of both factors and the result number a stack of matrix products; to these, after the factors are
//! brought into order, everything is reduced.
//!
//! Cost: two operations for each choice of all labels, and a copy of what is not in order. What is in
//! order costs no copy: the labels of a stack first, and the summed ones side by side.

use super::{Kernel, MatMul, Prepared, Primitive, Rule, Side, Split};
use crate::array::settled;
use crate::compile::Gemm;
use crate::{Array, AutodiffError, Element, Shape};

/// A contraction; labels are small numbers. Each is in two or all of the factors and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    pub(crate) left: Vec<u8>,
    pub(crate) right: Vec<u8>,
    pub(crate) out: Vec<u8>,
}

impl Array<'_> {
    /// The sum of products that `labels` describes: `"bij,jk->bik"` has a letter for each axis of the two
    /// factors, and of the result. Letters that the result lacks are summed over.
    ///
    /// ```
    /// use ansatz_autodiff::{Graph, Options, Program};
    /// let g = Graph::new();
    /// let (a, b) = (g.input(&[2, 2]), g.input(&[2]));
    /// let y = a.contract(b, "ij,i->j");
    /// let program = Program::<f64>::compile(&g.finish(&[y]), &Options::default())?;
    /// let mut out = [0.0; 2];
    /// program.run(&[&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0]], &mut [&mut out])?;
    /// assert_eq!(out, [31.0, 42.0]);
    /// # Ok::<(), ansatz_autodiff::AutodiffError>(())
    /// ```
    ///
    /// # Panics
    /// When the labels are not of this form, do not fit the axes, repeat in one array, or the lengths of
    /// axes with one label differ;
    /// [`Array::try_contract`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn contract(self, other: Self, labels: &str) -> Self {
        settled(self.try_contract(other, labels))
    }

    /// [`Array::contract`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_contract(self, other: Self, labels: &str) -> Result<Self, AutodiffError> {
        let parts = labels.split_once("->").and_then(|(factors, out)| {
            let (left, right) = factors.split_once(',')?;
            Some([left, right, out].map(|part| part.trim().bytes().collect::<Vec<u8>>()))
        });
        let Some([left, right, out]) = parts else {
            let problem = format!("{labels:?} is not of the form \"ij,jk->ik\"");
            return Err(AutodiffError::operation("contract", problem, &[]));
        };
        self.contraction(other, [&left, &right, &out])
    }

    /// The product over channels of a complex array `[batch, c, modes.., 2]` with complex weights
    /// `[c, d, modes.., 2]`, mode by mode: `[batch, d, modes.., 2]`. It is the middle of a spectral
    /// convolution, between [`Array::rfft`] and [`Array::irfft`].
    ///
    /// Reference: Z. Li et al., *Fourier neural operator for parametric partial differential equations*,
    /// 2021, equation 4.
    ///
    /// # Panics
    /// When arrays are not complex, or the shapes are others.
    #[must_use]
    #[track_caller]
    pub fn mix_modes(self, weights: Self) -> Self {
        let modes: Vec<u8> = (4..4 + self.parts().saturating_sub(2) as u8).collect();
        let (b, c, d, p, q, r) = (0, 1, 2, 3, 254, 255);
        let list = |before: &[u8], after: &[u8]| [before, &modes, after].concat();
        // (x·w)_q = Σ x_p·w_r·E[r, p, q], the product of complex numbers.
        let product = vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
        let product = self.graph().constant(&[2, 2, 2], product);
        let matrices = list(&[], &[c, p, d, q]);
        let w = weights.contraction(product, [&list(&[c, d], &[r]), &[r, p, q], &matrices]);
        let labels: [&[u8]; 3] = [&list(&[b, c], &[p]), &matrices, &list(&[b, d], &[q])];
        settled(w.and_then(|w| self.contraction(w, labels)))
    }

    fn contraction(
        self,
        other: Self,
        [left, right, out]: [&[u8]; 3],
    ) -> Result<Self, AutodiffError> {
        let (a, left) = self.summed(left, right, out)?;
        let (b, right) = other.summed(right, &left, out)?;
        if let Some((sides, flipped)) = as_product(&left, &right, out) {
            return if flipped {
                b.try_matmul_by(a, sides.left, sides.right)
            } else {
                a.try_matmul_by(b, sides.left, sides.right)
            };
        }
        // Labels are numbered as they come, so that equal contractions are one.
        let mut known = left.clone();
        known.extend(right.iter().filter(|l| !left.contains(l)));
        let number = |labels: &[u8]| {
            let find = |l: &u8| known.iter().position(|k| k == l);
            labels
                .iter()
                .map(|l| find(l).map_or(u8::MAX, |i| i as u8))
                .collect()
        };
        let contract = Contract {
            left: number(&left),
            right: number(&right),
            out: number(out),
        };
        a.try_make(contract, &[a, b])
    }

    /// The sum over axes whose label nothing else has.
    fn summed(
        self,
        labels: &[u8],
        other: &[u8],
        out: &[u8],
    ) -> Result<(Self, Vec<u8>), AutodiffError> {
        let shape = self.shape();
        if labels.len() != shape.rank() {
            let problem = format!("{} labels for the axes", labels.len());
            return Err(AutodiffError::operation("contract", problem, &[shape]));
        }
        let (kept, lone): (Vec<usize>, Vec<usize>) = (0..labels.len())
            .partition(|i| other.contains(&labels[*i]) || out.contains(&labels[*i]));
        let labels = kept.iter().map(|i| labels[*i]).collect();
        Ok((self.try_sum_axes(&lone)?, labels))
    }
}

/// The matrix product that does it, with its factors exchanged or not.
fn as_product(left: &[u8], right: &[u8], out: &[u8]) -> Option<(MatMul, bool)> {
    let [outer @ .., i, j] = out else {
        return None;
    };
    let inner = |labels: &[u8], free: u8| -> Option<(u8, bool)> {
        let (front, last) = labels.split_at_checked(labels.len().checked_sub(2)?)?;
        match *last {
            _ if front != outer => None,
            [x, k] if x == free => Some((k, true)),
            [k, x] if x == free => Some((k, false)),
            _ => None,
        }
    };
    let side = |plain: bool| if plain { Side::Plain } else { Side::Transposed };
    for (a, b, flipped) in [(left, right, false), (right, left, true)] {
        if let (Some((k, first)), Some((l, last))) = (inner(a, *i), inner(b, *j))
            && k == l
            && i != j
            && !out.contains(&k)
        {
            let (left, right) = (side(first), side(!last));
            return Some((MatMul { left, right }, flipped));
        }
    }
    None
}

impl Primitive for Contract {
    fn name(&self) -> &'static str {
        "contract"
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let lists = [&self.left, &self.right, &self.out];
        let all = lists
            .iter()
            .flat_map(|l| l.iter().map(|v| u64::from(*v)).chain([u64::MAX]));
        Some(all.collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [a, b] = inputs else {
            return Err("two inputs are needed".into());
        };
        for labels in [&self.left, &self.right, &self.out] {
            if (1..labels.len()).any(|i| labels[..i].contains(&labels[i])) {
                return Err("a label repeats".into());
            }
        }
        for (i, l) in self.left.iter().enumerate() {
            if let Some(j) = self.right.iter().position(|r| r == l)
                && a[i] != b[j]
            {
                return Err(format!(
                    "axes {i} and {j} with one label have other lengths"
                ));
            }
        }
        let length = |l: &u8| {
            let of = |labels: &[u8], x: &Shape| labels.iter().position(|k| k == l).map(|i| x[i]);
            of(&self.left, a).or_else(|| of(&self.right, b))
        };
        let lengths: Option<Vec<usize>> = self.out.iter().map(length).collect();
        let lengths = lengths.ok_or("a label of the result is in no factor")?;
        Ok(Shape::new(&lengths))
    }

    fn rule(&self) -> Rule {
        Rule::Bilinear
    }

    fn transpose<'g>(&self, i: usize, bar: Array<'g>, inputs: &[Array<'g>]) -> Array<'g> {
        let (out, left, right) = (&self.out, &self.left, &self.right);
        match i {
            0 => settled(bar.contraction(inputs[1], [out, right, left])),
            _ => settled(bar.contraction(inputs[0], [out, left, right])),
        }
    }

    fn split(&self, _: &[Shape], split: &[bool]) -> Split {
        let (left, right) = (self.left.first(), self.right.first());
        let (point, shared) = match split {
            [true, false] => (left, left.is_some_and(|l| self.right.contains(l))),
            [false, true] => (right, right.is_some_and(|l| self.left.contains(l))),
            _ => (left, left != right),
        };
        match point {
            Some(p) if !shared && self.out.first() == Some(p) => Split::Rows,
            Some(p) if !shared && !self.out.contains(p) => Split::Sum,
            _ => Split::Whole,
        }
    }

    fn prepare(&self, inputs: &[Shape], out: &Shape, split: &[bool]) -> Option<Prepared> {
        let [a, b] = inputs else {
            return None;
        };
        Some(Prepared::new(Product::new(self, [a, b, out], split)))
    }

    fn flops(&self, inputs: &[&Shape], out: &Shape) -> u64 {
        let summed = self.left.iter().zip(inputs[0].iter());
        let summed = summed
            .filter(|(l, _)| !self.out.contains(l))
            .map(|(_, n)| n);
        2 * (out.len() * summed.product::<usize>()) as u64
    }
}

/// Rows of a batch that are brought into order together.
const ROWS: usize = 32;

/// A stack of matrix products of arrays brought into order.
#[derive(Debug)]
struct Product {
    /// Whether the first factor of the products is the right input.
    flipped: bool,
    /// The batch in the first factor (and perhaps the second) and in the result.
    split: [bool; 3],
    /// Where the label of the batch is, if there is one: in the stack, the rows, the inner sum.
    point: Option<Group>,
    /// Sizes of stack, rows, inner sum, columns for one point.
    sizes: [usize; 4],
    sides: (Side, Side),
    /// How to bring factors into order and the result out of it; `None` where it is.
    moves: [Option<Move>; 3],
    /// Elements of one point, or of the whole.
    widths: [usize; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Stack,
    Rows,
    Inner,
}

/// Lengths and distances of axes, in the order of the products.
#[derive(Debug)]
struct Move {
    axes: Vec<(usize, usize)>,
    /// The axis of the batch.
    point: Option<usize>,
}

impl Move {
    fn new(order: &[u8], labels: &[u8], shape: &Shape, point: Option<u8>) -> Self {
        let strides = shape.strides();
        let axis = |l: &u8| {
            labels
                .iter()
                .position(|k| k == l)
                .map(|i| (shape[i], strides[i]))
        };
        Self {
            axes: order.iter().filter_map(axis).collect(),
            point: order.iter().position(|l| Some(*l) == point),
        }
    }

    /// Calls `each(place, offset)` for the elements in order: the place counts up, the offset is that in
    /// the array.
    fn walk(&self, rows: usize, each: &mut impl FnMut(usize, usize)) {
        self.inner(0, rows, 0, &mut 0, each);
    }

    fn inner(
        &self,
        depth: usize,
        rows: usize,
        offset: usize,
        place: &mut usize,
        each: &mut impl FnMut(usize, usize),
    ) {
        let Some((length, stride)) = self.axes.get(depth) else {
            each(*place, offset);
            *place += 1;
            return;
        };
        let length = if self.point == Some(depth) {
            rows
        } else {
            *length
        };
        if depth + 1 == self.axes.len() {
            for i in 0..length {
                each(*place + i, offset + i * stride);
            }
            *place += length;
        } else {
            for i in 0..length {
                self.inner(depth + 1, rows, offset + i * stride, place, each);
            }
        }
    }
}

impl Product {
    fn new(contract: &Contract, shapes: [&Shape; 3], split: &[bool]) -> Self {
        let [a, b, out] = shapes;
        let (mut left, mut right) = ((&contract.left, a), (&contract.right, b));
        let labels = &contract.out;
        let of_stack = |l: &&u8| contract.left.contains(l) && contract.right.contains(l);
        let stack: Vec<u8> = labels.iter().filter(of_stack).copied().collect();
        // The factor whose labels come first in the result gives its rows, the split one at any rate.
        let first_free = labels.iter().find(|l| !stack.contains(l));
        let flipped = match split {
            [true, false] => false,
            [false, true] => true,
            _ => first_free.is_some_and(|l| contract.right.contains(l)),
        };
        let mut on = [split[0], split[1]];
        if flipped {
            (left, right) = (right, left);
            on.swap(0, 1);
        }
        let only = |of: &[u8]| -> Vec<u8> {
            let inside = |l: &&u8| of.contains(l) && !stack.contains(l);
            labels.iter().filter(inside).copied().collect()
        };
        let (rows, columns) = (only(left.0), only(right.0));
        let sum = left.0.iter().filter(|l| !labels.contains(l));
        let sum: Vec<u8> = sum.copied().collect();
        let point = on[0].then(|| left.0[0]);
        let group = point.map(|p| match p {
            p if stack.contains(&p) => Group::Stack,
            p if rows.contains(&p) => Group::Rows,
            _ => Group::Inner,
        });
        let arrange = |(labels, shape): (&Vec<u8>, &Shape), free: &[u8], inner: &[u8]| {
            let plain = [&stack, free, inner].concat();
            if *labels == plain {
                (None, true)
            } else if *labels == [&stack, inner, free].concat() {
                (None, false)
            } else {
                (Some(Move::new(&plain, labels, shape, point)), true)
            }
        };
        let (move_a, a_plain) = arrange(left, &rows, &sum);
        // The second factor's rows are the inner sum.
        let (move_b, b_plain) = arrange(right, &sum, &columns);
        let order = [&stack[..], &rows, &columns].concat();
        let move_out = (*labels != order).then(|| Move::new(&order, labels, out, point));
        let length = |l: &u8| {
            let of = |(labels, shape): (&Vec<u8>, &Shape)| {
                labels.iter().position(|k| k == l).map(|i| shape[i])
            };
            of(left).or_else(|| of(right)).unwrap_or(1)
        };
        let size = |labels: &[u8]| labels.iter().map(length).product();
        let side = |plain| if plain { Side::Plain } else { Side::Transposed };
        let summed = group == Some(Group::Inner);
        Self {
            flipped,
            split: [on[0], on[1], on[0] && !summed],
            point: group,
            sizes: [size(&stack), size(&rows), size(&sum), size(&columns)],
            sides: (side(a_plain), side(b_plain)),
            moves: [move_a, move_b, move_out],
            widths: [left.1.len(), right.1.len(), out.len()],
        }
    }

    /// Room for array `i` in order.
    fn room(&self, i: usize) -> usize {
        let rows = if self.split[i] { ROWS } else { 1 };
        self.moves[i].as_ref().map_or(0, |_| self.widths[i] * rows)
    }
}

/// The rows `start..start + rows` of a split array, or all of another.
fn part<T>(x: &[T], split: bool, width: usize, start: usize, rows: usize) -> &[T] {
    if split {
        &x[start * width..(start + rows) * width]
    } else {
        &x[..width]
    }
}

impl<T: Element> Kernel<T> for Product {
    fn scratch(&self) -> usize {
        (0..3).map(|i| self.room(i)).sum()
    }

    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let (a, b) = if self.flipped {
            (inputs[1], inputs[0])
        } else {
            (inputs[0], inputs[1])
        };
        let (room_a, rest) = scratch.split_at_mut(self.room(0));
        let (room_b, room_out) = rest.split_at_mut(self.room(1));
        let [_, width_b, width_out] = self.widths;
        let summed = self.point == Some(Group::Inner);
        let in_order = |i: usize, x: &[T], rows: usize, room: &mut [T]| {
            if let Some(moved) = &self.moves[i] {
                moved.walk(rows, &mut |place, offset| room[place] = x[offset]);
            }
        };
        if !self.split[1] {
            in_order(1, b, 1, room_b);
        }
        let copies = self.moves.iter().any(Option::is_some);
        let step = if copies { ROWS } else { rows.max(1) };
        let mut start = 0;
        while start < rows {
            let count = step.min(rows - start);
            let a = part(a, self.split[0], self.widths[0], start, count);
            let b = part(b, self.split[1], width_b, start, count);
            in_order(0, a, count, room_a);
            if self.split[1] {
                in_order(1, b, count, room_b);
            }
            let a = if self.moves[0].is_some() { &*room_a } else { a };
            let b = if self.moves[1].is_some() { &*room_b } else { b };
            let target = if self.split[2] {
                &mut out[start * width_out..(start + count) * width_out]
            } else {
                &mut out[..width_out]
            };
            if let Some(moved) = &self.moves[2] {
                self.multiply(count, a, b, room_out, false);
                moved.walk(count, &mut |place, offset| {
                    if summed {
                        target[offset] += room_out[place];
                    } else {
                        target[offset] = room_out[place];
                    }
                });
            } else {
                self.multiply(count, a, b, target, summed);
            }
            start += count;
        }
    }
}

impl Product {
    /// The products of factors in order, for some rows of the batch.
    fn multiply<T: Element>(&self, rows: usize, a: &[T], b: &[T], out: &mut [T], add: bool) {
        let times = |group| if self.point == Some(group) { rows } else { 1 };
        let [count, m, k, n] = self.sizes;
        let (m, k) = (m * times(Group::Rows), k * times(Group::Inner));
        let gemm = Gemm {
            sides: self.sides,
            m,
            k,
            n,
            add,
        };
        for i in 0..count * times(Group::Stack) {
            let (a, b) = (&a[i * m * k..][..m * k], &b[i * k * n..][..k * n]);
            T::gemm(gemm, a, b, &mut out[i * m * n..][..m * n]);
        }
    }
}
