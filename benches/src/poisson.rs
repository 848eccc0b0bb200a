//! The pressure problem of a box of N³ cells with a solid ball, solved with every preconditioner.
//!
//! Walls on five sides, air above; the right-hand side is noise from a generator of a few lines, so that every peer
//! works on the same numbers.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Instant;

use ansatz_core::{OnHost, SearchDirection};
use ansatz_linalg::LinalgError;
use ansatz_linalg::krylov::{Cg, Iteration, Stop, System, Workspace};
use ansatz_linalg::operator::{Cell, Face::Open, Face::Wall, Grid, Poisson};
use ansatz_linalg::precondition::{
    FastPoisson, Jacobi, Multigrid, MultigridOptions, StencilFactor, StencilFactorKind,
};

/// The preconditioners by name, the one to be fastest last.
pub const METHODS: [&str; 9] = [
    "CG",
    "Jacobi",
    "SSOR",
    "IC(0)",
    "MIC(0)",
    "fast Poisson",
    "multigrid V(2,2), f64",
    "multigrid V(1,1), f64",
    "multigrid",
];

/// splitmix64, as a number in [−1, 1).
fn noise(i: u64) -> f64 {
    let x = i.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let z = z ^ (z >> 31);
    2.0 * ((z >> 11) as f64 * f64::EPSILON / 2.0) - 1.0
}

/// The box of N³ cells and its right-hand side.
///
/// # Errors
/// Those of [`Grid::new`].
pub fn problem(n: usize) -> Result<(Grid, Vec<f64>), LinalgError> {
    let centre = |i: usize| (i as f64 + 0.5) / n as f64;
    let grid = Grid::new(&[n; 3], &[[Wall, Wall], [Wall, Wall], [Wall, Open]])?;
    let grid = grid.with_cells(|at| {
        let [x, y, z] = at.map(centre);
        let square = (x - 0.5).powi(2) + (y - 0.5).powi(2) + (z - 0.4).powi(2);
        if square < 0.04 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    });
    let value = |(c, cell): (usize, &Cell)| match cell {
        Cell::Fluid => noise(c as u64),
        _ => 0.0,
    };
    let b = grid.cells().iter().enumerate().map(value).collect();
    Ok((grid, b))
}

/// One solve.
#[derive(Debug, Clone, Copy)]
pub struct Solve {
    /// Steps and seconds to each of the tolerances asked for.
    pub reached: [(usize, f64); 2],
    /// ‖b − A·x‖/‖b‖ at the end.
    pub residual: f64,
}

/// A preconditioner, ready, with the problem that it belongs to.
pub struct Solver {
    a: Poisson<f64>,
    b: Vec<f64>,
    preconditioner: Option<Box<dyn SearchDirection<Vec<f64>> + Send>>,
    workspace: Workspace<Vec<f64>>,
    /// Seconds that the preconditioner took to make.
    pub set_up: f64,
    /// The last solution.
    pub x: Vec<f64>,
}

impl Solver {
    /// The problem of N³ cells with one of [`METHODS`]; unknown names are conjugate gradients alone.
    ///
    /// # Errors
    /// Those of the preconditioner.
    pub fn new(n: usize, method: &str) -> Result<Self, LinalgError> {
        let (grid, b) = problem(n)?;
        let a = Poisson::new(&grid)?;
        let begin = Instant::now();
        let factor = |kind| StencilFactor::new(&a, kind);
        let plain = MultigridOptions::default();
        let textbook = MultigridOptions::textbook();
        let preconditioner: Option<Box<dyn SearchDirection<Vec<f64>> + Send>> = match method {
            "Jacobi" => Some(Box::new(Jacobi::new(a.diagonal())?)),
            "SSOR" => Some(Box::new(factor(StencilFactorKind::Ssor(1.5))?)),
            "IC(0)" => Some(Box::new(factor(StencilFactorKind::Incomplete)?)),
            "MIC(0)" => Some(Box::new(factor(StencilFactorKind::Modified(0.97))?)),
            "fast Poisson" => Some(Box::new(FastPoisson::<f64>::new(&grid))),
            "multigrid V(2,2), f64" => Some(Box::new(Multigrid::<f64>::new(&grid, &textbook)?)),
            "multigrid V(1,1), f64" => Some(Box::new(Multigrid::<f64>::new(&grid, &plain)?)),
            "multigrid" => Some(Box::new(Multigrid::<f32>::new(&grid, &plain)?)),
            _ => None,
        };
        let set_up = begin.elapsed().as_secs_f64();
        Ok(Self {
            x: vec![0.0; b.len()],
            a,
            b,
            preconditioner,
            workspace: Workspace::default(),
            set_up,
        })
    }

    /// Solves from zero to the smaller of two tolerances.
    ///
    /// # Errors
    /// Those of [`System::solve`].
    pub fn solve(&mut self, tolerances: [f64; 2]) -> Result<Solve, LinalgError> {
        self.x.fill(0.0);
        let mut reached = [(0, 0.0); 2];
        let begin = Instant::now();
        let mut watch = |i: &Iteration<'_, Vec<f64>>| {
            for (reached, tolerance) in reached.iter_mut().zip(tolerances) {
                if reached.0 == 0 && i.residual <= tolerance {
                    *reached = (i.step, begin.elapsed().as_secs_f64());
                }
            }
            ControlFlow::Continue(())
        };
        let op = OnHost::new(&self.a);
        let mut system = System::new(&op, &self.b)
            .reusing(&mut self.workspace)
            .observed(&mut watch)
            .until(Stop {
                rtol: tolerances[0].min(tolerances[1]),
                max_iterations: 10_000,
                ..Stop::default()
            });
        if let Some(m) = &mut self.preconditioner {
            system = system.preconditioned(m);
        }
        let report = system.solve(&Cg::default(), &mut self.x)?;
        let residual = report.residual;
        Ok(Solve { reached, residual })
    }
}

/// Bytes that a step of conjugate gradients with `multigrid` moves on N³ cells, if every array is read and written from
/// memory once in each loop: 18 passes over `f64` for the method (product 2, pᵀAp 2, r 3, ‖r‖ 1, x 3, zᵀr 2, p 3, in and
/// out of the cycle 2) and 11 over `f32` on the finest grid (sweeps 5.5, residual 2, transfers 1.5, changes of order 2),
/// an eighth of that on each next one; reading flags is not counted.
#[must_use]
pub fn bytes_per_step(n: usize) -> f64 {
    let cells = (n * n * n) as f64;
    cells * (18.0 * 8.0 + 11.0 * 4.0 * 8.0 / 7.0)
}

/// A title for the report.
#[must_use]
pub fn case(n: usize, tolerance: f64) -> String {
    let mut title = String::new();
    let _ = write!(title, "{n}³ cells, to {tolerance:.0e}");
    title
}
