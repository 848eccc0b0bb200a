//! Monte Carlo dropout with one mask for a whole function.

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_nn::{
    Activation, Data, Dense, Init, Layer, Layout, Loss, MlpOptions, NetworkError, Parameter,
    Parameters, Pass, Scope,
};

use crate::PdeError;
use crate::error::{expect, within};

/// A network whose hidden units are left out with probability p, in training and in prediction; the others are divided by
/// 1 − p.
///
/// The masks are entries of the layout that are not trained, `mask` after each hidden layer, all ones at the start. So a
/// draw of masks is a network like others: the same at all points, in all derivatives and in all terms of a loss, where
/// masks drawn anew for each use would put noise on second derivatives. [`DropoutMlp::draw`] changes them,
/// [`Dropped`] does so for each gradient.
///
/// ```
/// use ansatz_pde::core::Key;
/// use ansatz_pde::nn::{Layer, Layout, MlpOptions, Parameters};
/// use ansatz_pde::uncertainty::{DropoutMlp, Prediction};
/// use ansatz_pde::{sample};
/// let mut layout = Layout::new();
/// let net = DropoutMlp::new(&mut layout.root(), &[1, 32, 1], 0.1, &MlpOptions::default())?;
/// let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
/// // 20 functions.
/// let fields = net.passes(&parameters, 20, Key::new(1), |p| sample(p, 1, &[0.5], |pass, x| Ok(net.apply(pass, x))))?;
/// assert!(Prediction::of_fields(&fields, 0.01)?.std[0] > 0.01);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DropoutMlp {
    layers: Vec<Dense>,
    masks: Vec<Parameter>,
    activation: Activation,
    rate: f64,
}

impl DropoutMlp {
    /// A network with these numbers of units and the rate p.
    ///
    /// # Errors
    /// [`PdeError::Option`] for p outside of [0, 1).
    pub fn new(
        scope: &mut Scope<'_>,
        widths: &[usize],
        rate: f64,
        options: &MlpOptions,
    ) -> Result<Self, PdeError> {
        within("rate", rate, 0.0..1.0, "0 <= rate < 1")?;
        let (mut layers, mut masks) = (Vec::new(), Vec::new());
        for (i, pair) in widths.windows(2).enumerate() {
            let mut scope = scope.scope(i);
            let init = (options.weight.clone(), options.bias.clone());
            layers.push(Dense::with_init(&mut scope, pair[0], pair[1], init));
            if i + 2 < widths.len() {
                masks.push(scope.buffer("mask", &[pair[1]], Init::Constant(1.0)));
            }
        }
        Ok(Self {
            layers,
            masks,
            activation: options.activation,
            rate,
        })
    }

    /// Puts masks drawn for `key` into parameters.
    ///
    /// # Panics
    /// For parameters of another layout.
    pub fn draw(&self, key: Key, parameters: &mut Parameters<f64>) {
        let keep = (1.0 - self.rate).recip();
        for (stream, mask) in (0..).zip(&self.masks) {
            let range = parameters.layout().entry(*mask).range();
            for (i, value) in (0..).zip(&mut parameters.values_mut()[range]) {
                let [u, _] = key.uniform(stream, i);
                *value = if u < self.rate { 0.0 } else { keep };
            }
        }
    }

    /// What `field` gives for `passes` draws of masks.
    ///
    /// # Errors
    /// Those of `field`; [`PdeError::Width`] for less than two passes.
    pub fn passes<F>(
        &self,
        parameters: &Parameters<f64>,
        passes: usize,
        key: Key,
        mut field: F,
    ) -> Result<Vec<Vec<f64>>, PdeError>
    where
        F: FnMut(&Parameters<f64>) -> Result<Vec<f64>, PdeError>,
    {
        expect("passes, at least", 2, passes.min(2))?;
        let mut drawn = parameters.clone();
        let one = |t: usize| {
            self.draw(key.fold_in(t as u64), &mut drawn);
            field(&drawn)
        };
        (0..passes).map(one).collect()
    }
}

impl Layer for DropoutMlp {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let mut x = x;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.apply(pass, x);
            if let Some(mask) = self.masks.get(i) {
                x = self.activation.at(x) * pass[*mask];
            }
        }
        x
    }
}

/// A loss whose gradients are taken with masks drawn anew for each, the same in all of its parts.
#[derive(Debug)]
pub struct Dropped<'a, L> {
    loss: &'a mut L,
    net: &'a DropoutMlp,
    drawn: Parameters<f64>,
}

impl<'a, L> Dropped<'a, L> {
    /// `loss` with the masks of `net`, for parameters of this layout.
    #[must_use]
    pub fn new(loss: &'a mut L, net: &'a DropoutMlp, layout: &Layout) -> Self {
        Self {
            loss,
            net,
            drawn: Parameters::new(layout, Key::new(0)),
        }
    }
}

impl<L: Loss<f64>> Loss<f64> for Dropped<'_, L> {
    fn data(&self) -> &[Data] {
        self.loss.data()
    }

    fn gradient(
        &mut self,
        parameters: &Parameters<f64>,
        data: &[&[f64]],
        key: Key,
        out: &mut [f64],
    ) -> Result<f64, NetworkError> {
        self.drawn.values_mut().copy_from_slice(parameters.values());
        self.net.draw(key, &mut self.drawn);
        self.loss.gradient(&self.drawn, data, key, out)
    }

    fn stray(&self) -> Option<f64> {
        self.loss.stray()
    }

    fn update(&self, parameters: &mut Parameters<f64>) {
        self.loss.update(parameters);
    }
}

/// The decay of weights λ = (1 − p)·ℓ²/(2Nτ) whose minimum of mean square error + λ‖W‖² is the posterior of a prior of length
/// scale ℓ and noise of precision τ = 1/σ², for N data.
///
/// Reference: Y. Gal, Z. Ghahramani, *Dropout as a Bayesian approximation*, 2016, eq. 7 solved for λ.
///
/// # Errors
/// [`PdeError::Option`] for p outside of [0, 1), ℓ or τ not above 0, no data.
pub fn weight_decay(
    rate: f64,
    length: f64,
    (data, precision): (usize, f64),
) -> Result<f64, PdeError> {
    let positive = f64::MIN_POSITIVE..;
    within("rate", rate, 0.0..1.0, "0 <= rate < 1")?;
    within("length", length, positive.clone(), "a number above 0")?;
    within("precision", precision, positive, "a number above 0")?;
    within("data", data as f64, 1.0.., "1 or more")?;
    Ok((1.0 - rate) * length * length / (2.0 * data as f64 * precision))
}
