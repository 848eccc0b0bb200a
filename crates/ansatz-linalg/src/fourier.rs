//! Real Fourier, sine and cosine transforms, and circular convolution.
//!
//! With ω = e^{−2πi/n} the real transform of x is X\[k\] = Σ x\[j\]·ω^{jk}, k = 0..n/2. The sine and cosine transforms are
//! orthogonal here, so that their transposes are their inverses:
//!
//! ```text
//! DST-I    y[k] = √(2/(n+1)) Σ x[j]·sin(π(j+1)(k+1)/(n+1))         its own inverse
//! DST-II   y[k] = √(2/n)·s   Σ x[j]·sin(π(2j+1)(k+1)/2n)           s = √½ for k = n − 1, else 1; inverse DST-III
//! DCT-II   y[k] = √(2/n)·s   Σ x[j]·cos(π(2j+1)k/2n)               s = √½ for k = 0, else 1; inverse DCT-III
//! ```
//!
//! They diagonalise the second difference on a grid: DST-I with values 0 one cell beyond the ends, DST-II with values 0 at
//! the outer faces, DCT-II with slopes 0 there; the eigenvalues are [`Trigonometric::eigenvalue`].
//!
//! Cost: O(n log n) for lengths of any factors; a DST-I runs a real transform of length 2(n + 1), the others one of
//! length n (J. Makhoul, *A fast cosine transform in one and two dimensions*, 1980). Instructions are chosen for the
//! processor, so last bits depend on it.

use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::num_complex::Complex;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::LinalgError;

/// Both directions of a real transform of one length.
#[derive(Clone)]
pub(crate) struct RealFft {
    length: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
}

impl fmt::Debug for RealFft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RealFft({})", self.length)
    }
}

impl RealFft {
    pub(crate) fn new(length: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        Self {
            length,
            forward: planner.plan_fft_forward(length),
            backward: planner.plan_fft_inverse(length),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Complex numbers of a half spectrum.
    pub(crate) fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// Real numbers of working memory for either direction.
    pub(crate) fn scratch_len(&self) -> usize {
        2 * self
            .forward
            .get_scratch_len()
            .max(self.backward.get_scratch_len())
    }

    /// `spectrum` ← the transform of `x`, whose contents are lost.
    pub(crate) fn forward(&self, x: &mut [f64], spectrum: &mut [f64], scratch: &mut [f64]) {
        let count = self.forward.get_scratch_len();
        let scratch = &mut cast_slice_mut::<_, Complex<f64>>(&mut scratch[..2 * count])[..count];
        let done = self.forward.process_with_scratch(
            x,
            complex_mut(&mut spectrum[..2 * self.bins()]),
            scratch,
        );
        debug_assert!(done.is_ok(), "{done:?}");
    }

    /// `x` ← n times the inverse transform of `spectrum`, whose contents are lost.
    pub(crate) fn backward(&self, spectrum: &mut [f64], x: &mut [f64], scratch: &mut [f64]) {
        let bins = self.bins();
        let spectrum = complex_mut(&mut spectrum[..2 * bins]);
        // Parts that a real array cannot have, left there by rounding.
        spectrum[0].im = 0.0;
        if self.length.is_multiple_of(2) {
            spectrum[bins - 1].im = 0.0;
        }
        let count = self.backward.get_scratch_len();
        let scratch = &mut cast_slice_mut::<_, Complex<f64>>(&mut scratch[..2 * count])[..count];
        let done = self.backward.process_with_scratch(spectrum, x, scratch);
        debug_assert!(done.is_ok(), "{done:?}");
    }
}

/// Pairs of numbers as complex ones.
pub(crate) fn complex(pairs: &[f64]) -> &[Complex<f64>] {
    cast_slice(pairs)
}

/// Pairs of numbers as complex ones.
pub(crate) fn complex_mut(pairs: &mut [f64]) -> &mut [Complex<f64>] {
    cast_slice_mut(pairs)
}

/// The least even number of factors 2, 3 and 5 that is not below `least`.
pub(crate) fn fast_length(least: usize) -> usize {
    let mut best = least.next_power_of_two().max(2);
    let mut five = 1;
    while five < best {
        let mut three = five;
        while three < best {
            // The power of two that takes it to the length, at least 2.
            let two = least.div_ceil(three).next_power_of_two().max(2);
            best = best.min(two * three);
            three *= 3;
        }
        five *= 5;
    }
    best
}

/// Which of the two: a matrix or its transpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Plain,
    Transposed,
}

/// Circular convolution with one kernel, or correlation with it.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    fft: RealFft,
    /// The transform of the kernel over the length.
    spectrum: Vec<f64>,
}

