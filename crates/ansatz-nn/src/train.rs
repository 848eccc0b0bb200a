//! A loop of steps that can be killed and resumed.
//!
//! Everything random in step k comes from a key made of the training's key and k, and a checkpoint holds all that
//! a step reads: a run that was killed ends with the same bits as one that was not.

use std::path::PathBuf;

use ansatz_autodiff::Element;
use ansatz_core::{Event, Key, NoiseLevel, Observer, Report};

use crate::archive::of_training;
use crate::optimizer::within;
use crate::{Archive, Loss, NetworkError, Optimizer, Parameters, Rule, Schedule};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// Steps in all, those before a resumption included.
    pub steps: u64,
    /// Learning rates.
    pub rate: Schedule,
    /// Longest gradient in the Euclidean norm; longer ones are shortened to it.
    pub clip: Option<f64>,
    /// Where and when to save.
    pub checkpoint: Option<Checkpoint>,
}

impl Default for TrainingOptions {
    /// 1000 steps at 1e-3, no clipping, no files.
    fn default() -> Self {
        Self {
            steps: 1000,
            rate: Schedule::Constant(1e-3),
            clip: None,
            checkpoint: None,
        }
    }
}

/// A file that is written again and again, each time whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file.
    pub path: PathBuf,
    /// Steps between two writings; the last step is always written.
    pub every: u64,
}

/// A running mean of parameters, a ← decay·a + (1 − decay)·θ, with the decay min(decay, (1 + k)/(10 + k)) at step k so
/// that the values at the start are soon forgotten (B. Polyak, A. Juditsky, *Acceleration of stochastic approximation by
/// averaging*, 1992; the ramp is that of TensorFlow's moving average).
#[derive(Debug, Clone, PartialEq)]
pub struct Average<T> {
    /// The decay in the long run.
    pub decay: f64,
    /// The mean.
    pub values: Vec<T>,
}

/// All that changes while a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Training<T, R> {
    /// The parameters.
    pub parameters: Parameters<T>,
    /// The optimiser with its buffers.
    pub optimizer: Optimizer<T, R>,
    /// A running mean of the parameters.
    pub average: Option<Average<T>>,
    key: Key,
}

/// What an observer sees after each step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'a, T> {
    /// The loss before the step.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub slope: f64,
    /// The learning rate.
    pub rate: f64,
    /// The parameters after the step.
    pub parameters: &'a Parameters<T>,
}

impl<T: Element, R: Rule<T> + Clone> Training<T, R> {
    /// A training at its start. `key` decides on batches and on what layers draw.
    #[must_use]
    pub fn new(parameters: Parameters<T>, rule: R, key: Key) -> Self {
        let n = parameters.values().len();
        Self {
            parameters,
            optimizer: Optimizer::new(rule, n),
            average: None,
            key,
        }
    }

    /// The same, with a running mean of the parameters.
    #[must_use]
    pub fn with_average(mut self, decay: f64) -> Self {
        let values = self.parameters.values().to_vec();
        self.average = Some(Average { decay, values });
        self
    }

    /// The parameters' running mean, or the parameters if none is kept.
    #[must_use]
    pub fn averaged(&self) -> Parameters<T> {
        let mut parameters = self.parameters.clone();
        if let Some(average) = &self.average {
            parameters.values_mut().copy_from_slice(&average.values);
        }
        parameters
    }

