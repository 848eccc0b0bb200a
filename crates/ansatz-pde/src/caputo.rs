//! Fractional derivatives in time of a network's values.
//!
//! Caputo's derivative of order α, 0 < α < 1, is ∫₀ᵗ u'(s)·(t − s)^(−α) ds/Γ(1 − α): it needs the whole past. The values at
//! nodes 0 = t₀ < t₁ < … < tₙ are joined by lines (the L1 formula),
//!
//! D^α u(t_m) ≈ Σⱼ ((t_m − tⱼ)^(1−α) − (t_m − tⱼ₊₁)^(1−α)) / (Γ(2−α)·(tⱼ₊₁ − tⱼ)) · (u(tⱼ₊₁) − u(tⱼ)),
//!
//! with an error O(h^(2−α)) for smooth u. Solutions that begin like t^α have it only on nodes that crowd at 0, t_m =
//! T(m/n)^r with r = (2 − α)/α ([`Caputo::graded`]); on even ones they have order 1. For 1 < α < 2 the formula of order
//! α − 1 is applied to ∂u/∂t.
//!
//! A point of space stands for all nodes: its row is evaluated n + 1 times and gives n residuals, in memory for as many.
//! The order may be a parameter: weights and Γ are parts of the graph.
//!
//! Cost: n + 1 evaluations of the network and n² multiplications for a point of space.
//!
//! Reference: K. Oldham, J. Spanier, *The fractional calculus*, 1974; Z. Sun, X. Wu, *A fully discrete difference scheme
//! for a diffusion-wave system*, 2006; M. Stynes, E. O'Riordan, J. Gracia, *Error analysis of a finite difference method
//! on graded meshes for a time-fractional diffusion equation*, 2017; G. Pang, L. Lu, G. Karniadakis, *fPINNs: fractional
//! physics-informed neural networks*, 2019.

use ansatz_autodiff::Array;

use crate::PdeError;
use crate::error::within;

/// Nodes in time, for Caputo's derivative at all but the first.
///
/// ```
/// use ansatz_pde::Caputo;
/// use ansatz_pde::autodiff::{Graph, Options, Program};
/// // Of t, exactly: 2·√(t/π) for the order ½.
/// let caputo = Caputo::uniform(1.0, 4)?;
/// let g = Graph::new();
/// let u = g.constant(&[1, 5], caputo.times().to_vec());
/// let d = caputo.derivative(u, g.constant(&[1], vec![Caputo::fraction(0.5)?]));
/// let program = Program::<f64>::compile(&g.finish(&[d]), &Options::default())?;
/// let mut out = [0.0; 4];
/// program.run(&[], &mut [&mut out])?;
/// assert!((out[3] - 2.0 / std::f64::consts::PI.sqrt()).abs() < 1e-14);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Caputo {
    times: Vec<f64>,
}

/// 1/Γ(1 + z) = Σ cₖzᵏ, to 1e-17 for 0 ≤ z ≤ 1. M. Abramowitz, I. Stegun, *Handbook of mathematical functions*, 1964,
/// equation 6.1.34.
#[expect(
    clippy::excessive_precision,
    reason = "the table stands as it is printed"
)]
const RECIPROCAL_GAMMA: [f64; 28] = [
    1.0,
    0.57721566490153286061,
    -0.65587807152025388108,
    -0.042002635034095235529,
    0.1665386113822914895,
    -0.042197734555544336748,
    -0.0096219715278769735621,
    0.0072189432466630995424,
    -0.0011651675918590651121,
    -0.00021524167411495097282,
    0.00012805028238811618615,
    -0.000020134854780788238656,
    -1.2504934821426706573e-6,
    1.1330272319816958824e-6,
    -2.0563384169776071035e-7,
    6.1160951044814158179e-9,
    5.0020076444692229301e-9,
    -1.1812745704870201446e-9,
    1.0434267116911005105e-10,
    7.782263439905071254e-12,
    -3.6968056186422057082e-12,
    5.100370287454475979e-13,
    -2.0583260535665067832e-14,
    -5.3481225394230179824e-15,
    1.2267786282382607902e-15,
    -1.1812593016974587695e-16,
    1.1866922547516003326e-18,
    1.4123806553180317816e-18,
];

