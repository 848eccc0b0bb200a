//! Running plans: by a call, or by pulling evaluation requests.

use std::ops::Deref;

use ansatz_core::{EvalError, Event, Key, NoiseLevel, Prediction, Report, State};

use super::{Instruction, Plan, Slot};
use crate::{PlanError, SampleError};

/// Where stochastic plans get their noise from.
///
/// A [`Key`] is the usual source. A closure `(draw, out)` injects noise, as parity tests with other
/// programs need.
pub trait NoiseSource<S> {
    /// Fills `out` with draw number `draw` (from 0), which belongs to random stream `stream`.
    fn draw(&mut self, draw: usize, stream: u64, out: &mut S);
}

impl<S: State> NoiseSource<S> for Key {
    fn draw(&mut self, _: usize, stream: u64, out: &mut S) {
        out.fill_normal(*self, stream);
    }
}

impl<S, F: FnMut(usize, &mut S)> NoiseSource<S> for F {
    fn draw(&mut self, draw: usize, _: u64, out: &mut S) {
        self(draw, out);
    }
}

/// A run in progress: the plan, its memory and its place in the program.
///
/// It owns everything it needs, so it can be stored, sent to another thread, or kept waiting for
/// the answer of a model in another process. Made by [`Plan::start`].
#[derive(Debug, Clone)]
pub struct Run<S, P = Plan, N = Key> {
    plan: P,
    noise: N,
    slots: Vec<S>,
    counter: usize,
    pub(super) report: Report,
    /// The states to hand out if the run ends now.
    current: Vec<Slot>,
    /// Level and data estimate of the last step.
    mark: (usize, Option<Slot>),
    /// Time of the latest evaluation.
    evaluated: f64,
}

/// What a run wants or tells next; see [`Run::advance`].
#[derive(Debug)]
pub enum Progress<'a, S, P = Plan, N = Key> {
    /// The model is to be evaluated: answer the request and go on.
    Eval(Request<'a, S, P, N>),
    /// A step is finished.
    Step(Event<'a, S>),
    /// The run is over: take the states by [`Run::finish`].
    Done,
}

/// A model evaluation that the run waits for. Dropping it unanswered loses nothing: the next
/// [`Run::advance`] asks again.
#[derive(Debug)]
pub struct Request<'a, S, P = Plan, N = Key> {
    run: &'a mut Run<S, P, N>,
    x: Slot,
    level: usize,
    want: Prediction,
    out: Slot,
}

/// What stops the executor.
pub(super) enum Next {
    Eval {
        x: Slot,
        level: usize,
        want: Prediction,
        out: Slot,
    },
    Vjp {
        x: Slot,
        w: Slot,
        weight: f64,
        level: usize,
        out: Slot,
    },
    Cotangent {
        output: usize,
        x: Slot,
        out: Slot,
    },
    Step,
    Done,
}

pub(super) fn arity(what: &'static str, expected: usize, got: usize) -> Result<(), PlanError> {
    if expected == got {
        Ok(())
    } else {
        Err(PlanError::Arity {
            what,
            expected,
            got,
        })
    }
}

impl<S: State, P: Deref<Target = Plan>, N: NoiseSource<S>> Run<S, P, N> {
    /// Starts a run of `plan` (a reference, `Box` or `Arc`) on its input states. The only place
    /// where a run allocates.
    ///
    /// # Errors
    /// [`PlanError::Arity`] for the wrong number of inputs, [`SampleError::Length`] for inputs of
    /// different or zero length, [`SampleError::NonFinite`] for an input with NaN or infinity.
    pub fn new(plan: P, inputs: Vec<S>, noise: N) -> Result<Self, SampleError> {
        arity("input", plan.inputs, inputs.len())?;
        let expected = inputs.first().map_or(0, State::len).max(1);
        for x in &inputs {
            if x.len() != expected {
                return Err(SampleError::Length {
                    what: "initial state",
                    expected,
                    got: x.len(),
                });
            }
            if !x.is_finite() {
                return Err(SampleError::NonFinite {
                    what: "initial state",
                    step: 0,
                    t: plan.levels.first().map_or(f64::NAN, |l| l.t),
                });
            }
        }
        let mut slots = inputs;
        while slots.len() < plan.slots {
            let more = slots[0].zeros_like();
            slots.push(more);
        }
        Ok(Self {
            noise,
            slots,
            counter: 0,
            report: Report::default(),
            current: (0..plan.inputs).map(|i| Slot(i as u32)).collect(),
            mark: (0, None),
            evaluated: f64::NAN,
            plan,
        })
    }

