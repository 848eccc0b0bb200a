//! Operators on a device keep the laws of maps and have the bits (or the rounding) of those in main memory; Krylov methods
//! and windows of gradients take the same steps on either side. One list for the tests and for the report on a device.

use ansatz_core::{AdjointOp, Key, LinearMap, LinearOp, OnHost, Scalar, State};
use ansatz_cuda::{CudaError, CudaState, Device, DeviceScalar, fft};
use ansatz_linalg::LinalgError;
use ansatz_linalg::device::{
    DeviceConvolution, DeviceFisherWindow, DeviceKronecker, DevicePoisson,
};
use ansatz_linalg::fisher::{FactorOptions, FisherWindow};
use ansatz_linalg::krylov::{
    BiCgStab, Cg, DeflatedCg, Fgmres, Gmres, Lsmr, Method, Minres, SolveReport, Stop, System,
};
use ansatz_linalg::operator::{Cell, Circulant, Face, Grid, Kronecker, Poisson, Toeplitz};
use ansatz_testkit::device::{Check, skipped};
use ansatz_testkit::laws;
use faer::Mat;
use faer::traits::RealField;

/// The checks of this crate.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("Laplacian map, f32", poisson::<f32>),
    ("Laplacian map, f64", poisson::<f64>),
    ("Kronecker map, f32", kronecker::<f32>),
    ("Kronecker map, f64", kronecker::<f64>),
    ("Toeplitz and circulant maps, f32", convolution::<f32>),
    ("Toeplitz and circulant maps, f64", convolution::<f64>),
    (
        "Toeplitz system with a circulant preconditioner, f64",
        toeplitz_system,
    ),
    ("inverse Fisher map, f32", fisher::<f32>),
    ("inverse Fisher map, f64", fisher::<f64>),
    ("window of gradients as states, f32", window::<f32>),
    ("Krylov methods, f32", krylov::<f32>),
    ("Krylov methods, f64", krylov::<f64>),
    ("least squares, f64", least_squares),
];

fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0x11a).fill_normal(draw, &mut x);
    x
}

fn up<T: DeviceScalar>(device: &Device, x: &[T]) -> CudaState<T> {
    CudaState::upload(device, x).expect("a state")
}

fn down<T: DeviceScalar>(x: &CudaState<T>) -> Vec<T> {
    x.to_vec().expect("elements")
}

/// What a map makes of x.
fn image<S: State>(map: &dyn LinearMap<S>, x: &S, like: &S) -> S {
    let mut y = like.zeros_like();
    map.apply(x, &mut y).expect("a product");
    y
}

/// A tank of 13×11×9 cells with a ball in it, open at the top.
fn tank() -> Grid {
    let faces = [[Face::Wall; 2], [Face::Wall; 2], [Face::Wall, Face::Open]];
    let grid = Grid::new(&[13, 11, 9], &faces).expect("a grid");
    grid.with_cells(|at| {
        let square: f64 = at.iter().map(|i| (*i as f64 - 5.0).powi(2)).sum();
        if square < 6.0 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    })
}

/// Symmetric, semidefinite with zeros for solid cells: the law of adjoint maps, and the bits of the host.
fn poisson<T: DeviceScalar>(device: &Device) {
    let grid = tank();
    let host = Poisson::<T>::new(&grid).expect("an operator");
    let on = DevicePoisson::new(&host, device).expect("an operator");
    let n = grid.len();
    laws::adjoint_maps(&on, &on, [n, n], |x| up(device, x), down);
    let x = normal::<T>(n, 0);
    let there = image(&on, &up(device, &x), &up(device, &x));
    assert!(down(&there) == image(&OnHost::new(&host), &x, &x));
    // Without solid cells it is definite.
    let open = Grid::new(&[7, 6, 5], &[[Face::Open; 2]; 3]).expect("a grid");
    let host = Poisson::<T>::new(&open).expect("an operator");
    let on = DevicePoisson::new(&host, device).expect("an operator");
    laws::spd_map(&on, open.len(), |x| up(device, x), down);
}

