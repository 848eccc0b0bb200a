//! One dimension of space and the time.

use std::f64::consts::PI;

use crate::PhysicsError;
use crate::reference::{finite, inside, positive};

use super::{Exact, Number};

/// Space-time [low, high] × [0, end].
fn strip(low: f64, high: f64, end: f64) -> Vec<(&'static str, f64, f64)> {
    vec![("x", low, high), ("t", 0.0, end)]
}

/// u_tt − u_xx + u² = −x·cos t + x²·cos²t on [−1, 1] × [0, 10]: u = x·cos t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KleinGordonLine;

impl Exact for KleinGordonLine {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(-1.0, 1.0, 10.0)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        out[0] = p[0] * p[1].cos();
    }
}

/// u_tt − u_xx + u³ = q on [0, 1]²: u = x·cos 5πt + (xt)³.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KleinGordonCubic;

impl KleinGordonCubic {
    /// q.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn source(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        let u = self.value(&[x, t])?;
        let wave = -25.0 * PI * PI * x * (5.0 * PI * t).cos();
        Ok(wave + 6.0 * x * t * (x * x - t * t) + u * u * u)
    }
}

impl Exact for KleinGordonCubic {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(0.0, 1.0, 1.0)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let xt = p[0] * p[1];
        out[0] = p[0] * (p[1] * (5.0 * PI)).cos() + xt * xt * xt;
    }
}

/// u_t + βu_x = 0 with period 2π from sin x: u = sin(x − βt). The time has no end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convection {
    /// β: 30 to 100 are hard for networks.
    pub speed: f64,
}

impl Exact for Convection {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(-f64::MAX, f64::MAX, f64::MAX)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        out[0] = (p[0] - p[1] * self.speed).sin();
    }
}

/// u_tt = c²u_xx on [0, 1], u = 0 at the ends: u = Σ a·sin kπx·cos ckπt.
#[derive(Debug, Clone, PartialEq)]
pub struct Wave {
    /// c.
    pub speed: f64,
    /// Pairs (k, a).
    pub modes: Vec<(u32, f64)>,
}

impl Wave {
    /// c = 10, sin πx·cos 10πt + sin 2πx·cos 20πt.
    pub fn fast() -> Self {
        Self {
            speed: 10.0,
            modes: vec![(1, 1.0), (2, 1.0)],
        }
    }

    /// c = 2, sin πx·cos 2πt + ½·sin 4πx·cos 8πt.
    pub fn two_scales() -> Self {
        Self {
            speed: 2.0,
            modes: vec![(1, 1.0), (4, 0.5)],
        }
    }
}

impl Exact for Wave {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(0.0, 1.0, f64::MAX)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        out[0] = self.modes.iter().fold(N::constant(0.0), |sum, (k, a)| {
            let k = f64::from(*k) * PI;
            sum + (p[0] * k).sin() * (p[1] * (k * self.speed)).cos() * *a
        });
    }
}

/// u_t + 6uu_x + u_xxx = 0: u = (c/2)·sech²(√c/2·(x − ct − x₀)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Soliton {
    speed: f64,
    start: f64,
}

impl Soliton {
    /// Of speed c, with its crest at x₀ at first.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for c ≤ 0.
    pub fn new(speed: f64, start: f64) -> Result<Self, PhysicsError> {
        Ok(Self {
            speed: positive("speed c", speed)?,
            start: finite("x₀", start)?,
        })
    }
}

impl Exact for Soliton {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        vec![("x", -f64::MAX, f64::MAX), ("t", -f64::MAX, f64::MAX)]
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let c = self.speed;
        let tanh = ((p[0] - p[1] * c + -self.start) * (0.5 * c.sqrt())).tanh();
        out[0] = (-(tanh * tanh) + 1.0) * (0.5 * c);
    }
}

/// Two of them that meet (Hirota): u = 2(ln F)_xx, F = 1 + e₁ + e₂ + ((k₁ − k₂)/(k₁ + k₂))²·e₁e₂, e_i = exp(k_i(x − x_i) − k_i³t).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSolitons {
    waves: [f64; 2],
    starts: [f64; 2],
}

