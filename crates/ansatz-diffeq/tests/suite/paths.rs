//! Paths through data, signatures, and equations driven by them.

use ansatz_core::{ControlField, EvalError, Key, Report, VectorField, VjpControlField, VjpField};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::cde::{self, Cde, Stops};
use ansatz_diffeq::path::{Fill, Inside, Path, PathError, Series};
use ansatz_diffeq::signature::{Signature, linear_flow, lyndon_count, lyndon_words, windows};
use ansatz_diffeq::{Control, Options, RungeKutta, StepError, solve, tableau};

const HOLE: f64 = f64::NAN;

fn example() -> Series {
    Series::new(
        vec![0.0, 1.0, 1.5, 3.0, 4.0],
        vec![1.0, 2.0, 0.5, 0.0, 1.0],
        1,
        1,
    )
    .unwrap()
}

fn at(path: &Path, t: f64) -> (f64, f64) {
    let (mut x, mut dx) = ([0.0], [0.0]);
    path.value(t, &mut x);
    path.derivative(t, &mut dx);
    (x[0], dx[0])
}

/// Values and derivatives as torchcde has them (12 digits).
#[test]
fn cubic_paths_agree_with_printed_values() {
    let hermite = Path::hermite(&example()).unwrap();
    let natural = Path::natural(&example()).unwrap();
    for (path, rows) in [
        (
            &hermite,
            [
                (0.5, 1.5, 1.0),
                (1.25, 1.5, -4.0),
                (2.0, -0.259259259259, -0.333333333333),
                (3.5, 0.333333333333, 1.333333333333),
            ],
        ),
        (
            &natural,
            [
                (0.5, 2.052884615385, 1.368589743590),
                (1.25, 1.308894230769, -3.290064102564),
                (2.0, -0.380341880342, -0.769230769231),
                (3.5, 0.495192307692, 1.003205128205),
            ],
        ),
    ] {
        for (t, x, dx) in rows {
            let (got, slope) = at(path, t);
            assert!((got - x).abs() < 1e-12, "{t}: {got} for {x}");
            assert!((slope - dx).abs() < 1e-12, "{t}: {slope} for {dx}");
        }
        assert!(path.jumps().is_empty());
    }
}

/// All paths go through the data; derivatives are continuous where they say so, and Hermite paths
/// do not look beyond the next knot.
#[test]
fn paths_keep_their_promises() {
    let data = example();
    let linear = Path::linear(&data).unwrap();
    assert_eq!(linear.jumps(), [1.0, 1.5, 3.0]);
    assert_eq!((linear.width(), linear.segments()), (1, 4));
    for path in [
        &linear,
        &Path::hermite(&data).unwrap(),
        &Path::natural(&data).unwrap(),
    ] {
        for (i, t) in data.times().iter().enumerate() {
            assert!((at(path, *t).0 - data.row(i)[0]).abs() < 1e-14);
        }
        for (i, t) in data.times()[1..4].iter().enumerate() {
            let (mut left, mut right) = ([0.0], [0.0]);
            path.value_in(i, *t, &mut left);
            assert!((left[0] - data.row(i + 1)[0]).abs() < 1e-14);
            path.derivative_in(i, *t, &mut left);
            path.derivative_in(i + 1, *t, &mut right);
            let smooth = (left[0] - right[0]).abs() < 1e-13;
            assert_eq!(smooth, path.jumps().is_empty(), "at {t}");
        }
        assert_eq!(path.segment(1.5), 2);
        assert_eq!((path.segment(-1.0), path.segment(9.0)), (0, 3));
    }
    let changed = Series::new(data.times().to_vec(), vec![1.0, 2.0, 0.5, 7.0, -9.0], 1, 1).unwrap();
    let (a, b) = (
        Path::hermite(&data).unwrap(),
        Path::hermite(&changed).unwrap(),
    );
    assert_eq!(at(&a, 1.4), at(&b, 1.4));
    let (a, b) = (
        Path::natural(&data).unwrap(),
        Path::natural(&changed).unwrap(),
    );
    assert!((at(&a, 0.5).0 - at(&b, 0.5).0).abs() > 1e-3);
}

