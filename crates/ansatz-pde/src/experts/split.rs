//! Grids cut into equal parts, and derivatives of functions on them.

use ansatz_autodiff::Array;
use ansatz_core::Key;

use crate::PdeError;
use crate::error::{expect, within};

/// A grid, numbered row by row, cut into equal parts along its axes: the router of experts.
///
/// ```
/// use ansatz_pde::experts::Split;
/// let split = Split::new(&[2, 6], &[1, 3])?;
/// assert_eq!(split.cells(1), [2, 3, 8, 9]);
/// assert!(Split::new(&[2, 7], &[1, 3]).is_err());
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    shape: Vec<usize>,
    parts: Vec<usize>,
}

impl Split {
    /// A grid of this shape in so many parts along each axis.
    ///
    /// # Errors
    /// [`PdeError::IndivisibleSplit`], [`PdeError::Width`] for another number of axes, [`PdeError::Option`] for no parts.
    pub fn new(shape: &[usize], parts: &[usize]) -> Result<Self, PdeError> {
        expect("axes that are cut", shape.len(), parts.len())?;
        for (axis, (points, parts)) in shape.iter().zip(parts).enumerate() {
            within("parts", *parts as f64, 1.0.., "1 or more")?;
            if points % parts != 0 || *points == 0 {
                return Err(PdeError::IndivisibleSplit {
                    axis,
                    points: *points,
                    parts: *parts,
                });
            }
        }
        Ok(Self {
            shape: shape.to_vec(),
            parts: parts.to_vec(),
        })
    }

    /// Number of parts.
    #[must_use]
    pub fn experts(&self) -> usize {
        self.parts.iter().product()
    }

    /// The part of a point.
    #[must_use]
    pub fn expert(&self, point: usize) -> usize {
        let (mut rest, mut step, mut expert) = (point, 1, 0);
        for (points, parts) in self.shape.iter().zip(&self.parts).rev() {
            expert += rest % points / (points / parts) * step;
            rest /= points;
            step *= parts;
        }
        expert
    }

    /// The points of a part, in ascending order.
    #[must_use]
    pub fn cells(&self, expert: usize) -> Vec<usize> {
        let all = 0..self.shape.iter().product();
        all.filter(|point| self.expert(*point) == expert).collect()
    }

    /// `count` points of each part, drawn without repetition, part by part.
    ///
    /// # Errors
    /// [`PdeError::Option`] for more than a part has.
    pub fn sample(&self, count: usize, key: Key) -> Result<Vec<usize>, PdeError> {
        let each = self.shape.iter().product::<usize>() / self.experts();
        within(
            "count",
            count as f64,
            0.0..=each as f64,
            "at most the points of a part",
        )?;
        let mut all = Vec::with_capacity(count * self.experts());
        for expert in 0..self.experts() {
            let mut cells = self.cells(expert);
            // The first steps of a shuffle.
            for i in 0..count {
                let [u, _] = key.uniform(expert as u64, i as u64);
                let j = i + (u * (each - i) as f64) as usize;
                cells.swap(i, j.min(each - 1));
            }
            all.extend_from_slice(&cells[..count]);
        }
        Ok(all)
    }

    /// The field b·ω on the grid, `[points]`, of functions `[points, N]` and weights `[K, N]`.
    ///
    /// # Errors
    /// [`PdeError::Width`] for other shapes.
    pub fn assemble<'g>(
        &self,
        basis: Array<'g>,
        weights: Array<'g>,
    ) -> Result<Array<'g>, PdeError> {
        let (points, experts) = (self.shape.iter().product::<usize>(), self.experts());
        let [b, w] = [basis.shape(), weights.shape()];
        expect(
            "axes of the basis and of the weights",
            4,
            b.rank() + w.rank(),
        )?;
        expect("points of the basis", points, b[0])?;
        expect("experts", experts, w[0])?;
        expect("weights of an expert", b[1], w[1])?;
        let order: Vec<usize> = (0..experts).flat_map(|e| self.cells(e)).collect();
        let mut back = vec![0; points];
        for (place, point) in order.iter().enumerate() {
            back[*point] = place;
        }
        let parts = basis
            .take(0, &order)
            .reshape(&[experts, points / experts, b[1]]);
        let fields = parts.matmul(weights.reshape(&[experts, b[1], 1]));
        Ok(fields.reshape(&[points]).take(0, &back))
    }
}

/// The first or second derivative along an axis of an equidistant grid, by differences of second order, at the ends
/// one-sided.
///
/// # Errors
/// [`PdeError::Option`] for a spacing that is not above 0, [`PdeError::Order`] for another order, [`PdeError::Width`] for
/// less than four points.
pub fn differences<'g>(
    values: Array<'g>,
    (axis, spacing): (usize, f64),
    order: usize,
) -> Result<Array<'g>, PdeError> {
    within("spacing", spacing, f64::MIN_POSITIVE.., "a number above 0")?;
    let n = values.shape().get(axis).copied().unwrap_or(0);
    expect("points along the axis, at least", 4, n.min(4))?;
    // Weights of the first four points, then of a point and its neighbours.
    let (first, middle, scale): ([f64; 4], [f64; 3], f64) = match order {
        1 => ([-1.5, 2.0, -0.5, 0.0], [-0.5, 0.0, 0.5], spacing.recip()),
        2 => (
            [2.0, -5.0, 4.0, -1.0],
            [1.0, -2.0, 1.0],
            (spacing * spacing).recip(),
        ),
        _ => return Err(PdeError::Order { order, most: 2 }),
    };
    let sum = |weights: &[f64], from: &dyn Fn(usize) -> Array<'g>| {
        let terms = weights
            .iter()
            .enumerate()
            .map(|(i, w)| from(i) * (w * scale));
        terms.reduce(|a, b| a + b)
    };
    let one = |i: usize| values.narrow(axis, i, i + 1);
    let sign = if order == 1 { -1.0 } else { 1.0 };
    let start = sum(&first, &one);
    let inside = sum(&middle, &|i| values.narrow(axis, i, n - 2 + i));
    let last = first.map(|w| w * sign);
    let end = sum(&last, &|i| one(n - 1 - i));
    let parts: Vec<Array<'g>> = [start, inside, end].into_iter().flatten().collect();
    Ok(Array::concatenate(&parts, axis))
}
