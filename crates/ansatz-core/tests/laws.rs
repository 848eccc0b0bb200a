//! The laws of the testkit for every state, schedule piece and operator of this crate.

use std::fmt::Debug;

use ansatz_core::{HostState, Key, NoiseLevel, RowState, Scalar, State, Tolerance};
use ansatz_testkit::laws;

fn narrow<T: Scalar>(x: &[f64]) -> Vec<T> {
    x.iter().map(|v| T::of(*v)).collect()
}

fn wide<'a, T: Scalar>(x: impl IntoIterator<Item = &'a T>) -> Vec<f64> {
    x.into_iter().map(|v| v.f64()).collect()
}

#[test]
fn vectors_are_states() {
    laws::state(narrow::<f32>, |s| wide(s));
    laws::state(narrow::<f64>, |s| wide(s));
    laws::flat_noise(narrow::<f32>, |s| wide(s));
    laws::flat_noise(narrow::<f64>, |s| wide(s));
}

#[test]
fn vectors_are_batches() {
    laws::rows(narrow::<f32>, |s| wide(s));
    laws::rows(narrow::<f64>, |s| wide(s));
}

/// Whoever computes a row, it has the same bits.
#[test]
fn batches_do_not_depend_on_threads() {
    let (rows, len) = (64, 9000);
    let draw = |k| {
        let mut x = vec![0.0_f32; rows * len];
        x.fill_normal(Key::new(1), k);
        x
    };
    laws::same_for_threads(|| {
        let (mut x, y) = (draw(0), draw(1));
        let (mut out, mut errors) = (vec![0.0; 2 * rows], vec![0.0; rows]);
        x.row_dots(&[&x, &y], &mut out);
        x.row_errors(&y, &x, Tolerance::new(0.1, 0.1), &mut errors);
        x.row_lincomb(0.5, &[(&errors, &y), (&out[..rows], &y)]);
        let norm = x.dot(&x);
        out.extend(errors);
        out.push(norm);
        out
    });
}

fn fixed_arrays<T: Scalar, const N: usize>() {
    let make = |x: &[f64]| -> [T; N] { std::array::from_fn(|i| T::of(x[i])) };
    laws::state_of_length(N, make, |s| wide(s));
}

#[test]
fn arrays_of_fixed_length_are_states() {
    fixed_arrays::<f32, 1>();
    fixed_arrays::<f32, 5>();
    fixed_arrays::<f64, 0>();
    fixed_arrays::<f64, 3>();
    fixed_arrays::<f64, 200>();
}

#[test]
fn pairs_are_states() {
    laws::state(
        |x| {
            let (a, b) = x.split_at(x.len() / 3);
            (narrow::<f32>(a), narrow::<f32>(b))
        },
        |(a, b)| [wide(a), wide(b)].concat(),
    );
    laws::state(
        |x| {
            let (a, b) = x.split_at(x.len() / 2);
            let (b, c) = b.split_at(b.len() / 2);
            (narrow::<f64>(a), (narrow::<f64>(b), narrow::<f64>(c)))
        },
        |(a, (b, c))| [wide(a), wide(b), wide(c)].concat(),
    );
}

#[test]
fn noise_levels_convert() {
    for alpha in [0.0, 1e-8, 0.3, 1.0, 7.0] {
        for sigma in [0.0, 1e-8, 0.5, 1.0, 80.0] {
            for (alpha_rate, sigma_rate) in [(0.0, 0.0), (-1.0, 1.0), (-0.3, 20.0)] {
                laws::prediction_conversions(&NoiseLevel {
                    alpha_rate,
                    sigma_rate,
                    ..NoiseLevel::new(0.5, alpha, sigma)
                });
            }
        }
    }
}

/// A panic of `f` is the documented answer to states of different length.
#[track_caller]
fn panics(what: &str, f: impl FnOnce() + std::panic::UnwindSafe) {
    assert!(std::panic::catch_unwind(f).is_err(), "{what} must panic");
}

fn mismatch<S: State + Debug + std::panic::RefUnwindSafe>(a: &S, b: &S) {
    panics("lincomb", || a.clone().lincomb(1.0, &[(1.0, b)]));
    panics("lincomb of 7", || a.clone().lincomb(0.0, &[(1.0, b); 7]));
    panics("dot", || {
        let _ = a.dot(b);
    });
    panics("error_norm", || {
        let _ = a.error_norm(b, a, ansatz_core::Tolerance::new(1.0, 0.0));
    });
}

#[test]
fn different_lengths_panic() {
    mismatch(&vec![0.0_f32; 3], &vec![0.0; 4]);
    mismatch(&(vec![0.0; 3], vec![0.0; 1]), &(vec![0.0; 1], vec![0.0; 3]));
}

#[test]
fn host_states_lend_their_elements() {
    let mut x = vec![1.0, 2.0];
    x.as_mut_slice()[0] = 3.0;
    assert_eq!(HostState::as_slice(&x), [3.0, 2.0]);
}

#[cfg(feature = "ndarray")]
mod arrays {
    use ansatz_core::ndarray::{Array, Array1, Array2, Array3, Ix3, ShapeBuilder, s};
    use ansatz_core::{HostState, Key, Scalar, State, Tolerance};
    use ansatz_testkit::laws;

