//! What a device must do: the laws of states, kernels against their twins, errors. Without a device each test says that it is
//! skipped; `ANSATZ_REQUIRE_DEVICE=1` makes that a failure. The same tests run on an emulated driver (`emulated`).

mod emulated;

use std::sync::{Mutex, MutexGuard, PoisonError};

use ansatz_core::{Key, Scalar, State};
use ansatz_cuda::kernel::conv::{self, Conv};
use ansatz_cuda::kernel::kron::{self, Mode, Side};
use ansatz_cuda::kernel::{grid_field, ihvp, philox, reduce, stencil};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar};
use ansatz_testkit::{device_or_skip, laws};

/// One test at a time: some look at how much memory is free.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0xc0da).fill_normal(draw, &mut x);
    x
}

fn obeys_the_laws<T: DeviceScalar>(device: &Device) {
    let make = |x: &[f64]| {
        let x: Vec<T> = x.iter().map(|v| T::of(*v)).collect();
        CudaState::upload(device, &x).expect("a state")
    };
    let read = |s: &CudaState<T>| -> Vec<f64> {
        s.to_vec()
            .expect("elements")
            .iter()
            .map(|v| v.f64())
            .collect()
    };
    laws::state(make, read);
    laws::flat_noise(make, read);
    device.synchronize().expect("no failure is left");
}

#[test]
fn device_states_obey_the_laws() {
    let _alone = alone();
    let device = device_or_skip!(Device::new(0));
    obeys_the_laws::<f32>(&device);
    obeys_the_laws::<f64>(&device);
}

fn has_the_bits_of_vectors<T: DeviceScalar>(device: &Device) {
    for n in [1, 3, 4097, 100_003, 3_000_001] {
        let x: Vec<Vec<T>> = (0..18).map(|k| normal(n, k)).collect();
        let up = |x: &Vec<T>| CudaState::upload(device, x).expect("a state");
        let on: Vec<_> = x.iter().map(up).collect();
        for terms in [0, 1, 2, 5, 8, 13, 16] {
            for beta in [0.0, -0.7] {
                let c = |k: usize| 0.4 - 0.15 * k as f64;
                let (mut a, mut b) = (x[17].clone(), on[17].clone());
                let list: Vec<_> = (0..terms).map(|k| (c(k), &x[k])).collect();
                a.lincomb(beta, &list);
                let list: Vec<_> = (0..terms).map(|k| (c(k), &on[k])).collect();
                b.lincomb(beta, &list);
                assert_eq!(
                    b.to_vec().as_ref(),
                    Ok(&a),
                    "{terms} terms, beta {beta}, {n} elements"
                );
            }
        }
        let (mut host, mut sums) = ([0.0; 17], [0.0; 17]);
        x[0].dots(&x[1..].iter().collect::<Vec<_>>(), &mut host);
        on[0].dots(&on[1..].iter().collect::<Vec<_>>(), &mut sums);
        assert_eq!(
            host.map(f64::to_bits),
            sums.map(f64::to_bits),
            "inner products of {n}"
        );
        let total = reduce::sum(on[0].values().expect("values")).expect("a sum");
        assert_eq!(total.to_bits(), x[0].dot(&vec![T::one(); n]).to_bits());
        let most = x[0].iter().fold(0.0_f64, |m, v| m.max(v.f64().abs()));
        assert_eq!(reduce::largest(on[0].values().expect("values")), Ok(most));
        let (mut a, mut b) = (x[0].clone(), on[0].clone());
        a.fill_normal(Key::new(9), 4);
        b.fill_normal(Key::new(9), 4);
        assert_eq!(b.to_vec(), Ok(a), "noise of {n}");
    }
}

#[test]
fn device_results_have_the_bits_of_vectors() {
    let _alone = alone();
    let device = device_or_skip!(Device::new(0));
    has_the_bits_of_vectors::<f32>(&device);
    has_the_bits_of_vectors::<f64>(&device);
    let mut words = device.zeros(4 * 1000).expect("a buffer");
    philox::bits(&mut words, Key::new(5), 3, u64::MAX - 500).expect("words");
    let twin: Vec<u32> = (0..1000)
        .flat_map(|i| Key::new(5).bits(3, (u64::MAX - 500).wrapping_add(i)))
        .collect();
    assert_eq!(words.to_vec(), Ok(twin));
}

