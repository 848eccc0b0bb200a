//! Ensembles of networks between noisy measurements and imperfect equations (iPINNER).
//!
//! Where measurements are noisy and the equation is not quite right, no weighting of residual, conditions and data is the
//! right one. A population of networks is trained and selected by NSGA-III on all losses at once, so that its members
//! disagree as much as the losses do; their values at the sensors are the forecast of an ensemble Kalman filter, its
//! analysis takes the place of the data, and training goes on:
//!
//! 1. for some generations: train each member by gradients on the weighted sum, breed as many children by exchanging and
//!    disturbing layers, keep the better half by NSGA-III on the vector of losses;
//! 2. forecast: what each member says at the sensors;
//! 3. analysis, given the data and their variance;
//! 4. the mean of the analysis becomes the data; stop when it moves by less than a tolerance.
//!
//! Cost: iterations × generations × members trainings; the rest is small.
//!
//! When to use it: noise that a single network would fit, or an equation with a wrong coefficient, where an error estimate
//! from the spread is wanted as well. With clean data, or with white noise on the source of a right equation, one network
//! trained as long is as good and cheaper by the number of members.
//!
//! Reference: B. Lu, C. Mou, G. Lin, *iPINNER: an iterative physics-informed neural network with ensemble Kalman filter*,
//! 2025.
// Deviation: the paper's algorithm 2 has a loss of analysis minus raw data, which no network appears in; here it is network
// minus analysis.

use ansatz_autodiff::Element;
use ansatz_core::{Event, Key, NoiseLevel, Observer};
use ansatz_nn::{Layout, Mode, Parameters};
use ansatz_stats::kalman::{EnsembleKalman, Measured, Noise};

use crate::error::{expect, finite, within};
use crate::evolution::{OfLayers, Survival, breed, das_dennis};
use crate::{PdeError, Residual, Stage, Term, Terms, Trainer, Weighting, sample};

/// What is measured.
#[derive(Clone)]
pub struct Sensors {
    /// Coordinates of a sensor.
    pub columns: usize,
    /// Places, rows of that.
    pub points: Vec<f64>,
    /// Measured numbers, rows of as many as `values` gives for a place.
    pub measured: Vec<f64>,
    /// Variance of their noise.
    pub variance: f64,
    /// What networks say, given the places.
    pub values: Residual,
    /// Weight of the squared difference in the sum that gradients see.
    pub weight: f64,
}

impl std::fmt::Debug for Sensors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, variance) = (self.measured.len(), self.variance);
        write!(f, "Sensors({n} numbers, variance {variance})")
    }
}

/// Equation, conditions and measurements.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Parameters of the networks, and of the equation where it has unknown ones.
    pub layout: Layout,
    /// Equation and conditions, each with the number of the loss that it is part of, from 0.
    pub terms: Vec<(usize, Term)>,
    /// Measurements, a loss of their own after those.
    pub sensors: Sensors,
}

/// Options of the loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Ipinner {
    /// Networks.
    pub members: usize,
    /// Generations before each analysis.
    pub generations: usize,
    /// The training of a member in one generation.
    pub training: Vec<Stage>,
    /// Divisions of the directions of NSGA-III.
    pub divisions: usize,
    /// Standard deviation of mutations, in parts of a layer's size.
    pub mutation: f64,
    /// The filter.
    pub filter: EnsembleKalman,
    /// Most analyses.
    pub iterations: usize,
    /// Mean squared move of the data at which the loop ends.
    pub tolerance: f64,
}

impl Default for Ipinner {
    /// Eight networks, three generations of 1000 steps of Adam at 1e-3, perturbed measurements, five analyses, until the
    /// data move by less than 1e-6.
    fn default() -> Self {
        let rate = ansatz_nn::Schedule::Constant(1e-3);
        Self {
            members: 8,
            generations: 3,
            training: vec![Stage::adam(1000, rate)],
            divisions: 4,
            mutation: 0.01,
            filter: EnsembleKalman::default(),
            iterations: 5,
            tolerance: 1e-6,
        }
    }
}

/// What an observer sees after each analysis.
#[derive(Debug)]
#[non_exhaustive]
pub struct Analysis<'a, T> {
    /// The networks.
    pub members: &'a [Parameters<T>],
    /// Mean of the analysis, the data from now on.
    pub data: &'a [f64],
    /// Mean squared move of the data.
    pub moved: f64,
}

