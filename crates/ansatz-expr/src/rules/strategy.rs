//! Where and how often rules are tried.

use std::collections::HashMap;

use super::{Rule, Term};

/// How rules are applied to a term and what it is made of.
///
/// ```
/// use ansatz_expr::{Pool, Rule, Strategy};
/// let pool = Pool::new();
/// let [x, y] = ["x", "y"].map(|name| pool.symbol(name));
/// let rules = vec![
///     Rule::parse(&pool, "ln(~a*~b)", "ln(~a) + ln(~b)")?,
///     Rule::parse(&pool, "ln(exp(~a))", "~a")?,
/// ];
/// let strategy = Strategy::saturate(rules);
/// let e = (x * y.exp()).ln().sin();
/// assert_eq!(strategy.apply(&e), Some((x.ln() + y).sin()));
/// # Ok::<(), ansatz_expr::ExprError>(())
/// ```
#[non_exhaustive]
pub enum Strategy<'a, T: Term> {
    /// A rule at the top of the term.
    Rule(Rule<'a, T>),
    /// One after the other, each on what the last one left.
    Chain(Vec<Self>),
    /// The first that changes something.
    First(Vec<Self>),
    /// Where a condition holds.
    If(Box<dyn Fn(&T) -> bool + 'a>, Box<Self>),
    /// At every term, before its operands.
    Prewalk(Box<Self>),
    /// At every term, after its operands.
    Postwalk(Box<Self>),
    /// Again and again until nothing changes, so many times at most.
    Fixpoint(Box<Self>, usize),
}

impl<'a, T: Term> Strategy<'a, T> {
    /// All rules everywhere until none fits any more, 1000 rounds at most.
    #[must_use]
    pub fn saturate(rules: Vec<Rule<'a, T>>) -> Self {
        let first = Self::First(rules.into_iter().map(Self::Rule).collect());
        Self::Fixpoint(Box::new(Self::Postwalk(Box::new(first))), 1000)
    }

    /// What becomes of `term`; `None` if nothing changes. Terms may be deep: nothing recurs but strategies.
    #[must_use]
    pub fn apply(&self, term: &T) -> Option<T> {
        let new = match self {
            Self::Rule(rule) => rule.apply(term)?,
            Self::First(strategies) => strategies.iter().find_map(|s| s.apply(term))?,
            Self::Chain(strategies) => strategies.iter().fold(term.clone(), |term, s| {
                let new = s.apply(&term);
                new.unwrap_or(term)
            }),
            Self::If(holds, strategy) => {
                if !holds(term) {
                    return None;
                }
                strategy.apply(term)?
            }
            Self::Prewalk(strategy) => walk(term, Some(strategy), None),
            Self::Postwalk(strategy) => walk(term, None, Some(strategy)),
            Self::Fixpoint(strategy, cap) => {
                let mut term = term.clone();
                for _ in 0..*cap {
                    match strategy.apply(&term) {
                        Some(new) => term = new,
                        None => break,
                    }
                }
                term
            }
        };
        (new != *term).then_some(new)
    }
}

/// A term whose operands are being rewritten.
struct Frame<T: Term> {
    /// As it was found, and as it is.
    found: T,
    term: T,
    head: Option<T::Head>,
    operands: Vec<T>,
    done: Vec<T>,
}

fn walk<T: Term>(root: &T, before: Option<&Strategy<'_, T>>, after: Option<&Strategy<'_, T>>) -> T {
    let frame = |found: T| {
        let new = before.and_then(|s| s.apply(&found));
        let term = new.unwrap_or_else(|| found.clone());
        let (head, operands) = term
            .operation()
            .map_or((None, Vec::new()), |(h, o)| (Some(h), o));
        Frame {
            found,
            term,
            head,
            operands,
            done: Vec::new(),
        }
    };
    let mut known: HashMap<T, T> = HashMap::new();
    let mut stack = vec![frame(root.clone())];
    let mut result = root.clone();
    while let Some(top) = stack.last_mut() {
        if let Some(next) = top.operands.get(top.done.len()).cloned() {
            match known.get(&next) {
                Some(new) => top.done.push(new.clone()),
                None => stack.push(frame(next)),
            }
            continue;
        }
        let Some(frame) = stack.pop() else { break };
        let term = match &frame.head {
            Some(head) if frame.done != frame.operands => frame.term.similar(head, frame.done),
            _ => frame.term,
        };
        let new = after.and_then(|s| s.apply(&term)).unwrap_or(term);
        known.insert(frame.found, new.clone());
        result = new;
    }
    result
}
