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

mod search;

use std::collections::HashMap;

use nalgebra::Vector3;

use ansatz_core::{Scalar, ScalarField};

use crate::crossings::{fraction, place, unit};
use crate::cube::{EDGES, Trilinear, table};
use crate::marching_cubes::{Cell, Part, exact_cell, fill_normals, join, triangles};
use crate::{Ambiguity, GridShape, Mesh, MeshError, Normals};

pub(crate) use search::ask;
use search::{Block, Leaf, Source, corner, tile};

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
    /// Whether vertices have normals. Central differences ask for the neighbours of the ends of crossed edges, too.
    pub normals: Normals,
    /// Random points asked in each box that was left out, to find out whether the Lipschitz bound holds there.
    pub audit: usize,
}

impl Default for SparseMarchingCubes {
    fn default() -> Self {
        Self {
            search: Search::Refine { stride: 8 },
            ambiguity: Ambiguity::default(),
            normals: Normals::None,
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
        let stencils = match self.normals {
            Normals::None => None,
            Normals::CentralDifferences => Some(source.stencils(&leaves, &mut report)?),
        };
        Ok((self.assemble(&source, &leaves, stencils.as_ref())?, report))
    }

    /// Triangles of the leaves, vertices by the edges of the grid.
    fn assemble<T: Scalar, F>(
        &self,
        source: &Source<'_, T, F>,
        leaves: &[Leaf<T>],
        stencils: Option<&HashMap<[usize; 3], T>>,
    ) -> Result<Mesh<T>, MeshError> {
        let table = table();
        let (o, h) = (source.shape.origin(), source.shape.spacing());
        let mut mesh = Mesh {
            normals: stencils.map(|_| Vec::new()),
            ..Mesh::default()
        };
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
                        if let (Some(normals), Some(known)) = (&mut mesh.normals, stencils) {
                            let at = |c| gradient(source.shape, corner(leaf.at, c), known);
                            normals.push(unit(at(a) + (at(b) - at(a)) * t));
                        }
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
                    let normals = stencils.is_some();
                    let (vertices, edges) = (&mesh.vertices, cell.edges);
                    let position =
                        |e: u8| vertices[edges[usize::from(e)] as usize].map(Scalar::f64);
                    exact_cell(source.shape, field, cell, normals, position, &mut part);
                }
            }
        }
        if mesh.vertices.len() >= crate::crossings::LIMIT {
            return Err(MeshError::TooLarge {
                vertices: mesh.vertices.len(),
            });
        }
        join(std::slice::from_mut(&mut part), &mut mesh);
        fill_normals(&mut mesh);
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

/// The gradient at a sample by central differences, one-sided at the border, with the operations of the dense grid.
fn gradient<T: Scalar>(
    shape: GridShape,
    at: [usize; 3],
    known: &HashMap<[usize; 3], T>,
) -> Vector3<f64> {
    let (dims, h) = (shape.dims(), shape.spacing());
    Vector3::from_fn(|axis, _| {
        let (mut low, mut high) = (at, at);
        low[axis] -= usize::from(at[axis] > 0);
        high[axis] += usize::from(at[axis] + 1 < dims[axis]);
        let scale = if high[axis] - low[axis] == 2 {
            0.5
        } else {
            1.0
        };
        let value = |at| known.get(&at).map_or(0.0, |v: &T| v.f64());
        (value(high) - value(low)) * (scale * (1.0 / h[axis]))
    })
}
