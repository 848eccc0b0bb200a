//! Canonical sums, products, powers and calls.

use super::{Arena, Constant, Id, Node, Terms};
use crate::function::Parity;
use crate::number::Number;
use crate::{ExprError, Function};

/// Kinds of operations that are looked up by their operands.
const SUM: u32 = 0;
const PRODUCT: u32 = 1;

impl Arena {
    pub(crate) fn add(&mut self, a: Id, b: Id) -> Id {
        self.paired(SUM, a, b, Self::linear)
    }

    pub(crate) fn subtract(&mut self, a: Id, b: Id) -> Id {
        self.linear(&[(a, Number::ONE), (b, Number::MINUS_ONE)])
    }

    pub(crate) fn multiply(&mut self, a: Id, b: Id) -> Id {
        self.paired(PRODUCT, a, b, Self::product)
    }

    pub(crate) fn divide(&mut self, a: Id, b: Id) -> Id {
        if let Node::Number(n) = self.node(b)
            && n.is_zero()
            && self.error(a).is_none()
        {
            let term = self.text(a);
            return self.undefined(ExprError::DivisionByZero { term });
        }
        self.product(&[(a, Number::ONE), (b, Number::MINUS_ONE)])
    }

    pub(crate) fn scale(&mut self, a: Id, c: Number) -> Id {
        self.linear(&[(a, c)])
    }

    fn paired(
        &mut self,
        kind: u32,
        a: Id,
        b: Id,
        make: fn(&mut Self, &[(Id, Number)]) -> Id,
    ) -> Id {
        let long = |id: &&Id| match self.node(**id) {
            Node::Add(_, terms) | Node::Mul(_, terms) => terms.is_long(),
            _ => false,
        };
        let long = [a, b].iter().filter(long).count();
        let key = (kind, a.min(b), a.max(b));
        if long > 0
            && let Some(id) = self.pairs.get(&key)
        {
            return *id;
        }
        let logs = self.logs.len();
        let made = make(self, &[(a, Number::ONE), (b, Number::ONE)]);
        if long > 1 || (long > 0 && self.logs.len() > logs) {
            self.pairs.insert(key, made);
        }
        made
    }

