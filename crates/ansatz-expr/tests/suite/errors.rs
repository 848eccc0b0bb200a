//! Every refusal names its place.

use ansatz_expr::{ExprError, Pool};

fn pool() -> Pool {
    let pool = Pool::new();
    let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    pool.field("u", &[x, t]);
    pool
}

#[test]
fn unknown_names() {
    let pool = pool();
    let error = pool.parse("u_t + uu*u_x").unwrap_err();
    let ExprError::UnknownSymbol {
        name,
        position,
        known,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((&**name, *position, &*known[0]), ("uu", 6, "u"));
    let ExprError::UnknownSymbol {
        known, position, ..
    } = pool.parse("1 + u_yy").unwrap_err()
    else {
        panic!()
    };
    assert_eq!(position, 4);
    assert!(known.contains(&"u_x".to_owned()), "{known:?}");
    let error = pool.parse("x + sim(x)").unwrap_err();
    assert!(
        matches!(&error, ExprError::UnknownFunction { position: 4, known, .. } if known[0] == "sin"),
        "{error}"
    );
    assert!(
        pool.parse("gamma(x)")
            .unwrap_err()
            .to_string()
            .contains("tan"),
        "names follow"
    );
}

#[test]
fn syntax() {
    let cases = [
        ("2x", 1, "products are written with `*`"),
        ("2 (x)", 2, "products are written with `*`"),
        ("x t", 2, "products are written with `*`"),
        ("x(t)", 1, "the symbol `x`"),
        ("(x + t", 6, "`)`"),
        ("x +", 3, "a number, a name or `(`"),
        ("x + * t", 4, "a number, a name or `(`"),
        ("", 0, "a number, a name or `(`"),
        ("x = t", 2, "without `=`"),
        ("x # t", 2, "`#`"),
        ("x)", 1, "an operator or the end"),
        ("sin + 1", 4, "`(` after the function sin"),
        ("u_{x", 4, "`}`"),
        ("diff(u, u)", 8, "a symbol to differentiate by"),
        ("diff(u, x, 1.5)", 11, "an order from 0 to 64"),
        ("1e999", 0, "a number that `f64` holds"),
        ("é", 0, "unknown symbol"),
        ("x·t", 1, "`·`"),
    ];
    for (text, place, part) in cases {
        let error = pool().parse(text).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(part), "{text}: {message}");
        assert!(
            message.contains(&format!("at byte {place}")),
            "{text}: {message}"
        );
    }
    let message = pool().equation("u_t - u_xx").unwrap_err().to_string();
    assert!(message.contains("an operator or `=`"), "{message}");
    assert!(pool().equation("x = t = 1").is_err());
}

#[test]
fn arity() {
    for (text, got) in [
        ("sin(x, t)", 2),
        ("sqrt()", 0),
        ("diff(u)", 1),
        ("laplacian(u)", 1),
        ("u(x)", 1),
    ] {
        let error = pool().parse(text).unwrap_err();
        assert!(
            matches!(error, ExprError::Arity { got: g, position: 0, .. } if g == got),
            "{text}: {error}"
        );
    }
}

#[test]
fn no_value() {
    let pool = pool();
    let error = pool.parse("1 + (x + t)/(x - x)").unwrap_err();
    assert_eq!(error.to_string(), "division of `x + t` by zero");
    assert!(matches!(
        pool.parse("0^-1"),
        Err(ExprError::DivisionByZero { .. })
    ));
    assert!(matches!(pool.parse("ln(0)"), Err(ExprError::Domain { .. })));
    assert!(matches!(
        pool.parse("sqrt(-1)*x"),
        Err(ExprError::Domain { .. })
    ));
    assert!(matches!(
        pool.parse("asin(2)"),
        Err(ExprError::Domain { .. })
    ));
    assert!(matches!(
        pool.parse("1e300*1e300*x"),
        Err(ExprError::NotFinite { .. })
    ));
    // The error travels through operators and derivatives, and is the same expression.
    let x = pool.symbol("x");
    let bad = (x / 0.0 + 1.0).sin();
    assert!(matches!(bad.check(), Err(ExprError::DivisionByZero { .. })));
    assert!(bad.derivative(x).check().is_err());
    assert!(pool.formula(&[x, bad]).is_err());
    assert!(pool.number(f64::NAN).check().is_err());
    // Numbers that only floating point knows are found when a formula is made.
    assert!(matches!(
        pool.parse("1/(sin(1) - sin(1))"),
        Err(ExprError::DivisionByZero { .. })
    ));
    let tiny = pool.parse("x/(sin(pi/6) - sin(pi/6 + 0*x))");
    assert!(tiny.is_err());
}

