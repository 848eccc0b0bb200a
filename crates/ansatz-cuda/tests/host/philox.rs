//! Random numbers against those of `Key`, bit for bit.

use ansatz_core::Key;
use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::philox::{plan_bits, plan_normal};

use crate::harness::{Memory, Plain};
use crate::{LENGTHS, assert_bits};

const KEYS: [u64; 3] = [0, 7, u64::MAX - 12];
const STREAMS: [u64; 3] = [0, 5, u64::MAX];

#[test]
fn words_are_those_of_keys() {
    let mut memory = Memory::default();
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    for key in KEYS.map(Key::new) {
        for stream in STREAMS {
            // Counters that pass 2³² and wrap at 2⁶⁴.
            for first in [0, u64::from(u32::MAX) - 3, u64::MAX - 100] {
                let out = memory.put(&[0_u32; 4 * 300]);
                calls.extend(plan_bits(&out.view_mut(), key, stream, first).expect("a plan"));
                let twin: Vec<u32> = (0..300)
                    .flat_map(|i| key.bits(stream, first.wrapping_add(i)))
                    .collect();
                expected.push((out, twin));
            }
        }
    }
    if memory.run(&calls) {
        for (out, twin) in expected {
            assert_eq!(memory.get(out), twin);
        }
    }
}

fn check<T: DeviceScalar + Plain>() {
    let mut memory = Memory::default();
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    for n in LENGTHS {
        for key in KEYS.map(Key::new) {
            let mut twin = vec![T::zero(); n];
            key.fill_normal(n as u64, &mut twin);
            let out = memory.put(&vec![T::nan(); n]);
            calls.extend(plan_normal(&out.view_mut(), key, n as u64).expect("a plan"));
            expected.push((out, twin));
        }
    }
    if memory.run(&calls) {
        for (out, twin) in expected {
            assert_bits(&memory.get(out), &twin, T::KIND);
        }
    }
}

#[test]
fn normal_numbers_are_those_of_keys() {
    check::<f32>();
    check::<f64>();
}
