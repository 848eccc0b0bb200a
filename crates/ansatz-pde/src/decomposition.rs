//! Domains cut into parts, each with a network of its own.
//!
//! Two ways to join them. Where windows overlap ([`Parts`], a network like any other), the sum Σᵢ ωᵢ(x)·Nᵢ(x), each in its own
//! coordinates, is smooth and needs no further terms: B. Moseley, A. Markham, T. Nissen-Meyer, *Finite basis physics-informed
//! neural networks (FBPINNs)*, 2023 (eqs. 11 to 13); several levels are summed: V. Dolean, A. Heinlein, S. Mishra,
//! B. Moseley, *Multilevel domain decomposition-based architectures for physics-informed neural networks*, 2024. Where
//! parts meet at cuts ([`Subdomains`]), terms of the loss make networks agree there: values with their mean, and either
//! residuals (A. Jagtap, G. Karniadakis, *Extended physics-informed neural networks (XPINNs)*, 2020, eq. 5) or fluxes
//! (A. Jagtap, E. Kharazmi, G. Karniadakis, *Conservative physics-informed neural networks on discrete domains for
//! conservation laws*, 2020, eq. 10).

use std::sync::Arc;

use ansatz_autodiff::{Array, Element};
use ansatz_core::{Key, Observer};
use ansatz_nn::{Layer, Layout, Mode, Parameters, Pass, Scope};

use crate::error::within;
use crate::{
    Assembly, Bounds, Counts, Decomposition, Model, Moment, Network, PdeError, Points, Problem,
    Solution, Stage, Term, Terms, Trainer, Weighting, Window,
};

/// Networks under overlapping windows, on one level or several.
#[derive(Clone)]
pub struct Parts {
    /// Windows of a level, and the network under each.
    levels: Vec<(Decomposition, Vec<Model>)>,
}

/// How [`Parts`] are laid out, in coordinates from −1 to 1.
#[derive(Debug, Clone)]
pub struct PartsOptions {
    /// For each level the number of parts along each coordinate.
    pub levels: Vec<Vec<usize>>,
    /// Width of a part over the distance of neighbours, above 1.
    pub overlap: f64,
    /// The windows.
    pub window: Window,
    /// The network of each part.
    pub network: Network,
}

impl Parts {
    /// Networks of `inputs` coordinates from −1 to 1.
    ///
    /// # Errors
    /// [`PdeError::Domain`] when windows leave gaps, [`PdeError::Nothing`] for no level, and as [`Network::place`].
    pub fn new(
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        options: &PartsOptions,
    ) -> Result<Self, PdeError> {
        if options.levels.is_empty() {
            return Err(PdeError::Nothing {
                what: "level of parts",
                remedy: "give the numbers of parts along each coordinate",
            });
        }
        let domain = Bounds {
            low: vec![-1.0; inputs],
            high: vec![1.0; inputs],
        };
        let mut level = |(l, counts): (usize, &Vec<usize>)| {
            let (overlap, window) = (options.overlap, options.window);
            let windows = Decomposition::regular(&domain, counts, overlap, window)?;
            let mut scope = scope.scope(l);
            let nets = 0..windows.len();
            let nets = nets.map(|i| options.network.place(&mut scope.scope(i), inputs, outputs));
            Ok((windows, nets.collect::<Result<_, PdeError>>()?))
        };
        let levels = options.levels.iter().enumerate().map(&mut level);
        let levels = levels.collect::<Result<_, PdeError>>()?;
        Ok(Self { levels })
    }
}

impl Layer for Parts {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let mut total: Option<Array<'g>> = None;
        for (windows, nets) in &self.levels {
            let weights = windows.weights_in_graph(x);
            for (i, net) in nets.iter().enumerate() {
                let own = net.apply(pass, windows.local_in_graph(i, x));
                let part = own * weights.narrow(1, i, i + 1);
                total = Some(total.map_or(part, |t| t + part));
            }
        }
        total.unwrap_or(x)
    }
}

