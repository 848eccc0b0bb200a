//! The covariance matrix of one coordinate and its derivatives: factored, multiplied, differentiated.
//!
//! In one dimension on a uniform grid all matrices are Toeplitz and are kept as their first columns: O(n) memory, O(n²)
//! time for the factors and for sums along diagonals. Otherwise they are dense; on a uniform grid the kernel is still
//! evaluated at n distances only, and what is pulled back to it is reduced to n numbers.

use std::fmt;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Accum, Mat, MatMut, MatRef, Par, Spec};
use pulp::NullaryFnOnce;

use crate::LinalgError;
use crate::fourier::{Convolution, RealFft, Side, fast_length};
use crate::lanes::{dot, widest};
use crate::operator::{Levinson, along, embed};

use super::axis::{Axis, Form};
use super::kernel::Covariance;

/// Columns that are solved for at once: fixed, so that results do not depend on the number of threads.
const COLUMNS: usize = 64;

/// The highest jitter that is tried.
const MOST_JITTER: f64 = 1e-4;

/// Working memory of faer.
struct Memory(MemBuffer);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// The factored covariance of one coordinate.
#[derive(Debug)]
pub(super) struct Factor {
    pub(super) axis: Axis,
    /// Orders of derivative that are needed; order 0 always.
    orders: [bool; 3],
    /// Values of the kernel at the distances, by order.
    values: [Vec<f64>; 3],
    /// The gradient in them.
    weights: [Vec<f64>; 3],
    storage: Storage,
    log_det: f64,
}

#[derive(Debug)]
enum Storage {
    Toeplitz {
        levinson: Box<Levinson>,
        derivatives: Box<[Option<Convolution>; 3]>,
        scratch: Vec<f64>,
        line: Vec<f64>,
    },
    Dense {
        lower: Mat<f64>,
        memory: Memory,
        inverse: Mat<f64>,
        derivatives: Box<[Option<Mat<f64>>; 3]>,
        /// The gradient in the entries of each matrix, order 0 in the first.
        gradients: Box<[Option<Mat<f64>>; 3]>,
    },
}

