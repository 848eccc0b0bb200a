//! Elements in device memory.

use cudarc::driver::{CudaSlice, DevicePtr};

use crate::call::{View, ViewMut};
use crate::device::driver_error;
use crate::error::{demand_len, demand_range};
use crate::{CudaError, Device, Element};

/// `len` elements in a device's memory, which go back to their stream's pool when dropped.
///
/// ```
/// # use ansatz_cuda::{CudaError, Device};
/// # fn with(device: &Device) -> Result<(), CudaError> {
/// let mut x = device.upload(&[1_u32, 2, 3])?;
/// x.write(&[4, 5, 6])?;
/// assert_eq!(x.to_vec()?, [4, 5, 6]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Buffer<T: Element> {
    /// Present until the buffer is dropped; may be longer than `len`.
    block: Option<CudaSlice<T>>,
    len: usize,
    device: Device,
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.device.release(block);
        }
    }
}

impl<T: Element> Buffer<T> {
    /// A buffer whose contents are whatever its block held before.
    pub(crate) fn stale(device: &Device, len: usize) -> Result<Self, CudaError> {
        let (block, _) = device.acquire(len)?;
        Ok(Self {
            block: Some(block),
            len,
            device: device.clone(),
        })
    }

    pub(crate) fn zeros(device: &Device, len: usize) -> Result<Self, CudaError> {
        let (block, fresh) = device.acquire(len)?;
        let mut buffer = Self {
            block: Some(block),
            len,
            device: device.clone(),
        };
        if !fresh {
            buffer.clear()?;
        }
        Ok(buffer)
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// `true` when there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device and stream that it belongs to.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn block(&self) -> Result<&CudaSlice<T>, CudaError> {
        self.block.as_ref().ok_or_else(gone)
    }

    fn block_mut(&mut self) -> Result<&mut CudaSlice<T>, CudaError> {
        self.block.as_mut().ok_or_else(gone)
    }

    fn address(&self) -> u64 {
        // Nothing is recorded when the guard is dropped: tracking is off.
        self.block
            .as_ref()
            .map_or(0, |b| b.device_ptr(self.device.stream()).0)
    }

