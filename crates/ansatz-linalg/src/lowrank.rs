//! Matrices of low rank from linear measurements, by gradient descent on over-parameterised factors.
//!
//! Measurements yᵢ = ⟨Aᵢ, M*⟩ of an n₁×n₂ matrix of rank r; the product of factors of k ≥ r columns is fitted by
//!
//! ```text
//! symmetric    X ← X − η·E·X                             P = X·Xᵀ
//! asymmetric   F ← F − η·E·G,  G ← G − η·Eᵀ·F            P = F·Gᵀ
//! ```
//!
//! with E = Σ (⟨Aᵢ, P⟩ − yᵢ)·Aᵢ. What the choice of form does for k > r, from small random factors of size α:
//!
//! | | error after T steps |
//! |---|---|
//! | symmetric | Ω(1/T²) |
//! | asymmetric, G₀ a third as large as F₀ | exp(−Ω(α²·T)) |
//! | asymmetric after one [`Descent::rebalance`] | linear, at a rate that does not depend on α |
//!
//! A step costs O(n₁n₂k) and the measurements; memory is O(n₁n₂ + (n₁ + n₂)k). Where M* has moderate size and r is known,
//! k = r converges linearly in every form; this is for when r is not known.
//!
//! Source: N. Xiong, L. Ding, S. Du, *How over-parameterization slows down gradient descent in matrix sensing: the curses
//! of symmetry and initialization*, 2024, sections 2 to 5.

mod measurement;

use ansatz_core::Key;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use measurement::dot;
pub use measurement::{Form, Full, Gaussian, Measurement};

use crate::LinalgError;
use crate::error::{finite, shape, within};

/// Factors of a product, row by row with k columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Factors {
    /// X of X·Xᵀ.
    Symmetric(Vec<f64>),
    /// F and G of F·Gᵀ.
    Asymmetric(Vec<f64>, Vec<f64>),
}

impl Factors {
    /// X₀ = α·X̃ with normal entries of variance 1/n.
    #[must_use]
    pub fn symmetric(key: Key, n: usize, k: usize, alpha: f64) -> Self {
        Self::Symmetric(scaled(key, 0, n, k, alpha))
    }

    /// F₀ = α·F̃ and G₀ = (α/3)·G̃ with normal entries of variance 1/n₁ and 1/n₂: the imbalance is what makes convergence
    /// linear.
    #[must_use]
    pub fn asymmetric(key: Key, [rows, columns]: [usize; 2], k: usize, alpha: f64) -> Self {
        Self::Asymmetric(
            scaled(key, 0, rows, k, alpha),
            scaled(key, 1, columns, k, alpha / 3.0),
        )
    }
}

fn scaled(key: Key, stream: u64, n: usize, k: usize, alpha: f64) -> Vec<f64> {
    let mut out = vec![0.0; n * k];
    key.fill_normal(stream, &mut out);
    let scale = alpha / (n as f64).sqrt();
    for x in &mut out {
        *x *= scale;
    }
    out
}

/// How fast the loss fell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateFit {
    /// Slope of −log(loss) by step: the rate of linear convergence.
    pub per_step: f64,
    /// Slope of log(loss) by log(step): −2 for the symmetric form.
    pub power: f64,
}

/// Gradient descent on factors.
///
/// ```
/// use ansatz_linalg::core::Key;
/// use ansatz_linalg::lowrank::{Descent, Factors, Full};
/// let map = Full { rows: 2, columns: 2 };
/// let target = [1.0, 0.5, 0.5, 0.25]; // rank 1
/// let start = Factors::asymmetric(Key::new(1), [2, 2], 2, 0.3);
/// let mut descent = Descent::new(&map, &target, start, 2, 0.1)?;
/// descent.run(300)?;
/// descent.rebalance(1.0)?;
/// assert!(descent.run(300)? < 1e-20);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug)]
pub struct Descent<'a, M: ?Sized> {
    map: &'a M,
    y: &'a [f64],
    step: f64,
    k: usize,
    factors: Factors,
    history: Vec<f64>,
    limit: f64,
    product: Vec<f64>,
    residual: Vec<f64>,
    next: [Vec<f64>; 2],
}

