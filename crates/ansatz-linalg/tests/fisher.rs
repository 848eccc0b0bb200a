//! Inverse Fisher products beside 50-digit arithmetic, and removals of weights.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_core::{Key, LinearMap, State};
use ansatz_linalg::LinalgError;
use ansatz_linalg::fisher::{
    BlockFisher, Compensation, CompressedFisher, Divisor, FactorOptions, FileRows, FisherFactor,
    FisherWindow, PagedFisher, Refresh, Surgeon, densities,
};
use rayon::ThreadPoolBuilder;

/// gᵢ[j] = sin(ij/10) + ½cos(0.37j + i) for i = first…last, j = 1…d.
fn gradients(range: std::ops::RangeInclusive<u32>, d: u32) -> Vec<Vec<f64>> {
    let element = |i: u32, j: u32| {
        (0.1 * f64::from(i * j)).sin() + 0.5 * (0.37 * f64::from(j) + f64::from(i)).cos()
    };
    range
        .map(|i| (1..=d).map(|j| element(i, j)).collect())
        .collect()
}

fn vector(d: u32) -> Vec<f64> {
    (1..=d).map(|j| (0.05 * f64::from(j * j)).cos()).collect()
}

fn close(got: f64, want: f64, relative: f64) {
    assert!(
        (got - want).abs() <= relative * want.abs(),
        "{got:.16e}, expected {want:.16e}"
    );
}

fn window(damping: f64, refresh: Refresh, rows: &[Vec<f64>], m: usize) -> FisherWindow<Vec<f64>> {
    let options = FactorOptions {
        damping,
        refresh,
        ..FactorOptions::default()
    };
    let mut window = FisherWindow::new(m, &rows[0], options).unwrap();
    for row in rows {
        window.push(row).unwrap();
    }
    window
}

/// λ, first two and last elements of F⁻¹x for m = 20, d = 50, and its norm, from 50-digit arithmetic.
const PRODUCTS: [(f64, [f64; 4]); 2] = [
    (
        1e-3,
        [
            182.300520324437,
            -200.448066466628,
            132.085937070217,
            3187.815468202081,
        ],
    ),
    (
        1e-5,
        [
            18152.6952310251,
            -20176.3397697150,
            13180.8873053989,
            318781.3979609617,
        ],
    ),
];

#[test]
fn every_way_gives_the_same_product() {
    let (g, x) = (gradients(1..=20, 50), vector(50));
    for (damping, want) in PRODUCTS {
        let mut results: Vec<(&str, Vec<f64>)> = Vec::new();
        let mut y = vec![0.0; 50];
        for refresh in [Refresh::Updated, Refresh::Anew] {
            window(damping, refresh, &g, 20).apply(&x, &mut y).unwrap();
            results.push(("window", y.clone()));
        }
        let compressed = CompressedFisher::new(g.clone(), damping).unwrap();
        compressed.apply(&x, &mut y).unwrap();
        results.push(("compressed", y.clone()));
        let whole = BlockFisher::new(&g, 50, damping).unwrap();
        whole.apply(&x, &mut y).unwrap();
        results.push(("one block", y.clone()));
        for page in [7, 50] {
            let mut file = FileRows::new(tempfile::tempfile().unwrap(), 50);
            for row in &g {
                file.push(row).unwrap();
            }
            let mut paged = PagedFisher::new(file, page, damping).unwrap();
            paged.apply_inverse(&x, &mut y).unwrap();
            results.push(("pages", y.clone()));
        }
        // The recursion as it is published.
        let c = window(damping, Refresh::Anew, &g, 20)
            .factor()
            .coefficients();
        let mut published: Vec<f64> = x.iter().map(|x| x / damping).collect();
        for i in 0..20 {
            let v: Vec<f64> = (0..50)
                .map(|j| (0..=i).map(|k| c.weights[i * 20 + k] * g[k][j]).sum())
                .collect();
            let factor = v.dot(&x) / (20.0 + c.products[i * 20 + i]);
            published.lincomb(1.0, &[(-factor, &v)]);
        }
        results.push(("recursion", published));
        for (name, y) in results {
            let got = [y[0], y[1], y[49], y.norm()];
            for (got, want) in got.iter().zip(want) {
                assert!(
                    (got - want).abs() <= 2e-13 * want.abs(),
                    "{name}, damping {damping}: {got:.16e}, expected {want:.16e}"
                );
            }
        }
    }
}

