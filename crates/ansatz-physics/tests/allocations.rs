//! Steps take no memory: only the number of times asked for decides what a solution allocates.

use std::f64::consts::TAU;

use ansatz_physics::spectral::{
    Check, Equation, PeriodicPlane, SpectralOptions, Vorticity, WallEquation,
};

fn count(mut work: impl FnMut(f64)) {
    let allocations = |step: f64, work: &mut dyn FnMut(f64)| {
        allocation_counter::measure(|| work(step)).count_total
    };
    // What a library sets up at its first use is not counted; plans of transforms are built alike each time.
    work(0.1);
    let few = allocations(0.1, &mut work);
    let many = allocations(0.01, &mut work);
    assert_eq!(few, many);
}

#[test]
fn steps_do_not_allocate() {
    let options = |step: f64| SpectralOptions {
        modes: 32,
        step,
        check: Check::Skip,
        ..SpectralOptions::default()
    };
    let burgers = Equation::burgers(0.1).expect("an equation");
    count(|step| {
        let u = burgers.solve([0.0, TAU], f64::sin, &[1.0], &options(step));
        assert!(u.is_ok());
    });
    let flow = Vorticity::new(0.01).expect("a flow");
    let start =
        PeriodicPlane::sample(8, |x, y| (TAU * x).sin() * (TAU * y).cos()).expect("a field");
    count(|step| assert!(flow.solve(&start, &[1.0], &options(step)).is_ok()));
    let walls = WallEquation::allen_cahn(0.1, 1.0, [0.0, 1.0]).expect("an equation");
    count(|step| {
        assert!(
            walls
                .solve([0.0, 1.0], |x| x, &[1.0], &options(step))
                .is_ok()
        );
    });
}
