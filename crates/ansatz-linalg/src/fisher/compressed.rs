//! F⁻¹ = λ⁻¹I − WᵀW, with W in place of the gradients.

use ansatz_core::{EvalError, LinearMap, State};
use faer::Mat;
use rayon::prelude::*;

use super::tile::{COLUMNS, add_products, eliminate, factor, inverted};
use super::{damping_in_range, window};
use crate::error::{finite, shape};
use crate::{LinalgError, Real};

/// Pieces into which the columns are split for sums in a fixed order, whatever the number of threads.
const PIECES: usize = 16;

/// F⁻¹ of m gradients with W = L⁻¹G/λ in their place: products, columns, the diagonal, single elements.
///
/// Setting up takes 2dm² operations and three sweeps over the gradients; F⁻¹x two sweeps, [`CompressedFisher::element`]
/// 2m operations, [`CompressedFisher::diagonal`] one sweep.
///
/// ```
/// use ansatz_linalg::fisher::CompressedFisher;
/// let fisher = CompressedFisher::new(vec![vec![1.0, 0.0], vec![0.0, 2.0]], 0.5)?;
/// // F = ½I + ½·diag(1, 4).
/// assert!((fisher.element(0, 0)? - 1.0).abs() < 1e-15);
/// assert!((fisher.element(1, 1)? - 0.4).abs() < 1e-15);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct CompressedFisher<T> {
    /// W, row by row.
    rows: Vec<Vec<T>>,
    damping: f64,
    denominators: Vec<f64>,
}

impl<T: Real> CompressedFisher<T> {
    /// Sets up F⁻¹ in the memory of the gradients.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] without gradients or for a damping that is not positive; [`LinalgError::Shape`] for
    /// gradients of different lengths; [`LinalgError::Operator`] for one that is not finite;
    /// [`LinalgError::NotPositiveDefinite`] when rounding has destroyed their products.
    pub fn new(mut gradients: Vec<Vec<T>>, damping: f64) -> Result<Self, LinalgError> {
        check(&gradients, damping)?;
        let m = gradients.len();
        let mut s = products(&gradients);
        factor(&mut s, damping)?;
        let denominators = (0..m).map(|i| s[(i, i)] * s[(i, i)]).collect();
        let inverse = inverted::<T>(&s, damping);
        let eliminate = |(tile, out): &mut (Vec<T>, Vec<T>), columns: &mut Vec<&mut [T]>| {
            tile.clear();
            for row in columns.iter() {
                tile.extend_from_slice(row);
            }
            out.resize(tile.len(), T::zero());
            eliminate(inverse.as_ref(), tile, out);
            let length = out.len() / m;
            for (row, done) in columns.iter_mut().zip(out.chunks_exact(length)) {
                row.copy_from_slice(done);
            }
        };
        columns(&mut gradients)
            .par_iter_mut()
            .for_each_init(Default::default, eliminate);
        Ok(Self {
            rows: gradients,
            damping,
            denominators,
        })
    }

    /// Number of gradients.
    pub fn gradients(&self) -> usize {
        self.rows.len()
    }

    /// Length of the vectors.
    pub fn dimension(&self) -> usize {
        self.rows[0].len()
    }

    /// qᵢ = m + gᵢᵀF⁻¹ᵢ₋₁gᵢ of the published recursion.
    pub fn denominators(&self) -> &[f64] {
        &self.denominators
    }

    /// `y ← F⁻¹x`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::NotFinite`] when x is not finite.
    pub fn apply_inverse(&self, x: &Vec<T>, y: &mut Vec<T>) -> Result<(), LinalgError> {
        shape("vector", self.dimension(), x.len())?;
        shape("result", self.dimension(), y.len())?;
        let mut weights = vec![0.0; self.rows.len()];
        window::all_products(&self.rows, x, &mut weights);
        finite("inner products with gradients", &weights)?;
        window::subtract(&self.rows, self.damping, &weights, x, y);
        Ok(())
    }

    /// Element (a, b) of F⁻¹.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for an index out of range.
    pub fn element(&self, a: usize, b: usize) -> Result<f64, LinalgError> {
        self.index(a.max(b))?;
        let sum: f64 = self.rows.iter().map(|w| w[a].f64() * w[b].f64()).sum();
        Ok(f64::from(u8::from(a == b)) / self.damping - sum)
    }

