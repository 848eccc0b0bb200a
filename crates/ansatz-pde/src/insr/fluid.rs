//! An inviscid fluid in a box: advection by characteristics, then projection.

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_nn::{Layout, LevenbergMarquardt, Parameters};

use super::step::{First, Minimiser, StepReport, StepSolver};
use super::{START, columns};
use crate::error::within;
use crate::probe::{Probe, side_by_side};
use crate::{Model, PdeError, Term, partials};

/// What happens to characteristics that come from outside of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// They start at the wall, which makes advection of first order there.
    #[default]
    Clamp,
    /// An error.
    Refuse,
}

/// Options of a [`Fluid`].
#[derive(Debug, Clone, PartialEq)]
pub struct FluidOptions {
    /// Δt > 0.
    pub dt: f64,
    /// The domain, an interval for each axis.
    pub bounds: Vec<[f64; 2]>,
    /// Points inside.
    pub points: usize,
    /// Points on each wall.
    pub wall_points: usize,
    /// Weight of the conditions on walls.
    pub wall: f64,
    /// Characteristics from outside.
    pub outside: Outside,
    /// How the problems of a step are solved.
    pub solver: StepSolver,
    /// How the first field and the first pressure are fitted.
    pub start: StepSolver,
    /// Decides on points.
    pub key: Key,
}

impl Default for FluidOptions {
    /// Δt = 0.05 on [−1, 1]², 1024 points inside and 32 on each wall, walls of weight 1, least squares.
    fn default() -> Self {
        let start = LevenbergMarquardt {
            steps: 100,
            damping: 0.1,
            ..LevenbergMarquardt::default()
        };
        Self {
            dt: 0.05,
            bounds: vec![[-1.0, 1.0]; 2],
            points: 1024,
            wall_points: 32,
            wall: 1.0,
            outside: Outside::Clamp,
            solver: StepSolver::default(),
            start: StepSolver::LeastSquares(start),
            key: Key::new(0),
        }
    }
}

/// Velocity and pressure of an incompressible fluid without viscosity between walls,
///
/// ```text
/// u* = uₙ(x − Δt·uₙ(x)),    Δp = ∇·u* with ∂p/∂n = 0,    u = u* − ∇p with u·n = 0
/// ```
///
/// three fits of a network to data a step. The pressure is defined up to a constant and holds the factor Δt/ϱ.
///
/// Velocity and pressure have parameters of their own, made from layouts of their own.
pub struct Fluid {
    options: FluidOptions,
    velocity: Model,
    /// The velocity, its divergence, the slope of the pressure, at the points inside.
    now: Probe,
    divergence: Probe,
    slope: Probe,
    fit: Minimiser,
    pressure: Minimiser,
    /// The same for the first step, whose pressure starts from nothing.
    first: Option<Minimiser>,
    steps: usize,
}

impl std::fmt::Debug for Fluid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fluid({:?}, {} steps)", self.options, self.steps)
    }
}

/// What the three fits of a step reached.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct FluidReport {
    /// The fit of the advected velocity.
    pub advection: StepReport,
    /// Poisson's equation.
    pub pressure: StepReport,
    /// The fit of the projected velocity.
    pub projection: StepReport,
}

