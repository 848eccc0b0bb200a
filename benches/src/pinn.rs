//! Physics-informed networks: three problems as text, trained from one start on one set of points.
//!
//! Points and parameters at the start are numbers of `f32`, so that every peer works on the same ones.

use std::f64::consts::PI;
use std::ops::ControlFlow;
use std::time::Instant;

use ansatz_autodiff::{Element, Graph, Trace, gradient};
use ansatz_core::{Event, Key};
use ansatz_nn::{
    Adam, LevenbergMarquardt, Mode, Parameters, Pass, Schedule, Training, TrainingOptions,
};
use ansatz_pde::{
    Assembly, Counts, Moment, Network, PdeError, Problem, Stage, Term, Terms, Trainer, Weighting,
    relative_error, sample,
};
use ansatz_physics::burgers::ColeHopf;
use serde::Serialize;

use crate::suites::SuiteError;

/// The problems by name.
pub const PROBLEMS: [&str; 3] = ["Burgers", "Helmholtz", "Kuramoto-Sivashinsky"];

/// The rate of Adam.
pub const RATE: f64 = 1e-3;

/// Points and the exact values there.
type Sampled = (Vec<f64>, Vec<f64>);

/// Points along each coordinate of the grid on which errors are taken.
const GRID: [usize; 2] = [129, 65];

/// A problem with its network, points and start.
#[derive(Debug)]
pub struct Setup {
    /// Its name.
    pub name: &'static str,
    /// The problem.
    pub problem: Problem,
    /// The network with the places of its parameters.
    pub assembly: Assembly,
    /// Residuals with their points.
    pub terms: Vec<Term>,
    /// The parameters at the start.
    pub start: Parameters<f64>,
    /// Points of a grid and the solution there, where it is known.
    grid: Option<(Vec<f64>, Vec<f64>)>,
}

/// What a peer needs to do the same.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Rows of points of each term.
    pub points: Vec<Vec<f64>>,
    /// Weights and biases of the layers in turn.
    pub parameters: Vec<Vec<f64>>,
}

/// u_t + u·u_x = (0.01/π)u_xx from −sin πx.
fn burgers() -> Result<Problem, PdeError> {
    Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + u*u_x = (0.01/pi)*u_xx")
        .condition("boundary", "u = 0")
        .condition("t = 0", "u = -sin(pi*x)")
        .build()
}

/// −Δu − k²u = k²·sin kx·sin ky on the unit square, k = 2π, u = 0 on its edge by the form of u.
fn helmholtz() -> Result<Problem, PdeError> {
    Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .constant("k", 2.0 * PI)
        .unknown("u")
        .equation("-u_xx - u_yy - k^2*u = k^2*sin(k*x)*sin(k*y)")
        .form("u", "x*(1 - x)*y*(1 - y)*u")
        .build()
}

/// u_t + 5u·u_x + 0.5u_xx + 0.005u_xxxx = 0, periodic, from −sin πx.
fn kuramoto_sivashinsky() -> Result<Problem, PdeError> {
    Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + 5*u*u_x + 0.5*u_xx + 0.005*u_xxxx = 0")
        .periodic("x")
        .condition("t = 0", "u = -sin(pi*x)")
        .build()
}

/// The values of `f32` nearest to these.
fn round(values: &mut [f64]) {
    for v in values {
        *v = f64::from(*v as f32);
    }
}

impl Setup {
    /// The problem of a name.
    ///
    /// # Errors
    /// [`SuiteError::Unknown`] when there is none; those of the problem.
    pub fn new(name: &str) -> Result<Self, SuiteError> {
        let place = PROBLEMS.iter().position(|known| *known == name);
        let Some(place) = place else {
            return Err(SuiteError::Unknown {
                name: name.to_owned(),
                known: PROBLEMS.join(", "),
            });
        };
        let (problem, hidden, counts) = match place {
            0 => (burgers()?, [20; 3], &[2540, 80, 160][..]),
            1 => (helmholtz()?, [50; 3], &[400][..]),
            _ => (kuramoto_sivashinsky()?, [32; 3], &[1000, 100][..]),
        };
        let assembly = Network::mlp(&hidden).assemble(&problem)?;
        let key = Key::new(47);
        let coefficients = &assembly.coefficients;
        let mut terms = problem.terms(&assembly.model, coefficients, &Counts::default(), key)?;
        for (i, (term, count)) in terms.iter_mut().zip(counts).enumerate() {
            if let Some(source) = &term.source {
                term.points = source(key.fold_in(i as u64), *count);
            }
            round(&mut term.points);
        }
        let mut start = Parameters::new(&assembly.layout, key);
        round(start.values_mut());
        let mut setup = Self {
            name: PROBLEMS[place],
            problem,
            assembly,
            terms,
            start,
            grid: None,
        };
        setup.grid = setup.solution()?;
        Ok(setup)
    }

