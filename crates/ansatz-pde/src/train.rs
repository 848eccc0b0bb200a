//! Training in stages: gradients first, second-order methods last, and what was reached at fresh points.
//!
//! A stage starts where the one before ended. A run that was killed and started again with the same checkpoint ends with
//! the same bits: Adam goes on from its last file, other stages from their start.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ansatz_autodiff::Element;
use ansatz_core::{Event, Key, NoiseLevel, Observer};
use ansatz_nn::{
    Adam, Checkpoint, FitStep, Iterate, Lbfgs, LevenbergMarquardt, NetworkError, Parameters,
    Progress, Schedule, Training, TrainingOptions,
};

use crate::error::expect;
use crate::{PdeError, Term, Terms};

/// One part of a training.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Adam, with points drawn anew every `redraw` steps by the terms that draw them.
    Adam {
        /// Steps.
        steps: u64,
        /// Learning rates, from step 0 of the stage.
        rate: Schedule,
        /// Steps between draws; `None` for the same points.
        redraw: Option<u64>,
    },
    /// L-BFGS on the points as they are.
    Lbfgs(Lbfgs),
    /// Levenberg-Marquardt, in rounds with points drawn anew between them. It is the method for networks of up to some
    /// thousand parameters; on few points and near fronts it fits the points alone, which the report's fresh residual
    /// shows.
    LevenbergMarquardt {
        /// Its options.
        method: LevenbergMarquardt,
        /// Rounds.
        rounds: usize,
    },
    /// One layer by linear least squares, all others as they are, on the terms whose residuals are affine in it: conditions,
    /// measured values, linear equations. Where the start of a network is linear in its features
    /// ([`PirateNet`](ansatz_nn::PirateNet)), that is its best start: the values of an initial condition, say.
    LastLayer {
        /// Where the layer's parameters stand in the layout.
        scope: String,
        /// See [`linear_least_squares`](ansatz_nn::linear_least_squares).
        ridge: f64,
    },
}

impl Stage {
    /// The layer `net.last` with a ridge of 1e-10, the last one of [`Network::Pirate`](crate::Network::Pirate) and
    /// [`Network::Modified`](crate::Network::Modified).
    #[must_use]
    pub fn last_layer() -> Self {
        Self::LastLayer {
            scope: "net.last".into(),
            ridge: 1e-10,
        }
    }

    /// Adam with points as they are.
    #[must_use]
    pub fn adam(steps: u64, rate: Schedule) -> Self {
        Self::Adam {
            steps,
            rate,
            redraw: None,
        }
    }

    /// Levenberg-Marquardt with points as they are.
    #[must_use]
    pub fn levenberg_marquardt(steps: usize) -> Self {
        let method = LevenbergMarquardt {
            steps,
            ..LevenbergMarquardt::default()
        };
        Self::LevenbergMarquardt { method, rounds: 1 }
    }

    /// Steps planned.
    fn steps(&self) -> usize {
        match self {
            Self::Adam { steps, .. } => *steps as usize,
            Self::Lbfgs(method) => method.steps,
            Self::LevenbergMarquardt { method, rounds } => method.steps * rounds,
            Self::LastLayer { .. } => 1,
        }
    }
}

/// Stages one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainer {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Decides on draws.
    pub key: Key,
    /// A file that is written when a stage ends, and, with `.adam` at its end, every so many steps inside of one.
    pub checkpoint: Option<Checkpoint>,
}

/// What an observer sees after each step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Moment<'a, T> {
    /// Number of the stage.
    pub stage: usize,
    /// The weighted loss.
    pub loss: f64,
    /// The loss at fresh points, where the stage computes it.
    pub fresh: Option<f64>,
    /// The parameters.
    pub parameters: &'a Parameters<T>,
}

/// One term at the end.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TermReport {
    /// The term.
    pub name: String,
    /// Number of points.
    pub points: usize,
    /// λ at the end.
    pub weight: f64,
    /// Mean of ‖r‖² at the points that were fitted.
    pub fitted: f64,
    /// Mean of ‖r‖² at as many fresh points, for terms that draw theirs.
    pub fresh: Option<f64>,
}

