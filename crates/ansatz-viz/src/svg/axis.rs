//! Axes: scales, ends, ticks, and how they are drawn.

use std::fmt::Write;

use super::mark::f;
use super::{escape, text_width};
use crate::{Tick, linear_ticks, log_ticks};

/// How an axis maps values to pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences.
    #[default]
    Linear,
    /// Equal distances for equal ratios, base 10.
    Log,
}

/// One axis of a [`Chart`](crate::Chart).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// Ends in data units; `None` takes the data's, with room.
    pub range: Option<(f64, f64)>,
}

/// An axis with its ends fixed, mapping values to pixels.
pub(crate) struct Frame {
    pub(crate) scale: Scale,
    pub(crate) ends: (f64, f64),
    pub(crate) pixels: (f64, f64),
}

impl Frame {
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (lo, hi) = (self.forward(self.ends.0), self.forward(self.ends.1));
        let t = (self.forward(value) - lo) / (hi - lo);
        self.pixels.0 + t * (self.pixels.1 - self.pixels.0)
    }

    fn forward(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        }
    }

    pub(crate) fn ticks(&self, target: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => linear_ticks(self.ends.0, self.ends.1, target),
            Scale::Log => log_ticks(self.ends.0, self.ends.1, target),
        }
    }
}

impl Axis {
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// Ends of the axis: the given range if it can be shown, else the data's with a little room.
    pub(crate) fn ends(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some((lo, hi)) = self.range
            && self.shows(lo)
            && self.shows(hi)
            && lo < hi
        {
            return (lo, hi);
        }
        let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
            (lo.min(v), hi.max(v))
        });
        match self.scale {
            Scale::Log => {
                let room = if hi > lo { (hi / lo).powf(0.05) } else { 2.0 };
                (lo / room, hi * room)
            }
            Scale::Linear => {
                let room = if hi > lo {
                    0.05 * (hi - lo)
                } else {
                    0.5 * lo.abs().max(1.0)
                };
                (lo - room, hi + room)
            }
        }
    }
}

/// Grid lines, axes, tick labels, the title and the labels of both axes.
pub(crate) fn draw(svg: &mut String, title: &str, labels: [&str; 2], [x, y]: [&Frame; 2]) {
    let ((left, right), (bottom, top)) = (x.pixels, y.pixels);
    if !title.is_empty() {
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"18\" font-weight=\"600\">{}</text>",
            f(left),
            escape(title)
        );
    }
    svg.push_str("<g style=\"stroke:var(--viz-grid,#8886)\" stroke-width=\"1\" fill=\"none\">");
    for tick in x.ticks(6) {
        let at = f(x.at(tick.value));
        let from = if tick.label.is_some() {
            top
        } else {
            bottom - 4.0
        };
        let _ = write!(svg, "<path d=\"M{at} {}V{}\"/>", f(from), f(bottom));
    }
    for tick in y.ticks(6) {
        let at = f(y.at(tick.value));
        let to = if tick.label.is_some() {
            right
        } else {
            left + 4.0
        };
        let _ = write!(svg, "<path d=\"M{} {at}H{}\"/>", f(left), f(to));
    }
    svg.push_str("</g>");
    let _ = write!(
        svg,
        "<path d=\"M{l} {t}V{b}H{r}\" fill=\"none\" stroke=\"currentColor\"/>",
        l = f(left),
        t = f(top),
        b = f(bottom),
        r = f(right)
    );
    let mut clear_from = f64::NEG_INFINITY;
    for tick in x.ticks(6) {
        let Some(label) = tick.label else { continue };
        let (at, half) = (x.at(tick.value), text_width(&label) / 2.0);
        // A label that would run into its neighbour is left out; its grid line stays.
        if at - half > clear_from {
            clear_from = at + half + 4.0;
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                f(at),
                f(bottom + 16.0),
                escape(&label)
            );
        }
    }
    for tick in y.ticks(6) {
        let Some(label) = tick.label else { continue };
        let at = y.at(tick.value);
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            f(left - 6.0),
            f(at + 4.0),
            escape(&label)
        );
    }
    let middle = f64::midpoint(left, right);
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        f(middle),
        f(bottom + 34.0),
        escape(labels[0])
    );
    let height = f64::midpoint(top, bottom);
    let _ = write!(
        svg,
        "<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        f(height),
        escape(labels[1])
    );
}
