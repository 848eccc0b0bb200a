//! The lid-driven cavity: the velocity jumps at the upper corners.
//!
//! Velocities and a pressure with conditions in the loss leave an error of 0.08 to 0.15 at Re = 100. What works is a stream
//! function, so that the flow has no sources, in a form that meets all conditions and holds the flow of a scraped corner, so
//! that the network is left with a bounded rest; residuals weighed by the square of the distances from both corners, where
//! they grow as r⁻²; and a Reynolds number raised in levels. Two points for each parameter are enough: where they were drawn
//! anew every 50 steps, the fit was thrown back, in one of four runs from an error of 3e-3 to 4e-2.
//!
//! References: G. I. Taylor, *On scraping viscous fluid from a plane surface*, 1962; O. Botella, R. Peyret, *Benchmark spectral
//! results on the lid-driven cavity flow*, 1998, who subtract the same flow; N. Sukumar, A. Srivastava, *Exact imposition of
//! boundary conditions with distance functions in physics-informed deep neural networks*, 2022.

use ansatz_physics::cavity::{CavityFlow, CavityOptions};

use super::{Benchmark, Method, least_squares};
use crate::{Curriculum, Level, PdeError, Problem, ProblemBuilder, Stage};

/// The Reynolds number of the last level.
const REYNOLDS: f64 = 100.0;

/// Flow under a lid at Re = 100, by its stream function: u = ψ_y, v = −ψ_x.
///
/// Errors are those of the velocity beyond 0.1 of the upper corners: there references on 96² and 144² cells agree to 1.6e-4 of
/// the velocity, in all of the square, where the reference has no series at the corners, to 3.9e-3.
pub(super) fn benchmark() -> Result<Benchmark, PdeError> {
    let options = CavityOptions {
        cells: 144,
        ..CavityOptions::default()
    };
    let level = |value: f64, steps| Level {
        value,
        stages: vec![Stage::levenberg_marquardt(steps)],
    };
    let curriculum = Curriculum {
        pinn: least_squares(&[20, 20, 20], 2000, 0),
        constant: "Re".into(),
        levels: vec![level(10.0, 25), level(40.0, 25), level(REYNOLDS, 120)],
    };
    Ok(Benchmark {
        id: "cavity",
        problem: problem().build()?,
        reference: Box::new(CavityFlow::new(REYNOLDS, &options)?),
        fields: vec!["psi_y", "-psi_x"],
        grid: vec![101, 101],
        judged: |x| x[0].min(1.0 - x[0]).hypot(1.0 - x[1]) >= 0.1,
        method: Method::Levels(Box::new((curriculum, problem()))),
        reached: 2e-3,
    })
}

/// The stream function's equation, in a form that meets all conditions.
fn problem() -> ProblemBuilder {
    // Slow flow between a wall and one that slides along it: ψ = B·s + C·θ·a + D·θ·s for a along the lid, s below it and
    // tan θ = s/a, with ψ = 0 on both, ψ_s = −1 on the lid and ψ_a = 0 on the wall. Corners stand a trifle outside, so that
    // angles exist on the walls.
    let quarter = std::f64::consts::FRAC_PI_2;
    let c = 1.0 / (quarter * quarter - 1.0);
    let (b, d) = (-c * quarter * quarter, c * quarter);
    let corner = |a: &str| {
        let angle = format!("atan((1 - y)/{a})");
        format!("({b}*(1 - y) + {c}*{angle}*{a} + {d}*{angle}*(1 - y))")
    };
    let (left, right) = ("(x + 1e-9)", "(1 - x + 1e-9)");
    let squares = |a: &str| format!("({a}^2 + (1 - y)^2)");
    let near = format!("({}*{})", squares(left), squares(right));
    // From the left corner's flow to the right one's, and down to nothing at the bottom, without slopes at the ends.
    let rise = |x: &str| format!("({x}^3*(10 - 15*{x} + 6*{x}^2))");
    let (from, to, across) = (corner(left), corner(right), rise("x"));
    let flows = format!("{}*((1 - {across})*{from} + {across}*{to})", rise("y"));
    Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("psi")
        .constant("Re", REYNOLDS)
        .equation(&format!(
            "{near}*(psi_y*(psi_xxx + psi_xyy) - psi_x*(psi_xxy + psi_yyy) \
             - (psi_xxxx + 2*psi_xxyy + psi_yyyy)/Re) = 0"
        ))
        // The square of a distance from the walls, at the upper corners of the flow's own power of r.
        .form(
            "psi",
            &format!("{flows} + (x*(1 - x)*y*(1 - y))^2/{near}*psi"),
        )
}
