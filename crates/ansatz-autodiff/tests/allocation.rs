//! A program allocates in its first run and never again.

use ansatz_autodiff::op::{Side, Triangle};
use ansatz_autodiff::{Graph, Options, Program, gradient};

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
