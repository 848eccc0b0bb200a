//! Grids of a box.

use super::GridAt;

/// A grid of the unit cube, first coordinate slowest.
pub(super) struct Lattice {
    counts: Vec<usize>,
    at: GridAt,
}

impl Lattice {
    /// The smallest grid found of at least `n` points, cells near to cubes in a box of these extents.
    pub(super) fn new(n: usize, extents: &[f64], at: GridAt) -> Self {
        let d = extents.len() as f64;
        // In logarithms: volumes in high dimension leave the range of numbers.
        let volume: f64 = extents.iter().map(|e| libm::log(*e)).sum();
        let side = libm::exp((libm::log(n.max(1) as f64) - volume) / d);
        let mut counts: Vec<usize> = extents
            .iter()
            .map(|e| ((side * e * (1.0 - 1e-9)) as usize).max(1))
            .collect();
        let enough = |counts: &[usize]| {
            let mut product = 1_usize;
            counts.iter().any(|c| {
                product = product.saturating_mul(*c);
                product >= n
            })
        };
        while !enough(&counts) {
            // The axis with the longest cells gets one more.
            let longest = (0..counts.len()).fold(0, |best, k| {
                let cell = |k: usize| extents[k] / counts[k] as f64;
                if cell(k) > cell(best) { k } else { best }
            });
            counts[longest] += 1;
        }
        if n == 0 {
            counts[0] = 0;
        }
        Self { counts, at }
    }

    pub(super) fn len(&self) -> usize {
        self.counts.iter().product()
    }

    pub(super) fn fill(&self, mut i: usize, row: &mut [f64]) {
        for (x, m) in row.iter_mut().zip(&self.counts).rev() {
            let k = (i % m) as f64;
            i /= m;
            *x = match self.at {
                GridAt::Nodes if *m > 1 => k / (*m as f64 - 1.0),
                _ => (k + 0.5) / *m as f64,
            };
        }
    }
}
