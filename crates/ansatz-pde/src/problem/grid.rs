//! The equations on tensor grids, for networks that are cheap there.

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_nn::{GridSide, Parameter};

use super::Problem;
use crate::error::{expect, within};
use crate::geometry::Bounds;
use crate::{Geometry, Model, PdeError, Sampler, Term};

impl Problem {
    /// The equations on a tensor grid with these numbers of coordinates, as a term whose rows are its slabs: all points of one time,
    /// or of one first coordinate where there is no time. Coordinates of each axis are spread by `sampler`.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number of axes, [`PdeError::Option`] for an axis without points, [`PdeError::Unsuited`] for a
    /// domain that is no box, [`PdeError::Domain`] for what the sampler refuses.
    pub(crate) fn grid_term(
        &self,
        (model, coefficients): (&Model, &[Parameter]),
        (sizes, sampler): (&[usize], Sampler),
        key: Key,
    ) -> Result<Term, PdeError> {
        let dims = self.coordinates.len();
        expect("axes of a tensor grid", dims, sizes.len())?;
        for n in sizes {
            within("points of an axis", *n as f64, 1.0.., "1 or more")?;
        }
        let bounds = self.domain.bounds();
        if !is_box(&*self.domain, &bounds) {
            return Err(PdeError::Unsuited {
                term: "the domain".into(),
                method: "a tensor grid",
                needed: "a box, in space and time; leave `grid` out for other domains",
            });
        }
        // The slab's own axis first.
        let first = self.time_axis().unwrap_or(0);
        let mut axes: Vec<usize> = vec![first];
        axes.extend((0..dims).filter(|axis| *axis != first));
        let sizes: Vec<usize> = axes.iter().map(|axis| sizes[*axis]).collect();
        let others = &sizes[1..];
        let (columns, points) = (
            1 + others.iter().sum::<usize>(),
            others.iter().product::<usize>(),
        );

        let draw = {
            let (axes, sizes) = (axes.clone(), sizes.clone());
            move |key: Key| -> Result<Vec<f64>, PdeError> {
                let mut all = Vec::new();
                for (axis, n) in axes.iter().zip(&sizes) {
                    let unit = sampler.unit(*n, 1, key.fold_in(*axis as u64))?;
                    let [low, high] = [bounds.low[*axis], bounds.high[*axis]];
                    let mut own: Vec<f64> = unit
                        .rows()
                        .take(*n)
                        .map(|u| low + (high - low) * u[0])
                        .collect();
                    own.sort_by(f64::total_cmp);
                    all.push(own);
                }
                let shared = all[1..].concat();
                let row = |x: &f64| [&[*x], &shared[..]].concat();
                Ok(all[0].iter().flat_map(row).collect())
            }
        };
        let start = draw(key)?;
        let (lowered, model) = (self.lowered.clone(), model.clone());
        let (coefficients, others) = (coefficients.to_vec(), others.to_vec());
        let mean = (points as f64).sqrt().recip();
        let mut term = Term::new(
            self.equations.join("; "),
            columns,
            start,
            move |pass, rows| {
                let sides = sides(rows, &axes, &others);
                let r = lowered.trace_on_grid(pass, &sides, &*model, &coefficients)?;
                let n = rows.shape()[0];
                Ok(r.reshape(&[n, r.shape().len() / n]) * mean)
            },
        );
        term.source = Some(Arc::new(move |key, _| draw(key).unwrap_or_default()));
        term.points_in_row = points;
        Ok(term)
    }
}

/// The sides of the grid whose slabs are `rows`: a coordinate of `axes[0]`, then those of all other axes, alike in all rows.
fn sides<'g>(rows: Array<'g>, axes: &[usize], others: &[usize]) -> Vec<GridSide<'g>> {
    let mut sides = vec![GridSide {
        column: axes[0],
        values: rows.narrow(1, 0, 1).variable(),
    }];
    let (shared, mut begin) = (rows.narrow(0, 0, 1), 1);
    for (axis, n) in axes[1..].iter().zip(others) {
        let values = shared.narrow(1, begin, begin + n).reshape(&[*n, 1]);
        sides.push(GridSide {
            column: *axis,
            values: values.variable(),
        });
        begin += n;
    }
    sides
}

/// Whether the unit cube is placed in a domain as in the box around it.
fn is_box(domain: &dyn Geometry, bounds: &Bounds) -> bool {
    let dims = domain.dims();
    let Ok(cube) = Sampler::Uniform.unit(32, dims, Key::new(0)) else {
        return false;
    };
    let (mut ours, mut theirs) = (vec![0.0; dims], vec![0.0; dims]);
    domain.chart() == Some(dims)
        && cube.rows().all(|u| {
            bounds.place(u, &mut ours);
            domain.place(u, &mut theirs);
            let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
            off.fold(0.0, f64::max) <= domain.tolerance()
        })
}
