//! Resampling: n weighted particles become m equal ones without bias.
//!
//! With normalised weights Wᵢ, each scheme draws m ancestors so that particle i is expected m·Wᵢ times.
//! All are one engine: positions that ascend in [0, 1) are laid along the cumulative weights, and a
//! particle is taken once for every position in its interval.
//!
//! | scheme | positions, k = 0, …, m − 1 | variance of the count of i |
//! |---|---|---|
//! | multinomial | order statistics of m uniform numbers | m·Wᵢ(1 − Wᵢ) |
//! | residual | ⌊m·Wᵢ⌋ copies for certain; R left, multinomial on the remainders rᵢ | R·ρᵢ(1 − ρᵢ), ρᵢ = rᵢ/R |
//! | stratified | (k + uₖ)/m | Σₖ pₖᵢ(1 − pₖᵢ), pₖᵢ the part of interval k that lies in cell i |
//! | systematic | (k + u)/m | f(1 − f), f the fraction of m·Wᵢ |
//!
//! Order statistics come one by one, from `1 − U₍ₖ₎ = ∏ vⱼ^(1/(m−j))`, so nothing is sorted.
//!
//! Cost: O(n + m), three exponentials a particle, no memory but the caller's. Ancestors ascend.
//!
//! Use systematic or stratified resampling. Residual and stratified resampling never have a larger
//! variance than multinomial; systematic resampling has the least of each count, but no such theorem
//! for sums over particles in an unlucky order. Multinomial is what most theory assumes.
//!
//! Reference: R. Douc, O. Cappé, E. Moulines, *Comparison of resampling schemes for particle
//! filtering*, 2005.

use ansatz_core::Key;

use crate::WeightError;
use crate::weights::largest;

/// A scheme of resampling.
///
/// ```
/// use ansatz_core::Key;
/// use ansatz_stats::Resampler;
/// let log_weights = [0.5_f64.ln(), f64::NEG_INFINITY, 0.25_f64.ln(), 0.25_f64.ln()];
/// let mut ancestors = [0; 4];
/// Resampler::Systematic.resample(&log_weights, Key::new(1), 0, &mut ancestors)?;
/// assert_eq!(ancestors, [0, 0, 2, 3]); // counts are m·W, where these are whole
/// # Ok::<(), ansatz_stats::WeightError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Resampler {
    /// Independent draws.
    Multinomial,
    /// Whole copies first, independent draws for the rest.
    Residual,
    /// One draw in each of m equal intervals.
    Stratified,
    /// One draw for all.
    #[default]
    Systematic,
}

impl Resampler {
    /// All schemes, for tests and tables.
    pub const ALL: [Self; 4] = [
        Self::Multinomial,
        Self::Residual,
        Self::Stratified,
        Self::Systematic,
    ];

    /// Draws `ancestors.len()` particles, in ascending order.
    ///
    /// The result is a function of the weights, the key and the stream. A particle of weight zero is
    /// never drawn.
    ///
    /// # Errors
    /// [`WeightError`] for weights that describe no distribution; `ancestors` is then unchanged.
    pub fn resample(
        self,
        log_weights: &[f64],
        key: Key,
        stream: u64,
        ancestors: &mut [usize],
    ) -> Result<(), WeightError> {
        self.resample_with(
            log_weights,
            |k| key.uniform(stream, k / 2)[(k % 2) as usize],
            ancestors,
        )
    }

    /// The same with uniform numbers of any origin: number k is asked for once, in order.
    ///
    /// Systematic resampling asks for one, the others for at most one per ancestor. Numbers lie in
    /// [0, 1).
    ///
    /// # Errors
    /// [`WeightError`] for weights that describe no distribution; `ancestors` is then unchanged.
    pub fn resample_with(
        self,
        log_weights: &[f64],
        mut uniform: impl FnMut(u64) -> f64,
        ancestors: &mut [usize],
    ) -> Result<(), WeightError> {
        let top = largest(log_weights)?;
        let m = ancestors.len();
        if m == 0 {
            return Ok(());
        }
        let sum: f64 = log_weights.iter().map(|w| (w - top).exp()).sum();
        let scale = m as f64 / sum;
        // Copies for certain, and the expected number beyond them.
        let share = |w: f64| {
            let expected = (w - top).exp() * scale;
            match self {
                Self::Residual => (expected.floor() as usize, expected.fract()),
                _ => (0, expected),
            }
        };
        let (mut certain, mut total, mut last) = (0, 0.0, 0);
        for (i, w) in log_weights.iter().enumerate() {
            let (whole, part) = share(*w);
            certain += whole;
            total += part;
            if part > 0.0 {
                last = i;
            }
        }
        // Rounding may bring the certain copies to more than m only where all expectations are whole.
        let drawn = m.saturating_sub(certain);
        let (mut left, mut shared) = (1.0, 0.0);
        let mut position = |k: usize| match self {
            Self::Systematic => {
                if k == 0 {
                    shared = uniform(0);
                }
                (k as f64 + shared) / drawn as f64
            }
            Self::Stratified => (k as f64 + uniform(k as u64)) / drawn as f64,
            Self::Multinomial | Self::Residual => {
                let v = 1.0 - uniform(k as u64);
                left *= v.powf(1.0 / (drawn - k) as f64);
                1.0 - left
            }
        };
        let (mut filled, mut k, mut cumulative) = (0, 0, 0.0);
        let mut next = if drawn > 0 { position(0) * total } else { 0.0 };
        for (i, w) in log_weights.iter().enumerate() {
            let (whole, part) = share(*w);
            cumulative += part;
            let mut count = whole;
            // Rounding of the last sum must lose no position.
            while k < drawn && (next < cumulative || i == last) {
                count += 1;
                k += 1;
                if k < drawn {
                    next = position(k) * total;
                }
            }
            let end = (filled + count).min(m);
            ancestors[filled..end].fill(i);
            filled = end;
        }
        Ok(())
    }
}

/// One draw from weights, by inversion at `u` in [0, 1).
///
/// # Errors
/// [`WeightError`] for weights that describe no distribution.
///
/// ```
/// let log_weights = [0.25_f64.ln(), 0.75_f64.ln()];
/// assert_eq!(ansatz_stats::categorical(&log_weights, 0.2)?, 0);
/// assert_eq!(ansatz_stats::categorical(&log_weights, 0.3)?, 1);
/// # Ok::<(), ansatz_stats::WeightError>(())
/// ```
pub fn categorical(log_weights: &[f64], u: f64) -> Result<usize, WeightError> {
    let mut drawn = [0];
    Resampler::Systematic.resample_with(log_weights, |_| u, &mut drawn)?;
    Ok(drawn[0])
}