fn has_the_bits_of_twins<T: DeviceScalar>(device: &Device) -> Result<(), CudaError> {
    let up = |x: &[T]| device.upload(x);
    // Kronecker products of three factors, one of them not square.
    let (a, b, c) = (normal::<T>(6, 1), normal::<T>(16, 2), normal::<T>(25, 3));
    let x = normal::<T>(2 * 4 * 5, 4);
    let factors = [(&up(&a)?, [3, 2]), (&up(&b)?, [4, 4]), (&up(&c)?, [5, 5])];
    let mut y = device.zeros(60)?;
    kron::product(&factors, Side::Plain, &up(&x)?, &mut y)?;
    let mode = |rows, columns, left, right| Mode {
        rows,
        columns,
        left,
        right,
    };
    let twin = kron::twin(&a, Side::Plain, mode(3, 2, 1, 20), &x);
    let twin = kron::twin(&b, Side::Plain, mode(4, 4, 3, 5), &twin);
    let twin = kron::twin(&c, Side::Plain, mode(5, 5, 12, 1), &twin);
    assert_eq!(y.to_vec()?, twin);

    // A window of gradients: products, a row replaced, a combination.
    let (m, len) = (5, 9001);
    let mut rows: Vec<Vec<T>> = (0..m as u64).map(|k| normal(len, k)).collect();
    let mut g = ihvp::Rows::zeros(device, m, len)?;
    let (mut sums, mut twin) = (vec![0.0; m], vec![0.0; m]);
    for (k, row) in rows.iter().enumerate() {
        g.replace(k, &up(row)?, &mut sums)?;
    }
    let x = normal::<T>(len, 99);
    rows[2].clone_from(&x);
    g.replace(2, &up(&x)?, &mut sums)?;
    x.dots(&rows.iter().collect::<Vec<_>>(), &mut twin);
    assert_eq!(sums, twin);
    g.products(&up(&x)?, &mut sums)?;
    assert_eq!(sums, twin);
    let coefficients = [0.3, -0.1, 0.7, 0.0, 2.5];
    let mut out = device.zeros(len)?;
    g.combine(&coefficients, -1.1, &up(&x)?, &mut out)?;
    let mut combined = vec![T::zero(); len];
    let mut terms = vec![(-1.1, &x)];
    terms.extend(coefficients.into_iter().zip(&rows));
    combined.lincomb(0.0, &terms);
    assert_eq!(out.to_vec()?, combined);
    assert_eq!(
        g.replace(m, &up(&x)?, &mut sums).err(),
        Some(CudaError::OutOfRange {
            what: "the row to replace",
            value: 5,
            min: 0,
            max: 4
        })
    );

    let shape = [19, 17, 23];
    let n = shape.iter().product();
    let (x, diagonal) = (normal::<T>(n, 1), vec![T::of(6.0); n]);
    let mut y = device.zeros(n)?;
    let product = stencil::poisson(shape, &up(&x)?, &up(&diagonal)?, &mut y)?;
    let twin = stencil::twin(shape, &x, &diagonal);
    assert_eq!(
        (y.to_vec()?, product.to_bits()),
        (twin.clone(), x.dot(&twin).to_bits())
    );

    let conv = Conv {
        batch: 2,
        inputs: 3,
        outputs: 9,
        lengths: [5, 6, 18],
        slope: 0.1,
    };
    let (x, w, bias) = (
        normal::<T>(6 * 540, 1),
        normal::<T>(27 * 27, 2),
        normal::<T>(9, 3),
    );
    let mut y = device.zeros(18 * 540)?;
    conv::convolve(&conv, &up(&x)?, &up(&w)?, &up(&bias)?, &mut y)?;
    assert_eq!(y.to_vec()?, conv::twin(&conv, &x, &w, &bias));

    let shape = [20, 31, 17];
    let samples = normal::<T>(shape.iter().product(), 5);
    let found = grid_field::extract(shape, &up(&samples)?, 0.4)?;
    let cases = grid_field::cases(shape, &samples, 0.4);
    let crossed = grid_field::crossed(&cases);
    assert_eq!(
        found.vertices.to_vec()?,
        grid_field::dual(shape, &samples, 0.4, &crossed)
    );
    assert_eq!(
        (found.cases.to_vec()?, found.cells.to_vec()?),
        (cases, crossed)
    );
    Ok(())
}

#[test]
fn device_kernels_have_the_bits_of_their_twins() {
    let _alone = alone();
    let device = device_or_skip!(Device::new(0));
    assert_eq!(has_the_bits_of_twins::<f32>(&device), Ok(()));
    assert_eq!(has_the_bits_of_twins::<f64>(&device), Ok(()));
}

#[test]
fn device_memory_is_used_again() {
    let _alone = alone();
    let device = device_or_skip!(Device::new(0));
    let mut x = CudaState::upload(&device, &normal::<f32>(1_000_000, 0)).expect("a state");
    let mut step = || {
        let y = x.clone();
        x.lincomb(0.5, &[(0.5, &y)]);
        x.dot(&y)
    };
    step();
    let before = device.memory().expect("free memory");
    for _ in 0..50 {
        step();
    }
    assert_eq!(device.memory(), Ok(before));
    device.trim();
    assert_eq!(device.cached_bytes(), 0);
}

#[test]
fn device_errors_are_typed() {
    let _alone = alone();
    let device = device_or_skip!(Device::new(0));
    let count = Device::count().expect("a number of devices");
    assert_eq!(
        Device::new(count).err(),
        Some(CudaError::NoDevice {
            ordinal: count,
            found: count
        })
    );
    let (_, total) = device.memory().expect("memory");
    let full = device.zeros::<f64>(total / 4);
    assert!(
        matches!(full, Err(CudaError::OutOfMemory { .. })),
        "{full:?}"
    );
    // The device goes on afterwards, and states tell what happened.
    let x = CudaState::upload(&device, &[1.0_f64, 2.0]).expect("a state");
    assert!((x.dot(&x) - 5.0).abs() < 1e-14);
    let other = device.fork().expect("a stream");
    let far = x.to_device(&other).expect("a copy");
    assert!(!x.same_shape(&far));
    let mut buffer = device.zeros::<f64>(2).expect("a buffer");
    assert_eq!(
        buffer.copy_from(far.values().expect("values")),
        Err(CudaError::OtherStream {
            what: "the buffer copied"
        })
    );
    assert_eq!(far.to_vec(), x.to_vec());
    assert_eq!(device.synchronize(), Ok(()));
}
