//! Horizontal bar charts with value labels and reference lines.

use std::fmt::Write;

use super::mark::f;
use super::{Scale, escape, open, text_width};
use crate::{VizError, colour, linear_ticks, log_ticks, number};

/// One bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bar {
    /// What it is, written above the bar.
    pub label: String,
    /// Its length.
    pub value: f64,
    /// Lower and upper end of its spread, if known.
    pub spread: Option<(f64, f64)>,
    /// Index into the series palette.
    pub colour: usize,
}

/// A vertical line across all bars, such as a floor or a ratio of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    /// Where it stands.
    pub value: f64,
    /// What it means.
    pub label: String,
}

/// A horizontal bar chart; labels stand above their bars, so long ones fit on a narrow page.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// One line above the bars; empty for none.
    pub title: String,
    /// Unit of the values; seconds get a prefix that fits.
    pub unit: String,
    /// Linear from zero, or logarithmic from below the least value.
    pub scale: Scale,
    /// The bars from the top.
    pub bars: Vec<Bar>,
    /// Lines across the bars.
    pub references: Vec<Reference>,
    /// Width of the view box.
    pub width: f64,
}

impl Default for BarChart {
    fn default() -> Self {
        let (bars, references) = (Vec::new(), Vec::new());
        Self {
            title: String::new(),
            unit: String::new(),
            scale: Scale::Linear,
            bars,
            references,
            width: 400.0,
        }
    }
}

/// Height of a bar with its label.
const ROW: f64 = 38.0;

