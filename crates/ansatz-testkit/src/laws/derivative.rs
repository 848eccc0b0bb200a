//! Laws of hand-written derivatives: the error of central differences must fall with order 2.

use ansatz_core::{DifferentiableField, EvalError, Residual, Scalar, State, VjpField};

use super::{Verdict, demand, dot, list, norm, normal, uphold};

/// Steps of the difference quotients, each a quarter of the one before.
const STEPS: usize = 5;

/// Smallest slope that counts as order 2.
const SLOPE: f64 = 1.75;

/// Units of rounding that an identity between products may lose.
const ROUNDING: f64 = 50.0;

/// `jvp` and `vjp` of a residual at `u` are products with its derivative and transpose.
///
/// The error of central differences against `jvp` falls with order 2 over five steps, or reaches
/// the rounding of the differences; `⟨w, Jv⟩ = ⟨Jᵀw, v⟩` to 50 units of rounding. Outputs are
/// full of NaN before each call.
///
/// # Panics
/// On the first violation, or when the residual itself fails.
#[track_caller]
pub fn residual_derivatives<T: Scalar>(residual: &(impl Residual<T> + ?Sized), u: &[T]) {
    uphold(check_residual(residual, u).unwrap_or_else(|e| Err(format!("evaluation fails: {e}"))));
}

fn check_residual<T: Scalar>(
    r: &(impl Residual<T> + ?Sized),
    u: &[T],
) -> Result<Verdict, EvalError> {
    let (n, m) = (r.unknowns(), r.residuals());
    if u.len() != n {
        return Ok(Err(format!(
            "u has {} elements, unknowns() is {n}",
            u.len()
        )));
    }
    let (v, w) = (normal::<T>(n, 0), normal::<T>(m, 1));
    let (mut jv, mut jtw) = (vec![T::nan(); m], vec![T::nan(); n]);
    r.jvp(u, &v, &mut jv)?;
    r.vjp(u, &w, &mut jtw)?;
    let values = |sign_h: f64| {
        let moved: Vec<T> = u
            .iter()
            .zip(&v)
            .map(|(u, v)| T::of(u.f64() + sign_h * v.f64()))
            .collect();
        let mut out = vec![T::nan(); m];
        r.eval(&moved, &mut out)?;
        Ok(out)
    };
    let mut errors = [0.0; STEPS];
    let mut floors = [0.0; STEPS];
    for k in 0..STEPS {
        let h = step(k);
        let (above, below) = (values(h)?, values(-h)?);
        let error: Vec<f64> = (0..m)
            .map(|i| (above[i].f64() - below[i].f64()) / (2.0 * h) - jv[i].f64())
            .collect();
        errors[k] = norm(&error);
        floors[k] = floor::<T>(h, norm(&above) + norm(&below), norm(u), norm(&v), norm(&jv));
    }
    let (left, right) = (dot(&w, &jv), dot(&jtw, &v));
    let limit = ROUNDING * T::EPS.f64() * (norm(&w) * norm(&jv) + norm(&jtw) * norm(&v));
    Ok(falls("jvp", &errors, &floors, norm(&jv)).and_then(|()| {
        demand((left - right).abs() <= limit, || {
            format!("vjp: ⟨w, Jv⟩ = {left:e}, ⟨Jᵀw, v⟩ = {right:e}, allowed {limit:e}")
        })
    }))
}

/// `vjp` of a field at `(t, x)` is the product with the transposed derivative in `x`, and its
/// parameter part is *added* to `p_bar`.
///
/// Checked against central differences of `⟨w, f(t, x)⟩` in random directions, as in
/// [`residual_derivatives`]. For the parameters themselves see [`vjp_parameters`].
///
/// # Panics
/// On the first violation, or when the field itself fails.
#[track_caller]
pub fn vjp_field<S: State>(field: &(impl VjpField<S> + ?Sized), t: f64, x: &S) {
    uphold(check_field(field, t, x).unwrap_or_else(|e| Err(format!("evaluation fails: {e}"))));
}

/// Noise in the shape of `x`.
fn like<S: State>(x: &S, draw: u64) -> S {
    let mut v = x.zeros_like();
    v.fill_normal(ansatz_core::Key::new(0x1a35), draw);
    v
}