    use super::{mismatch, narrow, wide};

    /// A shape of three axes with `n` elements.
    fn shape(n: usize) -> [usize; 3] {
        let of = |n: usize| (2..=7).rev().find(|k| n.is_multiple_of(*k)).unwrap_or(1);
        let a = of(n);
        let b = of(n / a);
        [a, n / a / b, b]
    }

    /// Memory orders that an array may arrive in.
    #[derive(Debug, Clone, Copy)]
    enum Layout {
        RowMajor,
        ColumnMajor,
        /// Axes permuted so that neither order holds.
        Permuted,
        /// Every other element of a larger array.
        Strided,
        Reversed,
    }

    fn array<T: Scalar>(x: &[f64], layout: Layout) -> Array3<T> {
        let [a, b, c] = shape(x.len());
        let rows: Array3<T> = Array::from_shape_vec((a, b, c), narrow(x)).expect("shape of x");
        let mut out: Array3<T> = match layout {
            Layout::RowMajor => return rows,
            Layout::ColumnMajor => Array::zeros((a, b, c).f()),
            Layout::Permuted => Array::zeros((c, a, b)).permuted_axes([1, 2, 0]),
            Layout::Strided => Array::zeros((a, b, 2 * c)).slice_move(s![.., .., ..;2]),
            Layout::Reversed => Array::zeros((a, b, c)).slice_move(s![.., ..;-1, ..]),
        };
        out.assign(&rows);
        out
    }

    const LAYOUTS: [Layout; 5] = [
        Layout::RowMajor,
        Layout::ColumnMajor,
        Layout::Permuted,
        Layout::Strided,
        Layout::Reversed,
    ];

    #[test]
    fn arrays_of_any_layout_are_states() {
        for layout in LAYOUTS {
            laws::state(|x| array::<f32>(x, layout), |s| wide(s));
            laws::flat_noise(|x| array::<f64>(x, layout), |s| wide(s));
        }
        laws::state(|x| array::<f64>(x, Layout::Permuted), |s| wide(s));
    }

    #[test]
    fn arrays_of_other_dimensions_are_states() {
        laws::state(|x| Array1::from_vec(narrow::<f32>(x)), |s| wide(s));
        laws::flat_noise(|x| Array1::from_vec(narrow::<f32>(x)), |s| wide(s));
        laws::state(
            |x| {
                let [a, b, c] = shape(x.len());
                Array::from_shape_vec(vec![a, b, 1, c], narrow::<f64>(x)).expect("shape of x")
            },
            |s| wide(s),
        );
    }

    /// Sums over arrays in different memory orders are sums of equal indices.
    #[test]
    fn mixed_layouts_meet_by_index() {
        let x: Vec<f64> = (0..210).map(|i| f64::from(i).sin()).collect();
        let y: Vec<f64> = (0..210).map(|i| f64::from(i).cos()).collect();
        let tol = Tolerance::new(0.1, 0.1);
        for p in LAYOUTS {
            for q in LAYOUTS {
                let (a, b) = (array::<f64>(&x, p), array::<f64>(&y, q));
                let mut c = a.clone();
                c.lincomb(0.5, &[(2.0, &b), (-1.0, &array(&x, Layout::RowMajor))]);
                for ((c, x), y) in c.iter().zip(&x).zip(&y) {
                    assert!((c - (2.0 * y - 0.5 * x)).abs() < 1e-14, "{p:?}, {q:?}");
                }
                assert!((a.dot(&b) - x.dot(&y)).abs() < 1e-12, "{p:?}, {q:?}");
                let (got, want) = (a.error_norm(&b, &a, tol), x.error_norm(&y, &x, tol));
                assert!((got - want).abs() < 1e-13, "{p:?}, {q:?}");
                let mut copy = a.zeros_like();
                copy.assign(&b);
                assert_eq!(copy, b, "{p:?}, {q:?}");
            }
        }
    }

    #[test]
    fn the_layout_survives() {
        let x = [0.0; 24];
        for layout in [Layout::RowMajor, Layout::ColumnMajor] {
            let a = array::<f64>(&x, layout);
            assert_eq!(a.zeros_like().strides(), a.strides(), "{layout:?}");
        }
    }

    #[test]
    fn broadcast_is_refused() {
        mismatch(&Array2::<f64>::zeros((3, 4)), &Array2::zeros((4, 3)));
        mismatch(&Array2::<f64>::zeros((3, 4)), &Array2::zeros((1, 4)));
    }

    #[test]
    fn host_arrays_are_row_major() {
        let mut a = Array::<f32, Ix3>::zeros((2, 3, 4));
        a.fill_normal(Key::new(1), 0);
        let mut flat = vec![0.0_f32; 24];
        flat.fill_normal(Key::new(1), 0);
        assert_eq!(HostState::as_slice(&a), flat);
        HostState::as_mut_slice(&mut a)[5] = 9.0;
        assert_eq!(a[[0, 1, 1]].to_bits(), 9.0_f32.to_bits());
        let column = Array2::<f32>::zeros((2, 3).f());
        super::panics("as_slice of a column-major array", || {
            let _ = HostState::as_slice(&column);
        });
    }
}
