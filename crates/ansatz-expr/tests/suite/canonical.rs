//! Canonical forms, text, derivatives in closed form.

use ansatz_expr::{Expr, FieldDerivative, Leaf, Pool};

fn symbols<'p, const N: usize>(pool: &'p Pool, names: [&str; N]) -> [Expr<'p>; N] {
    names.map(|name| pool.symbol(name))
}

#[test]
fn equal_expressions_are_one() {
    let pool = Pool::new();
    let [x, y, z] = symbols(&pool, ["x", "y", "z"]);
    assert_eq!(x + x, 2.0 * x);
    assert_eq!((x + y) + z, z + (y + x));
    assert_eq!(x * y * x, x.powi(2) * y);
    assert_eq!(x / x, pool.number(1.0));
    assert_eq!(-(x - y), y - x);
    assert_eq!(2.0 * (x + y) - (x + y), x + y);
    assert_eq!((x * y).powi(3), x.powi(3) * y.powi(3));
    assert_eq!((4.0 * x).sqrt(), x.sqrt() * 2.0);
    assert_eq!((2.0 * x).sqrt() * (2.0 * x).sqrt(), 2.0 * x);
    assert_eq!((x * y).sqrt().powi(2), x * y);
    assert_eq!(x.sqrt().powi(2), x);
    assert_ne!(x.powi(2).sqrt(), x, "a root of a square is no sign");
    assert_eq!(x * 0.1 + x * 0.2, x * 0.3, "decimals are exact");
    assert_eq!((-x).sin(), -x.sin());
    assert_eq!((-x).cos(), x.cos());
    assert_eq!((x * 0.0) + 1.0, pool.number(1.0));
    let (a, b) = (x.sin() * y + 1.0, z / y - x.exp());
    assert!((a * b - b * a).is_zero());
}

#[test]
fn numbers_stay_exact_where_they_can() {
    let pool = Pool::new();
    let third = pool.number(1.0) / 3.0;
    assert_eq!(third + third + third, pool.number(1.0));
    assert_eq!(pool.number(9.0).sqrt(), pool.number(3.0));
    assert_eq!(pool.number(2.0).sqrt().powi(2), pool.number(2.0));
    assert_eq!(pool.number(1.0).exp().ln(), pool.number(1.0));
    assert_eq!(pool.parse("e^2").unwrap(), pool.number(2.0).exp());
}

/// A long sum is the same however it comes about, and every part of it stays what it was.
#[test]
fn long_sums_are_persistent() {
    let pool = Pool::new();
    let terms: Vec<Expr<'_>> = (0..200).map(|i| pool.symbol(&format!("x{i}"))).collect();
    let mut partial = vec![terms[0]];
    for term in &terms[1..] {
        partial.push(partial[partial.len() - 1] + *term);
    }
    let backwards = terms.iter().rev().copied().sum::<Expr<'_>>();
    assert_eq!(backwards, partial[199]);
    let (left, right) = terms.split_at(77);
    let halves = left.iter().copied().sum::<Expr<'_>>() + right.iter().copied().sum::<Expr<'_>>();
    assert_eq!(halves, partial[199]);
    // A branch of an inner part leaves it alone.
    let branch = partial[100] + terms[3] * 5.0;
    assert_eq!(branch - terms[3] * 5.0, partial[100]);
    for (n, sum) in partial.iter().enumerate() {
        assert_eq!(sum.symbols().len(), n + 1);
    }
    assert_eq!(partial[199] - partial[198], terms[199]);
    // Back to a short list.
    let rest = terms[5..]
        .iter()
        .fold(partial[199], |sum, term| sum - *term);
    assert_eq!(rest, partial[4]);
    let product = terms.iter().fold(pool.number(1.0), |p, t| p * *t);
    let inverse = terms.iter().rev().fold(pool.number(1.0), |p, t| p / *t);
    assert_eq!(product * inverse, pool.number(1.0));
}

