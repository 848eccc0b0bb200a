//! Laws of noise schedules.

use ansatz_core::NoiseSchedule;

use super::{Verdict, demand, uphold};

/// Times at which a schedule is looked at.
const POINTS: usize = 257;

/// Whether α² + σ² = 1 is part of a schedule's promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variance {
    /// α² + σ² = 1 at all times.
    Preserving,
    /// No such relation.
    Free,
}

/// Everything that a smooth [`NoiseSchedule`] promises, at 257 times between its ends, which are
/// crowded towards both.
///
/// α ≥ 0 and σ ≥ 0; α² + σ² = 1 for [`Variance::Preserving`]; λ falls strictly with time and is
/// ln α − ln σ; `t_of_lambda(lambda(t)) = t` to 1e-12 relative, plus what 8 units of rounding of λ
/// amount to; both rates against central differences of order 6; `level`, `alpha`, `drift` and
/// `diffusion_squared` agree with one another, and g² ≥ 0. The ends themselves may be singular
/// (σ = 0 or α = 0).
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn schedule(schedule: &(impl NoiseSchedule + ?Sized), variance: Variance) {
    uphold(check(schedule, variance));
}

fn check(s: &(impl NoiseSchedule + ?Sized), variance: Variance) -> Verdict {
    let (first, last) = (s.t_min(), s.t_max());
    demand(
        first < last && first.is_finite() && last.is_finite(),
        || format!("t_min = {first} and t_max = {last} are no interval"),
    )?;
    let mut before = f64::INFINITY;
    for i in 0..POINTS {
        // Smooth step: quadratic crowding at both ends, which themselves are left out.
        let u = (i + 1) as f64 / (POINTS + 1) as f64;
        let t = first + (last - first) * u * u * (3.0 - 2.0 * u);
        let lambda = s.lambda(t);
        demand(lambda < before, || {
            format!("lambda({t}) = {lambda} does not fall: {before} one step earlier")
        })?;
        before = lambda;
        at_time(s, variance, t).map_err(|e| format!("t = {t}: {e}"))?;
    }
    Ok(())
}

fn at_time(s: &(impl NoiseSchedule + ?Sized), variance: Variance, t: f64) -> Verdict {
    let near = |what: &str, got: f64, want: f64, tolerance: f64| {
        demand((got - want).abs() <= tolerance, || {
            format!("{what} is {got:e}, expected {want:e} within {tolerance:e}")
        })
    };
    let eps = f64::EPSILON;
    let (log_alpha, sigma, lambda) = (s.log_alpha(t), s.sigma(t), s.lambda(t));
    let alpha = s.alpha(t);
    demand(alpha >= 0.0 && sigma >= 0.0, || {
        format!("alpha = {alpha}, sigma = {sigma}")
    })?;
    near(
        "alpha",
        alpha,
        log_alpha.exp(),
        8.0 * eps * (1.0 + log_alpha.abs()) * alpha,
    )?;
    let log_sigma = sigma.ln();
    let scale = 1.0 + log_alpha.abs() + log_sigma.abs();
    near("lambda", lambda, log_alpha - log_sigma, 8.0 * eps * scale)?;
    if variance == Variance::Preserving {
        let square = alpha * alpha + sigma * sigma;
        near("alpha² + sigma²", square, 1.0, 16.0 * eps)?;
    }

    let (f, sigma_rate) = (s.log_alpha_rate(t), s.sigma_rate(t));
    let slope = f - sigma_rate / sigma;
    let ill = 8.0 * eps * scale / slope.abs();
    near(
        "t_of_lambda(lambda(t))",
        s.t_of_lambda(lambda),
        t,
        1e-12 * t.abs() + ill,
    )?;

    let h = 1e-3 * (t - s.t_min()).min(s.t_max() - t);
    let difference = |g: &dyn Fn(f64) -> f64| {
        let d = |k: f64| g(t + k * h) - g(t - k * h);
        (45.0 * d(1.0) - 9.0 * d(2.0) + d(3.0)) / (60.0 * h)
    };
    // Truncation is of order 1e-18 relative to the rate; the rest is rounding over h.
    let slack = |rate: f64, value: f64| {
        1e-8 * rate.abs() + 64.0 * eps * (value.abs() + t.abs() * rate.abs()) / h
    };
    let rate = difference(&|t| s.log_alpha(t));
    near("log_alpha_rate", f, rate, slack(rate, log_alpha))?;
    let rate = difference(&|t| s.sigma(t));
    near("sigma_rate", sigma_rate, rate, slack(rate, sigma))?;

    let level = s.level(t);
    near("level.t", level.t, t, 0.0)?;
    near("level.alpha", level.alpha, alpha, 4.0 * eps * alpha)?;
    near("level.sigma", level.sigma, sigma, 4.0 * eps * sigma)?;
    near(
        "level.alpha_rate",
        level.alpha_rate,
        alpha * f,
        4.0 * eps * (alpha * f).abs(),
    )?;
    near(
        "level.sigma_rate",
        level.sigma_rate,
        sigma_rate,
        4.0 * eps * sigma_rate.abs(),
    )?;
    near("drift", s.drift(t), f, 4.0 * eps * f.abs())?;
    let parts = [2.0 * sigma * sigma_rate, -2.0 * f * sigma * sigma];
    let size = parts[0].abs() + parts[1].abs();
    let g2 = s.diffusion_squared(t);
    near(
        "diffusion_squared",
        g2,
        parts[0] + parts[1],
        16.0 * eps * size,
    )?;
    demand(g2 >= -16.0 * eps * size, || {
        format!("g² = {g2:e} is negative")
    })
}