fn poisoned<S: State>(x: &S) -> S {
    let mut p = x.zeros_like();
    p.lincomb(f64::NAN, &[]);
    p
}

fn check_field<S: State>(
    field: &(impl VjpField<S> + ?Sized),
    t: f64,
    x: &S,
) -> Result<Verdict, EvalError> {
    let w = like(x, 0);
    let mut x_bar = poisoned(x);
    let mut p_bar = vec![0.0; field.params()];
    field.vjp(t, x, &w, &mut x_bar, &mut p_bar)?;
    for draw in 1..4 {
        let v = like(x, draw);
        let (mut errors, mut floors) = ([0.0; STEPS], [0.0; STEPS]);
        for k in 0..STEPS {
            let h = step(k);
            let mut ends = [poisoned(x), poisoned(x)];
            for (end, h) in ends.iter_mut().zip([h, -h]) {
                let mut moved = x.clone();
                moved.lincomb(1.0, &[(h, &v)]);
                field.eval(t, &moved, end)?;
            }
            let (above, below) = (w.dot(&ends[0]), w.dot(&ends[1]));
            errors[k] = ((above - below) / (2.0 * h) - x_bar.dot(&v)).abs();
            let size = w.norm() * (ends[0].norm() + ends[1].norm());
            floors[k] = floor::<S::Scalar>(h, size, x.norm(), v.norm(), x_bar.norm() * v.norm());
        }
        if let Err(e) = falls("vjp", &errors, &floors, x_bar.dot(&v).abs()) {
            return Ok(Err(e));
        }
    }
    let mut added = vec![1.0; p_bar.len()];
    field.vjp(t, x, &w, &mut x_bar, &mut added)?;
    // A comparison that NaN fails.
    let right = |a: f64, p: f64| (a - 1.0 - p).abs() <= 16.0 * f64::EPSILON * (1.0 + p.abs());
    let wrong = (0..added.len()).find(|i| !right(added[*i], p_bar[*i]));
    Ok(demand(wrong.is_none(), || {
        let i = wrong.unwrap_or_default();
        format!(
            "vjp must add to p_bar: from 0 it makes p_bar[{i}] = {:e}, from 1 {:e}",
            p_bar[i], added[i]
        )
    }))
}

/// The parameter part of `vjp` is the derivative in the parameters.
///
/// `make` builds the field from its parameters; checked against central differences of
/// `⟨w, f(t, x; p)⟩` in random directions of parameter space.
///
/// # Panics
/// On the first violation, or when the field itself fails.
#[track_caller]
pub fn vjp_parameters<S: State, F: VjpField<S>>(
    make: impl Fn(&[f64]) -> F,
    params: &[f64],
    t: f64,
    x: &S,
) {
    let verdict = check_parameters(make, params, t, x);
    uphold(verdict.unwrap_or_else(|e| Err(format!("evaluation fails: {e}"))));
}

fn check_parameters<S: State, F: VjpField<S>>(
    make: impl Fn(&[f64]) -> F,
    params: &[f64],
    t: f64,
    x: &S,
) -> Result<Verdict, EvalError> {
    let field = make(params);
    if field.params() != params.len() {
        return Ok(Err(format!(
            "params() is {} for {} parameters",
            field.params(),
            params.len()
        )));
    }
    let w = like(x, 0);
    let (mut x_bar, mut p_bar) = (poisoned(x), vec![0.0; params.len()]);
    field.vjp(t, x, &w, &mut x_bar, &mut p_bar)?;
    for draw in 1..4 {
        let v = normal::<f64>(params.len(), draw);
        let (mut errors, mut floors) = ([0.0; STEPS], [0.0; STEPS]);
        for k in 0..STEPS {
            let h = step(k);
            let mut ends = [poisoned(x), poisoned(x)];
            for (end, h) in ends.iter_mut().zip([h, -h]) {
                let moved: Vec<f64> = params.iter().zip(&v).map(|(p, v)| p + h * v).collect();
                make(&moved).eval(t, x, end)?;
            }
            let quotient = (w.dot(&ends[0]) - w.dot(&ends[1])) / (2.0 * h);
            errors[k] = (quotient - dot(&p_bar, &v)).abs();
            let size = w.norm() * (ends[0].norm() + ends[1].norm());
            floors[k] =
                floor::<S::Scalar>(h, size, norm(params), norm(&v), norm(&p_bar) * norm(&v));
        }
        if let Err(e) = falls("parameter vjp", &errors, &floors, dot(&p_bar, &v).abs()) {
            return Ok(Err(e));
        }
    }
    Ok(Ok(()))
}

