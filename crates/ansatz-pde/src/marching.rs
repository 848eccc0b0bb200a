//! Marching in time: windows one after the other, each from where the one before ended.
//!
//! [0, T] is cut into windows of equal length. Each has a network of its own, trained on a domain that reaches a little into the
//! next window, so that what is handed over comes from the inside. A window starts from the values of the one before at points
//! of its first moment (and from the derivatives in time that the order of the equation asks for), as measurements that the
//! residual of the equation is weighed against. Long times, stiff and chaotic equations come within reach of small networks, and
//! errors add up as in any method of steps: what is handed over is wrong by the misfit of the initial conditions.
//!
//! Cost: that of the windows, W smaller trainings in place of a large one. To evaluate the solution costs W networks.
//!
//! References: C. Wight, J. Zhao, *Solving Allen-Cahn and Cahn-Hilliard equations using the adaptive physics informed neural
//! networks*, 2021 (section 3.3); A. Krishnapriyan, A. Gholami, S. Zhe, R. Kirby, M. Mahoney, *Characterizing possible failure
//! modes in physics-informed neural networks*, 2021 (section 5); S. Wang, S. Sankaran, P. Perdikaris, *Respecting causality for
//! training physics-informed neural networks*, 2024 (section 5.2).

use std::sync::Arc;

use ansatz_autodiff::{Array, Element};
use ansatz_core::Observer;
use ansatz_nn::{Layer, Layout, Parameters, Pass, Scope};

use crate::error::within;
use crate::legs::leg;
use crate::problem::Part;
use crate::{
    Assembly, Counts, Model, Moment, PdeError, Pinn, Points, Problem, ProblemBuilder, Solution,
};

/// A training in windows of time.
///
/// ```
/// use ansatz_pde::{Counts, Marching, Network, Pinn, Problem, Stage};
/// let problem = Problem::new()
///     .time("t", [0.0, 6.0])
///     .unknown("u")
///     .equation("u_tt = -u")
///     .condition("t = 0", "u = 1")
///     .condition("t = 0", "u_t = 0");
/// let pinn = Pinn {
///     network: Network::mlp(&[8]),
///     points: Counts { inside: 40, ..Counts::default() },
///     stages: vec![Stage::levenberg_marquardt(40)],
///     ..Pinn::default()
/// };
/// let marching = Marching { pinn, windows: 3, ..Marching::default() };
/// let solution = marching.solve::<f64, _>(&problem, &mut ())?;
/// assert!((solution.values(&[5.0])?[0] - 5.0_f64.cos()).abs() < 1e-3);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Marching {
    /// The network and the training of each window: `points.on_conditions` is the number of points of what is handed over. With
    /// a checkpoint each window has files of its own, numbered behind its name, and a run that was killed goes on with the
    /// same bits.
    pub pinn: Pinn,
    /// Number of windows.
    pub windows: usize,
    /// How far a window reaches into the next one, in parts of its length.
    pub extension: f64,
    /// From which parameters a window starts.
    pub start: WindowStart,
}

/// From which parameters a window of a [`Marching`] starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowStart {
    /// From those that the window before ended with.
    #[default]
    Warm,
    /// From new ones.
    Fresh,
}

impl Default for Marching {
    /// Five windows that reach a tenth of their length into the next, each from the parameters of the one before.
    fn default() -> Self {
        Self {
            pinn: Pinn::default(),
            windows: 5,
            extension: 0.1,
            start: WindowStart::Warm,
        }
    }
}

