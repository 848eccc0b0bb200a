//! Each operator keeps the laws, and has the entries it says.

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{AdjointOp, Key, LinearOp, Scalar};
use ansatz_linalg::operator::{
    Blocks, Cell, Dense, Diagonal, Face, Grid, Identity, LowRank, Poisson, Product, Scaled, Sparse,
    Sum, Transposed,
};
use ansatz_testkit::laws;
use faer::Mat;
use faer::sparse::SparseColMat;
use faer::sparse::Triplet;
use faer::traits::RealField;

use super::common::{Kind, grid, norm, rhs};

fn normal<T: Scalar>(n: usize, seed: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(seed).fill_normal(0, &mut x);
    x
}

fn dense<T: Scalar + RealField>(m: usize, n: usize, seed: u64) -> Dense<T> {
    let entries = normal::<T>(m * n, seed);
    Dense::new(Mat::from_fn(m, n, |i, j| entries[i + m * j])).unwrap()
}

fn sparse<T: Scalar + RealField>() -> Sparse<T> {
    let entry = |k: usize| {
        let k = k as u64;
        Triplet::new(
            (k * 7 % 40) as usize,
            (k * 11 % 30) as usize,
            T::of(1.0 + k as f64),
        )
    };
    let entries: Vec<_> = (0..100).map(entry).collect();
    Sparse::new(SparseColMat::try_new_from_triplets(40, 30, &entries).unwrap()).unwrap()
}

fn low_rank<T: Scalar + RealField>() -> LowRank<T> {
    let positive = |n, seed| {
        normal::<T>(n, seed)
            .into_iter()
            .map(|v| T::of(0.5) + v * v)
            .collect()
    };
    LowRank::new(
        positive(30, 1),
        dense::<T>(30, 4, 2).matrix().to_owned(),
        positive(4, 3),
    )
    .unwrap()
}

/// A box with solids and air inside, of odd sizes.
fn cave(dimensions: usize) -> Grid {
    use Face::{Open, Wall};
    let faces = [[Wall, Open], [Open, Wall], [Wall, Wall]];
    Grid::new(&[9, 12, 7][..dimensions], &faces[..dimensions])
        .unwrap()
        .with_cells(|[i, j, k]| match (i * 5 + j * 3 + k * 7) % 11 {
            0 => Cell::Solid,
            5 if i > 4 => Cell::Air,
            _ => Cell::Fluid,
        })
}

fn laws<T: Scalar + RealField>() {
    laws::adjoint_op::<T>(&Identity(7));
    laws::spd_op::<T>(&Identity(7));
    laws::adjoint_op(&Diagonal::new(normal::<T>(33, 1)).unwrap());
    laws::adjoint_op(&dense::<T>(23, 31, 1));
    laws::adjoint_op(&dense::<T>(1030, 300, 1));
    laws::adjoint_op(&sparse::<T>());
    laws::adjoint_op::<T>(&Scaled::new(-0.3, dense::<T>(5, 8, 1)).unwrap());
    let (a, b) = (dense::<T>(12, 9, 1), dense::<T>(12, 9, 2));
    laws::adjoint_op::<T>(&Sum::new::<T>(&a, &b).unwrap());
    laws::adjoint_op::<T>(&Product::new::<T>(&a, Transposed(&b)).unwrap());
    laws::adjoint_op::<T>(&Transposed(&a));
    laws::adjoint_op(&low_rank::<T>());
    laws::spd_op(&low_rank::<T>().inverse().unwrap());
    let mut blocks: Blocks<Box<dyn AdjointOp<T>>> = Blocks::new(&[12, 9], &[9, 12, 5]);
    blocks.insert::<T>(0, 0, Box::new(a)).unwrap();
    blocks
        .insert::<T>(1, 1, Box::new(Transposed(b.clone())))
        .unwrap();
    blocks.insert::<T>(0, 0, Box::new(b)).unwrap();
    blocks
        .insert::<T>(0, 2, Box::new(dense::<T>(12, 5, 4)))
        .unwrap();
    laws::adjoint_op::<T>(&blocks);
    for dimensions in 1..=3 {
        laws::adjoint_op(&Poisson::<T>::new(&cave(dimensions)).unwrap());
        let all = grid(Kind::Dirichlet, 33, dimensions);
        laws::adjoint_op(&Poisson::<T>::new(&all).unwrap());
    }
}

#[test]
fn operators_keep_the_laws() {
    laws::<f64>();
    laws::<f32>();
}

/// The product of the sparse matrix is the stencil's, in rows with and without flags.
#[test]
fn stencil_is_its_matrix() {
    for grid in [
        cave(1),
        cave(2),
        cave(3),
        grid(Kind::Ball, 12, 3),
        grid(Kind::Mixed, 2, 3),
    ] {
        let a = Poisson::<f64>::new(&grid).unwrap();
        let matrix = Sparse::new(a.to_sparse().unwrap()).unwrap();
        let mut x = normal::<f64>(grid.len(), 5);
        let (mut y, mut z) = (x.clone(), x.clone());
        matrix.apply(&x, &mut z, &mut []);
        // What other cells hold does not matter.
        for (x, c) in x.iter_mut().zip(grid.cells()) {
            if *c != Cell::Fluid {
                *x = f64::NAN;
            }
        }
        a.apply(&x, &mut y, &mut []);
        for (y, z) in y.iter().zip(&z) {
            assert!((y - z).abs() < 1e-13);
        }
    }
}

