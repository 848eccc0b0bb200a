//! Splines on open uniform knots of [0, 1].

/// The knots 0 (p + 1 times), 1, 2, …, n − 1, n (p + 1 times): lengths in units of h = 1/n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Knots {
    degree: usize,
    intervals: usize,
}

impl Knots {
    pub(super) fn new(degree: usize, intervals: usize) -> Self {
        Self { degree, intervals }
    }

    pub(super) fn degree(self) -> usize {
        self.degree
    }

    pub(super) fn intervals(self) -> usize {
        self.intervals
    }

    /// Knot number `i`, from 0.
    pub(super) fn at(self, i: usize) -> f64 {
        i.saturating_sub(self.degree).min(self.intervals) as f64
    }

    /// The Greville point of B-spline number `i`, from 0, in [0, 1].
    pub(super) fn greville(self, i: usize) -> f64 {
        let sum: f64 = (i + 1..=i + self.degree).map(|k| self.at(k)).sum();
        sum / (self.degree * self.intervals) as f64
    }

    /// Derivative number `k` of the polynomial that B-spline `i` is on the interval [s, s + 1], at `x`.
    ///
    /// The recursion of de Boor and Cox, and N' = p·(N_{i,p−1}/(t_{i+p} − t_i) − N_{i+1,p−1}/(t_{i+p+1} − t_{i+1})).
    pub(super) fn piece(self, i: usize, degree: usize, span: usize, k: usize, x: f64) -> f64 {
        let (first, last) = (self.at(i), self.at(i + degree + 1));
        if first > span as f64 || last < (span + 1) as f64 {
            return 0.0;
        }
        if k > degree {
            return 0.0;
        }
        if degree == 0 {
            // The one interval between knots i and i + 1.
            let inside = self.at(i) <= span as f64 && self.at(i + 1) >= (span + 1) as f64;
            return if inside { 1.0 } else { 0.0 };
        }
        let (left, right) = (
            self.at(i + degree) - self.at(i),
            self.at(i + degree + 1) - self.at(i + 1),
        );
        let over = |v: f64, length: f64| if length > 0.0 { v / length } else { 0.0 };
        if k > 0 {
            let a = self.piece(i, degree - 1, span, k - 1, x);
            let b = self.piece(i + 1, degree - 1, span, k - 1, x);
            return degree as f64 * (over(a, left) - over(b, right));
        }
        let a = (x - self.at(i)) * self.piece(i, degree - 1, span, 0, x);
        let b = (self.at(i + degree + 1) - x) * self.piece(i + 1, degree - 1, span, 0, x);
        over(a, left) + over(b, right)
    }
}

/// A solution: a spline with zeros at both ends.
#[derive(Debug, Clone)]
pub struct RieszSolution {
    pub(super) knots: Knots,
    /// Coefficients of the inner B-splines.
    pub coefficients: Vec<f64>,
    /// Steps of GMRES.
    pub iterations: usize,
    /// ‖s − A·c‖/‖s‖ reached.
    pub residual: f64,
}

impl RieszSolution {
    /// u(x); 0 outside of [0, 1]. Cost: O(p²).
    pub fn at(&self, x: f64) -> f64 {
        let (p, n) = (self.knots.degree(), self.knots.intervals());
        if !(0.0..=1.0).contains(&x) {
            return 0.0;
        }
        let x = x * n as f64;
        let span = (x as usize).min(n - 1);
        // Values of the p + 1 B-splines that are not 0 there, degree by degree.
        let mut values = vec![0.0; p + 1];
        values[0] = 1.0;
        for degree in 1..=p {
            let mut carried = 0.0;
            for r in 0..degree {
                let right = self.knots.at(span + p + r + 1);
                let left = self.knots.at(span + p + r + 1 - degree);
                let part = values[r] / (right - left);
                values[r] = carried + (right - x) * part;
                carried = (x - left) * part;
            }
            values[degree] = carried;
        }
        let coefficient = |i: usize| {
            let inner = i.checked_sub(1).and_then(|i| self.coefficients.get(i));
            inner.copied().unwrap_or(0.0)
        };
        values
            .iter()
            .enumerate()
            .map(|(r, v)| v * coefficient(span + r))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splines_sum_to_one_and_both_evaluations_agree() {
        let knots = Knots::new(3, 6);
        for x in [0.0, 0.05, 0.4, 0.77, 1.0] {
            let scaled = 6.0 * x;
            let span = (scaled as usize).min(5);
            let all: Vec<f64> = (0..9).map(|i| knots.piece(i, 3, span, 0, scaled)).collect();
            assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            for i in 1..8 {
                let mut coefficients = vec![0.0; 7];
                coefficients[i - 1] = 1.0;
                let spline = RieszSolution {
                    knots,
                    coefficients,
                    iterations: 0,
                    residual: 0.0,
                };
                assert!((spline.at(x) - all[i]).abs() < 1e-14, "{i} {x}");
            }
        }
        // Derivatives as differences.
        let h = 1e-5;
        for i in 0..9 {
            let at = |k: usize, x: f64| knots.piece(i, 3, 2, k, x);
            for k in 0..3 {
                let difference = (at(k, 2.5 + h) - at(k, 2.5 - h)) / (2.0 * h);
                assert!((difference - at(k + 1, 2.5)).abs() < 1e-8);
            }
        }
    }
}
