//! Laws about whole computations: threads and orders of convergence.

use ansatz_core::Scalar;

use super::{Verdict, bits, demand, list, uphold};
use crate::measure;

/// Pool sizes that a result must not depend on.
pub(super) const THREADS: [usize; 3] = [1, 2, 3];

/// `f` gives the same bits in pools of 1, 2 and 3 threads.
///
/// ```
/// use ansatz_core::State;
/// let x = vec![0.1_f64; 100_000];
/// ansatz_testkit::laws::same_for_threads(|| vec![x.dot(&x)]);
/// ```
///
/// # Panics
/// When two pools give different bits, or when a pool cannot be made.
#[track_caller]
pub fn same_for_threads<T: Scalar>(f: impl Fn() -> Vec<T> + Sync) {
    uphold(check_threads("the result", f));
}

pub(super) fn check_threads<T: Scalar>(what: &str, f: impl Fn() -> Vec<T> + Sync) -> Verdict {
    let mut first: Option<Vec<T>> = None;
    for threads in THREADS {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| format!("no pool of {threads} threads: {e}"))?;
        let result = pool.install(&f);
        if let Some(one) = &first {
            demand(one.len() == result.len(), || {
                format!(
                    "{what} has {} elements on {threads} threads, {} on one",
                    result.len(),
                    one.len()
                )
            })?;
            let (a, b) = (bits(one), bits(&result));
            let at = (0..a.len()).find(|i| a[*i] != b[*i]);
            demand(at.is_none(), || {
                let i = at.unwrap_or_default();
                format!(
                    "{what} depends on the number of threads: element {i} is {:e} on one thread \
                     and {:e} on {threads}",
                    one[i].f64(),
                    result[i].f64()
                )
            })?;
        } else {
            first = Some(result);
        }
    }
    Ok(())
}

/// The last of the log₂ ratios of `errors`, each at twice the steps of the one before, lies
/// within `tolerance` of `expected`.
///
/// ```
/// ansatz_testkit::laws::order(&[1e-2, 2.6e-3, 6.4e-4], 2.0, 0.1);
/// ```
///
/// # Panics
/// When it does not, or with fewer than two errors.
#[track_caller]
pub fn order(errors: &[f64], expected: f64, tolerance: f64) {
    uphold(check_order(errors, expected, tolerance));
}

fn check_order(errors: &[f64], expected: f64, tolerance: f64) -> Verdict {
    let slopes = measure::slopes(errors);
    let last = slopes
        .last()
        .ok_or_else(|| format!("an order needs two errors, got {errors:?}"))?;
    demand((last - expected).abs() <= tolerance, || {
        format!(
            "order {last:.3} instead of {expected} within {tolerance}: slopes {slopes:.3?} of \
             errors {}",
            list(errors)
        )
    })
}
