//! One coordinate of a grid: its nodes, and how derivatives are taken along it.

use std::f64::consts::{PI, TAU};

use ansatz_autodiff::Array;

use super::rows::Rows;
use super::{power, weights};
use crate::PdeError;
use crate::error::{expect, finite, within};

/// How derivatives are taken along a coordinate of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stencil {
    /// Finite differences with an error of this order in the spacing: 2, 4, 6 or 8. Central inside and on periodic axes,
    /// one-sided of the same order near ends; m + accuracy nodes for a derivative of order m.
    Differences {
        /// The order of the error.
        accuracy: usize,
    },
    /// The trigonometric polynomial through all nodes, by fast Fourier transforms: for periodic axes of equal spacing.
    /// Errors of smooth functions fall faster than any power of the spacing.
    Fourier,
    /// The polynomial through all nodes: for nodes that crowd at the ends ([`Axis::chebyshev`]), where errors of smooth
    /// functions fall as fast. On equal spacing it is unstable.
    Polynomial,
}

/// A coordinate of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    nodes: Vec<f64>,
    period: Option<f64>,
    stencil: Stencil,
}

impl Axis {
    /// Nodes that rise; with a period the last lies below the first of the next one.
    ///
    /// # Errors
    /// [`PdeError::NotFinite`]; [`PdeError::Option`] for nodes that do not rise, an accuracy that is not 2, 4, 6 or 8, and
    /// [`Stencil::Fourier`] without a period or with unequal spacing.
    pub fn new(nodes: Vec<f64>, period: Option<f64>, stencil: Stencil) -> Result<Self, PdeError> {
        finite(|| "nodes of an axis".into(), &nodes)?;
        expect("nodes of an axis, at least", 1, nodes.len().min(1))?;
        let gaps = nodes.windows(2).map(|w| w[1] - w[0]);
        let around = period.map(|p| nodes[0] + p - nodes[nodes.len() - 1]);
        let least = gaps.chain(around).fold(f64::INFINITY, f64::min);
        let positive = "nodes must rise, the last below the first of the next period";
        if least.is_finite() {
            within("gap between nodes", least, f64::MIN_POSITIVE.., positive)?;
        }
        let axis = Self {
            nodes,
            period,
            stencil,
        };
        match stencil {
            Stencil::Differences { accuracy } => {
                let size = accuracy as f64;
                within("accuracy", size, 2.0..=8.0, "2, 4, 6 or 8")?;
                within("accuracy mod 2", size % 2.0, 0.0..=0.0, "2, 4, 6 or 8")?;
            }
            Stencil::Fourier => {
                let needed = "Stencil::Fourier needs a period and equal spacing";
                let fits = f64::from(u8::from(period.is_some() && axis.is_even()));
                within("equally spaced periods of the axis", fits, 1.0.., needed)?;
            }
            Stencil::Polynomial => {}
        }
        Ok(axis)
    }

    /// Equal spacing, both ends with it.
    ///
    /// # Errors
    /// As [`Axis::new`].
    pub fn even([a, b]: [f64; 2], count: usize, stencil: Stencil) -> Result<Self, PdeError> {
        let last = count.max(2) - 1;
        let at = |i: usize| {
            let u = i as f64 / last as f64;
            a * (1.0 - u) + b * u
        };
        Self::new((0..count).map(at).collect(), None, stencil)
    }

    /// Equal spacing of a period, without its end.
    ///
    /// # Errors
    /// As [`Axis::new`].
    pub fn periodic([a, b]: [f64; 2], count: usize, stencil: Stencil) -> Result<Self, PdeError> {
        let at = |i: usize| a + (b - a) * (i as f64 / count as f64);
        Self::new((0..count).map(at).collect(), Some(b - a), stencil)
    }