impl Convolution {
    /// For kernels of `length`; that of the new one is 0.
    pub(crate) fn new(fft: RealFft) -> Self {
        Self {
            spectrum: vec![0.0; 2 * fft.bins()],
            fft,
        }
    }

    pub(crate) fn fft(&self) -> &RealFft {
        &self.fft
    }

    /// Working memory for all methods.
    pub(crate) fn scratch_len(&self) -> usize {
        self.fft.len() + 2 * self.fft.bins() + self.fft.scratch_len()
    }

    /// Takes another kernel: `write` fills it in, on zeros.
    pub(crate) fn set_kernel(&mut self, write: impl FnOnce(&mut [f64]), scratch: &mut [f64]) {
        let (x, rest) = scratch.split_at_mut(self.fft.len());
        x.fill(0.0);
        write(x);
        self.fft.forward(x, &mut self.spectrum, rest);
        let scale = 1.0 / self.fft.len() as f64;
        for v in &mut self.spectrum {
            *v *= scale;
        }
    }

    /// The transform of the kernel, divided by the length.
    pub(crate) fn spectrum(&self) -> &[Complex<f64>] {
        complex(&self.spectrum)
    }

    /// The transform of the kernel, divided by the length.
    pub(crate) fn spectrum_mut(&mut self) -> &mut [Complex<f64>] {
        complex_mut(&mut self.spectrum)
    }

    /// The first elements of the convolution with x, which zeros follow, or of the correlation.
    pub(crate) fn apply(&self, side: Side, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        let (padded, rest) = scratch.split_at_mut(self.fft.len());
        let (spectrum, rest) = rest.split_at_mut(2 * self.fft.bins());
        padded[..x.len()].copy_from_slice(x);
        padded[x.len()..].fill(0.0);
        self.fft.forward(padded, spectrum, rest);
        self.multiply(side, spectrum);
        self.fft.backward(spectrum, padded, rest);
        y.copy_from_slice(&padded[..y.len()]);
    }