fn partial_sums<'p>(pool: &'p Pool, terms: &[Expr<'p>]) -> Vec<Expr<'p>> {
    let mut sum = pool.number(0.0);
    let mut add = |term: &Expr<'p>| {
        sum = sum + *term;
        sum
    };
    terms.iter().map(&mut add).collect()
}

/// What was made once is found again, also from sums whose lists went on since.
#[test]
fn repeated_sums_make_nothing() {
    let pool = Pool::new();
    let terms: Vec<Expr<'_>> = (0..60).map(|i| pool.symbol(&format!("x{i}"))).collect();
    let partial = partial_sums(&pool, &terms);
    let branch = partial[40] + terms[50];
    let made = pool.len();
    assert_eq!(partial_sums(&pool, &terms), partial);
    assert_eq!(partial[40] + terms[50], branch);
    assert_eq!(pool.len(), made);
    // A change that has no value leaves the list as it was.
    let huge = pool.number(1e308);
    let large = partial[59] + huge * terms[7];
    assert!((large + huge * terms[7]).check().is_err());
    assert_eq!(partial[59] + huge * terms[7], large);
    assert_eq!((large + terms[8]) - terms[8], large);
}

proptest::proptest! {
    /// Any tree of sums holds the terms that a map of coefficients holds.
    #[test]
    fn sums_are_maps(steps in proptest::collection::vec((0_usize..1000, 0_usize..40, -2_i8..3), 1..300)) {
        let pool = Pool::new();
        let terms: Vec<Expr<'_>> = (0..40).map(|i| pool.symbol(&format!("x{i}"))).collect();
        let all = terms.iter().copied().sum::<Expr<'_>>();
        let mut sums = vec![(all, [1_i64; 40])];
        for (from, term, change) in steps {
            // Mostly from the newest, at times from any.
            let back = if from < 700 { 0 } else { from % sums.len() };
            let (sum, mut numbers) = sums[sums.len() - 1 - back];
            numbers[term] += i64::from(change);
            sums.push((sum + f64::from(change) * terms[term], numbers));
        }
        for (sum, numbers) in &sums {
            let parts = terms.iter().zip(numbers).map(|(x, n)| *n as f64 * *x);
            let backwards = parts.rev().fold(pool.number(0.0), |sum, part| part + sum);
            proptest::prop_assert_eq!(*sum, backwards);
        }
    }
}

#[test]
fn derivatives_are_exact() {
    let pool = Pool::new();
    let [x, y] = symbols(&pool, ["x", "y"]);
    let cases = [
        ("x^5", "5*x^4"),
        ("sqrt(x)", "1/(2*sqrt(x))"),
        ("exp(x*y)", "y*exp(x*y)"),
        ("ln(x)", "1/x"),
        ("sin(x)*cos(x)", "cos(x)^2 - sin(x)^2"),
        ("tan(x)", "1 + tan(x)^2"),
        ("asin(x)", "1/sqrt(1 - x^2)"),
        ("acos(x)", "-1/sqrt(1 - x^2)"),
        ("atan(x)", "1/(1 + x^2)"),
        ("tanh(x)", "1 - tanh(x)^2"),
        ("sinh(x) + cosh(x)", "sinh(x) + cosh(x)"),
        ("asinh(x)", "1/sqrt(1 + x^2)"),
        ("acosh(x)", "1/sqrt(x^2 - 1)"),
        ("atanh(x)", "1/(1 - x^2)"),
        ("erf(x)", "2*exp(-x^2)/sqrt(pi)"),
        ("abs(x)", "sign(x)"),
        ("x^y", "y*x^(y - 1)"),
        ("y^x", "y^x*ln(y)"),
        ("x^x", "x^x*(1 + ln(x))"),
        ("x/(1 + x)", "1/(1 + x) - x/(1 + x)^2"),
        ("y", "0"),
    ];
    for (f, slope) in cases {
        let derivative = pool.parse(f).unwrap().derivative(x);
        let expected = pool.parse(slope).unwrap();
        // Powers with symbols in the exponent and products of sums are not multiplied out.
        if derivative != expected {
            let at = [("x", 1.37), ("y", 0.8)];
            let [a, b] = [derivative, expected].map(|e| {
                let names = e
                    .symbols()
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>();
                let at: Vec<_> = at
                    .into_iter()
                    .filter(|(n, _)| names.iter().any(|m| m == n))
                    .collect();
                e.evaluate(&at).unwrap()
            });
            assert!(
                (a - b).abs() < 1e-14 * b.abs().max(1.0),
                "{f}: {derivative}"
            );
        }
    }
    assert_eq!(y.derivative(x), pool.number(0.0));
}

