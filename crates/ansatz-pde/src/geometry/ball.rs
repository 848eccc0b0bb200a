//! Discs and balls of any dimension.

use std::f64::consts::{PI, TAU};

use ansatz_autodiff::Array;

use super::error::{finite, positive};
use super::{Bounds, Face, Geometry, normalise};
use crate::DomainError;

/// How distances from a ball's centre are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Radial {
    /// So that points are uniform in volume.
    #[default]
    Volume,
    /// Uniform in [0, R], which in high dimension keeps points away from the surface (Z. Shi, Z. Hu, M. Lin, K. Kawaguchi,
    /// *Stochastic Taylor derivative estimator*, 2024, experiments on the unit ball).
    Uniform,
}

/// The ball |x − c| ≤ R in two or more dimensions. Its face is `sphere`; ℓ(x) = (R² − |x − c|²)/(2R).
///
/// Directions are exact images of the unit cube in two and three dimensions (angle; height and angle, by Archimedes), and
/// pairs of normal numbers beyond, which take 2⌈d/2⌉ coordinates of a sampler.
///
/// ```
/// use ansatz_pde::{Ball, Geometry};
/// let disc = Ball::new(vec![1.0, 0.0], 2.0)?;
/// assert_eq!(disc.distance(&[4.0, 0.0]), 1.0);
/// assert!((disc.measure().unwrap_or(0.0) - 4.0 * std::f64::consts::PI).abs() < 1e-12);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ball {
    centre: Vec<f64>,
    radius: f64,
    radial: Radial,
}

impl Ball {
    /// A ball from its centre and radius.
    ///
    /// # Errors
    /// [`DomainError::Value`] for a radius that is not positive or less than two coordinates (take an interval),
    /// [`DomainError::NonFinite`].
    pub fn new(centre: Vec<f64>, radius: f64) -> Result<Self, DomainError> {
        if centre.len() < 2 {
            return Err(DomainError::Value {
                name: "coordinates of a ball",
                value: centre.len() as f64,
                needed: "at least 2; in one dimension take an interval",
            });
        }
        finite("coordinate of the centre", &centre)?;
        positive("radius", radius)?;
        let radial = Radial::default();
        Ok(Self {
            centre,
            radius,
            radial,
        })
    }

    /// The same ball, its interior points drawn in another way.
    #[must_use]
    pub fn with_radial(self, radial: Radial) -> Self {
        Self { radial, ..self }
    }

    /// Coordinates of the unit cube that give a direction.
    fn turns(&self) -> usize {
        match self.centre.len() {
            d @ 2..=3 => d - 1,
            d => 2 * d.div_ceil(2),
        }
    }

    fn direction(u: &[f64], x: &mut [f64]) {
        match x {
            [x, y] => (*y, *x) = libm::sincos(TAU * u[0]),
            [x, y, z] => {
                *z = 2.0 * u[1] - 1.0;
                let across = (1.0 - *z * *z).max(0.0).sqrt();
                let (sin, cos) = libm::sincos(TAU * u[0]);
                (*x, *y) = (across * cos, across * sin);
            }
            _ => {
                for (pair, u) in x.chunks_mut(2).zip(u.chunks_exact(2)) {
                    let r = (-2.0 * libm::log1p(-u[0].min(1.0 - f64::EPSILON))).sqrt();
                    let (sin, cos) = libm::sincos(TAU * u[1]);
                    pair[0] = r * cos;
                    if let Some(second) = pair.get_mut(1) {
                        *second = r * sin;
                    }
                }
                normalise(x);
            }
        }
    }

    fn offset(&self, x: &[f64], out: &mut [f64]) {
        for (k, out) in out.iter_mut().enumerate() {
            *out = x[k] - self.centre[k];
        }
    }

    fn scaled(&self, r: f64, x: &mut [f64]) {
        for (x, c) in x.iter_mut().zip(&self.centre) {
            *x = c + r * *x;
        }
    }
}

/// πᵈᐟ²/Γ(d/2 + 1)
fn unit_volume(d: usize) -> f64 {
    let half = d as f64 / 2.0;
    libm::exp(half * libm::log(PI) - libm::lgamma(half + 1.0))
}

impl Geometry for Ball {
    fn dims(&self) -> usize {
        self.centre.len()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            low: self.centre.iter().map(|c| c - self.radius).collect(),
            high: self.centre.iter().map(|c| c + self.radius).collect(),
        }
    }

    fn distance(&self, x: &[f64]) -> f64 {
        let squares = x.iter().zip(&self.centre).map(|(x, c)| (x - c) * (x - c));
        squares.sum::<f64>().sqrt() - self.radius
    }

    fn normal(&self, x: &[f64], out: &mut [f64]) {
        self.offset(x, out);
        normalise(out);
    }

    fn measure(&self) -> Option<f64> {
        let d = self.dims();
        Some(unit_volume(d) * libm::pow(self.radius, d as f64))
    }

    fn faces(&self) -> Vec<Face> {
        let d = self.dims();
        let measure = d as f64 * unit_volume(d) * libm::pow(self.radius, d as f64 - 1.0);
        let extents = match d {
            2 => vec![measure],
            3 => vec![TAU * self.radius, 2.0 * self.radius],
            _ => vec![1.0; self.turns()],
        };
        vec![Face {
            name: "sphere".to_owned(),
            measure,
            extents,
        }]
    }

    fn place_on(&self, _face: usize, u: &[f64], x: &mut [f64]) {
        Self::direction(u, x);
        self.scaled(self.radius, x);
    }

    fn on_face(&self, _face: usize, x: &[f64], tolerance: f64) -> bool {
        self.on_boundary(x, tolerance)
    }

    fn chart(&self) -> Option<usize> {
        Some(1 + self.turns())
    }

    fn place(&self, u: &[f64], x: &mut [f64]) {
        Self::direction(&u[1..], x);
        let r = match (self.radial, self.dims()) {
            (Radial::Uniform, _) => u[0],
            (Radial::Volume, 2) => u[0].sqrt(),
            (Radial::Volume, 3) => libm::cbrt(u[0]),
            (Radial::Volume, d) => libm::pow(u[0], 1.0 / d as f64),
        };
        self.scaled(self.radius * r, x);
    }

    fn r_function<'g>(&self, x: Array<'g>) -> Option<Array<'g>> {
        let g = x.graph();
        let centre = g.constant(&[1, self.dims()], self.centre.clone());
        let n = x.shape()[0];
        let squares = (x - centre).square().sum_axes(&[1]).reshape(&[n, 1]);
        Some((squares - self.radius * self.radius) * (-0.5 / self.radius))
    }
}
