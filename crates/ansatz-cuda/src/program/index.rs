//! Whole numbers that kernels compute from their loops' counters, with the interval that they lie in.
//!
//! An index is a sum c + Σ cᵢ·aᵢ of counters, of quotients and remainders of other indices, and of rows read from tables.
//! Reshapes split and merge axes by quotients and remainders by constants, most of which cancel: (8·i + j) div 8 is i
//! where j < 8.

use std::fmt::Write as _;

use super::body::Reg;

/// A length as a whole number with a sign.
pub(super) fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// What a term of an index is a multiple of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Atom {
    /// The counter of an axis of this length.
    Axis(usize, i64),
    /// A row read from a table, −1 or below this length.
    Row(Reg, i64),
    /// Another index divided, rounded towards zero.
    Quotient(Box<Index>, i64),
    /// What is left of the division.
    Remainder(Box<Index>, i64),
}

impl Atom {
    /// The smallest and the largest value.
    fn range(&self) -> (i64, i64) {
        match self {
            Self::Axis(_, length) => (0, (*length - 1).max(0)),
            Self::Row(_, length) => (-1, *length - 1),
            Self::Quotient(of, by) => {
                let (low, high) = of.range();
                (low / by, high / by)
            }
            Self::Remainder(of, by) => {
                let (low, high) = of.range();
                let least = if low < 0 { 1 - by } else { 0 };
                (least.max(low), (by - 1).min(high.max(0)))
            }
        }
    }
}

/// A whole number as a function of a kernel's counters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Index {
    terms: Vec<(Atom, i64)>,
    constant: i64,
}

impl Index {
    /// A number.
    #[must_use]
    pub fn number(value: i64) -> Self {
        Self {
            terms: Vec::new(),
            constant: value,
        }
    }

    /// The counter of axis `axis` of a loop, which has `length` values.
    #[must_use]
    pub fn axis(axis: usize, length: usize) -> Self {
        if length == 1 {
            return Self::number(0);
        }
        Self::atom(Atom::Axis(axis, signed(length)))
    }

    /// A row that a body has read from a table ([`Body::row`](super::Body::row)): −1 where there is none.
    pub(super) fn row(register: Reg, length: usize) -> Self {
        Self::atom(Atom::Row(register, signed(length)))
    }

    fn atom(atom: Atom) -> Self {
        Self {
            terms: vec![(atom, 1)],
            constant: 0,
        }
    }