impl Marching {
    /// Trains all windows; the solution is that of the whole problem, piece by piece. Conditions and forms are written for the
    /// whole problem: those at its start hold in the first window alone, points of measurements in the windows they are in. A
    /// run that an observer ends gives the windows up to the one it was in, the last of them for all later times.
    ///
    /// # Errors
    /// [`PdeError::Nothing`] for a problem without time, [`PdeError::Option`] for no windows or an extension outside 0 to 1;
    /// what [`ProblemBuilder::build`] and [`Pinn::solve`] refuse.
    pub fn solve<T, O>(
        &self,
        problem: &ProblemBuilder,
        observer: &mut O,
    ) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        within("windows", self.windows as f64, 1.0.., "1 or more")?;
        within("extension", self.extension, 0.0..=1.0, "0 to 1")?;
        let whole = problem.clone().build()?;
        let axis = whole.time_axis().ok_or(PdeError::Nothing {
            what: "time",
            remedy: "windows need a coordinate that was added with `time`",
        })?;
        let bounds = whole.domain().bounds();
        let (first, last) = (bounds.low[axis], bounds.high[axis]);
        let at = |k: usize| first + (last - first) * k as f64 / self.windows as f64;
        let mut solved: Vec<Solution<T>> = Vec::new();
        for k in 0..self.windows {
            let reach = at(k + 1) + self.extension * (at(k + 1) - at(k));
            let interval = [
                at(k),
                if k + 1 == self.windows {
                    last
                } else {
                    reach.min(last)
                },
            ];
            let builder = window(problem, &whole, axis, interval);
            let next = match solved.last() {
                None => builder.build()?,
                Some(before) => self.handed_over(builder, (before, axis, interval[0]), k)?,
            };
            let start = match self.start {
                WindowStart::Warm => solved.last().map(|s| &s.parameters),
                WindowStart::Fresh => None,
            };
            let solution = leg(&self.pinn, k, (&next, start), observer)?;
            let stopped = solution.report.stopped_early;
            solved.push(solution);
            if stopped {
                break;
            }
        }
        let ends: Vec<f64> = (1..solved.len()).map(at).collect();
        self.joined(whole, (axis, ends), &solved)
    }

    /// The problem of a window, with the values of the one before at its start.
    fn handed_over<T: Element>(
        &self,
        builder: ProblemBuilder,
        (before, axis, time): (&Solution<T>, usize, f64),
        number: usize,
    ) -> Result<Problem, PdeError> {
        let problem = &before.problem;
        let dims = problem.coordinates().len();
        let points = if dims == 1 {
            Points::new(1, vec![time])?
        } else {
            let Counts {
                on_conditions,
                sampler,
                ..
            } = self.pinn.points;
            let key = self.pinn.key.fold_in(HANDED + number as u64);
            let drawn = problem
                .domain()
                .sample_interior(on_conditions, &sampler, key)?;
            let mut drawn = drawn.into_vec();
            drawn
                .iter_mut()
                .skip(axis)
                .step_by(dims)
                .for_each(|t| *t = time);
            Points::new(dims, drawn)?
        };
        let (unknowns, coordinate) = (problem.unknowns(), &problem.coordinates()[axis]);
        let order = |unknown: &String| problem.order(unknown, coordinate);
        let most = unknowns.iter().map(order).max().unwrap_or(0);
        let mut builder = builder;
        for k in 0..most {
            let mut orders = vec![0; dims];
            orders[axis] = k;
            let values = before.derivatives(points.as_slice(), &orders)?;
            for (i, unknown) in unknowns.iter().enumerate().filter(|(_, u)| k < order(u)) {
                let nested = |text: String, _| format!("diff({text}, {coordinate})");
                let text = (0..k).fold(unknown.clone(), nested);
                let own = values
                    .iter()
                    .skip(i)
                    .step_by(unknowns.len())
                    .copied()
                    .collect();
                builder = builder.measured(&text, points.clone(), own);
            }
        }
        builder.incomplete().build()
    }

    /// The windows as one solution of the whole problem.
    fn joined<T: Element>(
        &self,
        whole: Problem,
        (axis, ends): (usize, Vec<f64>),
        solved: &[Solution<T>],
    ) -> Result<Solution<T>, PdeError> {
        let mut layout = Layout::new();
        let mut models = Vec::new();
        for (k, solution) in solved.iter().enumerate() {
            let mut scope: Scope<'_> = layout.root();
            let mut scope = scope.scope(format!("windows.{k}"));
            let part = &solution.problem;
            let net = self.pinn.network.within(part, &mut scope.scope("net"))?;
            models.push(part.formed(net));
        }
        let coefficients = whole.place_coefficients(&mut layout.root().scope("coefficients"));
        let mut parameters = Parameters::new(&layout, self.pinn.key);
        for entry in layout.entries() {
            let mut parts = entry.name.splitn(3, '.');
            let (kind, number, rest) = (parts.next(), parts.next(), parts.next());
            let from = match (kind, number.and_then(|n| n.parse::<usize>().ok()), rest) {
                (Some("windows"), Some(k), Some(rest)) => solved[k].parameters.get(rest),
                _ => solved.last().and_then(|s| s.parameters.get(&entry.name)),
            };
            if let Some(from) = from {
                parameters.values_mut()[entry.range()].copy_from_slice(from);
            }
        }
        let mut report = solved[solved.len() - 1].report.clone();
        report.evaluations = solved.iter().map(|s| s.report.evaluations).sum();
        report.parameters = solved.iter().map(|s| s.report.parameters).sum();
        report.terms.clear();
        for (k, solution) in solved.iter().enumerate() {
            for term in &solution.report.terms {
                let mut term = term.clone();
                term.name = format!("{k}: {}", term.name);
                report.terms.push(term);
            }
        }
        Ok(Solution {
            problem: whole,
            assembly: Assembly {
                layout,
                model: Arc::new(Piecewise { axis, ends, models }),
                coefficients,
            },
            parameters,
            report,
        })
    }
}

/// Keys of the points of what is handed over.
const HANDED: u64 = 1 << 52;

/// The problem between two times: without conditions at other times, and for a window after the first without those at the
/// start.
fn window(
    problem: &ProblemBuilder,
    whole: &Problem,
    axis: usize,
    interval: [f64; 2],
) -> ProblemBuilder {
    let first = whole.domain().bounds().low[axis];
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
    let inside = |t: f64| interval[0] <= t && t <= interval[1];
    let keep = |i: usize| match &whole.conditions()[i].part {
        Part::Boundary {
            fixed: Some((a, t)),
            ..
        } if *a == axis => {
            let start = near(*t, first);
            inside(*t) && (!start || near(interval[0], first))
        }
        _ => true,
    };
    let builder = problem.clone().during(interval);
    builder.retain(keep, |row| inside(row[axis]))
}

/// A model for each window of time.
struct Piecewise {
    axis: usize,
    /// Where windows end, but for the last.
    ends: Vec<f64>,
    models: Vec<Model>,
}

impl Layer for Piecewise {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let t = x.narrow(1, self.axis, self.axis + 1);
        let mut models = self.models.iter().map(|m| m.apply(pass, x)).rev();
        let Some(last) = models.next() else {
            return x;
        };
        let earlier = self.ends.iter().rev().zip(models);
        earlier.fold(last, |later, (end, own)| {
            let end = t.filled(*end);
            end.less(t).select(later, own)
        })
    }
}
