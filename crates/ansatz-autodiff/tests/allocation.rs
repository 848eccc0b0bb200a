//! A program allocates in its first run and never again.

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
