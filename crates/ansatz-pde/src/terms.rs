//! A loss of several terms: residuals of kinds of points, each weighted.
//!
//! The loss is Σᵢ λᵢ·Σₚ ωₚ·‖rᵢ(xₚ)‖²: equations inside, conditions on boundaries, measurements. λ belongs to a term and is
//! adapted by a [`Weighting`]; ω belongs to a point: 1/n, times causal weights, times weights trained against the
//! network. A term states its scale by that: it is a mean over points, not an integral and not a norm.
//!
//! Gradients of terms are computed one by one, each by a program of its own, so that methods that compare them cost
//! nothing beside. What a weighting remembers stands in untrained entries of the layout, so that a checkpoint of the
//! parameters is a checkpoint of it.

mod affine;
mod blame;
mod causal;
mod frozen;
mod weighting;

use std::sync::Arc;

use ansatz_autodiff::{Array, Element, Graph, Options, Program};
use ansatz_core::Key;
use ansatz_nn::{
    Data, Layout, LeastSquares, Loss, Mode, NetworkError, Objective, Parameters, Pass,
};

pub use causal::Causal;
pub use frozen::{Frozen, Sources};
pub use weighting::Weighting;

use crate::PdeError;
use crate::error::{expect, finite, within};
use weighting::State;

/// Residuals `[n, w]` of points `[n, c]`, as more of a graph. Row p depends on row p alone.
pub type Residual =
    Arc<dyn for<'g> Fn(&Pass<'g>, Array<'g>) -> Result<Array<'g>, PdeError> + Send + Sync>;

/// Draws so many points by a key.
pub type Source = Arc<dyn Fn(Key, usize) -> Vec<f64> + Send + Sync>;

/// One term: a residual and its points.
#[derive(Clone)]
pub struct Term {
    /// What reports call it.
    pub name: String,
    /// Numbers in a row: coordinates, then what else belongs to a point (a measured value, a normal).
    pub columns: usize,
    /// Rows of the points at the start.
    pub points: Vec<f64>,
    /// Points that a row stands for: 1, but for rows that are slabs of a grid.
    pub points_in_row: usize,
    /// Draws others, for batches and for the residual at fresh points.
    pub source: Option<Source>,
    /// λ at the start.
    pub weight: f64,
    /// Weights that wait for the past.
    pub causal: Option<Causal>,
    /// The residual.
    pub residual: Residual,
}

impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let points = self.points.len() / self.columns.max(1);
        write!(f, "Term({:?}, {points} points)", self.name)
    }
}

impl Term {
    /// A term of weight 1 at `points`, rows of `columns` numbers.
    pub fn new<F>(name: impl Into<String>, columns: usize, points: Vec<f64>, residual: F) -> Self
    where
        F: for<'g> Fn(&Pass<'g>, Array<'g>) -> Result<Array<'g>, PdeError> + Send + Sync + 'static,
    {
        Self {
            name: name.into(),
            columns,
            points,
            points_in_row: 1,
            source: None,
            weight: 1.0,
            causal: None,
            residual: Arc::new(residual),
        }
    }

    /// The term with `n` points drawn by `source`, first with `key`.
    #[must_use]
    pub fn drawn<S>(mut self, key: Key, n: usize, source: S) -> Self
    where
        S: Fn(Key, usize) -> Vec<f64> + Send + Sync + 'static,
    {
        self.points = source(key, n);
        self.source = Some(Arc::new(source));
        self
    }

    /// The term with another weight.
    #[must_use]
    pub fn weighted(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len() / self.columns.max(1)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self) -> Result<(), PdeError> {
        within("weight", self.weight, 0.0.., "a number not below 0")?;
        if self.is_empty() {
            let term = self.name.clone();
            return Err(PdeError::NoPoints { term });
        }
        let whole = self.len() * self.columns;
        expect("numbers in rows of points", whole, self.points.len())?;
        if let Some(causal) = &self.causal {
            causal.check(self.len(), self.columns)?;
        }
        finite(|| format!("points of `{}`", self.name), &self.points)
    }
}

