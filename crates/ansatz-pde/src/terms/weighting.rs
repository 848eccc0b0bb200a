//! How terms are weighed against each other while training.

use std::sync::Mutex;

use ansatz_core::{Key, Scalar};
use ansatz_nn::{Init, Layout, Parameters};

use crate::PdeError;
use crate::error::within;

/// Rules for λ. Each leaves terms as they are whose gradients, kernels, losses or residuals are equal; uncertainty weighs them
/// alike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Weighting {
    /// The weights that the terms were given.
    #[default]
    Fixed,
    /// Every so many steps λ̂ᵢ = mean‖∇L‖/‖∇Lᵢ‖ and λ ← m·λ + (1 − m)·λ̂. A term without slope keeps its weight.
    ///
    /// Reference: S. Wang, S. Sankaran, H. Wang, P. Perdikaris, *An expert's guide to training physics-informed neural
    /// networks*, 2023 (section 5.1).
    GradientNorm {
        /// Steps between changes.
        every: u64,
        /// m, the part of the old weight that is kept.
        momentum: f64,
    },
    /// The same with the mean diagonal of the neural tangent kernel, Kᵢ = mean‖∂r/∂θ‖², in place of ‖∇Lᵢ‖.
    ///
    /// Reference: S. Wang, X. Yu, P. Perdikaris, *When and why PINNs fail to train: a neural tangent kernel perspective*,
    /// 2022.
    NeuralTangentKernel {
        /// Steps between changes.
        every: u64,
        /// m, the part of the old weight that is kept.
        momentum: f64,
    },
    /// Each point has a weight λₚ², and λₚ climbs the gradient of the loss while the network goes down: for points that
    /// stay what they are.
    ///
    /// Reference: L. McClenny, U. Braga-Neto, *Self-adaptive physics-informed neural networks*, 2023.
    SelfAdaptive {
        /// Rate of the ascent.
        rate: f64,
    },
    /// Terms that fell less than others since an earlier step weigh more (ReLoBRaLo): λ = α·(ρ·λ + (1 − ρ)·λ̂(0)) +
    /// (1 − α)·λ̂(t − 1) after each step, λ̂ᵢ(t') of [`Weighting::relative`] for the losses now and at step t', and ρ drawn from
    /// {0, 1}. It costs nothing beside the losses.
    ///
    /// Reference: R. Bischof, M. Kraus, *Multi-objective loss balancing for physics-informed deep learning*, 2025 (eqs. 10
    /// to 12; first published 2021).
    RelativeLoss {
        /// 𝒯: the smaller, the more unequal are the weights.
        temperature: f64,
        /// α, the part of the old weights that is kept.
        memory: f64,
        /// The mean of ρ; 1 never looks back to the first step.
        lookback: f64,
        /// Decides on ρ.
        key: Key,
    },
    /// Σᵢ ½·exp(−sᵢ)·Lᵢ + ½·sᵢ, with sᵢ trained, the logarithm of the variance of the term's residuals; weights are exp(−sᵢ), 1
    /// at the start. Each step follows the gradient flow of sᵢ for a time `rate` with Lᵢ as it is, which is exact:
    /// exp(sᵢ) ← q·exp(sᵢ) + (1 − q)·Lᵢ with q = exp(−rate/2). Weights tend to 1/Lᵢ. A term without loss keeps its weight.
    ///
    /// Reference: A. Kendall, Y. Gal, R. Cipolla, *Multi-task learning using uncertainty to weigh losses for scene geometry and
    /// semantics*, 2018 (eq. 7, for the logarithm of the variance).
    Uncertainty {
        /// Learning rate of s.
        rate: f64,
    },
}

impl Weighting {
    pub(super) fn check(&self) -> Result<(), PdeError> {
        match *self {
            Self::Fixed => Ok(()),
            Self::GradientNorm { every, momentum }
            | Self::NeuralTangentKernel { every, momentum } => {
                within("every", every as f64, 1.0.., "a step or more")?;
                within("momentum", momentum, 0.0..=1.0, "0 to 1")
            }
            Self::SelfAdaptive { rate } | Self::Uncertainty { rate } => {
                within("rate", rate, 0.0.., "a number not below 0")
            }
            Self::RelativeLoss {
                temperature,
                memory,
                lookback,
                ..
            } => {
                let least = f64::MIN_POSITIVE..;
                within("temperature", temperature, least, "a number above 0")?;
                within("memory", memory, 0.0..=1.0, "0 to 1")?;
                within("lookback", lookback, 0.0..=1.0, "0 to 1")
            }
        }
    }