#[test]
fn names() {
    let pool = pool();
    for name in ["", "2x", "a b", "sin", "pi", "diff", "x_", "x+", "u"] {
        assert!(
            matches!(pool.symbol(name).check(), Err(ExprError::Name { .. })),
            "{name}"
        );
    }
    let x = pool.symbol("x");
    assert!(pool.field("w", &[]).check().is_err());
    assert!(pool.field("w", &[x, x]).check().is_err());
    assert!(pool.field("w", &[x * x]).check().is_err());
    assert!(
        pool.field("u", &[x]).check().is_err(),
        "u is declared otherwise"
    );
    assert!(pool.field("w", &[x]).check().is_ok());
    let other = Pool::new();
    assert_eq!((x + other.symbol("x")).check(), Err(ExprError::OtherPool));
    assert_eq!(other.formula(&[x]).unwrap_err(), ExprError::OtherPool);
}

#[test]
fn ambiguous_derivatives() {
    let pool = Pool::new();
    let arguments = ["a", "bc", "ab", "c"].map(|name| pool.symbol(name));
    pool.field("u", &arguments);
    let error = pool.parse("u_abc").unwrap_err();
    assert!(
        error.to_string().contains("u_{a bc} or u_{ab c}"),
        "{error}"
    );
    assert!(pool.parse("u_{ab c}").is_ok());
}

#[test]
fn nesting_is_limited_and_length_is_not() {
    let pool = pool();
    for (open, close) in [("(", ")"), ("sin(", ")"), ("x^", "")] {
        let deep = |n: usize| format!("{}x{}", open.repeat(n), close.repeat(n));
        assert!(pool.parse(&deep(150)).is_ok(), "{open}");
        assert!(
            matches!(
                pool.parse(&deep(100_000)),
                Err(ExprError::Depth { limit: 200, .. })
            ),
            "{open}"
        );
    }
    assert!(pool.parse(&format!("{}x", "-".repeat(100_001))).is_ok());
    let long = vec!["x*t"; 20_000].join(" + ");
    assert_eq!(pool.parse(&long).unwrap(), pool.parse("20000*x*t").unwrap());
    // Deep expressions are differentiated, printed and evaluated.
    let x = pool.symbol("x");
    let mut deep = x;
    for _ in 0..20_000 {
        deep = deep.sin() + 0.5 * x;
    }
    assert!(deep.to_string().len() > 100_000);
    let slope = deep.derivative(x).evaluate(&[("x", 0.3)]).unwrap();
    assert!(slope.is_finite());
}

#[test]
fn substitution_in_arguments() {
    let pool = pool();
    let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    let e = pool.parse("u_x + x").unwrap();
    assert!(matches!(
        e.substitute(&[(x, t)]).check(),
        Err(ExprError::Argument { .. })
    ));
    let u = pool.parse("u").unwrap();
    assert_eq!(
        e.substitute(&[(u, x * x), (x, t)]),
        pool.parse("2*x + t").unwrap()
    );
}

#[test]
fn evaluation() {
    let pool = pool();
    let formula = pool.formula(&[pool.parse("u_x/x + 1").unwrap()]).unwrap();
    let error = formula.compile(&["x", "u"]).unwrap_err();
    assert_eq!(error.to_string(), "`u_x` is unbound; inputs are x, u");
    let compiled = formula.compile(&["x", "u_x"]).unwrap();
    assert!(matches!(
        compiled.evaluate(&[&[1.0]]),
        Err(ExprError::Count {
            expected: 2,
            got: 1,
            ..
        })
    ));
    let mut out = vec![7.0; 3];
    let error = compiled
        .run(&[&[1.0, 2.0], &[1.0]], &mut [&mut out])
        .unwrap_err();
    assert!(
        matches!(
            error,
            ExprError::Length {
                index: 0,
                expected: 3,
                got: 2,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(out, [7.0; 3]);
    let x: Vec<f64> = (0..1000).map(|i| f64::from(i) - 700.0).collect();
    let error = compiled.evaluate(&[&x, &[1.0]]).unwrap_err();
    assert!(
        matches!(
            error,
            ExprError::Value {
                output: 0,
                point: 700,
                ..
            }
        ),
        "{error}"
    );
}