impl BarChart {
    /// The chart as SVG text. A bar that the axis cannot show keeps its label and says "no value".
    ///
    /// # Errors
    /// [`VizError::Empty`] if no bar can be shown, [`VizError::OutOfRange`] for a width below 160.
    pub fn to_svg(&self) -> Result<String, VizError> {
        if !(160.0..=10_000.0).contains(&self.width) {
            return Err(VizError::OutOfRange {
                what: "width",
                value: self.width,
                min: 160.0,
                max: 10_000.0,
            });
        }
        let log = self.scale == Scale::Log;
        let shows = |v: f64| v.is_finite() && if log { v > 0.0 } else { v >= 0.0 };
        let values = || self.bars.iter().map(|b| b.value).filter(|&v| shows(v));
        if values().next().is_none() {
            let given = self.bars.len();
            return Err(VizError::Empty {
                what: "bar chart",
                given,
                dropped: given,
            });
        }
        let spreads = self
            .bars
            .iter()
            .filter_map(|b| b.spread)
            .flat_map(|(lo, hi)| [lo, hi]);
        let lines = self.references.iter().map(|r| r.value);
        let all: Vec<f64> = values()
            .chain(spreads)
            .chain(lines)
            .filter(|&v| shows(v))
            .collect();
        let most = all.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let least = all.iter().copied().fold(most, f64::min);
        let (lo, hi) = if log {
            (least / 2.0, most * 1.3)
        } else {
            (0.0, most * 1.04)
        };

        let (left, right) = (8.0, self.width - 8.0 - text_width("000.0 GB/s") - 8.0);
        let at = |v: f64| {
            let t = if log {
                (v / lo).ln() / (hi / lo).ln()
            } else {
                v / hi
            };
            left + t.clamp(0.0, 1.0) * (right - left)
        };
        let top = if self.title.is_empty() { 6.0 } else { 28.0 };
        let bottom = top + ROW * self.bars.len() as f64;

        let mut svg = String::new();
        if !self.title.is_empty() {
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"16\" font-weight=\"600\">{}</text>",
                f(left),
                escape(&self.title)
            );
        }
        let ticks = if log {
            log_ticks(lo, hi, 5)
        } else {
            linear_ticks(lo, hi, 5)
        };
        let mut clear_from = f64::NEG_INFINITY;
        for tick in ticks {
            let Some(label) = tick.label else { continue };
            // Seconds are written as beside the bars; other units stand there alone.
            let label = if self.unit == "s" {
                number::with_unit(tick.value, "s")
            } else {
                label
            };
            let (x, half) = (at(tick.value), text_width(&label) / 2.0);
            let _ = write!(
                svg,
                "<path d=\"M{x} {}V{}\" style=\"stroke:var(--viz-grid,#8886)\"/>",
                f(top),
                f(bottom),
                x = f(x)
            );
            if x - half > clear_from {
                clear_from = x + half + 6.0;
                // A label at the left edge would be cut off if it were centred.
                let anchor = if x - half < 0.0 { "start" } else { "middle" };
                let _ = write!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" opacity=\"0.8\">{}</text>",
                    f(x),
                    f(bottom + 15.0),
                    escape(&label)
                );
            }
        }
        for (row, bar) in self.bars.iter().enumerate() {
            let y = top + ROW * row as f64;
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\">{}</text>",
                f(left),
                f(y + 14.0),
                escape(&bar.label)
            );
            if !shows(bar.value) {
                let _ = write!(
                    svg,
                    "<text x=\"{}\" y=\"{}\" font-style=\"italic\">no value</text>",
                    f(left),
                    f(y + 30.0)
                );
                continue;
            }
            let value = number::with_unit(bar.value, &self.unit);
            let spread = bar.spread.filter(|&(lo, hi)| shows(lo) && shows(hi));
            let tooltip = spread.map_or_else(String::new, |(lo, hi)| {
                format!(
                    " ({} to {})",
                    number::with_unit(lo, &self.unit),
                    number::with_unit(hi, &self.unit)
                )
            });
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"14\" rx=\"2\" style=\"fill:{}\"><title>{}</title></rect>",
                f(left),
                f(y + 20.0),
                f((at(bar.value) - left).max(1.0)),
                colour::series(bar.colour),
                escape(&format!("{}: {value}{tooltip}", bar.label))
            );
            let mut text_from = at(bar.value);
            if let Some((lo, hi)) = spread {
                let _ = write!(
                    svg,
                    "<path d=\"M{} {m}H{}\" stroke=\"currentColor\" stroke-width=\"1.5\"/>",
                    f(at(lo)),
                    f(at(hi)),
                    m = f(y + 27.0)
                );
                text_from = text_from.max(at(hi));
            }
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\">{}</text>",
                f(text_from + 5.0),
                f(y + 31.0),
                escape(&value)
            );
        }
        let mut end = bottom + 22.0;
        for line in self.references.iter().filter(|r| shows(r.value)) {
            let x = at(line.value);
            let _ = write!(
                svg,
                "<path d=\"M{x} {}V{}\" stroke=\"currentColor\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\"/>",
                f(top),
                f(bottom + 2.0),
                x = f(x)
            );
            end += 16.0;
            let text = format!(
                "┆ {}: {}",
                line.label,
                number::with_unit(line.value, &self.unit)
            );
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\">{}</text>",
                f(left),
                f(end - 4.0),
                escape(&text)
            );
        }
        let label = if self.title.is_empty() {
            "bar chart"
        } else {
            &self.title
        };
        Ok(format!("{}{svg}</svg>", open(self.width, end, label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(svg: &str) -> Vec<f64> {
        svg.split("<rect ")
            .skip(1)
            .map(|r| {
                r.split("width=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect()
    }

    fn chart(values: &[f64]) -> BarChart {
        let bars = values
            .iter()
            .map(|&value| Bar {
                label: "b&b".into(),
                value,
                ..Bar::default()
            })
            .collect();
        BarChart {
            unit: "s".into(),
            bars,
            ..BarChart::default()
        }
    }

    #[test]
    fn linear_bars_are_proportional() {
        let w = widths(&chart(&[0.5, 1.0, 0.25]).to_svg().unwrap());
        assert!(
            (w[1] / w[0] - 2.0).abs() < 0.01 && (w[0] / w[2] - 2.0).abs() < 0.01,
            "{w:?}"
        );
    }

    #[test]
    fn log_bars_grow_by_equal_steps_for_equal_ratios() {
        let mut c = chart(&[0.01, 0.1, 1.0]);
        c.scale = Scale::Log;
        let w = widths(&c.to_svg().unwrap());
        assert!((w[2] - w[1] - (w[1] - w[0])).abs() < 0.3, "{w:?}");
    }

    #[test]
    fn values_units_and_references_are_written() {
        let mut c = chart(&[0.001_5, f64::NAN]);
        c.references = vec![Reference {
            value: 0.001,
            label: "floor".into(),
        }];
        let svg = c.to_svg().unwrap();
        assert!(
            svg.contains("1.5 ms") && svg.contains("floor: 1 ms") && svg.contains("no value"),
            "{svg}"
        );
        assert!(svg.contains("b&amp;b") && !svg.contains("b&b"));
    }

    #[test]
    fn no_value_at_all_is_an_error() {
        assert!(matches!(
            chart(&[f64::NAN, -1.0]).to_svg(),
            Err(VizError::Empty { given: 2, .. })
        ));
    }
}
