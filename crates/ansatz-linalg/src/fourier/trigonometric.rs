//! Sine and cosine transforms.

use std::f64::consts::PI;

use pulp::num_complex::Complex;
use rayon::prelude::*;

use super::{RealFft, complex, complex_mut};
use crate::LinalgError;

/// Which sine or cosine transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// DST-I: values 0 one cell beyond both ends. Its own inverse.
    SineI,
    /// DST-II: values 0 half a cell beyond both ends.
    SineII,
    /// DST-III, the inverse of DST-II.
    SineIII,
    /// DCT-II: slopes 0 half a cell beyond both ends.
    CosineII,
    /// DCT-III, the inverse of DCT-II.
    CosineIII,
}

impl Transform {
    /// The transform that undoes this one; as matrices they are each other's transposes.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::SineI => Self::SineI,
            Self::SineII => Self::SineIII,
            Self::SineIII => Self::SineII,
            Self::CosineII => Self::CosineIII,
            Self::CosineIII => Self::CosineII,
        }
    }
}

/// An orthogonal sine or cosine transform of one length.
///
/// ```
/// use ansatz_linalg::fourier::{Transform, Trigonometric};
/// let (there, back) = (Trigonometric::new(Transform::CosineII, 4)?, Trigonometric::new(Transform::CosineIII, 4)?);
/// let mut x = [1.0, 1.0, 1.0, 1.0];
/// let mut scratch = vec![0.0; there.scratch_len().max(back.scratch_len())];
/// there.apply(&mut x, &mut scratch);
/// assert!((x[0] - 2.0).abs() < 1e-15 && x[1].abs() < 1e-15);
/// back.apply(&mut x, &mut scratch);
/// assert!((x[3] - 1.0).abs() < 1e-15);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Trigonometric {
    kind: Transform,
    length: usize,
    fft: RealFft,
    /// e^{−iπk/2n}·√(2/n)·s, for all but DST-I.
    twiddles: Vec<Complex<f64>>,
}

impl Trigonometric {
    /// Plans a transform.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for the length 0.
    pub fn new(kind: Transform, length: usize) -> Result<Self, LinalgError> {
        if length == 0 {
            return Err(LinalgError::Shape {
                what: "length of a sine or cosine transform",
                expected: 1,
                got: 0,
            });
        }
        let n = length as f64;
        let (fft, twiddles) = if kind == Transform::SineI {
            (RealFft::new(2 * (length + 1)), Vec::new())
        } else {
            let twiddle = |k: usize| {
                let scale = if k == 0 { 1.0 / n } else { 2.0 / n };
                Complex::from_polar(scale.sqrt(), -PI * k as f64 / (2.0 * n))
            };
            (RealFft::new(length), (0..length).map(twiddle).collect())
        };
        Ok(Self {
            kind,
            length,
            fft,
            twiddles,
        })
    }

    /// Which transform it is.
    pub fn kind(&self) -> Transform {
        self.kind
    }

    /// Numbers that it transforms.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Working memory of [`Trigonometric::apply`].
    pub fn scratch_len(&self) -> usize {
        self.fft.len() + 2 * self.fft.bins() + self.fft.scratch_len()
    }

    /// Eigenvalue number `k` of the second difference −u\[j−1\] + 2u\[j\] − u\[j+1\] with the boundary values of the transform,
    /// whose eigenvectors are its rows (for DST-III and DCT-III its columns): 2 − 2cos φ.
    pub fn eigenvalue(&self, k: usize) -> f64 {
        let (n, k) = (self.length as f64, k as f64);
        let half = match self.kind {
            Transform::SineI => PI * (k + 1.0) / (2.0 * (n + 1.0)),
            Transform::SineII | Transform::SineIII => PI * (k + 1.0) / (2.0 * n),
            Transform::CosineII | Transform::CosineIII => PI * k / (2.0 * n),
        };
        4.0 * half.sin().powi(2)
    }

    /// Transforms `x` in place.
    ///
    /// # Panics
    /// When `x` has another length, or `scratch` less than [`Trigonometric::scratch_len`].
    pub fn apply(&self, x: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(x.len(), self.length, "a transform of another length");
        match self.kind {
            Transform::SineI => self.sine_one(x, scratch),
            Transform::CosineII => self.cosine_two(x, scratch),
            Transform::CosineIII => self.cosine_three(x, scratch),
            // sin(π(2j+1)(k+1)/2n) = (−1)^j·cos(π(2j+1)(n−1−k)/2n).
            Transform::SineII => {
                negate_odd(x);
                self.cosine_two(x, scratch);
                x.reverse();
            }
            Transform::SineIII => {
                x.reverse();
                self.cosine_three(x, scratch);
                negate_odd(x);
            }
        }
    }

