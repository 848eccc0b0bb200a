//! The layer of least squares: closed forms, derivatives, experts, refusals.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::f64::consts::PI;
use std::time::Instant;

use ansatz_pde::PdeError;
use ansatz_pde::autodiff::{Graph, Options, Program, gradient};
use ansatz_pde::core::Key;
use ansatz_pde::experts::{
    Backward, Constraint, ConstraintOptions, Equations, Split, Status, differences,
};

/// Solves a dense system by elimination with pivots.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = (i..n)
            .max_by(|p, q| a[*p][i].abs().total_cmp(&a[*q][i].abs()))
            .unwrap();
        a.swap(i, pivot);
        b.swap(i, pivot);
        for r in i + 1..n {
            let f = a[r][i] / a[i][i];
            for c in i..n {
                let v = a[i][c];
                a[r][c] -= f * v;
            }
            b[r] -= f * b[i];
        }
    }
    for i in (0..n).rev() {
        for c in i + 1..n {
            b[i] -= a[i][c] * b[c];
        }
        b[i] /= a[i][i];
    }
    b
}

fn normals(key: Key, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n];
    key.fill_normal(0, &mut out);
    out
}

/// F = Bω − y: the closed form, and the derivative of ‖ω‖² against differences of the closed form.
#[test]
fn linear_equations() {
    let (m, n) = (20, 6);
    let (b, y) = (normals(Key::new(1), m * n), normals(Key::new(2), m));
    let closed = |b: &[f64]| {
        let mut a = vec![vec![0.0; n]; n];
        let mut g = vec![0.0; n];
        for (row, y) in b.chunks(n).zip(&y) {
            for i in 0..n {
                g[i] += row[i] * y;
                for j in 0..n {
                    a[i][j] += row[i] * row[j];
                }
            }
        }
        for i in 0..n {
            a[i][i] += 1e-8;
        }
        solve(a, g)
    };
    for backward in [Backward::Full, Backward::GaussNewton] {
        let options = ConstraintOptions {
            basis: n,
            tolerance: 1e-12,
            backward,
            ..ConstraintOptions::default()
        };
        let linear = Equations::new([m, 1, 1], |u, y| u[0] - y[0]);
        let layer = Constraint::new(vec![linear], &options).unwrap();
        let g = Graph::new();
        let (basis, data) = (g.input(&[1, m, n]), g.input(&[1, m, 1]));
        let omega = layer.apply(&[basis, data]).unwrap();
        let slope = gradient(omega.square().sum(), &[basis])[0];
        let program =
            Program::<f64>::compile(&g.finish(&[omega, slope]), &Options::default()).unwrap();
        let (mut omega, mut slope) = (vec![0.0; n], vec![0.0; m * n]);
        program
            .run(&[&b, &y], &mut [&mut omega, &mut slope])
            .unwrap();
        let exact = closed(&b);
        let off = omega
            .iter()
            .zip(&exact)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(off < 1e-12, "{off}");
        let mut worst: f64 = 0.0;
        for i in 0..m * n {
            let norm = |h: f64| {
                let mut b = b.clone();
                b[i] += h;
                closed(&b).iter().map(|w| w * w).sum::<f64>()
            };
            let difference = (norm(1e-5) - norm(-1e-5)) / 2e-5;
            worst = worst.max((difference - slope[i]).abs());
        }
        println!("{backward:?}: ω to {off:.1e}, gradient to {worst:.1e}");
        assert!(worst < 1e-6);
        assert_eq!(layer.reports()[0].status, Status::Converged);
    }
}

