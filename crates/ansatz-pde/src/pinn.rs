//! Physics-informed neural networks: one network for the whole domain.
//!
//! The loss is the mean squared residual of the equations at points inside plus that of each condition at points of its
//! place. Adam finds the basin, Levenberg-Marquardt or L-BFGS the bottom; for networks of up to some thousand parameters
//! the second stage alone often does. Low residuals are no low errors: the report states the residual at fresh points, and
//! near fronts points must follow the residual ([`Refine`]) or be drawn anew.
//!
//! Reference: M. Raissi, P. Perdikaris, G. Karniadakis, *Physics-informed neural networks: a deep learning framework for
//! solving forward and inverse problems involving nonlinear partial differential equations*, 2019; C. Wu, M. Zhu, Q. Tan,
//! Y. Kartha, L. Lu, *A comprehensive study of non-adaptive and residual-based adaptive sampling for physics-informed
//! neural networks*, 2023.

use ansatz_autodiff::Element;
use ansatz_core::{Key, Observer};
use ansatz_nn::{Checkpoint, Entry, Mode, NetworkError, Parameters, Schedule};

use crate::error::within;
use crate::{
    Causal, Counts, DomainError, Moment, Network, PdeError, Points, Problem, Refinement, Sampler,
    Solution, Stage, Term, Terms, Trainer, Weighting, sample,
};

/// A physics-informed network and its training.
#[derive(Debug, Clone)]
pub struct Pinn {
    /// The network.
    pub network: Network,
    /// Points of the loss.
    pub points: Counts,
    /// The equations on a tensor grid with so many coordinates along each axis, spread by the sampler of `points`, in place of its
    /// points inside: for [`Network::Separable`], which costs Σn evaluations there in place of Πn. The domain is a box.
    pub grid: Option<Vec<usize>>,
    /// Stages of the training.
    pub stages: Vec<Stage>,
    /// λ of the equations; that of conditions is 1 at the start.
    pub equations: f64,
    /// How λ changes.
    pub weighting: Weighting,
    /// Points that follow the residual.
    pub refine: Option<Refine>,
    /// Chunks in time that wait for those before.
    pub causal: Option<CausalTime>,
    /// Decides on parameters, points and draws.
    pub key: Key,
    /// Where to save and to go on from.
    pub checkpoint: Option<Checkpoint>,
}

/// Rounds of training with points moved or added by the residual before each but the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refine {
    /// How points follow it.
    pub method: Refinement,
    /// Rounds after the first.
    pub rounds: usize,
    /// Candidates that are looked at.
    pub candidates: usize,
}

/// Options of causal weights in time: see [`Causal`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CausalTime {
    /// Number of chunks, a divisor of the number of points inside.
    pub chunks: usize,
    /// ε.
    pub tolerance: f64,
}

impl Default for Pinn {
    /// Three hidden layers of 20, 1000 points inside and 100 for each condition, 2000 steps of Adam at 1e-3 falling to 1e-4,
    /// then 100 of Levenberg-Marquardt.
    fn default() -> Self {
        let rate = Schedule::Cosine {
            from: 1e-3,
            to: 1e-4,
            steps: 2000,
        };
        Self {
            network: Network::mlp(&[20, 20, 20]),
            points: Counts::default(),
            grid: None,
            stages: vec![Stage::adam(2000, rate), Stage::levenberg_marquardt(100)],
            equations: 1.0,
            weighting: Weighting::Fixed,
            refine: None,
            causal: None,
            key: Key::new(0),
            checkpoint: None,
        }
    }
}

