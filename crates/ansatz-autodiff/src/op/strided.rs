//! Loops over elements that lie a fixed distance apart, in two arrays at once.

use ansatz_core::Scalar;
use pulp::{Arch, NullaryFnOnce};

use super::{Kernel, Prepared};
use crate::Shape;
use crate::compile::Element;

/// A loop, and the distances between neighbours in the array that is read and in the one that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loop {
    pub(super) length: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Loop {
    /// A loop that does nothing.
    pub(super) const ONCE: Self = Self {
        length: 1,
        from: 0,
        to: 0,
    };
}

/// The loops over the axes of `shape`, outermost first, with those distances. Loops that go on where the
/// inner one ends are one.
pub(super) fn nest(shape: &[usize], from: &[usize], to: &[usize]) -> Vec<Loop> {
    let mut list: Vec<Loop> = Vec::new();
    for ((length, from), to) in shape.iter().zip(from).zip(to) {
        let next = Loop {
            length: *length,
            from: *from,
            to: *to,
        };
        match list.last_mut() {
            _ if next.length == 1 => {}
            Some(last) if last.from == from * length && last.to == to * length => {
                *last = Loop {
                    length: last.length * length,
                    ..next
                };
            }
            _ => list.push(next),
        }
    }
    list
}

/// Calls `leaf` with the last two loops, and where they begin, for each turn of those around them.
pub(super) fn walk(
    first: Loop,
    rest: &[Loop],
    (from, to): (usize, usize),
    leaf: &mut dyn FnMut(Loop, Loop, (usize, usize)),
) {
    match rest {
        [] => leaf(Loop::ONCE, first, (from, to)),
        [inner] => leaf(first, *inner, (from, to)),
        [next, rest @ ..] => {
            for k in 0..first.length {
                let at = (from + k * first.from, to + k * first.to);
                walk(*next, rest, at, leaf);
            }
        }
    }
}

/// A block of an array's rows that is copied to a block of the result's rows.
#[derive(Debug)]
pub(super) struct Block {
    /// Where it begins in a row of either.
    pub(super) start: (usize, usize),
    /// Elements of a row of the input.
    pub(super) width: usize,
    /// Outermost first.
    pub(super) loops: Vec<Loop>,
}

/// What is around the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Nothing,
    Zeros,
}

/// Elements in other places: a block of each input.
#[derive(Debug)]
pub(super) struct Movement {
    pub(super) blocks: Vec<Block>,
    /// Elements of a row of the result.
    pub(super) width: usize,
    pub(super) around: Around,
}

impl Movement {
    pub(super) fn prepare(mut self) -> Prepared {
        for block in &mut self.blocks {
            // Any order will do: neighbours in the result last, before them neighbours in the input.
            block
                .loops
                .sort_by_key(|l| (l.to == 1, l.from == 1, usize::MAX - l.to));
        }
        Prepared::new(self)
    }

    /// One input, whose element Σ indexₐ·from[a] + `start` is element Σ indexₐ·to[a] of the result.
    pub(super) fn gather(shapes: (&Shape, &Shape), start: usize, from: &[usize]) -> Self {
        let (x, out) = shapes;
        let block = Block {
            start: (start, 0),
            width: x.len(),
            loops: nest(out, from, &out.strides()),
        };
        Self {
            blocks: vec![block],
            width: out.len(),
            around: Around::Nothing,
        }
    }
}

impl<T: Element> Kernel<T> for Movement {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        if self.around == Around::Zeros {
            out.fill(T::zero());
        }
        for (x, block) in inputs.iter().zip(&self.blocks) {
            let along = Loop {
                length: rows,
                from: block.width,
                to: self.width,
            };
            let mut copy = |outer, inner, (from, to): (usize, usize)| {
                let (x, out) = (&x[from..], &mut out[to..]);
                Copies {
                    outer,
                    inner,
                    x,
                    out,
                }
                .run();
            };
            if x.is_empty() || block.loops.iter().any(|l| l.length == 0) {
                continue;
            }
            match &block.loops[..] {
                loops if rows == 1 => {
                    let (first, rest) = loops.split_first().unwrap_or((&Loop::ONCE, &[]));
                    walk(*first, rest, block.start, &mut copy);
                }
                loops => walk(along, loops, block.start, &mut copy),
            }
        }
    }
}

/// Side of the squares in which rows become columns.
const SIDE: usize = 8;

/// Copies along two loops.
struct Copies<'a, T> {
    outer: Loop,
    inner: Loop,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Copy> Copies<'_, T> {
    fn run(self) {
        let Self {
            outer,
            inner,
            x,
            out,
        } = self;
        if (inner.from, inner.to) == (1, 1) {
            for k in 0..outer.length {
                let out = &mut out[k * outer.to..][..inner.length];
                out.copy_from_slice(&x[k * outer.from..][..inner.length]);
            }
        } else if outer.from == 1 && inner.to == 1 {
            for first in (0..inner.length).step_by(SIDE) {
                let here = SIDE.min(inner.length - first);
                let x = &x[first * inner.from..];
                for k in 0..outer.length {
                    let out = &mut out[k * outer.to + first..][..here];
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = x[k + i * inner.from];
                    }
                }
            }
        } else {
            for k in 0..outer.length {
                let (x, out) = (&x[k * outer.from..], &mut out[k * outer.to..]);
                for i in 0..inner.length {
                    out[i * inner.to] = x[i * inner.from];
                }
            }
        }
    }
}

