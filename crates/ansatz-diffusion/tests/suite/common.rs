//! What the integration tests share: running plans on the test bed TB1.

use ansatz_core::{Denoiser, Key, NoiseSchedule};
use ansatz_diffusion::{Plan, Solver, Spacing, TimeGrid, VpLinear};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{reference, tb1};

/// End points of the exact probability flow from `x` over the schedule's range.
pub(crate) fn exact(schedule: &dyn NoiseSchedule, x: &[f64]) -> Vec<f64> {
    let (start, end) = (schedule.t_max(), schedule.t_min());
    reference::probability_flow(&Mixture::tb1(), schedule, start, end, &x.to_vec()).unwrap()
}

/// Runs `plan` on a copy of `x` with the given model and key 0.
pub(crate) fn run(plan: &Plan, model: &dyn Denoiser<Vec<f64>>, x: &[f64]) -> Vec<f64> {
    let mut y = x.to_vec();
    plan.sample(model, &mut y, Key::new(0), &mut ()).unwrap();
    y
}

/// Root mean square distance to the exact end points on TB1, VP-linear from 1 to 1e-3.
pub(crate) fn tb1_rms(solver: &dyn Solver, spacing: Spacing, steps: usize, points: usize) -> f64 {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, spacing, steps).unwrap();
    let plan = solver.plan(&schedule, &grid).unwrap();
    let x = tb1::points(points);
    let y = run(&plan, &Mixture::tb1(), &x);
    ansatz_testkit::measure::rms(&y, &exact(&schedule, &x), 2)
}