/// What was reached.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IpinnerReport<T> {
    /// The networks, in NSGA-III's order.
    pub members: Vec<Parameters<T>>,
    /// Losses of each, rows.
    pub losses: Vec<f64>,
    /// The mean of the last analysis.
    pub data: Vec<f64>,
    /// Mean squared moves of the data.
    pub moves: Vec<f64>,
    /// Evaluations of losses and gradients.
    pub evaluations: usize,
}

impl<T: Element> IpinnerReport<T> {
    /// Mean and standard deviation over the members of what `function` makes of points, as [`sample`].
    ///
    /// # Errors
    /// As [`sample`].
    pub fn spread(
        &self,
        columns: usize,
        points: &[f64],
        function: &Residual,
    ) -> Result<Vec<[f64; 2]>, PdeError> {
        let mut all = Vec::new();
        for member in &self.members {
            all.push(sample(member, columns, points, |pass, x| {
                function(pass, x)
            })?);
        }
        let n = all.len() as f64;
        let places = all.first().map_or(0, Vec::len);
        let moments = |i: usize| {
            let mean = all.iter().map(|v| v[i]).sum::<f64>() / n;
            let square = all.iter().map(|v| (v[i] - mean).powi(2)).sum::<f64>();
            [mean, (square / (n - 1.0)).sqrt()]
        };
        Ok((0..places).map(moments).collect())
    }
}

/// Keys below this belong to members and generations.
const FILTER: u64 = 1 << 40;

impl Ipinner {
    /// Runs the loop from networks drawn by `key`.
    ///
    /// # Errors
    /// [`PdeError::Option`] for less than two members, no training or a variance that is not above 0; [`PdeError::Width`] for
    /// measurements that are not one row for each place; what terms, training and the filter refuse.
    pub fn run<T, O>(
        &self,
        problem: &Observed,
        key: Key,
        observer: &mut O,
    ) -> Result<IpinnerReport<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Analysis<'a, T>> + ?Sized,
    {
        let count = self.check(problem)?;
        let sensors = &problem.sensors;
        let mut data = sensors.measured.clone();
        let mut terms: Vec<Term> = problem.terms.iter().map(|(_, t)| t.clone()).collect();
        terms.push(sensors.term(&data)?);
        let last = terms.len() - 1;
        let mut terms =
            Terms::<T>::compile(&problem.layout, terms, (Weighting::Fixed, Mode::Train))?;
        let mut members: Vec<Parameters<T>> = (0..self.members as u64)
            .map(|i| Parameters::new(terms.layout(), key.fold_in(i)))
            .collect();
        let places = problem.terms.iter().map(|(loss, _)| *loss);
        let places: Vec<usize> = places.chain([count - 1]).collect();
        let mut report = IpinnerReport {
            members: Vec::new(),
            losses: Vec::new(),
            data: Vec::new(),
            moves: Vec::new(),
            evaluations: 0,
        };
        for iteration in 0..self.iterations {
            let key = key.fold_in(self.members as u64 + iteration as u64);
            report.losses = self.breed(
                &mut terms,
                &mut members,
                (&places, count),
                key,
                &mut report.evaluations,
            )?;
            let mut forecast = Vec::new();
            for member in &members {
                let values = &sensors.values;
                forecast.extend(sample(
                    member,
                    sensors.columns,
                    &sensors.points,
                    |pass, x| values(pass, x),
                )?);
            }
            let predicted = forecast.clone();
            let variances = vec![sensors.variance; data.len()];
            let measured = Measured {
                values: &data,
                noise: Noise::Variances(&variances),
            };
            let key = key.fold_in(FILTER);
            self.filter
                .analyse(&mut forecast, self.members, &predicted, measured, key)?;
            let mean = |i: usize| {
                let values = forecast.iter().skip(i).step_by(data.len());
                values.sum::<f64>() / self.members as f64
            };
            let analysed: Vec<f64> = (0..data.len()).map(mean).collect();
            let squares = analysed.iter().zip(&data).map(|(a, b)| (a - b) * (a - b));
            let moved = squares.sum::<f64>() / data.len() as f64;
            data = analysed;
            report.moves.push(moved);
            terms.set_points(last, sensors.rows(&data)?)?;
            let state = Analysis {
                members: &members,
                data: &data,
                moved,
            };
            let level = NoiseLevel::clean((iteration + 1) as f64);
            let event = Event::new(
                iteration + 1,
                self.iterations,
                report.evaluations,
                level,
                &state,
            );
            if observer.on_step(&event).is_break() || moved < self.tolerance {
                break;
            }
        }
        (report.members, report.data) = (members, data);
        Ok(report)
    }

