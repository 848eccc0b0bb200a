//! The problem of one time step: terms whose data change, minimised from where the step before ended.

use ansatz_core::Key;
use ansatz_nn::{
    Adam, Layout, LeastSquares, LevenbergMarquardt, Loss, Mode, NetworkError, Optimizer,
    Parameters, Rule,
};

use super::{START, columns};
use crate::error::{finite, within};
use crate::probe::side_by_side;
use crate::{Model, PdeError, Term, Terms, Weighting};

/// How the problem of a step is solved.
#[derive(Debug, Clone, PartialEq)]
pub enum StepSolver {
    /// Levenberg-Marquardt on points that stay for the step: some solves of linear systems with as many unknowns as the
    /// network has parameters, in place of some ten thousand gradients.
    LeastSquares(LevenbergMarquardt),
    /// Adam on points that are drawn anew for each gradient.
    Adam(Plateau),
}

impl Default for StepSolver {
    /// Levenberg-Marquardt with at most 12 steps from little damping, as a step in time starts near its end; with far
    /// less the first trials fail, which raises the damping by more than it was too low.
    fn default() -> Self {
        Self::LeastSquares(LevenbergMarquardt {
            steps: 12,
            damping: 1e-5,
            ..LevenbergMarquardt::default()
        })
    }
}

/// Adam whose rate falls where the loss no longer does.
///
/// The defaults are those of the program by H. Chen et al. for advection and fluids; elastic bodies take a rate of 1e-5 to
/// 1e-4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// Learning rate at the start of every step in time.
    pub rate: f64,
    /// What it is multiplied by on a plateau.
    pub factor: f64,
    /// Iterations without a better loss that make a plateau.
    pub patience: usize,
    /// Least rate; the minimisation ends there, at the next plateau.
    pub floor: f64,
    /// Most iterations.
    pub iterations: usize,
    /// The loss that is watched.
    pub watch: Watch,
}

/// Which loss a schedule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watch {
    /// All terms.
    #[default]
    Total,
    /// The equation's alone, as in the published program: conditions may drift.
    Main,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            rate: 1e-4,
            factor: 0.1,
            patience: 500,
            floor: 1e-8,
            iterations: 20_000,
            watch: Watch::Total,
        }
    }
}

impl Plateau {
    fn check(&self) -> Result<(), PdeError> {
        let positive = f64::MIN_POSITIVE..;
        within("rate", self.rate, positive.clone(), "a number above 0")?;
        within("floor", self.floor, positive, "a number above 0")?;
        within("factor", self.factor, 0.0..1.0, "0 <= factor < 1")?;
        within("patience", self.patience as f64, 1.0.., "1 or more")
    }
}

/// What a step reached, and its cost.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepReport {
    /// The weighted mean squares of all residuals at the end, at the points of the last iteration.
    pub loss: f64,
    /// Iterations of the solver.
    pub iterations: usize,
}

/// Points of all terms for a key, with their columns.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(Key) -> Result<Vec<Vec<f64>>, PdeError>;

/// A field for a start: the network's model, the coordinates of a point and the components of a value, and its name in errors.
pub(crate) struct First<'a> {
    pub(crate) model: &'a Model,
    pub(crate) dims: usize,
    pub(crate) width: usize,
    pub(crate) name: &'static str,
}

impl First<'_> {
    /// Fits the network to `field`, which gives values for a place, at the points of `source`.
    pub(crate) fn fit(
        &self,
        parameters: &mut Parameters<f64>,
        field: impl Fn(&[f64], &mut [f64]),
        source: impl Fn(Key) -> Vec<f64>,
        (solver, key): (&StepSolver, Key),
    ) -> Result<StepReport, PdeError> {
        let (dims, width) = (self.dims, self.width);
        let rows = |key: Key| {
            let points = source(key);
            let mut values = vec![0.0; points.len() / dims * width];
            for (x, u) in points.chunks(dims).zip(values.chunks_mut(width)) {
                field(x, u);
            }
            finite(|| self.name.into(), &values)?;
            Ok(vec![side_by_side(&[(&points, dims), (&values, width)])])
        };
        let key = key.fold_in(START);
        let model = self.model.clone();
        let first = rows(key)?.remove(0);
        let term = Term::new("start", dims + width, first, move |pass, data| {
            let u = model.apply(pass, columns(data, 0, dims));
            Ok(u - data.narrow(1, dims, dims + width))
        });
        let mut fit = Minimiser::new(parameters.layout(), vec![term], solver)?;
        fit.run(parameters, (0, key), &mut { rows })
    }
}

