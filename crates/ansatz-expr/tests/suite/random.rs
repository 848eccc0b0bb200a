//! Random expressions: text and back, derivatives against differences, threads.

use ansatz_expr::{Expr, Function, Pool};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// A recipe, so that a failing case can be shrunk.
#[derive(Debug, Clone)]
enum Recipe {
    Symbol(usize),
    Number(i32, i32),
    Add(Box<Recipe>, Box<Recipe>),
    Sub(Box<Recipe>, Box<Recipe>),
    Mul(Box<Recipe>, Box<Recipe>),
    Div(Box<Recipe>, Box<Recipe>),
    Powi(Box<Recipe>, i32),
    Sqrt(Box<Recipe>),
    Power(Box<Recipe>, Box<Recipe>),
    Call(usize, Box<Recipe>),
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let leaf = prop_oneof![
        (0..3_usize).prop_map(Recipe::Symbol),
        (-30..30, 1..12).prop_map(|(p, q)| Recipe::Number(p, q)),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        let pair = || {
            (
                inner.clone().prop_map(Box::new),
                inner.clone().prop_map(Box::new),
            )
        };
        prop_oneof![
            pair().prop_map(|(a, b)| Recipe::Add(a, b)),
            pair().prop_map(|(a, b)| Recipe::Sub(a, b)),
            pair().prop_map(|(a, b)| Recipe::Mul(a, b)),
            pair().prop_map(|(a, b)| Recipe::Div(a, b)),
            (inner.clone(), -3..5).prop_map(|(a, n)| Recipe::Powi(Box::new(a), n)),
            inner.clone().prop_map(|a| Recipe::Sqrt(Box::new(a))),
            pair().prop_map(|(a, b)| Recipe::Power(a, b)),
            (0..Function::ALL.len(), inner).prop_map(|(f, a)| Recipe::Call(f, Box::new(a))),
        ]
    })
}

fn build<'p>(recipe: &Recipe, pool: &'p Pool) -> Expr<'p> {
    let make = |r: &Recipe| build(r, pool);
    match recipe {
        Recipe::Symbol(i) => pool.symbol(["x", "y", "z"][*i]),
        Recipe::Number(p, q) => pool.number(f64::from(*p)) / f64::from(*q),
        Recipe::Add(a, b) => make(a) + make(b),
        Recipe::Sub(a, b) => make(a) - make(b),
        Recipe::Mul(a, b) => make(a) * make(b),
        Recipe::Div(a, b) => make(a) / make(b),
        Recipe::Powi(a, n) => make(a).powi(*n),
        Recipe::Sqrt(a) => make(a).sqrt(),
        Recipe::Power(a, b) => make(a).pow(make(b)),
        Recipe::Call(f, a) => make(a).call(Function::ALL[*f]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_parses_back(recipe in recipes()) {
        let pool = Pool::new();
        let _ = ["x", "y", "z"].map(|name| pool.symbol(name));
        if let Ok(e) = build(&recipe, &pool).check() {
            let text = e.to_string();
            prop_assert_eq!(pool.parse(&text), Ok(e), "{}", text);
            prop_assert!(!e.latex().is_empty());
        }
    }
}

/// 100 expressions with smooth functions, at points where all is well scaled: every entry of the Jacobian against central
/// differences with one step of Richardson's extrapolation.
#[test]
fn derivatives_against_differences() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = recipes();
    let names = ["x", "y", "z"];
    let point = [0.83, 0.67, 1.21];
    let mut checked = 0;
    let mut worst = 0.0_f64;
    while checked < 100 {
        let recipe = strategy.new_tree(&mut runner).unwrap().current();
        let pool = Pool::new();
        let symbols = names.map(|name| pool.symbol(name));
        let Ok(e) = build(&recipe, &pool).check() else {
            continue;
        };
        if e.symbols().is_empty() {
            continue;
        }
        let mut outputs = vec![e];
        outputs.extend(symbols.iter().map(|s| e.derivative(*s)));
        let Ok(formula) = pool.formula(&outputs) else {
            continue;
        };
        let compiled = formula.compile(&names).unwrap();
        let mut registers = Vec::new();
        let mut value = |p: &[f64]| {
            let mut out = [0.0; 4];
            compiled.at(p, &mut out, &mut registers).ok().map(|()| out)
        };
        let Some(here) = value(&point) else { continue };
        if here[0].abs() > 1e3 {
            continue;
        }
        let mut usable = true;
        let mut errors = Vec::new();
        for axis in 0..3 {
            let mut difference = |h: f64| {
                let [mut a, mut b] = [point; 2];
                a[axis] += h;
                b[axis] -= h;
                Some((value(&a)?[0] - value(&b)?[0]) / (a[axis] - b[axis]))
            };
            let (Some(coarse), Some(fine)) = (difference(2e-3), difference(1e-3)) else {
                usable = false;
                break;
            };
            let slope = (4.0 * fine - coarse) / 3.0;
            // Where differences do not converge they are no oracle: kinks, poles, narrow features.
            if (fine - coarse).abs() > 1e-3 * fine.abs().max(1.0) || here[axis + 1].abs() > 1e3 {
                usable = false;
                break;
            }
            errors.push((slope - here[axis + 1]).abs() / slope.abs().max(here[0].abs()).max(1.0));
        }
        if !usable {
            continue;
        }
        checked += 1;
        for error in errors {
            worst = worst.max(error);
            assert!(error < 1e-7, "{e}: {error:e}");
        }
    }
    assert!(worst < 1e-7, "{worst:e}");
}

/// Values have the same bits for any number of threads and at single points.
#[test]
fn threads_change_no_bit() {
    let pool = Pool::new();
    let _ = ["x", "y"].map(|name| pool.symbol(name));
    let outputs = [
        pool.parse("sin(x*y) + exp(-x^2)/(1 + y^2) + x^7 - 3*y")
            .unwrap(),
        pool.parse("sqrt(x^2 + y^2)*tanh(x - y) + (x^2)^0.3")
            .unwrap(),
        pool.number(4.0),
    ];
    let compiled = pool
        .formula(&outputs)
        .unwrap()
        .compile(&["x", "y"])
        .unwrap();
    let n = 30_001;
    let x: Vec<f64> = (0..n).map(|i| f64::from(i) * 1e-4 - 1.0).collect();
    let y: Vec<f64> = (0..n).map(|i| 2.0 - f64::from(i) * 7e-5).collect();
    let runs: Vec<Vec<Vec<f64>>> = [1, 2, 3]
        .iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(*threads)
                .build()
                .unwrap();
            pool.install(|| compiled.evaluate(&[&x, &y]).unwrap())
        })
        .collect();
    let bits =
        |run: &[Vec<f64>]| -> Vec<u64> { run.iter().flatten().map(|v| v.to_bits()).collect() };
    assert_eq!(bits(&runs[0]), bits(&runs[1]));
    assert_eq!(bits(&runs[0]), bits(&runs[2]));
    let mut registers = Vec::new();
    for i in (0..n as usize).step_by(997) {
        let mut out = [0.0; 3];
        compiled
            .at(&[x[i], y[i]], &mut out, &mut registers)
            .unwrap();
        for (o, value) in out.iter().enumerate() {
            assert_eq!(value.to_bits(), runs[0][o][i].to_bits());
        }
        let direct =
            (x[i] * y[i]).sin() + (-x[i] * x[i]).exp() / (1.0 + y[i] * y[i]) + x[i].powi(7)
                - 3.0 * y[i];
        assert!((out[0] - direct).abs() < 1e-12);
    }
}
