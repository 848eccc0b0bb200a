//! Burgers' equation, from its text to a picture: a shock that a network must find.
//!
//! u_t + u·u_x = (0.01/π)·u_xx on [−1, 1] with u = −sin πx at the start. Points follow the residual between rounds of
//! Levenberg-Marquardt steps, since the shock is narrower than the distance of points drawn evenly. The error is against the
//! Cole-Hopf solution.
//! Run it with `cargo run --release -p ansatz-pde --example burgers`.
//!
//! gallery: Burgers' equation, from text to picture
//! gallery: expect relative error in 0..3e-3
//! gallery: picture burgers.png The solution, x down and t across
//! gallery: picture burgers_error.png Its error

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use ansatz_pde::core::Event;
use ansatz_pde::{Moment, suite};
use ansatz_viz::{HeatOptions, heat_map};
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let benchmark = suite::get("burgers")?;
    for equation in benchmark.problem.equations() {
        println!("{equation}");
    }
    let rounds = 1 + benchmark.method.pinn().refine.map_or(0, |r| r.rounds) as u64;
    let bar = ProgressBar::new(50 * rounds);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let mut watch = |e: &Event<'_, Moment<'_, f64>>| {
        bar.inc(1);
        bar.set_message(format!("loss {:.1e}", e.state.loss));
        ControlFlow::Continue(())
    };
    let began = Instant::now();
    let solution = benchmark.train::<f64, _>(&mut watch)?;
    bar.finish_and_clear();
    print!("{}", solution.report);
    println!("trained in {:.1} s", began.elapsed().as_secs_f64());

    let error = benchmark.error(&solution)?;
    println!("relative error = {:.2e}", error.relative);
    println!("largest error {:.2e}", error.largest);

    let grid = solution.grid(&[200, 200])?;
    let (u, exact) = (solution.values(&grid)?, benchmark.exact(&grid)?);
    let off: Vec<f64> = u.iter().zip(&exact).map(|(u, e)| (u - e).abs()).collect();
    std::fs::create_dir_all("target/gallery")?;
    for (name, field) in [("burgers", &u), ("burgers_error", &off)] {
        let path = format!("target/gallery/{name}.png");
        heat_map(field, 200, 200, &HeatOptions::default())?.save(&path)?;
        println!("wrote {path}");
    }
    Ok(())
}
