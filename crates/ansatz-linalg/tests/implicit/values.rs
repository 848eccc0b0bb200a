//! Reference values.

use ansatz_linalg::LinalgError;
use ansatz_linalg::implicit::{
    Cone, ConicProgram, Descent, Elementwise, FixedPoint, GroupKind, Grouped, ImplicitOptions,
    Parameters, ParametricMap, Point, QuadraticProgram, RootSolver, Separable, root_jvp, root_vjp,
};

use super::maps::{COLUMNS, ROWS, design, layer, least_squares, quadratic, ridge, targets};

#[track_caller]
fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (g, e) in got.iter().zip(expected) {
        assert!((g - e).abs() <= tolerance, "{got:?}, {expected:?} expected");
    }
}

fn with(solver: RootSolver) -> ImplicitOptions {
    ImplicitOptions {
        solver,
        rtol: 1e-13,
        ..ImplicitOptions::default()
    }
}

/// Gradient or proximal steps until nothing changes.
fn iterate(map: &dyn ParametricMap, args: &[&[f64]], start: Vec<f64>) -> Vec<f64> {
    let mut x = start;
    let mut next = x.clone();
    for _ in 0..100_000 {
        map.value(Point { x: &x, args }, &mut next).unwrap();
        let moved: f64 = x.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
        std::mem::swap(&mut x, &mut next);
        if moved < 1e-16 {
            break;
        }
    }
    x
}

/// (XᵀX + θI)⁻¹Xᵀy.
fn ridge_solution(theta: f64) -> Vec<f64> {
    let program = QuadraticProgram {
        n: COLUMNS,
        equalities: 0,
        inequalities: 0,
    };
    let (x, y) = (design(), targets());
    let mut q = vec![0.0; COLUMNS * COLUMNS];
    let mut c = vec![0.0; COLUMNS];
    for i in 0..ROWS {
        for j in 0..COLUMNS {
            c[j] -= x[i * COLUMNS + j] * y[i];
            for k in 0..COLUMNS {
                q[j * COLUMNS + k] += x[i * COLUMNS + j] * x[i * COLUMNS + k];
            }
        }
    }
    (0..COLUMNS).for_each(|j| q[j * (COLUMNS + 1)] += theta);
    program.solve(&[&q, &c, &[], &[], &[], &[]]).unwrap().x
}

#[test]
fn ridge_regression_by_every_solver() {
    let w = ridge_solution(5.0);
    close(
        &w,
        &[0.114879767506, -0.001911962483, 0.018167299194],
        1e-12,
    );
    let (x, y) = (design(), targets());
    let map = ridge();
    let at = Point {
        x: &w,
        args: &[&x, &y, &[5.0]],
    };
    for solver in [
        RootSolver::Automatic,
        RootSolver::Lu,
        RootSolver::Cg,
        RootSolver::NormalCg,
        RootSolver::Gmres,
        RootSolver::BiCgStab,
    ] {
        let zeros = (vec![0.0; x.len()], vec![0.0; y.len()]);
        let (slope, report) =
            root_jvp(&map, at, &[&zeros.0, &zeros.1, &[1.0]], &with(solver)).unwrap();
        close(
            &slope,
            &[-0.017183668321, 0.002792872837, -0.004888493602],
            1e-10,
        );
        assert!(report.residual < 1e-13 && !report.unconverged);
        let (bars, _) = root_vjp(&map, at, &[1.0, 0.0, 0.0], &with(solver)).unwrap();
        close(
            &bars[1][..3],
            &[0.115096784025, -0.038652456804, 0.038431196473],
            1e-10,
        );
        close(&bars[0][1..2], &[-0.028031763186], 1e-10);
        close(&bars[2], &[-0.017183668321], 1e-10);
    }
}

