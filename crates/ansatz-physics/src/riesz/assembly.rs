//! Fractional derivatives of B-splines at Greville points.
//!
//! To the right of the support the left derivative of order α is the integral (1/Γ(−α))·∫N(y)(x − y)^{−1−α}dy, within
//!
//! ```text
//! (1/Γ(2 − α))·( N'(0)·x^{1−α} + ∫N″(y)(x − y)^{1−α}dy ),
//! ```
//!
//! x from the beginning of the support. On intervals at least half an interval away integrals are by Gauss and Legendre, with 24
//! points exact to rounding; on nearer ones N″ is expanded at x and its powers are integrated. (Sums of truncated
//! powers, the usual formula, lose a digit for each degree to cancellation, and n^α times that in the solution.) Right
//! derivatives are left ones mirrored.

use std::f64::consts::PI;

use super::spline::Knots;
use crate::special::{gamma, gauss_legendre};

/// From this distance on, in intervals, integrals are by quadrature.
const FAR: f64 = 0.5;

/// One interval of a B-spline.
#[derive(Debug, Clone)]
struct Piece {
    start: f64,
    /// Coefficients of N″ in powers of y − start.
    curvature: Vec<f64>,
    /// Points of quadrature, with weights times N and times N″.
    rule: Vec<(f64, f64, f64)>,
}

impl Piece {
    /// ∫N″(y)(x − y)^{1−α}dy over the part left of x.
    fn near(&self, alpha: f64, x: f64) -> f64 {
        let gap = x - (self.start + 1.0);
        if gap >= FAR {
            let terms = self
                .rule
                .iter()
                .map(|(y, _, m)| m * (x - y).powf(1.0 - alpha));
            return terms.sum();
        }
        // N″ in powers of y − x, by Horner's scheme over and over.
        let mut c = self.curvature.clone();
        let shift = x - self.start;
        for k in 0..c.len() {
            for j in (k..c.len() - 1).rev() {
                c[j] += shift * c[j + 1];
            }
        }
        let (most, least) = (shift, gap.max(0.0));
        let mut sign = 1.0;
        let mut sum = 0.0;
        for (k, c) in c.iter().enumerate() {
            let power = k as f64 + 2.0 - alpha;
            sum += sign * c * (most.powf(power) - least.powf(power)) / power;
            sign = -sign;
        }
        sum
    }
}

/// One B-spline as what its left derivative needs.
#[derive(Debug, Clone)]
struct Shape {
    pieces: Vec<Piece>,
    /// N' at the beginning of the support.
    slope: f64,
    start: f64,
    end: f64,
}

impl Shape {
    fn new(knots: &Knots, i: usize, rule: &[(f64, f64)]) -> Self {
        let p = knots.degree();
        let (start, end) = (knots.at(i), knots.at(i + p + 1));
        let piece = |t: usize| {
            let at = |k: usize, y: f64| knots.piece(i, p, t, k, y);
            let mut factorial = 1.0;
            let mut curvature = Vec::with_capacity(p - 1);
            for k in 0..p - 1 {
                factorial *= k.max(1) as f64;
                curvature.push(at(k + 2, t as f64) / factorial);
            }
            let point = |(x, w): &(f64, f64)| {
                let y = t as f64 + x;
                (y, w * at(0, y), w * at(2, y))
            };
            Piece {
                start: t as f64,
                curvature,
                rule: rule.iter().map(point).collect(),
            }
        };
        Self {
            pieces: (start as usize..end as usize).map(piece).collect(),
            slope: knots.piece(i, p, start as usize, 1, start),
            start,
            end,
        }
    }

    /// The left derivative of order α at x, in units of h^{−α}.
    fn left(&self, alpha: f64, x: f64) -> f64 {
        if x <= self.start {
            return 0.0;
        }
        if x >= self.end + FAR {
            let rule = self.pieces.iter().flat_map(|p| &p.rule);
            let sum: f64 = rule.map(|(y, m, _)| m * (x - y).powf(-1.0 - alpha)).sum();
            return sum / gamma(-alpha);
        }
        let pieces = self.pieces.iter().filter(|p| p.start < x);
        let integral: f64 = pieces.map(|p| p.near(alpha, x)).sum();
        let jump = if self.slope.abs() > 0.0 {
            self.slope * (x - self.start).powf(1.0 - alpha)
        } else {
            0.0
        };
        (jump + integral) / gamma(2.0 - alpha)
    }
}

/// Entries of the collocation matrix.
#[derive(Debug)]
pub(super) struct Assembly {
    alpha: f64,
    knots: Knots,
    /// The B-splines at the left end, dropped one first, the first cardinal one, those at the right end.
    first: Vec<Shape>,
    last: Vec<Shape>,
    cardinal: Shape,
    /// n^α/(2cos(πα/2)).
    scale: f64,
}

impl Assembly {
    pub(super) fn new(alpha: f64, knots: &Knots) -> Self {
        let (p, n) = (knots.degree(), knots.intervals());
        let rule = gauss_legendre(24);
        // The cardinal spline on knots of its own: there is none where intervals are few.
        let free = Knots::new(p, 3 * p + 2);
        Self {
            alpha,
            knots: *knots,
            first: (0..p).map(|i| Shape::new(knots, i, &rule)).collect(),
            last: (n..n + p).map(|i| Shape::new(knots, i, &rule)).collect(),
            cardinal: Shape::new(&free, p, &rule),
            scale: (n as f64).powf(alpha) / (2.0 * (0.5 * PI * alpha).cos()),
        }
    }

    /// The entry of the Toeplitz part at distance `k` from the diagonal.
    pub(super) fn central(&self, k: usize) -> f64 {
        let middle = 0.5 * (self.knots.degree() as f64 + 1.0);
        let k = k as f64;
        let left = |x: f64| self.cardinal.left(self.alpha, x);
        self.scale * (left(middle + k) + left(middle - k))
    }

    /// The entry in row `i` and column `j`, from 0.
    pub(super) fn entry(&self, i: usize, j: usize) -> f64 {
        let m = self.knots.intervals() + self.knots.degree() - 2;
        let mirrored = self.left(m - 1 - i, m - 1 - j);
        self.scale * (self.left(i, j) + mirrored)
    }

    /// The left derivative of inner B-spline `j` at inner Greville point `i`, in units of h^{−α}.
    fn left(&self, i: usize, j: usize) -> f64 {
        let (p, n) = (self.knots.degree(), self.knots.intervals());
        let x = self.knots.greville(i + 1) * n as f64;
        let j = j + 1;
        if j < p {
            self.first[j].left(self.alpha, x)
        } else if j < n {
            self.cardinal.left(self.alpha, x - (j - p) as f64)
        } else {
            self.last[j - n].left(self.alpha, x)
        }
    }
}
