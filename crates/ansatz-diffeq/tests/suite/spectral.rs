//! ETDRK4 on partial differential equations in Fourier space: Kuramoto-Sivashinsky, Burgers,
//! Korteweg-de Vries.
//!
//! Reference numbers: solutions in closed form (Cole and Hopf, two solitons), and for
//! Kuramoto-Sivashinsky the converged value of an independent program.

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_core::{EvalError, VectorField};
use ansatz_diffeq::{Control, Etdrk4, Spectrum, integrate};
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// u_t = L u + c·(u²)_x on a periodic interval, in Fourier coefficients (real and imaginary parts).
struct Quadratic {
    n: usize,
    /// i·k·c, with the Nyquist mode of the odd derivative left out.
    factor: Vec<Complex64>,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

impl Quadratic {
    fn new(n: usize, length: f64, c: f64) -> Self {
        let mut planner = FftPlanner::new();
        let mut factor: Vec<Complex64> = wavenumbers(n, length)
            .iter()
            .map(|k| Complex64::new(0.0, c * k))
            .collect();
        factor[n / 2] = Complex64::default();
        Self {
            n,
            factor,
            forward: planner.plan_fft_forward(n),
            inverse: planner.plan_fft_inverse(n),
        }
    }

    fn to_modes(&self, u: &[f64]) -> Vec<f64> {
        let mut v: Vec<Complex64> = u.iter().map(|u| Complex64::new(*u, 0.0)).collect();
        self.forward.process(&mut v);
        v.iter().flat_map(|z| [z.re, z.im]).collect()
    }

    fn to_values(&self, modes: &[f64]) -> Vec<f64> {
        let mut v: Vec<Complex64> = modes
            .chunks_exact(2)
            .map(|z| Complex64::new(z[0], z[1]))
            .collect();
        self.inverse.process(&mut v);
        v.iter().map(|z| z.re / self.n as f64).collect()
    }
}

impl VectorField<Vec<f64>> for Quadratic {
    fn eval(&self, _: f64, modes: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), EvalError> {
        let squares: Vec<f64> = self.to_values(modes).iter().map(|u| u * u).collect();
        let squares = self.to_modes(&squares);
        for (i, f) in self.factor.iter().enumerate() {
            let z = f * Complex64::new(squares[2 * i], squares[2 * i + 1]);
            (out[2 * i], out[2 * i + 1]) = (z.re, z.im);
        }
        Ok(())
    }
}

fn wavenumbers(n: usize, length: f64) -> Vec<f64> {
    (0..n)
        .map(|i| {
            let j = if i <= n / 2 {
                i as f64
            } else {
                i as f64 - n as f64
            };
            2.0 * PI * j / length
        })
        .collect()
}

fn run(
    (n, length): (usize, f64),
    c: f64,
    linear: impl Fn(f64) -> [f64; 2],
    u0: impl Fn(f64) -> f64,
    end: f64,
    h: f64,
) -> Vec<f64> {
    let problem = Quadratic::new(n, length, c);
    let grid: Vec<f64> = (0..n).map(|i| u0(length * i as f64 / n as f64)).collect();
    let mut modes = problem.to_modes(&grid);
    let spectrum: Vec<[f64; 2]> = wavenumbers(n, length).iter().map(|k| linear(*k)).collect();
    let mut method = Etdrk4::new(Spectrum::Complex(spectrum), &problem, &modes).unwrap();
    let control = Control::constant(h);
    integrate(&mut method, &[0.0, end], &mut modes, &control, &mut ()).unwrap();
    problem.to_values(&modes)
}

#[test]
fn kuramoto_sivashinsky() {
    let length = 32.0 * PI;
    let u0 = |x: f64| (x / 16.0).cos() * (1.0 + (x / 16.0).sin());
    let linear = |k: f64| [k * k - k.powi(4), 0.0];
    let at = |n: usize, h: f64, end: f64| run((n, length), -0.5, linear, u0, end, h);
    let u = at(128, 0.25, 30.0);
    assert!((u[0] - 0.31119290484).abs() < 1e-9, "{}", u[0]);
    let mean = u.iter().map(|u| u * u).sum::<f64>() / 128.0;
    assert!((mean - 0.2481397311).abs() < 1e-5, "{mean}");
    let u = at(256, 1.0 / 64.0, 30.0);
    assert!((u[0] - 0.31119859733).abs() < 1e-9, "{}", u[0]);
    // Chaos: bounded, and of the known strength.
    let u = at(128, 0.25, 150.0);
    let largest = u.iter().fold(0.0_f64, |m, u| m.max(u.abs()));
    let mean = u.iter().map(|u| u * u).sum::<f64>() / 128.0;
    assert!(
        largest < 2.5 && (mean / 1.38 - 1.0).abs() < 0.1,
        "{largest} {mean}"
    );
}

#[test]
fn burgers() {
    // u(π/4), u(π/2), u(3π/4) at t = 1, by the formula of Cole and Hopf.
    let exact = [0.3821212541051029, 0.7254547024071468, 0.9439567647611238];
    for (h, expected) in [(0.05, 1.23e-5), (0.025, 9.0e-7), (0.0125, 6.1e-8)] {
        let linear = |k: f64| [-0.05 * k * k, 0.0];
        let u = run((256, 2.0 * PI), -0.5, linear, f64::sin, 1.0, h);
        let points = [u[32], u[64], u[96]];
        let error = points
            .iter()
            .zip(exact)
            .fold(0.0_f64, |m, (u, e)| m.max((u - e).abs()));
        // The published error is the largest on the grid.
        assert!(
            error < 1.1 * expected && error > 1e-3 * expected,
            "{h}: {error:e}"
        );
    }
}

#[test]
fn two_solitons() {
    // u = 2 (ln F)_xx with F = 1 + e₁ + e₂ + ((k₁−k₂)/(k₁+k₂))² e₁e₂.
    let (k1, k2) = (1.0_f64, 0.7_f64);
    let exact = |x: f64, t: f64| {
        let e1 = (2.0 * k1 * (x - 4.0 * k1 * k1 * t + 8.0)).exp();
        let e2 = (2.0 * k2 * (x - 4.0 * k2 * k2 * t + 2.0)).exp();
        let a = ((k1 - k2) / (k1 + k2)).powi(2);
        let (d1, d2, d12) = (2.0 * k1, 2.0 * k2, 2.0 * (k1 + k2));
        let f = 1.0 + e1 + e2 + a * e1 * e2;
        let f1 = d1 * e1 + d2 * e2 + d12 * a * e1 * e2;
        let f2 = d1 * d1 * e1 + d2 * d2 * e2 + d12 * d12 * a * e1 * e2;
        2.0 * (f2 / f - (f1 / f).powi(2))
    };
    let length = 40.0;
    // The interval is (−20, 20).
    let u0 = |x: f64| exact(x - 20.0, 0.0);
    for (h, expected) in [(2e-3, 1.96e-7), (1e-3, 1.98e-8)] {
        let linear = |k: f64| [0.0, k.powi(3)];
        let u = run((256, length), -3.0, linear, u0, 3.0, h);
        let error = u.iter().enumerate().fold(0.0_f64, |m, (i, u)| {
            let x = length * i as f64 / 256.0 - 20.0;
            m.max((u - exact(x, 3.0)).abs())
        });
        assert!((error / expected - 1.0).abs() < 0.1, "{h}: {error:e}");
    }
}
