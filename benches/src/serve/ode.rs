//! - `{"op": "setting", "problem": "pleiades"}` gives `{"start": […], "times": […], "end": […]}`;
//! - `{"op": "ode", "problem": "pleiades", "method": "Tsit5", "tol": 1e-6}` gives the state reached, seconds, error and
//!   evaluations of a solve.

use serde::Deserialize;

use super::{Partner, Pools, line};
use crate::ode;
use crate::suites::SuiteError;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Setting {
        problem: String,
    },
    Ode {
        problem: String,
        method: String,
        tol: f64,
    },
}

pub(super) struct Equations;

impl Partner for Equations {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::Setting { problem } => {
                line(&ode::setting(&problem).ok_or_else(|| unknown(problem))?)
            }
            Request::Ode {
                problem,
                method,
                tol,
            } => {
                let solved = pools.of(1)?.install(|| ode::run(&problem, &method, tol));
                line(&solved.ok_or_else(|| unknown(problem))??)
            }
        }
    }
}

fn unknown(problem: String) -> SuiteError {
    SuiteError::Unknown {
        name: problem,
        known: ode::PROBLEMS.join(", "),
    }
}
