//! Signatures and log-signatures of paths, and what they are good for: few numbers that say what a path did
//! over an interval to any equation that it drives.
//!
//! The signature of X: [s, t] → ℝᶜ is S = 1 + Σ over words w = w₁…w_k of the iterated integrals
//! ∫dX^{w₁}…dX^{w_k}, truncated at a depth N. Over a straight piece Δ it is exp(Δ) in the tensor algebra, over two pieces
//! S(x∗y) = S(x)⊗S(y) (Chen). Appending a piece is one Horner scheme per level,
//! S_k ← (((Δ/k + S₁)⊗Δ/(k−1) + S₂)⊗… )⊗Δ + S_k. The log-signature log S = Σ(−1)ᵏ⁺¹(S − 1)ᵏ/k lies in the
//! free Lie algebra; its coefficients of the Lyndon words determine it.
//!
//! Sizes: Σ_{k≤N} cᵏ numbers, of which the log-signature keeps Σ_{k≤N} (1/k)Σ_{d|k} μ(d)c^{k/d}. Cost: O(cᴺ)
//! per piece. Use the log-signature over windows ([`windows`]) for long series: an equation then takes one
//! step per window instead of one per observation (log-ODE method).
//!
//! References: K. Chen, *Integration of paths, geometric invariants and a generalized Baker-Hausdorff
//! formula*, 1957; P. Kidger, T. Lyons, *Signatory: differentiable computations of the signature and
//! logsignature transforms*, 2021 (fused multiply-exponentiate, Lyndon words); J. Morrill, C. Salvi, P. Kidger,
//! J. Foster, *Neural rough differential equations for long time series*, 2021.

mod log_ode;
mod lyndon;

pub use log_ode::{linear_flow, windows};
pub use lyndon::{lyndon_count, lyndon_words};

use crate::path::PathError;

/// A truncated element of the tensor algebra over ℝᶜ, without its scalar part: level k holds cᵏ numbers, word
/// w₁…w_k at w₁cᵏ⁻¹ + … + w_k.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    channels: usize,
    depth: usize,
    /// Level k ends at `ends[k − 1]`.
    ends: Vec<usize>,
    values: Vec<f64>,
}

/// Largest number of coefficients: 128 MiB of them.
const MOST: usize = 1 << 24;

impl Tensor {
    fn zeros(channels: usize, depth: usize) -> Result<Self, PathError> {
        for (name, value) in [("channels", channels), ("depth", depth)] {
            if value == 0 {
                return Err(PathError::Option {
                    name,
                    value: 0.0,
                    allowed: "at least 1",
                });
            }
        }
        let (mut ends, mut size, mut total) = (Vec::with_capacity(depth), 1_usize, 0_usize);
        for _ in 0..depth {
            size = size.saturating_mul(channels);
            total = total.saturating_add(size);
            if total > MOST {
                return Err(PathError::Option {
                    name: "depth",
                    value: depth as f64,
                    allowed: "so deep that there are at most 2^24 words",
                });
            }
            ends.push(total);
        }
        Ok(Self {
            channels,
            depth,
            ends,
            values: vec![0.0; total],
        })
    }

    /// Dimension c of the path.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Longest words.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// All coefficients, level by level.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Coefficients of the words of length `k`, 1 ≤ k ≤ depth.
    ///
    /// # Panics
    /// When there is no such level.
    #[must_use]
    pub fn level(&self, k: usize) -> &[f64] {
        let start = if k == 1 { 0 } else { self.ends[k - 2] };
        &self.values[start..self.ends[k - 1]]
    }

    /// The coefficient of a word of letters 0..c; 0 for words longer than the depth.
    ///
    /// # Panics
    /// When the word is empty or has a letter that is no channel.
    #[must_use]
    pub fn coefficient(&self, word: &[usize]) -> f64 {
        assert!(!word.is_empty(), "a word has letters");
        assert!(
            word.iter().all(|w| *w < self.channels),
            "letters are channels"
        );
        if word.len() > self.depth {
            return 0.0;
        }
        let index = word.iter().fold(0, |i, w| i * self.channels + w);
        self.level(word.len())[index]
    }

    /// Coefficients of the Lyndon words, shorter words first, each length in alphabetical order.
    #[must_use]
    pub fn lyndon(&self) -> Vec<f64> {
        lyndon_words(self.channels, self.depth)
            .iter()
            .map(|w| self.coefficient(w))
            .collect()
    }

    /// `(s·1 + self) ← (s·1 + self)⊗(r·1 + other)` without the scalar part.
    fn multiply(&mut self, s: f64, other: &Self, r: f64) {
        for k in (1..=self.depth).rev() {
            let start = if k == 1 { 0 } else { self.ends[k - 2] };
            let (lower, upper) = self.values.split_at_mut(start);
            let out = &mut upper[..self.ends[k - 1] - start];
            for (x, y) in out.iter_mut().zip(other.level(k)) {
                *x = *x * r + s * y;
            }
            for j in 1..k {
                let first = if j == 1 { 0 } else { self.ends[j - 2] };
                let right = other.level(k - j);
                for (x, row) in lower[first..self.ends[j - 1]]
                    .iter()
                    .zip(out.chunks_mut(right.len()))
                {
                    for (o, y) in row.iter_mut().zip(right) {
                        *o += x * y;
                    }
                }
            }
        }
    }
}

