//! Taylor coefficients along a line.
//!
//! With x(s) = Σ xₖ sᵏ, each node's yₖ follows from those of its inputs: linear maps act on coefficients,
//! products convolve them, and for y = f(x) the identity y' = f'(x)·x' gives
//! k·yₖ = Σ_{j=1..k} j·xⱼ·pₖ₋ⱼ, where p = f'(x) is an array program whose coefficients of lower order
//! follow in the same way. A general primitive states its tangent y' = T(x, y, x') as a program:
//! k·yₖ is coefficient k − 1 of T, into which x' goes with the coefficients (k + 1)·xₖ₊₁.
//!
//! Reference: A. Griewank, A. Walther, *Evaluating derivatives*, 2nd edition, 2008, section 13.2.

use std::collections::HashMap;

use super::forward::{chosen, linear, product, sum};
use super::{between, check_derivative, check_rule, check_target, moving};
use crate::Array;
use crate::graph::{Graph, Id, Region};
use crate::op::{Link, Pass, Rule};

/// Taylor coefficients 0 to `order` of each output, when every x of `lines` moves along
/// x + c₁·s + c₂·s² + …; (x, [c₁, c₂, …]). Coefficient k is the k-th derivative over k!.
///
/// # Panics
/// When a coefficient has another shape than its array, or an array to move is one that expressions are
/// simplified past (a multiple, a broadcast, a constant): take [`Array::variable`] of it.
///
/// ```
/// use ansatz_autodiff::{Graph, Options, Program, jet};
/// let g = Graph::new();
/// let x = g.input(&[]);
/// let y = jet(&[x.exp()], &[(x, &[x.ones()])], 3).remove(0);
/// let program = Program::<f64>::compile(&g.finish(&[y[3]]), &Options::default())?;
/// let mut third = [0.0];
/// program.run(&[&[1.0]], &mut [&mut third])?;
/// assert!((third[0] - 1.0_f64.exp() / 6.0).abs() < 1e-15);
/// # Ok::<(), ansatz_autodiff::AutodiffError>(())
/// ```
#[must_use]
#[track_caller]
pub fn jet<'g>(
    outputs: &[Array<'g>],
    lines: &[(Array<'g>, &[Array<'g>])],
    order: usize,
) -> Vec<Vec<Array<'g>>> {
    let Some(first) = outputs.first() else {
        return Vec::new();
    };
    let inputs: Vec<Array<'g>> = lines.iter().map(|(x, _)| *x).collect();
    let path = between(outputs, &inputs);
    let mut series = Series {
        graph: first.graph,
        current: first.graph.current(),
        known: HashMap::new(),
        moved: inputs.iter().map(|x| (x.id, true)).collect(),
        rates: HashMap::new(),
        rate_of: HashMap::new(),
    };
    for (x, coefficients) in lines {
        check_target(*x);
        for k in 1..=order {
            let c = coefficients.get(k - 1).copied();
            if let Some(c) = c {
                assert_eq!(
                    c.shape(),
                    x.shape(),
                    "a coefficient must have its array's shape"
                );
            }
            series.known.insert((x.id, k), c);
        }
    }
    // In order, so that recursion stays shallow.
    for id in path {
        for k in 1..=order {
            series.coefficient(id, k);
        }
    }
    outputs
        .iter()
        .map(|y| {
            let rest = (1..=order).map(|k| {
                let c = series.coefficient(y.id, k);
                c.unwrap_or_else(|| y.zeros())
            });
            std::iter::once(*y).chain(rest).collect()
        })
        .collect()
}

struct Series<'g> {
    graph: &'g Graph,
    /// The region that the series is asked for in.
    current: Region,
    /// Coefficients worked out; `None` is zero.
    known: HashMap<(Id, usize), Option<Array<'g>>>,
    /// Whether the lines move a node.
    moved: HashMap<Id, bool>,
    /// The tangents of general primitives along the line.
    rates: HashMap<Id, Option<Array<'g>>>,
    /// What a link in such a tangent is the rate of.
    rate_of: HashMap<Id, Id>,
}

