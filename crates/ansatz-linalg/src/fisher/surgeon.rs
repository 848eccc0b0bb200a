//! Weights removed by the second-order model of the loss.

use ansatz_core::LinearMap;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

use super::{BlockFisher, CompressedFisher};
use crate::error::{shape, within};
use crate::{LinalgError, Real};

/// What a [`Surgeon`] asks of F⁻¹ beyond products.
pub trait InverseFisher<T: Real>: LinearMap<Vec<T>> {
    /// Length of the vectors.
    fn dimension(&self) -> usize;

    /// The diagonal.
    ///
    /// # Errors
    /// [`LinalgError::Shape`].
    fn diagonal(&self, out: &mut [f64]) -> Result<(), LinalgError>;

    /// One element.
    ///
    /// # Errors
    /// [`LinalgError::Shape`].
    fn element(&self, a: usize, b: usize) -> Result<f64, LinalgError>;
}

macro_rules! inverse_fisher {
    ($($type:ident)*) => {$(
        impl<T: Real> InverseFisher<T> for $type<T> {
            fn dimension(&self) -> usize {
                self.dimension()
            }

            fn diagonal(&self, out: &mut [f64]) -> Result<(), LinalgError> {
                self.diagonal(out)
            }

            fn element(&self, a: usize, b: usize) -> Result<f64, LinalgError> {
                self.element(a, b)
            }
        }
    )*};
}

inverse_fisher!(CompressedFisher BlockFisher);

/// How the weights that stay make up for those that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compensation {
    /// They do not.
    None,
    /// Each removal as if it were the only one, all added up: δ = −F⁻¹·Σ (wₚ/[F⁻¹]ₚₚ)·eₚ. As published.
    #[default]
    Single,
    /// The best change for all removals P together, δ = −F⁻¹[:, P](F⁻¹[P, P])⁻¹w_P, at |P|³/3 operations.
    Group,
}

/// Most weights that [`Compensation::Group`] removes at once.
const GROUP_LIMIT: usize = 2000;

/// Optimal brain surgeon: removes the weights whose loss costs least by ½wᵀFw, and lets the others make up for it.
///
/// The cost of weight p is ρₚ = wₚ²/(2[F⁻¹]ₚₚ).
///
/// References: B. Hassibi, D. Stork, *Second order derivatives for network pruning: optimal brain surgeon*, 1992,
/// equations 5 and 6; E. Frantar, E. Kurtic, D. Alistarh, *M-FAC*, 2021, section 4.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surgeon {
    /// How the others make up for it.
    pub compensation: Compensation,
    /// Coordinates of a block of F, `None` for all in one. Default 128.
    pub block: Option<usize>,
    /// λ. Default 1e-5.
    pub damping: f64,
    /// Removals between gradients in [`Surgeon::prune`]. Default 16.
    pub rounds: usize,
}

impl Default for Surgeon {
    fn default() -> Self {
        Self {
            compensation: Compensation::Single,
            block: Some(128),
            damping: 1e-5,
            rounds: 16,
        }
    }
}

/// What was removed.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// Places of the weights, ascending.
    pub removed: Vec<usize>,
    /// By how much the model of the loss rises: exactly for [`Compensation::Group`], as a sum of single costs else.
    pub cost: f64,
}

impl Surgeon {
    /// Removes `count` weights: sets them to 0, marks them in `live` and changes the others. Weights that are not live
    /// count as gone.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for lengths that do not fit or more weights than live; [`LinalgError::TooLarge`] for a
    /// group of more than 2000; [`LinalgError::NotPositiveDefinite`] when F⁻¹[P, P] is singular to rounding. Nothing
    /// is changed then.
    pub fn remove<T: Real>(
        &self,
        inverse: &impl InverseFisher<T>,
        count: usize,
        weights: &mut [T],
        live: &mut [bool],
    ) -> Result<Removal, LinalgError> {
        let d = inverse.dimension();
        shape("weights", d, weights.len())?;
        shape("marks of live weights", d, live.len())?;
        let mut diagonal = vec![0.0; d];
        inverse.diagonal(&mut diagonal)?;
        let cost = |p: usize| weights[p].f64().powi(2) / (2.0 * diagonal[p]);
        let mut order: Vec<usize> = (0..d).filter(|p| live[*p]).collect();
        if count > order.len() {
            return Err(LinalgError::Shape {
                what: "weights to be removed, at most",
                expected: order.len(),
                got: count,
            });
        }
        order.sort_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        order.truncate(count);
        order.sort_unstable();
        let (sources, cost) = if self.compensation == Compensation::Group {
            together(inverse, &order, weights)?
        } else {
            let single = |p: &usize| weights[*p].f64() / diagonal[*p];
            let sources: Vec<f64> = order.iter().map(single).collect();
            (sources, order.iter().map(|p| cost(*p)).sum())
        };
        if self.compensation != Compensation::None {
            let mut source = vec![T::zero(); d];
            for (p, value) in order.iter().zip(&sources) {
                source[*p] = T::of(*value);
            }
            let mut change = vec![T::zero(); d];
            inverse.apply(&source, &mut change)?;
            for (w, c) in weights.iter_mut().zip(&change) {
                *w -= *c;
            }
        }
        for p in &order {
            live[*p] = false;
        }
        for (w, live) in weights.iter_mut().zip(&*live) {
            if !live {
                *w = T::zero();
            }
        }
        Ok(Removal {
            removed: order,
            cost,
        })
    }

