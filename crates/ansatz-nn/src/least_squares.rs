//! Least squares: residuals of many points, and the Gauss-Newton and Levenberg-Marquardt methods.
//!
//! The loss is f = ½Σr² over all residuals. With J = ∂r/∂θ a step solves (JᵀJ + μD)δ = −Jᵀr: Gauss-Newton for μ = 0,
//! short steps downhill for large μ. J is computed point by point, a chunk of rows at a time, and only JᵀJ (p×p for p trained
//! parameters) is kept; where there are fewer residuals than parameters, b < p, it is JD⁻¹Jᵀ (b×b) and J, since
//! δ = −D⁻¹Jᵀ(JD⁻¹Jᵀ + μI)⁻¹r. Points of a chunk are computed side by side by the caller's threads, and
//! their rows added in order: any number of threads gives the same bits. μ follows the gain ratio ϱ = (f − f(θ + δ))/(½δᵀ(μDδ − Jᵀr)), the
//! decrease over the one that the linear model foretold (H. Nielsen's rule).
//!
//! Cost of a step with b residuals and m = min(p, b): b backward passes of single points, b·p·m operations for the products and
//! m³/3 for the factor; memory 2m² numbers and one chunk, or 2m² + 2bp. For up to some thousand parameters or residuals:
//! physics-informed networks, curves
//! fitted to measurements. Such fits are so exact at their points that they may be wrong between them: ask for the
//! residual at fresh points. Use double precision: products of rounded Jacobians hide the narrow valleys that make the
//! difference to gradients.
//!
//! References: K. Levenberg, *A method for the solution of certain non-linear problems in least squares*, 1944;
//! D. Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, 1963; K. Madsen, H. Nielsen,
//! O. Tingleff, *Methods for non-linear least squares problems*, 2nd edition, 2004 (algorithm 3.16).

mod fit;
mod linear;
mod normal;

use std::ops::Range;

use ansatz_autodiff::{Array, Element, Graph, Options, Program, vjp};
use rayon::prelude::*;

pub use fit::{Damping, Fit, FitStep, LevenbergMarquardt};
pub use linear::linear_least_squares;
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
    blocks: Vec<Block<T>>,
    layout: Layout,
    /// Data of all blocks, one after the other.
    data: Vec<Data>,
    /// Places of the trained parameters in the flat vector.
    trained: Vec<Range<usize>>,
    slopes: Vec<T>,
}

/// Residuals of one kind of points.
#[derive(Debug)]
struct Block<T> {
    /// All residuals.
    values: Program<T>,
    /// Residuals of one point and their slopes.
    point: Program<T>,
    /// Where its data stand among those of all blocks.
    data: Range<usize>,
    points: usize,
    /// Residuals of a point.
    width: usize,
    residuals: Vec<T>,
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
        let block = Block {
            values,
            point: Program::compile(&graph.finish(&outputs), &Options::default())?,
            data: 0..data.len(),
            points,
            width,
            residuals: vec![T::zero(); points * width],
        };
        Ok(Self {
            blocks: vec![block],
            layout: layout.clone(),
            data: data.to_vec(),
            trained,
            slopes: Vec::new(),
        })
    }

    /// These residuals and others of the same parameters, whose points are of another kind: an equation inside, conditions
    /// on the boundary. The others' data stand behind these.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for parameters of another layout.
    pub fn and(mut self, other: Self) -> Result<Self, NetworkError> {
        let (own, others) = (&self.layout, &other.layout);
        expect("parameters", own.len(), others.len())?;
        expect("trained parameters", self.trained(), other.trained())?;
        let before = self.data.len();
        self.data.extend(other.data);
        self.blocks.extend(other.blocks.into_iter().map(|b| Block {
            data: b.data.start + before..b.data.end + before,
            ..b
        }));
        Ok(self)
    }

    /// The shapes of the data.
    #[must_use]
    pub fn data(&self) -> &[Data] {
        &self.data
    }

    /// Number of residuals of all points.
    #[must_use]
    pub fn residuals(&self) -> usize {
        self.blocks.iter().map(|b| b.points * b.width).sum()
    }

    /// Number of trained parameters.
    #[must_use]
    pub fn trained(&self) -> usize {
        self.trained.iter().map(ExactSizeIterator::len).sum()
    }

    /// f = ½Σr² over all points.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for parameters of another layout or another number of arrays of data,
    /// [`NetworkError::Program`] for data of another length.
    pub fn loss(&mut self, parameters: &Parameters<T>, data: &[&[T]]) -> Result<f64, NetworkError> {
        self.check(parameters, data)?;
        let inputs = inputs(&self.layout, parameters);
        let mut loss = 0.0;
        for block in &mut self.blocks {
            let mut inputs = inputs.clone();
            inputs.extend_from_slice(&data[block.data.clone()]);
            block.values.run(&inputs, &mut [&mut block.residuals])?;
            let squares = block.residuals.iter().map(|r| r.f64() * r.f64());
            loss += 0.5 * squares.sum::<f64>();
        }
        Ok(loss)
    }

    /// JᵀJ, Jᵀr and f, with `normal.chunk` rows of J at a time.
    pub(crate) fn normal(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        normal: &mut Normal,
    ) -> Result<f64, NetworkError> {
        normal.clear();
        let loss = self.rows(parameters, data, normal)?;
        normal.finish();
        Ok(loss)
    }

    /// Gives the rows of J to `to`, in order; the result is f.
    fn rows(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
        to: &mut dyn Rows<T>,
    ) -> Result<f64, NetworkError> {
        self.check(parameters, data)?;
        for (shape, values) in self.data.iter().zip(data) {
            expect("elements of an array of data", shape.len(), values.len())?;
        }
        let inputs = inputs(&self.layout, parameters);
        let mut loss = 0.0;
        for block in &mut self.blocks {
            let most = block.side_by_side(to.chunk()) * block.width * to.parameters();
            self.slopes.resize(self.slopes.len().max(most), T::zero());
            let range = block.data.clone();
            let data = (&self.data[range.clone()], &data[range]);
            loss += block.accumulate(&inputs, data, &self.trained, to, &mut self.slopes)?;
        }
        Ok(loss)
    }

    /// Σ(∂r/∂θ)² over all residuals and trained parameters, the trace of JᵀJ and of the neural tangent kernel JJᵀ.
    ///
    /// # Errors
    /// As [`LeastSquares::loss`].
    pub fn jacobian_squares(
        &mut self,
        parameters: &Parameters<T>,
        data: &[&[T]],
    ) -> Result<f64, NetworkError> {
        let mut squares = Squares {
            p: self.trained(),
            sum: 0.0,
        };
        self.rows(parameters, data, &mut squares)?;
        Ok(squares.sum)
    }

    fn check(&self, parameters: &Parameters<T>, data: &[&[T]]) -> Result<(), NetworkError> {
        expect("parameters", self.layout.len(), parameters.values().len())?;
        expect("arrays of data", self.data.len(), data.len())
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
}