impl Factor {
    pub(super) fn new(axis: Axis, form: Form, mut orders: [bool; 3]) -> Result<Self, LinalgError> {
        let n = axis.len();
        let derivative = |o: usize| o > 0 && orders[o];
        let storage = match form {
            Form::Toeplitz => {
                let levinson = Box::new(Levinson::with_order(n)?);
                let convolution = Convolution::new(RealFft::new(fast_length(2 * n - 1)));
                let scratch = levinson.scratch_len().max(convolution.scratch_len());
                Storage::Toeplitz {
                    levinson,
                    derivatives: Box::new(
                        [0, 1, 2].map(|o| derivative(o).then(|| convolution.clone())),
                    ),
                    scratch: vec![0.0; scratch],
                    line: vec![0.0; n],
                }
            }
            Form::Dense => {
                let request = cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default());
                Storage::Dense {
                    lower: Mat::zeros(n, n),
                    memory: Memory(MemBuffer::new(request)),
                    inverse: Mat::zeros(n, n),
                    derivatives: Box::new(
                        [0, 1, 2].map(|o| derivative(o).then(|| Mat::zeros(n, n))),
                    ),
                    gradients: Box::new(
                        [0, 1, 2].map(|o| (o == 0 || orders[o]).then(|| Mat::zeros(n, n))),
                    ),
                }
            }
        };
        orders[0] = true;
        let lags = || orders.map(|o| vec![0.0; if o { axis.distances.len() } else { 0 }]);
        Ok(Self {
            orders,
            values: lags(),
            weights: lags(),
            storage,
            log_det: f64::NAN,
            axis,
        })
    }

    /// Takes parameters: evaluates and factors. With too little jitter it is raised tenfold, at most to 1e-4; the result is
    /// the one that held.
    pub(super) fn set(
        &mut self,
        kernel: &dyn Covariance,
        theta: &[f64],
        jitter: f64,
    ) -> Result<f64, LinalgError> {
        let [v0, v1, v2] = &mut self.values;
        let given = |o: usize, v| if self.orders[o] { Some(v) } else { None };
        let out = [
            Some(v0.as_mut_slice()),
            given(1, v1.as_mut_slice()),
            given(2, v2.as_mut_slice()),
        ];
        kernel.values(theta, &self.axis.distances, out);
        let mut now = jitter;
        loop {
            match self.factor(now) {
                Ok(()) => break,
                Err(LinalgError::NotPositiveDefinite { .. })
                    if now * 10.0 <= MOST_JITTER * 1.01 =>
                {
                    now *= 10.0;
                }
                Err(error) => return Err(error),
            }
        }
        self.fill_derivatives();
        Ok(now)
    }

    fn factor(&mut self, jitter: f64) -> Result<(), LinalgError> {
        let n = self.axis.len();
        let values = &mut self.values[0];
        match &mut self.storage {
            Storage::Toeplitz { levinson, .. } => {
                let first = values[0];
                values[0] += jitter;
                let done = levinson.factor(values);
                values[0] = first;
                done.map_err(|e| match e {
                    LinalgError::NotPositiveDefinite { at, value, .. } => not_definite(at, value),
                    other => other,
                })?;
                self.log_det = levinson.log_det();
            }
            Storage::Dense { lower, memory, .. } => {
                self.axis.fill(0, values, lower);
                for i in 0..n {
                    lower[(i, i)] += jitter;
                }
                let diagonal = lower[(0, 0)];
                cholesky_in_place(
                    lower.as_mut(),
                    LltRegularization::default(),
                    Par::Seq,
                    MemStack::new(&mut memory.0),
                    Spec::default(),
                )
                .map_err(|LltError::NonPositivePivot { index }| not_definite(index, diagonal))?;
                let log: f64 = (0..n).map(|i| lower[(i, i)].ln()).sum();
                self.log_det = 2.0 * log;
            }
        }
        if self.log_det.is_finite() {
            Ok(())
        } else {
            Err(not_definite(0, self.log_det))
        }
    }

    fn fill_derivatives(&mut self) {
        for order in 1..3 {
            if !self.orders[order] {
                continue;
            }
            let values = &self.values[order];
            match &mut self.storage {
                Storage::Toeplitz {
                    derivatives,
                    scratch,
                    ..
                } => {
                    let below = if order == 1 { -1.0 } else { 1.0 };
                    if let Some(convolution) = &mut derivatives[order] {
                        let write = |c: &mut [f64]| {
                            embed(values, values, c);
                            let n = values.len();
                            for v in c.iter_mut().rev().take(n - 1) {
                                *v *= below;
                            }
                        };
                        convolution.set_kernel(write, scratch);
                    }
                }
                Storage::Dense { derivatives, .. } => {
                    if let Some(matrix) = &mut derivatives[order] {
                        self.axis.fill(order, values, matrix);
                    }
                }
            }
        }
    }

    /// log det C.
    pub(super) fn log_det(&self) -> f64 {
        self.log_det
    }

    /// x ← C⁻¹·x along an axis with `right` elements after it.
    pub(super) fn solve(&mut self, right: usize, x: &mut [f64]) {
        let n = self.axis.len();
        match &mut self.storage {
            Storage::Toeplitz {
                levinson,
                scratch,
                line,
                ..
            } => {
                line.copy_from_slice(x);
                levinson.solve_into(line, x, scratch);
            }
            Storage::Dense { lower, .. } => {
                let lower = lower.as_ref();
                if right == 1 {
                    let columns = x.len() / n;
                    solve_columns(lower, MatMut::from_column_major_slice_mut(x, n, columns));
                } else {
                    for x in x.chunks_mut(n * right) {
                        solve_columns(lower, MatMut::from_row_major_slice_mut(x, n, right));
                    }
                }
            }
        }
    }

    /// y ← C⁽ᵏ⁾·x, or with its transpose, along an axis with `right` elements after it.
    pub(super) fn differentiate(
        &mut self,
        order: usize,
        side: Side,
        right: usize,
        x: &[f64],
        y: &mut [f64],
    ) {
        match &mut self.storage {
            Storage::Toeplitz {
                derivatives,
                scratch,
                ..
            } => {
                if let Some(convolution) = &derivatives[order] {
                    convolution.apply(side, x, y, scratch);
                }
            }
            Storage::Dense { derivatives, .. } => {
                if let Some(matrix) = &derivatives[order] {
                    let matrix = match side {
                        Side::Plain => matrix.as_ref(),
                        Side::Transposed => matrix.transpose(),
                    };
                    along(matrix, right, x, y, Accum::Replace);
                }
            }
        }
    }

    /// Begins a gradient with that of ½·`share`·log det C.
    pub(super) fn start_gradient(&mut self, share: f64) {
        for weights in &mut self.weights {
            weights.fill(0.0);
        }
        match &mut self.storage {
            Storage::Toeplitz { levinson, .. } => {
                let weights = &mut self.weights[0];
                levinson.inverse_diagonal_sums(weights);
                weights[0] *= 0.5;
                for w in weights {
                    *w *= share;
                }
            }
            Storage::Dense {
                lower,
                inverse,
                gradients,
                ..
            } => {
                inverse.fill(0.0);
                for i in 0..inverse.nrows() {
                    inverse[(i, i)] = 0.5 * share;
                }
                solve_columns(lower.as_ref(), inverse.as_mut());
                for (order, g) in gradients.iter_mut().enumerate() {
                    if let Some(g) = g {
                        if order == 0 {
                            g.copy_from(&*inverse);
                        } else {
                            g.fill(0.0);
                        }
                    }
                }
            }
        }
    }

    /// Adds `scale`·Σ p·aᵀ over all lines along this axis to the gradient in C⁽ᵏ⁾.
    pub(super) fn add_gradient(
        &mut self,
        order: usize,
        scale: f64,
        right: usize,
        p: &[f64],
        a: &[f64],
    ) {
        let n = self.axis.len();
        match &mut self.storage {
            Storage::Toeplitz { .. } => widest(Correlate {
                p,
                a,
                scale,
                above: if order == 1 { -scale } else { scale },
                out: &mut self.weights[order],
            }),
            Storage::Dense { gradients, .. } => {
                let Some(g) = &mut gradients[order] else {
                    return;
                };
                if right == 1 {
                    let lines = p.len() / n;
                    let p = MatRef::from_column_major_slice(p, n, lines);
                    let a = MatRef::from_column_major_slice(a, n, lines);
                    add_product(g.as_mut(), p, a.transpose(), scale);
                } else {
                    for (p, a) in p.chunks(n * right).zip(a.chunks(n * right)) {
                        let p = MatRef::from_row_major_slice(p, n, right);
                        let a = MatRef::from_row_major_slice(a, n, right);
                        add_product(g.as_mut(), p, a.transpose(), scale);
                    }
                }
            }
        }
    }

    /// Pulls the gradient back to the parameters: added to `out`.
    pub(super) fn finish_gradient(
        &mut self,
        kernel: &dyn Covariance,
        theta: &[f64],
        out: &mut [f64],
    ) {
        if let Storage::Dense { gradients, .. } = &self.storage {
            for (order, g) in gradients.iter().enumerate() {
                let Some(g) = g else { continue };
                let below = if order == 1 { -1.0 } else { 1.0 };
                let weights = &mut self.weights[order];
                for j in 0..self.axis.len() {
                    weights[self.axis.place(j, j)] += g[(j, j)];
                    for i in j + 1..self.axis.len() {
                        weights[self.axis.place(i, j)] += g[(i, j)] + below * g[(j, i)];
                    }
                }
            }
        }
        let [w0, w1, w2] = &self.weights;
        let given = |o: usize, w| if self.orders[o] { Some(w) } else { None };
        let weights = [
            Some(w0.as_slice()),
            given(1, w1.as_slice()),
            given(2, w2.as_slice()),
        ];
        kernel.pull(theta, &self.axis.distances, weights, out);
    }
}

