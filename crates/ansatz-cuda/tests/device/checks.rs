//! What must hold on a device: the laws of states, every kernel against its twin to the bit, typed errors, memory that is
//! used again. One list for the tests and for the report on a device.

use ansatz_core::{Key, RowState, Scalar, State, Tolerance};
use ansatz_cuda::kernel::conv::{self, Conv};
use ansatz_cuda::kernel::kron::{self, Mode, Side};
use ansatz_cuda::kernel::{grid_field, ihvp, philox, reduce, scan, stencil};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar, fft};
use ansatz_testkit::device::{Check, skipped};
use ansatz_testkit::laws;

/// The checks of this crate. Those on memory come first and last: they look at how much is free.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("memory is used again", memory_is_used_again),
    ("laws of states, f32", laws_of_states::<f32>),
    ("laws of states, f64", laws_of_states::<f64>),
    ("combinations, products, noise, f32", states::<f32>),
    ("combinations, products, noise, f64", states::<f64>),
    ("laws of batches, f32", laws_of_batches::<f32>),
    ("laws of batches, f64", laws_of_batches::<f64>),
    ("batches as in main memory, f32", batches::<f32>),
    ("batches as in main memory, f64", batches::<f64>),
    ("random words", words),
    ("products along axes, f32", modes::<f32>),
    ("products along axes, f64", modes::<f64>),
    ("stored gradients, f32", rows::<f32>),
    ("stored gradients, f64", rows::<f64>),
    ("Laplacian with inner product, f32", laplacian::<f32>),
    ("Laplacian with inner product, f64", laplacian::<f64>),
    ("convolution, f32", convolution::<f32>),
    ("convolution, f64", convolution::<f64>),
    ("level set, f32", level_set::<f32>),
    ("level set, f64", level_set::<f64>),
    ("sums before each number", scans),
    ("Fourier transforms, f32", transforms::<f32>),
    ("Fourier transforms, f64", transforms::<f64>),
    ("errors are typed", errors_are_typed),
];

/// A check may use `?`: an error is a panic with its text.
fn held(outcome: Result<(), CudaError>) {
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0xc0da).fill_normal(draw, &mut x);
    x
}

/// Equal to the bit, or where not.
#[track_caller]
fn same<T: Scalar>(got: &[T], want: &[T], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let at = (0..got.len()).find(|i| got[*i].f64().to_bits() != want[*i].f64().to_bits());
    if let Some(at) = at {
        let (got, want) = (got[at].f64(), want[at].f64());
        panic!("{what}: element {at} is {got:e}, on the processor {want:e}");
    }
}

fn laws_of_states<T: DeviceScalar>(device: &Device) {
    let make = |x: &[f64]| {
        let x: Vec<T> = x.iter().map(|v| T::of(*v)).collect();
        CudaState::upload(device, &x).expect("a state")
    };
    let read = |s: &CudaState<T>| -> Vec<f64> {
        let x = s.to_vec().expect("elements");
        x.iter().map(|v| v.f64()).collect()
    };
    laws::state(make, read);
    laws::flat_noise(make, read);
    device.synchronize().expect("no failure is left");
}

fn laws_of_batches<T: DeviceScalar>(device: &Device) {
    let make = |x: &[f64]| {
        let x: Vec<T> = x.iter().map(|v| T::of(*v)).collect();
        CudaState::upload(device, &x).expect("a state")
    };
    let read = |s: &CudaState<T>| -> Vec<f64> {
        let x = s.to_vec().expect("elements");
        x.iter().map(|v| v.f64()).collect()
    };
    laws::rows(make, read);
    device.synchronize().expect("no failure is left");
}