/// Two experts, a residual that is not linear and not zero at the optimum: derivatives in basis and data against
/// differences of solves.
#[test]
fn derivatives_with_curvature() {
    let (k, m, n) = (2, 12, 3);
    let (b, c) = (
        normals(Key::new(3), k * m * n),
        normals(Key::new(4), k * m * n),
    );
    let y = normals(Key::new(5), k * m * 2);
    let options = |backward| ConstraintOptions {
        experts: k,
        basis: n,
        ridge: 0.1,
        tolerance: 1e-12,
        iterations: 200,
        start: 0.1,
        backward,
        ..ConstraintOptions::default()
    };
    let equations = || {
        let own = Equations::new([m, 2, 2], |u, y| u[0] + u[1] * u[0].sin() * y[1] - y[0]);
        vec![own.weighted(0.7)]
    };
    let layer = Constraint::new(equations(), &options(Backward::Full)).unwrap();
    let weigh = |w: &[f64]| {
        w.iter()
            .zip(1..)
            .map(|(w, i)| w * f64::from(i))
            .sum::<f64>()
    };
    let value = |b: &[f64], y: &[f64]| weigh(&layer.solve(&[b, &c, y]).unwrap().0);
    let slopes = |layer: &Constraint| {
        let g = Graph::new();
        let args = [
            g.input(&[k, m, n]),
            g.input(&[k, m, n]),
            g.input(&[k, m, 2]),
        ];
        let omega = layer.apply(&args).unwrap();
        let factors = g.constant(&[k, n], (1..=k * n).map(|i| i as f64).collect());
        let slopes = gradient((omega * factors).sum(), &[args[0], args[2]]);
        let program = Program::<f64>::compile(&g.finish(&slopes), &Options::default()).unwrap();
        let (mut by_b, mut by_y) = (vec![0.0; k * m * n], vec![0.0; k * m * 2]);
        program
            .run(&[&b, &c, &y], &mut [&mut by_b, &mut by_y])
            .unwrap();
        (by_b, by_y)
    };
    let (by_b, by_y) = slopes(&layer);
    let moved = |x: &[f64], i: usize, h: f64| {
        let mut x = x.to_vec();
        x[i] += h;
        x
    };
    let h = 1e-5;
    for i in 0..b.len() {
        let d = (value(&moved(&b, i, h), &y) - value(&moved(&b, i, -h), &y)) / (2.0 * h);
        assert!(
            (d - by_b[i]).abs() < 1e-6 * (1.0 + d.abs()),
            "{i}: {d} {}",
            by_b[i]
        );
    }
    for i in 0..y.len() {
        let d = (value(&b, &moved(&y, i, h)) - value(&b, &moved(&y, i, -h))) / (2.0 * h);
        assert!(
            (d - by_y[i]).abs() < 1e-6 * (1.0 + d.abs()),
            "{i}: {d} {}",
            by_y[i]
        );
    }
    // Without curvature the matrix is another one.
    let flagged = Constraint::new(equations(), &options(Backward::GaussNewton)).unwrap();
    let (other, _) = slopes(&flagged);
    assert!(
        other
            .iter()
            .zip(&by_b)
            .any(|(a, b)| (a - b).abs() > 1e-3 * b.abs())
    );
}

#[test]
fn experts_with_the_same_rows_agree() {
    let (m, n) = (15, 4);
    let (b, y) = (normals(Key::new(6), m * n), normals(Key::new(7), m));
    let solve = |k: usize| {
        let options = ConstraintOptions {
            experts: k,
            basis: n,
            tolerance: 1e-10,
            // The residual is far from zero, so that the rate is linear.
            iterations: 500,
            ..ConstraintOptions::default()
        };
        let cubic = Equations::new([m, 1, 1], |u, y| u[0] + u[0].powi(3) - y[0]);
        let layer = Constraint::new(vec![cubic], &options).unwrap();
        layer.solve(&[&b.repeat(k), &y.repeat(k)]).unwrap()
    };
    let (one, report) = solve(1);
    assert_eq!(report[0].status, Status::Converged);
    for own in solve(5).0.chunks(n) {
        let off = own.iter().zip(&one).map(|(a, b)| (a - b).abs());
        let off = off.fold(0.0, f64::max);
        println!("one expert and five: {off:.1e}");
        assert!(off < 1e-10);
    }
}

