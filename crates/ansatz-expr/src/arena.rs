//! Nodes in order, each once: an operand always stands before what is made of it, so that any walk over an expression is
//! a loop over numbers and nothing recurs.
//!
//! A node is found again by a digest of 128 bits of what it means, which does not depend on the order in which operands
//! were given. The digest of a sum is that of the multiset of its terms, kept up with each term.

mod build;
mod declare;
mod derive;
mod terms;
mod walk;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::number::Number;
use crate::{ExprError, Function};

pub(crate) use declare::{Declared, Kind};
use terms::Log;
pub(crate) use terms::Terms;

/// Index of a node.
pub(crate) type Id = u32;

/// Numbers that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constant {
    Pi,
    E,
}

impl Constant {
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Pi => std::f64::consts::PI,
            Self::E => std::f64::consts::E,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Number(Number),
    Constant(Constant),
    /// By its number among the declared names.
    Symbol(u32),
    /// A derivative of a declared function: how often by each of its arguments.
    Field(u32, Box<[u32]>),
    /// constant + Σ coefficient·term. Terms are monic and no sums; there are two, or one and a constant.
    Add(Number, Terms),
    /// coefficient·Π base^exponent. A power of a product has no integer exponent, and a sum of exponent 1 is not
    /// alone with a coefficient.
    Mul(Number, Terms),
    /// A power whose exponent is no number.
    Pow(Id, Id),
    Call(Function, Id),
    /// What has no value, by the number of its error.
    Undefined(u32),
}

/// Digests are as good as random already.
#[derive(Default)]
pub(crate) struct Direct(u64);

impl Hasher for Direct {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    /// Numbers of nodes, of which those made one after the other are mostly wanted one after the other: 64 of them stay
    /// together, on few lines of a cache.
    fn write_u32(&mut self, word: u32) {
        let word = u64::from(word);
        // The lowest bits choose the slot, the highest tell those of a line apart.
        self.0 = scramble(self.0 ^ (word >> 6)) ^ (word & 63) ^ (word << 58);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = scramble(self.0 ^ word);
    }

    fn write_u128(&mut self, word: u128) {
        self.0 ^= word as u64;
    }
}

pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Direct>>;
pub(crate) type Set<K> = HashSet<K, BuildHasherDefault<Direct>>;

#[derive(Debug, Default)]
pub(crate) struct Arena {
    nodes: Vec<Node>,
    digests: Vec<u128>,
    /// Nodes by their digests, which are not kept twice.
    known: HashTable<Id>,
    logs: Vec<Log>,
    pub(crate) names: Vec<Declared>,
    by_name: HashMap<String, u32>,
    pub(crate) errors: Vec<ExprError>,
    /// Sums and products of two that were made by copying a long list: making them again would copy it again.
    pairs: Map<(u32, Id, Id), Id>,
    /// What a sum is changed by while it is made.
    changes: Vec<(Id, Number)>,
}

impl Arena {
    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn intern(&mut self, node: Node) -> Id {
        let digest = self.digest(&node);
        if self.known.len() == self.known.capacity() {
            self.widen();
        }
        let Self { known, digests, .. } = self;
        let slot = known.entry(
            digest as u64,
            |id| digests[*id as usize] == digest,
            |id| digests[*id as usize] as u64,
        );
        let slot = match slot {
            Entry::Occupied(slot) => return *slot.get(),
            Entry::Vacant(slot) => slot,
        };
        let id = self.nodes.len() as Id;
        slot.insert(id);
        self.nodes.push(node);
        self.digests.push(digest);
        id
    }

    /// Twice the room for numbers, filled in their order: digests are then read one after the other, where the table's own
    /// growth would read them in the order of their places.
    fn widen(&mut self) {
        let Self { known, digests, .. } = self;
        let hash = |id: &Id| digests[*id as usize] as u64;
        let mut wider = HashTable::with_capacity(2 * known.capacity().max(8));
        for id in 0..digests.len() as Id {
            wider.insert_unique(hash(&id), id, hash);
        }
        *known = wider;
    }

    fn digest(&self, node: &Node) -> u128 {
        let of = |id: &Id| self.digests[*id as usize];
        match node {
            Node::Number(n) => Digest::new(1).words(&n.words()).end(),
            Node::Constant(c) => Digest::new(2).words(&[*c as u64]).end(),
            Node::Symbol(name) => Digest::new(3).words(&[u64::from(*name)]).end(),
            Node::Field(name, orders) => orders
                .iter()
                .fold(Digest::new(4).words(&[u64::from(*name)]), |d, order| {
                    d.words(&[u64::from(*order)])
                })
                .end(),
            Node::Add(constant, terms) => Digest::new(5)
                .words(&constant.words())
                .wide(terms.digest())
                .end(),
            Node::Mul(coefficient, factors) => Digest::new(6)
                .words(&coefficient.words())
                .wide(factors.digest())
                .end(),
            Node::Pow(base, exponent) => Digest::new(7).wide(of(base)).wide(of(exponent)).end(),
            Node::Call(function, argument) => Digest::new(8)
                .words(&[*function as u64])
                .wide(of(argument))
                .end(),
            Node::Undefined(error) => Digest::new(9).words(&[u64::from(*error)]).end(),
        }
    }

    /// Keeps an error as an expression.
    pub(crate) fn undefined(&mut self, error: ExprError) -> Id {
        let known = self.errors.iter().position(|e| *e == error);
        let number = known.unwrap_or(self.errors.len());
        if known.is_none() {
            self.errors.push(error);
        }
        self.intern(Node::Undefined(number as u32))
    }

    /// The error that an expression holds.
    pub(crate) fn error(&self, id: Id) -> Option<&ExprError> {
        match self.node(id) {
            Node::Undefined(error) => Some(&self.errors[*error as usize]),
            _ => None,
        }
    }
}

/// Two lanes of a mixing function that is a bijection in every word.
#[derive(Clone, Copy)]
struct Digest(u64, u64);

impl Digest {
    fn new(kind: u64) -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344).words(&[kind])
    }

    fn words(self, words: &[u64]) -> Self {
        words.iter().fold(self, |Self(a, b), word| {
            Self(
                scramble(a ^ word),
                scramble(b.rotate_left(23) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            )
        })
    }

    fn wide(self, word: u128) -> Self {
        self.words(&[word as u64, (word >> 64) as u64])
    }

    fn end(self) -> u128 {
        let Self(a, b) = self;
        u128::from(scramble(a ^ b.rotate_left(32))) << 64 | u128::from(scramble(b))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
fn scramble(word: u64) -> u64 {
    let z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