/// Terms, compiled for one network.
#[derive(Debug)]
pub struct Terms<T> {
    layout: Layout,
    parts: Vec<Part<T>>,
    /// Points and ω of each term.
    data: Vec<Data>,
    state: State,
    slopes: Vec<T>,
}

#[derive(Debug)]
struct Part<T> {
    term: Term,
    /// Residuals of a point.
    width: usize,
    /// Σω‖r‖² with its gradient, and ‖r‖² of each point.
    objective: Objective<T>,
    values: Program<T>,
    residuals: Vec<T>,
    /// ω of the last evaluation.
    omega: Vec<T>,
    /// Loss and length of the gradient at the last evaluation.
    loss: f64,
    slope: f64,
}

impl<T: Element> Terms<T> {
    /// Compiles terms for the parameters of `layout`; [`Terms::layout`] is the layout with what the weighting
    /// remembers, from which the parameters are to be made.
    ///
    /// # Errors
    /// [`PdeError::NoPoints`] for a term without points, [`PdeError::NotFinite`] for points that are not, what the
    /// residuals refuse, and [`PdeError::Network`] when the residuals are not in rows of points.
    ///
    /// # Panics
    /// At the shapes that a residual combines.
    pub fn compile(
        layout: &Layout,
        terms: Vec<Term>,
        (weighting, mode): (Weighting, Mode),
    ) -> Result<Self, PdeError> {
        expect("terms, at least", 1, terms.len().min(1))?;
        weighting.check()?;
        let mut layout = layout.clone();
        for term in &terms {
            term.check()?;
        }
        let sizes: Vec<usize> = terms.iter().map(Term::len).collect();
        let state = State::new(&mut layout, weighting, &sizes);
        let mut parts = Vec::new();
        let mut data = Vec::new();
        for term in terms {
            data.extend([
                Data::Batch(vec![term.len(), term.columns]),
                Data::Batch(vec![term.len(), 1]),
            ]);
            let shapes = &data[data.len() - 2..];
            parts.push(Part::compile(&layout, term, shapes, mode)?);
        }
        Ok(Self {
            slopes: vec![T::zero(); layout.len()],
            layout,
            parts,
            data,
            state,
        })
    }

    /// The layout with what the weighting remembers.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The terms.
    pub fn terms(&self) -> impl ExactSizeIterator<Item = &Term> {
        self.parts.iter().map(|p| &p.term)
    }

    /// Other points for the term number `i`, as many as before.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number, [`PdeError::NotFinite`].
    ///
    /// # Panics
    /// When there is no such term.
    pub fn set_points(&mut self, i: usize, points: Vec<f64>) -> Result<(), PdeError> {
        let term = &mut self.parts[i].term;
        expect("coordinates of points", term.points.len(), points.len())?;
        finite(|| format!("points of `{}`", term.name), &points)?;
        term.points = points;
        Ok(())
    }

    /// Points and weights ω = 1/n of all terms, one after the other, as [`Loss::gradient`] takes them.
    #[must_use]
    pub fn data(&self) -> Vec<Vec<T>> {
        let part = |part: &Part<T>| {
            let mut points = part.term.points.clone();
            if let Some(causal) = &part.term.causal {
                causal.sort(&mut points, part.term.columns);
            }
            let n = part.term.len();
            let points = points.iter().map(|v| T::of(*v)).collect();
            [points, vec![T::of((n as f64).recip()); n]]
        };
        self.parts.iter().flat_map(part).collect()
    }

