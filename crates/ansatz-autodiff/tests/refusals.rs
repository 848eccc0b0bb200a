//! What is refused: by an error where a shape may come from data, else by a panic at the line that asked for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use ansatz_autodiff::op::{Range, Side, Triangle, UserFunction};
use ansatz_autodiff::{
    Array, AutodiffError, Convolution, ConvolutionTransposed, Graph, Pool, Resampling, Sweep,
    diagonal, gradient, hessian, jacobian, jet, jvp, laplacian, point_jacobians, units, vjp,
};

type Attempt = for<'g> fn(Array<'g>, Array<'g>) -> Result<Array<'g>, AutodiffError>;
type Act = for<'g> fn(Array<'g>, Array<'g>);

/// On arrays of shapes [2, 3] and [4, 5].
const PAIRS: [(&str, Attempt, Act); 22] = [
    (
        "broadcast",
        |x, _| x.try_broadcast(&[4, 3]),
        |x, _| ignore(x.broadcast(&[4, 3])),
    ),
    (
        "broadcast",
        |x, _| x.try_broadcast(&[7, 2, 3])?.try_broadcast(&[8, 2, 3]),
        |x, _| ignore(x.broadcast(&[7, 2, 3]).broadcast(&[8, 2, 3])),
    ),
    (
        "reshape",
        |x, _| x.try_reshape(&[7]),
        |x, _| ignore(x.reshape(&[7])),
    ),
    (
        "reshape",
        |x, _| x.zeros().try_reshape(&[7]),
        |x, _| ignore(x.zeros().reshape(&[7])),
    ),
    (
        "transpose",
        |x, _| x.try_transpose(&[1, 1]),
        |x, _| ignore(x.transpose(&[1, 1])),
    ),
    (
        "slice",
        |x, _| x.try_slice(&[Range::all(2)]),
        |x, _| ignore(x.slice(&[Range::all(2)])),
    ),
    (
        "narrow",
        |x, _| x.try_narrow(2, 0, 1),
        |x, _| ignore(x.narrow(2, 0, 1)),
    ),
    (
        "narrow",
        |x, _| x.try_narrow(1, 2, 1),
        |x, _| ignore(x.narrow(1, 2, 1)),
    ),
    (
        "slice",
        |x, _| x.try_narrow(1, 2, 4),
        |x, _| ignore(x.narrow(1, 2, 4)),
    ),
    (
        "pad",
        |x, _| x.try_pad(&[3, 3], &[Range::all(3), Range::all(3)]),
        |x, _| ignore(x.pad(&[3, 3], &[Range::all(3), Range::all(3)])),
    ),
    (
        "concatenate",
        |x, y| Array::try_concatenate(&[x, y], 0),
        |x, y| ignore(Array::concatenate(&[x, y], 0)),
    ),
    (
        "concatenate",
        |_, _| Array::try_concatenate(&[], 0),
        |_, _| ignore(Array::concatenate(&[], 0)),
    ),
    (
        "sum",
        |x, _| x.try_sum_axes(&[2]),
        |x, _| ignore(x.sum_axes(&[2])),
    ),
    (
        "sum",
        |x, _| x.ones().try_sum_axes(&[2]),
        |x, _| ignore(x.ones().sum_axes(&[2])),
    ),
    ("matmul", |x, y| x.try_matmul(y), |x, y| ignore(x.matmul(y))),
    (
        "matmul_tn",
        |x, y| x.try_matmul_by(y, Side::Transposed, Side::Plain),
        |x, y| ignore(x.matmul_by(y, Side::Transposed, Side::Plain)),
    ),
    (
        "take",
        |x, _| x.try_take(1, &[3]),
        |x, _| ignore(x.take(1, &[3])),
    ),
    (
        "scatter_add",
        |x, _| x.try_scatter_add(1, &[0], 3),
        |x, _| ignore(x.scatter_add(1, &[0], 3)),
    ),
    (
        "gather",
        |x, y| x.try_gather(2, y),
        |x, y| ignore(x.gather(2, y)),
    ),
    (
        "scatter_add_at",
        |x, y| x.try_scatter_add_at(1, y, 3),
        |x, y| ignore(x.scatter_add_at(1, y, 3)),
    ),
    (
        "broadcast",
        |x, y| Ok(x.try_stretched(y)?.0),
        |x, y| ignore(x.less(y)),
    ),
    (
        "matmul",
        |x, y| x.try_contract(y, "ij,jk->ik"),
        |x, y| ignore(x.contract(y, "ij,jk->ik")),
    ),
];

