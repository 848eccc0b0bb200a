//! A solution at the times that were asked for, and between them.

use crate::reference::{check_length, inside};
use crate::{PhysicsError, Reference};

/// A scalar field at one time.
pub trait Snapshot {
    /// Dimension of space.
    const SPACE: usize;

    /// The value at a point.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    fn at(&self, point: &[f64]) -> Result<f64, PhysicsError>;
}

/// States at given times, with slopes in time, which interpolate between them.
#[derive(Debug, Clone)]
pub struct Trajectory<S> {
    pub(crate) times: Vec<f64>,
    pub(crate) states: Vec<S>,
    pub(crate) slopes: Vec<S>,
    pub(crate) accuracy: f64,
    pub(crate) steps: usize,
}

impl<S> Trajectory<S> {
    /// The times asked for.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The states at those times, exact for the scheme.
    pub fn states(&self) -> &[S] {
        &self.states
    }

    /// Their derivatives in t, from the equation.
    pub fn slopes(&self) -> &[S] {
        &self.slopes
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

impl<S: Snapshot> Trajectory<S> {
    /// u at a point and a time between the first and the last; at the times asked for without interpolation, else by the
    /// polynomial with the values and slopes at the nearest two times on either side (degree 7 inside, 3 for two
    /// times). Ask for times close enough together that this is accurate: its error is not in the stated accuracy.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn at(&self, point: &[f64], t: f64) -> Result<f64, PhysicsError> {
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        inside("t", t, first, last)?;
        let right = self.times.partition_point(|s| *s < t);
        let is_node = |k: usize| (self.times[k] - t).abs() <= 1e-14 * last;
        if let Some(k) = [right, right.saturating_sub(1)]
            .into_iter()
            .find(|k| is_node(*k))
        {
            return self.states[k].at(point);
        }
        let (low, high) = (right.saturating_sub(2), (right + 2).min(self.times.len()));
        let mut table = [[0.0; 2]; 8];
        let mut count = 0;
        for k in low..high {
            let (u, slope) = (self.states[k].at(point)?, self.slopes[k].at(point)?);
            table[count] = [self.times[k], u];
            table[count + 1] = [self.times[k], slope];
            count += 2;
        }
        Ok(hermite(&mut table[..count], t))
    }
}

/// The polynomial through pairs (t, u), (t, u'), by Newton's divided differences.
fn hermite(table: &mut [[f64; 2]], t: f64) -> f64 {
    let n = table.len();
    let time: Vec<f64> = table.iter().map(|p| p[0]).collect();
    // First differences of equal nodes are slopes.
    let mut differences: Vec<f64> = (0..n).map(|i| table[i - i % 2][1]).collect();
    let mut newton = [0.0; 8];
    newton[0] = differences[0];
    for order in 1..n {
        for i in 0..n - order {
            differences[i] = if order == 1 && i % 2 == 0 {
                table[i + 1][1]
            } else {
                (differences[i + 1] - differences[i]) / (time[i + order] - time[i])
            };
        }
        newton[order] = differences[0];
    }
    (0..n - 1)
        .rev()
        .fold(newton[n - 1], |sum, k| newton[k] + (t - time[k]) * sum)
}

impl<S: Snapshot> Reference for Trajectory<S> {
    fn inputs(&self) -> usize {
        S::SPACE + 1
    }

    fn outputs(&self) -> usize {
        1
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), S::SPACE + 1)?;
        check_length("outputs", out.len(), 1)?;
        out[0] = self.at(&point[..S::SPACE], point[S::SPACE])?;
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.accuracy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_degree_seven_are_interpolated() {
        let u = |t: f64| 1.0 - t + 3.0 * t.powi(4) - 2.0 * t.powi(7);
        let slope = |t: f64| -1.0 + 12.0 * t.powi(3) - 14.0 * t.powi(6);
        let mut table = [[0.0; 2]; 8];
        for (k, t) in [0.0, 0.3, 0.7, 1.2].into_iter().enumerate() {
            table[2 * k] = [t, u(t)];
            table[2 * k + 1] = [t, slope(t)];
        }
        assert!((hermite(&mut table, 0.5) - u(0.5)).abs() < 1e-13);
        assert!((hermite(&mut table, 1.0) - u(1.0)).abs() < 1e-13);
    }
}
