//! Stationary covariance functions with derivatives in space and in their parameters.
//!
//! A power spectrum made of Q bumps at ±μ_q is, by the theorem of Wiener and Khinchin, the covariance of distance d
//!
//! ```text
//! k(d) = Σ_q w_q·m_q(d)·cos(2πμ_q·d)
//! Student t (5 degrees of freedom)   m = (1 + z + z²/3)·e^{−z},  z = √5·ρ·d,  ℓ = log ρ
//! Gaussian                           m = e^{−p·d²},              ℓ = log p,   p = ρ²
//! ```
//!
//! One bump at μ = 0 of the first kind is the Matérn kernel of order 5/2, of the second the squared exponential. Parameters
//! are log w, ℓ and μ without bounds; a flat prior on log w is Jeffreys' prior 1/w on w and makes weights sparse.
//!
//! Derivatives are those in the first argument for x > x'; k is even, so k'(0) = 0 and k''(0) is finite: −Σw(5ρ²/3 + ω²)
//! for Student t, −Σw(2p + ω²) for the Gaussian, ω = 2πμ.
//!
//! A. Wilson, R. Adams, *Gaussian process kernels for pattern discovery and extrapolation*, ICML 2013; S. Fang, M. Cooley,
//! D. Long, S. Li, R. Kirby, S. Zhe, *Solving high frequency and multi-scale PDEs with Gaussian processes*, ICLR 2024.

mod waves;

use std::f64::consts::{PI, TAU};
use std::fmt::Debug;

use crate::LinalgError;
use crate::error::{shape, within};
use crate::lanes::widest;

use super::elementary::exp_negative;
use waves::{Pull, Values};

/// A stationary covariance function of one coordinate, k(|x − x'|), twice differentiable.
///
/// Functions of one's own need only these methods; a solver asks for the orders of derivative that its equation has.
pub trait Covariance: Debug + Send + Sync {
    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// Parameters from which training starts.
    fn start(&self) -> Vec<f64>;

    /// Writes k, k' and k'' at distances d ≥ 0, each where a slice is given.
    fn values(&self, parameters: &[f64], distances: &[f64], out: [Option<&mut [f64]>; 3]);

    /// `gradient[j] += Σ_d Σ_o weights[o][d]·∂k⁽ᵒ⁾(d)/∂(parameter j)`.
    fn pull(
        &self,
        parameters: &[f64],
        distances: &[f64],
        weights: [Option<&[f64]>; 3],
        gradient: &mut [f64],
    );

    /// What the spectrum is made of, for functions that know; none otherwise.
    fn spectrum(&self, parameters: &[f64]) -> Vec<Component> {
        let _ = parameters;
        Vec::new()
    }

    /// Keeps parameters where a grid with at most `frequency` cycles per unit can tell them apart.
    fn bound(&self, frequency: f64, parameters: &mut [f64]) {
        let _ = (frequency, parameters);
    }
}

/// One bump of a power spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Component {
    /// Its share of the variance, w.
    pub weight: f64,
    /// Where it is, μ in cycles per unit of length; 2πμ in radians.
    pub frequency: f64,
    /// Its width, the rate of decay ρ of the covariance.
    pub decay: f64,
    /// Its form.
    pub envelope: Envelope,
}

impl Component {
    /// The power spectral density at a frequency in cycles per unit: half of the bump at μ and half at −μ. Its integral
    /// over all frequencies is the weight.
    pub fn density(&self, frequency: f64) -> f64 {
        let bump = |s: f64| self.envelope.density(self.decay, s);
        0.5 * self.weight * (bump(frequency - self.frequency) + bump(frequency + self.frequency))
    }
}

/// The decay of a component's covariance, and so the form of the bump in the spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// Student t with 5 degrees of freedom in the spectrum, Matérn 5/2 in space.
    StudentT,
    /// Gaussian in both.
    Gaussian,
}

/// Envelope and its first two derivatives in distance.
#[derive(Clone, Copy)]
struct Jet {
    m: f64,
    m1: f64,
    m2: f64,
}

impl Envelope {
    /// The Fourier transform of the covariance with decay ρ.
    fn density(self, rho: f64, s: f64) -> f64 {
        let omega = TAU * s;
        match self {
            Self::StudentT => {
                let a = 5.0_f64.sqrt() * rho;
                16.0 / 3.0 * a.powi(5) / (a * a + omega * omega).powi(3)
            }
            Self::Gaussian => PI.sqrt() / rho * (-omega * omega / (4.0 * rho * rho)).exp(),
        }
    }