    /// Where the elements are, for a plan.
    #[must_use]
    pub fn view(&self) -> View<'_, T> {
        View::new(self.address(), self.len)
    }

    /// Where the elements are, for a plan that writes them.
    #[must_use]
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut::new(self.address(), self.len)
    }

    /// Sets all elements to zero.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn clear(&mut self) -> Result<(), CudaError> {
        let (stream, len) = (self.device.stream().clone(), self.len);
        let mut part = self.block_mut()?.slice_mut(..len);
        stream
            .memset_zeros(&mut part)
            .map_err(|e| driver_error("clearing", e))
    }

    /// Copies `data` to the device.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`]; what the driver answers.
    pub fn write(&mut self, data: &[T]) -> Result<(), CudaError> {
        demand_len("the data", self.len, data.len())?;
        if data.is_empty() {
            return Ok(());
        }
        let stream = self.device.stream().clone();
        let sent = stream.memcpy_htod(data, self.block_mut()?);
        sent.and_then(|()| self.device.context().check_err())
            .map_err(|e| driver_error("copying to the device", e))
    }

    /// Copies the elements to `data`, once the work before is done.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`]; what the driver answers, for that work too.
    pub fn read(&self, data: &mut [T]) -> Result<(), CudaError> {
        demand_len("the place for the data", self.len, data.len())?;
        if data.is_empty() {
            return Ok(());
        }
        let stream = self.device.stream();
        stream
            .memcpy_dtoh(&self.block()?.slice(..self.len), data)
            .and_then(|()| stream.synchronize())
            .and_then(|()| self.device.context().check_err())
            .map_err(|e| driver_error("copying from the device", e))
    }

    /// One element.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`](crate::CudaError::OutOfRange) for one that is not there; as [`Buffer::read`].
    pub fn element(&self, index: usize) -> Result<T, CudaError> {
        let last = self.len.saturating_sub(1);
        demand_range("the number of an element", index, 0, last)?;
        let mut data = [T::default()];
        let stream = self.device.stream();
        stream
            .memcpy_dtoh(&self.block()?.slice(index..=index), &mut data)
            .and_then(|()| stream.synchronize())
            .and_then(|()| self.device.context().check_err())
            .map_err(|e| driver_error("copying from the device", e))?;
        Ok(data[0])
    }

    /// The elements.
    ///
    /// # Errors
    /// As [`Buffer::read`].
    pub fn to_vec(&self) -> Result<Vec<T>, CudaError> {
        let mut data = vec![T::default(); self.len];
        self.read(&mut data)?;
        Ok(data)
    }

    /// Copies another buffer's elements.
    ///
    /// # Errors
    /// [`CudaError::ShapeMismatch`], [`CudaError::OtherStream`]; what the driver answers.
    pub fn copy_from(&mut self, other: &Self) -> Result<(), CudaError> {
        demand_len("the buffer copied", self.len, other.len)?;
        same_stream(&self.device, "the buffer copied", other)?;
        let stream = self.device.stream().clone();
        let from = other.block()?.slice(..other.len);
        stream
            .memcpy_dtod(&from, self.block_mut()?)
            .map_err(|e| driver_error("copying on the device", e))
    }

    /// Copies another buffer's elements to those from `at` on.
    ///
    /// # Errors
    /// [`CudaError::OutOfRange`](crate::CudaError::OutOfRange) where they end beyond this buffer,
    /// [`CudaError::OtherStream`](crate::CudaError::OtherStream); what the driver answers.
    pub fn put(&mut self, at: usize, other: &Self) -> Result<(), CudaError> {
        same_stream(&self.device, "the buffer copied", other)?;
        let stream = self.device.stream().clone();
        let from = other.block()?.slice(..other.len);
        let end = at + other.len;
        demand_range("the end of the part copied to", end, 0, self.len)?;
        let mut to = self.block_mut()?.slice_mut(at..end);
        stream
            .memcpy_dtod(&from, &mut to)
            .map_err(|e| driver_error("copying on the device", e))
    }

    /// Copies as many elements of another buffer as there are here, from number `at` on.
    ///
    /// # Errors
    /// As [`Buffer::put`].
    pub fn take(&mut self, other: &Self, at: usize) -> Result<(), CudaError> {
        same_stream(&self.device, "the buffer copied", other)?;
        let (stream, end) = (self.device.stream().clone(), at + self.len);
        demand_range("the end of the part copied", end, 0, other.len)?;
        let len = self.len;
        let mut to = self.block_mut()?.slice_mut(..len);
        stream
            .memcpy_dtod(&other.block()?.slice(at..end), &mut to)
            .map_err(|e| driver_error("copying on the device", e))
    }

    /// Copies `data` to the elements from `at` on.
    pub(crate) fn write_at(&mut self, at: usize, data: &[T]) -> Result<(), CudaError> {
        if data.is_empty() {
            return Ok(());
        }
        demand_range("the end of a part", at + data.len(), 0, self.len)?;
        let stream = self.device.stream().clone();
        let mut part = self.block_mut()?.slice_mut(at..at + data.len());
        let sent = stream.memcpy_htod(data, &mut part);
        sent.and_then(|()| self.device.context().check_err())
            .map_err(|e| driver_error("copying to the device", e))
    }

    /// Copies the elements from `at` on to `data`, once the work before is done.
    pub(crate) fn read_at(&self, at: usize, data: &mut [T]) -> Result<(), CudaError> {
        if data.is_empty() {
            return Ok(());
        }
        demand_range("the end of a part", at + data.len(), 0, self.len)?;
        let stream = self.device.stream();
        stream
            .memcpy_dtoh(&self.block()?.slice(at..at + data.len()), data)
            .and_then(|()| stream.synchronize())
            .and_then(|()| self.device.context().check_err())
            .map_err(|e| driver_error("copying from the device", e))
    }

    /// Copies `len` elements from `from` on to those from `to` on, which lie apart.
    pub(crate) fn copy_within(
        &mut self,
        from: usize,
        to: usize,
        len: usize,
    ) -> Result<(), CudaError> {
        if len == 0 {
            return Ok(());
        }
        let (low, high) = (from.min(to), from.max(to));
        demand_range("the end of a part", high + len, 0, self.len)?;
        demand_range("the distance of parts", high - low, len, usize::MAX)?;
        let stream = self.device.stream().clone();
        let (mut head, mut tail) = self.block_mut()?.split_at_mut(high);
        let copied = if from < to {
            stream.memcpy_dtod(&head.slice(low..low + len), &mut tail.slice_mut(..len))
        } else {
            stream.memcpy_dtod(&tail.slice(..len), &mut head.slice_mut(low..low + len))
        };
        copied.map_err(|e| driver_error("copying on the device", e))
    }

    /// A copy that belongs to another stream or device. Waits for both.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`]; what the drivers answer.
    pub fn to_device(&self, device: &Device) -> Result<Self, CudaError> {
        let mut copy = Self::stale(device, self.len)?;
        let wait = |d: &Device| {
            d.stream()
                .synchronize()
                .map_err(|e| driver_error("waiting for a stream", e))
        };
        wait(&self.device)?;
        let from = self.block()?.slice(..self.len);
        device
            .stream()
            .memcpy_dtod(&from, copy.block_mut()?)
            .map_err(|e| driver_error("copying between streams", e))?;
        wait(device)?;
        Ok(copy)
    }
}

/// Demands that an operand is ordered by the stream of `device`.
pub(crate) fn same_stream<T: Element>(
    device: &Device,
    what: &'static str,
    operand: &Buffer<T>,
) -> Result<(), CudaError> {
    if device.is_same_stream(operand.device()) {
        Ok(())
    } else {
        Err(CudaError::OtherStream { what })
    }
}

/// A block is there until its buffer is dropped.
fn gone() -> CudaError {
    CudaError::Driver {
        what: "looking for a buffer's memory",
        code: "dropped".into(),
    }
}