    /// Both added.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut terms = self.terms.clone();
        for (atom, c) in &other.terms {
            match terms.iter_mut().find(|(a, _)| a == atom) {
                Some((_, sum)) => *sum = sum.saturating_add(*c),
                None => terms.push((atom.clone(), *c)),
            }
        }
        terms.retain(|(_, c)| *c != 0);
        terms.sort();
        Self {
            terms,
            constant: self.constant.saturating_add(other.constant),
        }
    }

    /// With a number added.
    #[must_use]
    pub fn shift(&self, by: i64) -> Self {
        Self {
            constant: self.constant.saturating_add(by),
            ..self.clone()
        }
    }

    /// Multiplied by a number.
    #[must_use]
    pub fn times(&self, by: i64) -> Self {
        let scaled = self
            .terms
            .iter()
            .map(|(a, c)| (a.clone(), c.saturating_mul(by)));
        Self {
            terms: scaled.filter(|(_, c)| *c != 0).collect(),
            constant: self.constant.saturating_mul(by),
        }
    }

    /// What is a multiple of `by`, divided, and the rest; all in the rest where something may be negative, as
    /// ⌊(by·w + r)/by⌋ = w + ⌊r/by⌋ needs.
    fn parted(&self, by: i64) -> (Self, Self) {
        let (whole, rest): (Vec<_>, Vec<_>) =
            self.terms.iter().cloned().partition(|(_, c)| c % by == 0);
        let rest = Self {
            terms: rest,
            constant: self.constant.rem_euclid(by),
        };
        let whole = Self {
            terms: whole.into_iter().map(|(a, c)| (a, c / by)).collect(),
            constant: self.constant.div_euclid(by),
        };
        if self.range().0 >= 0 && rest.range().0 >= 0 {
            (whole, rest)
        } else {
            (Self::number(0), self.clone())
        }
    }

    /// Whether it lies in [0, end).
    fn is_below(&self, end: i64) -> bool {
        let (low, high) = self.range();
        low >= 0 && high < end
    }

    /// Divided by a positive number, rounded towards zero.
    #[must_use]
    pub fn quotient(&self, by: usize) -> Self {
        let by = signed(by.max(1));
        if by == 1 {
            return self.clone();
        }
        let (whole, rest) = self.parted(by);
        if rest.is_below(by) {
            return whole;
        }
        whole.plus(&Self::atom(Atom::Quotient(Box::new(rest), by)))
    }

    /// What is left of the division.
    #[must_use]
    pub fn remainder(&self, by: usize) -> Self {
        let by = signed(by.max(1));
        if by == 1 {
            return Self::number(0);
        }
        let (_, rest) = self.parted(by);
        if rest.is_below(by) {
            return rest;
        }
        Self::atom(Atom::Remainder(Box::new(rest), by))
    }

    /// The place of coordinates in an array of this shape, row by row.
    #[must_use]
    pub fn flat(coordinates: &[Self], shape: &[usize]) -> Self {
        let mut sum = Self::number(0);
        let mut stride = 1;
        for (at, length) in coordinates.iter().zip(shape).rev() {
            sum = sum.plus(&at.times(stride));
            stride = stride.saturating_mul(signed(*length));
        }
        sum
    }

    /// The coordinates of a place in an array of this shape.
    #[must_use]
    pub fn unflat(&self, shape: &[usize]) -> Vec<Self> {
        let mut stride = 1_usize;
        let mut at: Vec<Self> = shape
            .iter()
            .rev()
            .map(|length| {
                let coordinate = self.quotient(stride).remainder(*length);
                stride = stride.saturating_mul((*length).max(1));
                coordinate
            })
            .collect();
        at.reverse();
        at
    }

    /// The counters of a loop over this shape, its first axis being number `first`.
    #[must_use]
    pub fn axes(shape: &[usize], first: usize) -> Vec<Self> {
        let axis = |(i, n): (usize, &usize)| Self::axis(first + i, *n);
        shape.iter().enumerate().map(axis).collect()
    }

    /// The smallest and the largest value.
    #[must_use]
    pub fn range(&self) -> (i64, i64) {
        let mut range = (self.constant, self.constant);
        for (atom, c) in &self.terms {
            let (low, high) = atom.range();
            let ends = (low.saturating_mul(*c), high.saturating_mul(*c));
            range.0 = range.0.saturating_add(ends.0.min(ends.1));
            range.1 = range.1.saturating_add(ends.0.max(ends.1));
        }
        range
    }

    /// The largest magnitude of anything that is computed on the way.
    pub(super) fn magnitude(&self) -> i64 {
        let mut sum = self.constant.saturating_abs();
        for (atom, c) in &self.terms {
            let (low, high) = atom.range();
            let inner = match atom {
                Atom::Quotient(of, _) | Atom::Remainder(of, _) => of.magnitude(),
                _ => 0,
            };
            let most = low.abs().max(high.abs()).saturating_mul(c.saturating_abs());
            sum = sum.saturating_add(most).max(inner);
        }
        sum
    }

    /// The constant part.
    pub(super) fn start(&self) -> i64 {
        self.constant
    }

    /// The distance between neighbours along axis `axis`; `None` if it is no fixed one.
    pub(super) fn stride(&self, axis: usize) -> Option<i64> {
        let mut stride = 0;
        for (atom, c) in &self.terms {
            match atom {
                Atom::Axis(a, _) if *a == axis => stride = *c,
                Atom::Axis(..) => {}
                Atom::Row(..) => return None,
                Atom::Quotient(of, _) | Atom::Remainder(of, _) => {
                    if of.stride(axis) != Some(0) {
                        return None;
                    }
                }
            }
        }
        Some(stride)
    }

    /// Whether it is a multiple of `by` where the counter of axis `axis` is one, which has stride 1.
    pub(super) fn is_multiple_beside(&self, axis: usize, by: i64) -> bool {
        let along = |atom: &Atom| matches!(atom, Atom::Axis(a, _) if *a == axis);
        self.constant % by == 0 && self.terms.iter().all(|(a, c)| along(a) || c % by == 0)
    }

    /// Whether it is a sum of counters alone, and gives each point of the loop over `shape` another value.
    pub(super) fn is_injective(&self, shape: &[usize]) -> bool {
        let mut steps = Vec::new();
        for (i, n) in shape.iter().enumerate().filter(|(_, n)| **n > 1) {
            match self.stride(i) {
                Some(c) if c != 0 => steps.push((c.abs(), signed(*n))),
                _ => return false,
            }
        }
        if self.terms.len() != steps.len() {
            return false;
        }
        steps.sort_unstable();
        let mut reach = 0;
        steps.iter().all(|(c, n)| {
            let apart = *c > reach;
            reach = reach.saturating_add(c.saturating_mul(n - 1));
            apart
        })
    }

    /// Registers that are read on the way, and the lengths of their tables.
    pub(super) fn registers(&self, visit: &mut impl FnMut(Reg, i64)) {
        for (atom, _) in &self.terms {
            match atom {
                Atom::Row(r, length) => visit(*r, *length),
                Atom::Quotient(of, _) | Atom::Remainder(of, _) => of.registers(visit),
                Atom::Axis(..) => {}
            }
        }
    }

    /// Axes whose counters are read, and their lengths.
    pub(super) fn counters(&self, visit: &mut impl FnMut(usize, i64)) {
        for (atom, _) in &self.terms {
            match atom {
                Atom::Axis(a, length) => visit(*a, *length),
                Atom::Quotient(of, _) | Atom::Remainder(of, _) => of.counters(visit),
                Atom::Row(..) => {}
            }
        }
    }

    /// The expression in C: counters are `a0`, `a1`, …, rows `r0`, ….
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (atom, c) in &self.terms {
            let value = match atom {
                Atom::Axis(a, _) => format!("a{a}"),
                Atom::Row(r, _) => format!("r{}", r.number()),
                Atom::Quotient(of, by) => format!("({}) / {by}", of.text()),
                Atom::Remainder(of, by) => format!("({}) % {by}", of.text()),
            };
            let sign = match (text.is_empty(), *c < 0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            };
            text.push_str(sign);
            let _ = match (c.abs(), atom) {
                (1, Atom::Axis(..) | Atom::Row(..)) => write!(text, "{value}"),
                (1, _) => write!(text, "({value})"),
                (c, Atom::Axis(..) | Atom::Row(..)) => write!(text, "{c} * {value}"),
                (c, _) => write!(text, "{c} * ({value})"),
            };
        }
        match self.constant {
            0 if !text.is_empty() => {}
            c if text.is_empty() => text = c.to_string(),
            c if c < 0 => drop(write!(text, " - {}", -c)),
            c => drop(write!(text, " + {c}")),
        }
        text
    }
}

