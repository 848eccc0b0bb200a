//! Source text that is compiled.

use ansatz_expr::{ExprError, Formula, Language, Pool};

/// What [`formula`] writes; `the_text_is_current` compares.
#[expect(unreachable_pub, reason = "generated functions are public")]
mod generated {
    include!("generated.inc");
}

fn formula() -> Result<Formula, ExprError> {
    let pool = Pool::new();
    let _ = ["x", "y"].map(|name| pool.symbol(name));
    let outputs = [
        pool.parse("sqrt(x)*sin(y)^3 - 0.1*x/y")?,
        pool.parse("x^y + erf(x) + abs(x - y) + sign(y) + exp(-x^2)")?,
        pool.parse("7")?,
    ];
    pool.formula(&outputs)
}

/// To write it anew, copy what the failure shows.
#[test]
fn the_text_is_current() {
    let text = formula().unwrap().code(Language::Rust, "three");
    let kept = include_str!("generated.inc");
    assert_eq!(kept, text, "\n{text}");
}

#[test]
fn the_function_gives_the_same() {
    let compiled = formula().unwrap().compile(&["x", "y"]).unwrap();
    for point in [[0.3, 0.7], [2.0, -1.5], [1.0, 1.0]] {
        let (mut here, mut there) = ([0.0; 3], [0.0; 3]);
        compiled.at(&point, &mut here, &mut Vec::new()).unwrap();
        generated::three(&point, &mut there);
        for (a, b) in here.iter().zip(there) {
            assert!((a - b).abs() <= 1e-15 * b.abs(), "{a} {b}");
        }
    }
    let c = formula().unwrap().code(Language::C, "three");
    assert!(c.starts_with("/* Inputs: x, y. */\nvoid three(const double x[2], double out[3]) {\n"));
    assert!(
        c.contains("= erf(v0);") && c.contains("= pow(v0, v1);"),
        "{c}"
    );
}