/// Terms of a step, compiled.
#[derive(Debug)]
pub(crate) struct Minimiser {
    terms: Terms<f64>,
    problem: Option<LeastSquares<f64>>,
    solver: StepSolver,
    slopes: Vec<f64>,
}

impl Minimiser {
    /// Compiles terms, whose points say how many there will be.
    pub(crate) fn new(
        layout: &Layout,
        terms: Vec<Term>,
        solver: &StepSolver,
    ) -> Result<Self, PdeError> {
        if let StepSolver::Adam(plateau) = solver {
            plateau.check()?;
        }
        let terms = Terms::compile(layout, terms, (Weighting::Fixed, Mode::Evaluate))?;
        let problem = match solver {
            StepSolver::LeastSquares(_) => Some(terms.least_squares()?),
            StepSolver::Adam(_) => None,
        };
        Ok(Self {
            terms,
            problem,
            solver: solver.clone(),
            slopes: vec![0.0; layout.len()],
        })
    }

    /// Minimises from `parameters`, which are left as they were after an error. `number` is what errors call the step.
    pub(crate) fn run(
        &mut self,
        parameters: &mut Parameters<f64>,
        (number, key): (usize, Key),
        draw: Draw<'_>,
    ) -> Result<StepReport, PdeError> {
        let mut trial = parameters.clone();
        let solver = self.solver.clone();
        let report = match &solver {
            StepSolver::LeastSquares(method) => self.least_squares(method, &mut trial, key, draw),
            StepSolver::Adam(plateau) => self.adam(plateau, &mut trial, key, draw),
        };
        let diverged = |value| PdeError::Diverged {
            step: number,
            value,
        };
        let report = report.map_err(|error| match error {
            PdeError::Network(NetworkError::NotFinite { value, .. })
            | PdeError::NotFinite { value, .. } => diverged(value),
            other => other,
        })?;
        let stray = trial.values().iter().find(|v| !v.is_finite());
        if !report.loss.is_finite() || stray.is_some() {
            return Err(diverged(stray.copied().unwrap_or(report.loss)));
        }
        parameters.values_mut().copy_from_slice(trial.values());
        Ok(report)
    }

    /// Points for a key, with weights 1/n.
    fn data(&mut self, key: Key, draw: &mut Draw<'_>) -> Result<Vec<Vec<f64>>, PdeError> {
        for (i, points) in draw(key)?.into_iter().enumerate() {
            self.terms.set_points(i, points)?;
        }
        Ok(self.terms.data())
    }

    fn least_squares(
        &mut self,
        method: &LevenbergMarquardt,
        parameters: &mut Parameters<f64>,
        key: Key,
        mut draw: Draw<'_>,
    ) -> Result<StepReport, PdeError> {
        let data = self.data(key, &mut draw)?;
        let frozen = self.terms.frozen(parameters, &data)?;
        let frozen: Vec<&[f64]> = frozen.iter().map(|d| &d[..]).collect();
        // Compiled for this solver.
        let problem = match &mut self.problem {
            Some(problem) => problem,
            none => none.insert(self.terms.least_squares()?),
        };
        let fit = method.fit(problem, parameters, &frozen, None, &mut ())?;
        Ok(StepReport {
            loss: fit.loss,
            iterations: fit.steps + fit.rejected,
        })
    }

    fn adam(
        &mut self,
        plateau: &Plateau,
        parameters: &mut Parameters<f64>,
        key: Key,
        mut draw: Draw<'_>,
    ) -> Result<StepReport, PdeError> {
        let rule = Adam::default();
        Rule::<f64>::check(&rule)?;
        let mut adam = Optimizer::new(rule, parameters.values().len());
        let (mut rate, mut best, mut since) = (plateau.rate, f64::INFINITY, 0);
        let mut report = StepReport {
            loss: f64::NAN,
            iterations: 0,
        };
        for iteration in 0..plateau.iterations {
            let data = self.data(key.fold_in(iteration as u64), &mut draw)?;
            let views: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
            report.loss = self
                .terms
                .gradient(parameters, &views, key, &mut self.slopes)?;
            report.iterations += 1;
            if !report.loss.is_finite() {
                break;
            }
            let watched = match plateau.watch {
                Watch::Total => report.loss,
                Watch::Main => self.terms.last_loss(0),
            };
            // As the scheduler of PyTorch counts, with its relative threshold of 1e-4.
            if watched < best * (1.0 - 1e-4) {
                (best, since) = (watched, 0);
            } else {
                since += 1;
            }
            if since > plateau.patience {
                if rate <= plateau.floor {
                    break;
                }
                (rate, since) = ((rate * plateau.factor).max(plateau.floor), 0);
            }
            adam.step(rate, &self.slopes, parameters.values_mut())?;
        }
        Ok(report)
    }
}
