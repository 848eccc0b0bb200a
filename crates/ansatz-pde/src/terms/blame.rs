//! Which residual has no value, for errors that name it.

use ansatz_autodiff::Element;
use ansatz_nn::Parameters;

use crate::{PdeError, Terms};

impl<T: Element> Terms<T> {
    /// The first residual that is not finite, by its term and point.
    pub(crate) fn not_finite(
        &mut self,
        parameters: &Parameters<T>,
        data: &[Vec<T>],
    ) -> Option<PdeError> {
        self.mean_squares(parameters, data).ok()?;
        self.parts
            .iter()
            .zip(data.chunks(2))
            .find_map(|(part, data)| {
                let all = &part.residuals;
                let place = all.iter().position(|r| !r.f64().is_finite())?;
                let width = (all.len() / part.term.len()).max(1);
                let columns = part.term.columns;
                let start = place / width * columns;
                let point = data[0].get(start..start + columns)?;
                let point: Vec<f64> = point.iter().map(|v| v.f64()).collect();
                Some(PdeError::NotFinite {
                    what: format!("the residual of `{}` at {point:?}", part.term.name),
                    index: place % width,
                    value: all[place].f64(),
                })
            })
    }
}
