//! A flat flame that eats into a premixed gas: its speed is an eigenvalue, found by shooting.
//!
//! One reaction, constant λ, c_p and molar mass, ideal gas, inviscid momentum. With the algebra
//!
//! ```text
//! c = s + R_g·T_in/s,   u = ½(c − √(c² − 4R_g·T)),   ρ = ρ_in·s/u,   Y = Y_in + c_p(T_in − T)/q,   ω = A·e^{−E/RT}(Yρ)^ν
//! ```
//!
//! the temperature alone remains: λT'' = ρ_in·s·c_p·T' − ω·q, with T and T' given at the inlet. If the speed s is too small T
//! turns down before all fuel is burnt, if it is too large T passes T_max = T_in + q·Y_in/c_p: bisection to the last bit,
//! which keeps the profile on its saddle to the end of the domain. The speed depends on the slope imposed at the inlet in
//! the third digit.
//!
//! [`Scheme::Euler`] with 10 000 cells is what published data were made with: its speeds are 0.045 to 0.08 % too high.
//!
//! J. Wu et al., *FlamePINN-1D: physics-informed neural networks to solve forward and inverse problems of 1D laminar flames*, Combust.
//! Flame 273, 2025.

use crate::reference::{check_length, inside, positive};
use crate::{PhysicsError, Reference};

/// J/(mol·K), as in the published problem.
const GAS: f64 = 8.3145;

/// Gas, fuel and inlet, in SI units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flame {
    /// Molar mass.
    pub molar_mass: f64,
    /// λ.
    pub conductivity: f64,
    /// c_p.
    pub heat_capacity: f64,
    /// q.
    pub heat_release: f64,
    /// A.
    pub rate: f64,
    /// E.
    pub activation: f64,
    /// ν.
    pub order: f64,
    /// T_in.
    pub inlet_temperature: f64,
    /// T' at the inlet.
    pub inlet_slope: f64,
    /// p.
    pub pressure: f64,
    /// Mass fraction of fuel at the inlet.
    pub fuel: f64,
    /// Length of the domain.
    pub length: f64,
    /// Cells.
    pub cells: usize,
    /// How the temperature is marched.
    pub scheme: Scheme,
}

/// How the temperature is marched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// The classical method of order 4.
    #[default]
    RungeKutta,
    /// Order 1, the slope first and the temperature with the new slope, as published data.
    Euler,
}

impl Flame {
    /// The published problem for an equivalence ratio φ: Y_in = φ/(φ + 4), air at 298 K and 1 atm.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for φ ≤ 0.
    pub fn lean(phi: f64) -> Result<Self, PhysicsError> {
        positive("equivalence ratio", phi)?;
        Ok(Self {
            molar_mass: 28.97e-3,
            conductivity: 2.6e-2,
            heat_capacity: 1000.0,
            heat_release: 5e7,
            rate: 1.4e8,
            activation: 1.214172e5,
            order: 1.6,
            inlet_temperature: 298.0,
            inlet_slope: 1e5,
            pressure: 101325.0,
            fuel: phi / (phi + 4.0),
            length: 1.5e-3,
            cells: 4000,
            scheme: Scheme::RungeKutta,
        })
    }

    /// T_in + q·Y_in/c_p.
    pub fn burnt_temperature(&self) -> f64 {
        self.inlet_temperature + self.heat_release * self.fuel / self.heat_capacity
    }

    fn validate(&self) -> Result<(), PhysicsError> {
        let all = [
            ("molar mass", self.molar_mass),
            ("conductivity", self.conductivity),
            ("heat capacity", self.heat_capacity),
            ("heat release", self.heat_release),
            ("rate", self.rate),
            ("activation energy", self.activation),
            ("order of the reaction", self.order),
            ("inlet temperature", self.inlet_temperature),
            ("inlet slope", self.inlet_slope),
            ("pressure", self.pressure),
            ("fuel", self.fuel),
            ("length", self.length),
        ];
        for (name, value) in all {
            positive(name, value)?;
        }
        if self.cells >= 100 {
            return Ok(());
        }
        Err(PhysicsError::Parameter {
            name: "cells",
            value: self.cells as f64,
            needed: "must be 100 or more",
        })
    }

    /// The speed and the profile.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for numbers that are not positive or fewer than 100 cells;
    /// [`PhysicsError::NotConverged`] when no speed between 1 mm/s and the speed of sound fits: lengthen the domain.
    pub fn solve(&self) -> Result<FlameSolution, PhysicsError> {
        self.validate()?;
        let (speed, profile) = self.shoot()?;
        let coarse = Self {
            cells: (self.cells / 2).max(100),
            ..*self
        };
        let (other, _) = coarse.shoot()?;
        Ok(FlameSolution {
            flame: *self,
            speed,
            speed_accuracy: (speed - other).abs(),
            profile,
        })
    }

