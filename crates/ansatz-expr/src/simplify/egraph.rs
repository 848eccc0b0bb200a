//! Equality saturation: all forms that the rules reach are kept at once, and the cheapest is taken out.
//!
//! Sums and products that are too long stay outside and only their parts are saturated, since rules for order and grouping
//! multiply the forms of a sum of n terms by n!. Extraction counts shared nodes once: the cost of a class is that of
//! the set of nodes that it needs, taken greedily until nothing gets cheaper (M. Willsey and others, *egg: fast and
//! extensible equality saturation*, 2021; the greedy set costs are those of its extraction gym).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use egg::{Language as _, Runner, SimpleScheduler};

use super::language::{Fold, Graph, Math, rules};
use crate::arena::{Arena, Id, Map, Node};
use crate::number::Number;
use crate::{Expr, ExprError, Function, Pool};

/// Limits of equality saturation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saturation {
    /// Rounds of all rules.
    pub iterations: usize,
    /// Nodes of an e-graph.
    pub nodes: usize,
    /// Largest expression that is put into an e-graph, in nodes; of larger ones the parts are.
    pub size: usize,
    /// Longest time for an e-graph. With a limit, results may differ from run to run.
    pub time: Option<Duration>,
}

impl Default for Saturation {
    /// 10 rounds, 10 000 nodes, expressions of 100 nodes, as long as it takes.
    fn default() -> Self {
        Self {
            iterations: 10,
            nodes: 10_000,
            size: 100,
            time: None,
        }
    }
}

impl Pool {
    /// Forms of `outputs` that are cheaper together by [`Formula::cost`](crate::Formula::cost), or the same: the
    /// cheapest of them as they are, with factors drawn out, and both of these saturated.
    ///
    /// Values agree to rounding: sums and products are taken in another order.
    ///
    /// # Errors
    /// As [`Pool::formula`].
    ///
    /// ```
    /// use ansatz_expr::{Pool, Saturation};
    /// let pool = Pool::new();
    /// let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| pool.symbol(name));
    /// let sum = a * b + a * c + a * d;
    /// let simple = pool.simplify(&[sum], &Saturation::default())?[0];
    /// assert_eq!((sum.cost()?, simple.cost()?), (11, 5));
    /// # Ok::<(), ansatz_expr::ExprError>(())
    /// ```
    pub fn simplify<'p>(
        &'p self,
        outputs: &[Expr<'p>],
        options: &Saturation,
    ) -> Result<Vec<Expr<'p>>, ExprError> {
        let cost = |list: &[Expr<'p>]| Ok::<_, ExprError>(self.formula(list)?.cost());
        let mut best = (cost(outputs)?, outputs.to_vec());
        let factored = self.factor(outputs);
        for start in [outputs.to_vec(), factored] {
            let ids: Vec<Id> = start.iter().map(|e| e.id).collect();
            let ids = self.arena.borrow_mut().saturate(&ids, options);
            let saturated: Vec<_> = ids.into_iter().map(|id| Expr { pool: self, id }).collect();
            for candidate in [start, saturated] {
                // A form may fold to something without a value; it is then no candidate.
                if let Ok(c) = cost(&candidate)
                    && c < best.0
                {
                    best = (c, candidate);
                }
            }
        }
        Ok(best.1)
    }
}

impl Arena {
    fn saturate(&mut self, outputs: &[Id], options: &Saturation) -> Vec<Id> {
        // Sizes as trees, operands first.
        let order = self.reachable(outputs);
        let mut sizes: Map<Id, usize> = Map::default();
        for id in &order {
            let mut size = 1_usize;
            self.operands(*id, |operand| size = size.saturating_add(sizes[&operand]));
            sizes.insert(*id, size);
        }
        let large = |id: &Id| sizes[id] > options.size;
        // The largest parts that fit.
        let mut parts: Vec<Id> = outputs.iter().copied().filter(|id| !large(id)).collect();
        for id in order.iter().filter(|id| large(id)) {
            self.operands(*id, |operand| {
                if !large(&operand) && sizes[&operand] > 2 {
                    parts.push(operand);
                }
            });
        }
        parts.sort_unstable();
        parts.dedup();
        let mut new: Map<Id, Id> = Map::default();
        let mut batch = Vec::new();
        let mut filled = 0;
        // What is saturated together can share; ten times the size of one is still quick.
        for part in parts {
            if filled + sizes[&part] > 10 * options.size && !batch.is_empty() {
                self.saturate_batch(&batch, options, &mut new);
                (batch, filled) = (Vec::new(), 0);
            }
            filled += sizes[&part];
            batch.push(part);
        }
        self.saturate_batch(&batch, options, &mut new);
        for id in order {
            if large(&id) {
                let node = self.node(id).clone();
                let made = self.rebuilt(id, &node, &new);
                new.insert(id, made);
            }
        }
        outputs.iter().map(|id| new[id]).collect()
    }

