//! Families of equations, as data.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use ansatz_autodiff::Array;

use super::Operator;
use crate::{PdeError, partials};

/// How a domain is cut: one part is where a coordinate lies between two bounds, the other the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The coordinate.
    pub axis: usize,
    /// Its bounds in the first part.
    pub inner: [f64; 2],
}

/// What networks see of the coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// As they are.
    Raw,
    /// Moved to [−1, 1] in each part.
    Scaled,
}

/// Values of the solution for parameters β at points, rows of two coordinates.
pub type Solution = Arc<dyn Fn(&[f64], &[f64]) -> Result<Vec<f64>, PdeError> + Send + Sync>;

/// Problems that differ by parameters β.
#[derive(Clone)]
pub struct Family {
    /// What it is called.
    pub name: &'static str,
    /// β lies evenly in these.
    pub ranges: Vec<[f64; 2]>,
    /// Bounds of the two coordinates.
    pub domain: [[f64; 2]; 2],
    /// How it is cut.
    pub split: Split,
    /// What networks see.
    pub inputs: Inputs,
    /// Whether values are given there: low and high side of each coordinate.
    pub given: [[bool; 2]; 2],
    /// The residual for β.
    pub residual: fn(&[f64]) -> Operator,
    /// The flux across the interface for β.
    pub flux: fn(&[f64]) -> Operator,
    /// Where values on edges and errors come from.
    pub solution: Solution,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Family({:?}, β in {:?})", self.name, self.ranges)
    }
}

/// Values are given at the start and at both ends, not at the end of time.
const START_AND_ENDS: [[bool; 2]; 2] = [[true; 2], [true, false]];

fn first<'g>(u: Array<'g>, x: Array<'g>, axis: usize) -> Result<Array<'g>, PdeError> {
    let mut order = vec![0; 2];
    order[axis] = 1;
    Ok(partials(u, x, &[order])?[0])
}

/// The derivative along the second coordinate, normal to a cut across it.
fn normal(_: &[f64]) -> Operator {
    Arc::new(|u, x| first(u, x, 1))
}

fn pointwise<F>(f: F) -> Solution
where
    F: Fn(&[f64], f64, f64) -> f64 + Send + Sync + 'static,
{
    Arc::new(move |beta, points| Ok(points.chunks(2).map(|p| f(beta, p[0], p[1])).collect()))
}

impl Family {
    /// u_xx + u_yy = f on the unit square, u = 0 around it; f is a plateau of height 1 over the middle whose edges get
    /// steeper with s, from 1 to 50: (erf s(x − ¼) − erf s(x − ¾))·(the same of y), scaled. Values come from five-point
    /// differences on 101² nodes.
    #[must_use]
    pub fn poisson() -> Self {
        Self {
            name: "Poisson",
            ranges: vec![[1.0, 50.0]],
            domain: [[0.0, 1.0]; 2],
            split: Split {
                axis: 1,
                inner: [0.0, 0.5],
            },
            inputs: Inputs::Raw,
            given: [[true; 2]; 2],
            residual: |beta| {
                let s = beta[0];
                Arc::new(move |u, x| {
                    let second = partials(u, x, &[vec![2, 0], vec![0, 2]])?;
                    let scale = (2.0 * libm::erf(0.25 * s)).recip();
                    let bump = |i: usize| {
                        let x = x.narrow(1, i, i + 1);
                        (((x - 0.25) * s).erf() - ((x - 0.75) * s).erf()) * scale
                    };
                    Ok(second[0] + second[1] - bump(0) * bump(1))
                })
            },
            flux: normal,
            solution: Arc::new(|beta, points| Ok(plateau(beta[0], points))),
        }
    }

