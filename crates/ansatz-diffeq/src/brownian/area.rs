//! Lévy areas between components, given increments and space-time areas.
//!
//! A_ij = ½∫(Wᵢ dWⱼ − Wⱼ dWᵢ) over an interval of length h has no cheap exact law given W. It
//! is split as A = H⊗W − W⊗H + B, where the first part is known, and the antisymmetric B is replaced by
//! Gaussian numbers with the conditional variance: given nothing, h²/12 (Davie); given H,
//! h²/20 + (h/5)(Hᵢ² + Hⱼ²) (Foster). Both give Var A_ij = h²/4 as the exact law does.
//!
//! References: A. Davie, *KMT theory applied to approximations of SDE*, 2014; J. Foster, *Numerical
//! approximations for stochastic differential equations*, 2020.

use ansatz_core::{Key, Scalar};

use super::BrownianError;

/// Which law replaces that of the remainder B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AreaApproximation {
    /// Variance h²/12.
    Davie,
    /// Variance h²/20 + (h/5)(Hᵢ² + Hⱼ²): the conditional one given H.
    Foster,
}

impl AreaApproximation {
    /// Fills `out`, `[batch, m, m]`, with areas for the increments `w` and space-time areas `h`, both `[batch, m]`,
    /// over an interval of the given length. `out` is antisymmetric in its last two axes.
    ///
    /// The noise is that of (key, stream): take a stream per interval. Joined intervals add their areas and
    /// ½(W_l⊗W_r − W_r⊗W_l); a draw for the union would not agree with that.
    ///
    /// # Errors
    /// [`BrownianError::Length`] when the lengths do not fit.
    ///
    /// ```
    /// use ansatz_core::Key;
    /// use ansatz_diffeq::brownian::AreaApproximation;
    /// let mut a = [0.0_f64; 4];
    /// AreaApproximation::Foster.draw(Key::new(1), 0, 0.5, 2, &[0.1, -0.4], &[0.2, 0.0], &mut a)?;
    /// assert_eq!(a[0], 0.0);
    /// assert_eq!(a[1], -a[2]);
    /// # Ok::<(), ansatz_diffeq::brownian::BrownianError>(())
    /// ```
    // One argument per quantity of the formula.
    #[allow(clippy::too_many_arguments)]
    pub fn draw<T: Scalar>(
        self,
        key: Key,
        stream: u64,
        length: f64,
        m: usize,
        w: &[T],
        h: &[T],
        out: &mut [T],
    ) -> Result<(), BrownianError> {
        let batch = w.len().checked_div(m).unwrap_or(0);
        for (what, expected, got) in [
            ("w", batch * m, w.len()),
            ("h", w.len(), h.len()),
            ("out", batch * m * m, out.len()),
        ] {
            if expected != got {
                return Err(BrownianError::Length {
                    what,
                    expected,
                    got,
                });
            }
        }
        if batch == 0 {
            return Ok(());
        }
        let pairs = m * (m - 1) / 2;
        let rows = w.chunks(m).zip(h.chunks(m)).zip(out.chunks_mut(m * m));
        for (row, ((w, h), out)) in rows.enumerate() {
            let mut pair = row * pairs;
            for i in 0..m {
                out[i * m + i] = T::zero();
                for j in i + 1..m {
                    let z = key.normal(stream, pair as u64 / 2)[pair % 2];
                    pair += 1;
                    let ([wi, wj], [hi, hj]) = ([w[i].f64(), w[j].f64()], [h[i].f64(), h[j].f64()]);
                    let variance = match self {
                        Self::Davie => length * length / 12.0,
                        Self::Foster => length * length / 20.0 + 0.2 * length * (hi * hi + hj * hj),
                    };
                    let a = hi * wj - wi * hj + variance.sqrt() * z;
                    out[i * m + j] = T::of(a);
                    out[j * m + i] = T::of(-a);
                }
            }
        }
        Ok(())
    }
}