/// How elements become one.
pub(super) trait Fold<T>: Send + Sync + std::fmt::Debug {
    /// What nothing becomes.
    fn empty() -> T;

    fn join(a: T, b: T) -> T;
}

/// Sums.
#[derive(Debug)]
pub(super) struct Total;

impl<T: Scalar> Fold<T> for Total {
    #[inline(always)]
    fn empty() -> T {
        T::zero()
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

/// The largest element, NaN if there is one.
#[derive(Debug)]
pub(super) struct Largest;

impl<T: Scalar> Fold<T> for Largest {
    #[inline(always)]
    fn empty() -> T {
        T::neg_infinity()
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        // NaN stays.
        if b > a || b.is_nan() { b } else { a }
    }
}

/// Elements along axes become one, in an order that depends on the shape alone.
#[derive(Debug)]
pub(super) struct Reduction<F> {
    /// Over a row of the input.
    loops: Vec<Loop>,
    /// Elements of a row of the input and of the result; no distance in the result if rows add up.
    width: usize,
    step: usize,
    /// Whether rows add up to what is there.
    add: bool,
    fold: std::marker::PhantomData<F>,
}

impl<F> Reduction<F> {
    /// For rows of shape `x` whose `axes` disappear; `add` if one of them numbers the rows.
    pub(super) fn new(x: &Shape, axes: &[usize], add: bool) -> Self {
        let mut to = vec![0; x.rank()];
        let mut step = 1;
        for i in (0..x.rank()).rev().filter(|i| !axes.contains(i)) {
            to[i] = step;
            step *= x[i];
        }
        Self {
            loops: nest(x, &x.strides(), &to),
            width: x.len(),
            step: if add { 0 } else { step },
            add,
            fold: std::marker::PhantomData,
        }
    }
}

impl<T: Element, F: Fold<T>> Kernel<T> for Reduction<F> {
    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        if !self.add {
            out.fill(F::empty());
        }
        if inputs[0].is_empty() {
            return;
        }
        let along = Loop {
            length: rows,
            from: self.width,
            to: self.step,
        };
        let mut leaf = |outer, inner, (from, to): (usize, usize)| {
            Arch::new().dispatch(Folds::<T, F> {
                outer,
                inner,
                x: &inputs[0][from..],
                out: &mut out[to..],
                fold: std::marker::PhantomData,
            });
        };
        match self.loops.split_first() {
            Some((first, rest)) if rows == 1 => walk(*first, rest, (0, 0), &mut leaf),
            _ => walk(along, &self.loops, (0, 0), &mut leaf),
        }
    }
}

/// Reductions along two loops over neighbours in `x`.
struct Folds<'a, T, F> {
    outer: Loop,
    inner: Loop,
    x: &'a [T],
    out: &'a mut [T],
    fold: std::marker::PhantomData<F>,
}

/// Partial results, as many for every machine.
const LANES: usize = 32;

impl<T: Scalar, F: Fold<T>> NullaryFnOnce for Folds<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            outer,
            inner,
            x,
            out,
            ..
        } = self;
        if inner.to == 0 {
            // Runs of neighbours become one.
            for k in 0..outer.length {
                let o = &mut out[k * outer.to];
                *o = F::join(*o, run::<T, F>(&x[k * outer.from..][..inner.length]));
            }
        } else if outer.to == 0 && inner.from == 1 {
            // Columns, a few at a time.
            let mut first = 0;
            while first < inner.length {
                let count = LANES.min(inner.length - first);
                let columns = &mut out[first..][..count];
                if count == LANES {
                    let mut lanes = [F::empty(); LANES];
                    for k in 0..outer.length {
                        let row: &[T] = &x[k * outer.from + first..][..LANES];
                        for l in 0..LANES {
                            lanes[l] = F::join(lanes[l], row[l]);
                        }
                    }
                    for l in 0..LANES {
                        columns[l] = F::join(columns[l], lanes[l]);
                    }
                } else {
                    for k in 0..outer.length {
                        let row: &[T] = &x[k * outer.from + first..][..count];
                        for l in 0..count {
                            columns[l] = F::join(columns[l], row[l]);
                        }
                    }
                }
                first += count;
            }
        } else {
            for k in 0..outer.length {
                for i in 0..inner.length {
                    let o = &mut out[k * outer.to + i * inner.to];
                    *o = F::join(*o, x[k * outer.from + i * inner.from]);
                }
            }
        }
    }
}

/// What neighbours become.
#[inline(always)]
fn run<T: Scalar, F: Fold<T>>(x: &[T]) -> T {
    let (blocks, rest) = x.as_chunks::<LANES>();
    let mut result = F::empty();
    if !blocks.is_empty() {
        let mut lanes = [F::empty(); LANES];
        for block in blocks {
            for l in 0..LANES {
                lanes[l] = F::join(lanes[l], block[l]);
            }
        }
        let mut width = LANES / 2;
        while width > 0 {
            for l in 0..width {
                lanes[l] = F::join(lanes[l], lanes[l + width]);
            }
            width /= 2;
        }
        result = lanes[0];
    }
    for v in rest {
        result = F::join(result, *v);
    }
    result
}
