//! Small real data sets that travel with the crate.

/// Bytes per record: 64 pixels and a label.
const RECORD: usize = 65;

static DIGITS: &[u8] = include_bytes!("../data/digits.u8");

/// Handwritten digits, 8×8 pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    /// Pixels scaled to [-1, 1], `[1797, 64]`: image after image, row after row.
    pub images: Vec<f32>,
    /// The digit of each image, `[1797]`.
    pub labels: Vec<u8>,
}

impl Digits {
    /// Pixels per image.
    pub const DIM: usize = 64;

    /// Pixels per side of an image.
    pub const SIDE: usize = 8;

    /// Number of images.
    pub const COUNT: usize = 1797;

    /// Image number `i`, `[64]`, or `None` past the end.
    #[must_use]
    pub fn image(&self, i: usize) -> Option<&[f32]> {
        self.images.chunks_exact(Self::DIM).nth(i)
    }

    /// The images of one class, `[n, 64]`.
    #[must_use]
    pub fn of_class(&self, label: u8) -> Vec<f32> {
        self.images
            .chunks_exact(Self::DIM)
            .zip(&self.labels)
            .filter(|(_, l)| **l == label)
            .flat_map(|(image, _)| image.iter().copied())
            .collect()
    }
}

/// 1797 handwritten digits of 13 writers, 8×8 pixels, from ink 0 (−1) to 16 (+1).
///
/// Reference: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine
/// Learning Repository, 1998, DOI 10.24432/C50P49 (test part); licence CC BY 4.0.
///
/// ```
/// use ansatz_testkit::{Empirical, data};
/// let digits = data::digits();
/// assert_eq!(digits.labels[..4], [0, 1, 2, 3]);
/// let model = Empirical::new(&digits.images, data::Digits::DIM)?; // the ideal denoiser of digits
/// # Ok::<(), ansatz_testkit::ModelError>(())
/// ```
#[must_use]
pub fn digits() -> Digits {
    let records = || DIGITS.chunks_exact(RECORD);
    Digits {
        images: records()
            .flat_map(|r| &r[..Digits::DIM])
            .map(|v| f32::from(*v) / 8.0 - 1.0)
            .collect(),
        labels: records().map(|r| r[Digits::DIM]).collect(),
    }
}
