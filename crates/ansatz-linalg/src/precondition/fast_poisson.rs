//! The Laplacian of a box by fast transforms: separation of variables.
//!
//! Along each axis the second difference has eigenvectors that suit what lies behind the two ends:
//!
//! | low, high | eigenvector p = 0 … n−1 | eigenvalue | transform |
//! |---|---|---|---|
//! | wall, wall | cos(πp(i + ½)/n) | 2 − 2cos(πp/n) | DCT-II |
//! | air, air | sin(π(p + 1)(i + 1)/(n + 1)) | 2 − 2cos(π(p + 1)/(n + 1)) | DST-I |
//! | wall, air | cos(π(2p + 1)(i + ½)/(2n + 1)) | 2 − 2cos(π(2p + 1)/(2n + 1)) | half-odd cosines |
//!
//! (air, wall is the mirror image). Each is the real Fourier transform of an extended line. Transform all axes, divide
//! by sums of eigenvalues, transform back: the exact solution on a box of fluid, in O(n log n). On a box with solids or
//! air inside it is a preconditioner that does not see them. The constant of a closed box is set to 0.
//!
//! A line is transformed with its neighbours in memory; between axes the array is transposed, so that every transform
//! reads contiguous numbers. Threads share lines; results do not depend on their number.
//!
//! Source: R. Hockney, *A fast direct solution of Poisson's equation using Fourier analysis*, J. ACM 12 (1965).

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_core::{EvalError, HostState, Scalar, SearchDirection};
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};

use crate::operator::{Cell, Face, Grid};

/// Pieces of an array that threads share.
const PIECES: usize = 32;

/// Side of the tiles of a transposition.
const TILE: usize = 16;

/// The transform of one axis.
#[derive(Clone)]
struct Axis<T> {
    n: usize,
    faces: [Face; 2],
    values: Vec<f64>,
    forward: Arc<dyn RealToComplex<T>>,
    backward: Arc<dyn ComplexToReal<T>>,
    /// e^{−iπq/L} for the frequencies used; half a cell of shift.
    phases: Vec<Complex<T>>,
}

/// Buffers of one task.
#[derive(Clone)]
struct Buffers<T> {
    line: Vec<T>,
    spectrum: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

/// The inverse of the Laplacian of a box, as a solver or a preconditioner.
///
/// ```
/// use ansatz_linalg::core::{LinearOp, SearchDirection};
/// use ansatz_linalg::operator::{Face::{Open, Wall}, Grid, Poisson};
/// use ansatz_linalg::precondition::FastPoisson;
/// let grid = Grid::new(&[5, 4], &[[Wall, Open], [Open, Open]])?;
/// let (b, mut x, mut back) = (vec![1.0; 20], vec![0.0; 20], vec![0.0; 20]);
/// FastPoisson::<f64>::new(&grid).propose(&b, &mut x)?;
/// Poisson::<f64>::new(&grid)?.apply(&x, &mut back, &mut []);
/// assert!(back.iter().all(|v| (v - 1.0).abs() < 1e-13));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FastPoisson<T> {
    axes: [Axis<T>; 3],
    fluid: Option<Vec<bool>>,
    field: [Vec<T>; 2],
    buffers: Vec<Buffers<T>>,
}

impl<T: Scalar + FftNum> Axis<T> {
    fn new(n: usize, faces: [Face; 2], planner: &mut RealFftPlanner<T>) -> Self {
        let length = match faces {
            [Face::Wall, Face::Wall] => 2 * n,
            [Face::Open, Face::Open] => 2 * n + 2,
            _ => 4 * n + 2,
        };
        let frequency = |p: usize| match faces {
            [Face::Wall, Face::Wall] => p,
            [Face::Open, Face::Open] => p + 1,
            _ => 2 * p + 1,
        };
        let angle = |p| 2.0 * PI * frequency(p) as f64 / length as f64;
        let value = |p| 4.0 * (0.5 * angle(p)).sin().powi(2);
        let phase = |p| {
            let half = -0.5 * angle(p);
            Complex::new(T::of(half.cos()), T::of(half.sin()))
        };
        Self {
            n,
            faces,
            values: (0..n).map(value).collect(),
            forward: planner.plan_fft_forward(length),
            backward: planner.plan_fft_inverse(length),
            phases: (0..n).map(phase).collect(),
        }
    }