fn not_definite(at: usize, value: f64) -> LinalgError {
    LinalgError::NotPositiveDefinite {
        what: "covariance matrix of a grid, with the highest jitter",
        at,
        value,
    }
}

/// x ← (L·Lᵀ)⁻¹·x, some columns at a time over the caller's pool.
fn solve_columns(lower: MatRef<'_, f64>, mut x: MatMut<'_, f64>) {
    let columns = x.ncols();
    if columns > COLUMNS {
        let half = (columns / 2).next_multiple_of(COLUMNS);
        let (a, b) = x.split_at_col_mut(half);
        rayon::join(|| solve_columns(lower, a), || solve_columns(lower, b));
        return;
    }
    solve_lower_triangular_in_place(lower, x.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(lower.transpose(), x, Par::Seq);
}

/// g ← g + scale·p·a, some columns at a time over the caller's pool.
fn add_product(g: MatMut<'_, f64>, p: MatRef<'_, f64>, a: MatRef<'_, f64>, scale: f64) {
    let columns = g.ncols();
    if columns > COLUMNS {
        let half = (columns / 2).next_multiple_of(COLUMNS);
        let (g0, g1) = g.split_at_col_mut(half);
        let (a0, a1) = a.split_at_col(half);
        rayon::join(
            || add_product(g0, p, a0, scale),
            || add_product(g1, p, a1, scale),
        );
        return;
    }
    matmul(g, Accum::Add, p, a, scale, Par::Seq);
}

/// out[l] += Σ scale·p[i+l]·a[i] + above·p[i]·a[i+l], the first alone for l = 0.
struct Correlate<'a> {
    p: &'a [f64],
    a: &'a [f64],
    scale: f64,
    above: f64,
    out: &'a mut [f64],
}

impl NullaryFnOnce for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            p,
            a,
            scale,
            above,
            out,
        } = self;
        out[0] += scale * dot(p, a);
        for l in 1..out.len() {
            out[l] += scale * dot(&p[l..], a) + above * dot(&a[l..], p);
        }
    }
}
