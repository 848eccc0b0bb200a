//! The m×m side of F⁻¹: inner products of gradients and their Cholesky factor.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::cholesky::llt::update::rank_r_update_clobber;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, MatMut, Par, Spec};

use super::damping_in_range;
use crate::LinalgError;
use crate::error::{finite, shape};

/// By what the sum of gᵢgᵢᵀ is divided while fewer than m gradients are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Divisor {
    /// By m, as published: the missing gradients count as zeros.
    #[default]
    Window,
    /// By the number of gradients that are there. Each of the first m needs a factor of its own.
    Count,
}

/// How the factor follows a new gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refresh {
    /// By one update and one downdate of rank one, m² operations; anew once in m gradients, so that rounding does not
    /// build up.
    #[default]
    Updated,
    /// Anew each time, m³/3 operations: the result depends on the gradients alone, not on those that were there before.
    Anew,
}

/// Options of [`FisherFactor`] and [`FisherWindow`](super::FisherWindow).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FactorOptions {
    /// λ > 0. Default 1e-5.
    pub damping: f64,
    /// What the sum is divided by at the start.
    pub divisor: Divisor,
    /// How the factor follows.
    pub refresh: Refresh,
}

impl Default for FactorOptions {
    fn default() -> Self {
        Self {
            damping: 1e-5,
            divisor: Divisor::default(),
            refresh: Refresh::default(),
        }
    }
}

/// The recursion as it is published, for those who look into it: row-major m×m arrays.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// D with Dᵢⱼ = gᵢᵀF⁻¹ᵢ₋₁gⱼ for j ≥ i, zeros below.
    pub products: Vec<f64>,
    /// B with F⁻¹ᵢ₋₁gᵢ = Σₖ Bᵢₖgₖ for k ≤ i, zeros above.
    pub weights: Vec<f64>,
}

/// The lower factor of S/λ + divisor·I, in place of S.
pub(super) fn factorise(
    s: &mut Mat<f64>,
    damping: f64,
    divisor: f64,
    stack: &mut MemStack,
) -> Result<(), LinalgError> {
    let m = s.nrows();
    for j in 0..m {
        for i in j..m {
            s[(i, j)] /= damping;
        }
        s[(j, j)] += divisor;
    }
    let regularization = LltRegularization::default();
    cholesky_in_place(s.as_mut(), regularization, Par::Seq, stack, Spec::default())
        .map(drop)
        .map_err(
            |LltError::NonPositivePivot { index }| LinalgError::NotPositiveDefinite {
                what: "inner products of gradients over the damping",
                at: index,
                value: s[(index, index)],
            },
        )
}

/// What [`factorise`] works in.
pub(super) fn factor_scratch(m: usize) -> MemBuffer {
    MemBuffer::new(cholesky_in_place_scratch::<f64>(
        m,
        Par::Seq,
        Spec::default(),
    ))
}

/// Memory that factorisations work in.
struct Scratch(MemBuffer);

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

/// S = GGᵀ of the gradients in a ring of m places, and the Cholesky factor of S/λ + mI.
///
/// It never sees the gradients themselves: [`FisherFactor::replace`] takes the inner products of the new one with those
/// in the ring, [`FisherFactor::weights`] turns Gx into the c of F⁻¹x = λ⁻¹x − Gᵀc.
#[derive(Debug)]
pub struct FisherFactor {
    capacity: usize,
    options: FactorOptions,
    /// S, symmetric, row by row.
    products: Vec<f64>,
    /// L, lower triangle.
    lower: Mat<f64>,
    /// The place that the next gradient takes.
    next: usize,
    count: usize,
    /// Gradients since the factor was computed anew.
    updates: usize,
    scratch: Scratch,
    column: Vec<f64>,
    change: Mat<f64>,
    /// Inner products of the latest gradient.
    pub(super) row: Vec<f64>,
}

