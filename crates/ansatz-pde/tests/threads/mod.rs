//! The same bits for any number of threads.

/// What `run` gives, for 1, 2 and 3 threads alike.
pub(crate) fn alike<R: PartialEq + Send>(run: impl Fn() -> R + Sync) -> R {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("a pool of threads").install(&run)
    };
    let one = on(1);
    let same = one == on(2) && one == on(3);
    assert!(same, "the result depends on the number of threads");
    one
}
