//! What rules see of terms.

use std::hash::Hash;

use crate::arena::{Id, Node};
use crate::number::Number;
use crate::{Expr, Function};

/// A tree of operations: all that matching and rewriting need. Any type that implements it can be rewritten.
pub trait Term: Clone + Eq + Hash {
    /// What an operation is.
    type Head: Clone + PartialEq;

    /// The operation and its operands; `None` for a leaf.
    fn operation(&self) -> Option<(Self::Head, Vec<Self>)>;

    /// A term of the same kind with another operation.
    #[must_use]
    fn similar(&self, head: &Self::Head, operands: Vec<Self>) -> Self;

    /// Whether operands may be taken in any order and grouping.
    fn commutes(head: &Self::Head) -> bool;
}

/// Operations of expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Head {
    /// Any number of terms.
    Sum,
    /// Any number of factors, a number first if there is one.
    Product,
    /// Base and exponent.
    Power,
    /// A function of one operand.
    Function(Function),
}

impl Term for Expr<'_> {
    type Head = Head;

    fn operation(&self) -> Option<(Head, Vec<Self>)> {
        let mut arena = self.pool.arena.borrow_mut();
        let (head, ids): (Head, Vec<Id>) = match arena.node(self.id).clone() {
            Node::Add(constant, terms) => {
                let list = arena.list(&terms);
                let mut ids: Vec<Id> = list.iter().map(|(t, c)| arena.scale(*t, *c)).collect();
                if !constant.is_zero() {
                    ids.push(arena.exact(constant));
                }
                (Head::Sum, ids)
            }
            Node::Mul(coefficient, factors) => {
                let list = arena.list(&factors);
                if let ([(base, e)], true) = (&*list, coefficient.is_one()) {
                    (Head::Power, vec![*base, arena.exact(*e)])
                } else {
                    let mut ids = Vec::new();
                    if !coefficient.is_one() {
                        ids.push(arena.exact(coefficient));
                    }
                    ids.extend(list.iter().map(|(base, e)| arena.product(&[(*base, *e)])));
                    (Head::Product, ids)
                }
            }
            Node::Pow(base, exponent) => (Head::Power, vec![base, exponent]),
            Node::Call(function, argument) => (Head::Function(function), vec![argument]),
            Node::Number(_)
            | Node::Constant(_)
            | Node::Symbol(_)
            | Node::Field(..)
            | Node::Undefined(_) => return None,
        };
        let pool = self.pool;
        Some((head, ids.into_iter().map(|id| Self { pool, id }).collect()))
    }

    fn similar(&self, head: &Head, operands: Vec<Self>) -> Self {
        let parts: Vec<(Id, Number)> = operands.iter().map(|o| (o.id, Number::ONE)).collect();
        self.pool.make(|arena| match (head, &*parts) {
            (Head::Product, _) => arena.product(&parts),
            (Head::Power, [(base, _), (exponent, _)]) => arena.power(*base, *exponent),
            (Head::Function(function), [(argument, _)]) => arena.call(*function, *argument),
            _ => arena.linear(&parts),
        })
    }

    fn commutes(head: &Head) -> bool {
        matches!(head, Head::Sum | Head::Product)
    }
}
