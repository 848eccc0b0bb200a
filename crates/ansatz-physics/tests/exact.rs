//! Closed forms: published values, and every one put into its equation.

use std::f64::consts::PI;

use ansatz_physics::core::Key;
use ansatz_physics::exact::{
    Convection, Exact, FlowMixing, Heat, Helmholtz, KleinGordon, KleinGordonCubic, KleinGordonLine,
    Kovasznay, Oscillator, Reaction, SineProduct, Soliton, TwoBody, TwoSolitons, Wave,
};
use ansatz_physics::{PhysicsError, Reference};

/// Points in a box, from a key.
fn points<const D: usize>(low: [f64; D], high: [f64; D]) -> Vec<[f64; D]> {
    let key = Key::new(11);
    let uniform = |i: u64, k: usize| key.uniform(k as u64, i)[0];
    (0..40)
        .map(|i| std::array::from_fn(|k| low[k] + (high[k] - low[k]) * uniform(i, k)))
        .collect()
}

/// A derivative of the only output.
fn d(u: &impl Exact, p: &[f64], axis: usize, order: usize) -> f64 {
    u.derivative(p, 0, axis, order).expect("a derivative")
}

fn value(u: &impl Exact, p: &[f64]) -> f64 {
    u.value(p).expect("a value")
}

#[track_caller]
fn zero(rest: f64, scale: f64) {
    assert!(
        rest.abs() <= 1e-12 * (1.0 + scale.abs()),
        "{rest:e} against {scale:e}"
    );
}

#[test]
fn elliptic_problems() {
    let u = SineProduct { dimension: 3 };
    for p in points([-1.0; 3], [1.0; 3]) {
        zero(
            u.laplacian(&p, 0, 3).expect("a number") + u.source(&p),
            30.0,
        );
    }
    for (a, b) in [(4.0, 1.0), (1.0, 4.0), (10.0, 10.0)] {
        let u = Helmholtz::new(a, b).expect("a problem");
        for p in points([-1.0; 2], [1.0; 2]) {
            let laplacian = u.laplacian(&p, 0, 2).expect("a number");
            let source = u.source(p[0], p[1]).expect("a number");
            zero(laplacian + value(&u, &p) - source, laplacian.abs() + 1e3);
        }
    }
    // −Δu − k₀²u = k₀²u.
    let k = 4.0 * PI;
    let u = Helmholtz {
        waves: [4.0, 4.0],
        wavenumber: k,
    };
    let p = [0.3, 0.7];
    zero(
        u.source(0.3, 0.7).expect("a number") + k * k * value(&u, &p),
        200.0,
    );
    assert!((value(&u, &p) - (k * 0.3).sin() * (k * 0.7).sin()).abs() < 1e-14);
}

#[test]
fn two_bodies_in_many_dimensions() {
    let u = TwoBody::random(20, Key::new(4)).expect("a problem");
    for i in 0..20 {
        let mut x = vec![0.0; 20];
        Key::new(i).fill_normal(0, &mut x);
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let radius = 0.05 * (i as f64 + 1.0);
        for x in &mut x {
            *x *= radius / norm;
        }
        let (a, b) = (
            u.laplacian(&x, 0, 20).expect("a number"),
            u.closed_laplacian(&x).expect("a number"),
        );
        assert!((a - b).abs() < 1e-11 * (1.0 + b.abs()), "{a} {b}");
    }
    let mut surface = [0.0; 20];
    surface[3] = 1.0;
    assert!(value(&u, &surface).abs() < 1e-15);
    surface[4] = 0.1;
    assert!(matches!(
        u.value(&surface),
        Err(PhysicsError::OutsideDomain { .. })
    ));
    assert!(TwoBody::random(1, Key::new(0)).is_err());
}

