//! Residuals of equations on their solutions.

use ansatz_expr::Pool;

/// Burgers' equation on the solution that the Cole-Hopf transformation makes of a heat kernel series,
/// u = −2ν φ_x/φ with φ_t = νφ_xx (Hopf 1950; Cole 1951).
#[test]
fn burgers_on_a_cole_hopf_solution() {
    let pool = Pool::new();
    let [x, t, nu] = ["x", "t", "nu"].map(|name| pool.symbol(name));
    let u = pool.field("u", &[x, t]);
    let residual = pool.equation("u_t + u*u_x = nu*u_xx").unwrap();
    let phi = [(1.0, 1.0), (0.4, 2.0), (-0.15, 3.0)].iter().fold(
        pool.number(2.0),
        |sum, (amplitude, k)| {
            let decay = (-nu * (k * k) * t).exp();
            sum + *amplitude * decay * (x * *k).cos()
        },
    );
    let solution = -2.0 * nu * phi.derivative(x) / phi;
    let heat = phi.derivative(t) - nu * phi.derivative(x).derivative(x);
    assert!(heat.expand().is_zero(), "{heat}");
    let formula = pool
        .formula(&[residual.substitute(&[(u, solution)]), solution])
        .unwrap();
    let compiled = formula.compile(&["x", "t", "nu"]).unwrap();
    let points: Vec<(f64, f64)> = (0..40)
        .flat_map(|i| (0..10).map(move |j| (f64::from(i) * 0.17, f64::from(j) * 0.3)))
        .collect();
    let (x, t): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let out = compiled.evaluate(&[&x, &t, &[0.3]]).unwrap();
    let worst = out[0].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(worst < 1e-9, "{worst:e}");
    assert!(
        out[1].iter().any(|v| v.abs() > 0.1),
        "the solution is not trivial"
    );
}

#[cfg(feature = "autodiff")]
#[test]
fn programs_agree_with_evaluation() {
    use ansatz_expr::autodiff::{Graph, Options, Program};
    use ansatz_expr::{FieldDerivative, Leaf};

    let pool = Pool::new();
    let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    pool.field("u", &[x, t]);
    let texts = [
        "u_t + u*u_x - 0.01/pi*u_xx",
        "sqrt(x)*u^3/(1 + t^2) + x^0.3 + 2^t + x^t",
        "exp(-x)*sin(t) + tanh(u) - erf(x*t) + abs(u - x) + ln(1 + x) + cosh(t)*sinh(x) + atan(u)",
    ];
    let outputs: Vec<_> = texts.iter().map(|text| pool.parse(text).unwrap()).collect();
    let formula = pool.formula(&outputs).unwrap();
    let n = 7;
    let values: Vec<Vec<f64>> = (0..formula.leaves().len())
        .map(|l| {
            (0..n)
                .map(|i| 0.2 + 0.13 * i as f64 + 0.05 * l as f64)
                .collect()
        })
        .collect();
    let inputs: Vec<&[f64]> = values.iter().map(|v| &**v).collect();
    let names: Vec<&str> = formula.names().iter().map(|s| &**s).collect();
    let expected = formula.compile(&names).unwrap().evaluate(&inputs).unwrap();

    let graph = Graph::new();
    let arrays: Vec<_> = inputs.iter().map(|_| graph.input(&[n])).collect();
    let leaves = formula.leaves().to_vec();
    let out = formula.trace(&graph, |leaf| {
        arrays[leaves.iter().position(|l| l == leaf).unwrap()]
    });
    let program = Program::<f64>::compile(&graph.finish(&out), &Options::default()).unwrap();
    let mut got = vec![vec![0.0; n]; out.len()];
    let mut slices: Vec<&mut [f64]> = got.iter_mut().map(|o| &mut **o).collect();
    program.run(&inputs, &mut slices).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        for (a, b) in got.iter().zip(expected) {
            assert!((a - b).abs() < 1e-13 * b.abs().max(1.0), "{a} {b}");
        }
    }
    let u_xx = Leaf::Field(FieldDerivative {
        field: "u".into(),
        orders: vec![2, 0],
    });
    assert!(leaves.contains(&u_xx));
}
