//! Names: symbols, unknown functions, and what no name may be.

use super::{Arena, Id, Node};
use crate::number::Number;
use crate::{ExprError, Function};

/// Words of the grammar besides names of functions.
const RESERVED: [&str; 5] = ["pi", "sqrt", "log", "diff", "laplacian"];

#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Symbol,
    /// A function of these symbols.
    Field(Vec<Id>),
}

impl Arena {
    pub(crate) fn declared(&self, name: &str) -> Option<(u32, &Declared)> {
        let number = *self.by_name.get(name)?;
        Some((number, &self.names[number as usize]))
    }

    pub(crate) fn symbol(&mut self, name: &str) -> Id {
        match self.declare(name, Kind::Symbol) {
            Ok(number) => self.intern(Node::Symbol(number)),
            Err(error) => self.undefined(error),
        }
    }

    pub(crate) fn field(&mut self, name: &str, arguments: &[Id]) -> Id {
        if let Some(bad) = self.first_undefined(arguments.iter().copied()) {
            return bad;
        }
        let what = || format!("the function {name}");
        for (i, argument) in arguments.iter().enumerate() {
            if !matches!(self.node(*argument), Node::Symbol(_)) {
                let got = self.text(*argument);
                let what = what();
                return self.undefined(ExprError::NotASymbol { what, got });
            }
            if arguments[..i].contains(argument) {
                let problem = format!("{} is twice among its arguments", self.text(*argument));
                return self.undefined(name_error(name, problem));
            }
        }
        if arguments.is_empty() {
            let problem = "a function depends on one symbol at least".to_owned();
            return self.undefined(name_error(name, problem));
        }
        match self.declare(name, Kind::Field(arguments.to_vec())) {
            Ok(number) => self.intern(Node::Field(number, vec![0; arguments.len()].into())),
            Err(error) => self.undefined(error),
        }
    }

    fn declare(&mut self, name: &str, kind: Kind) -> Result<u32, ExprError> {
        if let Some((number, known)) = self.declared(name) {
            if known.kind == kind {
                return Ok(number);
            }
            let problem = match (&known.kind, &kind) {
                (Kind::Symbol, _) => "it is a symbol already",
                (Kind::Field(_), Kind::Symbol) => "it is a function already",
                (Kind::Field(_), Kind::Field(_)) => "it is a function of other symbols already",
            };
            return Err(name_error(name, problem.to_owned()));
        }
        let mut characters = name.chars();
        let first = characters.next();
        let problem = if !first.is_some_and(char::is_alphabetic) {
            "it begins with a letter"
        } else if !characters.all(|c| c.is_alphanumeric() || c == '_') || name.ends_with('_') {
            "it is made of letters, digits and underscores and does not end with one"
        } else if RESERVED.contains(&name) || Function::named(name).is_some() {
            "it is a word of the grammar"
        } else {
            let number = self.names.len() as u32;
            let owned = name.to_owned();
            self.by_name.insert(owned.clone(), number);
            self.names.push(Declared { name: owned, kind });
            return Ok(number);
        };
        Err(name_error(name, problem.to_owned()))
    }

    /// The symbols that a function depends on.
    pub(crate) fn arguments(&self, field: u32) -> &[Id] {
        match &self.names[field as usize].kind {
            Kind::Field(arguments) => arguments,
            Kind::Symbol => &[],
        }
    }

    /// A derivative of a declared function.
    pub(crate) fn field_derivative(&mut self, field: u32, orders: &[u32]) -> Id {
        self.intern(Node::Field(field, orders.into()))
    }

    pub(crate) fn number(&mut self, value: f64) -> Id {
        self.exact(Number::real(value))
    }

    pub(crate) fn exact(&mut self, number: Number) -> Id {
        if number.is_finite() {
            self.intern(Node::Number(number))
        } else {
            let value = number.value();
            self.undefined(ExprError::NotFinite { value })
        }
    }

    pub(crate) fn constant(&mut self, constant: super::Constant) -> Id {
        self.intern(Node::Constant(constant))
    }

    pub(super) fn first_undefined(&self, ids: impl IntoIterator<Item = Id>) -> Option<Id> {
        ids.into_iter()
            .find(|id| matches!(self.node(*id), Node::Undefined(_)))
    }
}

fn name_error(name: &str, problem: String) -> ExprError {
    ExprError::Name {
        name: name.to_owned(),
        problem,
    }
}
