//! The standard problems of the testkit, whose ends other programs computed.

use ansatz_diffeq::{Options, solve, tableau};
use ansatz_testkit::ode;

/// The 8th order method at a tolerance of 1e-13 reaches every end, up to what the problem magnifies:
/// errors grow about 10⁶ times in Lorenz-96 and the Arenstorf orbit, 10⁴ times in Lorenz-63.
#[test]
fn ends_are_reached() {
    for p in ode::smooth() {
        let options = Options {
            tableau: &tableau::DOP853,
            ..Options::tolerance(1e-13, 1e-13)
        };
        let mut x = p.start.clone();
        solve(&p, p.times, &mut x, &options, &mut ()).unwrap();
        let allowed = match p.name {
            "lorenz-96" | "arenstorf" => 1e-6,
            "lorenz-63" | "pleiades" => 1e-9,
            _ => 1e-11,
        };
        let got = p.distance(&x);
        assert!(got < allowed, "{}: {got:e}", p.name);
    }
}
