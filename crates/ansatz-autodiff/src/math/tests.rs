//! Against the libm crate, values computed with 200 bits, and the rules for special arguments.

// Limits are meant exactly.
#![allow(clippy::float_cmp, clippy::enum_glob_use)]

use super::{
    Elementary, Exponential, Function, Run, error_function, exponential, pow, pow_constant, power,
};
use Function::*;

const ALL: [Function; 15] = [
    Exp, Expm1, Ln, Ln1p, Sin, Cos, Tanh, Sigmoid, Softplus, Silu, Erf, Gelu, Sqrt, Recip, Rsqrt,
];

/// The table's column of errors.
fn stated(f: Function) -> f64 {
    match f {
        Exp => 1.1,
        Expm1 | Sin | Cos => 1.6,
        Ln => 1.0,
        Ln1p | Rsqrt => 1.5,
        Tanh => 2.6,
        Sigmoid => 2.5,
        Softplus => 2.0,
        Silu => 3.0,
        Erf => 2.4,
        Gelu => 5.0,
        Sqrt | Recip => 0.5,
    }
}

fn oracle(f: Function, x: f64) -> f64 {
    match f {
        Exp => libm::exp(x),
        Expm1 => libm::expm1(x),
        Ln => libm::log(x),
        Ln1p => libm::log1p(x),
        Sin => libm::sin(x),
        Cos => libm::cos(x),
        Tanh => libm::tanh(x),
        Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
        Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
        Silu => x / (1.0 + libm::exp(-x)),
        Erf => libm::erf(x),
        Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        Sqrt => x.sqrt(),
        Recip => 1.0 / x,
        Rsqrt => 1.0 / x.sqrt(),
    }
}

fn one<T: Elementary>(f: Function, x: T) -> T {
    let mut out = [T::zero()];
    f.apply(&[x], &mut out);
    out[0]
}

/// The last place of a number of this size, of `digits` bits after the leading one.
fn last_place(x: f64, digits: i32, least: i32) -> f64 {
    let e = ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(least);
    libm::exp2(f64::from(e - digits))
}

#[test]
fn double_precision_agrees_with_exact_values() {
    let mut worst = std::collections::BTreeMap::new();
    let number = |s: &str| f64::from_bits(u64::from_str_radix(s, 16).expect("bits"));
    for line in include_str!("../../fixtures/elementary.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, x, .., exact, rest] = words[..] else {
            panic!("{line}")
        };
        let (x, exact, rest) = (number(x), number(exact), rest.parse::<f64>().expect("rest"));
        let (y, bound) = if name == "Pow" {
            let mut out = [0.0];
            pow_constant(&[x], number(words[2]), &mut out);
            (out[0], 1.2)
        } else {
            let f = ALL.into_iter().find(|f| format!("{f:?}") == name);
            let f = f.expect("a function");
            (one(f, x), stated(f))
        };
        let error = ((y - exact) / last_place(exact, 52, -1022) - rest).abs();
        assert!(error <= bound, "{name}({x:e}) = {y:e}: {error} ulp");
        let w = worst.entry(name).or_insert(0.0_f64);
        *w = w.max(error);
    }
    // Half a unit at least: the comparison is not an empty one.
    assert!(
        worst.len() == 14 && worst.values().all(|w| *w > 0.4),
        "{worst:?}"
    );
}

/// libm's own error is below one unit.
#[test]
fn double_precision_agrees_with_libm() {
    for f in [Exp, Expm1, Ln, Ln1p, Sin, Cos, Tanh, Erf, Sqrt, Recip] {
        for k in 0..40_000 {
            let u = (f64::from(k) * 0.618_033_988_749_895).fract();
            for x in [
                8.0 * u - 4.0,
                1400.0 * u - 700.0,
                libm::exp2(120.0 * u - 60.0),
            ] {
                let (y, exact) = (one(f, x), oracle(f, x));
                if exact.is_finite() {
                    let error = (y - exact).abs() / last_place(exact, 52, -1022);
                    assert!(
                        error <= stated(f) + 1.0,
                        "{f:?}({x:e}) = {y:e}: {error} ulp"
                    );
                } else {
                    assert!(y.is_nan() == exact.is_nan() && (y.is_nan() || y == exact));
                }
            }
        }
    }
}