#[test]
fn elements_diagonals_and_denominators() {
    let g = gradients(1..=20, 50);
    let f = CompressedFisher::new(g.clone(), 1e-3).unwrap();
    close(f.element(0, 0).unwrap(), 225.0267018048, 1e-11);
    close(f.element(2, 6).unwrap(), -45.3500550094, 1e-11);
    let mut diagonal = vec![0.0; 50];
    f.diagonal(&mut diagonal).unwrap();
    close(diagonal.iter().sum(), 30017.6462184768, 1e-13);
    close(f.denominators()[0], 30829.57147308, 1e-12);
    close(f.denominators()[19], 24931.68184901, 1e-12);
    let mut column = vec![0.0; 50];
    f.column(6, &mut column).unwrap();
    close(column[2], f.element(2, 6).unwrap(), 1e-12);
    close(column[6], diagonal[6], 1e-12);

    let blocks = BlockFisher::new(&g, 16, 1e-3).unwrap();
    let mut y = vec![0.0; 50];
    blocks.apply_inverse(&vector(50), &mut y).unwrap();
    close(y.norm(), 2344.1501839855, 1e-12);
    close(y[0], 29.8945044438, 1e-11);
    let mut by_elements = vec![0.0; 50];
    blocks.diagonal(&mut diagonal).unwrap();
    for (a, sum) in by_elements.iter_mut().enumerate() {
        close(blocks.element(a, a).unwrap(), diagonal[a], 1e-13);
        for (b, x) in vector(50).iter().enumerate() {
            *sum += blocks.element(a, b).unwrap() * x;
        }
        close(*sum, y[a], 1e-10);
    }
}

#[test]
fn the_window_slides() {
    for refresh in [Refresh::Updated, Refresh::Anew] {
        let mut w = window(1e-3, refresh, &gradients(1..=25, 50), 20);
        let mut y = vec![0.0; 50];
        w.apply_inverse(&vector(50), &mut y).unwrap();
        close(y.norm(), 2512.265027674467, 1e-13);
        close(y[0], 292.56084361947, 1e-12);
        // The same gradients in other places.
        let turned = window(1e-3, refresh, &gradients(6..=25, 50), 20);
        let mut z = vec![0.0; 50];
        turned.apply_inverse(&vector(50), &mut z).unwrap();
        z.lincomb(1.0, &[(-1.0, &y)]);
        assert!(z.norm() <= 1e-12 * y.norm(), "{:e}", z.norm() / y.norm());
        // Hundreds of updates later, the factor still is that of its gradients.
        for row in gradients(26..=1000, 50) {
            w.update_and_apply(&row, &mut y).unwrap();
            w.apply_inverse(&row, &mut z).unwrap();
            assert_eq!(y, z);
        }
        let options = w.factor().options();
        let anew = FisherFactor::of_rows(w.rows(), 20, w.factor().next(), options).unwrap();
        assert_eq!(anew.products(), w.factor().products());
        let mut got = vec![1.0; 20];
        let mut want = got.clone();
        w.factor().weights(&mut got).unwrap();
        anew.weights(&mut want).unwrap();
        got.lincomb(1.0, &[(-1.0, &want)]);
        assert!(got.norm() <= 1e-11 * want.norm());
    }
}

#[test]
fn a_window_that_is_not_full() {
    let g = gradients(1..=5, 50);
    let mut y = vec![0.0; 50];
    for divisor in [Divisor::Window, Divisor::Count] {
        let options = FactorOptions {
            damping: 1e-3,
            divisor,
            ..FactorOptions::default()
        };
        let mut w = FisherWindow::new(20, &g[0], options).unwrap();
        for row in &g {
            w.push(row).unwrap();
        }
        assert_eq!(w.factor().count(), 5);
        w.apply_inverse(&vector(50), &mut y).unwrap();
        let scale: f64 = match divisor {
            // Five gradients over 20 are these over 5, halved.
            Divisor::Window => 0.5,
            Divisor::Count => 1.0,
        };
        let scaled: Vec<Vec<f64>> = g
            .iter()
            .map(|g| g.iter().map(|v| v * scale).collect())
            .collect();
        let few = CompressedFisher::new(scaled, 1e-3).unwrap();
        assert_eq!(few.gradients(), 5);
        let mut z = vec![0.0; 50];
        few.apply_inverse(&vector(50), &mut z).unwrap();
        z.lincomb(1.0, &[(-1.0, &y)]);
        assert!(z.norm() <= 1e-12 * y.norm());
    }
}