/// Rows shorter and longer than 16 bytes, than a leaf; more of them than a block has threads.
fn batches<T: DeviceScalar>(device: &Device) {
    for (rows, len) in [(1, 5), (700, 3), (9, 4099), (33, 257), (3, 40_000)] {
        let x: Vec<Vec<T>> = (0..6).map(|k| normal(rows * len, k)).collect();
        let up = |x: &Vec<T>| CudaState::upload(device, x).expect("a state");
        let on: Vec<_> = x.iter().map(up).collect();
        let what = format!("{rows} rows of {len}");
        let (mut host, mut far) = (vec![0.0; 5 * rows], vec![0.0; 5 * rows]);
        x[0].row_dots(&x[1..].iter().collect::<Vec<_>>(), &mut host);
        on[0].row_dots(&on[1..].iter().collect::<Vec<_>>(), &mut far);
        same(&far, &host, &format!("inner products of {what}"));
        let tol = Tolerance::new(1e-2, 0.1);
        x[0].row_errors(&x[1], &x[2], tol, &mut host[..rows]);
        on[0].row_errors(&on[1], &on[2], tol, &mut far[..rows]);
        same(&far, &host, &format!("errors of {what}"));
        let (mut a, mut b) = (x[5].clone(), on[5].clone());
        for beta in [-0.7, 0.0] {
            let c: Vec<&[f64]> = host.chunks(rows).collect();
            a.row_lincomb(beta, &[(c[0], &x[1]), (c[1], &x[2]), (c[2], &x[3])]);
            b.row_lincomb(beta, &[(c[0], &on[1]), (c[1], &on[2]), (c[2], &on[3])]);
            let what = format!("beta {beta}, {what}");
            same(&b.to_vec().expect("elements"), &a, &what);
        }
        let mask: Vec<T> = (0..rows * len)
            .map(|i| T::of([0.0, 0.3, 1.0][i % 3]))
            .collect();
        a.blend(&mask, &x[4]);
        b.blend(&up(&mask), &on[4]);
        same(
            &b.to_vec().expect("elements"),
            &a,
            &format!("a blend of {what}"),
        );
    }
    assert_eq!(device.synchronize(), Ok(()));
}

fn states<T: DeviceScalar>(device: &Device) {
    for n in [1, 3, 4097, 100_003, 1_500_001] {
        let x: Vec<Vec<T>> = (0..18).map(|k| normal(n, k)).collect();
        let up = |x: &Vec<T>| CudaState::upload(device, x).expect("a state");
        let on: Vec<_> = x.iter().map(up).collect();
        let few = n > 1_000_000;
        for terms in (0..=16).filter(|t| !few || [1, 5, 16].contains(t)) {
            for beta in [0.0, -0.7] {
                let c = |k: usize| 0.4 - 0.15 * k as f64;
                let (mut a, mut b) = (x[17].clone(), on[17].clone());
                let list: Vec<_> = (0..terms).map(|k| (c(k), &x[k])).collect();
                a.lincomb(beta, &list);
                let list: Vec<_> = (0..terms).map(|k| (c(k), &on[k])).collect();
                b.lincomb(beta, &list);
                let what = format!("{terms} terms, beta {beta}, {n} elements");
                same(&b.to_vec().expect("elements"), &a, &what);
            }
        }
        let (mut host, mut sums) = ([0.0; 17], [0.0; 17]);
        x[0].dots(&x[1..].iter().collect::<Vec<_>>(), &mut host);
        on[0].dots(&on[1..].iter().collect::<Vec<_>>(), &mut sums);
        same(&sums, &host, &format!("inner products of {n}"));
        let values = on[0].values().expect("values");
        let total = reduce::sum(values).expect("a sum");
        same(&[total], &[x[0].dot(&vec![T::one(); n])], "the sum");
        let most = x[0].iter().fold(0.0_f64, |m, v| m.max(v.f64().abs()));
        assert_eq!(reduce::largest(values), Ok(most));
        let (mut a, mut b) = (x[0].clone(), on[0].clone());
        a.fill_normal(Key::new(9), 4);
        b.fill_normal(Key::new(9), 4);
        same(&b.to_vec().expect("elements"), &a, &format!("noise of {n}"));
    }
}

fn words(device: &Device) {
    let mut words = device.zeros(4 * 1000).expect("a buffer");
    philox::bits(&mut words, Key::new(5), 3, u64::MAX - 500).expect("words");
    let twin: Vec<u32> = (0..1000)
        .flat_map(|i| Key::new(5).bits(3, (u64::MAX - 500).wrapping_add(i)))
        .collect();
    assert_eq!(words.to_vec(), Ok(twin));
}