impl TwoSolitons {
    /// With wave numbers k, speeds k², and shifts x.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for k that are not positive or equal.
    pub fn new(waves: [f64; 2], starts: [f64; 2]) -> Result<Self, PhysicsError> {
        for k in waves {
            positive("wave number k", k)?;
        }
        for x in starts {
            finite("shift", x)?;
        }
        positive("|k₁ − k₂|", (waves[0] - waves[1]).abs())?;
        Ok(Self { waves, starts })
    }
}

impl Exact for TwoSolitons {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        vec![("x", -f64::MAX, f64::MAX), ("t", -f64::MAX, f64::MAX)]
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let [k1, k2] = self.waves;
        let phase = |i: usize| {
            let k = self.waves[i];
            (p[0] + -self.starts[i]) * k - p[1] * (k * k * k)
        };
        let (a, b) = (phase(0), phase(1));
        let c = ((k1 - k2) / (k1 + k2)).powi(2);
        // The greatest of the four exponents is taken out, or they overflow.
        let candidates = [N::constant(0.0), a, b, a + b];
        let top = candidates
            .into_iter()
            .max_by(|p, q| p.real().total_cmp(&q.real()))
            .unwrap_or(a);
        let parts = candidates.map(|e| (e - top).exp());
        let terms = [
            (0.0, parts[0]),
            (k1, parts[1]),
            (k2, parts[2]),
            (k1 + k2, parts[3] * c),
        ];
        let moment = |order: i32| {
            let zero = N::constant(0.0);
            terms
                .iter()
                .fold(zero, |sum, (k, e)| sum + *e * k.powi(order))
        };
        let f = moment(0);
        let mean = moment(1) / f;
        out[0] = (moment(2) / f - mean * mean) * 2.0;
    }
}

/// u_t = ρu(1 − u) from a bell on [0, 2π]: u = he^{ρt}/(he^{ρt} + 1 − h), h = exp(−(x − π)²/(2(π/4)²)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reaction {
    /// ρ.
    pub rate: f64,
}

impl Exact for Reaction {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(0.0, 2.0 * PI, f64::MAX)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let width = PI / 4.0;
        let gap = p[0] + -PI;
        let h = (gap * gap * (-0.5 / (width * width))).exp();
        let decay = (p[1] * -self.rate).exp();
        out[0] = h / (h + (-h + 1.0) * decay);
    }
}

/// u_t = u_xx on [−1, 1] × [0, 1]: a·e^{−π²t}cos πx + b·e^{−4π²t}cos 2πx + c·e^{4t−4}cosh 2x + d·e^{t−1}sinh x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heat {
    /// a, b, c, d.
    pub parts: [f64; 4],
}

impl Exact for Heat {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        strip(-1.0, 1.0, 1.0)
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let [a, b, c, d] = self.parts;
        let (x, t) = (p[0], p[1]);
        let cosh = ((x * 2.0).exp() + (x * -2.0).exp()) * 0.5;
        let sinh = (x.exp() - (-x).exp()) * 0.5;
        let cosines = (t * (-PI * PI)).exp() * (x * PI).cos() * a
            + (t * (-4.0 * PI * PI)).exp() * (x * (2.0 * PI)).cos() * b;
        out[0] = cosines + (t * 4.0 + -4.0).exp() * cosh * c + (t + -1.0).exp() * sinh * d;
    }
}

/// u'' + 2du' + ω₀²u = 0, u(0) = 1, u'(0) = 0, d < ω₀: u = e^{−dt}(cos ωt + (d/ω)·sin ωt), ω = √(ω₀² − d²).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Oscillator {
    damping: f64,
    frequency: f64,
}

impl Oscillator {
    /// With d and ω₀.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for d < 0; [`PhysicsError::OutsideDomain`] for d ≥ ω₀.
    pub fn new(damping: f64, natural: f64) -> Result<Self, PhysicsError> {
        positive("natural frequency", natural)?;
        inside("damping", damping, 0.0, natural * (1.0 - f64::EPSILON))?;
        Ok(Self {
            damping,
            frequency: (natural * natural - damping * damping).sqrt(),
        })
    }
}

impl Exact for Oscillator {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        vec![("t", 0.0, f64::MAX)]
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let (d, w) = (self.damping, self.frequency);
        let (sin, cos) = (p[0] * w).sin_cos();
        out[0] = (p[0] * -d).exp() * (cos + sin * (d / w));
    }
}
