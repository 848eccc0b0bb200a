//! Our side of a comparison: answers a peer's requests, one JSON object a line, until its input ends.
//!
//! The peer decides the order, so that both sides take turns on the same machine in the same minute. Requests:
//!
//! - `{"op": "end", "method": "DDIM", "steps": 10, "sigmas": []}` gives `{"x": […], "nfe": 10}`: the end points of the 16
//!   seed-free points of TB1;
//! - `{"op": "time", "method": "DDIM", "elements": 65536, "threads": 1}` gives `{"seconds": …}`: the mean time between two
//!   evaluations in one run of 20 steps on an `f32` state;
//! - `{"op": "setting", "problem": "pleiades"}` gives `{"start": […], "times": […], "end": […]}`;
//! - `{"op": "ode", "problem": "pleiades", "method": "Tsit5", "tol": 1e-6}` gives the state reached, seconds, error and
//!   evaluations of a solve;
//! - `{"op": "ensemble", "count": 1000, "tol": 1e-6, "threads": 2}` gives `{"seconds": …, "ends": […]}`, the first 1000
//!   end states of the Lorenz ensemble; `"steps": 100` in place of `tol` asks for equal steps;
//! - `{"op": "inputs", "workload": "pinn", "points": 4096}` gives `{"inputs": [[…], …]}`, what a gradient is taken on;
//! - `{"op": "gradient", "workload": "pinn", "points": 4096, "element": "f32", "threads": 2, "count": 1}` gives
//!   `{"seconds": …, "values": […]}`: the loss and its gradient, the first `count` numbers of them;
//! - `{"op": "fisher", "task": "product", "threads": 2, "count": 1}` gives `{"seconds": …, "values": […]}` of a task with
//!   inverse Fisher matrices, its first `count` numbers;
//! - `{"op": "gp", "task": "step 1", "threads": 2, "count": 1}` gives `{"seconds": …, "values": […]}`: of a step of training
//!   in one or two dimensions (values only for "gradient 1" and "start 1"), or of a structured product or solve;
//! - `{"op": "poisson", "cells": 64, "method": "multigrid", "tolerance": 1e-8, "threads": 2, "count": 1}` gives
//!   `{"seconds": …, "values": […]}`: the first `count` numbers of the solution of the pressure problem;
//! - `{"op": "network", "images": 32}` gives `{"data": [[…], …], "parameters": [{"name": …, "shape": […], "values": […]}, …]}`,
//!   the U-Net and its batch;
//! - `{"op": "train", "images": 32, "element": "f32", "threads": 2, "rate": 1e-4, "count": 1}` gives `{"seconds": […],
//!   "values": […]}`: of a step, the seconds of its gradient and of Adam, and as many numbers of loss and gradient.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use ansatz_core::Key;
use ansatz_testkit::{Mixture, tb1};
use serde::{Deserialize, Serialize};

use crate::autodiff::{self, Running, WORKLOADS, Workload};
use crate::ensemble::{self, Steps};
use crate::fisher::{Fisher, PARAMETERS};
use crate::gp;
use crate::ode;
use crate::poisson::Solver;
use crate::stepping::{self, Stepping};
use crate::suites::lorenz::COUNT;
use crate::suites::{SuiteError, pool};
use crate::unet;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    End {
        method: String,
        steps: usize,
        #[serde(default)]
        sigmas: Vec<f64>,
    },
    Time {
        method: String,
        elements: usize,
        threads: usize,
    },
    Setting {
        problem: String,
    },
    Ode {
        problem: String,
        method: String,
        tol: f64,
    },
    Ensemble {
        count: usize,
        #[serde(default)]
        tol: f64,
        #[serde(default)]
        steps: usize,
        threads: usize,
    },
    Inputs {
        workload: String,
        points: usize,
    },
    Gradient {
        workload: String,
        points: usize,
        element: String,
        threads: usize,
        count: usize,
    },
    Fisher {
        task: String,
        threads: usize,
        count: usize,
    },
    Gp {
        task: String,
        threads: usize,
        count: usize,
    },
    Poisson {
        cells: usize,
        method: String,
        tolerance: f64,
        threads: usize,
        count: usize,
    },
    Network {
        images: usize,
    },
    Train {
        images: usize,
        element: String,
        threads: usize,
        rate: f64,
        count: usize,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    End { x: Vec<f64>, nfe: usize },
    Time { seconds: f64 },
    Setting(ode::Setting),
    Ode(ode::Solved),
    Ensemble { seconds: f64, ends: Vec<[f64; 3]> },
    Inputs { inputs: Vec<Vec<f64>> },
    Gradient { seconds: f64, values: Vec<f64> },
    Network(unet::Description),
    Train { seconds: [f64; 2], values: Vec<f64> },
    Error { error: String },
}