#[test]
fn holes_are_filled_by_rule() {
    let times = vec![0.0, 1.0, 3.0, 4.0, 6.0];
    let holes = vec![HOLE, 5.0, 2.0, HOLE, HOLE, HOLE, 8.0, 7.0, HOLE, HOLE];
    let series = || Series::new(times.clone(), holes.clone(), 1, 2).unwrap();
    let column = |s: &Series, c: usize| (0..5).map(|i| s.row(i)[c]).collect::<Vec<_>>();
    let linear = series().fill(Fill::default()).unwrap();
    assert_eq!(column(&linear, 0), [2.0, 2.0, 6.0, 8.0, 8.0]);
    assert_eq!(column(&linear, 1), [5.0, 5.5, 6.5, 7.0, 7.0]);
    let rule = Fill {
        inside: Inside::Forward,
        leading: Some(0.0),
    };
    let forward = series().fill(rule).unwrap();
    assert_eq!(column(&forward, 0), [0.0, 2.0, 2.0, 8.0, 8.0]);
    assert_eq!(column(&forward, 1), [5.0, 5.0, 5.0, 7.0, 7.0]);

    let counted = series().with_counts().fill(rule).unwrap().with_time();
    assert_eq!(counted.channels(), 5);
    assert_eq!(counted.row(3), [4.0, 8.0, 7.0, 2.0, 2.0]);
    // Two samples of one channel are filled alike, and get a time each.
    let two = Series::new(times.clone(), holes.clone(), 2, 1).unwrap();
    let two = two.with_counts().fill(rule).unwrap().with_time();
    assert_eq!((two.samples(), two.channels()), (2, 3));
    assert_eq!(two.row(3), [4.0, 8.0, 2.0, 4.0, 7.0, 2.0]);

    let rectilinear = forward.rectilinear();
    assert_eq!(rectilinear.times().len(), 9);
    assert_eq!(rectilinear.row(0), [0.0, 0.0, 5.0]);
    assert_eq!(rectilinear.row(1), [1.0, 0.0, 5.0]);
    assert_eq!(rectilinear.row(2), [1.0, 2.0, 5.0]);
    assert_eq!(rectilinear.row(8), [6.0, 8.0, 7.0]);
    assert_eq!(Path::linear(&rectilinear).unwrap().jumps().len(), 7);
}

#[test]
fn bad_series() {
    let new = |t: &[f64], x: &[f64], c| Series::new(t.to_vec(), x.to_vec(), 1, c);
    assert_eq!(new(&[0.0], &[1.0], 1), Err(PathError::Knots { got: 1 }));
    let time = |row, time| Err(PathError::Times { row, time });
    assert_eq!(new(&[0.0, 0.0], &[1.0, 2.0], 1), time(1, 0.0));
    assert_eq!(new(&[0.0, 1.0, 0.5], &[1.0; 3], 1), time(2, 0.5));
    assert!(new(&[0.0, HOLE], &[1.0; 2], 1).is_err());
    assert_eq!(
        new(&[0.0, 1.0], &[1.0; 3], 2),
        Err(PathError::Length {
            expected: 4,
            got: 3
        })
    );
    assert!(new(&[0.0, 1.0], &[], 0).is_err());
    let infinite = new(&[0.0, 1.0], &[1.0, f64::INFINITY], 1);
    assert_eq!(infinite, Err(PathError::Infinite { row: 1, channel: 0 }));
    let empty = new(&[0.0, 1.0], &[1.0, HOLE, 2.0, HOLE], 2).unwrap();
    assert_eq!(
        Path::hermite(&empty),
        Err(PathError::Missing { row: 0, channel: 1 })
    );
    assert_eq!(
        empty.fill(Fill::default()),
        Err(PathError::Unobserved { channel: 1 })
    );
    for (c, depth) in [(0, 2), (2, 0), (10, 9)] {
        assert!(matches!(
            Signature::new(c, depth),
            Err(PathError::Option { .. })
        ));
    }
    assert!(Signature::of_points(&[0.0, 1.0], 2, 2).is_err());
    assert!(windows(&example(), 0.0, 2).is_err());
    let log = Signature::new(2, 2).unwrap().log();
    assert!(linear_flow(&log, &[0.0; 7], &mut [0.0; 2]).is_err());
}

const POINTS: [f64; 8] = [0.0, 0.0, 1.0, 0.5, 1.5, 2.0, 0.5, 2.5];