fn modes<T: DeviceScalar>(device: &Device) {
    held((|| {
        for (rows, columns, left, right) in [(70, 40, 90, 1), (65, 33, 7, 100), (128, 128, 1, 64)] {
            for side in [Side::Plain, Side::Transposed] {
                let mode = Mode {
                    rows,
                    columns,
                    left,
                    right,
                };
                let a = normal::<T>(rows * columns, 1);
                let x = normal::<T>(left * columns * right, 2);
                let mut y = device.zeros(left * rows * right)?;
                kron::mode_product(&device.upload(&a)?, side, mode, &device.upload(&x)?, &mut y)?;
                let what = format!("{mode:?}, {side:?}");
                same(&y.to_vec()?, &kron::twin(&a, side, mode, &x), &what);
            }
        }
        // A Kronecker product of three factors, one of them not square.
        let (a, b, c) = (normal::<T>(6, 1), normal::<T>(16, 2), normal::<T>(25, 3));
        let x = normal::<T>(2 * 4 * 5, 4);
        let [on_a, on_b, on_c] = [&a, &b, &c].map(|f| device.upload(f));
        let factors = [(&on_a?, [3, 2]), (&on_b?, [4, 4]), (&on_c?, [5, 5])];
        let mut y = device.zeros(60)?;
        kron::product(&factors, Side::Plain, &device.upload(&x)?, &mut y)?;
        let mode = |rows, columns, left, right| Mode {
            rows,
            columns,
            left,
            right,
        };
        let twin = kron::twin(&a, Side::Plain, mode(3, 2, 1, 20), &x);
        let twin = kron::twin(&b, Side::Plain, mode(4, 4, 3, 5), &twin);
        let twin = kron::twin(&c, Side::Plain, mode(5, 5, 12, 1), &twin);
        same(&y.to_vec()?, &twin, "three factors");
        Ok(())
    })());
}

/// A window of gradients: rows replaced, products, a combination.
fn rows<T: DeviceScalar>(device: &Device) {
    held((|| {
        for (m, len) in [(5, 9001), (19, 100_001)] {
            let mut rows: Vec<Vec<T>> = (0..m as u64).map(|k| normal(len, k)).collect();
            let mut g = ihvp::Rows::zeros(device, m, len)?;
            let (mut sums, mut twin) = (vec![0.0; m], vec![0.0; m]);
            for (k, row) in rows.iter().enumerate() {
                g.replace(k, &device.upload(row)?, &mut sums)?;
            }
            let x = normal::<T>(len, 99);
            let on = device.upload(&x)?;
            rows[2].clone_from(&x);
            g.replace(2, &on, &mut sums)?;
            x.dots(&rows.iter().collect::<Vec<_>>(), &mut twin);
            same(&sums, &twin, "products with a new row");
            g.products(&on, &mut sums)?;
            same(&sums, &twin, "products");
            let c: Vec<f64> = (0..m).map(|k| 0.3 - 0.07 * k as f64).collect();
            let mut out = device.zeros(len)?;
            g.combine(&c, -1.1, &on, &mut out)?;
            let mut combined = vec![T::zero(); len];
            let mut terms = vec![(-1.1, &x)];
            terms.extend(c.iter().copied().zip(&rows));
            combined.lincomb(0.0, &terms);
            same(&out.to_vec()?, &combined, "the combination");
            let beyond = CudaError::OutOfRange {
                what: "the row to replace",
                value: m,
                min: 0,
                max: m - 1,
            };
            assert_eq!(g.replace(m, &on, &mut sums), Err(beyond));
        }
        Ok(())
    })());
}

fn laplacian<T: DeviceScalar>(device: &Device) {
    held((|| {
        let shape = [47, 33, 51];
        let n = shape.iter().product();
        let x = normal::<T>(n, 1);
        let diagonal: Vec<T> = (0..n).map(|c| T::of((c % 7) as f64)).collect();
        let mut y = device.zeros(n)?;
        let product = stencil::poisson(
            shape,
            &device.upload(&x)?,
            &device.upload(&diagonal)?,
            &mut y,
        )?;
        let twin = stencil::twin(shape, &x, &diagonal);
        same(&y.to_vec()?, &twin, "the Laplacian");
        same(&[product], &[x.dot(&twin)], "the inner product");
        Ok(())
    })());
}

fn convolution<T: DeviceScalar>(device: &Device) {
    held((|| {
        let conv = Conv {
            batch: 2,
            inputs: 3,
            outputs: 11,
            lengths: [5, 6, 37],
            slope: 0.1,
        };
        let volume: usize = conv.lengths.iter().product();
        let x = normal::<T>(2 * 3 * volume, 1);
        let (w, bias) = (normal::<T>(11 * 3 * 27, 2), normal::<T>(11, 3));
        let mut y = device.zeros(2 * 11 * volume)?;
        let [a, b, c] = [&x, &w, &bias].map(|data| device.upload(data));
        conv::convolve(&conv, &a?, &b?, &c?, &mut y)?;
        same(&y.to_vec()?, &conv::twin(&conv, &x, &w, &bias), "the layer");
        Ok(())
    })());
}

fn level_set<T: DeviceScalar>(device: &Device) {
    held((|| {
        let shape = [20, 61, 47];
        let samples = normal::<T>(shape.iter().product(), 5);
        let found = grid_field::extract(shape, &device.upload(&samples)?, 0.4)?;
        let cases = grid_field::cases(shape, &samples, 0.4);
        let crossed = grid_field::crossed(&cases);
        let vertices = grid_field::dual(shape, &samples, 0.4, &crossed);
        same(&found.vertices.to_vec()?, &vertices, "vertices");
        assert!(found.cases.to_vec()? == cases && found.cells.to_vec()? == crossed);
        Ok(())
    })());
}

