//! A step along a line that fulfils the strong Wolfe conditions.
//!
//! Reference: J. Nocedal, S. Wright, *Numerical optimization*, 2nd edition, 2006: algorithms 3.5 and 3.6 with the cubic
//! interpolation of eq. 3.59, trial points kept inside the bracket as in M. Schmidt's *minFunc*, 2005.

use super::within;
use crate::NetworkError;

/// f(x + t·d) ≤ f(x) + c₁·t·f′ and |∇f(x + t·d)·d| ≤ c₂·|f′| with f′ = ∇f(x)·d.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrongWolfe {
    /// c₁: the part of the decrease along the tangent that is asked for.
    pub decrease: f64,
    /// c₂: the part of the slope that may be left.
    pub curvature: f64,
    /// Most evaluations of one search.
    pub evaluations: usize,
}

impl Default for StrongWolfe {
    /// c₁ = 1e-4, c₂ = 0.9 and up to 25 evaluations.
    fn default() -> Self {
        Self {
            decrease: 1e-4,
            curvature: 0.9,
            evaluations: 25,
        }
    }
}

/// A point of the line, with the loss and its slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trial {
    pub(super) t: f64,
    pub(super) loss: f64,
    pub(super) slope: f64,
}

impl StrongWolfe {
    pub(super) fn check(&self) -> Result<(), NetworkError> {
        let c1 = self.decrease;
        within("decrease", c1, f64::MIN_POSITIVE..1.0, "0 < decrease < 1")?;
        let needed = "decrease < curvature < 1";
        within("curvature", self.curvature, c1..1.0, needed)?;
        within("evaluations", self.evaluations as f64, 1.0.., "1 or more")
    }

    /// Searches from `start` with the first trial `t`; `evaluate` gives loss and slope at t. Brackets shorter than
    /// `shortest` end the search.
    ///
    /// Returns the number of evaluations. The step is the lowest trial: one that fulfils the conditions is lower than all
    /// before it.
    pub(super) fn search<E>(
        &self,
        start: Trial,
        mut t: f64,
        shortest: f64,
        mut evaluate: E,
    ) -> Result<usize, NetworkError>
    where
        E: FnMut(f64) -> Result<Trial, NetworkError>,
    {
        let low_enough = |p: Trial| p.loss <= start.loss + self.decrease * p.t * start.slope;
        let flat_enough = |p: Trial| p.slope.abs() <= -self.curvature * start.slope;
        let mut used = 0;
        let mut before = start;
        // Algorithm 3.5: farther out until there is a minimum between two trials.
        let (mut low, mut high) = loop {
            let now = evaluate(t)?;
            used += 1;
            if !low_enough(now) || (used > 1 && now.loss >= before.loss) {
                break (before, now);
            }
            if flat_enough(now) || used >= self.evaluations {
                return Ok(used);
            }
            if now.slope >= 0.0 {
                break (now, before);
            }
            let bounds = (t + 0.01 * (t - before.t), 10.0 * t);
            t = minimum(before, now, bounds);
            before = now;
        };
        // Algorithm 3.6: the bracket shrinks; `low` is its lower end.
        let mut pinned = false;
        while used < self.evaluations {
            if high.loss < low.loss {
                std::mem::swap(&mut low, &mut high);
            }
            let (left, right) = (low.t.min(high.t), low.t.max(high.t));
            if right - left < shortest {
                break;
            }
            t = minimum(low, high, (left, right));
            let margin = 0.1 * (right - left);
            let inside = left < t && t < right;
            if (right - t).min(t - left) >= margin {
                pinned = false;
            } else if pinned || !inside {
                t = if (t - right).abs() < (t - left).abs() {
                    right - margin
                } else {
                    left + margin
                };
                pinned = false;
            } else {
                pinned = true;
            }
            let now = evaluate(t)?;
            used += 1;
            if !low_enough(now) || now.loss >= low.loss {
                high = now;
            } else {
                if flat_enough(now) {
                    return Ok(used);
                }
                if now.slope * (high.t - low.t) >= 0.0 {
                    high = low;
                }
                low = now;
            }
        }
        Ok(used)
    }
}

/// Minimum of the cubic through two points with their slopes (eq. 3.59), inside bounds; their middle where there is none.
fn minimum(a: Trial, b: Trial, (least, most): (f64, f64)) -> f64 {
    let (a, b) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt();
    let t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2));
    if t.is_finite() {
        t.clamp(least, most)
    } else {
        f64::midpoint(least, most)
    }
}
