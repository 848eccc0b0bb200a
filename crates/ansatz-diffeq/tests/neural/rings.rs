//! Two rings that a flow has to pull apart: how many evaluations a trained field needs.

use ansatz_core::{Key, Report, Tolerance};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::heuristics::{Regulariser, Watched, annealed, random_end};
use ansatz_diffeq::{Adaptive, Control, RungeKutta, StepError, tableau};
use ansatz_testkit::net::{Activation, Adam, Net, NetField};

const POINTS: usize = 96;
const TOLERANCE: f64 = 1e-6;

/// What training adds to the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Training {
    /// Nothing.
    Plain,
    /// The error estimate, with a weight that falls from the first to the second value.
    Error(f64, f64),
    /// The stiffness estimate.
    Stiffness(f64),
    /// A random end of time, within this much of 1.
    RandomEnd(f64),
}

/// y' = 3 tanh(W₂[tanh(W₁[y, t] + b₁), t] + b₂) on [0, 1], and a linear read-out.
pub(crate) struct Rings {
    pub(crate) field: NetField,
    pub(crate) head: Vec<f64>,
}

/// Points on rings of radius about ½ and 1½ in turn, with one more coordinate.
pub(crate) fn points() -> Vec<f64> {
    let point = |k: usize| {
        let k = k as f64;
        let radius = if k % 2.0 == 0.0 { 0.5 } else { 1.5 } + 0.2 * (7.0 * k).sin();
        let angle = std::f64::consts::TAU * k * 0.6180339887498949;
        [radius * angle.cos(), radius * angle.sin(), 0.0]
    };
    (0..POINTS).flat_map(point).collect()
}

/// Ring of each point: −1 inside, 1 outside.
fn side(k: usize) -> f64 {
    if k.is_multiple_of(2) { -1.0 } else { 1.0 }
}

pub(crate) fn control() -> Control {
    Control::adaptive(Adaptive {
        first: Some(0.05),
        ..Adaptive::new(TOLERANCE, TOLERANCE)
    })
}

impl Rings {
    pub(crate) fn new(seed: u64) -> Self {
        let net = Net::with_time(3)
            .layer(24, Activation::Tanh)
            .layer(3, Activation::Tanh)
            .scaled(3.0);
        let params = net.init(Key::new(seed));
        let head = Net::new(3).layer(1, Activation::Identity);
        Self {
            field: NetField::new(net, params).expect("three numbers in and out"),
            head: head.init(Key::new(seed).fold_in(1)),
        }
    }

    /// Full-batch steps of Adam, as many as asked for.
    pub(crate) fn train(
        &mut self,
        seed: u64,
        steps: u64,
        training: Training,
    ) -> Result<(), StepError> {
        let x = points();
        let mut adam = Adam::new(self.field.params.len(), 1e-2);
        let mut head_adam = Adam::new(self.head.len(), 1e-2);
        let tolerance = Tolerance::new(TOLERANCE, TOLERANCE);
        for step in 0..steps {
            let done = step as f64 / steps as f64;
            let (regulariser, end) = match training {
                Training::Plain => (none(), 1.0),
                Training::Error(first, last) => {
                    let error = annealed(first, last, done);
                    (Regulariser { error, ..none() }, 1.0)
                }
                Training::Stiffness(stiffness) => {
                    let stiffness = stiffness / 3.5068;
                    (
                        Regulariser {
                            stiffness,
                            ..none()
                        },
                        1.0,
                    )
                }
                Training::RandomEnd(reach) => {
                    (none(), random_end(Key::new(seed), step, 1.0, reach))
                }
            };
            let mut method = RungeKutta::new(&tableau::TSITOURAS, &self.field, &x);
            let watched = Watched::record(
                &mut method,
                &[0.0, end],
                &x,
                &control(),
                tolerance,
                Memory::Every,
            )?;
            let (y_bar, head_bar) = self.loss(&watched.tape().states()[1]);
            let bars = [vec![0.0; x.len()], y_bar];
            let gradient = watched.pull(&mut method, &bars, &regulariser)?;
            drop(method);
            adam.step(&mut self.field.params, &gradient.params);
            head_adam.step(&mut self.head, &head_bar);
        }
        Ok(())
    }

    /// Cotangents of the mean logistic loss.
    fn loss(&self, y: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut y_bar = Vec::with_capacity(y.len());
        let mut head_bar = vec![0.0; 4];
        for (k, row) in y.chunks(3).enumerate() {
            let margin = side(k) * self.score(row);
            let slope = -side(k) / (1.0 + margin.exp()) / POINTS as f64;
            for (bar, y) in head_bar.iter_mut().zip(row) {
                *bar += slope * y;
            }
            head_bar[3] += slope;
            y_bar.extend(self.head[..3].iter().map(|w| slope * w));
        }
        (y_bar, head_bar)
    }

    fn score(&self, y: &[f64]) -> f64 {
        let sum: f64 = y.iter().zip(&self.head).map(|(y, w)| y * w).sum();
        sum + self.head[3]
    }

    /// The states at `times` and what the solve cost.
    pub(crate) fn flow(&self, times: &[f64]) -> Result<(Vec<Vec<f64>>, Report), StepError> {
        let x = points();
        let mut method = RungeKutta::new(&tableau::TSITOURAS, &self.field, &x);
        let tape = Tape::record(&mut method, times, &x, &control(), Memory::Slots(1))?;
        Ok((tape.states().to_vec(), tape.report()))
    }

    /// Share of points on the right side, and evaluations of the field.
    pub(crate) fn judge(&self) -> Result<(f64, usize), StepError> {
        let (states, report) = self.flow(&[0.0, 1.0])?;
        let rows = states[1].chunks(3).enumerate();
        let right = rows.filter(|(k, y)| side(*k) * self.score(y) > 0.0);
        Ok((right.count() as f64 / POINTS as f64, report.nfe))
    }
}

fn none() -> Regulariser {
    Regulariser {
        error: 0.0,
        ..Regulariser::default()
    }
}
