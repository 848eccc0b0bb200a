//! Solutions as operations of programs, against closed forms and central differences.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_linalg::LinalgError;
use ansatz_linalg::implicit::{
    Closures, FixedPoint, ImplicitOptions, ParametricMap, Point, RootSolver, root_jvp, root_vjp,
};
use ansatz_nn::autodiff::{
    Array, Graph, Options, Program, Signature, gradient, hessian_product, jvp, vjp,
};
use ansatz_nn::core::{EvalError, Key, stream};
use ansatz_nn::{ImplicitFunction, NetworkError, ProgramMap};

const ROWS: usize = 10;
const COLUMNS: usize = 3;

fn normal(seed: u64, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    Key::new(seed).fill_normal(stream::INITIAL, &mut out);
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[track_caller]
fn close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (g, e) in got.iter().zip(expected) {
        assert!((g - e).abs() <= tolerance, "{got:?}, {expected:?} expected");
    }
}

fn design() -> Vec<f64> {
    let entry = |k: usize| {
        let (i, j) = ((k / COLUMNS) as f64, (k % COLUMNS) as f64);
        (1.0 + 3.0 * i + j * j).sin() + 0.3 * (i * (j + 1.0)).cos()
    };
    (0..ROWS * COLUMNS).map(entry).collect()
}

fn targets() -> Vec<f64> {
    (0..ROWS).map(|i| (0.7 * i as f64).cos()).collect()
}

/// x ← x − M⁻¹F(x, θ), the step by conjugate gradients; one is enough for quadratics.
fn newton(map: &dyn ParametricMap, args: &[&[f64]], x: &mut [f64]) -> Result<(), EvalError> {
    let n = x.len();
    for _ in 0..3 {
        let mut r = vec![0.0; n];
        let at = Point { x, args };
        let derivative = map.linearise(at, &mut r).map_err(EvalError::model)?;
        let product = |w: &[f64]| {
            let mut out = vec![0.0; n];
            derivative.jvp_x(w, &mut out).map(|()| out)
        };
        let (mut step, mut d) = (vec![0.0; n], r.clone());
        for _ in 0..n {
            let rr = dot(&r, &r);
            if rr < 1e-60 {
                break;
            }
            let md = product(&d)?;
            let a = rr / dot(&d, &md);
            for i in 0..n {
                step[i] += a * d[i];
                r[i] -= a * md[i];
            }
            let b = dot(&r, &r) / rr;
            for i in 0..n {
                d[i] = r[i] + b * d[i];
            }
        }
        drop(derivative);
        x.iter_mut().zip(&step).for_each(|(x, s)| *x -= s);
    }
    Ok(())
}

/// ½‖Xw − y‖² + ½θ‖w‖² with the arguments [X, y, θ].
fn ridge_objective<'g>(w: Array<'g>, args: &[Array<'g>]) -> Array<'g> {
    let fit = args[0].matmul(w.reshape(&[COLUMNS, 1])).reshape(&[ROWS]) - args[1];
    (fit.square().sum() + args[2] * w.square().sum()) * 0.5
}

fn ridge() -> ProgramMap {
    let signature = Signature {
        state: &[COLUMNS],
        parameters: &[&[ROWS, COLUMNS], &[ROWS], &[]],
        ..Signature::default()
    };
    ProgramMap::stationary(&signature, ridge_objective).unwrap()
}

/// The same in slices.
fn ridge_by_hand() -> Closures<'static> {
    fn times(x: &[f64], w: &[f64]) -> Vec<f64> {
        x.chunks(COLUMNS).map(|row| dot(row, w)).collect()
    }
    fn back(x: &[f64], r: &[f64]) -> Vec<f64> {
        let column = |j: usize| (0..ROWS).map(|i| x[i * COLUMNS + j] * r[i]).sum();
        (0..COLUMNS).map(column).collect()
    }
    fn residual(at: Point<'_>) -> Vec<f64> {
        let fit = times(at.args[0], at.x);
        fit.iter().zip(at.args[1]).map(|(f, y)| f - y).collect()
    }
    Closures::gradient(
        COLUMNS,
        &[ROWS * COLUMNS, ROWS, 1],
        |at, out| {
            let g = back(at.args[0], &residual(at));
            (0..COLUMNS).for_each(|i| out[i] = g[i] + at.args[2][0] * at.x[i]);
        },
        |at, w, out| {
            let g = back(at.args[0], &times(at.args[0], w));
            (0..COLUMNS).for_each(|i| out[i] = g[i] + at.args[2][0] * w[i]);
        },
        |at, d, out| {
            let first = back(d[0], &residual(at));
            let inner: Vec<f64> = times(d[0], at.x)
                .iter()
                .zip(d[1])
                .map(|(a, b)| a - b)
                .collect();
            let second = back(at.args[0], &inner);
            (0..COLUMNS).for_each(|i| out[i] = first[i] + second[i] + d[2][0] * at.x[i]);
        },
        |at, v, out| {
            let (r, xv) = (residual(at), times(at.args[0], v));
            for i in 0..ROWS {
                for j in 0..COLUMNS {
                    out[0][i * COLUMNS + j] = r[i] * v[j] + xv[i] * at.x[j];
                }
                out[1][i] = -xv[i];
            }
            out[2][0] = dot(at.x, v);
        },
    )
}

