//! Equations on a period of the line.

use std::f64::consts::PI;
use std::sync::Arc;

use num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::PhysicsError;
use crate::reference::{all_finite, check_times, finite, positive};

use super::trajectory::Snapshot;
use super::{Check, Semilinear, SpectralOptions, Trajectory, march};

/// u_t + c·u·u_x = Σ_j a_j ∂_x^j u + Σ_m p_m u^m on a period, as data.
///
/// ```
/// use ansatz_physics::spectral::{Equation, SpectralOptions};
///
/// // Korteweg and de Vries' equation with their initial wave (Zabusky and Kruskal 1965), on [−1, 1].
/// let options = SpectralOptions { modes: 512, step: 5e-4, ..SpectralOptions::default() };
/// let pi = std::f64::consts::PI;
/// let u = Equation::korteweg_de_vries(1.0, 0.022 * 0.022)?
///     .solve([-1.0, 1.0], |x| (pi * x).cos(), &[0.5], &options)?;
/// assert!((u.value(0.3, 0.5)? - 1.51342624).abs() < 1e-6);
/// # Ok::<(), ansatz_physics::PhysicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Equation {
    /// Pairs (j, a_j).
    pub linear: Vec<(u32, f64)>,
    /// c.
    pub transport: f64,
    /// p₀, p₁, ….
    pub reaction: Vec<f64>,
}

impl Equation {
    /// u_t + u·u_x = νu_xx.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0.
    pub fn burgers(nu: f64) -> Result<Self, PhysicsError> {
        positive("viscosity nu", nu)?;
        Ok(Self {
            linear: vec![(2, nu)],
            transport: 1.0,
            reaction: Vec::new(),
        })
    }

    /// u_t + c·u·u_x + δ·u_xxx = 0; c = 6, δ = 1 in the standard form.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for numbers that are not finite, or δ = 0.
    pub fn korteweg_de_vries(c: f64, dispersion: f64) -> Result<Self, PhysicsError> {
        positive("|dispersion|", dispersion.abs())?;
        Ok(Self {
            linear: vec![(3, -dispersion)],
            transport: finite("c", c)?,
            reaction: Vec::new(),
        })
    }

    /// u_t + α·u·u_x + β·u_xx + γ·u_xxxx = 0; all 1 in the standard form.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for γ ≤ 0 or numbers that are not finite.
    pub fn kuramoto_sivashinsky(alpha: f64, beta: f64, gamma: f64) -> Result<Self, PhysicsError> {
        positive("gamma", gamma)?;
        Ok(Self {
            linear: vec![(2, -finite("beta", beta)?), (4, -gamma)],
            transport: finite("alpha", alpha)?,
            reaction: Vec::new(),
        })
    }

    /// u_t = ν·u_xx + r(u − u³).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0 or r that is not finite.
    pub fn allen_cahn(nu: f64, rate: f64) -> Result<Self, PhysicsError> {
        positive("diffusivity nu", nu)?;
        finite("rate", rate)?;
        Ok(Self {
            linear: vec![(2, nu)],
            transport: 0.0,
            reaction: vec![0.0, rate, 0.0, -rate],
        })
    }

