//! End points of the schedulers of diffusers, all sixteen points, from a fixture that its own programs
//! wrote (`fixtures/schedulers.py`).
//!
//! Tolerance: 1e-10 where diffusers computes in f64 (DDIM, PNDM); elsewhere it keeps its sigmas in f32,
//! whose rounding its own steps amplify to some 1e-5.

use ansatz_core::Prediction;
use ansatz_diffusion::{
    Betas, Coefficients, Ddim, Deis, Discrete, DpmMultistep, Form, HalfSteps, Heun, LabelSpacing,
    LowerOrder, Pndm, Solver, Spacing, TimeGrid, UniPc, Variable,
};
use ansatz_testkit::measure::max_abs_diff;
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

use crate::common::run;

const FIXTURE: &str = include_str!("../fixtures/schedulers.txt");

/// Which labels a scheduler visits, and where it ends.
enum Grid {
    /// Labels of this spacing, then no noise.
    Clean(LabelSpacing),
    /// The same labels, then label 0.
    FirstLabel(LabelSpacing),
    /// The labels without the clean end.
    Labels(LabelSpacing),
    /// `steps` labels from 999 to 0 evenly, fractions kept, then no noise.
    Sigmas,
    /// `steps` levels of EDM's spacing from label 999 to label 0, then no noise.
    Karras,
}

fn grid(kind: &Grid, steps: usize) -> TimeGrid {
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let labels = |spacing| TimeGrid::labels(&schedule, spacing, steps).unwrap();
    let times = |spacing| -> Vec<f64> {
        labels(spacing).levels()[..steps]
            .iter()
            .map(|l| l.t)
            .collect()
    };
    match kind {
        Grid::Clean(spacing) => labels(*spacing),
        Grid::FirstLabel(spacing) => {
            let times = [times(*spacing), vec![0.0]].concat();
            TimeGrid::from_times(&schedule, &times).unwrap()
        }
        Grid::Labels(spacing) => TimeGrid::from_times(&schedule, &times(*spacing)).unwrap(),
        Grid::Karras => TimeGrid::new(&schedule, Spacing::KARRAS, steps - 1)
            .unwrap()
            .with_clean_end(),
        Grid::Sigmas => {
            let last = (steps - 1) as f64;
            let times: Vec<f64> = (0..steps)
                .map(|i| 999.0 * (last - i as f64) / last)
                .collect();
            TimeGrid::from_times(&schedule, &times)
                .unwrap()
                .with_clean_end()
        }
    }
}

/// Our solver and grid for a scheduler of the fixture, and the tolerance.
fn ours(name: &str, steps: usize) -> (Box<dyn Solver>, Grid, f64) {
    use LabelSpacing::{Leading, Linspace, Trailing};
    // diffusers lowers the order in the last steps below 15 steps only.
    let lower_order = if steps < 15 {
        LowerOrder::Final
    } else {
        LowerOrder::Never
    };
    let dpm = |order, form, coefficients| -> Box<dyn Solver> {
        Box::new(DpmMultistep {
            order,
            form,
            coefficients,
            lower_order,
        })
    };
    let deis = |degree| -> Box<dyn Solver> {
        Box::new(Deis {
            variable: Variable::LogSnr,
            degree,
            lower_order,
        })
    };
    let pndm = |solver: Pndm| -> Box<dyn Solver> {
        Box::new(Pndm {
            half_steps: HalfSteps::WholeLabels,
            ..solver
        })
    };
    let lms = Deis {
        variable: Variable::Ratio,
        degree: 3,
        lower_order: LowerOrder::Never,
    };
    let single = 2e-5;
    match name {
        "ddim-leading" => (Box::new(Ddim::default()), Grid::Clean(Leading), 1e-10),
        "ddim-trailing" => (Box::new(Ddim::default()), Grid::Clean(Trailing), 1e-10),
        "pndm" => (pndm(Pndm::f_pndm()), Grid::Labels(Leading), 1e-10),
        "plms" => (pndm(Pndm::plms()), Grid::Labels(Leading), 1e-10),
        "deis-2" => (deis(1), Grid::FirstLabel(Linspace), single),
        "deis-3" => (deis(2), Grid::FirstLabel(Linspace), single),
        "++2m" => (
            dpm(2, Form::Data, Coefficients::Midpoint),
            Grid::Clean(Linspace),
            single,
        ),
        "++2m-karras" => (
            dpm(2, Form::Data, Coefficients::Midpoint),
            Grid::Karras,
            single,
        ),
        "++2m-heun" => (
            dpm(2, Form::Data, Coefficients::Taylor),
            Grid::Clean(Linspace),
            single,
        ),
        "++3m" => (
            dpm(3, Form::Data, Coefficients::Published),
            Grid::Clean(Linspace),
            single,
        ),
        "2m-noise" => (
            dpm(2, Form::Noise, Coefficients::Midpoint),
            Grid::FirstLabel(Linspace),
            single,
        ),
        "unipc-2" => (Box::new(UniPc::default()), Grid::Clean(Linspace), single),
        "euler" => (Box::new(Heun::euler()), Grid::Sigmas, single),
        "heun" => (Box::new(Heun::default()), Grid::Sigmas, single),
        "lms" => (Box::new(lms), Grid::Sigmas, single),
        _ => panic!("a scheduler that this test does not know: {name}"),
    }
}

#[test]
fn every_scheduler_of_the_fixture() {
    let model = Mixture::tb1().predicting(Prediction::Noise);
    let schedule = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    let (mut bad, mut rows) = (Vec::new(), 0);
    for line in FIXTURE.lines().filter(|l| !l.starts_with('#')) {
        let (head, values) = line.split_once(": ").unwrap();
        let [name, steps, _] = head.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a row: {head}");
        };
        let expected: Vec<f64> = values.split(' ').map(|v| v.parse().unwrap()).collect();
        let (solver, kind, tolerance) = ours(name, steps.parse().unwrap());
        let grid = grid(&kind, steps.parse().unwrap());
        let plan = solver.plan(&schedule, &grid).unwrap();
        let mut start = tb1::points(16);
        if matches!(kind, Grid::Sigmas) {
            // Schedulers in sigma start from σ/α times the noise, without the signal's share.
            for x in &mut start {
                *x *= grid.start().sigma;
            }
        }
        let error = max_abs_diff(&run(&plan, &model, &start), &expected);
        if error > tolerance {
            bad.push(format!(
                "{name} in {steps} steps: {error:e}, tolerance {tolerance:e}"
            ));
        }
        rows += 1;
    }
    assert_eq!(rows, 25);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
