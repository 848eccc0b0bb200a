//! The suites by name, and what each is given.

pub mod autodiff;
pub mod bandwidth;
pub mod expr;
pub mod fisher;
pub mod gp;
pub mod lincomb;
pub mod lorenz;
pub mod mesh;
pub mod ode;
pub mod pinn;
pub mod poisson;
pub mod samplers;
pub mod steps;
pub mod unet;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::timing::Effort;

/// What the command asks of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Shorter runs, coarser curves.
    pub quick: bool,
    /// Thread counts to measure.
    pub threads: Vec<usize>,
    /// Folder for pictures.
    pub out: PathBuf,
}

impl Settings {
    /// The greatest number of threads asked for: what is not about threads runs with it.
    #[must_use]
    pub fn most_threads(&self) -> usize {
        self.threads.iter().copied().max().unwrap_or(1)
    }

    /// How long each measurement may repeat.
    #[must_use]
    pub fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                budget: Duration::from_millis(400),
                max_runs: 60,
                warm_up: 1,
                ..Effort::default()
            }
        } else {
            Effort::default()
        }
    }
}

/// Why a suite could not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The reader of the lines is gone.
    #[error("cannot write a line: {0}")]
    Write(#[from] std::io::Error),
    /// The suite's TOML does not fit its code.
    #[error("benches/suites/{suite}.toml: {source}")]
    Cases {
        /// The suite.
        suite: &'static str,
        /// The parser's error.
        source: Box<toml::de::Error>,
    },
    /// A line of a peer is no request, or an answer is no JSON.
    #[error("cannot understand or answer a request: {0}")]
    Request(#[from] serde_json::Error),
    /// A pool of the asked size could not be made.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's error.
        source: rayon::ThreadPoolBuildError,
    },
    /// A solver refused its grid.
    #[error("cannot plan: {0}")]
    Plan(#[from] ansatz_diffusion::PlanError),
    /// A sampler failed.
    #[error("cannot sample: {0}")]
    Sample(#[from] ansatz_diffusion::SampleError),
    /// A differential equation could not be solved.
    #[error("cannot solve: {0}")]
    Solve(#[from] ansatz_diffeq::StepError),
    /// An array program could not be compiled or run.
    #[error("cannot run an array program: {0}")]
    Program(#[from] ansatz_autodiff::AutodiffError),
    /// An expression could not be made or evaluated.
    #[error("cannot evaluate an expression: {0}")]
    Expression(#[from] ansatz_expr::ExprError),
    /// A linear system could not be solved.
    #[error("cannot solve a linear system: {0}")]
    Linear(#[from] ansatz_linalg::LinalgError),
    /// A classical solver failed.
    #[error("cannot solve: {0}")]
    Physics(#[from] ansatz_physics::PhysicsError),
    /// A network could not be trained.
    #[error("cannot train: {0}")]
    Train(#[from] ansatz_nn::NetworkError),
    /// A problem of differential equations was refused, or could not be trained.
    #[error("cannot solve: {0}")]
    Pde(#[from] ansatz_pde::PdeError),
    /// A surface could not be extracted.
    #[error("cannot extract a surface: {0}")]
    Mesh(#[from] ansatz_mesh::MeshError),
    /// A mesh could not be read.
    #[error("cannot read a mesh: {0}")]
    MeshFile(#[from] ansatz_mesh::io::FileError),
    /// A model failed.
    #[error("cannot evaluate the model: {0}")]
    Eval(#[from] ansatz_core::EvalError),
    /// A model could not be made.
    #[error("cannot make the model: {0}")]
    Model(#[from] ansatz_testkit::ModelError),
    /// A picture could not be drawn.
    #[error("cannot draw: {0}")]
    Draw(#[from] ansatz_viz::VizError),
    /// There is no such suite.
    #[error("no {name:?}; there are: {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
}

type Run = fn(&Settings, &mut (dyn Write + Send)) -> Result<(), SuiteError>;

/// Suites that run in this program; criterion suites run through `cargo bench`.
const SUITES: [(&str, Run); 14] = [
    ("autodiff", autodiff::run),
    ("bandwidth", bandwidth::run),
    ("expr", expr::run),
    ("fisher", fisher::run),
    ("gp", gp::run),
    ("lincomb", lincomb::run),
    ("lorenz", lorenz::run),
    ("mesh", mesh::run),
    ("ode", ode::run),
    ("pinn", pinn::run),
    ("poisson", poisson::run),
    ("samplers", samplers::run),
    ("steps", steps::run),
    ("unet", unet::run),
];

/// Runs the suite `name`, writing JSON lines to `out`.
///
/// # Errors
/// [`SuiteError`], saying what stopped it.
pub fn run(
    name: &str,
    settings: &Settings,
    out: &mut (dyn Write + Send),
) -> Result<(), SuiteError> {
    let Some((_, suite)) = SUITES.iter().find(|(known, _)| *known == name) else {
        let known = SUITES.map(|(known, _)| known).join(", ");
        return Err(SuiteError::Unknown {
            name: name.to_owned(),
            known,
        });
    };
    suite(settings, out)
}

/// The suite's own part of its TOML file.
fn cases<T: DeserializeOwned>(suite: &'static str, text: &str) -> Result<T, SuiteError> {
    toml::from_str(text).map_err(|source| SuiteError::Cases {
        suite,
        source: Box::new(source),
    })
}

/// A pool of exactly `threads` threads.
pub(crate) fn pool(threads: usize) -> Result<rayon::ThreadPool, SuiteError> {
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    built.map_err(|source| SuiteError::Threads { threads, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_suite_is_told_what_there_is() {
        let settings = Settings {
            quick: true,
            threads: vec![1],
            out: PathBuf::new(),
        };
        let error = run("nope", &settings, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("bandwidth"), "{error}");
    }
}
