//! Linear combinations against those of vectors, bit for bit.

use ansatz_core::State;
use ansatz_cuda::kernel::lincomb::{TERMS, plan};
use ansatz_cuda::{Call, CudaError, DeviceScalar};

use crate::harness::{Memory, Plain, Slot};
use crate::{LENGTHS, assert_bits, normal};

fn coefficient(k: usize) -> f64 {
    0.4 - 0.15 * k as f64
}

/// Combinations that run together, and what they must give.
struct Batch<T> {
    memory: Memory,
    calls: Vec<Call>,
    expected: Vec<(String, Slot<T>, Vec<T>)>,
}

impl<T: DeviceScalar + Plain> Batch<T> {
    fn new() -> Self {
        Self {
            memory: Memory::default(),
            calls: Vec::new(),
            expected: Vec::new(),
        }
    }

    /// One length, one number of terms; from element `skip` on, so that addresses are odd.
    fn add(&mut self, n: usize, terms: usize, skip: usize) {
        let start = normal::<T>(n, 0);
        let x: Vec<Vec<T>> = (1..=terms as u64).map(|k| normal(n, k)).collect();
        let slots: Vec<_> = x.iter().map(|x| self.memory.put(x)).collect();
        let views: Vec<_> = (0..terms)
            .map(|k| (coefficient(k), slots[k].behind(skip)))
            .collect();
        let cut: Vec<Vec<T>> = x.iter().map(|x| x[skip..].to_vec()).collect();
        let list: Vec<_> = (0..terms).map(|k| (coefficient(k), &cut[k])).collect();
        for beta in [0.0, 1.0, -0.7] {
            // With beta = 0 nothing of what was there may show.
            let old = if beta == 0.0 {
                vec![T::nan(); n]
            } else {
                start.clone()
            };
            let dst = self.memory.put(&old);
            self.calls
                .extend(plan(&dst.behind_mut(skip), beta, &views, None).expect("a plan"));
            let mut twin = old[skip..].to_vec();
            twin.lincomb(beta, &list);
            let what = format!(
                "{} of {n} from {skip} with {terms} terms, beta {beta}",
                T::KIND
            );
            self.expected
                .push((what, dst, [&old[..skip], &twin].concat()));
        }
    }

    fn check(mut self) {
        if self.memory.run(&self.calls) {
            for (what, dst, twin) in self.expected {
                assert_bits(&self.memory.get(dst), &twin, &what);
            }
        }
    }
}

fn check<T: DeviceScalar + Plain>() {
    let mut batch = Batch::<T>::new();
    for n in [0, 1, 3, 7, 257, 1030] {
        for terms in 0..=TERMS {
            batch.add(n, terms, 0);
        }
    }
    for n in LENGTHS {
        batch.add(n, 3, 0);
    }
    for skip in [1, 2, 3] {
        batch.add(1030, 2, skip);
        batch.add(1030, 13, skip);
    }
    batch.check();
}

#[test]
fn combinations_have_the_bits_of_vectors() {
    check::<f32>();
    check::<f64>();
}

/// The flag is set for what is not finite, wherever it stands, and left alone otherwise.
#[test]
fn what_is_not_finite_is_seen() {
    for n in [1, 6, 1030] {
        for at in [0, n / 2, n - 1] {
            for bad in [
                None,
                Some(f32::NAN),
                Some(f32::INFINITY),
                Some(f32::NEG_INFINITY),
            ] {
                let mut memory = Memory::default();
                let mut x = normal::<f32>(n, 1);
                if let Some(bad) = bad {
                    x[at] = bad;
                }
                let (x, dst, flag) = (
                    memory.put(&x),
                    memory.put(&vec![0.0_f32; n]),
                    memory.put(&[0_u32]),
                );
                let call = plan(
                    &dst.view_mut(),
                    0.0,
                    &[(2.0, x.view())],
                    Some(&flag.view_mut()),
                );
                if !memory.run(&[call.expect("a plan").expect("a call")]) {
                    return;
                }
                assert_eq!(
                    memory.get(flag),
                    [u32::from(bad.is_some())],
                    "{bad:?} at {at} of {n}"
                );
            }
        }
    }
}

#[test]
fn plans_refuse_what_does_not_fit() {
    let mut memory = Memory::default();
    let (x, y) = (memory.put(&[0.0_f32; 4]), memory.put(&[0.0_f32; 5]));
    let refused = plan(&x.view_mut(), 0.0, &[(1.0, y.view())], None);
    assert!(matches!(
        refused,
        Err(CudaError::ShapeMismatch {
            expected: 4,
            got: 5,
            ..
        })
    ));
    let many = vec![(1.0, x.view()); TERMS + 1];
    let refused = plan(&x.view_mut(), 0.0, &many, None);
    assert!(matches!(
        refused,
        Err(CudaError::OutOfRange {
            value: 17,
            max: 16,
            ..
        })
    ));
}
