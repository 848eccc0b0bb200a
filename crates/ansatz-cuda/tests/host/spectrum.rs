//! Products of spectra against plain loops, bit for bit.

use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::kron::Side;
use ansatz_cuda::kernel::spectrum::{plan, twin};

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

fn check<T: DeviceScalar + Plain>(bins: usize, batch: usize, side: Side) {
    let (mut x, s) = (normal::<T>(2 * bins * batch, 1), normal::<T>(2 * bins, 2));
    let mut memory = Memory::default();
    let (spectra, factor) = (memory.put(&x), memory.put(&s));
    let call = plan(&spectra.view_mut(), factor.view(), side).expect("a plan");
    if !memory.run(call.as_slice()) {
        return;
    }
    twin(&mut x, &s, side);
    let what = format!("{batch}×{bins} {}, {side:?}", T::KIND);
    assert_bits(&memory.get(spectra), &x, &what);
}

#[test]
fn products_have_the_bits_of_plain_loops() {
    for (bins, batch) in [(1, 1), (2, 3), (129, 1), (257, 4)] {
        for side in [Side::Plain, Side::Transposed] {
            check::<f32>(bins, batch, side);
            check::<f64>(bins, batch, side);
        }
    }
}

#[test]
fn plans_demand_whole_spectra() {
    let mut memory = Memory::default();
    let (x, s) = (memory.put(&[0.0_f32; 10]), memory.put(&[0.0_f32; 4]));
    assert!(plan(&x.view_mut(), s.view(), Side::Plain).is_err());
}