impl<'a, M: Measurement + ?Sized> Descent<'a, M> {
    /// Starts from `factors` of `k` columns with the measurements `y` and the step η.
    ///
    /// # Errors
    /// [`LinalgError::Shape`], [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for k = 0, a step that is not
    /// positive, or symmetric factors for measurements whose adjoint of y is not symmetric.
    pub fn new(
        map: &'a M,
        y: &'a [f64],
        factors: Factors,
        k: usize,
        step: f64,
    ) -> Result<Self, LinalgError> {
        let [rows, columns] = map.shape();
        within("columns of the factors", k as f64, 1.0.., "at least 1")?;
        within("step", step, f64::MIN_POSITIVE.., "positive")?;
        shape("measurements", map.count(), y.len())?;
        finite("measurements", y)?;
        let size = rows * columns;
        let (mut product, mut residual) = (vec![0.0; size], vec![0.0; size]);
        map.residual(&product, y, &mut residual);
        match &factors {
            Factors::Symmetric(x) => {
                shape("columns of a symmetric matrix", rows, columns)?;
                shape("entries of a factor", rows * k, x.len())?;
                finite("factor", x)?;
                let largest = residual.iter().fold(0.0, |m: f64, e| m.max(e.abs()));
                for i in 0..rows {
                    for j in 0..i {
                        let gap = residual[i * columns + j] - residual[j * columns + i];
                        within(
                            "asymmetry of the matrix seen by the measurements",
                            gap.abs(),
                            ..=1e-10 * largest,
                            "0: symmetric factors need symmetric measurements of a symmetric matrix",
                        )?;
                    }
                }
            }
            Factors::Asymmetric(f, g) => {
                shape("entries of a factor", rows * k, f.len())?;
                shape("entries of a factor", columns * k, g.len())?;
                finite("factor", f)?;
                finite("factor", g)?;
            }
        }
        let limit = 0.25 / spectral_norm(&residual, rows, columns);
        product.fill(0.0);
        Ok(Self {
            map,
            y,
            step,
            k,
            next: [vec![0.0; rows * k], vec![0.0; columns * k]],
            factors,
            history: Vec::new(),
            limit,
            product,
            residual,
        })
    }

    /// 1/(4‖A*y‖): the largest step for which descent is known to be stable. A larger one is allowed.
    #[must_use]
    pub fn step_limit(&self) -> f64 {
        self.limit
    }

    /// Whether the step is above [`Descent::step_limit`].
    #[must_use]
    pub fn step_is_large(&self) -> bool {
        self.step > self.limit
    }

    /// The loss Σ (⟨Aᵢ, P⟩ − yᵢ)² before every step made so far.
    #[must_use]
    pub fn history(&self) -> &[f64] {
        &self.history
    }

    /// The factors.
    #[must_use]
    pub fn factors(&self) -> &Factors {
        &self.factors
    }

    /// P, row by row.
    pub fn product(&mut self) -> &[f64] {
        self.multiply();
        &self.product
    }

    /// Makes `steps` steps; gives the loss before the last.
    ///
    /// # Errors
    /// [`LinalgError::Breakdown`] when the loss is not finite; the factors are those before that step.
    pub fn run(&mut self, steps: usize) -> Result<f64, LinalgError> {
        self.history.reserve(steps);
        for _ in 0..steps {
            self.advance()?;
        }
        Ok(self.history.last().copied().unwrap_or(f64::NAN))
    }

    fn multiply(&mut self) {
        let [rows, columns] = self.map.shape();
        let k = self.k;
        let (f, g) = match &self.factors {
            Factors::Symmetric(x) => (x, x),
            Factors::Asymmetric(f, g) => (f, g),
        };
        matmul(
            MatMut::from_row_major_slice_mut(&mut self.product, rows, columns),
            Accum::Replace,
            MatRef::from_row_major_slice(f, rows, k),
            MatRef::from_row_major_slice(g, columns, k).transpose(),
            1.0,
            Par::Seq,
        );
    }

