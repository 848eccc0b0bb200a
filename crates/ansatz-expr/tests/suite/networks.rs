//! A reaction network and a reaction-diffusion equation, as symbols.

use ansatz_diffeq::{Options, solve};
use ansatz_expr::{Expr, Pool};

/// What `reactions` reactions among `species` species do: v_r = (0.1 + 0.01 r) x_i x_j takes from i and j and gives to l.
#[cfg(feature = "egraph")]
fn rates(pool: &Pool) -> (Vec<Expr<'_>>, Vec<Expr<'_>>) {
    let x: Vec<Expr<'_>> = (0..20).map(|i| pool.symbol(&format!("x{i}"))).collect();
    let mut rates = vec![pool.number(0.0); 20];
    for r in 0..60 {
        let (i, j, l) = (r % 20, (3 * r + 1) % 20, (7 * r + 2) % 20);
        let v = (0.1 + 0.01 * r as f64) * x[i] * x[j];
        rates[i] = rates[i] - v;
        rates[j] = rates[j] - v;
        rates[l] = rates[l] + v;
    }
    (x, rates)
}

/// The network as it is written costs two products a reaction and three sums; as Rust code, and by instructions.
#[cfg(feature = "egraph")]
#[test]
fn a_network_becomes_cheaper() {
    use ansatz_expr::Saturation;

    let pool = Pool::new();
    let (x, rates) = rates(&pool);
    let written = 60.0 * (2.0 * 3.0 + 3.0);
    let canonical = pool.formula(&rates).unwrap();
    let alone: u64 = rates.iter().map(|e| e.cost().unwrap()).sum();
    let simple = pool.simplify(&rates, &Saturation::default()).unwrap();
    let simplified = pool.formula(&simple).unwrap();
    println!(
        "written {written}, each alone {alone}, shared {}, saturated {}",
        canonical.cost(),
        simplified.cost()
    );
    assert!(1.5 * simplified.cost() as f64 <= written);
    assert!(1.5 * simplified.cost() as f64 <= alone as f64);
    assert!(simplified.cost() <= canonical.cost());

    let names: Vec<String> = x.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    let point: Vec<f64> = (0..20).map(|i| 0.5 + 0.07 * f64::from(i)).collect();
    let mut expected = vec![0.0; 20];
    for r in 0..60 {
        let v = (0.1 + 0.01 * r as f64) * point[r % 20] * point[(3 * r + 1) % 20];
        expected[r % 20] -= v;
        expected[(3 * r + 1) % 20] -= v;
        expected[(7 * r + 2) % 20] += v;
    }
    for formula in [canonical, simplified] {
        let compiled = formula.compile(&names).unwrap();
        let mut out = vec![0.0; 20];
        compiled.at(&point, &mut out, &mut Vec::new()).unwrap();
        for (a, b) in out.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }
}

/// dA = 100 (M_y A + A M_x) + α − A − AB + C, dB = 1 − B − AB + C, dC = 1 − C + AB − C on n × n points, by columns.
fn reaction_diffusion(pool: &Pool, n: usize) -> (Vec<Expr<'_>>, Vec<Expr<'_>>) {
    let grid = |name: &str| -> Vec<Expr<'_>> {
        let names = (0..n * n).map(|k| format!("{name}{}_{}", k % n, k / n));
        names.map(|name| pool.symbol(&name)).collect()
    };
    let (a, b, c) = (grid("a"), grid("b"), grid("c"));
    // A neighbour outside is the one inside on the other side.
    let inside = |k: isize| -> usize {
        let last = n.cast_signed() - 1;
        (if k < 0 {
            1
        } else if k > last {
            last - 1
        } else {
            k
        }) as usize
    };
    let at = |i: isize, j: isize| a[inside(i) + n * inside(j)];
    let (mut da, mut db, mut dc) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..n * n {
        let (i, j) = ((k % n).cast_signed(), (k / n).cast_signed());
        let diffusion = at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1) - 4.0 * a[k];
        let source = if 5 * (j as usize + 1) >= 4 * n {
            1.0
        } else {
            0.0
        };
        let reaction = a[k] * b[k];
        da.push(100.0 * diffusion + source - a[k] - reaction + c[k]);
        db.push(1.0 - b[k] - reaction + c[k]);
        dc.push(1.0 - c[k] + reaction - c[k]);
    }
    ([a, b, c].concat(), [da, db, dc].concat())
}

#[test]
fn a_jacobian_of_a_grid_has_its_entries_only() {
    for (n, entries) in [(8, 800), (32, 13_184)] {
        let pool = Pool::new();
        let (state, rates) = reaction_diffusion(&pool, n);
        let pattern = pool.sparsity(&rates, &state).unwrap();
        assert_eq!(pattern.len(), entries);
        assert_eq!(entries, 13 * n * n - 4 * n);
        if n == 8 {
            let jacobian = pool.jacobian(&rates, &state).unwrap();
            assert_eq!(jacobian.sparsity, pattern);
        }
        let colors = pattern.colors().into_iter().max().unwrap() + 1;
        assert!(colors <= 12, "{colors}");
    }
}

/// Values at t = 1 and 10 for n = 8, against an independent program's.
#[test]
fn a_grid_is_solved() {
    let pool = Pool::new();
    let n = 8;
    let (state, rates) = reaction_diffusion(&pool, n);
    let names: Vec<String> = state.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    let compiled = pool.formula(&rates).unwrap().compile(&names).unwrap();
    let registers = std::sync::Mutex::new(Vec::new());
    let field = |_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
        compiled
            .at(x, dx, &mut registers.lock().unwrap())
            .map_err(ansatz_diffeq::core::EvalError::model)
    };
    let mut x = vec![0.0; 3 * n * n];
    let mean = |x: &[f64], part: usize| {
        x[part * n * n..(part + 1) * n * n].iter().sum::<f64>() / (n * n) as f64
    };
    for (from, to, expected) in [
        (
            0.0,
            1.0,
            [f64::NAN, f64::NAN, 0.2828133152, 0.7788362725, 0.4854048451],
        ),
        (
            1.0,
            10.0,
            [
                0.4269223084,
                0.4665504181,
                0.4430595526,
                1.2279545264,
                0.7719546726,
            ],
        ),
    ] {
        solve(
            &field,
            (from, to),
            &mut x,
            &Options::tolerance(1e-10, 1e-10),
            &mut (),
        )
        .unwrap();
        let got = [x[0], x[n * (n - 1)], mean(&x, 0), mean(&x, 1), mean(&x, 2)];
        for (got, expected) in got.iter().zip(expected) {
            assert!(
                expected.is_nan() || (got - expected).abs() < 2e-9,
                "{got} {expected}"
            );
        }
    }
}
