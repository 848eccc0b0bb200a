//! Caputo's derivative in time, by the L1 formula, and relaxation and diffusion with it.
//!
//! ```text
//! D^α u(t) = 1/Γ(1 − α) ∫₀ᵗ u'(s)(t − s)^{−α} ds,   0 < α < 1.
//! ```
//!
//! With u linear between the nodes t_j of any mesh,
//!
//! ```text
//! D^α u(t_n) ≈ Σ_j a_{n,j}·(u_{j+1} − u_j),   a_{n,j} = ((t_n − t_j)^{1−α} − (t_n − t_{j+1})^{1−α})/((t_{j+1} − t_j)Γ(2 − α)),
//! ```
//!
//! which is exact for straight lines and has order 2 − α for smooth u. Solutions of fractional equations behave like t^α
//! at first: order 1 on equal steps. The mesh t_j = T(j/n)^r with r = (2 − α)/α ([`graded`]) restores the order. For α → 1
//! the formula becomes Euler's implicit one. For 1 < α < 2 apply it to u' with the order α − 1.
//!
//! The history costs O(n) per step and O(n²) in all. [`History`] keeps it in O(log n) numbers: t^{−α} = 1/Γ(α)∫e^{αy − te^y} dy by the
//! trapezoidal rule, a sum of exponentials, each of which needs one number that decays from step to step.
//!
//! C. Lubich 1986, Y. Lin, C. Xu, *Finite difference/spectral approximations for the time-fractional diffusion equation*, J. Comput.
//! Phys. 225, 2007; M. Stynes, E. O'Riordan, J. L. Gracia, *Error analysis of a finite difference method on graded meshes for a
//! time-fractional diffusion equation*, SIAM J. Numer. Anal. 55, 2017; S. Jiang et al., *Fast evaluation of the Caputo
//! fractional derivative*, Commun. Comput. Phys. 21, 2017.

use crate::PhysicsError;
use crate::reference::{all_finite, check_length, inside, positive};
use crate::special::gamma;

/// 0 < α < 1.
fn check_order(alpha: f64) -> Result<f64, PhysicsError> {
    if alpha > 0.0 && alpha < 1.0 {
        return Ok(alpha);
    }
    Err(PhysicsError::Parameter {
        name: "order alpha",
        value: alpha,
        needed: "must lie between 0 and 1, both excluded: for whole numbers use an ordinary derivative, for 1 < α < 2 \
                 the derivative of order α − 1 of u'",
    })
}

/// Times T(j/n)^r, j = 0..=n: r = 1 for equal steps, (2 − α)/α for solutions like t^α.
///
/// # Errors
/// [`PhysicsError::Parameter`] for T ≤ 0, r < 1 or n = 0.
pub fn graded(end: f64, steps: usize, r: f64) -> Result<Vec<f64>, PhysicsError> {
    positive("end", end)?;
    if steps == 0 || r.is_nan() || !(1.0..=1e3).contains(&r) {
        return Err(PhysicsError::Parameter {
            name: if steps == 0 { "steps" } else { "grading r" },
            value: if steps == 0 { 0.0 } else { r },
            needed: "must be 1 or more",
        });
    }
    let at = |j: usize| end * (j as f64 / steps as f64).powf(r);
    Ok((0..=steps).map(at).collect())
}

/// The L1 formula on a mesh.
///
/// ```
/// use ansatz_physics::caputo::{L1, graded};
///
/// // D^{1/2}t² = Γ(3)/Γ(5/2)·t^{3/2}.
/// let mesh = graded(1.0, 400, 1.0)?;
/// let values: Vec<f64> = mesh.iter().map(|t| t * t).collect();
/// let slope = L1::new(0.5, mesh)?.derivative(&values)?;
/// assert!((slope[400] - 1.5045055561273502).abs() < 1e-4);
/// # Ok::<(), ansatz_physics::PhysicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct L1 {
    alpha: f64,
    times: Vec<f64>,
    /// Γ(2 − α).
    scale: f64,
}

