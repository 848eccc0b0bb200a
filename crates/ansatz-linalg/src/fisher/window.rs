//! The latest gradients, and products with the inverse of their Fisher matrix.

use std::sync::{Mutex, PoisonError};

use ansatz_core::{EvalError, LinearMap, State};

use super::{FactorOptions, FisherFactor};
use crate::LinalgError;
use crate::error::shape;

/// States that one call of [`State::lincomb`] or [`State::dots`] takes from the stack.
const GROUP: usize = 64;

/// The latest m gradients in a ring, on any [`State`], with F⁻¹ of their damped Fisher matrix.
///
/// A new gradient costs one sweep over the window (its inner products) and m² operations; a product F⁻¹x two sweeps,
/// or one for the newest gradient itself. Memory: m states and 2m² numbers.
///
/// ```
/// use ansatz_linalg::fisher::{FactorOptions, FisherWindow};
/// let options = FactorOptions { damping: 0.5, ..FactorOptions::default() };
/// let mut window = FisherWindow::new(1, &vec![0.0; 2], options)?;
/// window.push(&vec![1.0, 0.0])?;
/// // F = ½I + e₁e₁ᵀ.
/// let mut y = vec![0.0; 2];
/// window.apply_inverse(&vec![3.0, 1.0], &mut y)?;
/// assert!(y.iter().all(|y: &f64| (y - 2.0).abs() < 1e-14));
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug)]
pub struct FisherWindow<S> {
    rows: Vec<S>,
    factor: FisherFactor,
    /// Inner products of one vector; products from several threads at once take turns.
    products: Mutex<Vec<f64>>,
}

impl<S: State> FisherWindow<S> {
    /// An empty window of m gradients that look like `like`.
    ///
    /// # Errors
    /// Those of [`FisherFactor::new`].
    pub fn new(capacity: usize, like: &S, options: FactorOptions) -> Result<Self, LinalgError> {
        let factor = FisherFactor::new(capacity, options)?;
        Ok(Self {
            rows: vec![like.zeros_like(); capacity],
            products: Mutex::new(vec![0.0; capacity]),
            factor,
        })
    }

    /// The gradients, in the places of the ring.
    pub fn rows(&self) -> &[S] {
        &self.rows
    }

    /// The m×m side.
    pub fn factor(&self) -> &FisherFactor {
        &self.factor
    }

    /// Takes a gradient in; the oldest one makes way when there are m.
    ///
    /// # Errors
    /// Those of [`FisherFactor::push`].
    pub fn push(&mut self, gradient: &S) -> Result<(), LinalgError> {
        self.factor.push(&mut self.rows, gradient)
    }

    /// `y ← F⁻¹x`.
    ///
    /// # Errors
    /// [`LinalgError::Operator`] or [`LinalgError::Shape`] for states of another shape; [`LinalgError::NotFinite`] when x is
    /// not finite.
    pub fn apply_inverse(&self, x: &S, y: &mut S) -> Result<(), LinalgError> {
        check_shape("vector", &self.rows[0], x)?;
        check_shape("result", &self.rows[0], y)?;
        let mut products = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        all_products(&self.rows, x, &mut products);
        self.factor.weights(&mut products)?;
        subtract(&self.rows, self.factor.options().damping, &products, x, y);
        Ok(())
    }

    /// Takes a gradient g in and gives `y ← F⁻¹g` for the new F. The inner products serve both.
    ///
    /// # Errors
    /// Those of [`FisherFactor::update_and_apply`].
    pub fn update_and_apply(&mut self, gradient: &S, y: &mut S) -> Result<(), LinalgError> {
        self.factor.update_and_apply(&mut self.rows, gradient, y)
    }
}

impl<S: State> LinearMap<S> for FisherWindow<S> {
    fn apply(&self, x: &S, y: &mut S) -> Result<(), EvalError> {
        self.apply_inverse(x, y).map_err(EvalError::model)
    }
}

