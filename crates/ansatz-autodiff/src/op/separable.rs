//! Linear maps along the trailing axes, one after the other: average pooling and resampling.
//!
//! y = (A₁ ⊗ A₂ ⊗ …)·x with a sparse matrix for each axis, computed in double precision when the program is
//! compiled. The transpose has the transposed matrices. Cost: two operations for each entry of a matrix
//! and each line that it is applied to.

use super::convolution::Axis;
use super::resample::Grid;
use super::{Kernel, Prepared, Primitive, Rule, Split};
use crate::compile::Element;
use crate::{Array, Shape};

/// A sparse matrix that is applied along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// Means over windows, divided by the length of the window.
    Mean(Axis),
    /// Means over the elements of windows that are inside.
    MeanInside(Axis),
    /// The nearest element.
    Nearest(usize, usize, Grid),
    /// The line through the two nearest elements.
    Linear(usize, usize, Grid),
}

impl Along {
    /// Columns and rows.
    fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Mean(a) | Self::MeanInside(a) => (a.input, a.output),
            Self::Nearest(from, to, _) | Self::Linear(from, to, _) => (*from, *to),
        }
    }

    fn numbers(&self) -> Vec<u64> {
        let grid = |from: usize, to: usize, grid: Grid| vec![from as u64, to as u64, grid as u64];
        let (kind, mut list) = match self {
            Self::Mean(a) => (0, a.numbers().to_vec()),
            Self::MeanInside(a) => (1, a.numbers().to_vec()),
            Self::Nearest(from, to, g) => (2, grid(*from, *to, *g)),
            Self::Linear(from, to, g) => (3, grid(*from, *to, *g)),
        };
        list.push(kind);
        list
    }

    /// Columns and values of the entries of row `o`.
    fn row(&self, o: usize) -> Vec<(usize, f64)> {
        match *self {
            Self::Mean(axis) | Self::MeanInside(axis) => {
                let inside: Vec<usize> = (0..axis.kernel)
                    .filter_map(|t| axis.element(o, t))
                    .collect();
                let count = match self {
                    Self::Mean(_) => axis.kernel,
                    _ => inside.len(),
                };
                inside.iter().map(|i| (*i, 1.0 / count as f64)).collect()
            }
            Self::Nearest(from, to, grid) => {
                let at = (grid.position(o, from, to) + 0.5).floor().max(0.0);
                vec![((at as usize).min(from - 1), 1.0)]
            }
            Self::Linear(from, to, grid) => {
                let at = grid.position(o, from, to).clamp(0.0, (from - 1) as f64);
                let i = at.floor();
                let (low, part) = (i as usize, at - i);
                let mut row = vec![(low, 1.0 - part)];
                if part > 0.0 {
                    row.push((low + 1, part));
                }
                row
            }
        }
    }

    fn entries(&self) -> usize {
        (0..self.lengths().1).map(|o| self.row(o).len()).sum()
    }

    fn matrix(&self, direction: Direction) -> Sparse {
        let (from, to) = self.lengths();
        let mut rows: Vec<Vec<(usize, f64)>> = (0..to).map(|o| self.row(o)).collect();
        if direction == Direction::Transposed {
            let mut columns = vec![Vec::new(); from];
            for (o, row) in rows.iter().enumerate() {
                for (i, w) in row {
                    columns[*i].push((o, *w));
                }
            }
            rows = columns;
        }
        let columns = match direction {
            Direction::Plain => from,
            Direction::Transposed => to,
        };
        Sparse { columns, rows }
    }
}

/// Whether the matrices are transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Plain,
    Transposed,
}

/// A linear map along each of the last axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separable {
    name: [&'static str; 2],
    maps: Vec<Along>,
    direction: Direction,
}

impl Separable {
    /// `name` is that of the map and of its transpose.
    pub(super) fn new(name: [&'static str; 2], maps: Vec<Along>) -> Self {
        Self {
            name,
            maps,
            direction: Direction::Plain,
        }
    }

    /// For each axis the rows of its matrix: columns and values.
    #[cfg(feature = "cuda")]
    pub(crate) fn rows(&self) -> Vec<Vec<Vec<(usize, f64)>>> {
        let rows = |map: &Along| map.matrix(self.direction).rows;
        self.maps.iter().map(rows).collect()
    }

    /// Lengths of an axis before and after.
    fn lengths(&self, map: &Along) -> (usize, usize) {
        let (from, to) = map.lengths();
        match self.direction {
            Direction::Plain => (from, to),
            Direction::Transposed => (to, from),
        }
    }
}

impl Primitive for Separable {
    fn name(&self) -> &'static str {
        self.name[self.direction as usize]
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        let maps = self.maps.iter().flat_map(Along::numbers);
        Some(maps.chain([self.direction as u64]).collect())
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [x] = inputs else {
            return Err("one input is needed".into());
        };
        let Some(outer) = x.rank().checked_sub(self.maps.len()) else {
            return Err(format!("{x} has less than {} axes", self.maps.len()));
        };
        let mut lengths = x.to_vec();
        for (n, map) in lengths[outer..].iter_mut().zip(&self.maps) {
            let (from, to) = self.lengths(map);
            if *n != from {
                return Err(format!("an axis has {n} elements, not {from}"));
            }
            *n = to;
        }
        Ok(Shape::new(&lengths))
    }

