//! Tensor grids: all combinations of rows of coordinates.

use ansatz_autodiff::Array;

/// One side of a tensor grid: coordinates `[n, c]` of its points, for c columns from `column` on.
#[derive(Debug, Clone, Copy)]
pub struct GridSide<'g> {
    /// The first of the columns of a point that it holds.
    pub column: usize,
    /// Rows of coordinates.
    pub values: Array<'g>,
}

impl<'g> GridSide<'g> {
    /// One side for each coordinate, `[nₖ, 1]`, in their order.
    pub fn each(coordinates: &[Array<'g>]) -> Vec<Self> {
        let side = |(column, values): (usize, &Array<'g>)| Self {
            column,
            values: *values,
        };
        coordinates.iter().enumerate().map(side).collect()
    }

    /// The points of a grid, one a row, the last side running fastest: `[Πn, Σc]`.
    ///
    /// # Panics
    /// For a grid without sides, or sides that are no matrices.
    #[must_use]
    #[track_caller]
    pub fn points(sides: &[Self]) -> Array<'g> {
        assert!(!sides.is_empty(), "a grid without sides");
        let mut full = Self::sizes(sides);
        let mut parts: Vec<(usize, Array<'g>)> = Vec::new();
        for (k, side) in sides.iter().enumerate() {
            let columns = side.values.shape()[1];
            full.push(columns);
            let values = Self::across(sides, k, columns).broadcast(&full);
            full.pop();
            parts.push((side.column, values));
        }
        parts.sort_by_key(|(column, _)| *column);
        let parts: Vec<Array<'g>> = parts.into_iter().map(|(_, part)| part).collect();
        let count = full.iter().product();
        let all = Array::concatenate(&parts, full.len());
        all.reshape(&[count, all.shape().last().copied().unwrap_or(0)])
    }

    /// The coordinates of one side where they are broadcast over the grid: `[1, …, n, …, 1, columns]`.
    fn across(sides: &[Self], k: usize, columns: usize) -> Array<'g> {
        let mut shape = vec![1; sides.len()];
        shape[k] = sides[k].values.shape()[0];
        shape.push(columns);
        sides[k].values.reshape(&shape)
    }

    /// The coordinate of a column where it is broadcast over values `[n₀, n₁, …, m]`: `[1, …, n, …, 1, 1]`; `None` where no side has it.
    pub fn coordinate(sides: &[Self], column: usize) -> Option<Array<'g>> {
        let holds =
            |side: &Self| (side.column..side.column + side.values.shape()[1]).contains(&column);
        let k = sides.iter().position(holds)?;
        let all = Self::across(sides, k, sides[k].values.shape()[1]);
        let (axis, at) = (sides.len(), column - sides[k].column);
        Some(all.narrow(axis, at, at + 1))
    }

    /// Numbers of rows.
    #[must_use]
    pub fn sizes(sides: &[Self]) -> Vec<usize> {
        sides.iter().map(|side| side.values.shape()[0]).collect()
    }

    /// Values at the points of a grid, `[Πn, m]`, in its shape: `[n₀, n₁, …, m]`.
    ///
    /// # Panics
    /// For another number of values.
    #[must_use]
    #[track_caller]
    pub fn spread(sides: &[Self], values: Array<'g>) -> Array<'g> {
        let mut shape = Self::sizes(sides);
        shape.push(values.shape()[1]);
        values.reshape(&shape)
    }
}
