//! Terms with coefficients, or bases with exponents: what sums and products are made of.
//!
//! A short list is kept by itself. A long one is the first `len` entries of a log of changes; the list that ends where its log
//! ends is extended in place, so that adding n terms one by one takes O(n) altogether although every partial sum remains.
//! Extending a list inside a log by what the log goes on with gives the list that is there already; extending it by anything
//! else copies it.

use std::sync::Arc;

use super::{Arena, Digest, Id, Map};
use crate::ExprError;
use crate::number::Number;

/// Longest list that is kept by itself.
const SHORT: usize = 16;

/// A multiset: keys with numbers that are not zero.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    count: u32,
    /// A number of 128 bits in halves, lower first: as one it would be aligned to 16 bytes, and every node longer.
    digest: [u64; 2],
    store: Store,
}

#[derive(Debug, Clone)]
enum Store {
    /// In order of keys.
    Short(Arc<[(Id, Number)]>),
    Long {
        log: u32,
        len: u32,
    },
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy)]
struct Change {
    key: Id,
    /// The change of this key before this one, or [`Change::FIRST`].
    previous: u32,
    /// Its number from here on, which may be zero.
    number: Number,
}

impl Change {
    const FIRST: u32 = u32::MAX;
}

#[derive(Debug, Default)]
pub(super) struct Log {
    changes: Vec<Change>,
    /// Where the last change of a key is. Places are short, so that long sums stay in a cache.
    last: Map<Id, u32>,
}

impl Log {
    fn number(&self, place: u32) -> Number {
        let change = self.changes.get(place as usize);
        change.map_or(Number::ZERO, |change| change.number)
    }

    /// Takes back what stands after `len`.
    fn truncate(&mut self, len: usize) {
        while self.changes.len() > len
            && let Some(change) = self.changes.pop()
        {
            if change.previous == Change::FIRST {
                self.last.remove(&change.key);
            } else {
                self.last.insert(change.key, change.previous);
            }
        }
    }

    fn list(&self, len: u32) -> Vec<(Id, Number)> {
        let changes = &self.changes[..len as usize];
        let mut list: Vec<(Id, Number)> = if changes.len() == self.changes.len() {
            let places = self.last.iter();
            places
                .map(|(key, place)| (*key, self.number(*place)))
                .collect()
        } else {
            let numbers: Map<Id, Number> = changes.iter().map(|c| (c.key, c.number)).collect();
            numbers.into_iter().collect()
        };
        list.retain(|(_, number)| !number.is_zero());
        list.sort_unstable_by_key(|(key, _)| *key);
        list
    }
}

/// What a multiset becomes while its numbers change.
struct Tally {
    count: usize,
    digest: u128,
}

