//! Matrix products with the same factor as one product of a taller matrix.
//!
//! Derivatives carried forwards go through a layer as several arrays times the same weights, and come
//! back the same way. Arrays that one kernel writes can lie one below the other in memory: then the products
//! of all of them are one, and so is the sum of products that gives the weights' gradient.

use std::collections::{HashMap, HashSet};

use super::fuse::{Block, Instruction, root};
use super::plan::Product;
use crate::graph::Id;
use crate::op::Side;

/// Which arrays lie together, and what becomes of the instructions.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    /// Arrays from top to bottom.
    pub(crate) lists: Vec<Vec<Id>>,
    /// List and place of an array.
    pub(crate) of: HashMap<Id, (usize, usize)>,
    /// Instructions that others do as well, and those that do it.
    pub(crate) fates: HashMap<usize, Fate>,
}

/// What becomes of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Another one does it.
    Gone,
    /// It works on all parts of the arrays' lists.
    Stacked,
}

/// A product of a block.
#[derive(Clone, Copy)]
struct Factor {
    /// Its instruction.
    at: usize,
    left: Id,
    right: Id,
    out: Id,
    sides: (Side, Side),
}

impl Stacks {
    /// `total` names the sum that a reduced result is part of.
    pub(crate) fn new(
        block: &Block<'_>,
        instructions: &[Instruction],
        total: impl Fn(Id) -> Id,
    ) -> Self {
        let mut stacks = Self::default();
        let factors = |wanted: Product| -> Vec<Factor> {
            let each = instructions.iter().enumerate();
            each.filter_map(|(at, instruction)| match instruction {
                Instruction::Product {
                    product,
                    kind: Some(kind),
                    a,
                    b,
                    out,
                } if *kind == wanted => Some(Factor {
                    at,
                    left: root(block.trace, *a),
                    right: root(block.trace, *b),
                    out: *out,
                    sides: (product.left, product.right),
                }),
                _ => None,
            })
            .collect()
        };
        let contractions = factors(Product::Contracted);
        // Products with one right factor whose left factors one kernel writes.
        let writer = |id: Id| {
            instructions.iter().position(
                |i| matches!(i, Instruction::Fused { stores, .. } if stores.contains(&id)),
            )
        };
        for group in grouped(factors(Product::Rows), |f| {
            Some((f.right, f.sides.1, writer(f.left)?))
        }) {
            stacks.add(block, instructions, group, &contractions);
        }
        for group in grouped(contractions.clone(), |f| Some((total(f.out), f.sides))) {
            stacks.contract(&group);
        }
        stacks
    }

    fn add(
        &mut self,
        block: &Block<'_>,
        instructions: &[Instruction],
        mut group: Vec<Factor>,
        contractions: &[Factor],
    ) {
        // Under two names an array may be multiplied twice; it lies in one place.
        let mut seen = HashSet::new();
        group.retain(|f| seen.insert(f.left));
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return;
        };
        // The product waits for the last one: nobody may read a result before.
        let early = instructions[first.at..last.at].iter().any(|i| {
            let read = super::bind::inputs(block, i);
            group.iter().any(|f| read.contains(&f.out))
        });
        let taken = |f: &Factor| self.of.contains_key(&f.left) || self.of.contains_key(&f.out);
        let last = last.at;
        if group.len() < 2 || early || group.iter().any(taken) {
            return;
        }
        // Arrays that are contracted with those of an older list take their order.
        let partner = |f: &Factor| {
            let pair = contractions.iter().find(|c| c.right == f.left)?;
            self.of.get(&pair.left).copied()
        };
        if group.iter().all(|f| partner(f).is_some()) {
            group.sort_by_key(|f| partner(f));
        }
        for f in &group {
            let fate = if f.at == last {
                Fate::Stacked
            } else {
                Fate::Gone
            };
            self.fates.insert(f.at, fate);
        }
        for ids in [
            group.iter().map(|f| f.left).collect::<Vec<Id>>(),
            group.iter().map(|f| f.out).collect(),
        ] {
            for (part, id) in ids.iter().enumerate() {
                self.of.insert(*id, (self.lists.len(), part));
            }
            self.lists.push(ids);
        }
    }

    /// Contractions that add up are one, if they go through two lists from top to bottom.
    fn contract(&mut self, group: &[Factor]) {
        let places: Option<Vec<_>> = group
            .iter()
            .map(|f| Some((*self.of.get(&f.left)?, *self.of.get(&f.right)?)))
            .collect();
        let Some(mut places) = places else { return };
        places.sort_unstable();
        let (((left, _), (right, _)), Some(last)) = (places[0], group.last()) else {
            return;
        };
        let in_order = places
            .iter()
            .enumerate()
            .all(|(i, (l, r))| *l == (left, i) && *r == (right, i));
        let all = [left, right]
            .iter()
            .all(|list| self.lists[*list].len() == group.len());
        if !in_order || !all {
            return;
        }
        for f in group {
            let fate = if f.at == last.at {
                Fate::Stacked
            } else {
                Fate::Gone
            };
            self.fates.insert(f.at, fate);
        }
    }
}

/// Factors with equal keys, in order.
fn grouped<K: PartialEq>(
    factors: Vec<Factor>,
    key: impl Fn(&Factor) -> Option<K>,
) -> Vec<Vec<Factor>> {
    let mut groups: Vec<(K, Vec<Factor>)> = Vec::new();
    for f in factors {
        let Some(k) = key(&f) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == k) {
            Some((_, list)) => list.push(f),
            None => groups.push((k, vec![f])),
        }
    }
    groups.into_iter().map(|(_, list)| list).collect()
}
