//! Text that parses back to the same expression.

use super::{Bond, Factor, Fraction, Piece, Style, piece};
use crate::Function;
use crate::arena::{Arena, Constant, Id, Node};
use crate::number::Number;

pub(super) struct Text;

impl Style for Text {
    fn leaf(&self, arena: &Arena, id: Id) -> String {
        match arena.node(id) {
            Node::Constant(Constant::Pi) => "pi".into(),
            // A symbol may take its name.
            Node::Constant(Constant::E) if arena.declared("e").is_some() => "exp(1)".into(),
            Node::Constant(Constant::E) => "e".into(),
            Node::Field(field, orders) => arena.derivative_name(*field, orders),
            _ => arena.name_of(id).to_owned(),
        }
    }

    fn number(&self, number: Number) -> (String, Bond) {
        let (text, bond) = match number {
            Number::Rational(p, 1) => (p.to_string(), Bond::Atom),
            Number::Rational(p, q) if Number::real(number.value()) != number => {
                (format!("{p}/{q}"), Bond::Product)
            }
            _ => {
                let value = number.value();
                let plain = (1e-5..1e16).contains(&value.abs());
                let text = if plain {
                    value.to_string()
                } else {
                    format!("{value:e}")
                };
                (text, Bond::Atom)
            }
        };
        let bond = if number.is_negative() {
            Bond::Sum
        } else {
            bond
        };
        (text, bond)
    }

    fn parentheses(&self) -> [&'static str; 2] {
        ["(", ")"]
    }

    fn call(&self, function: Function, argument: Id) -> Vec<Piece> {
        let open = Piece::Text(format!("{}(", function.name()));
        vec![open, Piece::Node(argument, Bond::Sum), piece(")")]
    }

    fn power(&self, base: Id, exponent: Id) -> Vec<Piece> {
        vec![
            Piece::Node(base, Bond::Atom),
            piece("^"),
            Piece::Node(exponent, Bond::Atom),
        ]
    }

    /// A number is not written beside a sum alone: it would be multiplied into it. Then sums come last, and if there is
    /// nothing else, the number does.
    fn fraction(&self, Fraction { above, below }: Fraction) -> (Vec<Piece>, Bond) {
        if let ([Factor::Power(base, e)], []) = (&*above, &*below) {
            let bond = if *e == Number::HALF {
                Bond::Atom
            } else {
                Bond::Power
            };
            return (factor(Factor::Power(*base, *e)), bond);
        }
        let has_number = above.iter().any(|f| matches!(f, Factor::Number(_)));
        let (mut sums, mut first): (Vec<Factor>, Vec<Factor>) = above
            .into_iter()
            .partition(|f| has_number && matches!(f, Factor::Sum(_)));
        if first.len() == 1 && below.is_empty() && !sums.is_empty() {
            sums.append(&mut first);
            std::mem::swap(&mut sums, &mut first);
        }
        let mut pieces = product(first);
        if pieces.is_empty() {
            pieces.push(piece("1"));
        }
        let sums_below = below.iter().any(|f| matches!(f, Factor::Sum(_)));
        let (last, below): (Vec<Factor>, Vec<Factor>) = below
            .into_iter()
            .partition(|f| sums_below && matches!(f, Factor::Number(_)));
        if !below.is_empty() {
            let several = below.len() > 1;
            pieces.push(piece(if several { "/(" } else { "/" }));
            pieces.extend(product(below));
            pieces.push(piece(if several { ")" } else { "" }));
        }
        if !last.is_empty() {
            pieces.push(piece("/"));
            pieces.extend(product(last));
        }
        if !sums.is_empty() {
            pieces.push(piece("*"));
            pieces.extend(product(sums));
        }
        (pieces, Bond::Product)
    }
}

fn product(factors: Vec<Factor>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for next in factors {
        if !pieces.is_empty() {
            pieces.push(piece("*"));
        }
        pieces.extend(factor(next));
    }
    pieces
}

fn factor(factor: Factor) -> Vec<Piece> {
    match factor {
        Factor::Number(text) => vec![Piece::Text(text)],
        Factor::Sum(base) => vec![Piece::Node(base, Bond::Power)],
        Factor::Power(base, e) if e.is_one() => vec![Piece::Node(base, Bond::Power)],
        Factor::Power(base, Number::HALF) => {
            vec![piece("sqrt("), Piece::Node(base, Bond::Sum), piece(")")]
        }
        Factor::Power(base, e) => {
            let (text, bond) = Text.number(e);
            let exponent = match bond {
                Bond::Atom => format!("^{text}"),
                _ => format!("^({text})"),
            };
            vec![Piece::Node(base, Bond::Atom), Piece::Text(exponent)]
        }
    }
}

impl Arena {
    /// `u_xx`, `u_{x1 x1}` where names are longer than a letter, `diff(u, x, 2)` where a declared name looks the same.
    pub(crate) fn derivative_name(&self, field: u32, orders: &[u32]) -> String {
        let name = &self.names[field as usize].name;
        let orders = self.orders(field, orders);
        if orders.is_empty() {
            return name.clone();
        }
        let total: u32 = orders.iter().map(|(_, n)| n).sum();
        if total <= 8 {
            let letters = orders.iter().all(|(s, _)| s.chars().count() == 1);
            let each = orders.iter().flat_map(|(s, n)| vec![*s; *n as usize]);
            if !letters {
                return format!("{name}_{{{}}}", each.collect::<Vec<_>>().join(" "));
            }
            let short = format!("{name}_{}", each.collect::<String>());
            let longer = |other: &str| other.len() > name.len() && short.starts_with(other);
            if !self.names.iter().any(|other| longer(&other.name)) {
                return short;
            }
        }
        let list: Vec<String> = orders.iter().map(|(s, n)| format!("{s}, {n}")).collect();
        format!("diff({name}, {})", list.join(", "))
    }
}
