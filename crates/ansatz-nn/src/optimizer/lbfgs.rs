//! L-BFGS: Newton's direction from the last differences of gradients.
//!
//! d = −H·∇f, with H from pairs s = x₊ − x, y = ∇f₊ − ∇f by the two-loop recursion, starting from (s·y/y·y)·I; each step
//! is a line search. It wants the loss of all data, without draws: with other data in each evaluation the differences
//! y are noise.
//!
//! Cost of a step: one evaluation of loss and gradient or a few, and 4·history·n operations; memory 2·history·n numbers.
//!
//! Reference: J. Nocedal, S. Wright, *Numerical optimization*, 2nd edition, 2006, algorithms 7.4 and 7.5; D. Liu,
//! J. Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989.

use std::collections::VecDeque;

use ansatz_autodiff::Element;
use ansatz_core::{Event, Key, NoiseLevel, Observer, Scalar};

use super::line_search::Trial;
use super::{StrongWolfe, within};
use crate::{Loss, NetworkError, Parameters};

/// Minimises a function of many variables from its values and gradients.
///
/// ```
/// use ansatz_nn::{Lbfgs, Stop};
/// // Rosenbrock's valley.
/// let valley = |x: &[f64], g: &mut [f64]| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     g[0] = -2.0 * a - 400.0 * b * x[0];
///     g[1] = 200.0 * b;
///     Ok(a * a + 100.0 * b * b)
/// };
/// let mut x = [-1.2, 1.0];
/// let descent = Lbfgs::default().minimise(valley, &mut x, &mut ())?;
/// assert_eq!(descent.stop, Stop::Gradient);
/// assert!((x[0] - 1.0).abs() < 1e-8 && (x[1] - 1.0).abs() < 1e-8);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    /// Pairs of differences that are kept.
    pub history: usize,
    /// Most steps.
    pub steps: usize,
    /// Largest element of the gradient at which the search ends.
    pub gradient: f64,
    /// The search ends when a step moves no element by more than this, or lowers the loss by less; 0 to go on.
    pub change: f64,
    /// Factor of the first trial of each search, 1 for Newton's step.
    pub rate: f64,
    /// Conditions on a step.
    pub search: StrongWolfe,
}

impl Default for Lbfgs {
    /// 20 pairs, 1000 steps, gradients to 1e-8, no limit on changes, Newton's step.
    fn default() -> Self {
        Self {
            history: 20,
            steps: 1000,
            gradient: 1e-8,
            change: 0.0,
            rate: 1.0,
            search: StrongWolfe::default(),
        }
    }
}

/// Why a descent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The gradient is as small as was asked for.
    Gradient,
    /// A step, or the decrease of the loss by it, was as small as was asked for.
    Change,
    /// No step downhill lowers the loss: what is left is below its rounding, or loss and gradient are not of one
    /// function.
    Stalled,
    /// All steps were taken.
    Steps,
    /// An observer ended it.
    Observer,
}

/// What a descent reached, and its cost.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Descent {
    /// The loss at the end.
    pub loss: f64,
    /// Largest element of the gradient at the end.
    pub slope: f64,
    /// Steps taken.
    pub steps: usize,
    /// Evaluations of loss and gradient.
    pub evaluations: usize,
    /// Why it ended.
    pub stop: Stop,
}

/// What an observer sees after each step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Iterate<'a, T> {
    /// The loss.
    pub loss: f64,
    /// Largest element of the gradient.
    pub slope: f64,
    /// The step, in parts of its direction.
    pub length: f64,
    /// The variables.
    pub x: &'a [T],
}

/// A difference of variables and of gradients, with s·y.
struct Pair<T> {
    s: Vec<T>,
    y: Vec<T>,
    sy: f64,
}

