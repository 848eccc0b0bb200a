//! - `{"op": "inputs", "workload": "pinn", "points": 4096}` gives `{"inputs": [[…], …]}`, what a gradient is taken on;
//! - `{"op": "gradient", "workload": "pinn", "points": 4096, "element": "f32", "threads": 2, "count": 1}` gives
//!   `{"seconds": …, "values": […]}`: the loss and its gradient, the first `count` numbers of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, Timed, line};
use crate::autodiff::{self, Running, WORKLOADS, Workload};
use crate::suites::SuiteError;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
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
}

#[derive(Default)]
pub(super) struct Programs(BTreeMap<(String, usize, String), Box<dyn Running>>);

impl Partner for Programs {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::Inputs { workload, points } => {
                line(&json!({ "inputs": made(&workload, points)?.inputs }))
            }
            Request::Gradient {
                workload,
                points,
                element,
                threads,
                count,
            } => {
                let key = (workload.clone(), points, element.clone());
                let program = match self.0.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let workload = made(&workload, points)?;
                        place.insert(match element.as_str() {
                            "f32" => autodiff::compile::<f32>(&workload)?,
                            _ => autodiff::compile::<f64>(&workload)?,
                        })
                    }
                };
                let pool = pools.of(threads)?;
                let start = Instant::now();
                pool.install(|| program.run())?;
                let seconds = start.elapsed().as_secs_f64();
                let values = program.values(count);
                line(&Timed { seconds, values })
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
