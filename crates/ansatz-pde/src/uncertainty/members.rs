//! Deep ensembles.

use ansatz_autodiff::Array;
use ansatz_core::Key;
use rayon::prelude::*;

use crate::error::within;
use crate::{PdeError, Term};

/// Trains members side by side, each with a key of its own for all that it draws: start, order of data, points.
///
/// ```
/// use ansatz_pde::core::Key;
/// let members = ansatz_pde::uncertainty::ensemble(3, Key::new(1), |_, key| Ok(key.uniform(0, 0)[0]))?;
/// assert!(members[0] != members[1]);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Option`] for less than two members; the first error of a member.
pub fn ensemble<R, F>(members: usize, key: Key, train: F) -> Result<Vec<R>, PdeError>
where
    R: Send,
    F: Fn(usize, Key) -> Result<R, PdeError> + Sync,
{
    within("members", members as f64, 2.0.., "2 or more")?;
    let member = |m: usize| train(m, key.fold_in(m as u64));
    // All are tried: which error is the first does not depend on threads.
    let all: Vec<_> = (0..members).into_par_iter().map(member).collect();
    all.into_iter().collect()
}

/// What a member sees of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resample {
    /// All rows, in another order: members differ by their starts and points, so that the spread is that of training.
    #[default]
    Order,
    /// As many rows drawn with repetition: the spread holds that of noise too.
    Bootstrap,
}

/// Terms for a member: points drawn by sources are drawn for its key; other rows are put in another order, or drawn.
#[must_use]
pub fn reordered(terms: &[Term], resample: Resample, key: Key) -> Vec<Term> {
    let one = |(i, term): (usize, &Term)| {
        let (mut term, key) = (term.clone(), key.fold_in(i as u64));
        if let Some(source) = &term.source {
            term.points = source(key, term.len());
            return term;
        }
        let (n, columns) = (term.len(), term.columns);
        let mut order: Vec<usize> = (0..n).collect();
        for k in 0..n {
            let [u, _] = key.uniform(0, k as u64);
            match resample {
                Resample::Order => order.swap(k, k + (u * (n - k) as f64) as usize),
                Resample::Bootstrap => order[k] = (u * n as f64) as usize,
            }
        }
        let row = |k: &usize| term.points[k * columns..(k + 1) * columns].to_vec();
        term.points = order.iter().flat_map(row).collect();
        term
    };
    terms.iter().enumerate().map(one).collect()
}

/// −ln N(y; μ, exp s) up to a constant, ½(s + (y − μ)²·e⁻ˢ), for each element: the loss of a network with heads μ and
/// s = log σ².
#[must_use]
pub fn gaussian_nll<'g>(mean: Array<'g>, log_variance: Array<'g>, y: Array<'g>) -> Array<'g> {
    (log_variance + (y - mean).square() * (-log_variance).exp()) * 0.5
}
