//! - `{"op": "gp", "task": "step 1", "threads": 2, "count": 1}` gives `{"seconds": …, "values": […]}`: of a step of training
//!   in one or two dimensions (values only for "gradient 1" and "start 1"), or of a structured product or solve.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Deserialize;

use super::{Partner, Pools, Timed, line};
use crate::gp;
use crate::suites::SuiteError;

#[derive(Deserialize)]
struct Request {
    task: String,
    threads: usize,
    count: usize,
}

#[derive(Default)]
pub(super) struct Processes(BTreeMap<usize, gp::Training>);

impl Partner for Processes {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        let Request {
            task,
            threads,
            count,
        } = serde_json::from_str(asked)?;
        let pool = pools.of(threads)?;
        let (what, dimensions) = task.rsplit_once(' ').unwrap_or((&task, ""));
        let (seconds, mut values) = match (what, dimensions.parse()) {
            ("step" | "gradient" | "start", Ok(d @ 1..=2)) => {
                let training = match self.0.entry(d) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(gp::Training::new(d)?),
                };
                match what {
                    "step" => (pool.install(|| training.step())?, Vec::new()),
                    "start" => (0.0, training.start().to_vec()),
                    _ => (0.0, pool.install(|| training.gradient())?),
                }
            }
            _ => pool.install(|| gp::run(&task))?,
        };
        values.truncate(count);
        line(&Timed { seconds, values })
    }
}
