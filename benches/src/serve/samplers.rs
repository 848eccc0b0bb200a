//! - `{"op": "end", "method": "DDIM", "steps": 10, "sigmas": []}` gives `{"x": […], "nfe": 10}`: the end points of the 16
//!   seed-free points of TB1;
//! - `{"op": "time", "method": "DDIM", "elements": 65536, "threads": 1}` gives `{"seconds": …}`: the mean time between two
//!   evaluations in one run of 20 steps on an `f32` state.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ansatz_core::Key;
use ansatz_testkit::{Mixture, tb1};
use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, line};
use crate::stepping::{self, Stepping};
use crate::suites::SuiteError;

#[derive(Deserialize)]
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
}

#[derive(Default)]
pub(super) struct Samplers(BTreeMap<(String, usize), Stepping<f32>>);

impl Partner for Samplers {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::End {
                method,
                steps,
                sigmas,
            } => {
                let plan = stepping::plan(&method, steps, &sigmas)?;
                // A grid in σ/α starts from noise of its own first level; label grids start from the points themselves.
                let scale = if sigmas.is_empty() {
                    1.0
                } else {
                    plan.levels()[0].sigma
                };
                let mut x: Vec<f64> = tb1::points(16).iter().map(|v| scale * v).collect();
                let report = plan.sample(&Mixture::tb1(), &mut x, Key::new(0), &mut ())?;
                line(&json!({ "x": x, "nfe": report.nfe }))
            }
            Request::Time {
                method,
                elements,
                threads,
            } => {
                let stepping = match self.0.entry((method.clone(), elements)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(Stepping::new(&method, elements)?),
                };
                let spent = pools.of(threads)?.install(|| stepping.run())?;
                let seconds = spent.as_secs_f64() / stepping.evaluations() as f64;
                line(&json!({ "seconds": seconds }))
            }
        }
    }
}
