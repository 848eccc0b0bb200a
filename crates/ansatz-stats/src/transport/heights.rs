//! Heights of a semi-discrete map by descent on source points.
//!
//! With M points for the source μ, the gradient of the energy is the histogram of cells less the weights,
//! `gⱼ = #{k : T(xₖ) = yⱼ}/M − νⱼ`. It is followed by Adam without the correction of the first moments' bias:
//! `m ← 0.9m + 0.1g`, `v ← 0.999v + 0.001g²`, `h ← h − r·m/(√v + 1e-8)`, then the mean of h is taken off.
//!
//! [`Descent::Decay`], the default, starts at the map that sends a point to the nearest target once both
//! measures have mean 0 and the same spread, and lets the rate r fall geometrically in units of the targets'
//! spread, so that the scale of the data does not matter. [`Descent::Published`] starts at 0 with r = 0.1,
//! stops at ‖g‖ < 8e-4 with no empty cell, and multiplies r by 0.8, up to three times, each time that the best
//! ‖g‖ has not fallen for 50 iterations; new points are then doubled in number.
//!
//! Points that stay ([`Draws::Fixed`]) can be spread evenly, and g then has no noise: cells reach their weights
//! to about 1/M in a few dimensions. Points drawn anew ([`Draws::Fresh`]) leave a noise of 1/√M in ‖g‖, below
//! which the published tolerance cannot be met.
//!
//! Cost: M·n·D multiplications an iteration; n(D + 6) numbers of memory and the points, nothing allocated in an
//! iteration unless points are doubled.
//!
//! References: Z. Li et al., *DPM-OT: a new diffusion probabilistic model based on optimal transport*, 2023,
//! algorithm 1; D. An et al., *AE-OT: a new generative model based on extended semi-discrete optimal
//! transport*, 2020.

use ansatz_core::Key;

use super::brenier::{check_points, check_targets, check_weights};
use super::cells::Packed;
use super::{BrenierMap, Source, Spread, brenier, positive, rows};
use crate::TransportError;

/// Where source points come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draws<'a> {
    /// The same ones in every iteration, `[count, dim]`: the caller's, or [`Source::points`].
    Fixed(&'a [f64]),
    /// As many new ones in every iteration, each a function of the key, the iteration and its place.
    Fresh {
        /// Their measure.
        source: Source,
        /// How many, at first.
        count: usize,
        /// Their randomness.
        key: Key,
    },
}

/// How the rate falls, and when to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Descent {
    /// A rate that falls geometrically.
    Decay {
        /// First rate, in units of the spread of the targets (the root mean square distance from their mean).
        first: f64,
        /// Last rate.
        last: f64,
        /// Iterations, at least 1.
        iterations: usize,
    },
    /// The rule of the published program, with its rates in the units of h.
    Published {
        /// First rate: 0.1.
        rate: f64,
        /// Euclidean norm of g to reach: 8e-4.
        tolerance: f64,
        /// Iterations without progress after which the rate is lowered: 50.
        patience: usize,
        /// Most iterations: 10 000.
        iterations: usize,
    },
}

impl Descent {
    /// The published rule with its constants.
    pub const PUBLISHED: Self = Self::Published {
        rate: 0.1,
        tolerance: 8e-4,
        patience: 50,
        iterations: 10_000,
    };
}

impl Default for Descent {
    fn default() -> Self {
        Self::Decay {
            first: 0.02,
            last: 1e-4,
            iterations: 1000,
        }
    }
}

/// Options of the fit.
///
/// ```
/// use ansatz_stats::transport::{Draws, Heights, Source, Spread};
/// let targets = [-1.0, 0.0, 1.0, 0.0, 0.0, 2.0]; // three points of the plane
/// let points = Source::Normal.points(2, 4000, Spread::Even);
/// let fit = Heights::default().fit(&targets, 2, &[0.5, 0.25, 0.25], Draws::Fixed(&points))?;
/// let masses = fit.map.cell_masses(&points)?;
/// assert!((masses[0] - 0.5).abs() < 0.01 && fit.worst_cell < 0.02);
/// # Ok::<(), ansatz_stats::TransportError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Heights {
    /// Rates and stop.
    pub descent: Descent,
}

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The tolerance was met.
    Tolerance,
    /// All iterations were made.
    Iterations,
}

