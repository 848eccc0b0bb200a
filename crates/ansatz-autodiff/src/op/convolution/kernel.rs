//! Convolutions as matrix products with im2col's matrix, which is read where it lies.
//!
//! For each image and group the source is copied into zero-padded planes. The result's channels are the
//! columns of panels, a few vectors wide. For values and input gradients the panels hold weights, the
//! rows of the product are positions, and the terms of its sums are pairs of channel and tap. For
//! weight gradients the panels hold the output's cotangent, the rows are pairs of channel and tap,
//! and the terms are positions.

use std::sync::Arc;

use pulp::Arch;

use super::geometry::{self, Axis, Job, Planes};
use super::narrow::{Products, Weighted};
use super::product::{DEPTH, Product, Start};
use super::{Correlation, Role};
use crate::compile::Element;
use crate::op::Kernel;

/// Positions whose results are kept together until their sums are complete.
const BLOCK: usize = 240;

/// Columns up to which lines are worked on, not panels.
const NARROW: usize = 2;

/// A convolution, or one of its transposes, made ready.
#[derive(Debug)]
pub(super) struct Wide {
    pub(super) role: Role,
    pub(super) planes: Planes,
    pub(super) jobs: Vec<Job>,
    /// For each job, where the terms of the sums are.
    pub(super) steps: Vec<Vec<u32>>,
    /// Images in a row of the batch.
    pub(super) images: usize,
    /// Whether results are added to what is there.
    pub(super) add: bool,
    /// Whether weights come as panels.
    pub(super) ready: bool,
    pub(super) groups: usize,
    /// Source channels of a group.
    pub(super) channels: usize,
    /// Result channels of a group, or for weight gradients output channels.
    pub(super) columns: usize,
    /// Elements of a channel of the source, and of the other array that numbers positions.
    pub(super) source: usize,
    pub(super) target: usize,
    /// Taps of the kernel.
    pub(super) taps: usize,
    /// Whether there are too few columns for panels.
    pub(super) narrow: bool,
}

impl Wide {
    pub(super) fn new(primitive: &Correlation, images: usize, (add, ready): (bool, bool)) -> Self {
        let axes = &primitive.axes;
        let (input, output) = (primitive.inputs, primitive.outputs);
        let (channels, columns) = match primitive.role {
            Role::Output | Role::Weight => (input, output),
            Role::Input => (output, input),
        };
        let (planes, jobs) = match primitive.role {
            Role::Output | Role::Weight => geometry::windows(axes),
            Role::Input => geometry::transposed(axes),
        };
        let inside: usize = axes.iter().map(|a| a.input).product();
        let outside: usize = axes.iter().map(|a| a.output).product();
        let (source, target) = match primitive.role {
            Role::Output | Role::Weight => (inside, outside),
            Role::Input => (outside, inside),
        };
        let steps = jobs.iter().map(|job| job.steps(channels, planes.size));
        Self {
            role: primitive.role,
            steps: steps.collect(),
            planes,
            jobs,
            images,
            add,
            ready: ready && columns > NARROW,
            groups: primitive.groups,
            channels,
            columns,
            source,
            target,
            taps: axes.iter().map(Axis::taps).product(),
            narrow: columns <= NARROW,
        }
    }

    /// Columns of all panels of a group.
    fn width<T: Element>(&self) -> usize {
        panels(self.columns, T::lanes()).map(|p| p.width).sum()
    }

    /// Elements of the panels that are expected, for either type.
    pub(super) fn packed(&self) -> usize {
        if self.ready {
            self.kept::<f32>().max(self.kept::<f64>())
        } else {
            0
        }
    }

    fn kept<T: Element>(&self) -> usize {
        let steps: usize = self.steps.iter().map(Vec::len).sum();
        self.groups * steps * self.width::<T>()
    }

    fn padded(&self) -> usize {
        self.channels * self.planes.size
    }

    /// Copies a group of an image into its planes.
    fn fill<T: Copy>(&self, x: &[T], planes: &mut [T]) {
        let (x, planes) = (
            x.chunks_exact(self.source),
            planes.chunks_exact_mut(self.planes.size),
        );
        for (x, plane) in x.zip(planes) {
            self.planes.fill(x, plane);
        }
    }

    /// Distances of the weights of neighbouring source channels, and of neighbouring columns.
    fn strides(&self) -> (usize, usize) {
        match self.role {
            Role::Input => (self.columns * self.taps, self.taps),
            _ => (self.taps, self.channels * self.taps),
        }
    }