/// Exact rational values, worked out by hand from Chen's relation.
#[test]
fn signature_of_three_pieces() {
    let s = Signature::of_points(&POINTS, 2, 4).unwrap();
    for (word, want) in [
        (&[0][..], 0.5),
        (&[1], 2.5),
        (&[0, 0], 1.0 / 8.0),
        (&[0, 1], 21.0 / 8.0),
        (&[1, 0], -11.0 / 8.0),
        (&[1, 1], 25.0 / 8.0),
        (&[0, 0, 1], 37.0 / 24.0),
        (&[0, 1, 1], 47.0 / 16.0),
    ] {
        let got = s.tensor().coefficient(word);
        assert!((got - want).abs() < 1e-14, "{word:?}: {got} for {want}");
    }
    let three = Signature::of_points(&POINTS, 2, 3).unwrap();
    let want = [0.5, 2.5, 2.0, 15.0 / 16.0, -1.0 / 12.0];
    for (got, want) in three.log().lyndon().iter().zip(want) {
        assert!((got - want).abs() < 1e-14, "{got} for {want}");
    }
}

#[test]
fn lyndon_words_are_counted() {
    for (c, counts) in [
        (2, [2, 3, 5, 8, 14]),
        (3, [3, 6, 14, 32, 80]),
        (5, [5, 15, 55, 205, 829]),
    ] {
        for (depth, want) in (1..).zip(counts) {
            assert_eq!(lyndon_count(c, depth), want);
            let words = lyndon_words(c, depth);
            assert_eq!(words.len(), want);
            for w in &words {
                let before_rotations = (1..w.len()).all(|k| {
                    let rotated = [&w[k..], &w[..k]].concat();
                    *w < rotated
                });
                assert!(before_rotations, "{w:?}");
            }
        }
    }
    assert!(lyndon_words(0, 3).is_empty() && lyndon_count(2, 0) == 0);
}

fn random_points(n: usize, c: usize) -> Vec<f64> {
    let mut x = vec![0.0; n * c];
    Key::new(2).fill_normal(0, &mut x);
    x
}

/// Chen's relation, shuffle products, and what reversal and reparametrisation do.
#[test]
fn signatures_obey_their_algebra() {
    let (c, depth) = (3, 5);
    let points = random_points(12, c);
    let whole = Signature::of_points(&points, c, depth).unwrap();
    let mut joined = Signature::of_points(&points[..6 * c], c, depth).unwrap();
    joined.join(&Signature::of_points(&points[5 * c..], c, depth).unwrap());
    let size = |k: usize| {
        let level = whole.tensor().level(k);
        level.iter().fold(1.0, |m: f64, x| m.max(x.abs()))
    };
    for k in 1..=depth {
        let (a, b) = (whole.tensor().level(k), joined.tensor().level(k));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-13 * size(k), "level {k}: {a} {b}");
        }
    }
    // S_u·S_v = Σ of the shuffles of u and v.
    let s = |w: &[usize]| whole.tensor().coefficient(w);
    let product = s(&[0, 2]) * s(&[1]);
    let shuffles = s(&[0, 2, 1]) + s(&[0, 1, 2]) + s(&[1, 0, 2]);
    assert!((product - shuffles).abs() < 1e-12 * size(3));
    // There and back is nothing.
    let back: Vec<f64> = points.chunks(c).rev().flatten().copied().collect();
    joined.reset();
    joined.join(&whole);
    joined.join(&Signature::of_points(&back, c, depth).unwrap());
    let rest = joined
        .tensor()
        .values()
        .iter()
        .fold(0.0, |m: f64, x| m.max(x.abs()));
    assert!(rest < 1e-12 * size(depth), "{rest}");
    // A log-signature is a Lie element: no symmetric part on level 2.
    let log = whole.log();
    for i in 0..c {
        for j in 0..c {
            let sum = log.coefficient(&[i, j]) + log.coefficient(&[j, i]);
            assert!(sum.abs() < 1e-12);
        }
    }
}

const TURN_AND_SHEAR: [f64; 8] = [0.0, 0.5, -0.5, 0.0, 0.2, 0.3, 0.0, -0.1];