    /// λ̂ᵢ = mean(s)/sᵢ for sizes s; nothing where there is no size.
    #[must_use]
    pub fn balance(sizes: &[f64]) -> Vec<Option<f64>> {
        let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        let one = |s: &f64| (*s > 0.0 && (mean / s).is_finite()).then(|| mean / s);
        sizes.iter().map(one).collect()
    }
}

impl Weighting {
    /// λ̂ᵢ = m·exp(Lᵢ/(𝒯·Lᵢ'))/Σⱼ exp(Lⱼ/(𝒯·Lⱼ')) for m losses L beside earlier ones L'. A ratio that is no number, as 0/0,
    /// counts as 1.
    ///
    /// ```
    /// use ansatz_pde::Weighting;
    /// let weights = Weighting::relative(&[1.0, 4.0], &[2.0, 4.0], 0.5);
    /// let (e1, e2) = (1.0_f64.exp(), 2.0_f64.exp());
    /// assert!((weights[0] - 2.0 * e1 / (e1 + e2)).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn relative(losses: &[f64], before: &[f64], temperature: f64) -> Vec<f64> {
        let ratio = |(l, b): (&f64, &f64)| {
            let ratio = l / b;
            if ratio.is_finite() {
                ratio / temperature
            } else {
                temperature.recip()
            }
        };
        let ratios: Vec<f64> = losses.iter().zip(before).map(ratio).collect();
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let all: Vec<f64> = ratios.iter().map(|r| (r - most).exp()).collect();
        let sum = all.iter().sum::<f64>() / all.len() as f64;
        all.iter().map(|e| e / sum).collect()
    }
}

/// Entries of the layout that remember the weighting.
const STEPS: &str = "weighting.steps";
const FACTORS: &str = "weighting.factors";
const FIRST: &str = "weighting.first_losses";
const LAST: &str = "weighting.last_losses";

/// Stream of the draws of ρ.
const STREAM: u64 = 0x1055;

/// The weighting of some terms: what changes stands in the parameters.
#[derive(Debug)]
pub(super) struct State {
    weighting: Weighting,
    terms: usize,
    /// Kernels of the last evaluation.
    kernels: Mutex<Option<Vec<f64>>>,
}

fn place(term: usize) -> String {
    format!("weighting.points.{term}")
}

impl State {
    pub(super) fn new(layout: &mut Layout, weighting: Weighting, sizes: &[usize]) -> Self {
        let mut root = layout.root();
        let one = Init::Constant(1.0);
        match weighting {
            Weighting::Fixed => {}
            Weighting::GradientNorm { .. } | Weighting::NeuralTangentKernel { .. } => {
                root.buffer(STEPS, &[1], Init::Constant(0.0));
                root.buffer(FACTORS, &[sizes.len()], one);
            }
            Weighting::RelativeLoss { .. } => {
                root.buffer(STEPS, &[1], Init::Constant(0.0));
                root.buffer(FACTORS, &[sizes.len()], one);
                root.buffer(FIRST, &[sizes.len()], Init::Constant(0.0));
                root.buffer(LAST, &[sizes.len()], Init::Constant(0.0));
            }
            Weighting::Uncertainty { .. } => {
                root.buffer(FACTORS, &[sizes.len()], one);
            }
            Weighting::SelfAdaptive { .. } => {
                for (i, n) in sizes.iter().enumerate() {
                    root.buffer(place(i), &[*n], one.clone());
                }
            }
        }
        Self {
            weighting,
            terms: sizes.len(),
            kernels: Mutex::default(),
        }
    }

    /// What the terms' own weights are multiplied by.
    pub(super) fn factors<T: Scalar>(&self, parameters: &Parameters<T>) -> Vec<f64> {
        match parameters.get(FACTORS) {
            Some(factors) => factors.iter().map(|f| f.f64()).collect(),
            None => vec![1.0; self.terms],
        }
    }

    /// Multiplies ω by the weights of points.
    pub(super) fn apply<T: Scalar>(&self, parameters: &Parameters<T>, i: usize, omega: &mut [T]) {
        if let Weighting::SelfAdaptive { .. } = self.weighting
            && let Some(lambda) = parameters.get(&place(i))
        {
            for (w, l) in omega.iter_mut().zip(lambda) {
                *w *= *l * *l;
            }
        }
    }

