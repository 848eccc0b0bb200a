//! Derivatives and replacement, operands first, a step for each distinct node.

use super::{Arena, Id, Map, Node};
use crate::number::Number;
use crate::{ExprError, Function};

/// Most terms that a product is multiplied out to.
const EXPANDED: f64 = 1e5;

impl Arena {
    /// ∂/∂variable, forwards.
    pub(crate) fn derivative(&mut self, id: Id, variable: Id) -> Id {
        if let Some(bad) = self.first_undefined([id, variable]) {
            return bad;
        }
        if !matches!(self.node(variable), Node::Symbol(_) | Node::Field(..)) {
            let (what, got) = ("a derivative".to_owned(), self.text(variable));
            return self.undefined(ExprError::NotASymbol { what, got });
        }
        // Nodes that are not there have derivative 0.
        let mut slopes: Map<Id, Id> = Map::default();
        for node in self.reachable(&[id]) {
            let slope = if node == variable {
                Some(self.exact(Number::ONE))
            } else {
                self.slope(node, variable, &slopes)
            };
            if let Some(slope) = slope {
                slopes.insert(node, slope);
            }
        }
        match slopes.get(&id) {
            Some(slope) => *slope,
            None => self.exact(Number::ZERO),
        }
    }

    fn slope(&mut self, id: Id, variable: Id, slopes: &Map<Id, Id>) -> Option<Id> {
        let of = |id: &Id| slopes.get(id).copied();
        match self.node(id).clone() {
            Node::Field(field, mut orders) => {
                let place = self.arguments(field).iter().position(|a| *a == variable)?;
                orders[place] += 1;
                Some(self.field_derivative(field, &orders))
            }
            Node::Add(_, terms) => {
                let list = self.list(&terms);
                let parts: Vec<_> = list
                    .iter()
                    .filter_map(|(term, c)| Some((of(term)?, *c)))
                    .collect();
                (!parts.is_empty()).then(|| self.linear(&parts))
            }
            Node::Mul(_, factors) => {
                let mut parts = Vec::new();
                for (base, e) in self.list(&factors).iter() {
                    if let Some(slope) = of(base) {
                        let rest = self.without(id, *base);
                        parts.push((self.multiply(rest, slope), *e));
                    }
                }
                (!parts.is_empty()).then(|| self.linear(&parts))
            }
            Node::Pow(base, exponent) => {
                let mut parts = Vec::new();
                if let Some(slope) = of(&base) {
                    let rest = self.without(id, base);
                    let rest = self.multiply(rest, exponent);
                    parts.push((self.multiply(rest, slope), Number::ONE));
                }
                if let Some(slope) = of(&exponent) {
                    let log = self.call(Function::Ln, base);
                    let rest = self.multiply(id, log);
                    parts.push((self.multiply(rest, slope), Number::ONE));
                }
                (!parts.is_empty()).then(|| self.linear(&parts))
            }
            Node::Call(function, argument) => {
                let slope = of(&argument)?;
                let outer = self.call_slope(function, argument, id);
                Some(self.multiply(outer, slope))
            }
            Node::Number(_) | Node::Constant(_) | Node::Symbol(_) | Node::Undefined(_) => None,
        }
    }

    /// x/base.
    pub(crate) fn without(&mut self, id: Id, base: Id) -> Id {
        self.product(&[(id, Number::ONE), (base, Number::MINUS_ONE)])
    }

    /// f′ at `x`, given f(x).
    pub(crate) fn call_slope(&mut self, function: Function, x: Id, value: Id) -> Id {
        let one = self.exact(Number::ONE);
        let square = |arena: &mut Self, of: Id| arena.product(&[(of, Number::integer(2))]);
        // (1 ± x²)^e
        let inverse = |arena: &mut Self, sign, constant, e: f64| {
            let x2 = arena.product(&[(x, Number::integer(2))]);
            let sum = arena.linear(&[(one, constant), (x2, sign)]);
            arena.product(&[(sum, Number::real(e))])
        };
        let (plus, minus) = (Number::ONE, Number::MINUS_ONE);
        match function {
            Function::Exp => value,
            Function::Ln => self.product(&[(x, minus)]),
            Function::Sin => self.call(Function::Cos, x),
            Function::Cos => {
                let sin = self.call(Function::Sin, x);
                self.scale(sin, minus)
            }
            Function::Tan => {
                let square = square(self, value);
                self.add(one, square)
            }
            Function::Tanh => {
                let square = square(self, value);
                self.subtract(one, square)
            }
            Function::Asin => inverse(self, minus, plus, -0.5),
            Function::Acos => {
                let slope = inverse(self, minus, plus, -0.5);
                self.scale(slope, minus)
            }
            Function::Atan => inverse(self, plus, plus, -1.0),
            Function::Sinh => self.call(Function::Cosh, x),
            Function::Cosh => self.call(Function::Sinh, x),
            Function::Asinh => inverse(self, plus, plus, -0.5),
            Function::Acosh => inverse(self, plus, minus, -0.5),
            Function::Atanh => inverse(self, minus, plus, -1.0),
            Function::Erf => {
                let square = square(self, x);
                let opposite = self.scale(square, minus);
                let bell = self.call(Function::Exp, opposite);
                let pi = self.constant(super::Constant::Pi);
                let two = self.exact(Number::integer(2));
                self.product(&[(two, plus), (bell, plus), (pi, Number::real(-0.5))])
            }
            Function::Abs => self.call(Function::Sign, x),
            Function::Sign => self.exact(Number::ZERO),
        }
    }

