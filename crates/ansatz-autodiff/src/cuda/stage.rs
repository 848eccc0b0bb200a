//! Which values are written to memory, and in which order kernels run.
//!
//! A value is *named* when a kernel writes it or keeps it for several uses: outputs, factors of products, results of heavy
//! operations, what is expensive and used more than once. All else is computed where it is read. Stages order named values:
//! a value whose elements are read in place by values of its own stage shares their kernel; what is read elsewhere, or by a
//! heavy operation, must be written a stage before.

use super::DeviceError;
use super::form::{Form, Heavy, Move, Point, form};
use crate::graph::{Id, Trace};
use crate::op::Unary;

/// Operations from which on a value that several read is written rather than computed by each.
const WORTH: u64 = 4;

/// Operations of a function that is not a sum or a product.
const EXPENSIVE: u64 = 10;

/// Operations after which an expression is cut.
const LONG: u64 = 400;

/// The nodes of a trace, and when each is computed.
pub(super) struct Stages<'t> {
    pub(super) trace: &'t Trace,
    pub(super) forms: Vec<Form<'t>>,
    pub(super) named: Vec<bool>,
    pub(super) stage: Vec<usize>,
}

impl<'t> Stages<'t> {
    pub(super) fn new(trace: &'t Trace) -> Result<Self, DeviceError> {
        let forms = trace.nodes.iter().map(|n| form(n.primitive.as_ref()));
        let forms = forms.collect::<Result<Vec<_>, _>>()?;
        let mut stages = Self {
            named: vec![false; forms.len()],
            stage: vec![0; forms.len()],
            forms,
            trace,
        };
        stages.name();
        stages.order();
        Ok(stages)
    }

    pub(super) fn inputs(&self, id: Id) -> &'t [Id] {
        &self.trace.nodes[id as usize].inputs
    }

    pub(super) fn form(&self, id: Id) -> Form<'t> {
        self.forms[id as usize]
    }

    /// What a node shows in order: the source of reshapes.
    pub(super) fn base(&self, mut id: Id) -> Id {
        while matches!(self.form(id), Form::View) {
            id = self.inputs(id)[0];
        }
        id
    }

    /// What a node shows some places of, each by one index.
    fn source(&self, mut id: Id) -> Id {
        loop {
            match self.form(id) {
                Form::View
                | Form::Move(
                    Move::Broadcast | Move::Transpose(_) | Move::Slice(_) | Move::Pad(_),
                ) => id = self.inputs(id)[0],
                _ => return id,
            }
        }
    }

    pub(super) fn is_leaf(&self, id: Id) -> bool {
        matches!(self.form(id), Form::Input | Form::Constant(_))
    }

    fn set(&mut self, id: Id) {
        if !self.is_leaf(id) {
            self.named[id as usize] = true;
        }
    }

    fn name(&mut self) {
        let nodes = &self.trace.nodes;
        let mut uses = vec![0_usize; nodes.len()];
        for id in nodes.iter().flat_map(|n| &n.inputs) {
            uses[*id as usize] += 1;
        }
        for id in &self.trace.outputs {
            let base = self.base(*id);
            if self.is_leaf(base) {
                self.set(*id);
            } else {
                self.set(base);
            }
        }
        for id in 0..nodes.len() as Id {
            match self.form(id) {
                Form::Heavy(heavy) => {
                    self.set(id);
                    // These read each element many times.
                    if !matches!(
                        heavy,
                        Heavy::Sum(_) | Heavy::Largest(_) | Heavy::ScatterAdd(_)
                    ) {
                        for input in self.inputs(id) {
                            self.set(self.source(*input));
                        }
                    }
                }
                Form::Windows(_) => {
                    for input in self.inputs(id) {
                        self.set(self.source(*input));
                    }
                }
                _ => {}
            }
        }
        // Operations that computing a value anew takes.
        let mut weight = vec![0_u64; nodes.len()];
        for id in 0..nodes.len() as Id {
            let own = match self.form(id) {
                Form::Point(Point::Unary(Unary::Powi(n))) => u64::from(n.unsigned_abs().min(64)),
                Form::Point(Point::Unary(f)) if f.is_expensive() => EXPENSIVE,
                Form::Point(_) | Form::Move(_) => 1,
                Form::Windows(op) => {
                    let taps: usize = op.axes.iter().map(|a| a.kernel).product();
                    8 * taps as u64
                }
                _ => 0,
            };
            let inner: u64 = self
                .inputs(id)
                .iter()
                .filter(|i| !self.named[**i as usize])
                .map(|i| weight[*i as usize])
                .sum();
            let place = id as usize;
            weight[place] = own.saturating_add(inner);
            if let (Form::Move(Move::Broadcast), [x]) = (self.form(id), self.inputs(id)) {
                let grows = nodes[place].shape.len() >= 4 * self.trace.shape(*x).len();
                if grows && weight[place] > EXPENSIVE {
                    self.set(self.source(*x));
                    weight[place] = 1;
                }
            }
            let light = matches!(
                self.form(id),
                Form::Point(_) | Form::Move(_) | Form::Windows(_)
            );
            let shared = uses[place] > 1 && weight[place] >= WORTH;
            if light && (shared || weight[place] > LONG) {
                self.set(id);
            }
        }
    }

    fn order(&mut self) {
        let count = self.trace.nodes.len();
        // The stage from which on a value can be computed where its elements are read in place, and elsewhere.
        let (mut near, mut far) = (vec![0_usize; count], vec![0_usize; count]);
        for id in 0..count as Id {
            let place = id as usize;
            let in_place = matches!(self.form(id), Form::Point(_) | Form::View);
            for (k, input) in self.inputs(id).iter().enumerate() {
                let i = *input as usize;
                let (beside, behind) = match self.form(*input) {
                    Form::Input | Form::Constant(_) => (0, 0),
                    Form::Heavy(_) => (self.stage[i] + 1, self.stage[i] + 1),
                    _ if self.named[i] => (self.stage[i], self.stage[i] + 1),
                    _ => (near[i], far[i]),
                };
                // Further inputs of a view only have to be there before.
                let order_only = k > 0 && matches!(self.form(id), Form::View);
                far[place] = far[place].max(behind);
                let close = if in_place && !order_only {
                    beside
                } else {
                    behind
                };
                near[place] = near[place].max(close);
            }
            self.stage[place] = near[place];
        }
    }
}
