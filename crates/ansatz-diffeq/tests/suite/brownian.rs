//! Brownian paths: their law, and that they always tell the same story.

use std::time::{Duration, Instant};

use ansatz_core::{Key, State};
use ansatz_diffeq::brownian::{
    AreaApproximation, Brownian, BrownianError, BrownianInterval, Increment, IntervalOptions,
    LevyArea, VirtualBrownianTree,
};

use crate::statistics::{correlation, kolmogorov_distance, mean, variance};

const SAMPLES: usize = 20_000;
const ALL: LevyArea = LevyArea::SpaceTimeTime;
const SPAN: (f64, f64) = (-0.5, 1.7);

fn paths<S: State + 'static>(like: &S, levels: LevyArea) -> Vec<Box<dyn Brownian<S>>> {
    let key = Key::new(11);
    let options = IntervalOptions::default();
    vec![
        Box::new(VirtualBrownianTree::new(key, SPAN, like, levels, 1e-3).unwrap()),
        Box::new(BrownianInterval::new(key, SPAN, like, levels, options).unwrap()),
    ]
}

fn ask<S: State>(path: &mut dyn Brownian<S>, a: f64, b: f64) -> Increment<S> {
    let mut out = Increment::new(path.like(), path.levels());
    path.query(a, b, &mut out).unwrap();
    out
}

/// W, H and K in turn.
fn moments(x: &Increment<Vec<f64>>) -> Vec<&[f64]> {
    [Some(x.w()), x.h(), x.k()]
        .into_iter()
        .flatten()
        .map(Vec::as_slice)
        .collect()
}

/// 20 000 independent samples of intervals long, short and shorter than the tolerance.
#[test]
fn increments_and_areas_have_their_law() {
    let like = vec![0.0; SAMPLES];
    let sigma = 4.0 / (SAMPLES as f64).sqrt();
    for levels in [LevyArea::None, LevyArea::SpaceTime, ALL] {
        for path in &mut paths(&like, levels) {
            let mut before: Option<Vec<Vec<f64>>> = None;
            for (a, b) in [
                (-0.5, -0.2),
                (-0.2, 0.81),
                (0.81, 0.817),
                (0.817, 1.7),
                (-0.5, 1.7),
                (0.6, 0.6 + 3e-4),
            ] {
                let x = ask(path.as_mut(), a, b);
                let h: f64 = b - a;
                let now: Vec<Vec<f64>> = moments(&x)
                    .iter()
                    .zip([h, h / 12.0, h / 720.0])
                    .map(|(x, v)| x.iter().map(|x| x / v.sqrt()).collect())
                    .collect();
                for (i, u) in now.iter().enumerate() {
                    assert!(mean(u).abs() < sigma, "[{a}, {b}] {i}: mean {}", mean(u));
                    let v = variance(u);
                    assert!(
                        (v - 1.0).abs() < sigma * 2.0_f64.sqrt(),
                        "[{a}, {b}] {i}: variance {v}"
                    );
                    // 1.95/√n: exceeded once in a thousand.
                    let d = kolmogorov_distance(u);
                    assert!(d < 1.95 / (SAMPLES as f64).sqrt(), "[{a}, {b}] {i}: {d}");
                    // Components next to each other are drawn in pairs.
                    let c = correlation(&u[1..], &u[..SAMPLES - 1]);
                    assert!(c.abs() < sigma, "[{a}, {b}] {i}: neighbours {c}");
                    for (j, w) in now[..i].iter().enumerate() {
                        let c = correlation(u, w);
                        assert!(c.abs() < sigma, "[{a}, {b}] {i} {j}: {c}");
                    }
                }
                // The first four intervals follow one another.
                if let Some(before) = before.filter(|_| a > -0.3 && b > 0.7) {
                    for (u, w) in now.iter().zip(&before) {
                        assert!(correlation(u, w).abs() < sigma, "[{a}, {b}] and before");
                    }
                }
                before = Some(now);
            }
        }
    }
}