#[test]
fn single_precision_keeps_its_digits() {
    let (g, x) = (gradients(1..=20, 50), vector(50));
    let narrow = |v: &Vec<f64>| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    let (_, want) = PRODUCTS[1];
    let f = CompressedFisher::new(g.iter().map(narrow).collect(), 1e-5).unwrap();
    let mut y = vec![0.0; 50];
    f.apply_inverse(&narrow(&x), &mut y).unwrap();
    close(y.norm(), want[3], 1e-6);
    let options = FactorOptions::default();
    let mut w = FisherWindow::new(20, &narrow(&x), options).unwrap();
    for row in &g {
        w.push(&narrow(row)).unwrap();
    }
    w.apply_inverse(&narrow(&x), &mut y).unwrap();
    close(y.norm(), want[3], 1e-6);
}

#[test]
fn threads_change_no_bit() {
    let (m, d) = (11, 70_001);
    let rows: Vec<Vec<f32>> = (0..m)
        .map(|i| {
            let mut row = vec![0.0; d];
            row.fill_normal(Key::new(i), 0);
            row
        })
        .collect();
    let x = &rows[3];
    let run = || {
        let mut y = vec![0.0; d];
        let mut out = Vec::new();
        let f = CompressedFisher::new(rows.clone(), 1e-4).unwrap();
        f.apply_inverse(x, &mut y).unwrap();
        out.extend_from_slice(&y);
        let f = BlockFisher::new(&rows, 128, 1e-4).unwrap();
        f.apply_inverse(x, &mut y).unwrap();
        out.extend_from_slice(&y);
        let mut f = FisherWindow::new(8, x, FactorOptions::default()).unwrap();
        for row in &rows {
            f.update_and_apply(row, &mut y).unwrap();
        }
        out.extend_from_slice(&y);
        out.iter().map(|v| v.to_bits()).collect::<Vec<u32>>()
    };
    let [one, two, three] = [1, 2, 3].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(run)
    });
    assert!(one == two && one == three);
}

fn weights(d: u32) -> Vec<f64> {
    (1..=d)
        .map(|j| (0.7 * f64::from(j)).sin() * (-f64::from(j - 1) / f64::from(d)).exp())
        .collect()
}

#[test]
fn the_surgeon_removes_the_cheapest() {
    let f = CompressedFisher::new(gradients(1..=20, 50), 1e-3).unwrap();
    let surgeon = Surgeon::default();
    let mut live = vec![true; 50];
    let removal = surgeon.remove(&f, 5, &mut weights(50), &mut live).unwrap();
    assert_eq!(removal.removed, [8, 17, 26, 35, 44]);
    let mut live = vec![true; 50];
    let one = surgeon.remove(&f, 1, &mut weights(50), &mut live).unwrap();
    close(one.cost, 2.59679e-7, 1e-5);
    live.fill(true);
    let two = surgeon.remove(&f, 2, &mut weights(50), &mut live).unwrap();
    close(two.cost, 2.59679e-7 + 4.33313e-7, 1e-5);

    for (compensation, want) in [
        (Compensation::Single, 3.410944508280958),
        (Compensation::Group, 3.398952291837137),
    ] {
        let mut w = weights(50);
        let mut live = vec![true; 50];
        let surgeon = Surgeon {
            compensation,
            ..Surgeon::default()
        };
        let removal = surgeon.remove(&f, 10, &mut w, &mut live).unwrap();
        close(w.norm(), want, 1e-12);
        assert_eq!(removal.removed.len(), 10);
        assert!(removal.removed.iter().all(|p| w[*p] == 0.0 && !live[*p]));
    }
}

/// A group removal is the least of ½δᵀFδ with δ = −w on P, whose value is the cost that it names.
#[test]
fn a_group_costs_what_it_says() {
    let (g, damping) = (gradients(1..=20, 50), 1e-3);
    let f = CompressedFisher::new(g.clone(), damping).unwrap();
    let mut w = weights(50);
    let surgeon = Surgeon {
        compensation: Compensation::Group,
        ..Surgeon::default()
    };
    let removal = surgeon.remove(&f, 10, &mut w, &mut [true; 50]).unwrap();
    w.lincomb(1.0, &[(-1.0, &weights(50))]);
    let quadratic = damping * w.dot(&w) + g.iter().map(|g| g.dot(&w).powi(2)).sum::<f64>() / 20.0;
    close(removal.cost, 0.5 * quadratic, 1e-9);
}

#[test]
fn pruning_in_rounds_reaches_its_sparsity() {
    let g = gradients(1..=20, 50);
    let densities = densities(0.8, 0.1, 3);
    close(densities[0], 0.4, 1e-12);
    close(densities[2], 0.1, 1e-12);
    for block in [Some(16), None] {
        let surgeon = Surgeon {
            block,
            rounds: 4,
            ..Surgeon::default()
        };
        let mut w = weights(50);
        let mut live = vec![true; 50];
        live[7] = false;
        let removals = surgeon.prune(0.9, &mut w, &mut live, |_| Ok(g.clone()));
        assert_eq!(removals.unwrap().len(), 4);
        assert_eq!(live.iter().filter(|l| **l).count(), 5);
        assert!(w.iter().zip(&live).all(|(w, l)| *l == (*w != 0.0)));
    }
}

