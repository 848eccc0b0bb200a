//! A grid of one coordinate, and how matrices on it are kept.

use faer::Mat;

/// A grid as a kernel sees it.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) points: Vec<f64>,
    /// Those of a uniform grid, or of every pair i ≥ j at i(i + 1)/2 + j.
    pub(super) distances: Vec<f64>,
    uniform: bool,
}

impl Axis {
    pub(super) fn new(points: &[f64]) -> Self {
        let n = points.len();
        let (first, last) = (points[0], points[n - 1]);
        let step = (last - first) / (n - 1) as f64;
        // Two roundings of points, and one of the step for each.
        let slack = 8.0 * f64::EPSILON * first.abs().max(last.abs());
        let uniform = (0..n).all(|i| (points[i] - (first + i as f64 * step)).abs() <= slack);
        let distances = if uniform {
            (0..n).map(|i| i as f64 * step).collect()
        } else {
            (0..n)
                .flat_map(|i| (0..=i).map(move |j| (i, j)))
                .map(|(i, j)| points[i] - points[j])
                .collect()
        };
        Self {
            points: points.to_vec(),
            distances,
            uniform,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// The largest distance between neighbours.
    pub(super) fn widest_step(&self) -> f64 {
        let steps = self.points.windows(2).map(|p| p[1] - p[0]);
        steps.fold(0.0, f64::max)
    }

    /// Where the kernel's value for entry (i, j), i ≥ j, is.
    pub(super) fn place(&self, i: usize, j: usize) -> usize {
        if self.uniform {
            i - j
        } else {
            i * (i + 1) / 2 + j
        }
    }

    pub(super) fn fill(&self, order: usize, values: &[f64], out: &mut Mat<f64>) {
        let below = if order == 1 { -1.0 } else { 1.0 };
        for j in 0..self.len() {
            for i in j..self.len() {
                let value = values[self.place(i, j)];
                out[(i, j)] = value;
                out[(j, i)] = below * value;
            }
        }
    }
}

/// Bytes of a factor, the Toeplitz form being linear.
pub(super) fn bytes(n: usize, form: Form, orders: [bool; 3]) -> usize {
    match form {
        Form::Toeplitz => 40 * 8 * n,
        Form::Dense => {
            let derivatives = orders.iter().filter(|o| **o).count();
            let matrices = 2 + 2 * derivatives;
            n.saturating_mul(n).saturating_mul(8 * matrices)
        }
    }
}

/// How the matrices are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Toeplitz,
    Dense,
}

/// The form for a grid among `dimensions`.
pub(super) fn form(axis: &Axis, dimensions: usize) -> Form {
    if dimensions == 1 && axis.uniform {
        Form::Toeplitz
    } else {
        Form::Dense
    }
}
