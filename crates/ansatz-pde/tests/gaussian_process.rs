//! Gaussian processes behind problems written as text, beside the same equations as data.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_pde::linalg::gp::{
    self, Envelope, Equation, GpSolver, Mixture, Rate, Residual, TrainOptions, Weighing,
    uniform_grid,
};
use ansatz_pde::{GaussianProcess, PdeError, Problem, ProblemBuilder};

fn process(points: &[usize], steps: usize) -> GaussianProcess {
    GaussianProcess {
        points: points.to_vec(),
        kernel: Mixture::spectral(Envelope::StudentT, 6, 8.0).unwrap(),
        options: TrainOptions {
            steps,
            rate: Rate::Constant(0.01),
            ..TrainOptions::default()
        },
        ..GaussianProcess::default()
    }
}

/// u'' + u(u² − 1) = f with u = sin 20x + 1/2.
fn double_well() -> Problem {
    Problem::new()
        .coordinate("x", [0.0, 1.0])
        .unknown("u")
        .constant("w", 20.0)
        .equation("u_xx + u*(u^2 - 1) = -w^2*sin(w*x) + (sin(w*x) + 0.5)*((sin(w*x) + 0.5)^2 - 1)")
        .condition("boundary", "u - 0.5 = sin(w*x)")
        .build()
        .unwrap()
}

/// Text and data give the same training.
#[test]
fn text_is_the_equation() {
    let process = process(&[30], 50);
    let posed = process.pose(&double_well()).unwrap();
    let exact = |x: f64| (20.0 * x).sin() + 0.5;
    assert!((posed.boundary()[1] - exact(1.0)).abs() < 1e-14);
    let (_, solution) = process.solve(&posed, &mut ()).unwrap();
    let source = |x: &[f64]| {
        let u = exact(x[0]);
        -400.0 * (u - 0.5) + u * (u * u - 1.0)
    };
    let grid = vec![uniform_grid(0.0, 1.0, 30)];
    let data = gp::Problem::from_functions(Equation::allen_cahn(1), grid, source, |x| exact(x[0]))
        .unwrap();
    let mut solver = GpSolver::new(&data, &process.kernel, Weighing::default()).unwrap();
    solver.train(&process.options, &mut ()).unwrap();
    let other = solver.solution().unwrap();
    for x in [0.1, 0.43, 0.9] {
        let [a, b] = [
            solution.at(&[x], &[0]).unwrap()[0],
            other.at(&[x], &[0]).unwrap()[0],
        ];
        assert!((a - b).abs() < 1e-8, "{a} {b}");
    }
    // Slopes against differences.
    let r = posed.residual();
    let at = |u: f64| r.evaluate(&[0.3], &[u, 2.0], &mut [0.0; 2]);
    let mut slopes = [0.0; 2];
    r.evaluate(&[0.3], &[0.7, 2.0], &mut slopes);
    let difference = (at(0.7 + 1e-6) - at(0.7 - 1e-6)) / 2e-6;
    assert!(
        slopes.iter().any(|s| (s - difference).abs() < 1e-8),
        "{slopes:?} {difference}"
    );
}

#[test]
fn a_high_frequency_on_a_square() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .equation("u_xx + u_yy = -325*sin(15*x)*cos(10*y)")
        .condition("x = 0", "u = 0")
        .condition("boundary", "u = sin(15*x)*cos(10*y)")
        .build()
        .unwrap();
    let process = process(&[24, 24], 15000);
    let posed = process.pose(&problem).unwrap();
    let (_, solution) = process.solve(&posed, &mut ()).unwrap();
    let u = solution.at(&[0.31, 0.77], &[0, 0]).unwrap()[0];
    let exact = (15.0_f64 * 0.31).sin() * (10.0_f64 * 0.77).cos();
    assert!((u - exact).abs() < 2e-2, "{u} {exact}");
}

#[test]
fn what_is_refused() {
    let base = || Problem::new().coordinate("x", [0.0, 1.0]).unknown("u");
    let pose = |b: ProblemBuilder| process(&[20], 1).pose(&b.build().unwrap()).unwrap_err();
    let slope = pose(base().equation("u_xx = 1").condition("boundary", "u_x = 0"));
    assert!(matches!(slope, PdeError::Unsuited { .. }), "{slope}");
    let half = pose(base().equation("u_xx = 1").condition("x = 0", "u = 0"));
    assert!(matches!(half, PdeError::Unsuited { .. }), "{half}");
    let bent = pose(base().equation("u_xx = 1").condition("boundary", "u^2 = 1"));
    assert!(matches!(bent, PdeError::Unsuited { .. }), "{bent}");
    let high = pose(
        base()
            .equation("u_xxx = 1")
            .condition("boundary", "u = 0")
            .incomplete(),
    );
    assert!(matches!(high, PdeError::Algebra(_)), "{high}");
    let two = pose(
        base()
            .unknown("v")
            .equation("u_xx = v")
            .equation("v = 1")
            .condition("boundary", "u = 0"),
    );
    assert!(matches!(two, PdeError::Unsuited { .. }), "{two}");
    let count = process(&[20, 20], 1).pose(&double_well()).unwrap_err();
    assert!(matches!(count, PdeError::Width { .. }), "{count}");
}