#[test]
fn derivatives_of_unknown_functions_are_leaves() {
    let pool = Pool::new();
    let [x, t, k] = symbols(&pool, ["x", "t", "k"]);
    let u = pool.field("u", &[x, t]);
    let residual = pool.parse("u_t + u*u_x - k*u_xx + k^2*x").unwrap();
    let leaf = |orders: &[usize]| FieldDerivative {
        field: "u".into(),
        orders: orders.to_vec(),
    };
    assert_eq!(
        residual.fields(),
        [leaf(&[0, 0]), leaf(&[0, 1]), leaf(&[1, 0]), leaf(&[2, 0])]
    );
    assert_eq!(residual.symbols(), [x, k]);
    assert_eq!(residual.derivative(u), u.derivative(x));
    assert_eq!(residual.derivative(u.derivative(x)), u);
    assert_eq!(u.derivative(x).derivative(t), pool.parse("u_tx").unwrap());
    assert_eq!(u.derivative(k), pool.number(0.0));
    let formula = pool.formula(&[residual]).unwrap();
    let symbol = |name: &str| Leaf::Symbol(name.into());
    assert_eq!(formula.leaves()[..2], [symbol("x"), symbol("k")]);
    assert_eq!(formula.leaves()[4], Leaf::Field(leaf(&[1, 0])));
    assert_eq!(formula.names(), ["x", "k", "u", "u_t", "u_x", "u_xx"]);
}

#[test]
fn derivatives_have_many_spellings() {
    let pool = Pool::new();
    let [x, x1, t] = symbols(&pool, ["x", "x1", "t"]);
    let u = pool.field("u", &[x, t]);
    let v = pool.field("v", &[x1, x]);
    let parse = |text: &str| pool.parse(text).unwrap();
    for text in [
        "u_xx",
        "u_x_x",
        "u_{x x}",
        "u_{xx}",
        "diff(u, x, 2)",
        "diff(u_x, x)",
        "diff(diff(u(x, t), x), x)",
        "laplacian(u, x)",
    ] {
        assert_eq!(parse(text), u.derivative(x).derivative(x), "{text}");
    }
    for text in ["v_x1x", "v_{x1 x}", "v_{x,x1}", "diff(v, x, x1)"] {
        assert_eq!(parse(text), v.derivative(x).derivative(x1), "{text}");
    }
    assert_eq!(
        parse("diff(x*diff(u, x), x)"),
        u.derivative(x) + x * u.derivative(x).derivative(x)
    );
    assert_eq!(parse("x**2"), x.powi(2));
    assert_eq!(parse("-x^2"), -(x * x));
    assert_eq!(parse("2^-1"), pool.number(0.5));
    assert_eq!(parse("2^3^2"), pool.number(512.0));
    assert_eq!(parse("1e-3*x"), x * 0.001);
    assert_eq!(parse("x - t - x"), -t);
    assert_eq!(parse("x/t/t"), x / (t * t));
}

