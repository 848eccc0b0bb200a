//! Products along axes against a plain loop, bit for bit, and against the definition of a Kronecker product.

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::kron::{Mode, Side, plan, twin};

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

fn check<T: DeviceScalar + Plain>() {
    let mut memory = Memory::default();
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    // Below, at and beyond tiles of 64 by 64 and 16; one line, many lines, short and long lines; nothing.
    for (rows, columns, left, right) in [
        (1, 1, 1, 1),
        (3, 2, 5, 7),
        (64, 16, 1, 64),
        (65, 17, 2, 33),
        (70, 40, 90, 1),
        (5, 33, 3, 100),
        (4, 0, 2, 2),
        (0, 4, 2, 2),
    ] {
        for side in [Side::Plain, Side::Transposed] {
            let mode = Mode {
                rows,
                columns,
                left,
                right,
            };
            let a = normal::<T>(rows * columns, 1);
            let x = normal::<T>(left * columns * right, 2);
            let y = memory.put(&vec![T::nan(); left * rows * right]);
            let call = plan(
                memory.put(&a).view(),
                side,
                mode,
                memory.put(&x).view(),
                &y.view_mut(),
            );
            calls.extend(call.expect("a plan"));
            expected.push((mode, side, y, twin(&a, side, mode, &x)));
        }
    }
    if memory.run(&calls) {
        for (mode, side, y, twin) in expected {
            assert_bits(&memory.get(y), &twin, &format!("{mode:?}, {side:?}"));
        }
    }
}

#[test]
fn modes_have_the_bits_of_a_plain_loop() {
    check::<f32>();
    check::<f64>();
}

/// The twin against (A⊗B)[i·p + j, k·q + l] = A[i, k]·B[j, l].
#[test]
fn two_modes_are_a_kronecker_product() {
    let (a, b, x) = (
        normal::<f64>(3 * 2, 1),
        normal::<f64>(4 * 5, 2),
        normal::<f64>(2 * 5, 3),
    );
    let first = Mode {
        rows: 3,
        columns: 2,
        left: 1,
        right: 5,
    };
    let second = Mode {
        rows: 4,
        columns: 5,
        left: 3,
        right: 1,
    };
    let y = twin(&b, Side::Plain, second, &twin(&a, Side::Plain, first, &x));
    for i in 0..3 {
        for j in 0..4 {
            let sum: f64 = (0..10)
                .map(|e| a[i * 2 + e / 5] * b[j * 5 + e % 5] * x[e])
                .sum();
            assert!((y[i * 4 + j] - sum).abs() < 1e-14 * 20.0, "{i} {j}");
        }
    }
    let back = Mode {
        rows: 2,
        columns: 3,
        left: 1,
        right: 4,
    };
    let back = twin(&a, Side::Transposed, back, &y);
    for k in 0..2 {
        let sum: f64 = (0..3).map(|i| a[i * 2 + k] * y[i * 4]).sum();
        assert!((back[k * 4] - sum).abs() < 1e-13);
    }
}
