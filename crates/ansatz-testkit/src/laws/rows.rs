//! Laws of batches: rows go where they would go alone.

use ansatz_core::{RowState, Scalar, Tolerance};

use super::{Verdict, bits, demand, normal, uphold};

/// Rows and their lengths: single, short, of odd lengths, longer than a leaf of a reduction, more than one thread's share.
const BATCHES: [(usize, usize); 8] = [
    (1, 1),
    (3, 1),
    (1, 7),
    (5, 3),
    (4, 64),
    (2, 9001),
    (301, 37),
    (70, 9000),
];

/// Everything that [`RowState`] promises, for batches of many shapes.
///
/// `make` builds a state from its elements in logical order and `read` gives them back. Checked are: `row_dots` with 1, 2 and 5
/// others, to the bit as `dot` of the row alone; `row_errors` against a naive sum, 0 for equal rows at tolerance 0, NaN for a
/// row that holds one and for no other; `row_lincomb` with 1 to 17 terms and β = 0, 1, −0.7, to the bit as `lincomb` of
/// the row alone up to 8 terms and to rounding beyond, β = 0 over NaN; `blend` against `f64` arithmetic, with NaN
/// where the mask is 0; `on_host`.
///
/// ```
/// ansatz_testkit::laws::rows(
///     |x| x.iter().map(|v| *v as f32).collect::<Vec<_>>(),
///     |s| s.iter().map(|v| f64::from(*v)).collect(),
/// );
/// ```
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn rows<S: RowState>(make: impl Fn(&[f64]) -> S, read: impl Fn(&S) -> Vec<f64>) {
    for (rows, len) in BATCHES {
        let batch = Batch {
            make: &make,
            read: &read,
            rows,
            len,
        };
        uphold(
            batch
                .check()
                .map_err(|e| format!("{rows} rows of {len}: {e}")),
        );
    }
}

struct Batch<'a, M, R> {
    make: &'a M,
    read: &'a R,
    rows: usize,
    len: usize,
}

