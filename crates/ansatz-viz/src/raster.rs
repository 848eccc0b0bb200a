//! Pictures from numbers: image grids, heat maps and scatter pictures.

use crate::{Picture, VizError, colour};

/// Which value becomes black and which white (or the ends of a colour map).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Range {
    /// The least and greatest finite value of everything drawn.
    Shared,
    /// The least and greatest finite value of each image.
    Each,
    /// Fixed ends; what lies outside is clamped.
    Fixed(f64, f64),
}

/// How [`image_grid`] lays images out.
#[derive(Debug, Clone, PartialEq)]
pub struct GridOptions {
    /// Images per row.
    pub columns: usize,
    /// Screen pixels per image pixel, each way.
    pub zoom: usize,
    /// Pixels between and around images.
    pub margin: usize,
    /// Colour of the margin.
    pub background: [u8; 3],
    /// Values shown black and white.
    pub range: Range,
    /// 1 for grey, 3 for RGB with the channel as the last axis.
    pub channels: usize,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self {
            columns: 8,
            zoom: 6,
            margin: 4,
            background: [255; 3],
            range: Range::Shared,
            channels: 1,
        }
    }
}

/// How [`heat_map`] draws a field.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatOptions {
    /// Screen pixels per value, each way.
    pub zoom: usize,
    /// Values at the ends of the colour map.
    pub range: Range,
    /// Width of a colour bar at the right, in screen pixels; 0 for none.
    pub bar: usize,
}

impl Default for HeatOptions {
    fn default() -> Self {
        Self {
            zoom: 4,
            range: Range::Shared,
            bar: 12,
        }
    }
}

/// Points of one colour for [`scatter`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PointSet {
    /// The points.
    pub points: Vec<[f64; 2]>,
    /// Index into the series palette.
    pub colour: usize,
}

/// How [`scatter`] draws points.
#[derive(Debug, Clone, PartialEq)]
pub struct ScatterOptions {
    /// Width and height in pixels.
    pub size: usize,
    /// Window in data units, `[[x_min, x_max], [y_min, y_max]]`; `None` takes a square around all points.
    pub window: Option<[[f64; 2]; 2]>,
    /// Radius of a dot in pixels.
    pub radius: f64,
    /// How much of the ground a dot covers, 0 … 1.
    pub opacity: f64,
}

impl Default for ScatterOptions {
    fn default() -> Self {
        Self {
            size: 320,
            window: None,
            radius: 2.0,
            opacity: 0.7,
        }
    }
}

/// Images `[count, height, width, channels]` side by side, enlarged without smoothing; NaN shows as mid grey.
///
/// # Errors
/// [`VizError::Length`] if `values` is not a whole number of images, [`VizError::Empty`] for no image or no finite
/// value, [`VizError::OutOfRange`] for zero columns or zoom, or channels other than 1 and 3.
pub fn image_grid<T: Copy + Into<f64>>(
    values: &[T],
    height: usize,
    width: usize,
    options: &GridOptions,
) -> Result<Picture, VizError> {
    at_least_one("columns", options.columns)?;
    at_least_one("zoom", options.zoom)?;
    if options.channels != 1 && options.channels != 3 {
        let value = options.channels as f64;
        return Err(VizError::OutOfRange {
            what: "channels",
            value,
            min: 1.0,
            max: 3.0,
        });
    }
    let pixels = height * width * options.channels;
    if pixels == 0 || values.is_empty() {
        return Err(VizError::Empty {
            what: "image grid",
            given: 0,
            dropped: 0,
        });
    }
    if !values.len().is_multiple_of(pixels) {
        let expected = values.len().div_ceil(pixels) * pixels;
        return Err(VizError::Length {
            what: "images",
            expected,
            got: values.len(),
        });
    }
    let count = values.len() / pixels;
    let columns = options.columns.min(count);
    let rows = count.div_ceil(columns);
    let (cell_w, cell_h) = (
        width * options.zoom + options.margin,
        height * options.zoom + options.margin,
    );
    let mut picture = Picture::filled(
        columns * cell_w + options.margin,
        rows * cell_h + options.margin,
        options.background,
    );
    let shared = limits(values, options.range, "image grid")?;
    for (index, image) in values.chunks_exact(pixels).enumerate() {
        let scale = if options.range == Range::Each {
            limits(image, Range::Each, "image")?
        } else {
            shared
        };
        let left = options.margin + index % columns * cell_w;
        let top = options.margin + index / columns * cell_h;
        for (at, pixel) in image.chunks_exact(options.channels).enumerate() {
            let byte = |i: usize| grey(unit(pixel[i].into(), scale));
            let rgb = if options.channels == 1 {
                [byte(0); 3]
            } else {
                [byte(0), byte(1), byte(2)]
            };
            let (x, y) = (
                left + at % width * options.zoom,
                top + at / width * options.zoom,
            );
            picture.fill_rect(x, y, options.zoom, options.zoom, rgb);
        }
    }
    Ok(picture)
}

