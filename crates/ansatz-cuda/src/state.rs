//! Vectors in device memory as states.

mod rows;

use ansatz_core::{Combination, Key, State, Tolerance};

use crate::kernel::{lincomb, philox, reduce};
use crate::{Buffer, CudaError, Device, DeviceScalar};

/// A vector in device memory: every method that is written on [`State`] runs on the device with it, and has the bits that it
/// has with `Vec`.
///
/// Operations of [`State`] cannot return an error. When one fails (memory ran out, the device was lost), the state that was
/// to be written has no values any more: its norms are NaN and [`State::is_finite`] says no, so that methods end with their
/// error for values that are not finite, and [`Device::fault`] holds the cause. Nothing panics.
///
/// # Panics
/// As [`State`] says, when lengths differ; also when states belong to different streams, which [`State::same_shape`] tells.
///
/// ```
/// use ansatz_core::State;
/// use ansatz_cuda::{CudaError, CudaState, Device};
/// # fn with(device: &Device) -> Result<(), CudaError> {
/// let mut x = CudaState::upload(device, &[1.0_f32, 2.0])?;
/// let y = CudaState::upload(device, &[10.0_f32, 20.0])?;
/// x.lincomb(2.0, &[(0.5, &y)]);
/// assert_eq!(x.to_vec()?, [7.0, 14.0]);
/// assert_eq!(x.dot(&y), 350.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CudaState<T: DeviceScalar> {
    /// `None` when the operation that was to write it failed.
    values: Option<Buffer<T>>,
    len: usize,
    device: Device,
}

impl<T: DeviceScalar> CudaState<T> {
    /// A state with a copy of `data`.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn upload(device: &Device, data: &[T]) -> Result<Self, CudaError> {
        Ok(Self::from(device.upload(data)?))
    }

    /// A state of zeros.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn zeros(device: &Device, len: usize) -> Result<Self, CudaError> {
        Ok(Self::from(device.zeros(len)?))
    }

    /// The elements.
    ///
    /// # Errors
    /// What the driver answers, or the failure that lost them.
    pub fn to_vec(&self) -> Result<Vec<T>, CudaError> {
        self.values()?.to_vec()
    }

    /// Copies the elements to `data`.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`]; as [`CudaState::to_vec`].
    pub fn read(&self, data: &mut [T]) -> Result<(), CudaError> {
        self.values()?.read(data)
    }

    /// The device and stream that it belongs to.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The buffer, for kernels beyond those of [`State`].
    ///
    /// # Errors
    /// The failure that lost the values.
    pub fn values(&self) -> Result<&Buffer<T>, CudaError> {
        self.values.as_ref().ok_or_else(|| lost(&self.device))
    }

    /// The buffer, for writing.
    ///
    /// # Errors
    /// The failure that lost the values.
    pub fn values_mut(&mut self) -> Result<&mut Buffer<T>, CudaError> {
        let Self { values, device, .. } = self;
        values.as_mut().ok_or_else(|| lost(device))
    }

    /// A copy that belongs to another stream or device.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]; what the drivers answer.
    pub fn to_device(&self, device: &Device) -> Result<Self, CudaError> {
        Ok(Self::from(self.values()?.to_device(device)?))
    }

    /// A state whose values are what `made` is; without values, and the failure noted, if that is an error.
    fn settled(device: &Device, len: usize, made: Result<Buffer<T>, CudaError>) -> Self {
        let values = made.map_err(|e| device.note(e)).ok();
        Self {
            values,
            len,
            device: device.clone(),
        }
    }

    /// Notes a failure to write this state.
    fn settle(&mut self, done: Result<(), CudaError>) {
        if let Err(error) = done {
            self.device.note(error);
            self.values = None;
        }
    }

    /// The buffer, to be overwritten as a whole: a new one if the values were lost.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]; what the driver answers.
    pub fn target(&mut self) -> Result<&mut Buffer<T>, CudaError> {
        if self.values.is_none() {
            self.values = Some(self.device.zeros(self.len)?);
        }
        self.values_mut()
    }

    fn demand_same(&self, what: &str, other: &Self) {
        assert!(
            self.same_shape(other),
            "{what}: states of different length or stream"
        );
    }

    /// NaN in place of an error, which is noted.
    fn number(&self, made: Result<f64, CudaError>) -> f64 {
        made.unwrap_or_else(|e| {
            self.device.note(e);
            f64::NAN
        })
    }

    /// NaN in place of numbers that failed to be computed.
    fn numbers(&self, done: Result<(), CudaError>, out: &mut [f64]) {
        if let Err(error) = done {
            self.device.note(error);
            out.fill(f64::NAN);
        }
    }

    /// `self ← beta·self + Σ c·x` over terms that are looked up by number; a failure is noted.
    fn combine<'a>(
        &mut self,
        beta: f64,
        terms: usize,
        term: impl Fn(usize) -> (f64, &'a Self),
        broken: Option<&mut Buffer<u32>>,
    ) where
        T: 'a,
    {
        for k in 0..terms {
            self.demand_same("lincomb", term(k).1);
        }
        let values = |k| {
            let (c, x) = term(k);
            Ok((c, x.values()?))
        };
        let dst = if beta == 0.0 {
            self.target()
        } else {
            self.values_mut()
        };
        let done = dst.and_then(|dst| lincomb::combine(dst, beta, terms, values, broken));
        self.settle(done);
    }
}

