//! Projection on a box cut by a hyperplane.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, Proximal, check, dot};
use crate::LinalgError;
use crate::error::finite;

/// The projection on {α ≤ y ≤ β, wᵀy = c}: y = clip(x + τw, α, β) with the multiplier τ by bisection. The arguments are
/// [α, β, w, c]; bounds may be infinite. O(n) for each of about 60 bisections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxSection {
    /// Elements.
    pub n: usize,
}

impl Proximal for BoxSection {}

/// Bisections after which an interval of doubles is used up.
const BISECTIONS: usize = 200;

impl ParametricMap for BoxSection {
    fn unknowns(&self) -> usize {
        self.n
    }

    fn arguments(&self) -> Vec<usize> {
        vec![self.n, self.n, self.n, 1]
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let (x, lower, upper, w, c) = (at.x, at.args[0], at.args[1], at.args[2], at.args[3][0]);
        finite("weights of a box section", w)?;
        finite("sum of a box section", at.args[3])?;
        if let Some(i) = (0..self.n).find(|i| lower[*i] > upper[*i]) {
            return Err(LinalgError::Parameter {
                name: "lower bound",
                value: lower[i],
                needed: "at most the upper one",
            });
        }
        // The sum rises with τ.
        let sum = |tau: f64| -> f64 {
            let terms = (0..self.n).map(|i| w[i] * (x[i] + tau * w[i]).max(lower[i]).min(upper[i]));
            terms.sum()
        };
        let (mut lo, mut hi) = (-1.0, 1.0);
        while sum(lo) > c && lo > -1e30 {
            lo *= 2.0;
        }
        while sum(hi) < c && hi < 1e30 {
            hi *= 2.0;
        }
        let slack = 1e-12 * (1.0 + c.abs());
        for (end, gap) in [(0, sum(lo) - c), (1, c - sum(hi))] {
            if gap > slack || gap.is_nan() {
                return Err(LinalgError::Infeasible {
                    what: "box section",
                    at: end,
                    violation: gap,
                });
            }
        }
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (lo + hi);
            if middle <= lo || middle >= hi {
                break;
            }
            if sum(middle) < c {
                lo = middle;
            } else {
                hi = middle;
            }
        }
        let mut tau = 0.5 * (lo + hi);
        let place = |tau: f64| -> Vec<Place> {
            let on = (0..self.n).map(|i| match x[i] + tau * w[i] {
                y if y < lower[i] => Place::Lower,
                y if y > upper[i] => Place::Upper,
                _ => Place::Free,
            });
            on.collect()
        };
        let places = place(tau);
        let free = |i: &usize| places[*i] == Place::Free;
        let square: f64 = (0..self.n).filter(free).map(|i| w[i] * w[i]).sum();
        if square > 0.0 {
            // With the active set known τ has a closed form.
            let exact = tau + (c - sum(tau)) / square;
            if place(exact) == places {
                tau = exact;
            }
        }
        for i in 0..self.n {
            out[i] = (x[i] + tau * w[i]).max(lower[i]).min(upper[i]);
        }
        finite("value of a map", out)?;
        Ok(Box::new(Section {
            inverse: if square > 0.0 { 1.0 / square } else { 0.0 },
            places,
            w: w.to_vec(),
            y: out.to_vec(),
            tau,
        }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Lower,
    Free,
    Upper,
}

struct Section {
    places: Vec<Place>,
    w: Vec<f64>,
    y: Vec<f64>,
    tau: f64,
    /// 1/‖w‖² over free elements.
    inverse: f64,
}

impl Section {
    /// `v` where elements are at `place`, 0 elsewhere.
    fn only(&self, place: Place, v: &[f64], out: &mut [f64]) {
        for (out, (p, v)) in out.iter_mut().zip(self.places.iter().zip(v)) {
            *out = if *p == place { *v } else { 0.0 };
        }
    }

    /// wᵀv/‖w‖² over free elements.
    fn multiplier(&self, v: &[f64]) -> f64 {
        let mut free = vec![0.0; v.len()];
        self.only(Place::Free, v, &mut free);
        dot(&self.w, &free) * self.inverse
    }
}

impl Derivative for Section {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let t = self.multiplier(w);
        let moved: Vec<f64> = w.iter().zip(&self.w).map(|(d, w)| d - t * w).collect();
        self.only(Place::Free, &moved, out);
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.jvp_x(v, out)
    }

    fn jvp_args(&self, d: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let before = |i: usize| match self.places[i] {
            Place::Lower => d[0][i],
            Place::Free => self.tau * d[2][i],
            Place::Upper => d[1][i],
        };
        for (i, out) in out.iter_mut().enumerate() {
            *out = before(i);
        }
        let t = (d[3][0] - dot(d[2], &self.y) - dot(&self.w, out)) * self.inverse;
        for (i, out) in out.iter_mut().enumerate() {
            if self.places[i] == Place::Free {
                *out += t * self.w[i];
            }
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let t = self.multiplier(v);
        let moved: Vec<f64> = v.iter().zip(&self.w).map(|(v, w)| v - t * w).collect();
        self.only(Place::Lower, &moved, out[0]);
        self.only(Place::Upper, &moved, out[1]);
        self.only(Place::Free, &moved, out[2]);
        for (out, y) in out[2].iter_mut().zip(&self.y) {
            *out = self.tau * *out - t * y;
        }
        out[3][0] = t;
        Ok(())
    }
}
