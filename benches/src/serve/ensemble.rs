//! - `{"op": "ensemble", "count": 1000, "tol": 1e-6, "threads": 2}` gives `{"seconds": …, "ends": […]}`, the first 1000
//!   end states of the Lorenz ensemble; `"steps": 100` in place of `tol` asks for equal steps.

use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, line};
use crate::ensemble::{self, Steps};
use crate::suites::SuiteError;
use crate::suites::lorenz::COUNT;

#[derive(Deserialize)]
struct Request {
    count: usize,
    #[serde(default)]
    tol: f64,
    #[serde(default)]
    steps: usize,
    threads: usize,
}

pub(super) struct Ensemble;

impl Partner for Ensemble {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        let request: Request = serde_json::from_str(asked)?;
        let steps = match request.steps {
            0 => Steps::Tolerance(request.tol),
            steps => Steps::Fixed(steps),
        };
        let pool = pools.of(request.threads)?;
        let (mut ends, seconds) = pool.install(|| ensemble::run(COUNT, steps))?;
        ends.truncate(request.count);
        line(&json!({ "seconds": seconds, "ends": ends }))
    }
}