fn ridge_function() -> ImplicitFunction {
    let inner = ridge();
    ImplicitFunction::new(ridge(), ImplicitOptions::default(), move |args, x| {
        newton(&inner, args, x)
    })
    .unwrap()
}

#[test]
fn ridge_regression() {
    let (x, y) = (design(), targets());
    let args: [&[f64]; 3] = [&x, &y, &[5.0]];
    let (map, by_hand) = (ridge(), ridge_by_hand());
    let mut w = vec![0.0; COLUMNS];
    newton(&map, &args, &mut w).unwrap();
    // (XᵀX + 5I)⁻¹Xᵀy and its derivatives.
    close(
        &w,
        &[0.114879767506, -0.001911962483, 0.018167299194],
        1e-12,
    );
    let at = Point { x: &w, args: &args };
    for solver in [RootSolver::Lu, RootSolver::Cg, RootSolver::Gmres] {
        let options = ImplicitOptions {
            solver,
            rtol: 1e-13,
            ..ImplicitOptions::default()
        };
        let v = normal(1, COLUMNS);
        let (ours, report) = root_vjp(&map, at, &v, &options).unwrap();
        let (theirs, _) = root_vjp(&by_hand, at, &v, &options).unwrap();
        assert!(report.residual < 1e-13);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            close(ours, theirs, 1e-12);
        }
        let along = [normal(2, ROWS * COLUMNS), normal(3, ROWS), normal(4, 1)];
        let along: Vec<&[f64]> = along.iter().map(Vec::as_slice).collect();
        let (jw, _) = root_jvp(&map, at, &along, &options).unwrap();
        close(
            &jw,
            &root_jvp(&by_hand, at, &along, &options).unwrap().0,
            1e-12,
        );
        let other: f64 = along.iter().zip(&ours).map(|(d, g)| dot(d, g)).sum();
        assert!((dot(&jw, &v) - other).abs() < 1e-12, "adjoint");
        let (first, _) = root_vjp(&map, at, &[1.0, 0.0, 0.0], &options).unwrap();
        let dy = [0.115096784025, -0.038652456804, 0.038431196473];
        close(&first[1][..3], &dy, 1e-10);
        close(&first[0][1..2], &[-0.028031763186], 1e-10);
        close(&first[2], &[-0.017183668321], 1e-10);
    }
}