#[test]
fn implicit_beats_unrolled() {
    let (x, y, theta) = (design(), targets(), 5.0);
    let step = 1.0 / 19.411522965517;
    let exact = ridge_solution(theta);
    let slope = [-0.017183668321, 0.002792872837, -0.004888493602];
    let map = ridge();
    let args: [&[f64]; 3] = [&x, &y, &[theta]];
    let distance = |a: &[f64], b: &[f64]| -> f64 {
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let (mut w, mut dw) = (vec![0.0; 3], vec![0.0; 3]);
    let mut table = Vec::new();
    for t in 1..=40 {
        let mut g = vec![0.0; 3];
        let mut h = vec![0.0; 3];
        let derivative = map.linearise(Point { x: &w, args: &args }, &mut g).unwrap();
        derivative.jvp_x(&dw, &mut h).unwrap();
        for i in 0..3 {
            dw[i] -= step * (h[i] + w[i]);
            w[i] -= step * g[i];
        }
        if [5, 10, 20, 40].contains(&t) {
            let zeros = (vec![0.0; x.len()], vec![0.0; y.len()]);
            let tangent: [&[f64]; 3] = [&zeros.0, &zeros.1, &[1.0]];
            let options = with(RootSolver::Lu);
            let (implicit, report) =
                root_jvp(&map, Point { x: &w, args: &args }, &tangent, &options).unwrap();
            assert_eq!(
                report.unconverged,
                report.residual > 1e-6 * (1.0 + distance(&w, &[0.0; 3]))
            );
            table.push([
                distance(&w, &exact),
                distance(&implicit, &slope),
                distance(&dw, &slope),
            ]);
        }
    }
    let expected = [
        [1.6235e-2, 2.6120e-3, 8.7647e-3],
        [2.3578e-3, 3.8006e-4, 2.1660e-3],
        [5.0738e-5, 8.2803e-6, 8.4828e-5],
        [3.5401e-8, 6.4654e-9, 1.0874e-7],
    ];
    for (got, expected) in table.iter().zip(&expected) {
        for (g, e) in got.iter().zip(expected) {
            // The last row sees the twelve printed digits of the slope.
            assert!((g / e - 1.0).abs() < 1e-3, "{got:?}, {expected:?} expected");
        }
    }
}

#[test]
fn lasso() {
    let (x, y) = (design(), targets());
    let slope_at = |lambda: f64| {
        let prox = Separable::new(Elementwise::Lasso, COLUMNS, Parameters::Shared);
        let map = FixedPoint(Descent::proximal(least_squares(), prox, 0.05).unwrap());
        let args: [&[f64]; 3] = [&x, &y, &[lambda]];
        let w = iterate(&map.0, &args, vec![0.0; COLUMNS]);
        let zeros = (vec![0.0; x.len()], vec![0.0; y.len()]);
        let tangent: [&[f64]; 3] = [&zeros.0, &zeros.1, &[1.0]];
        let at = Point { x: &w, args: &args };
        let (slope, _) = root_jvp(&map, at, &tangent, &with(RootSolver::Lu)).unwrap();
        (w, slope)
    };
    let (w, slope) = slope_at(0.2);
    close(
        &w,
        &[0.326535353609, -0.041490583942, 0.063553329585],
        1e-11,
    );
    close(
        &slope,
        &[-1.011589495120, -0.260990830463, -1.207554090154],
        1e-10,
    );
    let (w, slope) = slope_at(0.5);
    close(&w, &[0.122099875845, 0.0, 0.0], 1e-11);
    close(&slope, &[-0.332396323829, 0.0, 0.0], 1e-10);
}

fn coupling() -> Vec<f64> {
    let entry = |k: usize| {
        let (i, j) = ((k / 6) as f64, (k % 6) as f64);
        (-(i - j).abs() / 2.0).exp()
            + if usize::is_multiple_of(k, 7) {
                0.1
            } else {
                0.0
            }
    };
    (0..36).map(entry).collect()
}

fn sines() -> Vec<f64> {
    (0..6).map(|i| (1.3 * f64::from(i)).sin()).collect()
}

#[test]
fn simplex_program_by_projection_and_mirror() {
    let theta = sines();
    let args: [&[f64]; 2] = [&theta, &[1.0]];
    for step in [0.3, 1.0] {
        let simplex = || Grouped::new(GroupKind::Simplex, 6, 1).unwrap();
        let solver = Descent::proximal(quadratic(coupling(), 6), simplex(), 0.3).unwrap();
        let x = iterate(&solver, &args, vec![1.0 / 6.0; 6]);
        close(
            &x,
            &[0.0, 0.887926594766, 0.0, 0.0, 0.0, 0.112073405234],
            1e-11,
        );
        let map = FixedPoint(Descent::proximal(quadratic(coupling(), 6), simplex(), step).unwrap());
        for k in 0..6 {
            let mut v = [0.0; 6];
            v[k] = 1.0;
            let at = Point { x: &x, args: &args };
            let (bars, _) = root_vjp(&map, at, &v, &with(RootSolver::Lu)).unwrap();
            let mut expected = [0.0; 6];
            if k == 1 || k == 5 {
                expected[k] = 0.518314800273;
                expected[6 - k] = -0.518314800273;
            }
            close(&bars[0], &expected, 1e-10);
        }
    }
    // Inside the simplex mirror and projected descent have the same solution and derivative.
    let theta: Vec<f64> = theta.iter().map(|t| 0.05 * t).collect();
    let args: [&[f64]; 2] = [&theta, &[1.0]];
    let mirror = Descent::mirror(quadratic(coupling(), 6), 6, 0.2).unwrap();
    let x = iterate(&mirror, &args, vec![1.0 / 6.0; 6]);
    let projected = Descent::proximal(
        quadratic(coupling(), 6),
        Grouped::new(GroupKind::Simplex, 6, 1).unwrap(),
        0.2,
    )
    .unwrap();
    close(&x, &iterate(&projected, &args, vec![1.0 / 6.0; 6]), 1e-12);
    let v = [0.3, -1.0, 0.2, 0.7, 0.0, 2.0];
    let at = Point { x: &x, args: &args };
    let (a, _) = root_vjp(&FixedPoint(mirror), at, &v, &with(RootSolver::Lu)).unwrap();
    let (b, _) = root_vjp(&FixedPoint(projected), at, &v, &with(RootSolver::Gmres)).unwrap();
    close(&a[0], &b[0], 1e-10);
    close(&a[1], &b[1], 1e-10);
}

#[test]
fn karush_kuhn_tucker() {
    let program = QuadraticProgram {
        n: 6,
        equalities: 1,
        inequalities: 2,
    };
    let q = coupling();
    let c: Vec<f64> = sines().iter().map(|t| -t).collect();
    let g = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0];
    let args: [&[f64]; 6] = [&q, &c, &[1.0; 6], &[1.0], &g, &[-0.6, -0.3]];
    let solution = program.solve(&args).unwrap();
    close(
        &solution.x,
        &[
            -0.6,
            1.517997795671,
            0.843142276913,
            -0.860358040631,
            -1.081784149355,
            1.181002117403,
        ],
        1e-11,
    );
    close(&solution.equality, &[-0.455657185816], 1e-11);
    close(&solution.inequality, &[0.12620310617, 0.0], 1e-11);
    assert!(program.residual(&solution, &args).unwrap() < 1e-13);
    let map = program.optimality();
    let x = solution.stacked();
    let zeros: Vec<Vec<f64>> = args.iter().map(|a| vec![0.0; a.len()]).collect();
    let mut tangent: Vec<&[f64]> = zeros.iter().map(Vec::as_slice).collect();
    tangent[5] = &[1.0, 0.0];
    let at = Point { x: &x, args: &args };
    let (slope, _) = root_jvp(&map, at, &tangent, &ImplicitOptions::default()).unwrap();
    close(&slope[..2], &[1.0, -0.653568490546], 1e-10);

    // A bound that is met without force: the derivative is singular, and a ridge helps.
    let free = QuadraticProgram {
        n: 1,
        equalities: 0,
        inequalities: 1,
    };
    let args: [&[f64]; 6] = [&[1.0], &[0.0], &[], &[], &[1.0], &[0.0]];
    let at = Point {
        x: &[0.0, 0.0],
        args: &args,
    };
    let map = free.optimality();
    for solver in [RootSolver::Lu, RootSolver::NormalCg, RootSolver::Gmres] {
        let error = root_vjp(&map, at, &[1.0, 0.0], &with(solver)).unwrap_err();
        assert!(
            matches!(error, LinalgError::Singular { .. }),
            "{solver:?}: {error}"
        );
    }
    let options = ImplicitOptions {
        ridge: 1e-3,
        ..ImplicitOptions::default()
    };
    root_vjp(&map, at, &[1.0, 1.0], &options).unwrap();
    let error = free
        .solve(&[&[-1.0], &[0.0], &[], &[], &[1.0], &[0.0]])
        .unwrap_err();
    assert!(matches!(error, LinalgError::NotPositiveDefinite { .. }));
    let contradiction = QuadraticProgram {
        n: 1,
        equalities: 0,
        inequalities: 2,
    };
    let error = contradiction
        .solve(&[&[1.0], &[0.0], &[], &[], &[1.0, -1.0], &[-1.0, -1.0]])
        .unwrap_err();
    assert!(matches!(error, LinalgError::Infeasible { .. }));
}

