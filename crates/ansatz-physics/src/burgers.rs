//! Burgers' equation u_t + u·u_x = νu_xx from a wave, exactly.
//!
//! u = −2ν∂_x ln φ turns it into φ_t = νφ_xx (Hopf, Cole). From u₀ = a + b·sin(kx + p), which is −sin πx in the usual test
//! problem, the mean a only carries the rest along, and
//!
//! ```text
//! u(x, t) = a + ⟨b·sin(ky + p)⟩,   y = x − at − η,
//! u_x(x, t) = ⟨bk·cos(ky + p)⟩ − Var(b·sin(ky + p))/2ν
//! ```
//!
//! for η with the density ∝ exp(b·cos(ky + p)/(2νk) − η²/(4νt)). Both follow from φ by partial integration; no difference
//! of large numbers is left.
//!
//! [`ColeHopf`] computes these means by the trapezoidal rule with a halved step until nothing changes. On the whole line it
//! converges like e^{−c/h} for entire functions (Trefethen, Weideman 2014), and unlike Gauss and Hermite's its nodes need no
//! computation and serve again after halving; 20 nodes of theirs give −0.8813 in place of −0.8980 at (0.01, 0.5) for ν =
//! 0.01/π. The greatest exponent is subtracted (it is 50 there). Cost: about 1/√ν·const evaluations of sine and exponential.
//!
//! [`FourierSeries`] sums φ = I₀(z) + 2Σ I_k(z)·e^{−νk²t}·cos kx, z = 1/(2ν): fast for large ν or t, and independent of the
//! former. φ is then smaller than its terms by as much as e^{2z}: it is refused where that leaves no digits.
//!
//! E. Hopf, *The partial differential equation u_t + uu_x = μu_xx*, Comm. Pure Appl. Math. 3, 1950; J. D. Cole, *On a
//! quasi-linear parabolic equation occurring in aerodynamics*, Quart. Appl. Math. 9, 1951; C. Basdevant et al., *Spectral and
//! finite difference solutions of the Burgers equation*, Comput. Fluids 14, 1986.

use std::f64::consts::PI;

use crate::reference::{check_length, finite, inside, positive};
use crate::{PhysicsError, Reference};

/// u₀ = mean + amplitude·sin(wavenumber·x + phase).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    /// a.
    pub mean: f64,
    /// b.
    pub amplitude: f64,
    /// k.
    pub wavenumber: f64,
    /// p.
    pub phase: f64,
}

impl Wave {
    /// −sin πx.
    pub const NEGATIVE_SINE: Self = Self {
        mean: 0.0,
        amplitude: -1.0,
        wavenumber: PI,
        phase: 0.0,
    };

    /// a + sin x.
    pub const fn on_current(a: f64) -> Self {
        Self {
            mean: a,
            amplitude: 1.0,
            wavenumber: 1.0,
            phase: 0.0,
        }
    }

    fn validate(&self) -> Result<(), PhysicsError> {
        finite("mean", self.mean)?;
        finite("amplitude", self.amplitude)?;
        finite("phase", self.phase)?;
        positive("wavenumber", self.wavenumber)?;
        Ok(())
    }

    /// u₀(x).
    pub fn value(&self, x: f64) -> f64 {
        self.mean + self.amplitude * (self.wavenumber * x + self.phase).sin()
    }
}

/// The solution by quadrature, with its slope.
///
/// ```
/// use ansatz_physics::burgers::ColeHopf;
///
/// let u = ColeHopf::new(0.01 / std::f64::consts::PI)?;
/// assert!((u.value(0.01, 0.5)? + 0.8980496423).abs() < 1e-10);
/// assert!(u.value(1.5, 0.5).is_err()); // the usual problem lives on [−1, 1]
/// # Ok::<(), ansatz_physics::PhysicsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColeHopf {
    nu: f64,
    wave: Wave,
    domain: [f64; 2],
    tolerance: f64,
}

/// Halvings of the step at most.
const HALVINGS: usize = 12;

impl ColeHopf {
    /// From −sin πx on [−1, 1], where u(±1, t) = 0.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0.
    pub fn new(nu: f64) -> Result<Self, PhysicsError> {
        let all = Self::from_wave(nu, Wave::NEGATIVE_SINE)?;
        Ok(Self {
            domain: [-1.0, 1.0],
            ..all
        })
    }