/// More of them.
const MORE: [(&str, Attempt, Act); 12] = [
    (
        "contract",
        |x, y| x.try_contract(y, "ij-jk"),
        |x, y| ignore(x.contract(y, "ij-jk")),
    ),
    (
        "contract",
        |x, y| x.try_contract(y, "i,jk->ik"),
        |x, y| ignore(x.contract(y, "i,jk->ik")),
    ),
    (
        "convolve",
        |x, y| x.try_convolve(y, &Convolution::default()),
        |x, y| ignore(x.convolve(y, &Convolution::default())),
    ),
    (
        "convolve_transposed",
        |x, y| x.try_convolve_transposed(y, &ConvolutionTransposed::default()),
        |x, y| ignore(x.convolve_transposed(y, &ConvolutionTransposed::default())),
    ),
    (
        "average_pool",
        |x, _| x.try_average_pool(&Pool::default()),
        |x, _| ignore(x.average_pool(&Pool::default())),
    ),
    (
        "max_pool",
        |x, _| x.try_max_pool(&Pool::default()),
        |x, _| ignore(x.max_pool(&Pool::default())),
    ),
    (
        "resample",
        |x, _| x.try_resample(&[1, 1, 1], &Resampling::default()),
        |x, _| ignore(x.resample(&[1, 1, 1], &Resampling::default())),
    ),
    (
        "resample",
        |x, _| x.try_resample(&[0], &Resampling::default()),
        |x, _| ignore(x.resample(&[0], &Resampling::default())),
    ),
    (
        "cholesky",
        |x, _| x.try_cholesky(),
        |x, _| ignore(x.cholesky()),
    ),
    (
        "cholesky",
        |x, y| x.try_solve_spd(y),
        |x, y| ignore(x.solve_spd(y)),
    ),
    (
        "triangular_solve",
        |x, y| x.try_solve_triangular(y, Triangle::Lower, Side::Plain),
        |x, y| ignore(x.solve_triangular(y, Triangle::Lower, Side::Plain)),
    ),
    (
        "constant",
        |x, _| x.graph().try_constant(&[3], vec![1.0]),
        |x, _| ignore(x.graph().constant(&[3], vec![1.0])),
    ),
];

/// Panics without a form that gives an error: operators, and derivatives.
const PANICS: [(&str, Act); 18] = [
    ("do not broadcast", |x, y| ignore(x + y)),
    ("do not broadcast", |x, y| ignore(x.select(x, y))),
    ("no axis 2", |x, _| ignore(x.softmax(&[2]))),
    ("no axis 2", |x, _| ignore(x.mean_axes(&[2]))),
    ("no rule for tangents", |x, _| {
        ignore(jvp(&[opaque(x)], &[(x, x)]));
    }),
    ("no rule for tangents", |x, _| {
        ignore(jet(&[opaque(x)], &[(x, &[x])], 2));
    }),
    ("no rule for tangents", |x, _| {
        ignore(laplacian(opaque(x), x, &units(x)));
    }),
    ("no rule for tangents", |x, _| {
        ignore(diagonal(opaque(x), x, &units(x)));
    }),
    ("no rule for tangents", |x, _| {
        ignore(jacobian(opaque(x), x, Sweep::Columns));
    }),
    ("no rule for cotangents", |x, _| {
        ignore(jacobian(opaque(x), x, Sweep::Rows));
    }),
    ("no rule for cotangents", |x, _| {
        ignore(gradient(opaque(x).sum(), &[x]));
    }),
    ("second derivatives", |x, _| {
        ignore(hessian(first_only(x).sum(), x));
    }),
    ("a derivative of wrong has", |x, _| {
        ignore(gradient(wrong(x), &[x]));
    }),
    ("Array::variable", |x, _| {
        ignore(gradient(x.sum(), &[x * 2.0]));
    }),
    ("Array::variable", |x, _| {
        ignore(point_jacobians(x, x * 2.0, Sweep::Rows));
    }),
    ("Array::variable", |x, _| {
        ignore(jet(&[x], &[(-x, &[x])], 1));
    }),
    ("its array's shape", |x, y| ignore(vjp(&[(x, y)], &[x]))),
    ("its array's shape", |x, y| ignore(jvp(&[x], &[(x, y)]))),
];

