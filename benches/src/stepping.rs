//! What a solver does between two model evaluations, timed without a model.
//!
//! A run of a published method on the labels of a discrete schedule (1000 linear betas), for a model of noise that
//! leaves its prediction in the memory that it is given. This is the work that a scheduler's `step` does in other
//! packages, which are handed the prediction as well.
//!
//! [`Stepping::run`] repeats steps on states that stay in the cache as far as they fit. A real model evicts them between
//! two steps: [`Cold`] takes turns among so many runs that each finds its states in main memory.

use std::time::{Duration, Instant};

use ansatz_core::{Key, NoiseLevel, Prediction, Scalar, State, stream};
use ansatz_diffusion::{
    Bdia, Betas, Ddim, Discrete, DpmMultistep, Heun, LabelSpacing, Plan, PlanError, Progress, Run,
    SampleError, Solver, TimeGrid, UniPc,
};
use rayon::prelude::*;

/// The methods, by the names they have in records.
pub const METHODS: [&str; 5] = ["DDIM", "DPM-Solver++(2M)", "Heun", "UniPC-2", "BDIA"];

/// Steps of a timed run; Heun's take two evaluations each, but for the last.
pub const STEPS: usize = 20;

/// The schedule that most published models were trained with.
///
/// # Errors
/// None in practice: the numbers are fixed and allowed.
pub fn schedule() -> Result<Discrete, PlanError> {
    Discrete::new(Betas::Linear(1e-4, 0.02), 1000)
}

/// The plan of `method` as other packages lay it out: DDIM and BDIA on leading labels, DPM-Solver++ and UniPC on evenly
/// spread ones, Heun on the given noise-to-signal ratios (evenly spread labels if there are none), all ending at clean data.
///
/// # Errors
/// [`PlanError`] for a number of steps that the method or the schedule cannot take; an unknown method is an option error.
pub fn plan(method: &str, steps: usize, sigmas: &[f64]) -> Result<Plan, PlanError> {
    let schedule = schedule()?;
    match method {
        "DDIM" => Ddim::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Leading, steps)?,
        ),
        "DPM-Solver++(2M)" => DpmMultistep::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps)?,
        ),
        "UniPC-2" => UniPc::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps)?,
        ),
        "BDIA" => Bdia::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Leading, steps)?,
        ),
        "Heun" if sigmas.is_empty() => Heun::default().plan(
            &schedule,
            &TimeGrid::labels(&schedule, LabelSpacing::Linspace, steps)?,
        ),
        "Heun" => {
            let level = |(i, s): (usize, &f64)| {
                let norm = s.hypot(1.0);
                NoiseLevel::new((sigmas.len() - i) as f64, 1.0 / norm, s / norm)
            };
            let levels = sigmas.iter().enumerate().map(level).collect();
            Heun::default().plan(&schedule, &TimeGrid::from_levels(levels)?.with_clean_end())
        }
        _ => Err(PlanError::Option {
            name: "method",
            value: f64::NAN,
            allowed: "one of METHODS",
        }),
    }
}

/// A run to be timed, with everything that it needs made beforehand.
#[derive(Debug, Clone)]
pub struct Stepping<T: Scalar> {
    plan: Plan,
    start: Vec<T>,
}

impl<T: Scalar> Stepping<T> {
    /// `method` on a state of `elements` numbers.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn new(method: &str, elements: usize) -> Result<Self, PlanError> {
        let mut start = vec![T::zero(); elements];
        start.fill_normal(Key::new(1), stream::INITIAL);
        let plan = plan(method, STEPS, &[])?.for_model(Prediction::Noise)?;
        Ok(Self { plan, start })
    }

    /// The plan that is run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Evaluations that one run asks for.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.plan.nfe()
    }

    /// Bytes of all states of one run.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.plan.slots() * size_of_val(self.start.as_slice())
    }

    /// A run whose memory is there: a copy is written in full, while fresh zeros would be pages that the system has yet
    /// to provide, and that share one frame as long as they are only read.
    fn resident(&self) -> Result<Running<'_, T>, SampleError> {
        Ok(self.plan.start(self.start.clone(), Key::new(0))?.clone())
    }

    /// Runs once; the time is that of all steps, without making the memory of the run.
    ///
    /// # Errors
    /// [`SampleError`] if a state stops being finite.
    pub fn run(&self) -> Result<Duration, SampleError> {
        let mut run = self.resident()?;
        let begin = Instant::now();
        while !answer(&mut run)? {}
        Ok(begin.elapsed())
    }
}

type Running<'a, T> = Run<Vec<T>, &'a Plan, Key>;

/// Goes on to the next evaluation and answers it with what its memory holds; tells whether the run ended instead.
fn answer<T: Scalar>(run: &mut Running<'_, T>) -> Result<bool, SampleError> {
    loop {
        match run.advance()? {
            Progress::Eval(request) => {
                request.fill(|_, _, _, _| Ok(()))?;
                return Ok(false);
            }
            Progress::Step(_) => {}
            Progress::Done => return Ok(true),
        }
    }
}