/// The exact end of the linear equation on the three pieces, and the error of one window by depth.
#[test]
fn log_ode_of_a_linear_equation() {
    let exact = [1.662_313_849_480_209_9, 0.401_810_909_506_300_2];
    // Piece by piece depth 1 is exact.
    let mut z = [1.0, 0.5];
    for k in 0..3 {
        let piece = Signature::of_points(&POINTS[2 * k..2 * k + 4], 2, 1).unwrap();
        linear_flow(&piece.log(), &TURN_AND_SHEAR, &mut z).unwrap();
    }
    assert!(
        (z[0] - exact[0]).abs() < 1e-14 && (z[1] - exact[1]).abs() < 1e-14,
        "{z:?}"
    );
    for (depth, want) in (1..).zip([3.83e-1, 3.42e-1, 7.99e-2, 2.75e-2, 5.87e-3]) {
        let s = Signature::of_points(&POINTS, 2, depth).unwrap();
        let mut z = [1.0, 0.5];
        linear_flow(&s.log(), &TURN_AND_SHEAR, &mut z).unwrap();
        let error = (z[0] - exact[0]).abs().max((z[1] - exact[1]).abs());
        println!("depth {depth}: error {error:.3e}");
        assert!(
            (error - want).abs() < 0.005 * want,
            "depth {depth}: {error}"
        );
    }
}

/// Windows: sums of log-signatures, ends between observations, many samples at once.
#[test]
fn windows_of_log_signatures() {
    let (n, c, depth) = (11, 2, 3);
    let times: Vec<f64> = (0..n)
        .map(|i| 0.3 * i as f64 + 0.02 * (i * i) as f64)
        .collect();
    let one = Series::new(times.clone(), random_points(n, c), 1, c).unwrap();
    let other = Series::new(
        times.clone(),
        random_points(2 * n, c)[n * c..].to_vec(),
        1,
        c,
    )
    .unwrap();
    let end = times[n - 1];
    let w = windows(&one, 0.7, depth).unwrap();
    assert_eq!(w.channels(), lyndon_count(c, depth));
    assert_eq!(w.times().len(), (end / 0.7).ceil() as usize + 1);
    assert_eq!(w.row(0), [one.row(0), &[0.0; 3]].concat());
    // Level 1 telescopes to the data.
    for (a, b) in w.row(w.times().len() - 1)[..c].iter().zip(one.row(n - 1)) {
        assert!((a - b).abs() < 1e-13);
    }
    // The second window, by hand.
    let path = Path::linear(&one).unwrap();
    let mut points = Vec::new();
    for t in std::iter::once(0.7)
        .chain(times.iter().copied().filter(|t| *t > 0.7 && *t < 1.4))
        .chain([1.4])
    {
        let mut x = [0.0; 2];
        path.value(t, &mut x);
        points.extend(x);
    }
    let want = Signature::of_points(&points, c, depth)
        .unwrap()
        .log()
        .lyndon();
    for (k, want) in want.iter().enumerate() {
        assert!((w.row(2)[k] - w.row(1)[k] - want).abs() < 1e-13);
    }
    // One window over all, and two samples.
    let all = windows(&one, 100.0, depth).unwrap();
    assert_eq!(all.times(), [0.0, 1.0]);
    let rows = (0..n).flat_map(|i| [one.row(i), other.row(i)].concat());
    let both = Series::new(times, rows.collect(), 2, c).unwrap();
    let both = windows(&both, 0.7, depth).unwrap();
    let other = windows(&other, 0.7, depth).unwrap();
    for i in 0..w.times().len() {
        assert_eq!(both.row(i), [w.row(i), other.row(i)].concat());
    }
    // A length that fits exactly leaves no empty window.
    let regular = Series::new(
        (0..11).map(|i| f64::from(i) * 0.1).collect(),
        random_points(11, 2),
        1,
        2,
    );
    assert_eq!(windows(&regular.unwrap(), 0.2, 2).unwrap().times().len(), 6);
}

/// The linear equation of [`log_ode_of_a_linear_equation`].
#[expect(clippy::unnecessary_wraps, reason = "the signature of a field")]
fn linear_field(_: f64, z: &[f64; 2], x: &[f64; 2], out: &mut [f64; 2]) -> Result<(), EvalError> {
    let a = |i: usize| TURN_AND_SHEAR[i] * x[0] + TURN_AND_SHEAR[4 + i] * x[1];
    *out = [a(0) * z[0] + a(1) * z[1], a(2) * z[0] + a(3) * z[1]];
    Ok(())
}

const LINEAR_END: [f64; 2] = [1.662_313_849_480_209_9, 0.401_810_909_506_300_2];