#[test]
fn klein_gordon() {
    let u = KleinGordon { k: 2.0 };
    assert!((value(&u, &[0.5, -0.25, 1.0]) + 0.2176988875).abs() < 5e-11);
    for p in points([-1.0, -1.0, 0.0], [1.0, 1.0, 10.0]) {
        let v = value(&u, &p);
        let rest = d(&u, &p, 2, 2) - u.laplacian(&p, 0, 2).expect("a number") + v * v;
        zero(rest - u.source(p[0], p[1], p[2]).expect("a number"), 10.0);
    }
    let u = KleinGordonLine;
    for p in points([-1.0, 0.0], [1.0, 10.0]) {
        let (x, cos) = (p[0], p[1].cos());
        let rest = d(&u, &p, 1, 2) - d(&u, &p, 0, 2) + value(&u, &p).powi(2) + x * cos;
        zero(rest - x * x * cos * cos, 1.0);
    }
    let u = KleinGordonCubic;
    for p in points([0.0, 0.0], [1.0, 1.0]) {
        let rest = d(&u, &p, 1, 2) - d(&u, &p, 0, 2) + value(&u, &p).powi(3);
        zero(rest - u.source(p[0], p[1]).expect("a number"), 250.0);
    }
}

#[test]
fn waves_and_transport() {
    let u = Wave::fast();
    assert!((value(&u, &[0.3, 0.17]) - 0.1816356320).abs() < 5e-11);
    for u in [Wave::fast(), Wave::two_scales()] {
        for p in points([0.0, 0.0], [1.0, 1.0]) {
            let (tt, xx) = (d(&u, &p, 1, 2), d(&u, &p, 0, 2));
            zero(tt - u.speed * u.speed * xx, 4e4);
        }
        assert!(d(&u, &[0.3, 0.0], 1, 1).abs() < 1e-12);
    }
    for speed in [30.0, 40.0, 50.0, 100.0] {
        let u = Convection { speed };
        for p in points([0.0, 0.0], [2.0 * PI, 1.0]) {
            zero(d(&u, &p, 1, 1) + speed * d(&u, &p, 0, 1), speed);
        }
    }
    let u = FlowMixing::default();
    assert!((value(&u, &[1.0, 1.0, 1.0]) + 0.29327019999638).abs() < 1e-13);
    assert!((value(&u, &[1.0, 0.5, 4.0]) - 0.43576985828744).abs() < 1e-13);
    let near: Vec<[f64; 3]> = points([-0.15, -0.15, 0.0], [0.15, 0.15, 4.0]);
    for p in points([-4.0, -4.0, 0.0], [4.0, 4.0, 4.0])
        .into_iter()
        .chain(near)
    {
        let [a, b] = u.velocity(p[0], p[1]);
        let r = p[0].hypot(p[1]);
        let speed = r.tanh() / r.cosh().powi(2) / 0.385;
        assert!((a.hypot(b) - speed).abs() < 1e-13);
        zero(
            d(&u, &p, 2, 1) + a * d(&u, &p, 0, 1) + b * d(&u, &p, 1, 1),
            10.0,
        );
    }
    // The middle.
    let omega: f64 = 1.0 / 0.385;
    let slope = d(&u, &[0.0, 0.0, 0.5], 1, 1);
    assert!((slope + 0.5 * (0.5 * omega).cos()).abs() < 1e-14);
    assert!(value(&u, &[0.0, 0.0, 0.5]).abs() < 1e-15);
}

#[test]
fn solitons() {
    let u = TwoSolitons::new([1.0, 1.5], [0.0, 0.0]).expect("a problem");
    assert!((value(&u, &[0.0, 0.0]) - 0.839681440443).abs() < 1e-12);
    assert!((value(&u, &[1.0, 0.5]) - 0.712548994986).abs() < 1e-12);
    let one = Soliton::new(2.0, -1.0).expect("a problem");
    let rest = |u: &dyn Fn(usize, usize) -> f64| u(1, 1) + 6.0 * u(0, 0) * u(0, 1) + u(0, 3);
    for p in points([-6.0, -1.0], [6.0, 1.0]) {
        zero(rest(&|axis, order| d(&u, &p, axis, order)), 30.0);
        zero(rest(&|axis, order| d(&one, &p, axis, order)), 30.0);
    }
    // Far apart, each alone; where exponentials overflow, still numbers.
    let far = value(&u, &[4000.0, 4000.0 / 2.25]);
    assert!((0.0..=1.125 + 1e-9).contains(&far), "{far}");
    assert!(value(&u, &[1e5, 0.0]).abs() < 1e-300);
    assert!(Soliton::new(0.0, 0.0).is_err());
    assert!(TwoSolitons::new([1.0, 1.0], [0.0; 2]).is_err());
}