impl FisherFactor {
    /// A ring of m places, all of them empty. It takes 16m² bytes.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] without a place, or for a damping that is not positive.
    pub fn new(capacity: usize, options: FactorOptions) -> Result<Self, LinalgError> {
        damping_in_range(options.damping)?;
        if capacity == 0 {
            return Err(LinalgError::Parameter {
                name: "gradients",
                value: 0.0,
                needed: "at least 1",
            });
        }
        let mut factor = Self {
            capacity,
            options,
            products: vec![0.0; capacity * capacity],
            lower: Mat::zeros(capacity, capacity),
            next: 0,
            count: 0,
            updates: 0,
            scratch: Scratch(factor_scratch(capacity)),
            column: vec![0.0; capacity],
            change: Mat::zeros(capacity, 2),
            row: Vec::new(),
        };
        factor.refresh()?;
        Ok(factor)
    }

    /// A full ring whose inner products are known: S row by row, place 0 the oldest. Gradients that are missing have
    /// rows of zeros.
    ///
    /// # Errors
    /// Those of [`FisherFactor::new`]; [`LinalgError::Shape`] when S is no m×m matrix or more than m gradients are
    /// said to be there; [`LinalgError::NotFinite`]; [`LinalgError::NotPositiveDefinite`].
    pub fn of_products(
        products: &[f64],
        count: usize,
        next: usize,
        capacity: usize,
        options: FactorOptions,
    ) -> Result<Self, LinalgError> {
        let mut factor = Self::new(capacity, options)?;
        shape("inner products", capacity * capacity, products.len())?;
        finite("inner products", products)?;
        if count > capacity || next >= capacity {
            return Err(LinalgError::Shape {
                what: "gradients in the ring",
                expected: capacity,
                got: count.max(next + 1),
            });
        }
        factor.products.copy_from_slice(products);
        factor.count = count;
        factor.next = next;
        factor.refresh()?;
        Ok(factor)
    }

    /// m.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Gradients so far, at most m.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The place that the next gradient takes.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Its options.
    pub fn options(&self) -> FactorOptions {
        self.options
    }

    /// S, row by row.
    pub fn products(&self) -> &[f64] {
        &self.products
    }

