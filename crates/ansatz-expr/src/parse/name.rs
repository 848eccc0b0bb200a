//! What names mean, and which ones are close to one that means nothing.

use crate::arena::{Arena, Id, Kind};
use crate::{ExprError, Function};

/// Names that an error tells.
const TOLD: usize = 8;

impl Arena {
    /// The leaf of a declared name.
    pub(super) fn known(&mut self, name: &str) -> Id {
        match self.declared(name).map(|(_, d)| d.kind.clone()) {
            Some(Kind::Field(arguments)) => self.field(name, &arguments),
            _ => self.symbol(name),
        }
    }

    /// A derivative by its name: `u_xx`, `u_x_x`, `u_{x1 x1}`. Functions of longer names come first.
    pub(super) fn derivative_named(
        &mut self,
        name: &str,
        braces: Option<&str>,
        position: usize,
    ) -> Result<Option<Id>, ExprError> {
        let splits: Vec<(&str, &str)> = match braces {
            Some(braces) => vec![(name.strip_suffix('_').unwrap_or(name), braces)],
            None => name
                .rmatch_indices('_')
                .map(|(i, _)| (&name[..i], &name[i + 1..]))
                .collect(),
        };
        for (function, below) in splits {
            let Some((field, declared)) = self.declared(function) else {
                continue;
            };
            if declared.kind == Kind::Symbol || below.is_empty() {
                continue;
            }
            let symbols: Vec<&str> = self
                .arguments(field)
                .iter()
                .map(|a| self.name_of(*a))
                .collect();
            match &*readings(below, &symbols) {
                [] => {}
                [orders] => {
                    let orders = orders.clone();
                    return Ok(Some(self.field_derivative(field, &orders)));
                }
                [first, second, ..] => {
                    let written = |orders: &[u32]| {
                        let each = symbols.iter().zip(orders);
                        let each = each.flat_map(|(s, n)| vec![*s; *n as usize]);
                        each.collect::<Vec<_>>().join(" ")
                    };
                    return Err(ExprError::Ambiguous {
                        name: name.to_owned(),
                        position,
                        field: function.to_owned(),
                        first: written(first),
                        second: written(second),
                    });
                }
            }
        }
        Ok(None)
    }
}

/// The orders that `below` can mean, two at most: the symbols one after another, with underscores, blanks or commas
/// between them or nothing.
fn readings(below: &str, symbols: &[&str]) -> Vec<Vec<u32>> {
    let mut ways = vec![vec![0; symbols.len()]];
    for word in below.split([' ', ',']).filter(|w| !w.is_empty()) {
        // A word that is a symbol is that symbol.
        if let Some(i) = symbols.iter().position(|s| *s == word) {
            for orders in &mut ways {
                orders[i] += 1;
            }
            continue;
        }
        // What each beginning of the word can mean.
        let mut reached: Vec<Vec<Vec<u32>>> = vec![Vec::new(); word.len() + 1];
        reached[0] = ways;
        for place in 0..word.len() {
            for orders in std::mem::take(&mut reached[place]) {
                let mut reach = |end: usize, orders: Vec<u32>| {
                    let end = &mut reached[end];
                    if end.len() < 2 && !end.contains(&orders) {
                        end.push(orders);
                    }
                };
                if word[place..].starts_with('_') {
                    reach(place + 1, orders.clone());
                }
                for (i, symbol) in symbols.iter().enumerate() {
                    if word[place..].starts_with(symbol) {
                        let mut orders = orders.clone();
                        orders[i] += 1;
                        reach(place + symbol.len(), orders);
                    }
                }
            }
        }
        ways = std::mem::take(&mut reached[word.len()]);
    }
    ways.retain(|orders| orders.iter().any(|n| *n > 0));
    ways
}

pub(super) fn unknown(
    name: &str,
    braces: Option<&str>,
    position: usize,
    arena: &Arena,
) -> ExprError {
    let mut known: Vec<String> = arena.names.iter().map(|n| n.name.clone()).collect();
    // Derivatives that there are, if it looks like one.
    let prefix = name.split('_').next().unwrap_or(name);
    if name.contains('_')
        && let Some((_, declared)) = arena.declared(prefix)
        && let Kind::Field(arguments) = &declared.kind
    {
        known.extend(
            arguments
                .iter()
                .map(|a| format!("{prefix}_{}", arena.name_of(*a))),
        );
    }
    let name = match braces {
        Some(braces) => format!("{name}{{{braces}}}"),
        None => name.to_owned(),
    };
    ExprError::UnknownSymbol {
        known: closest(&name, known),
        name,
        position,
    }
}

pub(super) fn functions(name: &str, arena: &Arena) -> Vec<String> {
    let fields = arena.names.iter().filter(|n| n.kind != Kind::Symbol);
    let words = ["sqrt", "diff", "laplacian"].map(str::to_owned);
    let known = Function::ALL.map(|f| f.name().to_owned());
    let known = known.into_iter().chain(words);
    closest(name, known.chain(fields.map(|n| n.name.clone())).collect())
}

fn closest(name: &str, mut known: Vec<String>) -> Vec<String> {
    known.sort_by_key(|other| distance(name, other));
    known.truncate(TOLD);
    known
}

/// Letters to change, add or remove (Levenshtein 1966), without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|s| s.to_lowercase().chars().collect::<Vec<char>>());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn symbols_one_after_another() {
        assert_eq!(readings("xxt", &["x", "t"]), [[2, 1]]);
        assert_eq!(readings("x_x", &["x", "t"]), [[2, 0]]);
        assert_eq!(readings("x1 x1", &["x", "x1"]), [[0, 2]]);
        assert!(readings("xy", &["x", "t"]).is_empty());
        assert_eq!(readings("abc", &["a", "bc", "ab", "c"]).len(), 2);
    }
}