    /// Steps until there are [`TrainingOptions::steps`]. `batch` fills the arrays of data for a step with what its
    /// key chooses, and leaves their lengths. Parameters that are not trained are changed by [`Loss::update`] alone,
    /// not by a decay of weights.
    ///
    /// # Errors
    /// [`NetworkError::Option`] for options outside their ranges and a learning rate that is negative or not finite;
    /// [`NetworkError::Size`] when `batch` changes lengths; [`NetworkError::NotFinite`] for a loss, gradient, running
    /// statistic or new parameter that is not finite, with the parameters of the step before; [`NetworkError::File`]
    /// when a checkpoint cannot be written; what the objective refuses.
    pub fn run<L, B, O>(
        &mut self,
        objective: &mut L,
        options: &TrainingOptions,
        mut batch: B,
        observer: &mut O,
    ) -> Result<Report, NetworkError>
    where
        L: Loss<T> + ?Sized,
        B: FnMut(Key, &mut [Vec<T>]),
        O: for<'a> Observer<Progress<'a, T>> + ?Sized,
    {
        self.check(options)?;
        let mut slopes = vec![T::zero(); self.parameters.values().len()];
        let mut before = slopes.clone();
        let mut data: Vec<Vec<T>> = objective
            .data()
            .iter()
            .map(|d| vec![T::zero(); d.len()])
            .collect();
        let mut report = Report::default();
        while self.optimizer.steps() < options.steps {
            let done = self.optimizer.steps();
            let key = self.key.fold_in(done);
            batch(key, &mut data);
            for (values, shape) in data.iter().zip(objective.data()) {
                if values.len() != shape.len() {
                    return Err(NetworkError::Size {
                        what: "elements of an array of data after a batch was drawn",
                        expected: shape.len(),
                        got: values.len(),
                    });
                }
            }
            let views: Vec<&[T]> = data.iter().map(|d| &d[..]).collect();
            let loss = objective.gradient(&self.parameters, &views, key, &mut slopes)?;
            let slope = slopes.iter().map(|s| s.f64() * s.f64()).sum::<f64>().sqrt();
            let stray = |what, value| NetworkError::NotFinite {
                step: done as usize,
                what,
                value,
            };
            for (what, value) in [("loss", loss), ("norm of the gradient", slope)] {
                if !value.is_finite() {
                    return Err(stray(what, value));
                }
            }
            if let Some(value) = objective.stray() {
                return Err(stray("running statistic", value));
            }
            let rate = options.rate.at(done);
            within("learning rate", rate, 0.0.., "a number not below 0")?;
            if let Some(longest) = options.clip.filter(|c| slope > *c) {
                let c = T::of(longest / slope);
                for s in &mut slopes {
                    *s *= c;
                }
            }
            before.copy_from_slice(self.parameters.values());
            self.optimizer
                .step(rate, &slopes, self.parameters.values_mut())?;
            if let Some(value) = self.settle(&before) {
                return Err(stray("new parameter", value));
            }
            objective.update(&mut self.parameters);
            if let Some(average) = &mut self.average {
                let k = done as f64;
                let decay = average.decay.min((1.0 + k) / (10.0 + k));
                let (keep, take) = (T::of(decay), T::of(1.0 - decay));
                for (a, p) in average.values.iter_mut().zip(self.parameters.values()) {
                    *a = keep * *a + take * *p;
                }
            }
            report.steps += 1;
            report.nfe += 1;
            let done = done + 1;
            if let Some(checkpoint) = &options.checkpoint
                && (done.is_multiple_of(checkpoint.every.max(1)) || done == options.steps)
            {
                self.save(&checkpoint.path)?;
            }
            let progress = Progress {
                loss,
                slope,
                rate,
                parameters: &self.parameters,
            };
            let level = NoiseLevel::clean(done as f64);
            let event = Event::new(
                done as usize,
                options.steps as usize,
                report.nfe,
                level,
                &progress,
            );
            if observer.on_step(&event).is_break() {
                report.stopped_early = true;
                break;
            }
        }
        Ok(report)
    }

    fn check(&self, options: &TrainingOptions) -> Result<(), NetworkError> {
        let above = f64::MIN_POSITIVE..;
        if let Some(clip) = options.clip {
            within("clip", clip, above.clone(), "a number above 0")?;
        }
        if let Some(checkpoint) = &options.checkpoint {
            let every = checkpoint.every as f64;
            within("checkpoint.every", every, 1.0.., "a step or more")?;
        }
        if let Some(average) = &self.average {
            let decay = average.decay;
            within("decay of the running mean", decay, 0.0..=1.0, "0 to 1")?;
        }
        self.optimizer.rule.check()
    }

