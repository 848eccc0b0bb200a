//! Overlapping subdomains of a box, and windows that sum to one on them.
//!
//! A finite-basis network is u(x) = Σᵢ ωᵢ(x)·Nᵢ(x̂ᵢ) with one network for each subdomain, x̂ᵢ the subdomain's own coordinates in
//! [−1, 1]ᵈ, and ωᵢ = wᵢ/Σⱼ wⱼ. Subdomains are products of segments of axes, and so are windows: the sum over all subdomains
//! is the product over axes of sums over their segments, so each axis is normalised alone, at a cost of Σₖ mₖ a point for
//! Π mₖ windows.
//!
//! With r = |x − μ|/s, s half the width of a segment:
//!
//! | window | w on r ≤ 1 | continuous derivatives |
//! |---|---|---|
//! | [`Window::Cosine`] | ((1 + cos πr)/2)² | 3 |
//! | [`Window::Sigmoid`] | σ((x − a′)/l)·σ((b′ − x)/l′), a tolerance at the segment's ends | all, up to the tolerance |
//! | [`Window::Bump`] | exp(1 − 1/(1 − r²)) | all |
//! | [`Window::Wendland`] | (1 − r)⁴(4r + 1) | 2 |
//!
//! and 0 beyond. a′, b′ are the middles of the overlaps with the neighbours, l their width over 2·ln((1 − tol)/tol).
//! Networks whose window is zero at a point need not be evaluated there: [`Decomposition::active`]. With several levels, each
//! is a [`Decomposition`] of its own and their sums are added.
//!
//! References: B. Moseley, A. Markham, T. Nissen-Meyer, *Finite basis physics-informed neural networks (FBPINNs)*, 2023; V. Dolean,
//! A. Heinlein, S. Mishra, B. Moseley, *Multilevel domain decomposition-based architectures for physics-informed neural networks*,
//! 2024; H. Wendland, *Piecewise polynomial, positive definite and compactly supported radial functions of minimal degree*, 1995.

use std::f64::consts::PI;

use ansatz_autodiff::Array;
use rayon::prelude::*;

use crate::geometry::error::{finite, positive};
use crate::geometry::{Bounds, column};
use crate::{DomainError, Points};

/// The least sum of windows on an axis that counts as covered.
const LEAST: f64 = 1e-12;

/// Points at which the cover of an axis is looked at, for each segment.
const PROBES: usize = 64;

/// Points that one task looks at.
const CHUNK: usize = 256;

/// The shape of a window on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Window {
    /// The square of a raised cosine.
    #[default]
    Cosine,
    /// A rising and a falling sigmoid in the overlaps: flat where a segment is alone.
    Sigmoid {
        /// The window at the ends of its segment, as 1e-8.
        tolerance: f64,
    },
    /// The standard mollifier.
    Bump,
    /// Wendland's function of smoothness 2.
    Wendland,
}

/// A segment of an axis: a subdomain's extent in one coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    low: f64,
    high: f64,
    /// Widths of the overlaps with the neighbours below and above.
    overlaps: [f64; 2],
}

