//! Small real data sets that travel with the crate, and the reader of a larger one that does not.

use ansatz_core::Key;

pub use crate::idx::{Images, mnist};

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

static VOWELS: &[u8] = include_bytes!("../data/vowels.i16");

/// Time series of one length each, with a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Values, `[length, channels]`: observation after observation. NaN is missing.
    pub values: Vec<f32>,
    /// Class, from 0.
    pub label: u8,
}

/// Utterances of nine speakers, in training and test part.
#[derive(Debug, Clone, PartialEq)]
pub struct Vowels {
    /// 270 utterances, 30 of each speaker.
    pub train: Vec<Series>,
    /// 370 utterances of the same speakers on other occasions, 24 to 88 each.
    pub test: Vec<Series>,
}

impl Vowels {
    /// Coefficients per observation.
    pub const CHANNELS: usize = 12;

    /// Number of speakers.
    pub const CLASSES: usize = 9;

    /// Utterances of the training part.
    pub const TRAIN: usize = 270;
}

impl Series {
    /// The series with a part of its observations missing: each but the first and the last, with all its
    /// channels, becomes NaN with probability `rate`. A function of `key` alone; give each series its own
    /// (`key.fold_in(i)`).
    ///
    /// Rates of 0.3, 0.5 and 0.7 are those of P. Kidger, J. Morrill, J. Foster, T. Lyons, *Neural controlled
    /// differential equations for irregular time series*, 2020, section 4.1.
    ///
    /// ```
    /// use ansatz_core::Key;
    /// use ansatz_testkit::data;
    /// let whole = &data::vowels().train[0];
    /// let part = whole.with_missing(12, 0.5, Key::new(1));
    /// let seen = part.values.iter().filter(|v| v.is_finite()).count();
    /// assert!(seen >= 24 && seen < whole.values.len());
    /// ```
    #[must_use]
    pub fn with_missing(&self, channels: usize, rate: f64, key: Key) -> Self {
        let mut values = self.values.clone();
        let length = values.len() / channels.max(1);
        for (i, row) in values.chunks_exact_mut(channels.max(1)).enumerate() {
            let inner = i > 0 && i + 1 < length;
            if inner && key.uniform(0, i as u64)[0] < rate {
                row.fill(f32::NAN);
            }
        }
        Self {
            values,
            label: self.label,
        }
    }
}

/// 640 utterances of the Japanese vowels /ae/ by nine men, as 7 to 29 observations of 12 cepstrum
/// coefficients, 6.4 ms apart; which speaker is it? Coefficients are rounded to 2⁻¹³.
///
/// Reference: M. Kudo, J. Toyama, M. Shimbo, *Japanese Vowels*, UCI Machine Learning Repository, DOI
/// 10.24432/C5NS47; licence CC BY 4.0. The same authors, *Multidimensional curve classification using
/// passing-through regions*, 1999: 94.1 % of the test part.
///
/// ```
/// use ansatz_testkit::data::{self, Vowels};
/// let vowels = data::vowels();
/// assert_eq!((vowels.train.len(), vowels.test.len()), (270, 370));
/// assert_eq!(vowels.train[0].values.len(), 20 * Vowels::CHANNELS);
/// ```
#[must_use]
pub fn vowels() -> Vowels {
    let mut rest = VOWELS;
    let mut all = Vec::new();
    // A record is a label, a length and so many observations.
    while let [label, length, tail @ ..] = rest {
        let bytes = 2 * Vowels::CHANNELS * usize::from(*length);
        let (values, next) = tail.split_at(bytes.min(tail.len()));
        let value = |b: &[u8]| f32::from(i16::from_le_bytes([b[0], b[1]])) / 8192.0;
        all.push(Series {
            values: values.chunks_exact(2).map(value).collect(),
            label: *label,
        });
        rest = next;
    }
    let test = all.split_off(Vowels::TRAIN);
    Vowels { train: all, test }
}
