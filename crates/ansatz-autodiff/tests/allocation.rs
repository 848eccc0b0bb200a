//! A program allocates in its first run and never again.

use ansatz_autodiff::op::{Side, Triangle, UserFunction};
use ansatz_autodiff::{Convolution, Graph, Options, Pool, Program, Resampling, gradient, jvp};

#[test]
fn later_runs_allocate_nothing() {
    let g = Graph::new();
    let (x, w) = (g.batch(&[500, 3]), g.input(&[3, 8]));
    let loss = x.matmul(w).tanh().square().mean();
    let slope = gradient(loss, &[w])[0];
    let trace = g.finish(&[loss, slope]);
    let program = Program::<f32>::compile(&trace, &Options::default()).unwrap();
    let (points, weights) = (vec![0.3; 1500], vec![0.1; 24]);
    let (mut value, mut slopes) = ([0.0], [0.0; 24]);
    // One thread: handing work to a sleeping pool allocates in the pool, not here.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let mut run = || {
        program
            .run(&[&points, &weights], &mut [&mut value, &mut slopes])
            .unwrap();
    };
    pool.install(|| {
        run();
        let first = allocation_counter::measure(&mut run);
        assert_eq!(first.count_total, 0);
    });
    let fresh = allocation_counter::measure(|| {
        Program::<f32>::compile(&trace, &Options::default()).unwrap();
    });
    assert!(fresh.count_total > 0, "the counter counts");
}

#[test]
fn later_runs_of_convolutions_allocate_nothing() {
    let g = Graph::new();
    let x = g.batch(&[40, 4, 8, 8]);
    let (wide, deep) = (g.input(&[8, 4, 3, 3]), g.input(&[8, 1, 2, 2]));
    let depthwise = Convolution {
        stride: vec![2],
        groups: 8,
        ..Convolution::default()
    };
    let pool = Pool {
        window: vec![2],
        stride: vec![1],
        ..Pool::default()
    };
    let y = x
        .convolve(wide, &Convolution::default())
        .convolve(deep, &depthwise);
    let y = y
        .max_pool(&pool)
        .resample(&[4, 4], &Resampling::default())
        .average_pool(&pool);
    let loss = y.square().mean();
    let slopes = gradient(loss, &[wide, deep]);
    let trace = g.finish(&[loss, slopes[0], slopes[1]]);
    let program = Program::<f32>::compile(&trace, &Options::default()).unwrap();
    let images = vec![0.3; 40 * 4 * 64];
    let (a, b) = (vec![0.1; 8 * 4 * 9], vec![0.2; 8 * 4]);
    let (mut value, mut da, mut db) = ([0.0], vec![0.0; a.len()], vec![0.0; b.len()]);
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let mut run = || {
        program
            .run(&[&images, &a, &b], &mut [&mut value, &mut da, &mut db])
            .unwrap();
    };
    threads.install(|| {
        run();
        assert_eq!(allocation_counter::measure(&mut run).count_total, 0);
    });
}

/// An adapter allocates in its first evaluation and never again.
#[test]
fn later_evaluations_allocate_nothing() {
    use ansatz_autodiff::{ProgramField, Signature};
    use ansatz_core::{VectorField, VjpField};
    let signature = Signature {
        state: &[3],
        parameters: &[&[3, 3], &[1, 3]],
        ..Signature::default()
    };
    let field = ProgramField::<f64>::new(&signature, vec![0.2; 12], |_, x, p| {
        let row = x.reshape(&[1, 3]).matmul(p[0]) + p[1];
        row.tanh().reshape(&[3])
    })
    .unwrap();
    let (x, mut dx) = (vec![0.1; 3], vec![0.0; 3]);
    let (mut x_bar, mut p_bar) = (vec![0.0; 3], [0.0; 12]);
    let mut value = || field.eval(0.0, &x, &mut dx).unwrap();
    value();
    assert_eq!(allocation_counter::measure(&mut value).count_total, 0);
    let mut product = || field.vjp(0.0, &x, &x, &mut x_bar, &mut p_bar).unwrap();
    product();
    assert_eq!(allocation_counter::measure(&mut product).count_total, 0);
}

