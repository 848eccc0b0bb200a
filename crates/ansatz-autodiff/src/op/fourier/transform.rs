//! The passes of a transform: along the last axis line by line, along the others in tiles of columns.

use std::sync::Arc;

use pulp::bytemuck::{Pod, cast_slice, cast_slice_mut};
use pulp::num_complex::Complex;
use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use super::{Direction, Form, Fourier};
use crate::Element;
use crate::op::Kernel;

/// Plans of one transform in both types.
#[derive(Debug)]
pub(super) struct Transform {
    single: Plans<f32>,
    double: Plans<f64>,
}

impl Transform {
    /// `count` transforms over axes of these lengths, in points.
    pub(super) fn new(fourier: Fourier, lengths: &[usize], count: usize) -> Self {
        Self {
            single: Plans::new(fourier, lengths, count),
            double: Plans::new(fourier, lengths, count),
        }
    }
}

impl Kernel<f32> for Transform {
    fn scratch(&self) -> usize {
        self.single.scratch()
    }

    fn run(&self, rows: usize, inputs: &[&[f32]], out: &mut [f32], scratch: &mut [f32]) {
        self.single.run(rows, inputs[0], out, scratch);
    }
}

impl Kernel<f64> for Transform {
    fn scratch(&self) -> usize {
        self.double.scratch()
    }

    fn run(&self, rows: usize, inputs: &[&[f64]], out: &mut [f64], scratch: &mut [f64]) {
        self.double.run(rows, inputs[0], out, scratch);
    }
}

/// How the last axis is transformed.
enum Last<T> {
    Complex,
    Halve(Arc<dyn RealToComplex<T>>),
    Unfold(Arc<dyn ComplexToReal<T>>),
}

/// A complex axis.
struct Axis<T> {
    length: usize,
    /// Complex numbers between neighbours.
    stride: usize,
    plan: Arc<dyn Fft<T>>,
}

struct Plans<T> {
    /// Transforms in a row of the batch.
    count: usize,
    /// Length of the last axis in points, and of the lines along it.
    length: usize,
    lines: usize,
    last: Last<T>,
    axes: Vec<Axis<T>>,
    middle: T,
    scale: T,
    /// Complex numbers that transforms need beside their data, and that a tile of columns takes.
    work: usize,
    tile: usize,
}

/// Columns that are transformed together: neighbours share cache lines.
const COLUMNS: usize = 8;

impl<T> std::fmt::Debug for Plans<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} x {}", self.count, self.lines, self.length)
    }
}

