//! Expressions as text that parses back, and as LaTeX. Nothing recurs: what is still to be written waits on a stack.

mod latex;
mod text;

use crate::arena::{Arena, Id, Node, Terms};
use crate::number::Number;

/// How tightly what is written holds together; what holds less than its place needs is put in parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    Sum,
    Product,
    Power,
    Atom,
}

/// What is still to be written.
enum Piece {
    Text(String),
    Node(Id, Bond),
}

fn piece(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

/// A factor of a numerator or denominator, the exponent positive.
enum Factor {
    Number(String),
    Power(Id, Number),
    /// The first power of a sum.
    Sum(Id),
}

/// A product as a fraction: what is above, what is below.
struct Fraction {
    above: Vec<Factor>,
    below: Vec<Factor>,
}

/// What differs between ways of writing.
trait Style {
    fn leaf(&self, arena: &Arena, id: Id) -> String;
    fn number(&self, number: Number) -> (String, Bond);
    fn parentheses(&self) -> [&'static str; 2];
    fn call(&self, function: crate::Function, argument: Id) -> Vec<Piece>;
    fn power(&self, base: Id, exponent: Id) -> Vec<Piece>;
    fn fraction(&self, fraction: Fraction) -> (Vec<Piece>, Bond);
}

impl Arena {
    pub(crate) fn text(&self, id: Id) -> String {
        self.written(id, &text::Text)
    }

    pub(crate) fn latex(&self, id: Id) -> String {
        self.written(id, &latex::Latex)
    }

    fn written(&self, id: Id, style: &dyn Style) -> String {
        let mut out = String::new();
        let mut stack = vec![Piece::Node(id, Bond::Sum)];
        while let Some(next) = stack.pop() {
            match next {
                Piece::Text(text) => out.push_str(&text),
                Piece::Node(id, needed) => {
                    let (pieces, bond) = self.pieces(id, style);
                    let [open, close] = style.parentheses();
                    if bond < needed {
                        stack.push(piece(close));
                    }
                    stack.extend(pieces.into_iter().rev());
                    if bond < needed {
                        stack.push(piece(open));
                    }
                }
            }
        }
        out
    }

    fn pieces(&self, id: Id, style: &dyn Style) -> (Vec<Piece>, Bond) {
        match self.node(id) {
            Node::Number(n) => {
                let (text, bond) = style.number(*n);
                (vec![Piece::Text(text)], bond)
            }
            Node::Constant(_) | Node::Symbol(_) | Node::Field(..) => {
                (vec![Piece::Text(style.leaf(self, id))], Bond::Atom)
            }
            Node::Undefined(error) => {
                let error = &self.errors[*error as usize];
                (vec![Piece::Text(format!("undefined({error})"))], Bond::Atom)
            }
            Node::Call(function, argument) => (style.call(*function, *argument), Bond::Atom),
            Node::Pow(base, exponent) => (style.power(*base, *exponent), Bond::Power),
            Node::Mul(coefficient, factors) => {
                let fraction = self.fraction(coefficient.magnitude(), factors, style);
                let (mut pieces, mut bond) = style.fraction(fraction);
                if coefficient.is_negative() {
                    pieces.insert(0, piece("-"));
                    bond = Bond::Sum;
                }
                (pieces, bond)
            }
            Node::Add(constant, terms) => {
                let mut pieces = Vec::new();
                for (term, c) in self.list(terms).iter() {
                    let (minus, first) = (c.is_negative(), pieces.is_empty());
                    pieces.push(piece(match (minus, first) {
                        (false, true) => "",
                        (false, false) => " + ",
                        (true, true) => "-",
                        (true, false) => " - ",
                    }));
                    if c.magnitude().is_one() {
                        pieces.push(Piece::Node(*term, Bond::Product));
                        continue;
                    }
                    let fraction = match self.node(*term) {
                        Node::Mul(_, factors) => self.fraction(c.magnitude(), factors, style),
                        _ => self.fraction_of(c.magnitude(), &[(*term, Number::ONE)], style),
                    };
                    pieces.extend(style.fraction(fraction).0);
                }
                if !constant.is_zero() {
                    pieces.push(piece(if constant.is_negative() { " - " } else { " + " }));
                    pieces.push(Piece::Text(style.number(constant.magnitude()).0));
                }
                (pieces, Bond::Sum)
            }
        }
    }

    fn fraction(&self, coefficient: Number, factors: &Terms, style: &dyn Style) -> Fraction {
        self.fraction_of(coefficient, &self.list(factors), style)
    }

    fn fraction_of(
        &self,
        coefficient: Number,
        factors: &[(Id, Number)],
        style: &dyn Style,
    ) -> Fraction {
        let (mut above, mut below) = (Vec::new(), Vec::new());
        let numerator = factors.iter().any(|(_, e)| !e.is_negative());
        match coefficient {
            _ if coefficient.is_one() && numerator => {}
            Number::Rational(p, q) if q > 1 && q < 10 => {
                if p != 1 || !numerator {
                    above.push(Factor::Number(p.to_string()));
                }
                below.push(Factor::Number(q.to_string()));
            }
            _ => {
                let (text, bond) = style.number(coefficient);
                // A fraction that no decimal ends.
                match (bond, coefficient) {
                    (Bond::Product, Number::Rational(p, q)) => {
                        if p != 1 || !numerator {
                            above.push(Factor::Number(p.to_string()));
                        }
                        below.push(Factor::Number(q.to_string()));
                    }
                    _ => above.push(Factor::Number(text)),
                }
            }
        }
        for (base, e) in factors {
            let side = if e.is_negative() {
                &mut below
            } else {
                &mut above
            };
            side.push(match self.node(*base) {
                Node::Add(..) if e.magnitude().is_one() => Factor::Sum(*base),
                _ => Factor::Power(*base, e.magnitude()),
            });
        }
        Fraction { above, below }
    }

    /// The orders of a derivative with their symbols, those that are not zero.
    fn orders(&self, field: u32, orders: &[u32]) -> Vec<(&str, u32)> {
        let symbols = self.arguments(field).iter().zip(orders);
        symbols
            .filter(|(_, order)| **order > 0)
            .map(|(symbol, order)| (self.name_of(*symbol), *order))
            .collect()
    }

    pub(crate) fn name_of(&self, symbol: Id) -> &str {
        match self.node(symbol) {
            Node::Symbol(name) | Node::Field(name, _) => &self.names[*name as usize].name,
            _ => "",
        }
    }
}