    /// Runs to the next evaluation, the end of the next step, or the end.
    ///
    /// # Errors
    /// [`SampleError::NonFinite`] when the latest model output, or a state computed from it, is not
    /// finite.
    pub fn advance(&mut self) -> Result<Progress<'_, S, P, N>, SampleError> {
        Ok(match self.next()? {
            Next::Eval {
                x,
                level,
                want,
                out,
            } => Progress::Eval(Request {
                run: self,
                x,
                level,
                want,
                out,
            }),
            Next::Step => Progress::Step(self.event()),
            // Products occur in adjoint plans only, which have a driver of their own.
            Next::Done | Next::Vjp { .. } | Next::Cotangent { .. } => Progress::Done,
        })
    }

    /// Executes everything that needs nobody else, up to something that does.
    pub(super) fn next(&mut self) -> Result<Next, SampleError> {
        loop {
            match self.plan.instructions.get(self.counter) {
                Some(Instruction::Combine(lines)) => {
                    if !S::combine_all(&mut self.slots, lines) {
                        return Err(self.not_finite());
                    }
                }
                Some(Instruction::Normal { out, draw, stream }) => {
                    let out = &mut self.slots[out.0 as usize];
                    self.noise.draw(*draw, *stream, out);
                }
                Some(Instruction::Step {
                    level,
                    states,
                    denoised,
                }) => {
                    self.current.clone_from(states);
                    self.mark = (*level, *denoised);
                    self.report.steps += 1;
                    self.counter += 1;
                    return Ok(Next::Step);
                }
                Some(&Instruction::Eval {
                    x,
                    level,
                    want,
                    out,
                }) => {
                    return Ok(Next::Eval {
                        x,
                        level,
                        want,
                        out,
                    });
                }
                Some(&Instruction::Vjp {
                    x,
                    level,
                    w,
                    weight,
                    out,
                }) => {
                    return Ok(Next::Vjp {
                        x,
                        w,
                        weight,
                        level,
                        out,
                    });
                }
                Some(&Instruction::Cotangent { output, x, out }) => {
                    return Ok(Next::Cotangent { output, x, out });
                }
                None => {
                    self.current.clone_from(&self.plan.output_slots);
                    return Ok(Next::Done);
                }
            }
            self.counter += 1;
        }
    }

    /// The step that [`Next::Step`] announced.
    pub(super) fn event(&self) -> Event<'_, S> {
        let slot = |s: Slot| &self.slots[s.0 as usize];
        let (level, denoised) = self.mark;
        Event::new(
            self.report.steps,
            self.plan.steps(),
            self.report.nfe,
            self.plan.levels[level],
            slot(self.current[0]),
        )
        .with_denoised(denoised.map(slot))
    }

    /// Lets `f` compute slot `out` from two others, checks what it wrote, and goes on.
    pub(super) fn write(
        &mut self,
        level: usize,
        read: [Slot; 2],
        out: Slot,
        f: impl FnOnce([&S; 2], &NoiseLevel, &mut S) -> Result<(), EvalError>,
    ) -> Result<(), SampleError> {
        let level = &self.plan.levels[level];
        let (step, t) = (self.report.steps, level.t);
        let at = out.0 as usize;
        let (before, rest) = self.slots.split_at_mut(at);
        let (out, after) = rest.split_at_mut(1);
        let out = &mut out[0];
        let read = read.map(|s| pick(before, after, s));
        let expected = read[0].len();
        f(read, level, out).map_err(|source| SampleError::Eval { step, t, source })?;
        if out.len() != expected {
            let got = out.len();
            // A model may resize a vector: give the slot its shape back before anyone uses it.
            *out = read[0].zeros_like();
            return Err(SampleError::Length {
                what: "model output",
                expected,
                got,
            });
        }
        // What is combined next is checked there, in the same sweep over memory.
        let checked_later = match self.plan.instructions.get(self.counter + 1) {
            Some(Instruction::Combine(lines)) => lines
                .iter()
                .any(|l| l.dst == at && l.beta != 0.0 || l.terms.iter().any(|(_, k)| *k == at)),
            _ => false,
        };
        self.evaluated = t;
        if !checked_later && !out.is_finite() {
            return Err(self.not_finite());
        }
        if let Some(Instruction::Eval { .. }) = self.plan.instructions.get(self.counter) {
            self.report.nfe += 1;
        }
        self.counter += 1;
        Ok(())
    }

    /// The error for a value that is not finite, which started with the latest evaluation.
    fn not_finite(&self) -> SampleError {
        SampleError::NonFinite {
            what: "model output, or the state computed from it,",
            step: self.report.steps,
            t: self.evaluated,
        }
    }

    /// Ends the run here. The states are the outputs, or those of the last finished step.
    #[must_use]
    pub fn finish(mut self) -> (Vec<S>, Report) {
        // A mark may hold more than the plan gives out, such as the partner of a coupled state.
        self.current.truncate(self.plan.outputs.len());
        // The common case moves: one output, taken out of its slot.
        if let [slot] = self.current[..] {
            let state = self.slots.swap_remove(slot.0 as usize);
            return (vec![state], self.report);
        }
        let states = self
            .current
            .iter()
            .map(|s| self.slots[s.0 as usize].clone())
            .collect();
        (states, self.report)
    }
}

