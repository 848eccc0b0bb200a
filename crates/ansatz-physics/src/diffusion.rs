//! Diffusion whose rate depends on the solution, in a square.
//!
//! u_t = κ∇·(u∇u) = (κ/2)Δ(u²) on [−1, 1]² with u = 0 on the boundary: the porous-medium equation, whose fronts move at a finite
//! speed. Five-point differences of u², which conserve mass, and Shu and Osher's third-order method with the longest stable step, on n
//! and 2n cells per axis; Richardson's extrapolation to h⁴ where the solution is smooth. Its fronts are not, and u has a
//! kink there: the accuracy is the largest difference of the extrapolated values from those with half the cells, on
//! the whole coarse grid.
//!
//! Cost: O(n⁴) for the O(n²) steps that stability asks for; 128 cells take about a second.
//!
//! J. L. Vázquez, *The porous medium equation*, 2007; J. Cho et al., *Separable physics-informed neural networks*, 2023, for
//! the usual test problem.

use crate::grid::Square;
use crate::reference::{check_length, check_times, inside, positive};
use crate::{PhysicsError, Reference};

/// κ and the cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PorousMedium {
    /// κ.
    pub rate: f64,
    /// Cells per axis of the finest grid: a multiple of 4, 16 or more.
    pub cells: usize,
}

impl Default for PorousMedium {
    fn default() -> Self {
        Self {
            rate: 0.05,
            cells: 128,
        }
    }
}

/// The usual three bells: ¼e^{−((x−0.3)²+(y−0.2)²)/0.1} + 0.4e^{−15((x+0.5)²+(y+0.1)²)} + 0.3e^{−20(x²+(y+0.5)²)}.
pub fn three_bells(x: f64, y: f64) -> f64 {
    let bell =
        |a: f64, k: f64, p: f64, q: f64| a * (-k * ((x - p).powi(2) + (y - q).powi(2))).exp();
    bell(0.25, 10.0, 0.3, 0.2) + bell(0.4, 15.0, -0.5, -0.1) + bell(0.3, 20.0, 0.0, -0.5)
}

impl PorousMedium {
    /// The solution from u₀ ≥ 0 at `times`, which do not fall.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for κ ≤ 0, cells that do not fit, times that fall, or u₀ < 0, where the equation is
    /// not well posed; [`PhysicsError::NotFinite`] for u₀.
    pub fn solve(
        &self,
        initial: impl Fn(f64, f64) -> f64,
        times: &[f64],
    ) -> Result<PorousSolution, PhysicsError> {
        positive("rate", self.rate)?;
        check_times(times)?;
        if self.cells < 16 || !self.cells.is_multiple_of(4) {
            return Err(PhysicsError::Parameter {
                name: "cells",
                value: self.cells as f64,
                needed: "must be a multiple of 4, and 16 or more",
            });
        }
        let levels: Result<Vec<_>, _> = [self.cells / 4, self.cells / 2, self.cells]
            .into_iter()
            .map(|n| self.run(n, &initial, times))
            .collect();
        let levels = levels?;
        let mut accuracy: f64 = 0.0;
        let mut states = Vec::with_capacity(times.len());
        for k in 0..times.len() {
            let [a, b, c] = [&levels[0][k], &levels[1][k], &levels[2][k]];
            // On the grid of the middle: its own extrapolation at every second point.
            let fine = c.extrapolated(b, 2.0);
            accuracy = accuracy.max(fine.distance(&b.extrapolated(a, 2.0)));
            states.push((fine, c.clone()));
        }
        Ok(PorousSolution {
            times: times.to_vec(),
            states,
            accuracy,
        })
    }

