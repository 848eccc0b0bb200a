//! 100 000 Lorenz systems at once, and one of them beside a loop written by hand.

use std::time::Instant;

use ansatz_core::VectorField;
use ansatz_diffeq::{Options, StepError, solve_each, tableau};

/// How each trajectory is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Steps {
    /// As long as the tolerance allows, absolute and relative.
    Tolerance(f64),
    /// So many equal ones.
    Fixed(usize),
}

/// Time that every trajectory covers.
pub const LENGTH: f64 = 1.0;

/// Parameters (σ, ρ, β) of trajectory `i` of `n`: ρ goes evenly from 0 to 28.
#[must_use]
pub fn parameters(i: usize, n: usize) -> [f64; 3] {
    [10.0, 28.0 * i as f64 / (n - 1).max(1) as f64, 8.0 / 3.0]
}

/// Start of trajectory `i`: on a line through the attractor, so that neighbours differ in both.
#[must_use]
pub fn start(i: usize) -> [f64; 3] {
    let s = (i % 97) as f64 / 97.0;
    [1.0 + s, 0.5 - s, 10.0 * s]
}

/// The Lorenz equations for one set of parameters.
#[inline]
pub fn lorenz([sigma, rho, beta]: [f64; 3]) -> impl VectorField<[f64; 3]> {
    move |_: f64, x: &[f64; 3], dx: &mut [f64; 3]| {
        *dx = [
            sigma * (x[1] - x[0]),
            x[0] * (rho - x[2]) - x[1],
            x[0] * x[1] - beta * x[2],
        ];
        Ok(())
    }
}

/// The ends of `n` trajectories, solved one by one in the present pool, with the seconds it took.
///
/// # Errors
/// [`StepError`] of a trajectory.
pub fn run(n: usize, steps: Steps) -> Result<(Vec<[f64; 3]>, f64), StepError> {
    let options = match steps {
        Steps::Tolerance(tol) => Options::tolerance(tol, tol),
        Steps::Fixed(count) => Options::fixed(&tableau::TSITOURAS, count),
    };
    let mut states: Vec<[f64; 3]> = (0..n).map(start).collect();
    let begin = Instant::now();
    let field = |i: usize| lorenz(parameters(i, n));
    solve_each(field, (0.0, LENGTH), &mut states, &options).map_err(|e| e.source)?;
    Ok((states, begin.elapsed().as_secs_f64()))
}

/// The floor of a step: `count` steps of Tsit5 with the coefficients written out, an error norm and the same
/// choice of step sizes, but no options, errors, observers or general tables. Gives the state and the steps
/// taken, rejected ones included.
#[must_use]
pub fn by_hand<const N: usize>(
    f: impl Fn(&[f64; N], &mut [f64; N]),
    start: [f64; N],
    end: f64,
    steps: Steps,
) -> ([f64; N], usize) {
    let t = &tableau::TSITOURAS;
    let a: [[f64; 6]; 7] = std::array::from_fn(|i| {
        std::array::from_fn(|j| t.coefficients[i].get(j).copied().unwrap_or(0.0))
    });
    let d: [f64; 7] = std::array::from_fn(|i| t.error[i]);
    let tol = match steps {
        Steps::Tolerance(tol) => tol,
        Steps::Fixed(_) => f64::INFINITY,
    };
    let mut h = match steps {
        Steps::Tolerance(_) => 1e-3,
        Steps::Fixed(count) => end / count as f64,
    };
    let (mut x, mut time, mut taken) = (start, 0.0, 0);
    let mut k = [[0.0; N]; 7];
    f(&x, &mut k[0]);
    // A rest of rounding is not a step.
    while end - time > 1e-12 * end {
        let step = h.min(end - time);
        let mut y = x;
        for i in 1..7 {
            for c in 0..N {
                let mut sum = 0.0;
                for j in 0..i {
                    sum += a[i][j] * k[j][c];
                }
                y[c] = x[c] + step * sum;
            }
            f(&y, &mut k[i]);
        }
        taken += 1;
        if tol.is_infinite() {
            (x, time, k[0]) = (y, time + step, k[6]);
            continue;
        }
        let mut square = 0.0;
        for c in 0..N {
            let mut sum = 0.0;
            for j in 0..7 {
                sum += d[j] * k[j][c];
            }
            let e = step * sum / (tol + tol * x[c].abs().max(y[c].abs()));
            square += e * e;
        }
        let q = (square / N as f64).sqrt();
        let factor = 0.9 * q.powf(-0.2);
        if q < 1.0 {
            (x, time, k[0]) = (y, time + step, k[6]);
            h = step * factor.clamp(1.0, 10.0);
        } else {
            h = step * factor.clamp(0.2, 0.9);
        }
    }
    (x, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_and_the_engine_end_at_the_same_place() {
        for steps in [Steps::Fixed(200), Steps::Tolerance(1e-10)] {
            let (ends, _) = run(50, steps).unwrap();
            for (i, end) in ends.iter().enumerate() {
                let field = lorenz(parameters(i, 50));
                let f = |x: &[f64; 3], dx: &mut [f64; 3]| {
                    field.eval(0.0, x, dx).unwrap();
                };
                let (hand, _) = by_hand(f, start(i), LENGTH, steps);
                assert!(ansatz_testkit::measure::max_abs_diff(&hand, end) < 1e-6);
            }
        }
    }
}