impl<S: State, P: Deref<Target = Plan>, N: NoiseSource<S>> Request<'_, S, P, N> {
    /// The state that the model is to be evaluated on.
    #[must_use]
    pub fn x(&self) -> &S {
        &self.run.slots[self.x.0 as usize]
    }

    /// The noise level to evaluate at.
    #[must_use]
    pub fn level(&self) -> NoiseLevel {
        self.run.plan.levels[self.level]
    }

    /// The kind in which the plan uses the answer. An answer of any kind is converted.
    #[must_use]
    pub fn want(&self) -> Prediction {
        self.want
    }

    /// Answers with the model's output `y`, which is of kind `kind`.
    ///
    /// # Errors
    /// [`SampleError::Length`] or [`SampleError::NonFinite`] for an unusable answer,
    /// [`SampleError::Eval`] if the conversion is impossible at this level. The run then still waits
    /// for this evaluation.
    pub fn answer(self, kind: Prediction, y: &S) -> Result<(), SampleError> {
        let expected = self.x().len();
        if y.len() != expected {
            return Err(SampleError::Length {
                what: "model output",
                expected,
                got: y.len(),
            });
        }
        if !y.is_finite() {
            return Err(SampleError::NonFinite {
                what: "model output",
                step: self.run.report.steps,
                t: self.level().t,
            });
        }
        self.fill(|x, level, want, out| {
            let (c_x, c_y) = level.convert(kind, want)?;
            if kind == want {
                out.assign(y);
            } else {
                out.lincomb(0.0, &[(c_x, x), (c_y, y)]);
            }
            Ok(())
        })
    }

    /// Answers by writing the prediction, in the kind wanted, into the run's own memory.
    ///
    /// # Errors
    /// As [`Request::answer`]; a value that is not finite may show at the next [`Run::advance`], where
    /// the output is read anyway.
    pub fn fill(
        self,
        write: impl FnOnce(&S, &NoiseLevel, Prediction, &mut S) -> Result<(), EvalError>,
    ) -> Result<(), SampleError> {
        let want = self.want;
        self.run.write(
            self.level,
            [self.x, self.x],
            self.out,
            |[x, _], level, out| write(x, level, want, out),
        )
    }
}

/// The state of slot `s`, when one slot in the middle is borrowed for writing.
fn pick<'a, S>(before: &'a [S], after: &'a [S], s: Slot) -> &'a S {
    let s = s.0 as usize;
    if s < before.len() {
        &before[s]
    } else {
        &after[s - before.len() - 1]
    }
}
