//! Continuous paths through data: what drives a controlled equation dz = G(t, z) dX(t).
//!
//! | path | between knots | derivative | sees the future |
//! |---|---|---|---|
//! | [`Path::linear`] | straight lines | jumps at knots | to the next knot |
//! | [`Path::hermite`] | cubic, slopes from backward differences | continuous | to the next knot |
//! | [`Path::natural`] | cubic spline with no curvature at the ends | continuous, twice | all of it |
//! | [`Series::rectilinear`], then linear | first time moves, then data | jumps | not at all |
//!
//! On [tᵢ, tᵢ₊₁] with δ = tᵢ₊₁ − tᵢ, sᵢ = (xᵢ₊₁ − xᵢ)/δ, s₋₁ = s₀ and u = t − tᵢ, the Hermite path is
//! xᵢ + sᵢ₋₁u + 2(sᵢ − sᵢ₋₁)u²/δ + (sᵢ₋₁ − sᵢ)u³/δ².
//!
//! Irregular and partly missing data come in as a [`Series`] with NaN where nothing was observed, are
//! filled by a [`Fill`] rule, and may carry time and counts of observations as channels. Many series on the
//! same times are one series with more channels: rows are `[samples, channels]`.
//!
//! Cost: O(n·channels) to make (the spline solves one tridiagonal system for all channels), a binary search and
//! a polynomial per channel to evaluate. Take the Hermite path unless there is a reason not to.
//!
//! References: P. Kidger, J. Morrill, J. Foster, T. Lyons, *Neural controlled differential equations for
//! irregular time series*, 2020; J. Morrill, P. Kidger, L. Yang, T. Lyons, *On the choice of interpolation scheme
//! for neural CDEs*, 2022 (Hermite cubics with backward differences, rectilinear paths).

mod series;

use ansatz_core::Scalar;

pub use series::{Fill, Inside, PathError, Series};

/// A piecewise polynomial of degree 3 at most, through the rows of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    knots: Vec<f64>,
    width: usize,
    /// Coefficients of 1, u, u², u³, `[segments, 4, width]`: evaluation runs along the channels.
    coefficients: Vec<f64>,
    smooth: bool,
}

impl Path {
    /// Straight lines.
    ///
    /// # Errors
    /// [`PathError::Missing`].
    pub fn linear(series: &Series) -> Result<Self, PathError> {
        Self::build(series, false, |_, _, slope, out| {
            for (s, c) in slope.iter().zip(out[0].iter_mut()) {
                *c = *s;
            }
        })
    }

    /// Cubics whose slope at a knot is that of the segment before: the derivative is continuous, and between two
    /// knots nothing depends on data after the second.
    ///
    /// # Errors
    /// [`PathError::Missing`].
    ///
    /// ```
    /// use ansatz_diffeq::path::{Path, Series};
    /// let series = Series::new(vec![0.0, 1.0, 1.5], vec![1.0, 2.0, 0.5], 1, 1)?;
    /// let path = Path::hermite(&series)?;
    /// let (mut x, mut dx) = ([0.0], [0.0]);
    /// path.value(1.25, &mut x);
    /// path.derivative(1.25, &mut dx);
    /// assert_eq!((x, dx), ([1.5], [-4.0]));
    /// # Ok::<(), ansatz_diffeq::path::PathError>(())
    /// ```
    pub fn hermite(series: &Series) -> Result<Self, PathError> {
        let width = series.width();
        let mut before: Vec<f64> = Vec::new();
        Self::build(series, true, |_, delta, slope, out| {
            if before.is_empty() {
                before = slope.to_vec();
            }
            for k in 0..width {
                let change = slope[k] - before[k];
                out[0][k] = before[k];
                out[1][k] = 2.0 * change / delta;
                out[2][k] = -change / (delta * delta);
            }
            before.copy_from_slice(slope);
        })
    }

    /// The cubic spline with second derivative 0 at both ends.
    ///
    /// # Errors
    /// [`PathError::Missing`].
    pub fn natural(series: &Series) -> Result<Self, PathError> {
        series.complete()?;
        let curvature = curvatures(series);
        let width = series.width();
        Self::build(series, true, |i, delta, slope, out| {
            let at = |i: usize, k: usize| curvature[i * width + k];
            for k in 0..width {
                let (m, next) = (at(i, k), at(i + 1, k));
                out[0][k] = slope[k] - delta * (2.0 * m + next) / 6.0;
                out[1][k] = 0.5 * m;
                out[2][k] = (next - m) / (6.0 * delta);
            }
        })
    }

