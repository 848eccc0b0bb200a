//! Networks in forms that meet conditions.

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_expr::{Formula, Leaf};
use ansatz_nn::{GridSide, Layer, Pass};

use super::lower::{beside, column};
use crate::Model;

/// A network's outputs in forms that meet conditions.
#[derive(Debug)]
pub(crate) struct Formed<L> {
    pub(super) net: L,
    pub(super) formula: Arc<Formula>,
    pub(super) coordinates: Vec<String>,
    pub(super) unknowns: Vec<String>,
}

impl Layer for Formed<Model> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.shape(x, self.net.apply(pass, x))
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        let net = self.net.on_grid(pass, sides);
        self.shaped(net, |i| {
            GridSide::coordinate(sides, i).unwrap_or_else(|| net.zeros())
        })
    }
}

impl<L> Formed<L> {
    /// The forms of `net` `[n, unknowns]` at points `[n, d]`.
    pub(super) fn shape<'g>(&self, x: Array<'g>, net: Array<'g>) -> Array<'g> {
        self.shaped(net, |i| x.narrow(1, i, i + 1))
    }

    /// The forms of values whose last axis is that of the unknowns, with each coordinate as it is broadcast over them.
    fn shaped<'g>(&self, net: Array<'g>, coordinate: impl Fn(usize) -> Array<'g>) -> Array<'g> {
        let place = |names: &[String], leaf: &Leaf| match leaf {
            Leaf::Symbol(name) => names.iter().position(|n| n == name),
            Leaf::Field(_) => None,
        };
        let outputs = self.formula.trace(net.graph(), |leaf| {
            place(&self.coordinates, leaf).map_or_else(
                || column(net, place(&self.unknowns, leaf).unwrap_or(0)),
                &coordinate,
            )
        });
        beside(&outputs, &net.shape())
    }
}
