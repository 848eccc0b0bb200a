//! Grids of cells that are fluid, air or solid.

use crate::LinalgError;
use crate::error::shape;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cell {
    /// An unknown.
    #[default]
    Fluid,
    /// The value 0 (Dirichlet).
    Air,
    /// No flux through its faces (Neumann).
    Solid,
}

/// What lies behind one side of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// Solid: no flux (Neumann).
    #[default]
    Wall,
    /// Air: the value 0 in the cells behind (Dirichlet).
    Open,
}

/// A box of cells in one, two or three dimensions. Cell (i, j, k) has the number i + Nx·(j + Ny·k).
///
/// ```
/// use ansatz_linalg::operator::{Cell, Face::{Open, Wall}, Grid};
/// // A tank of 8×8 cells, open at the top, with a block in it.
/// let tank = Grid::new(&[8, 8], &[[Wall, Wall], [Wall, Open]])?
///     .with_cells(|[i, j, _]| if (2..5).contains(&i) && j < 3 { Cell::Solid } else { Cell::Fluid });
/// assert_eq!(tank.fluid_cells(), 55);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    shape: [usize; 3],
    faces: [[Face; 2]; 3],
    cells: Vec<Cell>,
    dimensions: usize,
}

impl Grid {
    /// A box of fluid: its number of cells and what lies behind the low and the high side, axis by axis.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for no axis, more than three, an axis without cells, or as many pairs of faces as there
    /// are not axes.
    pub fn new(cells: &[usize], faces: &[[Face; 2]]) -> Result<Self, LinalgError> {
        let dimensions = cells.len();
        if !(1..=3).contains(&dimensions) {
            return Err(LinalgError::Shape {
                what: "axes of a grid (one to three)",
                expected: 3,
                got: dimensions,
            });
        }
        shape("pairs of faces", dimensions, faces.len())?;
        if cells.contains(&0) {
            return Err(LinalgError::Shape {
                what: "cells along an axis (at least)",
                expected: 1,
                got: 0,
            });
        }
        let mut size = [1; 3];
        let mut around = [[Face::Wall; 2]; 3];
        size[..dimensions].copy_from_slice(cells);
        around[..dimensions].copy_from_slice(faces);
        let count = size.iter().try_fold(1_usize, |n, m| n.checked_mul(*m));
        let count = count.ok_or(LinalgError::TooLarge {
            what: "grid",
            needed: usize::MAX,
            limit: isize::MAX as usize,
        })?;
        Ok(Self {
            shape: size,
            faces: around,
            cells: vec![Cell::Fluid; count],
            dimensions,
        })
    }

    /// The same box with other cells.
    #[must_use]
    pub fn with_cells(mut self, kind: impl Fn([usize; 3]) -> Cell) -> Self {
        let [nx, ny, _] = self.shape;
        for (c, cell) in self.cells.iter_mut().enumerate() {
            *cell = kind([c % nx, c / nx % ny, c / (nx * ny)]);
        }
        self
    }

    /// Cells along the three axes, 1 for axes that are not there.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// What lies behind the sides.
    pub fn faces(&self) -> [[Face; 2]; 3] {
        self.faces
    }

    /// Number of axes.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The cells in order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Number of cells.
    #[expect(clippy::len_without_is_empty, reason = "a grid has cells")]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Number of unknowns.
    pub fn fluid_cells(&self) -> usize {
        self.cells.iter().filter(|c| **c == Cell::Fluid).count()
    }

    /// What lies beside cell `c` (of place `at`): the cells in the order −x, +x, −y, +y, −z, +z, the number of each
    /// where it is in the box. Axes that are not there have walls.
    pub(crate) fn neighbours(&self, at: [usize; 3]) -> [(Cell, Option<usize>); 6] {
        let [nx, ny, _] = self.shape;
        let stride = [1, nx, nx * ny];
        let c = at[0] + nx * (at[1] + ny * at[2]);
        std::array::from_fn(|side| {
            let (axis, high) = (side / 2, side % 2);
            let inside = if high == 1 {
                (at[axis] + 1 < self.shape[axis]).then(|| c + stride[axis])
            } else {
                (at[axis] > 0).then(|| c - stride[axis])
            };
            match inside {
                Some(n) => (self.cells[n], Some(n)),
                None => match self.faces[axis][high] {
                    Face::Wall => (Cell::Solid, None),
                    Face::Open => (Cell::Air, None),
                },
            }
        })
    }

    /// The place of a cell.
    pub(crate) fn place(&self, c: usize) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        [c % nx, c / nx % ny, c / (nx * ny)]
    }

    /// Fluid regions that touch no air: the solution is known in each up to a constant.
    pub(crate) fn floating(&self) -> Vec<Vec<usize>> {
        if self.cells.iter().all(|c| *c == Cell::Fluid) {
            // One region.
            let open = self.faces.iter().flatten().any(|f| *f == Face::Open);
            return if open {
                Vec::new()
            } else {
                vec![(0..self.len()).collect()]
            };
        }
        let mut seen = vec![false; self.len()];
        let mut found = Vec::new();
        for start in 0..self.len() {
            if seen[start] || self.cells[start] != Cell::Fluid {
                continue;
            }
            seen[start] = true;
            let (mut region, mut next, mut anchored) = (vec![start], 0, false);
            while next < region.len() {
                for (kind, n) in self.neighbours(self.place(region[next])) {
                    match (kind, n) {
                        (Cell::Air, _) => anchored = true,
                        (Cell::Fluid, Some(n)) if !seen[n] => {
                            seen[n] = true;
                            region.push(n);
                        }
                        _ => {}
                    }
                }
                next += 1;
            }
            if !anchored {
                found.push(region);
            }
        }
        found
    }
}