/// What networks must agree on at cuts, beside their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// Residuals of the equations (XPINN): for cuts in time, and other coordinates in which the equations are of order 1.
    /// Where they are of order 2 a solution with a bend at the cut makes all terms vanish; take fluxes there.
    Residual,
    /// Fluxes across the cut (cPINN): expressions of the unknowns, such as `u^2/2 - nu*u_x`.
    Flux(Vec<String>),
}

/// Networks on the two sides of cuts through one coordinate.
#[derive(Debug, Clone)]
pub struct Subdomains {
    /// The coordinate that is cut.
    pub coordinate: String,
    /// Where, in rising order.
    pub cuts: Vec<f64>,
    /// The network of each part.
    pub network: Network,
    /// What must agree.
    pub interface: Interface,
    /// Points: those inside are shared out among parts, each condition and each cut has its own.
    pub points: Counts,
    /// Weights of the conditions, the equations and the terms of cuts.
    pub weights: [f64; 3],
    /// Stages of the training.
    pub stages: Vec<Stage>,
    /// Decides on parameters and points.
    pub key: Key,
}

impl Default for Subdomains {
    /// No cut; networks of two hidden layers of 20 that agree on residuals; weights 20, 1 and 5; 100 steps of
    /// Levenberg-Marquardt.
    fn default() -> Self {
        Self {
            coordinate: String::new(),
            cuts: Vec::new(),
            network: Network::mlp(&[20, 20]),
            interface: Interface::Residual,
            points: Counts::default(),
            weights: [20.0, 1.0, 5.0],
            stages: vec![Stage::levenberg_marquardt(100)],
            key: Key::new(0),
        }
    }
}

/// The network of the part that a point is in.
struct Piecewise {
    axis: usize,
    cuts: Vec<f64>,
    nets: Vec<Model>,
}

impl Layer for Piecewise {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let place = x.narrow(1, self.axis, self.axis + 1);
        let mut nets = self.nets.iter().map(|net| net.apply(pass, x));
        let first = nets.next().unwrap_or(x);
        nets.zip(&self.cuts).fold(first, |before, (net, cut)| {
            place.less(place.filled(*cut)).select(before, net)
        })
    }
}

impl Subdomains {
    /// Trains all networks together.
    ///
    /// # Errors
    /// [`PdeError::Unknown`] for the coordinate, [`PdeError::Option`] for cuts outside the domain or out of order,
    /// [`PdeError::Text`] for fluxes, and as [`Pinn::solve`](crate::Pinn::solve).
    pub fn solve<T, O>(&self, problem: &Problem, observer: &mut O) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        let axis = problem.axis(&self.coordinate)?;
        let bounds = problem.domain().bounds();
        let mut ends = vec![bounds.low[axis]];
        for cut in &self.cuts {
            let last = ends[ends.len() - 1];
            let inside = last..bounds.high[axis];
            let inside = (
                std::ops::Bound::Excluded(inside.start),
                std::ops::Bound::Excluded(inside.end),
            );
            within(
                "cut",
                *cut,
                inside,
                "between the cut before and the end of the domain",
            )?;
            ends.push(*cut);
        }
        ends.push(bounds.high[axis]);

        let mut layout = Layout::new();
        let mut nets: Vec<Model> = Vec::new();
        for (i, end) in ends.windows(2).enumerate() {
            let mut root = layout.root();
            let scope = &mut root.scope(format!("parts.{i}"));
            let net = self
                .network
                .within_part(problem, (axis, [end[0], end[1]]), scope)?;
            nets.push(problem.formed(net));
        }
        let coefficients = problem.place_coefficients(&mut layout.root().scope("coefficients"));
        let model: Model = Arc::new(Piecewise {
            axis,
            cuts: self.cuts.clone(),
            nets: nets.clone(),
        });

