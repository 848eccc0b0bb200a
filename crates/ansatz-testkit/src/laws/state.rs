//! Laws of states: arithmetic against a naive evaluation, the same bits on any pool.

use ansatz_core::{Combination, Key, Scalar, State, Tolerance};

use super::run::check_threads;
use super::{Verdict, bits, demand, normal, uphold};

/// Lengths around the limits of chunked and parallel loops.
const LENGTHS: [usize; 7] = [0, 1, 5, 17, 4096, 40_000, 100_003];

/// Numbers of terms of the combinations that are tried.
const TERMS: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 29];

/// Terms up to which a combination must be rounded once; coupled states may split longer sums.
const ROUNDED_ONCE: usize = 8;

/// Everything that [`State`] promises, for states of many lengths.
///
/// `make` builds a state from its elements in logical order and `read` gives them back. Checked
/// are: lengths and zeros; `lincomb` with 0 to 12 terms and β = 0, 1, −0.7 against `f64`
/// arithmetic, rounded once up to 8 terms; β = 0 over NaN; `assign`; `combine_all` line by line;
/// `step_from` as `lincomb`; `dot`, `norm` and
/// `error_norm` against naive sums; `is_finite`; noise that repeats, differs between keys and
/// streams, and has mean 0 and variance 1; equal bits on 1, 2 and 3 threads.
///
/// ```
/// ansatz_testkit::laws::state(
///     |x| x.iter().map(|v| *v as f32).collect::<Vec<_>>(),
///     |s| s.iter().map(|v| f64::from(*v)).collect(),
/// );
/// ```
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn state<S: State>(make: impl Fn(&[f64]) -> S + Sync, read: impl Fn(&S) -> Vec<f64> + Sync) {
    for n in LENGTHS {
        state_of_length(n, &make, &read);
    }
}

/// [`state`] for one length alone: states whose length is part of their type.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn state_of_length<S: State>(
    n: usize,
    make: impl Fn(&[f64]) -> S + Sync,
    read: impl Fn(&S) -> Vec<f64> + Sync,
) {
    let subject = Subject {
        make: &make,
        read: &read,
        n,
    };
    uphold(subject.check().map_err(|e| format!("{n} elements: {e}")));
}

/// Noise of a state that is one array in logical order: element `i` is the `i`-th number of
/// [`Key::fill_normal`], whatever the length and the memory layout.
///
/// # Panics
/// On the first violation.
#[track_caller]
pub fn flat_noise<S: State>(
    make: impl Fn(&[f64]) -> S + Sync,
    read: impl Fn(&S) -> Vec<f64> + Sync,
) {
    let longest = LENGTHS.into_iter().max().unwrap_or(0);
    let (key, stream) = (Key::new(3), 5);
    let mut all = vec![S::Scalar::of(0.0); longest];
    key.fill_normal(stream, &mut all);
    for n in LENGTHS {
        let mut s = make(&vec![0.0; n]);
        s.fill_normal(key, stream);
        let got = read(&s);
        let at = (0..n).find(|i| got[*i].to_bits() != all[*i].f64().to_bits());
        uphold(demand(at.is_none(), || {
            let i = at.unwrap_or_default();
            format!(
                "{n} elements: noise number {i} is {:e}, a flat vector has {:e}",
                got[i],
                all[i].f64()
            )
        }));
    }
}

struct Subject<'a, M, R> {
    make: &'a M,
    read: &'a R,
    n: usize,
}

