//! Benchmarks: each method stays below the error that its entry states.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_pde::suite;

fn run(id: &str) {
    let benchmark = suite::get(id).unwrap();
    assert_eq!(benchmark.id, id);
    // The reference is better than what is judged by it.
    assert!(benchmark.reference.accuracy() < 0.1 * benchmark.reached);
    let (_, error) = benchmark.run::<f64, _>(&mut ()).unwrap();
    assert!(error.relative < benchmark.reached, "{id}: {error}");
}

#[test]
fn quick_ones() {
    for id in ["poisson", "reaction"] {
        run(id);
    }
}

#[test]
#[ignore = "minutes; the example shows them"]
fn all() {
    for (id, _) in suite::ALL {
        run(id);
    }
}