    /// Products and whole powers of sums multiplied out, up to [`EXPANDED`] terms each.
    pub(crate) fn expand(&mut self, id: Id) -> Id {
        let mut new: Map<Id, Id> = Map::default();
        for node in self.reachable(&[id]) {
            let kind = self.node(node).clone();
            let mut made = self.rebuilt(node, &kind, &new);
            if let Node::Mul(coefficient, factors) = self.node(made).clone() {
                let list = self.list(&factors);
                let size = list
                    .iter()
                    .fold(1.0, |size, (base, e)| size * self.terms_of_power(*base, *e));
                if size > 1.0 && size <= EXPANDED {
                    made = self.exact(coefficient);
                    for (base, e) in list.iter() {
                        if self.terms_of_power(*base, *e) > 1.0 {
                            for _ in 0..e.as_integer().unwrap_or(0) {
                                made = self.spread(made, *base);
                            }
                        } else {
                            let power = self.product(&[(*base, *e)]);
                            made = self.spread(made, power);
                        }
                    }
                }
            }
            new.insert(node, made);
        }
        new[&id]
    }

    /// An estimate from above of the number of terms of base^e.
    fn terms_of_power(&self, base: Id, e: Number) -> f64 {
        match (self.node(base), e.as_integer()) {
            (Node::Add(constant, terms), Some(n)) if n > 0 => {
                let count = terms.count() + usize::from(!constant.is_zero());
                // Monomials of degree n in that many terms.
                (1..count).fold(1.0, |size, i| size * (n as f64 + i as f64) / i as f64)
            }
            _ => 1.0,
        }
    }

    /// a·b, term by term.
    fn spread(&mut self, a: Id, b: Id) -> Id {
        let terms = |arena: &mut Self, id: Id| match arena.node(id).clone() {
            Node::Add(constant, terms) => {
                let mut list = arena.list(&terms).to_vec();
                if !constant.is_zero() {
                    list.push((arena.exact(Number::ONE), constant));
                }
                list
            }
            _ => vec![(id, Number::ONE)],
        };
        let (left, right) = (terms(self, a), terms(self, b));
        let mut parts = Vec::with_capacity(left.len() * right.len());
        for (x, c) in &left {
            for (y, d) in &right {
                parts.push((self.multiply(*x, *y), c.times(*d)));
            }
        }
        self.linear(&parts)
    }

    /// Every node of `replacements` by its partner, all at once.
    pub(crate) fn substitute(&mut self, id: Id, replacements: &[(Id, Id)]) -> Id {
        let partners = replacements.iter().flat_map(|(a, b)| [*a, *b]);
        if let Some(bad) = self.first_undefined(partners.chain([id])) {
            return bad;
        }
        let given: Map<Id, Id> = replacements.iter().copied().collect();
        let mut new: Map<Id, Id> = Map::default();
        for node in self.reachable(&[id]) {
            let made = match given.get(&node) {
                Some(partner) => *partner,
                None => match self.node(node).clone() {
                    Node::Field(field, orders) => self.replaced(node, field, &orders, &given),
                    other => self.rebuilt(node, &other, &new),
                },
            };
            new.insert(node, made);
        }
        new[&id]
    }

    fn replaced(&mut self, node: Id, field: u32, orders: &[u32], given: &Map<Id, Id>) -> Id {
        let arguments = self.arguments(field).to_vec();
        let function = self.field_derivative(field, &vec![0; orders.len()]);
        if let Some(partner) = given.get(&function) {
            let mut value = *partner;
            for (argument, order) in arguments.iter().zip(orders) {
                for _ in 0..*order {
                    value = self.derivative(value, *argument);
                }
            }
            return value;
        }
        let moved = |a: &&Id| given.get(a).is_some_and(|partner| partner != *a);
        if let Some(argument) = arguments.iter().find(moved) {
            let field = self.text(node);
            let symbol = self.text(*argument);
            return self.undefined(ExprError::Argument { field, symbol });
        }
        node
    }

    /// The node with its operands by `new`.
    pub(crate) fn rebuilt(&mut self, id: Id, node: &Node, new: &Map<Id, Id>) -> Id {
        let of = |id: &Id| new.get(id).copied().unwrap_or(*id);
        let list = |arena: &Self, terms| {
            let list = arena.list(terms);
            let same = list.iter().all(|(key, _)| of(key) == *key);
            let list: Vec<_> = list.iter().map(|(key, n)| (of(key), *n)).collect();
            (!same).then_some(list)
        };
        match node {
            Node::Add(constant, terms) => match list(self, terms) {
                None => id,
                Some(mut parts) => {
                    parts.push((self.exact(*constant), Number::ONE));
                    self.linear(&parts)
                }
            },
            Node::Mul(coefficient, factors) => match list(self, factors) {
                None => id,
                Some(mut parts) => {
                    parts.push((self.exact(*coefficient), Number::ONE));
                    self.product(&parts)
                }
            },
            Node::Pow(base, exponent) => self.power(of(base), of(exponent)),
            Node::Call(function, argument) => self.call(*function, of(argument)),
            Node::Number(_)
            | Node::Constant(_)
            | Node::Symbol(_)
            | Node::Field(..)
            | Node::Undefined(_) => id,
        }
    }
}
