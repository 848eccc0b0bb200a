//! Least squares: residuals of many points, and the Gauss-Newton and Levenberg-Marquardt methods.
//!
//! The loss is f = ½Σr² over all residuals. With J = ∂r/∂θ a step solves (JᵀJ + μD)δ = −Jᵀr: Gauss-Newton for μ = 0,
//! short steps downhill for large μ. J is never stored: it is computed point by point, a chunk of rows at a time, and
//! only JᵀJ (p×p for p trained parameters) is kept. Points of a chunk are computed side by side by the caller's threads, and
//! their rows added in order: any number of threads gives the same bits. μ follows the gain ratio ϱ = (f − f(θ + δ))/(½δᵀ(μDδ − Jᵀr)), the
//! decrease over the one that the linear model foretold (H. Nielsen's rule).
//!
//! Cost of a step with b residuals: b backward passes of single points, b·p² operations for JᵀJ and p³/3 for the
//! factor; memory 2p² numbers and one chunk. For up to some thousand parameters: physics-informed networks, curves
//! fitted to measurements. Such fits are so exact at their points that they may be wrong between them: ask for the
//! residual at fresh points. Use double precision: products of rounded Jacobians hide the narrow valleys that make the
//! difference to gradients.
//!
//! References: K. Levenberg, *A method for the solution of certain non-linear problems in least squares*, 1944;
//! D. Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, 1963; K. Madsen, H. Nielsen,
//! O. Tingleff, *Methods for non-linear least squares problems*, 2nd edition, 2004 (algorithm 3.16).

mod fit;
mod normal;

use std::ops::Range;

use ansatz_autodiff::{Array, Element, Graph, Options, Program, vjp};
use rayon::prelude::*;

pub use fit::{Damping, Fit, FitStep, LevenbergMarquardt};
pub(crate) use normal::Normal;

use crate::{Data, Layout, Mode, NetworkError, Parameters, Pass};

/// Residuals of points and their derivatives in the trained parameters, as programs.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_nn::{Data, Layer, Layout, LeastSquares, LevenbergMarquardt, Mlp, MlpOptions, Parameters};
/// let mut layout = Layout::new();
/// let net = Mlp::new(&mut layout.root(), &[1, 8, 1], &MlpOptions::default());
/// let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
/// let data = [Data::Batch(vec![40, 1]), Data::Batch(vec![40, 1])];
/// let mut residuals = LeastSquares::compile(&layout, &data, |pass, data| {
///     net.apply(pass, data[0]) - data[1]
/// })?;
/// let x: Vec<f64> = (0..40).map(|i| f64::from(i) / 20.0 - 1.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| (3.0 * x).sin()).collect();
/// let method = LevenbergMarquardt { steps: 60, ..LevenbergMarquardt::default() };
/// let fit = method.fit(&mut residuals, &mut parameters, &[&x, &y], None, &mut ())?;
/// assert!(fit.loss < 1e-6);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug)]
pub struct LeastSquares<T> {
    /// All residuals.
    values: Program<T>,
    /// Residuals of one point and their slopes.
    point: Program<T>,
    layout: Layout,
    data: Vec<Data>,
    points: usize,
    /// Residuals of a point.
    width: usize,
    /// Places of the trained parameters in the flat vector.
    trained: Vec<Range<usize>>,
    residuals: Vec<T>,
    slopes: Vec<T>,
}