impl L1 {
    /// For the order α on times that rise from 0.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for α outside (0, 1), fewer than two times, or times that do not rise from 0.
    pub fn new(alpha: f64, times: Vec<f64>) -> Result<Self, PhysicsError> {
        check_order(alpha)?;
        all_finite("times", &times)?;
        let rises = times.len() >= 2 && times[0] == 0.0 && times.windows(2).all(|w| w[1] > w[0]);
        if !rises {
            return Err(PhysicsError::Parameter {
                name: "number of times",
                value: times.len() as f64,
                needed: "must be 2 or more, and the times must rise from 0",
            });
        }
        Ok(Self {
            alpha,
            times,
            scale: gamma(2.0 - alpha),
        })
    }

    /// α.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The mesh.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// a_{n,j}, j < n.
    pub fn weight(&self, n: usize, j: usize) -> f64 {
        let power = |k: usize| (self.times[n] - self.times[k]).powf(1.0 - self.alpha);
        let (t0, t1) = (self.times[j], self.times[j + 1]);
        (power(j) - power(j + 1)) / ((t1 - t0) * self.scale)
    }

    /// D^α u at all times, 0 at the first. Cost: O(n²).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for another number of values than times; [`PhysicsError::NotFinite`].
    pub fn derivative(&self, values: &[f64]) -> Result<Vec<f64>, PhysicsError> {
        check_length("values", values.len(), self.times.len())?;
        all_finite("values", values)?;
        let at = |n: usize| {
            (0..n)
                .map(|j| self.weight(n, j) * (values[j + 1] - values[j]))
                .sum()
        };
        Ok((0..values.len()).map(at).collect())
    }

    /// D^α u = −λu + f(t), u(0) = u₀, implicitly: u at all times.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for λ < 0; [`PhysicsError::NotFinite`] for f.
    pub fn relax(
        &self,
        lambda: f64,
        start: f64,
        force: impl Fn(f64) -> f64,
    ) -> Result<Vec<f64>, PhysicsError> {
        inside("λ", lambda, 0.0, f64::MAX)?;
        let mut values = vec![start];
        for n in 1..self.times.len() {
            let history: f64 = (0..n - 1)
                .map(|j| self.weight(n, j) * (values[j + 1] - values[j]))
                .sum();
            let last = self.weight(n, n - 1);
            values.push((force(self.times[n]) + last * values[n - 1] - history) / (last + lambda));
        }
        all_finite("solution", &values)?;
        Ok(values)
    }

    /// D^α u = u_xx + f(x, t) on [0, length], u = 0 at both ends and at t = 0: states at all times, with central differences on
    /// `cells` cells, ends included. Cost: O(n²·cells).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for fewer than 2 cells or a length that is not positive; [`PhysicsError::NotFinite`] for f.
    pub fn diffuse(
        &self,
        length: f64,
        cells: usize,
        force: impl Fn(f64, f64) -> f64,
    ) -> Result<Vec<Vec<f64>>, PhysicsError> {
        positive("length", length)?;
        if cells < 2 {
            return Err(PhysicsError::Parameter {
                name: "cells",
                value: cells as f64,
                needed: "must be 2 or more",
            });
        }
        let h = length / cells as f64;
        let square = 1.0 / (h * h);
        let mut states = vec![vec![0.0; cells + 1]];
        let mut ratio = vec![0.0; cells + 1];
        for n in 1..self.times.len() {
            let t = self.times[n];
            let last = self.weight(n, n - 1);
            let mut u: Vec<f64> = (0..=cells).map(|i| force(h * i as f64, t)).collect();
            for j in 0..n - 1 {
                let w = self.weight(n, j);
                for (i, u) in u.iter_mut().enumerate() {
                    *u -= w * (states[j + 1][i] - states[j][i]);
                }
            }
            // (a + 2/h²)u_i − (u_{i−1} + u_{i+1})/h² = rhs, by elimination.
            for i in 1..cells {
                u[i] += last * states[n - 1][i];
                let before = if i == 1 { 0.0 } else { u[i - 1] };
                let pivot = last + 2.0 * square - square * ratio[i - 1];
                ratio[i] = square / pivot;
                u[i] = (u[i] + square * before) / pivot;
            }
            (u[0], u[cells]) = (0.0, 0.0);
            for i in (1..cells).rev() {
                u[i] += ratio[i] * u[i + 1];
            }
            all_finite("solution", &u)?;
            states.push(u);
        }
        Ok(states)
    }
}

