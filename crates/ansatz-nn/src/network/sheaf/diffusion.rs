//! One layer of diffusion on a sheaf that it learns, and its continuous form.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use super::learner::SheafLearner;
use super::{EdgeWeights, Fixed, Learner, MapFamily, Normalisation, SheafGraph, SheafLaplacian};
use crate::{Activation, Init, Layer, NetworkError, Parameter, Pass, Scope};

/// When the maps are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refresh {
    /// From the features at each layer.
    #[default]
    EachLayer,
    /// Once, from the features at the first one: the diffusion is linear but for the activation.
    Once,
}

/// What a sheaf and its diffusion are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SheafOptions {
    /// Kind of maps.
    pub family: MapFamily,
    /// Coordinates of a stalk with maps that are learnt.
    pub learnt: usize,
    /// Coordinates with maps that are not.
    pub fixed: Vec<Fixed>,
    /// Features of each coordinate.
    pub channels: usize,
    /// What the maps are made from.
    pub learner: Learner,
    /// Of the numbers that maps are made from.
    pub map_activation: Activation,
    /// Weights of edges.
    pub weights: EdgeWeights,
    /// What the Laplacian is divided by.
    pub normalisation: Normalisation,
    /// Of the diffusion.
    pub activation: Activation,
    /// Layers of a network.
    pub layers: usize,
    /// When a network's maps are made.
    pub refresh: Refresh,
    /// Probability that a network's input, and that features between its layers, are dropped in training.
    pub dropout: (f64, f64),
}

impl Default for SheafOptions {
    /// Two layers on diagonal maps of stalks of 2 with 16 channels, normalised by D + 1; tanh for maps, ELU for
    /// features; nothing dropped.
    fn default() -> Self {
        Self {
            family: MapFamily::Diagonal,
            learnt: 2,
            fixed: Vec::new(),
            channels: 16,
            learner: Learner::Full,
            map_activation: Activation::Tanh,
            weights: EdgeWeights::One,
            normalisation: Normalisation::Augmented,
            activation: Activation::Elu,
            layers: 2,
            refresh: Refresh::EachLayer,
            dropout: (0.0, 0.0),
        }
    }
}

/// X ← (1 + tanh ε)·X − σ(Δ(1 ⊗ W₁)·X·W₂) on features `[nodes, d, channels]`: parameters `left` W₁ `[d, d]`, at first the identity,
/// `right` W₂ᵀ `[channels, channels]`, at first orthogonal, `epsilon` `[d]`, at first 0, and `maps` and
/// `weights` of the sheaf.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::sheaf::{SheafDiffusion, SheafGraph, SheafOptions};
/// use ansatz_nn::{Layer, Layout, Mode, Pass};
/// let mut layout = Layout::new();
/// let ring = SheafGraph::new(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])?;
/// let options = SheafOptions { learnt: 3, channels: 8, ..SheafOptions::default() };
/// let layer = SheafDiffusion::new(&mut layout.root(), &ring, &options)?;
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let y = layer.apply(&pass, graph.input(&[5, 3, 8]));
/// assert_eq!(&y.shape()[..], [5, 3, 8]);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SheafDiffusion {
    graph: SheafGraph,
    options: SheafOptions,
    learner: Option<SheafLearner>,
    left: Parameter,
    right: Parameter,
    epsilon: Parameter,
}

impl SheafDiffusion {
    /// A layer on a graph. Of the options those of whole networks are not read.
    ///
    /// # Errors
    /// As [`MapFamily::check`]; [`NetworkError::Option`] without channels; [`NetworkError::Size`] for a graph without edges.
    pub fn new(
        scope: &mut Scope<'_>,
        graph: &SheafGraph,
        options: &SheafOptions,
    ) -> Result<Self, NetworkError> {
        options.check(graph)?;
        Ok(Self::checked(scope, graph, options, true))
    }