    /// From any wave, on the whole line.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0, a wave number that is not positive or numbers that are not finite.
    pub fn from_wave(nu: f64, wave: Wave) -> Result<Self, PhysicsError> {
        positive("viscosity nu", nu)?;
        wave.validate()?;
        Ok(Self {
            nu,
            wave,
            domain: [-f64::MAX, f64::MAX],
            tolerance: 1e-12,
        })
    }

    /// With another tolerance than 1e-12, relative to the largest |u₀ − mean|.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// ν.
    pub fn viscosity(&self) -> f64 {
        self.nu
    }

    /// u(x, t).
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for t < 0 or x outside; [`PhysicsError::NotConverged`].
    pub fn value(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        Ok(self.value_and_slope(x, t)?[0])
    }

    /// u and u_x.
    ///
    /// # Errors
    /// Those of [`Self::value`].
    pub fn value_and_slope(&self, x: f64, t: f64) -> Result<[f64; 2], PhysicsError> {
        inside("x", x, self.domain[0], self.domain[1])?;
        inside("t", t, 0.0, f64::MAX)?;
        let Wave {
            mean,
            amplitude: b,
            wavenumber: k,
            phase,
        } = self.wave;
        // The phase at η = 0, modulo a period, which keeps its digits.
        let angle = (k * (x - mean * t) + phase) % (2.0 * PI);
        if t == 0.0 || b == 0.0 {
            return Ok([mean + b * angle.sin(), b * k * angle.cos()]);
        }
        // In z = η/√(4νt); |cos| ≤ 1 bounds the exponent, which tells where the tails end.
        let width = (4.0 * self.nu * t).sqrt();
        let height = b / (2.0 * self.nu * k);
        let reach = (2.0 * height.abs() + 40.0).sqrt();
        let exponent = |z: f64| height * (angle - k * width * z).cos() - z * z;
        let mut sums = Sums::default();
        let mut count = 32;
        let step = |count: usize| 2.0 * reach / count as f64;
        let point = |i: usize, h: f64| -reach + h * i as f64;
        for i in 0..=count {
            let z = point(i, step(count));
            sums.add(exponent(z), angle - k * width * z);
        }
        let (mut before, mut change) = (sums.means(), f64::INFINITY);
        for _ in 0..HALVINGS {
            // The middles of all intervals.
            count *= 2;
            for i in (1..count).step_by(2) {
                let z = point(i, step(count));
                sums.add(exponent(z), angle - k * width * z);
            }
            let now = sums.means();
            change = (now[0] - before[0]).abs().max((now[1] - before[1]).abs());
            // Two halvings in a row that change nothing: a first one may miss narrow peaks altogether.
            let settled = change <= self.tolerance && count >= 128;
            if settled && step(count) * k * width * height.abs().sqrt() < 1.0 {
                let [sine, cosine, variance] = now;
                return Ok([
                    mean + b * sine,
                    b * k * cosine - b * b * variance / (2.0 * self.nu),
                ]);
            }
            before = now;
        }
        Err(PhysicsError::NotConverged {
            what: "means of Cole and Hopf's formula",
            size: count,
            change,
            tolerance: self.tolerance,
        })
    }
}

/// Weighted sums with the greatest exponent so far taken out.
#[derive(Debug, Clone, Copy)]
struct Sums {
    top: f64,
    weight: f64,
    sine: f64,
    cosine: f64,
    /// Σw(sin − mean)², kept up as numbers come in (West 1979).
    spread: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            top: f64::NEG_INFINITY,
            weight: 0.0,
            sine: 0.0,
            cosine: 0.0,
            spread: 0.0,
        }
    }
}

impl Sums {
    fn add(&mut self, exponent: f64, angle: f64) {
        if exponent > self.top {
            let shrink = (self.top - exponent).exp();
            self.weight *= shrink;
            self.spread *= shrink;
            self.top = exponent;
        }
        let w = (exponent - self.top).exp();
        if w == 0.0 {
            return;
        }
        let (sin, cos) = angle.sin_cos();
        self.weight += w;
        // Running means.
        let share = w / self.weight;
        let gap = sin - self.sine;
        self.sine += share * gap;
        self.cosine += share * (cos - self.cosine);
        self.spread += w * gap * (sin - self.sine);
    }

    /// Means of sine and cosine, variance of sine.
    fn means(&self) -> [f64; 3] {
        [self.sine, self.cosine, self.spread / self.weight]
    }
}

impl Reference for ColeHopf {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        1
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), 2)?;
        check_length("outputs", out.len(), 1)?;
        out[0] = self.value(point[0], point[1])?;
        Ok(())
    }

    /// Ten times the tolerance of the quadrature: the last halving changed less, and rounding adds some units.
    fn accuracy(&self) -> f64 {
        10.0 * self.tolerance * self.wave.amplitude.abs()
    }
}

