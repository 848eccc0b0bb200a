//! Diffusion of a substance that sticks to the soil (PDEBench's diffusion-sorption problem).
//!
//! u_t = D/R(u)·u_xx on (0, 1) × (0, T], R = 1 + (1 − φ)/φ·ρ·k·n·(u + 10⁻⁶)^{n−1} (u ≤ 0 counts as 0), u(0, t) = 1 and
//! u(1, t) = −D·u_x(1, t): what leaves is proportional to what is there. With the other sign, which is printed in places, a
//! mode at the wall grows without bound.
//!
//! Central differences, the wall by a mirror point; in time Alexander's singly diagonally implicit method of order 3, stable
//! for every step, with Newton's method and tridiagonal systems. Steps grow like t, since the jump between u₀ and the
//! walls makes u vary like √t at first. Two grids are extrapolated; the accuracy is the largest difference from the same
//! with half the cells and half the steps.
//!
//! R. Alexander, *Diagonally implicit Runge-Kutta methods for stiff ODE's*, SIAM J. Numer. Anal. 14, 1977; M. Takamoto et al.,
//! *PDEBench: an extensive benchmark for scientific machine learning*, 2022.

use crate::grid::{STENCIL, stencil};
use crate::reference::{all_finite, check_length, check_times, finite, inside, positive};
use crate::{PhysicsError, Reference};

/// The soil, the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sorption {
    /// D.
    pub diffusivity: f64,
    /// φ.
    pub porosity: f64,
    /// ρ.
    pub density: f64,
    /// k.
    pub freundlich: f64,
    /// n.
    pub exponent: f64,
    /// Cells of the finest grid: a multiple of 4, 32 or more.
    pub cells: usize,
    /// Steps up to the last time, with the finest grid.
    pub steps: usize,
}

impl Default for Sorption {
    fn default() -> Self {
        Self {
            diffusivity: 5e-4,
            porosity: 0.29,
            density: 2880.0,
            freundlich: 3.5e-4,
            exponent: 0.874,
            cells: 512,
            steps: 400,
        }
    }
}

/// γ of the method.
const GAMMA: f64 = 0.435866521508459;

impl Sorption {
    fn validate(&self) -> Result<(), PhysicsError> {
        positive("diffusivity", self.diffusivity)?;
        positive("density", self.density)?;
        positive("Freundlich coefficient", self.freundlich)?;
        positive("exponent", self.exponent)?;
        inside("porosity", self.porosity, f64::MIN_POSITIVE, 1.0)?;
        let even = self.cells.is_multiple_of(4) && self.cells >= 32;
        if even && self.steps >= 8 {
            return Ok(());
        }
        Err(PhysicsError::Parameter {
            name: if even { "steps" } else { "cells" },
            value: if even { self.steps } else { self.cells } as f64,
            needed: "must be at least 8 steps, and a multiple of 4 cells, 32 or more",
        })
    }

    /// D/R(u) and its derivative.
    pub fn mobility(&self, u: f64) -> [f64; 2] {
        let factor =
            (1.0 - self.porosity) / self.porosity * self.density * self.freundlich * self.exponent;
        let base = u.max(0.0) + 1e-6;
        let power = factor * base.powf(self.exponent - 1.0);
        let retardation = 1.0 + power;
        let slope = if u > 0.0 {
            power * (self.exponent - 1.0) / base
        } else {
            0.0
        };
        let mobility = self.diffusivity / retardation;
        [mobility, -mobility * slope / retardation]
    }

    /// The solution from u₀ at `times`, which do not fall.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for numbers out of range or times that fall; [`PhysicsError::NotFinite`] for u₀;
    /// [`PhysicsError::NotConverged`] when Newton's method does not settle: take more steps.
    pub fn solve(
        &self,
        initial: impl Fn(f64) -> f64,
        times: &[f64],
    ) -> Result<SorptionSolution, PhysicsError> {
        self.validate()?;
        check_times(times)?;
        let run = |cells, steps| self.run(cells, steps, &initial, times);
        let fine = extrapolate(
            &run(self.cells, self.steps)?,
            &run(self.cells / 2, self.steps)?,
        );
        let steps = self.steps / 2;
        let coarse = extrapolate(&run(self.cells / 2, steps)?, &run(self.cells / 4, steps)?);
        let mut accuracy: f64 = 0.0;
        for (a, b) in fine.iter().zip(&coarse) {
            for (i, v) in b.iter().enumerate() {
                accuracy = accuracy.max((a[2 * i] - v).abs());
            }
        }
        Ok(SorptionSolution {
            times: times.to_vec(),
            states: fine,
            accuracy,
        })
    }

    fn run(
        &self,
        n: usize,
        steps: usize,
        initial: &impl Fn(f64) -> f64,
        times: &[f64],
    ) -> Result<Vec<Vec<f64>>, PhysicsError> {
        let mut u: Vec<f64> = (0..=n).map(|i| initial(i as f64 / n as f64)).collect();
        all_finite("initial values", &u)?;
        u[0] = 1.0;
        let last = times[times.len() - 1].max(f64::MIN_POSITIVE);
        let mut work = Work::new(n);
        let mut states = Vec::new();
        let mut now = 0.0;
        for &t in times {
            // Even steps of (t/T)^{1/3}.
            let (from, to) = ((now / last).cbrt(), (t / last).cbrt());
            let count = ((to - from) * steps as f64).ceil() as usize;
            let mut before = now;
            for k in 1..=count {
                let s = from + (to - from) * k as f64 / count as f64;
                let next = if k == count { t } else { last * s * s * s };
                self.step(&mut u, next - before, &mut work)?;
                before = next;
            }
            now = t;
            states.push(u.clone());
        }
        Ok(states)
    }