    /// u_t + βu_x = 0 on [0, 2π]×[0, 1] with u = sin(x − βt), β from 1 to 30.
    #[must_use]
    pub fn advection() -> Self {
        Self {
            name: "advection",
            ranges: vec![[1.0, 30.0]],
            domain: [[0.0, TAU], [0.0, 1.0]],
            split: Split {
                axis: 1,
                inner: [0.0, 0.5],
            },
            inputs: Inputs::Scaled,
            given: START_AND_ENDS,
            residual: |beta| {
                let beta = beta[0];
                Arc::new(move |u, x| Ok(first(u, x, 1)? + first(u, x, 0)? * beta))
            },
            flux: normal,
            solution: pointwise(|beta, x, t| libm::sin(x - beta[0] * t)),
        }
    }

    /// u_t = ρu(1 − u) on [0, 2π]×[0, 1] from a bell around π, ρ from 1 to 15.
    #[must_use]
    pub fn reaction() -> Self {
        Self {
            name: "reaction",
            ranges: vec![[1.0, 15.0]],
            domain: [[0.0, TAU], [0.0, 1.0]],
            split: Split {
                axis: 1,
                inner: [0.0, 0.5],
            },
            inputs: Inputs::Scaled,
            given: START_AND_ENDS,
            residual: |beta| {
                let rho = beta[0];
                Arc::new(move |u, x| Ok(first(u, x, 1)? - (u - u.square()) * rho))
            },
            flux: normal,
            solution: pointwise(|beta, x, t| {
                let h = libm::exp(-8.0 * ((x - PI) / PI).powi(2));
                let grown = h * libm::exp(beta[0] * t);
                grown / (grown + 1.0 - h)
            }),
        }
    }

    /// u_t + u·u_x = ν·u_xx on [−1, 1]×[0, 1] from −sin πx, ν from 0.001 to 0.05, cut at x = ±0.1; `solution` takes (ν) and
    /// points (x, t).
    #[must_use]
    pub fn burgers(solution: Solution) -> Self {
        Self {
            name: "Burgers",
            ranges: vec![[0.001, 0.05]],
            domain: [[-1.0, 1.0], [0.0, 1.0]],
            split: Split {
                axis: 0,
                inner: [-0.1, 0.1],
            },
            inputs: Inputs::Scaled,
            given: START_AND_ENDS,
            residual: |beta| {
                let nu = beta[0];
                Arc::new(move |u, x| {
                    let d = partials(u, x, &[vec![0, 1], vec![1, 0], vec![2, 0]])?;
                    Ok(d[0] + u * d[1] - d[2] * nu)
                })
            },
            flux: |beta| {
                let nu = beta[0];
                Arc::new(move |u, x| Ok(u.square() * 0.5 - first(u, x, 0)? * nu))
            },
            solution,
        }
    }

    /// u_t + c·u·u_x + u_xxx = 0 on [0, 20]², two solitary waves at the start, c from 1 to 10, cut at t = 10; `solution`
    /// takes (c) and points (x, t), periodic in x from [`Family::two_waves`].
    #[must_use]
    pub fn korteweg_de_vries(solution: Solution) -> Self {
        Self {
            name: "Korteweg-de Vries",
            ranges: vec![[1.0, 10.0]],
            domain: [[0.0, 20.0]; 2],
            split: Split {
                axis: 1,
                inner: [0.0, 10.0],
            },
            inputs: Inputs::Scaled,
            given: START_AND_ENDS,
            residual: |beta| {
                let c = beta[0];
                Arc::new(move |u, x| {
                    let d = partials(u, x, &[vec![0, 1], vec![1, 0], vec![3, 0]])?;
                    Ok(d[0] + u * d[1] * c + d[2])
                })
            },
            flux: normal,
            solution,
        }
    }

    /// The start of [`Family::korteweg_de_vries`]: q(x − 6.6, ¾) + q(x − 13, 0.4), q(x, c) = ½c·sech²(½√c·x).
    #[must_use]
    pub fn two_waves(x: f64) -> f64 {
        let wave = |x: f64, c: f64| 0.5 * c / libm::cosh(0.5 * c.sqrt() * x).powi(2);
        wave(x - 6.6, 0.75) + wave(x - 13.0, 0.4)
    }