    /// Whether the ends are those of the half-odd cosines, and whether the line runs backwards for them.
    fn mixed(&self) -> Option<bool> {
        match self.faces {
            [Face::Wall, Face::Open] => Some(false),
            [Face::Open, Face::Wall] => Some(true),
            _ => None,
        }
    }

    /// Values → coefficients, in place. False when a transform refuses its buffers, which does not happen.
    fn analyse(&self, line: &mut [T], buffers: &mut Buffers<T>) -> bool {
        let (n, length) = (self.n, self.forward.len());
        let extended = &mut buffers.line[..length];
        let spectrum = &mut buffers.spectrum[..=length / 2];
        let zero = T::zero();
        match (self.faces, self.mixed()) {
            ([Face::Wall, Face::Wall], _) => {
                extended[..n].copy_from_slice(line);
                for (i, v) in line.iter().enumerate() {
                    extended[length - 1 - i] = *v;
                }
            }
            ([Face::Open, Face::Open], _) => {
                (extended[0], extended[n + 1]) = (zero, zero);
                for (i, v) in line.iter().enumerate() {
                    (extended[i + 1], extended[length - 1 - i]) = (*v, -*v);
                }
            }
            (_, backwards) => {
                (extended[n], extended[3 * n + 1]) = (zero, zero);
                for i in 0..n {
                    let v = if backwards == Some(true) {
                        line[n - 1 - i]
                    } else {
                        line[i]
                    };
                    (extended[i], extended[length - 1 - i]) = (v, v);
                    (extended[2 * n - i], extended[2 * n + 1 + i]) = (-v, -v);
                }
            }
        }
        let done = self
            .forward
            .process_with_scratch(extended, spectrum, &mut buffers.scratch);
        for (p, v) in line.iter_mut().enumerate() {
            *v = match (self.faces, self.mixed()) {
                ([Face::Wall, Face::Wall], _) => (spectrum[p] * self.phases[p]).re,
                ([Face::Open, Face::Open], _) => -spectrum[p + 1].im,
                _ => (spectrum[2 * p + 1] * self.phases[p]).re,
            };
        }
        done.is_ok()
    }

    /// Coefficients → values times [`Axis::factor`], in place.
    fn synthesise(&self, line: &mut [T], buffers: &mut Buffers<T>) -> bool {
        let (n, length) = (self.n, self.forward.len());
        let extended = &mut buffers.line[..length];
        let spectrum = &mut buffers.spectrum[..=length / 2];
        spectrum.fill(Complex::new(T::zero(), T::zero()));
        for (p, v) in line.iter().enumerate() {
            let shifted = self.phases[p].conj() * *v;
            match (self.faces, self.mixed()) {
                ([Face::Wall, Face::Wall], _) => spectrum[p] = shifted,
                ([Face::Open, Face::Open], _) => spectrum[p + 1] = Complex::new(T::zero(), -*v),
                _ => spectrum[2 * p + 1] = shifted,
            }
        }
        // Frequency 0 and, for even lengths, the last one are real.
        spectrum[0].im = T::zero();
        spectrum[length / 2].im = T::zero();
        let done = self
            .backward
            .process_with_scratch(spectrum, extended, &mut buffers.scratch);
        match (self.faces, self.mixed()) {
            ([Face::Wall, Face::Wall], _) => line.copy_from_slice(&extended[..n]),
            ([Face::Open, Face::Open], _) => line.copy_from_slice(&extended[1..=n]),
            (_, backwards) => {
                line.copy_from_slice(&extended[..n]);
                if backwards == Some(true) {
                    line.reverse();
                }
            }
        }
        done.is_ok()
    }

    /// What both transforms together multiply by.
    fn factor(&self) -> f64 {
        self.forward.len() as f64
    }
}

