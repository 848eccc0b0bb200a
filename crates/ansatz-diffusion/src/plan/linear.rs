//! Linear expressions of values, so that solvers read like the formulas of their papers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::Value;

/// `Σ c·v`: a linear combination that has not been computed.
///
/// Made by arithmetic on [`Value`]s. However long the formula, it becomes one pass over memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Linear(pub(crate) Vec<(f64, Value)>);

impl Linear {
    /// The sum of terms in which a value may stand more than once.
    pub(super) fn merged(terms: impl IntoIterator<Item = (f64, Value)>) -> Self {
        Self::default().add_scaled(1.0, &Self(terms.into_iter().collect()))
    }

    /// Adds `c·other`, merging equal values.
    fn add_scaled(mut self, c: f64, other: &Self) -> Self {
        for (d, v) in &other.0 {
            match self.0.iter_mut().find(|(_, w)| w == v) {
                Some((e, _)) => *e += c * d,
                None => self.0.push((c * d, *v)),
            }
        }
        self
    }
}

impl From<Value> for Linear {
    fn from(v: Value) -> Self {
        Self(vec![(1.0, v)])
    }
}

macro_rules! arithmetic {
    ($left:ty, $right:ty) => {
        impl Add<$right> for $left {
            type Output = Linear;

            fn add(self, other: $right) -> Linear {
                Linear::from(self).add_scaled(1.0, &Linear::from(other))
            }
        }

        impl Sub<$right> for $left {
            type Output = Linear;

            fn sub(self, other: $right) -> Linear {
                Linear::from(self).add_scaled(-1.0, &Linear::from(other))
            }
        }
    };
}

arithmetic!(Linear, Linear);
arithmetic!(Linear, Value);
arithmetic!(Value, Linear);
arithmetic!(Value, Value);

macro_rules! scaling {
    ($of:ty) => {
        impl Mul<$of> for f64 {
            type Output = Linear;

            fn mul(self, v: $of) -> Linear {
                Linear::default().add_scaled(self, &Linear::from(v))
            }
        }

        impl Div<f64> for $of {
            type Output = Linear;

            fn div(self, c: f64) -> Linear {
                let mut sum = Linear::from(self);
                for (d, _) in &mut sum.0 {
                    *d /= c;
                }
                sum
            }
        }

        impl Neg for $of {
            type Output = Linear;

            fn neg(self) -> Linear {
                -1.0 * self
            }
        }
    };
}

scaling!(Value);
scaling!(Linear);
