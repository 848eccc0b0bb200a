//! A reaction-diffusion equation on a grid, written as symbols: its Jacobian has its entries only, and the compiled rates
//! are stepped until nothing changes.
//!
//! Three fields A, B, C on 8 × 8 points; A diffuses and has a source on the right. Run it with
//! `cargo run --release -p ansatz-expr --example reaction_grid`.
//!
//! gallery: A reaction-diffusion equation from symbols
//! gallery: expect entries of the Jacobian in 800..800
//! gallery: expect mean of A at t = 10 in 0.44305..0.44307

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_expr::{Expr, ExprError, Pool};

const N: usize = 8;

fn main() -> Result<(), ExprError> {
    let pool = Pool::new();
    let grid = |name: &str| -> Vec<Expr<'_>> {
        (0..N * N)
            .map(|k| pool.symbol(&format!("{name}{k}")))
            .collect()
    };
    let (a, b, c) = (grid("a"), grid("b"), grid("c"));
    // Beyond an edge stands the neighbour on this side.
    let at = |i: usize, j: usize| {
        let inside = |k: usize| {
            if k == 0 {
                1
            } else {
                k - 1 - 2 * usize::from(k > N)
            }
        };
        a[inside(i) + N * inside(j)]
    };
    let (mut da, mut db, mut dc) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..N * N {
        let (i, j) = (k % N + 1, k / N + 1);
        let around = at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1);
        let source = if 5 * j >= 4 * N { 1.0 } else { 0.0 };
        let reaction = a[k] * b[k];
        da.push(100.0 * (around - 4.0 * a[k]) + source - a[k] - reaction + c[k]);
        db.push(1.0 - b[k] - reaction + c[k]);
        dc.push(1.0 - c[k] + reaction - c[k]);
    }
    let (state, rates) = ([a, b, c].concat(), [da, db, dc].concat());

    let jacobian = pool.jacobian(&rates, &state)?;
    println!("rate of A in a corner: {}", rates[0]);
    println!("entries of the Jacobian = {}", jacobian.entries.len());
    let colors = jacobian.sparsity.colors().into_iter().max().unwrap_or(0) + 1;
    println!("products J·v that give them all = {colors}");

    // The classical Runge-Kutta method with steps below the bound of diffusion.
    let names: Vec<String> = state.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    let code = pool.formula(&rates)?.compile(&names)?;
    let mut registers = Vec::new();
    let mut x = vec![0.0; state.len()];
    let h = 10.0 / 4000.0;
    for _ in 0..4000 {
        let mut slopes = vec![vec![0.0; x.len()]; 4];
        for stage in 0..4 {
            let step = [0.0, 0.5 * h, 0.5 * h, h][stage];
            let before = &slopes[stage.saturating_sub(1)];
            let moved: Vec<f64> = x.iter().zip(before).map(|(x, k)| x + step * k).collect();
            code.at(&moved, &mut slopes[stage], &mut registers)?;
        }
        for (i, x) in x.iter_mut().enumerate() {
            *x += h / 6.0 * (slopes[0][i] + 2.0 * (slopes[1][i] + slopes[2][i]) + slopes[3][i]);
        }
    }
    let mean = x[..N * N].iter().sum::<f64>() / (N * N) as f64;
    println!("mean of A at t = 10 = {mean:.10}");
    Ok(())
}