impl Segment {
    fn centre(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    fn half(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Middle of the rise and of the fall, and their lengths: a sigmoid is `tolerance` at the ends.
    fn slopes(&self, tolerance: f64) -> [(f64, f64); 2] {
        let steep = libm::log((1.0 - tolerance) / tolerance);
        let [below, above] = self.overlaps.map(|o| o / 2.0);
        [
            (self.low + below, below / steep),
            (self.high - above, above / steep),
        ]
    }

    fn window(&self, window: Window, x: f64) -> f64 {
        let r = (x - self.centre()).abs() / self.half();
        if r >= 1.0 {
            return 0.0;
        }
        match window {
            Window::Cosine => {
                let c = f64::midpoint(1.0, libm::cos(PI * r));
                c * c
            }
            Window::Sigmoid { tolerance } => {
                let [(a, up), (b, down)] = self.slopes(tolerance);
                let sigmoid = |z: f64| 1.0 / (1.0 + libm::exp(-z));
                sigmoid((x - a) / up) * sigmoid((b - x) / down)
            }
            Window::Bump => libm::exp(1.0 - 1.0 / (1.0 - r * r)),
            Window::Wendland => (1.0 - r).powi(4) * (4.0 * r + 1.0),
        }
    }
}

/// Subdomains of a box: products of overlapping segments, the last axis fastest.
///
/// ```
/// use ansatz_pde::{Bounds, Decomposition, Points, Window};
/// let domain = Bounds { low: vec![0.0], high: vec![1.0] };
/// let parts = Decomposition::regular(&domain, &[15], 2.1, Window::Cosine)?;
/// let weights = parts.weights(&[0.23]);
/// assert!((weights.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-15);
/// assert!(weights.len() <= 3);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Decomposition {
    domain: Bounds,
    axes: Vec<Vec<Segment>>,
    window: Window,
}

impl Decomposition {
    /// `counts[k]` segments of equal width on axis k, their centres from end to end (one alone: in the middle), each `overlap` times as
    /// wide as the distance of centres: 2 gives windows of which two cover each point.
    ///
    /// # Errors
    /// As [`Decomposition::new`]; [`DomainError::GapBetweenSubdomains`] for an overlap of 1 or less.
    pub fn regular(
        domain: &Bounds,
        counts: &[usize],
        overlap: f64,
        window: Window,
    ) -> Result<Self, DomainError> {
        positive("overlap", overlap)?;
        let extents = domain.extents();
        let axes = counts.iter().zip(&extents).enumerate().map(|(k, (m, e))| {
            let step = if *m > 1 { e / (*m as f64 - 1.0) } else { *e };
            let half = step * overlap / 2.0;
            let centre = |i: usize| match *m {
                1 => domain.low[k] + e / 2.0,
                _ => domain.low[k] + i as f64 * step,
            };
            let segments = (0..*m).map(|i| [centre(i) - half, centre(i) + half]);
            segments.collect::<Vec<_>>()
        });
        Self::new(domain, &axes.collect::<Vec<_>>(), window)
    }

    /// The products of given segments of each axis, in rising order.
    ///
    /// # Errors
    /// [`DomainError::GapBetweenSubdomains`] where neighbours do not overlap, or windows do not cover the box, [`DomainError::Extent`] for
    /// an empty or misplaced segment, [`DomainError::Count`] for another number of axes than the box has or none,
    /// [`DomainError::Value`] for a tolerance outside (0, ½), [`DomainError::NonFinite`].
    pub fn new(
        domain: &Bounds,
        axes: &[Vec<[f64; 2]>],
        window: Window,
    ) -> Result<Self, DomainError> {
        if axes.len() != domain.low.len() || axes.is_empty() {
            return Err(DomainError::Count {
                what: "axes with segments",
                expected: domain.low.len().max(1),
                got: axes.len(),
            });
        }
        finite("end of the box", &domain.low)?;
        finite("end of the box", &domain.high)?;
        if let Window::Sigmoid { tolerance } = window
            && !(tolerance > 0.0 && tolerance < 0.5)
        {
            return Err(DomainError::Value {
                name: "tolerance of a window",
                value: tolerance,
                needed: "it must lie between 0 and 1/2",
            });
        }
        let made = Self {
            domain: domain.clone(),
            axes: axes
                .iter()
                .enumerate()
                .map(|(k, ends)| segments(k, ends))
                .collect::<Result<_, _>>()?,
            window,
        };
        made.check_cover()?;
        Ok(made)
    }

    /// Sums of windows must stay away from zero on the box.
    fn check_cover(&self) -> Result<(), DomainError> {
        for (axis, segments) in self.axes.iter().enumerate() {
            let (low, high) = (self.domain.low[axis], self.domain.high[axis]);
            if low >= high {
                return Err(DomainError::Extent { axis, low, high });
            }
            let ends = segments.iter().flat_map(|s| [s.low, s.high, s.centre()]);
            let count = PROBES * segments.len();
            let even = (0..=count).map(|i| low + (high - low) * i as f64 / count as f64);
            let probes = ends.chain(even).map(|x| x.clamp(low, high));
            for x in probes {
                let sum: f64 = segments.iter().map(|s| s.window(self.window, x)).sum();
                if sum < LEAST {
                    let index = segments.partition_point(|s| s.centre() <= x);
                    return Err(DomainError::GapBetweenSubdomains { axis, index });
                }
            }
        }
        Ok(())
    }