    /// How the terms draw their points.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let term = |part: &Part<T>| {
            let term = &part.term;
            (term.source.clone(), term.causal, term.columns)
        };
        Sources(self.parts.iter().map(term).collect())
    }

    /// The terms as a loss whose weights are those of [`Terms::frozen`], for methods that need one function.
    #[must_use]
    pub fn as_frozen(&mut self) -> Frozen<'_, T> {
        Frozen(self)
    }

    /// λ of each term.
    #[must_use]
    pub fn weights(&self, parameters: &Parameters<T>) -> Vec<f64> {
        let factors = self.state.factors(parameters);
        let weights = self.parts.iter().map(|p| p.term.weight);
        weights.zip(factors).map(|(w, f)| w * f).collect()
    }

    /// The mean over points of ‖r‖² for each term, without weights; [`Terms::residuals`] are the residuals themselves.
    ///
    /// # Errors
    /// [`PdeError::Program`] for data of another length.
    pub fn mean_squares(
        &mut self,
        parameters: &Parameters<T>,
        data: &[Vec<T>],
    ) -> Result<Vec<f64>, PdeError> {
        let layout = &self.layout;
        let parts = self.parts.iter_mut().zip(data.chunks(2));
        parts
            .map(|(part, data)| {
                part.evaluate(layout, parameters, &data[0])?;
                let squares = part.residuals.iter().map(|r| r.f64() * r.f64());
                Ok(squares.sum::<f64>() / part.term.len() as f64)
            })
            .collect()
    }

    /// The residuals that the term number `i` had in [`Terms::mean_squares`], rows for points.
    ///
    /// # Panics
    /// When there is no such term.
    #[must_use]
    pub fn residuals(&self, i: usize) -> &[T] {
        &self.parts[i].residuals
    }

    /// Σω‖r‖² of the term number `i` at the last gradient, without λ.
    pub(crate) fn last_loss(&self, i: usize) -> f64 {
        self.parts[i].loss
    }

    /// All terms as one problem of least squares with the loss of these as ½Σr²; [`Terms::frozen`] are its data.
    ///
    /// # Errors
    /// As [`LeastSquares::compile`].
    pub fn least_squares(&self) -> Result<LeastSquares<T>, PdeError> {
        let mut all: Option<LeastSquares<T>> = None;
        for (part, shapes) in self.parts.iter().zip(self.data.chunks(2)) {
            let residual = part.term.residual.clone();
            let one = LeastSquares::compile(&self.layout, shapes, |pass, data| {
                // Errors were found when the term was compiled.
                let r = residual(pass, data[0]).unwrap_or_else(|_| data[0].zeros());
                r * (data[1] * 2.0).sqrt()
            })?;
            all = Some(match all {
                None => one,
                Some(before) => before.and(one)?,
            });
        }
        all.ok_or(PdeError::Width {
            what: "terms, at least",
            expected: 1,
            got: 0,
        })
    }

    /// Data whose weights hold all of λ and ω as they are at `parameters`.
    ///
    /// # Errors
    /// [`PdeError::Program`] for data of another length.
    pub fn frozen(
        &mut self,
        parameters: &Parameters<T>,
        data: &[Vec<T>],
    ) -> Result<Vec<Vec<T>>, PdeError> {
        let lambda = self.weights(parameters);
        let mut frozen = data.to_vec();
        for (i, part) in self.parts.iter_mut().enumerate() {
            part.weigh(
                &self.layout,
                (&self.state, i),
                parameters,
                [&data[2 * i], &data[2 * i + 1]],
            )?;
            let omega = part.omega.iter().map(|w| T::of(w.f64() * lambda[i]));
            frozen[2 * i + 1] = omega.collect();
        }
        Ok(frozen)
    }

    /// ‖∂rᵢ/∂θ‖² per point, the mean diagonal of the neural tangent kernel of each term.
    fn kernels(&self, parameters: &Parameters<T>, data: &[&[T]]) -> Result<Vec<f64>, NetworkError> {
        let mut kernels = Vec::new();
        for (part, (shapes, data)) in self
            .parts
            .iter()
            .zip(self.data.chunks(2).zip(data.chunks(2)))
        {
            let residual = part.term.residual.clone();
            let mut all = LeastSquares::compile(&self.layout, shapes, |pass, data| {
                residual(pass, data[0]).unwrap_or_else(|_| data[0].zeros())
            })?;
            let squares = all.jacobian_squares(parameters, data)?;
            kernels.push(squares / part.term.len() as f64);
        }
        Ok(kernels)
    }
}

