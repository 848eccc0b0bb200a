//! Batches in device memory.

use ansatz_core::{RowState, State, Tolerance};

use super::CudaState;
use crate::DeviceScalar;
use crate::kernel::{lincomb, reduce};

/// By kernels, with the bits of states in main memory; [`RowState::on_host`] copies. When an operation fails, numbers are NaN,
/// states without values, and [`Device::fault`](crate::Device::fault) holds the cause.
impl<T: DeviceScalar> RowState for CudaState<T> {
    fn row_dots(&self, others: &[&Self], out: &mut [f64]) {
        let rows = out.len().checked_div(others.len()).unwrap_or(0);
        assert_eq!(rows * others.len(), out.len(), "row_dots: a place for each");
        for other in others {
            self.demand_same("row_dots", other);
        }
        self.demand_rows("row_dots", rows);
        let done = self.values().and_then(|x| {
            let others: Result<Vec<_>, _> = others.iter().map(|y| y.values()).collect();
            reduce::row_dots(x, &others?, rows, out)
        });
        self.numbers(done, out);
    }

    fn row_errors(&self, a: &Self, b: &Self, tol: Tolerance, out: &mut [f64]) {
        self.demand_same("row_errors", a);
        self.demand_same("row_errors", b);
        self.demand_rows("row_errors", out.len());
        let done = self
            .values()
            .and_then(|x| reduce::row_errors(x, a.values()?, b.values()?, tol, out));
        self.numbers(done, out);
    }

    fn row_lincomb(&mut self, beta: f64, terms: &[(&[f64], &Self)]) {
        let rows = terms.first().map_or(1, |(c, _)| c.len());
        for (c, x) in terms {
            assert_eq!(c.len(), rows, "row_lincomb: a coefficient for each row");
            self.demand_same("row_lincomb", x);
        }
        self.demand_rows("row_lincomb", rows);
        let values: Result<Vec<_>, _> = terms.iter().map(|(c, x)| Ok((*c, x.values()?))).collect();
        let dst = if beta == 0.0 {
            self.target()
        } else {
            self.values_mut()
        };
        let done = dst.and_then(|dst| lincomb::lincomb_rows(dst, beta, &values?));
        self.settle(done);
    }

    fn blend(&mut self, mask: &Self, value: &Self) {
        self.demand_same("blend", mask);
        self.demand_same("blend", value);
        let done = self
            .values_mut()
            .and_then(|dst| lincomb::blend(dst, mask.values()?, value.values()?));
        self.settle(done);
    }

    fn on_host<R>(&mut self, f: impl FnOnce(&mut [T]) -> R) -> Option<R> {
        let done = self.to_vec().and_then(|mut elements| {
            let result = f(&mut elements);
            self.values_mut()?.write(&elements)?;
            Ok(result)
        });
        match done {
            Ok(result) => Some(result),
            Err(error) => {
                self.settle(Err(error));
                None
            }
        }
    }
}

impl<T: DeviceScalar> CudaState<T> {
    fn demand_rows(&self, what: &str, rows: usize) {
        let len = self.len();
        assert!(
            len == 0 || rows > 0 && len.is_multiple_of(rows),
            "{what}: {len} elements are no {rows} rows"
        );
    }
}