/// A fitted map and how well it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The map of the best heights seen.
    pub map: BrenierMap,
    /// ‖g‖, Euclidean, of these heights on the points of their iteration.
    pub gradient: f64,
    /// max |gⱼ|/νⱼ of the same: 0 when all cells have their mass, at least 1 with an empty cell.
    pub worst_cell: f64,
    /// Iterations made.
    pub iterations: usize,
    /// Why they ended.
    pub stop: Stop,
}

/// Decay of the first and second moment, and what keeps the quotient finite.
const MOMENTS: (f64, f64, f64) = (0.9, 0.999, 1e-8);

/// How often the published rule lowers its rate, and by which factor.
const LOWERINGS: (u32, f64) = (3, 0.8);

impl Heights {
    /// Fits heights for `targets`, `[n, dim]`, with weights `nu`.
    ///
    /// The result is the best map seen, whether or not it is good: look at [`Fit::worst_cell`]. M points
    /// resolve a cell's mass to 1/M; take ten or more for each target.
    ///
    /// # Errors
    /// [`TransportError`] for fewer than two targets or points, duplicate targets, weights that are not
    /// positive or do not sum to 1, numbers that are not finite, and options out of range.
    pub fn fit(
        &self,
        targets: &[f64],
        dim: usize,
        nu: &[f64],
        draws: Draws<'_>,
    ) -> Result<Fit, TransportError> {
        let n = check_targets(targets, dim)?;
        check_weights(nu, n)?;
        self.validate()?;
        let mut points = Points::new(draws, dim)?;
        let (start, spread) = nearest(targets, dim, points.at(0));
        let mut packed = match self.descent {
            Descent::Decay { .. } => Packed::new(targets, dim, &start),
            Descent::Published { .. } => Packed::new(targets, dim, &vec![0.0; n]),
        };
        let mut rule = Rule::new(self.descent, spread);
        let (mut g, mut m, mut v) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut best = packed.heights().to_vec();
        let (mut gradient, mut worst_cell) = (f64::INFINITY, f64::INFINITY);
        let mut made = 0;
        let mut stop = Stop::Iterations;
        for iteration in 0..rule.iterations {
            points.histogram(&packed, iteration as u64, &mut g);
            let mut empty = false;
            for (g, nu) in g.iter_mut().zip(nu) {
                empty |= *g == 0.0;
                *g -= nu;
            }
            made = iteration + 1;
            let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            let better = norm < gradient;
            let met = norm < rule.tolerance && !empty;
            // Heights with an empty cell may have had a smaller norm; those that end the run count.
            if better || met {
                gradient = norm;
                worst_cell = g
                    .iter()
                    .zip(nu)
                    .fold(0.0, |w, (g, nu)| f64::max(w, g.abs() / nu));
                best.copy_from_slice(packed.heights());
            }
            if met {
                stop = Stop::Tolerance;
                break;
            }
            if rule.lower(better) {
                points.double();
            }
            let rate = rule.rate(iteration);
            let (first, second, least) = MOMENTS;
            for (((h, g), m), v) in packed
                .heights_mut()
                .iter_mut()
                .zip(&g)
                .zip(&mut m)
                .zip(&mut v)
            {
                *m = first * *m + (1.0 - first) * g;
                *v = second * *v + (1.0 - second) * g * g;
                *h -= rate * *m / (v.sqrt() + least);
            }
            brenier::center(packed.heights_mut());
        }
        Ok(Fit {
            map: BrenierMap::new(targets, dim, &best)?,
            gradient,
            worst_cell,
            iterations: made,
            stop,
        })
    }

    fn validate(&self) -> Result<(), TransportError> {
        let counts = |name, value: usize| {
            if value > 0 {
                return Ok(());
            }
            Err(TransportError::Option {
                name,
                value: 0.0,
                allowed: "at least 1",
            })
        };
        match self.descent {
            Descent::Decay {
                first,
                last,
                iterations,
            } => {
                positive("first", first)?;
                positive("last", last)?;
                counts("iterations", iterations)
            }
            Descent::Published {
                rate,
                tolerance,
                patience,
                iterations,
            } => {
                positive("rate", rate)?;
                positive("tolerance", tolerance)?;
                counts("patience", patience)?;
                counts("iterations", iterations)
            }
        }
    }
}

/// A descent in progress.
struct Rule {
    first: f64,
    last: f64,
    iterations: usize,
    tolerance: f64,
    patience: usize,
    since: usize,
    lowered: u32,
}