    /// Fills in the coefficients of u, u², u³ of every segment from (index, δ, slopes).
    fn build(
        series: &Series,
        smooth: bool,
        mut segment: impl FnMut(usize, f64, &[f64], [&mut [f64]; 3]),
    ) -> Result<Self, PathError> {
        series.complete()?;
        let width = series.width();
        let knots = series.times().to_vec();
        let mut coefficients = vec![0.0; (knots.len() - 1) * 4 * width];
        let mut slope = vec![0.0; width];
        for (i, t) in knots.windows(2).enumerate() {
            let delta = t[1] - t[0];
            let (x, next) = (series.row(i), series.row(i + 1));
            for ((s, x), next) in slope.iter_mut().zip(x).zip(next) {
                *s = (next - x) / delta;
            }
            let (constant, rest) = coefficients[i * 4 * width..][..4 * width].split_at_mut(width);
            constant.copy_from_slice(x);
            let (one, rest) = rest.split_at_mut(width);
            let (two, three) = rest.split_at_mut(width);
            segment(i, delta, &slope, [one, two, three]);
        }
        Ok(Self {
            knots,
            width,
            coefficients,
            smooth,
        })
    }

    /// The times of the data.
    #[must_use]
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// First and last time.
    #[must_use]
    pub fn span(&self) -> (f64, f64) {
        (self.knots[0], self.knots[self.knots.len() - 1])
    }

    /// Numbers in X(t): samples times channels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Segments between knots.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.knots.len() - 1
    }

    /// Times at which the derivative jumps, where solvers must stop and start anew: inner knots, or none.
    #[must_use]
    pub fn jumps(&self) -> &[f64] {
        if self.smooth {
            &[]
        } else {
            &self.knots[1..self.knots.len() - 1]
        }
    }

    /// The segment that `t` is in; a knot belongs to the segment after it, except the last.
    #[must_use]
    pub fn segment(&self, t: f64) -> usize {
        let after = self.knots.partition_point(|k| *k <= t);
        after.saturating_sub(1).min(self.segments() - 1)
    }

    /// `out ← X(t)`. Outside the knots the first and last polynomials go on.
    ///
    /// # Panics
    /// When `out` is not of length [`Path::width`].
    pub fn value<T: Scalar>(&self, t: f64, out: &mut [T]) {
        self.value_in(self.segment(t), t, out);
    }

    /// `out ← X'(t)`; where it jumps, the derivative on the right.
    ///
    /// # Panics
    /// When `out` is not of length [`Path::width`].
    pub fn derivative<T: Scalar>(&self, t: f64, out: &mut [T]) {
        self.derivative_in(self.segment(t), t, out);
    }

    /// X(t) by the polynomial of a segment.
    ///
    /// # Panics
    /// When `out` is not of length [`Path::width`], or there is no such segment.
    pub fn value_in<T: Scalar>(&self, segment: usize, t: f64, out: &mut [T]) {
        let (u, c) = self.at(segment, t, out.len());
        for (k, x) in out.iter_mut().enumerate() {
            *x = T::of(c[0][k] + u * (c[1][k] + u * (c[2][k] + u * c[3][k])));
        }
    }

    /// X'(t) by the polynomial of a segment: at its end, the derivative on the left.
    ///
    /// # Panics
    /// When `out` is not of length [`Path::width`], or there is no such segment.
    pub fn derivative_in<T: Scalar>(&self, segment: usize, t: f64, out: &mut [T]) {
        let (u, c) = self.at(segment, t, out.len());
        for (k, x) in out.iter_mut().enumerate() {
            *x = T::of(c[1][k] + u * (2.0 * c[2][k] + u * (3.0 * c[3][k])));
        }
    }

    fn at(&self, segment: usize, t: f64, length: usize) -> (f64, [&[f64]; 4]) {
        let w = self.width;
        assert_eq!(length, w, "room for one number per channel");
        let c = &self.coefficients[segment * 4 * w..][..4 * w];
        let part = |k: usize| &c[k * w..(k + 1) * w];
        (
            t - self.knots[segment],
            [part(0), part(1), part(2), part(3)],
        )
    }
}

/// Second derivatives of the natural spline at the knots, `[n, width]`: Thomas' algorithm.
fn curvatures(series: &Series) -> Vec<f64> {
    let (t, w) = (series.times(), series.width());
    let n = t.len();
    let mut m = vec![0.0; n * w];
    // Row i: δᵢ₋₁mᵢ₋₁ + 2(δᵢ₋₁ + δᵢ)mᵢ + δᵢmᵢ₊₁ = 6(sᵢ − sᵢ₋₁). `upper` is what elimination leaves of δᵢ.
    let mut upper = vec![0.0; n];
    for i in 1..n - 1 {
        let (before, after) = (t[i] - t[i - 1], t[i + 1] - t[i]);
        let pivot = 2.0 * (before + after) - before * upper[i - 1];
        upper[i] = after / pivot;
        for k in 0..w {
            let x = |i: usize| series.row(i)[k];
            let change = (x(i + 1) - x(i)) / after - (x(i) - x(i - 1)) / before;
            m[i * w + k] = (6.0 * change - before * m[(i - 1) * w + k]) / pivot;
        }
    }
    for i in (1..n - 1).rev() {
        for k in 0..w {
            m[i * w + k] -= upper[i] * m[(i + 1) * w + k];
        }
    }
    m
}
