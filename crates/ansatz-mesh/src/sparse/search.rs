//! Where the cells of a sparse extraction are, and what they ask of the field.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use ansatz_core::{Key, Scalar, ScalarField};

use super::SparseReport;
use crate::crossings::unflatten;
use crate::{GridShape, MeshError};

/// Points asked in one call.
const BATCH: usize = 4096;

/// A box of cells: lowest cell and side, before it is cut off at the border.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) low: [usize; 3],
    pub(super) side: usize,
}

/// A field on a grid.
pub(super) struct Source<'a, T: Scalar, F> {
    pub(super) field: &'a F,
    pub(super) shape: GridShape,
    pub(super) iso: T,
}

/// A cell with surface in it.
pub(super) struct Leaf<T> {
    pub(super) at: [usize; 3],
    pub(super) values: [T; 8],
}

/// Values at points, on the threads of the caller's pool.
pub(crate) fn ask<T: Scalar>(field: &impl ScalarField<T>, points: &[[T; 3]]) -> Vec<T> {
    let mut values = vec![T::zero(); points.len()];
    values
        .par_chunks_mut(BATCH)
        .zip(points.par_chunks(BATCH))
        .for_each(|(v, p)| field.eval(p, v));
    values
}

/// Blocks that cover the cells.
pub(super) fn tile(cells: [usize; 3], side: usize) -> Vec<Block> {
    let [a, b, c] = cells.map(|n| n.div_ceil(side));
    (0..a * b * c)
        .map(|m| Block {
            low: unflatten([a, b, c], m).map(|x| x * side),
            side,
        })
        .collect()
}

/// The sample at a corner of a cell.
pub(super) fn corner(at: [usize; 3], c: usize) -> [usize; 3] {
    [at[0] + (c & 1), at[1] + (c >> 1 & 1), at[2] + (c >> 2)]
}

impl Block {
    /// Lowest and highest sample within a grid of so many cells.
    fn ends(&self, cells: [usize; 3]) -> [[usize; 3]; 2] {
        [
            self.low,
            std::array::from_fn(|a| (self.low[a] + self.side).min(cells[a])),
        ]
    }

    pub(super) fn children(&self, cells: [usize; 3]) -> impl Iterator<Item = Block> {
        let half = self.side / 2;
        let low = self.low;
        (0..8)
            .map(move |c| corner([0; 3], c).map(|o| o * half))
            .map(move |o| Block {
                low: [low[0] + o[0], low[1] + o[1], low[2] + o[2]],
                side: half,
            })
            .filter(move |b| (0..3).all(|a| b.low[a] < cells[a]))
    }
}