impl Rule {
    fn new(descent: Descent, spread: f64) -> Self {
        match descent {
            Descent::Decay {
                first,
                last,
                iterations,
            } => Self {
                first: first * spread,
                last: last * spread,
                iterations,
                tolerance: 0.0,
                patience: usize::MAX,
                since: 0,
                lowered: 0,
            },
            Descent::Published {
                rate,
                tolerance,
                patience,
                iterations,
            } => Self {
                first: rate,
                last: rate,
                iterations,
                tolerance,
                patience,
                since: 0,
                lowered: 0,
            },
        }
    }

    /// Whether progress has been missing for long enough to lower the rate.
    fn lower(&mut self, better: bool) -> bool {
        self.since = if better { 0 } else { self.since + 1 };
        let lower = self.since >= self.patience && self.lowered < LOWERINGS.0;
        if lower {
            self.lowered += 1;
            self.since = 0;
        }
        lower
    }

    fn rate(&self, iteration: usize) -> f64 {
        let part = iteration as f64 / (self.iterations.max(2) - 1) as f64;
        let factor = LOWERINGS.1.powf(f64::from(self.lowered));
        self.first * (self.last / self.first).powf(part) * factor
    }
}

/// Source points and where they fall.
struct Points<'a> {
    draws: Draws<'a>,
    dim: usize,
    fresh: Vec<f64>,
    cells: Vec<u32>,
    values: Vec<f64>,
}

impl<'a> Points<'a> {
    fn new(draws: Draws<'a>, dim: usize) -> Result<Self, TransportError> {
        let (count, fresh) = match draws {
            Draws::Fixed(x) => {
                check_points(x)?;
                (rows("source points (whole rows)", x.len(), dim)?, 0)
            }
            Draws::Fresh { count, .. } => (count, count * dim),
        };
        if count < 2 {
            return Err(TransportError::TooFew {
                what: "the source",
                needed: 2,
                got: count,
            });
        }
        Ok(Self {
            draws,
            dim,
            fresh: vec![0.0; fresh],
            cells: vec![0; count],
            values: vec![0.0; count],
        })
    }

    /// The points of an iteration.
    fn at(&mut self, iteration: u64) -> &[f64] {
        match self.draws {
            Draws::Fixed(x) => x,
            Draws::Fresh { source, key, .. } => {
                source.fill(self.dim, Spread::Random(key, iteration), &mut self.fresh);
                &self.fresh
            }
        }
    }

    /// The fraction of the points in each cell.
    fn histogram(&mut self, packed: &Packed, iteration: u64, out: &mut [f64]) {
        self.at(iteration);
        let x = match self.draws {
            Draws::Fixed(x) => x,
            Draws::Fresh { .. } => &self.fresh,
        };
        packed.assign(x, &mut self.cells, &mut self.values);
        out.fill(0.0);
        for cell in &self.cells {
            out[*cell as usize] += 1.0;
        }
        let count = self.cells.len() as f64;
        for o in out {
            *o /= count;
        }
    }

    fn double(&mut self) {
        if let Draws::Fresh { .. } = self.draws {
            self.fresh.resize(2 * self.fresh.len(), 0.0);
            self.cells.resize(2 * self.cells.len(), 0);
            self.values.resize(2 * self.values.len(), 0.0);
        }
    }
}

/// Heights of the map to the nearest target after both measures are moved to mean 0 and scaled to one spread,
/// and the spread of the targets.
///
/// With x̄, ȳ the means and c the ratio of the spreads, `|c(x − x̄) − (y − ȳ)|²` is least where
/// `⟨x, y⟩ − ⟨x̄, y − ȳ⟩ − |y − ȳ|²/(2c)` is largest.
fn nearest(targets: &[f64], dim: usize, points: &[f64]) -> (Vec<f64>, f64) {
    let moments = |rows: &[f64]| {
        let n = (rows.len() / dim) as f64;
        let mut mean = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
        }
        let square: f64 = rows
            .chunks_exact(dim)
            .flat_map(|row| row.iter().zip(&mean).map(|(v, m)| (v - m) * (v - m)))
            .sum();
        (mean, (square / n).sqrt())
    };
    let ((x, of_points), (y, of_targets)) = (moments(points), moments(targets));
    let heights = targets
        .chunks_exact(dim)
        .map(|row| {
            let (mut along, mut square) = (0.0, 0.0);
            for ((v, y), x) in row.iter().zip(&y).zip(&x) {
                along += x * (v - y);
                square += (v - y) * (v - y);
            }
            -along - 0.5 * square * of_points / of_targets
        })
        .collect();
    (heights, of_targets)
}
