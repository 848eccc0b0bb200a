//! What must hold: the laws of states, and every kernel against its twin, bit for bit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ansatz_core::{Key, Scalar, State};
use ansatz_cuda::kernel::conv::{self, Conv};
use ansatz_cuda::kernel::kron::{self, Mode, Side};
use ansatz_cuda::kernel::{grid_field, ihvp, reduce, stencil};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar};
use ansatz_testkit::laws;

use crate::report::Report;

type Outcome = Result<bool, CudaError>;

pub(crate) fn run(device: &Device, report: &mut Report) {
    every::<f32>(device, report);
    every::<f64>(device, report);
    let sound = device.synchronize();
    note(report, "no failure is left", || sound.map(|()| true));
}

fn every<T: DeviceScalar>(device: &Device, report: &mut Report) {
    let name = |what: &str| format!("{what}, {}", T::KIND);
    note(report, &name("laws of states"), || {
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
        Ok(true)
    });
    note(
        report,
        &name("combinations, inner products and noise"),
        || states::<T>(device),
    );
    note(report, &name("products along axes"), || modes::<T>(device));
    note(report, &name("stored gradients"), || rows::<T>(device));
    note(report, &name("Laplacian with inner product"), || {
        laplacian::<T>(device)
    });
    note(report, &name("convolution"), || convolution::<T>(device));
    note(report, &name("level set"), || level_set::<T>(device));
}

/// One line of the report: an error, a panic and `false` are failures.
fn note(report: &mut Report, name: &str, check: impl FnOnce() -> Outcome) {
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(Ok(true)) => report.passed(name),
        Ok(Ok(false)) => report.failed(name, "differs from the processor"),
        Ok(Err(why)) => report.failed(name, &why.to_string()),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            report.failed(name, &text.unwrap_or_else(|| "panicked".into()));
        }
    }
}

fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0xc0da).fill_normal(draw, &mut x);
    x
}

fn same<T: Scalar>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.f64().to_bits() == b.f64().to_bits())
}

fn states<T: DeviceScalar>(device: &Device) -> Outcome {
    let mut sound = true;
    for n in [1, 4097, 3_000_001] {
        let x: Vec<Vec<T>> = (0..17).map(|k| normal(n, k)).collect();
        let mut on = Vec::new();
        for x in &x {
            on.push(CudaState::upload(device, x)?);
        }
        for terms in 0..=16 {
            let c = |k: usize| 0.4 - 0.15 * k as f64;
            let (mut a, mut b) = (x[16].clone(), on[16].clone());
            a.lincomb(-0.7, &(0..terms).map(|k| (c(k), &x[k])).collect::<Vec<_>>());
            b.lincomb(
                -0.7,
                &(0..terms).map(|k| (c(k), &on[k])).collect::<Vec<_>>(),
            );
            sound &= same(&a, &b.to_vec()?);
        }
        let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
        x[0].dots(&x[1..].iter().collect::<Vec<_>>(), &mut a);
        on[0].dots(&on[1..].iter().collect::<Vec<_>>(), &mut b);
        sound &= same(&a, &b);
        let ones = vec![T::one(); n];
        sound &= same(&[x[0].dot(&ones)], &[reduce::sum(on[0].values()?)?]);
        let (mut a, mut b) = (x[0].clone(), on[0].clone());
        a.fill_normal(Key::new(9), 4);
        b.fill_normal(Key::new(9), 4);
        sound &= same(&a, &b.to_vec()?);
    }
    Ok(sound)
}

fn modes<T: DeviceScalar>(device: &Device) -> Outcome {
    let mut sound = true;
    for (rows, columns, left, right) in [(70, 40, 90, 1), (65, 33, 7, 100), (128, 128, 1, 128)] {
        for side in [Side::Plain, Side::Transposed] {
            let mode = Mode {
                rows,
                columns,
                left,
                right,
            };
            let (a, x) = (
                normal::<T>(rows * columns, 1),
                normal::<T>(left * columns * right, 2),
            );
            let mut y = device.zeros(left * rows * right)?;
            kron::mode_product(&device.upload(&a)?, side, mode, &device.upload(&x)?, &mut y)?;
            sound &= same(&y.to_vec()?, &kron::twin(&a, side, mode, &x));
        }
    }
    Ok(sound)
}

fn rows<T: DeviceScalar>(device: &Device) -> Outcome {
    let (m, len) = (19, 300_001);
    let mut g = ihvp::Rows::<T>::zeros(device, m, len)?;
    let rows: Vec<Vec<T>> = (0..m as u64).map(|k| normal(len, k)).collect();
    let mut sums = vec![0.0; m];
    for (k, row) in rows.iter().enumerate() {
        g.replace(k, &device.upload(row)?, &mut sums)?;
    }
    let x = normal::<T>(len, 99);
    let on = device.upload(&x)?;
    g.products(&on, &mut sums)?;
    let mut twin = vec![0.0; m];
    x.dots(&rows.iter().collect::<Vec<_>>(), &mut twin);
    let c: Vec<f64> = (0..m).map(|k| 0.3 - 0.07 * k as f64).collect();
    let mut out = device.zeros(len)?;
    g.combine(&c, 1.7, &on, &mut out)?;
    let mut combined = vec![T::zero(); len];
    let mut terms = vec![(1.7, &x)];
    terms.extend(c.iter().copied().zip(&rows));
    combined.lincomb(0.0, &terms);
    Ok(same(&sums, &twin) && same(&out.to_vec()?, &combined))
}

fn laplacian<T: DeviceScalar>(device: &Device) -> Outcome {
    let shape = [97, 83, 71];
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
    Ok(same(&y.to_vec()?, &twin) && same(&[product], &[x.dot(&twin)]))
}

fn convolution<T: DeviceScalar>(device: &Device) -> Outcome {
    let conv = Conv {
        batch: 2,
        inputs: 5,
        outputs: 11,
        lengths: [19, 22, 37],
        slope: 0.1,
    };
    let volume: usize = conv.lengths.iter().product();
    let x = normal::<T>(2 * 5 * volume, 1);
    let (w, bias) = (normal::<T>(11 * 5 * 27, 2), normal::<T>(11, 3));
    let mut y = device.zeros(2 * 11 * volume)?;
    let [a, b, c] = [&x, &w, &bias].map(|data| device.upload(data));
    conv::convolve(&conv, &a?, &b?, &c?, &mut y)?;
    Ok(same(&y.to_vec()?, &conv::twin(&conv, &x, &w, &bias)))
}

fn level_set<T: DeviceScalar>(device: &Device) -> Outcome {
    let shape = [90, 101, 77];
    let samples = normal::<T>(shape.iter().product(), 1);
    let found = grid_field::extract(shape, &device.upload(&samples)?, 0.3)?;
    let cases = grid_field::cases(shape, &samples, 0.3);
    let crossed = grid_field::crossed(&cases);
    let vertices = grid_field::dual(shape, &samples, 0.3, &crossed);
    Ok(found.cases.to_vec()? == cases
        && found.cells.to_vec()? == crossed
        && same(&found.vertices.to_vec()?, &vertices))
}
