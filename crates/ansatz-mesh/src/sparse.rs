//! Marching cubes of a field that is asked near its surface alone.
//!
//! A dense grid of n³ samples costs n³ evaluations of the field, the surface crosses O(n²) cells. Where a Lipschitz bound
//! L is known (1 for a signed distance), a box whose centre value is farther from the iso value than L times half its
//! diagonal holds no surface ([`Search::Blocks`], [`Search::Octree`]); the triangles are then those of the dense grid, bit
//! for bit. Without a bound, cells whose corners differ in sign are refined from a coarse grid on ([`Search::Refine`]):
//! parts that fall between the samples of the coarse grid are missed, but each part that is met is followed to its end.
//!
//! Cost: `Octree` asks O(surface) points, about 4.5 for each active cell on a sphere; `Blocks` three times as many, in
//! larger batches.
//!
//! Sources: L. Mescheder et al., Occupancy networks (2019), section 3.3, for the refinement (MISE).

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use ansatz_core::{Key, Scalar, ScalarField};

use crate::crossings::{fraction, place, unflatten};
use crate::cube::{EDGES, Trilinear, table};
use crate::marching_cubes::{Cell, Part, exact_cell, join, triangles};
use crate::{Ambiguity, GridShape, Mesh, MeshError};

/// How the cells near the surface are found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Search {
    /// Blocks of 8³ cells, each of them kept or not by its centre.
    Blocks {
        /// Lipschitz bound of the field.
        lipschitz: f64,
    },
    /// Boxes halved along each axis down to single cells, each of them kept or not by its centre.
    Octree {
        /// Lipschitz bound of the field.
        lipschitz: f64,
    },
    /// Cells of `stride` samples, refined where corners differ in sign.
    Refine {
        /// Side of the first cells in cells of the grid; a power of two.
        stride: usize,
    },
}

/// Sparse marching cubes and its options.
///
/// ```
/// use ansatz_mesh::{GridShape, Search, SparseMarchingCubes};
///
/// let shape = GridShape::spanning([65; 3], [-1.0; 3], [1.0; 3])?;
/// let ball = |[x, y, z]: [f64; 3]| (x * x + y * y + z * z).sqrt() - 0.7;
/// let method = SparseMarchingCubes { search: Search::Octree { lipschitz: 1.0 }, ..Default::default() };
/// let (mesh, cost) = method.extract(&ball, shape, 0.0)?;
/// assert_eq!(mesh.triangles.len(), 2 * (mesh.vertices.len() - 2));
/// assert!(cost.centres + cost.samples < shape.samples() / 4);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseMarchingCubes {
    /// How cells are found.
    pub search: Search,
    /// What to do on ambiguous faces.
    pub ambiguity: Ambiguity,
    /// Random points asked in each box that was left out, to find out whether the Lipschitz bound holds there.
    pub audit: usize,
}

impl Default for SparseMarchingCubes {
    fn default() -> Self {
        Self {
            search: Search::Refine { stride: 8 },
            ambiguity: Ambiguity::default(),
            audit: 0,
        }
    }
}

/// What an extraction asked of the field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SparseReport {
    /// Evaluations at centres of boxes.
    pub centres: usize,
    /// Evaluations at samples of the grid.
    pub samples: usize,
    /// Evaluations of the audit.
    pub audited: usize,
    /// Boxes (or cells) that were kept, level by level from the largest.
    pub kept: Vec<usize>,
}

/// Points asked in one call.
const BATCH: usize = 4096;

/// A box of cells: lowest cell and side, before it is cut off at the border.
#[derive(Debug, Clone, Copy)]
struct Block {
    low: [usize; 3],
    side: usize,
}

/// A field on a grid.
struct Source<'a, T: Scalar, F> {
    field: &'a F,
    shape: GridShape,
    iso: T,
}

/// A cell with surface in it.
struct Leaf<T> {
    at: [usize; 3],
    values: [T; 8],
}

impl SparseMarchingCubes {
    /// The surface of {f < iso} on a grid, and what it cost.
    ///
    /// # Errors
    /// [`MeshError::NotFinite`] for the iso value or a value at the centre of a box, [`MeshError::Sample`] for a sample,
    /// [`MeshError::Lipschitz`] when the audit finds the bound broken, [`MeshError::Option`] for a bound that is not
    /// positive or a stride that is no power of two, [`MeshError::TooLarge`] for more than 2³¹ vertices.
    pub fn extract<T: Scalar>(
        &self,
        field: &impl ScalarField<T>,
        shape: GridShape,
        iso: T,
    ) -> Result<(Mesh<T>, SparseReport), MeshError> {
        if !iso.is_finite() {
            return Err(MeshError::NotFinite {
                what: "iso value",
                value: iso.f64(),
            });
        }
        let source = Source { field, shape, iso };
        let mut report = SparseReport::default();
        let cells = shape.dims().map(|n| n - 1);
        let longest = cells.into_iter().fold(1, usize::max);
        let mut leaves = match self.search {
            Search::Blocks { lipschitz } => {
                check_bound(lipschitz)?;
                let blocks = tile(cells, 8);
                let kept = source.near(self.audit, &blocks, lipschitz, &mut report)?;
                source.blocks(&kept, &mut report)?
            }
            Search::Octree { lipschitz } => {
                check_bound(lipschitz)?;
                let root = Block {
                    low: [0; 3],
                    side: longest.next_power_of_two(),
                };
                let mut kept = source.near(self.audit, &[root], lipschitz, &mut report)?;
                while kept.first().is_some_and(|b| b.side > 1) {
                    let children: Vec<Block> =
                        kept.iter().flat_map(|b| b.children(cells)).collect();
                    kept = source.near(self.audit, &children, lipschitz, &mut report)?;
                }
                let at: Vec<[usize; 3]> = kept.iter().map(|b| b.low).collect();
                source.cells(&at, &mut HashMap::new(), &mut report)?
            }
            Search::Refine { stride } => {
                if !stride.is_power_of_two() {
                    let (what, value) = ("stride", stride as f64);
                    return Err(MeshError::Option {
                        what,
                        value,
                        range: "a power of two",
                    });
                }
                let start = tile(cells, stride.min(longest.next_power_of_two()));
                source.refine(start, &mut report)?
            }
        };
        leaves.sort_unstable_by_key(|leaf| leaf.at);
        Ok((self.assemble(&source, &leaves)?, report))
    }

