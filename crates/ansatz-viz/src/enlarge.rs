//! Smooth enlargement of small images, which the eye reads better than blocks.

use crate::VizError;

/// Images `[count, height, width]` made `factor` times larger each way by Catmull-Rom splines (R. Keys, *Cubic
/// convolution interpolation for digital image processing*, 1981, a = −½); edges repeat their last pixel.
///
/// ```
/// let large = ansatz_viz::enlarge(&[0.0, 1.0, 0.0, 1.0], 2, 2, 8)?;
/// assert_eq!(large.len(), 16 * 16);
/// # Ok::<(), ansatz_viz::VizError>(())
/// ```
///
/// # Errors
/// [`VizError::Length`] if `values` is not a whole number of images, [`VizError::OutOfRange`] for a factor of zero.
pub fn enlarge(
    values: &[f64],
    height: usize,
    width: usize,
    factor: usize,
) -> Result<Vec<f64>, VizError> {
    if factor == 0 {
        return Err(VizError::OutOfRange {
            what: "factor",
            value: 0.0,
            min: 1.0,
            max: f64::INFINITY,
        });
    }
    let pixels = height * width;
    if pixels == 0 || !values.len().is_multiple_of(pixels) {
        return Err(VizError::Length {
            what: "images",
            expected: values.len().div_ceil(pixels.max(1)) * pixels,
            got: values.len(),
        });
    }
    let (rows, columns) = (taps(height, factor), taps(width, factor));
    let mut large = Vec::with_capacity(values.len() * factor * factor);
    for image in values.chunks_exact(pixels) {
        for (y, of_row) in &rows {
            for (x, of_column) in &columns {
                let line = |row: usize| -> f64 {
                    let from = &image[row * width..];
                    x.iter().zip(of_column).map(|(i, w)| w * from[*i]).sum()
                };
                large.push(y.iter().zip(of_row).map(|(j, w)| w * line(*j)).sum());
            }
        }
    }
    Ok(large)
}

/// For each large pixel the four small ones that it is mixed from, and their weights.
fn taps(small: usize, factor: usize) -> Vec<([usize; 4], [f64; 4])> {
    (0..small * factor)
        .map(|i| {
            // Centres of pixels lie at halves.
            let at = (i as f64 + 0.5) / factor as f64 - 0.5;
            let t = at - at.floor();
            let first = at.floor() as isize - 1;
            let inside = |k: isize| {
                (first + k)
                    .clamp(0, small.cast_signed() - 1)
                    .cast_unsigned()
            };
            let weights = [
                0.5 * t * (-1.0 + t * (2.0 - t)),
                1.0 + 0.5 * t * t * (-5.0 + 3.0 * t),
                0.5 * t * (1.0 + t * (4.0 - 3.0 * t)),
                0.5 * t * t * (t - 1.0),
            ];
            ([0, 1, 2, 3].map(inside), weights)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_ramps_stay_what_they_are() {
        let large = enlarge(&[0.3; 12], 3, 4, 5).unwrap();
        assert!(large.len() == 300 && large.iter().all(|v| (v - 0.3).abs() < 1e-15));
        let ramp: Vec<f64> = (0..8).map(f64::from).collect();
        let large = enlarge(&ramp, 1, 8, 4).unwrap();
        // Away from the edges a cubic reproduces a line.
        for (i, v) in large.iter().take(28).enumerate().skip(6).take(20) {
            assert!(
                (v - ((i as f64 + 0.5) / 4.0 - 0.5)).abs() < 1e-14,
                "{i}: {v}"
            );
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors() {
        assert!(enlarge(&[0.0; 5], 2, 2, 3).is_err());
        assert!(enlarge(&[0.0; 4], 2, 2, 0).is_err());
        assert!(enlarge(&[], 0, 2, 1).is_err());
    }
}