fn inputs<'a, T: Element>(layout: &Layout, parameters: &'a Parameters<T>) -> Vec<&'a [T]> {
    let entries = layout.entries().iter();
    entries.map(|e| &parameters.values()[e.range()]).collect()
}

/// What takes the rows of a Jacobian.
trait Rows<T> {
    /// Rows that are computed together.
    fn chunk(&self) -> usize;
    /// Length of a row.
    fn parameters(&self) -> usize;
    /// The next residual with its row.
    fn push(&mut self, r: f64, row: &[T]);
}

impl<T: Element> Rows<T> for Normal {
    fn chunk(&self) -> usize {
        Normal::chunk(self)
    }

    fn parameters(&self) -> usize {
        Normal::parameters(self)
    }

    fn push(&mut self, r: f64, row: &[T]) {
        Normal::push(self, r, row);
    }
}

/// The sum of the squares.
struct Squares {
    p: usize,
    sum: f64,
}

impl<T: Element> Rows<T> for Squares {
    fn chunk(&self) -> usize {
        64
    }

    fn parameters(&self) -> usize {
        self.p
    }

    fn push(&mut self, _: f64, row: &[T]) {
        self.sum += row.iter().map(|v| v.f64() * v.f64()).sum::<f64>();
    }
}

impl<T: Element> Block<T> {
    /// Points whose rows of J are computed side by side.
    fn side_by_side(&self, chunk: usize) -> usize {
        (chunk / self.width.max(1)).clamp(1, self.points)
    }

    /// Gives the rows of all points to `to`.
    fn accumulate(
        &mut self,
        parameters: &[&[T]],
        (shapes, data): (&[Data], &[&[T]]),
        trained: &[Range<usize>],
        to: &mut dyn Rows<T>,
        slopes: &mut [T],
    ) -> Result<f64, NetworkError> {
        let mut inputs = parameters.to_vec();
        let first = inputs.len();
        inputs.extend_from_slice(data);
        let p = to.parameters();
        let mut loss = 0.0;
        // Points side by side are independent; their rows are added in order, whatever threads made them.
        let many = self.side_by_side(to.chunk());
        let (width, points, point) = (self.width, self.points, &self.point);
        for (b, residuals) in self.residuals.chunks_mut(many * width).enumerate() {
            let slopes = &mut slopes[..residuals.len() * p];
            let rows = slopes.par_chunks_mut(width * p);
            let each = residuals.par_chunks_mut(width).zip(rows);
            each.enumerate().try_for_each(|(k, (r, rows))| {
                let i = b * many + k;
                let mut inputs = inputs.clone();
                for ((input, values), shape) in inputs[first..].iter_mut().zip(data).zip(shapes) {
                    if let Data::Batch(_) = shape {
                        let row = values.len() / points;
                        *input = &values[i * row..(i + 1) * row];
                    }
                }
                let mut outputs: Vec<&mut [T]> = vec![r];
                let mut rest = rows;
                for _ in 0..width {
                    for range in trained {
                        let (part, later) = rest.split_at_mut(range.len());
                        outputs.push(part);
                        rest = later;
                    }
                }
                point.run(&inputs, &mut outputs)
            })?;
            for (r, row) in residuals.iter().zip(slopes.chunks_exact(p)) {
                let r = r.f64();
                loss += 0.5 * r * r;
                to.push(r, row);
            }
        }
        Ok(loss)
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