    /// Transforms every line along one axis of an array in row-major order: `stride` is the number of elements after that
    /// axis. Lines are spread over the caller's pool; the result does not depend on it.
    ///
    /// # Panics
    /// When the length of `data` is no multiple of that of the transform times `stride`.
    pub fn apply_along(&self, data: &mut [f64], stride: usize) {
        let n = self.length;
        assert_eq!(data.len() % (n * stride), 0, "not an array of whole lines");
        if stride == 1 {
            let lines = (LINES / n).max(1);
            data.par_chunks_mut(n * lines).for_each_init(
                || vec![0.0; self.scratch_len()],
                |scratch, lines| {
                    for line in lines.chunks_mut(n) {
                        self.apply(line, scratch);
                    }
                },
            );
            return;
        }
        // Some neighbouring lines at a time, gathered and put back, so that each row is read in whole cache lines.
        let mut turned = vec![0.0; data.len()];
        let block = |part: usize| (part / stride * n * stride, part % stride);
        let data_in = &*data;
        turned.par_chunks_mut(n).enumerate().for_each_init(
            || vec![0.0; self.scratch_len()],
            |scratch, (part, line)| {
                let (start, lane) = block(part);
                for (j, v) in line.iter_mut().enumerate() {
                    *v = data_in[start + j * stride + lane];
                }
                self.apply(line, scratch);
            },
        );
        data.par_chunks_mut(n * stride)
            .zip(turned.par_chunks(n * stride))
            .for_each(|(data, turned)| {
                for (lane, line) in turned.chunks(n).enumerate() {
                    for (j, v) in line.iter().enumerate() {
                        data[j * stride + lane] = *v;
                    }
                }
            });
    }

    fn parts<'s>(&self, scratch: &'s mut [f64]) -> (&'s mut [f64], &'s mut [f64], &'s mut [f64]) {
        let (line, rest) = scratch.split_at_mut(self.fft.len());
        let (spectrum, rest) = rest.split_at_mut(2 * self.fft.bins());
        (line, spectrum, rest)
    }

    /// The odd extension 0, x, 0, −x backwards has the transform −2i Σ x[j] sin(..).
    fn sine_one(&self, x: &mut [f64], scratch: &mut [f64]) {
        let n = self.length;
        let (line, spectrum, rest) = self.parts(scratch);
        (line[0], line[n + 1]) = (0.0, 0.0);
        line[1..=n].copy_from_slice(x);
        for (v, x) in line[n + 2..].iter_mut().rev().zip(&*x) {
            *v = -x;
        }
        self.fft.forward(line, spectrum, rest);
        let scale = -(0.5 / (n as f64 + 1.0)).sqrt();
        for (x, s) in x.iter_mut().zip(&complex(spectrum)[1..]) {
            *x = scale * s.im;
        }
    }

    /// Even places forwards, then odd ones backwards; the transform V of that gives y[k] = Re(twiddle·V[k]).
    fn cosine_two(&self, x: &mut [f64], scratch: &mut [f64]) {
        let n = self.length;
        let (line, spectrum, rest) = self.parts(scratch);
        let half = n.div_ceil(2);
        for (v, x) in line[..half].iter_mut().zip(x.iter().step_by(2)) {
            *v = *x;
        }
        for (v, x) in line[half..]
            .iter_mut()
            .rev()
            .zip(x.iter().skip(1).step_by(2))
        {
            *v = *x;
        }
        self.fft.forward(line, spectrum, rest);
        let spectrum = complex(spectrum);
        for (k, (x, w)) in x.iter_mut().zip(&self.twiddles).enumerate() {
            let v = if k < spectrum.len() {
                spectrum[k]
            } else {
                spectrum[n - k].conj()
            };
            *x = w.re * v.re - w.im * v.im;
        }
    }

    /// The steps of [`Self::cosine_two`] backwards: V[k] from y[k] and y[n − k].
    fn cosine_three(&self, x: &mut [f64], scratch: &mut [f64]) {
        let n = self.length;
        let (line, spectrum, rest) = self.parts(scratch);
        // y[k] − i·y[n−k] = 2·|w|·e^{−iπk/2n}·V[k] for k > 0 with the scales of both taken off.
        for (k, v) in complex_mut(spectrum).iter_mut().enumerate() {
            let mirrored = if k == 0 { 0.0 } else { x[n - k] };
            let w = self.twiddles[k];
            *v = Complex::new(x[k], -mirrored) * w.conj() / (w.norm_sqr() * n as f64);
        }
        self.fft.backward(spectrum, line, rest);
        let half = n.div_ceil(2);
        for (x, v) in x.iter_mut().step_by(2).zip(&line[..half]) {
            *x = *v;
        }
        for (x, v) in x
            .iter_mut()
            .skip(1)
            .step_by(2)
            .zip(line[half..].iter().rev())
        {
            *x = *v;
        }
    }
}

/// Elements that one task transforms, about.
const LINES: usize = 1 << 14;

fn negate_odd(x: &mut [f64]) {
    for v in x.iter_mut().skip(1).step_by(2) {
        *v = -*v;
    }
}
