//! Data on irregular times, with holes.

use thiserror::Error;

/// Observations of one or more series on common times: rows of `[samples, channels]`, NaN where nothing
/// was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    times: Vec<f64>,
    values: Vec<f64>,
    samples: usize,
    channels: usize,
}

/// What stands in for what was not observed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// Between two observations.
    pub inside: Inside,
    /// Before the first observation: this value, or that of the first. (After the last one its value
    /// stays.)
    pub leading: Option<f64>,
}

/// How values between two observations are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Inside {
    /// On the straight line between them.
    #[default]
    Linear,
    /// The earlier one stays until the next: the only rule for data that arrive while the model runs.
    Forward,
}

impl Series {
    /// `values` is `[times, samples, channels]`, row-major.
    ///
    /// # Errors
    /// [`PathError::Knots`], [`PathError::Times`], [`PathError::Length`], [`PathError::Infinite`].
    ///
    /// ```
    /// use ansatz_diffeq::path::{Fill, Series};
    /// let hole = f64::NAN;
    /// let series = Series::new(vec![0.0, 1.0, 3.0], vec![1.0, 0.0, hole, 2.0, 4.0, hole], 1, 2)?;
    /// let filled = series.fill(Fill::default())?;
    /// assert_eq!(filled.row(1), [2.0, 2.0]); // on the line
    /// assert_eq!(filled.row(2), [4.0, 2.0]); // the last stays
    /// # Ok::<(), ansatz_diffeq::path::PathError>(())
    /// ```
    pub fn new(
        times: Vec<f64>,
        values: Vec<f64>,
        samples: usize,
        channels: usize,
    ) -> Result<Self, PathError> {
        if times.len() < 2 {
            return Err(PathError::Knots { got: times.len() });
        }
        if let Some(row) = (0..times.len())
            .find(|i| !times[*i].is_finite() || (*i > 0 && times[*i] <= times[*i - 1]))
        {
            return Err(PathError::Times {
                row,
                time: times[row],
            });
        }
        let width = samples * channels;
        let expected = times.len() * width;
        if width == 0 || values.len() != expected {
            let got = values.len();
            return Err(PathError::Length { expected, got });
        }
        if let Some(i) = values.iter().position(|x| x.is_infinite()) {
            return Err(PathError::Infinite {
                row: i / width,
                channel: i % width,
            });
        }
        Ok(Self {
            times,
            values,
            samples,
            channels,
        })
    }