/// What a training reached, and its cost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainReport {
    /// The terms at the end.
    pub terms: Vec<TermReport>,
    /// Evaluations of the loss, its gradient or its Jacobian.
    pub evaluations: usize,
    /// Number of trained parameters.
    pub parameters: usize,
    /// Whether an observer ended the training.
    pub stopped_early: bool,
}

impl std::fmt::Display for TrainReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p, n) = (self.parameters, self.evaluations);
        writeln!(
            f,
            "{p} parameters, {n} evaluations; mean squares of residuals:"
        )?;
        for term in &self.terms {
            write!(f, "  {:<28} {:9.2e}", term.name, term.fitted)?;
            if let Some(fresh) = term.fresh {
                write!(f, "   at fresh points {fresh:9.2e}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Keys of what is drawn for reports, apart from those of stages.
const FRESH: u64 = 1 << 40;

impl Trainer {
    /// The stages, with draws from `key` and without files.
    #[must_use]
    pub fn new(stages: Vec<Stage>, key: Key) -> Self {
        Self {
            stages,
            key,
            checkpoint: None,
        }
    }

    /// Trains `parameters`, made from [`Terms::layout`].
    ///
    /// # Errors
    /// [`PdeError::Width`] for parameters of another layout; [`PdeError::Network`] as [`Training::run`], [`Lbfgs::fit`]
    /// and [`LevenbergMarquardt::fit`], [`PdeError::NotFinite`] with the term and the point where a residual has no value: the
    /// parameters are the last ones that were finite. What a checkpoint's file is refused for: another key, other
    /// parameters, numbers that are not finite, a part of it missing.
    pub fn run<T, O>(
        &self,
        terms: &mut Terms<T>,
        parameters: &mut Parameters<T>,
        observer: &mut O,
    ) -> Result<TrainReport, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        let needed = terms.layout().len();
        expect(
            "parameters, made from Terms::layout",
            needed,
            parameters.values().len(),
        )?;
        let first = self.resume(parameters, terms)?;
        let mut run = Run {
            trainer: self,
            data: terms.data(),
            terms,
            evaluations: 0,
            stopped: false,
        };
        for (number, stage) in self.stages.iter().enumerate().skip(first) {
            run.data = run.terms.data();
            let done = run.stage((number, stage), parameters, observer);
            if let Err(PdeError::Network(NetworkError::NotFinite { .. })) = &done {
                // The residual to blame, if it has no value at the last parameters that were finite.
                let blamed = run.terms.not_finite(parameters, &run.data);
                blamed.map_or(Ok(()), Err)?;
            }
            done?;
            if run.stopped {
                break;
            }
        }
        let entries = parameters.layout().entries().iter();
        let trained = entries.filter(|e| e.trained).map(|e| e.range().len());
        Ok(TrainReport {
            parameters: trained.sum(),
            evaluations: run.evaluations,
            stopped_early: run.stopped,
            terms: run.report(parameters, self.key.fold_in(FRESH))?,
        })
    }

    /// The first stage that is not finished, with the parameters it starts from.
    fn resume<T: Element>(
        &self,
        parameters: &mut Parameters<T>,
        terms: &Terms<T>,
    ) -> Result<usize, PdeError> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(0);
        };
        let path = &checkpoint.path;
        if !path.exists() {
            return Ok(0);
        }
        let archive = ansatz_nn::Archive::load(path)?;
        let note = |name: &'static str, needed: Option<String>| {
            let got = archive.notes.get(name).cloned();
            match (got, needed) {
                (Some(got), None) => Ok(got),
                (Some(got), Some(needed)) if got == needed => Ok(got),
                (got, needed) => Err(NetworkError::Checkpoint {
                    path: path.clone(),
                    what: name,
                    needed: needed.unwrap_or_else(|| "a number".into()),
                    got: got.unwrap_or_default(),
                }),
            }
        };
        note("key", Some(format!("{:?}", self.key)))?;
        let stage = note(STAGE, None)?;
        let mut found = Parameters::new(terms.layout(), self.key);
        found.take(&archive)?;
        all_finite(&found, path)?;
        let stage = stage.parse().map_err(|_| NetworkError::Checkpoint {
            path: path.clone(),
            what: STAGE,
            needed: "a number".into(),
            got: stage.clone(),
        })?;
        parameters.values_mut().copy_from_slice(found.values());
        Ok(stage)
    }
}

