//! Times of every kernel at sizes far beyond the caches, beside the bytes that have to move.

use std::error::Error;
use std::time::Instant;

use ansatz_core::{Key, LinearMap, ScalarField, State};
use ansatz_cuda::kernel::conv::{self, Conv};
use ansatz_cuda::kernel::kron::{self, Mode, Side};
use ansatz_cuda::kernel::{grid_field, ihvp, lincomb, philox, reduce, scan, stencil};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar, fft};
use ansatz_linalg::LinalgError;
use ansatz_linalg::device::{DeviceConvolution, DeviceFisherWindow};
use ansatz_linalg::fisher::FactorOptions;
use ansatz_linalg::operator::Circulant;
use ansatz_mesh::GridShape;
use ansatz_mesh::device::{DeviceMarchingCubes, DeviceSurfaceNets};

use crate::report::Report;

/// How much is worked on.
pub(crate) struct Sizes {
    /// Bytes of a copy, and of a state.
    copy: usize,
    state: usize,
    /// Elements of a stored gradient.
    gradient: usize,
    /// Sides of the cubes for stencils, for products along axes, for convolutions.
    grid: usize,
    array: usize,
    image: usize,
    /// Side of the matrices whose product tells what arithmetic can reach.
    pub(crate) matrix: usize,
    /// Points of a physics-informed step; images of a U-Net's step, their side and channels.
    pub(crate) points: usize,
    pub(crate) pictures: [usize; 3],
    /// Seconds that a measurement lasts at least.
    least: f64,
}

impl Sizes {
    /// Far beyond the caches.
    pub(crate) const FULL: Self = Self {
        copy: 1 << 30,
        state: 1 << 29,
        gradient: 10_000_000,
        grid: 512,
        array: 256,
        image: 128,
        matrix: 4096,
        points: 65_536,
        pictures: [64, 64, 64],
        least: 0.2,
    };

    /// To see that it runs.
    pub(crate) const SMALL: Self = Self {
        copy: 1 << 16,
        state: 1 << 15,
        gradient: 1000,
        grid: 20,
        array: 20,
        image: 8,
        matrix: 24,
        points: 64,
        pictures: [1, 8, 4],
        least: 1e-4,
    };
}

