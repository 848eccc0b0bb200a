//! Lagrangian physics-informed networks: the unknowns are characteristics and what they carry.
//!
//! u_t + c(u)·u_x = ν·u_xx is solved in labels X: x(X, t) moves by x_t = c(u), and along it u_t = ν·D_xx u with the derivative
//! in space, D_xx u = u_XX/x_X² − u_X·x_XX/x_X³. A network that must move a profile over many periods fails; one that
//! must find the constant profile of a moving label does not, whatever the speed. Both unknowns start exactly:
//! x = X + t·N₁, u = u₀(X) + t·N₂, with networks of cos and sin of X so that x − X and u are periodic.
//!
//! Characteristics of ν > 0 stay apart as long as J = x_X stays above 0; where they cross, there is no solution in labels, and
//! [`Characteristics::at`] says so.
//!
//! Reference: R. Mojgani, M. Balajewicz, P. Hassanzadeh, *Kolmogorov n-width and Lagrangian physics-informed neural
//! networks*, 2023 (eqs. 9 to 12; there the viscous term has no metric, which holds for constant c only).

use ansatz_autodiff::Element;

use crate::error::within;
use crate::{PdeError, Problem, Solution};

/// u_t + c(u)·u_x = ν·u_xx, periodic in x.
#[derive(Debug, Clone, PartialEq)]
pub struct Transport {
    /// c as an expression of `u`: `"30"`, `"u"`.
    pub speed: String,
    /// ν.
    pub viscosity: f64,
    /// u at the start, an expression of `X`.
    pub start: String,
    /// The period of x, from one end to the other.
    pub period: [f64; 2],
    /// The last time; the first is 0.
    pub end: f64,
    /// Where viscosity acts.
    pub metric: Metric,
}

/// In which coordinate the viscous term is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metric {
    /// In space.
    #[default]
    Space,
    /// In labels, as published: wrong unless c is constant.
    Labels,
}

impl Transport {
    /// The problem in labels `X` and `t`, for unknowns `x` and `u`; solve it with a network for each
    /// ([`Network::Each`](crate::Network::Each)).
    ///
    /// # Errors
    /// [`PdeError::Option`] for ν below 0, [`PdeError::Text`] for expressions that cannot be read, [`PdeError::Domain`] for
    /// empty intervals.
    pub fn in_labels(&self) -> Result<Problem, PdeError> {
        within("viscosity", self.viscosity, 0.0.., "a number not below 0")?;
        let viscous = match self.metric {
            Metric::Space => "u_XX/x_X^2 - u_X*x_XX/x_X^3",
            Metric::Labels => "u_XX",
        };
        let along = if self.viscosity > 0.0 {
            format!("u_t = nu*({viscous})")
        } else {
            "u_t = 0".into()
        };
        Problem::new()
            .coordinate("X", self.period)
            .time("t", [0.0, self.end])
            .unknown("x")
            .unknown("u")
            .constant("nu", self.viscosity)
            .periodic("X")
            .equation(&format!("x_t = {}", self.speed))
            .equation(&along)
            .form("x", "X + t*x")
            .form("u", &format!("{} + t*u", self.start))
            .build()
    }

    /// The same problem in space, for comparison: `x`, `t` and `u`.
    ///
    /// # Errors
    /// As [`Transport::in_labels`].
    pub fn in_space(&self) -> Result<Problem, PdeError> {
        within("viscosity", self.viscosity, 0.0.., "a number not below 0")?;
        let start = self.start.replace('X', "x");
        Problem::new()
            .coordinate("x", self.period)
            .time("t", [0.0, self.end])
            .unknown("u")
            .constant("nu", self.viscosity)
            .periodic("x")
            .equation(&format!("u_t + ({})*u_x = nu*u_xx", self.speed))
            .form("u", &format!("{start} + t*u"))
            .build()
    }
}

/// A solution in labels, seen from space.
#[derive(Debug)]
pub struct Characteristics<'a, T> {
    solution: &'a Solution<T>,
    /// Labels at which they are looked at first.
    labels: usize,
}