/// The four products at points that solve nothing, against each other and central differences.
#[test]
fn products() {
    let signature = Signature {
        state: &[4],
        parameters: &[&[4, 4], &[4]],
        ..Signature::default()
    };
    let layer = ProgramMap::new(&signature, |z, p| {
        (p[0].matmul(z.reshape(&[4, 1])).reshape(&[4]) + p[1]).tanh()
    })
    .unwrap();
    let maps: [(&dyn ParametricMap, &str); 2] =
        [(&ridge(), "gradient"), (&FixedPoint(layer), "fixed point")];
    for (map, name) in maps {
        let n = map.unknowns();
        let x = normal(10, n);
        let args: Vec<Vec<f64>> = (11..)
            .zip(map.arguments())
            .map(|(s, n)| normal(s, n))
            .collect();
        let along: Vec<Vec<f64>> = (21..)
            .zip(map.arguments())
            .map(|(s, n)| normal(s, n))
            .collect();
        let slices: Vec<&[f64]> = args.iter().map(Vec::as_slice).collect();
        let directions: Vec<&[f64]> = along.iter().map(Vec::as_slice).collect();
        let (w, v) = (normal(31, n), normal(32, n));
        let mut y = vec![0.0; n];
        let at = Point {
            x: &x,
            args: &slices,
        };
        let d = map.linearise(at, &mut y).unwrap();
        let (mut jw, mut jv, mut aw) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        d.jvp_x(&w, &mut jw).unwrap();
        d.vjp_x(&v, &mut jv).unwrap();
        d.jvp_args(&directions, &mut aw).unwrap();
        let mut av: Vec<Vec<f64>> = args.iter().map(|a| vec![7.0; a.len()]).collect();
        let mut parts: Vec<&mut [f64]> = av.iter_mut().map(Vec::as_mut_slice).collect();
        d.vjp_args(&v, &mut parts).unwrap();
        assert!((dot(&jw, &v) - dot(&w, &jv)).abs() < 1e-12, "{name}");
        let other: f64 = along.iter().zip(&av).map(|(d, g)| dot(d, g)).sum();
        assert!((dot(&aw, &v) - other).abs() < 1e-12, "{name}");
        let h = 1e-5;
        let moved = |by_x: f64, by_args: f64| {
            let x: Vec<f64> = x.iter().zip(&w).map(|(x, w)| x + by_x * w).collect();
            let args: Vec<Vec<f64>> = args
                .iter()
                .zip(&along)
                .map(|(a, d)| a.iter().zip(d).map(|(a, d)| a + by_args * d).collect())
                .collect();
            let slices: Vec<&[f64]> = args.iter().map(Vec::as_slice).collect();
            let mut out = vec![0.0; n];
            map.value(
                Point {
                    x: &x,
                    args: &slices,
                },
                &mut out,
            )
            .unwrap();
            out
        };
        for (product, plus, minus) in [
            (&jw, moved(h, 0.0), moved(-h, 0.0)),
            (&aw, moved(0.0, h), moved(0.0, -h)),
        ] {
            for i in 0..n {
                let slope = (plus[i] - minus[i]) / (2.0 * h);
                assert!(
                    (slope - product[i]).abs() < 1e-7,
                    "{name}: {slope} {}",
                    product[i]
                );
            }
        }
    }
}

/// x³ + θx = 1: x′ = −x/(3x² + θ), x″ and x‴ by differentiating x³ + θx = 1 again.
#[test]
fn root_of_a_cubic_to_third_order() {
    let signature = Signature {
        state: &[],
        parameters: &[&[]],
        ..Signature::default()
    };
    let map = ProgramMap::new(&signature, |x, p| x * x * x + p[0] * x - 1.0).unwrap();
    let root = ImplicitFunction::new(map, ImplicitOptions::default(), |p, x| {
        x[0] = 1.0;
        for _ in 0..60 {
            x[0] -= (x[0].powi(3) + p[0][0] * x[0] - 1.0) / (3.0 * x[0] * x[0] + p[0][0]);
        }
        Ok(())
    })
    .unwrap();
    let g = Graph::new();
    let theta = g.input(&[]);
    let x = root.apply(&[theta]);
    let one = gradient(x, &[theta])[0];
    let two = gradient(one, &[theta])[0];
    let three = gradient(two, &[theta])[0];
    let along = |y: Array<'_>| -> f64 {
        // A tangent of the same, compiled by itself.
        let y = jvp(&[y], &[(theta, g.number(1.0))])[0];
        let program = Program::<f64>::compile(&g.finish(&[y]), &Options::default()).unwrap();
        let mut out = [0.0];
        program.run(&[&[0.7]], &mut [&mut out]).unwrap();
        out[0]
    };
    let (f1, f2, f3) = (along(x), along(one), along(two));
    let program =
        Program::<f64>::compile(&g.finish(&[x, one, two, three]), &Options::default()).unwrap();
    let [mut x, mut one, mut two, mut three] = [[0.0]; 4];
    let mut out: [&mut [f64]; 4] = [&mut x, &mut one, &mut two, &mut three];
    program.run(&[&[0.7]], &mut out).unwrap();
    let (x, t) = (x[0], 0.7);
    let m = 3.0 * x * x + t;
    let a = -x / m;
    let b = -(6.0 * x * a * a + 2.0 * a) / m;
    let c = -(6.0 * a.powi(3) + 18.0 * x * a * b + 3.0 * b) / m;
    close(&[one[0], two[0], three[0]], &[a, b, c], 1e-14);
    close(&[f1, f2, f3], &[a, b, c], 1e-14);
    assert!(root.failure().is_none() && root.report().unwrap().residual < 1e-15);
}

