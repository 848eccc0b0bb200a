//! What stands around a network so that it becomes the unknowns of an equation.
//!
//! The unknowns are a [`Layer`]: points `[n, d]` in, values `[n, m]` out. A network is one; those here change its inputs
//! (to ±1, to periods) or its outputs (so that conditions hold exactly), and are layers themselves.

use std::f64::consts::TAU;
use std::sync::Arc;

use ansatz_autodiff::{Array, Element, Graph, Options, Program};
use ansatz_nn::{GridSide, Layer, Layout, Mode, Parameters, Pass};

use crate::error::{expect, finite, within};
use crate::{DomainError, PdeError};

/// Unknowns that may be shared between terms and threads.
pub type Model = Arc<dyn Layer + Send + Sync>;

/// A network of inputs that are moved from a box to [−1, 1] in each coordinate.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised<L> {
    /// Midpoints and half widths.
    box_: Vec<[f64; 2]>,
    net: L,
}

impl<L> Normalised<L> {
    /// A network of d coordinates with these bounds.
    ///
    /// # Errors
    /// [`PdeError::Option`] for bounds that are no interval.
    pub fn new(bounds: &[[f64; 2]], net: L) -> Result<Self, PdeError> {
        let half = |[a, b]: &[f64; 2]| {
            let positive = f64::MIN_POSITIVE..;
            within("width of the box", b - a, positive, "a number above 0")?;
            Ok([0.5 * (a + b), 0.5 * (b - a)])
        };
        let box_ = bounds.iter().map(half).collect::<Result<_, PdeError>>()?;
        Ok(Self { box_, net })
    }
}

/// An array of one row for all points.
fn row(x: Array<'_>, values: Vec<f64>) -> Array<'_> {
    x.graph().constant(&[values.len()], values)
}

impl<L> Normalised<L> {
    /// Columns from `first` on, moved.
    fn moved<'g>(&self, first: usize, x: Array<'g>) -> Array<'g> {
        let own = &self.box_[first..first + x.shape()[1]];
        let scale: Vec<f64> = own.iter().map(|[_, h]| h.recip()).collect();
        let shift: Vec<f64> = own.iter().map(|[c, h]| -c / h).collect();
        x * row(x, scale) + row(x, shift)
    }
}

impl<L: Layer> Layer for Normalised<L> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.net.apply(pass, self.moved(0, x))
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        let moved = |side: &GridSide<'g>| GridSide {
            values: self.moved(side.column, side.values),
            ..*side
        };
        let sides: Vec<GridSide<'g>> = sides.iter().map(moved).collect();
        self.net.on_grid(pass, &sides)
    }
}

/// A network of cos ωx and sin ωx in place of some coordinates x, with ω = 2π/period: its values and all derivatives are
/// periodic. The features of a coordinate stand where it stood.
///
/// Reference: S. Dong, N. Ni, *A method for representing periodic functions and enforcing exactly periodic boundary
/// conditions with deep neural networks*, 2021.
#[derive(Debug, Clone, PartialEq)]
pub struct Periodic<L> {
    /// The period of each coordinate, if it has one.
    periods: Vec<Option<f64>>,
    net: L,
}

impl<L> Periodic<L> {
    /// A network of [`Periodic::features`] inputs.
    ///
    /// # Errors
    /// [`PdeError::Option`] for a period that is not above 0.
    pub fn new(periods: &[Option<f64>], net: L) -> Result<Self, PdeError> {
        for period in periods.iter().flatten() {
            within("period", *period, f64::MIN_POSITIVE.., "a number above 0")?;
        }
        Ok(Self {
            periods: periods.to_vec(),
            net,
        })
    }

    /// Number of inputs of the network for these periods.
    #[must_use]
    pub fn features(periods: &[Option<f64>]) -> usize {
        periods.len() + periods.iter().flatten().count()
    }
}

impl<L> Periodic<L> {
    /// What stands in place of columns from `first` on.
    fn embedded<'g>(&self, first: usize, x: Array<'g>) -> Array<'g> {
        let mut columns = Vec::new();
        let own = &self.periods[first..first + x.shape()[1]];
        for (i, period) in own.iter().enumerate() {
            let column = x.narrow(1, i, i + 1);
            match period {
                None => columns.push(column),
                Some(period) => {
                    let phase = column * (TAU / period);
                    columns.extend([phase.cos(), phase.sin()]);
                }
            }
        }
        Array::concatenate(&columns, 1)
    }
}

impl<L: Layer> Layer for Periodic<L> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.net.apply(pass, self.embedded(0, x))
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        let embedded = |side: &GridSide<'g>| GridSide {
            column: Self::features(&self.periods[..side.column]),
            values: self.embedded(side.column, side.values),
        };
        let sides: Vec<GridSide<'g>> = sides.iter().map(embedded).collect();
        self.net.on_grid(pass, &sides)
    }
}

/// A function of points and the network's values there.
type Shape = Arc<dyn for<'g> Fn(Array<'g>, Array<'g>) -> Array<'g> + Send + Sync>;