    fn saturate_batch(&mut self, roots: &[Id], options: &Saturation, new: &mut Map<Id, Id>) {
        let mut graph = Graph::new(Fold);
        let mut classes: Map<Id, egg::Id> = Map::default();
        for id in self.reachable(roots) {
            let class = self.enter(id, &mut graph, &classes);
            classes.insert(id, class);
        }
        graph.rebuild();
        let time = options
            .time
            .unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        let runner = Runner::<Math, Fold>::default()
            .with_egraph(graph)
            .with_iter_limit(options.iterations)
            .with_node_limit(options.nodes)
            .with_time_limit(time)
            .with_scheduler(SimpleScheduler)
            .run(&rules());
        let graph = runner.egraph;
        let chosen = extract(&graph);
        let mut made: BTreeMap<egg::Id, Id> = BTreeMap::new();
        for root in roots {
            let id = self.leave(&graph, &chosen, graph.find(classes[root]), &mut made);
            new.insert(*root, id.unwrap_or(*root));
        }
    }

    fn enter(&self, id: Id, graph: &mut Graph, classes: &Map<Id, egg::Id>) -> egg::Id {
        let chain = |graph: &mut Graph, ids: Vec<egg::Id>, make: fn([egg::Id; 2]) -> Math| {
            let mut ids = ids.into_iter();
            let first = ids.next();
            first.map(|first| ids.fold(first, |chain, next| graph.add(make([chain, next]))))
        };
        match self.node(id) {
            Node::Number(n) => graph.add(Math::number(n.value())),
            Node::Constant(_) | Node::Symbol(_) | Node::Field(..) | Node::Undefined(_) => {
                graph.add(Math::Leaf(id))
            }
            Node::Pow(base, exponent) => graph.add(Math::Pow([classes[base], classes[exponent]])),
            Node::Call(function, argument) => {
                let place = Function::ALL.iter().position(|f| f == function);
                graph.add(Math::Call(place.unwrap_or(0) as u8, [classes[argument]]))
            }
            Node::Add(constant, terms) => {
                let mut ids = Vec::new();
                for (term, c) in self.list(terms).iter() {
                    ids.push(scaled(graph, *c, classes[term]));
                }
                if !constant.is_zero() {
                    ids.push(graph.add(Math::number(constant.value())));
                }
                chain(graph, ids, Math::Add).unwrap_or_else(|| graph.add(Math::number(0.0)))
            }
            Node::Mul(coefficient, factors) => {
                let mut ids = Vec::new();
                for (base, e) in self.list(factors).iter() {
                    let base = classes[base];
                    ids.push(if e.is_one() {
                        base
                    } else {
                        let e = graph.add(Math::number(e.value()));
                        graph.add(Math::Pow([base, e]))
                    });
                }
                let product = chain(graph, ids, Math::Mul);
                let product = product.unwrap_or_else(|| graph.add(Math::number(1.0)));
                scaled(graph, *coefficient, product)
            }
        }
    }