/// Through all bit patterns in steps; double precision is the reference.
#[test]
fn single_precision_agrees_with_libm() {
    const STEP: usize = 9973;
    let x: Vec<f32> = (0..=u32::MAX).step_by(STEP).map(f32::from_bits).collect();
    let mut out = vec![0.0; x.len()];
    for f in ALL {
        f.apply(&x, &mut out);
        for (x, y) in x.iter().zip(&out) {
            let exact = oracle(f, f64::from(*x));
            if x.is_infinite() {
                continue;
            }
            if exact.is_nan() || (exact as f32).is_infinite() {
                let exact = exact as f32;
                assert!(
                    y.is_nan() == exact.is_nan() && (y.is_nan() || *y == exact),
                    "{f:?}({x:e})"
                );
                continue;
            }
            let error = (f64::from(*y) - exact).abs() / last_place(exact, 23, -126);
            assert!(error <= stated(f), "{f:?}({x:e}) = {y:e}: {error} ulp");
        }
    }
}

#[test]
fn powers_follow_the_standard() {
    let values = [
        0.0,
        0.3,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        4.0,
        7.0,
        1e3,
        1e-3,
        1e300,
        5e-324,
        4_503_599_627_370_497.0,
        9_007_199_254_740_993.0,
        1e20,
        f64::MAX,
        f64::INFINITY,
    ];
    let signed = || values.into_iter().flat_map(|v| [v, -v]).chain([f64::NAN]);
    for x in signed() {
        for y in signed() {
            let exact = libm::pow(x, y);
            let mut both = [0.0; 2];
            pow_constant(&[x], y, &mut both[..1]);
            pow(&[x], &[y], &mut both[1..]);
            for z in both {
                let close = (z - exact).abs() <= 2.2 * last_place(exact, 52, -1022);
                let same = z == exact && z.is_sign_negative() == exact.is_sign_negative();
                assert!(
                    same || close || (z.is_nan() && exact.is_nan()),
                    "{x:e}^{y:e} = {z:e}, not {exact:e}"
                );
            }
            let (x, y) = (x as f32, y as f32);
            let exact = libm::pow(f64::from(x), f64::from(y));
            let mut single = [0.0];
            pow_constant(&[x], y, &mut single);
            let z = single[0];
            let close = (f64::from(z) - exact).abs() <= 0.6 * last_place(exact, 23, -126);
            let same = z == exact as f32 && z.is_sign_negative() == exact.is_sign_negative();
            assert!(
                same || close || (z.is_nan() && exact.is_nan()),
                "{x:e}^{y:e} = {z:e}, not {exact:e}"
            );
        }
    }
}