    /// a = √5·ρ for Student t, p for the Gaussian.
    fn rate(self, log: f64) -> f64 {
        match self {
            Self::StudentT => 5.0_f64.sqrt() * log.exp(),
            Self::Gaussian => log.exp(),
        }
    }

    #[inline(always)]
    fn decay(self, rate: f64, d: f64) -> f64 {
        match self {
            Self::StudentT => exp_negative(-rate * d),
            Self::Gaussian => exp_negative(-rate * d * d),
        }
    }

    /// m, m', m'' from e, the exponential.
    #[inline(always)]
    fn jet(self, rate: f64, d: f64, e: f64) -> Jet {
        match self {
            Self::StudentT => {
                let z = rate * d;
                let third = e / 3.0;
                Jet {
                    m: (3.0 + z * (3.0 + z)) * third,
                    m1: -rate * z * (1.0 + z) * third,
                    m2: rate * rate * (z * z - z - 1.0) * third,
                }
            }
            Self::Gaussian => Jet {
                m: e,
                m1: -2.0 * rate * d * e,
                m2: (4.0 * rate * rate * d * d - 2.0 * rate) * e,
            },
        }
    }

    /// The derivative of [`Self::jet`] in ℓ.
    #[inline(always)]
    fn jet_in_log(self, rate: f64, d: f64, e: f64) -> Jet {
        match self {
            Self::StudentT => {
                let z = rate * d;
                let third = e / 3.0;
                let (g1, g2, g3) = (
                    -z * (1.0 + z) * third,
                    (z * z - z - 1.0) * third,
                    z * (3.0 - z) * third,
                );
                Jet {
                    m: z * g1,
                    m1: rate * (g1 + z * g2),
                    m2: rate * rate * (2.0 * g2 + z * g3),
                }
            }
            Self::Gaussian => {
                let (p, q) = (rate, -rate * d * d);
                Jet {
                    m: q * e,
                    m1: -2.0 * p * d * (1.0 + q) * e,
                    m2: ((8.0 * p * p * d * d - 2.0 * p) + (4.0 * p * p * d * d - 2.0 * p) * q) * e,
                }
            }
        }
    }
}

/// Whether frequencies are parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Frequencies {
    /// Learnt, from equal steps between 0 and `highest`, in cycles per unit of length.
    Learnt {
        /// The last of the first frequencies.
        highest: f64,
    },
    /// All 0.
    Zero,
}

/// A mixture of Q components, the family of all kernels here. Parameters: Q times log w, Q times ℓ, Q times μ when
/// frequencies are learnt.
///
/// ```
/// use ansatz_linalg::gp::{Covariance, Envelope, Mixture};
/// let k = Mixture::spectral(Envelope::StudentT, 2, 20.0)?;
/// let theta = k.start(); // weights ½, ρ = 1, frequencies 0 and 20
/// let mut value = [0.0];
/// k.values(&theta, &[0.0], [Some(&mut value), None, None]);
/// assert!((value[0] - 1.0).abs() < 1e-15);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    envelope: Envelope,
    components: usize,
    frequencies: Frequencies,
}

impl Mixture {
    /// A spectral mixture of Q components whose frequencies are learnt: weights 1/Q, ρ = 1, and frequencies in equal steps
    /// from 0 to `highest` cycles per unit at the start.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for Q = 0, [`LinalgError::Parameter`] for a frequency that is negative or no number.
    pub fn spectral(
        envelope: Envelope,
        components: usize,
        highest: f64,
    ) -> Result<Self, LinalgError> {
        if components == 0 {
            return Err(LinalgError::Shape {
                what: "components of a spectral mixture",
                expected: 1,
                got: 0,
            });
        }
        within(
            "highest frequency",
            highest,
            0.0..,
            "must be a number, 0 or more",
        )?;
        Ok(Self {
            envelope,
            components,
            frequencies: Frequencies::Learnt { highest },
        })
    }

    /// The Matérn kernel of order 5/2: for slowly varying functions, and as a baseline.
    pub fn matern() -> Self {
        Self {
            envelope: Envelope::StudentT,
            components: 1,
            frequencies: Frequencies::Zero,
        }
    }

