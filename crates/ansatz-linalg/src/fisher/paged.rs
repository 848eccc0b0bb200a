//! Gradients that do not fit into the memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};

use ansatz_core::Scalar;
use faer::Mat;

use super::damping_in_range;
use super::tile::{COLUMNS, add_products, eliminate, factor, inverted};
use crate::error::{shape, within};
use crate::{LinalgError, Real};

/// Rows of numbers somewhere outside the memory, read and written by columns.
pub trait RowStore<T> {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Length of a row.
    fn columns(&self) -> usize;

    /// Reads columns `from..from + length` of all rows, row after row.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn read(&mut self, from: usize, length: usize, tile: &mut [T]) -> std::io::Result<()>;

    /// Writes them.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn write(&mut self, from: usize, length: usize, tile: &[T]) -> std::io::Result<()>;
}

/// Rows in a file, little-endian, one after the other.
#[derive(Debug)]
pub struct FileRows {
    file: File,
    rows: usize,
    columns: usize,
    /// Bytes of an element, once there is a row.
    width: Option<usize>,
    bytes: Vec<u8>,
}

impl FileRows {
    /// Rows of `columns` numbers in an empty file that can be read and written.
    #[must_use]
    pub fn new(file: File, columns: usize) -> Self {
        Self {
            file,
            rows: 0,
            columns,
            width: None,
            bytes: Vec::new(),
        }
    }

    /// Adds a row at the end.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for another length, or another type than that of the rows before;
    /// [`LinalgError::Operator`] for numbers that are not finite; [`LinalgError::Storage`].
    pub fn push<T: Real>(&mut self, row: &[T]) -> Result<(), LinalgError> {
        shape("elements of a gradient", self.columns, row.len())?;
        if !T::all_finite(row) {
            return Err(ansatz_core::EvalError::NonFinite { what: "gradient" }.into());
        }
        let width = size_of::<T>();
        shape("bytes of an element", self.width.unwrap_or(width), width)?;
        let at = (self.rows * self.columns * size_of::<T>()) as u64;
        self.file.seek(SeekFrom::Start(at))?;
        encode(row, &mut self.bytes);
        self.file.write_all(&self.bytes)?;
        self.rows += 1;
        self.width = Some(width);
        Ok(())
    }

    /// Goes to an element; refuses to read one type as another.
    fn seek<T>(&mut self, row: usize, from: usize) -> std::io::Result<()> {
        if self.width.is_some_and(|width| width != size_of::<T>()) {
            let problem = "the rows were written in another precision";
            return Err(Error::new(ErrorKind::InvalidData, problem));
        }
        let at = ((row * self.columns + from) * size_of::<T>()) as u64;
        self.file.seek(SeekFrom::Start(at)).map(drop)
    }
}

impl<T: Real> RowStore<T> for FileRows {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn read(&mut self, from: usize, length: usize, tile: &mut [T]) -> std::io::Result<()> {
        for (row, values) in tile.chunks_exact_mut(length).enumerate() {
            self.seek::<T>(row, from)?;
            self.bytes.resize(length * size_of::<T>(), 0);
            self.file.read_exact(&mut self.bytes)?;
            decode(&self.bytes, values);
        }
        Ok(())
    }

    fn write(&mut self, from: usize, length: usize, tile: &[T]) -> std::io::Result<()> {
        for (row, values) in tile.chunks_exact(length).enumerate() {
            self.seek::<T>(row, from)?;
            encode(values, &mut self.bytes);
            self.file.write_all(&self.bytes)?;
        }
        Ok(())
    }
}

fn encode<T: Scalar>(values: &[T], bytes: &mut Vec<u8>) {
    bytes.clear();
    for value in values {
        let exact = value.f64();
        if size_of::<T>() == 4 {
            bytes.extend((exact as f32).to_le_bytes());
        } else {
            bytes.extend(exact.to_le_bytes());
        }
    }
}

fn decode<T: Scalar>(bytes: &[u8], values: &mut [T]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(size_of::<T>())) {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        *value = T::of(if bytes.len() == 4 {
            f64::from(f32::from_le_bytes([wide[0], wide[1], wide[2], wide[3]]))
        } else {
            f64::from_le_bytes(wide)
        });
    }
}

