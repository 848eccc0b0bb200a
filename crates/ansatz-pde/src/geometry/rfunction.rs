//! Joining of functions whose sign says inside: x ∧ y = x + y − √(x² + y²), x ∨ y = x + y + √(x² + y²).
//!
//! Their derivatives exist wherever x and y do not vanish together, and where one vanishes, that of the join is the
//! other's: joins of functions of unit slope keep it on the boundary (V. Shapiro, 2007, section 4.2).

use ansatz_autodiff::Array;

pub(super) fn both<'g>(x: Array<'g>, y: Array<'g>) -> Array<'g> {
    x + y - (x.square() + y.square()).sqrt()
}

pub(super) fn either<'g>(x: Array<'g>, y: Array<'g>) -> Array<'g> {
    x + y + (x.square() + y.square()).sqrt()
}
