//! Products with stored rows against those of vectors, bit for bit.

use ansatz_core::State;
use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::ihvp::{pitch, plan_combine, plan_products};
use ansatz_cuda::kernel::reduce::{leaves, plan_tree, scratch_len};

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

/// Rows one after the other, padded with NaN, which must not show.
fn packed<T: DeviceScalar>(rows: &[Vec<T>], len: usize) -> Vec<T> {
    let mut g = vec![T::nan(); rows.len() * pitch::<T>(len)];
    for (row, to) in rows.iter().zip(g.chunks_mut(pitch::<T>(len))) {
        to[..len].copy_from_slice(row);
    }
    g
}

fn check<T: DeviceScalar + Plain>(m: usize, len: usize, replaced: Option<usize>) {
    let what = format!("{m} rows of {len} {}, {replaced:?} replaced", T::KIND);
    let mut rows: Vec<Vec<T>> = (0..m as u64).map(|k| normal(len, k)).collect();
    let x = normal::<T>(len, 99);
    let mut memory = Memory::default();
    let (g, vector) = (memory.put(&packed(&rows, len)), memory.put(&x));
    let partial = memory.put(&vec![f64::NAN; m * leaves(len)]);
    let sums = memory.put(&vec![f64::NAN; m]);
    let scratch = memory.put(&vec![f64::NAN; m * scratch_len(leaves(len))]);
    let first = plan_products(
        &g.view_mut(),
        m,
        vector.view(),
        replaced,
        &partial.view_mut(),
    );
    let tree = plan_tree(partial.view(), &sums.view_mut(), &scratch.view_mut()).expect("a plan");
    // The tree is of another family: another program, the same memory.
    if !memory.run(&[first.expect("a plan")]) || !memory.run(&[tree]) {
        return;
    }
    if let Some(row) = replaced {
        rows[row].clone_from(&x);
    }
    let mut twin = vec![0.0; m];
    x.dots(&rows.iter().collect::<Vec<_>>(), &mut twin);
    assert_bits(&memory.get(sums), &twin, &what);

    let c: Vec<f64> = (0..m).map(|k| 0.3 - 0.07 * k as f64).collect();
    let rounded: Vec<f64> = c.iter().map(|c| T::coefficient(*c)).collect();
    let (c_slot, out) = (memory.put(&rounded), memory.put(&vec![T::nan(); len]));
    let call = plan_combine(g.view(), c_slot.view(), 1.7, vector.view(), &out.view_mut());
    memory.run(&[call.expect("a plan").expect("a call")]);
    let mut twin = vec![T::zero(); len];
    let mut terms = vec![(1.7, &x)];
    terms.extend(c.iter().copied().zip(&rows));
    twin.lincomb(0.0, &terms);
    assert_bits(&memory.get(out), &twin, &what);
    // What stands behind a row's end is never written.
    let stored = memory.get(g);
    for (row, kept) in rows.iter().zip(stored.chunks(pitch::<T>(len))) {
        assert_bits(&kept[..len], row, &what);
        assert!(
            kept[len..].iter().all(|v| v.f64().is_nan()),
            "{what}: padding"
        );
    }
}

#[test]
fn products_with_rows_have_the_bits_of_vectors() {
    for (m, len, replaced) in [
        (1, 1, None),
        (3, 33, None),
        (4, 4097, Some(2)),
        (5, 5000, Some(4)),
        (11, 70_001, Some(0)),
        (12, 257, Some(8)),
        (17, 1000, None),
    ] {
        check::<f32>(m, len, replaced);
        check::<f64>(m, len, replaced);
    }
}