impl<T: Scalar + FftNum> FastPoisson<T> {
    /// Plans the transforms of a grid's box.
    pub fn new(grid: &Grid) -> Self {
        let mut planner = RealFftPlanner::new();
        let (shape, faces) = (grid.shape(), grid.faces());
        let axes: [Axis<T>; 3] =
            std::array::from_fn(|a| Axis::new(shape[a], faces[a], &mut planner));
        let all = |f: &dyn Fn(&Axis<T>) -> usize| axes.iter().map(f).max().unwrap_or(0);
        let buffers = Buffers {
            line: vec![T::zero(); all(&|a| a.forward.len())],
            spectrum: vec![Complex::default(); all(&|a| a.forward.len() / 2 + 1)],
            scratch: vec![
                Complex::default();
                all(&|a| a
                    .forward
                    .get_scratch_len()
                    .max(a.backward.get_scratch_len()))
            ],
        };
        let solids = grid.cells().iter().any(|c| *c != Cell::Fluid);
        let is_fluid = |c: &Cell| *c == Cell::Fluid;
        Self {
            axes,
            fluid: solids.then(|| grid.cells().iter().map(is_fluid).collect()),
            field: [vec![T::zero(); grid.len()], vec![T::zero(); grid.len()]],
            buffers: vec![buffers; PIECES],
        }
    }

    /// Transforms the lines of the first axis, then makes the next axis the first.
    fn pass(&mut self, axis: usize, forward: bool) -> bool {
        let n = self.axes[axis].n;
        // Axes that are not there have one cell and the transform 1.
        let [field, other] = &mut self.field;
        let lines = field.len() / n;
        let transform = &self.axes[axis];
        let mut done = true;
        if n > 1 {
            let piece = lines.div_ceil(PIECES) * n;
            let pieces = field.par_chunks_mut(piece).zip(&mut self.buffers);
            done = pieces
                .map(|(piece, buffers)| {
                    piece.chunks_exact_mut(n).all(|line| {
                        if forward {
                            transform.analyse(line, buffers)
                        } else {
                            transform.synthesise(line, buffers)
                        }
                    })
                })
                .reduce(|| true, |a, b| a && b);
        }
        if lines == 1 || n == 1 {
            return done;
        }
        // out[i][line] ← in[line][i], in tiles.
        other
            .par_chunks_mut(TILE * lines)
            .enumerate()
            .for_each(|(band, out)| {
                for start in (0..lines).step_by(TILE) {
                    let end = (start + TILE).min(lines);
                    for (i, out) in out.chunks_exact_mut(lines).enumerate() {
                        for line in start..end {
                            out[line] = field[line * n + band * TILE + i];
                        }
                    }
                }
            });
        self.field.swap(0, 1);
        done
    }

    /// Divides coefficients by sums of eigenvalues.
    fn divide(&mut self) {
        let [x, y, z] = &self.axes;
        let real = |a: &Axis<T>| if a.n > 1 { a.factor() } else { 1.0 };
        let scale = 1.0 / (real(x) * real(y) * real(z));
        let (nx, ny) = (x.n, y.n);
        self.field[0]
            .par_chunks_mut(nx)
            .enumerate()
            .for_each(|(row, line)| {
                let others = y.values[row % ny] + z.values[row / ny];
                for (p, v) in line.iter_mut().enumerate() {
                    let lambda = x.values[p] + others;
                    *v = if lambda > 0.0 {
                        *v * T::of(scale / lambda)
                    } else {
                        T::zero()
                    };
                }
            });
    }
}

impl<T: Scalar + FftNum, S: HostState<Scalar = T>> SearchDirection<S> for FastPoisson<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        super::same_length(self.field[0].len(), residual, direction)?;
        self.field[0].copy_from_slice(residual.as_slice());
        let mut done = (0..3).all(|axis| self.pass(axis, true));
        self.divide();
        done &= (0..3).all(|axis| self.pass(axis, false));
        let z = direction.as_mut_slice();
        z.copy_from_slice(&self.field[0]);
        for (z, fluid) in z.iter_mut().zip(self.fluid.iter().flatten()) {
            if !fluid {
                *z = T::zero();
            }
        }
        if done {
            return Ok(());
        }
        Err(EvalError::NonFinite {
            what: "transform of the residual",
        })
    }
}

impl<T> std::fmt::Debug for FastPoisson<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shape = self.axes.each_ref().map(|a| a.n);
        f.debug_struct("FastPoisson")
            .field("shape", &shape)
            .finish_non_exhaustive()
    }
}