    fn advance(&mut self) -> Result<(), LinalgError> {
        self.multiply();
        let loss = self.map.residual(&self.product, self.y, &mut self.residual);
        if !loss.is_finite() {
            return Err(LinalgError::Breakdown {
                iteration: self.history.len(),
                what: "loss of the factors (the step is too large)",
                value: loss,
            });
        }
        self.history.push(loss);
        let [rows, columns] = self.map.shape();
        let (k, step) = (self.k, -self.step);
        let e = MatRef::from_row_major_slice(&self.residual, rows, columns);
        let [next_f, next_g] = &mut self.next;
        let add = |next: &mut [f64], e: MatRef<'_, f64>, by: &[f64]| {
            matmul(
                MatMut::from_row_major_slice_mut(next, e.nrows(), k),
                Accum::Add,
                e,
                MatRef::from_row_major_slice(by, e.ncols(), k),
                step,
                Par::Seq,
            );
        };
        match &mut self.factors {
            Factors::Symmetric(x) => {
                next_f.copy_from_slice(x);
                add(next_f, e, x);
                std::mem::swap(x, next_f);
            }
            Factors::Asymmetric(f, g) => {
                next_f.copy_from_slice(f);
                next_g.copy_from_slice(g);
                add(next_f, e, g);
                add(next_g, e.transpose(), f);
                std::mem::swap(f, next_f);
                std::mem::swap(g, next_g);
            }
        }
        Ok(())
    }

    /// The one modified step: F = UΣVᵀ becomes β·U, and G becomes G·V·Σ/β. P stays; F is then well conditioned, and the rate
    /// of what follows does not depend on the starting size. β of about √σᵣ(M*), once the loss is small.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for symmetric factors or β ≤ 0; [`LinalgError::Singular`] when a singular value of F is
    /// below 1e-12·β. Nothing is changed then.
    pub fn rebalance(&mut self, beta: f64) -> Result<(), LinalgError> {
        within("beta", beta, f64::MIN_POSITIVE.., "positive")?;
        let [rows, columns] = self.map.shape();
        let k = self.k;
        let Factors::Asymmetric(f, g) = &mut self.factors else {
            return Err(LinalgError::Parameter {
                name: "number of factors",
                value: 1.0,
                needed: "2: symmetric factors cannot be rebalanced",
            });
        };
        let svd = MatRef::from_row_major_slice(f, rows, k)
            .thin_svd()
            .map_err(|_| LinalgError::Breakdown {
                iteration: self.history.len(),
                what: "singular values of a factor",
                value: f64::NAN,
            })?;
        let sigma = svd.S();
        let smallest = if rows < k { 0.0 } else { sigma[k - 1] };
        if smallest.is_nan() || smallest < 1e-12 * beta {
            return Err(LinalgError::Singular {
                what: "factor to be rebalanced",
                estimate: smallest / sigma[0].max(f64::MIN_POSITIVE),
            });
        }
        let turned: Mat<f64> = MatRef::from_row_major_slice(g, columns, k) * svd.V();
        for i in 0..rows {
            for j in 0..k {
                f[i * k + j] = beta * svd.U()[(i, j)];
            }
        }
        for i in 0..columns {
            for j in 0..k {
                g[i * k + j] = turned[(i, j)] * sigma[j] / beta;
            }
        }
        Ok(())
    }

    /// Rates between two steps of the history, by its end points.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for steps out of order or out of the history.
    pub fn rate(&self, from: usize, to: usize) -> Result<RateFit, LinalgError> {
        within(
            "first step",
            from as f64,
            1.0..to as f64,
            "at least 1 and below the last",
        )?;
        within(
            "last step",
            to as f64,
            ..self.history.len() as f64,
            "a step made",
        )?;
        let fall = (self.history[from] / self.history[to]).ln();
        Ok(RateFit {
            per_step: fall / (to - from) as f64,
            power: -fall / (to as f64 / from as f64).ln(),
        })
    }
}

/// ‖M‖ by 30 power iterations from a fixed vector.
fn spectral_norm(m: &[f64], rows: usize, columns: usize) -> f64 {
    let mut v: Vec<f64> = (0..columns).map(|j| 1.0 + (j % 7) as f64 / 7.0).collect();
    let mut norm = 0.0;
    for _ in 0..30 {
        let size = dot(&v, &v).sqrt();
        if size == 0.0 {
            return 0.0;
        }
        for v in &mut v {
            *v /= size;
        }
        let u: Vec<f64> = m.chunks_exact(columns).map(|row| dot(row, &v)).collect();
        norm = dot(&u, &u).sqrt();
        v.fill(0.0);
        for i in 0..rows {
            for (v, m) in v.iter_mut().zip(&m[i * columns..(i + 1) * columns]) {
                *v += u[i] * m;
            }
        }
    }
    norm
}