/// The same for gradients that are kept elsewhere, such as an optimiser's buffers.
impl FisherFactor {
    /// Takes a gradient in, in the place [`FisherFactor::next`] of the rows.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] or [`LinalgError::Operator`] for another number of rows, another shape, or a gradient that
    /// is not finite; those of [`FisherFactor::replace`]. Nothing is changed then.
    pub fn push<S: State>(&mut self, rows: &mut [S], gradient: &S) -> Result<(), LinalgError> {
        shape("gradients in the window", self.capacity(), rows.len())?;
        check_shape("gradient", &rows[0], gradient)?;
        if !gradient.is_finite() {
            return Err(EvalError::NonFinite { what: "gradient" }.into());
        }
        let mut products = std::mem::take(&mut self.row);
        products.resize(rows.len(), 0.0);
        all_products(rows, gradient, &mut products);
        products[self.next()] = gradient.dot(gradient);
        let place = self.replace(&products);
        self.row = products;
        rows[place?].assign(gradient);
        Ok(())
    }

    /// Takes a gradient g in and gives `y ← F⁻¹g` for the new F.
    ///
    /// # Errors
    /// Those of [`FisherFactor::push`], and another shape of y.
    pub fn update_and_apply<S: State>(
        &mut self,
        rows: &mut [S],
        gradient: &S,
        y: &mut S,
    ) -> Result<(), LinalgError> {
        check_shape("result", gradient, y)?;
        self.push(rows, gradient)?;
        let mut weights = std::mem::take(&mut self.row);
        let done = self.weights(&mut weights);
        subtract(rows, self.options().damping, &weights, gradient, y);
        self.row = weights;
        done
    }

    /// S of rows that were kept, such as those of a training that goes on: m²/2 inner products.
    ///
    /// # Errors
    /// Those of [`FisherFactor::of_products`].
    pub fn of_rows<S: State>(
        rows: &[S],
        count: usize,
        next: usize,
        options: FactorOptions,
    ) -> Result<Self, LinalgError> {
        let m = rows.len();
        let mut products = vec![0.0; m * m];
        for (i, row) in rows.iter().enumerate() {
            let (_, from) = products.split_at_mut(i * m + i);
            all_products(&rows[i..], row, &mut from[..m - i]);
            for j in i..m {
                products[j * m + i] = products[i * m + j];
            }
        }
        Self::of_products(&products, count, next, m, options)
    }
}

fn check_shape<S: State>(what: &'static str, row: &S, x: &S) -> Result<(), LinalgError> {
    if row.same_shape(x) {
        return Ok(());
    }
    let (expected, got) = (row.len(), x.len());
    Err(if expected == got {
        EvalError::Shape { what }.into()
    } else {
        LinalgError::Shape {
            what,
            expected,
            got,
        }
    })
}

/// `p ← Gx`.
pub(super) fn all_products<S: State>(rows: &[S], x: &S, p: &mut [f64]) {
    for (rows, p) in rows.chunks(GROUP).zip(p.chunks_mut(GROUP)) {
        let mut group = [x; GROUP];
        for (place, row) in group.iter_mut().zip(rows) {
            *place = row;
        }
        x.dots(&group[..rows.len()], p);
    }
}

/// `y ← λ⁻¹x − Gᵀc`.
pub(super) fn subtract<S: State>(rows: &[S], damping: f64, c: &[f64], x: &S, y: &mut S) {
    let mut beta = 0.0;
    let mut terms = [(0.0, x); GROUP + 1];
    for (rows, c) in rows.chunks(GROUP).zip(c.chunks(GROUP)) {
        let mut count = 0;
        if beta == 0.0 {
            terms[0] = (1.0 / damping, x);
            count = 1;
        }
        for (row, c) in rows.iter().zip(c) {
            terms[count] = (-c, row);
            count += 1;
        }
        y.lincomb(beta, &terms[..count]);
        beta = 1.0;
    }
}
