//! Values on the points of a square grid, shared by the solvers by differences.

use crate::PhysicsError;
use crate::reference::all_finite;

/// Points of a polynomial through neighbours.
pub(crate) const STENCIL: usize = 8;

/// The first of the neighbours of `x` among `cells` + 1 points of [low, high], and the weights for value and slope.
pub(crate) fn stencil(
    cells: usize,
    [low, high]: [f64; 2],
    x: f64,
) -> (usize, [f64; STENCIL], [f64; STENCIL]) {
    let s = (x - low) / (high - low) * cells as f64;
    let first = (s as usize)
        .saturating_sub(STENCIL / 2 - 1)
        .min(cells + 1 - STENCIL);
    let s = s - first as f64;
    let (mut values, mut slopes) = ([0.0; STENCIL], [0.0; STENCIL]);
    for j in 0..STENCIL {
        // Lagrange's polynomials and their derivatives by the product rule.
        let (mut v, mut d) = (1.0, 0.0);
        for k in (0..STENCIL).filter(|k| *k != j) {
            let gap = j as f64 - k as f64;
            d = (d * (s - k as f64) + v) / gap;
            v *= (s - k as f64) / gap;
        }
        (values[j], slopes[j]) = (v, d);
    }
    let scale = cells as f64 / (high - low);
    (first, values, slopes.map(|d| d * scale))
}

/// (n + 1)² values \[x\]\[y\] on [low, high]².
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Square {
    cells: usize,
    low: f64,
    high: f64,
    values: Vec<f64>,
}

impl Square {
    pub(crate) fn new(cells: usize, [low, high]: [f64; 2], values: Vec<f64>) -> Self {
        Self {
            cells,
            low,
            high,
            values,
        }
    }

    pub(crate) fn sample(
        cells: usize,
        [low, high]: [f64; 2],
        f: &impl Fn(f64, f64) -> f64,
    ) -> Result<Self, PhysicsError> {
        let row = cells + 1;
        let place = |i: usize| low + (high - low) * i as f64 / cells as f64;
        let values: Vec<f64> = (0..row * row)
            .map(|i| f(place(i / row), place(i % row)))
            .collect();
        all_finite("values on the grid", &values)?;
        Ok(Self::new(cells, [low, high], values))
    }

    pub(crate) fn cells(&self) -> usize {
        self.cells
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    pub(crate) fn zero_boundary(&mut self) {
        let n = self.cells;
        for i in 0..=n {
            for k in [i, n * (n + 1) + i, i * (n + 1), i * (n + 1) + n] {
                self.values[k] = 0.0;
            }
        }
    }

    /// Value, ∂_x and ∂_y of the polynomial of degree 7 through the nearest points.
    pub(crate) fn jet(&self, x: f64, y: f64) -> [f64; 3] {
        let (i, vx, dx) = stencil(self.cells, [self.low, self.high], x);
        let (j, vy, dy) = stencil(self.cells, [self.low, self.high], y);
        let mut jet = [0.0; 3];
        for k in 0..STENCIL {
            let line = &self.values[(i + k) * (self.cells + 1) + j..][..STENCIL];
            let value: f64 = line.iter().zip(&vy).map(|(a, b)| a * b).sum();
            let slope: f64 = line.iter().zip(&dy).map(|(a, b)| a * b).sum();
            jet[0] += vx[k] * value;
            jet[1] += dx[k] * value;
            jet[2] += vx[k] * slope;
        }
        jet
    }

    pub(crate) fn value(&self, x: f64, y: f64) -> f64 {
        self.jet(x, y)[0]
    }

    /// On the coarse grid, with the error in h² of this grid, finer by `ratio`, removed.
    pub(crate) fn extrapolated(&self, coarse: &Self, ratio: f64) -> Self {
        let step = self.cells / coarse.cells;
        let row = coarse.cells + 1;
        let gain = 1.0 / (ratio * ratio - 1.0);
        let values = coarse.values.iter().enumerate().map(|(k, c)| {
            let f = self.values[k / row * step * (self.cells + 1) + k % row * step];
            f + gain * (f - c)
        });
        Self::new(coarse.cells, [self.low, self.high], values.collect())
    }

    /// The largest difference at the points of a coarser grid.
    pub(crate) fn distance(&self, coarse: &Self) -> f64 {
        let step = self.cells / coarse.cells;
        let row = coarse.cells + 1;
        let gaps = coarse.values.iter().enumerate().map(|(k, c)| {
            (self.values[k / row * step * (self.cells + 1) + k % row * step] - c).abs()
        });
        gaps.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_degree_seven_are_met() {
        let f = |x: f64, y: f64| x.powi(7) - 2.0 * x * y.powi(4) + y;
        let grid = Square::sample(10, [-1.0, 1.0], &f).expect("a grid");
        for (x, y) in [(-1.0, 1.0), (0.03, -0.97), (0.5, 0.21)] {
            let [v, dx, dy] = grid.jet(x, y);
            assert!((v - f(x, y)).abs() < 1e-13);
            assert!((dx - 7.0 * x.powi(6) + 2.0 * y.powi(4)).abs() < 1e-12);
            assert!((dy + 8.0 * x * y.powi(3) - 1.0).abs() < 1e-12);
        }
    }
}