/// A field `[rows, columns]` in viridis, first row at the top; NaN shows as mid grey.
///
/// # Errors
/// [`VizError::Length`] if the shape does not fit, [`VizError::Empty`] without finite values,
/// [`VizError::OutOfRange`] for zero zoom.
pub fn heat_map<T: Copy + Into<f64>>(
    values: &[T],
    rows: usize,
    columns: usize,
    options: &HeatOptions,
) -> Result<Picture, VizError> {
    at_least_one("zoom", options.zoom)?;
    if values.len() != rows * columns {
        return Err(VizError::Length {
            what: "field",
            expected: rows * columns,
            got: values.len(),
        });
    }
    let scale = limits(values, options.range, "heat map")?;
    let gap = if options.bar > 0 {
        options.zoom.max(4)
    } else {
        0
    };
    let (width, height) = (columns * options.zoom, rows * options.zoom);
    let mut picture = Picture::filled(width + gap + options.bar, height, [255; 3]);
    for (at, &value) in values.iter().enumerate() {
        let rgb = colour::viridis(unit(value.into(), scale));
        let (x, y) = (at % columns * options.zoom, at / columns * options.zoom);
        picture.fill_rect(x, y, options.zoom, options.zoom, rgb);
    }
    for y in 0..height {
        let t = 1.0 - y as f64 / (height.max(2) - 1) as f64;
        picture.fill_rect(width + gap, y, options.bar, 1, colour::viridis(t));
    }
    Ok(picture)
}

/// Dots on white, one colour per set, later sets on top; points that are not finite are left out.
///
/// # Errors
/// [`VizError::Empty`] if no point is finite, [`VizError::OutOfRange`] for a size of zero or an empty window.
pub fn scatter(sets: &[PointSet], options: &ScatterOptions) -> Result<Picture, VizError> {
    at_least_one("size", options.size)?;
    let given: usize = sets.iter().map(|s| s.points.len()).sum();
    let finite = |p: &&[f64; 2]| p[0].is_finite() && p[1].is_finite();
    let shown: Vec<&[f64; 2]> = sets.iter().flat_map(|s| &s.points).filter(finite).collect();
    if shown.is_empty() {
        return Err(VizError::Empty {
            what: "scatter picture",
            given,
            dropped: given,
        });
    }
    let window = options.window.unwrap_or_else(|| square_around(&shown));
    for [lo, hi] in window {
        if lo.partial_cmp(&hi) != Some(std::cmp::Ordering::Less) {
            return Err(VizError::OutOfRange {
                what: "window end",
                value: hi,
                min: lo,
                max: f64::INFINITY,
            });
        }
    }
    let mut picture = Picture::filled(options.size, options.size, [255; 3]);
    let size = options.size as f64;
    let reach = options.radius.max(0.5);
    for set in sets {
        let ink = colour::series_rgb(set.colour).map(f64::from);
        for point in set.points.iter().filter(finite) {
            let x = (point[0] - window[0][0]) / (window[0][1] - window[0][0]) * size;
            let y = size - (point[1] - window[1][0]) / (window[1][1] - window[1][0]) * size;
            blot(
                &mut picture,
                [x, y],
                reach,
                ink,
                options.opacity.clamp(0.0, 1.0),
            );
        }
    }
    Ok(picture)
}

/// One anti-aliased dot.
fn blot(picture: &mut Picture, centre: [f64; 2], radius: f64, ink: [f64; 3], opacity: f64) {
    let span = |c: f64, end: usize| {
        let lo = (c - radius - 1.0).floor().clamp(0.0, end as f64) as usize;
        lo..(c + radius + 1.0).ceil().clamp(0.0, end as f64) as usize
    };
    for row in span(centre[1], picture.height) {
        for column in span(centre[0], picture.width) {
            let distance = (column as f64 + 0.5 - centre[0]).hypot(row as f64 + 0.5 - centre[1]);
            let cover = (radius + 0.5 - distance).clamp(0.0, 1.0) * opacity;
            let at = 3 * (row * picture.width + column);
            for (byte, ink) in picture.rgb[at..at + 3].iter_mut().zip(ink) {
                *byte = (f64::from(*byte) * (1.0 - cover) + ink * cover).round() as u8;
            }
        }
    }
}

