//! Robertson's reactions, whose rates differ by nine orders of magnitude, by three implicit methods.
//!
//! `cargo run -p ansatz-diffeq --features diffsol --example robertson`

#![expect(clippy::print_stdout, reason = "an example shows its results")]

use ansatz_diffeq::stiff::{self, Method, Options};
use ansatz_testkit::ode::Robertson;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = Robertson::problem();
    let states = Robertson::states();
    let times: Vec<f64> = std::iter::once(0.0)
        .chain(states.iter().map(|s| s.0))
        .collect();
    println!("method     steps  evaluations  largest relative error at t = 0.4, 40, 4e5");
    for method in [Method::Bdf, Method::TrBdf2, Method::Esdirk34] {
        let options = Options {
            method,
            ..Options::tolerance(1e-10, 1e-6)
        };
        let mut out = vec![vec![0.0; 3]; times.len()];
        let report = stiff::solve_at(&problem, &times, &problem.start, &options, &mut out)?;
        let errors = out[1..].iter().zip(&states).map(|(x, (_, exact))| {
            let each = x.iter().zip(exact).map(|(x, e)| (x / e - 1.0).abs());
            format!("{:8.1e}", each.fold(0.0, f64::max))
        });
        let errors: Vec<String> = errors.collect();
        let name = format!("{method:?}");
        println!(
            "{name:9} {:6} {:12}  {}",
            report.steps,
            report.nfe,
            errors.join(" ")
        );
    }
    Ok(())
}
