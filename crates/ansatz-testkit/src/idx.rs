//! Images and labels in the files of the MNIST database.
//!
//! An IDX file is a magic number (0, 0, type, number of axes), the lengths of the axes in four bytes each, the most significant
//! first, and the elements; type 8 is unsigned bytes.
//!
//! Reference: Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*, 1998.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A data set on disk could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system could not read a file.
    #[error("{path}: {source}; `cargo xtask data` fetches data sets")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file of another kind.
    #[error(
        "{path} begins with {got:?}, not with {expected:?}: it is no IDX file of bytes with so many axes"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What such a file begins with.
        expected: [u8; 4],
        /// What it begins with.
        got: Vec<u8>,
    },
    /// A file that is cut off, or longer than it says.
    #[error("{path} has {got} bytes, its header says {expected}: fetch it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header says.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// Files that do not belong together.
    #[error("{images} images and {labels} labels in {folder}: they are of different sets")]
    Count {
        /// Where they are.
        folder: PathBuf,
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
}

/// Grey images of one size with a label each.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Pixels scaled to [-1, 1], `[count, rows, columns]`.
    pub images: Vec<f32>,
    /// The class of each image.
    pub labels: Vec<u8>,
    /// Rows and columns of an image.
    pub size: (usize, usize),
}

/// The MNIST database as it was published: `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, unpacked, in a folder, ink
/// from 0 (−1) to 255 (+1). `cargo xtask data mnist` writes 10 000 of the images to `target/data/mnist`.
///
/// # Errors
/// [`DataError`].
///
/// ```no_run
/// use ansatz_testkit::data;
/// let digits = data::mnist("target/data/mnist".as_ref())?;
/// assert_eq!(digits.size, (28, 28));
/// # Ok::<(), ansatz_testkit::DataError>(())
/// ```
pub fn mnist(folder: &Path) -> Result<Images, DataError> {
    let (lengths, pixels) = read(&folder.join("train-images-idx3-ubyte"), 3)?;
    let (_, labels) = read(&folder.join("train-labels-idx1-ubyte"), 1)?;
    if lengths[0] != labels.len() {
        return Err(DataError::Count {
            folder: folder.to_owned(),
            images: lengths[0],
            labels: labels.len(),
        });
    }
    let images = pixels.iter().map(|v| f32::from(*v) / 127.5 - 1.0);
    Ok(Images {
        images: images.collect(),
        labels,
        size: (lengths[1], lengths[2]),
    })
}

/// Lengths of the axes, and the bytes.
fn read(path: &Path, axes: u8) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let mut bytes = std::fs::read(path).map_err(|source| DataError::File {
        path: path.to_owned(),
        source,
    })?;
    let expected = [0, 0, 8, axes];
    if !bytes.starts_with(&expected) {
        return Err(DataError::Foreign {
            path: path.to_owned(),
            expected,
            got: bytes[..bytes.len().min(4)].to_vec(),
        });
    }
    let header = 4 + 4 * usize::from(axes);
    let cut = |expected: u64| DataError::Truncated {
        path: path.to_owned(),
        expected,
        got: bytes.len() as u64,
    };
    let Some(lengths) = bytes.get(4..header) else {
        return Err(cut(header as u64));
    };
    let lengths = lengths.chunks_exact(4);
    let lengths: Vec<u64> = lengths
        .map(|b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])))
        .collect();
    let count = lengths.iter().fold(1_u64, |n, l| n.saturating_mul(*l));
    let whole = count.saturating_add(header as u64);
    if whole != bytes.len() as u64 {
        return Err(cut(whole));
    }
    let values = bytes.split_off(header);
    Ok((lengths.into_iter().map(|l| l as usize).collect(), values))
}