    /// The part that costs least to extend: the longest list that is taken as it is.
    fn longest<'a>(&self, lists: impl Iterator<Item = (usize, &'a Terms)>) -> Option<usize> {
        lists
            .max_by_key(|(_, terms)| (terms.count(), self.extends_in_place(terms)))
            .map(|(index, _)| index)
    }

    /// Σ c·x.
    pub(crate) fn linear(&mut self, parts: &[(Id, Number)]) -> Id {
        if let Some(bad) = self.first_undefined(parts.iter().map(|(id, _)| *id)) {
            return bad;
        }
        let sums = parts.iter().enumerate();
        let base = self.longest(sums.filter_map(|(i, (id, c))| match self.node(*id) {
            Node::Add(_, terms) if c.is_one() => Some((i, terms)),
            _ => None,
        }));
        let mut constant = Number::ZERO;
        let mut terms = Terms::empty();
        // One buffer for all sums: most add one term to many.
        let mut changes = std::mem::take(&mut self.changes);
        changes.clear();
        for (i, (id, c)) in parts.iter().enumerate() {
            if c.is_zero() {
                continue;
            }
            match self.node(*id).clone() {
                Node::Number(n) => constant = constant.plus(c.times(n)),
                Node::Add(k, inner) => {
                    constant = constant.plus(c.times(k));
                    if base == Some(i) {
                        terms = inner;
                    } else {
                        let list = self.list(&inner);
                        changes.extend(list.iter().map(|(term, d)| (*term, c.times(*d))));
                    }
                }
                Node::Mul(k, factors) if !k.is_one() => {
                    let monic = self.monic(factors);
                    changes.push((monic, c.times(k)));
                }
                _ => changes.push((*id, *c)),
            }
        }
        if !constant.is_finite() {
            return self.exact(constant);
        }
        let terms = self.changed(terms, &changes);
        self.changes = changes;
        let terms = match terms {
            Ok(terms) => terms,
            Err(error) => return self.undefined(error),
        };
        match terms.count() {
            0 => self.exact(constant),
            1 if constant.is_zero() => {
                let (term, c) = self.list(&terms)[0];
                self.scaled(term, c)
            }
            _ => self.intern(Node::Add(constant, terms)),
        }
    }

    /// The product of the factors without a coefficient.
    fn monic(&mut self, factors: Terms) -> Id {
        if factors.count() == 1 {
            let (base, exponent) = self.list(&factors)[0];
            if exponent.is_one() {
                return base;
            }
        }
        self.intern(Node::Mul(Number::ONE, factors))
    }

    /// c·term, for the term of a sum.
    fn scaled(&mut self, term: Id, c: Number) -> Id {
        if c.is_one() {
            return term;
        }
        let factors = match self.node(term) {
            Node::Mul(_, factors) => Ok(factors.clone()),
            _ => self.changed(Terms::empty(), &[(term, Number::ONE)]),
        };
        match factors {
            Ok(factors) => self.intern(Node::Mul(c, factors)),
            Err(error) => self.undefined(error),
        }
    }

    /// Π x^e.
    pub(crate) fn product(&mut self, parts: &[(Id, Number)]) -> Id {
        if let Some(bad) = self.first_undefined(parts.iter().map(|(id, _)| *id)) {
            return bad;
        }
        let products = parts.iter().enumerate();
        let base = self.longest(products.filter_map(|(i, (id, e))| match self.node(*id) {
            Node::Mul(_, factors) if e.is_one() => Some((i, factors)),
            _ => None,
        }));
        let mut coefficient = Number::ONE;
        let mut factors = Terms::empty();
        let mut changes = Vec::with_capacity(parts.len());
        for (i, (id, e)) in parts.iter().enumerate() {
            if e.is_zero() {
                continue;
            }
            let result = match self.node(*id).clone() {
                Node::Number(n) => self.number_power(n, *e, &mut changes),
                Node::Mul(k, inner) if e.as_integer().is_some() => {
                    if base == Some(i) {
                        factors = inner;
                    } else {
                        let list = self.list(&inner);
                        changes.extend(list.iter().map(|(b, f)| (*b, e.times(*f))));
                    }
                    self.number_power(k, *e, &mut changes)
                }
                // What is positive comes out of a root.
                Node::Mul(k, inner) if !k.magnitude().is_one() => {
                    let monic = self.monic(inner);
                    let rest = if k.is_negative() {
                        self.scaled(monic, Number::MINUS_ONE)
                    } else {
                        monic
                    };
                    changes.push((rest, *e));
                    self.number_power(k.magnitude(), *e, &mut changes)
                }
                _ => {
                    changes.push((*id, *e));
                    Ok(Number::ONE)
                }
            };
            match result {
                Ok(number) => coefficient = coefficient.times(number),
                Err(error) => return self.undefined(error),
            }
        }
        if !coefficient.is_finite() {
            return self.exact(coefficient);
        }
        let fold = changes
            .iter()
            .any(|(id, _)| matches!(self.node(*id), Node::Number(_) | Node::Mul(..)));
        let factors = match self.changed(factors, &changes) {
            Ok(factors) => factors,
            Err(error) => return self.undefined(error),
        };
        if fold {
            let list = self.list(&factors);
            if list.iter().any(|(id, e)| self.folds(*id, *e)) {
                let k = self.exact(coefficient);
                let mut parts = list.to_vec();
                parts.push((k, Number::ONE));
                return self.product(&parts);
            }
        }
        if coefficient.is_zero() {
            return self.exact(Number::ZERO);
        }
        match factors.count() {
            0 => self.exact(coefficient),
            1 => {
                let (base, exponent) = self.list(&factors)[0];
                match self.node(base) {
                    _ if coefficient.is_one() && exponent.is_one() => base,
                    Node::Add(..) if exponent.is_one() => self.linear(&[(base, coefficient)]),
                    _ => self.intern(Node::Mul(coefficient, factors)),
                }
            }
            _ => self.intern(Node::Mul(coefficient, factors)),
        }
    }

    /// Whether a base with its exponent is more than a factor.
    fn folds(&self, base: Id, exponent: Number) -> bool {
        match self.node(base) {
            Node::Mul(..) => exponent.as_integer().is_some(),
            Node::Number(_) => !(0.0..1.0).contains(&exponent.value()),
            _ => false,
        }
    }

    /// nᵉ as a number; what is no number, as √2, goes to the factors, its exponent between 0 and 1.
    fn number_power(
        &mut self,
        n: Number,
        e: Number,
        changes: &mut Vec<(Id, Number)>,
    ) -> Result<Number, ExprError> {
        if n.is_zero() && e.is_negative() {
            return Err(ExprError::DivisionByZero { term: "1".into() });
        }
        if n.is_negative() && e.as_integer().is_none() {
            let term = format!("({})^({})", n.value(), e.value());
            return Err(ExprError::Domain { term });
        }
        if n.is_zero() {
            return Ok(n);
        }
        if let Some(value) = n.power(e) {
            return Ok(value);
        }
        let whole = Number::integer(e.value().floor() as i64);
        let base = self.exact(n);
        changes.push((base, e.plus(whole.negated())));
        Ok(n.power(whole).unwrap_or(Number::ONE))
    }

    pub(crate) fn power(&mut self, base: Id, exponent: Id) -> Id {
        if let Some(bad) = self.first_undefined([base, exponent]) {
            return bad;
        }
        match (self.node(base), self.node(exponent)) {
            (_, Node::Number(e)) => {
                let e = *e;
                self.product(&[(base, e)])
            }
            (Node::Constant(Constant::E), _) => self.call(Function::Exp, exponent),
            (Node::Number(n), _) if n.is_one() => base,
            _ => self.intern(Node::Pow(base, exponent)),
        }
    }

    pub(crate) fn call(&mut self, function: Function, argument: Id) -> Id {
        if let Some(bad) = self.first_undefined([argument]) {
            return bad;
        }
        match self.node(argument).clone() {
            Node::Number(n) => self.call_number(function, n, argument),
            Node::Constant(Constant::E) if function == Function::Ln => self.exact(Number::ONE),
            Node::Mul(k, _) if k.is_negative() && function.parity() != Parity::Neither => {
                let opposite = self.linear(&[(argument, Number::MINUS_ONE)]);
                let value = self.call(function, opposite);
                if function.parity() == Parity::Odd {
                    self.linear(&[(value, Number::MINUS_ONE)])
                } else {
                    value
                }
            }
            _ => self.intern(Node::Call(function, argument)),
        }
    }

    fn call_number(&mut self, function: Function, n: Number, argument: Id) -> Id {
        let value = function.at(n.value());
        // The value at 0 or 1 may be infinite by definition: ln 0, atanh 1.
        if !value.is_finite() {
            let term = format!("{}({})", function.name(), n.value());
            return self.undefined(ExprError::Domain { term });
        }
        let exact = matches!(function, Function::Abs | Function::Sign)
            || (n.is_zero() && function != Function::Acos)
            || (n.is_one() && matches!(function, Function::Ln | Function::Acos | Function::Acosh));
        match (function, n) {
            _ if exact => self.number(value),
            (Function::Exp, _) => {
                let e = self.constant(Constant::E);
                self.product(&[(e, n)])
            }
            (_, Number::Real(_)) => self.number(value),
            (_, Number::Rational(..))
                if n.is_negative() && function.parity() != Parity::Neither =>
            {
                let positive = self.exact(n.negated());
                let value = self.intern(Node::Call(function, positive));
                if function.parity() == Parity::Odd {
                    self.linear(&[(value, Number::MINUS_ONE)])
                } else {
                    value
                }
            }
            _ => self.intern(Node::Call(function, argument)),
        }
    }
}