/// Indices, transforms, factors and contractions, with their derivatives.
#[test]
fn later_runs_of_algebra_allocate_nothing() {
    let g = Graph::new();
    let (x, m, at) = (
        g.batch(&[60, 2, 30]),
        g.batch(&[60, 20, 20]),
        g.batch(&[60]),
    );
    let (table, weights) = (g.input(&[9, 4]), g.input(&[2, 3, 16, 2]));
    let y = x.rfft(1).mix_modes(weights).irfft(1, 30).square().sum();
    let plane = x
        .rfft(2)
        .irfft(2, 30)
        .cumulative_sum(2)
        .take(2, &[1, 1])
        .sum();
    let shift: Vec<f64> = (0..400)
        .map(|k| if k % 21 == 0 { 20.0 } else { 0.0 })
        .collect();
    let a = m.matmul_by(m, Side::Plain, Side::Transposed) + g.constant(&[20, 20], shift);
    let z = a
        .cholesky()
        .solve_triangular(m, Triangle::Lower, Side::Plain)
        .square()
        .sum();
    let loss = y + plane + z + table.gather(0, at).square().sum();
    let slopes = gradient(loss, &[weights, table]);
    let trace = g.finish(&[loss, slopes[0], slopes[1]]);
    let program = Program::<f32>::compile(&trace, &Options::default()).unwrap();
    let of = |n: usize, value: f32| vec![value; n];
    let inputs = [
        of(3600, 0.5),
        of(24_000, 0.5),
        of(60, 8.0),
        of(36, 0.5),
        of(192, 0.5),
    ];
    let inputs = inputs.each_ref().map(Vec::as_slice);
    let (mut value, mut a, mut b) = ([0.0], [0.0; 192], [0.0; 36]);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let mut run = || {
        program
            .run(&inputs, &mut [&mut value, &mut a, &mut b])
            .unwrap();
    };
    pool.install(|| {
        run();
        let later = allocation_counter::measure(&mut run);
        assert_eq!(later.count_total, 0);
    });
    assert!(value[0].is_finite() && a.iter().any(|v| *v != 0.0));
}

/// Closures as primitives, with products by closures forwards and backwards.
#[test]
fn later_runs_of_user_functions_allocate_nothing() {
    let f = UserFunction::new("product", &[50, 2], |x, y| {
        y.iter_mut()
            .zip(x[0].iter().zip(x[1]))
            .for_each(|(y, (a, b))| *y = a * b);
    })
    .by_rows()
    .with_tangent(|x, dx, dy| {
        for (i, dy) in dy.iter_mut().enumerate() {
            *dy = x[0][i] * dx[1][i] + x[1][i] * dx[0][i];
        }
    })
    .with_cotangent(|x, bar, parts| {
        for (i, bar) in bar.iter().enumerate() {
            parts[0][i] += bar * x[1][i];
            parts[1][i] += bar * x[0][i];
        }
    });
    let g = Graph::new();
    let (x, z) = (g.batch(&[50, 2]), g.batch(&[50, 2]));
    let y = g.apply(f, &[x, z]);
    let slopes = gradient(y.square().sum(), &[x, z]);
    let tangent = jvp(&[y], &[(x, z), (z, x)])[0].sum();
    let trace = g.finish(&[slopes[0], slopes[1], tangent]);
    let program = Program::<f64>::compile(&trace, &Options::default()).unwrap();
    let (a, b) = (vec![2.0; 100], vec![3.0; 100]);
    let (mut da, mut db, mut sum) = (vec![0.0; 100], vec![0.0; 100], [0.0]);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let mut run = || {
        program
            .run(&[&a, &b], &mut [&mut da, &mut db, &mut sum])
            .unwrap();
    };
    pool.install(|| {
        run();
        assert_eq!(allocation_counter::measure(&mut run).count_total, 0);
    });
    // 2·x·z², 2·x²·z and Σ (x² + z²).
    assert_eq!((da[0], db[99], sum[0]), (36.0, 24.0, 1300.0));
}
