//! LaTeX.

use super::{Bond, Factor, Fraction, Piece, Style, piece};
use crate::Function;
use crate::arena::{Arena, Constant, Id, Node};
use crate::number::Number;

pub(super) struct Latex;

const GREEK: [&str; 28] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "Gamma",
    "Delta", "Theta", "Lambda", "Sigma", "Phi", "Omega",
];

impl Style for Latex {
    fn leaf(&self, arena: &Arena, id: Id) -> String {
        match arena.node(id) {
            Node::Constant(Constant::Pi) => "\\pi".into(),
            Node::Constant(Constant::E) => "\\mathrm{e}".into(),
            Node::Field(field, orders) => {
                let name = name(arena.name_of(id));
                let below: String = arena
                    .orders(*field, orders)
                    .iter()
                    .map(|(symbol, n)| match n {
                        1..=4 => self::name(symbol).repeat(*n as usize),
                        _ => format!("{}^{{({n})}}", self::name(symbol)),
                    })
                    .collect();
                match (below.is_empty(), name.contains('_')) {
                    (true, _) => name,
                    (false, true) => format!("{{{name}}}_{{{below}}}"),
                    (false, false) => format!("{name}_{{{below}}}"),
                }
            }
            _ => name(arena.name_of(id)),
        }
    }

    fn number(&self, number: Number) -> (String, Bond) {
        let (text, bond) = match number {
            Number::Rational(p, 1) => (p.to_string(), Bond::Atom),
            Number::Rational(p, q) if q < 10 || Number::real(number.value()) != number => {
                let sign = if p < 0 { "-" } else { "" };
                (format!("{sign}\\frac{{{}}}{{{q}}}", p.abs()), Bond::Product)
            }
            _ => {
                let value = number.value();
                if (1e-5..1e16).contains(&value.abs()) {
                    (value.to_string(), Bond::Atom)
                } else {
                    let text = format!("{value:e}").replace('e', " \\cdot 10^{");
                    (text + "}", Bond::Product)
                }
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
        ["\\left(", "\\right)"]
    }

    fn call(&self, function: Function, argument: Id) -> Vec<Piece> {
        let [open, close] = match function {
            Function::Abs => ["\\left|", "\\right|"],
            Function::Exp => ["\\mathrm{e}^{", "}"],
            _ => ["\\left(", "\\right)"],
        };
        let name = match function {
            Function::Abs | Function::Exp => String::new(),
            Function::Asin => "\\arcsin".into(),
            Function::Acos => "\\arccos".into(),
            Function::Atan => "\\arctan".into(),
            Function::Asinh
            | Function::Acosh
            | Function::Atanh
            | Function::Erf
            | Function::Sign => format!("\\operatorname{{{}}}", function.name()),
            _ => format!("\\{}", function.name()),
        };
        vec![
            Piece::Text(name + open),
            Piece::Node(argument, Bond::Sum),
            piece(close),
        ]
    }

    fn power(&self, base: Id, exponent: Id) -> Vec<Piece> {
        vec![
            Piece::Node(base, Bond::Atom),
            piece("^{"),
            Piece::Node(exponent, Bond::Sum),
            piece("}"),
        ]
    }

    fn fraction(&self, Fraction { above, below }: Fraction) -> (Vec<Piece>, Bond) {
        if below.is_empty() {
            let bond = match &*above {
                [Factor::Power(_, Number::HALF)] => Bond::Atom,
                [Factor::Power(..)] => Bond::Power,
                _ => Bond::Product,
            };
            return (product(above, Bond::Power), bond);
        }
        let mut pieces = vec![piece("\\frac{")];
        // A sum alone needs no parentheses in a fraction.
        let alone = |side: &Vec<Factor>| {
            if side.len() == 1 {
                Bond::Sum
            } else {
                Bond::Power
            }
        };
        let (up, down) = (alone(&above), alone(&below));
        let above = product(above, up);
        pieces.extend(if above.is_empty() {
            vec![piece("1")]
        } else {
            above
        });
        pieces.push(piece("}{"));
        pieces.extend(product(below, down));
        pieces.push(piece("}"));
        (pieces, Bond::Product)
    }
}

fn product(factors: Vec<Factor>, bond: Bond) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for factor in factors {
        if !pieces.is_empty() {
            pieces.push(piece(" "));
        }
        match factor {
            Factor::Number(text) => pieces.push(Piece::Text(text)),
            Factor::Sum(base) => pieces.push(Piece::Node(base, bond)),
            Factor::Power(base, e) if e.is_one() => pieces.push(Piece::Node(base, bond)),
            Factor::Power(base, Number::HALF) => {
                pieces.extend([piece("\\sqrt{"), Piece::Node(base, Bond::Sum), piece("}")]);
            }
            Factor::Power(base, e) => {
                let exponent = match e {
                    Number::Rational(p, q) if q > 1 => format!("^{{{p}/{q}}}"),
                    _ => format!("^{{{}}}", Latex.number(e).0),
                };
                pieces.extend([Piece::Node(base, Bond::Atom), Piece::Text(exponent)]);
            }
        }
    }
    pieces
}

/// Greek letters by their names, what follows an underscore or a digit as an index.
fn name(name: &str) -> String {
    let cut = name.find(|c: char| c == '_' || c.is_ascii_digit());
    let (stem, index) = name.split_at(cut.unwrap_or(name.len()));
    let stem = if GREEK.contains(&stem) {
        format!("\\{stem} ")
    } else if stem.chars().count() > 1 {
        format!("\\mathrm{{{stem}}}")
    } else {
        stem.to_owned()
    };
    let index = index.trim_start_matches('_').replace('_', ",");
    if index.is_empty() {
        stem
    } else {
        format!("{}_{{{index}}}", stem.trim_end())
    }
}
