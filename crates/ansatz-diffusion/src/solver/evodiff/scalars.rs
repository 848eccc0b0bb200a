//! The scalars of one step and one sample; names as in the module above.

use crate::TimeGrid;

/// Steps above which the last scalar of a step takes another form.
const MANY_STEPS: usize = 20;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `a/b` clamped to [−2, 2]; 0 where nothing is to be divided by.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 {
        (a / b).clamp(-2.0, 2.0)
    } else {
        0.0
    }
}

/// Inner product of two combinations of rows.
fn dot(len: usize, a: impl Fn(usize) -> f64, b: impl Fn(usize) -> f64) -> f64 {
    (0..len).map(|i| a(i) * b(i)).sum()
}

/// What a step knows before it sees a sample.
pub(super) struct Coefficients {
    /// σ_t/σ_s.
    ratio: f64,
    /// σ_t·h.
    gain: f64,
    h: f64,
    r_log: f64,
    /// w and (1 − w)β.
    weight: f64,
    offset: f64,
    steps: usize,
}

impl Coefficients {
    pub(super) fn new(grid: &TimeGrid, i: usize) -> Self {
        let levels = grid.levels();
        let [before, from, to] = [&levels[i - 1], &levels[i], &levels[i + 1]];
        let (first, last) = (grid.start().t, grid.end().t);
        let tau = (to.t + last) / (first + last);
        let weight = 0.5 * (1.0 - tau * tau);
        let ratio = to.sigma / from.sigma;
        let beta = (ratio / (from.sigma / before.sigma)).sqrt();
        Self {
            ratio,
            gain: to.alpha - ratio * from.alpha,
            h: 1.0 / to.rho() - 1.0 / from.rho(),
            r_log: (from.lambda() - before.lambda()) / (to.lambda() - from.lambda()),
            weight,
            offset: (1.0 - weight) * beta,
            steps: grid.steps(),
        }
    }

    /// r₁ and r_i of one sample.
    pub(super) fn probe(&self, m0: &[f64], m1: &[f64]) -> (f64, f64) {
        let n = m0.len();
        let similar = ratio(dot(n, |i| m0[i], |i| m1[i]), dot(n, |i| m1[i], |i| m1[i]));
        let r1 = self.offset + self.weight * similar;
        let inner =
            (sigmoid(0.25 * r1.abs()) * self.r_log).clamp(0.25 * self.r_log, 1.5 * self.r_log);
        (r1, inner)
    }

    /// Factors of D₁ and D₂ in `x_t − x_E`, and r₂, of one sample; `None` where D₁ vanishes.
    pub(super) fn correction(
        &self,
        [m0, m1, mt]: [&[f64]; 3],
        (r1, inner): (f64, f64),
    ) -> Option<(f64, f64, f64)> {
        let n = m0.len();
        let similar = ratio(dot(n, |i| mt[i], |i| m0[i]), dot(n, |i| m0[i], |i| m0[i]));
        let r2 = self.offset + self.weight * similar;
        let d1 = |i: usize| m0[i] - r1 * m1[i];
        let d2 = |i: usize| mt[i] - r2 * m0[i];
        let square = dot(n, d1, d1);
        if square == 0.0 {
            return None;
        }
        let previous = |i: usize| d1(i) / (self.r_log * self.h);
        let next = |i: usize| self.r_log * d2(i) / self.h;
        let sum = |i: usize| next(i) + previous(i);
        let gap = |i: usize| next(i) - previous(i);
        let eta = 0.5 * sigmoid((0.5 * ratio(dot(n, sum, gap), dot(n, gap, gap))).abs());
        let (b1, b2) = (-eta / self.r_log, (1.0 - eta) * self.r_log);
        // P = x_p − x_E − ½σ_t·h·B/r_i.
        let half = 0.5 * self.gain;
        let offset = |i: usize| half / inner * (d1(i) - b1 * d1(i) - b2 * d2(i));
        let spread = (ratio(dot(n, offset, d1), square) / self.gain).abs() - 0.5;
        let zeta = if self.steps <= MANY_STEPS {
            sigmoid(spread)
        } else {
            let slope = |i: usize| (m0[i] - m1[i]) / self.h;
            let c = ratio(dot(n, |i| m0[i], slope), dot(n, slope, slope))
                * (2.0 - self.ratio * self.ratio);
            sigmoid(-spread * sigmoid(c))
        };
        Some((half * b1 / zeta, half * b2 / zeta, r2))
    }
}