    /// The product of a spectrum with that of the kernel.
    pub(crate) fn multiply(&self, side: Side, spectrum: &mut [f64]) {
        let pairs = complex_mut(spectrum).iter_mut().zip(self.spectrum());
        match side {
            Side::Plain => pairs.for_each(|(s, k)| *s *= k),
            Side::Transposed => pairs.for_each(|(s, k)| *s *= k.conj()),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, term by term.
    fn by_definition(kind: Transform, x: &[f64]) -> Vec<f64> {
        let n = x.len();
        let entry = |kind: Transform, k: usize, j: usize| -> f64 {
            let (nf, k, j) = (n as f64, k as f64, j as f64);
            match kind {
                Transform::SineI => {
                    (2.0 / (nf + 1.0)).sqrt() * (PI * (j + 1.0) * (k + 1.0) / (nf + 1.0)).sin()
                }
                Transform::SineII => {
                    let s = if k + 1.5 > nf { 0.5_f64.sqrt() } else { 1.0 };
                    s * (2.0 / nf).sqrt() * (PI * (2.0 * j + 1.0) * (k + 1.0) / (2.0 * nf)).sin()
                }
                _ => {
                    let s = if k == 0.0 { 0.5_f64.sqrt() } else { 1.0 };
                    s * (2.0 / nf).sqrt() * (PI * (2.0 * j + 1.0) * k / (2.0 * nf)).cos()
                }
            }
        };
        let a = |k: usize, j: usize| match kind {
            Transform::SineIII => entry(Transform::SineII, j, k),
            Transform::CosineIII => entry(Transform::CosineII, j, k),
            _ => entry(kind, k, j),
        };
        (0..n)
            .map(|k| (0..n).map(|j| a(k, j) * x[j]).sum())
            .collect()
    }

    const ALL: [Transform; 5] = [
        Transform::SineI,
        Transform::SineII,
        Transform::SineIII,
        Transform::CosineII,
        Transform::CosineIII,
    ];

    #[test]
    fn transforms_are_their_definitions() {
        for kind in ALL {
            for n in [1, 2, 3, 4, 7, 12, 31, 50] {
                let transform = Trigonometric::new(kind, n).expect("a length");
                let mut x: Vec<f64> = (0..n).map(|i| (1.3 * i as f64).cos() + 0.2).collect();
                let (start, expected) = (x.clone(), by_definition(kind, &x));
                let mut scratch = vec![f64::NAN; transform.scratch_len()];
                transform.apply(&mut x, &mut scratch);
                for (a, b) in x.iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-13, "{kind:?} {n}: {a} {b}");
                }
                let back = Trigonometric::new(kind.inverse(), n).expect("a length");
                let mut scratch = vec![0.0; back.scratch_len()];
                back.apply(&mut x, &mut scratch);
                for (a, b) in x.iter().zip(&start) {
                    assert!((a - b).abs() < 1e-13, "{kind:?} {n} and back: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn rows_are_eigenvectors_of_the_second_difference() {
        let n = 9;
        for (kind, outer) in [
            (Transform::SineI, 0.0),
            (Transform::SineII, -1.0),
            (Transform::CosineII, 1.0),
        ] {
            let forward = Trigonometric::new(kind, n).expect("a length");
            let back = Trigonometric::new(kind.inverse(), n).expect("a length");
            let mut scratch = vec![0.0; forward.scratch_len().max(back.scratch_len())];
            for k in 0..n {
                let mut u = vec![0.0; n];
                u[k] = 1.0;
                back.apply(&mut u, &mut scratch);
                for j in 0..n {
                    let left = if j == 0 { outer * u[0] } else { u[j - 1] };
                    let right = if j + 1 == n {
                        outer * u[n - 1]
                    } else {
                        u[j + 1]
                    };
                    let difference = 2.0 * u[j] - left - right;
                    assert!((difference - forward.eigenvalue(k) * u[j]).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn lines_along_any_axis() {
        let (a, n, b) = (3, 6, 5);
        let transform = Trigonometric::new(Transform::SineII, n).expect("a length");
        let start: Vec<f64> = (0..a * n * b).map(|i| (0.7 * i as f64).sin()).collect();
        let mut data = start.clone();
        transform.apply_along(&mut data, b);
        for i in 0..a {
            for k in 0..b {
                let line: Vec<f64> = (0..n).map(|j| start[(i * n + j) * b + k]).collect();
                let expected = by_definition(Transform::SineII, &line);
                for j in 0..n {
                    assert!((data[(i * n + j) * b + k] - expected[j]).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn fast_lengths_are_even_and_smooth() {
        for least in 1..2000 {
            let n = fast_length(least);
            assert!(n >= least && n.is_multiple_of(2) && n <= least.next_power_of_two().max(2));
            let mut rest = n;
            for p in [2, 3, 5] {
                while rest.is_multiple_of(p) {
                    rest /= p;
                }
            }
            assert_eq!(rest, 1);
        }
        assert_eq!(fast_length(799), 800);
    }

    #[test]
    fn length_zero_is_refused() {
        assert!(Trigonometric::new(Transform::SineI, 0).is_err());
    }
}
