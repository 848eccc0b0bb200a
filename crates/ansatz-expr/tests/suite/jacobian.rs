//! Jacobians, their patterns and colours.

use ansatz_expr::{Expr, Pool};

#[test]
fn entries_are_the_forward_derivatives() {
    let pool = Pool::new();
    let [x, y, z, t] = ["x", "y", "z", "t"].map(|name| pool.symbol(name));
    let u = pool.field("u", &[x, t]);
    let outputs: Vec<Expr<'_>> = [
        "sin(x*y)^2/(1 + z^2) + x^y",
        "exp(x*y)*sin(x*y) + z",
        "u*u_x + x^2*u_t",
        "3",
        "tanh(z)*sqrt(1 + tanh(z)^2)",
    ]
    .iter()
    .map(|text| pool.parse(text).unwrap())
    .collect();
    let variables = [x, y, z, u, u.derivative(x)];
    let jacobian = pool.jacobian(&outputs, &variables).unwrap();
    let names = ["x", "y", "z", "t", "u", "u_x", "u_xx", "u_t", "u_xt"];
    let at: Vec<(&str, f64)> = names
        .iter()
        .enumerate()
        .map(|(i, n)| (*n, 0.3 + 0.2 * i as f64))
        .collect();
    let mut entries = jacobian.entries.iter();
    for (row, output) in outputs.iter().enumerate() {
        for (column, variable) in variables.iter().enumerate() {
            let forward = output.derivative(*variable);
            if !jacobian.sparsity.row(row).contains(&column) {
                assert!(forward.is_zero(), "{row} {column}: {forward}");
                continue;
            }
            let [a, b] = [forward, *entries.next().unwrap()].map(|e| e.evaluate(&at).unwrap());
            assert!(
                (a - b).abs() < 1e-13 * a.abs().max(1.0),
                "{row} {column}: {a} {b}"
            );
        }
    }
    assert!(entries.next().is_none());
    assert_eq!(
        jacobian.sparsity,
        pool.sparsity(&outputs, &variables).unwrap()
    );
    assert!(pool.jacobian(&outputs, &[x + y]).is_err());
    assert!(pool.jacobian(&[x / 0.0], &[x]).is_err());
}

#[test]
fn hessian_patterns() {
    let pool = Pool::new();
    let v: Vec<Expr<'_>> = (0..5).map(|i| pool.symbol(&format!("v{i}"))).collect();
    // v0·v1 + sin(v2) + 3 v3 + v4²·v0
    let f = v[0] * v[1] + v[2].sin() + 3.0 * v[3] + v[4].powi(2) * v[0];
    let pattern = pool.hessian_sparsity(f, &v).unwrap();
    let rows: Vec<&[usize]> = (0..5).map(|row| pattern.row(row)).collect();
    assert_eq!(rows, [&[1, 4][..], &[0], &[2], &[], &[0, 4]]);
    for (row, a) in v.iter().enumerate() {
        for (column, b) in v.iter().enumerate() {
            let second = f.derivative(*a).derivative(*b);
            assert_eq!(rows[row].contains(&column), !second.is_zero());
        }
    }
}

#[test]
fn colours_separate_columns_that_share_rows() {
    let pool = Pool::new();
    let n = 40;
    let v: Vec<Expr<'_>> = (0..n).map(|i| pool.symbol(&format!("v{i}"))).collect();
    let outputs: Vec<Expr<'_>> = (0..n)
        .map(|i| v[i] * v[(i + 1).min(n - 1)] - v[i.saturating_sub(1)])
        .collect();
    let pattern = pool.sparsity(&outputs, &v).unwrap();
    let colors = pattern.colors();
    assert_eq!(
        colors.iter().max(),
        Some(&2),
        "a tridiagonal matrix has three"
    );
    for row in 0..n {
        let mut seen: Vec<usize> = pattern.row(row).iter().map(|c| colors[*c]).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), pattern.row(row).len());
    }
    let values = vec![2.0; pattern.len()];
    let mut out = vec![0.0; n];
    pattern.product(&values, &vec![1.0; n], &mut out).unwrap();
    assert!((out[5] - 6.0).abs() < 1e-15);
    assert!(
        pattern
            .product(&values[1..], &vec![1.0; n], &mut out)
            .is_err()
    );
}
