//! A basis of each layer in which what does nothing vanishes and layers interact sparsely.
//!
//! From the last layer backwards: activations are whitened by the eigenvectors of their Gram matrix G = ⟨f·fᵀ⟩, and the
//! whitened directions turned into the eigenvectors of M = ⟨Jᵀ·C·Cᵀ·J⟩, the mean square of the slopes towards the basis C of the next
//! layer. Directions that no data excite, and those that the output does not see, have eigenvalue 0 and are dropped; the
//! basis does not change when a layer's linear coordinates do. All in double precision; cost O(N·d³) for N points.
//!
//! Reference: L. Bushnaq et al., *Using degeneracy in the loss landscape for mechanistic interpretability*, 2024
//! (sections 4 and 5, the Jacobian formula).

use faer::{Mat, Side};

use crate::NetworkError;

/// One layer on N points.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Numbers of a point.
    pub width: usize,
    /// Activations `[N, width]`; a constant 1 among them stands for the offsets of the next layer.
    pub activations: Vec<f64>,
    /// Derivatives of the next layer's activations, `[N, next width, width]`; empty for the last layer.
    pub jacobians: Vec<f64>,
}

/// The basis of a layer.
#[derive(Debug, Clone)]
pub struct InteractionBasis {
    /// C: activations in the basis are Cᵀ·f. `width` rows, a column for each direction, by falling importance.
    pub to: Mat<f64>,
    /// C⁺: activations, as far as they count, are C⁺ᵀ·f̂. A row for each direction.
    pub back: Mat<f64>,
    /// How much each direction acts on the output: eigenvalues, falling.
    pub values: Vec<f64>,
    /// For each direction of the next layer (rows) and of this one, the mean square of the slope; empty for the last layer.
    pub edges: Mat<f64>,
    /// Directions that the data excite; the width less this is what the Gram matrix lacks in rank.
    pub excited: usize,
}

/// The bases of all layers, in their order.
///
/// ```
/// use ansatz_nn::{Stage, interaction_bases};
/// // Two points; y = 2·x₁, whatever x₂ is.
/// let input = Stage { width: 2, activations: vec![1.0, 1.0, 1.0, -1.0], jacobians: vec![2.0, 0.0, 2.0, 0.0] };
/// let output = Stage { width: 1, activations: vec![2.0, 2.0], jacobians: Vec::new() };
/// let bases = interaction_bases(&[input, output], 1e-10)?;
/// assert_eq!((bases[0].excited, bases[0].values.len()), (2, 1));
/// assert!((bases[0].values[0] - 4.0).abs() < 1e-14);
/// # Ok::<(), ansatz_nn::NetworkError>(())
/// ```
///
/// Eigenvalues below `threshold` times the largest of their matrix are dropped: 1e-10 is
/// a good choice.
///
/// # Errors
/// [`NetworkError::Size`] for arrays that do not fit, no stage or no point; [`NetworkError::Option`] when a layer's activations, or
/// its influence on the next one, are all zero or not finite.
pub fn interaction_bases(
    stages: &[Stage],
    threshold: f64,
) -> Result<Vec<InteractionBasis>, NetworkError> {
    let points = check(stages)?;
    let mut bases: Vec<InteractionBasis> = Vec::new();
    for (l, stage) in stages.iter().enumerate().rev() {
        let d = stage.width;
        let f = Mat::from_fn(points, d, |i, j| stage.activations[i * d + j]);
        let gram = f.transpose() * &f * faer::Scale(1.0 / points as f64);
        let (u, values) = spectrum(&gram, threshold)?;
        let excited = values.len();
        let Some(next) = bases.last() else {
            bases.push(InteractionBasis {
                back: u.transpose().to_owned(),
                to: u,
                values,
                edges: Mat::zeros(0, 0),
                excited,
            });
            continue;
        };
        let rows = stages[l + 1].width;
        let jacobian =
            |i: usize| Mat::from_fn(rows, d, |r, c| stage.jacobians[(i * rows + r) * d + c]);
        // The next basis as each point's activations move it.
        let moved: Vec<Mat<f64>> = (0..points)
            .map(|i| next.to.transpose() * jacobian(i))
            .collect();
        let mut slopes = Mat::<f64>::zeros(d, d);
        for j in &moved {
            slopes += j.transpose() * j;
        }
        // R = U·D^(-1/2) and R⁺ = D^(1/2)·Uᵀ.
        let scaled =
            |power: f64| Mat::from_fn(d, excited, |i, j| u[(i, j)] * values[j].powf(power));
        let (whiten, unwhiten) = (scaled(-0.5), scaled(0.5));
        let m = unwhiten.transpose() * &slopes * &unwhiten * faer::Scale(1.0 / points as f64);
        let (v, values) = spectrum(&m, threshold)?;
        let turned = |power: f64| {
            Mat::from_fn(excited, values.len(), |i, j| {
                v[(i, j)] * values[j].powf(power)
            })
        };
        let (to, back) = (&whiten * turned(0.5), &unwhiten * turned(-0.5));
        let mut edges = Mat::<f64>::zeros(next.values.len(), values.len());
        for j in &moved {
            let slope = j * &back;
            for c in 0..slope.ncols() {
                for r in 0..slope.nrows() {
                    edges[(r, c)] += slope[(r, c)].powi(2) / points as f64;
                }
            }
        }
        bases.push(InteractionBasis {
            to,
            back: back.transpose().to_owned(),
            values,
            edges,
            excited,
        });
    }
    bases.reverse();
    Ok(bases)
}

/// Eigenvectors as columns and eigenvalues, falling, without those below the threshold.
fn spectrum(matrix: &Mat<f64>, threshold: f64) -> Result<(Mat<f64>, Vec<f64>), NetworkError> {
    let n = matrix.nrows();
    let none = |value| NetworkError::Option {
        name: "largest eigenvalue of a layer",
        value,
        needed: "a positive number: the layer must act and the data be finite",
    };
    let Ok(eigen) = matrix.self_adjoint_eigen(Side::Lower) else {
        return Err(none(f64::NAN));
    };
    let values = eigen.S().column_vector();
    let largest = if n == 0 { 0.0 } else { values[n - 1] };
    if !(largest.is_finite() && largest > 0.0) {
        return Err(none(largest));
    }
    let kept: Vec<usize> = (0..n)
        .rev()
        .filter(|i| values[*i] > threshold * largest)
        .collect();
    let u = eigen.U();
    let vectors = Mat::from_fn(n, kept.len(), |i, j| u[(i, kept[j])]);
    Ok((vectors, kept.iter().map(|i| values[*i]).collect()))
}

/// Number of points.
fn check(stages: &[Stage]) -> Result<usize, NetworkError> {
    let size = |what, expected, got| {
        if expected == got {
            Ok(())
        } else {
            Err(NetworkError::Size {
                what,
                expected,
                got,
            })
        }
    };
    size("stages, at least", 1, stages.len().min(1))?;
    let first = &stages[0];
    let points = first.activations.len() / first.width.max(1);
    size("points, at least", 1, points.min(1))?;
    for (l, stage) in stages.iter().enumerate() {
        size(
            "activations of a stage",
            points * stage.width,
            stage.activations.len(),
        )?;
        let next = stages.get(l + 1).map_or(0, |next| next.width);
        size(
            "derivatives of a stage",
            points * next * stage.width,
            stage.jacobians.len(),
        )?;
    }
    Ok(points)
}