    /// Trains, breeds and selects; losses of the members that are left.
    fn breed<T: Element>(
        &self,
        terms: &mut Terms<T>,
        members: &mut Vec<Parameters<T>>,
        (places, count): (&[usize], usize),
        key: Key,
        evaluations: &mut usize,
    ) -> Result<Vec<f64>, PdeError> {
        let mut variation = OfLayers::new(terms.layout());
        variation.mutation = self.mutation;
        let mut survival = Survival::new(count, das_dennis(count, self.divisions)?)?;
        let mut kept = Vec::new();
        for generation in 0..self.generations.max(1) as u64 {
            let key = key.fold_in(generation);
            for (i, member) in members.iter_mut().enumerate() {
                let trainer = Trainer::new(self.training.clone(), key.fold_in(i as u64));
                *evaluations += trainer.run(terms, member, &mut ())?.evaluations;
            }
            let genes: Vec<f64> = members
                .iter()
                .flat_map(|m| m.values().iter().map(|v| v.f64()))
                .collect();
            let width = terms.layout().len();
            let children = breed(&genes, members.len(), &variation, key.fold_in(FILTER));
            for genes in children.chunks(width) {
                let mut child = members[0].clone();
                let values = child.values_mut().iter_mut().zip(genes);
                values.for_each(|(to, from)| *to = T::of(*from));
                members.push(child);
            }
            let data = terms.data();
            let mut losses = vec![0.0; members.len() * count];
            for (member, losses) in members.iter().zip(losses.chunks_mut(count)) {
                let squares = terms.mean_squares(member, &data)?;
                let weights = terms.weights(member);
                for ((place, square), weight) in places.iter().zip(squares).zip(weights) {
                    losses[*place] += weight * square;
                }
            }
            let chosen = survival.select(&losses, self.members, key.fold_in(FILTER + 1))?;
            *members = chosen.iter().map(|i| members[*i].clone()).collect();
            let rows = chosen
                .iter()
                .flat_map(|i| &losses[i * count..(i + 1) * count]);
            kept = rows.copied().collect();
        }
        Ok(kept)
    }

    /// Checks the options; number of losses.
    fn check(&self, problem: &Observed) -> Result<usize, PdeError> {
        within("members", self.members as f64, 2.0.., "2 or more")?;
        within("iterations", self.iterations as f64, 1.0.., "1 or more")?;
        within(
            "training",
            self.training.len() as f64,
            1.0..,
            "at least one stage",
        )?;
        within("divisions", self.divisions as f64, 1.0.., "1 or more")?;
        within("mutation", self.mutation, 0.0.., "a number not below 0")?;
        within("tolerance", self.tolerance, 0.0.., "a number not below 0")?;
        let variance = problem.sensors.variance;
        within(
            "variance",
            variance,
            f64::MIN_POSITIVE..,
            "a number above 0",
        )?;
        let losses = problem.terms.iter().map(|(loss, _)| loss + 1);
        Ok(losses.max().unwrap_or(0) + 1)
    }
}

impl Sensors {
    /// Places with their numbers.
    fn rows(&self, measured: &[f64]) -> Result<Vec<f64>, PdeError> {
        let columns = self.columns.max(1);
        let places = self.points.len() / columns;
        expect(
            "coordinates of sensors",
            places * columns,
            self.points.len(),
        )?;
        let width = measured.len() / places.max(1);
        expect(
            "measured numbers, a row for each place",
            (places * width).max(1),
            measured.len(),
        )?;
        finite(|| "measured numbers".into(), measured)?;
        let rows = self.points.chunks(columns).zip(measured.chunks(width));
        Ok(rows.flat_map(|(p, m)| p.iter().chain(m)).copied().collect())
    }

    fn term(&self, measured: &[f64]) -> Result<Term, PdeError> {
        let rows = self.rows(measured)?;
        let columns = self.columns;
        let wide = rows.len() / (self.points.len() / columns.max(1)).max(1);
        let values = self.values.clone();
        let term = Term::new("sensors", wide, rows, move |pass, x| {
            let at = x.narrow(1, 0, columns).variable();
            let found = values(pass, at)?;
            expect(
                "numbers of a sensor",
                wide - columns,
                found.shape().len() / found.shape()[0],
            )?;
            Ok(found - x.narrow(1, columns, wide))
        });
        Ok(term.weighted(self.weight))
    }
}