impl Pinn {
    /// Trains a network on a problem. Parameters come from the key, points from keys made of it.
    ///
    /// # Errors
    /// [`PdeError::Option`] and [`PdeError::Width`] for options that do not fit, [`PdeError::NoPoints`] for none inside; what
    /// [`Terms::compile`] and [`Trainer::run`] refuse.
    pub fn solve<T, O>(&self, problem: &Problem, observer: &mut O) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        self.solve_with(problem, |_| Ok(()), observer)
    }

    /// The same from the parameters of a solution of another problem by the same network: a warm start. Weights of terms start
    /// afresh.
    ///
    /// # Errors
    /// As [`Pinn::solve`]; [`PdeError::Network`] for parameters of another network.
    pub fn solve_from<T, O>(
        &self,
        problem: &Problem,
        start: &Parameters<T>,
        observer: &mut O,
    ) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        self.solve_with(problem, |parameters| take(parameters, start), observer)
    }

    /// The same from parameters that `start` changes.
    pub(crate) fn solve_with<T, O>(
        &self,
        problem: &Problem,
        start: impl FnOnce(&mut Parameters<T>) -> Result<(), PdeError>,
        observer: &mut O,
    ) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        within("equations", self.equations, 0.0.., "a number not below 0")?;
        if let (Some(_), Some(_)) = (&self.grid, &self.refine) {
            return Err(PdeError::Unsuited {
                term: "refine".into(),
                method: "a tensor grid",
                needed: "points that need not be a grid; leave out one of `grid` and `refine`",
            });
        }
        if self.points.inside == 0 && self.grid.is_none() {
            let term = problem.equations().join("; ");
            return Err(PdeError::NoPoints { term });
        }
        let mut assembly = self.network.assemble(problem)?;
        let key = self.key.fold_in(1);
        let model = &assembly.model;
        let coefficients = &assembly.coefficients[..];
        let counts = Counts {
            inside: if self.grid.is_some() {
                0
            } else {
                self.points.inside
            },
            ..self.points
        };
        let mut list = problem.terms(model, coefficients, &counts, key)?;
        if let Some(sizes) = &self.grid {
            let how = (&sizes[..], self.points.sampler);
            list.insert(0, problem.grid_term((model, coefficients), how, key)?);
        }
        if let Some(inside) = list.first_mut() {
            inside.weight = self.equations;
            inside.causal = self.causal(problem)?;
            if let (Some(_), Some(causal)) = (&self.grid, &mut inside.causal) {
                // Slabs of a grid begin with their time.
                causal.column = 0;
            }
        }
        let options = (self.weighting, Mode::Train);
        let mut terms = Terms::compile(&assembly.layout, list.clone(), options)?;
        let mut parameters = Parameters::new(terms.layout(), self.key);
        start(&mut parameters)?;
        let trainer = Trainer {
            stages: self.stages.clone(),
            key: self.key.fold_in(2),
            checkpoint: self.checkpoint.clone(),
        };
        let mut report = trainer.run(&mut terms, &mut parameters, observer)?;
        for round in 0..self.refine.map_or(0, |r| r.rounds) as u64 {
            if report.stopped_early {
                break;
            }
            if let Some(refine) = &self.refine {
                refine.apply(
                    problem,
                    &mut list[0],
                    &parameters,
                    key.fold_in(1000 + round),
                )?;
            }
            terms = Terms::compile(&assembly.layout, list.clone(), options)?;
            let trainer = Trainer {
                key: trainer.key.fold_in(1000 + round),
                checkpoint: None,
                ..trainer.clone()
            };
            let before = report.evaluations;
            report = trainer.run(&mut terms, &mut parameters, observer)?;
            report.evaluations += before;
        }
        assembly.layout = terms.layout().clone();
        Ok(Solution {
            problem: problem.clone(),
            assembly,
            parameters,
            report,
        })
    }

    fn causal(&self, problem: &Problem) -> Result<Option<Causal>, PdeError> {
        let Some(CausalTime { chunks, tolerance }) = self.causal else {
            return Ok(None);
        };
        let column = problem.time_axis().ok_or(PdeError::Nothing {
            what: "time",
            remedy: "causal weights need a coordinate that was added with `time`",
        })?;
        Ok(Some(Causal {
            column,
            chunks,
            tolerance,
        }))
    }
}

/// Copies what is no memory of a weighting.
fn take<T: Element>(parameters: &mut Parameters<T>, from: &Parameters<T>) -> Result<(), PdeError> {
    let own = |e: &&Entry| !e.name.starts_with("weighting.");
    let entries: Vec<Entry> = parameters
        .layout()
        .entries()
        .iter()
        .filter(own)
        .cloned()
        .collect();
    for entry in &entries {
        let found = from.layout().get(&entry.name);
        if found.is_none_or(|other| other.shape != entry.shape) {
            let got = found.map_or("nothing".into(), |other| other.shape.to_string());
            return Err(PdeError::Network(NetworkError::Tensor {
                name: entry.name.clone(),
                expected: entry.shape.to_string(),
                got,
            }));
        }
    }
    for entry in &entries {
        let values = from.get(&entry.name).unwrap_or_default();
        parameters.values_mut()[entry.range()].copy_from_slice(values);
    }
    Ok(())
}

impl Refine {
    /// Gives a term points by the residual of these parameters.
    fn apply<T: Element>(
        &self,
        problem: &Problem,
        term: &mut Term,
        parameters: &Parameters<T>,
        key: Key,
    ) -> Result<(), PdeError> {
        let mut failed = None;
        let residual = |points: &[f64]| -> Vec<f64> {
            let found = sample(parameters, term.columns, points, |pass, x| {
                (term.residual)(pass, x)
            });
            let n = points.len() / term.columns.max(1);
            match found {
                Ok(all) => {
                    let rows = all.chunks((all.len() / n.max(1)).max(1));
                    rows.map(|r| r.iter().map(|r| r * r).sum::<f64>().sqrt())
                        .collect()
                }
                Err(error) => {
                    failed = Some(error);
                    Vec::new()
                }
            }
        };
        let domain = problem.domain();
        let draw = |n, key| domain.sample_interior(n, &Sampler::Uniform, key);
        let points = Points::new(term.columns, term.points.clone())?;
        let next: Result<Points, DomainError> =
            self.method
                .next(&points, self.candidates, draw, residual, key);
        if let Some(error) = failed {
            return Err(error);
        }
        term.points = next?.into_vec();
        Ok(())
    }
}
