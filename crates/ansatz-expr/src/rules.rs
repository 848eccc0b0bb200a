//! Rewriting by rules: patterns, conditions, strategies.
//!
//! A pattern is text in which `~x` stands for one term and `~~xs` for any number of operands of a sum or product.
//! Operands of sums and products are matched in any order, by trying subsets; a rule whose pattern is a sum or product takes
//! some of the operands and leaves the others. Patterns are put into canonical form like any expression, so that
//! `~a*~a` is `~a^2`. Trying takes up to n!/(n − k)! steps for k patterns among n operands: rules are for small
//! expressions, [`Pool::simplify`](crate::Pool) and [`Expr::factor`](crate::Expr::factor) for large ones.
//!
//! The engine sees terms through [`Term`] only.

mod matching;
mod strategy;
mod term;

use crate::{Expr, ExprError, Pool};
pub use matching::Bindings;
pub use strategy::Strategy;
pub use term::{Head, Term};

/// What a rule looks for, or writes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Pattern<T: Term> {
    /// Any one term, the same wherever the number is the same.
    Slot(usize),
    /// Any number of operands.
    Segment(usize),
    /// This term.
    Exact(T),
    /// An operation.
    Call(T::Head, Vec<Self>),
}

type Condition<'a, T> = Box<dyn Fn(&Bindings<'_, T>) -> bool + 'a>;
type Maker<'a, T> = Box<dyn Fn(&Bindings<'_, T>) -> Option<T> + 'a>;

enum Right<'a, T: Term> {
    Pattern(Pattern<T>),
    Made(Maker<'a, T>),
}

/// A pattern and what takes its place.
///
/// ```
/// use ansatz_expr::{Pool, Rule};
/// let pool = Pool::new();
/// let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
/// let pythagoras = Rule::parse(&pool, "sin(~a)^2 + cos(~a)^2", "1")?;
/// let e = (x * y).sin().powi(2) + y + (x * y).cos().powi(2);
/// assert_eq!(pythagoras.apply(&e), Some(y + 1.0));
/// let split = Rule::parse(&pool, "exp(~a + ~~rest)", "exp(~a)*exp(~~rest)")?;
/// assert_eq!(split.apply(&(x + y).exp()), Some(x.exp() * y.exp()));
/// # Ok::<(), ansatz_expr::ExprError>(())
/// ```
pub struct Rule<'a, T: Term> {
    left: Pattern<T>,
    right: Right<'a, T>,
    names: Vec<String>,
    conditions: Vec<Condition<'a, T>>,
}

impl<'a, T: Term> Rule<'a, T> {
    /// A rule from patterns; slots and segments are numbered as `names` are.
    ///
    /// # Errors
    /// [`ExprError::Syntax`] when the pattern has several segments among operands that commute, or is a segment.
    pub fn new(left: Pattern<T>, right: Pattern<T>, names: &[&str]) -> Result<Self, ExprError> {
        Self::with(
            left,
            Right::Pattern(right),
            names.iter().map(|n| (*n).to_owned()).collect(),
        )
    }

    fn with(left: Pattern<T>, right: Right<'a, T>, names: Vec<String>) -> Result<Self, ExprError> {
        let segments = |right: &Pattern<T>| matches!(right, Pattern::Segment(_));
        let alone = matches!(&right, Right::Pattern(right) if segments(right));
        if alone || segments(&left) || !left.has_single_segments() {
            return Err(ExprError::Syntax {
                position: 0,
                expected: "at most one segment `~~x` among the operands of a sum or product".into(),
                found: "another one, or one alone".into(),
            });
        }
        Ok(Self {
            left: left.ordered(),
            right,
            names,
            conditions: Vec::new(),
        })
    }

    /// The rule where the condition holds.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Bindings<'_, T>) -> bool + 'a) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    /// What takes the place of `term`, if the rule fits.
    #[must_use]
    pub fn apply(&self, term: &T) -> Option<T> {
        matching::apply(self, term)
    }
}