/// The signature of a path that is still going on.
///
/// ```
/// use ansatz_diffeq::signature::Signature;
/// let mut s = Signature::new(2, 3)?;
/// for piece in [[1.0, 0.5], [0.5, 1.5], [-1.0, 0.5]] {
///     s.extend(&piece);
/// }
/// assert!((s.tensor().coefficient(&[0, 1]) - 21.0 / 8.0).abs() < 1e-14);
/// assert!((s.log().coefficient(&[0, 1]) - 2.0).abs() < 1e-14); // area to the left
/// # Ok::<(), ansatz_diffeq::path::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    tensor: Tensor,
    /// Partial sums of the Horner scheme.
    scratch: [Vec<f64>; 2],
}

impl Signature {
    /// The signature of a path that has not moved.
    ///
    /// # Errors
    /// [`PathError::Option`] for no channels, depth 0 or more than 2²⁴ words.
    pub fn new(channels: usize, depth: usize) -> Result<Self, PathError> {
        let tensor = Tensor::zeros(channels, depth)?;
        // The scheme never holds more than the level below the last.
        let room = channels.pow(depth.saturating_sub(1) as u32);
        Ok(Self {
            tensor,
            scratch: [vec![0.0; room], vec![0.0; room]],
        })
    }

    /// The signature of the straight lines through `points`, `[n, channels]`.
    ///
    /// # Errors
    /// [`PathError::Option`] as for [`Signature::new`]; [`PathError::Knots`] for fewer than 2 points;
    /// [`PathError::Length`] when they do not fill their rows.
    pub fn of_points(points: &[f64], channels: usize, depth: usize) -> Result<Self, PathError> {
        let mut s = Self::new(channels, depth)?;
        let rows = points.len() / channels;
        if rows * channels != points.len() {
            return Err(PathError::Length {
                expected: rows * channels,
                got: points.len(),
            });
        }
        if rows < 2 {
            return Err(PathError::Knots { got: rows });
        }
        let mut piece = vec![0.0; channels];
        for (x, next) in points
            .chunks(channels)
            .zip(points[channels..].chunks(channels))
        {
            for ((d, x), next) in piece.iter_mut().zip(x).zip(next) {
                *d = next - x;
            }
            s.extend(&piece);
        }
        Ok(s)
    }

    /// Appends a straight piece.
    ///
    /// # Panics
    /// When it has another number of channels.
    pub fn extend(&mut self, piece: &[f64]) {
        let c = self.tensor.channels;
        assert_eq!(piece.len(), c, "a piece has one number per channel");
        for k in (1..=self.tensor.depth).rev() {
            let [sum, next] = &mut self.scratch;
            let mut size = 1;
            sum[0] = 1.0;
            // sum ← sum⊗Δ/(k − j + 1) + S_j
            for j in 1..=k {
                let scale = 1.0 / (k - j + 1) as f64;
                let start = if j == 1 { 0 } else { self.tensor.ends[j - 2] };
                let level = &mut self.tensor.values[start..self.tensor.ends[j - 1]];
                let rows = sum[..size].iter().zip(level.chunks_mut(c));
                if j == k {
                    for (s, row) in rows {
                        for (x, d) in row.iter_mut().zip(piece) {
                            *x += s * d;
                        }
                    }
                } else {
                    for ((s, row), out) in rows.zip(next.chunks_mut(c)) {
                        for ((o, x), d) in out.iter_mut().zip(row).zip(piece) {
                            *o = *x + s * scale * d;
                        }
                    }
                    std::mem::swap(sum, next);
                    size *= c;
                }
            }
        }
    }

    /// Appends a path whose signature is known (Chen's relation).
    ///
    /// # Panics
    /// When channels or depth differ.
    pub fn join(&mut self, next: &Self) {
        let (a, b) = (&self.tensor, &next.tensor);
        assert_eq!(
            (a.channels, a.depth),
            (b.channels, b.depth),
            "signatures of one kind"
        );
        self.tensor.multiply(1.0, &next.tensor, 1.0);
    }

    /// Back to a path that has not moved.
    pub fn reset(&mut self) {
        self.tensor.values.fill(0.0);
    }

    /// The iterated integrals.
    #[must_use]
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The log-signature, on all words.
    #[must_use]
    pub fn log(&self) -> Tensor {
        let x = &self.tensor;
        // log(1 + x) = x·(1 − x·(1/2 − x·(1/3 − …)))
        let mut sum = x.clone();
        sum.values.fill(0.0);
        let mut scalar = 1.0 / x.depth as f64;
        for k in (1..x.depth).rev() {
            // sum ← 1/k − sum⊗x
            sum.multiply(scalar, x, 0.0);
            sum.values.iter_mut().for_each(|v| *v = -*v);
            scalar = 1.0 / k as f64;
        }
        sum.multiply(scalar, x, 0.0);
        sum
    }
}