impl<'a, T: Element> Characteristics<'a, T> {
    /// Looks at this many labels to see the order of characteristics.
    ///
    /// # Errors
    /// [`PdeError::Option`] for less than 8 labels, [`PdeError::Width`] for a solution without two coordinates and two
    /// unknowns.
    pub fn new(solution: &'a Solution<T>, labels: usize) -> Result<Self, PdeError> {
        within("labels", labels as f64, 8.0.., "8 or more")?;
        let (coordinates, unknowns) = (solution.problem.coordinates(), solution.problem.unknowns());
        crate::error::expect("coordinates of labels", 2, coordinates.len())?;
        crate::error::expect("unknowns x and u", 2, unknowns.len())?;
        Ok(Self { solution, labels })
    }

    /// u at positions at one time: labels are found by bisection and secants between those that were looked at.
    ///
    /// # Errors
    /// [`PdeError::Crossing`] when characteristics are out of order at this time.
    pub fn at(&self, positions: &[f64], t: f64) -> Result<Vec<f64>, PdeError> {
        let bounds = self.solution.problem.domain().bounds();
        let (from, period) = (bounds.low[0], bounds.high[0] - bounds.low[0]);
        let label = |i: usize| from + period * i as f64 / self.labels as f64;
        let rows = |labels: &[f64]| labels.iter().flat_map(|x| [*x, t]).collect::<Vec<f64>>();
        let labels: Vec<f64> = (0..=self.labels).map(label).collect();
        let place: Vec<f64> = self.solution.values(&rows(&labels))?;
        let place: Vec<f64> = place.chunks(2).map(|v| v[0]).collect();
        if let Some(i) = place.windows(2).position(|p| p[1] <= p[0]) {
            return Err(PdeError::Crossing {
                time: t,
                label: labels[i],
            });
        }
        // Positions are brought into the period that the labels cover, then bracketed.
        let mut brackets: Vec<[f64; 4]> = positions
            .iter()
            .map(|x| {
                let x = place[0] + (x - place[0]).rem_euclid(period);
                let i = place.partition_point(|p| *p <= x).clamp(1, self.labels);
                [labels[i - 1], labels[i], place[i - 1] - x, place[i] - x]
            })
            .collect();
        // The rule of Illinois, for all positions at once.
        for _ in 0..60 {
            let middle = |[a, b, fa, fb]: &[f64; 4]| {
                let m = (a * fb - b * fa) / (fb - fa);
                if m > *a && m < *b { m } else { 0.5 * (a + b) }
            };
            let tries: Vec<f64> = brackets.iter().map(middle).collect();
            let width = brackets.iter().map(|[a, b, ..]| b - a).fold(0.0, f64::max);
            if width <= 4.0 * f64::EPSILON * (1.0 + from.abs() + period) {
                break;
            }
            let found = self.solution.values(&rows(&tries))?;
            let moved = found.chunks(2).map(|v| v[0]);
            let mut done = true;
            for (((bracket, m), x), target) in
                brackets.iter_mut().zip(&tries).zip(moved).zip(positions)
            {
                let target = place[0] + (target - place[0]).rem_euclid(period);
                let f = x - target;
                done &= f.abs() <= 1e-14 * (1.0 + x.abs());
                let [a, b, fa, fb] = bracket;
                if f <= 0.0 {
                    (*a, *fa, *fb) = (*m, f, 0.5 * *fb);
                } else {
                    (*b, *fb, *fa) = (*m, f, 0.5 * *fa);
                }
                if f == 0.0 {
                    *bracket = [*m, *m, -1.0, 1.0];
                }
            }
            if done {
                let found = found.chunks(2).map(|v| v[1]);
                return Ok(found.collect());
            }
        }
        let best: Vec<f64> = brackets
            .iter()
            .map(|[a, b, fa, fb]| if fa.abs() < fb.abs() { *a } else { *b })
            .collect();
        let found = self.solution.values(&rows(&best))?;
        Ok(found.chunks(2).map(|v| v[1]).collect())
    }

    /// The smallest J = x_X at a time, over the labels: characteristics cross where it is 0.
    ///
    /// # Errors
    /// As [`Solution::values`].
    pub fn least_spacing(&self, t: f64) -> Result<f64, PdeError> {
        let bounds = self.solution.problem.domain().bounds();
        let (from, period) = (bounds.low[0], bounds.high[0] - bounds.low[0]);
        let label = |i: usize| [from + period * i as f64 / self.labels as f64, t];
        let rows: Vec<f64> = (0..self.labels).flat_map(label).collect();
        let slopes = self.solution.derivatives(&rows, &[1, 0])?;
        Ok(slopes.chunks(2).map(|v| v[0]).fold(f64::MAX, f64::min))
    }
}