/// The L1 formula with a history of fixed length, for steps that come one by one.
#[derive(Debug, Clone)]
pub struct History {
    alpha: f64,
    scale: f64,
    /// (rate, weight, ∫u'e^{−rate(t − s)} ds) without the last interval.
    modes: Vec<[f64; 3]>,
    shortest: f64,
    longest: f64,
    time: f64,
    value: f64,
    /// Length and increment of the last interval.
    last: [f64; 2],
}

impl History {
    /// For the order α, steps of at least `shortest` and times up to `longest`, with a relative error of about 1e-12 in the
    /// kernel.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for α outside (0, 1) or 0 < shortest ≤ longest not so.
    pub fn new(alpha: f64, shortest: f64, longest: f64, start: f64) -> Result<Self, PhysicsError> {
        check_order(alpha)?;
        positive("shortest step", shortest)?;
        inside("longest time", longest, shortest, f64::MAX)?;
        // Width of the strip where the integrand is analytic: π/2. The trapezoidal error is e^{−π²/h}.
        let h = std::f64::consts::PI.powi(2) / 32.0;
        let (first, last) = ((1e-14 / longest).ln(), (34.0 / shortest).ln());
        let count = ((last - first) / h).ceil() as usize;
        let mut modes = Vec::with_capacity(count + 2);
        let norm = h / gamma(alpha);
        // All smaller rates do not decay: their weights are one geometric series.
        modes.push([
            0.0,
            norm * (alpha * (first - h)).exp() / (1.0 - (-alpha * h).exp()),
            0.0,
        ]);
        for k in 0..=count {
            let y = first + h * k as f64;
            modes.push([y.exp(), norm * (alpha * y).exp(), 0.0]);
        }
        Ok(Self {
            alpha,
            scale: gamma(1.0 - alpha),
            modes,
            shortest,
            longest,
            time: 0.0,
            value: start,
            last: [0.0; 2],
        })
    }

    /// Numbers kept.
    pub fn len(&self) -> usize {
        self.modes.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.modes.is_empty()
    }

    /// D^α at the time `t` for the next value `value` there.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for a step shorter than the shortest or a time beyond the longest;
    /// [`PhysicsError::NotFinite`].
    pub fn push(&mut self, t: f64, value: f64) -> Result<f64, PhysicsError> {
        // Rounding of times may shorten a step.
        let least = self.time + self.shortest * (1.0 - 1e-9);
        inside("t", t, least, self.longest * (1.0 + 1e-9))?;
        all_finite("value", &[value])?;
        let step = t - self.time;
        let [length, increment] = self.last;
        let mut history = 0.0;
        for [rate, weight, sum] in &mut self.modes {
            // The interval before joins: its integral at the old time, then all decay by one step.
            if length > 0.0 {
                let z = *rate * length;
                let mean = if z < 1e-300 { 1.0 } else { -(-z).exp_m1() / z };
                *sum += increment * mean;
            }
            *sum *= (-*rate * step).exp();
            history += *weight * *sum;
        }
        let slope = (value - self.value) / step;
        let local = slope * step.powf(1.0 - self.alpha) / (1.0 - self.alpha);
        self.last = [step, value - self.value];
        (self.time, self.value) = (t, value);
        Ok((history + local) / self.scale)
    }
}