fn kronecker<T: DeviceScalar + RealField>(device: &Device) {
    let factor = |rows: usize, columns: usize, draw| {
        let entries = normal::<T>(rows * columns, draw);
        Mat::from_fn(rows, columns, |i, j| entries[i * columns + j])
    };
    let factors = vec![factor(5, 7, 1), factor(6, 6, 2), factor(9, 4, 3)];
    let host = Kronecker::new(factors).expect("an operator");
    let on = DeviceKronecker::new(&host, device).expect("an operator");
    let sizes = on.shape();
    assert_eq!(sizes, [host.rows(), host.cols()]);
    laws::adjoint_maps(&on, &on.transposed(), sizes, |x| up(device, x), down);
    let x = normal::<T>(sizes[1], 4);
    let there = image(
        &on,
        &up(device, &x),
        &up(device, &vec![T::zero(); sizes[0]]),
    );
    let mut y = vec![T::zero(); sizes[0]];
    host.apply(&x, &mut y, &mut vec![T::zero(); host.scratch_len()]);
    let scale = y.iter().map(|v| v.f64().abs()).fold(0.0, f64::max);
    for (a, b) in down(&there).iter().zip(&y) {
        let allowed = 40.0 * T::EPS.f64() * scale;
        assert!((a.f64() - b.f64()).abs() <= allowed, "{a:?} {b:?}");
    }
}

/// Whether there is a library of transforms; without one, the error says so.
fn has_fft(device: &Device) -> bool {
    if fft::is_present() {
        return true;
    }
    let missing = fft::RealFft::<f64>::new(device, 8, 1).map(drop);
    assert_eq!(missing, Err(CudaError::FftMissing));
    skipped("Fourier transforms on a device", &CudaError::FftMissing);
    false
}

fn convolution<T: DeviceScalar>(device: &Device) {
    if !has_fft(device) {
        return;
    }
    let check = |host: &dyn AdjointOp<f64>, on: &DeviceConvolution<T>| {
        let sizes = on.shape();
        assert_eq!(sizes, [host.rows(), host.cols()]);
        laws::adjoint_maps(on, &on.transposed(), sizes, |x| up(device, x), down);
        let x = normal::<f64>(sizes[1], 4);
        let narrow: Vec<T> = x.iter().map(|v| T::of(*v)).collect();
        let zeros = up(device, &vec![T::zero(); sizes[0]]);
        let there = down(&image(on, &up(device, &narrow), &zeros));
        let mut y = vec![0.0; sizes[0]];
        host.apply(&x, &mut y, &mut vec![0.0; host.scratch_len()]);
        let scale = y.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (a, b) in there.iter().zip(&y) {
            let allowed = 100.0 * T::EPS.f64() * scale;
            assert!((a.f64() - b).abs() <= allowed, "{a:?} {b:?}");
        }
    };
    for n in [1, 2, 45, 64] {
        let host = Circulant::new(&normal(n, 1)).expect("an operator");
        let on = DeviceConvolution::of_circulant(&host, device).expect("an operator");
        check(&host, &on);
    }
    for (rows, columns) in [(1, 1), (17, 40), (40, 17), (33, 33)] {
        let (column, mut row) = (normal::<f64>(rows, 1), normal::<f64>(columns, 2));
        row[0] = column[0];
        let host = Toeplitz::new(&column, &row).expect("an operator");
        let on = DeviceConvolution::of_toeplitz(&host, device).expect("an operator");
        check(&host, &on);
    }
}