const STAGE: &str = "stages finished";

/// Refuses a file with parameters that no training ends with.
pub(crate) fn all_finite<T: Element>(
    parameters: &Parameters<T>,
    path: &Path,
) -> Result<(), NetworkError> {
    let bad = |values: &[T]| values.iter().find(|v| !v.f64().is_finite()).copied();
    let found = parameters.iter().find_map(|(e, v)| Some((e, bad(v)?)));
    found.map_or(Ok(()), |(entry, value)| {
        Err(NetworkError::Checkpoint {
            path: path.to_owned(),
            what: "value",
            needed: "finite numbers".into(),
            got: format!("{} in {}", value.f64(), entry.name),
        })
    })
}

/// The file of a stage of Adam.
fn inside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".adam");
    name.into()
}

/// A training at work.
struct Run<'a, T> {
    trainer: &'a Trainer,
    terms: &'a mut Terms<T>,
    /// Points and weights of the stage; each starts from the terms' own.
    data: Vec<Vec<T>>,
    evaluations: usize,
    stopped: bool,
}

/// What each step of each method is told to: step, loss, loss at fresh points, parameters.
type Show<'a, T> = &'a mut dyn FnMut(usize, f64, Option<f64>, &Parameters<T>) -> ControlFlow<()>;

impl<T: Element> Run<'_, T> {
    fn stage<O>(
        &mut self,
        (number, stage): (usize, &Stage),
        parameters: &mut Parameters<T>,
        observer: &mut O,
    ) -> Result<(), PdeError>
    where
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        let key = self.trainer.key.fold_in(number as u64);
        let (planned, before) = (stage.steps(), self.evaluations);
        let stopped = Cell::new(false);
        let mut show = |step: usize, loss: f64, fresh: Option<f64>, parameters: &Parameters<T>| {
            let moment = Moment {
                stage: number,
                loss,
                fresh,
                parameters,
            };
            let level = NoiseLevel::clean(step as f64);
            let flow = observer.on_step(&Event::new(step, planned, before + step, level, &moment));
            stopped.set(stopped.get() || flow.is_break());
            flow
        };
        self.evaluations += match stage {
            Stage::Adam {
                steps,
                rate,
                redraw,
            } => self.adam((*steps, rate.clone(), *redraw), key, parameters, &mut show)?,
            Stage::Lbfgs(method) => self.lbfgs(method, key, parameters, &mut show)?,
            Stage::LastLayer { scope, ridge } => {
                let how = (&scope[..], *ridge, key);
                let evaluations = self.terms.fit_affine(parameters, &self.data, how)?;
                let weights = self.terms.weights(parameters);
                let squares = self.terms.mean_squares(parameters, &self.data)?;
                let loss = weights.iter().zip(squares).map(|(w, s)| w * s).sum();
                // The only step there is.
                let _ = show(0, loss, None, parameters);
                evaluations
            }
            Stage::LevenbergMarquardt { method, rounds } => {
                let mut evaluations = 0;
                for round in 0..*rounds as u64 {
                    if !stopped.get() {
                        let done = (evaluations, method.steps * round as usize);
                        let key = (key, round);
                        evaluations =
                            self.levenberg_marquardt(method, key, done, parameters, &mut show)?;
                    }
                }
                evaluations
            }
        };
        self.stopped = stopped.get();
        if let (Some(checkpoint), false) = (&self.trainer.checkpoint, self.stopped) {
            let mut archive = parameters.to_archive();
            let key = format!("{:?}", self.trainer.key);
            archive.notes.insert("key".into(), key);
            archive.notes.insert(STAGE.into(), (number + 1).to_string());
            archive.save(&checkpoint.path)?;
            // The file of the stage that is over; the next one's is another's.
            let _ = std::fs::remove_file(inside(&checkpoint.path));
        }
        Ok(())
    }

    fn adam(
        &mut self,
        (steps, rate, redraw): (u64, Schedule, Option<u64>),
        key: Key,
        parameters: &mut Parameters<T>,
        show: Show<'_, T>,
    ) -> Result<usize, PdeError> {
        let mut training = Training::new(parameters.clone(), Adam::default(), key);
        let checkpoint = self.trainer.checkpoint.as_ref().map(|c| Checkpoint {
            path: inside(&c.path),
            every: c.every,
        });
        if let Some(file) = checkpoint.as_ref().filter(|f| f.path.exists()) {
            training.resume(&file.path)?;
        }
        let options = TrainingOptions {
            steps,
            rate,
            clip: None,
            checkpoint,
        };
        let (mut step, mut drawn) = (training.optimizer.steps(), None);
        // The training borrows the terms, so their draws are taken out first.
        let (source, data) = (self.terms.sources(), &mut self.data);
        let batch = |_: Key, batch: &mut [Vec<T>]| {
            let number = redraw.map(|every| step / every.max(1));
            if drawn != Some(number) {
                if let Some(number) = number {
                    source.draw(key.fold_in(FRESH + number), data);
                }
                batch.clone_from_slice(data);
                drawn = Some(number);
            }
            step += 1;
        };
        let mut watch =
            |e: &Event<'_, Progress<'_, T>>| show(e.step, e.state.loss, None, e.state.parameters);
        let report = training.run(self.terms, &options, batch, &mut watch);
        let trained = training.parameters.values();
        parameters.values_mut().copy_from_slice(trained);
        Ok(report?.nfe)
    }

    fn lbfgs(
        &mut self,
        method: &Lbfgs,
        key: Key,
        parameters: &mut Parameters<T>,
        show: Show<'_, T>,
    ) -> Result<usize, PdeError> {
        let fixed = self.terms.frozen(parameters, &self.data)?;
        let mut at = parameters.clone();
        let mut watch = |e: &Event<'_, Iterate<'_, T>>| {
            at.values_mut().copy_from_slice(e.state.x);
            show(e.step, e.state.loss, None, &at)
        };
        let fixed: Vec<&[T]> = fixed.iter().map(|d| &d[..]).collect();
        let mut loss = self.terms.as_frozen();
        let found = method.fit(&mut loss, parameters, &fixed, key, &mut watch)?;
        Ok(found.evaluations)
    }

    /// A round; evaluations and steps done before, and the former with those of the round.
    fn levenberg_marquardt(
        &mut self,
        method: &LevenbergMarquardt,
        (key, round): (Key, u64),
        (evaluations, done): (usize, usize),
        parameters: &mut Parameters<T>,
        show: Show<'_, T>,
    ) -> Result<usize, PdeError> {
        let mut problem = self.terms.least_squares()?;
        let source = self.terms.sources();
        if round > 0 {
            source.draw(key.fold_in(FRESH + round), &mut self.data);
        }
        let mut other = self.data.clone();
        source.draw(key.fold_in(2 * FRESH + round), &mut other);
        let fitted = self.terms.frozen(parameters, &self.data)?;
        let other = self.terms.frozen(parameters, &other)?;
        let fitted: Vec<&[T]> = fitted.iter().map(|d| &d[..]).collect();
        let other: Vec<&[T]> = other.iter().map(|d| &d[..]).collect();
        let fresh = source.any().then_some(&other[..]);
        let mut watch = |e: &Event<'_, FitStep<'_, T>>| {
            let fit = &e.state.fit;
            show(done + e.step, fit.loss, fit.fresh, e.state.parameters)
        };
        let fit = method.fit(&mut problem, parameters, &fitted, fresh, &mut watch)?;
        Ok(evaluations + fit.steps + fit.rejected + 1)
    }

    /// Mean squares of all terms, at the points of the last stage and at fresh ones.
    fn report(
        &mut self,
        parameters: &Parameters<T>,
        key: Key,
    ) -> Result<Vec<TermReport>, PdeError> {
        let fitted = self.terms.mean_squares(parameters, &self.data)?;
        let mut other = self.data.clone();
        self.terms.sources().draw(key, &mut other);
        let fresh = self.terms.mean_squares(parameters, &other)?;
        let weights = self.terms.weights(parameters);
        let one = |(i, term): (usize, &Term)| TermReport {
            name: term.name.clone(),
            points: term.len() * term.points_in_row,
            weight: weights[i],
            fitted: fitted[i],
            fresh: term.source.is_some().then_some(fresh[i]),
        };
        Ok(self.terms.terms().enumerate().map(one).collect())
    }
}
