//! The Laplacian against a plain loop, bit for bit, with the inner product of vectors; and against its eigenfunctions.

use std::f64::consts::PI;

use ansatz_core::{Key, State};
use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::reduce::{leaves, plan_tree, scratch_len};
use ansatz_cuda::kernel::stencil::{plan, twin};

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

fn check<T: DeviceScalar + Plain>(shape: [usize; 3]) {
    let n: usize = shape.iter().product();
    // A third of the cells is not fluid; what they hold must not show.
    let solid = |c: usize| Key::new(5).uniform(0, c as u64)[0] < 0.3;
    let diagonal: Vec<T> = (0..n)
        .map(|c| T::of(if solid(c) { 0.0 } else { (4 + c % 3) as f64 }))
        .collect();
    let mut x = normal::<T>(n, 1);
    for (c, x) in x.iter_mut().enumerate() {
        if solid(c) {
            *x = T::nan();
        }
    }
    let mut memory = Memory::default();
    let y = memory.put(&vec![T::nan(); n]);
    let partial = memory.put(&vec![f64::NAN; leaves(n)]);
    let sum = memory.put(&[f64::NAN]);
    let scratch = memory.put(&vec![f64::NAN; scratch_len(leaves(n))]);
    let (field, weights) = (memory.put(&x), memory.put(&diagonal));
    let call = plan(
        shape,
        field.view(),
        weights.view(),
        &y.view_mut(),
        &partial.view_mut(),
    );
    let tree = plan_tree(partial.view(), &sum.view_mut(), &scratch.view_mut()).expect("a plan");
    if !memory.run(&[call.expect("a plan")]) || !memory.run(&[tree]) {
        return;
    }
    let product = twin(shape, &x, &diagonal);
    assert_bits(&memory.get(y), &product, &format!("{shape:?}"));
    // Cells that are not fluid add nothing to the inner product, whatever they hold.
    let clean: Vec<T> = x
        .iter()
        .map(|v| if v.is_nan() { T::zero() } else { *v })
        .collect();
    assert_bits(
        &memory.get(sum),
        &[clean.dot(&product)],
        &format!("{shape:?}"),
    );
}

#[test]
fn laplacians_have_the_bits_of_a_plain_loop() {
    for shape in [
        [1, 1, 1],
        [5, 1, 1],
        [1, 7, 3],
        [17, 9, 1],
        [16, 16, 16],
        [33, 31, 29],
    ] {
        check::<f32>(shape);
        check::<f64>(shape);
    }
}

/// On a box with air around, Π sin(π·a·(i + 1)/(n + 1)) has the eigenvalue Σ 4·sin²(π·a/2(n + 1)).
#[test]
fn twin_knows_the_eigenfunctions_of_a_box() {
    let (shape, modes) = ([7, 6, 5], [2.0, 3.0, 1.0]);
    let wave = |d: usize, i: usize| (PI * modes[d] * (i + 1) as f64 / (shape[d] + 1) as f64).sin();
    let n: usize = shape.iter().product();
    let x: Vec<f64> = (0..n)
        .map(|c| wave(0, c % 7) * wave(1, c / 7 % 6) * wave(2, c / 42))
        .collect();
    let value: f64 = (0..3)
        .map(|d| 4.0 * (PI * modes[d] / (2 * (shape[d] + 1)) as f64).sin().powi(2))
        .sum();
    for (y, x) in twin(shape, &x, &vec![6.0; n]).iter().zip(&x) {
        assert!(
            (y - value * x).abs() < 20.0 * f64::EPSILON,
            "{y}, expected {}",
            value * x
        );
    }
}
