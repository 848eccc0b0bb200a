//! The posterior of a network's parameters, and chains on it.

use std::sync::{Mutex, PoisonError};

use ansatz_core::{EvalError, Key};
use ansatz_nn::{Layout, Loss, Mode, Parameters};
use ansatz_stats::{Adaptation, Diagnostics, Hmc, Nuts, Trace, diagnose};

use super::Prediction;
use crate::error::{expect, finite, within};
use crate::{PdeError, Term, Terms, Weighting};

/// A term with the standard deviation of its residuals.
#[derive(Debug, Clone)]
pub struct Likelihood {
    /// Residuals at points: data less prediction, or an equation.
    pub term: Term,
    /// σ > 0 of each residual: σ_u of measurements, σ_f of an equation.
    pub sigma: f64,
}

/// N(mean, std²) for parameters whose names begin with `name`. A positive coefficient is exp of its parameter, with a prior
/// that is log-normal by that.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// How their names begin.
    pub name: String,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, above 0.
    pub std: f64,
}

/// The density of the trained parameters θ of a network,
///
/// ```text
/// ln p(θ | data) = −Σᵢ Σₚ ‖rᵢ(xₚ)‖²/(2σᵢ²) − Σⱼ (θⱼ − mⱼ)²/(2sⱼ²) + constant
/// ```
///
/// over terms i with their points p.
///
/// Cost of an evaluation: the gradient of each term. Chains of a batch take turns, the points of a term are computed side by
/// side.
#[derive(Debug)]
pub struct Posterior {
    work: Mutex<Work>,
    /// Places of the trained parameters.
    trained: Vec<usize>,
    /// Means and standard deviations of the prior.
    prior: Vec<(f64, f64)>,
    base: Parameters<f64>,
}

#[derive(Debug)]
struct Work {
    terms: Terms<f64>,
    data: Vec<Vec<f64>>,
    at: Parameters<f64>,
    slopes: Vec<f64>,
}

/// The chains.
#[derive(Debug, Clone, PartialEq)]
pub enum Chain {
    /// Trajectories of fixed length.
    Hmc(Hmc),
    /// Trajectories that end where they turn back.
    Nuts(Nuts),
}

/// How a posterior is sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainOptions {
    /// Method and number of draws.
    pub chain: Chain,
    /// Steps before the first draw, which find step size and mass; 0 takes both as they are.
    pub warm_up: usize,
    /// How they do.
    pub adaptation: Adaptation,
}

impl Default for ChainOptions {
    /// The no-U-turn sampler: 500 steps of warm-up to an acceptance of 0.8, 1000 draws.
    fn default() -> Self {
        Self {
            chain: Chain::Nuts(Nuts::default()),
            warm_up: 500,
            adaptation: Adaptation::default(),
        }
    }
}

/// Draws of a posterior.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Draws {
    /// The trained parameters of each draw of each chain.
    pub trace: Trace,
    /// Number of chains.
    pub chains: usize,
    /// Mean probability of acceptance.
    pub acceptance: f64,
    /// Trajectories whose energy grew without bound: more than a few mean that the step is too long somewhere.
    pub divergences: u64,
    /// The step size found.
    pub step: f64,
}

impl Posterior {
    /// The posterior of parameters like `base`, whose untrained entries stay as they are: the prior of θ is N(0, prior²),
    /// but for those that `priors` names. The first that fits counts.
    ///
    /// # Errors
    /// [`PdeError::Option`] for a σ or a standard deviation that is not above 0, and what [`Terms::compile`] refuses.
    pub fn new(
        base: &Parameters<f64>,
        likelihoods: Vec<Likelihood>,
        prior: f64,
        priors: &[Prior],
    ) -> Result<Self, PdeError> {
        let positive = f64::MIN_POSITIVE..;
        within("prior", prior, positive.clone(), "a number above 0")?;
        for p in priors {
            within(
                "std of a prior",
                p.std,
                positive.clone(),
                "a number above 0",
            )?;
            within("mean of a prior", p.mean, .., "a finite number")?;
        }
        let mut terms = Vec::new();
        for Likelihood { term, sigma } in likelihoods {
            within("sigma", sigma, positive.clone(), "a number above 0")?;
            // Terms are means over points.
            let weight = term.weight * term.len() as f64 / (2.0 * sigma * sigma);
            terms.push(term.weighted(weight));
        }
        let layout: &Layout = base.layout();
        let (mut trained, mut all) = (Vec::new(), Vec::new());
        for entry in layout.entries().iter().filter(|e| e.trained) {
            let named = priors.iter().find(|p| entry.name.starts_with(&p.name));
            let own = named.map_or((0.0, prior), |p| (p.mean, p.std));
            trained.extend(entry.range());
            all.extend(entry.range().map(|_| own));
        }
        let terms = Terms::compile(layout, terms, (Weighting::Fixed, Mode::Evaluate))?;
        expect(
            "parameters, without those of a weighting",
            layout.len(),
            terms.layout().len(),
        )?;
        Ok(Self {
            work: Mutex::new(Work {
                data: terms.data(),
                terms,
                at: base.clone(),
                slopes: vec![0.0; layout.len()],
            }),
            trained,
            prior: all,
            base: base.clone(),
        })
    }

