//! Problems made harder by and by: a constant is raised in levels, each trained from the parameters of the one before.
//!
//! Where a network finds a poor minimum for strong advection, fast reactions or a high Reynolds number, it finds a good one for
//! weak ones, and the solution of one level is near that of the next. Cost: the sum of the levels'. It helps where solutions
//! depend smoothly on the constant; where they oscillate faster and faster, march in time instead
//! ([`Marching`](crate::Marching)).
//!
//! Reference: A. Krishnapriyan, A. Gholami, S. Zhe, R. Kirby, M. Mahoney, *Characterizing possible failure modes in
//! physics-informed neural networks*, 2021 (section 4).

use ansatz_autodiff::Element;
use ansatz_core::Observer;

use crate::error::finite;
use crate::legs::leg;
use crate::{Moment, PdeError, Pinn, ProblemBuilder, Solution, Stage};

/// A training in levels of one constant.
///
/// ```
/// use ansatz_pde::{Counts, Curriculum, Level, Network, Pinn, Problem, Stage};
/// let problem = Problem::new()
///     .coordinate("x", [0.0, 1.0])
///     .unknown("u")
///     .constant("k", 0.0)
///     .equation("u_xx = -k*u^3")
///     .condition("x = 0", "u = 0")
///     .condition("x = 1", "u = 1");
/// let pinn = Pinn {
///     network: Network::mlp(&[8]),
///     points: Counts { inside: 40, ..Counts::default() },
///     ..Pinn::default()
/// };
/// let level = |value| Level { value, stages: vec![Stage::levenberg_marquardt(50)] };
/// let curriculum = Curriculum { pinn, constant: "k".into(), levels: vec![level(1.0), level(4.0)] };
/// let solution = curriculum.solve::<f64, _>(&problem, &mut ())?;
/// assert!(solution.report.terms[0].fitted < 1e-4);
/// assert!((solution.values(&[1.0])?[0] - 1.0).abs() < 1e-2);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Curriculum {
    /// The network and its training, but for the stages. With a checkpoint each level has files of its own, numbered behind its
    /// name, and a run that was killed goes on with the same bits.
    pub pinn: Pinn,
    /// The constant's name.
    pub constant: String,
    /// The levels, from the first to the last.
    pub levels: Vec<Level>,
}

/// A level of a [`Curriculum`].
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// The constant's value.
    pub value: f64,
    /// Stages of the training at this value.
    pub stages: Vec<Stage>,
}

impl Curriculum {
    /// Trains all levels; the solution is that of the last one, with the evaluations of all. A run that an observer ends gives
    /// the solution of the level it was in.
    ///
    /// # Errors
    /// [`PdeError::Unknown`] for a constant that the problem does not have, [`PdeError::Nothing`] without levels,
    /// [`PdeError::NotFinite`] for their values; what [`ProblemBuilder::build`] and [`Pinn::solve`] refuse. All problems are
    /// built before the first is trained.
    pub fn solve<T, O>(
        &self,
        problem: &ProblemBuilder,
        observer: &mut O,
    ) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        let values: Vec<f64> = self.levels.iter().map(|l| l.value).collect();
        finite(|| "values of levels".into(), &values)?;
        let at = |value: &f64| {
            problem
                .clone()
                .with_constant(&self.constant, *value)?
                .build()
        };
        let problems = values.iter().map(at).collect::<Result<Vec<_>, _>>()?;
        let mut last: Option<Solution<T>> = None;
        for (number, (level, problem)) in self.levels.iter().zip(&problems).enumerate() {
            let pinn = Pinn {
                stages: level.stages.clone(),
                ..self.pinn.clone()
            };
            let start = last.as_ref().map(|s| &s.parameters);
            let mut next = leg(&pinn, number, (problem, start), observer)?;
            next.report.evaluations += last.map_or(0, |s| s.report.evaluations);
            let stopped = next.report.stopped_early;
            last = Some(next);
            if stopped {
                break;
            }
        }
        last.ok_or(PdeError::Nothing {
            what: "level",
            remedy: "give the constant's values, one at least",
        })
    }
}