#[test]
fn text_parses_back() {
    let pool = Pool::new();
    let [x, _, long] = symbols(&pool, ["x", "t", "alpha_1"]);
    let u = pool.field("u", &[x, long]);
    let cases = [
        ("x + 1", "x + 1"),
        ("1 - x", "-x + 1"),
        ("x/2", "x/2"),
        ("2*x/3", "2*x/3"),
        ("-(x*t)", "-x*t"),
        ("1/x", "1/x"),
        ("x/(t*alpha_1)", "x/(t*alpha_1)"),
        ("(x + t)^2", "(x + t)^2"),
        ("(x + t)*(x - t)", "(x + t)*(x - t)"),
        ("-(x + t)*(x - t)", "-(x + t)*(x - t)"),
        ("2*((x + t)*(x - t))", "(x + t)*(x - t)*2"),
        ("2/x*(x + t)", "2/x*(x + t)"),
        ("x*(2*((x + 1)*t))", "2*x*t*(x + 1)"),
        ("1 - 3/(2*x)*(x + t)", "-3/(2*x)*(x + t) + 1"),
        ("sqrt(x)^3", "x^1.5"),
        ("x^(1/3)", "x^(1/3)"),
        ("2^x", "2^x"),
        ("(-2)^x", "(-2)^x"),
        ("x^(-t)", "x^(-t)"),
        ("(x^t)^x", "(x^t)^x"),
        ("x^t^x", "x^(t^x)"),
        ("0.01/pi*x", "0.01*x/pi"),
        ("1e-30*x", "1e-30*x"),
        ("1e300*x", "1e300*x"),
        ("x/7", "x/7"),
        ("x/70", "x/70"),
        ("sin(-x)", "-sin(x)"),
        ("diff(u, x)", "u_{x}"),
        ("diff(u, x, 2, alpha_1)", "u_{x x alpha_1}"),
        ("diff(u, x, 20)", "diff(u, x, 20)"),
        ("exp(1)*x", "x*e"),
        ("abs(x - 1)", "abs(x - 1)"),
    ];
    for (text, printed) in cases {
        let e = pool.parse(text).unwrap();
        if !text.starts_with("diff(u, x)") && text != "x/(t*alpha_1)" && text != "0.01/pi*x" {
            assert_eq!(e.to_string(), printed, "{text}");
        }
        assert_eq!(pool.parse(&e.to_string()), Ok(e), "{text} printed as {e}");
    }
    assert!(!u.is_zero());
}

/// A declared name that looks like a derivative is that name, and derivatives are then written out.
#[test]
fn names_that_look_like_derivatives() {
    let pool = Pool::new();
    let [x, u_x, e] = symbols(&pool, ["x", "u_x", "e"]);
    let u = pool.field("u", &[x]);
    assert_eq!(pool.parse("u_x").unwrap(), u_x);
    let slope = u.derivative(x).derivative(x) + pool.number(1.0).exp() * e;
    assert_eq!(slope.to_string(), "diff(u, x, 2) + e*exp(1)");
    assert_eq!(pool.parse(&slope.to_string()), Ok(slope));
}

#[test]
fn latex() {
    let pool = Pool::new();
    let [x, _, alpha] = symbols(&pool, ["x", "t", "alpha"]);
    pool.field("u", &[x, alpha]);
    let cases = [
        (
            "u*u_x - 0.01/pi*diff(u, x, 2)",
            r"u u_{x} - \frac{0.01 u_{xx}}{\pi}",
        ),
        ("sqrt(x)/(t + 1)", r"\frac{\sqrt{x}}{t + 1}"),
        ("alpha^2*sin(x)", r"\alpha ^{2} \sin\left(x\right)"),
        ("x/2", r"\frac{x}{2}"),
        ("(x + t)*exp(-x)", r"\left(x + t\right) \mathrm{e}^{-x}"),
        ("x^(1/3)", r"x^{1/3}"),
    ];
    for (text, latex) in cases {
        assert_eq!(pool.parse(text).unwrap().latex(), latex, "{text}");
    }
}