impl<T: Element + FftNum + Pod> Plans<T>
where
    Complex<T>: Pod,
{
    fn new(fourier: Fourier, lengths: &[usize], count: usize) -> Self {
        let (length, lines) = match lengths {
            [before @ .., last] => (*last, before.iter().product()),
            [] => (1, 1),
        };
        let mut complex = FftPlanner::new();
        let mut real = RealFftPlanner::new();
        let (last, work, middle, forward) = match fourier.form {
            Form::Complex(direction) => (Last::Complex, 0, 1.0, direction == Direction::Forward),
            Form::Halve { middle } => {
                let plan = real.plan_fft_forward(length);
                let work = plan.get_scratch_len();
                (Last::Halve(plan), work, middle, true)
            }
            Form::Unfold { middle, .. } => {
                let plan = real.plan_fft_inverse(length);
                let work = plan.get_scratch_len();
                (Last::Unfold(plan), work, middle, false)
            }
        };
        let is_complex = matches!(last, Last::Complex);
        let width = if is_complex { length } else { length / 2 + 1 };
        let mut stride = if is_complex { 1 } else { width };
        let skip = usize::from(!is_complex);
        let mut axes = Vec::new();
        for n in lengths.iter().rev().skip(skip) {
            let plan = if forward {
                complex.plan_fft_forward(*n)
            } else {
                complex.plan_fft_inverse(*n)
            };
            axes.push(Axis {
                length: *n,
                stride,
                plan,
            });
            stride *= n;
        }
        let needs = axes.iter().map(|a| a.plan.get_inplace_scratch_len());
        let longest = axes.iter().map(|a| a.length).max().unwrap_or(0);
        Self {
            count,
            length,
            lines,
            last,
            middle: T::of(middle),
            scale: T::of(fourier.scale),
            work: needs.fold(work, usize::max),
            tile: COLUMNS * longest,
            axes,
        }
    }

    /// Complex numbers of a half spectrum's line.
    fn half(&self) -> usize {
        self.length / 2 + 1
    }

    fn scratch(&self) -> usize {
        let beside = match self.last {
            Last::Complex => 0,
            Last::Halve(_) => self.length,
            Last::Unfold(_) => 2 * self.half() * self.lines,
        };
        2 * (self.work + self.tile) + beside
    }

    fn run(&self, rows: usize, x: &[T], out: &mut [T], scratch: &mut [T]) {
        let (work, rest) = scratch.split_at_mut(2 * self.work);
        let (tile, beside) = rest.split_at_mut(2 * self.tile);
        let work: &mut [Complex<T>] = cast_slice_mut(work);
        let tile: &mut [Complex<T>] = cast_slice_mut(tile);
        let (real, half) = (self.length * self.lines, 2 * self.half() * self.lines);
        for s in 0..rows * self.count {
            match &self.last {
                Last::Complex => {
                    let item = s * 2 * real..(s + 1) * 2 * real;
                    out[item.clone()].copy_from_slice(&x[item.clone()]);
                    self.columns(cast_slice_mut(&mut out[item]), work, tile);
                }
                Last::Halve(plan) => {
                    let spectrum: &mut [Complex<T>] = cast_slice_mut(&mut out[s * half..][..half]);
                    let lines = spectrum.chunks_exact_mut(self.half());
                    for (line, x) in lines.zip(x[s * real..].chunks_exact(self.length)) {
                        beside.copy_from_slice(x);
                        self.forward(&**plan, beside, line, work);
                    }
                    self.columns(spectrum, work, tile);
                }
                Last::Unfold(plan) => {
                    let spectrum: &mut [Complex<T>] = cast_slice_mut(&mut *beside);
                    spectrum.copy_from_slice(cast_slice(&x[s * half..][..half]));
                    self.columns(spectrum, work, tile);
                    let lines = out[s * real..].chunks_exact_mut(self.length);
                    for (line, x) in lines.zip(spectrum.chunks_exact_mut(self.half())) {
                        self.backward(&**plan, x, line, work);
                    }
                }
            }
        }
        if self.scale != T::one() {
            for v in out {
                *v *= self.scale;
            }
        }
    }

    /// Frequencies that stand for two.
    fn doubled(&self) -> std::ops::Range<usize> {
        1..self.length.div_ceil(2)
    }

    fn forward(
        &self,
        plan: &dyn RealToComplex<T>,
        x: &mut [T],
        out: &mut [Complex<T>],
        work: &mut [Complex<T>],
    ) {
        // It fails for other lengths only, and those are the plan's.
        if plan.process_with_scratch(x, out, work).is_err() {
            out.fill(Complex::new(T::nan(), T::nan()));
        }
        if self.middle != T::one() {
            for v in &mut out[self.doubled()] {
                *v = v.scale(self.middle);
            }
        }
    }

    fn backward(
        &self,
        plan: &dyn ComplexToReal<T>,
        x: &mut [Complex<T>],
        out: &mut [T],
        work: &mut [Complex<T>],
    ) {
        if self.middle != T::one() {
            for v in &mut x[self.doubled()] {
                *v = v.scale(self.middle);
            }
        }
        x[0].im = T::zero();
        if self.length.is_multiple_of(2) {
            x[self.length / 2].im = T::zero();
        }
        if plan.process_with_scratch(x, out, work).is_err() {
            out.fill(T::nan());
        }
    }

    /// Transforms along the complex axes, in place.
    fn columns(&self, data: &mut [Complex<T>], work: &mut [Complex<T>], tile: &mut [Complex<T>]) {
        for axis in &self.axes {
            let (n, stride) = (axis.length, axis.stride);
            let work = &mut work[..axis.plan.get_inplace_scratch_len()];
            if stride == 1 {
                axis.plan.process_with_scratch(data, work);
                continue;
            }
            for block in data.chunks_exact_mut(n * stride) {
                let mut first = 0;
                while first < stride {
                    let width = COLUMNS.min(stride - first);
                    let tile = &mut tile[..width * n];
                    for k in 0..n {
                        for c in 0..width {
                            tile[c * n + k] = block[k * stride + first + c];
                        }
                    }
                    axis.plan.process_with_scratch(tile, work);
                    for k in 0..n {
                        for c in 0..width {
                            block[k * stride + first + c] = tile[c * n + k];
                        }
                    }
                    first += width;
                }
            }
        }
    }
}
