//! Two networks on two parts of a domain, trained with the interface conditions of an action.

use std::sync::Arc;

use ansatz_core::Key;
use ansatz_nn::{Layout, Lbfgs, Mlp, MlpOptions, Mode, NetworkError, Parameters, Schedule};

use super::{Environment, Family, Inputs, Interface};
use crate::error::within;
use crate::{
    Model, Normalised, PdeError, Sampler, Stage, Term, Terms, Trainer, Weighting, relative_error,
    sample,
};

/// How problems of a family are solved.
#[derive(Debug, Clone, PartialEq)]
pub struct SubdomainOptions {
    /// Units of each network's layers, from two inputs to one output.
    pub widths: Vec<usize>,
    /// Points of the equation in each part.
    pub points: usize,
    /// Points on the edges of each part where values are given.
    pub edge_points: usize,
    /// Points of the interface.
    pub interface_points: usize,
    /// Weights of edges, equation and interface.
    pub weights: [f64; 3],
    /// The training, one part for each stage of the bandit.
    pub stages: Vec<Vec<Stage>>,
    /// Nodes of the grid along each coordinate at whose nodes the error is taken.
    pub grid: usize,
}

impl Default for SubdomainOptions {
    /// The authors' setting in one stage: two layers of 20, 1000 points and 100 on edges in each part, weights 20, 1 and 5,
    /// 1000 steps of Adam and up to 10 000 of L-BFGS.
    fn default() -> Self {
        let method = Lbfgs {
            history: 50,
            steps: 10_000,
            gradient: 1e-9,
            change: 1e-12,
            ..Lbfgs::default()
        };
        Self {
            widths: vec![2, 20, 20, 1],
            points: 1000,
            edge_points: 100,
            interface_points: 100,
            weights: [20.0, 1.0, 5.0],
            stages: vec![vec![
                Stage::adam(1000, Schedule::Constant(1e-3)),
                Stage::Lbfgs(method),
            ]],
            grid: 101,
        }
    }
}

/// The largest error: what is larger, or none, counts as this.
const WORST: f64 = 100.0;

/// A family with two networks: rewards are −log₁₀ of the relative error after each stage.
#[derive(Debug)]
pub struct Subdomains {
    family: Family,
    options: SubdomainOptions,
    layout: Layout,
    nets: [Mlp; 2],
    problem: Option<Problem>,
}

/// A problem at work.
#[derive(Debug)]
struct Problem {
    beta: Vec<f64>,
    key: Key,
    stage: usize,
    /// None after a training that failed.
    parameters: Option<Parameters<f64>>,
    error: f64,
}

/// A rectangle: bounds of both coordinates.
type Rectangle = [[f64; 2]; 2];

/// Streams of points: inside of parts, on their edges, on the interface.
const INSIDE: u64 = 0;
const EDGES: u64 = 8;
const BETWEEN: u64 = 16;

impl Subdomains {
    /// # Errors
    /// [`PdeError::Option`] for options without points or stages.
    pub fn new(family: Family, options: SubdomainOptions) -> Result<Self, PdeError> {
        for (name, number) in [
            ("points", options.points),
            ("edge_points", options.edge_points),
            ("interface_points", options.interface_points),
            ("stages", options.stages.len()),
        ] {
            within(name, number as f64, 1.0.., "1 or more")?;
        }
        within("grid", options.grid as f64, 2.0.., "2 or more")?;
        let mut layout = Layout::new();
        let mut root = layout.root();
        let nets = [0, 1].map(|i| {
            let scope = &mut root.scope(i);
            Mlp::new(scope, &options.widths, &MlpOptions::default())
        });
        Ok(Self {
            family,
            options,
            layout,
            nets,
            problem: None,
        })
    }