impl<T: Element> LeastSquares<T> {
    /// Compiles `residual`, an array whose first axis numbers the points of the batch; each row depends on its own row
    /// of the data alone. It is traced twice, for all points and for a single one, in [`Mode::Evaluate`]: take the number of
    /// points from the shapes of the arrays.
    ///
    /// # Errors
    /// [`NetworkError::Size`] when there is no batch, batches differ in length, residuals are not in rows of points, draws
    /// are asked for, or nothing is trained; [`NetworkError::Program`] when a program needs too much memory.
    ///
    /// # Panics
    /// At the shapes that `residual` combines.
    pub fn compile<F>(layout: &Layout, data: &[Data], residual: F) -> Result<Self, NetworkError>
    where
        F: for<'g> Fn(&Pass<'g>, &[Array<'g>]) -> Array<'g>,
    {
        let points = points_of(data)?;
        let entries = layout.entries().iter().filter(|e| e.trained);
        let trained: Vec<Range<usize>> = entries.map(crate::Entry::range).collect();
        let p: usize = trained.iter().map(ExactSizeIterator::len).sum();
        expect("trained parameters, at least", 1, p.min(1))?;

        let single: Vec<Data> = data.iter().map(Data::point).collect();
        let (values, width) = {
            let graph = Graph::new();
            let r = trace(&graph, layout, data, points, &residual)?.1;
            let values = Program::compile(&graph.finish(&[r]), &Options::default())?;
            (values, r.shape().len() / points)
        };
        let graph = Graph::new();
        let (parameters, r) = trace(&graph, layout, &single, 1, &residual)?;
        expect("residuals of a point", width, r.shape().len())?;
        let mut outputs = vec![r];
        for i in 0..width {
            let mut unit = vec![0.0; width];
            unit[i] = 1.0;
            let unit = graph.constant(&r.shape(), unit);
            outputs.extend(vjp(&[(r, unit)], &parameters));
        }
        Ok(Self {
            values,
            point: Program::compile(&graph.finish(&outputs), &Options::default())?,
            layout: layout.clone(),
            data: data.to_vec(),
            points,
            width,
            trained,
            residuals: vec![T::zero(); points * width],
            slopes: Vec::new(),
        })
    }

    /// The shapes of the data.
    #[must_use]
    pub fn data(&self) -> &[Data] {
        &self.data
    }

    /// Number of residuals of all points.
    #[must_use]
    pub fn residuals(&self) -> usize {
        self.points * self.width
    }

    /// Number of trained parameters.
    #[must_use]
    pub fn trained(&self) -> usize {
        self.trained.iter().map(ExactSizeIterator::len).sum()
    }

    /// f = ½Σr² over all points.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for parameters of another layout, [`NetworkError::Program`] for data of another length.
    pub fn loss(&mut self, parameters: &Parameters<T>, data: &[&[T]]) -> Result<f64, NetworkError> {
        let given = parameters.values().len();
        expect("parameters", self.layout.len(), given)?;
        let mut inputs = self.inputs(parameters);
        inputs.extend_from_slice(data);
        let mut out = std::mem::take(&mut self.residuals);
        let run = self.values.run(&inputs, &mut [&mut out]);
        self.residuals = out;
        run?;
        let squares = self.residuals.iter().map(|r| r.f64() * r.f64());
        Ok(0.5 * squares.sum::<f64>())
    }

    /// JᵀJ, Jᵀr and f, with `normal.chunk` rows of J at a time.
    pub(crate) fn normal(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        normal: &mut Normal,
    ) -> Result<f64, NetworkError> {
        let given = parameters.values().len();
        expect("parameters", self.layout.len(), given)?;
        expect("arrays of data", self.data.len(), data.len())?;
        for (shape, values) in self.data.iter().zip(data) {
            expect("elements of an array of data", shape.len(), values.len())?;
        }
        let mut residuals = std::mem::take(&mut self.residuals);
        let mut slopes = std::mem::take(&mut self.slopes);
        let most = self.block(normal.chunk()) * self.width * self.trained();
        slopes.resize(most, T::zero());
        let result = self.accumulate(parameters, data, normal, (&mut residuals, &mut slopes));
        self.residuals = residuals;
        self.slopes = slopes;
        result
    }

    /// Points whose rows of J are computed side by side.
    fn block(&self, chunk: usize) -> usize {
        (chunk / self.width.max(1)).clamp(1, self.points)
    }

    fn accumulate(
        &self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        normal: &mut Normal,
        (residuals, slopes): (&mut [T], &mut [T]),
    ) -> Result<f64, NetworkError> {
        normal.clear();
        let mut inputs = self.inputs(parameters);
        let first = inputs.len();
        inputs.extend_from_slice(data);
        let p = self.trained();
        let mut loss = 0.0;
        // Points of a block are independent; their rows are added in order, whatever threads made them.
        let block = self.block(normal.chunk());
        let blocks = residuals.chunks_mut(block * self.width);
        for (b, residuals) in blocks.enumerate() {
            let slopes = &mut slopes[..residuals.len() * p];
            let rows = slopes.par_chunks_mut(self.width * p);
            let points = residuals.par_chunks_mut(self.width).zip(rows);
            points.enumerate().try_for_each(|(k, (r, rows))| {
                let i = b * block + k;
                let mut inputs = inputs.clone();
                for ((input, values), shape) in inputs[first..].iter_mut().zip(data).zip(&self.data)
                {
                    if let Data::Batch(_) = shape {
                        let row = values.len() / self.points;
                        *input = &values[i * row..(i + 1) * row];
                    }
                }
                let mut outputs: Vec<&mut [T]> = vec![r];
                let mut rest = rows;
                for _ in 0..self.width {
                    for range in &self.trained {
                        let (part, later) = rest.split_at_mut(range.len());
                        outputs.push(part);
                        rest = later;
                    }
                }
                self.point.run(&inputs, &mut outputs)
            })?;
            for (r, row) in residuals.iter().zip(slopes.chunks_exact(p)) {
                let r = r.f64();
                loss += 0.5 * r * r;
                normal.push(r, row);
            }
        }
        normal.finish();
        Ok(loss)
    }

    /// Adds `step` to the trained parameters.
    pub(crate) fn moved(&self, from: &Parameters<T>, step: &[f64], to: &mut Parameters<T>) {
        to.values_mut().copy_from_slice(from.values());
        let places = self.trained.iter().flat_map(Clone::clone);
        for (place, d) in places.zip(step) {
            let value = &mut to.values_mut()[place];
            *value = T::of(value.f64() + d);
        }
    }

    /// Euclidean norm of the trained parameters.
    pub(crate) fn norm(&self, parameters: &Parameters<T>) -> f64 {
        let places = self.trained.iter().flat_map(Clone::clone);
        let squares = places.map(|i| parameters.values()[i].f64().powi(2));
        squares.sum::<f64>().sqrt()
    }

    fn inputs<'a>(&self, parameters: &'a Parameters<T>) -> Vec<&'a [T]> {
        let entries = self.layout.entries().iter();
        entries.map(|e| &parameters.values()[e.range()]).collect()
    }
}

