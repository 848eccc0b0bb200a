//! Brownian paths that answer for any interval, again and again, and never store the path.
//!
//! A query over [s, t] with h = t − s returns up to three independent Gaussian numbers per component:
//! - the increment W = W(t) − W(s), of variance h;
//! - the space-time Lévy area H = (1/h)∫(W(s,u) − (u−s)/h·W) du, of variance h/12;
//! - the space-time-time Lévy area K = (1/h²)∫(W(s,u) − (u−s)/h·W)·(h/2 − (u−s)) du, of variance h/720.
//!
//! They are the coefficients of white noise in the first Legendre polynomials of the interval. In
//! units of their standard deviations the step from two neighbours to their union is the upper half of an
//! orthogonal matrix, and the way back, given fresh noise, is its transpose: all numbers stay of
//! order 1 and nothing cancels, however short the interval. The formulas that the literature states for
//! (W, H) at any point and for (W, H, K) at the middle are this rotation.
//!
//! | path | memory | a query costs | depends on earlier queries |
//! |---|---|---|---|
//! | [`VirtualBrownianTree`] | none of the path | O(log(span/tolerance)) draws, O(log(step/tolerance)) in a sweep | no |
//! | [`BrownianInterval`] | a node per query, 45 sets of values | O(1) draws in a sweep, either way | yes |
//!
//! Take the tree for adaptive steps and wherever runs must be comparable, the interval for long solves
//! with large states and known steps. Both give the same bits whenever an interval is asked for
//! again: rejected steps and adjoints see the same path.
//!
//! References: J. Foster, T. Lyons, H. Oberhauser, *An optimal polynomial approximation of Brownian
//! motion*, 2020; P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural
//! SDEs*, 2021, section 4 (interval); A. Jelinčič, J. Foster, P. Kidger, *Single-seed generation of
//! Brownian paths and integrals for adaptive and high order SDE solvers*, 2024 (tree).

mod area;
mod interval;
mod split;
mod tree;

use ansatz_core::State;
use thiserror::Error;

pub use area::AreaApproximation;
pub use interval::{BrownianInterval, IntervalOptions};
pub use tree::VirtualBrownianTree;

/// How much of the path over an interval is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LevyArea {
    /// The increment W alone.
    None,
    /// W and the space-time area H.
    SpaceTime,
    /// W, H and the space-time-time area K.
    SpaceTimeTime,
}

impl LevyArea {
    /// Numbers per component and interval.
    pub(crate) fn moments(self) -> usize {
        match self {
            Self::None => 1,
            Self::SpaceTime => 2,
            Self::SpaceTimeTime => 3,
        }
    }
}

/// What a path did over one interval.
#[derive(Debug, Clone)]
pub struct Increment<S> {
    pub(crate) moments: Vec<S>,
    length: f64,
}

impl<S: State> Increment<S> {
    /// Room for one answer of states like `like`.
    #[must_use]
    pub fn new(like: &S, levels: LevyArea) -> Self {
        Self {
            moments: vec![like.zeros_like(); levels.moments()],
            length: 0.0,
        }
    }

    /// Length h of the interval.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.length
    }

    /// The increment W.
    #[must_use]
    pub fn w(&self) -> &S {
        &self.moments[0]
    }

    /// The space-time Lévy area H, if it was asked for.
    #[must_use]
    pub fn h(&self) -> Option<&S> {
        self.moments.get(1)
    }

    /// The space-time-time Lévy area K, if it was asked for.
    #[must_use]
    pub fn k(&self) -> Option<&S> {
        self.moments.get(2)
    }

    /// W, H and K for writing, as many as there are, and the length of the interval: for paths of one's own.
    pub fn set(&mut self, length: f64) -> &mut [S] {
        self.length = length;
        &mut self.moments
    }

    /// Appends what the path did over the interval that follows: Chen's relation,
    /// `H = [l·(H_l − ½W_r) + r·(H_r + ½W_l)]/h` and its like for K.
    ///
    /// # Panics
    /// When `next` has fewer levels or another shape.
    pub fn join(&mut self, next: &Self) {
        let (l, r) = (self.length, next.length);
        let h = l + r;
        if h <= 0.0 {
            return;
        }
        let (a, b) = (l / h, r / h);
        // From the last to the first: each reads the earlier ones as they were.
        if let [w, h, k] = &mut self.moments[..] {
            let [w2, h2, k2] = &next.moments[..] else {
                panic!("join: increments of different levels");
            };
            // The rotation of `split`, in units of W, H and K.
            let c = a * b;
            k.lincomb(
                a * a,
                &[
                    (b * b, k2),
                    (0.5 * c, h),
                    (-0.5 * c, h2),
                    (b * (1.0 - 2.0 * a) / 12.0, w),
                    (a * (1.0 - 2.0 * b) / 12.0, w2),
                ],
            );
        }
        if let [w, h, ..] = &mut self.moments[..] {
            let w: &S = w;
            let terms = [(b, &next.moments[1]), (-0.5 * a, next.w()), (0.5 * b, w)];
            h.lincomb(a, &terms);
        }
        self.moments[0].lincomb(1.0, &[(1.0, next.w())]);
        self.length = h;
    }

    /// Writes W, H, K from the same numbers in units of their standard deviations.
    fn scale(&mut self, length: f64, units: &[S]) {
        self.length = length;
        for ((x, unit), variance) in self.moments.iter_mut().zip(units).zip(split::VARIANCES) {
            x.lincomb(0.0, &[((variance * length).sqrt(), unit)]);
        }
    }

    fn clear(&mut self) {
        self.length = 0.0;
        for x in &mut self.moments {
            x.lincomb(0.0, &[]);
        }
    }
}