/// Hessian of a loss of the ridge optimum in (y, θ), by reverse over reverse, forward over reverse, central differences of
/// the gradient; and in θ by the closed form through w′ = −A⁻¹w, w″ = 2A⁻²w.
#[test]
fn second_derivatives_of_ridge_regression() {
    let root = ridge_function();
    let g = Graph::new();
    let (x, y, theta) = (g.input(&[ROWS, COLUMNS]), g.input(&[ROWS]), g.input(&[]));
    let w = root.apply(&[x, y, theta]);
    let loss = (w.exp() * w.sin()).sum();
    let inputs = [x, y, theta];
    let slopes = gradient(loss, &inputs);
    let along = [
        g.constant(&[ROWS, COLUMNS], normal(41, 30)),
        g.constant(&[ROWS], normal(42, 10)),
        g.number(0.3),
    ];
    let directions: Vec<_> = inputs.into_iter().zip(along).collect();
    let forward = jvp(&slopes, &directions);
    let inner = slopes
        .iter()
        .zip(&along)
        .map(|(s, d)| (*s * *d).sum())
        .reduce(|a, b| a + b)
        .unwrap();
    let back = gradient(inner, &inputs);
    let twice = gradient(slopes[2], &[theta])[0];
    let by_theta = hessian_product(loss, theta, g.number(1.0));
    let outputs = [&slopes[..], &forward, &back, &[twice, by_theta, w]].concat();
    let program = Program::<f64>::compile(&g.finish(&outputs), &Options::default()).unwrap();
    let run = |x: &[f64], y: &[f64], theta: f64| -> Vec<Vec<f64>> {
        let mut out: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
        let mut slices: Vec<&mut [f64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(&[x, y, &[theta]], &mut slices).unwrap();
        out
    };
    let (x, y, theta) = (design(), targets(), 5.0);
    let out = run(&x, &y, theta);
    assert!(root.failure().is_none());
    for k in 0..3 {
        close(&out[3 + k], &out[6 + k], 1e-12);
    }
    let (dx, dy) = (normal(41, 30), normal(42, 10));
    let h = 1e-5;
    let moved = |h: f64| {
        let by = |a: &[f64], d: &[f64]| -> Vec<f64> {
            a.iter().zip(d).map(|(a, d)| a + h * d).collect()
        };
        run(&by(&x, &dx), &by(&y, &dy), theta + h * 0.3)
    };
    let (plus, minus) = (moved(h), moved(-h));
    for k in 0..3 {
        let slope: Vec<f64> = plus[k]
            .iter()
            .zip(&minus[k])
            .map(|(a, b)| (a - b) / (2.0 * h))
            .collect();
        close(&out[3 + k], &slope, 1e-8);
    }
    // A⁻¹b by Cramer's rule.
    let w = &out[11];
    let mut a = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            a[i][j] = (0..ROWS).map(|r| x[3 * r + i] * x[3 * r + j]).sum();
        }
        a[i][i] += theta;
    }
    let det = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let solve = |b: &[f64]| -> Vec<f64> {
        let column = |j: usize| {
            let mut m = a;
            (0..3).for_each(|i| m[i][j] = b[i]);
            det(&m) / det(&a)
        };
        (0..3).map(column).collect()
    };
    let first: Vec<f64> = solve(w).iter().map(|v| -v).collect();
    let second: Vec<f64> = solve(&solve(w)).iter().map(|v| 2.0 * v).collect();
    // (eʷ·sin w)′ = eʷ(sin + cos), (eʷ·sin w)″ = 2eʷ·cos.
    let expected: f64 = (0..3)
        .map(|i| {
            w[i].exp()
                * (2.0 * w[i].cos() * first[i].powi(2) + (w[i].sin() + w[i].cos()) * second[i])
        })
        .sum();
    close(&out[9], &[expected], 1e-12);
    close(&out[10], &[expected], 1e-12);
}