/// The relative error of φ at most.
const SERIES_LIMIT: f64 = 1e-8;

/// The solution as the ratio of two Fourier series.
#[derive(Debug, Clone, PartialEq)]
pub struct FourierSeries {
    nu: f64,
    wave: Wave,
    /// e^{−z}I_j(z).
    bessel: Vec<f64>,
}

impl FourierSeries {
    /// From any wave.
    ///
    /// # Errors
    /// As for [`ColeHopf::from_wave`]; [`PhysicsError::Parameter`] as well for |b|/(2νk) > 500, where the series is useless.
    pub fn new(nu: f64, wave: Wave) -> Result<Self, PhysicsError> {
        positive("viscosity nu", nu)?;
        wave.validate()?;
        let z = wave.amplitude.abs() / (2.0 * nu * wave.wavenumber);
        if z > 500.0 {
            return Err(PhysicsError::Parameter {
                name: "viscosity nu",
                value: nu,
                needed: "is too small for a Fourier series: use quadrature",
            });
        }
        Ok(Self {
            nu,
            wave,
            bessel: scaled_bessel(z),
        })
    }

    /// u(x, t).
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`] for t < 0 or numbers that are not finite; [`PhysicsError::NotConverged`] where
    /// cancellation leaves less than eight digits.
    pub fn value(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        inside("x", x, -f64::MAX, f64::MAX)?;
        inside("t", t, 0.0, f64::MAX)?;
        let Wave {
            mean,
            amplitude: b,
            wavenumber: k,
            phase,
        } = self.wave;
        // ln φ₀ = (|b|/2νk)·cos θ, with θ turned by half a period for b < 0.
        let turn = if b < 0.0 { PI } else { 0.0 };
        let angle = (k * (x - mean * t) + phase + turn) % (2.0 * PI);
        let (mut phi, mut slope, mut size) = (self.bessel[0], 0.0, self.bessel[0]);
        for (j, i) in self.bessel.iter().enumerate().skip(1) {
            let j = j as f64;
            let part = 2.0 * i * (-self.nu * (j * k).powi(2) * t).exp();
            phi += part * (j * angle).cos();
            slope -= part * j * k * (j * angle).sin();
            size += part * (1.0 + 2.0 * self.nu * j * k);
        }
        let change = 4.0 * f64::EPSILON * size / phi.abs();
        if change.is_nan() || change > SERIES_LIMIT {
            return Err(PhysicsError::NotConverged {
                what: "Fourier series of Cole and Hopf's formula, in digits: use quadrature",
                size: self.bessel.len(),
                change,
                tolerance: SERIES_LIMIT,
            });
        }
        Ok(mean - 2.0 * self.nu * slope / phi)
    }
}

/// e^{−z}I_j(z) until they vanish, by the recurrence backwards, normalised by I₀ + 2ΣI_j = e^z (Miller).
fn scaled_bessel(z: f64) -> Vec<f64> {
    if z == 0.0 {
        return vec![1.0];
    }
    let count = (20.0 + z.sqrt() * 10.0 + z).ceil() as usize;
    let mut values = vec![0.0; count + 1];
    let (mut next, mut now) = (0.0, 1e-290);
    for j in (0..=count).rev() {
        values[j] = now;
        (next, now) = (now, next + 2.0 * j as f64 / z * now);
        if now > 1e250 {
            now *= 1e-250;
            next *= 1e-250;
            for v in &mut values[j..] {
                *v *= 1e-250;
            }
        }
    }
    let sum = values[0] + 2.0 * values[1..].iter().sum::<f64>();
    for v in &mut values {
        *v /= sum;
    }
    let last = values.iter().rposition(|v| *v > 1e-30).unwrap_or(0);
    values.truncate(last + 1);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_functions_have_their_values() {
        // I₀(1), I₁(1), I₂(1); e^{−50}I₀(50).
        let values = scaled_bessel(1.0);
        let e = 1.0_f64.exp();
        for (j, known) in [1.2660658777520084, 0.5651591039924851, 0.1357476697670383]
            .into_iter()
            .enumerate()
        {
            assert!((values[j] * e - known).abs() < 1e-15 * 4.0, "{j}");
        }
        assert!((scaled_bessel(50.0)[0] - 0.0565616266474542).abs() < 1e-12);
    }
}