/// Neighbours join to what the path says of their union, inside a leaf of the tree too.
#[test]
fn parts_join_to_the_whole() {
    let like = vec![0.0; 50];
    for levels in [LevyArea::None, LevyArea::SpaceTime, ALL] {
        for path in &mut paths(&like, levels) {
            for (a, c, b, bound) in [
                (-0.5, 0.6, 1.7, 1e-12),
                (0.1, 0.103, 1.5, 1e-12),
                (0.299_999, 0.3, 0.300_01, 1e-12),
                (0.4, 0.400_4, 0.400_7, 1e-12),
            ] {
                let whole = ask(path.as_mut(), a, b);
                let mut joined = ask(path.as_mut(), a, c);
                joined.join(&ask(path.as_mut(), c, b));
                for (i, (x, y)) in moments(&joined).iter().zip(moments(&whole)).enumerate() {
                    for (x, y) in x.iter().zip(y) {
                        assert!((x - y).abs() < bound, "[{a}, {c}, {b}] {i}: {x} {y}");
                    }
                }
                assert!((joined.length() - (b - a)).abs() < 1e-15);
            }
        }
    }
}

/// Steps of a solve end where the next begin only up to rounding: nothing of the path is lost there.
#[test]
fn steps_that_meet_up_to_rounding() {
    let like = [0.0; 4];
    for path in &mut paths(&like, LevyArea::None) {
        let (start, end) = SPAN;
        let whole = ask(path.as_mut(), start, end);
        for n in [7, 10, 22, 300] {
            let h = (end - start) / f64::from(n);
            let mut sum = [0.0_f64; 4];
            for i in 0..n {
                let t = start + f64::from(i) * h;
                let x = ask(path.as_mut(), t, (t + h).min(end));
                sum.lincomb(1.0, &[(1.0, x.w())]);
            }
            for (x, y) in sum.iter().zip(whole.w()) {
                assert!((x - y).abs() < 1e-11, "{n}: {x} {y}");
            }
        }
    }
}

/// Times of steps that do not fit any grid.
fn steps(n: usize) -> Vec<(f64, f64)> {
    let (start, end) = SPAN;
    let at = |i: usize| start + (end - start) * (i as f64 / n as f64).powf(1.3);
    (0..n).map(|i| (at(i), at(i + 1).min(end))).collect()
}

#[test]
fn every_answer_can_be_had_again() {
    let like = [0.0; 3];
    let bits = |x: &Increment<[f64; 3]>| {
        [x.w(), x.h().unwrap(), x.k().unwrap()].map(|v| v.map(f64::to_bits))
    };
    for path in &mut paths(&like, ALL) {
        let forward: Vec<_> = steps(500)
            .iter()
            .map(|(a, b)| bits(&ask(path.as_mut(), *a, *b)))
            .collect();
        // A rejected step looks further, and shorter ones follow.
        ask(path.as_mut(), 0.123, 1.321);
        ask(path.as_mut(), 0.123, 0.124);
        for (want, (a, b)) in forward.iter().zip(steps(500)).rev() {
            assert_eq!(*want, bits(&ask(path.as_mut(), a, b)), "[{a}, {b}]");
        }
    }
    // Of the tree this holds for another tree, whatever it was asked before.
    let make = || VirtualBrownianTree::new(Key::new(3), SPAN, &like, ALL, 1e-6).unwrap();
    let (mut one, mut other) = (make(), make());
    let forward: Vec<_> = steps(100)
        .iter()
        .map(|(a, b)| bits(&ask(&mut one, *a, *b)))
        .collect();
    for (want, (a, b)) in forward.iter().zip(steps(100)).rev() {
        assert_eq!(*want, bits(&ask(&mut other, a, b)), "[{a}, {b}]");
    }
    let mut another = VirtualBrownianTree::new(Key::new(4), SPAN, &like, ALL, 1e-6).unwrap();
    assert_ne!(
        bits(&ask(&mut another, 0.0, 1.0)),
        bits(&ask(&mut one, 0.0, 1.0))
    );
    // And of the interval for another with the same past.
    let run = || {
        let options = IntervalOptions::default();
        let mut path = BrownianInterval::new(Key::new(3), SPAN, &like, ALL, options).unwrap();
        let answers: Vec<_> = steps(300)
            .iter()
            .map(|(a, b)| bits(&ask(&mut path, *a, *b)))
            .collect();
        answers
    };
    assert_eq!(run(), run());
    // A cache of any size changes time alone.
    let small = |cache| {
        let options = IntervalOptions { cache };
        let mut path = BrownianInterval::new(Key::new(3), SPAN, &like, ALL, options).unwrap();
        let forward = steps(100);
        let all = forward.iter().chain(forward.iter().rev());
        all.map(|(a, b)| bits(&ask(&mut path, *a, *b)))
            .collect::<Vec<_>>()
    };
    assert_eq!(small(1), small(45));
}