/// −u″ + u³ = f on [0, 1] with u = Σ sin(jπx)/j³ of 12 sines: exact for one expert and for three, and faster by three at 3000
/// points.
#[test]
fn manufactured_cubic() {
    let (n, points) = (12, 3000);
    let sine = |j: usize, x: f64| ((j + 1) as f64 * PI * x).sin();
    let exact: Vec<f64> = (1..=n).map(|j| (j as f64).powi(-3)).collect();
    let x: Vec<f64> = (0..points)
        .map(|i| (f64::from(i) + 0.5) / f64::from(points))
        .collect();
    let values: Vec<f64> = x.iter().flat_map(|x| (0..n).map(|j| sine(j, *x))).collect();
    let second: Vec<f64> = x
        .iter()
        .flat_map(|x| (0..n).map(|j| -((j + 1) as f64 * PI).powi(2) * sine(j, *x)))
        .collect();
    let f: Vec<f64> = values
        .chunks(n)
        .zip(second.chunks(n))
        .map(|(v, s)| {
            let at = |row: &[f64]| row.iter().zip(&exact).map(|(a, b)| a * b).sum::<f64>();
            at(v).powi(3) - at(s)
        })
        .collect();
    let mut seconds = Vec::new();
    for k in [1, 3] {
        let options = ConstraintOptions {
            experts: k,
            basis: n,
            ridge: 0.0,
            tolerance: 1e-12,
            iterations: 30,
            start: 0.0,
            ..ConstraintOptions::default()
        };
        let m = points as usize / k;
        let cubic = Equations::new([m, 2, 1], |u, f| u[0].powi(3) - u[1] - f[0]);
        // Each part has values at its ends: without them solutions of the equation on it have two parameters.
        let ends = Equations::new([2, 1, 1], |u, v| u[0] - v[0]);
        let layer = Constraint::new(vec![cubic, ends], &options).unwrap();
        let places = (0..k).flat_map(|e| [e, e + 1]).map(|e| e as f64 / k as f64);
        let (mut at_ends, mut given) = (Vec::new(), Vec::new());
        for x in places {
            let row: Vec<f64> = (0..n).map(|j| sine(j, x)).collect();
            given.push(row.iter().zip(&exact).map(|(a, b)| a * b).sum());
            at_ends.extend(row);
        }
        let args: [&[f64]; 5] = [&values, &second, &f, &at_ends, &given];
        let mut best = f64::INFINITY;
        let (mut steps, mut worst) = (0, 0.0_f64);
        for _ in 0..20 {
            let start = Instant::now();
            let (omega, reports) = layer.solve(&args).unwrap();
            best = best.min(start.elapsed().as_secs_f64());
            steps = reports.iter().map(|r| r.iterations).max().unwrap();
            for (e, (own, report)) in omega.chunks(n).zip(&reports).enumerate() {
                assert!(report.iterations <= 30, "{report:?}");
                // The mean square residual, and the field on the expert's part: twelve sines are close to dependent on a
                // third of the interval, so that their weights are not to be had there.
                assert!((2.0 * report.loss / m as f64).sqrt() < 1e-8, "{report:?}");
                let rows = values.chunks(n).skip(e * m).take(m);
                let off = rows.map(|row| {
                    let parts = row.iter().zip(own).zip(&exact);
                    parts.map(|((v, w), e)| v * (w - e)).sum::<f64>().abs()
                });
                worst = off.fold(worst, f64::max);
            }
        }
        if k == 1 {
            assert!(worst < 1e-8, "{worst}");
        }
        println!("{k} experts: field to {worst:.1e}");
        println!(
            "{k} experts: {steps} iterations, {:.3} ms an iteration",
            1e3 * best / steps as f64
        );
        seconds.push(best / steps as f64);
    }
    println!(
        "three experts take {:.2} of the time of one",
        seconds[1] / seconds[0]
    );
}

#[test]
fn splits_and_assembly() {
    let split = Split::new(&[4, 6], &[2, 3]).unwrap();
    assert_eq!(split.experts(), 6);
    let mut all: Vec<usize> = (0..6).flat_map(|e| split.cells(e)).collect();
    assert_eq!(split.cells(4), [14, 15, 20, 21]);
    all.sort_unstable();
    assert_eq!(all, (0..24).collect::<Vec<_>>());
    let drawn = split.sample(3, Key::new(1)).unwrap();
    for (e, own) in drawn.chunks(3).enumerate() {
        assert!(own.iter().all(|p| split.expert(*p) == e));
        assert!(own[0] != own[1] && own[1] != own[2] && own[0] != own[2]);
    }
    // A field that says which expert it is from.
    let g = Graph::new();
    let (basis, weights) = (g.input(&[24, 2]), g.input(&[6, 2]));
    let field = split.assemble(basis, weights).unwrap();
    let program = Program::<f64>::compile(&g.finish(&[field]), &Options::default()).unwrap();
    let basis: Vec<f64> = (0..24).flat_map(|i| [1.0, f64::from(i)]).collect();
    let weights: Vec<f64> = (0..6).flat_map(|e| [100.0 * f64::from(e), 1.0]).collect();
    let mut field = vec![0.0; 24];
    program.run(&[&basis, &weights], &mut [&mut field]).unwrap();
    for (i, v) in field.iter().enumerate() {
        assert!((v - (100.0 * split.expert(i) as f64 + i as f64)).abs() < 1e-12);
    }
}