/// The covariances 0.9^|i − j|: few steps with Strang's circulant, whatever n.
fn toeplitz_system(device: &Device) {
    if !has_fft(device) {
        return;
    }
    let column: Vec<f64> = (0..150).map(|j| 0.9_f64.powi(j)).collect();
    let a = Toeplitz::symmetric(&column).expect("an operator");
    let strang = Circulant::strang(&column).and_then(|c| c.inverse());
    let on = DeviceConvolution::<f64>::of_toeplitz(&a, device).expect("an operator");
    let mut near = DeviceConvolution::of_circulant(&strang.expect("a circulant"), device)
        .expect("a preconditioner");
    laws::spd_map(&on, 150, |x| up(device, x), down);
    let b = up(device, &normal::<f64>(150, 1));
    let mut solve = |with: bool| {
        let mut x = b.zeros_like();
        let system = System::new(&on, &b);
        let system = if with {
            system.preconditioned(&mut near)
        } else {
            system
        };
        let report = system.solve(&Cg::default(), &mut x).expect("a solution");
        (report.iterations, x)
    };
    let (plain, (fast, x)) = (solve(false).0, solve(true));
    assert!(fast < 15 && 2 * fast < plain, "{fast} of {plain} steps");
    // The inverse is known: tridiagonal, (1 + 0.81, −0.9)/(1 − 0.81), 1/(1 − 0.81) at the ends.
    let (b, x) = (down(&b), down(&x));
    for i in 0..150 {
        let at = |j: usize| b.get(j).copied().unwrap_or(0.0);
        let inner = if i == 0 || i == 149 { 1.0 } else { 1.81 };
        let exact = (inner * b[i] - 0.9 * (at(i + 1) + at(i.wrapping_sub(1)))) / 0.19;
        assert!((x[i] - exact).abs() < 1e-5, "{i}: {} {exact}", x[i]);
    }
}

/// Gradients come and go on both sides: the law of definite maps, and the bits of the host.
fn fisher<T: DeviceScalar>(device: &Device) {
    let (m, len) = (7, 4999);
    let options = FactorOptions {
        damping: 0.3,
        ..FactorOptions::default()
    };
    let zeros = vec![T::zero(); len];
    let mut host = FisherWindow::new(m, &zeros, options).expect("a window");
    let mut on = DeviceFisherWindow::<T>::new(device, m, len, options).expect("a window");
    let (mut y, mut there) = (zeros.clone(), up(device, &zeros));
    for draw in 0..17 {
        let g = normal::<T>(len, draw);
        let far = up(device, &g);
        if draw % 3 == 0 {
            host.push(&g).expect("a gradient");
            on.push(&far).expect("a gradient");
        } else {
            host.update_and_apply(&g, &mut y).expect("a product");
            on.update_and_apply(&far, &mut there).expect("a product");
            assert!(down(&there) == y, "gradient {draw}");
        }
        assert_eq!(on.factor().products(), host.factor().products());
    }
    // A gradient that is not finite is refused, and changes nothing.
    let mut broken = normal::<T>(len, 99);
    broken[17] = T::nan();
    let refused = on.push(&up(device, &broken));
    assert!(
        matches!(refused, Err(LinalgError::NotFinite { .. })),
        "{refused:?}"
    );
    let x = normal::<T>(len, 100);
    host.apply_inverse(&x, &mut y).expect("a product");
    on.apply_inverse(&up(device, &x), &mut there)
        .expect("a product");
    assert!(down(&there) == y, "after a gradient that was refused");
    laws::spd_map(&on, len, |x| up(device, x), down);
    // Terabytes do not fit, and the error says so.
    let full = DeviceFisherWindow::<T>::new(device, m, 1 << 40, options).map(drop);
    assert!(
        matches!(
            full,
            Err(LinalgError::Device(CudaError::OutOfMemory { .. }))
        ),
        "{full:?}"
    );
    assert!(matches!(
        on.push(&up(device, &[T::zero()])),
        Err(LinalgError::Shape { .. })
    ));
}

/// The window for any state.
fn window<T: DeviceScalar>(device: &Device) {
    fn run<S: State>(gradients: &[S]) -> S {
        let mut window =
            FisherWindow::new(5, &gradients[0], FactorOptions::default()).expect("a window");
        let mut y = gradients[0].zeros_like();
        for g in gradients {
            window.update_and_apply(g, &mut y).expect("a product");
        }
        y
    }
    let gradients: Vec<Vec<T>> = (0..8).map(|draw| normal(3001, draw)).collect();
    let far: Vec<_> = gradients.iter().map(|g| up(device, g)).collect();
    assert!(down(&run(&far)) == run(&gradients));
}

