//! Surface nets of labels: the interfaces between several materials, which meet without gaps.
//!
//! Each cell whose corners differ gets one vertex at the mean of the middles of its edges between different labels, each
//! such edge a quad between its two labels. Vertices are shared by all interfaces of a cell, so that materials touch along
//! curves and in points as the voxels do; edges of more than two quads are those curves. [`LabelNets::relaxation`] smooths
//! the stairs within their cells.
//!
//! Cost: one comparison of eight labels for each cell, then proportional to the interfaces.
//!
//! Source: S. Gibson, Constrained elastic surface nets: generating smooth surfaces from binary segmented data (1998).

use nalgebra::Point3;

use ansatz_core::Scalar;

use crate::crossings::LIMIT;
use crate::cube::{EDGES, OTHERS};
use crate::surface_nets::relax;
use crate::{GridShape, Mesh, MeshError, QuadMesh, QuadSplit};

/// Surface nets of labels and their options.
///
/// ```
/// use ansatz_mesh::{GridShape, LabelNets};
///
/// // Three slabs: 0, 1 and 2.
/// let shape = GridShape::new([4, 4, 9], [0.0; 3], [1.0; 3])?;
/// let labels: Vec<u8> = (0..shape.samples()).map(|s| (s % 9 / 3) as u8).collect();
/// let interfaces = LabelNets::default().extract::<f64, _>(shape, &labels)?;
/// let between = |pair| interfaces.labels.iter().filter(|p| **p == pair).count();
/// // 2×2 quads between neighbours, which is 8 triangles, and none between 0 and 2.
/// assert_eq!((between([0, 1]), between([1, 2]), between([0, 2])), (8, 8, 0));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelNets {
    /// Rounds of relaxation, each of which moves every vertex to the mean of its neighbours, but not out of its cell.
    pub relaxation: usize,
    /// How quads become triangles.
    pub split: QuadSplit,
}

/// Interfaces between labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelMesh<T: Scalar, L> {
    /// Triangles of all interfaces.
    pub mesh: Mesh<T>,
    /// The labels on both sides of each triangle, the smaller one first. Normals point to the larger one.
    pub labels: Vec<[L; 2]>,
}

impl LabelNets {
    /// The interfaces of labelled samples.
    ///
    /// # Errors
    /// [`MeshError::Length`] unless there is one label for each sample, [`MeshError::TooLarge`] for more than 2³¹ vertices.
    pub fn extract<T: Scalar, L: Copy + Ord>(
        &self,
        shape: GridShape,
        labels: &[L],
    ) -> Result<LabelMesh<T, L>, MeshError> {
        let dims = shape.dims();
        if labels.len() != shape.samples() {
            let (expected, found) = (shape.samples(), labels.len());
            return Err(MeshError::Length {
                dims,
                expected,
                found,
            });
        }
        let [n0, n1, n2] = dims;
        let strides = [n1 * n2, n2, 1];
        let mut quads = QuadMesh::default();
        let mut pairs = Vec::new();
        let mut cells: Vec<[u32; 3]> = Vec::new();
        // Vertices of the cells of this slab and of the one before.
        let mut slabs = [vec![0_u32; n1 * n2], vec![0_u32; n1 * n2]];
        for i in 0..n0 - 1 {
            for j in 0..n1 - 1 {
                for k in 0..n2 - 1 {
                    let at = i * strides[0] + j * strides[1] + k;
                    let corner: [L; 8] = std::array::from_fn(|c| {
                        labels[at + (c & 1) * strides[0] + (c >> 1 & 1) * strides[1] + (c >> 2)]
                    });
                    if corner[1..].iter().all(|l| *l == corner[0]) {
                        continue;
                    }
                    slabs[i % 2][j * n2 + k] = quads.vertices.len() as u32;
                    quads.vertices.push(vertex(shape, [i, j, k], &corner));
                    cells.push([i, j, k].map(|x| x as u32));
                    for axis in 0..3 {
                        let [p, q] = OTHERS[axis];
                        let cell = [i, j, k];
                        let ends = [corner[0], corner[1 << axis]];
                        if ends[0] == ends[1] || cell[p] == 0 || cell[q] == 0 {
                            continue;
                        }
                        let around = [(1, 1), (0, 1), (0, 0), (1, 0)].map(|(op, oq)| {
                            let mut at = cell;
                            at[p] -= op;
                            at[q] -= oq;
                            slabs[at[0] % 2][at[1] * n2 + at[2]]
                        });
                        // The cells go round p × q, which is −y for the axis y.
                        let [a, b, c, d] = around;
                        let ahead = (ends[0] < ends[1]) != (axis == 1);
                        quads
                            .quads
                            .push(if ahead { [a, b, c, d] } else { [a, d, c, b] });
                        pairs.push([ends[0].min(ends[1]), ends[0].max(ends[1])]);
                    }
                }
            }
        }
        if quads.vertices.len() >= LIMIT {
            return Err(MeshError::TooLarge {
                vertices: quads.vertices.len(),
            });
        }
        if self.relaxation > 0 {
            relax(shape, &cells, self.relaxation, &mut quads);
        }
        let mesh = quads.triangulate(self.split);
        let each = mesh.triangles.len() / quads.quads.len().max(1);
        let labels = pairs
            .into_iter()
            .flat_map(|pair| std::iter::repeat_n(pair, each))
            .collect();
        Ok(LabelMesh { mesh, labels })
    }
}

/// The mean of the middles of a cell's edges between different labels.
fn vertex<T: Scalar, L: Eq>(shape: GridShape, cell: [usize; 3], corner: &[L; 8]) -> Point3<T> {
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (e, [a, b]) in EDGES.iter().enumerate() {
        if corner[usize::from(*a)] != corner[usize::from(*b)] {
            count += 1.0;
            for (axis, s) in sum.iter_mut().enumerate() {
                *s += if axis == e / 4 {
                    0.5
                } else {
                    f64::from(a >> axis & 1)
                };
            }
        }
    }
    let (o, h) = (shape.origin(), shape.spacing());
    Point3::from(std::array::from_fn(|a| {
        T::of(o[a] + (cell[a] as f64 + sum[a] / count) * h[a])
    }))
}