    /// Whether the step that is being taken changes factors, and how many were taken before.
    fn due<T: Scalar>(&self, parameters: &Parameters<T>) -> bool {
        let (Weighting::GradientNorm { every, .. } | Weighting::NeuralTangentKernel { every, .. }) =
            self.weighting
        else {
            return false;
        };
        let steps = parameters.get(STEPS).map_or(0.0, |s| s[0].f64());
        (steps as u64).is_multiple_of(every)
    }

    pub(super) fn wants_kernels<T: Scalar>(&self, parameters: &Parameters<T>) -> bool {
        matches!(self.weighting, Weighting::NeuralTangentKernel { .. }) && self.due(parameters)
    }

    pub(super) fn set_kernels(&self, kernels: Vec<f64>) {
        if let Ok(mut place) = self.kernels.lock() {
            *place = Some(kernels);
        }
    }

    /// After a step with these losses, lengths of gradients and squared residuals of points.
    pub(super) fn update<T: Scalar>(
        &self,
        parameters: &mut Parameters<T>,
        [losses, slopes]: [&[f64]; 2],
        squares: &[&[T]],
    ) {
        let due = self.due(parameters);
        match self.weighting {
            Weighting::Fixed => {}
            Weighting::GradientNorm { momentum, .. } => {
                turn(parameters, due.then(|| slopes.to_vec()), momentum);
            }
            Weighting::NeuralTangentKernel { momentum, .. } => {
                let kernels = self.kernels.lock().ok().and_then(|mut k| k.take());
                turn(parameters, kernels.filter(|_| due), momentum);
            }
            Weighting::RelativeLoss {
                temperature,
                memory,
                lookback,
                key,
            } => {
                let step = parameters.get(STEPS).map_or(0, |s| s[0].f64() as u64);
                if step == 0 {
                    write(parameters, FIRST, |i, _| losses[i]);
                    write(parameters, LAST, |i, _| losses[i]);
                }
                let against = |name| {
                    let before: Option<Vec<f64>> = parameters
                        .get(name)
                        .map(|all| all.iter().map(|l| l.f64()).collect());
                    Weighting::relative(losses, &before.unwrap_or_default(), temperature)
                };
                let (first, last) = (against(FIRST), against(LAST));
                let kept = key.uniform(STREAM, step)[0] < lookback;
                write(parameters, FACTORS, |i, old| {
                    let old = if kept { old } else { first[i] };
                    memory * old + (1.0 - memory) * last[i]
                });
                write(parameters, LAST, |i, _| losses[i]);
                write(parameters, STEPS, |_, step| step + 1.0);
            }
            Weighting::Uncertainty { rate } => {
                let q = (-0.5 * rate).exp();
                write(parameters, FACTORS, |i, old| {
                    let new = (q / old + (1.0 - q) * losses[i]).recip();
                    if losses[i] > 0.0 && new.is_finite() {
                        new
                    } else {
                        old
                    }
                });
            }
            Weighting::SelfAdaptive { rate } => {
                for (i, squares) in squares.iter().enumerate() {
                    if let Some(lambda) = parameters.get_mut(&place(i)) {
                        let step = T::of(2.0 * rate / squares.len() as f64);
                        for (l, s) in lambda.iter_mut().zip(*squares) {
                            *l += step * *l * *s;
                        }
                    }
                }
            }
        }
    }
}

/// Counts a step, and mixes new factors with the old ones.
fn turn<T: Scalar>(parameters: &mut Parameters<T>, sizes: Option<Vec<f64>>, momentum: f64) {
    if let Some(steps) = parameters.get_mut(STEPS) {
        steps[0] += T::one();
    }
    if let (Some(sizes), Some(factors)) = (sizes, parameters.get_mut(FACTORS)) {
        for (f, new) in factors.iter_mut().zip(Weighting::balance(&sizes)) {
            if let Some(new) = new {
                *f = T::of(momentum * f.f64() + (1.0 - momentum) * new);
            }
        }
    }
}

/// Changes each number of an entry, by its place and its value.
fn write<T: Scalar>(
    parameters: &mut Parameters<T>,
    name: &str,
    change: impl Fn(usize, f64) -> f64,
) {
    for (i, value) in parameters.get_mut(name).into_iter().flatten().enumerate() {
        *value = T::of(change(i, value.f64()));
    }
}