        let [on_conditions, inside, on_cuts] = self.weights;
        let key = self.key.fold_in(1);
        let mut terms = problem.terms(&model, &coefficients, &self.points, key)?;
        for term in &mut terms {
            term.weight = on_conditions;
        }
        // The equations, for each part with its own network at its own points.
        let whole = terms.remove(0);
        let columns = whole.columns;
        let mut list = Vec::new();
        for (i, (end, net)) in ends.windows(2).zip(&nets).enumerate() {
            let last = i + 2 == ends.len();
            let own = |row: &&[f64]| row[axis] >= end[0] && (row[axis] < end[1] || last);
            let points: Vec<f64> = whole
                .points
                .chunks(columns)
                .filter(own)
                .flatten()
                .copied()
                .collect();
            let residual = problem
                .residual()
                .clone()
                .of(net.clone(), coefficients.clone());
            let name = format!("part {i}: {}", whole.name);
            list.push(Term::new(name, columns, points, residual).weighted(inside));
        }
        list.append(&mut terms);
        for (i, cut) in self.cuts.iter().enumerate() {
            let pair = [nets[i].clone(), nets[i + 1].clone()];
            let points = self.on_cut(problem, (axis, *cut), key.fold_in(1000 + i as u64))?;
            list.extend(self.agree(problem, pair, (i, &points), &coefficients, on_cuts)?);
        }

        let mut terms = Terms::compile(&layout, list, (Weighting::Fixed, Mode::Train))?;
        let mut parameters = Parameters::new(terms.layout(), self.key);
        let trainer = Trainer::new(self.stages.clone(), self.key.fold_in(2));
        let report = trainer.run(&mut terms, &mut parameters, observer)?;
        let layout = terms.layout().clone();
        Ok(Solution {
            problem: problem.clone(),
            assembly: Assembly {
                layout,
                model,
                coefficients,
            },
            parameters,
            report,
        })
    }

    /// Points of the domain with the coordinate at the cut.
    fn on_cut(
        &self,
        problem: &Problem,
        (axis, cut): (usize, f64),
        key: Key,
    ) -> Result<Points, PdeError> {
        let (domain, n) = (problem.domain(), self.points.on_conditions);
        let mut points = domain
            .sample_interior(n, &self.points.sampler, key)?
            .into_vec();
        let dims = domain.dims();
        for row in points.chunks_mut(dims) {
            row[axis] = cut;
        }
        let moved = Points::new(dims, points)?;
        if dims == 1 {
            return Ok(moved.select(&[0]));
        }
        // A domain that is no box may have moved points outside.
        let inside = domain.contains(&moved)?;
        let kept: Vec<usize> = (0..moved.len()).filter(|i| inside[*i]).collect();
        Ok(moved.select(&kept))
    }

    /// The terms of a cut.
    fn agree(
        &self,
        problem: &Problem,
        [before, behind]: [Model; 2],
        (i, points): (usize, &Points),
        coefficients: &[ansatz_nn::Parameter],
        weight: f64,
    ) -> Result<[Term; 2], PdeError> {
        let (dims, rows) = (points.dims(), points.as_slice().to_vec());
        let lowered = match &self.interface {
            Interface::Residual => problem.residual().clone(),
            Interface::Flux(texts) => Arc::new(problem.expressions(texts)?),
        };
        let what = match &self.interface {
            Interface::Residual => "residuals",
            Interface::Flux(_) => "fluxes",
        };
        let pair = [before.clone(), behind.clone()];
        let values = Term::new(
            format!("values at cut {i}"),
            dims,
            rows.clone(),
            move |pass, x| {
                // (u₁ − ū)² + (u₂ − ū)² is half the square of the difference.
                let [a, b] = [&pair[0], &pair[1]].map(|net| net.apply(pass, x));
                Ok((a - b) * 0.5_f64.sqrt())
            },
        );
        let coefficients = coefficients.to_vec();
        let others = Term::new(format!("{what} at cut {i}"), dims, rows, move |pass, x| {
            let a = lowered.trace(pass, x, &*before, &coefficients)?;
            Ok(a - lowered.trace(pass, x, &*behind, &coefficients)?)
        });
        Ok([values.weighted(weight), others.weighted(weight)])
    }
}