    fn run(
        &self,
        n: usize,
        initial: &impl Fn(f64, f64) -> f64,
        times: &[f64],
    ) -> Result<Vec<Square>, PhysicsError> {
        let mut u = Square::sample(n, [-1.0, 1.0], initial)?;
        u.zero_boundary();
        if let Some(low) = u.values().iter().find(|v| **v < 0.0) {
            return Err(PhysicsError::Parameter {
                name: "initial value",
                value: *low,
                needed: "must not be negative",
            });
        }
        let h = 2.0 / n as f64;
        let top = u.values().iter().fold(0.0_f64, |m, v| m.max(*v));
        // Eigenvalues reach −8κu/h²; the third-order method is stable to −2.51. The maximum of u falls.
        let longest = 2.2 * h * h / (8.0 * self.rate * top.max(f64::MIN_POSITIVE));
        let factor = 0.5 * self.rate / (h * h);
        let mut stage = [u.clone(), u.clone(), u.clone()];
        let mut now = 0.0;
        let mut states = Vec::with_capacity(times.len());
        for &t in times {
            let count = ((t - now) / longest).ceil() as usize;
            let dt = (t - now) / count.max(1) as f64;
            for _ in 0..count {
                let [a, b, k] = &mut stage;
                // Shu and Osher's convex combinations of Euler's steps.
                slope(u.values(), factor, n, k.values_mut());
                combine(
                    a.values_mut(),
                    [0.0, 1.0],
                    u.values(),
                    u.values(),
                    dt,
                    k.values(),
                );
                slope(a.values(), factor, n, k.values_mut());
                combine(
                    b.values_mut(),
                    [0.75, 0.25],
                    u.values(),
                    a.values(),
                    0.25 * dt,
                    k.values(),
                );
                slope(b.values(), factor, n, k.values_mut());
                let third = [1.0 / 3.0, 2.0 / 3.0];
                combine(
                    a.values_mut(),
                    third,
                    u.values(),
                    b.values(),
                    2.0 / 3.0 * dt,
                    k.values(),
                );
                std::mem::swap(&mut u, a);
            }
            now = t;
            crate::reference::all_finite("solution", u.values())?;
            states.push(u.clone());
        }
        Ok(states)
    }
}

/// out ← a·u + b·v + dt·k.
fn combine(out: &mut [f64], [a, b]: [f64; 2], u: &[f64], v: &[f64], dt: f64, k: &[f64]) {
    for (((o, u), v), k) in out.iter_mut().zip(u).zip(v).zip(k) {
        *o = a * u + b * v + dt * k;
    }
}

/// (κ/2h²)·(five points of u²), 0 on the boundary.
fn slope(u: &[f64], factor: f64, n: usize, out: &mut [f64]) {
    let row = n + 1;
    for i in 1..n {
        let line = |k: usize| &u[k * row..(k + 1) * row];
        let (below, here, above) = (line(i - 1), line(i), line(i + 1));
        let target = &mut out[i * row..(i + 1) * row];
        for j in 1..n {
            let square = |v: f64| v * v;
            let sum =
                square(below[j]) + square(above[j]) + square(here[j - 1]) + square(here[j + 1]);
            target[j] = factor * (sum - 4.0 * square(here[j]));
        }
        (target[0], target[n]) = (0.0, 0.0);
    }
    out[..row].fill(0.0);
    out[n * row..].fill(0.0);
}

/// States at the times asked for.
#[derive(Debug, Clone)]
pub struct PorousSolution {
    times: Vec<f64>,
    /// Extrapolated, and the finest.
    states: Vec<(Square, Square)>,
    accuracy: f64,
}

impl PorousSolution {
    /// The times asked for.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// ∫u on the finest grid at time number k: the differences keep it until a front meets a wall.
    pub fn mass(&self, k: usize) -> f64 {
        let fine = &self.states[k].1;
        fine.values().iter().sum::<f64>() * (2.0 / fine.cells() as f64).powi(2)
    }

    /// u(x, y, t) at one of the times asked for, by polynomials of degree 7 through grid values.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for points outside and for other times.
    pub fn value(&self, x: f64, y: f64, t: f64) -> Result<f64, PhysicsError> {
        inside("x", x, -1.0, 1.0)?;
        inside("y", y, -1.0, 1.0)?;
        let near = |s: &&f64| (**s - t).abs() <= 1e-12 * (1.0 + t.abs());
        match self.times.iter().position(|s| near(&s)) {
            Some(k) => Ok(self.states[k].0.value(x, y)),
            None => Err(PhysicsError::OutsideDomain {
                coordinate: "t, which is none of the times that were asked for,",
                value: t,
                low: self.times[0],
                high: self.times[self.times.len() - 1],
            }),
        }
    }
}

impl Reference for PorousSolution {
    fn inputs(&self) -> usize {
        3
    }

    fn outputs(&self) -> usize {
        1
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), 3)?;
        check_length("outputs", out.len(), 1)?;
        out[0] = self.value(point[0], point[1], point[2])?;
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.accuracy
    }
}