    /// Weights of all groups as panels, in the order in which they are used.
    fn pack<T: Element>(&self, w: &[T], mut packed: &mut [T]) {
        let (row, column) = self.strides();
        for w in w.chunks_exact(self.channels * self.columns * self.taps) {
            for job in &self.jobs {
                for panel in panels(self.columns, T::lanes()) {
                    let length = self.channels * job.taps.len() * panel.width;
                    let (here, rest) = packed.split_at_mut(length);
                    packed = rest;
                    let mut rows = here.chunks_exact_mut(panel.width);
                    for c in 0..self.channels {
                        for ((tap, _), out) in job.taps.iter().zip(&mut rows) {
                            let w = &w[c * row + panel.start * column + *tap as usize..];
                            out[panel.used..].fill(T::zero());
                            for (o, w) in out[..panel.used].iter_mut().zip(w.iter().step_by(column))
                            {
                                *o = *w;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Values, or the input's gradient, of one group of an image.
    fn forward<T: Element>(&self, x: &[T], mut packed: &[T], sums: &mut [T], out: &mut [T]) {
        for (job, steps) in self.jobs.iter().zip(&self.steps) {
            for panel in panels(self.columns, T::lanes()) {
                let (weights, rest) = packed.split_at(steps.len() * panel.width);
                packed = rest;
                for (block, positions) in job.positions.chunks(BLOCK).enumerate() {
                    let sums = &mut sums[..positions.len() * panel.width];
                    panel.multiply(x, (positions, steps), weights, sums, Start::Zero);
                    let first = block * BLOCK;
                    let columns = &mut out[panel.start * self.target..];
                    if job.targets.is_empty() {
                        let to = (&mut columns[first..], self.target);
                        turn((&*sums, panel.width), to, panel.used, |o, v| *o = v);
                    } else {
                        let rows = sums.chunks_exact(panel.width);
                        for (t, row) in job.targets[first..].iter().zip(rows) {
                            let places = columns[*t as usize..].iter_mut().step_by(self.target);
                            places.zip(&row[..panel.used]).for_each(|(o, v)| *o = *v);
                        }
                    }
                }
            }
        }
    }

    /// Adds the weight gradient of one group of an image to `out`.
    fn backward<T: Element>(&self, x: &[T], y: &[T], scratch: &mut [T], out: &mut [T]) {
        let [job] = &self.jobs[..] else { return };
        let steps = &self.steps[0];
        let (sums, block) = scratch.split_at_mut(steps.len() * 2 * T::lanes());
        for panel in panels(self.columns, T::lanes()) {
            let sums = &mut sums[..steps.len() * panel.width];
            for (i, positions) in job.positions.chunks(DEPTH).enumerate() {
                let block = &mut block[..positions.len() * panel.width];
                if panel.used < panel.width {
                    block.fill(T::zero());
                }
                let count = positions.len();
                let y = &y[panel.start * self.target + i * DEPTH..];
                let last = (panel.used - 1) * self.target + count;
                turn_back(
                    (&y[..last], self.target),
                    (block, panel.width),
                    panel.used,
                    count,
                );
                let start = if i == 0 { Start::Zero } else { Start::Here };
                panel.multiply(x, (steps, positions), block, sums, start);
            }
            let columns = &mut out[panel.start * steps.len()..];
            let to = (columns, steps.len());
            turn((&*sums, panel.width), to, panel.used, |o, v| *o += v);
        }
    }
}

/// Packs weights for a [`Wide`] that expects it.
#[derive(Debug)]
pub(super) struct Pack(pub(super) Arc<Wide>);

impl<T: Element> Kernel<T> for Pack {
    fn run(&self, _: usize, inputs: &[&[T]], out: &mut [T], _: &mut [T]) {
        self.0.pack(inputs[0], out);
    }
}

/// Rows that are transposed together.
const TURN: usize = 8;

/// Hands the elements of `columns` columns of `from`, whose rows have the given width, to columns that are
/// a given distance apart.
#[inline(always)]
fn turn<T: Copy>(
    (from, width): (&[T], usize),
    (to, distance): (&mut [T], usize),
    columns: usize,
    put: impl Fn(&mut T, T),
) {
    for (i, block) in from.chunks(TURN * width).enumerate() {
        let (rows, first) = (block.len() / width, i * TURN);
        if rows == TURN {
            let rows: [&[T]; TURN] = std::array::from_fn(|r| &block[r * width..][..columns]);
            for c in 0..columns {
                let out = &mut to[c * distance + first..][..TURN];
                for r in 0..TURN {
                    put(&mut out[r], rows[r][c]);
                }
            }
        } else {
            for (r, row) in block.chunks_exact(width).enumerate() {
                for (c, v) in row[..columns].iter().enumerate() {
                    put(&mut to[c * distance + first + r], *v);
                }
            }
        }
    }
}

/// The other way: `count` elements of columns that are a given distance apart become rows of a given width.
#[inline(always)]
fn turn_back<T: Copy>(
    (from, distance): (&[T], usize),
    (to, width): (&mut [T], usize),
    columns: usize,
    count: usize,
) {
    for first in (0..columns).step_by(TURN) {
        let here = TURN.min(columns - first);
        if here == TURN {
            let from: [&[T]; TURN] =
                std::array::from_fn(|c| &from[(first + c) * distance..][..count]);
            for (p, row) in to.chunks_exact_mut(width).enumerate().take(count) {
                let row = &mut row[first..][..TURN];
                for c in 0..TURN {
                    row[c] = from[c][p];
                }
            }
        } else {
            for c in first..first + here {
                let rows = to.iter_mut().skip(c).step_by(width);
                rows.zip(&from[c * distance..][..count])
                    .for_each(|(o, v)| *o = *v);
            }
        }
    }
}

/// Columns that are worked on together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) start: usize,
    /// Columns that are there; the others are zero.
    pub(super) used: usize,
    pub(super) width: usize,
    vectors: usize,
}

impl Panel {
    /// Two vectors.
    pub(super) fn full(lanes: usize) -> Self {
        Self {
            start: 0,
            used: 2 * lanes,
            width: 2 * lanes,
            vectors: 2,
        }
    }

    /// The product of the matrix at `a` + `b` of `x` with `v`, a part of its depth at a time.
    pub(super) fn multiply<T: Element>(
        self,
        x: &[T],
        (a, b): (&[u32], &[u32]),
        v: &[T],
        out: &mut [T],
        mut start: Start,
    ) {
        if b.is_empty() && start == Start::Zero {
            out.fill(T::zero());
        }
        for (b, v) in b.chunks(DEPTH).zip(v.chunks(DEPTH * self.width)) {
            let out = &mut *out;
            if self.vectors == 2 {
                T::sliding(Product::<T, 2> {
                    x,
                    a,
                    b,
                    v,
                    out,
                    start,
                });
            } else {
                T::sliding(Product::<T, 1> {
                    x,
                    a,
                    b,
                    v,
                    out,
                    start,
                });
            }
            start = Start::Here;
        }
    }
}

/// Panels of two vectors, and of one where that is enough.
pub(super) fn panels(columns: usize, lanes: usize) -> impl Iterator<Item = Panel> {
    (0..columns).step_by(2 * lanes).map(move |start| {
        let used = (columns - start).min(2 * lanes);
        let vectors = if used > lanes { 2 } else { 1 };
        Panel {
            start,
            used,
            width: vectors * lanes,
            vectors,
        }
    })
}

impl<T: Element> Kernel<T> for Wide {
    fn scratch(&self) -> usize {
        let panel = 2 * T::lanes();
        let steps: usize = self.steps.iter().map(Vec::len).sum();
        self.padded()
            + match self.role {
                Role::Weight if self.narrow => 0,
                _ if self.narrow => self.jobs.iter().map(|job| job.line).max().unwrap_or(0),
                Role::Weight => (steps + DEPTH) * panel,
                _ => {
                    let most = self.jobs.iter().map(|job| job.positions.len()).max();
                    let sums = most.unwrap_or(0).min(BLOCK) * panel;
                    if self.ready {
                        sums
                    } else {
                        self.kept::<T>() + sums
                    }
                }
            }
    }

    fn run(&self, rows: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let (planes, scratch) = scratch.split_at_mut(self.padded());
        // What lies around the images stays zero.
        planes.fill(T::zero());
        let images = rows * self.images;
        let sources = inputs[0].chunks_exact(self.channels * self.source);
        if self.role == Role::Weight {
            if !self.add {
                out.fill(T::zero());
            }
            let cotangents = inputs[1].chunks_exact(self.columns * self.target);
            let part = out.len() / self.groups;
            for (i, (x, y)) in sources
                .zip(cotangents)
                .enumerate()
                .take(images * self.groups)
            {
                let out = &mut out[i % self.groups * part..][..part];
                self.fill(x, planes);
                if self.narrow {
                    let columns = y.chunks_exact(self.target);
                    for (y, out) in columns.zip(out.chunks_exact_mut(self.steps[0].len())) {
                        let (job, steps, x) = (&self.jobs[0], &self.steps[0], &*planes);
                        Arch::new().dispatch(Products {
                            job,
                            steps,
                            x,
                            y,
                            out,
                        });
                    }
                } else {
                    self.backward(planes, y, scratch, out);
                }
            }
        } else if self.narrow {
            let (row, column) = self.strides();
            let results = out.chunks_exact_mut(self.columns * self.target);
            let part = inputs[1].len() / self.groups;
            for (i, (x, out)) in sources.zip(results).enumerate().take(images * self.groups) {
                self.fill(x, planes);
                let w = &inputs[1][i % self.groups * part..][..part];
                for (job, steps) in self.jobs.iter().zip(&self.steps) {
                    for (c, out) in out.chunks_exact_mut(self.target).enumerate() {
                        let (x, w) = (&*planes, &w[c * column..]);
                        let sums = &mut scratch[..job.line];
                        Arch::new().dispatch(Weighted {
                            job,
                            steps,
                            x,
                            w,
                            row,
                            sums,
                            out,
                        });
                    }
                }
            }
        } else {
            let steps: usize = self.steps.iter().map(Vec::len).sum();
            let part = steps * self.width::<T>();
            let own = if self.ready { 0 } else { self.kept::<T>() };
            let (packed, sums) = scratch.split_at_mut(own);
            let packed = if self.ready {
                inputs[1]
            } else {
                self.pack(inputs[1], packed);
                packed
            };
            let results = out.chunks_exact_mut(self.columns * self.target);
            for (i, (x, out)) in sources.zip(results).enumerate().take(images * self.groups) {
                self.fill(x, planes);
                self.forward(planes, &packed[i % self.groups * part..][..part], sums, out);
            }
        }
    }
}