/// Exact for parabolas everywhere; second order for sines.
#[test]
fn differences_of_second_order() {
    let errors = |n: usize, f: &dyn Fn(f64) -> f64, d: [&dyn Fn(f64) -> f64; 2]| {
        let h = 1.0 / (n - 1) as f64;
        let g = Graph::new();
        let x = g.input(&[2, n, 1]);
        let all = [1, 2].map(|k| differences(x, (1, h), k).unwrap());
        let program = Program::<f64>::compile(&g.finish(&all), &Options::default()).unwrap();
        let values: Vec<f64> = (0..2 * n).map(|i| f((i % n) as f64 * h)).collect();
        let mut out = [vec![0.0; 2 * n], vec![0.0; 2 * n]];
        let [a, b] = &mut out;
        program.run(&[&values], &mut [a, b]).unwrap();
        [0, 1].map(|k| {
            let off = out[k].iter().enumerate();
            off.map(|(i, v)| (v - d[k]((i % n) as f64 * h)).abs())
                .fold(0.0, f64::max)
        })
    };
    let parabola = errors(
        9,
        &|x| 1.0 + x - 3.0 * x * x,
        [&|x| 1.0 - 6.0 * x, &|_| -6.0],
    );
    assert!(parabola.iter().all(|e| *e < 1e-11), "{parabola:?}");
    let sine = |n| {
        errors(
            n,
            &|x| (2.0 * x).sin(),
            [&|x| 2.0 * (2.0 * x).cos(), &|x| -4.0 * (2.0 * x).sin()],
        )
    };
    let (coarse, fine) = (sine(41), sine(81));
    for k in 0..2 {
        let order = (coarse[k] / fine[k]).log2();
        assert!((order - 2.0).abs() < 0.15, "{order}");
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let (k, m, n) = (5, 30, 4);
    let (b, y) = (normals(Key::new(8), k * m * n), normals(Key::new(9), k * m));
    let run = || {
        let options = ConstraintOptions {
            experts: k,
            basis: n,
            ..ConstraintOptions::default()
        };
        let cubic = Equations::new([m, 1, 1], |u, y| u[0] + u[0].powi(3) - y[0]);
        Constraint::new(vec![cubic], &options)
            .unwrap()
            .solve(&[&b, &y])
            .unwrap()
    };
    threads::alike(run);
}

#[test]
fn refusals() {
    let linear = || Equations::new([3, 1, 1], |u, y| u[0] - y[0]);
    let make = |basis: usize, ridge: f64| {
        let options = ConstraintOptions {
            basis,
            ridge,
            ..ConstraintOptions::default()
        };
        Constraint::new(vec![linear()], &options)
    };
    let few = make(4, 0.0);
    assert!(
        matches!(
            few,
            Err(PdeError::Underdetermined {
                rows: 3,
                unknowns: 4
            })
        ),
        "{few:?}"
    );
    assert!(make(4, 1e-4).is_ok());
    assert!(matches!(
        make(2, -1.0),
        Err(PdeError::Option { name: "ridge", .. })
    ));
    assert!(matches!(
        make(0, 1.0),
        Err(PdeError::Option { name: "basis", .. })
    ));
    let layer = make(2, 0.0).unwrap();
    let bad = layer.solve(&[&[1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0], &[1.0; 3]]);
    assert!(
        matches!(bad, Err(PdeError::NotFinite { index: 2, .. })),
        "{bad:?}"
    );
    assert!(matches!(
        layer.solve(&[&[1.0; 6]]),
        Err(PdeError::Width { .. })
    ));
    // Inside of a program: NaN, with its reason.
    let g = Graph::new();
    let args = [g.input(&[1, 3, 2]), g.input(&[1, 3, 1])];
    let omega = layer.apply(&args).unwrap();
    let program = Program::<f64>::compile(&g.finish(&[omega]), &Options::default()).unwrap();
    let mut omega = [0.0; 2];
    program
        .run(&[&[f64::NAN; 6], &[1.0; 3]], &mut [&mut omega])
        .unwrap();
    assert!(omega[0].is_nan() && matches!(layer.failure(), Some(PdeError::NotFinite { .. })));
    assert!(layer.failure().is_none());
    assert!(matches!(
        layer.apply(&args[..1]),
        Err(PdeError::Width { .. })
    ));
    let split = Split::new(&[4, 7], &[2, 3]);
    assert!(matches!(
        split,
        Err(PdeError::IndivisibleSplit {
            axis: 1,
            points: 7,
            parts: 3
        })
    ));
    assert!(
        Split::new(&[4, 6], &[2, 3])
            .unwrap()
            .sample(5, Key::new(0))
            .is_err()
    );
}
