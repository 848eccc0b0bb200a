//! The step that exponential integrators share: exact for a polynomial through model outputs.
//!
//! With weight w = 1 + η, every first-order, multistep and singlestep formula of the DPM family is
//!
//! - data form: `x_t = (σ_t/σ_s)e^{−ηh}·x + ∫ w·α_t e^{−w(λ_t−λ)} m(λ) dλ + σ_t√(1−e^{−2ηh})·z`,
//! - noise form: `x_t = (α_t/α_s)·x − ∫ w·σ_t e^{λ_t−λ} m(λ) dλ + σ_t√(η(e^{2h}−1))·z`,
//!
//! with an interpolating polynomial in place of m. In θ = (λ − λ_s)/h the integral of θᵏ is
//! `k!·φₖ₊₁` up to a factor: [`Exponential::moment`]. Lagrange polynomials turn moments into the
//! weights of outputs: [`lagrange`]. η = 0 is the probability-flow ODE, η = 1 the reverse SDE.
//!
//! Cost: a few dozen operations a step, when a plan is written.
//!
//! Used by every solver whose nodes are noise levels; a solver in another variable (DEIS in t or ρ)
//! brings its own moments.
//!
//! References: M. Hochbruck, A. Ostermann, *Exponential integrators*, Acta Numerica, 2010, section
//! 2; C. Lu et al., *DPM-Solver*, 2022, proposition 3.1, and *DPM-Solver++*, 2022, proposition 4.1.

use ansatz_core::{NoiseLevel, Prediction};

use super::Form;
use super::phi::phi;
use crate::{Linear, Value};

/// One step from s to t, before it is known which outputs are interpolated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exponential {
    /// Factor of the old state.
    pub(crate) keep: f64,
    /// Standard deviation of fresh noise.
    pub(crate) std: f64,
    /// Step in λ.
    pub(crate) h: f64,
    /// Factor and argument of the φ-functions.
    scale: f64,
    argument: f64,
}

impl Exponential {
    /// A step of the probability-flow ODE.
    pub(crate) fn new(form: Form, from: &NoiseLevel, to: &NoiseLevel) -> Self {
        Self::stochastic(form, from, to, 0.0)
    }

    /// A step of the reverse SDE with noise level `eta`.
    pub(crate) fn stochastic(form: Form, from: &NoiseLevel, to: &NoiseLevel, eta: f64) -> Self {
        let h = to.lambda() - from.lambda();
        match form {
            Form::Data => Self {
                keep: to.sigma / from.sigma * (-eta * h).exp(),
                std: to.sigma * (-(-2.0 * eta * h).exp_m1()).sqrt(),
                h,
                scale: -to.alpha,
                argument: -(1.0 + eta) * h,
            },
            Form::Noise => Self {
                keep: to.alpha / from.alpha,
                std: to.sigma * (eta * (2.0 * h).exp_m1()).sqrt(),
                h,
                scale: -(1.0 + eta) * to.sigma,
                argument: h,
            },
        }
    }

    /// The integral of θᵏ, θ running from 0 at s to 1 at t; k = 0 is the first-order step.
    pub(crate) fn moment(&self, k: u32) -> f64 {
        let factorial: f64 = (1..=k).map(f64::from).product();
        self.scale * factorial * phi(k + 1, self.argument)
    }

    /// [`Exponential::moment`] 0 to first order in the step.
    pub(crate) fn linearised(&self) -> f64 {
        self.scale * self.argument
    }

    /// Weights of outputs at `nodes` (values of θ): exact for the polynomial through them.
    pub(crate) fn weights(&self, nodes: &[f64]) -> Vec<f64> {
        let moments: Vec<f64> = (0..nodes.len() as u32).map(|k| self.moment(k)).collect();
        lagrange(nodes, &moments)
    }

