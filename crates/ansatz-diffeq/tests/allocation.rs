//! A solve allocates when it starts and never again: 40 steps allocate as often as 10.

use ansatz_core::{EvalError, Tolerance};
use ansatz_diffeq::{Adaptive, Options, StepSize, Tableau, solve, tableau};

#[expect(
    clippy::unnecessary_wraps,
    clippy::ptr_arg,
    reason = "the signature of a field"
)]
fn decay(_: f64, x: &Vec<f32>, dx: &mut Vec<f32>) -> Result<(), EvalError> {
    for (d, x) in dx.iter_mut().zip(x) {
        *d = -x;
    }
    Ok(())
}

#[expect(clippy::unwrap_used, reason = "a test")]
fn allocations(options: &Options) -> (u64, usize) {
    let mut x = vec![0.5_f32; 4096];
    let mut steps = 0;
    let info = allocation_counter::measure(|| {
        let report = solve(&decay, (0.0, 1.0), &mut x, options, &mut ()).unwrap();
        steps = report.steps;
    });
    (info.count_total, steps)
}

#[test]
fn a_step_allocates_nothing() {
    for method in tableau::ALL {
        let run = |steps| allocations(&Options::fixed(method, steps));
        let ((short, _), (long, _)) = (run(10), run(40));
        assert!(short > 0, "{}: the counter counts", method.name);
        assert_eq!(short, long, "{}", method.name);
    }
    for method in tableau::ALL.into_iter().filter(|t| !t.error.is_empty()) {
        let run = |method: &'static Tableau, longest| {
            allocations(&Options {
                tableau: method,
                step: StepSize::Adaptive(Adaptive {
                    tolerance: Tolerance::new(0.1, 0.1),
                    longest,
                    ..Adaptive::default()
                }),
                ..Options::default()
            })
        };
        let ((short, few), (long, many)) = (run(method, 0.1), run(method, 0.02));
        assert!(many > 3 * few, "{}: {few} and {many} steps", method.name);
        assert_eq!(short, long, "{}", method.name);
    }
}