    /// Times of the rows.
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Row `i`, `[samples, channels]`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width()..][..self.width()]
    }

    /// Numbers in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.samples * self.channels
    }

    /// Series on these times.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Channels of each series.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Replaces what is missing.
    ///
    /// # Errors
    /// [`PathError::Unobserved`] when a channel of a sample has no observation at all.
    pub fn fill(mut self, rule: Fill) -> Result<Self, PathError> {
        let (n, width) = (self.times.len(), self.width());
        for channel in 0..width {
            let at = |i: usize| i * width + channel;
            let next_from = |values: &[f64], i: usize| (i..n).find(|i| !values[at(*i)].is_nan());
            let Some(first) = next_from(&self.values, 0) else {
                return Err(PathError::Unobserved { channel });
            };
            let leading = rule.leading.unwrap_or(self.values[at(first)]);
            (0..first).for_each(|i| self.values[at(i)] = leading);
            let mut known = first;
            while known + 1 < n {
                let next = next_from(&self.values, known + 1);
                let x = self.values[at(known)];
                let slope = match (next, rule.inside) {
                    (Some(j), Inside::Linear) => {
                        (self.values[at(j)] - x) / (self.times[j] - self.times[known])
                    }
                    _ => 0.0,
                };
                for i in known + 1..next.unwrap_or(n) {
                    self.values[at(i)] = x + slope * (self.times[i] - self.times[known]);
                }
                known = next.unwrap_or(n);
            }
        }
        Ok(self)
    }

    /// The same with time as channel 0 of every sample: without it an equation cannot see how fast data
    /// came.
    #[must_use]
    pub fn with_time(self) -> Self {
        let times = self.times.clone();
        self.widened(1, |i, _, row, out| {
            out.push(times[i]);
            out.extend_from_slice(row);
        })
    }

    /// The same with as many channels again at the end, which count the observations of each so far. To be
    /// called before [`Series::fill`].
    #[must_use]
    pub fn with_counts(self) -> Self {
        let (channels, width) = (self.channels, self.width());
        let mut counts = vec![0.0; width];
        self.widened(channels, |_, sample, row, out| {
            out.extend_from_slice(row);
            let counts = &mut counts[sample * channels..][..channels];
            for (count, x) in counts.iter_mut().zip(row) {
                *count += f64::from(u8::from(!x.is_nan()));
            }
            out.extend_from_slice(counts);
        })
    }

    /// The path that moves time first and data after: rows (t₀, x₀), (t₁, x₀), (t₁, x₁), (t₂, x₁), … with time
    /// as channel 0, on the parameter 0, 1, 2, …; row `i` of the data is met at 2i. Fill with
    /// [`Inside::Forward`] before, take [`Path::linear`](super::Path::linear) after.
    #[must_use]
    pub fn rectilinear(self) -> Self {
        let times = self.times.clone();
        let timed = self.with_time();
        let (width, channels) = (timed.width(), timed.channels);
        let rows = 2 * times.len() - 1;
        let mut values = Vec::with_capacity(rows * width);
        for (i, t) in times.iter().enumerate() {
            if i > 0 {
                for sample in timed.row(i - 1).chunks(channels) {
                    values.push(*t);
                    values.extend_from_slice(&sample[1..]);
                }
            }
            values.extend_from_slice(timed.row(i));
        }
        Self {
            times: (0..rows).map(|i| i as f64).collect(),
            values,
            ..timed
        }
    }

    /// A series with more channels, whose rows of a sample `make` appends.
    fn widened(
        self,
        more: usize,
        mut make: impl FnMut(usize, usize, &[f64], &mut Vec<f64>),
    ) -> Self {
        let channels = self.channels + more;
        let mut values = Vec::with_capacity(self.times.len() * self.samples * channels);
        for i in 0..self.times.len() {
            for (sample, row) in self.row(i).chunks(self.channels).enumerate() {
                make(i, sample, row, &mut values);
            }
        }
        Self {
            values,
            channels,
            ..self
        }
    }

    /// Whether every value is there.
    pub(crate) fn complete(&self) -> Result<(), PathError> {
        match self.values.iter().position(|x| x.is_nan()) {
            None => Ok(()),
            Some(i) => Err(PathError::Missing {
                row: i / self.width(),
                channel: i % self.width(),
            }),
        }
    }
}

/// Data of which no path can be made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// Too few rows.
    #[error("{got} knots make no path: at least 2")]
    Knots {
        /// Rows given.
        got: usize,
    },
    /// Times that do not increase.
    #[error("time {time} of row {row} is not finite or not after the one before")]
    Times {
        /// The row.
        row: usize,
        /// Its time.
        time: f64,
    },
    /// Another number of values than times, samples and channels say.
    #[error("{got} values, expected {expected} (times × samples × channels, none of them 0)")]
    Length {
        /// Values required.
        expected: usize,
        /// Values found.
        got: usize,
    },
    /// An infinite observation.
    #[error("the observation of row {row}, channel {channel} is infinite")]
    Infinite {
        /// The row.
        row: usize,
        /// Position in the row.
        channel: usize,
    },
    /// A path was asked for before the holes were filled.
    #[error("row {row} has no value for channel {channel}: call `fill` first")]
    Missing {
        /// The row.
        row: usize,
        /// Position in the row.
        channel: usize,
    },
    /// Nothing was ever observed.
    #[error(
        "channel {channel} has no observation: leave it out, or put a value into the first row"
    )]
    Unobserved {
        /// Position in the rows.
        channel: usize,
    },
    /// A depth or size of signatures that cannot be.
    #[error("{name} = {value} is not allowed: {allowed}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
}