    /// u_t = u_xx on [−1, 1]×[0, 1] with u = a·e^(−π²t)·cos πx + b·e^(−4π²t)·cos 2πx + c·e^(4t−4)·cosh 2x + d·e^(t−1)·sinh x,
    /// each of the four from −2 to 2.
    #[must_use]
    pub fn heat() -> Self {
        Self {
            name: "heat",
            ranges: vec![[-2.0, 2.0]; 4],
            domain: [[-1.0, 1.0], [0.0, 1.0]],
            split: Split {
                axis: 1,
                inner: [0.0, 0.5],
            },
            inputs: Inputs::Scaled,
            given: START_AND_ENDS,
            residual: |_| {
                Arc::new(|u, x| {
                    let d = partials(u, x, &[vec![0, 1], vec![2, 0]])?;
                    Ok(d[0] - d[1])
                })
            },
            flux: normal,
            solution: pointwise(|beta, x, t| {
                let waves = beta[0] * libm::exp(-PI * PI * t) * libm::cos(PI * x)
                    + beta[1] * libm::exp(-4.0 * PI * PI * t) * libm::cos(TAU * x);
                waves
                    + beta[2] * libm::exp(4.0 * t - 4.0) * libm::cosh(2.0 * x)
                    + beta[3] * libm::exp(t - 1.0) * libm::sinh(x)
            }),
        }
    }
}

/// Intervals of the grid on which the plateau's equation is solved.
const CELLS: usize = 100;

/// Five-point differences, by sine transforms: S·F·S over the sums of eigenvalues, S twice more; then between nodes
/// linearly in each coordinate.
fn plateau(s: f64, points: &[f64]) -> Vec<f64> {
    let (n, h) = (CELLS - 1, (CELLS as f64).recip());
    let bump = |i: usize| {
        let x = (i + 1) as f64 * h;
        (libm::erf(s * (x - 0.25)) - libm::erf(s * (x - 0.75))) / (2.0 * libm::erf(0.25 * s))
    };
    let sine =
        |i: usize, j: usize| (2.0 * h).sqrt() * libm::sin(PI * ((i + 1) * (j + 1)) as f64 * h);
    // f is a product, so its transform is one too.
    let line: Vec<f64> = (0..n)
        .map(|k| (0..n).map(|i| sine(k, i) * bump(i)).sum())
        .collect();
    let value = |k: usize| (2.0 * libm::sin(0.5 * PI * (k + 1) as f64 * h) / h).powi(2);
    let transform: Vec<f64> = (0..n * n)
        .map(|k| -line[k / n] * line[k % n] / (value(k / n) + value(k % n)))
        .collect();
    let table: Vec<f64> = (0..n * n).map(|k| sine(k / n, k % n)).collect();
    let times = |a: &[f64], b: &[f64]| -> Vec<f64> {
        let mut out = vec![0.0; n * n];
        for (out, a) in out.chunks_mut(n).zip(a.chunks(n)) {
            for (a, b) in a.iter().zip(b.chunks(n)) {
                out.iter_mut().zip(b).for_each(|(o, b)| *o += a * b);
            }
        }
        out
    };
    let inside = times(&times(&table, &transform), &table);
    let node = |i: usize, j: usize| {
        let within = (1..=n).contains(&i) && (1..=n).contains(&j);
        if within {
            inside[(i - 1) * n + j - 1]
        } else {
            0.0
        }
    };
    let place = |v: f64| {
        let scaled = v.clamp(0.0, 1.0) * CELLS as f64;
        let cell = (scaled as usize).min(CELLS - 1);
        (cell, scaled - cell as f64)
    };
    let between = |p: &[f64]| {
        let ((i, a), (j, b)) = (place(p[0]), place(p[1]));
        (1.0 - a) * ((1.0 - b) * node(i, j) + b * node(i, j + 1))
            + a * ((1.0 - b) * node(i + 1, j) + b * node(i + 1, j + 1))
    };
    points.chunks(2).map(between).collect()
}