impl Lbfgs {
    /// Minimises `f`, which returns its value at a point and writes its gradient there. A trial point where the value is
    /// not finite counts as too far.
    ///
    /// # Errors
    /// [`NetworkError::Option`]; [`NetworkError::NotFinite`] when value or gradient at the start are not finite;
    /// [`NetworkError::LineSearch`] when the first search finds no lower value though the gradient promises one by more
    /// than ∛ε of it; what `f` returns. `x` is the best point so far then.
    pub fn minimise<T, F, O>(
        &self,
        mut f: F,
        x: &mut [T],
        observer: &mut O,
    ) -> Result<Descent, NetworkError>
    where
        T: Scalar,
        F: FnMut(&[T], &mut [T]) -> Result<f64, NetworkError>,
        O: for<'a> Observer<Iterate<'a, T>> + ?Sized,
    {
        self.check()?;
        let n = x.len();
        let zeros = || vec![T::zero(); n];
        let (mut slopes, mut trial, mut trial_slopes) = (zeros(), zeros(), zeros());
        let (mut best, mut best_slopes, mut direction) = (zeros(), zeros(), zeros());
        let mut pairs: VecDeque<Pair<T>> = VecDeque::with_capacity(self.history);
        let mut weights = vec![0.0; self.history];

        let loss = f(x, &mut slopes)?;
        let largest = largest_of(&slopes);
        for (what, value) in [("loss", loss), ("largest slope", largest)] {
            if !value.is_finite() {
                let step = 0;
                return Err(NetworkError::NotFinite { step, what, value });
            }
        }
        let mut now = Descent {
            loss,
            slope: largest,
            steps: 0,
            evaluations: 1,
            stop: Stop::Steps,
        };
        loop {
            if now.slope <= self.gradient {
                now.stop = Stop::Gradient;
                return Ok(now);
            }
            if now.steps == self.steps {
                return Ok(now);
            }
            two_loops(&pairs, &slopes, &mut direction, &mut weights);
            let mut along = dot(&slopes, &direction);
            if along >= 0.0 || !along.is_finite() {
                // Rounding has spoilt the pairs: begin anew.
                pairs.clear();
                two_loops(&pairs, &slopes, &mut direction, &mut weights);
                along = dot(&slopes, &direction);
            }
            let first = if pairs.is_empty() {
                let sum: f64 = slopes.iter().map(|g| g.f64().abs()).sum();
                (1.0 / sum).min(1.0)
            } else {
                1.0
            };
            let width = largest_of(&direction);
            let start = Trial {
                t: 0.0,
                loss: now.loss,
                slope: along,
            };
            let mut lowest = start;
            let evaluate = |t: f64| {
                for ((to, x), d) in trial.iter_mut().zip(&*x).zip(&direction) {
                    *to = T::of(x.f64() + t * d.f64());
                }
                let mut loss = f(&trial, &mut trial_slopes)?;
                let mut slope = dot(&trial_slopes, &direction);
                if !(loss.is_finite() && slope.is_finite()) {
                    (loss, slope) = (f64::INFINITY, f64::NAN);
                }
                let point = Trial { t, loss, slope };
                // A search that goes on after its lowest trial takes one that is lower, so one copy is enough.
                if loss < lowest.loss {
                    lowest = point;
                    best.copy_from_slice(&trial);
                    best_slopes.copy_from_slice(&trial_slopes);
                }
                Ok(point)
            };
            let shortest = T::EPS.f64() * largest_of(x) / width;
            let first = self.rate * first;
            let used = self.search.search(start, first, shortest, evaluate)?;
            now.evaluations += used;
            if lowest.t == 0.0 {
                if !pairs.is_empty() {
                    // Once more, along the gradient.
                    pairs.clear();
                    continue;
                }
                let promised = -along * first;
                if now.steps == 0 && promised > T::EPS.f64().cbrt() * now.loss.abs() {
                    return Err(NetworkError::LineSearch {
                        step: now.steps,
                        loss: now.loss,
                        slope: along,
                        evaluations: used,
                    });
                }
                now.stop = Stop::Stalled;
                return Ok(now);
            }
            self.remember(&mut pairs, [&*x, &slopes], [&best, &best_slopes]);
            x.copy_from_slice(&best);
            slopes.copy_from_slice(&best_slopes);
            let decrease = now.loss - lowest.loss;
            now.loss = lowest.loss;
            now.slope = largest_of(&slopes);
            now.steps += 1;
            let state = Iterate {
                loss: now.loss,
                slope: now.slope,
                length: lowest.t,
                x,
            };
            let level = NoiseLevel::clean(now.steps as f64);
            let event = Event::new(now.steps, self.steps, now.evaluations, level, &state);
            if observer.on_step(&event).is_break() {
                now.stop = Stop::Observer;
                return Ok(now);
            }
            let small = lowest.t * width <= self.change || decrease < self.change;
            if small && now.slope > self.gradient {
                now.stop = Stop::Change;
                return Ok(now);
            }
        }
    }

