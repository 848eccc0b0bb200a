//! Envelopes times cosines, in tiles of distances.

use pulp::NullaryFnOnce;

use super::super::elementary::sin_cos;
use super::{Envelope, Jet};

/// Distances that are worked on at once: few enough to stay in the nearest cache, as arrays that become registers.
const TILE: usize = 64;

/// Envelope, cosine and sine of a tile.
#[derive(Clone, Copy)]
struct Waves {
    d: [f64; TILE],
    e: [f64; TILE],
    cos: [f64; TILE],
    sin: [f64; TILE],
}

impl Waves {
    #[inline(always)]
    fn new(envelope: Envelope, rate: f64, omega: f64, distances: &[f64]) -> Self {
        let mut w = Self {
            d: [0.0; TILE],
            e: [0.0; TILE],
            cos: [0.0; TILE],
            sin: [0.0; TILE],
        };
        w.d[..distances.len()].copy_from_slice(distances);
        for i in 0..TILE {
            w.e[i] = envelope.decay(rate, w.d[i]);
        }
        for i in 0..TILE {
            (w.sin[i], w.cos[i]) = sin_cos(omega * w.d[i]);
        }
        w
    }
}

pub(super) struct Values<'a, 'b, 'c> {
    pub(super) envelope: Envelope,
    pub(super) weight: f64,
    pub(super) rate: f64,
    pub(super) omega: f64,
    pub(super) distances: &'a [f64],
    pub(super) out: &'b mut [Option<&'c mut [f64]>; 3],
}

impl NullaryFnOnce for Values<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        match self.envelope {
            Envelope::StudentT => self.run(Envelope::StudentT),
            Envelope::Gaussian => self.run(Envelope::Gaussian),
        }
    }
}

impl Values<'_, '_, '_> {
    /// The envelope again, as a constant.
    #[inline(always)]
    fn run(self, envelope: Envelope) {
        let (w, rate, omega) = (self.weight, self.rate, self.omega);
        for (t, distances) in self.distances.chunks(TILE).enumerate() {
            let waves = Waves::new(envelope, rate, omega, distances);
            let mut terms = [[0.0; TILE]; 3];
            for i in 0..TILE {
                let (d, e, c, s) = (waves.d[i], waves.e[i], waves.cos[i], waves.sin[i]);
                let Jet { m, m1, m2 } = envelope.jet(rate, d, e);
                terms[0][i] = w * (m * c);
                terms[1][i] = w * (m1 * c - m * omega * s);
                terms[2][i] = w * (m2 * c - 2.0 * m1 * omega * s - m * omega * omega * c);
            }
            for (out, terms) in self.out.iter_mut().zip(&terms) {
                if let Some(out) = out {
                    for (o, v) in out[t * TILE..].iter_mut().zip(&terms[..distances.len()]) {
                        *o += v;
                    }
                }
            }
        }
    }
}

pub(super) struct Pull<'a> {
    pub(super) envelope: Envelope,
    pub(super) rate: f64,
    pub(super) omega: f64,
    pub(super) distances: &'a [f64],
    pub(super) weights: [Option<&'a [f64]>; 3],
}

impl NullaryFnOnce for Pull<'_> {
    type Output = [f64; 3];

    /// The sums for log w, ℓ and, without 2π, μ, each without w.
    #[inline(always)]
    fn call(self) -> [f64; 3] {
        match self.envelope {
            Envelope::StudentT => self.run(Envelope::StudentT),
            Envelope::Gaussian => self.run(Envelope::Gaussian),
        }
    }
}

impl Pull<'_> {
    #[inline(always)]
    fn run(self, envelope: Envelope) -> [f64; 3] {
        let (rate, omega) = (self.rate, self.omega);
        let mut sums = [[0.0; 16]; 3];
        for (t, distances) in self.distances.chunks(TILE).enumerate() {
            let waves = Waves::new(envelope, rate, omega, distances);
            let mut g = [[0.0; TILE]; 3];
            for (g, weights) in g.iter_mut().zip(&self.weights) {
                if let Some(weights) = weights {
                    g[..distances.len()].copy_from_slice(&weights[t * TILE..][..distances.len()]);
                }
            }
            for b in 0..TILE / 16 {
                for l in 0..16 {
                    let i = 16 * b + l;
                    let (d, e, c, s) = (waves.d[i], waves.e[i], waves.cos[i], waves.sin[i]);
                    let weights = [g[0][i], g[1][i], g[2][i]];
                    let jet = envelope.jet(rate, d, e);
                    // The sum over orders is p·c + r·s, both times the weight of the component.
                    let (p, r) = project(jet, omega, weights);
                    let (p_log, r_log) = project(envelope.jet_in_log(rate, d, e), omega, weights);
                    // Beside c and s, ω stands in p and r.
                    let by_omega = -2.0 * omega * weights[2] * jet.m;
                    let by_sine = -(weights[1] * jet.m + 2.0 * weights[2] * jet.m1);
                    sums[0][l] += p * c + r * s;
                    sums[1][l] += p_log * c + r_log * s;
                    sums[2][l] += d * (r * c - p * s) + by_omega * c + by_sine * s;
                }
            }
        }
        sums.map(|s| s.iter().sum())
    }
}

/// Factors of cosine and sine in Σ weight·derivative.
#[inline(always)]
fn project(jet: Jet, omega: f64, g: [f64; 3]) -> (f64, f64) {
    let Jet { m, m1, m2 } = jet;
    (
        g[0] * m + g[1] * m1 + g[2] * (m2 - omega * omega * m),
        -omega * (g[1] * m + 2.0 * g[2] * m1),
    )
}