#[test]
fn fixed_point_of_a_layer() {
    let w: Vec<f64> = (0..25_usize)
        .map(|k| 0.5 * ((k / 5) as f64 + 2.0 * (k % 5) as f64 + 1.0).sin() / 5.0_f64.sqrt())
        .collect();
    let b: Vec<f64> = (0..5).map(|i| f64::from(i).cos()).collect();
    let args: [&[f64]; 2] = [&w, &b];
    let map = FixedPoint(layer(5));
    let z = iterate(&map.0, &args, vec![0.0; 5]);
    close(&z[..1], &[0.798766660114], 1e-12);
    for solver in [
        RootSolver::Lu,
        RootSolver::Gmres,
        RootSolver::BiCgStab,
        RootSolver::NormalCg,
    ] {
        let at = Point { x: &z, args: &args };
        let (bars, _) = root_vjp(&map, at, &[1.0; 5], &with(solver)).unwrap();
        close(&[bars[1].iter().sum()], &[2.757416453600], 1e-10);
    }
}

#[test]
fn conic_program_of_a_ball() {
    // min cᵀz with ‖z‖ ≤ r: z = −r·c/‖c‖, and a sum kept at 0: c loses its mean.
    let (c, r) = ([1.0, 2.0, -0.5], 1.5);
    let mean = c.iter().sum::<f64>() / 3.0;
    let e: Vec<f64> = c.iter().map(|c| c - mean).collect();
    let norm = e.iter().map(|e| e * e).sum::<f64>().sqrt();
    let z: Vec<f64> = e.iter().map(|e| -r * e / norm).collect();
    let map = ConicProgram {
        n: 3,
        cones: vec![Cone::Zero(1), Cone::SecondOrder(4)],
    };
    let mut a = vec![1.0; 3];
    a.extend([0.0; 3]);
    for i in 0..3 {
        a.extend((0..3).map(|j| if i == j { -1.0 } else { 0.0 }));
    }
    let b = [0.0, r, 0.0, 0.0, 0.0];
    // Slack (r, z); its multiplier is λ(r, −z) with Aᵀy + c = 0.
    let lambda = norm / r;
    let mut y = vec![-mean, lambda * r];
    y.extend(z.iter().map(|z| -lambda * z));
    let mut s = vec![0.0, r];
    s.extend(&z);
    let x = ConicProgram::point(&z, &y, &s);
    let args: [&[f64]; 3] = [&a, &b, &c];
    let at = Point { x: &x, args: &args };
    let zeros = vec![0.0; a.len()];
    let dc = [0.3, -0.7, 1.1];
    let (slope, report) =
        root_jvp(&map, at, &[&zeros, &[0.0; 5], &dc], &with(RootSolver::Lu)).unwrap();
    assert!(report.residual < 1e-14, "{}", report.residual);
    let dm = dc.iter().sum::<f64>() / 3.0;
    let de: Vec<f64> = dc.iter().map(|d| d - dm).collect();
    let along = de.iter().zip(&e).map(|(d, e)| d * e).sum::<f64>() / (norm * norm);
    let expected: Vec<f64> = de
        .iter()
        .zip(&e)
        .map(|(d, e)| -r * (d - along * e) / norm)
        .collect();
    close(&slope[..3], &expected, 1e-12);
    let (slope, _) = root_jvp(
        &map,
        at,
        &[&zeros, &[0.0, 1.0, 0.0, 0.0, 0.0], &[0.0; 3]],
        &with(RootSolver::Lu),
    )
    .unwrap();
    let expected: Vec<f64> = z.iter().map(|z| z / r).collect();
    close(&slope[..3], &expected, 1e-12);
}

