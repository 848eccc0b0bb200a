//! Reductions against those of vectors, bit for bit.

use ansatz_core::{State, Tolerance};
use ansatz_cuda::kernel::reduce::{
    leaves, plan_dots, plan_error, plan_finite, plan_largest, plan_sum, plan_tree, scratch_len,
};
use ansatz_cuda::{Call, DeviceScalar};

use crate::harness::{Memory, Plain, Slot};
use crate::{LENGTHS, assert_bits, normal};

/// Room for the sums of leaves, and what comes of them.
struct Sums {
    partial: Slot<f64>,
    out: Slot<f64>,
    scratch: Slot<f64>,
}

impl Sums {
    fn new(memory: &mut Memory, n: usize, count: usize) -> Self {
        let leaves = leaves(n);
        Self {
            partial: memory.put(&vec![f64::NAN; leaves * count]),
            out: memory.put(&vec![f64::NAN; count]),
            scratch: memory.put(&vec![f64::NAN; scratch_len(leaves) * count]),
        }
    }

    fn tree(&self) -> Call {
        plan_tree(
            self.partial.view(),
            &self.out.view_mut(),
            &self.scratch.view_mut(),
        )
        .expect("a plan")
    }
}

fn check<T: DeviceScalar + Plain>(n: usize) {
    let what = |op: &str| format!("{op} of {n} {}", T::KIND);
    let x: Vec<Vec<T>> = (0..6).map(|k| normal(n, k)).collect();
    let mut memory = Memory::default();
    let slots: Vec<_> = x.iter().map(|x| memory.put(x)).collect();
    let mut calls = Vec::new();
    // Groups of every size up to one more than four.
    let mut products = Vec::new();
    for count in 1..=5 {
        let sums = Sums::new(&mut memory, n, count);
        let others: Vec<_> = slots[1..=count].iter().map(|s| s.view()).collect();
        calls.push(
            plan_dots(slots[0].view(), &others, 1, &sums.partial.view_mut()).expect("a plan"),
        );
        calls.push(sums.tree());
        products.push(sums.out);
    }
    let total = Sums::new(&mut memory, n, 1);
    calls.push(plan_sum(slots[0].view(), &total.partial.view_mut()).expect("a plan"));
    calls.push(total.tree());
    let tol = Tolerance::new(1e-3, 0.1);
    let error = Sums::new(&mut memory, n, 1);
    let [a, b, c] = [0, 1, 2].map(|k| slots[k].view());
    calls.push(plan_error(a, b, c, tol, &error.partial.view_mut()).expect("a plan"));
    calls.push(error.tree());
    if !memory.run(&calls) {
        return;
    }
    for (count, out) in (1..).zip(products) {
        let mut twin = vec![0.0; count];
        let others: Vec<_> = x[1..=count].iter().collect();
        x[0].dots(&others, &mut twin);
        assert_bits(&memory.get(out), &twin, &what("inner products"));
    }
    let ones = vec![T::one(); n];
    assert_bits(&memory.get(total.out), &[x[0].dot(&ones)], &what("sum"));
    let mean = memory.get(error.out)[0] / n as f64;
    let twin = x[0].error_norm(&x[1], &x[2], tol);
    assert_bits(&[mean.sqrt()], &[twin], &what("norm of an error"));
}

#[test]
fn sums_have_the_bits_of_vectors() {
    for n in LENGTHS.into_iter().filter(|n| *n > 0) {
        check::<f32>(n);
        check::<f64>(n);
    }
}

/// The tree above the leaves, for every shape of a small tree and some of larger ones, against its definition.
#[test]
fn trees_halve_at_leaves() {
    fn twin(leaf: &[f64]) -> f64 {
        match leaf {
            [one] => *one,
            more => {
                let (a, b) = more.split_at(more.len().div_ceil(2));
                twin(a) + twin(b)
            }
        }
    }
    let mut memory = Memory::default();
    let mut calls = Vec::new();
    let mut expected = Vec::new();
    for leaves in (1..40).chain([1000, 1024, 1025, 2500]) {
        let partial = normal::<f64>(2 * leaves, leaves as u64);
        let sums = [0, 1].map(|k| twin(&partial[k * leaves..(k + 1) * leaves]));
        let room = Sums {
            partial: memory.put(&partial),
            out: memory.put(&[f64::NAN; 2]),
            scratch: memory.put(&vec![f64::NAN; 2 * scratch_len(leaves)]),
        };
        calls.push(room.tree());
        expected.push((leaves, room.out, sums));
    }
    if !memory.run(&calls) {
        return;
    }
    for (leaves, out, sums) in expected {
        assert_bits(&memory.get(out), &sums, &format!("tree of {leaves} leaves"));
    }
}

fn check_extremes<T: DeviceScalar + Plain>(n: usize, at: usize, value: T) {
    let mut memory = Memory::default();
    let mut x = normal::<T>(n, 3);
    x[at] = value;
    let slot = memory.put(&x);
    let (flag, largest) = (memory.put(&[0_u32]), memory.put(&[0_u64]));
    let calls = [
        plan_finite(slot.view(), &flag.view_mut()).expect("a plan"),
        plan_largest(slot.view(), &largest.view_mut()).expect("a plan"),
    ];
    if !memory.run(&calls) {
        return;
    }
    assert_eq!(
        memory.get(flag) == [0],
        x.is_finite(),
        "{value} at {at} of {n}"
    );
    let got = f64::from_bits(memory.get(largest)[0]);
    let twin = x.iter().fold(0.0, |m: f64, v| {
        if v.is_nan() || m.is_nan() {
            f64::NAN
        } else {
            m.max(v.f64().abs())
        }
    });
    assert!(
        got.to_bits() == twin.to_bits() || (got.is_nan() && twin.is_nan()),
        "{got}, expected {twin}"
    );
}

#[test]
fn extremes_and_what_is_not_finite() {
    for n in [1, 5, 1030] {
        for at in [0, n / 2, n - 1] {
            check_extremes(n, at, -9.0_f32);
            check_extremes(n, at, f32::NAN);
            check_extremes(n, at, f32::NEG_INFINITY);
            check_extremes(n, at, f64::NAN);
            check_extremes(n, at, 1e300_f64);
        }
    }
}