/// States in other memory get the same path, and single precision its rounding.
#[test]
fn memory_does_not_matter() {
    let mut vector = VirtualBrownianTree::new(Key::new(9), SPAN, &vec![0.0; 5], ALL, 1e-4).unwrap();
    let mut fixed = VirtualBrownianTree::new(Key::new(9), SPAN, &[0.0; 5], ALL, 1e-4).unwrap();
    let mut single =
        VirtualBrownianTree::new(Key::new(9), SPAN, &vec![0.0_f32; 5], ALL, 1e-4).unwrap();
    for (a, b) in steps(20) {
        let x = ask(&mut vector, a, b);
        assert_eq!(x.w()[..], ask(&mut fixed, a, b).w()[..]);
        for (x, y) in x.w().iter().zip(ask(&mut single, a, b).w()) {
            // Some 30 roundings on the way down.
            assert!((x - f64::from(*y)).abs() < 60.0 * f64::from(f32::EPSILON) * (b - a).sqrt());
        }
    }
}

/// A sweep there and back costs little more than twice the way there, at 10⁵ steps.
#[test]
fn sweeping_back_is_as_cheap() {
    let n = 100_000;
    let best = (0..3)
        .map(|_| {
            let options = IntervalOptions::default();
            let mut path =
                BrownianInterval::new(Key::new(3), (0.0, 1.0), &[0.0], LevyArea::None, options)
                    .unwrap();
            let mut out = Increment::new(&[0.0], LevyArea::None);
            let mut sweep = |path: &mut BrownianInterval<[f64; 1]>, i: usize| {
                let h = 1.0 / n as f64;
                path.query(i as f64 * h, (i + 1) as f64 * h, &mut out)
                    .unwrap();
            };
            let clock = Instant::now();
            (0..n).for_each(|i| sweep(&mut path, i));
            let forward = clock.elapsed();
            (0..n).rev().for_each(|i| sweep(&mut path, i));
            let ratio = clock.elapsed().as_secs_f64() / forward.as_secs_f64();
            println!("forward {forward:?}, there and back {ratio:.2} times that");
            assert!(forward < Duration::from_secs(5));
            ratio
        })
        .fold(f64::INFINITY, f64::min);
    assert!(best < 4.0, "{best}");
}

