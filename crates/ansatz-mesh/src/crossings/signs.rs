//! Signs of samples, 64 to a word.

use ansatz_core::Scalar;

/// Signs of 64 samples; one where the sample is inside.
#[inline(always)]
fn pack_word<T: Scalar>(samples: &[T; 64], iso: T) -> u64 {
    let mut bytes = [0u8; 64];
    for (byte, x) in bytes.iter_mut().zip(samples) {
        *byte = u8::from(*x < iso);
    }
    let mut word = 0;
    for (m, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // The product moves the lowest bits of the bytes into the highest byte.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (8 * m);
    }
    word
}

/// Signs of a row; `words` are as many as it takes.
#[inline(always)]
pub(super) fn pack_row<T: Scalar>(row: &[T], iso: T, words: &mut [u64]) {
    let (full, rest) = row.as_chunks::<64>();
    for (word, samples) in words.iter_mut().zip(full) {
        *word = pack_word(samples, iso);
    }
    if let Some(last) = words.get_mut(full.len()) {
        *last = 0;
        for (bit, x) in rest.iter().enumerate() {
            *last |= u64::from(*x < iso) << bit;
        }
    }
}

/// Calls with the place of each one bit, ascending.
#[inline(always)]
pub(super) fn for_bits(mut word: u64, base: usize, mut visit: impl FnMut(usize)) {
    while word != 0 {
        visit(base + word.trailing_zeros() as usize);
        word &= word - 1;
    }
}

/// Bits of word `w` whose sample has a next one in the row.
#[inline(always)]
pub(super) fn before_last(w: usize, samples: usize) -> u64 {
    let left = samples - 1 - 64 * w;
    if left >= 64 { !0 } else { (1 << left) - 1 }
}

/// The signs of the samples one further along z.
#[inline(always)]
pub(super) fn shifted(row: &[u64], w: usize) -> u64 {
    row[w] >> 1 | row.get(w + 1).map_or(0, |next| next << 63)
}