impl<T: Element> Part<T> {
    fn compile(layout: &Layout, term: Term, shapes: &[Data], mode: Mode) -> Result<Self, PdeError> {
        let n = term.len();
        // Once for its errors and its shape, and for the values without a gradient.
        let (values, width) = {
            let graph = Graph::new();
            let pass = Pass::new(&graph, layout, (Mode::Evaluate, Some(n)));
            let x = graph.batch(&[n, term.columns]);
            let r = (term.residual)(&pass, x)?;
            let shape = r.shape();
            let rows = shape.first().copied().unwrap_or(0);
            expect("rows of residuals", n, rows)?;
            let trace = graph.finish(&[r]);
            (
                Program::compile(&trace, &Options::default())?,
                shape.len() / n,
            )
        };
        let residual = term.residual.clone();
        let options = (mode, Options::default());
        let objective = Objective::with_outputs(layout, shapes, options, |pass, data| {
            let r = residual(pass, data[0]).unwrap_or_else(|_| data[0].zeros());
            let squares = r.reshape(&[n, width]).square().sum_axes(&[1]);
            let omega = data[1].reshape(&[n]);
            ((squares * omega).sum(), vec![squares])
        })?;
        Ok(Self {
            width,
            objective,
            values,
            residuals: vec![T::zero(); n * width],
            omega: vec![T::zero(); n],
            loss: f64::NAN,
            slope: f64::NAN,
            term,
        })
    }

    /// The residuals at `points`.
    fn evaluate(
        &mut self,
        layout: &Layout,
        parameters: &Parameters<T>,
        points: &[T],
    ) -> Result<(), NetworkError> {
        let entries = layout.entries().iter();
        let mut inputs: Vec<&[T]> = entries.map(|e| &parameters.values()[e.range()]).collect();
        inputs.push(points);
        Ok(self.values.run(&inputs, &mut [&mut self.residuals])?)
    }

    /// ω at `points`, from their given weights.
    fn weigh(
        &mut self,
        layout: &Layout,
        (state, i): (&State, usize),
        parameters: &Parameters<T>,
        [points, given]: [&[T]; 2],
    ) -> Result<(), NetworkError> {
        self.omega.copy_from_slice(given);
        if let Some(causal) = self.term.causal {
            self.evaluate(layout, parameters, points)?;
            let rows = self.residuals.chunks(self.width);
            let squares = rows.map(|r| r.iter().map(|r| r.f64() * r.f64()).sum());
            causal.apply(&squares.collect::<Vec<f64>>(), &mut self.omega);
        }
        state.apply(parameters, i, &mut self.omega);
        Ok(())
    }
}

impl<T: Element> Loss<T> for Terms<T> {
    fn data(&self) -> &[Data] {
        &self.data
    }

    fn gradient(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        key: Key,
        out: &mut [T],
    ) -> Result<f64, NetworkError> {
        let lambda = self.weights(parameters);
        out.fill(T::zero());
        let mut loss = 0.0;
        for (i, part) in self.parts.iter_mut().enumerate() {
            let [points, given] = [data[2 * i], data[2 * i + 1]];
            part.weigh(&self.layout, (&self.state, i), parameters, [points, given])?;
            let inputs = [points, &part.omega[..]];
            let key = key.fold_in(i as u64);
            let objective = &mut part.objective;
            part.loss = objective.gradient(parameters, &inputs, key, &mut self.slopes)?;
            let scale = T::of(lambda[i]);
            let mut squares = 0.0;
            for (o, s) in out.iter_mut().zip(&self.slopes) {
                squares += s.f64() * s.f64();
                *o += scale * *s;
            }
            part.slope = squares.sqrt();
            loss += lambda[i] * part.loss;
        }
        if self.state.wants_kernels(parameters) {
            let kernels = self.kernels(parameters, data)?;
            self.state.set_kernels(kernels);
        }
        Ok(loss)
    }

    fn update(&self, parameters: &mut Parameters<T>) {
        let slopes: Vec<f64> = self.parts.iter().map(|p| p.slope).collect();
        let losses: Vec<f64> = self.parts.iter().map(|p| p.loss).collect();
        let squares: Vec<&[T]> = self
            .parts
            .iter()
            .map(|p| &p.objective.outputs()[0][..])
            .collect();
        self.state.update(parameters, [&losses, &slopes], &squares);
    }
}
