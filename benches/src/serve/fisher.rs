//! - `{"op": "fisher", "task": "product", "threads": 2, "count": 1}` gives `{"seconds": …, "values": […]}` of a task with
//!   inverse Fisher matrices, its first `count` numbers.

use serde::Deserialize;

use super::{Partner, Pools, Timed, line};
use crate::fisher::{Fisher, PARAMETERS};
use crate::suites::SuiteError;

#[derive(Deserialize)]
struct Request {
    task: String,
    threads: usize,
    count: usize,
}

#[derive(Default)]
pub(super) struct Fishers(Option<Fisher>);

impl Partner for Fishers {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        let request: Request = serde_json::from_str(asked)?;
        let pool = pools.of(request.threads)?;
        let fisher = match &mut self.0 {
            Some(fisher) => fisher,
            none => none.insert(pool.install(|| Fisher::new(PARAMETERS))?),
        };
        let seconds = pool.install(|| fisher.run(&request.task))?;
        let values = fisher.result().iter().take(request.count);
        let values = values.map(|v| f64::from(*v)).collect();
        line(&Timed { seconds, values })
    }
}
