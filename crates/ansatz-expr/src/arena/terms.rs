//! Terms with coefficients, or bases with exponents: what sums and products are made of.
//!
//! A short list is kept by itself. A long one is the first `len` entries of a log of changes; the list that ends where its log
//! ends is extended in place, so that adding n terms one by one takes O(n) altogether although every partial sum remains.
//! Extending a list inside a log copies it.

use std::sync::Arc;

use super::{Arena, Digest, Id, Map};
use crate::ExprError;
use crate::number::Number;

/// Longest list that is kept by itself.
const SHORT: usize = 16;

/// A multiset: keys with numbers that are not zero.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    count: usize,
    pub(super) digest: u128,
    store: Store,
}

#[derive(Debug, Clone)]
enum Store {
    /// In order of keys.
    Short(Arc<[(Id, Number)]>),
    Long {
        log: u32,
        len: usize,
    },
}

#[derive(Debug, Default)]
pub(super) struct Log {
    /// What was added to the number of a key.
    changes: Vec<(Id, Number)>,
    totals: Map<Id, Number>,
}

impl Terms {
    pub(crate) fn empty() -> Self {
        Self {
            count: 0,
            digest: 0,
            store: Store::Short(Arc::new([])),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn is_long(&self) -> bool {
        matches!(self.store, Store::Long { .. })
    }
}

impl Arena {
    /// The keys in order, with their numbers.
    pub(crate) fn list(&self, terms: &Terms) -> Arc<[(Id, Number)]> {
        match &terms.store {
            Store::Short(list) => list.clone(),
            Store::Long { log, len } => {
                let mut list: Vec<(Id, Number)> = self.totals(*log, *len).into_iter().collect();
                list.sort_unstable_by_key(|(key, _)| *key);
                list.into()
            }
        }
    }

    /// Whether extending it copies nothing.
    pub(super) fn extends_in_place(&self, terms: &Terms) -> bool {
        match terms.store {
            Store::Short(_) => false,
            Store::Long { log, len } => self.logs[log as usize].changes.len() == len,
        }
    }

    fn totals(&self, log: u32, len: usize) -> Map<Id, Number> {
        let log = &self.logs[log as usize];
        if log.changes.len() == len {
            return log.totals.clone();
        }
        let mut totals = Map::default();
        for (key, change) in &log.changes[..len] {
            change_total(&mut totals, *key, *change);
        }
        totals
    }

    fn entry(&self, key: Id, number: Number) -> u128 {
        Digest::new(0)
            .wide(self.digests[key as usize])
            .words(&number.words())
            .end()
    }

    /// `terms` with the numbers of some keys changed.
    pub(super) fn changed(
        &mut self,
        terms: Terms,
        changes: &[(Id, Number)],
    ) -> Result<Terms, ExprError> {
        let mut digest = terms.digest;
        let mut update = |arena: &Self, key, before: Number, change: Number| {
            let after = before.plus(change);
            if !after.is_finite() {
                return Err(ExprError::NotFinite {
                    value: after.value(),
                });
            }
            if !before.is_zero() {
                digest = digest.wrapping_sub(arena.entry(key, before));
            }
            if !after.is_zero() {
                digest = digest.wrapping_add(arena.entry(key, after));
            }
            Ok(after)
        };
        let (log, len) = match terms.store {
            Store::Short(list) if list.len() + changes.len() <= SHORT => {
                let mut list = list.to_vec();
                for (key, change) in changes {
                    let place = list.binary_search_by_key(key, |(key, _)| *key);
                    let before = place.map_or(Number::ZERO, |i| list[i].1);
                    let after = update(self, *key, before, *change)?;
                    match place {
                        Ok(i) if after.is_zero() => drop(list.remove(i)),
                        Ok(i) => list[i].1 = after,
                        Err(i) if !after.is_zero() => list.insert(i, (*key, after)),
                        Err(_) => {}
                    }
                }
                return Ok(Terms {
                    count: list.len(),
                    digest,
                    store: Store::Short(list.into()),
                });
            }
            Store::Short(list) => self.start(list.iter().copied()),
            Store::Long { log, len } if self.logs[log as usize].changes.len() == len => (log, len),
            Store::Long { log, len } => {
                let mut list: Vec<_> = self.totals(log, len).into_iter().collect();
                list.sort_unstable_by_key(|(key, _)| *key);
                self.start(list.into_iter())
            }
        };
        // Nothing is written before all is known to be finite.
        let mut totals = std::mem::take(&mut self.logs[log as usize].totals);
        let mut written = 0;
        let mut failure = None;
        for (key, change) in changes {
            let before = totals.get(key).copied().unwrap_or(Number::ZERO);
            match update(self, *key, before, *change) {
                Ok(_) => change_total(&mut totals, *key, *change),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            written += 1;
        }
        if let Some(error) = failure {
            for (key, change) in &changes[..written] {
                change_total(&mut totals, *key, change.negated());
            }
            self.logs[log as usize].totals = totals;
            return Err(error);
        }
        let count = totals.len();
        let held = &mut self.logs[log as usize];
        held.totals = totals;
        held.changes.extend_from_slice(changes);
        let len = len + changes.len();
        let store = if count <= SHORT {
            let mut list: Vec<_> = held.totals.iter().map(|(k, n)| (*k, *n)).collect();
            list.sort_unstable_by_key(|(key, _)| *key);
            Store::Short(list.into())
        } else {
            Store::Long { log, len }
        };
        Ok(Terms {
            count,
            digest,
            store,
        })
    }

    fn start(&mut self, list: impl Iterator<Item = (Id, Number)>) -> (u32, usize) {
        let changes: Vec<(Id, Number)> = list.collect();
        let len = changes.len();
        self.logs.push(Log {
            totals: changes.iter().copied().collect(),
            changes,
        });
        (self.logs.len() as u32 - 1, len)
    }
}

fn change_total(totals: &mut Map<Id, Number>, key: Id, change: Number) {
    let total = totals.entry(key).or_insert(Number::ZERO);
    *total = total.plus(change);
    if total.is_zero() {
        totals.remove(&key);
    }
}