#[test]
fn bad_input() {
    let map = ridge();
    let (x, y) = (design(), targets());
    let w = ridge_solution(5.0);
    let args: [&[f64]; 3] = [&x, &y, &[5.0]];
    let at = Point { x: &w, args: &args };
    let options = ImplicitOptions::default();
    let error = root_vjp(&map, at, &[1.0], &options).unwrap_err();
    assert!(matches!(
        error,
        LinalgError::Shape {
            expected: 3,
            got: 1,
            ..
        }
    ));
    let error = root_vjp(&map, at, &[1.0, f64::NAN, 0.0], &options).unwrap_err();
    assert!(matches!(error, LinalgError::NotFinite { index: 1, .. }));
    let short = Point {
        x: &w,
        args: &args[..2],
    };
    assert!(matches!(
        root_vjp(&map, short, &[1.0; 3], &options),
        Err(LinalgError::Shape { .. })
    ));
    let negative = ImplicitOptions {
        ridge: -1.0,
        ..options
    };
    assert!(matches!(
        root_vjp(&map, at, &[1.0; 3], &negative),
        Err(LinalgError::Parameter { .. })
    ));
    let far = Point {
        x: &[3.0; 3],
        args: &args,
    };
    assert!(
        root_vjp(&map, far, &[1.0; 3], &options)
            .unwrap()
            .1
            .unconverged
    );
}
