//! Convolutions against a plain loop, bit for bit, and against one that is a shift.

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::conv::{Conv, plan, twin};

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

fn check<T: DeviceScalar + Plain>(conv: &Conv) {
    let volume: usize = conv.lengths.iter().product();
    let x = normal::<T>(conv.batch * conv.inputs * volume, 1);
    let w = normal::<T>(conv.outputs * conv.inputs * 27, 2);
    let bias = normal::<T>(conv.outputs, 3);
    let mut memory = Memory::default();
    let y = memory.put(&vec![T::nan(); conv.batch * conv.outputs * volume]);
    let [a, b, c] = [&x, &w, &bias].map(|data| memory.put(data));
    let call = plan(conv, a.view(), b.view(), c.view(), &y.view_mut()).expect("a plan");
    if memory.run(call.as_slice()) {
        let twin = twin(conv, &x, &w, &bias);
        assert_bits(&memory.get(y), &twin, &format!("{conv:?}"));
    }
}

#[test]
fn convolutions_have_the_bits_of_a_plain_loop() {
    for (batch, inputs, outputs, lengths, slope) in [
        (1, 1, 1, [1, 1, 1], 0.0),
        (2, 3, 8, [4, 4, 16], 0.0),
        (1, 2, 9, [5, 3, 17], 0.1),
        (2, 1, 3, [9, 6, 2], 1.0),
        (1, 0, 2, [3, 3, 3], 0.0),
        (0, 1, 1, [3, 3, 3], 0.0),
    ] {
        let conv = Conv {
            batch,
            inputs,
            outputs,
            lengths,
            slope,
        };
        check::<f32>(&conv);
        check::<f64>(&conv);
    }
}

/// One tap of 1 in the corner moves an image by one place along each axis.
#[test]
fn twin_shifts_by_a_corner_tap() {
    let conv = Conv {
        batch: 1,
        inputs: 1,
        outputs: 1,
        lengths: [3, 4, 5],
        slope: 1.0,
    };
    let x = normal::<f64>(60, 1);
    let mut w = vec![0.0; 27];
    w[0] = 1.0;
    let y = twin(&conv, &x, &w, &[0.0]);
    for (p, y) in y.iter().enumerate() {
        let [z, r, c] = [p / 20, p / 5 % 4, p % 5];
        let expected = if z > 0 && r > 0 && c > 0 {
            x[p - 20 - 5 - 1]
        } else {
            0.0
        };
        assert!((y - expected).abs() < f64::EPSILON, "{p}");
    }
}