    /// Number of trained parameters.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.trained.len()
    }

    /// The trained parameters of a set.
    #[must_use]
    pub fn row(&self, parameters: &Parameters<f64>) -> Vec<f64> {
        self.trained
            .iter()
            .map(|i| parameters.values()[*i])
            .collect()
    }

    /// A set with these trained parameters.
    ///
    /// # Panics
    /// For another number of them.
    #[must_use]
    pub fn parameters(&self, row: &[f64]) -> Parameters<f64> {
        assert_eq!(row.len(), self.trained.len(), "trained parameters");
        let mut all = self.base.clone();
        for (i, v) in self.trained.iter().zip(row) {
            all.values_mut()[*i] = *v;
        }
        all
    }

    /// ln p up to a constant; its gradient goes to `score`.
    ///
    /// # Errors
    /// [`PdeError::Width`], [`PdeError::Network`].
    pub fn log_density(&self, row: &[f64], score: &mut [f64]) -> Result<f64, PdeError> {
        expect("trained parameters", self.dim(), row.len())?;
        expect("elements of the score", self.dim(), score.len())?;
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let Work {
            terms,
            data,
            at,
            slopes,
        } = &mut *work;
        for (i, v) in self.trained.iter().zip(row) {
            at.values_mut()[*i] = *v;
        }
        let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
        let mut log = -terms.gradient(at, &views, Key::new(0), slopes)?;
        let own = self.trained.iter().zip(row).zip(&self.prior);
        for (((i, v), (mean, std)), s) in own.zip(score) {
            let z = (v - mean) / std;
            log -= 0.5 * z * z;
            *s = -slopes[*i] - z / std;
        }
        Ok(log)
    }

    /// Draws from chains that start at the rows of `start`, such as trained networks, and go on from where a warm-up ends.
    ///
    /// # Errors
    /// [`PdeError::Chain`] for a step that is not above 0 and for densities that are not finite at the start,
    /// [`PdeError::Width`] for other lengths.
    pub fn sample(
        &self,
        start: &[Vec<f64>],
        options: &ChainOptions,
        key: Key,
    ) -> Result<Draws, PdeError> {
        expect("chains, at least", 1, start.len().min(1))?;
        for row in start {
            expect("trained parameters", self.dim(), row.len())?;
            finite(|| "start of a chain".into(), row)?;
        }
        let target = |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| {
            let rows = x.chunks(self.dim()).zip(score.chunks_mut(self.dim()));
            for ((x, score), log) in rows.zip(log) {
                *log = self.log_density(x, score).map_err(EvalError::model)?;
            }
            Ok::<(), EvalError>(())
        };
        let (mut x, chains) = (start.concat(), start.len());
        let [first, then] = [key.fold_in(0), key.fold_in(1)];
        let (adaptation, warm_up) = (&options.adaptation, options.warm_up);
        let mut trace = Trace::new(chains);
        let (acceptance, divergences, step) = match &options.chain {
            Chain::Hmc(hmc) => {
                let mut hmc = hmc.clone();
                if warm_up > 0 {
                    let steps = std::mem::replace(&mut hmc.steps, warm_up);
                    hmc = hmc.warm_up(&target, &mut x, chains, first, adaptation)?;
                    hmc.steps = steps;
                }
                let report = hmc.run(&target, &mut x, chains, then, &mut trace)?;
                (report.acceptance, report.divergences, hmc.step)
            }
            Chain::Nuts(nuts) => {
                let mut nuts = nuts.clone();
                if warm_up > 0 {
                    let steps = std::mem::replace(&mut nuts.steps, warm_up);
                    nuts = nuts.warm_up(&target, &mut x, chains, first, adaptation)?;
                    nuts.steps = steps;
                }
                let report = nuts.run(&target, &mut x, chains, then, &mut trace)?;
                (report.acceptance, report.divergences, nuts.step)
            }
        };
        Ok(Draws {
            trace,
            chains,
            acceptance,
            divergences,
            step,
        })
    }

    /// What `field` gives for every draw that is a multiple of `every`, all chains.
    ///
    /// # Errors
    /// Those of `field`.
    pub fn fields<F>(
        &self,
        draws: &Draws,
        every: usize,
        mut field: F,
    ) -> Result<Vec<Vec<f64>>, PdeError>
    where
        F: FnMut(&Parameters<f64>) -> Result<Vec<f64>, PdeError>,
    {
        let values = draws.trace.values();
        let steps = values
            .chunks(self.dim() * draws.chains)
            .step_by(every.max(1));
        let rows = steps.flat_map(|step| step.chunks(self.dim()));
        rows.map(|row| field(&self.parameters(row))).collect()
    }
}

impl Draws {
    /// Diagnoses each value of fields that [`Posterior::fields`] gave, and the prediction they make.
    ///
    /// # Errors
    /// [`PdeError::Diagnostic`], [`PdeError::Width`].
    pub fn diagnose(
        &self,
        fields: &[Vec<f64>],
        noise: f64,
    ) -> Result<(Prediction, Vec<Diagnostics>), PdeError> {
        let prediction = Prediction::of_fields(fields, noise)?;
        let one = |i: usize| {
            let values: Vec<f64> = fields.iter().map(|f| f[i]).collect();
            Ok(diagnose(&values, self.chains)?)
        };
        let diagnostics = (0..prediction.mean.len()).map(one);
        Ok((prediction, diagnostics.collect::<Result<_, PdeError>>()?))
    }
}
