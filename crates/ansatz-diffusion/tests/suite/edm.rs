//! EDM's sampler on TB1: section 8's table, the full algorithm with and without churn.

use crate::common::{exact, run};
use ansatz_core::NoiseSchedule;
use ansatz_diffusion::{Churn, DpmMultistep, Edm, Heun, LowerOrder, Solver, Spacing, TimeGrid};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{measure::rms, tb1};

/// The points P(16) scaled to the noise of the schedule's start.
fn start() -> Vec<f64> {
    tb1::points(16).iter().map(|x| 80.0 * x).collect()
}

/// rms at σ_min without the step to zero, for N noise levels on the Karras grid. Three digits printed.
#[test]
fn convergence_on_the_karras_grid() {
    let schedule = Edm::default();
    let x = start();
    let truth = exact(&schedule, &x);
    let error = |solver: &dyn Solver, levels: usize| {
        let grid = TimeGrid::new(&schedule, Spacing::KARRAS, levels - 1).unwrap();
        let plan = solver.plan(&schedule, &grid).unwrap();
        rms(&run(&plan, &Mixture::tb1(), &x), &truth, 2)
    };
    let two_m = DpmMultistep {
        lower_order: LowerOrder::Never,
        ..Default::default()
    };
    let rows: [(&str, &dyn Solver, [f64; 6], f64); 3] = [
        (
            "Euler",
            &Heun::euler(),
            [2.57e-1, 1.30e-1, 6.55e-2, 3.29e-2, 1.65e-2, 8.24e-3],
            1.00,
        ),
        (
            "Heun",
            &Heun::default(),
            [1.63e-1, 3.49e-2, 8.07e-3, 1.94e-3, 4.78e-4, 1.18e-4],
            2.01,
        ),
        (
            "++2M",
            &two_m,
            [2.00e-1, 4.41e-2, 9.16e-3, 2.11e-3, 5.08e-4, 1.25e-4],
            2.01,
        ),
    ];
    let mut bad = Vec::new();
    for (name, solver, expected, order) in rows {
        for (levels, e) in [11, 21, 41, 81, 161, 321].into_iter().zip(expected) {
            let got = error(solver, levels);
            // Half a unit of the third printed digit.
            let half = 0.5 * 10_f64.powf(e.log10().floor() - 2.0);
            if (got - e).abs() > 1.01 * half {
                bad.push(format!("{name} N={levels}: {got:e}, table {e:e}"));
            }
        }
        let slope = (error(solver, 161) / error(solver, 321)).log2();
        if (slope - order).abs() > 0.1 {
            bad.push(format!("{name}: slope {slope}, table {order}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Algorithm 1 with 18 noise levels and the step to zero: 35 evaluations.
#[test]
fn the_full_algorithm_reproduces_the_reference() {
    let schedule = Edm::default();
    let grid = TimeGrid::new(&schedule, Spacing::KARRAS, 17)
        .unwrap()
        .with_clean_end();
    assert!((grid.levels()[1].sigma - 57.585_984_7).abs() < 1e-7);
    assert!((grid.levels()[16].sigma - 7.528_019_96e-3).abs() < 1e-10);
    let plan = Heun::default().plan(&schedule, &grid).unwrap();
    assert_eq!((plan.nfe(), plan.slots()), (35, 3));
    let y = run(&plan, &Mixture::tb1(), &start());
    for (got, expected) in y.iter().zip([2.574_302_866, -0.126_416_640]) {
        assert!((got - expected).abs() < 1e-8, "{got} against {expected}");
    }
}

/// Algorithm 2 with injected noise; a draw is made in every step, used or not.
#[test]
fn churn_reproduces_the_reference() {
    let schedule = Edm::default();
    let grid = TimeGrid::new(&schedule, Spacing::KARRAS, 17)
        .unwrap()
        .with_clean_end();
    let churn = Churn {
        amount: 40.0,
        min: 0.05,
        max: 50.0,
        noise: 1.003,
    };
    let plan = Heun {
        churn: Some(churn),
        ..Heun::default()
    }
    .plan(&schedule, &grid)
    .unwrap();
    // The reference draws in all 18 steps; ours only where noise is added. Number the draws by step.
    let with_noise: Vec<usize> = grid
        .pairs()
        .enumerate()
        .filter(|(_, (from, _))| (0.05..=50.0).contains(&from.sigma))
        .map(|(i, _)| i)
        .collect();
    let p = tb1::points(16);
    let inject = |draw: usize, out: &mut Vec<f64>| {
        let k = with_noise[draw];
        for j in 0..16 {
            let from = (j + k + 1) % 16;
            out[2 * j..2 * j + 2].copy_from_slice(&p[2 * from..2 * from + 2]);
        }
    };
    let mut x = start();
    plan.sample_with(&Mixture::tb1(), &mut x, inject, &mut ())
        .unwrap();
    assert!(
        (x[0] - 0.952_630_858).abs() < 1e-8 && (x[1] + 0.477_045_155).abs() < 1e-8,
        "{:?}",
        &x[..2]
    );
    let sum: f64 = x.iter().sum();
    assert!((sum - 8.045_736_85).abs() < 1e-7, "{sum}");
    assert!((schedule.t_of_lambda(0.0) - 1.0).abs() < 1e-15);
}