    /// A grid with the exact solution.
    fn solution(&self) -> Result<Option<Sampled>, SuiteError> {
        let bounds = self.problem.domain().bounds();
        let at = |axis: usize, i: usize| {
            let s = i as f64 / (GRID[axis] - 1) as f64;
            bounds.low[axis] * (1.0 - s) + bounds.high[axis] * s
        };
        let pairs = (0..GRID[0]).flat_map(|i| (0..GRID[1]).map(move |j| [i, j]));
        let points: Vec<f64> = pairs.flat_map(|[i, j]| [at(0, i), at(1, j)]).collect();
        let values = match self.name {
            "Burgers" => {
                let exact = ColeHopf::new(0.01 / PI)?;
                let value = |p: &[f64]| exact.value(p[0], p[1]);
                points.chunks(2).map(value).collect::<Result<Vec<_>, _>>()?
            }
            "Helmholtz" => {
                let wave = |x: f64| (2.0 * PI * x).sin();
                points.chunks(2).map(|p| wave(p[0]) * wave(p[1])).collect()
            }
            _ => return Ok(None),
        };
        Ok(Some((points, values)))
    }

    /// For a peer.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description {
            points: self.terms.iter().map(|t| t.points.clone()).collect(),
            parameters: self.start.iter().map(|(_, v)| v.to_vec()).collect(),
        }
    }

    /// Parameters from their values one after the other.
    ///
    /// # Errors
    /// For another number of them.
    pub fn parameters<T: Element>(&self, values: &[f64]) -> Result<Parameters<T>, SuiteError> {
        let mut parameters = Parameters::new(&self.assembly.layout, Key::new(0));
        let expected = parameters.values().len();
        if values.len() != expected {
            return Err(ansatz_nn::NetworkError::Size {
                what: "parameters",
                expected,
                got: values.len(),
            }
            .into());
        }
        for (p, v) in parameters.values_mut().iter_mut().zip(values) {
            *p = T::of(*v);
        }
        Ok(parameters)
    }

    /// ‖u − exact‖/‖exact‖ on the grid, in double precision; none where the solution is not known.
    ///
    /// # Errors
    /// As [`sample`].
    pub fn error(&self, parameters: &[f64]) -> Result<Option<f64>, SuiteError> {
        let Some((points, exact)) = &self.grid else {
            return Ok(None);
        };
        let parameters = self.parameters::<f64>(parameters)?;
        let model = &self.assembly.model;
        let found = sample(&parameters, 2, points, |pass, x| Ok(model.apply(pass, x)))?;
        Ok(Some(relative_error(&found, exact)?))
    }

    /// Loss and gradient of each term, with the number of its points, as the graphs that a training compiles.
    ///
    /// # Errors
    /// What a residual refuses.
    pub fn traces(&self) -> Result<Vec<(Trace, usize)>, SuiteError> {
        let one = |term: &Term| -> Result<(Trace, usize), SuiteError> {
            let n = term.len();
            let graph = Graph::new();
            let layout = &self.assembly.layout;
            let pass = Pass::new(&graph, layout, (Mode::Train, Some(n)));
            let x = graph.batch(&[n, term.columns]);
            let loss = (term.residual)(&pass, x)?.square().mean();
            let mut outputs = vec![loss];
            outputs.extend(gradient(loss, pass.arrays()));
            Ok((graph.finish(&outputs), n))
        };
        self.terms.iter().map(one).collect()
    }

    fn compile<T: Element>(&self) -> Result<Terms<T>, SuiteError> {
        let how = (Weighting::Fixed, Mode::Train);
        let terms = self.terms.clone();
        Ok(Terms::compile(&self.assembly.layout, terms, how)?)
    }

    /// Seconds of Levenberg-Marquardt steps in `f64` from the start until the error on the grid is `goal`, with the error
    /// that was reached and the steps taken, 300 at most; looking at the error is not counted.
    ///
    /// # Errors
    /// Those of [`Trainer::run`].
    pub fn second_order(&self, goal: f64) -> Result<(f64, f64, usize), SuiteError> {
        let mut terms = self.compile::<f64>()?;
        let mut parameters = self.parameters::<f64>(self.start.values())?;
        let method = LevenbergMarquardt {
            steps: 300,
            ..LevenbergMarquardt::default()
        };
        let trainer = Trainer::new(
            vec![Stage::LevenbergMarquardt { method, rounds: 1 }],
            Key::new(48),
        );
        let (mut seconds, mut error, mut steps) = (0.0, f64::INFINITY, 0);
        let mut failed = None;
        let mut since = Instant::now();
        let mut watch = |event: &Event<'_, Moment<'_, f64>>| {
            seconds += since.elapsed().as_secs_f64();
            steps = event.step;
            match self.error(event.state.parameters.values()) {
                Ok(found) => error = found.unwrap_or(f64::INFINITY),
                Err(e) => failed = Some(e),
            }
            since = Instant::now();
            if error <= goal || failed.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        trainer.run(&mut terms, &mut parameters, &mut watch)?;
        match failed {
            Some(e) => Err(e),
            None => Ok((seconds, error, steps)),
        }
    }
}