impl<S: RowState, M: Fn(&[f64]) -> S, R: Fn(&S) -> Vec<f64>> Batch<'_, M, R> {
    fn check(&self) -> Verdict {
        self.products()?;
        self.errors()?;
        self.combinations()?;
        self.blends()?;
        self.elements()
    }

    fn draw(&self, draw: u64) -> Vec<f64> {
        let x = normal::<S::Scalar>(self.rows * self.len, draw);
        x.iter().map(|v| v.f64()).collect()
    }

    fn row<'x>(&self, x: &'x [f64], r: usize) -> &'x [f64] {
        &x[r * self.len..(r + 1) * self.len]
    }

    /// Rows that are looked at alone: a few of many.
    fn some_rows(&self) -> impl Iterator<Item = usize> {
        (0..self.rows).step_by(1 + self.rows / 7)
    }

    fn products(&self) -> Verdict {
        let x = self.draw(0);
        let others: Vec<_> = (1..6).map(|k| self.draw(k)).collect();
        let on: Vec<S> = others.iter().map(|y| (self.make)(y)).collect();
        for count in [1, 2, 5] {
            let list: Vec<&S> = on[..count].iter().collect();
            let mut out = vec![f64::NAN; count * self.rows];
            (self.make)(&x).row_dots(&list, &mut out);
            for r in self.some_rows() {
                let alone = (self.make)(self.row(&x, r));
                for k in 0..count {
                    let want = alone.dot(&(self.make)(self.row(&others[k], r)));
                    let got = out[k * self.rows + r];
                    demand(got.to_bits() == want.to_bits(), || {
                        format!("row_dots of {count}: row {r} is {got:e}, dot {want:e}")
                    })?;
                }
            }
        }
        Ok(())
    }

    fn errors(&self) -> Verdict {
        let [x, a, mut b] = [0, 1, 2].map(|k| self.draw(k));
        let tol = Tolerance::new(1e-2, 0.1);
        let mut out = vec![f64::NAN; self.rows];
        let errors = |x: &[f64], a: &[f64], b: &[f64], tol, out: &mut [f64]| {
            (self.make)(x).row_errors(&(self.make)(a), &(self.make)(b), tol, out);
        };
        errors(&x, &a, &b, tol, &mut out);
        for r in self.some_rows() {
            let square = |i: usize| {
                let i = r * self.len + i;
                let scale = tol.atol.max(tol.rtol * a[i].abs().max(b[i].abs()));
                ((x[i] - a[i]) / scale).powi(2)
            };
            let want = ((0..self.len).map(square).sum::<f64>() / self.len as f64).sqrt();
            let tolerance = (self.len + 10) as f64 * f64::EPSILON * want;
            demand((out[r] - want).abs() <= tolerance, || {
                format!("row_errors: row {r} is {:e}, expected {want:e}", out[r])
            })?;
        }
        let last = self.rows - 1;
        b[last * self.len] = 0.0;
        let mut broken = a.clone();
        broken[last * self.len] = f64::NAN;
        errors(&broken, &a, &b, Tolerance::new(0.0, 0.0), &mut out);
        demand(
            out[last].is_nan() && out[..last].iter().all(|e| *e == 0.0),
            || format!("row_errors of equal rows and a last one with NaN: {out:?}"),
        )
    }

    fn combinations(&self) -> Verdict {
        let start = self.draw(0);
        let inputs: Vec<_> = (1..18).map(|k| self.draw(k)).collect();
        let on: Vec<S> = inputs.iter().map(|x| (self.make)(x)).collect();
        let c = |k: usize, r: usize| 0.4 - 0.15 * k as f64 + (r as f64).sin();
        let lists: Vec<Vec<f64>> = (0..17)
            .map(|k| (0..self.rows).map(|r| c(k, r)).collect())
            .collect();
        let nan = vec![f64::NAN; start.len()];
        for count in [1, 2, 3, 8, 17] {
            for beta in [0.0, 1.0, -0.7] {
                let start = if beta == 0.0 { &nan } else { &start };
                let mut got = (self.make)(start);
                let terms: Vec<(&[f64], &S)> =
                    (0..count).map(|k| (&lists[k][..], &on[k])).collect();
                got.row_lincomb(beta, &terms);
                let got = (self.read)(&got);
                for r in self.some_rows() {
                    let mut alone = (self.make)(self.row(start, r));
                    let rows: Vec<S> = (0..count)
                        .map(|k| (self.make)(self.row(&inputs[k], r)))
                        .collect();
                    let terms: Vec<_> =
                        rows.iter().enumerate().map(|(k, x)| (c(k, r), x)).collect();
                    alone.lincomb(beta, &terms);
                    let (got, want) = (self.row(&got, r), (self.read)(&alone));
                    let near = |(g, w): (&f64, &f64)| {
                        let size = 20.0 * S::Scalar::EPS.f64() * (1.0 + w.abs());
                        (count > 8 && (g - w).abs() < size) || g.to_bits() == w.to_bits()
                    };
                    let at = got.iter().zip(&want).position(|pair| !near(pair));
                    demand(at.is_none(), || {
                        let i = at.unwrap_or_default();
                        format!(
                            "row_lincomb of {count} terms, beta {beta}: element {i} of row {r} is {:e}, alone {:e}",
                            got[i], want[i]
                        )
                    })?;
                }
            }
        }
        Ok(())
    }

    fn blends(&self) -> Verdict {
        let [x, mut value] = [0, 1].map(|k| self.draw(k));
        let mask: Vec<f64> = (0..x.len()).map(|i| [0.0, 1.0, 0.25][i % 3]).collect();
        for (v, m) in value.iter_mut().zip(&mask) {
            if *m == 0.0 {
                *v = f64::NAN;
            }
        }
        let mut got = (self.make)(&x);
        got.blend(&(self.make)(&mask), &(self.make)(&value));
        let want = x.iter().zip(mask.iter().zip(&value)).map(|(x, (m, v))| {
            let mixed = if *m == 0.0 { *x } else { (1.0 - m) * x + m * v };
            S::Scalar::of(mixed).f64()
        });
        let want: Vec<f64> = want.collect();
        demand(bits(&(self.read)(&got)) == bits(&want), || {
            "blend differs from arithmetic in f64".into()
        })
    }

    fn elements(&self) -> Verdict {
        let x = self.draw(0);
        let mut state = (self.make)(&x);
        let seen = state.on_host(|elements| {
            let seen: Vec<f64> = elements.iter().map(|v| v.f64()).collect();
            elements.reverse();
            seen
        });
        let mut back = (self.read)(&state);
        back.reverse();
        demand(
            seen.is_some_and(|s| bits(&s) == bits(&x)) && bits(&back) == bits(&x),
            || "on_host does not show the elements, or does not keep what is written".into(),
        )
    }
}