/// Answers until the input ends. A request that cannot be met is answered with `{"error": …}`.
///
/// # Errors
/// If a line cannot be read or written.
pub fn serve(input: impl BufRead, mut out: impl Write) -> io::Result<()> {
    let mut server = Server::default();
    for line in input.lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(request) => server.answer(&request).unwrap_or_else(|e| Answer::Error {
                error: e.to_string(),
            }),
            Err(error) => Answer::Error {
                error: error.to_string(),
            },
        };
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

/// Pools and states that are kept between requests: making them is not what is measured.
#[derive(Default)]
struct Server {
    pools: BTreeMap<usize, rayon::ThreadPool>,
    gradients: BTreeMap<(String, usize, String), Box<dyn Running>>,
    poisson: BTreeMap<(String, usize), Solver>,
    stepping: BTreeMap<(String, usize), Stepping<f32>>,
    fisher: Option<Fisher>,
    processes: BTreeMap<usize, gp::Training>,
    trainings: BTreeMap<(usize, String), Box<dyn unet::Training>>,
}

impl Server {
    /// Makes the pool of `threads` threads, once.
    fn ensure(&mut self, threads: usize) -> Result<(), SuiteError> {
        if let Entry::Vacant(place) = self.pools.entry(threads) {
            place.insert(pool(threads)?);
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, SuiteError> {
        match request {
            Request::End {
                method,
                steps,
                sigmas,
            } => {
                let plan = stepping::plan(method, *steps, sigmas)?;
                // A grid in σ/α starts from noise of its own first level; label grids start from the points themselves.
                let scale = if sigmas.is_empty() {
                    1.0
                } else {
                    plan.levels()[0].sigma
                };
                let mut x: Vec<f64> = tb1::points(16).iter().map(|v| scale * v).collect();
                let report = plan.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())?;
                Ok(Answer::End { x, nfe: report.nfe })
            }
            Request::Setting { problem } => {
                let setting = ode::setting(problem).ok_or_else(|| unknown(problem))?;
                Ok(Answer::Setting(setting))
            }
            Request::Ode {
                problem,
                method,
                tol,
            } => {
                self.ensure(1)?;
                let solved = self.pools[&1].install(|| ode::run(problem, method, *tol));
                Ok(Answer::Ode(solved.ok_or_else(|| unknown(problem))??))
            }
            Request::Ensemble {
                count,
                tol,
                steps,
                threads,
            } => {
                self.ensure(*threads)?;
                let steps = match steps {
                    0 => Steps::Tolerance(*tol),
                    steps => Steps::Fixed(*steps),
                };
                let run = || ensemble::run(COUNT, steps);
                let (mut ends, seconds) = self.pools[threads].install(run)?;
                ends.truncate(*count);
                Ok(Answer::Ensemble { seconds, ends })
            }
            Request::Inputs { workload, points } => {
                let inputs = made(workload, *points)?.inputs;
                Ok(Answer::Inputs { inputs })
            }
            Request::Gradient {
                workload,
                points,
                element,
                threads,
                count,
            } => {
                self.ensure(*threads)?;
                let key = (workload.clone(), *points, element.clone());
                let program = match self.gradients.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let workload = made(workload, *points)?;
                        place.insert(match element.as_str() {
                            "f32" => autodiff::compile::<f32>(&workload)?,
                            _ => autodiff::compile::<f64>(&workload)?,
                        })
                    }
                };
                let start = Instant::now();
                self.pools[threads].install(|| program.run())?;
                let seconds = start.elapsed().as_secs_f64();
                let values = program.values(*count);
                Ok(Answer::Gradient { seconds, values })
            }
            Request::Fisher {
                task,
                threads,
                count,
            } => {
                self.ensure(*threads)?;
                let pool = &self.pools[threads];
                let fisher = match &mut self.fisher {
                    Some(fisher) => fisher,
                    none => none.insert(pool.install(|| Fisher::new(PARAMETERS))?),
                };
                let seconds = pool.install(|| fisher.run(task))?;
                let values = fisher.result().iter().take(*count);
                let values = values.map(|v| f64::from(*v)).collect();
                Ok(Answer::Gradient { seconds, values })
            }
            Request::Gp {
                task,
                threads,
                count,
            } => {
                self.ensure(*threads)?;
                let pool = &self.pools[threads];
                let (what, dimensions) = task.rsplit_once(' ').unwrap_or((task, ""));
                let (seconds, mut values) = match (what, dimensions.parse()) {
                    ("step" | "gradient" | "start", Ok(d @ 1..=2)) => {
                        let training = match self.processes.entry(d) {
                            Entry::Occupied(known) => known.into_mut(),
                            Entry::Vacant(place) => place.insert(gp::Training::new(d)?),
                        };
                        match what {
                            "step" => (pool.install(|| training.step())?, Vec::new()),
                            "start" => (0.0, training.start().to_vec()),
                            _ => (0.0, pool.install(|| training.gradient())?),
                        }
                    }
                    _ => pool.install(|| gp::run(task))?,
                };
                values.truncate(*count);
                Ok(Answer::Gradient { seconds, values })
            }
            Request::Poisson {
                cells,
                method,
                tolerance,
                threads,
                count,
            } => {
                self.ensure(*threads)?;
                let solver = match self.poisson.entry((method.clone(), *cells)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(Solver::new(*cells, method)?),
                };
                let start = Instant::now();
                self.pools[threads].install(|| solver.solve([*tolerance; 2]))?;
                let seconds = start.elapsed().as_secs_f64();
                let values = solver.x.iter().copied().take(*count).collect();
                Ok(Answer::Gradient { seconds, values })
            }
            Request::Time {
                method,
                elements,
                threads,
            } => {
                self.ensure(*threads)?;
                let key = (method.clone(), *elements);
                if !self.stepping.contains_key(&key) {
                    self.stepping
                        .insert(key.clone(), Stepping::new(method, *elements)?);
                }
                let stepping = &self.stepping[&key];
                let spent = self.pools[threads].install(|| stepping.run())?;
                Ok(Answer::Time {
                    seconds: spent.as_secs_f64() / stepping.evaluations() as f64,
                })
            }
            Request::Network { images } => {
                Ok(Answer::Network(unet::Problem::new(*images).describe()))
            }
            Request::Train {
                images,
                element,
                threads,
                rate,
                count,
            } => {
                self.ensure(*threads)?;
                let training = match self.trainings.entry((*images, element.clone())) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let problem = unet::Problem::new(*images);
                        place.insert(match element.as_str() {
                            "f32" => unet::training::<f32>(&problem)?,
                            _ => unet::training::<f64>(&problem)?,
                        })
                    }
                };
                let spent = self.pools[threads].install(|| training.step(*rate))?;
                Ok(Answer::Train {
                    seconds: [spent.gradient, spent.optimizer],
                    values: training.values(*count),
                })
            }
        }
    }
}