fn scans(device: &Device) {
    held((|| {
        for n in [1, 4097, 1_000_003] {
            let mut x: Vec<u32> = (0..n).map(|i| Key::new(3).bits(0, i)[0] % 100).collect();
            let mut on = device.upload(&x)?;
            assert_eq!(scan::exclusive(&mut on)?, scan::twin(&mut x));
            assert!(on.to_vec()? == x, "{n} numbers");
            let last = x[x.len() - 1];
            assert_eq!(on.element(x.len() - 1), Ok(last));
        }
        Ok(())
    })());
}

/// Transforms of a batch against their definition, and back; without the library, the error that says so.
fn transforms<T: DeviceScalar>(device: &Device) {
    if !fft::is_present() {
        let missing = fft::RealFft::<T>::new(device, 8, 1).map(drop);
        assert_eq!(missing, Err(CudaError::FftMissing));
        skipped("Fourier transforms on a device", &CudaError::FftMissing);
        return;
    }
    held((|| {
        for (n, batch) in [(1, 3), (2, 1), (37, 2), (60, 3)] {
            let fft = fft::RealFft::<T>::new(device, n, batch)?;
            let x = normal::<T>(n * batch, 1);
            let on = device.upload(&x)?;
            let mut spectrum = device.zeros(2 * batch * fft.bins())?;
            fft.forward(&on, &mut spectrum)?;
            let got = spectrum.to_vec()?;
            let allowed = 50.0 * T::EPS.f64() * n as f64;
            for (b, x) in x.chunks(n).enumerate() {
                for k in 0..fft.bins() {
                    let turn =
                        |j: usize| 2.0 * std::f64::consts::PI * ((j * k) % n) as f64 / n as f64;
                    let part = |of: fn(f64) -> f64| -> f64 {
                        (0..n).map(|j| x[j].f64() * of(turn(j))).sum()
                    };
                    let at = 2 * (b * fft.bins() + k);
                    let (re, im) = (part(f64::cos), -part(f64::sin));
                    assert!((got[at].f64() - re).abs() < allowed, "{n}: bin {k}");
                    assert!((got[at + 1].f64() - im).abs() < allowed, "{n}: bin {k}");
                }
            }
            let mut back = device.zeros(n * batch)?;
            fft.backward(&mut spectrum, &mut back)?;
            for (a, b) in back.to_vec()?.iter().zip(&x) {
                assert!((a.f64() / n as f64 - b.f64()).abs() < allowed);
            }
            assert_eq!(on.to_vec()?, x);
            let short = device.zeros(n * batch + 1)?;
            assert!(fft.forward(&short, &mut spectrum).is_err());
        }
        let zero = fft::RealFft::<T>::new(device, 0, 1).map(drop);
        assert!(
            matches!(zero, Err(CudaError::OutOfRange { .. })),
            "{zero:?}"
        );
        Ok(())
    })());
}

fn memory_is_used_again(device: &Device) {
    let mut x = CudaState::upload(device, &normal::<f32>(1_000_000, 0)).expect("a state");
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
    drop(x);
    assert!(device.cached_bytes() > 0);
    device.trim();
    assert_eq!(device.cached_bytes(), 0);
}

fn errors_are_typed(device: &Device) {
    let count = Device::count().expect("a number of devices");
    let none = CudaError::NoDevice {
        ordinal: count,
        found: count,
    };
    assert_eq!(Device::new(count).err(), Some(none));
    let (_, total) = device.memory().expect("memory");
    let full = device.zeros::<f64>(total / 4);
    assert!(
        matches!(full, Err(CudaError::OutOfMemory { .. })),
        "{full:?}"
    );
    // The device goes on afterwards, and states tell what happened.
    let x = CudaState::upload(device, &[1.0_f64, 2.0]).expect("a state");
    assert!((x.dot(&x) - 5.0).abs() < 1e-14);
    let other = device.fork().expect("a stream");
    let far = x.to_device(&other).expect("a copy");
    assert!(!x.same_shape(&far));
    let mut buffer = device.zeros::<f64>(2).expect("a buffer");
    let apart = CudaError::OtherStream {
        what: "the buffer copied",
    };
    assert_eq!(buffer.copy_from(far.values().expect("values")), Err(apart));
    assert_eq!(far.to_vec(), x.to_vec());
    assert_eq!(device.synchronize(), Ok(()));
}
