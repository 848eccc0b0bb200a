//! - `{"op": "expr", "part": "sum", "size": 2000}` gives the seconds of adding as many symbols one by one;
//! - `"part": "jacobian"` those of writing and differentiating the equation on a grid of so many points a side;
//! - `"part": "residual"` those of evaluating a residual at so many points, and 50 values of each output.

use std::time::Instant;

use ansatz_expr::Pool;
use serde::Deserialize;

use super::{Partner, Pools, Timed, line};
use crate::expr;
use crate::suites::SuiteError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "op")]
    _op: String,
    part: Part,
    size: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Sum,
    Jacobian,
    Residual,
}

pub(super) struct Symbols;

impl Partner for Symbols {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        let Request { part, size, .. } = serde_json::from_str(asked)?;
        let (seconds, values) = match part {
            Part::Sum => (expr::sum(size), Vec::new()),
            Part::Jacobian => {
                let begin = Instant::now();
                let pool = Pool::new();
                let (state, rates) = expr::grid(&pool, size);
                let jacobian = pool.jacobian(&rates, &state)?;
                (
                    begin.elapsed().as_secs_f64(),
                    vec![jacobian.entries.len() as f64],
                )
            }
            Part::Residual => {
                let code = expr::residual()?;
                let [x, t] = expr::points(size);
                let mut out = vec![vec![0.0; size]; code.outputs()];
                let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut **o).collect();
                let begin = Instant::now();
                pools.of(1)?.install(|| code.run(&[&x, &t], &mut slices))?;
                let seconds = begin.elapsed().as_secs_f64();
                let last = size.saturating_sub(1) as f64;
                let place = |i: usize| (last * i as f64 / 49.0) as usize;
                let few = out.iter().flat_map(|o| (0..50).map(move |i| o[place(i)]));
                (seconds, few.collect())
            }
        };
        line(&Timed { seconds, values })
    }
}