/// Seconds for one run of `work`, the best of three batches.
pub(crate) fn seconds<E: From<CudaError>>(
    device: &Device,
    sizes: &Sizes,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<f64, E> {
    let mut batch = |runs: usize| -> Result<f64, E> {
        device.synchronize()?;
        let start = Instant::now();
        for _ in 0..runs {
            work()?;
        }
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    batch(2)?;
    let once = batch(3)? / 3.0;
    let runs = (sizes.least / once).ceil().clamp(3.0, 2000.0) as usize;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        best = best.min(batch(runs)? / runs as f64);
    }
    Ok(best)
}

pub(crate) fn run(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let n = sizes.copy / 4;
    let from = device.zeros::<f32>(n)?;
    let mut to = device.zeros::<f32>(n)?;
    let copy = seconds(device, sizes, || to.copy_from(&from))?;
    report.bandwidth = 8.0 * n as f64 / copy;
    drop((from, to));
    device.trim();
    states::<f32>(device, sizes, report)?;
    states::<f64>(device, sizes, report)?;
    device.trim();
    gradients::<f32>(device, sizes, report)?;
    device.trim();
    grids::<f32>(device, sizes, report)?;
    grids::<f64>(device, sizes, report)?;
    device.trim();
    surfaces::<f32>(device, sizes, report)?;
    device.trim();
    window::<f32>(device, sizes, report)?;
    device.trim();
    convolution(device, sizes, report)?;
    networks(device, sizes, report)?;
    Ok(())
}

fn states<T: DeviceScalar>(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), CudaError> {
    let n = sizes.state / size_of::<T>();
    let state = (n * size_of::<T>()) as f64;
    let mut x = Vec::new();
    for k in 0..9 {
        let mut values = device.zeros::<T>(n)?;
        philox::normal(&mut values, Key::new(1), k)?;
        x.push(values);
    }
    let mut dst = x.pop().map_or_else(|| device.zeros(n), Ok)?;
    for terms in [1, 2, 4, 8] {
        for beta in [0.0, 0.5] {
            let list: Vec<_> = x[..terms].iter().map(|x| (0.01, x)).collect();
            let time = seconds(device, sizes, || {
                lincomb::lincomb(&mut dst, beta, &list, None)
            })?;
            let passes = terms as f64 + if beta == 0.0 { 1.0 } else { 2.0 };
            let name = format!("lincomb of {terms}, beta {beta}, {}", T::KIND);
            report.time(&name, time, [passes * state, 0.0], Some(0.85));
        }
    }
    for partners in [1, 4, 8] {
        let others: Vec<_> = x[..partners].iter().collect();
        let mut out = vec![0.0; partners];
        let time = seconds(device, sizes, || reduce::dots(&dst, &others, &mut out))?;
        // The common one is read once for four.
        let passes = partners as f64 + partners.div_ceil(4) as f64;
        let name = format!("{partners} inner products, {}", T::KIND);
        report.time(&name, time, [passes * state, 0.0], None);
    }
    // A batch of 64, as samplers look at it.
    let rows = 64;
    let mut out = vec![0.0; 2 * rows];
    let others = [&x[0], &x[1]];
    let time = seconds(device, sizes, || {
        reduce::row_dots(&dst, &others, rows, &mut out)
    })?;
    let name = format!("inner products of {rows} rows with 2, {}", T::KIND);
    report.time(&name, time, [3.0 * state, 0.0], None);
    let c = vec![0.01; rows];
    let list: Vec<(&[f64], _)> = x[..3].iter().map(|x| (&c[..], x)).collect();
    let time = seconds(device, sizes, || {
        lincomb::lincomb_rows(&mut dst, 0.5, &list)
    })?;
    let name = format!("lincomb of 3 with coefficients of {rows} rows, {}", T::KIND);
    report.time(&name, time, [5.0 * state, 0.0], Some(0.85));
    let time = seconds(device, sizes, || lincomb::blend(&mut dst, &x[0], &x[1]))?;
    report.time(
        &format!("blend by a mask, {}", T::KIND),
        time,
        [4.0 * state, 0.0],
        None,
    );
    let time = seconds(device, sizes, || philox::normal(&mut dst, Key::new(2), 0))?;
    let name = format!("normal numbers, {}", T::KIND);
    report.time(&name, time, [state, n as f64], None);
    let small = CudaState::upload(device, &[T::one(); 1000])?;
    let mut other = small.clone();
    let time = seconds(device, sizes, || {
        other.lincomb(0.5, &[(0.5, &small)]);
        Ok(())
    })?;
    report.time(
        &format!("launch of a small lincomb, {}", T::KIND),
        time,
        [0.0; 2],
        None,
    );
    Ok(())
}

/// M-FAC's pair at ten million parameters and 128 gradients, or as many as fit.
fn gradients<T: DeviceScalar>(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), CudaError> {
    let d = sizes.gradient;
    let (free, _) = device.memory()?;
    let m = (free / 2 / (d * size_of::<T>())).clamp(1, 128);
    let mut g = ihvp::Rows::<T>::zeros(device, m, d)?;
    let mut x = device.zeros::<T>(d)?;
    philox::normal(&mut x, Key::new(3), 0)?;
    let (mut sums, c) = (vec![0.0; m], vec![0.01; m]);
    let mut out = device.zeros::<T>(d)?;
    let bytes = (m * d * size_of::<T>()) as f64;
    let of = format!("d = {d}, m = {m}, {}", T::KIND);
    let products = seconds(device, sizes, || g.products(&x, &mut sums))?;
    report.time(&format!("G·x, {of}"), products, [bytes, 0.0], Some(0.7));
    let combine = seconds(device, sizes, || g.combine(&c, 1.0, &x, &mut out))?;
    report.time(
        &format!("a·x + Gᵀ·c, {of}"),
        combine,
        [bytes, 0.0],
        Some(0.7),
    );
    report.time(
        &format!("the pair, {of}"),
        products + combine,
        [2.0 * bytes, 0.0],
        Some(0.7),
    );
    let update = seconds(device, sizes, || g.replace(m / 2, &x, &mut sums))?;
    report.time(
        &format!("window update, {of}"),
        update,
        [bytes, 0.0],
        Some(0.7),
    );
    Ok(())
}

fn grids<T: DeviceScalar>(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), CudaError> {
    let side = sizes.grid;
    let n = side.pow(3);
    let state = (n * size_of::<T>()) as f64;
    let of = format!("{side}³, {}", T::KIND);
    let mut x = device.zeros::<T>(n)?;
    philox::normal(&mut x, Key::new(4), 0)?;
    let diagonal = device.upload(&vec![T::of(6.0); n])?;
    let mut y = device.zeros::<T>(n)?;
    let time = seconds(device, sizes, || {
        stencil::poisson([side; 3], &x, &diagonal, &mut y).map(drop)
    })?;
    report.time(
        &format!("Laplacian with inner product, {of}"),
        time,
        [3.0 * state, 0.0],
        None,
    );
    // A ball: the surface crosses about one cell in a hundred.
    let centre = side as f64 / 2.0;
    let ball: Vec<T> = (0..n)
        .map(|c| {
            let at = [c / side / side, c / side % side, c % side];
            let square: f64 = at.map(|i| (i as f64 - centre).powi(2)).iter().sum();
            T::of(square.sqrt())
        })
        .collect();
    x.write(&ball)?;
    let time = seconds(device, sizes, || {
        grid_field::extract([side; 3], &x, 0.8 * centre).map(drop)
    })?;
    // Samples are read, cases written and read.
    report.time(
        &format!("level set, {of}"),
        time,
        [state + 2.0 * n as f64, 0.0],
        None,
    );
    Ok(())
}

/// Marching cubes beside one pass over the samples, which no extraction goes without.
fn surfaces<T: DeviceScalar>(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let side = sizes.grid;
    let shape = GridShape::spanning([side; 3], [-1.0; 3], [1.0; 3])?;
    let floor = (shape.samples() * size_of::<T>()) as f64;
    let ball = |[x, y, z]: [T; 3]| (x * x + y * y + z * z).sqrt() - T::of(0.8);
    let gyroid = |[x, y, z]: [T; 3]| {
        let [x, y, z] = [x, y, z].map(|v| v * T::of(12.0));
        x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
    };
    let fields: [(&str, &dyn ScalarField<T>); 2] = [("a ball", &ball), ("a gyroid", &gyroid)];
    for (name, field) in fields {
        let samples = device.upload(&shape.sample(field))?;
        let cubes = DeviceMarchingCubes::default();
        let mesh = cubes.extract(shape, &samples, T::zero())?;
        let triangles = mesh.triangles.len() / 3;
        drop(mesh);
        let time = seconds(device, sizes, || {
            cubes.extract(shape, &samples, T::zero()).map(drop)
        })?;
        let name = format!(
            "marching cubes of {name}, {side}³, {triangles} triangles, {}",
            T::KIND
        );
        report.time(&name, time, [floor, 0.0], None);
    }
    let samples = device.upload(&shape.sample(&ball))?;
    let time = seconds(device, sizes, || {
        DeviceSurfaceNets
            .extract(shape, &samples, T::zero())
            .map(drop)
    })?;
    let name = format!("surface nets of a ball, {side}³, {}", T::KIND);
    report.time(&name, time, [floor, 0.0], None);
    drop(samples);
    let count = 3 * shape.samples() / 32;
    let mut numbers = device.zeros::<u32>(count)?;
    let time = seconds(device, sizes, || scan::exclusive(&mut numbers).map(drop))?;
    let name = format!("sums before each of {count} numbers");
    report.time(&name, time, [16.0 * count as f64, 0.0], None);
    Ok(())
}

/// F⁻¹·x and a new gradient through the window, its m×m side on the host included.
fn window<T: DeviceScalar>(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let d = sizes.gradient;
    let (free, _) = device.memory()?;
    let m = (free / 2 / (d * size_of::<T>())).clamp(1, 128);
    let mut window = DeviceFisherWindow::<T>::new(device, m, d, FactorOptions::default())?;
    let mut x = CudaState::zeros(device, d)?;
    for draw in 0..m as u64 {
        x.fill_normal(Key::new(5), draw);
        window.push(&x)?;
    }
    let mut y = x.zeros_like();
    let sweep = (m * d * size_of::<T>()) as f64;
    let of = format!("d = {d}, m = {m}, {}", T::KIND);
    let time = seconds(device, sizes, || window.apply_inverse(&x, &mut y))?;
    report.time(&format!("F⁻¹·x, {of}"), time, [2.0 * sweep, 0.0], Some(0.7));
    let time = seconds(device, sizes, || window.update_and_apply(&x, &mut y))?;
    let name = format!("a gradient and F⁻¹·g, {of}");
    report.time(&name, time, [2.0 * sweep, 0.0], None);
    Ok(())
}

/// A circulant matrix, where there is a library of transforms, beside the passes that it takes if each transform takes two.
fn convolution(device: &Device, sizes: &Sizes, report: &mut Report) -> Result<(), Box<dyn Error>> {
    if !fft::is_present() {
        return Ok(());
    }
    let n = sizes.gradient;
    let column: Vec<f64> = (0..n).map(|j| 1.0 / (1.0 + (j * j) as f64)).collect();
    let host = Circulant::new(&column)?;
    let on = DeviceConvolution::<f32>::of_circulant(&host, device)?;
    let mut x = CudaState::zeros(device, n)?;
    x.fill_normal(Key::new(6), 0);
    let mut y = x.zeros_like();
    let time = seconds(device, sizes, || -> Result<(), LinalgError> {
        Ok(on.apply(&x, &mut y)?)
    })?;
    let name = format!("circulant matrix of {n}, f32");
    report.time(&name, time, [4.0 * 11.0 * n as f64, 0.0], None);
    Ok(())
}

fn networks(device: &Device, sizes: &Sizes, report: &mut Report) -> Result<(), CudaError> {
    let side = sizes.array;
    let a = device.upload(&vec![0.01_f32; side * side])?;
    let x = device.zeros::<f32>(side.pow(3))?;
    let mut y = device.zeros::<f32>(side.pow(3))?;
    for (name, left, right) in [
        ("last", side * side, 1),
        ("middle", side, side),
        ("first", 1, side * side),
    ] {
        let mode = Mode {
            rows: side,
            columns: side,
            left,
            right,
        };
        let time = seconds(device, sizes, || {
            kron::mode_product(&a, Side::Plain, mode, &x, &mut y)
        })?;
        let work = [8.0 * side.pow(3) as f64, 2.0 * side.pow(4) as f64];
        report.time(
            &format!("product along the {name} axis of {side}³, f32"),
            time,
            work,
            None,
        );
    }
    let conv = Conv {
        batch: 1,
        inputs: 16,
        outputs: 16,
        lengths: [sizes.image; 3],
        slope: 0.0,
    };
    let places = sizes.image.pow(3);
    let x = device.zeros::<f32>(16 * places)?;
    let (w, bias) = (device.zeros::<f32>(16 * 16 * 27)?, device.zeros::<f32>(16)?);
    let mut y = device.zeros::<f32>(16 * places)?;
    let time = seconds(device, sizes, || {
        conv::convolve(&conv, &x, &w, &bias, &mut y)
    })?;
    let work = [
        2.0 * 16.0 * 4.0 * places as f64,
        54.0 * 256.0 * places as f64,
    ];
    let name = format!("convolution 16 to 16 channels on {}³, f32", sizes.image);
    report.time(&name, time, work, None);
    Ok(())
}