fn step<'g>(z: Array<'g>, p: &[Array<'g>]) -> Array<'g> {
    (z.matmul(p[0]) + p[1]).tanh()
}

/// An equilibrium layer z = tanh(Wz + Ux + b) in a program, batched, against the unrolled iteration.
#[test]
fn an_equilibrium_layer() {
    let (n, m, batch) = (4, 3, 5);
    let signature = Signature {
        state: &[batch, n],
        parameters: &[&[n, n], &[batch, n]],
        ..Signature::default()
    };
    let step_program = ProgramMap::new(&signature, step).unwrap();
    let equation = ProgramMap::new(&signature, |z, p| z - step(z, p)).unwrap();
    let layer = ImplicitFunction::new(equation, ImplicitOptions::default(), move |p, z| {
        let mut next = vec![0.0; z.len()];
        for _ in 0..200 {
            let at = Point { x: z, args: p };
            step_program
                .value(at, &mut next)
                .map_err(EvalError::model)?;
            z.copy_from_slice(&next);
        }
        Ok(())
    })
    .unwrap();
    let weights: Vec<f64> = normal(51, n * n).iter().map(|w| 0.2 * w).collect();
    let (into, x) = (normal(52, m * n), normal(53, batch * m));
    let run = |unrolled: bool| {
        let g = Graph::new();
        let (x_, w, u) = (g.batch(&[batch, m]), g.input(&[n, n]), g.input(&[m, n]));
        let drive = x_.matmul(u);
        let z = if unrolled {
            (0..60).fold(g.constant(&[batch, n], vec![0.0; batch * n]), |z, _| {
                step(z, &[w, drive])
            })
        } else {
            layer.apply(&[w, drive])
        };
        let slopes = vjp(&[(z, z.cos())], &[x_, w, u]);
        let outputs = [&[z], &slopes[..]].concat();
        let program = Program::<f64>::compile(&g.finish(&outputs), &Options::default()).unwrap();
        let mut out: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
        let mut slices: Vec<&mut [f64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(&[&x, &weights, &into], &mut slices).unwrap();
        out
    };
    for (ours, unrolled) in run(false).iter().zip(&run(true)) {
        close(ours, unrolled, 1e-10);
    }
}

#[test]
fn failures_are_kept() {
    let signature = Signature {
        state: &[],
        parameters: &[&[]],
        ..Signature::default()
    };
    // x² = θ at θ = 0: no derivative; for θ < 0 no root.
    let map = || ProgramMap::new(&signature, |x, p| x * x - p[0]).unwrap();
    let root = ImplicitFunction::new(map(), ImplicitOptions::default(), |p, x| {
        if p[0][0] < 0.0 {
            return Err(EvalError::NonFinite { what: "root" });
        }
        x[0] = p[0][0].sqrt();
        Ok(())
    })
    .unwrap();
    let g = Graph::new();
    let theta = g.input(&[]);
    let x = root.apply(&[theta]);
    let slope = gradient(x, &[theta])[0];
    let program = Program::<f64>::compile(&g.finish(&[x, slope]), &Options::default()).unwrap();
    let run = |theta: f64| {
        let (mut x, mut slope) = ([0.0], [0.0]);
        program.run(&[&[theta]], &mut [&mut x, &mut slope]).unwrap();
        (x[0], slope[0])
    };
    assert_eq!(run(4.0), (2.0, 0.25));
    let (x, slope) = run(0.0);
    assert!(x.to_bits() == 0 && slope.is_nan());
    assert!(matches!(root.failure(), Some(LinalgError::Singular { .. })));
    assert!(root.failure().is_none(), "told once");
    assert!(run(-1.0).0.is_nan());
    assert!(matches!(root.failure(), Some(LinalgError::Operator(_))));

    let wide = ProgramMap::new(&signature, |x, p| x.broadcast(&[2]) - p[0]).unwrap();
    let error = ImplicitFunction::new(wide, ImplicitOptions::default(), |_, _| Ok(()));
    assert!(matches!(
        error,
        Err(NetworkError::Size {
            expected: 1,
            got: 2,
            ..
        })
    ));
    let alone = Signature {
        state: &[],
        ..Signature::default()
    };
    let constant = ProgramMap::new(&alone, |x, _| x - 1.0).unwrap();
    let mut out = [0.0];
    constant
        .value(
            Point {
                x: &[3.0],
                args: &[],
            },
            &mut out,
        )
        .unwrap();
    assert_eq!(out[0].to_bits(), 2.0_f64.to_bits());
    assert!(ImplicitFunction::new(constant, ImplicitOptions::default(), |_, _| Ok(())).is_err());
    let g = Graph::new();
    assert!(root.try_apply(&[g.input(&[2])]).is_err() && root.try_apply(&[]).is_err());
    assert!(ProgramMap::stationary(&alone, |x, _| x.broadcast(&[2])).is_err());
    let error = map().value(
        Point {
            x: &[1.0, 2.0],
            args: &[&[1.0]],
        },
        &mut out,
    );
    assert!(matches!(
        error,
        Err(LinalgError::Shape {
            expected: 1,
            got: 2,
            ..
        })
    ));
    let error = map().value(
        Point {
            x: &[f64::NAN],
            args: &[&[1.0]],
        },
        &mut out,
    );
    assert!(matches!(error, Err(LinalgError::NotFinite { .. })));
    let error = map().value(
        Point {
            x: &[1e200],
            args: &[&[1.0]],
        },
        &mut out,
    );
    assert!(matches!(error, Err(LinalgError::NotFinite { .. })));
}