    /// Coordinates of a point.
    pub fn dims(&self) -> usize {
        self.axes.len()
    }

    /// How many subdomains.
    pub fn len(&self) -> usize {
        self.axes.iter().map(Vec::len).product()
    }

    /// Whether there are none; never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The subdomain of number `i`.
    ///
    /// # Panics
    /// When there are no more than `i` subdomains.
    pub fn bounds(&self, i: usize) -> Bounds {
        let segments = self.segments(i);
        Bounds {
            low: segments.iter().map(|s| s.low).collect(),
            high: segments.iter().map(|s| s.high).collect(),
        }
    }

    fn segments(&self, mut i: usize) -> Vec<Segment> {
        assert!(i < self.len(), "subdomain {i} of {}", self.len());
        let mut found: Vec<Segment> = self
            .axes
            .iter()
            .rev()
            .map(|segments| {
                let segment = segments[i % segments.len()];
                i /= segments.len();
                segment
            })
            .collect();
        found.reverse();
        found
    }

    /// Coordinates of a point in [−1, 1]ᵈ of subdomain `i`.
    ///
    /// # Panics
    /// When there are no more than `i` subdomains, or the point has less coordinates than the box.
    pub fn local(&self, i: usize, x: &[f64]) -> Vec<f64> {
        let segments = self.segments(i);
        let own = |(s, x): (&Segment, &f64)| (x - s.centre()) / s.half();
        segments.iter().zip(x).map(own).collect()
    }

    /// ωᵢ(x) of the subdomains whose window is not zero, by rising number; they sum to one. Empty outside the windows.
    ///
    /// # Panics
    /// When the point has less coordinates than the box.
    pub fn weights(&self, x: &[f64]) -> Vec<(usize, f64)> {
        let mut product = vec![(0, 1.0)];
        for (axis, segments) in self.axes.iter().enumerate() {
            let window = |(i, s): (usize, &Segment)| (i, s.window(self.window, x[axis]));
            let windows = segments.iter().enumerate().map(window);
            let found: Vec<(usize, f64)> = windows.filter(|(_, w)| *w > 0.0).collect();
            let sum: f64 = found.iter().map(|(_, w)| w).sum();
            let next = |(i, before): &(usize, f64)| {
                let (first, before) = (i * segments.len(), *before);
                let joined = found
                    .iter()
                    .map(move |(j, w)| (first + j, before * w / sum));
                joined.collect::<Vec<_>>()
            };
            product = product.iter().flat_map(next).collect();
        }
        product
    }

    /// For each subdomain the numbers of the points at which its window is not zero.
    ///
    /// # Errors
    /// [`DomainError::Width`] for points of another width.
    pub fn active(&self, points: &Points) -> Result<Vec<Vec<usize>>, DomainError> {
        points.expect_width("points", self.dims())?;
        let rows = points.as_slice().par_chunks_exact(self.dims());
        let weights = rows.with_min_len(CHUNK).map(|x| self.weights(x));
        let weights: Vec<Vec<(usize, f64)>> = weights.collect();
        let mut active = vec![Vec::new(); self.len()];
        for (point, weights) in weights.iter().enumerate() {
            for (subdomain, _) in weights {
                active[*subdomain].push(point);
            }
        }
        Ok(active)
    }