    /// Minimises an objective over its data, all of it in one batch. What layers draw comes from `key`, the same in each
    /// evaluation; buffers such as running statistics stay as they are.
    ///
    /// # Errors
    /// As [`Lbfgs::minimise`] and [`Loss::gradient`].
    pub fn fit<T, L, O>(
        &self,
        objective: &mut L,
        parameters: &mut Parameters<T>,
        data: &[&[T]],
        key: Key,
        observer: &mut O,
    ) -> Result<Descent, NetworkError>
    where
        T: Element,
        L: Loss<T> + ?Sized,
        O: for<'a> Observer<Iterate<'a, T>> + ?Sized,
    {
        let mut at = parameters.clone();
        let loss = |x: &[T], slopes: &mut [T]| {
            at.values_mut().copy_from_slice(x);
            objective.gradient(&at, data, key, slopes)
        };
        self.minimise(loss, parameters.values_mut(), observer)
    }

    fn check(&self) -> Result<(), NetworkError> {
        within("history", self.history as f64, 1.0.., "1 or more")?;
        within("gradient", self.gradient, 0.0.., "a number not below 0")?;
        within("change", self.change, 0.0.., "a number not below 0")?;
        let above = f64::MIN_POSITIVE..;
        within("rate", self.rate, above, "a number above 0")?;
        self.search.check()
    }

    /// Keeps the pair of a step if its curvature is positive, in the memory of the oldest one when all places are taken.
    fn remember<T: Scalar>(
        &self,
        pairs: &mut VecDeque<Pair<T>>,
        [x, g]: [&[T]; 2],
        [x1, g1]: [&[T]; 2],
    ) {
        let products = x.iter().zip(x1).zip(g.iter().zip(g1));
        let (sy, yy) = products.fold((0.0, 0.0), |(sy, yy), ((x, x1), (g, g1))| {
            let y = g1.f64() - g.f64();
            (sy + (x1.f64() - x.f64()) * y, yy + y * y)
        });
        if !(sy > f64::EPSILON * yy && sy.is_finite()) {
            return;
        }
        let mut pair = if pairs.len() < self.history {
            let zeros = vec![T::zero(); x.len()];
            Some(Pair {
                s: zeros.clone(),
                y: zeros,
                sy,
            })
        } else {
            pairs.pop_front()
        };
        if let Some(pair) = &mut pair {
            pair.sy = sy;
            difference(x1, x, &mut pair.s);
            difference(g1, g, &mut pair.y);
        }
        pairs.extend(pair);
    }
}

/// d = −H·g (algorithm 7.4).
fn two_loops<T: Scalar>(pairs: &VecDeque<Pair<T>>, g: &[T], d: &mut [T], weights: &mut [f64]) {
    for (d, g) in d.iter_mut().zip(g) {
        *d = T::of(-g.f64());
    }
    for (pair, weight) in pairs.iter().zip(&mut *weights).rev() {
        *weight = dot(&pair.s, d) / pair.sy;
        add(-*weight, &pair.y, d);
    }
    if let Some(last) = pairs.back() {
        let scale = last.sy / dot(&last.y, &last.y);
        for d in &mut *d {
            *d = T::of(scale * d.f64());
        }
    }
    for (pair, weight) in pairs.iter().zip(weights) {
        let c = *weight - dot(&pair.y, d) / pair.sy;
        add(c, &pair.s, d);
    }
}

fn dot<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

fn add<T: Scalar>(c: f64, x: &[T], to: &mut [T]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to = T::of(to.f64() + c * x.f64());
    }
}

fn difference<T: Scalar>(a: &[T], b: &[T], to: &mut [T]) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        *to = *a - *b;
    }
}

/// Largest element by amount; not finite if one is not.
fn largest_of<T: Scalar>(x: &[T]) -> f64 {
    x.iter().map(|v| v.f64().abs()).fold(
        0.0,
        |most, v| {
            if v.is_nan() || v > most { v } else { most }
        },
    )
}