impl Terms {
    pub(crate) fn empty() -> Self {
        Self {
            count: 0,
            digest: [0; 2],
            store: Store::Short(Arc::new([])),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    pub(super) fn digest(&self) -> u128 {
        let [low, high] = self.digest;
        u128::from(high) << 64 | u128::from(low)
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
            Store::Long { log, len } => self.logs[*log as usize].list(*len).into(),
        }
    }

    /// Whether extending it copies nothing.
    pub(super) fn extends_in_place(&self, terms: &Terms) -> bool {
        match terms.store {
            Store::Short(_) => false,
            Store::Long { log, len } => self.logs[log as usize].changes.len() == len as usize,
        }
    }

    fn entry(&self, key: Id, number: Number) -> u128 {
        Digest::new(0)
            .wide(self.digests[key as usize])
            .words(&number.words())
            .end()
    }

    /// The number of a key after a change.
    fn tally(
        &self,
        tally: &mut Tally,
        key: Id,
        before: Number,
        change: Number,
    ) -> Result<Number, ExprError> {
        let after = before.plus(change);
        if !after.is_finite() {
            return Err(ExprError::NotFinite {
                value: after.value(),
            });
        }
        if !before.is_zero() {
            tally.count -= 1;
            tally.digest = tally.digest.wrapping_sub(self.entry(key, before));
        }
        if !after.is_zero() {
            tally.count += 1;
            tally.digest = tally.digest.wrapping_add(self.entry(key, after));
        }
        Ok(after)
    }

    /// `terms` with the numbers of some keys changed.
    pub(super) fn changed(
        &mut self,
        terms: Terms,
        changes: &[(Id, Number)],
    ) -> Result<Terms, ExprError> {
        let mut tally = Tally {
            count: terms.count(),
            digest: terms.digest(),
        };
        let (log, len) = match terms.store {
            Store::Short(list) if list.len() + changes.len() <= SHORT => {
                let mut list = list.to_vec();
                for (key, change) in changes {
                    let place = list.binary_search_by_key(key, |(key, _)| *key);
                    let before = place.map_or(Number::ZERO, |i| list[i].1);
                    let after = self.tally(&mut tally, *key, before, *change)?;
                    match place {
                        Ok(i) if after.is_zero() => drop(list.remove(i)),
                        Ok(i) => list[i].1 = after,
                        Err(i) if !after.is_zero() => list.insert(i, (*key, after)),
                        Err(_) => {}
                    }
                }
                return Ok(tally.terms(Store::Short(list.into())));
            }
            Store::Short(list) => self.start(&list),
            Store::Long { log, len } => {
                let held = &self.logs[log as usize];
                if held.changes.len() == len as usize {
                    (log, len)
                } else if let Some(terms) = self.goes_on(log, len, &tally, changes)? {
                    return Ok(terms);
                } else {
                    let list = held.list(len);
                    self.start(&list)
                }
            }
        };
        let mut held = std::mem::take(&mut self.logs[log as usize]);
        let written = self.write(&mut held, &mut tally, changes);
        if written.is_err() {
            held.truncate(len as usize);
        }
        let store = if tally.count <= SHORT {
            Store::Short(held.list(held.changes.len() as u32).into())
        } else {
            let len = held.changes.len() as u32;
            Store::Long { log, len }
        };
        self.logs[log as usize] = held;
        written.map(|()| tally.terms(store))
    }

    fn write(
        &self,
        held: &mut Log,
        tally: &mut Tally,
        changes: &[(Id, Number)],
    ) -> Result<(), ExprError> {
        for (key, change) in changes {
            let place = held.changes.len() as u32;
            let previous = held.last.insert(*key, place).unwrap_or(Change::FIRST);
            let number = self.tally(tally, *key, held.number(previous), *change);
            held.changes.push(Change {
                key: *key,
                previous,
                // A change that fails is taken back with the rest.
                number: *number.as_ref().unwrap_or(&Number::ZERO),
            });
            number?;
        }
        Ok(())
    }

    /// The first `len` entries of a log with `changes`, if that is how the log goes on.
    fn goes_on(
        &self,
        log: u32,
        len: u32,
        tally: &Tally,
        changes: &[(Id, Number)],
    ) -> Result<Option<Terms>, ExprError> {
        let held = &self.logs[log as usize];
        let end = len as usize + changes.len();
        let Some(next) = held.changes.get(len as usize..end) else {
            return Ok(None);
        };
        let mut tally = Tally { ..*tally };
        for (made, (key, change)) in next.iter().zip(changes) {
            if made.key != *key {
                return Ok(None);
            }
            let before = held.number(made.previous);
            if self.tally(&mut tally, *key, before, *change)? != made.number {
                return Ok(None);
            }
        }
        // A list that became short is kept by itself, wherever it was made.
        let store = if tally.count <= SHORT {
            Store::Short(held.list(end as u32).into())
        } else {
            let len = end as u32;
            Store::Long { log, len }
        };
        Ok(Some(tally.terms(store)))
    }

    fn start(&mut self, list: &[(Id, Number)]) -> (u32, u32) {
        let mut log = Log::default();
        for (place, (key, number)) in list.iter().enumerate() {
            log.last.insert(*key, place as u32);
            log.changes.push(Change {
                key: *key,
                previous: Change::FIRST,
                number: *number,
            });
        }
        self.logs.push(log);
        (self.logs.len() as u32 - 1, list.len() as u32)
    }
}

impl Tally {
    fn terms(self, store: Store) -> Terms {
        Terms {
            count: self.count as u32,
            digest: [self.digest as u64, (self.digest >> 64) as u64],
            store,
        }
    }
}
