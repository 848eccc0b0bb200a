//! Convolutions as matrix products with im2col's matrix, which is read where it lies.
//!
//! For each image and group the source is copied into zero-padded planes. The result's channels are the
//! columns of panels, a few vectors wide. For values and input gradients the panels hold weights, the
//! rows of the product are positions, and the terms of its sums are pairs of channel and tap. For
//! weight gradients the panels hold the output's cotangent, the rows are pairs of channel and tap,
//! and the terms are positions.

use super::geometry::{self, Axis, Job, Planes};
use super::product::{DEPTH, Product};
use super::{Correlation, Role};
use crate::compile::Element;
use crate::op::Kernel;

/// Positions whose results are kept together until their sums are complete.
const BLOCK: usize = 480;

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
}

impl Wide {
    pub(super) fn new(primitive: &Correlation, images: usize, add: bool) -> Self {
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
            groups: primitive.groups,
            channels,
            columns,
            source,
            target,
            taps: axes.iter().map(Axis::taps).product(),
        }
    }

    /// Columns of all panels of a group.
    fn width<T: Element>(&self) -> usize {
        panels(self.columns, T::lanes()).map(|p| p.width).sum()
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

    /// Weights of all groups as panels, in the order in which they are used.
    fn pack<T: Element>(&self, w: &[T], mut packed: &mut [T]) {
        let (row, column) = match self.role {
            Role::Input => (self.columns * self.taps, self.taps),
            _ => (self.taps, self.channels * self.taps),
        };
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
                    sums.fill(T::zero());
                    let parts = weights.chunks(DEPTH * panel.width);
                    for (steps, weights) in steps.chunks(DEPTH).zip(parts) {
                        panel.multiply(x, (positions, steps), weights, sums);
                    }
                    for (l, out) in out
                        .chunks_exact_mut(self.target)
                        .skip(panel.start)
                        .take(panel.used)
                        .enumerate()
                    {
                        let values = sums.iter().skip(l).step_by(panel.width);
                        let first = block * BLOCK;
                        if job.targets.is_empty() {
                            for (o, v) in out[first..].iter_mut().zip(values) {
                                *o = *v;
                            }
                        } else {
                            for (t, v) in job.targets[first..].iter().zip(values) {
                                out[*t as usize] = *v;
                            }
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
            sums.fill(T::zero());
            for (i, positions) in job.positions.chunks(DEPTH).enumerate() {
                let block = &mut block[..positions.len() * panel.width];
                for l in 0..panel.width {
                    let column = block[l..].iter_mut().step_by(panel.width);
                    if l < panel.used {
                        let y = &y[(panel.start + l) * self.target + i * DEPTH..];
                        column.zip(y).for_each(|(o, y)| *o = *y);
                    } else {
                        column.for_each(|o| *o = T::zero());
                    }
                }
                panel.multiply(x, (steps, positions), block, sums);
            }
            for (l, out) in out
                .chunks_exact_mut(steps.len())
                .skip(panel.start)
                .take(panel.used)
                .enumerate()
            {
                for (o, v) in out.iter_mut().zip(sums.iter().skip(l).step_by(panel.width)) {
                    *o += *v;
                }
            }
        }
    }
}

/// Columns that are worked on together.
#[derive(Debug, Clone, Copy)]
struct Panel {
    start: usize,
    /// Columns that are there; the others are zero.
    used: usize,
    width: usize,
    vectors: usize,
}

impl Panel {
    fn multiply<T: Element>(self, x: &[T], (a, b): (&[u32], &[u32]), v: &[T], out: &mut [T]) {
        // As many accumulators as sixteen vector registers hold.
        if self.vectors == 2 {
            T::product(Product::<T, 2, 6> { x, a, b, v, out });
        } else {
            T::product(Product::<T, 1, 12> { x, a, b, v, out });
        }
    }
}

/// Panels of two vectors, and of one where that is enough.
fn panels(columns: usize, lanes: usize) -> impl Iterator<Item = Panel> {
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
                Role::Weight => (steps + DEPTH) * panel,
                _ => {
                    let most = self.jobs.iter().map(|job| job.positions.len()).max();
                    let sums = most.unwrap_or(0).min(BLOCK) * panel;
                    self.groups * steps * self.width::<T>() + sums
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
                self.backward(planes, y, scratch, out);
            }
        } else {
            let steps: usize = self.steps.iter().map(Vec::len).sum();
            let part = steps * self.width::<T>();
            let (packed, sums) = scratch.split_at_mut(self.groups * part);
            self.pack(inputs[1], packed);
            let results = out.chunks_exact_mut(self.columns * self.target);
            for (i, (x, out)) in sources.zip(results).enumerate().take(images * self.groups) {
                self.fill(x, planes);
                self.forward(planes, &packed[i % self.groups * part..][..part], sums, out);
            }
        }
    }
}
