//! Operators as products of functions of the input and of the place.
//!
//! References: L. Lu et al., *Learning nonlinear operators via DeepONet based on the universal approximation theorem of
//! operators*, 2021 (eq. 2); P. Jin, S. Meng, L. Lu, *MIONet: learning multiple-input operators via tensor product*, 2022.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use crate::layer::{Layer, Mlp, MlpOptions};
use crate::{Init, Parameter, Pass, Scope};

/// G(u₁, u₂, …)(y) = Σ_k b¹_k(u₁)·b²_k(u₂)⋯t_k(y) + b₀: one branch for each input function, given by its values at
/// fixed sensors, and a trunk for the place. With one branch it is a DeepONet, with several a MIONet.
///
/// ```
/// use ansatz_autodiff::Graph;
/// use ansatz_nn::{DeepONet, Layout, Mode, MlpOptions, Pass};
/// let mut layout = Layout::new();
/// let branch: &[usize] = &[100, 64, 32];
/// let net = DeepONet::new(&mut layout.root(), &[branch], &[1, 64, 32], &MlpOptions::default());
/// let graph = Graph::new();
/// let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
/// let (functions, places) = (graph.batch(&[16, 100]), graph.input(&[50, 1]));
/// let y = net.apply(&pass, &[functions], places);
/// assert_eq!(&y.shape()[..], [16, 50]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DeepONet {
    branches: Vec<Mlp>,
    trunk: Mlp,
    bias: Parameter,
}

impl DeepONet {
    /// An operator with these units of the branches, from the sensors on, and of the trunk, from the coordinates on; the last
    /// widths, the number of products, are equal.
    ///
    /// # Panics
    /// When the last widths differ.
    #[track_caller]
    pub fn new(
        scope: &mut Scope<'_>,
        branches: &[&[usize]],
        trunk: &[usize],
        options: &MlpOptions,
    ) -> Self {
        assert!(
            branches.iter().all(|b| b.last() == trunk.last()),
            "branches {branches:?} and trunk {trunk:?} must end in equal widths"
        );
        let branch = |(i, widths): (usize, &&[usize])| {
            Mlp::new(&mut scope.scope(format!("branches.{i}")), widths, options)
        };
        Self {
            branches: branches.iter().enumerate().map(branch).collect(),
            trunk: Mlp::new(&mut scope.scope("trunk"), trunk, options),
            bias: scope.parameter("bias", &[1], Init::Constant(0.0)),
        }
    }

    /// Functions `[batch, sensors]`, one array for each branch, at places `[n, coordinates]`: `[batch, n]`.
    ///
    /// # Panics
    /// When there are not as many arrays as branches, or shapes do not fit.
    #[track_caller]
    pub fn apply<'g>(
        &self,
        pass: &Pass<'g>,
        functions: &[Array<'g>],
        places: Array<'g>,
    ) -> Array<'g> {
        assert_eq!(
            functions.len(),
            self.branches.len(),
            "an array of values for each branch"
        );
        let each = self.branches.iter().zip(functions);
        let features = each.map(|(branch, u)| branch.apply(pass, *u));
        let trunk = self.trunk.apply(pass, places);
        let product = features
            .reduce(|a, b| a * b)
            .unwrap_or_else(|| trunk.ones());
        product.matmul_by(trunk, Side::Plain, Side::Transposed) + pass[self.bias]
    }
}