fn special<T: Elementary>() {
    let (zero, one_, inf, nan) = (T::zero(), T::one(), T::infinity(), T::nan());
    let half = T::of(0.5);
    // f(−∞), f(−0), f(0), f(∞)
    for (f, values) in [
        (Exp, [zero, one_, one_, inf]),
        (Expm1, [-one_, -zero, zero, inf]),
        (Ln, [nan, -inf, -inf, inf]),
        (Ln1p, [nan, -zero, zero, inf]),
        (Sin, [nan, -zero, zero, nan]),
        (Cos, [nan, one_, one_, nan]),
        (Tanh, [-one_, -zero, zero, one_]),
        (Sigmoid, [zero, half, half, one_]),
        (
            Softplus,
            [zero, T::of(2.0_f64.ln()), T::of(2.0_f64.ln()), inf],
        ),
        (Silu, [-zero, -zero, zero, inf]),
        (Erf, [-one_, -zero, zero, one_]),
        (Gelu, [-zero, -zero, zero, inf]),
        (Sqrt, [nan, -zero, zero, inf]),
        (Recip, [-zero, -inf, inf, zero]),
        (Rsqrt, [nan, -inf, inf, zero]),
    ] {
        assert!(one(f, nan).is_nan() && one(f, -nan).is_nan(), "{f:?}(NaN)");
        for (x, exact) in [-inf, -zero, zero, inf].into_iter().zip(values) {
            let y = one(f, x);
            let same = y == exact && y.is_sign_negative() == exact.is_sign_negative();
            assert!(
                same || (y.is_nan() && exact.is_nan()),
                "{f:?}({x}) = {y}, not {exact}"
            );
        }
    }
    assert_eq!(one(Ln, -one_).is_nan(), one(Ln1p, -T::of(2.0)).is_nan());
    assert_eq!(one(Ln1p, -one_), -inf);
    assert_eq!([one(Exp, T::of(1e4)), one(Exp, T::of(-1e4))], [inf, zero]);
    // The smallest number and the largest are not lost.
    let least = T::min_positive_value() * T::EPS;
    for f in [Expm1, Ln1p, Sin, Tanh] {
        assert_eq!([one(f, least), one(f, -least)], [least, -least], "{f:?}");
    }
    assert_eq!(
        [one(Tanh, T::max_value()), one(Erf, T::max_value())],
        [one_, one_]
    );
    assert!(one(Ln, least) < one(Ln, T::min_positive_value()));
    assert!(one(Sin, T::max_value()).abs() <= one_);
}

#[test]
fn limits_zeros_and_nan() {
    special::<f32>();
    special::<f64>();
}

fn same_everywhere<T: Elementary>() {
    let wave = |k: usize| T::of(60.0 * (k as f64 * 0.618_033_988_749_895).fract() - 30.0);
    // One far angle changes nothing beside it.
    let mut x: Vec<T> = (0..203).map(wave).collect();
    x[77] = T::of(1e15);
    for f in ALL {
        let mut out = vec![T::zero(); x.len()];
        f.apply(&x, &mut out);
        let bits = |v: &[T]| v.iter().map(|v| v.integer_decode()).collect::<Vec<_>>();
        for (k, y) in out.iter().enumerate() {
            assert_eq!(bits(&[one(f, x[k])]), bits(&[*y]), "{f:?} at {k}");
        }
        for length in [0, 1, 63, 64, 65, 128, 203] {
            let mut short = vec![T::zero(); length];
            f.apply(&x[..length], &mut short);
            assert_eq!(bits(&short), bits(&out[..length]), "{f:?} of {length}");
        }
        let mirrored: Vec<T> = x.iter().map(|v| -*v).collect();
        let mut mirror = vec![T::zero(); x.len()];
        f.apply(&mirrored, &mut mirror);
        if matches!(f, Sin | Tanh | Erf | Recip) {
            for v in &mut mirror {
                *v = -*v;
            }
        }
        if matches!(f, Sin | Cos | Tanh | Erf | Recip) {
            assert_eq!(bits(&mirror), bits(&out), "{f:?} mirrored");
        }
    }
    // Compiled without wide registers.
    let mut wide = vec![T::zero(); x.len()];
    let mut narrow = wide.clone();
    let base: Vec<T> = x.iter().map(|v| v.abs()).collect();
    pow_constant(&base, T::of(0.3), &mut wide);
    let kernel = power::PowConstant(T::of(0.3));
    pulp::NullaryFnOnce::call(Run {
        kernel,
        x: [&base],
        out: &mut narrow,
    });
    assert_eq!(wide, narrow);
    Tanh.apply(&x, &mut wide);
    let kernel = Exponential(exponential::Tanh);
    pulp::NullaryFnOnce::call(Run {
        kernel,
        x: [&x],
        out: &mut narrow,
    });
    assert_eq!(wide, narrow);
    Gelu.apply(&x, &mut wide);
    let kernel = error_function::Gelu;
    pulp::NullaryFnOnce::call(Run {
        kernel,
        x: [&x],
        out: &mut narrow,
    });
    assert_eq!(wide, narrow);
}

#[test]
fn position_length_and_instructions_change_no_bit() {
    same_everywhere::<f32>();
    same_everywhere::<f64>();
}
