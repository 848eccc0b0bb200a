//! A layer in which residuals are affine, by linear least squares.

use ansatz_autodiff::Element;
use ansatz_core::Key;
use ansatz_nn::{Parameters, linear_least_squares};

use super::Terms;
use crate::PdeError;
use crate::error::{finite, within};

impl<T: Element> Terms<T> {
    /// The values of the parameters below `scope` that make Σλω‖r‖² smallest over the terms whose residuals are affine in them,
    /// all other parameters as they are; the number of evaluations. Terms that are not affine, as those of nonlinear
    /// equations, are left out.
    pub(crate) fn fit_affine(
        &mut self,
        parameters: &mut Parameters<T>,
        data: &[Vec<T>],
        (scope, ridge, key): (&str, f64, Key),
    ) -> Result<usize, PdeError> {
        within("ridge", ridge, 0.0.., "a number not below 0")?;
        let below = |name: &str| {
            name.strip_prefix(scope)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        let entries = parameters.layout().entries().iter();
        let own: Vec<usize> = entries
            .clone()
            .filter(|e| e.trained && below(&e.name))
            .flat_map(ansatz_nn::Entry::range)
            .collect();
        if own.is_empty() {
            return Err(PdeError::Unknown {
                what: "layer",
                name: scope.to_owned(),
                known: entries.map(|e| e.name.clone()).collect(),
            });
        }
        let data = self.frozen(parameters, data)?;
        let mut at = parameters.clone();
        // Residuals of each term at given values, times the roots of their weights.
        let mut residuals = |values: &mut dyn Iterator<Item = f64>| -> Result<_, PdeError> {
            for (place, value) in own.iter().zip(values) {
                at.values_mut()[*place] = T::of(value);
            }
            let mut all = Vec::new();
            for (part, data) in self.parts.iter_mut().zip(data.chunks(2)) {
                part.evaluate(&self.layout, &at, &data[0])?;
                let rows = part.residuals.chunks(part.width).zip(&data[1]);
                let weighed = rows.flat_map(|(row, w)| {
                    let root = w.f64().max(0.0).sqrt();
                    row.iter().map(move |r| r.f64() * root)
                });
                all.push(weighed.collect::<Vec<f64>>());
            }
            Ok(all)
        };
        let p = own.len();
        let mut probe = vec![0.0; p];
        key.fill_normal(0, &mut probe);
        let zero = residuals(&mut std::iter::repeat_n(0.0, p))?;
        let mut along = |c: f64| residuals(&mut probe.iter().map(|v| c * v));
        let (plus, minus, twice) = (along(1.0)?, along(-1.0)?, along(2.0)?);
        // An affine function is as far on both sides, and twice as far at twice the distance.
        let affine: Vec<usize> = (0..zero.len())
            .filter(|&i| {
                let (mut off, mut size) = (0.0_f64, 0.0_f64);
                for (k, r) in zero[i].iter().enumerate() {
                    let (a, b, c) = (plus[i][k], minus[i][k], twice[i][k]);
                    off = off
                        .max((a + b - 2.0 * r).abs())
                        .max((c - 2.0 * a + r).abs());
                    size = size.max(r.abs() + a.abs() + c.abs());
                }
                off <= T::epsilon().f64().sqrt() * size
            })
            .collect();
        if affine.is_empty() {
            return Err(PdeError::Nothing {
                what: "term that is linear in the last layer",
                remedy: "give conditions for its values, or leave the stage out",
            });
        }
        let joined = |all: &[Vec<f64>]| -> Vec<f64> {
            affine
                .iter()
                .flat_map(|i| all[*i].iter().copied())
                .collect()
        };
        let start = joined(&zero);
        let mut columns = Vec::with_capacity(p * start.len());
        for j in 0..p {
            let unit = joined(&residuals(
                &mut (0..p).map(|k| f64::from(u8::from(k == j))),
            )?);
            columns.extend(unit.iter().zip(&start).map(|(r, s)| r - s));
        }
        finite(|| "residuals".into(), &columns)?;
        let right: Vec<f64> = start.iter().map(|r| -r).collect();
        let found = linear_least_squares(&columns, &right, ridge)?;
        for (place, value) in own.iter().zip(found) {
            parameters.values_mut()[*place] = T::of(value);
        }
        Ok(p + 4)
    }
}
