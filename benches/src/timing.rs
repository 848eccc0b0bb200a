//! Honest times on a shared machine: warm-up, interleaved runs, median and quartiles.
//!
//! Candidates take turns (a, b, a, b, …) so that a slow minute of the machine hits all of them alike; the median and the
//! quartiles forgive single disturbances.

use std::time::{Duration, Instant};

/// When to stop repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Rounds at least, whatever they take.
    pub min_runs: usize,
    /// Rounds at most.
    pub max_runs: usize,
    /// No new round begins after this.
    pub budget: Duration,
    /// Rounds whose times are thrown away.
    pub warm_up: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            min_runs: 10,
            max_runs: 200,
            budget: Duration::from_secs(2),
            warm_up: 2,
        }
    }
}

/// The spread of repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// A quarter of the runs is below.
    pub lo: f64,
    /// Half of the runs is below.
    pub median: f64,
    /// A quarter of the runs is above.
    pub hi: f64,
    /// Runs measured.
    pub runs: usize,
}

impl Quartiles {
    /// Quartiles of `values` by linear interpolation; `None` without values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let position = q * (sorted.len() - 1) as f64;
            let (below, part) = (position.floor() as usize, position.fract());
            let above = (below + 1).min(sorted.len() - 1);
            sorted[below] + part * (sorted[above] - sorted[below])
        };
        (!sorted.is_empty()).then(|| Self {
            lo: at(0.25),
            median: at(0.5),
            hi: at(0.75),
            runs: sorted.len(),
        })
    }

    /// The quartiles of `f` of each measurement, for a falling `f` such as a rate from a time.
    #[must_use]
    pub fn falling(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            lo: f(self.hi),
            median: f(self.median),
            hi: f(self.lo),
            runs: self.runs,
        }
    }
}

/// Seconds per call of each candidate, taken in turns.
///
/// # Panics
/// If `effort.min_runs` is zero: there would be nothing to report.
pub fn interleaved(effort: Effort, candidates: &mut [&mut dyn FnMut()]) -> Vec<Quartiles> {
    assert!(effort.min_runs > 0, "at least one run");
    for _ in 0..effort.warm_up {
        for run in candidates.iter_mut() {
            run();
        }
    }
    let mut times = vec![Vec::new(); candidates.len()];
    let begin = Instant::now();
    let mut rounds = 0;
    while rounds < effort.min_runs || (rounds < effort.max_runs && begin.elapsed() < effort.budget)
    {
        for (run, times) in candidates.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            times.push(start.elapsed().as_secs_f64());
        }
        rounds += 1;
    }
    times.iter().filter_map(|t| Quartiles::of(t)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_interpolate() {
        let q = Quartiles::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert!(
            (q.lo - 1.75).abs() < 1e-15
                && (q.median - 2.5).abs() < 1e-15
                && (q.hi - 3.25).abs() < 1e-15,
            "{q:?}"
        );
        assert_eq!(Quartiles::of(&[]), None);
        let rate = q.falling(|t| 1.0 / t);
        assert!(rate.lo < rate.median && rate.median < rate.hi);
    }

    #[test]
    fn candidates_take_turns() {
        let order = std::cell::RefCell::new(String::new());
        let effort = Effort {
            min_runs: 3,
            max_runs: 3,
            budget: Duration::ZERO,
            warm_up: 1,
        };
        let mut a = || order.borrow_mut().push('a');
        let mut b = || order.borrow_mut().push('b');
        let times = interleaved(effort, &mut [&mut a, &mut b]);
        assert_eq!(order.into_inner(), "abababab");
        assert!(times.len() == 2 && times.iter().all(|q| q.runs == 3));
    }

    #[test]
    fn a_spent_budget_still_gives_the_least_number_of_runs() {
        let effort = Effort {
            min_runs: 4,
            max_runs: 100,
            budget: Duration::ZERO,
            warm_up: 0,
        };
        let mut nothing = || {};
        assert_eq!(interleaved(effort, &mut [&mut nothing])[0].runs, 4);
    }
}
