//! How two parents become two children.

use ansatz_core::Key;
use ansatz_nn::Layout;

use crate::PdeError;
use crate::error::within;

/// Crossover and mutation.
pub trait Variation {
    /// Turns copies of two parents into two children.
    fn vary(&self, pair: [&mut [f64]; 2], key: Key);
}

/// Streams of the draws: crossover, its sides, mutation.
const CROSS: u64 = 3;
const SIDES: u64 = 4;
const MUTATE: u64 = 5;
const START: u64 = 6;

/// Points of a box: simulated binary crossover of half of the coordinates, polynomial mutation of one in the mean, both with
/// densities that end at the bounds.
///
/// Reference: K. Deb, R. Agrawal, *Simulated binary crossover for continuous search space*, 1995; K. Deb, M. Goyal, *A
/// combined genetic adaptive search (GeneAS) for engineering design*, 1996.
#[derive(Debug, Clone, PartialEq)]
pub struct InBox {
    bounds: Vec<[f64; 2]>,
    /// η of crossover: the larger, the nearer are children to parents.
    pub crossover: f64,
    /// η of mutation.
    pub mutation: f64,
    /// Probability with which a coordinate mutates.
    pub rate: f64,
}

impl InBox {
    /// A box with η = 30 and 20, one coordinate in the mean mutating.
    ///
    /// # Errors
    /// [`PdeError::Option`] for bounds that are no interval.
    pub fn new(bounds: Vec<[f64; 2]>) -> Result<Self, PdeError> {
        for [a, b] in &bounds {
            within(
                "width of the box",
                b - a,
                f64::MIN_POSITIVE..,
                "a number above 0",
            )?;
        }
        Ok(Self {
            rate: (bounds.len().max(1) as f64).recip(),
            bounds,
            crossover: 30.0,
            mutation: 20.0,
        })
    }

    /// Points drawn evenly, rows.
    #[must_use]
    pub fn draw(&self, count: usize, key: Key) -> Vec<f64> {
        let bounds = self.bounds.iter().cycle().take(count * self.bounds.len());
        let place = |(i, [a, b]): (usize, &[f64; 2])| a + (b - a) * key.uniform(START, i as u64)[0];
        bounds.enumerate().map(place).collect()
    }
}

/// Spread factor of crossover for u in [0, 1), where a factor of `most` is the largest: density ½(η+1)β^η below 1, and
/// ½(η+1)β^−(η+2) above, cut off.
fn spread(u: f64, eta: f64, most: f64) -> f64 {
    let alpha = 2.0 - libm::pow(most, -(eta + 1.0));
    let power = (eta + 1.0).recip();
    if u * alpha <= 1.0 {
        libm::pow(u * alpha, power)
    } else {
        libm::pow((2.0 - u * alpha).recip(), power)
    }
}

impl Variation for InBox {
    fn vary(&self, [a, b]: [&mut [f64]; 2], key: Key) {
        for (k, [low, high]) in self.bounds.iter().enumerate() {
            let [u, whether] = key.uniform(CROSS, k as u64);
            let (x, y) = (a[k].min(b[k]), a[k].max(b[k]));
            if whether >= 0.5 && y - x > 1e-14 * (high - low) {
                let factor = |room: f64| spread(u, self.crossover, 1.0 + 2.0 * room / (y - x));
                let (middle, half) = (0.5 * (x + y), 0.5 * (y - x));
                let left = (middle - factor(x - low) * half).clamp(*low, *high);
                let right = (middle + factor(high - y) * half).clamp(*low, *high);
                let [side, _] = key.uniform(SIDES, k as u64);
                (a[k], b[k]) = if side < 0.5 {
                    (left, right)
                } else {
                    (right, left)
                };
            }
            for (child, x) in [(0, &mut a[k]), (1, &mut b[k])] {
                let [u, whether] = key.uniform(MUTATE, 2 * k as u64 + child);
                if whether < self.rate {
                    *x = mutated(*x, [*low, *high], (u, self.mutation));
                }
            }
        }
    }
}

/// Polynomial mutation.
fn mutated(x: f64, [low, high]: [f64; 2], (u, eta): (f64, f64)) -> f64 {
    let power = (eta + 1.0).recip();
    let width = high - low;
    let step = if u < 0.5 {
        let room = 1.0 - (x - low) / width;
        let v = 2.0 * u + (1.0 - 2.0 * u) * libm::pow(room, eta + 1.0);
        libm::pow(v, power) - 1.0
    } else {
        let room = 1.0 - (high - x) / width;
        let v = 2.0 * (1.0 - u) + (2.0 * u - 1.0) * libm::pow(room, eta + 1.0);
        1.0 - libm::pow(v, power)
    };
    (x + step * width).clamp(low, high)
}

/// Weights of a network: children take each layer from one parent or the other, simulated binary crossover with one factor
/// for a whole layer, and normal noise relative to the layer's size.
///
/// Layers are kept together, as numbers of a layer mean something by each other only; parents of unrelated training give
/// children of little use, relatives give good ones.
#[derive(Debug, Clone, PartialEq)]
pub struct OfLayers {
    /// Places of each layer's numbers.
    layers: Vec<Vec<usize>>,
    /// η of crossover.
    pub crossover: f64,
    /// Standard deviation of the noise, in parts of a layer's root mean square.
    pub mutation: f64,
}

impl OfLayers {
    /// The trained parameters of a layout, those of one scope being a layer; η = 30, noise of 0.01.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let mut layers: Vec<(&str, Vec<usize>)> = Vec::new();
        for entry in layout.entries().iter().filter(|e| e.trained) {
            let scope = entry.name.rsplit_once('.').map_or("", |(scope, _)| scope);
            match layers.iter_mut().find(|(name, _)| *name == scope) {
                Some((_, places)) => places.extend(entry.range()),
                None => layers.push((scope, entry.range().collect())),
            }
        }
        Self {
            layers: layers.into_iter().map(|(_, places)| places).collect(),
            crossover: 30.0,
            mutation: 0.01,
        }
    }
}

impl Variation for OfLayers {
    fn vary(&self, [a, b]: [&mut [f64]; 2], key: Key) {
        for (number, places) in self.layers.iter().enumerate() {
            let [u, whether] = key.uniform(CROSS, number as u64);
            let beta = spread(u, self.crossover, f64::INFINITY);
            for &k in places {
                let (middle, half) = (0.5 * (a[k] + b[k]), 0.5 * beta * (a[k] - b[k]));
                let (mut x, mut y) = (middle + half, middle - half);
                if whether < 0.5 {
                    (x, y) = (y, x);
                }
                (a[k], b[k]) = (x, y);
            }
            let mut noise = vec![0.0; places.len()];
            for (child, x) in [(0, &mut *a), (1, &mut *b)] {
                let squares: f64 = places.iter().map(|k| x[*k] * x[*k]).sum();
                let size = self.mutation * (squares / places.len() as f64).sqrt();
                let stream = MUTATE + 2 + 2 * number as u64 + child;
                key.fill_normal(stream, &mut noise);
                for (k, z) in places.iter().zip(&noise) {
                    x[*k] += size * z;
                }
            }
        }
    }
}
