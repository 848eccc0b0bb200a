//! candle networks as models.

use std::marker::PhantomData;

use ansatz_core::{Denoiser, EvalError, NoiseLevel, Prediction};
use candle_core::{Result, Tensor};

use crate::{CandleState, Element};

/// A function on tensors as a model; made by [`from_fn`].
pub struct TensorFn<T, F> {
    native: Prediction,
    f: F,
    element: PhantomData<fn(T)>,
}

/// Makes a model of `(x, level) -> prediction` on tensors, such as a network's forward pass.
///
/// The prediction is converted to the elements of the state, so a network may compute in half precision.
///
/// ```
/// use ansatz_candle::{CandleState, candle::{Device, Tensor}, from_fn};
/// use ansatz_core::{Key, NoiseLevel, Prediction};
/// use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
/// // Your network goes here; this one is exact for data that is all 2.
/// let model = from_fn(Prediction::Data, |x: &Tensor, _: &NoiseLevel| x.ones_like()? * 2.0);
/// let schedule = VpLinear::default();
/// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?.with_clean_end();
/// let plan = Ddim::default().plan(&schedule, &grid)?;
/// let noise = Tensor::randn(0_f32, 1.0, (1, 4, 8, 8), &Device::Cpu)?;
/// let mut x = CandleState::<f32>::new(&noise)?;
/// plan.sample(&model, &mut x, Key::new(0), &mut ())?;
/// assert_eq!(x.tensor().mean_all()?.to_scalar::<f32>()?, 2.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_fn<T, F>(native: Prediction, f: F) -> TensorFn<T, F>
where
    T: Element,
    F: Fn(&Tensor, &NoiseLevel) -> Result<Tensor> + Sync,
{
    TensorFn {
        native,
        f,
        element: PhantomData,
    }
}

impl<T, F> Denoiser<CandleState<T>> for TensorFn<T, F>
where
    T: Element,
    F: Fn(&Tensor, &NoiseLevel) -> Result<Tensor> + Sync,
{
    fn native(&self) -> Prediction {
        self.native
    }

    /// # Errors
    /// [`EvalError::Model`] with candle's error, [`EvalError::Length`] for a prediction of another shape.
    fn eval(
        &self,
        x: &CandleState<T>,
        at: &NoiseLevel,
        out: &mut CandleState<T>,
    ) -> std::result::Result<(), EvalError> {
        let y = (self.f)(x.tensor(), at).map_err(EvalError::model)?;
        if y.shape() != x.tensor().shape() {
            return Err(EvalError::Length {
                what: "model output",
                expected: x.tensor().elem_count(),
                got: y.elem_count(),
            });
        }
        *out = CandleState::new(&y).map_err(EvalError::model)?;
        Ok(())
    }
}