/// The same history of residuals, to the bit, and the same solution.
fn agree<T: DeviceScalar>(
    what: &str,
    device: &Device,
    on_host: &dyn Method<Vec<T>>,
    on_device: &dyn Method<CudaState<T>>,
) {
    fn run<S: State>(
        a: &dyn LinearMap<S>,
        b: &S,
        method: &dyn Method<S>,
    ) -> (Result<SolveReport, LinalgError>, S) {
        let mut x = b.zeros_like();
        let stop = Stop {
            rtol: if S::Scalar::EPS.f64() > 1e-10 {
                1e-3
            } else {
                1e-5
            },
            max_iterations: 200,
            ..Stop::default()
        };
        (System::new(a, b).until(stop).solve(method, &mut x), x)
    }
    let grid = tank();
    let host = Poisson::<T>::new(&grid).expect("an operator");
    let on = DevicePoisson::new(&host, device).expect("an operator");
    let mut b = normal::<T>(grid.len(), 3);
    host.prepare(&mut b).expect("a right-hand side");
    let (a, x) = run(&OnHost::new(&host), &b, on_host);
    let (c, y) = run(&on, &up(device, &b), on_device);
    let (a, c) = (a.expect(what), c.expect(what));
    assert_eq!(
        (a.iterations, &a.history, a.products),
        (c.iterations, &c.history, c.products),
        "{what}"
    );
    assert!(a.iterations > 5, "{what}: nothing was done");
    assert!(down(&y) == x, "{what}: other bits on the device");
}

fn krylov<T: DeviceScalar>(device: &Device) {
    agree::<T>("cg", device, &Cg::default(), &Cg::default());
    agree::<T>("flexible cg", device, &Cg::flexible(), &Cg::flexible());
    agree::<T>("minres", device, &Minres, &Minres);
    agree::<T>("gmres", device, &Gmres::default(), &Gmres::default());
    agree::<T>("fgmres", device, &Fgmres::default(), &Fgmres::default());
    agree::<T>("bicgstab", device, &BiCgStab, &BiCgStab);
    let grid = tank();
    let host = Poisson::<T>::new(&grid).expect("an operator");
    let on = DevicePoisson::new(&host, device).expect("an operator");
    let mut slow = vec![T::one(); grid.len()];
    host.restrict(&mut slow);
    let far = vec![up(device, &slow)];
    let near = DeflatedCg::new(&OnHost::new(&host), vec![slow]).expect("a method");
    let there = DeflatedCg::new(&on, far).expect("a method");
    agree::<T>("deflated cg", device, &near, &there);
    assert_eq!(device.synchronize(), Ok(()));
}

fn least_squares(device: &Device) {
    let factor = |rows: usize, columns: usize, draw| {
        let entries = normal::<f64>(rows * columns, draw);
        Mat::from_fn(rows, columns, |i, j| entries[i * columns + j] / 4.0)
    };
    let host = Kronecker::new(vec![factor(9, 5, 1), factor(8, 6, 2)]).expect("an operator");
    let on = DeviceKronecker::new(&host, device).expect("an operator");
    let b = normal::<f64>(72, 5);
    let far = up(device, &b);
    let mut x = up(device, &[0.0; 30]);
    let report = Lsmr::default()
        .solve(&on, &on.transposed(), &far, &mut x)
        .expect("a solution");
    // The residual of least squares is orthogonal to the range.
    let mut residual = far.clone();
    let product = image(&on, &x, &far);
    residual.lincomb(1.0, &[(-1.0, &product)]);
    let slope = image(&on.transposed(), &residual, &x);
    assert!((residual.norm() - report.residual).abs() < 1e-10 * far.norm());
    assert!(slope.norm() < 1e-5 * residual.norm(), "{:e}", slope.norm());
}
