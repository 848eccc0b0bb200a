//! Batches against those in main memory, bit for bit.

use ansatz_core::{RowState, Tolerance};
use ansatz_cuda::kernel::lincomb::{TERMS, coefficients, plan_blend, plan_rows};
use ansatz_cuda::kernel::reduce::{leaves, plan_distance, plan_dots, plan_tree, scratch_len};
use ansatz_cuda::{CudaError, DeviceScalar};

use crate::harness::{Memory, Plain, Slot};
use crate::{assert_bits, normal};

/// Rows and their lengths: within 16 bytes, across them, longer than a leaf.
const BATCHES: [(usize, usize); 6] = [(1, 5), (40, 1), (7, 3), (5, 64), (3, 4099), (2, 9000)];

fn reductions<T: DeviceScalar + Plain>(rows: usize, len: usize) {
    let what = |op: &str| format!("{op} of {rows} rows of {len}, {}", T::KIND);
    let x: Vec<Vec<T>> = (0..6).map(|k| normal(rows * len, k)).collect();
    let mut memory = Memory::default();
    let on: Vec<_> = x.iter().map(|x| memory.put(x)).collect();
    let mut calls = Vec::new();
    let sums = |memory: &mut Memory, count: usize| -> (Slot<f64>, Slot<f64>, [Slot<f64>; 1]) {
        let each = leaves(len);
        let room =
            [each, 1, scratch_len(each)].map(|n| memory.put(&vec![f64::NAN; n * rows * count]));
        (room[0], room[1], [room[2]])
    };
    let mut products = Vec::new();
    for count in [1, 2, 5] {
        let (partial, out, [scratch]) = sums(&mut memory, count);
        let others: Vec<_> = on[1..=count].iter().map(|s| s.view()).collect();
        calls.push(plan_dots(on[0].view(), &others, rows, &partial.view_mut()).expect("a plan"));
        calls
            .push(plan_tree(partial.view(), &out.view_mut(), &scratch.view_mut()).expect("a plan"));
        products.push((count, out));
    }
    let tol = Tolerance::new(1e-2, 0.1);
    let (partial, errors, [scratch]) = sums(&mut memory, 1);
    let states = [0, 1, 2].map(|k| on[k].view());
    calls.push(plan_distance(states, tol, rows, &partial.view_mut()).expect("a plan"));
    calls.push(plan_tree(partial.view(), &errors.view_mut(), &scratch.view_mut()).expect("a plan"));
    if !memory.run(&calls) {
        return;
    }
    for (count, out) in products {
        let mut twin = vec![0.0; count * rows];
        x[0].row_dots(&x[1..=count].iter().collect::<Vec<_>>(), &mut twin);
        assert_bits(&memory.get(out), &twin, &what("inner products"));
    }
    let mut twin = vec![0.0; rows];
    x[0].row_errors(&x[1], &x[2], tol, &mut twin);
    let means: Vec<f64> = memory
        .get(errors)
        .iter()
        .map(|s| (s / len as f64).sqrt())
        .collect();
    assert_bits(&means, &twin, &what("errors"));
}

/// From element `skip` on, so that addresses are odd.
fn combinations<T: DeviceScalar + Plain>(rows: usize, len: usize, skip: usize) {
    let mut memory = Memory::default();
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    let n = skip + rows * len;
    let x: Vec<Vec<T>> = (0..16).map(|k| normal(n, k)).collect();
    let on: Vec<_> = x.iter().map(|x| memory.put(x)).collect();
    let cut: Vec<Vec<T>> = x.iter().map(|x| x[skip..].to_vec()).collect();
    for (count, beta) in [(1, 0.0), (3, -0.7), (16, 0.0)] {
        let lists: Vec<Vec<f64>> = (0..count).map(|k| normal(rows, 50 + k)).collect();
        let terms: Vec<(&[f64], &Vec<T>)> =
            lists.iter().zip(&cut).map(|(c, x)| (&c[..], x)).collect();
        let views: Vec<_> = on[..terms.len()].iter().map(|s| s.behind(skip)).collect();
        let c = coefficients::<T>(&terms.iter().map(|t| t.0).collect::<Vec<_>>());
        let c = memory.put(&c);
        let old = if beta == 0.0 {
            vec![T::nan(); n]
        } else {
            x[9].clone()
        };
        let dst = memory.put(&old);
        let call = plan_rows(&dst.behind_mut(skip), beta, rows, c.view(), &views);
        calls.extend(call.expect("a plan"));
        let mut twin = old[skip..].to_vec();
        twin.row_lincomb(beta, &terms);
        expected.push((
            format!("{count} terms"),
            dst,
            [&old[..skip], &twin].concat(),
        ));
    }
    let mask: Vec<T> = (0..n).map(|i| T::of([0.0, 0.3, 1.0][i % 3])).collect();
    let (dst, on_mask) = (memory.put(&x[0]), memory.put(&mask));
    let call = plan_blend(
        &dst.behind_mut(skip),
        on_mask.behind(skip),
        on[1].behind(skip),
    );
    calls.extend(call.expect("a plan"));
    let mut twin = cut[0].clone();
    twin.blend(&mask[skip..].to_vec(), &cut[1]);
    expected.push(("a blend".into(), dst, [&x[0][..skip], &twin].concat()));
    if memory.run(&calls) {
        for (what, dst, twin) in expected {
            let what = format!("{what}, {rows} rows of {len} from {skip}, {}", T::KIND);
            assert_bits(&memory.get(dst), &twin, &what);
        }
    }
}

#[test]
fn rows_have_the_bits_of_main_memory() {
    for (rows, len) in BATCHES {
        reductions::<f32>(rows, len);
        reductions::<f64>(rows, len);
        combinations::<f32>(rows, len, 0);
        combinations::<f64>(rows, len, 0);
    }
    combinations::<f32>(7, 3, 1);
    combinations::<f64>(5, 64, 1);
}

#[test]
fn plans_of_rows_refuse_what_does_not_fit() {
    let mut memory = Memory::default();
    let (x, c) = (memory.put(&[0.0_f32; 6]), memory.put(&[0.0_f64; 4]));
    let rows = |rows, terms: usize| {
        let terms = vec![x.view(); terms];
        plan_rows(&x.view_mut(), 0.0, rows, c.view(), &terms).err()
    };
    let wrong = |what, expected, got| CudaError::ShapeMismatch {
        what,
        expected,
        got,
    };
    assert_eq!(rows(4, 1), Some(wrong("the rows together", 6, 4)));
    assert_eq!(rows(2, 1), Some(wrong("the coefficients", 2, 4)));
    for (rows, terms) in [(0, 1), (7, 1), (1, 0), (1, TERMS + 1)] {
        let terms = vec![x.view(); terms];
        let refused = plan_rows(&x.view_mut(), 0.0, rows, c.view(), &terms);
        assert!(matches!(refused, Err(CudaError::OutOfRange { .. })));
    }
    let none = plan_dots(x.view(), &[x.view()], 0, &c.view_mut());
    assert!(matches!(none, Err(CudaError::OutOfRange { .. })));
}
