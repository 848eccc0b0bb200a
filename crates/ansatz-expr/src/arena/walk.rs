//! Walks over expressions without recursion.

use super::{Arena, Id, Node, Set};

impl Arena {
    /// Shows `f` the operands of a node.
    pub(crate) fn operands(&self, id: Id, mut f: impl FnMut(Id)) {
        match self.node(id) {
            Node::Add(_, terms) | Node::Mul(_, terms) => {
                self.list(terms).iter().for_each(|(key, _)| f(*key));
            }
            Node::Pow(base, exponent) => {
                f(*base);
                f(*exponent);
            }
            Node::Call(_, argument) => f(*argument),
            Node::Number(_)
            | Node::Constant(_)
            | Node::Symbol(_)
            | Node::Field(..)
            | Node::Undefined(_) => {}
        }
    }

    /// Every node that `roots` are made of, operands first.
    pub(crate) fn reachable(&self, roots: &[Id]) -> Vec<Id> {
        let mut seen: Set<Id> = Set::default();
        let mut found = Vec::new();
        let mut stack = roots.to_vec();
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                found.push(id);
                self.operands(id, |operand| stack.push(operand));
            }
        }
        found.sort_unstable();
        found
    }
}