/// The divergence `[n, 1]` of a velocity.
fn divergence<'g>(u: Array<'g>, x: Array<'g>, dims: usize) -> Result<Array<'g>, PdeError> {
    let unit = |axis: usize| (0..dims).map(|i| usize::from(i == axis)).collect();
    let slopes = partials(u, x, &(0..dims).map(unit).collect::<Vec<_>>())?;
    let own = |(axis, slope): (usize, &Array<'g>)| slope.narrow(1, axis, axis + 1);
    let parts: Vec<Array<'g>> = slopes.iter().enumerate().map(own).collect();
    Ok(Array::concatenate(&parts, 1)
        .sum_axes(&[1])
        .reshape(&[x.shape()[0], 1]))
}

/// ∇p `[n, d]` of p `[n, 1]`.
fn slopes<'g>(p: Array<'g>, x: Array<'g>, dims: usize) -> Result<Array<'g>, PdeError> {
    let unit = |axis: usize| (0..dims).map(|i| usize::from(i == axis)).collect();
    let slopes = partials(p, x, &(0..dims).map(unit).collect::<Vec<_>>())?;
    Ok(Array::concatenate(&slopes, 1))
}

/// Σ aᵢbᵢ of rows, `[n, 1]`.
fn dot<'g>(a: Array<'g>, b: Array<'g>) -> Array<'g> {
    let n = a.shape()[0];
    (a * b).sum_axes(&[1]).reshape(&[n, 1])
}

impl Fluid {
    /// A fluid whose velocity is a network of d outputs and whose pressure is one of a single output, each with its layout.
    ///
    /// # Errors
    /// [`PdeError::Option`] for Δt ≤ 0 and bounds that are no intervals, [`PdeError::NoPoints`].
    pub fn new(
        (velocity, velocities): (Model, &Layout),
        (pressure, pressures): (Model, &Layout),
        options: &FluidOptions,
    ) -> Result<Self, PdeError> {
        let positive = f64::MIN_POSITIVE..;
        within("dt", options.dt, positive.clone(), "a number above 0")?;
        for [low, high] in &options.bounds {
            within(
                "width of the box",
                high - low,
                positive.clone(),
                "a number above 0",
            )?;
        }
        let (d, n) = (options.bounds.len(), options.points);
        let compile = |layout,
                       f: &dyn for<'g> Fn(Array<'g>, Array<'g>) -> Result<Array<'g>, PdeError>,
                       model: &Model| {
            Probe::compile(layout, (n, d), |pass, x| f(model.apply(pass, x), x))
        };
        let wall = 2 * d * options.wall_points;
        let (u, v) = (velocity.clone(), velocity.clone());
        let fit = vec![
            Term::new(
                "velocity",
                2 * d,
                vec![0.0; n * 2 * d],
                move |pass, data| Ok(u.apply(pass, columns(data, 0, d)) - data.narrow(1, d, 2 * d)),
            ),
            Term::new(
                "velocity through walls",
                2 * d,
                vec![0.0; wall * 2 * d],
                move |pass, data| {
                    let u = v.apply(pass, columns(data, 0, d));
                    Ok(dot(u, data.narrow(1, d, 2 * d)))
                },
            )
            .weighted(options.wall),
        ];
        let (p, q) = (pressure.clone(), pressure.clone());
        let poisson = vec![
            Term::new(
                "pressure",
                d + 1,
                vec![0.0; n * (d + 1)],
                move |pass, data| {
                    let x = columns(data, 0, d);
                    let p = p.apply(pass, x);
                    let second =
                        ansatz_autodiff::laplacian(p, x, &ansatz_autodiff::units(x)).second;
                    Ok(second - data.narrow(1, d, d + 1))
                },
            ),
            Term::new(
                "pressure at walls",
                2 * d,
                vec![0.0; wall * 2 * d],
                move |pass, data| {
                    let x = columns(data, 0, d);
                    let slope = slopes(q.apply(pass, x), x, d)?;
                    Ok(dot(slope, data.narrow(1, d, 2 * d)))
                },
            )
            .weighted(options.wall),
        ];
        Ok(Self {
            now: compile(velocities, &|u, _| Ok(u), &velocity)?,
            divergence: compile(velocities, &move |u, x| divergence(u, x, d), &velocity)?,
            slope: compile(pressures, &move |p, x| slopes(p, x, d), &pressure)?,
            fit: Minimiser::new(velocities, fit, &options.solver)?,
            first: Some(Minimiser::new(pressures, poisson.clone(), &options.start)?),
            pressure: Minimiser::new(pressures, poisson, &options.solver)?,
            velocity,
            options: options.clone(),
            steps: 0,
        })
    }

    /// The time of the fields.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.steps as f64 * self.options.dt
    }

    /// Fits the velocity at time 0, which `field` gives for a place.
    ///
    /// # Errors
    /// [`PdeError::NotFinite`] for a field that is not finite, [`PdeError::Diverged`]; the parameters are then unchanged.
    pub fn start<F>(
        &mut self,
        velocity: &mut Parameters<f64>,
        field: F,
    ) -> Result<StepReport, PdeError>
    where
        F: Fn(&[f64], &mut [f64]),
    {
        let d = self.options.bounds.len();
        let first = First {
            model: &self.velocity,
            dims: d,
            width: d,
            name: "the first velocity",
        };
        let how = (&self.options.start, self.options.key);
        let report = first.fit(velocity, field, |key| inside(&self.options, key), how)?;
        self.steps = 0;
        Ok(report)
    }

    /// One step of Δt.
    ///
    /// # Errors
    /// [`PdeError::Outside`] by [`Outside::Refuse`], [`PdeError::Diverged`], [`PdeError::Network`]; both sets of
    /// parameters are then unchanged.
    pub fn step(
        &mut self,
        velocity: &mut Parameters<f64>,
        pressure: &mut Parameters<f64>,
    ) -> Result<FluidReport, PdeError> {
        let key = self.options.key.fold_in(self.steps as u64 + 1);
        let mut advected = velocity.clone();
        let advection = self.advect(&mut advected, key.fold_in(START))?;
        let mut p = pressure.clone();
        let (pressure_report, projection) = self.project(&mut advected, &mut p, key)?;
        velocity.values_mut().copy_from_slice(advected.values());
        pressure.values_mut().copy_from_slice(p.values());
        self.steps += 1;
        Ok(FluidReport {
            advection,
            pressure: pressure_report,
            projection,
        })
    }

    /// The first part of a step: the velocity carried along itself.
    fn advect(&mut self, velocity: &mut Parameters<f64>, key: Key) -> Result<StepReport, PdeError> {
        let (options, now, old) = (&self.options, &self.now, velocity.clone());
        let d = options.bounds.len();
        let mut u = Vec::new();
        let mut draw = |key: Key| {
            let points = inside(options, key);
            now.run(&old, &points, &mut u)?;
            let mut feet: Vec<f64> = points
                .iter()
                .zip(&u)
                .map(|(x, u)| x - options.dt * u)
                .collect();
            place(options, &mut feet)?;
            now.run(&old, &feet, &mut u)?;
            let walls = walls(options, key);
            Ok(vec![side_by_side(&[(&points, d), (&u, d)]), walls])
        };
        self.fit.run(velocity, (self.steps + 1, key), &mut draw)
    }

    /// The rest of a step, also by itself: makes the velocity free of divergence, with the pressure that this takes.
    ///
    /// # Errors
    /// [`PdeError::Diverged`], [`PdeError::Network`]; parameters may have changed then.
    pub fn project(
        &mut self,
        velocity: &mut Parameters<f64>,
        pressure: &mut Parameters<f64>,
        key: Key,
    ) -> Result<(StepReport, StepReport), PdeError> {
        let (options, now) = (&self.options, &self.now);
        let (d, number, old) = (options.bounds.len(), self.steps + 1, velocity.clone());
        let (divergence, slope) = (&self.divergence, &self.slope);
        let mut values = Vec::new();
        let mut draw = |key: Key| {
            let points = inside(options, key);
            divergence.run(&old, &points, &mut values)?;
            Ok(vec![
                side_by_side(&[(&points, d), (&values, 1)]),
                walls(options, key),
            ])
        };
        let keys = [key.fold_in(START + 1), key.fold_in(START + 2)];
        let solver = self.first.as_mut().unwrap_or(&mut self.pressure);
        let solved = solver.run(pressure, (number, keys[0]), &mut draw)?;
        self.first = None;
        let (mut u, mut dp) = (Vec::new(), Vec::new());
        let pressure = &*pressure;
        let mut draw = |key: Key| {
            let points = inside(options, key);
            now.run(&old, &points, &mut u)?;
            slope.run(pressure, &points, &mut dp)?;
            let target: Vec<f64> = u.iter().zip(&dp).map(|(u, p)| u - p).collect();
            let walls = walls(options, key);
            Ok(vec![side_by_side(&[(&points, d), (&target, d)]), walls])
        };
        let projected = self.fit.run(velocity, (number, keys[1]), &mut draw)?;
        Ok((solved, projected))
    }

    /// The divergence of the velocity at `points`.
    ///
    /// # Errors
    /// As [`sample`](crate::sample).
    pub fn divergence(
        &self,
        velocity: &Parameters<f64>,
        points: &[f64],
    ) -> Result<Vec<f64>, PdeError> {
        let d = self.options.bounds.len();
        crate::sample(velocity, d, points, |pass, x| {
            divergence(self.velocity.apply(pass, x), x, d)
        })
    }
}