    /// The diagonal of F⁻¹.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for another length.
    pub fn diagonal(&self, out: &mut [f64]) -> Result<(), LinalgError> {
        shape("diagonal", self.dimension(), out.len())?;
        out.par_chunks_mut(COLUMNS)
            .enumerate()
            .for_each(|(k, out)| {
                out.fill(1.0 / self.damping);
                for w in &self.rows {
                    for (o, w) in out.iter_mut().zip(&w[k * COLUMNS..]) {
                        *o -= w.f64() * w.f64();
                    }
                }
            });
        Ok(())
    }

    /// A column of F⁻¹.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for an index out of range or another length.
    pub fn column(&self, index: usize, out: &mut Vec<T>) -> Result<(), LinalgError> {
        self.index(index)?;
        shape("column", self.dimension(), out.len())?;
        let weights: Vec<f64> = self.rows.iter().map(|w| w[index].f64()).collect();
        let mut unit = vec![T::zero(); self.dimension()];
        unit[index] = T::one();
        window::subtract(&self.rows, self.damping, &weights, &unit, out);
        Ok(())
    }

    fn index(&self, index: usize) -> Result<(), LinalgError> {
        if index < self.dimension() {
            return Ok(());
        }
        Err(LinalgError::Shape {
            what: "index of an element, below",
            expected: self.dimension(),
            got: index,
        })
    }
}

impl<T: Real> LinearMap<Vec<T>> for CompressedFisher<T> {
    fn apply(&self, x: &Vec<T>, y: &mut Vec<T>) -> Result<(), EvalError> {
        self.apply_inverse(x, y).map_err(EvalError::model)
    }
}

/// Refuses gradients of which no Fisher matrix can be made.
pub(super) fn check<T: Real>(gradients: &[Vec<T>], damping: f64) -> Result<(), LinalgError> {
    damping_in_range(damping)?;
    let d = gradients.first().map_or(0, Vec::len);
    if d == 0 {
        return Err(LinalgError::Parameter {
            name: if gradients.is_empty() {
                "gradients"
            } else {
                "elements of a gradient"
            },
            value: 0.0,
            needed: "at least 1",
        });
    }
    for gradient in gradients {
        shape("elements of a gradient", d, gradient.len())?;
        if !State::is_finite(gradient) {
            return Err(EvalError::NonFinite { what: "gradient" }.into());
        }
    }
    Ok(())
}

/// The lower triangle of GGᵀ: summed in T over tiles, in f64 over tiles of a piece and over pieces in order.
fn products<T: Real>(gradients: &[Vec<T>]) -> Mat<f64> {
    let (m, d) = (gradients.len(), gradients[0].len());
    let piece = d.div_ceil(PIECES).next_multiple_of(COLUMNS);
    let starts: Vec<usize> = (0..d).step_by(piece).collect();
    let sums: Vec<Mat<f64>> = starts
        .par_iter()
        .map(|start| {
            let mut sum = Mat::zeros(m, m);
            let mut product = Mat::zeros(m, m);
            let mut tile = Vec::with_capacity(m * COLUMNS);
            let end = (start + piece).min(d);
            for from in (*start..end).step_by(COLUMNS) {
                tile.clear();
                for row in gradients {
                    tile.extend_from_slice(&row[from..(from + COLUMNS).min(end)]);
                }
                add_products(&tile, m, &mut product, &mut sum);
            }
            sum
        })
        .collect();
    let mut sums = sums.into_iter();
    let first = sums.next().unwrap_or_else(|| Mat::zeros(m, m));
    sums.fold(first, |a, b| a + b)
}

/// The rows cut into tiles, each a list of pieces of all rows.
fn columns<T>(rows: &mut [Vec<T>]) -> Vec<Vec<&mut [T]>> {
    let count = rows[0].len().div_ceil(COLUMNS);
    let mut tiles: Vec<_> = (0..count).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (tile, piece) in tiles.iter_mut().zip(row.chunks_mut(COLUMNS)) {
            tile.push(piece);
        }
    }
    tiles
}
