//! Matching with backtracking.

use super::{Pattern, Right, Rule, Term};

/// What slots and segments hold.
pub struct Bindings<'a, T> {
    names: &'a [String],
    held: Vec<Option<Vec<T>>>,
    /// Operands that the pattern left.
    rest: Vec<T>,
}

impl<T: Term> Bindings<'_, T> {
    /// The term of a slot.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.segment(name).first()
    }

    /// The operands of a segment.
    #[must_use]
    pub fn segment(&self, name: &str) -> &[T] {
        let place = self.names.iter().position(|n| n == name);
        place.map_or(&[], |i| self.at(i))
    }

    fn at(&self, i: usize) -> &[T] {
        self.held[i].as_deref().unwrap_or(&[])
    }
}

/// What is still to be matched.
#[derive(Clone)]
enum Goal<'r, T: Term> {
    One(&'r Pattern<T>, T),
    /// Operands; `top` ones may be left.
    All {
        patterns: Vec<&'r Pattern<T>>,
        terms: Vec<T>,
        commutes: bool,
        top: bool,
    },
}

pub(super) fn apply<T: Term>(rule: &Rule<'_, T>, term: &T) -> Option<T> {
    let mut bindings = Bindings {
        names: &rule.names,
        held: vec![None; rule.names.len()],
        rest: Vec::new(),
    };
    let goal = match (&rule.left, term.operation()) {
        (Pattern::Call(head, parts), Some((found, terms))) if *head == found => Goal::All {
            patterns: parts.iter().collect(),
            terms,
            commutes: T::commutes(head),
            top: true,
        },
        (Pattern::Call(..), _) => return None,
        (pattern, _) => Goal::One(pattern, term.clone()),
    };
    let mut made = None;
    solve(vec![goal], &mut bindings, &mut |bindings| {
        if !rule.conditions.iter().all(|holds| holds(bindings)) {
            return false;
        }
        made = match &rule.right {
            Right::Pattern(pattern) => Some(write(pattern, bindings, term)),
            Right::Made(f) => f(bindings),
        };
        if let (Some(new), Pattern::Call(head, _)) = (&made, &rule.left)
            && !bindings.rest.is_empty()
        {
            let mut operands = vec![new.clone()];
            operands.extend(bindings.rest.iter().cloned());
            made = Some(term.similar(head, operands));
        }
        made.is_some()
    });
    made
}

/// Tries all ways, until `done` accepts one. Recursion is as deep as the pattern has parts.
fn solve<T: Term>(
    mut goals: Vec<Goal<'_, T>>,
    bindings: &mut Bindings<'_, T>,
    done: &mut dyn FnMut(&Bindings<'_, T>) -> bool,
) -> bool {
    let Some(goal) = goals.pop() else {
        return done(bindings);
    };
    match goal {
        Goal::One(Pattern::Exact(exact), term) => *exact == term && solve(goals, bindings, done),
        Goal::One(Pattern::Slot(i) | Pattern::Segment(i), term) => {
            hold(*i, vec![term], false, goals, bindings, done)
        }
        Goal::One(Pattern::Call(head, parts), term) => match term.operation() {
            Some((found, terms)) if found == *head => {
                goals.push(Goal::All {
                    patterns: parts.iter().collect(),
                    terms,
                    commutes: T::commutes(head),
                    top: false,
                });
                solve(goals, bindings, done)
            }
            _ => false,
        },
        Goal::All {
            mut patterns,
            mut terms,
            commutes,
            top,
        } => {
            if patterns.is_empty() {
                if !(terms.is_empty() || top && commutes) {
                    return false;
                }
                if top {
                    bindings.rest = terms;
                }
                return solve(goals, bindings, done);
            }
            let pattern = patterns.remove(0);
            if let Pattern::Segment(i) = pattern {
                // The last one where operands commute: it takes all. Else any beginning.
                let shortest = if commutes { terms.len() } else { 0 };
                return (shortest..=terms.len()).any(|length| {
                    let mut goals = goals.clone();
                    goals.push(Goal::All {
                        patterns: patterns.clone(),
                        terms: terms[length..].to_vec(),
                        commutes,
                        top,
                    });
                    hold(
                        *i,
                        terms[..length].to_vec(),
                        commutes,
                        goals,
                        bindings,
                        done,
                    )
                });
            }
            let tried = if commutes {
                terms.len()
            } else {
                terms.len().min(1)
            };
            (0..tried).any(|i| {
                let term = terms.remove(i);
                let mut goals = goals.clone();
                goals.push(Goal::All {
                    patterns: patterns.clone(),
                    terms: terms.clone(),
                    commutes,
                    top,
                });
                goals.push(Goal::One(pattern, term.clone()));
                let solved = solve(goals, bindings, done);
                terms.insert(i, term);
                solved
            })
        }
    }
}

fn hold<T: Term>(
    i: usize,
    terms: Vec<T>,
    any_order: bool,
    goals: Vec<Goal<'_, T>>,
    bindings: &mut Bindings<'_, T>,
    done: &mut dyn FnMut(&Bindings<'_, T>) -> bool,
) -> bool {
    if let Some(held) = &bindings.held[i] {
        let same = held.len() == terms.len()
            && (*held == terms || any_order && terms.iter().all(|t| held.contains(t)));
        return same && solve(goals, bindings, done);
    }
    bindings.held[i] = Some(terms);
    let solved = solve(goals, bindings, done);
    if !solved {
        bindings.held[i] = None;
    }
    solved
}

/// The right side with what the slots hold.
fn write<T: Term>(pattern: &Pattern<T>, bindings: &Bindings<'_, T>, like: &T) -> T {
    match pattern {
        Pattern::Slot(i) | Pattern::Segment(i) => match bindings.at(*i) {
            [term, ..] => term.clone(),
            [] => like.clone(),
        },
        Pattern::Exact(term) => term.clone(),
        Pattern::Call(head, parts) => {
            let mut operands = Vec::new();
            for part in parts {
                match part {
                    Pattern::Segment(i) => operands.extend(bindings.at(*i).iter().cloned()),
                    part => operands.push(write(part, bindings, like)),
                }
            }
            like.similar(head, operands)
        }
    }
}