/// Demands low ≤ index < high, and that index − low is a multiple of `step`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    index: Index,
    low: i64,
    high: i64,
    step: i64,
}

impl Condition {
    /// low ≤ index < high.
    #[must_use]
    pub fn within(index: &Index, low: i64, high: i64) -> Self {
        Self {
            index: index.clone(),
            low,
            high,
            step: 1,
        }
    }

    /// 0 ≤ index < length·step, and index is a multiple of `step`: then index/step is a coordinate.
    #[must_use]
    pub fn every(index: &Index, length: usize, step: usize) -> Self {
        Self {
            index: index.clone(),
            low: 0,
            high: signed(length.saturating_mul(step)),
            step: signed(step.max(1)),
        }
    }

    /// Whether it holds whatever the counters are.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.always()
    }

    /// The index that is compared.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Whether it always holds.
    pub(super) fn always(&self) -> bool {
        let (low, high) = self.index.range();
        let divides = self.step == 1 || {
            let by = self.step;
            self.index.constant % by == 0 && self.index.terms.iter().all(|(_, c)| c % by == 0)
        };
        low >= self.low && high < self.high && divides
    }

    /// The expression in C.
    pub(super) fn text(&self) -> String {
        let (low, high) = self.index.range();
        let text = self.index.text();
        let mut parts = Vec::new();
        if low < self.low {
            parts.push(format!("{text} >= {}", self.low));
        }
        if high >= self.high {
            parts.push(format!("{text} < {}", self.high));
        }
        if self.step > 1 {
            parts.push(format!("({text}) % {} == 0", self.step));
        }
        if parts.is_empty() {
            parts.push("true".into());
        }
        parts.join(" && ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_split_and_merge() {
        // [6, 8] as [48], as [6, 2, 4], and back.
        let at = Index::axes(&[6, 8], 0);
        let flat = Index::flat(&at, &[6, 8]);
        assert_eq!(flat.text(), "8 * a0 + a1");
        assert_eq!(flat.unflat(&[6, 8]), at);
        let parts = flat.unflat(&[6, 2, 4]);
        assert_eq!(parts[0], at[0]);
        assert_eq!(parts[1].text(), "((a1) / 4)");
        assert_eq!(parts[2].range(), (0, 3));
        assert_eq!(flat.unflat(&[48])[0], flat);
    }

    #[test]
    fn intervals_hold_what_they_must() {
        let i = Index::axis(0, 10);
        let x = i.times(3).shift(-4);
        assert_eq!(x.range(), (-4, 23));
        for v in 0..10_i64 {
            let x = 3 * v - 4;
            let (q, r) = (x / 5, x % 5);
            let bounds = Index::axis(0, 10).times(3).shift(-4);
            let (low, high) = bounds.quotient(5).range();
            assert!(low <= q && q <= high);
            let (low, high) = bounds.remainder(5).range();
            assert!(low <= r && r <= high);
        }
        assert!(Condition::within(&i, 0, 10).always());
        assert!(!Condition::within(&i, 1, 10).always());
        assert!(Condition::every(&i.times(4), 10, 4).always());
    }

    #[test]
    fn places_that_meet_are_found() {
        let at = Index::axes(&[4, 5], 0);
        assert!(Index::flat(&at, &[4, 5]).is_injective(&[4, 5]));
        assert!(Index::flat(&[at[1].clone(), at[0].clone()], &[5, 4]).is_injective(&[4, 5]));
        assert!(!at[0].plus(&at[1]).is_injective(&[4, 5]));
        assert!(!at[0].is_injective(&[4, 5]));
        assert!(at[0].times(5).plus(&at[1]).shift(7).is_injective(&[4, 5]));
        assert!(!at[0].times(4).plus(&at[1]).is_injective(&[4, 5]));
    }
}
