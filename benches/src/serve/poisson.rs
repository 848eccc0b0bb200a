//! - `{"op": "poisson", "cells": 64, "method": "multigrid", "tolerance": 1e-8, "threads": 2, "count": 1}` gives
//!   `{"seconds": …, "values": […]}`: the first `count` numbers of the solution of the pressure problem.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

use serde::Deserialize;

use super::{Partner, Pools, Timed, line};
use crate::poisson::Solver;
use crate::suites::SuiteError;

#[derive(Deserialize)]
struct Request {
    cells: usize,
    method: String,
    tolerance: f64,
    threads: usize,
    count: usize,
}

#[derive(Default)]
pub(super) struct Solvers(BTreeMap<(String, usize), Solver>);

impl Partner for Solvers {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        let request: Request = serde_json::from_str(asked)?;
        let solver = match self.0.entry((request.method.clone(), request.cells)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Solver::new(request.cells, &request.method)?),
        };
        let pool = pools.of(request.threads)?;
        let start = Instant::now();
        pool.install(|| solver.solve([request.tolerance; 2]))?;
        let seconds = start.elapsed().as_secs_f64();
        let values = solver.x.iter().copied().take(request.count).collect();
        line(&Timed { seconds, values })
    }
}
