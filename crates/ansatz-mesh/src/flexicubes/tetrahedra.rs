//! Tetrahedra that fill the inside of a surface.

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use super::grid::Around;
use super::sheets::Cells;
use super::{FlexiParameters, FlexiSplit, FlexiSurface, HexGrid};
use crate::MeshError;
use crate::cube::EDGES;

/// A mesh of tetrahedra; those of positive volume have (v₁ − v₀, v₂ − v₀, v₃ − v₀) right-handed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TetMesh<T: Scalar> {
    /// Positions.
    pub vertices: Vec<Point3<T>>,
    /// Four vertices each.
    pub tetrahedra: Vec<[u32; 4]>,
}

impl<T: Scalar> FlexiSurface<T> {
    /// Fills the inside: each triangle with the inside end of its grid edge, and around each grid edge inside one
    /// tetrahedron for each of the four pairs of neighbouring cells, through their vertices or centres. Grid and parameters
    /// are those of the surface. Vertices are those of the surface, then the inside vertices of the grid, then the centres
    /// of cells inside. Thin tetrahedra near the surface may be inverted; the volumes add up to that of the surface.
    ///
    /// # Errors
    /// [`MeshError::Count`] for a grid of another size than that of the surface, or parameters that do not fit it; in
    /// particular surfaces of a [`super::OctreeGrid`] are not filled.
    pub fn tetrahedra(
        &self,
        grid: &HexGrid,
        parameters: &FlexiParameters<'_, T>,
    ) -> Result<TetMesh<T>, MeshError> {
        parameters.check(grid)?;
        let (own, given) = (self.sizes, grid.sizes());
        for (what, expected, found) in [
            ("vertices of the grid", own.vertices, given.vertices),
            ("weights of the grid", own.beta, given.beta),
            ("edges of three cells", 0, self.triangles.len()),
        ] {
            if expected != found {
                return Err(MeshError::Count {
                    what,
                    expected,
                    found,
                });
            }
        }
        let values = parameters.values;
        let mut out = TetMesh {
            vertices: self.mesh.vertices.clone(),
            tetrahedra: Vec::new(),
        };
        let mut inside = vec![u32::MAX; grid.vertices()];
        for (v, value) in values.iter().enumerate() {
            if *value < T::zero() {
                inside[v] = out.vertices.len() as u32;
                out.vertices.push(parameters.points[v]);
            }
        }
        let each = match self.split {
            FlexiSplit::Training => 4,
            FlexiSplit::Evaluation => 2,
        };
        for (t, &[a, b, c]) in self.mesh.triangles.iter().enumerate() {
            let base = inside[self.quads[t / each].inside as usize];
            out.tetrahedra.push([base, a, b, c]);
        }
        let active = grid.active(values);
        let cells = (0..grid.cells().len() as u32).filter(|&c| grid.case(c as usize, values) != 0);
        let mut centres: BTreeMap<u32, u32> = BTreeMap::new();
        let edges = grid.edges_around(values, cells, |a, b| a && b);
        let mut full: Vec<u32> = edges
            .iter()
            .flat_map(|e| e.cells.map(|(cell, _)| cell))
            .filter(|&cell| grid.case(cell as usize, values) == 255)
            .collect();
        full.sort_unstable();
        full.dedup();
        for cell in full {
            centres.insert(cell, out.vertices.len() as u32);
            let sum: Vector3<f64> = grid.cells()[cell as usize]
                .iter()
                .map(|&v| parameters.points[v as usize].coords.map(Scalar::f64))
                .sum();
            out.vertices.push(Point3::from((sum / 8.0).map(T::of)));
        }
        for Around { ends, cells } in edges {
            for m in 0..4 {
                let pair = [cells[m], cells[(m + 1) % 4]];
                let name = |(cell, _): (u32, u8), (other, _): (u32, u8)| {
                    if let Some(&centre) = centres.get(&cell) {
                        return centre;
                    }
                    let at = active.partition_point(|a| a.cell < cell);
                    // A crossed edge of the face that the pair shares tells the loop; without one there is one loop.
                    let corners = &grid.cells()[cell as usize];
                    let shared = &grid.cells()[other as usize];
                    let arc = active[at].entry.all_edges().iter().find(|&&f| {
                        let ends = EDGES[usize::from(f)].map(|c| corners[usize::from(c)]);
                        ends.iter().all(|v| shared.contains(v))
                    });
                    let group = arc.map_or(0, |&f| active[at].entry.of_edge[usize::from(f)]);
                    active[at].first + u32::from(group)
                };
                let (a, b) = (name(pair[0], pair[1]), name(pair[1], pair[0]));
                let [low, high] = ends.map(|v| inside[v as usize]);
                out.tetrahedra.push([low, high, a, b]);
            }
        }
        Ok(out)
    }
}