    /// The relative error after the last stage, at most 100.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        self.problem.as_ref().map(|p| p.error)
    }

    /// What the networks make of points, rows of two coordinates: each where it belongs.
    ///
    /// # Errors
    /// [`PdeError::NoData`] before a problem was begun, and after a training that failed; as [`sample`].
    pub fn values(&self, points: &[f64]) -> Result<Vec<f64>, PdeError> {
        let problem = self.problem.as_ref();
        let parameters = problem
            .and_then(|p| p.parameters.as_ref())
            .ok_or(PdeError::NoData { what: "a problem" })?;
        let models = self.models()?;
        let mut both = Vec::new();
        for model in &models {
            both.push(sample(parameters, 2, points, |pass, x| {
                Ok(model.apply(pass, x))
            })?);
        }
        let split = self.family.split;
        let inside = |p: &[f64]| (split.inner[0]..=split.inner[1]).contains(&p[split.axis]);
        let rows = points.chunks(2).enumerate();
        Ok(rows
            .map(|(i, p)| both[usize::from(!inside(p))][i])
            .collect())
    }

    /// Nodes of the grid on which errors are taken.
    #[must_use]
    pub fn grid(&self) -> Vec<f64> {
        let n = self.options.grid;
        let place = |[a, b]: [f64; 2], i: usize| a + (b - a) * i as f64 / (n - 1) as f64;
        let [x, y] = self.family.domain;
        (0..n * n)
            .flat_map(|k| [place(x, k / n), place(y, k % n)])
            .collect()
    }

    fn models(&self) -> Result<[Model; 2], PdeError> {
        let [a, b] = self.parts();
        let model = |net: &Mlp, part: &[Rectangle]| -> Result<Model, PdeError> {
            Ok(match self.family.inputs {
                Inputs::Raw => Arc::new(net.clone()),
                Inputs::Scaled => {
                    let low = |i: usize| part.iter().map(|r| r[i][0]).fold(f64::INFINITY, f64::min);
                    let high = |i: usize| {
                        part.iter()
                            .map(|r| r[i][1])
                            .fold(f64::NEG_INFINITY, f64::max)
                    };
                    let bounds = [0, 1].map(|i| [low(i), high(i)]);
                    Arc::new(Normalised::new(&bounds, net.clone())?)
                }
            })
        };
        Ok([model(&self.nets[0], &a)?, model(&self.nets[1], &b)?])
    }

    /// Rectangles of the two parts.
    fn parts(&self) -> [Vec<Rectangle>; 2] {
        let (split, domain) = (self.family.split, self.family.domain);
        let [low, high] = domain[split.axis];
        let [a, b] = split.inner;
        let rectangle = |bounds: [f64; 2]| {
            let mut r = domain;
            r[split.axis] = bounds;
            r
        };
        let rest = [[low, a], [b, high]].into_iter().filter(|[p, q]| q > p);
        [vec![rectangle([a, b])], rest.map(rectangle).collect()]
    }

    /// Points in a part by a Latin hypercube.
    fn inside(&self, part: &[Rectangle], n: usize, key: Key) -> Result<Vec<f64>, PdeError> {
        let (axis, domain) = (self.family.split.axis, self.family.domain);
        let total: f64 = part.iter().map(|r| r[axis][1] - r[axis][0]).sum();
        // Along the cut coordinate rectangles follow each other.
        let cut = |mut s: f64| {
            for r in part {
                let width = r[axis][1] - r[axis][0];
                if s <= width {
                    return r[axis][0] + s;
                }
                s -= width;
            }
            part.last().map_or(0.0, |r| r[axis][1])
        };
        let [low, high] = domain[1 - axis];
        let place = |unit: &[f64]| {
            let mut p = [0.0; 2];
            p[axis] = cut(unit[0] * total);
            p[1 - axis] = low + (high - low) * unit[1];
            p
        };
        let unit = Sampler::LatinHypercube.unit(n, 2, key)?;
        Ok(unit.rows().flat_map(place).collect())
    }

    /// Points on the edges of a part where values are given.
    fn edges(&self, part: &[Rectangle], n: usize, key: Key) -> Vec<f64> {
        let (domain, given) = (self.family.domain, self.family.given);
        let mut segments: Vec<[[f64; 2]; 2]> = Vec::new();
        for r in part {
            for (axis, side) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let at = r[axis][side];
                // Bounds are copied, so equality is exact.
                if given[axis][side] && at.to_bits() == domain[axis][side].to_bits() {
                    let mut ends = [[r[0][0], r[1][0]], [r[0][1], r[1][1]]];
                    (ends[0][axis], ends[1][axis]) = (at, at);
                    segments.push(ends);
                }
            }
        }
        along(&segments, n, key)
    }

    /// Points of the interface.
    fn between(&self, n: usize, key: Key) -> Vec<f64> {
        let (split, domain) = (self.family.split, self.family.domain);
        let [low, high] = domain[split.axis];
        let inside = split.inner.into_iter().filter(|at| low < *at && *at < high);
        let segment = |at: f64| {
            [0, 1].map(|end| {
                let mut p = [0.0; 2];
                (p[split.axis], p[1 - split.axis]) = (at, domain[1 - split.axis][end]);
                p
            })
        };
        along(&inside.map(segment).collect::<Vec<_>>(), n, key)
    }

    fn terms(&self, problem: &Problem, action: &[bool]) -> Result<Vec<Term>, PdeError> {
        let (options, family) = (&self.options, &self.family);
        let models = self.models()?;
        let [edge, equation, between] = options.weights;
        let residual = (family.residual)(&problem.beta);
        let interface = Interface {
            models: models.clone(),
            residual: residual.clone(),
            flux: (family.flux)(&problem.beta),
        };
        let points = self.between(options.interface_points, problem.key.fold_in(BETWEEN));
        let mut terms: Vec<Term> = interface
            .term(action, points, between)?
            .into_iter()
            .collect();
        for (i, (model, part)) in models.into_iter().zip(self.parts()).enumerate() {
            let key = |stream: u64| problem.key.fold_in(stream + i as u64);
            let points = self.inside(&part, options.points, key(INSIDE))?;
            let (inner, residual) = (model.clone(), residual.clone());
            let term = Term::new(
                format!("{} {}", family.name, i + 1),
                2,
                points,
                move |pass, x| residual(inner.apply(pass, x), x),
            );
            terms.push(term.weighted(equation));
            let points = self.edges(&part, options.edge_points, key(EDGES));
            let values = (family.solution)(&problem.beta, &points)?;
            let rows = points.chunks(2).zip(&values);
            let rows = rows.flat_map(|(p, u)| [p[0], p[1], *u]).collect();
            let term = Term::new(format!("edges {}", i + 1), 3, rows, move |pass, x| {
                Ok(model.apply(pass, x.narrow(1, 0, 2)) - x.narrow(1, 2, 3))
            });
            terms.push(term.weighted(edge));
        }
        Ok(terms)
    }
}