fn ignore<T>(_: T) {}

fn opaque(x: Array<'_>) -> Array<'_> {
    x.graph()
        .function(&[x], &[2, 3], |x, y| y.copy_from_slice(x[0]))
}

fn first_only(x: Array<'_>) -> Array<'_> {
    let f = UserFunction::new("twice", &[2, 3], |x, y| y.copy_from_slice(x[0]))
        .with_cotangent(|_, bar, x| x[0].copy_from_slice(bar));
    x.graph().apply(f, &[x])
}

fn wrong(x: Array<'_>) -> Array<'_> {
    let f = UserFunction::new("wrong", &[], |x, y| y[0] = x[0][0])
        .with_cotangent_program(|_, _, bar| vec![bar]);
    x.graph().apply(f, &[x])
}

fn with_arrays<R>(f: impl for<'g> FnOnce(Array<'g>, Array<'g>) -> R) -> R {
    let g = Graph::new();
    f(g.input(&[2, 3]), g.input(&[4, 5]))
}

#[test]
fn errors_name_the_operation() {
    for (name, attempt, _) in PAIRS.into_iter().chain(MORE) {
        let result = with_arrays(|x, y| attempt(x, y).map(|y| y.shape()));
        let named = matches!(&result, Err(AutodiffError::Operation { name: n, .. }) if *n == name);
        assert!(named, "{name}: {result:?}");
    }
}

/// The text of a panic, and its place: this file.
#[test]
fn panics_name_the_line() {
    let place = Arc::new(Mutex::new(String::new()));
    let noted = place.clone();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |l| l.file());
        file.clone_into(&mut noted.lock().unwrap());
    }));
    let pairs = PAIRS.into_iter().chain(MORE);
    let pairs = pairs.map(|(name, _, act)| (if name == "broadcast" { "" } else { name }, act));
    let mut wrong = Vec::new();
    for (what, act) in pairs.chain(PANICS) {
        let error = catch_unwind(AssertUnwindSafe(|| with_arrays(act))).err();
        let text = error.and_then(|e| e.downcast::<String>().ok());
        let text = text.map(|t| *t).unwrap_or_default();
        let place = place.lock().unwrap().clone();
        if text.is_empty() || !text.contains(what) || !place.ends_with("tests/refusals.rs") {
            wrong.push(format!("{what}: {text:?} at {place}"));
        }
    }
    std::panic::set_hook(usual);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is refused leaves the graph as it was.
#[test]
fn refusals_leave_nothing() {
    let g = Graph::new();
    let (x, y) = (g.input(&[2, 3]), g.input(&[4, 5]));
    let before = g.finish(&[x, y]).to_string();
    assert!(x.try_matmul(y).is_err() && g.try_batch(&[]).is_err());
    assert!(
        g.try_apply(UserFunction::new("f", &[2], |_, _| ()), &[])
            .is_err()
    );
    let error = x.try_matmul(y).unwrap_err().to_string();
    assert!(
        error.contains("[2, 3]") && error.contains("[4, 5]"),
        "{error}"
    );
    assert_eq!(g.finish(&[x, y]).to_string(), before);
}