#[test]
fn navier_stokes_behind_a_grid() {
    let u = Kovasznay::new(20.0).expect("a flow");
    assert!((u.lambda() + 1.8100981200).abs() < 5e-11);
    let v = u.values(&[0.5, 0.1]).expect("values");
    for (a, b) in v.iter().zip([0.672734796, -0.068498825, 0.418180961]) {
        assert!((a - b).abs() < 1.2e-9);
    }
    for reynolds in [1.0, 20.0, 40.0, 1e4] {
        let u = Kovasznay::new(reynolds).expect("a flow");
        for p in points([-0.5, -0.5], [1.0, 1.5]) {
            let v = u.values(&p).expect("values");
            let g = |c: usize, axis: usize| u.derivative(&p, c, axis, 1).expect("a derivative");
            zero(g(0, 0) + g(1, 1), 10.0);
            for c in 0..2 {
                let viscous = u.laplacian(&p, c, 2).expect("a number") / reynolds;
                zero(v[0] * g(c, 0) + v[1] * g(c, 1) + g(2, c) - viscous, 3e3);
            }
        }
    }
}

#[test]
fn reaction_heat_and_oscillator() {
    for rate in [1.0, 5.0, 15.0] {
        let u = Reaction { rate };
        for p in points([0.0, 0.0], [2.0 * PI, 1.0]) {
            let v = value(&u, &p);
            zero(d(&u, &p, 1, 1) - rate * v * (1.0 - v), rate);
        }
        let start = (-0.5_f64 / (PI / 4.0).powi(2)).exp();
        assert!((value(&u, &[PI + 1.0, 0.0]) - start).abs() < 1e-15);
    }
    assert!((value(&Reaction { rate: 15.0 }, &[PI, 100.0]) - 1.0).abs() < 1e-15);
    let u = Heat {
        parts: [1.0, -2.0, 0.5, 1.5],
    };
    for p in points([-1.0, 0.0], [1.0, 1.0]) {
        zero(d(&u, &p, 1, 1) - d(&u, &p, 0, 2), 100.0);
    }
    let u = Oscillator::new(2.0, 80.0).expect("an oscillator");
    for (t, expected) in [
        (0.1, -0.0968354531),
        (0.5, -0.2349756747),
        (1.0, -0.0216508639),
    ] {
        assert!((value(&u, &[t]) - expected).abs() < 6e-11);
        zero(
            d(&u, &[t], 0, 2) + 4.0 * d(&u, &[t], 0, 1) + 6400.0 * value(&u, &[t]),
            1e4,
        );
    }
    assert!(d(&u, &[0.0], 0, 1).abs() < 1e-12);
    assert!(Oscillator::new(80.0, 80.0).is_err());
}

#[test]
fn all_are_references_and_refuse_strange_points() {
    let u = KleinGordon { k: 2.0 };
    let mut out = [0.0];
    u.evaluate(&[0.5, -0.25, 1.0], &mut out).expect("a value");
    assert!((out[0] + 0.2176988875).abs() < 1e-10);
    assert_eq!((u.inputs(), u.outputs()), (3, 1));
    assert!(u.accuracy() < 1e-12);
    for p in [[1.1, 0.0, 0.0], [0.0, 0.0, -0.1], [f64::NAN, 0.0, 0.0]] {
        assert!(matches!(
            u.value(&p),
            Err(PhysicsError::OutsideDomain { .. })
        ));
    }
    assert!(u.value(&[0.0, 0.0]).is_err());
    assert!(u.derivative(&[0.0; 3], 0, 3, 1).is_err());
    assert!(u.derivative(&[0.0; 3], 1, 0, 1).is_err());
    assert!(u.derivative(&[0.0; 3], 0, 0, 5).is_err());
    assert!(Kovasznay::new(-1.0).is_err());
    // Fourth derivatives along a slanted direction are exact: (∂_x + ∂_y)⁴ of sin πx sin πy.
    let u = SineProduct { dimension: 2 };
    let fourth = u.along(&[0.2, 0.3], &[1.0, 1.0]).expect("derivatives")[0][4];
    // sin a sin b = ½(cos(a − b) − cos(a + b)); only the second moves, at twice the rate.
    let exact = -0.5 * (2.0 * PI).powi(4) * (PI * 0.5).cos();
    assert!((fourth - exact).abs() < 1e-9);
}