fn driven(times: &[f64], stops: Stops, options: &Options) -> ([f64; 2], Report) {
    let series = Series::new(times.to_vec(), POINTS.to_vec(), 1, 2).unwrap();
    let path = Path::linear(&series).unwrap();
    let equation = Cde::new(&linear_field, &path, &[0.0; 2]).unwrap();
    let mut z = [1.0, 0.5];
    let report = cde::solve(&equation, path.span(), &mut z, stops, options, &mut ()).unwrap();
    (z, report)
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).abs().max((a[1] - b[1]).abs())
}

/// The exact end, however fast the path is run through.
#[test]
fn controlled_equations_do_not_see_the_speed() {
    let options = Options::tolerance(1e-11, 1e-11);
    for times in [[0.0, 1.0, 2.0, 3.0], [-2.0, -1.9, 5.0, 5.3]] {
        let (z, report) = driven(&times, Stops::AtJumps, &options);
        println!(
            "error {:.1e} in {} steps",
            distance(z, LINEAR_END),
            report.steps
        );
        assert!(distance(z, LINEAR_END) < 1e-8);
    }
    // Smooth paths: X(t) and X(t²/2 + t) on [0, 1.5].
    let ends = [|t: f64| (t, 1.0), |t: f64| (0.5 * t * t + t, t + 1.0)].map(|clock| {
        let field = |t: f64, z: &[f64; 2], out: &mut [f64; 2]| {
            let (s, rate) = clock(t);
            let x = [(2.0 * s).cos() * rate, (1.0 - s) * rate];
            linear_field(t, z, &x, out)
        };
        let end = if clock(1.0).0 > 1.0 { 1.0 } else { 1.5 };
        let mut z = [1.0, 0.5];
        solve(&field, (0.0, end), &mut z, &options, &mut ()).unwrap();
        z
    });
    assert!(distance(ends[0], ends[1]) < 1e-8);
}

/// Steps end at the jumps and see the derivative of their own side: tables keep their order.
#[test]
fn jumps_do_not_cost_the_order() {
    let times = [0.0, 0.3, 1.1, 2.0];
    for (table, order) in [(&tableau::RK4, 4.0), (&tableau::BOGACKI_SHAMPINE, 3.0)] {
        let errors = [4, 8, 16].map(|n| {
            let (z, report) = driven(&times, Stops::AtJumps, &Options::fixed(table, n));
            assert_eq!(report.steps, 3 * n);
            distance(z, LINEAR_END)
        });
        let slope = (errors[1] / errors[2]).log2();
        assert!((slope - order).abs() < 0.3, "{}: {errors:?}", table.name);
    }
    // And back again, to the start; a start at a jump looks to the other side.
    let series = Series::new(times.to_vec(), POINTS.to_vec(), 1, 2).unwrap();
    let path = Path::linear(&series).unwrap();
    let equation = Cde::new(&linear_field, &path, &[0.0; 2]).unwrap();
    let options = Options::tolerance(1e-11, 1e-11);
    let mut z = [1.0, 0.5];
    let mut run = |from, to| {
        cde::solve(
            &equation,
            (from, to),
            &mut z,
            Stops::AtJumps,
            &options,
            &mut (),
        )
        .unwrap()
    };
    run(0.0, 1.1);
    run(1.1, 2.0);
    run(2.0, 1.1);
    run(1.1, 0.0);
    assert!(distance(z, [1.0, 0.5]) < 1e-8, "{z:?}");
}