/// Many runs of one plan that take turns, one evaluation each, so that all of their states leave the cache in between.
///
/// The runs are spread evenly over the plan, so that every round does the work of its average step.
#[derive(Debug)]
pub struct Cold<'a, T: Scalar> {
    stepping: &'a Stepping<T>,
    runs: Vec<Running<'a, T>>,
}

impl<'a, T: Scalar> Cold<'a, T> {
    /// As many runs as it takes to hold `bytes` bytes.
    ///
    /// # Errors
    /// [`SampleError`] if a state stops being finite.
    pub fn new(stepping: &'a Stepping<T>, bytes: usize) -> Result<Self, SampleError> {
        let evaluations = stepping.evaluations();
        let count = bytes
            .div_ceil(stepping.bytes())
            .next_multiple_of(evaluations);
        let mut runs = Vec::with_capacity(count);
        for i in 0..count {
            let mut run = stepping.resident()?;
            // Answered once at least: what a round times is the work after an evaluation.
            for _ in 0..=i % evaluations {
                answer(&mut run)?;
            }
            runs.push(run);
        }
        Ok(Self { stepping, runs })
    }

    /// How many runs take turns.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// One step of every run; the time is that of all of them, without making runs anew that ended.
    ///
    /// # Errors
    /// [`SampleError`] if a state stops being finite.
    pub fn round(&mut self) -> Result<Duration, SampleError> {
        let mut ended = Vec::new();
        let begin = Instant::now();
        for (i, run) in self.runs.iter_mut().enumerate() {
            if answer(run)? {
                ended.push(i);
            }
        }
        let spent = begin.elapsed();
        for i in ended {
            let mut run = self.stepping.resident()?;
            answer(&mut run)?;
            self.runs[i] = run;
        }
        Ok(spent)
    }
}

/// Buffers of one size that are copied one into the next, round and round: the floor beside a run whose states they match.
#[derive(Debug)]
pub struct Copies {
    buffers: Vec<Vec<u8>>,
    at: usize,
    pieces: usize,
}

/// Smallest part of a copy that is handed to a thread.
const PIECE: usize = 1 << 16;

impl Copies {
    /// `count` buffers (two at least) of `bytes` bytes, each copied by `threads` threads of the pool it is called in.
    #[must_use]
    pub fn new(count: usize, bytes: usize, threads: usize) -> Self {
        // Written with different numbers, so that every page is there.
        let buffers = (0..count.max(2)).map(|i| vec![i as u8 | 1; bytes]);
        Self {
            buffers: buffers.collect(),
            at: 0,
            pieces: threads,
        }
    }

    /// The time of `count` copies.
    pub fn round(&mut self, count: usize) -> Duration {
        let begin = Instant::now();
        for _ in 0..count {
            let next = (self.at + 1) % self.buffers.len();
            let mut target = std::mem::take(&mut self.buffers[next]);
            let source = &self.buffers[self.at];
            let piece = source.len().div_ceil(self.pieces).max(PIECE);
            if piece < source.len() {
                target
                    .par_chunks_mut(piece)
                    .zip(source.par_chunks(piece))
                    .for_each(|(t, s)| t.copy_from_slice(s));
            } else {
                target.copy_from_slice(source);
            }
            self.buffers[next] = std::hint::black_box(target);
            self.at = next;
        }
        begin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_runs_and_takes_the_evaluations_it_should() {
        let evaluations = [STEPS, STEPS, 2 * STEPS - 1, STEPS, STEPS];
        for (method, evaluations) in METHODS.into_iter().zip(evaluations) {
            let stepping = Stepping::<f32>::new(method, 64).unwrap();
            assert_eq!(stepping.evaluations(), evaluations, "{method}");
            assert!(stepping.run().unwrap() > Duration::ZERO);
        }
        assert!(Stepping::<f32>::new("nope", 64).is_err());
    }

    /// Turns of 1 KiB states: more than two full passes, so that every run has ended and begun anew.
    #[test]
    fn cold_runs_go_on_for_ever() {
        let stepping = Stepping::<f32>::new("UniPC-2", 256).unwrap();
        let mut cold = Cold::new(&stepping, 100 << 10).unwrap();
        assert!(cold.runs().is_multiple_of(STEPS) && cold.runs() * stepping.bytes() >= 100 << 10);
        for _ in 0..2 * STEPS + 3 {
            assert!(cold.round().unwrap() > Duration::ZERO);
        }
    }

    #[test]
    fn copies_go_round() {
        let mut copies = Copies::new(3, 5 << 16, 2);
        assert!(copies.round(4) > Duration::ZERO);
        assert!(copies.buffers.iter().all(|b| *b == copies.buffers[0]));
    }
}