impl<S, M, R> Subject<'_, M, R>
where
    S: State,
    M: Fn(&[f64]) -> S + Sync,
    R: Fn(&S) -> Vec<f64> + Sync,
{
    fn check(&self) -> Verdict {
        self.shape()?;
        self.lincomb()?;
        self.reductions()?;
        self.finiteness()?;
        self.programs()?;
        self.steps()?;
        self.noise()?;
        self.threads()
    }

    /// `step_from` has the bits of `lincomb`, with zeros left out, for sums longer than a call takes too.
    fn steps(&self) -> Verdict {
        let y = self.draw(100).1;
        for count in [0_u32, 1, 3, 7, 20] {
            let slopes: Vec<S> = (0..count)
                .map(|k| self.draw(101 + u64::from(k)).1)
                .collect();
            let c: Vec<f64> = (0..count)
                .map(|k| {
                    if k % 3 == 1 {
                        0.0
                    } else {
                        f64::from(k).sin() - 0.3
                    }
                })
                .collect();
            let h = 0.37;
            let mut got = (self.make)(&vec![f64::NAN; self.n]);
            let mut expected = y.zeros_like();
            for with in [Some(&y), None] {
                got.step_from(with, h, &c, &slopes);
                let mut terms: Vec<(f64, &S)> = with.map(|y| (1.0, y)).into_iter().collect();
                let used = c.iter().zip(&slopes).filter(|(c, _)| **c != 0.0);
                terms.extend(used.map(|(c, k)| (h * c, k)));
                expected.lincomb(0.0, &terms);
                let (got, expected) = ((self.read)(&got), (self.read)(&expected));
                // Longer sums may be rounded in between, at other places.
                let far = |a: f64, b: f64| (a - b).abs() > 1e-5 * b.abs().max(1.0);
                let at = (0..self.n).find(|i| {
                    let (a, b) = (got[*i], expected[*i]);
                    far(a, b) || (terms.len() <= ROUNDED_ONCE && a.to_bits() != b.to_bits())
                });
                demand(at.is_none(), || {
                    let i = at.unwrap_or_default();
                    format!(
                        "step_from of {count} slopes: element {i} is {:e}, lincomb gives {:e}",
                        got[i], expected[i]
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Normal numbers as the state stores them, and the state.
    fn draw(&self, draw: u64) -> (Vec<f64>, S) {
        let values: Vec<f64> = normal::<S::Scalar>(self.n, draw)
            .iter()
            .map(|v| v.f64())
            .collect();
        let state = (self.make)(&values);
        (values, state)
    }

    fn shape(&self) -> Verdict {
        let (values, x) = self.draw(0);
        demand(x.len() == self.n && x.is_empty() == (self.n == 0), || {
            format!("len is {}, is_empty {}", x.len(), x.is_empty())
        })?;
        demand(bits(&(self.read)(&x)) == bits(&values), || {
            "read does not return what make was given".into()
        })?;
        let zeros = x.zeros_like();
        demand(
            zeros.len() == self.n && (self.read)(&zeros).iter().all(|v| v.to_bits() == 0),
            || format!("zeros_like gives {} elements, not all 0", zeros.len()),
        )?;
        let mut y = self.draw(1).1;
        y.assign(&x);
        demand(bits(&(self.read)(&y)) == bits(&values), || {
            "assign does not copy".into()
        })
    }

    fn lincomb(&self) -> Verdict {
        let inputs: Vec<_> = (1..=29).map(|k| self.draw(k)).collect();
        for count in TERMS {
            let c = |k: usize| 0.4 - 0.15 * k as f64;
            let terms: Vec<_> = (0..count).map(|k| (c(k), &inputs[k].1)).collect();
            for beta in [0.0, 1.0, -0.7] {
                let (start, mut got) = self.draw(0);
                if beta == 0.0 {
                    got = (self.make)(&vec![f64::NAN; self.n]);
                }
                got.lincomb(beta, &terms);
                let got = (self.read)(&got);
                for i in 0..self.n {
                    let parts = (0..count).map(|k| c(k) * inputs[k].0[i]);
                    let (sum, size) = parts
                        .fold((beta * start[i], (beta * start[i]).abs()), |(s, a), p| {
                            (s + p, a + p.abs())
                        });
                    let eps = S::Scalar::EPS.f64();
                    let rounding = if count <= ROUNDED_ONCE {
                        0.5 * eps * sum.abs()
                    } else {
                        2.0 * eps * size
                    };
                    // Coefficients of `f32` states may be rounded to 29 bits, a 64th of the state's own.
                    let coefficients = eps / 64.0 * size;
                    let sums = (count + 2) as f64 * f64::EPSILON * size;
                    let tolerance = rounding + coefficients + sums;
                    let error = (got[i] - sum).abs();
                    demand(error <= tolerance, || {
                        format!(
                            "lincomb of {count} terms with beta = {beta}: element {i} is {:e}, \
                             expected {sum:e} within {tolerance:e}",
                            got[i]
                        )
                    })?;
                }
            }
        }
        Ok(())
    }

    fn reductions(&self) -> Verdict {
        let [(a, x), (b, y), (c, z)] = [1, 2, 3].map(|k| self.draw(k));
        let near = |what: &str, got: f64, want: f64, size: f64| {
            let tolerance = (self.n + 10) as f64 * f64::EPSILON * size;
            demand((got - want).abs() <= tolerance, || {
                format!("{what} is {got:e}, expected {want:e} within {tolerance:e}")
            })
        };
        let products = || a.iter().zip(&b).map(|(a, b)| a * b);
        let size = products().map(f64::abs).sum();
        near("dot", x.dot(&y), products().sum(), size)?;
        // One more than fits two groups of eight.
        let others: Vec<S> = (4..21).map(|k| self.draw(k).1).collect();
        for count in [0, 1, 8, 11, 17] {
            let others: Vec<&S> = others[..count].iter().collect();
            let mut sums = vec![f64::NAN; count];
            x.dots(&others, &mut sums);
            for (sum, other) in sums.iter().zip(&others) {
                demand(sum.to_bits() == x.dot(other).to_bits(), || {
                    format!("dots of {count} gives {sum:e}, dot {:e}", x.dot(other))
                })?;
            }
        }
        let norm = a.iter().map(|v| v * v).sum::<f64>().sqrt();
        near("norm", x.norm(), norm, norm)?;
        let tol = Tolerance::new(1e-3, 0.1);
        let squares = (0..self.n).map(|i| {
            let scale = tol.atol + tol.rtol * b[i].abs().max(c[i].abs());
            (a[i] / scale).powi(2)
        });
        let want = (squares.sum::<f64>() / self.n.max(1) as f64).sqrt();
        near("error_norm", x.error_norm(&y, &z, tol), want, want)
    }

    fn finiteness(&self) -> Verdict {
        let (values, x) = self.draw(0);
        demand(x.is_finite(), || "normal numbers are not finite".into())?;
        if self.n == 0 {
            return Ok(());
        }
        for i in [0, self.n / 2, self.n - 1] {
            for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut values = values.clone();
                values[i] = broken;
                demand(!(self.make)(&values).is_finite(), || {
                    format!("is_finite does not see {broken} in element {i}")
                })?;
            }
        }
        Ok(())
    }

    fn noise(&self) -> Verdict {
        let fill = |key: u64, stream| {
            let mut s = (self.make)(&vec![f64::NAN; self.n]);
            s.fill_normal(Key::new(key), stream);
            (self.read)(&s)
        };
        let z = fill(1, 0);
        demand(bits(&z) == bits(&fill(1, 0)), || {
            "fill_normal does not repeat".into()
        })?;
        if self.n > 0 {
            demand(bits(&z) != bits(&fill(2, 0)), || {
                "fill_normal does not depend on the key".into()
            })?;
            demand(bits(&z) != bits(&fill(1, 1)), || {
                "fill_normal does not depend on the stream".into()
            })?;
        }
        if self.n < 1000 {
            return Ok(());
        }
        // Five standard errors of mean and variance: 6e-7 of false alarm, and the keys are fixed.
        let n = self.n as f64;
        let mean = z.iter().sum::<f64>() / n;
        let variance = z.iter().map(|v| v * v).sum::<f64>() / n;
        demand(
            mean.abs() <= 5.0 / n.sqrt() && (variance - 1.0).abs() <= 5.0 * (2.0 / n).sqrt(),
            || format!("noise has mean {mean} and variance {variance}"),
        )
    }

    /// `combine_all` is `lincomb` line by line, to the bit, and sees what is not finite.
    fn programs(&self) -> Verdict {
        let line = |dst, beta, terms: &[(f64, usize)]| Combination {
            dst,
            beta,
            terms: terms.to_vec(),
        };
        // Each line reads what an earlier one wrote; slot 1 is written twice, slot 3 never.
        let program = [
            line(1, -0.4, &[(1.3, 0)]),
            line(0, 0.9, &[(0.25, 1), (-0.5, 2), (2.0, 3)]),
            line(2, 0.0, &[(1.0, 1)]),
            line(1, 1.0, &[(0.1, 0), (0.2, 2)]),
        ];
        let mut slots: Vec<S> = (0..4).map(|k| self.draw(k).1).collect();
        let mut expected = slots.clone();
        let finite = S::combine_all(&mut slots, &program);
        for line in &program {
            let mut dst = expected[line.dst].clone();
            let terms: Vec<_> = line
                .terms
                .iter()
                .map(|(c, k)| (*c, &expected[*k]))
                .collect();
            dst.lincomb(line.beta, &terms);
            expected[line.dst] = dst;
        }
        for (k, (got, want)) in slots.iter().zip(&expected).enumerate() {
            demand(bits(&(self.read)(got)) == bits(&(self.read)(want)), || {
                format!("combine_all differs from lincomb line by line in slot {k}")
            })?;
        }
        demand(finite, || {
            "combine_all calls finite values not finite".into()
        })?;
        if self.n == 0 {
            return Ok(());
        }
        let mut values = self.draw(3).0;
        values[self.n / 2] = f64::NAN;
        slots[3] = (self.make)(&values);
        demand(!S::combine_all(&mut slots, &program), || {
            "combine_all does not see NaN".into()
        })
    }

    fn threads(&self) -> Verdict {
        let [(_, x), (_, y), (_, z)] = [1, 2, 3].map(|k| self.draw(k));
        check_threads("a state operation", || {
            let mut s = x.clone();
            s.lincomb(0.3, &[(0.5, &y), (-1.5, &z)]);
            let mut out = (self.read)(&s);
            s.fill_normal(Key::new(9), 1);
            out.extend((self.read)(&s));
            out.push(x.dot(&y));
            out.push(x.error_norm(&y, &z, Tolerance::new(1e-3, 0.1)));
            let mut sums = [0.0; 9];
            x.dots(&[&y, &z, &y, &z, &y, &z, &y, &z, &y], &mut sums);
            out.extend(sums);
            out
        })
    }
}