    /// Undoes what a step did to parameters that are not trained; all of it, if a parameter is no longer finite.
    fn settle(&mut self, before: &[T]) -> Option<f64> {
        let values = self.parameters.values().iter().map(|v| v.f64());
        let stray = values.into_iter().find(|v| !v.is_finite());
        if stray.is_some() {
            self.parameters.values_mut().copy_from_slice(before);
            return stray;
        }
        let (layout, values) = self.parameters.parts_mut();
        for entry in layout.entries().iter().filter(|e| !e.trained) {
            values[entry.range()].copy_from_slice(&before[entry.range()]);
        }
        None
    }

    /// What a checkpoint is known by: everything that decides on the next steps beside its arrays.
    fn notes(&self) -> [(&'static str, String); 4] {
        let decay = self.average.as_ref().map(|a| a.decay);
        [
            ("elements", format!("f{}", 8 * size_of::<T>())),
            ("rule", format!("{:?}", self.optimizer.rule)),
            ("key", format!("{:?}", self.key)),
            ("running mean", format!("{decay:?}")),
        ]
    }

    /// Writes all that the training needs to go on, as a `safetensors` file.
    ///
    /// # Errors
    /// [`NetworkError::File`].
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<(), NetworkError> {
        let mut archive = self.parameters.to_archive();
        let flat = |prefix: &str, name: &str, values: &[T]| {
            (
                format!("{prefix}:{name}"),
                vec![values.len()],
                values.to_vec(),
            )
        };
        for (name, values) in self.optimizer.buffers() {
            archive.tensors.push(flat("optimizer", &name, values));
        }
        if let Some(average) = &self.average {
            archive
                .tensors
                .push(flat("average", "values", &average.values));
        }
        let notes = self.notes().map(|(name, note)| (name.to_owned(), note));
        archive.notes.extend(notes);
        archive
            .notes
            .insert("steps".into(), self.optimizer.steps().to_string());
        archive.save(path)
    }

    /// Goes on from a file of [`Training::save`]: network, rule, key and the decay of a running mean are the caller's to
    /// give, and are compared with those of the file.
    ///
    /// # Errors
    /// [`NetworkError::File`], [`NetworkError::Format`], [`NetworkError::Tensor`], [`NetworkError::Checkpoint`]; the
    /// training is unchanged then.
    pub fn resume(&mut self, path: impl AsRef<std::path::Path>) -> Result<(), NetworkError> {
        let path = path.as_ref();
        let mut archive = Archive::load(path)?;
        let problem = |problem: &str| NetworkError::Format {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let steps = archive.notes.get("steps").and_then(|s| s.parse().ok());
        let steps =
            steps.ok_or_else(|| problem("there is no count of steps: this is no checkpoint"))?;
        for (what, needed) in self.notes() {
            let got = archive.notes.get(what).cloned().unwrap_or_default();
            if got != needed {
                return Err(NetworkError::Checkpoint {
                    path: path.to_owned(),
                    what,
                    needed,
                    got,
                });
            }
        }
        let (own, network): (Vec<_>, Vec<_>) = archive
            .tensors
            .into_iter()
            .partition(|(name, ..)| of_training(name));
        archive.tensors = network;
        let saved = |name: &str| {
            let found = own.iter().find(|(known, ..)| known == name);
            found.map(|(.., values)| &values[..])
        };
        let n = self.parameters.values().len();
        let rule = Optimizer::new(self.optimizer.rule.clone(), n);
        let optimizer = rule.resumed(steps, |name| saved(&format!("optimizer:{name}")));
        let optimizer =
            optimizer.ok_or_else(|| problem("the buffers of the optimiser are not there"))?;
        let average = saved("average:values");
        if self.average.is_some() != average.is_some() || average.is_some_and(|a| a.len() != n) {
            return Err(problem("a running mean is missing, or one too many"));
        }
        self.parameters.take(&archive)?;
        self.optimizer = optimizer;
        if let (Some(mine), Some(saved)) = (&mut self.average, average) {
            mine.values.copy_from_slice(saved);
        }
        Ok(())
    }
}