/// Points inside of the box.
fn inside(options: &FluidOptions, key: Key) -> Vec<f64> {
    let point = |i: usize| {
        (0..)
            .zip(&options.bounds)
            .map(move |(axis, b)| at(key, (axis, i), b))
    };
    (0..options.points).flat_map(point).collect()
}

fn at(key: Key, (axis, i): (u64, usize), [low, high]: &[f64; 2]) -> f64 {
    low + key.uniform(axis, i as u64)[0] * (high - low)
}

/// Points on all walls, each with its outer normal.
fn walls(options: &FluidOptions, key: Key) -> Vec<f64> {
    let d = options.bounds.len();
    let mut rows = Vec::with_capacity(4 * d * d * options.wall_points);
    for axis in 0..d {
        for side in 0..2 {
            let key = key.fold_in(START + (2 * axis + side) as u64);
            for i in 0..options.wall_points {
                let inside = (0..).zip(&options.bounds);
                rows.extend(inside.map(|(other, b)| {
                    if other == axis as u64 {
                        b[side]
                    } else {
                        at(key, (other, i), b)
                    }
                }));
                let outward = [-1.0, 1.0][side];
                rows.extend((0..d).map(|i| if i == axis { outward } else { 0.0 }));
            }
        }
    }
    rows
}

/// Points that left the box are put to its walls, or refused.
fn place(options: &FluidOptions, points: &mut [f64]) -> Result<(), PdeError> {
    let d = options.bounds.len();
    for row in points.chunks_mut(d) {
        for (axis, (x, [low, high])) in row.iter_mut().zip(&options.bounds).enumerate() {
            if options.outside == Outside::Refuse && !(low..=high).contains(&&*x) {
                return Err(PdeError::Outside {
                    axis,
                    value: *x,
                    low: *low,
                    high: *high,
                });
            }
            *x = x.clamp(*low, *high);
        }
    }
    Ok(())
}
