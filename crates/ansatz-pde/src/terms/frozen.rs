//! Draws apart from the terms, and terms as one function.

use ansatz_autodiff::Element;
use ansatz_core::Key;
use ansatz_nn::{Data, Loss, NetworkError, Parameters};

use super::{Causal, Source, Terms};

/// How terms draw their points: apart from the terms, which training borrows.
#[derive(Clone)]
pub struct Sources(pub(super) Vec<(Option<Source>, Option<Causal>, usize)>);

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sources({} terms)", self.0.len())
    }
}

impl Sources {
    /// Whether any term draws its points.
    #[must_use]
    pub fn any(&self) -> bool {
        self.0.iter().any(|(source, ..)| source.is_some())
    }

    /// Puts points drawn for `key` into `data`, points and weights of each term; terms without a source keep theirs.
    pub fn draw<T: Element>(&self, key: Key, data: &mut [Vec<T>]) {
        let terms = self.0.iter().zip(data.chunks_mut(2)).enumerate();
        for (i, ((source, causal, columns), data)) in terms {
            if let Some(source) = source {
                let mut points = source(key.fold_in(i as u64), data[0].len() / columns);
                if let Some(causal) = causal {
                    causal.sort(&mut points, *columns);
                }
                data[0].clear();
                data[0].extend(points.iter().map(|v| T::of(*v)));
            }
        }
    }
}

/// Terms whose weights are in the data: see [`Terms::as_frozen`].
#[derive(Debug)]
pub struct Frozen<'a, T>(pub(super) &'a mut Terms<T>);

impl<T: Element> Loss<T> for Frozen<'_, T> {
    fn data(&self) -> &[Data] {
        &self.0.data
    }

    fn gradient(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        key: Key,
        out: &mut [T],
    ) -> Result<f64, NetworkError> {
        out.fill(T::zero());
        let (mut loss, slopes) = (0.0, &mut self.0.slopes);
        for (i, (part, data)) in self.0.parts.iter_mut().zip(data.chunks(2)).enumerate() {
            let key = key.fold_in(i as u64);
            loss += part.objective.gradient(parameters, data, key, slopes)?;
            for (o, s) in out.iter_mut().zip(&*slopes) {
                *o += *s;
            }
        }
        Ok(loss)
    }
}
