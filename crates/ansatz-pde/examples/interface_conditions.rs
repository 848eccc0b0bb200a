//! Poisson's equation by two networks that meet at y = ½, without conditions there and with value and flux; then a bandit
//! that has twenty trainings to find out which of nine conditions pay.
//!
//! Run it with `cargo run --release -p ansatz-pde --example interface_conditions`.
//!
//! gallery: What two networks should agree upon
//! gallery: expect error without conditions in 0.05..100
//! gallery: expect error with value and flux in 0..0.1
//! gallery: expect gain by conditions in 3..100000
//! gallery: picture interface_conditions.png Without conditions, with value and flux, five-point differences

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::ops::ControlFlow;

use ansatz_pde::Stage;
use ansatz_pde::core::{Event, Key};
use ansatz_pde::metalic::{
    Bandit, BanditOptions, Environment, Family, InterfaceTerm, Play, SubdomainOptions, Subdomains,
    all_actions,
};
use ansatz_pde::nn::{Lbfgs, Schedule};
use ansatz_viz::{HeatOptions, Picture, beside, heat_map};

/// Networks on the unit square, with a training of this size.
fn task(adam: u64, steps: usize, points: usize) -> Result<Subdomains, ansatz_pde::PdeError> {
    let method = Lbfgs {
        history: 50,
        steps,
        gradient: 1e-9,
        change: 1e-12,
        ..Lbfgs::default()
    };
    let options = SubdomainOptions {
        points,
        stages: vec![vec![
            Stage::adam(adam, Schedule::Constant(1e-3)),
            Stage::Lbfgs(method),
        ]],
        ..SubdomainOptions::default()
    };
    Subdomains::new(Family::poisson(), options)
}

/// Values on the grid, y upwards.
fn field(values: &[f64]) -> Result<Picture, ansatz_viz::VizError> {
    let n = values.len().isqrt();
    let turned: Vec<f64> = (0..n * n)
        .map(|k| values[(k % n) * n + n - 1 - k / n])
        .collect();
    let options = HeatOptions {
        zoom: 2,
        ..HeatOptions::default()
    };
    heat_map(&turned, n, n, &options)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pictures = Vec::new();
    let mut errors = Vec::new();
    let mut poisson = task(500, 200, 1000)?;
    for (name, on) in [
        ("without conditions", &[][..]),
        (
            "with value and flux",
            &[InterfaceTerm::Value, InterfaceTerm::Flux],
        ),
    ] {
        poisson.begin(&[10.0], Key::new(1))?;
        let reward = poisson.act(&InterfaceTerm::action(on))?;
        errors.push(10.0_f64.powf(-reward));
        println!("error {name} = {:.4}", errors[errors.len() - 1]);
        pictures.push(field(&poisson.values(&poisson.grid())?)?);
    }
    println!("gain by conditions = {:.1}", errors[0] / errors[1]);
    let exact = (Family::poisson().solution)(&[10.0], &poisson.grid())?;
    pictures.push(field(&exact)?);
    beside(&pictures)?.save("target/gallery/interface_conditions.png")?;
    println!("wrote target/gallery/interface_conditions.png");

    let mut bandit = Bandit::new(BanditOptions::default(), &[[1.0, 50.0]], all_actions(9))?;
    let mut small = task(200, 60, 200)?;
    let mut show = |e: &Event<'_, Play>| {
        let on = InterfaceTerm::ALL.iter().zip(&e.state.actions[0]);
        let on: Vec<_> = on.filter(|(_, a)| **a).map(|(t, _)| *t).collect();
        println!(
            "{:2}  s {:4.1}  reward {:5.2}  {on:?}",
            e.step, e.state.context[0], e.state.rewards[0]
        );
        ControlFlow::Continue(())
    };
    bandit.run(&mut small, 20, Key::new(2), &mut show)?;
    Ok(())
}