fn made(name: &str, points: usize) -> Result<Workload, SuiteError> {
    Workload::new(name, points).ok_or_else(|| SuiteError::Unknown {
        name: name.to_owned(),
        known: WORKLOADS.join(", "),
    })
}

fn unknown(problem: &str) -> SuiteError {
    SuiteError::Unknown {
        name: problem.to_owned(),
        known: ode::PROBLEMS.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> serde_json::Value {
        let mut out = Vec::new();
        serve(line.as_bytes(), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    /// First coordinate after 10 leading DDIM steps on TB1, from the discrete-schedule reference in `f64`.
    #[test]
    fn end_points_are_those_of_the_reference() {
        let answer = ask(r#"{"op":"end","method":"DDIM","steps":10}"#);
        assert!(
            (answer["x"][0].as_f64().unwrap() - 2.150_674_775).abs() < 1e-8,
            "{answer}"
        );
        let answer = ask(r#"{"op":"end","method":"DPM-Solver++(2M)","steps":20}"#);
        assert!(
            (answer["x"][0].as_f64().unwrap() - 2.443_725_250).abs() < 1e-8,
            "{answer}"
        );
    }

    /// A loss, a slope for each parameter, and the problem that they belong to.
    #[test]
    fn gradients_are_served() {
        let request = r#"{"op":"gradient","workload":"pinn","points":20,"element":"f64","threads":1,"count":99999}"#;
        let answer = ask(request);
        let values = answer["values"].as_array().unwrap();
        assert_eq!(values.len(), 12_738);
        assert!(values.iter().all(serde_json::Value::is_f64), "{answer}");
        let inputs = ask(r#"{"op":"inputs","workload":"pinn","points":20}"#);
        let lengths: Vec<usize> = inputs["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_array().unwrap().len())
            .collect();
        assert_eq!(lengths[..4], [40, 20, 128, 64]);
        assert_eq!(lengths[2..].iter().sum::<usize>(), 12_737);
    }

    /// A slope for each parameter of the network, in its order.
    #[test]
    fn a_network_and_its_training_are_served() {
        let network = ask(r#"{"op":"network","images":1}"#);
        let parameters = network["parameters"].as_array().unwrap();
        let length = |p: &serde_json::Value| p["values"].as_array().unwrap().len();
        let lengths: Vec<usize> = parameters.iter().map(length).collect();
        let request =
            r#"{"op":"train","images":1,"element":"f32","threads":1,"rate":0,"count":999999}"#;
        let values = ask(request)["values"].as_array().unwrap().len();
        assert_eq!(values, 1 + lengths.iter().sum::<usize>());
    }

    #[test]
    fn times_are_positive_and_errors_are_answers() {
        let answer = ask(r#"{"op":"time","method":"Heun","elements":1024,"threads":1}"#);
        assert!(answer["seconds"].as_f64().unwrap() > 0.0, "{answer}");
        assert!(ask(r#"{"op":"end","method":"nope","steps":10}"#)["error"].is_string());
        assert!(ask("hello")["error"].is_string());
    }
}