/// A Brownian path on an interval of time, with values in the space of `S`.
///
/// Asked twice, it answers the same, bit by bit, and neighbouring answers fit together: that is what lets
/// adaptive solvers reject steps and adjoints run backwards.
pub trait Brownian<S: State>: Send {
    /// First and last time.
    fn span(&self) -> (f64, f64);

    /// What queries return.
    fn levels(&self) -> LevyArea;

    /// A state of the shape of W.
    fn like(&self) -> &S;

    /// `out ←` the path over [a, b]. `a = b` gives zeros.
    ///
    /// # Errors
    /// [`BrownianError::Reversed`], [`BrownianError::Outside`], [`BrownianError::Levels`].
    fn query(&mut self, a: f64, b: f64, out: &mut Increment<S>) -> Result<(), BrownianError>;
}

/// A Brownian path cannot be made, or cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum BrownianError {
    /// The interval ends before it begins.
    #[error("[{a}, {b}] is no interval: ask for the path from the earlier time to the later one")]
    Reversed {
        /// Beginning asked for.
        a: f64,
        /// End asked for.
        b: f64,
    },
    /// The interval sticks out of the path.
    #[error("[{a}, {b}] lies outside [{start}, {end}], where the path is defined")]
    Outside {
        /// Beginning asked for.
        a: f64,
        /// End asked for.
        b: f64,
        /// First time of the path.
        start: f64,
        /// Last time of the path.
        end: f64,
    },
    /// A path of no length.
    #[error("a path from {start} to {end} has no length: both must be finite, the second larger")]
    Span {
        /// First time.
        start: f64,
        /// Last time.
        end: f64,
    },
    /// A tolerance that the tree cannot reach.
    #[error(
        "tolerance {tolerance:e} is not allowed: between {least:e}, where digits of the time end, \
         and infinity"
    )]
    Tolerance {
        /// The value given.
        tolerance: f64,
        /// The smallest that works.
        least: f64,
    },
    /// A cache of no room.
    #[error("a cache of {cache} nodes is too small: at least 1")]
    Cache {
        /// The value given.
        cache: usize,
    },
    /// Room for other levels than the path has.
    #[error("the answer has room for {got} levels of areas, the path has {expected}")]
    Levels {
        /// Levels of the path.
        expected: usize,
        /// Levels of the answer.
        got: usize,
    },
    /// Lévy areas of vectors that do not fit together.
    #[error("{what} has {got} elements, expected {expected}")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements required.
        expected: usize,
        /// Elements found.
        got: usize,
    },
}

/// The checks that every path makes of a query.
fn check<S>(
    (start, end): (f64, f64),
    levels: LevyArea,
    (a, b): (f64, f64),
    out: &Increment<S>,
) -> Result<(), BrownianError> {
    if a > b {
        return Err(BrownianError::Reversed { a, b });
    }
    // Written so that NaN is outside.
    if !(a >= start && b <= end) {
        return Err(BrownianError::Outside { a, b, start, end });
    }
    let (expected, got) = (levels.moments(), out.moments.len());
    if expected == got {
        Ok(())
    } else {
        Err(BrownianError::Levels { expected, got })
    }
}

/// Times closer than this are the same: t + h and the next time differ by that in a solve.
fn rounding((start, end): (f64, f64)) -> f64 {
    4.0 * f64::EPSILON * start.abs().max(end.abs())
}

fn check_span(start: f64, end: f64) -> Result<(), BrownianError> {
    if start.is_finite() && end.is_finite() && start < end {
        Ok(())
    } else {
        Err(BrownianError::Span { start, end })
    }
}
