//! From canonical sums and products to instructions of two operands.

use std::collections::HashMap;

use super::{FieldDerivative, Formula, Instruction, Leaf};
use crate::arena::{Arena, Constant, Id, Map, Node};
use crate::number::Number;
use crate::{ExprError, Function};

/// An instruction by its kind and operands, numbers by their bits.
type Key = (u8, u64, u64);

struct Builder<'a> {
    arena: &'a Arena,
    list: Vec<Instruction>,
    known: HashMap<Key, usize>,
    places: Map<Id, usize>,
    leaves: Map<Id, usize>,
}

impl Formula {
    pub(crate) fn lower(arena: &Arena, outputs: &[Id]) -> Result<Self, ExprError> {
        let order = arena.reachable(outputs);
        let mut leaves: Vec<Id> = order
            .iter()
            .copied()
            .filter(|id| matches!(arena.node(*id), Node::Symbol(_) | Node::Field(..)))
            .collect();
        leaves.sort_by(|a, b| match (arena.node(*a), arena.node(*b)) {
            (Node::Symbol(a), Node::Symbol(b)) => a.cmp(b),
            (Node::Symbol(_), _) => std::cmp::Ordering::Less,
            (_, Node::Symbol(_)) => std::cmp::Ordering::Greater,
            (Node::Field(a, x), Node::Field(b, y)) => (a, x).cmp(&(b, y)),
            _ => a.cmp(b),
        });
        let mut builder = Builder {
            arena,
            list: Vec::new(),
            known: HashMap::new(),
            places: Map::default(),
            leaves: leaves.iter().enumerate().map(|(i, id)| (*id, i)).collect(),
        };
        for id in order {
            if let Some(error) = arena.error(id) {
                return Err(error.clone());
            }
            let place = builder.lower(id);
            builder.places.insert(id, place);
        }
        let outputs: Vec<usize> = outputs.iter().map(|id| builder.places[id]).collect();
        let list = builder.list;
        let names = leaves.iter().map(|id| arena.text(*id)).collect();
        let leaf = |id: &Id| match arena.node(*id) {
            Node::Field(_, orders) => Leaf::Field(FieldDerivative {
                field: arena.name_of(*id).to_owned(),
                orders: orders.iter().map(|n| *n as usize).collect(),
            }),
            _ => Leaf::Symbol(arena.name_of(*id).to_owned()),
        };
        let leaves: Vec<Leaf> = leaves.iter().map(leaf).collect();
        let formula = Self {
            leaves,
            names,
            instructions: list,
            outputs,
        };
        let formula = formula.pruned();
        for (i, instruction) in formula.instructions.iter().enumerate() {
            if let Instruction::Number(value) = instruction
                && !value.is_finite()
            {
                return Err(ExprError::Domain {
                    term: format!("constant {i} of the formula ({value})"),
                });
            }
        }
        Ok(formula)
    }

    /// Without instructions and leaves that no output needs.
    fn pruned(mut self) -> Self {
        let mut used = vec![false; self.instructions.len()];
        for output in &self.outputs {
            used[*output] = true;
        }
        for i in (0..used.len()).rev() {
            if used[i] {
                for operand in self.instructions[i].operands() {
                    used[operand] = true;
                }
            }
        }
        let mut places = vec![usize::MAX; used.len()];
        let mut list = Vec::new();
        for (i, instruction) in self.instructions.iter().enumerate() {
            if used[i] {
                places[i] = list.len();
                list.push(instruction.renamed(|a| places[a]));
            }
        }
        self.instructions = list;
        for output in &mut self.outputs {
            *output = places[*output];
        }
        self
    }
}

