//! Four chains of the no-U-turn sampler on a banana, warmed up, diagnosed, and drawn over exact samples.
//!
//! Run it with `cargo run --release -p ansatz-stats --example nuts_banana`.
//!
//! gallery: The no-U-turn sampler on a banana
//! gallery: expect mean of x in -0.1..0.1
//! gallery: expect R-hat of x in 0.99..1.02
//! gallery: expect bulk ESS of x in 400..8000
//! gallery: picture nuts_banana.png Draws of four chains, one colour each

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{EvalError, Key};
use ansatz_stats::{Adaptation, Nuts, Trace};
use ansatz_viz::{PointSet, ScatterOptions, scatter};

/// x ~ N(0, 1), y ~ N(½(x² − 1), ½²).
#[expect(
    clippy::ptr_arg,
    clippy::unnecessary_wraps,
    reason = "the signature of a target"
)]
fn banana(x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>) -> Result<(), EvalError> {
    for ((l, s), x) in log.iter_mut().zip(score.chunks_mut(2)).zip(x.chunks(2)) {
        let r = x[1] - 0.5 * (x[0] * x[0] - 1.0);
        *l = -0.5 * x[0] * x[0] - 2.0 * r * r;
        (s[0], s[1]) = (-x[0] + 4.0 * r * x[0], -4.0 * r);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chains = 4;
    let mut x = vec![-1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, -1.0];
    let adaptation = Adaptation {
        acceptance: 0.9,
        ..Adaptation::default()
    };
    let nuts = Nuts::default().warm_up(&banana, &mut x, chains, Key::new(1), &adaptation)?;
    let mut trace = Trace::new(chains);
    let nuts = Nuts {
        steps: 2000,
        ..nuts
    };
    let report = nuts.run(&banana, &mut x, chains, Key::new(2), &mut trace)?;
    let leaves = report.rows as f64 / (chains * report.steps) as f64;
    println!("step {:.3}, mass {:?}", nuts.step, nuts.mass);
    println!(
        "leaves a step = {leaves:.2}, divergences = {}",
        report.divergences
    );
    for (name, i) in [("x", 0), ("y", 1)] {
        let d = trace.diagnose(|row| row[i])?;
        println!("mean of {name} = {:.3}", d.mean);
        println!("standard error of {name} = {:.3}", d.mcse);
        println!("R-hat of {name} = {:.4}", d.r_hat);
        println!("bulk ESS of {name} = {:.0}", d.ess_bulk);
        println!("tail ESS of {name} = {:.0}", d.ess_tail);
    }
    let mut sets: Vec<PointSet> = (0..chains)
        .map(|colour| PointSet {
            points: Vec::new(),
            colour,
        })
        .collect();
    for draw in trace.values().chunks(2 * chains) {
        for (set, x) in sets.iter_mut().zip(draw.chunks(2)) {
            set.points.push([x[0], x[1]]);
        }
    }
    let options = ScatterOptions {
        size: 420,
        window: Some([[-4.0, 4.0], [-2.5, 5.5]]),
        radius: 1.3,
        opacity: 0.5,
    };
    scatter(&sets, &options)?.save("target/gallery/nuts_banana.png")?;
    println!("wrote target/gallery/nuts_banana.png");
    Ok(())
}
