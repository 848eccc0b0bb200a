//! Flows in a periodic square, by their vorticity.

use std::f64::consts::PI;
use std::sync::Arc;

use num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use crate::PhysicsError;
use crate::reference::{all_finite, check_times, inside, positive};

use super::trajectory::Snapshot;
use super::{Check, Semilinear, SpectralOptions, Trajectory, march};

/// ω_t + u·∇ω = νΔω + f on [0, 1]² with period 1; u = (ψ_y, −ψ_x), −Δψ = ω. Means of ω and f do not move anything and stay.
///
/// ```
/// use ansatz_physics::spectral::{PeriodicPlane, SpectralOptions, Vorticity};
///
/// // Taylor and Green's vortices decay like e^{−8π²νt}.
/// let tau = std::f64::consts::TAU;
/// let start = PeriodicPlane::sample(16, |x, y| 2.0 * (tau * x).cos() * (tau * y).cos())?;
/// let options = SpectralOptions { modes: 16, step: 0.05, ..SpectralOptions::default() };
/// let flow = Vorticity::new(1e-2)?.solve(&start, &[1.0], &options)?;
/// let exact = 2.0 * (-2.0 * tau * tau * 1e-2_f64).exp();
/// assert!((flow.value(0.0, 0.0, 1.0)? - exact).abs() < 1e-13);
/// # Ok::<(), ansatz_physics::PhysicsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Vorticity {
    viscosity: f64,
    forcing: Option<PeriodicPlane>,
}

impl Vorticity {
    /// Without forcing.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0.
    pub fn new(viscosity: f64) -> Result<Self, PhysicsError> {
        Ok(Self {
            viscosity: positive("viscosity nu", viscosity)?,
            forcing: None,
        })
    }

    /// With a steady force f on the vorticity.
    #[must_use]
    pub fn forced(mut self, forcing: PeriodicPlane) -> Self {
        self.forcing = Some(forcing);
        self
    }