/// A network whose values are put into a form that meets conditions exactly: u = g(x) + ℓ(x)·net(x), with ℓ = 0 where
/// u = g is asked for and ∇ℓ ≠ 0 there.
///
/// At corners where g does not fit together, and for distances with corners, Δ(ℓ·net) is unbounded: keep points away.
///
/// Reference: N. Sukumar, A. Srivastava, *Exact imposition of boundary conditions with distance functions in
/// physics-informed deep neural networks*, 2022.
#[derive(Clone)]
pub struct Shaped<L> {
    net: L,
    shape: Shape,
}

impl<L: std::fmt::Debug> std::fmt::Debug for Shaped<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shaped")
            .field("net", &self.net)
            .finish_non_exhaustive()
    }
}

impl<L> Shaped<L> {
    /// `shape` is given points `[n, d]` and the network's values `[n, m]`.
    pub fn new<F>(net: L, shape: F) -> Self
    where
        F: for<'g> Fn(Array<'g>, Array<'g>) -> Array<'g> + Send + Sync + 'static,
    {
        Self {
            net,
            shape: Arc::new(shape),
        }
    }
}

impl<L: Layer> Layer for Shaped<L> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        (self.shape)(x, self.net.apply(pass, x))
    }
}

/// What `function` makes of `points`, rows of `columns` numbers, with these parameters: rows, one after the other.
///
/// ```
/// use ansatz_pde::core::Key;
/// use ansatz_pde::nn::{Layer, Layout, Mlp, MlpOptions, Parameters};
/// use ansatz_pde::{partials, sample};
/// let mut layout = Layout::new();
/// let net = Mlp::new(&mut layout.root(), &[2, 8, 1], &MlpOptions::default());
/// let parameters = Parameters::<f64>::new(&layout, Key::new(0));
/// let slopes = sample(&parameters, 2, &[0.1, 0.2, 0.3, 0.4], |pass, x| {
///     Ok(partials(net.apply(pass, x), x, &[vec![1, 0]])?[0])
/// })?;
/// assert_eq!(slopes.len(), 2);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Domain`] for an incomplete row, [`PdeError::NotFinite`] for a coordinate or a value that is not finite, what
/// `function` refuses.
pub fn sample<T, F>(
    parameters: &Parameters<T>,
    columns: usize,
    points: &[f64],
    function: F,
) -> Result<Vec<f64>, PdeError>
where
    T: Element,
    F: for<'g> FnOnce(&Pass<'g>, Array<'g>) -> Result<Array<'g>, PdeError>,
{
    let n = points.len() / columns.max(1);
    if n * columns != points.len() {
        return Err(PdeError::Domain(DomainError::Rows {
            numbers: points.len(),
            dims: columns,
        }));
    }
    finite(|| "points".into(), points)?;
    if n == 0 {
        return Ok(Vec::new());
    }
    let layout: &Layout = parameters.layout();
    let graph = Graph::new();
    let pass = Pass::new(&graph, layout, (Mode::Evaluate, Some(n)));
    let x = graph.batch(&[n, columns]);
    let y = function(&pass, x)?;
    let mut out = vec![T::zero(); y.shape().len()];
    let program = Program::<T>::compile(&graph.finish(&[y]), &Options::default())?;
    let rows: Vec<T> = points.iter().map(|v| T::of(*v)).collect();
    let entries = layout.entries().iter();
    let mut inputs: Vec<&[T]> = entries.map(|e| &parameters.values()[e.range()]).collect();
    inputs.push(&rows);
    program.run(&inputs, &mut [&mut out])?;
    let out: Vec<f64> = out.iter().map(|v| v.f64()).collect();
    if let Some(index) = out.iter().position(|v| !v.is_finite()) {
        let width = (out.len() / n).max(1);
        let (row, value) = (index / width, out[index]);
        let point = points.get(row * columns..(row + 1) * columns);
        return Err(PdeError::NotFinite {
            what: format!("value at the point {:?}", point.unwrap_or_default()),
            index: index % width,
            value,
        });
    }
    Ok(out)
}

/// ‖u − v‖₂/‖v‖₂.
///
/// # Errors
/// [`PdeError::Width`] for different lengths, [`PdeError::NotFinite`], [`PdeError::NoData`] for no values,
/// [`PdeError::Option`] when v is zero.
pub fn relative_error(u: &[f64], v: &[f64]) -> Result<f64, PdeError> {
    expect("values beside the exact ones", v.len(), u.len())?;
    if v.is_empty() {
        let what = "a relative error";
        return Err(PdeError::NoData { what });
    }
    finite(|| "values".into(), u)?;
    finite(|| "exact values".into(), v)?;
    let size: f64 = v.iter().map(|v| v * v).sum();
    within(
        "square of the exact values",
        size,
        f64::MIN_POSITIVE..,
        "above 0",
    )?;
    let off: f64 = u.iter().zip(v).map(|(u, v)| (u - v) * (u - v)).sum();
    Ok((off / size).sqrt())
}
