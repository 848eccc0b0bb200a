//! Interaction bases in reference numbers, closed forms, and their invariance.

use ansatz_nn::{InteractionBasis, NetworkError, Stage, interaction_bases};

const N: usize = 64;

fn product(w: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    w.iter()
        .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
        .collect()
}

fn weights() -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let w = |rows: usize, columns: usize, f: &dyn Fn(f64, f64) -> f64| -> Vec<Vec<f64>> {
        (0..rows)
            .map(|a| (0..columns).map(|b| f(a as f64, b as f64)).collect())
            .collect()
    };
    (
        w(5, 6, &|a, b| (1.3 * (a + 1.0) * (b + 1.0) + 0.2 * a).cos()),
        w(4, 5, &|a, b| (0.7 * (a + 1.0) * (b + 1.0) + 0.3 * b).cos()),
    )
}

/// Input, hidden layer and output of y = W₂·h(W₁·x), h linear or a rectifier.
fn stages(w1: &[Vec<f64>], w2: &[Vec<f64>], rectified: bool) -> [Stage; 3] {
    let mut all = [6, 5, 4].map(|width| Stage {
        width,
        activations: Vec::new(),
        jacobians: Vec::new(),
    });
    for i in 0..N {
        let mut x: Vec<f64> = (0..6)
            .map(|b| (0.3 * (i + 1) as f64 * f64::from(b + 1)).sin())
            .collect();
        x[5] = x[0] - 2.0 * x[1];
        let mut h = product(w1, &x);
        let active: Vec<f64> = h
            .iter()
            .map(|v| f64::from(u8::from(!rectified || *v > 0.0)))
            .collect();
        for (h, a) in h.iter_mut().zip(&active) {
            *h *= a;
        }
        for (row, a) in w1.iter().zip(&active) {
            all[0].jacobians.extend(row.iter().map(|w| w * a));
        }
        all[1].jacobians.extend(w2.iter().flatten());
        all[2].activations.extend(product(w2, &h));
        all[1].activations.extend(h);
        all[0].activations.extend(x);
    }
    all
}

fn close(ours: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), known.len(), "{ours:?}");
    for (a, b) in ours.iter().zip(known) {
        assert!(
            (a - b).abs() < tolerance * (1.0 + b.abs()),
            "{ours:?} and {known:?}"
        );
    }
}

#[test]
fn in_numbers() {
    let (w1, w2) = weights();
    let linear = interaction_bases(&stages(&w1, &w2, false), 1e-10).unwrap();
    let known = [
        26.025_197_677_7,
        3.081_849_960_7,
        1.724_696_866_5,
        0.203_425_392_3,
    ];
    for basis in &linear {
        close(&basis.values, &known, 1e-10);
    }
    // A linear network has one interaction a direction.
    for basis in &linear[..2] {
        for c in 0..4 {
            for r in 0..4 {
                let one = f64::from(u8::from(r == c));
                assert!(
                    (basis.edges[(r, c)] - one).abs() < 1e-9,
                    "{:?}",
                    basis.edges
                );
            }
        }
    }
    let bent = interaction_bases(&stages(&w1, &w2, true), 1e-10).unwrap();
    let known = [
        7.120_791_153_7,
        3.197_678_334_5,
        1.165_507_617,
        0.256_023_382_8,
    ];
    close(&bent[1].values, &known, 1e-9);
    assert_eq!(
        (bent[0].values.len(), bent[0].excited),
        (5, 5),
        "the sixth input repeats others"
    );
}

#[test]
fn hidden_coordinates_do_not_matter() {
    let (w1, w2) = weights();
    // h ← R·h: W₁ ← R·W₁, W₂ ← W₂·R⁻¹, of a linear network.
    let r: Vec<Vec<f64>> = (0..5)
        .map(|a| {
            let each = (0..5).map(|b| {
                f64::from(u8::from(a == b)) + 0.3 * (f64::from(a) + 2.0 * f64::from(b)).sin()
            });
            each.collect()
        })
        .collect();
    let column = |w: &[Vec<f64>], j: usize| w.iter().map(|row| row[j]).collect::<Vec<f64>>();
    let turned: Vec<Vec<f64>> = {
        let columns: Vec<Vec<f64>> = (0..6).map(|j| product(&r, &column(&w1, j))).collect();
        (0..5)
            .map(|a| columns.iter().map(|c| c[a]).collect())
            .collect()
    };
    let matrix = faer::Mat::from_fn(5, 5, |a, b| r[a][b]);
    let inverse = faer::linalg::solvers::DenseSolveCore::inverse(&matrix.partial_piv_lu());
    let back: Vec<Vec<f64>> = w2
        .iter()
        .map(|row| {
            (0..5)
                .map(|j| (0..5).map(|k| row[k] * inverse[(k, j)]).sum())
                .collect()
        })
        .collect();
    let edges = |b: &[InteractionBasis]| -> Vec<f64> {
        b[..2]
            .iter()
            .flat_map(|b| {
                b.edges
                    .col_iter()
                    .flat_map(|c| c.iter().copied().collect::<Vec<_>>())
            })
            .collect()
    };
    let before = interaction_bases(&stages(&w1, &w2, false), 1e-10).unwrap();
    let after = interaction_bases(&stages(&turned, &back, false), 1e-10).unwrap();
    for (a, b) in before.iter().zip(&after) {
        close(&a.values, &b.values, 1e-10);
    }
    close(&edges(&before), &edges(&after), 1e-9);
}

#[test]
fn what_cannot_be_is_refused() {
    let (w1, w2) = weights();
    let mut cut = stages(&w1, &w2, true);
    cut[1].jacobians.pop();
    let refused = interaction_bases(&cut, 1e-10).unwrap_err();
    assert!(
        matches!(
            refused,
            NetworkError::Size {
                expected: 1280,
                got: 1279,
                ..
            }
        ),
        "{refused}"
    );
    assert!(interaction_bases(&[], 1e-10).is_err());
    let mut still = stages(&w1, &w2, true);
    still[2].activations.fill(0.0);
    assert!(interaction_bases(&still, 1e-10).is_err());
    let mut lost = stages(&w1, &w2, true);
    lost[0].activations[3] = f64::NAN;
    assert!(interaction_bases(&lost, 1e-10).is_err());
}