/// −Δ of products of sines and cosines that fit the box: eigenvectors of both kinds of faces.
#[test]
fn stencil_has_the_eigenvalues_of_the_box() {
    use std::f64::consts::PI;
    let n = 16;
    let m = n as f64;
    let a = Poisson::<f64>::new(&grid(Kind::Mixed, n, 3)).unwrap();
    // Walls on two axes: cos(πp(i+½)/n). A wall below and air above: the half-odd cosines of a box of n + ½.
    let [p, q, r] = [3.0, 2.0, 4.0];
    let wall = |p: f64, i: usize| (PI * p * (i as f64 + 0.5) / m).cos();
    let angle = PI * (r - 0.5) / (m + 0.5);
    let open = |k: usize| (angle * (k as f64 + 0.5)).cos();
    let x: Vec<f64> = (0..n * n * n)
        .map(|c| wall(p, c % n) * wall(q, c / n % n) * open(c / (n * n)))
        .collect();
    let lambda = 6.0 - 2.0 * (PI * p / m).cos() - 2.0 * (PI * q / m).cos() - 2.0 * angle.cos();
    let mut y = vec![0.0; x.len()];
    a.apply(&x, &mut y, &mut []);
    let error: Vec<f64> = x.iter().zip(&y).map(|(x, y)| y - lambda * x).collect();
    assert!(norm(&error) < 1e-13 * norm(&x));
}

/// Against faer's dense Cholesky.
#[test]
fn low_rank_inverse() {
    let a = low_rank::<f64>();
    let n = a.rows();
    let mut full = Mat::zeros(n, n);
    let (mut e, mut column, mut scratch) = (vec![0.0; n], vec![0.0; n], vec![0.0; a.scratch_len()]);
    for j in 0..n {
        e.fill(0.0);
        e[j] = 1.0;
        a.apply(&e, &mut column, &mut scratch);
        for i in 0..n {
            full[(i, j)] = column[i];
        }
    }
    let llt = full.llt(faer::Side::Lower).unwrap();
    let log_det: f64 = (0..n).map(|i| 2.0 * f64::ln(llt.L()[(i, i)])).sum();
    let inverse = a.inverse().unwrap();
    assert!((inverse.log_det() - log_det).abs() < 1e-12 * log_det.abs());
    let x = normal::<f64>(n, 9);
    a.apply(&x, &mut column, &mut scratch);
    let mut back = vec![0.0; n];
    inverse.apply(&column, &mut back, &mut scratch);
    let error: Vec<f64> = x.iter().zip(&back).map(|(a, b)| a - b).collect();
    assert!(norm(&error) < 1e-12 * norm(&x));
}

#[test]
fn bad_operators_are_refused() {
    assert!(matches!(
        Diagonal::new(vec![1.0, f64::NAN]),
        Err(LinalgError::NotFinite { index: 1, .. })
    ));
    assert!(matches!(
        Sum::new::<f64>(Identity(3), Identity(4)),
        Err(LinalgError::Shape {
            expected: 3,
            got: 4,
            ..
        })
    ));
    let negative = LowRank::new(vec![1.0, -1.0], Mat::<f64>::zeros(2, 1), vec![1.0]).unwrap();
    assert!(matches!(
        negative.inverse(),
        Err(LinalgError::NotPositiveDefinite { at: 1, .. })
    ));
    let mut blocks = Blocks::new(&[2], &[2]);
    assert!(blocks.insert::<f64>(0, 0, Identity(3)).is_err());
    assert!(blocks.insert::<f64>(1, 0, Identity(2)).is_err());
    assert!(Grid::new(&[0, 3], &[[Face::Wall; 2]; 2]).is_err());
    let solid = grid(Kind::Mixed, 4, 2).with_cells(|_| Cell::Solid);
    assert!(matches!(
        Poisson::<f64>::new(&solid),
        Err(LinalgError::Singular { .. })
    ));
}

/// A closed box has a solution for right-hand sides without a mean only; so has a closed chamber in an open one.
#[test]
fn closed_regions_need_a_compatible_right_hand_side() {
    let closed = Grid::new(&[6, 6], &[[Face::Wall; 2]; 2]).unwrap();
    let a = Poisson::<f64>::new(&closed).unwrap();
    assert!(a.is_singular());
    let mut b = rhs(&closed, false);
    let before = b.clone();
    assert!(matches!(
        a.prepare(&mut b),
        Err(LinalgError::Incompatible { .. })
    ));
    assert_eq!(b, before, "nothing changed");
    let mean = b.iter().sum::<f64>() / 36.0;
    for b in &mut b {
        *b -= mean - 1e-12;
    }
    a.prepare(&mut b).unwrap();
    assert!(b.iter().sum::<f64>().abs() < 1e-14);

    let chamber = grid(Kind::Dirichlet, 8, 2).with_cells(|[i, j, _]| {
        let (i, j) = (i.abs_diff(3), j.abs_diff(3));
        if i.max(j) == 2 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    });
    let a = Poisson::<f64>::new(&chamber).unwrap();
    assert!(a.is_singular());
    let mut b = vec![1.0; 64];
    let mean = match a.prepare(&mut b) {
        Err(LinalgError::Incompatible { mean }) => mean,
        other => panic!("{other:?}"),
    };
    assert!((mean - 1.0).abs() < 1e-15);
    b[3 * 8 + 3] = -8.0;
    a.prepare(&mut b).unwrap();
    assert!(b[8 + 1] == 0.0, "no right-hand side in solids");
}