impl<T: Scalar, F: ScalarField<T>> Source<'_, T, F> {
    /// Values at samples of the grid.
    fn sample(&self, at: &[[usize; 3]]) -> Result<Vec<T>, MeshError> {
        let points: Vec<[T; 3]> = at.iter().map(|&s| self.shape.point(s).map(T::of)).collect();
        let values = ask(self.field, &points);
        match values.iter().position(|v| !v.is_finite()) {
            Some(bad) => Err(MeshError::Sample {
                index: at[bad],
                value: values[bad].f64(),
            }),
            None => Ok(values),
        }
    }

    /// The blocks that may hold surface.
    pub(super) fn near(
        &self,
        audit: usize,
        blocks: &[Block],
        lipschitz: f64,
        report: &mut SparseReport,
    ) -> Result<Vec<Block>, MeshError> {
        let cells = self.shape.dims().map(|n| n - 1);
        let h = self.shape.spacing();
        let spans: Vec<([f64; 3], [f64; 3])> = blocks
            .iter()
            .map(|b| {
                let [low, high] = b.ends(cells);
                let (p, q) = (self.shape.point(low), self.shape.point(high));
                let half = std::array::from_fn(|a| (high[a] - low[a]) as f64 * h[a] / 2.0);
                (std::array::from_fn(|a| f64::midpoint(p[a], q[a])), half)
            })
            .collect();
        let centres: Vec<[T; 3]> = spans.iter().map(|s| s.0.map(T::of)).collect();
        let values = ask(self.field, &centres);
        report.centres += values.len();
        if let Some(v) = values.iter().find(|v| !v.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "field at the centre of a box",
                value: v.f64(),
            });
        }
        let far = |m: usize| {
            let reach = spans[m].1.iter().map(|x| x * x).sum::<f64>().sqrt();
            (values[m].f64() - self.iso.f64()).abs() > lipschitz * reach
        };
        let (out, kept): (Vec<usize>, Vec<usize>) = (0..blocks.len()).partition(|&m| far(m));
        self.audit(audit, &out, &spans, &values, lipschitz, report)?;
        report.kept.push(kept.len());
        Ok(kept.into_iter().map(|m| blocks[m]).collect())
    }

    /// Compares the bound with differences of the field in boxes that are left out.
    fn audit(
        &self,
        count: usize,
        out: &[usize],
        spans: &[([f64; 3], [f64; 3])],
        values: &[T],
        lipschitz: f64,
        report: &mut SparseReport,
    ) -> Result<(), MeshError> {
        let key = Key::new(0).fold_in(report.centres as u64);
        let mut points = Vec::with_capacity(count * out.len());
        for &m in out {
            let (centre, half) = spans[m];
            for c in 0..count {
                let at = 2 * (m * count + c) as u64;
                let ([x, y], [z, _]) = (key.uniform(0, at), key.uniform(0, at + 1));
                let u = [x, y, z];
                points.push(std::array::from_fn(|a| {
                    T::of(centre[a] + half[a] * (2.0 * u[a] - 1.0))
                }));
            }
        }
        let found = ask(self.field, &points);
        report.audited += found.len();
        for (p, (at, value)) in points.iter().zip(&found).enumerate() {
            let m = out[p / count];
            let centre = spans[m].0;
            let distance = (0..3)
                .map(|a| (at[a].f64() - centre[a]).powi(2))
                .sum::<f64>()
                .sqrt();
            let rise = (value.f64() - values[m].f64()).abs();
            // Both values are rounded.
            let slack = 8.0 * T::EPS.f64() * (value.f64().abs() + values[m].f64().abs());
            if rise > lipschitz * distance * (1.0 + 1e-6) + slack {
                let (bound, at) = (lipschitz, at.map(Scalar::f64));
                return Err(MeshError::Lipschitz {
                    bound,
                    found: rise / distance,
                    at,
                });
            }
        }
        Ok(())
    }

    /// The active cells of blocks, each of which asks for its own samples.
    pub(super) fn blocks(
        &self,
        blocks: &[Block],
        report: &mut SparseReport,
    ) -> Result<Vec<Leaf<T>>, MeshError> {
        let cells = self.shape.dims().map(|n| n - 1);
        let found: Vec<(usize, Result<_, MeshError>)> = blocks
            .par_iter()
            .map(|block| {
                let [low, high] = block.ends(cells);
                let dims: [usize; 3] = std::array::from_fn(|a| high[a] - low[a] + 1);
                let count: usize = dims.iter().product();
                let shift = |x: [usize; 3]| std::array::from_fn(|a| low[a] + x[a]);
                let at: Vec<[usize; 3]> = (0..count).map(|m| shift(unflatten(dims, m))).collect();
                let leaves = self.sample(&at).map(|values| {
                    let flat = |x: [usize; 3]| (x[0] * dims[1] + x[1]) * dims[2] + x[2];
                    let inner = dims.map(|n| n - 1);
                    (0..inner.iter().product())
                        .map(|m| unflatten(inner, m))
                        .map(|x| Leaf {
                            at: shift(x),
                            values: std::array::from_fn(|c| values[flat(corner(x, c))]),
                        })
                        .filter(|leaf| self.is_active(&leaf.values))
                        .collect()
                });
                (count, leaves)
            })
            .collect();
        let mut all = Vec::new();
        for (count, leaves) in found {
            report.samples += count;
            let leaves: Vec<Leaf<T>> = leaves?;
            all.extend(leaves);
        }
        Ok(all)
    }

    /// Asks for the samples that `known` lacks.
    fn learn(
        &self,
        mut wanted: Vec<[usize; 3]>,
        known: &mut HashMap<[usize; 3], T>,
        report: &mut SparseReport,
    ) -> Result<(), MeshError> {
        wanted.retain(|s| !known.contains_key(s));
        wanted.sort_unstable();
        wanted.dedup();
        report.samples += wanted.len();
        let values = self.sample(&wanted)?;
        known.extend(wanted.into_iter().zip(values));
        Ok(())
    }

    /// The active ones of single cells.
    pub(super) fn cells(
        &self,
        cells: &[[usize; 3]],
        known: &mut HashMap<[usize; 3], T>,
        report: &mut SparseReport,
    ) -> Result<Vec<Leaf<T>>, MeshError> {
        let wanted = cells
            .iter()
            .flat_map(|&at| (0..8).map(move |c| corner(at, c)))
            .collect();
        self.learn(wanted, known, report)?;
        Ok(cells
            .iter()
            .map(|&at| Leaf {
                at,
                values: std::array::from_fn(|c| known[&corner(at, c)]),
            })
            .filter(|leaf| self.is_active(&leaf.values))
            .collect())
    }

    /// The samples that central differences at the ends of crossed edges need.
    pub(super) fn stencils(
        &self,
        leaves: &[Leaf<T>],
        report: &mut SparseReport,
    ) -> Result<HashMap<[usize; 3], T>, MeshError> {
        let dims = self.shape.dims();
        let mut known = HashMap::new();
        let mut wanted = Vec::new();
        for leaf in leaves {
            known.extend((0..8).map(|c| (corner(leaf.at, c), leaf.values[c])));
        }
        for leaf in leaves {
            let case = self.case(&leaf.values);
            for c in 0..8 {
                let differs = |axis: usize| (case >> c ^ case >> (c ^ 1 << axis)) & 1 == 1;
                if !(0..3).any(differs) {
                    continue;
                }
                let at = corner(leaf.at, c);
                for axis in 0..3 {
                    for place in [at[axis].wrapping_sub(1), at[axis] + 1] {
                        if place < dims[axis] {
                            let mut beside = at;
                            beside[axis] = place;
                            wanted.push(beside);
                        }
                    }
                }
            }
        }
        self.learn(wanted, &mut known, report)?;
        Ok(known)
    }

    /// Refines cells whose corners differ, down to single ones, and follows the surface from there.
    pub(super) fn refine(
        &self,
        mut blocks: Vec<Block>,
        report: &mut SparseReport,
    ) -> Result<Vec<Leaf<T>>, MeshError> {
        let cells = self.shape.dims().map(|n| n - 1);
        let mut known = HashMap::new();
        while blocks.first().is_some_and(|b| b.side > 1) {
            let corners = |b: &Block| {
                let ends = b.ends(cells);
                (0..8usize).map(move |c| [0, 1, 2].map(|a| ends[c >> a & 1][a]))
            };
            self.learn(
                blocks.iter().flat_map(corners).collect(),
                &mut known,
                report,
            )?;
            blocks.retain(|b| {
                let inside = corners(b).filter(|c| known[c] < self.iso).count();
                inside > 0 && inside < 8
            });
            report.kept.push(blocks.len());
            blocks = blocks.iter().flat_map(|b| b.children(cells)).collect();
        }
        let mut front: Vec<[usize; 3]> = blocks.iter().map(|b| b.low).collect();
        let mut seen: HashSet<[usize; 3]> = front.iter().copied().collect();
        let mut leaves: Vec<Leaf<T>> = Vec::new();
        // The surface goes on across each face whose corners differ.
        while !front.is_empty() {
            let met = self.cells(&front, &mut known, report)?;
            front.clear();
            for leaf in &met {
                for (f, face) in crate::cube::FACES.iter().enumerate() {
                    let inside = face
                        .iter()
                        .filter(|&&c| leaf.values[usize::from(c)] < self.iso);
                    let (axis, up) = (f / 2, f % 2 == 1);
                    let edge = if up {
                        leaf.at[axis] + 1 >= cells[axis]
                    } else {
                        leaf.at[axis] == 0
                    };
                    if edge || matches!(inside.count(), 0 | 4) {
                        continue;
                    }
                    let mut next = leaf.at;
                    next[axis] = if up { next[axis] + 1 } else { next[axis] - 1 };
                    if seen.insert(next) {
                        front.push(next);
                    }
                }
            }
            leaves.extend(met);
        }
        report.kept.push(leaves.len());
        Ok(leaves)
    }
}

impl<T: Scalar, F> Source<'_, T, F> {
    pub(super) fn case(&self, values: &[T; 8]) -> u8 {
        values
            .iter()
            .enumerate()
            .map(|(c, v)| u8::from(*v < self.iso) << c)
            .sum()
    }

    fn is_active(&self, values: &[T; 8]) -> bool {
        !matches!(self.case(values), 0 | 255)
    }
}