    /// All ωᵢ(x) in a graph: `[n, d]` to `[n, subdomains]`, differentiable as often as the window is.
    ///
    /// # Panics
    /// When `x` has another width than the box.
    #[must_use]
    #[track_caller]
    pub fn weights_in_graph<'g>(&self, x: Array<'g>) -> Array<'g> {
        let n = x.shape()[0];
        let mut product: Option<Array<'g>> = None;
        for (axis, segments) in self.axes.iter().enumerate() {
            let m = segments.len();
            let windows = self.windows(segments, column(x, axis));
            let sum = windows.sum_axes(&[1]).reshape(&[n, 1]);
            let share = windows / sum;
            product = Some(match product {
                None => share,
                Some(before) => {
                    let k = before.shape()[1];
                    let outer = before.reshape(&[n, k, 1]) * share.reshape(&[n, 1, m]);
                    outer.reshape(&[n, k * m])
                }
            });
        }
        // There is an axis.
        product.unwrap_or(x)
    }

    /// Coordinates of points in [−1, 1]ᵈ of subdomain `i`, in a graph: `[n, d]` to `[n, d]`.
    ///
    /// # Panics
    /// When there are no more than `i` subdomains, or `x` has another width than the box.
    #[must_use]
    #[track_caller]
    pub fn local_in_graph<'g>(&self, i: usize, x: Array<'g>) -> Array<'g> {
        let (g, segments) = (x.graph(), self.segments(i));
        let row = |of: &dyn Fn(&Segment) -> f64| {
            let values = segments.iter().map(of).collect();
            g.constant(&[1, segments.len()], values)
        };
        (x - row(&Segment::centre)) * row(&|s| 1.0 / s.half())
    }

    /// Windows of an axis: `[n, 1]` to `[n, m]`.
    fn windows<'g>(&self, segments: &[Segment], x: Array<'g>) -> Array<'g> {
        let g = x.graph();
        let row = |of: &dyn Fn(&Segment) -> f64| {
            let values = segments.iter().map(of).collect();
            g.constant(&[1, segments.len()], values)
        };
        let own = (x - row(&Segment::centre)) * row(&|s| 1.0 / s.half());
        let inside = own.abs().less(own.ones());
        // Where a window is zero it is a constant, whatever the formula gives there.
        let own = inside.select(own, own.zeros());
        let value = match self.window {
            Window::Cosine => ((own * PI).cos() * 0.5 + 0.5).square(),
            Window::Sigmoid { tolerance } => {
                let end =
                    |k: usize, of: fn((f64, f64)) -> f64| row(&move |s| of(s.slopes(tolerance)[k]));
                let rise = (x - end(0, |s| s.0)) * end(0, |s| 1.0 / s.1);
                let fall = (end(1, |s| s.0) - x) * end(1, |s| 1.0 / s.1);
                rise.sigmoid() * fall.sigmoid()
            }
            Window::Bump => {
                let left = -own.square() + 1.0;
                (-left.recip() + 1.0).exp()
            }
            Window::Wendland => {
                // |r| has no corner that counts here: what follows is even up to r³.
                let r = own.less(own.zeros()).select(-own, own);
                (-r + 1.0).powi(4) * (r * 4.0 + 1.0)
            }
        };
        inside.select(value, value.zeros())
    }
}

fn segments(axis: usize, ends: &[[f64; 2]]) -> Result<Vec<Segment>, DomainError> {
    finite("end of a segment", ends.as_flattened())?;
    if ends.is_empty() {
        return Err(DomainError::GapBetweenSubdomains { axis, index: 0 });
    }
    for (i, [low, high]) in ends.iter().enumerate() {
        let (low, high) = (*low, *high);
        if low >= high {
            return Err(DomainError::Extent { axis, low, high });
        }
        if i > 0 && low >= ends[i - 1][1] {
            return Err(DomainError::GapBetweenSubdomains { axis, index: i });
        }
        if i > 0 && (low <= ends[i - 1][0] || high <= ends[i - 1][1]) {
            return Err(DomainError::Value {
                name: "lower end of a segment",
                value: low,
                needed: "segments must be given in rising order, none inside another",
            });
        }
    }
    let overlap = |below: usize| ends[below][1] - ends[below + 1][0];
    let segment = |i: usize| {
        let [low, high] = ends[i];
        // A segment at an end of the axis falls off there as it does on its other side.
        let below = (i > 0).then(|| overlap(i - 1));
        let above = (i + 1 < ends.len()).then(|| overlap(i));
        let alone = (high - low) / 2.0;
        Segment {
            low,
            high,
            overlaps: [
                below.or(above).unwrap_or(alone),
                above.or(below).unwrap_or(alone),
            ],
        }
    };
    Ok((0..ends.len()).map(segment).collect())
}
