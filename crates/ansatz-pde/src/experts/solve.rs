//! Levenberg and Marquardt's iterations of each expert.
//!
//! Steps come from orthogonal factors of J with the ridge below it, not from JᵀJ: functions that are independent on the whole
//! domain are nearly dependent on a part, and JᵀJ has the square of their condition number.

use ansatz_autodiff::{Array, Graph, Options, Program};
use rayon::prelude::*;

use super::{ConstraintOptions, Equations, ExpertReport, Normal, Status};
use crate::PdeError;
use crate::error::{expect, finite};

/// Programs for one expert.
#[derive(Debug)]
pub(super) struct Solver {
    options: ConstraintOptions,
    /// Lengths of the arguments of one expert.
    lengths: Vec<usize>,
    /// Equations of one expert.
    rows: usize,
    /// Loss, g, F and Jᵀ.
    linear: Program<f64>,
    loss: Program<f64>,
}

/// The linear model at ω.
struct Model {
    /// g.
    slope: Vec<f64>,
    /// F, ϱω, then zeros for the damping.
    residuals: Vec<f64>,
    /// Columns of J, with the rows of the ridge.
    columns: Vec<f64>,
    /// R and the part of Qᵀ[F; ϱω] that it sees.
    factor: Vec<f64>,
    seen: Vec<f64>,
}

impl Solver {
    pub(super) fn compile(
        equations: &[Equations],
        options: &ConstraintOptions,
    ) -> Result<Self, PdeError> {
        let n = options.basis;
        let mut shapes = Vec::new();
        for kind in equations {
            shapes.extend(vec![[1, kind.count, n]; kind.derivatives]);
            if kind.data > 0 {
                shapes.push([1, kind.count, kind.data]);
            }
        }
        let rows = equations.iter().map(|e| e.count).sum();
        let compile = |slopes: bool| -> Result<Program<f64>, PdeError> {
            let graph = Graph::new();
            let omega = graph.input(&[1, n]);
            let args: Vec<_> = shapes.iter().map(|s| graph.input(s)).collect();
            let normal = Normal::new(equations, options, omega, &args);
            let mut outputs = vec![normal.loss];
            if slopes {
                let all = |part: usize| -> Vec<Array<'_>> {
                    normal.rows.iter().map(|r| r[part]).collect()
                };
                let f = Array::concatenate(&all(0), 1);
                let j = Array::concatenate(&all(1), 1).reshape(&[rows, n]);
                outputs.extend([normal.slope, f, j.transpose(&[1, 0])]);
            }
            Ok(Program::compile(
                &graph.finish(&outputs),
                &Options::default(),
            )?)
        };
        Ok(Self {
            options: options.clone(),
            lengths: shapes.iter().map(|s| s.iter().product()).collect(),
            rows,
            linear: compile(true)?,
            loss: compile(false)?,
        })
    }

    /// ω of all experts, side by side.
    pub(super) fn run(
        &self,
        args: &[&[f64]],
        out: &mut [f64],
    ) -> Result<Vec<ExpertReport>, PdeError> {
        let given = (self.lengths.len(), args.len());
        expect("arguments of the constraint", given.0, given.1)?;
        for (length, arg) in self.lengths.iter().zip(args) {
            let all = length * self.options.experts;
            expect("elements of an argument", all, arg.len())?;
            finite(|| "basis or data of a constraint".into(), arg)?;
        }
        let experts = out.par_chunks_mut(self.options.basis).enumerate();
        experts
            .map(|(k, omega)| {
                let own = self.lengths.iter().zip(args);
                let own: Vec<&[f64]> = own.map(|(l, a)| &a[k * l..(k + 1) * l]).collect();
                self.expert(&own, omega)
            })
            .collect()
    }

    fn expert(&self, args: &[&[f64]], omega: &mut [f64]) -> Result<ExpertReport, PdeError> {
        let (n, options) = (omega.len(), &self.options);
        let mut model = Model {
            slope: vec![0.0; n],
            residuals: vec![0.0; self.rows + n],
            columns: vec![0.0; n * (self.rows + n)],
            factor: vec![0.0; n * n],
            seen: vec![0.0; n],
        };
        let (mut delta, mut trial) = (vec![0.0; n], vec![0.0; n]);
        omega.fill(options.start);
        let loss = self.linearise(omega, args, &mut model)?;
        finite(|| "loss of an expert at the start".into(), &[loss])?;
        let mut now = ExpertReport {
            loss,
            slope: largest(&model.slope),
            iterations: 0,
            status: Status::Iterations,
        };
        let (mut lambda, mut growth) = (options.damping, 2.0);
        while now.iterations < options.iterations && now.slope > options.tolerance {
            now.iterations += 1;
            model.step(lambda, &mut delta);
            for ((t, w), d) in trial.iter_mut().zip(&*omega).zip(&delta) {
                *t = w - d;
            }
            let mut loss = [f64::NAN];
            let mut inputs = vec![&trial[..]];
            inputs.extend_from_slice(args);
            self.loss.run(&inputs, &mut [&mut loss])?;
            // The decrease that the linear model foretold, ½δᵀ(λδ + g).
            let parts = delta.iter().zip(&model.slope);
            let foretold: f64 = parts.map(|(d, g)| 0.5 * d * (lambda * d + g)).sum();
            let fell = now.loss - loss[0];
            // Where losses differ by rounding alone the slope tells.
            let noise = 16.0 * f64::EPSILON * now.loss;
            let blind = foretold.abs() <= noise && fell >= -noise;
            let gain = if blind { 1.0 } else { fell / foretold };
            if gain > 0.0 && loss[0].is_finite() {
                let before = now.slope;
                now.loss = self.linearise(&trial, args, &mut model)?;
                now.slope = largest(&model.slope);
                if blind && now.slope >= before {
                    (now.slope, now.status) = (before, Status::Stalled);
                    break;
                }
                omega.copy_from_slice(&trial);
                lambda *= (1.0 - (2.0 * gain - 1.0).powi(3)).max(0.1);
                growth = 2.0;
            } else {
                if largest(&delta) <= f64::EPSILON * largest(omega) || !lambda.is_finite() {
                    now.status = Status::Stalled;
                    break;
                }
                lambda = (lambda * growth).max(f64::MIN_POSITIVE);
                growth *= 2.0;
            }
        }
        if now.slope <= options.tolerance {
            now.status = Status::Converged;
        }
        Ok(now)
    }

    /// The model at `omega`, and the loss there.
    fn linearise(
        &self,
        omega: &[f64],
        args: &[&[f64]],
        model: &mut Model,
    ) -> Result<f64, PdeError> {
        let (m, n) = (self.rows, omega.len());
        let mut inputs = vec![omega];
        inputs.extend_from_slice(args);
        let (mut loss, mut jacobian) = ([0.0], vec![0.0; m * n]);
        self.linear.run(
            &inputs,
            &mut [
                &mut loss,
                &mut model.slope,
                &mut model.residuals[..m],
                &mut jacobian,
            ],
        )?;
        let ridge = self.options.ridge;
        for (i, w) in omega.iter().enumerate() {
            model.residuals[m + i] = ridge * w;
        }
        let columns = model.columns.chunks_exact_mut(m + n);
        for (i, (column, own)) in columns.zip(jacobian.chunks_exact(m)).enumerate() {
            column[..m].copy_from_slice(own);
            column[m..].fill(0.0);
            column[m + i] = ridge;
        }
        triangulate(&mut model.columns, &mut model.residuals);
        for (i, column) in model.columns.chunks_exact(m + n).enumerate() {
            model.factor[i * n..(i + 1) * n].copy_from_slice(&column[..n]);
        }
        model.seen.copy_from_slice(&model.residuals[..n]);
        Ok(loss[0])
    }
}