    /// The solution on the period [start, end), from u₀ at t = 0, at `times`, which do not fall.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for modes that are odd or fewer than 8, a step or an interval that is not positive, times
    /// that fall or are negative, or an equation that is not well posed; [`PhysicsError::NotFinite`] for u₀;
    /// [`PhysicsError::BlowUp`].
    pub fn solve(
        &self,
        [start, end]: [f64; 2],
        initial: impl Fn(f64) -> f64,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<Periodic>, PhysicsError> {
        options.validate()?;
        check_times(times)?;
        finite("start of the period", start)?;
        let length = positive("length of the period", end - start)?;
        self.check_well_posed()?;
        let run = |options: &SpectralOptions| self.run(start, length, &initial, times, options);
        let mut fine = run(options)?;
        if options.check == Check::Coarser {
            let coarser = options.coarser();
            // A coarser run that blows up says that nothing is known.
            fine.accuracy = run(&coarser).map_or(f64::INFINITY, |coarse| {
                let pairs = fine.states.iter().zip(&coarse.states);
                pairs.map(|(a, b)| a.distance(b)).fold(0.0, f64::max)
            });
        }
        Ok(fine)
    }

    /// The leading even derivative must damp.
    fn check_well_posed(&self) -> Result<(), PhysicsError> {
        for (_, a) in &self.linear {
            finite("coefficient of the linear part", *a)?;
        }
        all_finite("coefficients of the reaction", &self.reaction)?;
        finite("coefficient of u·u_x", self.transport)?;
        let even = self
            .linear
            .iter()
            .filter(|(j, a)| j % 2 == 0 && *j > 0 && *a != 0.0);
        match even.max_by_key(|(j, _)| *j) {
            // i^j·a must be negative.
            Some((j, a)) if (j % 4 == 2) != (*a > 0.0) => Err(PhysicsError::Parameter {
                name: "coefficient of the highest even derivative",
                value: *a,
                needed: "must damp: positive for orders 2, 6, …, negative for 4, 8, …",
            }),
            _ => Ok(()),
        }
    }

    fn run(
        &self,
        start: f64,
        length: f64,
        initial: &impl Fn(f64) -> f64,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<Periodic>, PhysicsError> {
        let n = options.modes;
        let mut problem = LineProblem::new(self, length, options);
        let place = |i: usize| start + length * i as f64 / n as f64;
        let values: Vec<f64> = (0..n).map(|i| initial(place(i))).collect();
        all_finite("initial values", &values)?;
        problem.values.copy_from_slice(&values);
        let mut v = vec![Complex64::ZERO; n / 2 + 1];
        problem.forward(&mut v);
        let (mut states, mut slopes) = (Vec::new(), Vec::new());
        let state = |c: Vec<Complex64>| Periodic {
            start,
            length,
            coefficients: c,
        };
        let steps = march(&mut problem, &mut v, times, options.step, |problem, v| {
            let mut slope = vec![Complex64::ZERO; v.len()];
            problem.nonlinear(v, &mut slope);
            for ((s, v), l) in slope.iter_mut().zip(v).zip(&problem.symbol) {
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

/// The equation on n points, with its transforms.
struct LineProblem<'a> {
    equation: &'a Equation,
    symbol: Vec<Complex64>,
    /// −½c·iκ.
    flux: Vec<Complex64>,
    highest: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
    values: Vec<f64>,
    spectrum: Vec<Complex64>,
    square: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl<'a> LineProblem<'a> {
    fn new(equation: &'a Equation, length: f64, options: &SpectralOptions) -> Self {
        let n = options.modes;
        let mut planner = RealFftPlanner::<f64>::new();
        let (forward, backward) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        let scratch = forward.get_scratch_len().max(backward.get_scratch_len());
        let bins = n / 2 + 1;
        // iκ, 0 in place of the mode n/2, whose sine vanishes at all points.
        let wave = |k: usize, order: u32| {
            if k == n / 2 && order % 2 == 1 {
                Complex64::ZERO
            } else {
                Complex64::new(0.0, 2.0 * PI * k as f64 / length).powu(order)
            }
        };
        let symbol = |k: usize| {
            let terms = equation.linear.iter();
            terms.map(|(j, a)| *a * wave(k, *j)).sum::<Complex64>()
        };
        Self {
            equation,
            symbol: (0..bins).map(symbol).collect(),
            flux: (0..bins)
                .map(|k| -0.5 * equation.transport * wave(k, 1))
                .collect(),
            highest: options.highest(),
            forward,
            backward,
            values: vec![0.0; n],
            spectrum: vec![Complex64::ZERO; bins],
            square: vec![Complex64::ZERO; bins],
            scratch: vec![Complex64::ZERO; scratch],
        }
    }

    /// `out` ← Fourier coefficients of the values, which are lost, without the modes that are dropped.
    fn forward(&mut self, out: &mut [Complex64]) {
        let done = self
            .forward
            .process_with_scratch(&mut self.values, out, &mut self.scratch);
        debug_assert!(done.is_ok(), "{done:?}");
        let scale = 1.0 / self.values.len() as f64;
        for (k, v) in out.iter_mut().enumerate() {
            *v = if k > self.highest {
                Complex64::ZERO
            } else {
                *v * scale
            };
        }
    }

    /// Values from coefficients.
    fn backward(&mut self, v: &[Complex64]) {
        self.spectrum.copy_from_slice(v);
        let last = self.spectrum.len() - 1;
        self.spectrum[0].im = 0.0;
        self.spectrum[last].im = 0.0;
        let done = self.backward.process_with_scratch(
            &mut self.spectrum,
            &mut self.values,
            &mut self.scratch,
        );
        debug_assert!(done.is_ok(), "{done:?}");
    }
}

impl Semilinear for LineProblem<'_> {
    fn len(&self) -> usize {
        self.symbol.len()
    }

    fn symbol(&self, out: &mut [Complex64]) {
        out.copy_from_slice(&self.symbol);
    }

    fn nonlinear(&mut self, v: &[Complex64], out: &mut [Complex64]) {
        self.backward(v);
        let transports = self.equation.transport != 0.0;
        let reacts = !self.equation.reaction.is_empty();
        if transports {
            for u in &mut self.values {
                *u *= *u;
            }
            let mut square = std::mem::take(&mut self.square);
            self.forward(&mut square);
            self.square = square;
            if reacts {
                self.backward(v);
            }
        }
        if reacts {
            let reaction = &self.equation.reaction;
            for u in &mut self.values {
                *u = reaction.iter().rev().fold(0.0, |sum, p| sum * *u + p);
            }
            self.forward(out);
        } else {
            out.fill(Complex64::ZERO);
        }
        if transports {
            for ((o, s), f) in out.iter_mut().zip(&self.square).zip(&self.flux) {
                *o += s * f;
            }
        }
    }
}

/// A trigonometric polynomial u(x) = Re(c₀ + 2Σ_{0<k<n/2} c_k e^{iκ_k(x − start)} + c_{n/2} cos …), κ_k = 2πk/length.
#[derive(Debug, Clone, PartialEq)]
pub struct Periodic {
    start: f64,
    length: f64,
    coefficients: Vec<Complex64>,
}

impl Periodic {
    /// Through values at n equally spaced points of a period, the first at its start.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for an odd number of values or a length that is not positive;
    /// [`PhysicsError::NotFinite`].
    pub fn through(start: f64, length: f64, values: &[f64]) -> Result<Self, PhysicsError> {
        finite("start of the period", start)?;
        positive("length of the period", length)?;
        all_finite("values", values)?;
        let n = values.len();
        if n == 0 || !n.is_multiple_of(2) {
            return Err(PhysicsError::Parameter {
                name: "number of values",
                value: n as f64,
                needed: "must be even and positive",
            });
        }
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(n);
        let mut values = values.to_vec();
        let mut coefficients = transform.make_output_vec();
        let done = transform.process(&mut values, &mut coefficients);
        debug_assert!(done.is_ok(), "{done:?}");
        for c in &mut coefficients {
            *c /= n as f64;
        }
        Ok(Self {
            start,
            length,
            coefficients,
        })
    }

    pub(super) fn from_coefficients(start: f64, length: f64, coefficients: Vec<Complex64>) -> Self {
        Self {
            start,
            length,
            coefficients,
        }
    }

    /// c₀ to c_{n/2}.
    pub fn coefficients(&self) -> &[Complex64] {
        &self.coefficients
    }

    /// u(x), for any x. Cost: O(n).
    pub fn value(&self, x: f64) -> f64 {
        self.derivative(x, 0)
    }

    /// Derivative number `order` at x.
    pub fn derivative(&self, x: f64, order: u32) -> f64 {
        let last = self.coefficients.len() - 1;
        let base = 2.0 * PI / self.length;
        let turn = Complex64::cis(base * (x - self.start));
        let mut wave = Complex64::ONE;
        let mut sum = 0.0;
        for (k, c) in self.coefficients.iter().enumerate() {
            // Powers of a number drift: start afresh now and then.
            if k % 64 == 0 {
                wave = Complex64::cis((base * k as f64 * (x - self.start)) % (2.0 * PI));
            }
            let twice = if k == 0 || k == last { 1.0 } else { 2.0 };
            let kappa = if k == last && order % 2 == 1 {
                0.0
            } else {
                base * k as f64
            };
            let slope = Complex64::i().powu(order) * kappa.powi(order.cast_signed()) * wave;
            sum += twice * (c * slope).re;
            wave *= turn;
        }
        sum
    }

    /// Values at `count` equally spaced points of the period, by one transform when that is n.
    pub fn grid(&self, count: usize) -> Vec<f64> {
        let place = |i: usize| self.start + self.length * i as f64 / count as f64;
        if count != 2 * (self.coefficients.len() - 1) {
            return (0..count).map(|i| self.value(place(i))).collect();
        }
        let transform = RealFftPlanner::<f64>::new().plan_fft_inverse(count);
        let mut spectrum = self.coefficients.clone();
        spectrum[0].im = 0.0;
        spectrum[count / 2].im = 0.0;
        let mut values = vec![0.0; count];
        let done = transform.process(&mut spectrum, &mut values);
        debug_assert!(done.is_ok(), "{done:?}");
        values
    }

    /// The mean of u².
    pub fn mean_square(&self) -> f64 {
        let last = self.coefficients.len() - 1;
        let part = |(k, c): (usize, &Complex64)| {
            let twice = if k == 0 || k == last { 1.0 } else { 2.0 };
            twice * c.norm_sqr()
        };
        self.coefficients.iter().enumerate().map(part).sum()
    }

    /// The mean of u.
    pub fn mean(&self) -> f64 {
        self.coefficients[0].re
    }

    /// The largest difference from a polynomial with fewer modes, at the points of this one.
    fn distance(&self, coarse: &Self) -> f64 {
        let mut coefficients = coarse.coefficients.clone();
        let last = coefficients.len() - 1;
        coefficients[last] *= 0.5;
        coefficients.resize(self.coefficients.len(), Complex64::ZERO);
        let coarse = Self {
            coefficients,
            ..*self
        };
        let count = 2 * (self.coefficients.len() - 1);
        let pairs = self.grid(count).into_iter().zip(coarse.grid(count));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

impl Snapshot for Periodic {
    const SPACE: usize = 1;

    fn at(&self, point: &[f64]) -> Result<f64, PhysicsError> {
        Ok(self.value(finite("x", point[0])?))
    }
}

impl Trajectory<Periodic> {
    /// u(x, t); see [`Self::at`].
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for a time outside.
    pub fn value(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        self.at(&[x], t)
    }
}
