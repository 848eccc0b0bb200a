//! Randomness as a pure function: a counter-based generator with named streams.
//!
//! Philox4x32-10 maps (key, stream, counter) to 128 random bits (J. Salmon, M. Moraes, R. Dror,
//! D. Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011). Nothing is stored, so noise
//! is the same for any number of threads, after a restart, and when an inversion asks for it again.

mod normal;

use rayon::prelude::*;

use crate::Scalar;

/// Multipliers and key increments of Philox4x32 (table 2 of the paper).
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// Stream reserved for [`Key::fold_in`], apart from every stream a user would name.
const FOLD: u64 = u64::MAX;

/// Elements that one task fills; even, so that no pair of normals is cut.
const CHUNK: usize = 1 << 12;

/// Names of the random streams, so that adding one consumer never changes another's noise.
pub mod stream {
    /// The initial noise of a sampler.
    pub const INITIAL: u64 = 0;

    /// The noise of step `i` of the main solver.
    #[must_use]
    pub const fn step(i: u64) -> u64 {
        1 + 2 * i
    }

    /// Draw number `i` of a corrector that runs between the steps.
    #[must_use]
    pub const fn corrector(i: u64) -> u64 {
        2 + 2 * i
    }
}

/// The source of every random choice. Copy it freely: it is a number, not a state.
///
/// ```
/// use ansatz_core::{Key, stream};
/// let key = Key::new(7);
/// let mut x = vec![0.0_f64; 4];
/// key.fill_normal(stream::INITIAL, &mut x);
/// let mut y = vec![0.0_f64; 2];
/// key.fill_normal(stream::INITIAL, &mut y);
/// assert_eq!(x[..2], y); // element i depends on (key, stream, i) only
/// assert_ne!(key.fold_in(0), key.fold_in(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// A key from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number that the key is: what the same generator on another device is started with.
    #[must_use]
    pub const fn seed(self) -> u64 {
        self.0
    }

    /// An independent key, for the `i`-th of several consumers.
    #[must_use]
    pub fn fold_in(self, i: u64) -> Self {
        let [a, b, ..] = self.bits(FOLD, i);
        Self(u64::from(a) | u64::from(b) << 32)
    }

    /// 128 random bits as a function of (key, stream, counter).
    #[must_use]
    pub fn bits(self, stream: u64, counter: u64) -> [u32; 4] {
        self.lanes::<1>(stream, counter).map(|[w]| w)
    }

    /// The bits of `N` counters from `first` on, word by word.
    #[inline(always)]
    fn lanes<const N: usize>(self, stream: u64, first: u64) -> [[u32; N]; 4] {
        let counter: [u64; N] = std::array::from_fn(|i| first.wrapping_add(i as u64));
        let input = [
            counter.map(|c| c as u32),
            counter.map(|c| (c >> 32) as u32),
            [stream as u32; N],
            [(stream >> 32) as u32; N],
        ];
        philox(input, [self.0 as u32, (self.0 >> 32) as u32])
    }

    /// Two numbers uniform in [0, 1), with 53 bits each.
    #[must_use]
    pub fn uniform(self, stream: u64, counter: u64) -> [f64; 2] {
        self.words(stream, counter)
            .map(|w| (w >> 11) as f64 * EPSILON_53)
    }

    /// Two independent standard normal numbers (Box-Muller).
    ///
    /// Logarithm, sine and cosine are computed here in plain arithmetic, so the bits do not depend on
    /// the platform.
    #[must_use]
    pub fn normal(self, stream: u64, counter: u64) -> [f64; 2] {
        let [[x], [y]] = normal::pairs(self, stream, counter);
        [x, y]
    }

    /// Fills `out` with standard normal numbers: element `i` is a function of (key, stream, `i`), the
    /// numbers of [`Key::normal`] in order.
    ///
    /// An `f32` value is the `f64` value rounded. Cost: about 6 ns per number and core.
    pub fn fill_normal<T: Scalar>(self, stream: u64, out: &mut [T]) {
        if out.len() <= CHUNK {
            normal::fill(self, stream, 0, out);
        } else {
            out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, c)| {
                normal::fill(self, stream, (i * CHUNK / 2) as u64, c);
            });
        }
    }

    fn words(self, stream: u64, counter: u64) -> [u64; 2] {
        let [a, b, c, d] = self.bits(stream, counter);
        [
            u64::from(a) | u64::from(b) << 32,
            u64::from(c) | u64::from(d) << 32,
        ]
    }
}

/// 2⁻⁵³
const EPSILON_53: f64 = f64::EPSILON / 2.0;

/// Ten rounds on `N` counters at once; `key` is shared. Lanes are independent, so that the compiler
/// turns them into vector instructions.
#[inline(always)]
fn philox<const N: usize>(mut c: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for i in 0..N {
            let p = u64::from(MULTIPLIER[0]) * u64::from(c[0][i]);
            let q = u64::from(MULTIPLIER[1]) * u64::from(c[2][i]);
            let (c1, c3) = (c[1][i], c[3][i]);
            c[0][i] = (q >> 32) as u32 ^ c1 ^ key[0];
            c[1][i] = q as u32;
            c[2][i] = (p >> 32) as u32 ^ c3 ^ key[1];
            c[3][i] = p as u32;
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::philox;

    fn one(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
        philox(counter.map(|c| [c]), key).map(|[w]| w)
    }

    /// Known-answer vectors of the Random123 distribution (`kat_vectors`, philox4x32 10).
    #[test]
    fn philox_matches_the_published_vectors() {
        assert_eq!(
            one([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            one([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            one(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
