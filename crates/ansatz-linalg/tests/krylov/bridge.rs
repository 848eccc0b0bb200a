//! Operators cross to faer and back.

use ansatz_linalg::LinalgError;
use ansatz_linalg::core::{AdjointOp, LinearOp, OnHost, SearchDirection};
use ansatz_linalg::faer_bridge::{FromFaer, PrecondToFaer, SparseCholesky, ToFaer};
use ansatz_linalg::krylov::{Cg, System};
use ansatz_linalg::operator::{Dense, Poisson};
use ansatz_linalg::precondition::{Multigrid, MultigridOptions};
use ansatz_testkit::laws;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::conjugate_gradient::{
    CgParams, conjugate_gradient, conjugate_gradient_scratch,
};
use faer::{Mat, Par};

use super::common::{Kind, grid, norm, u11};

#[test]
fn there_and_back() {
    let matrix = Mat::from_fn(7, 5, |i, j| u11((5 * i + j) as u64));
    let a = Dense::new(matrix.clone()).unwrap();
    laws::adjoint_op::<f64>(&FromFaer::with_adjoint::<f64>(matrix.clone()));
    laws::adjoint_op::<f64>(&FromFaer::with_adjoint::<f64>(ToFaer::new(&a)));
    laws::linear_op::<f64>(&FromFaer::new::<f64>(matrix));
    let back = FromFaer::with_adjoint::<f64>(ToFaer::new(&a));
    let (x, mut y, mut z) = (vec![1.0; 5], vec![0.0; 7], vec![0.0; 7]);
    a.apply(&x, &mut y, &mut []);
    back.apply(&x, &mut z, &mut []);
    assert_eq!(y, z);
    let (mut v, mut w) = (vec![0.0; 5], vec![0.0; 5]);
    a.apply_adjoint(&y, &mut v, &mut []);
    back.apply_adjoint(&y, &mut w, &mut []);
    assert_eq!(v, w);
}

/// faer's block conjugate gradients with our operator and our preconditioner find what ours find.
#[test]
fn conjugate_gradients_of_faer() {
    let grid = grid(Kind::Mixed, 16, 2);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let n = grid.len();
    let b = Mat::from_fn(n, 2, |i, j| u11((i + 1000 * j) as u64));
    let options = MultigridOptions::default();
    let cycle = Multigrid::<f64>::new(&grid, &options).unwrap();
    let (op, precond) = (ToFaer::new(&a), PrecondToFaer::new(n, cycle));
    let mut x = Mat::<f64>::zeros(n, 2);
    let need = conjugate_gradient_scratch(&precond, &op, 2, Par::Seq);
    let info = conjugate_gradient(
        x.as_mut(),
        &precond,
        &op,
        b.as_ref(),
        CgParams {
            rel_tolerance: 1e-12,
            ..CgParams::default()
        },
        |_| {},
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(need)),
    )
    .unwrap();
    assert!(info.iter_count < 20);
    for j in 0..2 {
        let right: Vec<f64> = (0..n).map(|i| b[(i, j)]).collect();
        let mut ours = vec![0.0; n];
        System::new(&OnHost::new(&a), &right)
            .until(ansatz_linalg::krylov::Stop {
                rtol: 1e-12,
                ..Default::default()
            })
            .solve(&Cg::default(), &mut ours)
            .unwrap();
        let error: Vec<f64> = (0..n).map(|i| x[(i, j)] - ours[i]).collect();
        assert!(norm(&error) < 1e-9 * norm(&ours));
    }
}

#[test]
fn sparse_cholesky_is_the_inverse() {
    let grid = grid(Kind::Mixed, 12, 3);
    let a = Poisson::<f64>::new(&grid).unwrap();
    let matrix = a.to_sparse().unwrap();
    let mut direct = SparseCholesky::new(matrix.as_ref()).unwrap();
    let b: Vec<f64> = (0..1728).map(u11).collect();
    let (mut x, mut back) = (vec![0.0; 1728], vec![0.0; 1728]);
    direct.propose(&b, &mut x).unwrap();
    a.apply(&x, &mut back, &mut []);
    let error: Vec<f64> = back.iter().zip(&b).map(|(a, b)| a - b).collect();
    assert!(norm(&error) < 1e-12 * norm(&b));
    // A box with solids has empty rows.
    let ball = super::common::grid(Kind::Ball, 8, 3);
    let matrix = Poisson::<f64>::new(&ball).unwrap().to_sparse().unwrap();
    let refused = SparseCholesky::new(matrix.as_ref());
    assert!(matches!(
        refused,
        Err(LinalgError::NotPositiveDefinite { .. })
    ));
}