impl Caputo {
    /// n even steps from 0 to `end`.
    ///
    /// # Errors
    /// [`PdeError::Option`] without steps, or for an end that is not above 0.
    pub fn uniform(end: f64, n: usize) -> Result<Self, PdeError> {
        Self::graded(end, n, 1.0)
    }

    /// Nodes end·(m/n)^r: r = (2 − α)/α gives back the order 2 − α to solutions that begin like t^α.
    ///
    /// # Errors
    /// [`PdeError::Option`] without steps, for an end that is not above 0, or r below 1.
    pub fn graded(end: f64, n: usize, r: f64) -> Result<Self, PdeError> {
        within("end", end, f64::MIN_POSITIVE.., "a number above 0")?;
        within("steps", n as f64, 1.0.., "1 or more")?;
        within("r", r, 1.0.., "a number from 1 on")?;
        let node = |m: usize| end * libm::pow(m as f64 / n as f64, r);
        Ok(Self {
            times: (0..=n).map(node).collect(),
        })
    }

    /// The nodes, from 0 on.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The order to give to [`Caputo::derivative`]: α itself below 1, α − 1 above, for which the values are those of
    /// ∂u/∂t.
    ///
    /// # Errors
    /// [`PdeError::UseIntegerDerivative`] for α of 0, 1 or 2, [`PdeError::Option`] for others that do not lie between.
    pub fn fraction(alpha: f64) -> Result<f64, PdeError> {
        within(
            "order of a fractional derivative",
            alpha,
            0.0..=2.0,
            "between 0 and 2",
        )?;
        if alpha.fract() == 0.0 {
            return Err(PdeError::UseIntegerDerivative { order: alpha });
        }
        Ok(alpha.fract())
    }

    /// Points of space `[p, d]` at all nodes: `[p, n + 1, d + 1]`, time last. Layers take it as it is.
    #[must_use]
    pub fn grid<'g>(&self, x: Array<'g>) -> Array<'g> {
        let (p, d) = (x.shape()[0], x.shape()[1]);
        let nodes = self.times.len();
        let space = x.reshape(&[p, 1, d]).broadcast(&[p, nodes, d]);
        let times = x.graph().constant(&[1, nodes, 1], self.times.clone());
        // A batched zero makes the times an array of the batch.
        let times = space.narrow(2, 0, 1) * 0.0 + times;
        Array::concatenate(&[space, times], 2).variable()
    }

    /// The derivative `[p, n]` at the nodes after the first, of values `[p, n + 1]`, or `[p, n + 1, 1]`, at all of them. α
    /// between 0 and 1 is an array of one element: a constant, or a function of a parameter such as a sigmoid.
    ///
    /// # Panics
    /// When the values are not at all nodes.
    #[must_use]
    pub fn derivative<'g>(&self, u: Array<'g>, alpha: Array<'g>) -> Array<'g> {
        let (p, n) = (u.shape()[0], self.times.len() - 1);
        let u = u.reshape(&[p, n + 1]);
        let steps = u.narrow(1, 1, n + 1) - u.narrow(1, 0, n);
        steps.matmul(self.weights(alpha))
    }

    /// What the step from node j to j + 1 adds to the derivative at node m + 1: `[n, n]`, upper triangular.
    #[must_use]
    pub fn weights<'g>(&self, alpha: Array<'g>) -> Array<'g> {
        let (g, n) = (alpha.graph(), self.times.len() - 1);
        let z = -alpha.reshape(&[1, 1]) + 1.0;
        // (t_m − t_k)^z as an exponential, and 0 where there is no time between.
        let powers = |from: usize| {
            let span = |i: usize| self.times[i % n + 1] - self.times[i / n + from];
            let after = |i: usize| i % n + 1 > i / n + from;
            let logs = (0..n * n).map(|i| if after(i) { libm::log(span(i)) } else { 0.0 });
            let mask = (0..n * n).map(|i| f64::from(after(i)));
            let logs = g.constant(&[n, n], logs.collect());
            (logs * z).exp() * g.constant(&[n, n], mask.collect())
        };
        let widths = self.times.windows(2).map(|t| (t[1] - t[0]).recip());
        let widths = g.constant(&[n, 1], widths.collect());
        let mut gamma = g.constant(&[1, 1], vec![RECIPROCAL_GAMMA[27]]);
        for c in RECIPROCAL_GAMMA[..27].iter().rev() {
            gamma = gamma * z + *c;
        }
        (powers(0) - powers(1)) * widths * gamma
    }
}
