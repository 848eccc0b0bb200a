//! Laws of operators on slices and of maps between states.

use ansatz_core::{AdjointOp, LinearMap, LinearOp, Scalar, SpdOp, State};

use super::run::check_threads;
use super::{Verdict, bits, demand, dot, norm, normal, uphold};

/// Units of rounding that an identity between products may lose.
const ROUNDING: f64 = 50.0;

/// Random inputs per law.
const DRAWS: u64 = 4;

/// An operator is linear, needs no more scratch than it says, and overwrites its output.
///
/// For random vectors, `A(ax + by) = a·Ax + b·Ay` to 50 units of rounding (plus those of the
/// combined input); scratch of exactly `scratch_len` and an output full of NaN or large numbers
/// do not change a bit; neither does the number of threads.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn linear_op<T: Scalar>(op: &(impl LinearOp<T> + ?Sized)) {
    uphold(check_linear(
        "apply",
        (op.rows(), op.cols()),
        op.scratch_len(),
        &|x, y, s| {
            op.apply(x, y, s);
        },
    ));
}

/// Both directions are linear (as in [`linear_op`]) and adjoint to one another.
///
/// `⟨Ax, y⟩ = ⟨x, Aᵀy⟩` to 50 units of rounding times `‖Ax‖‖y‖ + ‖x‖‖Aᵀy‖`.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn adjoint_op<T: Scalar>(op: &(impl AdjointOp<T> + ?Sized)) {
    linear_op(op);
    uphold(check_linear(
        "apply_adjoint",
        (op.cols(), op.rows()),
        op.scratch_len(),
        &|y, x, s| op.apply_adjoint(y, x, s),
    ));
    let forward = |x: &[T]| run(op.rows(), op.scratch_len(), x, &|x, y, s| op.apply(x, y, s));
    let backward = |y: &[T]| {
        run(op.cols(), op.scratch_len(), y, &|y, x, s| {
            op.apply_adjoint(y, x, s);
        })
    };
    uphold(check_adjoint((op.rows(), op.cols()), forward, backward));
}

/// A marked operator is linear, square, symmetric and positive definite on random vectors and
/// on coordinate vectors.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn spd_op<T: Scalar>(op: &(impl SpdOp<T> + ?Sized)) {
    linear_op(op);
    let (n, m) = (op.rows(), op.cols());
    uphold(demand(n == m, || {
        format!("{n} rows and {m} columns are not square")
    }));
    let apply = |x: &[T]| run(n, op.scratch_len(), x, &|x, y, s| op.apply(x, y, s));
    uphold(check_adjoint((n, n), apply, apply));
    uphold(check_positive(n, apply));
}

/// A [`LinearMap`] from states of `sizes.1` elements to states of `sizes.0` keeps the laws of [`linear_op`], wherever its
/// states live. `make` builds a state from its elements in logical order and `read` gives them back.
///
/// ```
/// use ansatz_core::{EvalError, State};
/// let twice = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
///     y.lincomb(0.0, &[(2.0, x)]);
///     Ok(())
/// };
/// ansatz_testkit::laws::linear_map(&twice, [5, 5], |x| x.to_vec(), |y: &Vec<f64>| y.clone());
/// ```
///
/// # Panics
/// On the first violation, or when the map fails.
#[track_caller]
pub fn linear_map<S: State>(
    map: &dyn LinearMap<S>,
    sizes: [usize; 2],
    make: impl Fn(&[S::Scalar]) -> S + Sync,
    read: impl Fn(&S) -> Vec<S::Scalar> + Sync,
) {
    linear_op(&OnStates::new(map, map, sizes, &make, &read));
}

/// Two maps keep the laws of [`adjoint_op`], the second as the transpose of the first; `sizes` are rows and columns of the
/// first.
///
/// # Panics
/// On the first violation, or when a map fails.
#[track_caller]
pub fn adjoint_maps<S: State>(
    forward: &dyn LinearMap<S>,
    backward: &dyn LinearMap<S>,
    sizes: [usize; 2],
    make: impl Fn(&[S::Scalar]) -> S + Sync,
    read: impl Fn(&S) -> Vec<S::Scalar> + Sync,
) {
    adjoint_op(&OnStates::new(forward, backward, sizes, &make, &read));
}

/// A map of states of `n` elements keeps the laws of [`spd_op`].
///
/// # Panics
/// On the first violation, or when the map fails.
#[track_caller]
pub fn spd_map<S: State>(
    map: &dyn LinearMap<S>,
    n: usize,
    make: impl Fn(&[S::Scalar]) -> S + Sync,
    read: impl Fn(&S) -> Vec<S::Scalar> + Sync,
) {
    spd_op(&OnStates::new(map, map, [n, n], &make, &read));
}

/// Maps on states as an operator on slices.
struct OnStates<'a, S: State> {
    forward: &'a dyn LinearMap<S>,
    backward: &'a dyn LinearMap<S>,
    sizes: [usize; 2],
    make: &'a (dyn Fn(&[S::Scalar]) -> S + Sync),
    read: &'a (dyn Fn(&S) -> Vec<S::Scalar> + Sync),
}

impl<'a, S: State> OnStates<'a, S> {
    fn new(
        forward: &'a dyn LinearMap<S>,
        backward: &'a dyn LinearMap<S>,
        sizes: [usize; 2],
        make: &'a (dyn Fn(&[S::Scalar]) -> S + Sync),
        read: &'a (dyn Fn(&S) -> Vec<S::Scalar> + Sync),
    ) -> Self {
        Self {
            forward,
            backward,
            sizes,
            make,
            read,
        }
    }