impl<'g> Series<'g> {
    #[track_caller]
    fn coefficient(&mut self, id: Id, k: usize) -> Option<Array<'g>> {
        let graph = self.graph;
        if k == 0 {
            return Some(Array { graph, id });
        }
        if let Some(known) = self.known.get(&(id, k)) {
            return *known;
        }
        let coefficient = if let Some(source) = self.rate_of.get(&id).copied() {
            let next = self.coefficient(source, k + 1);
            next.map(|c| c * (k + 1) as f64)
        } else if self.moves(id) {
            let _in = graph.within(graph.beside(id, self.current));
            self.work_out(id, k)
        } else {
            None
        };
        self.known.insert((id, k), coefficient);
        coefficient
    }

    /// Derivative rules make nodes, or find some that stand beside the path.
    fn moves(&mut self, id: Id) -> bool {
        if let Some(moves) = self.moved.get(&id) {
            return *moves;
        }
        let node = self.graph.node(id);
        let moves = node.inputs[moving(&node)].iter().any(|i| self.moves(*i));
        self.moved.insert(id, moves);
        moves
    }

    #[track_caller]
    fn work_out(&mut self, id: Id, k: usize) -> Option<Array<'g>> {
        let graph = self.graph;
        let node = graph.node(id);
        let args: Vec<Array<'g>> = node
            .inputs
            .iter()
            .map(|i| Array { graph, id: *i })
            .collect();
        match node.primitive.rule() {
            Rule::Constant => None,
            Rule::Linear => {
                let mut parts = Vec::with_capacity(args.len());
                for a in &args {
                    parts.push(self.coefficient(a.id, k));
                }
                linear(&node, &args, |i| parts[i])
            }
            Rule::Bilinear => {
                let mut total = None;
                for i in 0..=k {
                    let a = self.coefficient(args[0].id, i);
                    let b = self.coefficient(args[1].id, k - i);
                    if let (Some(a), Some(b)) = (a, b) {
                        total = sum(total, Some(product(&node.primitive, a, b)));
                    }
                }
                total
            }
            Rule::Scalar => {
                let y = Array { graph, id };
                let p = node.primitive.derivative(args[0], y);
                let mut total = None;
                for j in 1..=k {
                    let x = self.coefficient(args[0].id, j);
                    let p = self.coefficient(p.id, k - j);
                    if let (Some(x), Some(p)) = (x, p) {
                        total = sum(total, Some(x * p * (j as f64 / k as f64)));
                    }
                }
                total
            }
            Rule::Chosen => {
                let (a, b) = (
                    self.coefficient(args[1].id, k),
                    self.coefficient(args[2].id, k),
                );
                chosen(&args, a, b)
            }
            Rule::General => {
                let rate = self.rate(id, &args)?;
                self.coefficient(rate.id, k - 1)
                    .map(|c| c * (1.0 / k as f64))
            }
        }
    }

    /// y' of a general primitive as a program of x, y and x', the last being links of their own.
    #[track_caller]
    fn rate(&mut self, id: Id, args: &[Array<'g>]) -> Option<Array<'g>> {
        if let Some(rate) = self.rates.get(&id) {
            return *rate;
        }
        let mut tangents: Vec<Option<Array<'g>>> = Vec::with_capacity(args.len());
        for x in args {
            if !self.moves(x.id) {
                tangents.push(None);
                continue;
            }
            let first = self.coefficient(x.id, 1).unwrap_or_else(|| x.zeros());
            let link = first.graph.apply(Link, &[first]);
            self.moved.insert(link.id, true);
            self.rate_of.insert(link.id, x.id);
            tangents.push(Some(link));
        }
        let graph = self.graph;
        let node = graph.node(id);
        check_rule(&node, Pass::Forwards, |x| self.moved[x]);
        let rate = node.primitive.tangent(args, Array { graph, id }, &tangents);
        if let Some(rate) = rate {
            check_derivative(&node, rate, &node.shape);
        }
        self.rates.insert(id, rate);
        rate
    }
}