    /// A layer of options that are right; `learns`: whether it has maps of its own.
    pub(super) fn checked(
        scope: &mut Scope<'_>,
        graph: &SheafGraph,
        options: &SheafOptions,
        learns: bool,
    ) -> Self {
        let (d, f) = (options.stalk(), options.channels);
        Self {
            graph: graph.clone(),
            options: options.clone(),
            learner: learns.then(|| SheafLearner::new(scope, options)),
            left: scope.parameter("left", &[d, d], Init::Identity),
            right: scope.parameter("right", &[f, f], Init::Orthogonal),
            epsilon: scope.parameter("epsilon", &[d], Init::Constant(0.0)),
        }
    }

    /// The Laplacian of the sheaf that the layer learns from features `[nodes, d, channels]`; `None` for layers of a network
    /// whose maps are made once, after the first.
    ///
    /// # Panics
    /// When the shape does not fit.
    pub fn laplacian<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Option<SheafLaplacian<'g>> {
        let learner = self.learner.as_ref()?;
        let (maps, weights) = learner.sheaf(pass, (&self.graph, &self.options), x);
        let normalisation = self.options.normalisation;
        Some(SheafLaplacian::new(
            &self.graph,
            maps,
            weights,
            normalisation,
        ))
    }

    /// −σ(Δ(1 ⊗ W₁)·X·W₂) with a Laplacian that is there: the right side of the continuous diffusion on a sheaf that stays.
    ///
    /// # Panics
    /// When the shape does not fit.
    pub fn flow<'g>(
        &self,
        pass: &Pass<'g>,
        laplacian: &SheafLaplacian<'g>,
        x: Array<'g>,
    ) -> Array<'g> {
        let (n, d, f) = (
            self.graph.nodes(),
            self.options.stalk(),
            self.options.channels,
        );
        let mixed = x
            .reshape(&[n * d, f])
            .matmul_by(pass[self.right], Side::Plain, Side::Transposed)
            .reshape(&[n, d, f])
            .contract(pass[self.left], "ndf,ed->nef");
        -self.options.activation.at(laplacian.apply(mixed))
    }

    /// −σ(Δ(X)(1 ⊗ W₁)·X·W₂) with the sheaf of X itself: the right side of dX/dt for any solver, by
    /// [`Parameters::field`](crate::Parameters::field).
    ///
    /// # Errors
    /// [`NetworkError::Size`] for a layer that learns no maps, as those of a network whose maps are made once: take
    /// [`SheafDiffusion::flow`].
    ///
    /// # Panics
    /// When the shape does not fit.
    pub fn velocity<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Result<Array<'g>, NetworkError> {
        let laplacian = self.laplacian(pass, x).ok_or(NetworkError::Size {
            what: "sheaves that the layer learns (give it a Laplacian by `flow`)",
            expected: 1,
            got: 0,
        })?;
        Ok(self.flow(pass, &laplacian, x))
    }

    /// The layer with a Laplacian that is there.
    pub(super) fn step<'g>(
        &self,
        pass: &Pass<'g>,
        laplacian: &SheafLaplacian<'g>,
        (kept, moved): (Array<'g>, Array<'g>),
    ) -> Array<'g> {
        let d = self.options.stalk();
        let share = (pass[self.epsilon].tanh() + 1.0).reshape(&[d, 1]);
        kept * share + self.flow(pass, laplacian, moved)
    }
}

impl SheafOptions {
    pub(super) fn check(&self, graph: &SheafGraph) -> Result<(), NetworkError> {
        self.family.check(self.learnt)?;
        if graph.edges() == 0 {
            return Err(NetworkError::Size {
                what: "edges of a graph, at least",
                expected: 1,
                got: 0,
            });
        }
        let least = |name, value: usize| {
            if value > 0 {
                return Ok(());
            }
            Err(NetworkError::Option {
                name,
                value: 0.0,
                needed: "at least 1",
            })
        };
        least("channels", self.channels)?;
        least("layers", self.layers)?;
        for (name, rate) in [
            ("dropout of the input", self.dropout.0),
            ("dropout", self.dropout.1),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return Err(NetworkError::Option {
                    name,
                    value: rate,
                    needed: "in [0, 1)",
                });
            }
        }
        Ok(())
    }
}

impl Layer for SheafDiffusion {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        let Some(laplacian) = self.laplacian(pass, x) else {
            return x;
        };
        self.step(pass, &laplacian, (x, x))
    }
}
