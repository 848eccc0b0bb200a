//! Launches captured once and sent again as one.

#![expect(unsafe_code, reason = "handles of the driver cross threads")]

use cudarc::driver::CudaGraph;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

use crate::device::driver_error;
use crate::{CudaError, Device};

/// Work of a stream that is sent by one call.
pub(crate) struct Graph(CudaGraph);

// SAFETY: the driver's graphs may be used by any thread, by one at a time; this one is behind `&mut` or used by its owner
// alone, and is not `Sync`.
unsafe impl Send for Graph {}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Graph")
    }
}

impl Graph {
    /// Records what `work` sends to the device's stream, without running it. `work` must allocate nothing.
    ///
    /// # Errors
    /// What `work` fails with, after the capture was ended; what the driver answers.
    pub(crate) fn capture(
        device: &Device,
        work: impl FnOnce() -> Result<(), CudaError>,
    ) -> Result<Self, CudaError> {
        let fail = |e| driver_error("capturing a graph", e);
        let stream = device.stream();
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        stream.begin_capture(mode).map_err(fail)?;
        let sent = work();
        // Whatever happened, the stream must leave the capture.
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        sent?;
        graph.map_err(fail)?.map(Self).ok_or(CudaError::Driver {
            what: "capturing a graph",
            code: "nothing was captured".into(),
        })
    }

    /// Sends the work.
    ///
    /// # Errors
    /// What the driver answers.
    pub(crate) fn launch(&self) -> Result<(), CudaError> {
        self.0
            .launch()
            .map_err(|e| driver_error("launching a graph", e))
    }
}