    /// The result starts from what the output holds.
    fn run(&self, map: &dyn LinearMap<S>, x: &[S::Scalar], y: &mut [S::Scalar]) {
        let mut out = (self.make)(y);
        let done = map.apply(&(self.make)(x), &mut out);
        done.unwrap_or_else(|e| panic!("the map failed: {e:?}"));
        y.copy_from_slice(&(self.read)(&out));
    }
}

impl<S: State> LinearOp<S::Scalar> for OnStates<'_, S> {
    fn rows(&self) -> usize {
        self.sizes[0]
    }

    fn cols(&self) -> usize {
        self.sizes[1]
    }

    fn apply(&self, x: &[S::Scalar], y: &mut [S::Scalar], _: &mut [S::Scalar]) {
        self.run(self.forward, x, y);
    }
}

impl<S: State> AdjointOp<S::Scalar> for OnStates<'_, S> {
    fn apply_adjoint(&self, y: &[S::Scalar], x: &mut [S::Scalar], _: &mut [S::Scalar]) {
        self.run(self.backward, y, x);
    }
}

impl<S: State> SpdOp<S::Scalar> for OnStates<'_, S> {}

type Apply<'a, T> = &'a (dyn Fn(&[T], &mut [T], &mut [T]) + Sync);

/// The product of `x`, from a poisoned output and scratch.
fn run<T: Scalar>(rows: usize, scratch_len: usize, x: &[T], apply: Apply<'_, T>) -> Vec<T> {
    run_over(T::nan(), rows, scratch_len, x, apply)
}

fn run_over<T: Scalar>(
    poison: T,
    rows: usize,
    scratch_len: usize,
    x: &[T],
    apply: Apply<'_, T>,
) -> Vec<T> {
    let mut y = vec![poison; rows];
    let mut scratch = vec![poison; scratch_len];
    apply(x, &mut y, &mut scratch);
    y
}

fn check_linear<T: Scalar>(
    what: &str,
    (rows, cols): (usize, usize),
    scratch_len: usize,
    apply: Apply<'_, T>,
) -> Verdict {
    let (a, b) = (0.75, -1.5);
    let eps = T::EPS.f64();
    for draw in 0..DRAWS {
        let (x, y) = (normal::<T>(cols, 2 * draw), normal::<T>(cols, 2 * draw + 1));
        let mixed: Vec<T> = x
            .iter()
            .zip(&y)
            .map(|(x, y)| T::of(a * x.f64() + b * y.f64()))
            .collect();
        let [ax, ay, together] = [&x, &y, &mixed].map(|v| run(rows, scratch_len, v, apply));
        let finite = |v: &[T]| v.iter().all(|v| v.is_finite());
        demand(finite(&ax) && finite(&ay) && finite(&together), || {
            format!("{what} leaves or reads NaN that its output or scratch held before the call")
        })?;
        let error: Vec<f64> = (0..rows)
            .map(|i| together[i].f64() - (a * ax[i].f64() + b * ay[i].f64()))
            .collect();
        let limit = ROUNDING * eps * (a.abs() * norm(&ax) + b.abs() * norm(&ay) + norm(&together));
        let error = norm(&error);
        demand(error <= limit, || {
            format!("{what} is not linear: A(ax + by) − aAx − bAy has norm {error:e} > {limit:e}")
        })?;
        let again = run_over(T::of(1e30), rows, scratch_len, &x, apply);
        demand(bits(&again) == bits(&ax), || {
            format!("{what} depends on what its output or scratch held before the call")
        })?;
    }
    let x = normal::<T>(cols, 0);
    check_threads(what, || run(rows, scratch_len, &x, apply))
}

fn check_adjoint<T: Scalar>(
    (rows, cols): (usize, usize),
    forward: impl Fn(&[T]) -> Vec<T>,
    backward: impl Fn(&[T]) -> Vec<T>,
) -> Verdict {
    for draw in 0..DRAWS {
        let (x, y) = (normal::<T>(cols, 2 * draw), normal::<T>(rows, 2 * draw + 1));
        let (ax, aty) = (forward(&x), backward(&y));
        let (left, right) = (dot(&ax, &y), dot(&x, &aty));
        let limit = ROUNDING * T::EPS.f64() * (norm(&ax) * norm(&y) + norm(&x) * norm(&aty));
        demand((left - right).abs() <= limit, || {
            format!("not adjoint: ⟨Ax, y⟩ = {left:e}, ⟨x, Aᵀy⟩ = {right:e}, allowed {limit:e}")
        })?;
    }
    Ok(())
}

fn check_positive<T: Scalar>(n: usize, apply: impl Fn(&[T]) -> Vec<T>) -> Verdict {
    let units = [0, n / 2, n.saturating_sub(1)]
        .into_iter()
        .filter(|_| n > 0)
        .map(|i| {
            let mut e = vec![T::zero(); n];
            e[i] = T::one();
            e
        });
    let draws = (0..DRAWS).filter(|_| n > 0).map(|d| normal::<T>(n, d));
    for x in draws.chain(units) {
        let form = dot(&x, &apply(&x));
        demand(form > 0.0, || {
            format!("not positive definite: ⟨x, Ax⟩ = {form:e}")
        })?;
    }
    Ok(())
}