impl Model {
    /// δ that minimises ‖[R; √λ]δ − [Qᵀ[F; ϱω]; 0]‖.
    fn step(&self, lambda: f64, delta: &mut [f64]) {
        let n = delta.len();
        let mut columns = vec![0.0; 2 * n * n];
        for (i, column) in columns.chunks_exact_mut(2 * n).enumerate() {
            // Below the diagonal there are reflections.
            column[..=i].copy_from_slice(&self.factor[i * n..=i * n + i]);
            column[n + i] = lambda.sqrt();
        }
        let mut rhs = self.seen.clone();
        rhs.resize(2 * n, 0.0);
        triangulate(&mut columns, &mut rhs);
        for i in (0..n).rev() {
            let known = (i + 1..n).map(|j| columns[j * 2 * n + i] * delta[j]);
            let rest = rhs[i] - known.sum::<f64>();
            let diagonal = columns[i * 2 * n + i];
            // A function that no equation sees keeps its weight.
            delta[i] = if diagonal == 0.0 {
                0.0
            } else {
                rest / diagonal
            };
        }
    }
}

/// Householder's reflections: columns of a matrix become those of R, above and on the diagonal, and `rhs` its product with Qᵀ.
fn triangulate(columns: &mut [f64], rhs: &mut [f64]) {
    let m = rhs.len();
    for i in 0..columns.len() / m {
        let (done, rest) = columns.split_at_mut((i + 1) * m);
        let v = &mut done[i * m + i..];
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length == 0.0 {
            continue;
        }
        let alpha = if v[0] > 0.0 { -length } else { length };
        v[0] -= alpha;
        // 2/‖v‖², with ‖v‖² = 2·length·(length + |first|).
        let scale = -(alpha * v[0]).recip();
        let reflect = |x: &mut [f64]| {
            let dot: f64 = v.iter().zip(&*x).map(|(v, x)| v * x).sum();
            for (x, v) in x.iter_mut().zip(&*v) {
                *x -= scale * dot * v;
            }
        };
        for column in rest.chunks_exact_mut(m) {
            reflect(&mut column[i..]);
        }
        reflect(&mut rhs[i..]);
        v[0] = alpha;
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, v| v.abs().max(most))
}