    /// The solution from ω₀ at t = 0, at `times`, which do not fall. Cost per step: four times five transforms of n² numbers.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for modes that are odd or fewer than 8, a step that is not positive or times that fall or
    /// are negative; [`PhysicsError::BlowUp`].
    pub fn solve(
        &self,
        initial: &PeriodicPlane,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<PeriodicPlane>, PhysicsError> {
        options.validate()?;
        check_times(times)?;
        let mut fine = self.run(initial, times, options)?;
        if options.check == Check::Coarser {
            let coarse = self.run(initial, times, &options.coarser());
            fine.accuracy = coarse.map_or(f64::INFINITY, |coarse| {
                let pairs = fine.states.iter().zip(&coarse.states);
                pairs.map(|(a, b)| a.distance(b)).fold(0.0, f64::max)
            });
        }
        Ok(fine)
    }

    fn run(
        &self,
        initial: &PeriodicPlane,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<PeriodicPlane>, PhysicsError> {
        let mut problem = PlaneProblem::new(self, options);
        let n = options.modes;
        let mut v = initial.resized(n).coefficients;
        problem.truncate(&mut v);
        let (mut states, mut slopes) = (Vec::new(), Vec::new());
        let state = |coefficients| PeriodicPlane { n, coefficients };
        let steps = march(&mut problem, &mut v, times, options.step, |problem, v| {
            let mut slope = vec![Complex64::ZERO; v.len()];
            let mut symbol = slope.clone();
            problem.nonlinear(v, &mut slope);
            problem.symbol(&mut symbol);
            for ((s, v), l) in slope.iter_mut().zip(v).zip(&symbol) {
                *s += v * l;
            }
            states.push(state(v.to_vec()));
            slopes.push(state(slope));
        })?;
        Ok(Trajectory {
            times: times.to_vec(),
            states,
            slopes,
            accuracy: f64::INFINITY,
            steps,
        })
    }
}

/// Transforms of real fields on n×n points. Spectra lie [k_y][k_x], k_y = 0..=n/2 and k_x in the usual order.
struct RealPlane {
    n: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
    columns: [Arc<dyn Fft<f64>>; 2],
    row: Vec<Complex64>,
    work: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl RealPlane {
    fn new(n: usize) -> Self {
        let mut real = RealFftPlanner::<f64>::new();
        let mut complex = FftPlanner::<f64>::new();
        let (forward, backward) = (real.plan_fft_forward(n), real.plan_fft_inverse(n));
        let columns = [complex.plan_fft_forward(n), complex.plan_fft_inverse(n)];
        let scratch = [
            forward.get_scratch_len(),
            backward.get_scratch_len(),
            columns[0].get_inplace_scratch_len(),
            columns[1].get_inplace_scratch_len(),
        ];
        Self {
            n,
            forward,
            backward,
            columns,
            row: vec![Complex64::ZERO; n / 2 + 1],
            work: vec![Complex64::ZERO; n * (n / 2 + 1)],
            scratch: vec![Complex64::ZERO; scratch.into_iter().max().unwrap_or(0)],
        }
    }

    /// Coefficients of values \[x\]\[y\], which are lost.
    fn forward(&mut self, values: &mut [f64], out: &mut [Complex64]) {
        let n = self.n;
        for (x, line) in values.chunks_exact_mut(n).enumerate() {
            let done = self
                .forward
                .process_with_scratch(line, &mut self.row, &mut self.scratch);
            debug_assert!(done.is_ok(), "{done:?}");
            for (k, c) in self.row.iter().enumerate() {
                out[k * n + x] = *c;
            }
        }
        self.columns[0].process_with_scratch(out, &mut self.scratch);
        let scale = 1.0 / (n * n) as f64;
        for c in out {
            *c *= scale;
        }
    }

    /// Values from the coefficients that `coefficient` gives by index.
    fn backward(&mut self, coefficient: impl Fn(usize) -> Complex64, values: &mut [f64]) {
        let n = self.n;
        for (i, w) in self.work.iter_mut().enumerate() {
            *w = coefficient(i);
        }
        self.columns[1].process_with_scratch(&mut self.work, &mut self.scratch);
        for (x, line) in values.chunks_exact_mut(n).enumerate() {
            for (k, c) in self.row.iter_mut().enumerate() {
                *c = self.work[k * n + x];
            }
            self.row[0].im = 0.0;
            self.row[n / 2].im = 0.0;
            let done = self
                .backward
                .process_with_scratch(&mut self.row, line, &mut self.scratch);
            debug_assert!(done.is_ok(), "{done:?}");
        }
    }
}

/// The wave number of place `i` of n in the usual order.
fn signed(i: usize, n: usize) -> isize {
    if i <= n / 2 {
        i.cast_signed()
    } else {
        i.cast_signed() - n.cast_signed()
    }
}

struct PlaneProblem {
    viscosity: f64,
    forcing: Option<Vec<Complex64>>,
    highest: usize,
    plane: RealPlane,
    /// 2πk per place, 0 for the mode n/2.
    wave: Vec<f64>,
    fields: [Vec<f64>; 4],
}

impl PlaneProblem {
    fn new(equation: &Vorticity, options: &SpectralOptions) -> Self {
        let n = options.modes;
        let wave = |i: usize| {
            if i == n / 2 {
                0.0
            } else {
                2.0 * PI * signed(i, n) as f64
            }
        };
        let field = || vec![0.0; n * n];
        let mut problem = Self {
            viscosity: equation.viscosity,
            forcing: None,
            highest: options.highest(),
            plane: RealPlane::new(n),
            wave: (0..n).map(wave).collect(),
            fields: [field(), field(), field(), field()],
        };
        problem.forcing = equation.forcing.as_ref().map(|f| {
            let mut f = f.resized(n).coefficients;
            problem.truncate(&mut f);
            f
        });
        problem
    }

    /// Drops modes.
    fn truncate(&self, v: &mut [Complex64]) {
        let n = self.plane.n;
        for (i, c) in v.iter_mut().enumerate() {
            if i / n > self.highest || signed(i % n, n).unsigned_abs() > self.highest {
                *c = Complex64::ZERO;
            }
        }
    }
}

/// |κ|² of a place.
fn square(i: usize, n: usize) -> f64 {
    let (kx, ky) = (signed(i % n, n), (i / n).cast_signed());
    4.0 * PI * PI * (kx * kx + ky * ky) as f64
}

impl Semilinear for PlaneProblem {
    fn len(&self) -> usize {
        self.plane.work.len()
    }

    fn symbol(&self, out: &mut [Complex64]) {
        for (i, l) in out.iter_mut().enumerate() {
            *l = Complex64::from(-self.viscosity * square(i, self.plane.n));
        }
    }

    fn nonlinear(&mut self, v: &[Complex64], out: &mut [Complex64]) {
        let n = self.plane.n;
        let wave = &self.wave;
        let (kx, ky) = (|i: usize| wave[i % n], |i: usize| wave[i / n]);
        let stream = |i: usize| {
            if i == 0 {
                Complex64::ZERO
            } else {
                v[i] / square(i, n)
            }
        };
        let turned = |k: f64, c: Complex64| Complex64::new(-k * c.im, k * c.re);
        let [u, w, along, across] = &mut self.fields;
        self.plane.backward(|i| turned(ky(i), stream(i)), u);
        self.plane.backward(|i| -turned(kx(i), stream(i)), w);
        self.plane.backward(|i| turned(kx(i), v[i]), along);
        self.plane.backward(|i| turned(ky(i), v[i]), across);
        for (((a, b), u), w) in along
            .iter_mut()
            .zip(across.iter())
            .zip(u.iter())
            .zip(w.iter())
        {
            *a = -(u * *a + w * b);
        }
        self.plane.forward(along, out);
        self.truncate(out);
        if let Some(f) = &self.forcing {
            for (o, f) in out.iter_mut().zip(f) {
                *o += f;
            }
        }
    }
}

/// A trigonometric polynomial of period 1 in x and y.
#[derive(Debug, Clone, PartialEq)]
pub struct PeriodicPlane {
    n: usize,
    /// \[k_y\]\[k_x\]
    coefficients: Vec<Complex64>,
}

impl PeriodicPlane {
    /// Through values at (i/n, j/n).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for n that is odd or 0; [`PhysicsError::NotFinite`].
    pub fn sample(n: usize, f: impl Fn(f64, f64) -> f64) -> Result<Self, PhysicsError> {
        let place = |i: usize| i as f64 / n as f64;
        let values: Vec<f64> = (0..n * n).map(|i| f(place(i / n), place(i % n))).collect();
        Self::through(&values, n)
    }

    /// Through n² values `[x][y]` at (i/n, j/n).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for n that is odd or 0, or another number of values; [`PhysicsError::NotFinite`].
    pub fn through(values: &[f64], n: usize) -> Result<Self, PhysicsError> {
        if n == 0 || n % 2 == 1 || values.len() != n * n {
            return Err(PhysicsError::Parameter {
                name: "points per axis",
                value: n as f64,
                needed: "must be even, positive and the root of the number of values",
            });
        }
        all_finite("values", values)?;
        let mut coefficients = vec![Complex64::ZERO; n * (n / 2 + 1)];
        RealPlane::new(n).forward(&mut values.to_vec(), &mut coefficients);
        Ok(Self { n, coefficients })
    }

    pub(super) fn from_coefficients(n: usize, coefficients: Vec<Complex64>) -> Self {
        Self { n, coefficients }
    }

    /// Points per axis.
    pub fn points(&self) -> usize {
        self.n
    }

    /// Values `[x][y]` at (i/n, j/n).
    pub fn grid(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.n * self.n];
        RealPlane::new(self.n).backward(|i| self.coefficients[i], &mut values);
        values
    }

    /// The value anywhere. Cost: O(n²).
    pub fn value(&self, x: f64, y: f64) -> f64 {
        self.derivative(x, y, 0, 0)
    }

    /// ∂_x^a ∂_y^b at a point.
    pub fn derivative(&self, x: f64, y: f64, a: u32, b: u32) -> f64 {
        let n = self.n;
        let factor = |k: isize, at: f64, order: u32| {
            let kappa = 2.0 * PI * k as f64;
            if 2 * k.unsigned_abs() == n && order % 2 == 1 {
                return Complex64::ZERO;
            }
            Complex64::i().powu(order)
                * kappa.powi(order.cast_signed())
                * Complex64::cis(kappa * at)
        };
        let along: Vec<Complex64> = (0..n).map(|i| factor(signed(i, n), x, a)).collect();
        let rows = self.coefficients.chunks_exact(n).enumerate();
        rows.map(|(ky, row)| {
            let twice = if ky == 0 || 2 * ky == n { 1.0 } else { 2.0 };
            let sum: Complex64 = row.iter().zip(&along).map(|(c, w)| c * w).sum();
            twice * (sum * factor(ky.cast_signed(), y, b)).re
        })
        .sum()
    }

    /// The velocity (ψ_y, −ψ_x), −Δψ = ω, if this is a vorticity.
    pub fn velocity(&self, x: f64, y: f64) -> [f64; 2] {
        let mut stream = self.clone();
        for (i, c) in stream.coefficients.iter_mut().enumerate() {
            *c = if i == 0 {
                Complex64::ZERO
            } else {
                *c / square(i, self.n)
            };
        }
        [
            stream.derivative(x, y, 0, 1),
            -stream.derivative(x, y, 1, 0),
        ]
    }

    /// The mean of the square.
    pub fn mean_square(&self) -> f64 {
        let rows = self.coefficients.chunks_exact(self.n).enumerate();
        rows.map(|(ky, row)| {
            let twice = if ky == 0 || 2 * ky == self.n {
                1.0
            } else {
                2.0
            };
            twice * row.iter().map(Complex64::norm_sqr).sum::<f64>()
        })
        .sum()
    }

    /// With another number of points: modes |k| below both halves are kept.
    #[must_use]
    pub fn resized(&self, n: usize) -> Self {
        if n == self.n {
            return self.clone();
        }
        let half = n.min(self.n) / 2;
        let mut coefficients = vec![Complex64::ZERO; n * (n / 2 + 1)];
        for ky in 0..half {
            for kx in 0..half {
                coefficients[ky * n + kx] = self.coefficients[ky * self.n + kx];
                if kx > 0 {
                    coefficients[ky * n + n - kx] = self.coefficients[ky * self.n + self.n - kx];
                }
            }
        }
        Self { n, coefficients }
    }

    /// The largest difference from a polynomial with fewer modes, at the points of this one.
    fn distance(&self, coarse: &Self) -> f64 {
        let pairs = self.grid().into_iter().zip(coarse.resized(self.n).grid());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

impl Snapshot for PeriodicPlane {
    const SPACE: usize = 2;

    fn at(&self, point: &[f64]) -> Result<f64, PhysicsError> {
        inside("x", point[0], -f64::MAX, f64::MAX)?;
        inside("y", point[1], -f64::MAX, f64::MAX)?;
        Ok(self.value(point[0], point[1]))
    }
}

impl Trajectory<PeriodicPlane> {
    /// ω(x, y, t); see [`Self::at`].
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for a time outside.
    pub fn value(&self, x: f64, y: f64, t: f64) -> Result<f64, PhysicsError> {
        self.at(&[x, y], t)
    }
}