impl Data {
    /// The shape for a single point.
    fn point(&self) -> Self {
        match self {
            Self::Batch(shape) => {
                let mut shape = shape.clone();
                shape[0] = 1;
                Self::Batch(shape)
            }
            Self::Whole(_) => self.clone(),
        }
    }
}

fn expect(what: &'static str, expected: usize, got: usize) -> Result<(), NetworkError> {
    if got == expected {
        return Ok(());
    }
    Err(NetworkError::Size {
        what,
        expected,
        got,
    })
}

/// The number of points in all batches.
fn points_of(data: &[Data]) -> Result<usize, NetworkError> {
    let mut points = None;
    for shape in data {
        expect("elements of data, at least", 1, shape.len().min(1))?;
        if let Data::Batch(shape) = shape {
            let length = shape.first().copied().unwrap_or(0);
            let first = *points.get_or_insert(length);
            expect("points of a batch", first, length)?;
        }
    }
    let points = points.unwrap_or(0);
    expect("points, at least", 1, points.min(1))?;
    Ok(points)
}

/// The trained parameters and the residuals of some points.
fn trace<'g, F>(
    graph: &'g Graph,
    layout: &Layout,
    data: &[Data],
    points: usize,
    residual: F,
) -> Result<(Vec<Array<'g>>, Array<'g>), NetworkError>
where
    F: Fn(&Pass<'g>, &[Array<'g>]) -> Array<'g>,
{
    let pass = Pass::new(graph, layout, (Mode::Evaluate, Some(points)));
    let inputs: Vec<Array<'g>> = data
        .iter()
        .map(|d| match d {
            Data::Batch(shape) => graph.batch(shape),
            Data::Whole(shape) => graph.input(shape),
        })
        .collect();
    let r = residual(&pass, &inputs);
    let rows = r.shape().first().copied().unwrap_or(0);
    expect("rows of residuals", points, rows)?;
    expect("arrays drawn at random", 0, pass.uniforms().len())?;
    let entries = layout.entries().iter().zip(pass.arrays());
    let trained = entries.filter(|(e, _)| e.trained).map(|(_, a)| *a);
    Ok((trained.collect(), r))
}