    /// Triangles of the leaves, vertices by the edges of the grid.
    fn assemble<T: Scalar, F>(
        &self,
        source: &Source<'_, T, F>,
        leaves: &[Leaf<T>],
    ) -> Result<Mesh<T>, MeshError> {
        let table = table();
        let (o, h) = (source.shape.origin(), source.shape.spacing());
        let mut mesh = Mesh::default();
        let mut part = Part::default();
        let mut names = HashMap::new();
        for leaf in leaves {
            let case = source.case(&leaf.values);
            let mut edges = [0; 16];
            for (e, ends) in EDGES.iter().enumerate() {
                let [a, b] = ends.map(usize::from);
                if (case >> a ^ case >> b) & 1 == 1 {
                    let low = corner(leaf.at, a);
                    edges[e] = *names.entry((low, e / 4)).or_insert_with(|| {
                        let t = fraction(leaf.values[a], leaf.values[b], source.iso.f64());
                        mesh.vertices.push(place(o, h, low, e / 4, t));
                        mesh.vertices.len() as u32 - 1
                    });
                }
            }
            match self.ambiguity {
                Ambiguity::SeparateInside => triangles(table.entry(case, 0), &edges, &mut part),
                Ambiguity::SeparateOutside => {
                    triangles(table.entry(case, table.outside(case)), &edges, &mut part);
                }
                Ambiguity::Trilinear => {
                    let field = Trilinear::new(leaf.values.map(|v| v.f64() - source.iso.f64()));
                    let cell = Cell {
                        at: leaf.at,
                        case,
                        edges: &edges,
                    };
                    exact_cell(source.shape, field, cell, false, &mesh.vertices, &mut part);
                }
            }
        }
        if mesh.vertices.len() >= crate::crossings::LIMIT {
            return Err(MeshError::TooLarge {
                vertices: mesh.vertices.len(),
            });
        }
        join(std::slice::from_mut(&mut part), &mut mesh);
        Ok(mesh)
    }
}

fn check_bound(lipschitz: f64) -> Result<(), MeshError> {
    if lipschitz > 0.0 {
        return Ok(());
    }
    let (what, value) = ("Lipschitz bound", lipschitz);
    Err(MeshError::Option {
        what,
        value,
        range: "a positive number",
    })
}

/// Blocks that cover the cells.
fn tile(cells: [usize; 3], side: usize) -> Vec<Block> {
    let [a, b, c] = cells.map(|n| n.div_ceil(side));
    (0..a * b * c)
        .map(|m| Block {
            low: unflatten([a, b, c], m).map(|x| x * side),
            side,
        })
        .collect()
}

/// The sample at a corner of a cell.
fn corner(at: [usize; 3], c: usize) -> [usize; 3] {
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

    fn children(&self, cells: [usize; 3]) -> impl Iterator<Item = Block> {
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
    /// Values at points, on the threads of the caller's pool.
    fn ask(&self, points: &[[T; 3]]) -> Vec<T> {
        let mut values = vec![T::zero(); points.len()];
        values
            .par_chunks_mut(BATCH)
            .zip(points.par_chunks(BATCH))
            .for_each(|(v, p)| self.field.eval(p, v));
        values
    }

    /// Values at samples of the grid.
    fn sample(&self, at: &[[usize; 3]]) -> Result<Vec<T>, MeshError> {
        let points: Vec<[T; 3]> = at.iter().map(|&s| self.shape.point(s).map(T::of)).collect();
        let values = self.ask(&points);
        match values.iter().position(|v| !v.is_finite()) {
            Some(bad) => Err(MeshError::Sample {
                index: at[bad],
                value: values[bad].f64(),
            }),
            None => Ok(values),
        }
    }

    /// The blocks that may hold surface.
    fn near(
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
        let values = self.ask(&centres);
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
        let found = self.ask(&points);
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
    fn blocks(
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
    fn cells(
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

    /// Refines cells whose corners differ, down to single ones, and follows the surface from there.
    fn refine(
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
    fn case(&self, values: &[T; 8]) -> u8 {
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
