//! - `{"op": "problem", "name": "Burgers"}` gives `{"points": [[…], …], "parameters": [[…], …]}`: rows of points of each term,
//!   and weights and biases at the start;
//! - `{"op": "steps", "name": "Burgers", "steps": 100, "threads": 2, "from": "start"}` gives `{"seconds": …, "losses": […],
//!   "parameters": […]}` of steps of Adam, from the start or, with `"here"`, from where the last ones ended;
//! - `{"op": "error", "name": "Burgers", "parameters": […]}` gives `{"distance": …}` against the exact solution, `null` if
//!   there is none;
//! - `{"op": "second", "name": "Burgers", "threads": 2, "goal": 0.1}` gives `{"seconds": …, "reached": …, "steps": …}` of
//!   Levenberg-Marquardt to that error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, line};
use crate::pinn::{Run, Setup};
use crate::suites::SuiteError;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Problem {
        name: String,
    },
    Steps {
        name: String,
        steps: u64,
        threads: usize,
        from: Begin,
    },
    Error {
        name: String,
        parameters: Vec<f64>,
    },
    Second {
        name: String,
        threads: usize,
        goal: f64,
    },
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Begin {
    Start,
    Here,
}

/// A problem and its training.
type Known = (Setup, Option<Run>);

#[derive(Default)]
pub(super) struct Trainings(BTreeMap<String, Known>);

impl Trainings {
    fn of(&mut self, name: &str) -> Result<&mut Known, SuiteError> {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), (Setup::new(name)?, None));
        }
        self.0.get_mut(name).ok_or_else(|| SuiteError::Unknown {
            name: name.to_owned(),
            known: String::new(),
        })
    }
}

impl Partner for Trainings {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::Problem { name } => line(&self.of(&name)?.0.describe()),
            Request::Steps {
                name,
                steps,
                threads,
                from,
            } => {
                let (setup, run) = self.of(&name)?;
                let run = match run {
                    Some(run) if from == Begin::Here => run,
                    other => other.insert(Run::new(setup)?),
                };
                let (losses, seconds) = pools.of(threads)?.install(|| run.steps(steps))?;
                let parameters = run.parameters();
                line(&json!({ "seconds": seconds, "losses": losses, "parameters": parameters }))
            }
            Request::Error { name, parameters } => {
                let error = self.of(&name)?.0.error(&parameters)?;
                line(&json!({ "distance": error }))
            }
            Request::Second {
                name,
                threads,
                goal,
            } => {
                let setup = &self.of(&name)?.0;
                let done = pools.of(threads)?.install(|| setup.second_order(goal))?;
                let (seconds, reached, steps) = done;
                line(&json!({ "seconds": seconds, "reached": reached, "steps": steps }))
            }
        }
    }
}