    /// Row i of S: inner products of the gradient in that place with all others.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.products[i * self.capacity..][..self.capacity]
    }

    fn divisor(&self) -> f64 {
        match self.options.divisor {
            Divisor::Window => self.capacity as f64,
            Divisor::Count => self.count.max(1) as f64,
        }
    }

    /// Lets the gradient in [`FisherFactor::next`] make way for a new one, whose inner products with all m places are
    /// given, the one with itself in its own place. Returns that place.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`], [`LinalgError::NotPositiveDefinite`] when rounding has
    /// destroyed the products (gradients of very different size, a damping near rounding). Nothing is changed then.
    pub fn replace(&mut self, products: &[f64]) -> Result<usize, LinalgError> {
        let (m, place) = (self.capacity, self.next);
        shape("inner products", m, products.len())?;
        finite("inner products", products)?;
        let before = (self.count, self.next);
        self.column
            .copy_from_slice(&self.products[place * m..][..m]);
        self.put(place, products);
        self.count = (self.count + 1).min(m);
        self.next = (place + 1) % m;
        let anew = self.options.refresh == Refresh::Anew
            || self.updates + 1 >= m
            || (self.options.divisor == Divisor::Count && before.0 < m);
        let done = if !anew && self.update(place) {
            self.updates += 1;
            Ok(())
        } else {
            self.refresh()
        };
        if let Err(error) = done {
            let old = std::mem::take(&mut self.column);
            self.put(place, &old);
            self.column = old;
            (self.count, self.next) = before;
            self.refresh()?;
            return Err(error);
        }
        Ok(place)
    }

    fn put(&mut self, place: usize, products: &[f64]) {
        let m = self.capacity;
        self.products[place * m..][..m].copy_from_slice(products);
        for (row, value) in self.products.chunks_exact_mut(m).zip(products) {
            row[place] = *value;
        }
    }

    /// The factor from S.
    fn refresh(&mut self) -> Result<(), LinalgError> {
        let (m, divisor) = (self.capacity, self.divisor());
        for j in 0..m {
            for i in j..m {
                self.lower[(i, j)] = self.products[j * m + i];
            }
        }
        self.updates = 0;
        let stack = MemStack::new(&mut self.scratch.0);
        factorise(&mut self.lower, self.options.damping, divisor, stack)
    }

    /// The factor from the one before, after row and column `p` of S were changed. `false` when rounding got in the way.
    ///
    /// Rows before p stay. Row p is solved for; below it, the old column p is added to the product of the trailing
    /// factor with its transpose and the new one is taken away.
    fn update(&mut self, p: usize) -> bool {
        let m = self.capacity;
        let scale = 1.0 / self.options.damping;
        let shift = self.divisor();
        let rest = m - p - 1;
        let mut row = Mat::from_fn(p, 1, |i, _| self.products[p * m + i] * scale);
        solve_lower_triangular_in_place(self.lower.submatrix(0, 0, p, p), row.as_mut(), Par::Seq);
        let square = self.products[p * m + p] * scale + shift - row.squared_norm_l2();
        if square <= 0.0 || !square.is_finite() {
            return false;
        }
        let pivot = square.sqrt();
        for i in 0..rest {
            let at = p + 1 + i;
            self.change[(i, 0)] = self.lower[(at, p)];
            let before: f64 = (0..p).map(|k| self.lower[(at, k)] * row[(k, 0)]).sum();
            let new = (self.products[p * m + at] * scale - before) / pivot;
            self.change[(i, 1)] = new;
            self.lower[(at, p)] = new;
        }
        for k in 0..p {
            self.lower[(p, k)] = row[(k, 0)];
        }
        self.lower[(p, p)] = pivot;
        let mut signs = [1.0, -1.0];
        let trailing = self.lower.submatrix_mut(p + 1, p + 1, rest, rest);
        let change = self.change.submatrix_mut(0, 0, rest, 2);
        let signs = faer::diag::DiagMut::from_slice_mut(&mut signs);
        rank_r_update_clobber(trailing, change, signs).is_ok()
    }

    /// c = λ⁻²(S/λ + mI)⁻¹p, in place: with p = Gx, F⁻¹x = λ⁻¹x − Gᵀc. 2m² operations.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::NotFinite`] for products that are not finite.
    pub fn weights(&self, products: &mut [f64]) -> Result<(), LinalgError> {
        shape("inner products", self.capacity, products.len())?;
        finite("inner products with gradients", products)?;
        let scale = self.options.damping.powi(-2);
        let mut c = MatMut::from_column_major_slice_mut(products, self.capacity, 1);
        let lower = self.lower.as_ref();
        solve_lower_triangular_in_place(lower, c.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(lower.transpose(), c.as_mut(), Par::Seq);
        for value in products {
            *value *= scale;
        }
        Ok(())
    }

    /// The coefficients of the published recursion (algorithm 2), m³ operations: D by rows, then B. The factor gives
    /// the same products more cheaply; the test suite compares the two.
    #[must_use]
    pub fn coefficients(&self) -> Coefficients {
        let (m, divisor) = (self.capacity, self.divisor());
        let scale = 1.0 / self.options.damping;
        let mut d: Vec<f64> = self.products.iter().map(|s| s * scale).collect();
        let mut b = vec![0.0; m * m];
        for i in 0..m {
            d[i * m..][..i].fill(0.0);
            for l in 0..i {
                let factor = d[l * m + i] / (divisor + d[l * m + l]);
                for j in i..m {
                    d[i * m + j] -= factor * d[l * m + j];
                }
            }
        }
        for i in 0..m {
            let (before, row) = b.split_at_mut(i * m);
            for j in 0..i {
                let factor = d[j * m + i] / (divisor + d[j * m + j]);
                for k in 0..=j {
                    row[k] -= factor * before[j * m + k];
                }
            }
            row[i] = scale;
        }
        Coefficients {
            products: d,
            weights: b,
        }
    }
}