/// A square window with a twentieth of room on each side, so that shapes keep their proportions.
fn square_around(points: &[&[f64; 2]]) -> [[f64; 2]; 2] {
    let ends = |axis: usize| {
        points
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| {
                (lo.min(p[axis]), hi.max(p[axis]))
            })
    };
    let (x, y) = (ends(0), ends(1));
    let half = 0.55 * (x.1 - x.0).max(y.1 - y.0).max(1e-12);
    let around =
        |(lo, hi): (f64, f64)| [f64::midpoint(lo, hi) - half, f64::midpoint(lo, hi) + half];
    [around(x), around(y)]
}

fn limits<T: Copy + Into<f64>>(
    values: &[T],
    range: Range,
    what: &'static str,
) -> Result<(f64, f64), VizError> {
    if let Range::Fixed(lo, hi) = range {
        return Ok((lo, hi));
    }
    let finite = values
        .iter()
        .map(|&v| v.into())
        .filter(|v: &f64| v.is_finite());
    let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
        (lo.min(v), hi.max(v))
    });
    if lo > hi {
        return Err(VizError::Empty {
            what,
            given: values.len(),
            dropped: values.len(),
        });
    }
    Ok((lo, hi))
}

/// `value` on the scale from 0 to 1; a constant field sits in the middle.
fn unit(value: f64, (lo, hi): (f64, f64)) -> f64 {
    if hi > lo {
        (value - lo) / (hi - lo)
    } else if value.is_nan() {
        value
    } else {
        0.5
    }
}

fn grey(t: f64) -> u8 {
    if t.is_nan() {
        128
    } else {
        (t.clamp(0.0, 1.0) * 255.0).round() as u8
    }
}

fn at_least_one(what: &'static str, value: usize) -> Result<(), VizError> {
    if value == 0 {
        return Err(VizError::OutOfRange {
            what,
            value: 0.0,
            min: 1.0,
            max: f64::INFINITY,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * picture.width + x);
        [picture.rgb[at], picture.rgb[at + 1], picture.rgb[at + 2]]
    }

    #[test]
    fn grid_places_and_enlarges_images() {
        let images = [
            0.0f32, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 0.5, 0.5,
        ];
        let options = GridOptions {
            columns: 2,
            zoom: 3,
            margin: 1,
            background: [7; 3],
            ..GridOptions::default()
        };
        let picture = image_grid(&images, 2, 2, &options).unwrap();
        assert_eq!((picture.width, picture.height), (15, 15));
        assert_eq!(pixel(&picture, 0, 0), [7; 3]);
        assert_eq!(pixel(&picture, 1, 1), [0; 3]);
        assert_eq!(pixel(&picture, 6, 1), [255; 3]);
        assert_eq!(pixel(&picture, 8, 1), [255; 3]);
        assert_eq!(pixel(&picture, 2, 9), [128; 3]);
        assert_eq!(pixel(&picture, 9, 9), [7; 3]);
    }

    #[test]
    fn grid_refuses_torn_images() {
        let error = image_grid(&[0.0f64; 7], 2, 2, &GridOptions::default()).unwrap_err();
        assert!(
            matches!(
                error,
                VizError::Length {
                    expected: 8,
                    got: 7,
                    ..
                }
            ),
            "{error}"
        );
        assert!(image_grid(&[f64::NAN; 4], 2, 2, &GridOptions::default()).is_err());
    }

    #[test]
    fn heat_map_ends_are_the_map_ends_and_nan_is_grey() {
        let options = HeatOptions {
            zoom: 1,
            bar: 0,
            ..HeatOptions::default()
        };
        let picture = heat_map(&[-2.0, f64::NAN, 0.0, 5.0], 2, 2, &options).unwrap();
        assert_eq!(pixel(&picture, 0, 0), colour::viridis(0.0));
        assert_eq!(pixel(&picture, 1, 0), [128; 3]);
        assert_eq!(pixel(&picture, 1, 1), colour::viridis(1.0));
    }

    #[test]
    fn scatter_inks_the_right_place() {
        let set = PointSet {
            points: vec![[0.75, 0.25], [f64::NAN, 0.0]],
            colour: 1,
        };
        let window = Some([[0.0, 1.0], [0.0, 1.0]]);
        let options = ScatterOptions {
            size: 40,
            window,
            opacity: 1.0,
            ..ScatterOptions::default()
        };
        let picture = scatter(&[set], &options).unwrap();
        assert_eq!(pixel(&picture, 30, 30), colour::series_rgb(1));
        assert_eq!(pixel(&picture, 30, 10), [255; 3]);
    }

    #[test]
    fn scatter_without_points_is_an_error() {
        let set = PointSet {
            points: vec![[f64::NAN, 0.0]],
            colour: 0,
        };
        assert!(matches!(
            scatter(&[set], &ScatterOptions::default()),
            Err(VizError::Empty {
                given: 1,
                dropped: 1,
                ..
            })
        ));
    }
}