/// Smooth paths may be stepped over or hit at knots; outputs agree with single solves.
#[test]
fn smooth_paths_and_outputs() {
    let times = vec![0.0, 0.3, 1.1, 2.0];
    let series = Series::new(times.clone(), POINTS.to_vec(), 1, 2).unwrap();
    let path = Path::hermite(&series).unwrap();
    let equation = Cde::new(&linear_field, &path, &[0.0; 2]).unwrap();
    let tight = Options::tolerance(1e-11, 1e-11);
    let end = |stops, options: &Options| {
        let mut z = [1.0, 0.5];
        let report = cde::solve(&equation, (0.0, 2.0), &mut z, stops, options, &mut ()).unwrap();
        (z, report)
    };
    let (exact, _) = end(Stops::AtKnots, &tight);
    assert!(distance(exact, end(Stops::AtJumps, &tight).0) < 1e-8);
    let (one_each, report) = end(Stops::AtKnots, &Options::fixed(&tableau::RK4, 1));
    assert!(report.steps == 3 && distance(exact, one_each) < 0.2);
    let mut z = [1.0, 0.5];
    solve(&equation, (0.0, 2.0), &mut z, &tight, &mut ()).unwrap();
    assert!(distance(z, exact) < 1e-8, "as any vector field");

    let at = [0.0, 0.3, 0.7, 2.0];
    for path in [&path, &Path::linear(&series).unwrap()] {
        let equation = Cde::new(&linear_field, path, &[0.0; 2]).unwrap();
        let mut out = [[0.0; 2]; 4];
        let z0 = [1.0, 0.5];
        cde::solve_at(&equation, &at, &z0, Stops::AtJumps, &tight, &mut out).unwrap();
        for (t, got) in at.iter().zip(out) {
            let mut z = z0;
            cde::solve(
                &equation,
                (0.0, *t),
                &mut z,
                Stops::AtJumps,
                &tight,
                &mut (),
            )
            .unwrap();
            assert!(distance(z, got) < 1e-8, "{t}: {z:?} {got:?}");
        }
        let short = cde::solve_at(&equation, &at, &z0, Stops::AtJumps, &tight, &mut out[..2]);
        assert!(matches!(short, Err(StepError::Count { .. })));
    }
    let wide = Cde::new(&linear_field, &path, &[0.0; 3]);
    assert!(matches!(
        wide.err(),
        Some(StepError::Count {
            expected: 2,
            got: 3,
            ..
        })
    ));
}

/// A long series through windows of log-signatures: the field of a linear equation on Lyndon words, one step a window.
#[test]
fn log_ode_over_windows() {
    // Depth 2: dz = Σ Aᵢz dLⁱ + [A₁, A₀]z dL⁰¹ (the first letter acts first).
    let a = |i: usize| [0, 1, 2, 3].map(|k| TURN_AND_SHEAR[4 * i + k]);
    let product = |p: [f64; 4], q: [f64; 4]| {
        [
            p[0] * q[0] + p[1] * q[2],
            p[0] * q[1] + p[1] * q[3],
            p[2] * q[0] + p[3] * q[2],
            p[2] * q[1] + p[3] * q[3],
        ]
    };
    let (p, q) = (product(a(1), a(0)), product(a(0), a(1)));
    let bracket = [0, 1, 2, 3].map(|k| p[k] - q[k]);
    let field = |_: f64, z: &[f64; 2], l: &[f64; 3], out: &mut [f64; 2]| {
        let m = [0, 1, 2, 3].map(|k| a(0)[k] * l[0] + a(1)[k] * l[1] + bracket[k] * l[2]);
        *out = [m[0] * z[0] + m[1] * z[1], m[2] * z[0] + m[3] * z[1]];
        Ok(())
    };
    let n = 401;
    let values = (0..n).flat_map(|i| {
        let t = f64::from(i) * 0.01;
        [
            (3.0 * t).sin() + 0.1 * (5.0 * t).cos(),
            t - 0.3 * (2.0 * t).sin(),
        ]
    });
    let times: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.01).collect();
    let series = Series::new(times, values.collect(), 1, 2).unwrap();
    let fine = Path::linear(&series).unwrap();
    let equation = Cde::new(&linear_field, &fine, &[0.0; 2]).unwrap();
    let options = Options::tolerance(1e-9, 1e-9);
    let mut exact = [1.0, 0.5];
    cde::solve(
        &equation,
        (0.0, 4.0),
        &mut exact,
        Stops::AtJumps,
        &options,
        &mut (),
    )
    .unwrap();
    let errors = [0.4, 0.2, 0.1].map(|length| {
        let path = Path::linear(&windows(&series, length, 2).unwrap()).unwrap();
        let equation = Cde::new(&field, &path, &[0.0; 3]).unwrap();
        let mut z = [1.0, 0.5];
        let rk4 = Options::fixed(&tableau::RK4, 1);
        let report = cde::solve(
            &equation,
            path.span(),
            &mut z,
            Stops::AtJumps,
            &rk4,
            &mut (),
        )
        .unwrap();
        assert_eq!(report.steps, (4.0 / length).round() as usize);
        distance(z, exact)
    });
    println!("windows of 40, 20, 10 observations: {errors:?}");
    assert!(errors[2] < 1e-3 && errors[1] < 0.4 * errors[0] && errors[2] < 0.4 * errors[1]);
}