/// n points on segments, one in each n-th of their length.
fn along(segments: &[[[f64; 2]; 2]], n: usize, key: Key) -> Vec<f64> {
    let length = |[a, b]: &[[f64; 2]; 2]| (b[0] - a[0]).hypot(b[1] - a[1]);
    let total: f64 = segments.iter().map(length).sum();
    let mut points = Vec::with_capacity(2 * n);
    for i in 0..n {
        let mut s = total * (i as f64 + key.uniform(0, i as u64)[0]) / n as f64;
        for (number, segment) in segments.iter().enumerate() {
            let long = length(segment);
            if s <= long || number + 1 == segments.len() {
                let t = (s / long).min(1.0);
                let [a, b] = segment;
                points.extend([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
                break;
            }
            s -= long;
        }
    }
    points
}

impl Environment for Subdomains {
    fn sample(&self, key: Key) -> Vec<f64> {
        let ranges = self.family.ranges.iter().enumerate();
        ranges
            .map(|(i, [a, b])| a + (b - a) * key.uniform(0, i as u64)[0])
            .collect()
    }

    fn begin(&mut self, context: &[f64], key: Key) -> Result<(), PdeError> {
        crate::error::expect(
            "parameters of a problem",
            self.family.ranges.len(),
            context.len(),
        )?;
        crate::error::finite(|| "parameters of a problem".into(), context)?;
        self.problem = Some(Problem {
            beta: context.to_vec(),
            key,
            stage: 0,
            parameters: Some(Parameters::new(&self.layout, key)),
            error: WORST,
        });
        Ok(())
    }

    /// A training that fails leaves the largest error.
    fn act(&mut self, action: &[bool]) -> Result<f64, PdeError> {
        let problem = self
            .problem
            .as_ref()
            .ok_or(PdeError::NoData { what: "a problem" })?;
        let (stage, beta) = (problem.stage, problem.beta.clone());
        let last = self.options.stages.len() - 1;
        let stages = self.options.stages[stage.min(last)].clone();
        let weighting = (Weighting::Fixed, Mode::Train);
        let mut terms = Terms::compile(&self.layout, self.terms(problem, action)?, weighting)?;
        let trained = match problem.parameters.clone() {
            None => None,
            Some(mut parameters) => {
                let trainer = Trainer::new(stages, problem.key.fold_in(u64::MAX - stage as u64));
                match trainer.run(&mut terms, &mut parameters, &mut ()) {
                    Ok(_) => Some(parameters),
                    Err(PdeError::Network(
                        NetworkError::NotFinite { .. } | NetworkError::LineSearch { .. },
                    )) => None,
                    Err(error) => return Err(error),
                }
            }
        };
        if let Some(problem) = &mut self.problem {
            (problem.parameters, problem.stage) = (trained, stage + 1);
        }
        let grid = self.grid();
        let exact = (self.family.solution)(&beta, &grid)?;
        let error = match self.values(&grid) {
            Ok(values) => relative_error(&values, &exact).map_or(WORST, |e| e.min(WORST)),
            Err(_) => WORST,
        };
        if let Some(problem) = &mut self.problem {
            problem.error = error;
        }
        Ok(-error.max(f64::MIN_POSITIVE).log10())
    }
}