impl<T: DeviceScalar> From<Buffer<T>> for CudaState<T> {
    fn from(values: Buffer<T>) -> Self {
        Self {
            len: values.len(),
            device: values.device().clone(),
            values: Some(values),
        }
    }
}

impl<T: DeviceScalar> Clone for CudaState<T> {
    fn clone(&self) -> Self {
        let made = self.values().and_then(|values| {
            let mut copy = Buffer::stale(&self.device, self.len)?;
            copy.copy_from(values)?;
            Ok(copy)
        });
        Self::settled(&self.device, self.len, made)
    }
}

impl<T: DeviceScalar> State for CudaState<T> {
    type Scalar = T;

    fn len(&self) -> usize {
        self.len
    }

    fn same_shape(&self, other: &Self) -> bool {
        self.len == other.len && self.device.is_same_stream(&other.device)
    }

    fn zeros_like(&self) -> Self {
        Self::settled(&self.device, self.len, self.device.zeros(self.len))
    }

    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        self.combine(beta, terms.len(), |k| terms[k], None);
    }

    fn dot(&self, other: &Self) -> f64 {
        let mut out = [0.0];
        self.dots(&[other], &mut out);
        out[0]
    }

    fn dots(&self, others: &[&Self], out: &mut [f64]) {
        assert_eq!(others.len(), out.len(), "dots: a place for each product");
        for other in others {
            self.demand_same("dots", other);
        }
        for (others, out) in others.chunks(GROUP).zip(out.chunks_mut(GROUP)) {
            let done = self.values().and_then(|x| {
                let mut buffers = [x; GROUP];
                for (buffer, other) in buffers.iter_mut().zip(others) {
                    *buffer = other.values()?;
                }
                reduce::dots(x, &buffers[..others.len()], out)
            });
            self.numbers(done, out);
        }
    }

    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        self.demand_same("error_norm", a);
        self.demand_same("error_norm", b);
        let made = self
            .values()
            .and_then(|x| reduce::error_norm(x, a.values()?, b.values()?, tol));
        self.number(made)
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        let done = self
            .target()
            .and_then(|values| philox::normal(values, key, stream));
        self.settle(done);
    }

    /// All lines, then one look at a flag that every line sets.
    fn combine_all(slots: &mut [Self], program: &[Combination]) -> bool {
        let Some(device) = slots.first().map(|s| s.device.clone()) else {
            return true;
        };
        let mut broken = device.zeros::<u32>(1).map_err(|e| device.note(e)).ok();
        for line in program {
            let (before, rest) = slots.split_at_mut(line.dst);
            let (dst, after) = rest.split_at_mut(1);
            let slot = |k: usize| match k.checked_sub(line.dst + 1) {
                Some(k) => &after[k],
                None => &before[k],
            };
            let term = |k: usize| (line.terms[k].0, slot(line.terms[k].1));
            dst[0].combine(line.beta, line.terms.len(), term, broken.as_mut());
        }
        let all_there = program.iter().all(|line| slots[line.dst].values.is_some());
        let mut flag = [0];
        let seen = broken
            .as_mut()
            .is_some_and(|b| b.read(&mut flag).map_err(|e| device.note(e)).is_ok());
        all_there && seen && flag[0] == 0
    }

    fn assign(&mut self, other: &Self) {
        self.demand_same("assign", other);
        let done = other
            .values()
            .and_then(|from| self.target()?.copy_from(from));
        self.settle(done);
    }

    fn is_finite(&self) -> bool {
        let made = self.values().and_then(reduce::is_finite);
        made.unwrap_or_else(|e| {
            self.device.note(e);
            false
        })
    }
}

/// States that one call names.
const GROUP: usize = lincomb::TERMS;

/// Why values are gone: the device's fault, or that somebody has taken it.
fn lost(device: &Device) -> CudaError {
    device.fault().unwrap_or(CudaError::Driver {
        what: "reading a state that an earlier failure left without values",
        code: "its cause was taken".into(),
    })
}
