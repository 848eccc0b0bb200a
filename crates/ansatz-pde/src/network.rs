//! Which network stands for the unknowns.

use std::fmt;
use std::sync::Arc;

use ansatz_nn::{
    Activation, FourierFeatures, GridSide, Layer, Layout, Mlp, MlpOptions, ModifiedMlp, Parameter,
    Pass, PirateNet, Scope, Separable, Siren, Trained,
};

use crate::autodiff::Array;
use crate::error::within;
use crate::{
    Gaussians, GaussiansOptions, Model, Normalised, Parts, PartsOptions, PdeError, Periodic,
    Problem,
};

/// A network of coordinates from −1 to 1, one output for each unknown.
#[derive(Clone)]
pub enum Network {
    /// Dense layers with these hidden widths.
    Mlp {
        /// Units of the hidden layers.
        hidden: Vec<usize>,
        /// Between the layers.
        activation: Activation,
    },
    /// Layers mixed with two encodings of the input ([`ModifiedMlp`]).
    Modified {
        /// Units of a layer.
        width: usize,
        /// Number of layers.
        layers: usize,
    },
    /// cos and sin of random frequencies before dense layers ([`FourierFeatures`]).
    Fourier {
        /// Number of frequencies.
        count: usize,
        /// Their standard deviation, in turns over half the domain.
        sigma: f64,
        /// Units of the hidden layers.
        hidden: Vec<usize>,
    },
    /// Sines with ω = 30 ([`Siren`]).
    Siren {
        /// Units of the hidden layers.
        hidden: Vec<usize>,
    },
    /// Blocks that are skipped at the start, over cos and sin of random frequencies ([`PirateNet`]); [`Stage::last_layer`] fits
    /// its last layer to the conditions first.
    ///
    /// [`Stage::last_layer`]: crate::Stage::last_layer
    Pirate {
        /// Number of frequencies, half the width of the blocks.
        count: usize,
        /// Their standard deviation, in turns over half the domain.
        sigma: f64,
        /// Number of blocks.
        blocks: usize,
    },
    /// Sums of products of networks of one coordinate ([`Separable`]).
    Separable {
        /// Number of products.
        rank: usize,
        /// Units of the hidden layers along each coordinate.
        hidden: Vec<usize>,
    },
    /// A network whose dense layers are made with these options: weights that are factorised, adaptive activations.
    Layers(Box<Self>, MlpOptions),
    /// Physics-informed Gaussians.
    Gaussians(GaussiansOptions),
    /// Networks under overlapping windows ([`Parts`]); for problems without periods.
    Parts(Box<PartsOptions>),
    /// A network for each unknown: for unknowns that have little in common.
    Each(Box<Self>),
    /// A network of one's own: of so many inputs and outputs.
    Custom(Arc<Make>),
}

