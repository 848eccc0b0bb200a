//! Cheaper forms of expressions: factors drawn out of sums, and (feature `egraph`) equality saturation.

#[cfg(feature = "egraph")]
mod egraph;
#[cfg(feature = "egraph")]
mod language;

use crate::arena::{Arena, Id, Map, Node};
use crate::number::Number;
use crate::{Expr, Pool};

#[cfg(feature = "egraph")]
pub use egraph::Saturation;

/// Sums in sums that factoring makes, at most.
const DEPTH: usize = 200;

impl Expr<'_> {
    /// Common factors drawn out of sums, the most frequent first: a·b + a·c becomes a·(b + c), a polynomial takes Horner's form.
    /// Not always cheaper: what other expressions share may be taken apart.
    ///
    /// ```
    /// use ansatz_expr::Pool;
    /// let pool = Pool::new();
    /// pool.symbol("x");
    /// let polynomial = pool.parse("1 + x + x^2 + x^3 + x^4")?;
    /// let horner = polynomial.factor();
    /// assert_eq!((polynomial.cost()?, horner.cost()?), (19, 13));
    /// assert_eq!(horner.expand(), polynomial);
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    #[must_use]
    pub fn factor(self) -> Self {
        self.pool.make(|arena| arena.factor(self.id))
    }
}

impl Pool {
    /// [`Expr::factor`] of several expressions.
    #[must_use]
    pub fn factor<'p>(&'p self, outputs: &[Expr<'p>]) -> Vec<Expr<'p>> {
        outputs.iter().map(|e| e.factor()).collect()
    }
}

impl Arena {
    fn factor(&mut self, id: Id) -> Id {
        let mut new: Map<Id, Id> = Map::default();
        for node in self.reachable(&[id]) {
            let kind = self.node(node).clone();
            let made = self.rebuilt(node, &kind, &new);
            let made = match self.node(made) {
                Node::Add(..) => self.factor_sum(made, 0),
                _ => made,
            };
            new.insert(node, made);
        }
        new[&id]
    }

    /// base^m·(inner) + rest for the base that most terms hold, inner and rest likewise.
    fn factor_sum(&mut self, id: Id, depth: usize) -> Id {
        let Node::Add(constant, terms) = self.node(id).clone() else {
            return id;
        };
        let list = self.list(&terms);
        let mut counts: Map<Id, (usize, Number)> = Map::default();
        for (term, _) in list.iter() {
            for (base, e) in self.powers(*term) {
                if e.is_negative() {
                    continue;
                }
                let (count, least) = counts.entry(base).or_insert((0, e));
                *count += 1;
                if e.value() < least.value() {
                    *least = e;
                }
            }
        }
        let best = counts
            .iter()
            .filter(|(_, (count, _))| *count > 1)
            .max_by_key(|(base, (count, _))| (*count, std::cmp::Reverse(**base)));
        let Some((base, (_, least))) = best.filter(|_| depth < DEPTH) else {
            return id;
        };
        let (base, least) = (*base, *least);
        let (mut inner, mut rest) = (Vec::new(), vec![(self.exact(constant), Number::ONE)]);
        for (term, c) in list.iter() {
            if self
                .powers(*term)
                .iter()
                .any(|(b, e)| *b == base && !e.is_negative())
            {
                let quotient = self.product(&[(*term, Number::ONE), (base, least.negated())]);
                inner.push((quotient, *c));
            } else {
                rest.push((*term, *c));
            }
        }
        let (inner, rest) = (self.linear(&inner), self.linear(&rest));
        let inner = self.factor_sum(inner, depth + 1);
        let rest = self.factor_sum(rest, depth + 1);
        let product = self.product(&[(base, least), (inner, Number::ONE)]);
        self.add(product, rest)
    }

    /// A term as powers, the coefficient aside.
    fn powers(&self, term: Id) -> Vec<(Id, Number)> {
        match self.node(term) {
            Node::Mul(_, factors) => self.list(factors).to_vec(),
            Node::Number(_) => Vec::new(),
            _ => vec![(term, Number::ONE)],
        }
    }
}