    /// The step for the polynomial through `outputs`, each with its θ.
    pub(crate) fn through(&self, x: Value, outputs: &[(f64, Value)]) -> Linear {
        let nodes: Vec<f64> = outputs.iter().map(|(theta, _)| *theta).collect();
        let weights = self.weights(&nodes);
        let mut sum = self.keep * x;
        for (weight, (_, output)) in weights.iter().zip(outputs) {
            sum = sum + *weight * *output;
        }
        sum
    }
}

impl Form {
    /// The kind of prediction that the form integrates.
    pub(crate) fn prediction(self) -> Prediction {
        match self {
            Self::Data => Prediction::Data,
            Self::Noise => Prediction::Noise,
        }
    }
}

/// Integrals of the Lagrange polynomials through `nodes`, from the integrals of 1, θ, θ², ….
pub(crate) fn lagrange(nodes: &[f64], moments: &[f64]) -> Vec<f64> {
    let integral = |j: usize| {
        // Coefficients of the j-th polynomial, constant first; factors (θ − node)/(θⱼ − node).
        let mut polynomial = vec![1.0];
        for (m, node) in nodes.iter().enumerate() {
            if m != j {
                let gap = nodes[j] - node;
                polynomial.push(0.0);
                for k in (0..polynomial.len()).rev() {
                    let lower = if k > 0 { polynomial[k - 1] } else { 0.0 };
                    polynomial[k] = (lower - node * polynomial[k]) / gap;
                }
            }
        }
        polynomial.iter().zip(moments).map(|(c, m)| c * m).sum()
    };
    (0..nodes.len()).map(integral).collect()
}

/// Nodes and weights of Gauss and Legendre on [0, 1], by Newton's method on the three-term recurrence.
pub(crate) fn gauss_legendre(n: u32) -> Vec<(f64, f64)> {
    let legendre = |x: f64| {
        let (mut before, mut value) = (1.0, x);
        for k in 2..=n {
            let k = f64::from(k);
            (before, value) = (
                value,
                ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
            );
        }
        (value, f64::from(n) * (x * value - before) / (x * x - 1.0))
    };
    (0..n)
        .map(|i| {
            let guess = std::f64::consts::PI * (f64::from(i) + 0.75) / (f64::from(n) + 0.5);
            let mut x = guess.cos();
            // Quadratic convergence from a guess that is good to 1e-4.
            for _ in 0..6 {
                let (value, slope) = legendre(x);
                x -= value / slope;
            }
            let slope = legendre(x).1;
            (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_integrate_polynomials() {
        let (from, to) = (
            NoiseLevel::new(1.0, 0.3, 0.95),
            NoiseLevel::new(0.5, 0.7, 0.7),
        );
        for form in [Form::Data, Form::Noise] {
            for eta in [0.0, 0.4, 1.0] {
                let step = Exponential::stochastic(form, &from, &to, eta);
                let nodes = [0.0, -0.7, -1.9, 1.0];
                for (k, moment) in (0..4).map(|k| (k, step.moment(k as u32))) {
                    let sum: f64 = step
                        .weights(&nodes)
                        .iter()
                        .zip(nodes)
                        .map(|(w, n): (&f64, f64)| w * n.powi(k))
                        .sum();
                    assert!((sum - moment).abs() < 1e-14, "{form:?} {eta} {k}");
                }
                // The moments themselves, by quadrature of the integrals in the module's text.
                for k in 0..4 {
                    let integral: f64 = gauss_legendre(20)
                        .iter()
                        .map(|(theta, w)| {
                            let left = step.h * (1.0 - theta);
                            let kernel = match form {
                                Form::Data => to.alpha * (-(1.0 + eta) * left).exp(),
                                Form::Noise => -to.sigma * left.exp(),
                            };
                            w * step.h * (1.0 + eta) * kernel * theta.powi(k)
                        })
                        .sum();
                    assert!((integral - step.moment(k as u32)).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn gauss_legendre_is_exact_to_degree_2n_minus_1() {
        for n in [2, 5, 64] {
            let rule = gauss_legendre(n);
            for degree in 0..2 * n.cast_signed() {
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(degree)).sum();
                assert!((sum - 1.0 / f64::from(degree + 1)).abs() < 1e-14);
            }
        }
    }
}