    /// The squared exponential kernel, a baseline.
    pub fn squared_exponential() -> Self {
        Self {
            envelope: Envelope::Gaussian,
            ..Self::matern()
        }
    }

    /// Parameters from components, for kernels that are not learnt.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for another number of components, [`LinalgError::Parameter`] for a weight or decay that is
    /// not positive.
    pub fn parameters_of(&self, components: &[Component]) -> Result<Vec<f64>, LinalgError> {
        shape(
            "components of the kernel",
            self.components,
            components.len(),
        )?;
        for c in components {
            let above = f64::MIN_POSITIVE..;
            within("weight", c.weight, above.clone(), "must be positive")?;
            within("decay", c.decay, above, "must be positive")?;
        }
        let mut theta: Vec<f64> = components.iter().map(|c| c.weight.ln()).collect();
        let factor = match self.envelope {
            Envelope::StudentT => 1.0,
            Envelope::Gaussian => 2.0,
        };
        theta.extend(components.iter().map(|c| factor * c.decay.ln()));
        if self.learnt() {
            theta.extend(components.iter().map(|c| c.frequency));
        }
        Ok(theta)
    }

    fn learnt(&self) -> bool {
        matches!(self.frequencies, Frequencies::Learnt { .. })
    }

    /// w, the rate of the envelope and ω of one component.
    fn component(&self, theta: &[f64], q: usize) -> (f64, f64, f64) {
        let frequency = if self.learnt() {
            theta[2 * self.components + q]
        } else {
            0.0
        };
        (
            theta[q].exp(),
            self.envelope.rate(theta[self.components + q]),
            TAU * frequency,
        )
    }
}

impl Covariance for Mixture {
    fn parameters(&self) -> usize {
        self.components * if self.learnt() { 3 } else { 2 }
    }

    fn start(&self) -> Vec<f64> {
        let q = self.components;
        let mut theta = vec![-(q as f64).ln(); q];
        theta.resize(2 * q, 0.0);
        if let Frequencies::Learnt { highest } = self.frequencies {
            let last = (q - 1).max(1) as f64;
            theta.extend((0..q).map(|i| highest * i as f64 / last));
        }
        theta
    }

    fn values(&self, parameters: &[f64], distances: &[f64], mut out: [Option<&mut [f64]>; 3]) {
        for out in out.iter_mut().flatten() {
            out.fill(0.0);
        }
        for q in 0..self.components {
            let (weight, rate, omega) = self.component(parameters, q);
            let run = Values {
                envelope: self.envelope,
                weight,
                rate,
                omega: omega.abs(),
                distances,
                out: &mut out,
            };
            widest(run);
        }
    }

    fn pull(
        &self,
        parameters: &[f64],
        distances: &[f64],
        weights: [Option<&[f64]>; 3],
        gradient: &mut [f64],
    ) {
        let count = self.components;
        for q in 0..count {
            let (weight, rate, omega) = self.component(parameters, q);
            let run = Pull {
                envelope: self.envelope,
                rate,
                omega: omega.abs(),
                distances,
                weights,
            };
            let [value, log, frequency] = widest(run);
            gradient[q] += weight * value;
            gradient[count + q] += weight * log;
            if self.learnt() {
                // k is even in μ.
                gradient[2 * count + q] += TAU * weight * frequency * omega.signum();
            }
        }
    }

    fn spectrum(&self, parameters: &[f64]) -> Vec<Component> {
        let component = |q: usize| Component {
            weight: parameters[q].exp(),
            frequency: self.component(parameters, q).2 / TAU,
            decay: match self.envelope {
                Envelope::StudentT => parameters[self.components + q].exp(),
                Envelope::Gaussian => (0.5 * parameters[self.components + q]).exp(),
            },
            envelope: self.envelope,
        };
        (0..self.components).map(component).collect()
    }

    fn bound(&self, frequency: f64, parameters: &mut [f64]) {
        let (_, rest) = parameters.split_at_mut(self.components);
        let (logs, frequencies) = rest.split_at_mut(self.components);
        for log in logs {
            *log = log.min(1.0);
        }
        for mu in frequencies {
            *mu = mu.clamp(0.0, frequency);
        }
    }
}