#[test]
fn what_cannot_be_done_is_an_error() {
    let g = gradients(1..=4, 9);
    assert!(matches!(
        CompressedFisher::new(g.clone(), 0.0),
        Err(LinalgError::Parameter {
            name: "damping",
            ..
        })
    ));
    assert!(matches!(
        CompressedFisher::<f64>::new(Vec::new(), 1.0),
        Err(LinalgError::Parameter {
            name: "gradients",
            ..
        })
    ));
    let mut uneven = g.clone();
    uneven[2].pop();
    assert!(matches!(
        CompressedFisher::new(uneven, 1.0),
        Err(LinalgError::Shape {
            expected: 9,
            got: 8,
            ..
        })
    ));
    assert!(FisherWindow::new(0, &g[0], FactorOptions::default()).is_err());
    assert!(BlockFisher::new(&g, 0, 1.0).is_err());

    let mut w = window(1e-3, Refresh::Updated, &g, 4);
    let (mut before, mut after) = (vec![0.0; 9], vec![0.0; 9]);
    w.apply_inverse(&g[0], &mut before).unwrap();
    let mut broken = g[1].clone();
    broken[3] = f64::NAN;
    assert!(matches!(w.push(&broken), Err(LinalgError::Operator(_))));
    assert!(matches!(
        w.push(&vec![1.0; 8]),
        Err(LinalgError::Shape { .. })
    ));
    // So large that S is infinite.
    assert!(w.push(&vec![1e200; 9]).is_err());
    w.apply_inverse(&g[0], &mut after).unwrap();
    assert_eq!(before, after);

    let mut file = FileRows::new(tempfile::tempfile().unwrap(), 9);
    assert!(file.push(&[1.0, 2.0]).is_err());
    assert!(file.push(&broken).is_err());
    assert!(PagedFisher::<f64, _>::new(file, 4, 1.0).is_err());

    // Files that another program has cut off, or written something else to.
    let stored = || {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut rows = FileRows::new(file.reopen().unwrap(), 9);
        for g in &g {
            rows.push(g).unwrap();
        }
        (file, rows)
    };
    let (file, rows) = stored();
    file.as_file().set_len(200).unwrap();
    assert!(matches!(
        PagedFisher::<f64, _>::new(rows, 4, 1.0),
        Err(LinalgError::Storage(_))
    ));
    let (file, rows) = stored();
    std::fs::write(file.path(), [0xff; 4 * 9 * 8]).unwrap();
    assert!(PagedFisher::<f64, _>::new(rows, 4, 1.0).is_err());
    let (_file, mut rows) = stored();
    assert!(matches!(
        rows.push(&[1.0_f32; 9]),
        Err(LinalgError::Shape {
            expected: 8,
            got: 4,
            ..
        })
    ));
    assert!(matches!(
        PagedFisher::<f32, _>::new(rows, 4, 1.0),
        Err(LinalgError::Storage(_))
    ));
    let (file, rows) = stored();
    let mut paged = PagedFisher::<f64, _>::new(rows, usize::MAX, 1.0).unwrap();
    assert!(matches!(
        paged.apply_inverse(&broken, &mut [0.0; 9]),
        Err(LinalgError::Operator(_))
    ));
    file.as_file().set_len(200).unwrap();
    assert!(matches!(
        paged.apply_inverse(&g[0], &mut [0.0; 9]),
        Err(LinalgError::Storage(_))
    ));
    // Vectors that are not finite.
    assert!(w.apply_inverse(&broken, &mut after).is_err());
    let compressed = CompressedFisher::new(g.clone(), 1.0).unwrap();
    assert!(compressed.apply_inverse(&broken, &mut after).is_err());
    let blocks = BlockFisher::new(&g, 4, 1.0).unwrap();
    assert!(blocks.apply_inverse(&broken, &mut after).is_err());

    let f = CompressedFisher::new(g, 1.0).unwrap();
    assert!(f.element(9, 0).is_err());
    let mut live = [true; 9];
    let surgeon = Surgeon::default();
    assert!(matches!(
        surgeon.remove(&f, 10, &mut [1.0; 9], &mut live),
        Err(LinalgError::Shape {
            expected: 9,
            got: 10,
            ..
        })
    ));
}