/// F⁻¹ of gradients in a [`RowStore`], in their place: two passes of reading and one of writing to set up, two of
/// reading for a product. Memory: a page of m×`page` numbers and 8m² bytes.
///
/// The published way pages by rows, which reads each page once for every later one; by columns it is one pass.
#[derive(Debug)]
pub struct PagedFisher<T, R> {
    store: R,
    damping: f64,
    page: usize,
    tile: Vec<T>,
}

impl<T: Real, R: RowStore<T>> PagedFisher<T, R> {
    /// Sets up F⁻¹, `page` columns at a time.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for an empty store, an empty page, or a damping that is not positive;
    /// [`LinalgError::NotPositiveDefinite`] when rounding has destroyed the products;
    /// [`LinalgError::Storage`]. A failure while it writes leaves the store in between: keep the gradients elsewhere
    /// when they are dear.
    pub fn new(mut store: R, page: usize, damping: f64) -> Result<Self, LinalgError> {
        damping_in_range(damping)?;
        let (m, d) = (store.rows(), store.columns());
        within("page", page as f64, 1.0.., "at least 1 column")?;
        within("gradients", m as f64, 1.0.., "at least 1")?;
        within("elements of a gradient", d as f64, 1.0.., "at least 1")?;
        let page = page.min(d);
        let mut tile = Vec::new();
        let mut piece = Vec::new();
        let mut s = Mat::zeros(m, m);
        let mut product = Mat::zeros(m, m);
        each_page(&mut store, page, &mut tile, |_, _, tile, length| {
            for from in (0..length).step_by(COLUMNS) {
                let to = (from + COLUMNS).min(length);
                piece.clear();
                for row in tile.chunks_exact(length) {
                    piece.extend_from_slice(&row[from..to]);
                }
                add_products(&piece, m, &mut product, &mut s);
            }
            Ok(())
        })?;
        factor(&mut s, damping)?;
        let inverse = inverted::<T>(&s, damping);
        let mut done = Vec::new();
        each_page(&mut store, page, &mut tile, |store, from, tile, length| {
            done.resize(tile.len(), T::zero());
            eliminate(inverse.as_ref(), tile, &mut done);
            store.write(from, length, &done)
        })?;
        Ok(Self {
            store,
            damping,
            page,
            tile,
        })
    }

    /// `y ← F⁻¹x`.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::Operator`] for numbers that are not finite; [`LinalgError::Storage`], y then
    /// holds nothing of use.
    pub fn apply_inverse(&mut self, x: &[T], y: &mut [T]) -> Result<(), LinalgError> {
        let (m, d) = (self.store.rows(), self.store.columns());
        shape("vector", d, x.len())?;
        shape("result", d, y.len())?;
        if !T::all_finite(x) {
            return Err(ansatz_core::EvalError::NonFinite { what: "vector" }.into());
        }
        let mut weights = vec![0.0; m];
        let (store, tile) = (&mut self.store, &mut self.tile);
        each_page(store, self.page, tile, |_, from, tile, length| {
            for (weight, row) in weights.iter_mut().zip(tile.chunks_exact(length)) {
                let pairs = row.iter().zip(&x[from..]);
                *weight += pairs.map(|(w, x)| w.f64() * x.f64()).sum::<f64>();
            }
            Ok(())
        })?;
        let mut sums = vec![0.0; self.page];
        each_page(store, self.page, tile, |_, from, tile, length| {
            let sums = &mut sums[..length];
            for (sum, x) in sums.iter_mut().zip(&x[from..]) {
                *sum = x.f64() / self.damping;
            }
            for (weight, row) in weights.iter().zip(tile.chunks_exact(length)) {
                for (sum, w) in sums.iter_mut().zip(row) {
                    *sum -= weight * w.f64();
                }
            }
            for (y, sum) in y[from..].iter_mut().zip(&*sums) {
                *y = T::of(*sum);
            }
            Ok(())
        })
    }
}

/// Runs `f` on each page: where it begins, its numbers row after row, the length of its rows.
fn each_page<T: Real, R: RowStore<T>>(
    store: &mut R,
    page: usize,
    tile: &mut Vec<T>,
    mut f: impl FnMut(&mut R, usize, &mut [T], usize) -> std::io::Result<()>,
) -> Result<(), LinalgError> {
    let (m, d) = (store.rows(), store.columns());
    for from in (0..d).step_by(page) {
        let length = page.min(d - from);
        tile.resize(m * length, T::zero());
        store.read(from, length, tile)?;
        f(store, from, tile, length)?;
    }
    Ok(())
}
