//! Equations in the plane and in time, by separable networks on tensor grids.

use ansatz_nn::{Activation, Lbfgs, MlpOptions, Schedule};
use ansatz_physics::diffusion::{PorousMedium, three_bells};
use ansatz_physics::exact::KleinGordon;

use super::{Benchmark, Method, everywhere};
use crate::{Counts, Network, PdeError, Pinn, Problem, Stage};

/// A sum of `rank` products of networks of one coordinate with sines between their layers, on a grid of these sizes: Adam with
/// coordinates drawn anew every hundred steps finds the basin, as many steps of L-BFGS the bottom.
fn separable(rank: usize, grid: [usize; 3], (steps, equations): (u64, f64)) -> Pinn {
    let adam = Stage::Adam {
        steps,
        rate: Schedule::Cosine {
            from: 5e-3,
            to: 1e-5,
            steps,
        },
        redraw: Some(100),
    };
    let lbfgs = Lbfgs {
        steps: steps as usize,
        ..Lbfgs::default()
    };
    let hidden = vec![32, 32];
    Pinn {
        network: Network::Separable { rank, hidden }.with_layers(MlpOptions {
            activation: Activation::Sine(3.0),
            ..MlpOptions::default()
        }),
        grid: Some(grid.to_vec()),
        points: Counts {
            on_conditions: 512,
            ..Counts::default()
        },
        stages: vec![adam, Stage::Lbfgs(lbfgs)],
        equations,
        ..Pinn::default()
    }
}

/// u_tt − Δu + u² = q on [−1, 1]² to t = 10 with u = (x + y)·cos 2t + xy·sin 2t.
pub(super) fn klein_gordon() -> Result<Benchmark, PdeError> {
    let exact = "((x + y)*cos(2*t) + x*y*sin(2*t))";
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .coordinate("y", [-1.0, 1.0])
        .time("t", [0.0, 10.0])
        .unknown("u")
        .equation(&format!(
            "u_tt - laplacian(u, x, y) + u^2 = {exact}^2 - 4*{exact}"
        ))
        .condition("start", "u = x + y")
        .condition("start", "u_t = 2*x*y")
        .condition("boundary", &format!("u = {exact}"))
        .build()?;
    Ok(Benchmark {
        id: "klein-gordon-plane",
        problem,
        reference: Box::new(KleinGordon { k: 2.0 }),
        fields: vec!["u"],
        grid: vec![33, 33, 65],
        judged: everywhere,
        method: Method::alone(separable(24, [24, 24, 48], (3000, 0.1))),
        reached: 1e-2,
    })
}

/// u_t = 0.05·∇·(u∇u) on [−1, 1]² from three bells, u = 0 at the edge. Separable networks were reported with an error of 4.5e-2
/// here (Kang et al., *PIG: physics-informed Gaussians as adaptive parametric mesh representations*, 2025, table 1).
pub(super) fn nonlinear_diffusion() -> Result<Benchmark, PdeError> {
    let start = "(0.25*exp(-10*((x - 0.3)^2 + (y - 0.2)^2)) \
        + 0.4*exp(-15*((x + 0.5)^2 + (y + 0.1)^2)) + 0.3*exp(-20*(x^2 + (y + 0.5)^2)))";
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .coordinate("y", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t = 0.05*(u*laplacian(u, x, y) + u_x^2 + u_y^2)")
        .form("u", &format!("{start} + t*u"))
        .condition("boundary", "u = 0")
        .build()?;
    let times: Vec<f64> = (0..=10).map(|k| f64::from(k) / 10.0).collect();
    let reference = PorousMedium::default().solve(three_bells, &times)?;
    Ok(Benchmark {
        id: "nonlinear-diffusion",
        problem,
        reference: Box::new(reference),
        fields: vec!["u"],
        grid: vec![51, 51, 11],
        judged: everywhere,
        method: Method::alone(separable(48, [32, 32, 16], (2000, 10.0))),
        reached: 4.5e-2,
    })
}