    fn rule(&self) -> Rule {
        Rule::Linear
    }

    fn transpose<'g>(&self, _: usize, bar: Array<'g>, _: &[Array<'g>]) -> Array<'g> {
        let direction = match self.direction {
            Direction::Plain => Direction::Transposed,
            Direction::Transposed => Direction::Plain,
        };
        let other = Self {
            direction,
            ..self.clone()
        };
        bar.graph().apply(other, &[bar])
    }

    fn split(&self, inputs: &[Shape], _: &[bool]) -> Split {
        if inputs[0].rank() > self.maps.len() {
            Split::Rows
        } else {
            Split::Whole
        }
    }

    fn prepare(&self, _: &[Shape], _: &Shape, _: &[bool]) -> Option<Prepared> {
        let matrices = self.maps.iter().map(|m| m.matrix(self.direction));
        let matrices: Vec<Sparse> = matrices.collect();
        let mut lengths: Vec<usize> = matrices.iter().map(|m| m.columns).collect();
        let plane = lengths.iter().product();
        let mut largest = 0;
        for (n, matrix) in lengths
            .clone()
            .iter()
            .enumerate()
            .rev()
            .zip(matrices.iter().rev())
        {
            lengths[n.0] = matrix.rows.len();
            largest = largest.max(lengths.iter().product());
        }
        Some(Prepared::new(Passes {
            plane,
            result: lengths.iter().product(),
            largest,
            matrices,
        }))
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        // The axes are gone through from the last to the first.
        let mut lengths = inputs[0].to_vec();
        let outer = lengths.len() - self.maps.len();
        let mut total = 0;
        for (i, map) in self.maps.iter().enumerate().rev() {
            let (from, to) = self.lengths(map);
            total += 2 * map.entries() * (lengths.iter().product::<usize>() / from);
            lengths[outer + i] = to;
        }
        total as u64
    }
}

/// The rows of a matrix: columns and values.
#[derive(Debug)]
struct Sparse {
    columns: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

impl Sparse {
    /// Applies it along the middle axis of [·, columns, inner].
    fn apply<T: Element>(&self, inner: usize, x: &[T], out: &mut [T]) {
        let blocks = x.chunks_exact(self.columns * inner);
        for (x, out) in blocks.zip(out.chunks_exact_mut(self.rows.len() * inner)) {
            for (row, out) in self.rows.iter().zip(out.chunks_exact_mut(inner)) {
                if let [out] = out {
                    let terms = row.iter().map(|(i, w)| T::of(*w) * x[*i]);
                    *out = terms.fold(T::zero(), |sum, term| sum + term);
                    continue;
                }
                out.fill(T::zero());
                for (i, w) in row {
                    let w = T::of(*w);
                    for (o, x) in out.iter_mut().zip(&x[i * inner..]) {
                        *o += w * *x;
                    }
                }
            }
        }
    }
}

/// The matrices of all axes, applied to one plane after the other.
#[derive(Debug)]
struct Passes {
    matrices: Vec<Sparse>,
    plane: usize,
    result: usize,
    /// Elements of the largest array between two passes.
    largest: usize,
}

impl<T: Element> Kernel<T> for Passes {
    fn scratch(&self) -> usize {
        2 * self.largest
    }

    fn run(&self, _: usize, inputs: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let (mut from, mut to) = scratch.split_at_mut(self.largest);
        let planes = inputs[0].chunks_exact(self.plane);
        for (x, out) in planes.zip(out.chunks_exact_mut(self.result)) {
            let (mut inner, mut length) = (1, self.plane);
            for (pass, matrix) in self.matrices.iter().rev().enumerate() {
                let next = length / matrix.columns * matrix.rows.len();
                let source = if pass == 0 { x } else { &from[..length] };
                if pass + 1 == self.matrices.len() {
                    matrix.apply(inner, source, out);
                } else {
                    matrix.apply(inner, source, &mut to[..next]);
                    std::mem::swap(&mut from, &mut to);
                }
                inner *= matrix.rows.len();
                length = next;
            }
        }
    }
}
