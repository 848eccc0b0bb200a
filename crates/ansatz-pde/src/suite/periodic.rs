//! Periodic waves of higher order, by windows of time.

use ansatz_physics::spectral::{Equation, SpectralOptions};

use super::{Benchmark, Method, everywhere, least_squares};
use crate::{Counts, PdeError, Pinn, Problem};

/// Least squares for a window: equations at a tenth, so that errors of what is handed over weigh more.
fn handed_over() -> Pinn {
    let pinn = least_squares(&[20, 20, 20], 800, 50);
    Pinn {
        points: Counts {
            on_conditions: 200,
            ..pinn.points
        },
        equations: 0.1,
        ..pinn
    }
}

/// u_t + u·u_x + 0.022²·u_xxx = 0, periodic on [−1, 1], from cos πx, to t = 1: a train of solitons.
pub(super) fn korteweg_de_vries() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + u*u_x + 0.022^2*u_xxx = 0")
        .periodic("x")
        .condition("start", "u = cos(pi*x)");
    let reference = Equation::korteweg_de_vries(1.0, 0.022 * 0.022)?;
    let start = |x: f64| (std::f64::consts::PI * x).cos();
    let options = SpectralOptions::default();
    let times: Vec<f64> = (0..=100).map(|k| f64::from(k) / 100.0).collect();
    Ok(Benchmark {
        id: "korteweg-de-vries",
        problem: problem.clone().build()?,
        reference: Box::new(reference.solve([-1.0, 1.0], start, &times, &options)?),
        fields: vec!["u"],
        grid: vec![201, 101],
        judged: everywhere,
        method: Method::windows(10, handed_over(), problem),
        reached: 1e-2,
    })
}

/// u_t + 5u·u_x + 0.5·u_xx + 0.005·u_xxxx = 0, periodic on [−1, 1], from −sin πx, to t = 1. Errors grow by the equation: with
/// windows of 0.1 in place of 0.05 and points that follow the residual they are 0.4 at t = 0.5.
pub(super) fn kuramoto_sivashinsky() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + 5*u*u_x + 0.5*u_xx + 0.005*u_xxxx = 0")
        .periodic("x")
        .condition("start", "u = -sin(pi*x)");
    let reference = Equation::kuramoto_sivashinsky(5.0, 0.5, 0.005)?;
    let start = |x: f64| -(std::f64::consts::PI * x).sin();
    let times: Vec<f64> = (0..=100).map(|k| f64::from(k) / 100.0).collect();
    let options = SpectralOptions::default();
    Ok(Benchmark {
        id: "kuramoto-sivashinsky",
        problem: problem.clone().build()?,
        reference: Box::new(reference.solve([-1.0, 1.0], start, &times, &options)?),
        fields: vec!["u"],
        grid: vec![201, 101],
        judged: everywhere,
        method: Method::windows(20, handed_over(), problem),
        reached: 1e-2,
    })
}