    fn shoot(&self) -> Result<(f64, Vec<[f64; 2]>), PhysicsError> {
        // The gas must stay subsonic: c² > 4R_g·T_max.
        let sound = (GAS / self.molar_mass * self.inlet_temperature).sqrt();
        let (mut low, mut high) = (1e-3, 0.2 * sound);
        let none = |change: f64| PhysicsError::NotConverged {
            what: "shooting for the flame speed",
            size: self.cells,
            change,
            tolerance: 0.0,
        };
        let mut profile = Vec::with_capacity(self.cells + 1);
        let mut passes = false;
        loop {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            match self.march(middle, &mut profile) {
                // A slow flame may also be too thick for the domain.
                Outcome::TurnsDown | Outcome::ReachesEnd => low = middle,
                Outcome::PassesTop => {
                    high = middle;
                    passes = true;
                }
                Outcome::Choked => high = middle,
            }
        }
        self.march(low, &mut profile);
        let steepest = profile.iter().fold(0.0_f64, |m, p| m.max(p[1]));
        let last = profile[profile.len() - 1];
        // Without a flame the temperature is still rising fast at the end.
        if !passes || last[1] > 0.1 * steepest || last[0] < 0.9 * self.burnt_temperature() {
            return Err(none(high - low));
        }
        // Beyond the point where the last bit decides, all is burnt.
        let burnt = [self.burnt_temperature(), 0.0];
        profile.resize(self.cells + 1, burnt);
        Ok((low, profile))
    }

    /// (T, T') at the cells' ends, up to where the outcome is clear.
    fn march(&self, speed: f64, profile: &mut Vec<[f64; 2]>) -> Outcome {
        let gas = GAS / self.molar_mass;
        let density = self.pressure / (gas * self.inlet_temperature);
        let top = self.burnt_temperature();
        let c = speed + gas * self.inlet_temperature / speed;
        if c * c <= 4.0 * gas * top || speed * speed >= gas * self.inlet_temperature {
            return Outcome::Choked;
        }
        let flux = density * speed * self.heat_capacity;
        let slope = |[t, dt]: [f64; 2]| {
            let fuel = (self.heat_capacity * (top - t) / self.heat_release).max(0.0);
            // ½(c − √(c² − 4R_gT)) without cancellation.
            let velocity = 2.0 * gas * t / (c + (c * c - 4.0 * gas * t).max(0.0).sqrt());
            let mass = fuel * density * speed / velocity;
            let reaction = self.rate * (-self.activation / (GAS * t)).exp() * mass.powf(self.order);
            [
                dt,
                (flux * dt - reaction * self.heat_release) / self.conductivity,
            ]
        };
        let h = self.length / self.cells as f64;
        let mut y = [self.inlet_temperature, self.inlet_slope];
        profile.clear();
        profile.push(y);
        let ahead = |y: [f64; 2], k: [f64; 2], s: f64| [y[0] + s * k[0], y[1] + s * k[1]];
        for _ in 0..self.cells {
            let k1 = slope(y);
            y = match self.scheme {
                Scheme::Euler => {
                    let next = y[1] + h * k1[1];
                    [y[0] + h * next, next]
                }
                Scheme::RungeKutta => {
                    let k2 = slope(ahead(y, k1, 0.5 * h));
                    let k3 = slope(ahead(y, k2, 0.5 * h));
                    let k4 = slope(ahead(y, k3, h));
                    std::array::from_fn(|i| {
                        y[i] + h / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i])
                    })
                }
            };
            if y[0] > top || !y[0].is_finite() {
                return Outcome::PassesTop;
            }
            if y[1] < 0.0 {
                return Outcome::TurnsDown;
            }
            profile.push(y);
        }
        Outcome::ReachesEnd
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    TurnsDown,
    PassesTop,
    ReachesEnd,
    Choked,
}

/// Speed and temperature.
#[derive(Debug, Clone)]
pub struct FlameSolution {
    flame: Flame,
    /// s, in m/s.
    pub speed: f64,
    /// The change of the speed from half the cells.
    pub speed_accuracy: f64,
    profile: Vec<[f64; 2]>,
}

impl FlameSolution {
    /// T and T' at x, by cubic polynomials between cells' ends.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn temperature(&self, x: f64) -> Result<[f64; 2], PhysicsError> {
        inside("x", x, 0.0, self.flame.length)?;
        let h = self.flame.length / self.flame.cells as f64;
        let i = ((x / h) as usize).min(self.flame.cells - 1);
        let ([a, da], [b, db]) = (self.profile[i], self.profile[i + 1]);
        let s = x / h - i as f64;
        let (p, q) = (h * da - (b - a), (b - a) - h * db);
        let value = a + s * (b - a) + s * (1.0 - s) * ((1.0 - s) * p + s * q);
        let slope = (b - a) + (1.0 - 2.0 * s) * ((1.0 - s) * p + s * q) + s * (1.0 - s) * (q - p);
        Ok([value, slope / h])
    }

    /// The mass fraction of fuel at x.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn fuel(&self, x: f64) -> Result<f64, PhysicsError> {
        let f = &self.flame;
        let [t, _] = self.temperature(x)?;
        Ok(f.fuel + f.heat_capacity * (f.inlet_temperature - t) / f.heat_release)
    }

    /// The velocity of the gas at x.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn velocity(&self, x: f64) -> Result<f64, PhysicsError> {
        let gas = GAS / self.flame.molar_mass;
        let [t, _] = self.temperature(x)?;
        let c = self.speed + gas * self.flame.inlet_temperature / self.speed;
        Ok(2.0 * gas * t / (c + (c * c - 4.0 * gas * t).max(0.0).sqrt()))
    }
}

impl Reference for FlameSolution {
    fn inputs(&self) -> usize {
        1
    }

    fn outputs(&self) -> usize {
        1
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), 1)?;
        check_length("outputs", out.len(), 1)?;
        out[0] = self.temperature(point[0])?[0];
        Ok(())
    }

    /// In kelvin: what the change of the speed does to the place of the front, times the steepest slope.
    fn accuracy(&self) -> f64 {
        let steepest = self.profile.iter().fold(0.0_f64, |m, p| m.max(p[1]));
        self.speed_accuracy / self.speed * self.flame.length * steepest
    }
}