    /// The extrema of a Chebyshev polynomial, ends with them, and [`Stencil::Polynomial`].
    ///
    /// # Errors
    /// As [`Axis::new`].
    pub fn chebyshev([a, b]: [f64; 2], count: usize) -> Result<Self, PdeError> {
        let last = count.max(2) - 1;
        let at = |i: usize| {
            let u = 0.5 * (1.0 - (PI * i as f64 / last as f64).cos());
            a * (1.0 - u) + b * u
        };
        Self::new((0..count).map(at).collect(), None, Stencil::Polynomial)
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// The period, if there is one.
    #[must_use]
    pub fn period(&self) -> Option<f64> {
        self.period
    }

    /// Whether nodes have equal spacing.
    fn is_even(&self) -> bool {
        let count = self.nodes.len();
        if count < 2 {
            return true;
        }
        let (first, last) = (self.nodes[0], self.nodes[count - 1]);
        let gap = match self.period {
            Some(period) => period / count as f64,
            None => (last - first) / (count - 1) as f64,
        };
        let place = |i: usize| first + gap * i as f64;
        let mut nodes = self.nodes.iter().enumerate();
        nodes.all(|(i, x)| (x - place(i)).abs() <= 1e-9 * gap)
    }

    /// The derivative of this order along axis `place` of `values` `[before, nodes, behind]`.
    pub(super) fn derivative<'g>(
        &self,
        values: Array<'g>,
        order: usize,
    ) -> Result<Array<'g>, PdeError> {
        Ok(match self.stencil {
            Stencil::Fourier => self.fourier(values, order),
            _ => self.rows(order)?.apply(values),
        })
    }

    /// Weights of the values for the derivative at each node.
    fn rows(&self, order: usize) -> Result<Rows, PdeError> {
        let count = self.nodes.len();
        let Stencil::Differences { accuracy } = self.stencil else {
            expect(
                "nodes along an axis, at least",
                order + 1,
                count.min(order + 1),
            )?;
            return Ok(Rows::of(count, count, |i| {
                let mut all = weights(self.nodes[i], &self.nodes, order);
                (0..count).zip(all.swap_remove(order)).collect()
            }));
        };
        let one_sided = order + accuracy;
        // On unequal spacing errors of opposite sides do not cancel.
        let half = if self.is_even() {
            order.div_ceil(2) + accuracy / 2 - 1
        } else {
            one_sided.div_ceil(2)
        };
        let width = (2 * half + 1).max(one_sided);
        expect("nodes along an axis, at least", width, count.min(width))?;
        Ok(Rows::of(count, width, |i| {
            // Numbered from one period before, so that none is below 0.
            let (from, taken) = match self.period {
                Some(_) => (count + i - half, 2 * half + 1),
                None if i >= half && i + half < count => (count + i - half, 2 * half + 1),
                None => {
                    let from = i.saturating_sub(one_sided / 2).min(count - one_sided);
                    (count + from, one_sided)
                }
            };
            let numbers = from..from + taken;
            let turns = |k: usize| (k / count) as f64 - 1.0;
            let index = |k: usize| k % count;
            let place = |k: usize| {
                let x = self.nodes[index(k)] - self.nodes[i];
                x + turns(k) * self.period.unwrap_or(0.0)
            };
            let places: Vec<f64> = numbers.clone().map(place).collect();
            let mut all = weights(0.0, &places, order);
            numbers.map(index).zip(all.swap_remove(order)).collect()
        }))
    }

    /// (ik)ᵐ times the spectrum; the highest frequency of an even number of nodes has no odd derivative.
    fn fourier<'g>(&self, values: Array<'g>, order: usize) -> Array<'g> {
        let count = self.nodes.len();
        let unit = TAU / self.period.unwrap_or(1.0);
        let factor = |k: usize| {
            let size = power(unit * k as f64, order);
            let size = if order % 2 == 1 && 2 * k == count {
                0.0
            } else {
                size
            };
            match order % 4 {
                0 => [size, 0.0],
                1 => [0.0, size],
                2 => [-size, 0.0],
                _ => [0.0, -size],
            }
        };
        let factors: Vec<f64> = (0..=count / 2).flat_map(factor).collect();
        let factors = values.graph().constant(&[count / 2 + 1, 2], factors);
        let spectrum = values.transpose(&[0, 2, 1]).rfft(1);
        let derived = spectrum.complex_mul(factors).irfft(1, count);
        derived.transpose(&[0, 2, 1])
    }
}