/// A training by Adam in `f32`, at work.
#[derive(Debug)]
pub struct Run {
    terms: Terms<f32>,
    data: Vec<Vec<f32>>,
    training: Training<f32, Adam>,
}

impl Run {
    /// A training at its start.
    ///
    /// # Errors
    /// Those of [`Terms::compile`].
    pub fn new(setup: &Setup) -> Result<Self, SuiteError> {
        let terms = setup.compile()?;
        let parameters = setup.parameters(setup.start.values())?;
        Ok(Self {
            data: terms.data(),
            terms,
            training: Training::new(parameters, Adam::default(), Key::new(49)),
        })
    }

    /// So many more steps: their losses, each before its step, and the seconds of all.
    ///
    /// # Errors
    /// Those of [`Training::run`].
    pub fn steps(&mut self, count: u64) -> Result<(Vec<f64>, f64), SuiteError> {
        let options = TrainingOptions {
            steps: self.training.optimizer.steps() + count,
            rate: Schedule::Constant(RATE),
            ..TrainingOptions::default()
        };
        let mut losses = Vec::with_capacity(count as usize);
        let mut watch = |event: &Event<'_, ansatz_nn::Progress<'_, f32>>| {
            losses.push(event.state.loss);
            ControlFlow::Continue(())
        };
        let (data, mut filled) = (&self.data, false);
        let batch = |_: Key, batch: &mut [Vec<f32>]| {
            if !filled {
                batch.clone_from_slice(data);
                filled = true;
            }
        };
        let begin = Instant::now();
        self.training
            .run(&mut self.terms, &options, batch, &mut watch)?;
        Ok((losses, begin.elapsed().as_secs_f64()))
    }

    /// The parameters now.
    #[must_use]
    pub fn parameters(&self) -> Vec<f64> {
        let values = self.training.parameters.values().iter();
        values.map(|v| f64::from(*v)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points, sizes of networks, and losses that fall.
    #[test]
    fn problems_are_those_of_the_peers() {
        for (name, points, parameters) in [
            ("Burgers", &[2540, 80, 160][..], 921),
            ("Helmholtz", &[400][..], 5301),
            ("Kuramoto-Sivashinsky", &[1000, 100][..], 2273),
        ] {
            let setup = Setup::new(name).unwrap();
            let counts: Vec<usize> = setup.terms.iter().map(Term::len).collect();
            assert_eq!(counts, points);
            assert_eq!(setup.start.values().len(), parameters);
            let (losses, seconds) = Run::new(&setup).unwrap().steps(20).unwrap();
            assert!(
                losses[19] < losses[0] && seconds > 0.0,
                "{name}: {losses:?}"
            );
        }
    }

    /// The exact solution of Helmholtz' equation leaves no residual: text and grid belong together.
    #[test]
    fn errors_are_against_solutions() {
        let setup = Setup::new("Helmholtz").unwrap();
        let zeros = vec![0.0; setup.start.values().len()];
        assert!((setup.error(&zeros).unwrap().unwrap() - 1.0).abs() < 1e-14);
        assert!(setup.error(&zeros[1..]).is_err());
        assert!(Setup::new("Euler").is_err());
    }
}
