//! The pressure problem of a fluid: steps and time of conjugate gradients with each preconditioner.
//!
//! A box of N³ cells with walls on five sides, air above and a solid ball inside; the right-hand side is noise. Run it
//! with `cargo run --release -p ansatz-linalg --example poisson_solvers -- 64`.
//!
//! gallery: Conjugate gradients and preconditioners on a pressure problem with a solid ball
//! gallery: expect steps of multigrid in 1..20
//! gallery: expect steps of CG over those of multigrid in 10..inf

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::time::Instant;

use ansatz_linalg::core::{Key, OnHost, SearchDirection};
use ansatz_linalg::krylov::{Cg, Stop, System, Workspace};
use ansatz_linalg::operator::{Cell, Face::Open, Face::Wall, Grid, Poisson};
use ansatz_linalg::precondition::{
    FastPoisson, Jacobi, Multigrid, MultigridOptions, StencilFactor, StencilFactorKind,
};

type Direction = Box<dyn SearchDirection<Vec<f64>>>;
type Made = Result<Option<Direction>, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let n: usize = std::env::args().nth(1).map_or(Ok(48), |n| n.parse())?;
    let centre = |i: usize| (i as f64 + 0.5) / n as f64;
    let grid = Grid::new(&[n; 3], &[[Wall, Wall], [Wall, Wall], [Wall, Open]])?.with_cells(|at| {
        let [x, y, z] = at.map(centre);
        let square = (x - 0.5).powi(2) + (y - 0.5).powi(2) + (z - 0.4).powi(2);
        if square < 0.04 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    });
    let a = Poisson::<f64>::new(&grid)?;
    let mut b = vec![0.0; grid.len()];
    Key::new(1).fill_normal(0, &mut b);
    a.prepare(&mut b)?;

    let factor = |kind| StencilFactor::new(&a, kind);
    let textbook = MultigridOptions::textbook();
    let fitted = MultigridOptions::default();
    let makers: [(&str, &dyn Fn() -> Made); 8] = [
        ("CG", &|| Ok(None)),
        ("Jacobi", &|| Ok(Some(Box::new(Jacobi::new(a.diagonal())?)))),
        ("SSOR", &|| {
            Ok(Some(Box::new(factor(StencilFactorKind::Ssor(1.5))?)))
        }),
        ("IC(0)", &|| {
            Ok(Some(Box::new(factor(StencilFactorKind::Incomplete)?)))
        }),
        ("MIC(0)", &|| {
            Ok(Some(Box::new(factor(StencilFactorKind::Modified(0.97))?)))
        }),
        ("fast Poisson", &|| {
            Ok(Some(Box::new(FastPoisson::<f64>::new(&grid))))
        }),
        ("multigrid V(2,2)", &|| {
            Ok(Some(Box::new(Multigrid::<f64>::new(&grid, &textbook)?)))
        }),
        ("multigrid", &|| {
            Ok(Some(Box::new(Multigrid::<f32>::new(&grid, &fitted)?)))
        }),
    ];
    let (op, mut workspace) = (OnHost::new(&a), Workspace::default());
    let mut steps = Vec::new();
    println!("{n}³ cells, {} unknowns, to 1e-8", grid.fluid_cells());
    println!(
        "{:18} {:>6} {:>10} {:>10}",
        "preconditioner", "steps", "set up", "solve"
    );
    for (name, make) in makers {
        let begin = Instant::now();
        let mut preconditioner = make()?;
        let set_up = begin.elapsed();
        let begin = Instant::now();
        let mut x = vec![0.0; grid.len()];
        let mut system = System::new(&op, &b).reusing(&mut workspace).until(Stop {
            max_iterations: 5000,
            ..Stop::default()
        });
        if let Some(m) = &mut preconditioner {
            system = system.preconditioned(m);
        }
        let report = system.solve(&Cg::default(), &mut x)?;
        println!(
            "{name:18} {:6} {set_up:10.2?} {:10.2?}",
            report.iterations,
            begin.elapsed()
        );
        steps.push(report.iterations);
    }
    let best = steps[steps.len() - 1];
    println!("steps of multigrid: {best}");
    println!(
        "steps of CG over those of multigrid: {:.1}",
        steps[0] as f64 / best as f64
    );
    Ok(())
}