/// Values of `eval_gradient` are those of `eval`, and gradients are derivatives, at `points`.
///
/// Keep the points away from creases of the field: differences need smoothness within 0.1.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn differentiable_field<T: Scalar>(
    field: &(impl DifferentiableField<T> + ?Sized),
    points: &[[T; 3]],
) {
    uphold(check_gradients(field, points));
}

fn check_gradients<T: Scalar>(
    field: &(impl DifferentiableField<T> + ?Sized),
    points: &[[T; 3]],
) -> Verdict {
    let n = points.len();
    let nan = T::nan();
    let (mut values, mut same) = (vec![nan; n], vec![nan; n]);
    let mut gradients = vec![[nan; 3]; n];
    field.eval(points, &mut values);
    field.eval_gradient(points, &mut same, &mut gradients);
    for i in 0..n {
        let (a, b) = (values[i].f64(), same[i].f64());
        demand((a - b).abs() <= 4.0 * T::EPS.f64() * a.abs(), || {
            format!("point {i}: eval gives {a:e}, eval_gradient {b:e}")
        })?;
    }
    for axis in 0..3 {
        let shifted = |h: f64| {
            let moved: Vec<[T; 3]> = points
                .iter()
                .map(|p| {
                    let mut q = *p;
                    q[axis] = T::of(q[axis].f64() + h);
                    q
                })
                .collect();
            let mut out = vec![nan; n];
            field.eval(&moved, &mut out);
            out
        };
        let ends: Vec<_> = (0..STEPS)
            .map(|k| (shifted(step(k)), shifted(-step(k))))
            .collect();
        for i in 0..n {
            let (mut errors, mut floors) = ([0.0; STEPS], [0.0; STEPS]);
            let slope = gradients[i][axis].f64();
            for (k, (above, below)) in ends.iter().enumerate() {
                let (above, below) = (above[i].f64(), below[i].f64());
                errors[k] = ((above - below) / (2.0 * step(k)) - slope).abs();
                let place = norm(&points[i]);
                floors[k] = floor::<T>(step(k), above.abs() + below.abs(), place, 1.0, slope.abs());
            }
            falls("gradient", &errors, &floors, slope.abs())
                .map_err(|e| format!("point {i}, axis {axis}: {e}"))?;
        }
    }
    Ok(())
}

/// Step number `k`: 0.05 down to 2e-4.
fn step(k: usize) -> f64 {
    0.05 / f64::from(1_u32 << (2 * k))
}

/// Rounding of a central difference: of the values (of the given size), of the moved argument
/// (whose error is that of `at` over the length of the direction, times the derivative), and of
/// the derivative itself.
fn floor<T: Scalar>(h: f64, values: f64, at: f64, direction: f64, derivative: f64) -> f64 {
    let moved = (at + direction) / direction.max(f64::MIN_POSITIVE);
    ROUNDING * T::EPS.f64() * (values / h + derivative * (1.0 + moved / h))
}

/// Whether errors fall by the slope, or lie below their floor, at the last two steps that tell
/// something about a derivative of this size: larger steps may be outside the asymptotic range,
/// and at smaller ones rounding hides a hundredth of the derivative.
fn falls(what: &str, errors: &[f64; STEPS], floors: &[f64; STEPS], size: f64) -> Verdict {
    let factor = 4.0_f64.powf(-SLOPE);
    let limit = 0.01 * (size + errors[0]);
    let last = (2..STEPS).rev().find(|k| floors[*k] <= limit);
    let last = last.unwrap_or(2);
    for k in [last - 1, last] {
        demand(
            errors[k] <= errors[k - 1] * factor || errors[k] <= floors[k],
            || {
                format!(
                    "{what} is no derivative: differences with steps 0.05 to 2e-4 miss it by {}, \
                     which must fall with order 2 down to rounding {}",
                    list(errors),
                    list(floors)
                )
            },
        )?;
    }
    Ok(())
}