    /// Removes weights until `sparsity` of all are gone, in rounds of equal ratio with fresh gradients before each.
    ///
    /// `gradients` gives the gradients of some batches at the weights. Those of weights that are gone are not looked at.
    ///
    /// # Errors
    /// Those of [`Surgeon::remove`] and of [`CompressedFisher::new`]; [`LinalgError::Parameter`] for a sparsity outside
    /// [0, 1), no rounds or more than 10⁶. Rounds that are finished stay.
    pub fn prune<T: Real>(
        &self,
        sparsity: f64,
        weights: &mut [T],
        live: &mut [bool],
        mut gradients: impl FnMut(&[T]) -> Result<Vec<Vec<T>>, LinalgError>,
    ) -> Result<Vec<Removal>, LinalgError> {
        within("sparsity", sparsity, 0.0..1.0, "at least 0 and below 1")?;
        within("rounds", self.rounds as f64, 1.0..=1e6, "from 1 to 10⁶")?;
        shape("marks of live weights", weights.len(), live.len())?;
        let d = weights.len() as f64;
        let now = live.iter().filter(|live| **live).count() as f64 / d;
        let mut removals = Vec::new();
        for density in densities(now, 1.0 - sparsity, self.rounds) {
            let left = live.iter().filter(|live| **live).count() as f64;
            // An integer up to rounding is that integer.
            let count = (left - d * density + 1e-9).floor().max(0.0) as usize;
            if count == 0 {
                continue;
            }
            let mut batch = gradients(weights)?;
            for gradient in &mut batch {
                shape("elements of a gradient", live.len(), gradient.len())?;
                for (g, live) in gradient.iter_mut().zip(&*live) {
                    if !live {
                        *g = T::zero();
                    }
                }
            }
            removals.push(if let Some(size) = self.block {
                let inverse = BlockFisher::new(&batch, size, self.damping)?;
                self.remove(&inverse, count, weights, live)?
            } else {
                let inverse = CompressedFisher::new(batch, self.damping)?;
                self.remove(&inverse, count, weights, live)?
            });
        }
        Ok(removals)
    }
}

/// Densities from one to another in rounds of equal ratio, the first after one round.
#[must_use]
pub fn densities(from: f64, to: f64, rounds: usize) -> Vec<f64> {
    let ratio = to / from;
    (1..=rounds)
        .map(|j| from * ratio.powf(j as f64 / rounds as f64))
        .collect()
}

/// (F⁻¹[P, P])⁻¹w_P, and what the removal costs.
fn together<T: Real>(
    inverse: &impl InverseFisher<T>,
    places: &[usize],
    weights: &[T],
) -> Result<(Vec<f64>, f64), LinalgError> {
    let n = places.len();
    if n > GROUP_LIMIT {
        return Err(LinalgError::TooLarge {
            what: "the matrix of a group of removals",
            needed: n * n * size_of::<f64>(),
            limit: GROUP_LIMIT * GROUP_LIMIT * size_of::<f64>(),
        });
    }
    let mut block = Mat::zeros(n, n);
    for j in 0..n {
        for i in j..n {
            block[(i, j)] = inverse.element(places[i], places[j])?;
        }
    }
    let factor = Llt::new(block.as_ref(), Side::Lower).map_err(|error| {
        let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } = error;
        LinalgError::NotPositiveDefinite {
            what: "inverse Fisher matrix of a group",
            at: places[index],
            value: block[(index, index)],
        }
    })?;
    let w = Mat::from_fn(n, 1, |i, _| weights[places[i]].f64());
    let z = factor.solve(&w);
    let pairs = (0..n).map(|i| w[(i, 0)] * z[(i, 0)]);
    let cost = 0.5 * pairs.sum::<f64>();
    Ok(((0..n).map(|i| z[(i, 0)]).collect(), cost))
}
