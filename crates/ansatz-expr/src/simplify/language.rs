//! Expressions as an e-graph sees them: binary sums, products and powers.

use std::fmt;

use egg::{
    Analysis, DidMerge, EGraph, FromOp, FromOpError, Id, Language, Rewrite, Subst, Var, rewrite,
};

use crate::Function;

/// A node. Numbers are their bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Math {
    Number(u64),
    /// A leaf of the pool, or what is left as it is.
    Leaf(u32),
    Add([Id; 2]),
    Mul([Id; 2]),
    Pow([Id; 2]),
    /// By its place among the functions.
    Call(u8, [Id; 1]),
}

impl Math {
    pub(super) fn number(value: f64) -> Self {
        // −0 is 0.
        Self::Number((value + 0.0).to_bits())
    }

    fn kind(&self) -> (u8, u64) {
        match self {
            Self::Number(bits) => (0, *bits),
            Self::Leaf(leaf) => (1, u64::from(*leaf)),
            Self::Add(_) => (2, 0),
            Self::Mul(_) => (3, 0),
            Self::Pow(_) => (4, 0),
            Self::Call(function, _) => (5, u64::from(*function)),
        }
    }
}

impl Language for Math {
    type Discriminant = (u8, u64);

    fn discriminant(&self) -> (u8, u64) {
        self.kind()
    }

    fn matches(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }

    fn children(&self) -> &[Id] {
        match self {
            Self::Number(_) | Self::Leaf(_) => &[],
            Self::Add(ids) | Self::Mul(ids) | Self::Pow(ids) => ids,
            Self::Call(_, ids) => ids,
        }
    }

    fn children_mut(&mut self) -> &mut [Id] {
        match self {
            Self::Number(_) | Self::Leaf(_) => &mut [],
            Self::Add(ids) | Self::Mul(ids) | Self::Pow(ids) => ids,
            Self::Call(_, ids) => ids,
        }
    }
}

impl FromOp for Math {
    type Error = FromOpError;

    fn from_op(op: &str, children: Vec<Id>) -> Result<Self, FromOpError> {
        match (op, &*children) {
            ("+", [a, b]) => Ok(Self::Add([*a, *b])),
            ("*", [a, b]) => Ok(Self::Mul([*a, *b])),
            ("^", [a, b]) => Ok(Self::Pow([*a, *b])),
            (number, []) => match number.parse::<f64>() {
                Ok(value) => Ok(Self::number(value)),
                Err(_) => Err(FromOpError::new(op, children)),
            },
            _ => Err(FromOpError::new(op, children)),
        }
    }
}

impl fmt::Display for Math {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Self::Leaf(leaf) => write!(f, "leaf{leaf}"),
            Self::Add(_) => f.write_str("+"),
            Self::Mul(_) => f.write_str("*"),
            Self::Pow(_) => f.write_str("^"),
            Self::Call(function, _) => write!(f, "f{function}"),
        }
    }
}

/// Folds numbers: the value of a class, if it is known.
#[derive(Default)]
pub(super) struct Fold;

pub(super) type Graph = EGraph<Math, Fold>;

impl Analysis<Math> for Fold {
    type Data = Option<f64>;

    fn make(graph: &mut Graph, node: &Math, _: Id) -> Option<f64> {
        let of = |id: &Id| graph[*id].data;
        let value = match node {
            Math::Number(bits) => f64::from_bits(*bits),
            Math::Leaf(_) => return None,
            Math::Add([a, b]) => of(a)? + of(b)?,
            Math::Mul([a, b]) => of(a)? * of(b)?,
            Math::Pow([a, b]) => of(a)?.powf(of(b)?),
            Math::Call(function, [a]) => Function::ALL[usize::from(*function)].at(of(a)?),
        };
        value.is_finite().then_some(value)
    }

    fn merge(&mut self, a: &mut Option<f64>, b: Option<f64>) -> DidMerge {
        match (&a, b) {
            (None, Some(_)) => {
                *a = b;
                DidMerge(true, false)
            }
            (Some(_), None) => DidMerge(false, true),
            // Equal but for rounding: the first stays.
            _ => DidMerge(false, false),
        }
    }

    fn modify(graph: &mut Graph, id: Id) {
        if let Some(value) = graph[id].data {
            let number = graph.add(Math::number(value));
            graph.union(id, number);
        }
    }
}

fn whole(variable: &str) -> impl Fn(&mut Graph, Id, &Subst) -> bool + use<> {
    let variable: Option<Var> = variable.parse().ok();
    move |graph, _, subst| {
        let value = variable.and_then(|v| graph[subst[v]].data);
        value.is_some_and(|n| n.fract().abs() < f64::MIN_POSITIVE && (2.0..64.0).contains(&n))
    }
}

fn not_number(variable: &str) -> impl Fn(&mut Graph, Id, &Subst) -> bool + use<> {
    let variable: Option<Var> = variable.parse().ok();
    move |graph, _, subst| variable.is_some_and(|v| graph[subst[v]].data.is_none())
}

pub(super) fn rules() -> Vec<Rewrite<Math, Fold>> {
    vec![
        rewrite!("add-commutes"; "(+ ?a ?b)" => "(+ ?b ?a)"),
        rewrite!("mul-commutes"; "(* ?a ?b)" => "(* ?b ?a)"),
        rewrite!("add-associates"; "(+ ?a (+ ?b ?c))" => "(+ (+ ?a ?b) ?c)"),
        rewrite!("mul-associates"; "(* ?a (* ?b ?c))" => "(* (* ?a ?b) ?c)"),
        rewrite!("factor"; "(+ (* ?a ?b) (* ?a ?c))" => "(* ?a (+ ?b ?c))"),
        rewrite!("factor-in-sum"; "(+ (* ?a ?b) (+ (* ?a ?c) ?d))" => "(+ (* ?a (+ ?b ?c)) ?d)"),
        rewrite!("factor-one"; "(+ ?a (* ?a ?b))" => "(* ?a (+ ?b 1))" if not_number("?a")),
        rewrite!("distribute"; "(* ?a (+ ?b ?c))" => "(+ (* ?a ?b) (* ?a ?c))"),
        rewrite!("square"; "(* ?a ?a)" => "(^ ?a 2)"),
        rewrite!("unsquare"; "(^ ?a 2)" => "(* ?a ?a)"),
        rewrite!("peel"; "(^ ?a ?n)" => "(* ?a (^ ?a (+ ?n -1)))" if whole("?n")),
        rewrite!("powers"; "(* (^ ?a ?b) (^ ?a ?c))" => "(^ ?a (+ ?b ?c))"),
        rewrite!("power-of-product"; "(* (^ ?a -1) (^ ?b -1))" => "(^ (* ?a ?b) -1)"),
        rewrite!("power-one"; "(^ ?a 1)" => "?a"),
        rewrite!("add-zero"; "(+ ?a 0)" => "?a"),
        rewrite!("mul-one"; "(* ?a 1)" => "?a"),
        rewrite!("mul-zero"; "(* ?a 0)" => "0"),
    ]
}