impl Builder<'_> {
    fn emit(&mut self, instruction: Instruction) -> usize {
        let number = |builder: &Self, a: usize| match builder.list[a] {
            Instruction::Number(value) => Some(value),
            _ => None,
        };
        // Numbers are computed here, in the arithmetic of a run.
        let instruction = match instruction {
            Instruction::Add(a, b) => match (number(self, a), number(self, b)) {
                (Some(x), Some(y)) => Instruction::Number(x + y),
                _ => Instruction::Add(a.min(b), a.max(b)),
            },
            Instruction::Mul(a, b) => match (number(self, a), number(self, b)) {
                (Some(x), Some(y)) => Instruction::Number(x * y),
                _ => Instruction::Mul(a.min(b), a.max(b)),
            },
            Instruction::Sub(a, b) => match (number(self, a), number(self, b)) {
                (Some(x), Some(y)) => Instruction::Number(x - y),
                _ => instruction,
            },
            Instruction::Div(a, b) => match (number(self, a), number(self, b)) {
                (Some(x), Some(y)) => Instruction::Number(x / y),
                _ => instruction,
            },
            Instruction::Pow(a, b) => match (number(self, a), number(self, b)) {
                (Some(x), Some(y)) => Instruction::Number(x.powf(y)),
                _ => instruction,
            },
            Instruction::Neg(a) => number(self, a).map_or(instruction, |x| Instruction::Number(-x)),
            Instruction::Sqrt(a) => {
                number(self, a).map_or(instruction, |x| Instruction::Number(x.sqrt()))
            }
            Instruction::Powi(a, n) => {
                number(self, a).map_or(instruction, |x| Instruction::Number(powi(x, n)))
            }
            Instruction::Call(f, a) => {
                number(self, a).map_or(instruction, |x| Instruction::Number(f.at(x)))
            }
            _ => instruction,
        };
        let key = key(instruction);
        if let Some(place) = self.known.get(&key) {
            return *place;
        }
        let place = self.list.len();
        self.list.push(instruction);
        self.known.insert(key, place);
        place
    }

    fn number(&mut self, value: f64) -> usize {
        self.emit(Instruction::Number(value))
    }

    fn lower(&mut self, id: Id) -> usize {
        match self.arena.node(id) {
            Node::Number(n) => self.number(n.value()),
            Node::Constant(c) => self.number(c.value()),
            Node::Symbol(_) | Node::Field(..) => {
                let leaf = self.leaves[&id];
                self.emit(Instruction::Leaf(leaf))
            }
            Node::Pow(base, exponent) => {
                self.emit(Instruction::Pow(self.places[base], self.places[exponent]))
            }
            Node::Call(function, argument) => {
                self.emit(Instruction::Call(*function, self.places[argument]))
            }
            Node::Mul(coefficient, factors) => {
                let (c, rest) = self.product(*coefficient, &self.arena.list(factors));
                self.scaled(c, rest)
            }
            Node::Add(constant, terms) => self.sum(*constant, &self.arena.list(terms)),
            // Refused before.
            Node::Undefined(_) => self.number(f64::NAN),
        }
    }

    /// A product as a number and the rest, all divisors in one.
    fn product(&mut self, coefficient: Number, factors: &[(Id, Number)]) -> (f64, Option<usize>) {
        let (mut up, mut down) = match coefficient {
            Number::Rational(p, q) => (p as f64, q as f64),
            Number::Real(value) => (value, 1.0),
        };
        let (mut above, mut below): (Option<usize>, Option<usize>) = (None, None);
        for (base, e) in factors {
            let power = self.power(*base, e.magnitude());
            let (number, side) = if e.is_negative() {
                (&mut down, &mut below)
            } else {
                (&mut up, &mut above)
            };
            if let Instruction::Number(value) = self.list[power] {
                *number *= value;
                continue;
            }
            *side = Some(match *side {
                Some(side) => self.emit(Instruction::Mul(side, power)),
                None => power,
            });
        }
        let rest = match (above, below) {
            (above, None) => above,
            (Some(above), Some(below)) => Some(self.emit(Instruction::Div(above, below))),
            (None, Some(below)) => {
                let one = self.number(1.0);
                Some(self.emit(Instruction::Div(one, below)))
            }
        };
        (up / down, rest)
    }

    /// base^e for e > 0.
    fn power(&mut self, base: Id, e: Number) -> usize {
        if let Node::Constant(Constant::E) = self.arena.node(base) {
            return self.number(Function::Exp.at(e.value()));
        }
        let base = self.places[&base];
        let whole = |n: i64| i32::try_from(n).ok();
        match e {
            Number::Rational(1, 1) => base,
            Number::Rational(n, 1) if whole(n).is_some() => {
                self.emit(Instruction::Powi(base, n as i32))
            }
            Number::Rational(n, 2) if whole(n).is_some() => {
                let root = self.emit(Instruction::Sqrt(base));
                let rest = match n / 2 {
                    0 => return root,
                    1 => base,
                    n => self.emit(Instruction::Powi(base, n as i32)),
                };
                self.emit(Instruction::Mul(rest, root))
            }
            _ => {
                let exponent = self.number(e.value());
                self.emit(Instruction::Pow(base, exponent))
            }
        }
    }

    fn scaled(&mut self, c: f64, rest: Option<usize>) -> usize {
        let Some(rest) = rest else {
            return self.number(c);
        };
        if is(c, 1.0) {
            return rest;
        }
        if is(c, -1.0) {
            return self.emit(Instruction::Neg(rest));
        }
        let number = self.number(c);
        if let Instruction::Div(one, below) = self.list[rest]
            && matches!(self.list[one], Instruction::Number(value) if is(value, 1.0))
        {
            return self.emit(Instruction::Div(number, below));
        }
        self.emit(Instruction::Mul(number, rest))
    }

    /// Terms of equal coefficients are added before they are scaled; what is subtracted comes last.
    fn sum(&mut self, constant: Number, terms: &[(Id, Number)]) -> usize {
        let mut constant = constant.value();
        let mut groups: Vec<(f64, Vec<(bool, usize)>)> = Vec::new();
        let mut group_of: HashMap<u64, usize> = HashMap::new();
        for (term, c) in terms {
            let (c, rest) = match self.arena.node(*term) {
                Node::Mul(_, factors) => self.product(*c, &self.arena.list(factors)),
                _ => match self.list[self.places[term]] {
                    Instruction::Number(value) => (c.value() * value, None),
                    _ => (c.value(), Some(self.places[term])),
                },
            };
            let Some(rest) = rest else {
                constant += c;
                continue;
            };
            let group = *group_of.entry(c.abs().to_bits()).or_insert_with(|| {
                groups.push((c.abs(), Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push((c < 0.0, rest));
        }
        let mut parts = Vec::new();
        for (c, members) in groups {
            if is(c, 1.0) || members.len() == 1 {
                for (negative, rest) in members {
                    parts.push((negative, self.scaled(c, Some(rest))));
                }
                continue;
            }
            // The sign of the first member is that of the group.
            let negative = members.iter().all(|(negative, _)| *negative);
            let inner: Vec<_> = members
                .iter()
                .map(|(n, rest)| (n != &negative, *rest))
                .collect();
            let sum = self.signed(&inner, 0.0);
            parts.push((negative, self.scaled(c, Some(sum))));
        }
        self.signed(&parts, constant)
    }

    /// Σ ± parts + constant.
    fn signed(&mut self, parts: &[(bool, usize)], constant: f64) -> usize {
        let mut sum = None;
        for (_, part) in parts.iter().filter(|(negative, _)| !negative) {
            sum = Some(match sum {
                Some(sum) => self.emit(Instruction::Add(sum, *part)),
                None => *part,
            });
        }
        if !is(constant, 0.0) {
            let number = self.number(constant);
            sum = Some(match sum {
                Some(sum) => self.emit(Instruction::Add(sum, number)),
                None => number,
            });
        }
        let mut taken: Option<usize> = None;
        for (_, part) in parts.iter().filter(|(negative, _)| *negative) {
            match sum {
                Some(before) => sum = Some(self.emit(Instruction::Sub(before, *part))),
                None => {
                    taken = Some(match taken {
                        Some(taken) => self.emit(Instruction::Add(taken, *part)),
                        None => *part,
                    });
                }
            }
        }
        match (sum, taken) {
            (Some(sum), _) => sum,
            (None, Some(taken)) => self.emit(Instruction::Neg(taken)),
            (None, None) => self.number(0.0),
        }
    }
}

#[expect(clippy::float_cmp, reason = "a coefficient is one or it is not")]
fn is(c: f64, value: f64) -> bool {
    c == value
}

/// xⁿ by squares, for n ≥ 1.
#[inline]
pub(super) fn powi(x: f64, n: i32) -> f64 {
    let (mut square, mut left, mut result) = (x, n.unsigned_abs(), 1.0);
    while left > 1 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    result * square
}

fn key(instruction: Instruction) -> Key {
    let pair = |kind, a: usize, b: usize| (kind, a as u64, b as u64);
    match instruction {
        Instruction::Number(value) => (0, value.to_bits(), 0),
        Instruction::Leaf(leaf) => pair(1, leaf, 0),
        Instruction::Add(a, b) => pair(2, a, b),
        Instruction::Sub(a, b) => pair(3, a, b),
        Instruction::Mul(a, b) => pair(4, a, b),
        Instruction::Div(a, b) => pair(5, a, b),
        Instruction::Neg(a) => pair(6, a, 0),
        Instruction::Powi(a, n) => pair(7, a, n as usize),
        Instruction::Sqrt(a) => pair(8, a, 0),
        Instruction::Pow(a, b) => pair(9, a, b),
        Instruction::Call(f, a) => pair(10, a, f as usize),
    }
}