/// Makes a network of a number of inputs and of outputs.
pub type Make = dyn Fn(&mut Scope<'_>, usize, usize) -> Result<Model, PdeError> + Send + Sync;

impl Network {
    /// Dense layers with tanh.
    #[must_use]
    pub fn mlp(hidden: &[usize]) -> Self {
        Self::Mlp {
            hidden: hidden.to_vec(),
            activation: Activation::Tanh,
        }
    }

    /// A network of one's own.
    pub fn custom<F>(make: F) -> Self
    where
        F: Fn(&mut Scope<'_>, usize, usize) -> Result<Model, PdeError> + Send + Sync + 'static,
    {
        Self::Custom(Arc::new(make))
    }

    /// The network with dense layers made with these options.
    #[must_use]
    pub fn with_layers(self, options: MlpOptions) -> Self {
        Self::Layers(Box::new(self), options)
    }

    /// The network with its parameters in `scope`.
    ///
    /// # Errors
    /// As [`Gaussians::new`], [`PdeError::Option`] for a hidden layer without units, [`PdeError::Nothing`] for [`Network::Layers`] of a network without dense layers of its own or
    /// with a slope of 0, and what a network of one's own refuses.
    pub fn place(
        &self,
        scope: &mut Scope<'_>,
        inputs: usize,
        outputs: usize,
    ) -> Result<Model, PdeError> {
        let widths = |first: usize, hidden: &[usize]| [&[first], hidden, &[outputs]].concat();
        for width in self.hidden() {
            within("width of a hidden layer", *width as f64, 1.0.., "1 or more")?;
        }
        Ok(match self {
            Self::Siren { hidden } => Arc::new(Siren::new(scope, &widths(inputs, hidden), 30.0)),
            Self::Gaussians(options) => {
                Arc::new(Gaussians::new(scope, (inputs, outputs), options)?)
            }
            Self::Parts(options) => Arc::new(Parts::new(scope, (inputs, outputs), options)?),
            Self::Each(one) => {
                let each = 0..outputs;
                let each = each.map(|i| one.place(&mut scope.scope(i), inputs, 1));
                Arc::new(Beside(each.collect::<Result<_, PdeError>>()?))
            }
            Self::Custom(make) => make(scope, inputs, outputs)?,
            Self::Layers(net, options) => {
                if let Some(n) = options.adaptive {
                    let size = n.abs();
                    within("adaptive slope n", size, f64::MIN_POSITIVE.., "not 0")?;
                }
                net.dense(scope, (inputs, outputs), options)?
            }
            Self::Mlp { activation, .. } => {
                let options = MlpOptions {
                    activation: *activation,
                    ..MlpOptions::default()
                };
                self.dense(scope, (inputs, outputs), &options)?
            }
            _ => self.dense(scope, (inputs, outputs), &MlpOptions::default())?,
        })
    }

    /// Widths of the hidden layers, where they are listed.
    fn hidden(&self) -> &[usize] {
        match self {
            Self::Mlp { hidden, .. }
            | Self::Siren { hidden }
            | Self::Fourier { hidden, .. }
            | Self::Separable { hidden, .. } => hidden,
            Self::Layers(net, _) => net.hidden(),
            _ => &[],
        }
    }

    /// The networks that are made of dense layers.
    fn dense(
        &self,
        scope: &mut Scope<'_>,
        (inputs, outputs): (usize, usize),
        options: &MlpOptions,
    ) -> Result<Model, PdeError> {
        let widths = |first: usize, hidden: &[usize]| [&[first], hidden, &[outputs]].concat();
        let features = |scope: &mut Scope<'_>, count, sigma| {
            let how = (sigma, Trained::Fixed);
            FourierFeatures::new(&mut scope.scope("features"), inputs, count, how)
        };
        Ok(match self {
            Self::Mlp { hidden, .. } => Arc::new(Mlp::new(scope, &widths(inputs, hidden), options)),
            Self::Modified { width, layers } => {
                let sizes = ((inputs, outputs), (*width, *layers));
                Arc::new(ModifiedMlp::new(scope, sizes.0, sizes.1, options))
            }
            Self::Fourier {
                count,
                sigma,
                hidden,
            } => {
                let features = features(scope, *count, *sigma);
                let net = Mlp::new(scope, &widths(2 * count, hidden), options);
                Arc::new(Chain(features, net))
            }
            Self::Pirate {
                count,
                sigma,
                blocks,
            } => {
                let features = features(scope, *count, *sigma);
                let net = PirateNet::new(scope, (2 * count, outputs), *blocks, options);
                Arc::new(Chain(features, net))
            }
            Self::Separable { rank, hidden } => {
                within("rank", *rank as f64, 1.0.., "1 or more")?;
                let sizes = (inputs, outputs);
                Arc::new(Separable::new(scope, sizes, *rank, hidden, options))
            }
            Self::Each(one) => {
                let each = 0..outputs;
                let each = each.map(|i| one.dense(&mut scope.scope(i), (inputs, 1), options));
                Arc::new(Beside(each.collect::<Result<_, PdeError>>()?))
            }
            _ => {
                return Err(PdeError::Nothing {
                    what: "dense layer with options",
                    remedy: "`Layers` takes Mlp, Modified, Fourier, Pirate, Separable, or Each of them",
                });
            }
        })
    }

    /// The unknowns of a problem: the network of normalised coordinates, periodic where the problem is, in the problem's
    /// form, with its parameters and those of the problem's coefficients.
    ///
    /// # Errors
    /// As [`Network::place`].
    pub fn assemble(&self, problem: &Problem) -> Result<Assembly, PdeError> {
        let mut layout = Layout::new();
        let net = self.within(problem, &mut layout.root().scope("net"))?;
        let coefficients = problem.place_coefficients(&mut layout.root().scope("coefficients"));
        Ok(Assembly {
            layout,
            model: problem.formed(net),
            coefficients,
        })
    }

    /// The network of normalised coordinates, periodic where the problem is.
    pub(crate) fn within(
        &self,
        problem: &Problem,
        scope: &mut Scope<'_>,
    ) -> Result<Model, PdeError> {
        self.within_ends(problem, &problem_ends(problem), scope)
    }

    /// The same for a part of the domain between two ends of one coordinate.
    pub(crate) fn within_part(
        &self,
        problem: &Problem,
        (axis, part): (usize, [f64; 2]),
        scope: &mut Scope<'_>,
    ) -> Result<Model, PdeError> {
        let mut ends = problem_ends(problem);
        ends[axis] = part;
        self.within_ends(problem, &ends, scope)
    }

    fn within_ends(
        &self,
        problem: &Problem,
        ends: &[[f64; 2]],
        scope: &mut Scope<'_>,
    ) -> Result<Model, PdeError> {
        let unknowns = problem.unknowns().len();
        // A period is two of the normalised coordinate.
        let periods: Vec<Option<f64>> = problem.periods().iter().map(|p| p.map(|_| 2.0)).collect();
        let inputs = Periodic::<Model>::features(&periods);
        if let (Self::Parts(_), true) = (self, inputs > periods.len()) {
            return Err(PdeError::Nothing {
                what: "period with windows",
                remedy: "windows need coordinates: give conditions in place of `periodic`",
            });
        }
        let net = self.place(scope, inputs, unknowns)?;
        Ok(if inputs == periods.len() {
            Arc::new(Normalised::new(ends, net)?)
        } else {
            Arc::new(Normalised::new(ends, Periodic::new(&periods, net)?)?)
        })
    }
}

fn problem_ends(problem: &Problem) -> Vec<[f64; 2]> {
    let bounds = problem.domain().bounds();
    let ends = bounds.low.iter().zip(&bounds.high);
    ends.map(|(a, b)| [*a, *b]).collect()
}

/// Unknowns with their parameters.
#[derive(Clone)]
pub struct Assembly {
    /// Names and shapes of all parameters.
    pub layout: Layout,
    /// The unknowns: points `[n, d]` to values `[n, unknowns]`.
    pub model: Model,
    /// Parameters of the coefficients to be found.
    pub coefficients: Vec<Parameter>,
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assembly({} parameters)", self.layout.len())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mlp { hidden, activation } => write!(f, "Mlp({hidden:?}, {activation:?})"),
            Self::Modified { width, layers } => write!(f, "Modified({layers} of {width})"),
            Self::Fourier { count, sigma, .. } => write!(f, "Fourier({count}, sigma {sigma})"),
            Self::Siren { hidden } => write!(f, "Siren({hidden:?})"),
            Self::Pirate { count, blocks, .. } => write!(f, "Pirate({blocks} of {})", 2 * count),
            Self::Separable { rank, hidden } => write!(f, "Separable({rank} of {hidden:?})"),
            Self::Layers(net, options) => write!(f, "{net:?} of {options:?}"),
            Self::Gaussians(options) => write!(f, "{options:?}"),
            Self::Parts(options) => write!(f, "{options:?}"),
            Self::Each(one) => write!(f, "Each({one:?})"),
            Self::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

/// One layer after the other.
struct Chain<A, B>(A, B);

impl<A: Layer, B: Layer> Layer for Chain<A, B> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.1.apply(pass, self.0.apply(pass, x))
    }
}

/// Networks of the same inputs, their outputs side by side.
struct Beside(Vec<Model>);

impl Layer for Beside {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let outputs: Vec<Array<'g>> = self.0.iter().map(|net| net.apply(pass, x)).collect();
        Array::concatenate(&outputs, 1)
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        let outputs = self.0.iter().map(|net| net.on_grid(pass, sides));
        let outputs: Vec<Array<'g>> = outputs.collect();
        Array::concatenate(&outputs, sides.len())
    }
}