/// A field with parameters: G(z)·u = p₀ tanh(z)·u₀ + p₁ sin(z)·u₁, component by component.
struct Driven([f64; 2]);

impl ControlField<[f64; 2]> for Driven {
    fn apply(
        &self,
        _: f64,
        z: &[f64; 2],
        u: &[f64; 2],
        out: &mut [f64; 2],
    ) -> Result<(), EvalError> {
        *out = z.map(|z| self.0[0] * z.tanh() * u[0] + self.0[1] * z.sin() * u[1]);
        Ok(())
    }
}

impl VjpControlField<[f64; 2]> for Driven {
    fn control_params(&self) -> usize {
        2
    }

    fn control_vjp(
        &self,
        _: f64,
        z: &[f64; 2],
        u: &[f64; 2],
        w: &[f64; 2],
        z_bar: &mut [f64; 2],
        u_bar: &mut [f64; 2],
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let [p, q] = self.0;
        *u_bar = [0.0; 2];
        for i in 0..2 {
            let (a, s, c) = (z[i].tanh(), z[i].sin(), z[i].cos());
            z_bar[i] = w[i] * (p * (1.0 - a * a) * u[0] + q * c * u[1]);
            u_bar[0] += w[i] * p * a;
            u_bar[1] += w[i] * q * s;
            p_bar[0] += w[i] * a * u[0];
            p_bar[1] += w[i] * s * u[1];
        }
        Ok(())
    }
}

/// Gradients through controlled equations, across jumps of the path, against central differences.
#[test]
fn gradients_of_controlled_equations() {
    let series = Series::new(vec![0.0, 0.3, 1.1, 2.0], POINTS.to_vec(), 1, 2).unwrap();
    let (p, z, h) = ([0.7, -0.4], [1.0, 0.5], 1e-5);
    for path in [
        Path::linear(&series).unwrap(),
        Path::natural(&series).unwrap(),
    ] {
        let hit = cde::stops(&path, Stops::AtKnots, &[0.0, 2.0]);
        assert_eq!(hit, [0.0, 0.3, 1.1, 2.0]);
        let loss = |p: [f64; 2], mut z: [f64; 2]| {
            let field = Driven(p);
            let equation = Cde::new(&field, &path, &z).unwrap();
            let options = Options::fixed(&tableau::RK4, 2);
            cde::solve(
                &equation,
                (0.0, 2.0),
                &mut z,
                Stops::AtKnots,
                &options,
                &mut (),
            )
            .unwrap();
            z[0] - 2.0 * z[1]
        };
        let field = Driven(p);
        let equation = Cde::new(&field, &path, &z).unwrap();
        let drive = cde::SidedCde::new(&equation, (0.0, 2.0));
        let mut method = RungeKutta::new(&tableau::RK4, drive, &z);
        let tape =
            Tape::record(&mut method, &hit, &z, &Control::fixed(2), Memory::Slots(3)).unwrap();
        let mut bars = [[0.0; 2]; 4];
        bars[3] = [1.0, -2.0];
        let gradient = tape.pull(&mut method, &bars).unwrap();
        for i in 0..2 {
            let moved = |h: f64| {
                let (mut z, mut p) = (z, p);
                z[i] += h;
                p[i] += h;
                (loss(p, [1.0, 0.5]), loss([0.7, -0.4], z))
            };
            let (up, down) = (moved(h), moved(-h));
            let (dp, dz) = ((up.0 - down.0) / (2.0 * h), (up.1 - down.1) / (2.0 * h));
            assert!(
                (gradient.params[i] - dp).abs() < 1e-8,
                "{} {dp}",
                gradient.params[i]
            );
            assert!(
                (gradient.state[i] - dz).abs() < 1e-8,
                "{} {dz}",
                gradient.state[i]
            );
        }
        // The plain field has the same products inside segments.
        let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
        equation.vjp(0.5, &z, &[1.0, 1.0], &mut a, &mut b).unwrap();
        assert_eq!(VjpField::<[f64; 2]>::params(&equation), 2);
        let e = 1e-6;
        let slope = |z: [f64; 2]| {
            let mut dz = [0.0; 2];
            equation.eval(0.5, &z, &mut dz).unwrap();
            dz[0] + dz[1]
        };
        let want = (slope([1.0 + e, 0.5]) - slope([1.0 - e, 0.5])) / (2.0 * e);
        assert!((a[0] - want).abs() < 1e-8);
    }
}
