//! Gaussian processes for equations, structured solves, and collocation, on data that any program can compute.

use std::f64::consts::TAU;
use std::time::Instant;

use ansatz_core::LinearOp;
use ansatz_linalg::LinalgError;
use ansatz_linalg::gp::{
    Envelope, Equation, GpSolver, Mixture, Problem, Rate, TrainOptions, Weighing, uniform_grid,
};
use ansatz_linalg::operator::{Kronecker, Levinson};
use faer::Mat;

/// Steps that are timed together.
const STEPS: usize = 5;

/// Points along an axis of both problems.
pub const POINTS: usize = 400;

/// Orders of the Toeplitz systems.
pub const ORDERS: [usize; 3] = [400, 4096, 65_536];

/// Factors of the Kronecker product, and their order.
pub const FACTORS: (usize, usize) = (3, 100);

/// u = Π sin 100x on [0, 2π]^D with 400 points along each axis, 30 components to 20 cycles per unit, Student t.
#[derive(Debug)]
pub struct Training {
    solver: GpSolver<'static, Equation>,
    start: Vec<f64>,
}

impl Training {
    /// Sets up in one or two dimensions, away from the usual start so that every part of the gradient counts. Problem and
    /// kernel live as long as the program.
    ///
    /// # Errors
    /// [`LinalgError`].
    pub fn new(dimensions: usize) -> Result<Self, LinalgError> {
        let exact = |x: &[f64]| x.iter().map(|x| (100.0 * x).sin()).product::<f64>();
        let problem = Problem::from_functions(
            Equation::poisson(dimensions),
            vec![uniform_grid(0.0, TAU, POINTS); dimensions],
            |x| -1e4 * x.len() as f64 * exact(x),
            exact,
        )?;
        let kernel = Mixture::spectral(Envelope::StudentT, 30, 20.0)?;
        let (problem, kernel) = (Box::leak(Box::new(problem)), Box::leak(Box::new(kernel)));
        let mut solver = GpSolver::new(problem, kernel, Weighing::default())?;
        let mut start = solver.unknowns().to_vec();
        let last = start.len() - 2;
        for (i, z) in start[..last].iter_mut().enumerate() {
            *z += 0.01 * (1.7 * i as f64).sin();
        }
        start[last..].copy_from_slice(&[-0.3, -2.0]);
        solver.set_unknowns(&start)?;
        Ok(Self { solver, start })
    }

    /// Where loss and gradient are compared.
    #[must_use]
    pub fn start(&self) -> &[f64] {
        &self.start
    }

    /// The loss there, then its gradient.
    ///
    /// # Errors
    /// [`LinalgError`].
    pub fn gradient(&mut self) -> Result<Vec<f64>, LinalgError> {
        self.solver.set_unknowns(&self.start)?;
        let mut all = vec![0.0; self.start.len()];
        let loss = self.solver.loss(&mut all)?;
        all.insert(0, loss);
        Ok(all)
    }

    /// Seconds of a step of Adam.
    ///
    /// # Errors
    /// [`LinalgError`].
    pub fn step(&mut self) -> Result<f64, LinalgError> {
        let options = TrainOptions {
            steps: STEPS,
            rate: Rate::Constant(1e-4),
            ..TrainOptions::default()
        };
        let start = Instant::now();
        self.solver.train(&options, &mut ())?;
        Ok(start.elapsed().as_secs_f64() / STEPS as f64)
    }
}

/// t₀ = 2, t_k = (1 + k)^{−1.5}.
#[must_use]
pub fn column(n: usize) -> Vec<f64> {
    let mut t: Vec<f64> = (0..n).map(|k| (1.0 + k as f64).powf(-1.5)).collect();
    t[0] = 2.0;
    t
}

/// cos i.
#[must_use]
pub fn cosines(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64).cos()).collect()
}

/// e^{−|i−j|/3} + the identity.
#[must_use]
pub fn factor(n: usize) -> Mat<f64> {
    Mat::from_fn(n, n, |i, j| {
        (-(i as f64 - j as f64).abs() / 3.0).exp() + if i == j { 1.0 } else { 0.0 }
    })
}

/// A Kronecker product of [`FACTORS`] matrices of [`factor`].
///
/// # Errors
/// [`LinalgError`].
pub fn kronecker() -> Result<Kronecker, LinalgError> {
    Kronecker::new(vec![factor(FACTORS.1); FACTORS.0])
}

/// Seconds of a task without state, and what it gives.
///
/// # Errors
/// [`LinalgError`].
pub fn run(task: &str) -> Result<(f64, Vec<f64>), LinalgError> {
    let kronecker = kronecker()?;
    let cells = kronecker.rows();
    match task {
        "Kronecker product" => {
            let (x, mut y) = (cosines(cells), vec![0.0; cells]);
            let mut scratch = vec![0.0; kronecker.scratch_len()];
            let start = Instant::now();
            kronecker.apply(&x, &mut y, &mut scratch);
            Ok((start.elapsed().as_secs_f64(), y))
        }
        "Kronecker solve" => {
            let b = cosines(cells);
            let start = Instant::now();
            let x = kronecker.factor()?.solve(&b)?;
            Ok((start.elapsed().as_secs_f64(), x))
        }
        "Kronecker determinant" => {
            let start = Instant::now();
            let det = kronecker.factor()?.log_det();
            Ok((start.elapsed().as_secs_f64(), vec![det.log]))
        }
        toeplitz => {
            let n = toeplitz.rsplit(' ').next().and_then(|n| n.parse().ok());
            let n = n.unwrap_or(ORDERS[0]);
            let (t, b) = (column(n), cosines(n));
            let start = Instant::now();
            let x = Levinson::new(&t)?.solve(&b)?;
            Ok((start.elapsed().as_secs_f64(), x))
        }
    }
}
