//! The scalars of one step and one sample; names as in the module above.

use ansatz_core::RowState;

use crate::TimeGrid;

/// Steps above which the last scalar of a step takes another form.
const MANY_STEPS: usize = 20;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `a/b` clamped to [−2, 2]; 0 where nothing is to be divided by, NaN for what is no number.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 || b.is_nan() {
        (a / b).clamp(-2.0, 2.0)
    } else {
        0.0
    }
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

    /// β·(1 − w) + w·⟨a, b⟩/⟨b, b⟩: r₁ and r₂.
    fn mixed(&self, product: f64, square: f64) -> f64 {
        self.offset + self.weight * ratio(product, square)
    }

    /// r_i of one sample.
    fn inner(&self, r1: f64) -> f64 {
        let damped = sigmoid(0.25 * r1.abs()) * self.r_log;
        damped.clamp(0.25 * self.r_log, 1.5 * self.r_log)
    }

    /// Factors of D₁ in the slope before and of D₂ in the slope behind.
    fn slopes(&self) -> (f64, f64) {
        (1.0 / (self.r_log * self.h), self.r_log / self.h)
    }
}

/// What a step finds out about each sample. Numbers of rows lie one behind the other.
pub(super) struct Scalars {
    rows: usize,
    /// r₁, r_i, r₂ and the factors of D₁ and D₂ in `x_t − x_E`.
    r1: Vec<f64>,
    inner: Vec<f64>,
    r2: Vec<f64>,
    w1: Vec<f64>,
    w2: Vec<f64>,
    /// Inner products, two rows of them.
    products: [Vec<f64>; 4],
    /// Factors of states.
    factors: [Vec<f64>; 3],
}

impl Scalars {
    pub(super) fn new(rows: usize) -> Self {
        let zeros = || vec![0.0; rows];
        Self {
            rows,
            r1: zeros(),
            inner: zeros(),
            r2: zeros(),
            w1: zeros(),
            w2: zeros(),
            products: std::array::from_fn(|_| vec![0.0; 2 * rows]),
            factors: std::array::from_fn(|_| zeros()),
        }
    }

    /// r₁ and r_i.
    pub(super) fn probe<S: RowState>(&mut self, step: &Coefficients, m0: &S, m1: &S) {
        let rows = self.rows;
        let [products, ..] = &mut self.products;
        m1.row_dots(&[m0, m1], products);
        for k in 0..rows {
            self.r1[k] = step.mixed(products[k], products[rows + k]);
            self.inner[k] = step.inner(self.r1[k]);
        }
    }

    /// Factors of m₀ and m₋₁ in the probe, besides what is kept of x.
    pub(super) fn probe_factors(&mut self, gain: f64) -> [&[f64]; 2] {
        for k in 0..self.rows {
            let half = 0.5 / self.inner[k];
            self.factors[0][k] = gain * (1.0 + half);
            self.factors[1][k] = -gain * half * self.r1[k];
        }
        [&self.factors[0], &self.factors[1]]
    }

    /// r₂ and the factors of D₁ and D₂, which are 0 where D₁ vanishes. Differences are formed before they are multiplied:
    /// what is left of estimates that are nearly equal would drown in products of the estimates themselves.
    pub(super) fn correct<S: RowState>(
        &mut self,
        step: &Coefficients,
        [m0, m1, mt]: [&S; 3],
        [d1, d2]: &mut [S; 2],
    ) {
        let rows = self.rows;
        let [similar, squares, gaps, slope] = &mut self.products;
        m0.row_dots(&[mt, m0], similar);
        let [ones, less, _] = &mut self.factors;
        for k in 0..rows {
            self.r2[k] = step.mixed(similar[k], similar[rows + k]);
            (ones[k], less[k]) = (1.0, -self.r1[k]);
        }
        d1.row_lincomb(0.0, &[(ones, m0), (less, m1)]);
        for (less, r2) in less.iter_mut().zip(&self.r2) {
            *less = -r2;
        }
        d2.row_lincomb(0.0, &[(ones, mt), (less, m0)]);
        d1.row_dots(&[d1, d2], squares);
        // next − previous, in the place of D₂; next + previous is this and twice previous.
        let (previous, next) = step.slopes();
        d2.lincomb(next, &[(-previous, d1)]);
        d2.row_dots(&[d1, d2], gaps);
        let many = step.steps > MANY_STEPS;
        if many {
            d2.lincomb(0.0, &[(1.0 / step.h, m0), (-1.0 / step.h, m1)]);
            d2.row_dots(&[m0, d2], slope);
        }
        for k in 0..rows {
            let (square, product) = (squares[k], squares[rows + k]);
            if square == 0.0 {
                (self.r2[k], self.w1[k], self.w2[k]) = (0.0, 0.0, 0.0);
                continue;
            }
            let gap = gaps[rows + k];
            let eta = 0.5 * sigmoid((0.5 * ratio(gap + 2.0 * previous * gaps[k], gap)).abs());
            let (b1, b2) = (-eta / step.r_log, (1.0 - eta) * step.r_log);
            // P = x_p − x_E − ½σ_t·h·B/r_i.
            let half = 0.5 * step.gain;
            let offset = half / self.inner[k] * (square - b1 * square - b2 * product);
            let spread = (ratio(offset, square) / step.gain).abs() - 0.5;
            let zeta = if many {
                let c = ratio(slope[k], slope[rows + k]) * (2.0 - step.ratio * step.ratio);
                sigmoid(-spread * sigmoid(c))
            } else {
                sigmoid(spread)
            };
            (self.w1[k], self.w2[k]) = (half * b1 / zeta, half * b2 / zeta);
        }
    }

    /// Factors of m₀, m₋₁ and m_t in the new state, besides what is kept of x.
    pub(super) fn step_factors(&mut self, gain: f64) -> [&[f64]; 3] {
        for k in 0..self.rows {
            self.factors[0][k] = gain + self.w1[k] - self.w2[k] * self.r2[k];
            self.factors[1][k] = -self.w1[k] * self.r1[k];
            self.factors[2][k] = self.w2[k];
        }
        let [own, before, new] = &self.factors;
        [own, before, new]
    }
}