    /// One step: three implicit stages, the last of which is the new value.
    fn step(&self, u: &mut [f64], dt: f64, work: &mut Work) -> Result<(), PhysicsError> {
        let c = 0.5 * (1.0 + GAMMA);
        let b1 = -(6.0 * GAMMA * GAMMA - 16.0 * GAMMA + 1.0) / 4.0;
        let b2 = (6.0 * GAMMA * GAMMA - 20.0 * GAMMA + 5.0) / 4.0;
        let table = [[0.0, 0.0], [c - GAMMA, 0.0], [b1, b2]];
        work.start.copy_from_slice(u);
        for (stage, row) in table.iter().enumerate() {
            for i in 0..u.len() {
                let known: f64 = (0..stage).map(|j| row[j] * work.slopes[j][i]).sum();
                work.base[i] = work.start[i] + dt * known;
            }
            self.implicit(u, GAMMA * dt, work)?;
            if stage < 2 {
                for i in 0..u.len() {
                    work.slopes[stage][i] = (u[i] - work.base[i]) / (GAMMA * dt);
                }
            }
        }
        Ok(())
    }

    /// Solves u = base + τ·f(u), from u.
    fn implicit(&self, u: &mut [f64], tau: f64, work: &mut Work) -> Result<(), PhysicsError> {
        let n = u.len() - 1;
        let square = (n * n) as f64;
        let mut change = f64::INFINITY;
        for _ in 0..30 {
            for i in 1..=n {
                // At the wall u_{n+1} = u_{n−1} − 2h·u_n/D.
                let (left, right, middle) = if i == n {
                    (2.0, 0.0, 2.0 + 2.0 / (n as f64 * self.diffusivity))
                } else {
                    (1.0, 1.0, 2.0)
                };
                let next = if i == n { 0.0 } else { u[i + 1] };
                let second = square * (left * u[i - 1] + right * next - middle * u[i]);
                let [m, dm] = self.mobility(u[i]);
                work.rhs[i] = u[i] - work.base[i] - tau * m * second;
                work.lower[i] = if i == 1 {
                    0.0
                } else {
                    -tau * m * square * left
                };
                work.upper[i] = -tau * m * square * right;
                work.diagonal[i] = 1.0 + tau * (m * square * middle - dm * second);
            }
            // Thomas' elimination; the matrix is an M-matrix up to the term in dm.
            for i in 2..=n {
                let w = work.lower[i] / work.diagonal[i - 1];
                work.diagonal[i] -= w * work.upper[i - 1];
                work.rhs[i] -= w * work.rhs[i - 1];
            }
            change = 0.0;
            let mut after = 0.0;
            for i in (1..=n).rev() {
                after = (work.rhs[i] - work.upper[i] * after) / work.diagonal[i];
                u[i] -= after;
                change = after.abs().max(change);
            }
            if change < 1e-12 {
                return Ok(());
            }
            if !change.is_finite() {
                break;
            }
        }
        Err(PhysicsError::NotConverged {
            what: "Newton's method of an implicit step: take more steps",
            size: 30,
            change,
            tolerance: 1e-12,
        })
    }
}

struct Work {
    start: Vec<f64>,
    base: Vec<f64>,
    slopes: [Vec<f64>; 2],
    rhs: Vec<f64>,
    lower: Vec<f64>,
    diagonal: Vec<f64>,
    upper: Vec<f64>,
}

impl Work {
    fn new(n: usize) -> Self {
        let zeros = || vec![0.0; n + 1];
        Self {
            start: zeros(),
            base: zeros(),
            slopes: [zeros(), zeros()],
            rhs: zeros(),
            lower: zeros(),
            diagonal: zeros(),
            upper: zeros(),
        }
    }
}

/// On the coarse points, with the error in h² removed.
fn extrapolate(fine: &[Vec<f64>], coarse: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let pair = |(f, c): (&Vec<f64>, &Vec<f64>)| {
        let points = c.iter().enumerate();
        points
            .map(|(i, c)| f[2 * i] + (f[2 * i] - c) / 3.0)
            .collect()
    };
    fine.iter().zip(coarse).map(pair).collect()
}

/// States at the times asked for.
#[derive(Debug, Clone)]
pub struct SorptionSolution {
    times: Vec<f64>,
    states: Vec<Vec<f64>>,
    accuracy: f64,
}

impl SorptionSolution {
    /// u(x, t) at one of the times asked for.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for points outside and for other times.
    pub fn value(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        Ok(self.jet(x, t)?[0])
    }

    /// u and u_x.
    ///
    /// # Errors
    /// Those of [`Self::value`].
    pub fn jet(&self, x: f64, t: f64) -> Result<[f64; 2], PhysicsError> {
        inside("x", x, 0.0, 1.0)?;
        finite("t", t)?;
        let Some(k) = self
            .times
            .iter()
            .position(|s| (s - t).abs() <= 1e-12 * (1.0 + t))
        else {
            return Err(PhysicsError::OutsideDomain {
                coordinate: "t, which is none of the times that were asked for,",
                value: t,
                low: self.times[0],
                high: self.times[self.times.len() - 1],
            });
        };
        let u = &self.states[k];
        let (first, values, slopes) = stencil(u.len() - 1, [0.0, 1.0], x);
        let line = &u[first..][..STENCIL];
        let sum = |w: &[f64]| line.iter().zip(w).map(|(u, w)| u * w).sum();
        Ok([sum(&values), sum(&slopes)])
    }
}

impl Reference for SorptionSolution {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        1
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), 2)?;
        check_length("outputs", out.len(), 1)?;
        out[0] = self.value(point[0], point[1])?;
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.accuracy
    }
}