    /// The chosen form as an expression.
    fn leave(
        &mut self,
        graph: &Graph,
        chosen: &BTreeMap<egg::Id, Choice>,
        class: egg::Id,
        made: &mut BTreeMap<egg::Id, Id>,
    ) -> Option<Id> {
        let mut stack = vec![(class, false)];
        let mut entered = BTreeSet::new();
        while let Some((class, ready)) = stack.pop() {
            if made.contains_key(&class) {
                continue;
            }
            let node = &chosen.get(&class)?.node;
            if !ready {
                // Choices that were made one by one may still hold a cycle: then this root stays as it was.
                if !entered.insert(class) {
                    return None;
                }
                stack.push((class, true));
                stack.extend(node.children().iter().map(|c| (graph.find(*c), false)));
                continue;
            }
            let of = |id: &egg::Id| made.get(&graph.find(*id)).copied();
            let id = match node {
                Math::Number(bits) => self.exact(Number::real(f64::from_bits(*bits))),
                Math::Leaf(leaf) => *leaf,
                Math::Add([a, b]) => self.add(of(a)?, of(b)?),
                Math::Mul([a, b]) => self.multiply(of(a)?, of(b)?),
                Math::Pow([a, b]) => self.power(of(a)?, of(b)?),
                Math::Call(function, [a]) => {
                    self.call(Function::ALL[usize::from(*function)], of(a)?)
                }
            };
            made.insert(class, id);
        }
        made.get(&class).copied()
    }
}

fn scaled(graph: &mut Graph, c: Number, of: egg::Id) -> egg::Id {
    if c.is_one() {
        return of;
    }
    let number = graph.add(Math::number(c.value()));
    graph.add(Math::Mul([number, of]))
}

/// The node that a class is computed by, and what it needs: classes with the cost of their own node.
struct Choice {
    node: Math,
    needs: BTreeMap<egg::Id, u64>,
    total: u64,
}

/// For each class the node whose needs cost least, until nothing changes.
fn extract(graph: &Graph) -> BTreeMap<egg::Id, Choice> {
    let mut chosen: BTreeMap<egg::Id, Choice> = BTreeMap::new();
    let mut classes: Vec<egg::Id> = graph.classes().map(|class| class.id).collect();
    classes.sort_unstable();
    // Choices improve only; the number of rounds is a guard against ties of shared sets.
    for _ in 0..100 {
        let mut changed = false;
        for class in &classes {
            let mut nodes: Vec<&Math> = graph[*class].iter().collect();
            nodes.sort_unstable();
            for node in nodes {
                if let Some(choice) = choice(graph, &chosen, *class, node)
                    && chosen.get(class).is_none_or(|old| choice.total < old.total)
                {
                    chosen.insert(*class, choice);
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    chosen
}

fn choice(
    graph: &Graph,
    chosen: &BTreeMap<egg::Id, Choice>,
    class: egg::Id,
    node: &Math,
) -> Option<Choice> {
    let mut needs = BTreeMap::new();
    for child in node.children() {
        let child = chosen.get(&graph.find(*child))?;
        if child.needs.contains_key(&class) {
            return None;
        }
        needs.extend(child.needs.iter().map(|(id, cost)| (*id, *cost)));
    }
    needs.insert(class, cost(graph, node));
    Some(Choice {
        node: node.clone(),
        total: needs.values().sum(),
        needs,
    })
}

/// Cycles, by the model of formulas: a factor −1 is a subtraction, a power −1 under a product a division. Every node
/// costs a little, so that trivial detours are not taken.
fn cost(graph: &Graph, node: &Math) -> u64 {
    let value = |id: &egg::Id| graph[*id].data;
    let is = |id: &egg::Id, c: f64| value(id).is_some_and(|v| (v - c).abs() < f64::MIN_POSITIVE);
    let cycles = match node {
        Math::Number(_) | Math::Leaf(_) => 0,
        Math::Add(_) => 1,
        Math::Mul([a, b]) if is(a, -1.0) || is(b, -1.0) => 0,
        Math::Mul(_) => 3,
        Math::Pow([_, e]) => match value(e) {
            Some(e) if e.fract().abs() < f64::MIN_POSITIVE => {
                let n = (e.abs() as u64).max(1).next_power_of_two().ilog2();
                3 * u64::from(n) + if e < 0.0 { 21 } else { 0 }
            }
            Some(e) if (e.abs() - 0.5).abs() < f64::MIN_POSITIVE => {
                20 + if e < 0.0 { 21 } else { 0 }
            }
            _ => 80,
        },
        Math::Call(function, _) => Function::ALL[usize::from(*function)].cost(),
    };
    64 * cycles + 1
}