/// Var A = h²/4, and given H the law of the exact area: fine areas are joined and regressed on H.
#[test]
fn areas_between_components() {
    let (h, pieces) = (0.8, 64);
    let like = vec![0.0; 2 * SAMPLES];
    let sigma = 4.0 / (SAMPLES as f64).sqrt();
    let mut path =
        VirtualBrownianTree::new(Key::new(5), (0.0, h), &like, LevyArea::SpaceTime, 1e-3).unwrap();
    let key = Key::new(6);
    let draw = |law: AreaApproximation, x: &Increment<Vec<f64>>, stream: u64| -> Vec<f64> {
        let mut a = vec![0.0; 4 * SAMPLES];
        law.draw(key, stream, x.length(), 2, x.w(), x.h().unwrap(), &mut a)
            .unwrap();
        for a in a.chunks(4) {
            assert!(a[0] == 0.0 && a[3] == 0.0 && a[1] == -a[2]);
        }
        a.chunks(4).map(|a| a[1]).collect()
    };
    let whole = ask(&mut path, 0.0, h);
    for law in [AreaApproximation::Davie, AreaApproximation::Foster] {
        let a = draw(law, &whole, 1000);
        // The fourth moment of a Lévy area is 5 (not 3) times its squared variance.
        let v = variance(&a) / (h * h / 4.0);
        assert!((v - 1.0).abs() < 2.0 * sigma, "{law:?}: {v}");
        assert!(mean(&a).abs() < sigma * h / 2.0);
    }
    // Exact areas by joining fine ones.
    let mut exact = vec![0.0; SAMPLES];
    let mut so_far = vec![[0.0; 2]; SAMPLES];
    for i in 0..pieces {
        let step = h / f64::from(pieces);
        let x = ask(&mut path, f64::from(i) * step, f64::from(i + 1) * step);
        let fine = draw(AreaApproximation::Davie, &x, u64::from(i as u32));
        for (k, w) in x.w().chunks(2).enumerate() {
            exact[k] += fine[k] + 0.5 * (so_far[k][0] * w[1] - w[0] * so_far[k][1]);
            so_far[k][0] += w[0];
            so_far[k][1] += w[1];
        }
    }
    let v = variance(&exact) / (h * h / 4.0);
    assert!((v - 1.0).abs() < 2.0 * sigma, "exact: {v}");
    // (A − H⊗W + W⊗H)² = h²/20 + (h/5)(H₁² + H₂²) + what has mean 0.
    let pairs = whole.w().chunks(2).zip(whole.h().unwrap().chunks(2));
    let (squares, known): (Vec<f64>, Vec<f64>) = pairs
        .zip(&exact)
        .map(|((w, s), a)| {
            let b = a - (s[0] * w[1] - w[0] * s[1]);
            (b * b / (h * h), (s[0] * s[0] + s[1] * s[1]) / h)
        })
        .unzip();
    let (m, v) = (mean(&known), variance(&known));
    let covariance = correlation(&squares, &known) * (variance(&squares) * v).sqrt();
    let slope = covariance / v;
    let intercept = mean(&squares) - slope * m;
    assert!((slope - 0.2).abs() < 0.03, "{slope}");
    assert!((intercept - 0.05).abs() < 0.005, "{intercept}");
}

#[test]
fn bad_input() {
    let like = vec![0.0; 2];
    for path in &mut paths(&like, LevyArea::SpaceTime) {
        let mut out = Increment::new(&like, LevyArea::SpaceTime);
        let mut ask = |a, b| path.query(a, b, &mut out).unwrap_err();
        assert_eq!(ask(0.5, 0.4), BrownianError::Reversed { a: 0.5, b: 0.4 });
        let (start, end) = SPAN;
        for (a, b) in [(-0.6, 0.0), (0.0, 1.8)] {
            assert_eq!(ask(a, b), BrownianError::Outside { a, b, start, end });
        }
        assert!(matches!(ask(f64::NAN, 0.5), BrownianError::Outside { .. }));
        path.query(0.4, 0.4, &mut out).unwrap();
        assert!(out.w() == &like && out.h() == Some(&like) && out.length() == 0.0);
        let mut small = Increment::new(&like, LevyArea::None);
        assert_eq!(
            path.query(0.0, 0.4, &mut small),
            Err(BrownianError::Levels {
                expected: 2,
                got: 1
            })
        );
    }
    let key = Key::new(1);
    for (start, end) in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::INFINITY)] {
        let tree = VirtualBrownianTree::new(key, (start, end), &like, ALL, 1e-3);
        assert_eq!(tree.unwrap_err(), BrownianError::Span { start, end });
        let options = IntervalOptions::default();
        let interval = BrownianInterval::new(key, (start, end), &like, ALL, options);
        assert_eq!(interval.unwrap_err(), BrownianError::Span { start, end });
    }
    for tolerance in [0.0, -1.0, 1e-17, f64::NAN, f64::INFINITY] {
        let tree = VirtualBrownianTree::new(key, (0.0, 1.0), &like, ALL, tolerance);
        assert!(matches!(tree.unwrap_err(), BrownianError::Tolerance { .. }));
    }
    let options = IntervalOptions { cache: 0 };
    let interval = BrownianInterval::new(key, (0.0, 1.0), &like, ALL, options);
    assert_eq!(interval.unwrap_err(), BrownianError::Cache { cache: 0 });
    let mut out = [0.0; 4];
    let short = AreaApproximation::Davie.draw(key, 0, 1.0, 2, &[0.0; 2], &[0.0; 1], &mut out);
    assert!(matches!(
        short,
        Err(BrownianError::Length { what: "h", .. })
    ));
}
