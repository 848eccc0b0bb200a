//! What the integration tests share: running plans on the test bed TB1.

use std::sync::OnceLock;

use ansatz_core::{
    Denoiser, EvalError, Key, NoiseLevel, NoiseSchedule, Prediction, State, VjpDenoiser,
};
use ansatz_diffusion::{Plan, Solver, Spacing, TimeGrid, VpLinear};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{reference, tb1};

/// End points of the exact probability flow from `x` over the schedule's range.
pub(crate) fn exact(schedule: &dyn NoiseSchedule, x: &[f64]) -> Vec<f64> {
    let (start, end) = (schedule.t_max(), schedule.t_min());
    reference::probability_flow(&Mixture::tb1(), schedule, start, end, &x.to_vec()).unwrap()
}

/// End points of [`tb1::points`] under VP-linear, computed once for each of the two sizes in use.
pub(crate) fn vp_truth(points: usize) -> &'static [f64] {
    static SMALL: OnceLock<Vec<f64>> = OnceLock::new();
    static LARGE: OnceLock<Vec<f64>> = OnceLock::new();
    let cell = match points {
        16 => &SMALL,
        512 => &LARGE,
        _ => panic!("no reference for {points} points"),
    };
    cell.get_or_init(|| exact(&VpLinear::default(), &tb1::points(points)))
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
    let y = run(&plan, &Mixture::tb1(), &tb1::points(points));
    ansatz_testkit::measure::rms(&y, vp_truth(points), 2)
}

/// One line of the convergence table: rms at N = 20, 80, 320 on the log-SNR grid, slope 320 → 640.
pub(crate) type Convergence<'a> = (&'a str, &'a dyn Solver, [f64; 3], f64);

/// Checks lines of the convergence table to 1e-4 relative and slopes to ±0.1.
#[track_caller]
pub(crate) fn check_convergence(rows: &[Convergence<'_>]) {
    let mut bad = Vec::new();
    for (name, solver, expected, slope) in rows {
        let rms = |n| tb1_rms(*solver, Spacing::LogSnr, n, 16);
        for (n, e) in [20, 80, 320].into_iter().zip(expected) {
            let got = rms(n);
            if (got / e - 1.0).abs() > 1e-4 {
                bad.push(format!("{name} N={n}: rms {got:e}, table {e:e}"));
            }
        }
        let measured = (rms(320) / rms(640)).log2();
        if (measured - slope).abs() > 0.1 {
            bad.push(format!("{name}: slope {measured}, table {slope}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// One line of the table of small budgets: rms at NFE 5, 10, 20 on the log-SNR, time and √t grids.
pub(crate) type Budgets<'a> = (&'a str, &'a dyn Solver, [[f64; 3]; 3]);

/// Checks lines of the table of small budgets (512 points, five digits printed) to 1e-4 relative,
/// for methods with one evaluation a step.
#[track_caller]
pub(crate) fn check_budgets(rows: &[Budgets<'_>]) {
    let mut bad = Vec::new();
    for (name, solver, grids) in rows {
        for (spacing, expected) in [Spacing::LogSnr, Spacing::Time, Spacing::QUADRATIC]
            .into_iter()
            .zip(grids)
        {
            for (nfe, e) in [5, 10, 20].into_iter().zip(expected) {
                let got = tb1_rms(*solver, spacing, nfe, 512);
                if (got / e - 1.0).abs() > 1e-4 {
                    bad.push(format!(
                        "{name} {spacing:?} NFE={nfe}: rms {got:.7}, table {e}"
                    ));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The injected noise of the reference tables: draw k of sample j is point (j + k + 1) mod n.
pub(crate) fn rotated_points(draw: usize, out: &mut [f64]) {
    let n = out.len() / 2;
    let points = tb1::points(n);
    for (j, z) in out.chunks_exact_mut(2).enumerate() {
        let from = (j + draw + 1) % n;
        z.copy_from_slice(&points[2 * from..2 * from + 2]);
    }
}

/// ε̂ = κ times that of the inner model; κ is the one parameter.
pub(crate) struct Scaled {
    inner: Mixture,
    kappa: f64,
}

impl Scaled {
    pub(crate) fn new(inner: Mixture, kappa: f64) -> Self {
        Self {
            inner: inner.predicting(Prediction::Noise),
            kappa,
        }
    }

    pub(crate) fn tb1(kappa: f64) -> Self {
        Self::new(Mixture::tb1(), kappa)
    }
}

impl Denoiser<Vec<f64>> for Scaled {
    fn native(&self) -> Prediction {
        Prediction::Noise
    }

    fn eval(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        self.inner.eval(x, at, out)?;
        out.lincomb(self.kappa, &[]);
        Ok(())
    }
}

impl VjpDenoiser<Vec<f64>> for Scaled {
    fn params(&self) -> usize {
        1
    }

    fn vjp(
        &self,
        x: &Vec<f64>,
        at: &NoiseLevel,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let mut noise = x.zeros_like();
        self.inner.eval(x, at, &mut noise)?;
        p_bar[0] += noise.dot(w);
        self.inner.vjp(x, at, w, x_bar, p_bar)?;
        x_bar.lincomb(self.kappa, &[]);
        Ok(())
    }
}
