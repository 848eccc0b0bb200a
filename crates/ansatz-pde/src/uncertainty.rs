//! How sure a physics-informed network is: posteriors, dropout, ensembles, and whether their spread is right.
//!
//! | method | what it is | cost |
//! |---|---|---|
//! | [`Posterior`] | the density of all parameters given data and equations with their noise, sampled by Hamiltonian chains | thousands of gradients a chain |
//! | [`DropoutMlp`] | networks with units left out at random, in training and in prediction | one training, T evaluations |
//! | [`ensemble`] | networks from other starts, in another order of the data | M trainings |
//! | [`Calibration`] | logarithmic score, CRPS, coverage and width of intervals, calibration error | |
//!
//! All give a [`Prediction`], a mean and a standard deviation at each point. Posteriors are as wide as the noise that they
//! are told: the spread of an equation, σ_f, counts its points as data, so that twice the points halve the variance that the
//! equation leaves. State it as what the equation is trusted to, per point, and judge by [`Calibration`] on data that were
//! kept back. Chains do not mix over permutations of units: diagnose predictions, not weights.
//!
//! References: L. Yang, X. Meng, G. Karniadakis, *B-PINNs: Bayesian physics-informed neural networks for forward and inverse
//! PDE problems with noisy data*, 2021; Y. Gal, Z. Ghahramani, *Dropout as a Bayesian approximation*, 2016;
//! B. Lakshminarayanan, A. Pritzel, C. Blundell, *Simple and scalable predictive uncertainty estimation using deep
//! ensembles*, 2017; T. Gneiting, A. Raftery, *Strictly proper scoring rules, prediction, and estimation*, 2007.

mod calibration;
mod dropout;
mod members;
mod posterior;

pub use calibration::{Calibration, crps_normal, crps_samples};
pub use dropout::{DropoutMlp, Dropped, weight_decay};
pub use members::{Resample, ensemble, gaussian_nll, reordered};
pub use posterior::{Chain, ChainOptions, Draws, Likelihood, Posterior, Prior};

use crate::PdeError;
use crate::error::{expect, finite, within};

/// A mean and a standard deviation at each place.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub std: Vec<f64>,
}

impl Prediction {
    /// Of fields that are equally likely, each as long as the others, with the variance of noise added: σ̄² = mean(u² + σ²)
    /// − mean(u)².
    ///
    /// # Errors
    /// [`PdeError::Width`] for less than two fields or other lengths, [`PdeError::NotFinite`], [`PdeError::Option`] for
    /// noise below 0.
    pub fn of_fields(fields: &[Vec<f64>], noise: f64) -> Result<Self, PdeError> {
        within("noise", noise, 0.0.., "a number not below 0")?;
        let n = fields.first().map_or(0, Vec::len);
        let variances = vec![vec![noise * noise; n]; fields.len()];
        Self::of_mixture(fields, &variances)
    }

    /// Of Gaussian predictions that are equally likely: mean and variance of their mixture.
    ///
    /// # Errors
    /// As [`Prediction::of_fields`].
    pub fn of_mixture(means: &[Vec<f64>], variances: &[Vec<f64>]) -> Result<Self, PdeError> {
        expect("fields, at least", 2, means.len().min(2))?;
        expect("fields of variances", means.len(), variances.len())?;
        let n = means[0].len();
        for (mean, variance) in means.iter().zip(variances) {
            expect("values of a field", n, mean.len())?;
            expect("variances of a field", n, variance.len())?;
            finite(|| "a predicted field".into(), mean)?;
            finite(|| "a predicted variance".into(), variance)?;
        }
        let count = means.len() as f64;
        let at = |i: usize| {
            let mean = means.iter().map(|m| m[i]).sum::<f64>() / count;
            let off = means.iter().map(|m| (m[i] - mean) * (m[i] - mean));
            let own = variances.iter().map(|v| v[i]);
            let variance = (off.sum::<f64>() + own.sum::<f64>()) / count;
            (mean, variance.max(0.0).sqrt())
        };
        let (mean, std) = (0..n).map(at).unzip();
        Ok(Self { mean, std })
    }
}
