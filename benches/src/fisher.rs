//! Inverse Fisher products on gradients that any program can compute.

use std::time::Instant;

use ansatz_linalg::LinalgError;
use ansatz_linalg::fisher::{CompressedFisher, FactorOptions, FisherWindow};
use rayon::prelude::*;

/// Gradients of the window.
pub const GRADIENTS: usize = 128;

/// Parameters.
pub const PARAMETERS: usize = 1_000_000;

/// λ.
pub const DAMPING: f64 = 1e-5;

/// What is timed.
pub const TASKS: [&str; 3] = ["set up", "product", "window"];

/// `gᵢ[j] = 10⁻³·(sin(0.1·i·j) + ½·cos(0.37·j + i))`, i and j from 1: gradients of length about 1.
#[must_use]
pub fn gradient(i: usize, parameters: usize) -> Vec<f32> {
    let element = |j: usize| {
        let (i, j) = (i as f64, (j + 1) as f64);
        (1e-3 * ((0.1 * i * j).sin() + 0.5 * (0.37 * j + i).cos())) as f32
    };
    (0..parameters).into_par_iter().map(element).collect()
}

/// One of each thing that is timed, kept between runs.
#[derive(Debug)]
pub struct Fisher {
    gradients: Vec<Vec<f32>>,
    compressed: CompressedFisher<f32>,
    window: FisherWindow<Vec<f32>>,
    vector: Vec<f32>,
    result: Vec<f32>,
    next: usize,
}

impl Fisher {
    /// Sets everything up.
    ///
    /// # Errors
    /// [`LinalgError`].
    pub fn new(parameters: usize) -> Result<Self, LinalgError> {
        let gradients: Vec<_> = (1..=GRADIENTS).map(|i| gradient(i, parameters)).collect();
        let options = FactorOptions {
            damping: DAMPING,
            ..FactorOptions::default()
        };
        let mut window = FisherWindow::new(GRADIENTS, &gradients[0], options)?;
        for gradient in &gradients {
            window.push(gradient)?;
        }
        Ok(Self {
            compressed: CompressedFisher::new(gradients.clone(), DAMPING)?,
            window,
            // cos(0.05·j²) needs exact squares: below 2⁵³ they are.
            vector: (1..=parameters)
                .map(|j| (0.05 * (j as f64) * (j as f64)).cos() as f32)
                .collect(),
            result: vec![0.0; parameters],
            gradients,
            next: 0,
        })
    }

    /// Seconds of a task; its result is in [`Fisher::result`]. The window gets its own gradients again, the oldest first,
    /// so that it holds the same after each round.
    ///
    /// # Errors
    /// [`LinalgError`].
    pub fn run(&mut self, task: &str) -> Result<f64, LinalgError> {
        match task {
            "set up" => {
                let gradients = self.gradients.clone();
                let start = Instant::now();
                let made = CompressedFisher::new(gradients, DAMPING)?;
                let seconds = start.elapsed().as_secs_f64();
                made.apply_inverse(&self.vector, &mut self.result)?;
                self.compressed = made;
                Ok(seconds)
            }
            "product" => {
                let start = Instant::now();
                self.compressed
                    .apply_inverse(&self.vector, &mut self.result)?;
                Ok(start.elapsed().as_secs_f64())
            }
            _ => {
                let gradient = &self.gradients[self.next];
                let start = Instant::now();
                self.window.update_and_apply(gradient, &mut self.result)?;
                let seconds = start.elapsed().as_secs_f64();
                self.next = (self.next + 1) % GRADIENTS;
                Ok(seconds)
            }
        }
    }

    /// What the latest task gave.
    #[must_use]
    pub fn result(&self) -> &[f32] {
        &self.result
    }

    /// The gradients.
    #[must_use]
    pub fn gradients(&self) -> &[Vec<f32>] {
        &self.gradients
    }
}
