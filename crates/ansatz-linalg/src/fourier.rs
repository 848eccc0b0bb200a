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

mod trigonometric;

use std::fmt;
use std::sync::Arc;

use pulp::bytemuck::{cast_slice, cast_slice_mut};
use pulp::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

pub use trigonometric::{Transform, Trigonometric};

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

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

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
