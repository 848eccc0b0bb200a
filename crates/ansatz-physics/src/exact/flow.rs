//! Flows.

use std::f64::consts::PI;

use crate::PhysicsError;
use crate::reference::positive;

use super::{Exact, Number};

/// Flow behind a grid: u = 1 − e^{λx}cos 2πy, v = (λ/2π)e^{λx}sin 2πy, p = ½(1 − e^{2λx}), λ = Re/2 − √(Re²/4 + 4π²).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kovasznay {
    reynolds: f64,
}

impl Kovasznay {
    /// For a Reynolds number, 20 or 40 as usual.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] unless it is positive.
    pub fn new(reynolds: f64) -> Result<Self, PhysicsError> {
        Ok(Self {
            reynolds: positive("Reynolds number", reynolds)?,
        })
    }

    /// λ, written without cancellation.
    pub fn lambda(&self) -> f64 {
        let half = 0.5 * self.reynolds;
        -4.0 * PI * PI / (half + (half * half + 4.0 * PI * PI).sqrt())
    }
}

impl Exact for Kovasznay {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        // e^{2λx} must stay finite; every window in use lies within.
        vec![("x", -10.0, f64::MAX), ("y", -f64::MAX, f64::MAX)]
    }

    fn components(&self) -> usize {
        3
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let lambda = self.lambda();
        let e = (p[0] * lambda).exp();
        let (sin, cos) = (p[1] * (2.0 * PI)).sin_cos();
        out[0] = -(e * cos) + 1.0;
        out[1] = e * sin * (lambda / (2.0 * PI));
        out[2] = (-(e * e) + 1.0) * 0.5;
    }
}

/// Two fluids stirred by a vortex: u_t + a·u_x + b·u_y = 0 on [−4, 4]² × [0, 4], a = −ωy, b = ωx,
/// ω = sech²r·tanh r/(r·v_max), u = −tanh((y/2)cos ωt − (x/2)sin ωt).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowMixing {
    /// The greatest of sech²r·tanh r, 0.385 as usual.
    pub greatest_speed: f64,
}

impl Default for FlowMixing {
    fn default() -> Self {
        Self {
            greatest_speed: 0.385,
        }
    }
}

impl FlowMixing {
    /// The velocity (a, b).
    pub fn velocity(&self, x: f64, y: f64) -> [f64; 2] {
        let omega = self.rate(x, y);
        [-omega * y, omega * x]
    }

    /// ω, 1/v_max at r = 0.
    fn rate<N: Number>(self, x: N, y: N) -> N {
        let square = x * x + y * y;
        // tanh(r)/r is a power series in r², and has derivatives at 0 only when written as one.
        let ratio = if square.real() < 0.01 {
            TANH_OVER
                .iter()
                .rev()
                .fold(N::constant(0.0), |s, c| s * square + *c)
        } else {
            let r = square.sqrt();
            r.tanh() / r
        };
        (-(square * ratio * ratio) + 1.0) * ratio * (1.0 / self.greatest_speed)
    }
}

/// tanh(r)/r in powers of r²: up to 0.01 the next term is below 1e-17.
const TANH_OVER: [f64; 8] = [
    1.0,
    -1.0 / 3.0,
    2.0 / 15.0,
    -17.0 / 315.0,
    62.0 / 2835.0,
    -1382.0 / 155925.0,
    21844.0 / 6081075.0,
    -929569.0 / 638512875.0,
];

impl Exact for FlowMixing {
    fn domain(&self) -> Vec<(&'static str, f64, f64)> {
        vec![("x", -4.0, 4.0), ("y", -4.0, 4.0), ("t", 0.0, 4.0)]
    }

    fn formula<N: Number>(&self, p: &[N], out: &mut [N]) {
        let (x, y) = (p[0], p[1]);
        let (sin, cos) = (self.rate(x, y) * p[2]).sin_cos();
        out[0] = -((y * cos - x * sin) * 0.5).tanh();
    }
}