impl<'p> Rule<'p, Expr<'p>> {
    /// A rule from text. Names without `~` are those that are declared in the pool.
    ///
    /// # Errors
    /// As [`Pool::parse`], and [`ExprError::UnknownSymbol`] for a slot on the right that the left does not have.
    pub fn parse(pool: &'p Pool, left: &str, right: &str) -> Result<Self, ExprError> {
        let (left, names) = pattern(pool, left)?;
        let (right, used) = pattern(pool, right)?;
        let mut places = Vec::new();
        for name in &used {
            let place = names.iter().position(|n| n == name);
            places.push(place.ok_or_else(|| ExprError::UnknownSymbol {
                name: format!("~{name}"),
                position: 0,
                known: names.iter().map(|n| format!("~{n}")).collect(),
            })?);
        }
        let right = right.renumbered(&places);
        Self::with(left, Right::Pattern(right), names)
    }

    /// A rule whose right side is computed from what the slots hold; `None` leaves the term.
    ///
    /// ```
    /// use ansatz_expr::{Pool, Rule};
    /// let pool = Pool::new();
    /// let x = pool.symbol("x");
    /// let double = Rule::computed(&pool, "sin(~a)", |slots| Some(2.0 * *slots.get("a")?))?;
    /// assert_eq!(double.apply(&x.sin()), Some(2.0 * x));
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pool::parse`].
    pub fn computed(
        pool: &'p Pool,
        left: &str,
        right: impl Fn(&Bindings<'_, Expr<'p>>) -> Option<Expr<'p>> + 'p,
    ) -> Result<Self, ExprError> {
        let (left, names) = pattern(pool, left)?;
        Self::with(left, Right::Made(Box::new(right)), names)
    }
}

impl<T: Term> Pattern<T> {
    fn renumbered(self, places: &[usize]) -> Self {
        match self {
            Self::Slot(i) => Self::Slot(places[i]),
            Self::Segment(i) => Self::Segment(places[i]),
            Self::Exact(_) => self,
            Self::Call(head, parts) => {
                let parts = parts.into_iter().map(|p| p.renumbered(places)).collect();
                Self::Call(head, parts)
            }
        }
    }

    /// What is most special first among operands that commute.
    fn ordered(self) -> Self {
        match self {
            Self::Call(head, parts) => {
                let mut parts: Vec<Self> = parts.into_iter().map(Self::ordered).collect();
                if T::commutes(&head) {
                    parts.sort_by_key(|part| match part {
                        Self::Exact(_) => 0,
                        Self::Call(..) => 1,
                        Self::Slot(_) => 2,
                        Self::Segment(_) => 3,
                    });
                }
                Self::Call(head, parts)
            }
            other => other,
        }
    }

    fn has_single_segments(&self) -> bool {
        match self {
            Self::Call(head, parts) => {
                let segments = parts.iter().filter(|p| matches!(p, Self::Segment(_)));
                (segments.count() < 2 || !T::commutes(head))
                    && parts.iter().all(Self::has_single_segments)
            }
            _ => true,
        }
    }
}

/// Letters that stand for the marks of slots while a pattern is read; no name begins so.
const SLOT: char = '\u{282}';
const SEGMENT: char = '\u{283}';

/// A pattern and the names of its slots, read in a pool of its own.
fn pattern<'p>(pool: &'p Pool, text: &str) -> Result<(Pattern<Expr<'p>>, Vec<String>), ExprError> {
    let own = Pool::new();
    for name in pool.names() {
        own.symbol(&name);
    }
    let marked = text
        .replace("~~", &SEGMENT.to_string())
        .replace('~', &SLOT.to_string());
    let mut names: Vec<String> = Vec::new();
    let mut marks = Vec::new();
    for (place, mark) in marked.match_indices([SLOT, SEGMENT]) {
        let rest = &marked[place + mark.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let name = &rest[..end.unwrap_or(rest.len())];
        if name.is_empty() {
            return Err(ExprError::Syntax {
                position: text.len().min(place),
                expected: "a name after `~`".into(),
                found: rest
                    .chars()
                    .next()
                    .map_or("the end".into(), |c| format!("`{c}`")),
            });
        }
        let symbol = own.symbol(&format!("{mark}{name}")).check()?;
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
        let number = names.iter().position(|n| n == name).unwrap_or(0);
        let leaf = if mark.starts_with(SLOT) {
            Pattern::Slot(number)
        } else {
            Pattern::Segment(number)
        };
        marks.push((symbol, leaf));
    }
    let read = own.parse(&marked)?;
    let mut stack = vec![(read, false)];
    let mut made: Vec<(Expr<'_>, Pattern<Expr<'p>>)> = Vec::new();
    let known = |made: &[(Expr<'_>, Pattern<Expr<'p>>)], e: &Expr<'_>| {
        made.iter()
            .find(|(other, _)| other == e)
            .map(|(_, p)| p.clone())
    };
    while let Some((e, ready)) = stack.pop() {
        if known(&made, &e).is_some() {
            continue;
        }
        let pattern = if let Some((_, leaf)) = marks.iter().find(|(symbol, _)| *symbol == e) {
            leaf.clone()
        } else if let Some((head, operands)) = e.operation() {
            if !ready {
                stack.push((e, true));
                stack.extend(operands.into_iter().map(|o| (o, false)));
                continue;
            }
            let parts = operands.iter().filter_map(|o| known(&made, o)).collect();
            Pattern::Call(head, parts)
        } else {
            // The same leaf there.
            Pattern::Exact(pool.parse(&e.to_string())?)
        };
        made.push((e, pattern));
    }
    match known(&made, &read) {
        Some(pattern) => Ok((pattern, names)),
        None => Err(ExprError::OtherPool),
    }
}
