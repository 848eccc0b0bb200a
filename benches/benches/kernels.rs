//! Times of the operations under every method: `cargo bench -p ansatz-bench`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ansatz_bench::stepping::{self, Stepping};
use ansatz_core::{Key, State};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Elements of one latent picture, `[1, 4, 128, 128]`.
const LATENT: usize = 4 * 128 * 128;

/// Times `iterations` calls inside a pool of one thread: the numbers are about the kernels, and a call from outside of a
/// pool would pay for waking it.
fn timed(pool: &ThreadPool, iterations: u64, mut call: impl FnMut() + Send) -> Duration {
    pool.install(|| {
        let begin = Instant::now();
        for _ in 0..iterations {
            call();
        }
        begin.elapsed()
    })
}

fn vectors(c: &mut Criterion, pool: &ThreadPool) {
    let states: Vec<Vec<f32>> = (0..4).map(|k| vec![1.0 + k as f32; LATENT]).collect();
    let terms: Vec<(f64, &Vec<f32>)> = states.iter().map(|s| (0.25, s)).collect();
    let mut x = states[0].zeros_like();
    let bytes = (LATENT * size_of::<f32>()) as u64;

    let mut group = c.benchmark_group("lincomb of 4");
    group.throughput(Throughput::Bytes(5 * bytes));
    group.bench_function(BenchmarkId::new("f32", "64 Ki"), |b| {
        b.iter_custom(|n| timed(pool, n, || x.lincomb(0.0, black_box(&terms))));
    });
    group.finish();

    let mut group = c.benchmark_group("dot");
    group.throughput(Throughput::Bytes(2 * bytes));
    group.bench_function(BenchmarkId::new("f32", "64 Ki"), |b| {
        b.iter_custom(|n| {
            timed(pool, n, || {
                black_box(black_box(&states[0]).dot(&states[1]));
            })
        });
    });
    group.finish();

    let mut group = c.benchmark_group("fill_normal");
    group.throughput(Throughput::Elements(LATENT as u64));
    let mut stream = 0;
    group.bench_function(BenchmarkId::new("f32", "64 Ki"), |b| {
        b.iter_custom(|n| {
            timed(pool, n, || {
                stream += 1;
                x.fill_normal(Key::new(1), stream);
            })
        });
    });
    group.finish();
}

fn steps(c: &mut Criterion, pool: &ThreadPool) {
    let mut group = c.benchmark_group("solver step");
    for method in stepping::METHODS {
        let stepping = Stepping::<f32>::new(method, LATENT).expect("a published method has a plan");
        group.bench_function(BenchmarkId::new(method, "64 Ki"), |b| {
            b.iter_custom(|iterations| {
                // Whole runs only, scaled to the number asked for: every run is of the same steps.
                let each = stepping.evaluations() as u64;
                let runs = iterations.div_ceil(each);
                let run = || stepping.run().expect("finite states");
                let spent: Duration = pool.install(|| (0..runs).map(|_| run()).sum());
                spent.mul_f64(iterations as f64 / (runs * each) as f64)
            });
        });
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    let pool = ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread can be started");
    vectors(c, &pool);
    steps(c, &pool);
}

criterion_group!(kernels, all);
criterion_main!(kernels);
