//! Sums before each number, of every size around a part, and those that do not fit into 32 bits.

use ansatz_core::Key;
use ansatz_cuda::kernel::scan::{PART, plan_add, plan_part, twin};

use crate::harness::Memory;

fn check(x: &[u32]) {
    let mut memory = Memory::default();
    let numbers = memory.put(x);
    let sums = memory.put(&vec![77_u32; x.len().div_ceil(PART)]);
    let part = plan_part(&numbers.view_mut(), &sums.view_mut()).expect("a plan");
    if !memory.run(&[part]) {
        return;
    }
    let mut before = memory.get(sums);
    let wanted: Vec<u32> = x
        .chunks(PART)
        .map(|part| part.iter().fold(0, |s: u32, v| s.saturating_add(*v)))
        .collect();
    assert_eq!(before, wanted, "sums of parts of {}", x.len());
    let mut expected = x.to_vec();
    assert_eq!(twin(&mut before), twin(&mut expected), "{}", x.len());
    let before = memory.put(&before);
    memory.run(&[plan_add(&numbers.view_mut(), before.view()).expect("a plan")]);
    assert_eq!(memory.get(numbers), expected, "{}", x.len());
}

#[test]
fn sums_before_each() {
    for n in [1, 2, 15, 16, 17, 255, 4095, 4096, 4097, 20_000] {
        let x: Vec<u32> = (0..n).map(|i| Key::new(3).bits(0, i)[0] % 100).collect();
        check(&x);
    }
}

/// The sum stays at the largest number, within parts and between them.
#[test]
fn sums_do_not_wrap() {
    let x: Vec<u32> = (0..9000)
        .map(|i| Key::new(3).bits(0, i)[0] / 3000)
        .collect();
    check(&x);
    let mut sums = x;
    assert_eq!(twin(&mut sums), u32::MAX);
    check(&[u32::MAX, 1, 5]);
    check(&[0, u32::MAX - 1, 1, 1, 7]);
}

#[test]
fn plans_demand_their_sizes() {
    let mut memory = Memory::default();
    let (x, sums) = (memory.put(&vec![0_u32; 5000]), memory.put(&[0_u32; 1]));
    assert!(plan_part(&x.view_mut(), &sums.view_mut()).is_err());
    assert!(plan_add(&x.view_mut(), sums.view()).is_err());
    let none = memory.put::<u32>(&[]);
    assert!(plan_part(&none.view_mut(), &none.view_mut()).is_err());
}
