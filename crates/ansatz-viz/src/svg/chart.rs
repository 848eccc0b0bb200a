//! Line and scatter charts.

use std::fmt::Write;

use super::axis::{self, Axis, Frame};
use super::mark::{self, f};
use super::{escape, open, text_width};
use crate::{VizError, colour, number};

/// One point of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Lower and upper end of the spread of `y`, if known.
    pub spread: Option<(f64, f64)>,
}

/// How the spread of points is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spread {
    /// A vertical bar at each point.
    #[default]
    Bars,
    /// A shaded band along the line.
    Band,
}

/// Most marks on a line.
const MARKS: usize = 100;

/// A named set of points in one colour and marker.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The points, joined in the order given.
    pub points: Vec<Point>,
    /// Whether the points are joined.
    pub joined: bool,
    /// How spreads are drawn.
    pub spread: Spread,
}

impl Series {
    /// Points joined by a line.
    pub fn line(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points
            .into_iter()
            .map(|(x, y)| Point { x, y, spread: None })
            .collect();
        Self {
            name: name.into(),
            points,
            joined: true,
            spread: Spread::Bars,
        }
    }

    /// Points alone.
    pub fn dots(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            joined: false,
            ..Self::line(name, points)
        }
    }
}

/// A line or scatter chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// One line above the plot; empty for none.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn; the order gives colours and markers.
    pub series: Vec<Series>,
    /// Width of the view box.
    pub width: f64,
    /// Height of the plot area, without axes and legend.
    pub height: f64,
}

impl Default for Chart {
    fn default() -> Self {
        let (x, y) = (Axis::default(), Axis::default());
        Self {
            title: String::new(),
            x,
            y,
            series: Vec::new(),
            width: 400.0,
            height: 230.0,
        }
    }
}

impl Chart {
    /// The chart as SVG text. Points that an axis cannot show are left out and counted in a line under the plot.
    ///
    /// # Errors
    /// [`VizError::Empty`] if no point can be shown, [`VizError::OutOfRange`] for a size too small for axes.
    pub fn to_svg(&self) -> Result<String, VizError> {
        let large_enough = |what, value: f64, min| {
            if (min..=10_000.0).contains(&value) {
                return Ok(());
            }
            Err(VizError::OutOfRange {
                what,
                value,
                min,
                max: 10_000.0,
            })
        };
        large_enough("width", self.width, 160.0)?;
        large_enough("height", self.height, 60.0)?;
        let shows = |p: &&Point| self.x.shows(p.x) && self.y.shows(p.y);
        let given: usize = self.series.iter().map(|s| s.points.len()).sum();
        let shown: Vec<&Point> = self
            .series
            .iter()
            .flat_map(|s| &s.points)
            .filter(shows)
            .collect();
        let dropped = given - shown.len();
        if shown.is_empty() {
            return Err(VizError::Empty {
                what: "chart",
                given,
                dropped,
            });
        }
        let spreads = shown
            .iter()
            .filter_map(|p| p.spread)
            .flat_map(|(lo, hi)| [lo, hi]);
        let heights = shown
            .iter()
            .map(|p| p.y)
            .chain(spreads.filter(|&v| self.y.shows(v)));
        let top = if self.title.is_empty() { 12.0 } else { 32.0 };
        let bottom = top + self.height;
        let mut y = Frame {
            scale: self.y.scale,
            ends: self.y.ends(heights),
            pixels: (bottom, top),
        };
        let widest = y
            .ticks(6)
            .iter()
            .filter_map(|t| t.label.as_deref())
            .map(text_width)
            .fold(0.0, f64::max);
        let left = 28.0 + widest.max(18.0);
        let x = Frame {
            scale: self.x.scale,
            ends: self.x.ends(shown.iter().map(|p| p.x)),
            pixels: (left, self.width - 14.0),
        };
        y.pixels = (bottom, top);

        let mut body = String::new();
        axis::draw(
            &mut body,
            &self.title,
            [&self.x.label, &self.y.label],
            [&x, &y],
        );
        for (index, series) in self.series.iter().enumerate() {
            self.series(&mut body, index, series, &x, &y);
        }
        let mut end = self.legend(&mut body, left, bottom + 52.0);
        if dropped > 0 {
            let note = format!("{dropped} of {given} points cannot be shown on these axes");
            let _ = write!(
                body,
                "<text x=\"{}\" y=\"{}\" font-style=\"italic\">{note}</text>",
                f(left),
                f(end + 4.0)
            );
            end += 18.0;
        }
        let label = if self.title.is_empty() {
            format!("{} against {}", self.y.label, self.x.label)
        } else {
            self.title.clone()
        };
        Ok(format!("{}{body}</svg>", open(self.width, end, &label)))
    }

    fn series(&self, svg: &mut String, index: usize, series: &Series, x: &Frame, y: &Frame) {
        let colour = colour::series(index);
        let shows = |p: &&Point| self.x.shows(p.x) && self.y.shows(p.y);
        let inside = |v: f64| self.y.shows(v).then(|| y.at(v));
        let spread = |p: &Point| {
            p.spread
                .and_then(|(lo, hi)| Some((inside(lo)?, inside(hi)?)))
        };
        if series.spread == Spread::Band {
            let ends: Vec<(f64, f64, f64)> = series
                .points
                .iter()
                .filter(shows)
                .filter_map(|p| spread(p).map(|(lo, hi)| (x.at(p.x), lo, hi)))
                .collect();
            let upper = ends.iter().map(|e| (e.0, e.2));
            let lower = ends.iter().rev().map(|e| (e.0, e.1));
            let path = join(upper.chain(lower));
            if !path.is_empty() {
                let _ = write!(
                    svg,
                    "<path d=\"{path}z\" style=\"fill:{colour}\" opacity=\"0.2\"/>"
                );
            }
        }
        if series.joined {
            // A point that cannot be shown breaks the line: joining its neighbours would hide the gap.
            for run in series.points.split(|p| !shows(&p)) {
                let path = join(run.iter().map(|p| (x.at(p.x), y.at(p.y))));
                if !path.is_empty() {
                    let _ = write!(
                        svg,
                        "<path d=\"{path}\" fill=\"none\" style=\"stroke:{colour};{}\" stroke-width=\"1.8\"/>",
                        mark::dash(index)
                    );
                }
            }
        }
        // A line of many points shows its shape without their marks; some stay, for what they tell.
        let bars = series.points.iter().any(|p| p.spread.is_some());
        let every = if series.joined && !bars {
            series.points.len().div_ceil(MARKS).max(1)
        } else {
            1
        };
        for point in series.points.iter().filter(shows).step_by(every) {
            let at = x.at(point.x);
            let mut tooltip = format!(
                "{}: {} = {}, {} = {}",
                series.name,
                self.x.label,
                number::short(point.x),
                self.y.label,
                number::short(point.y)
            );
            if let (Some((lo, hi)), Spread::Bars) = (spread(point), series.spread) {
                let _ = write!(
                    svg,
                    "<path d=\"M{c} {}V{}\" style=\"stroke:{colour}\" stroke-width=\"1.5\"/>",
                    f(lo),
                    f(hi),
                    c = f(at)
                );
            }
            if let Some((lo, hi)) = point.spread {
                let _ = write!(tooltip, " ({} to {})", number::short(lo), number::short(hi));
            }
            mark::draw(svg, index, at, y.at(point.y), &colour, &tooltip);
        }
    }

    /// Names with their markers in as many rows as they need; returns the lower end. One series needs no legend if the
    /// chart has a title.
    fn legend(&self, svg: &mut String, left: f64, mut y: f64) -> f64 {
        if self.series.len() < 2 && !self.title.is_empty() {
            return y - 8.0;
        }
        let mut x = left;
        for (index, series) in self.series.iter().enumerate() {
            let width = 30.0 + text_width(&series.name);
            if x > left && x + width > self.width {
                (x, y) = (left, y + 18.0);
            }
            let colour = colour::series(index);
            if series.joined {
                let _ = write!(
                    svg,
                    "<path d=\"M{} {}h16\" style=\"stroke:{colour};{}\" stroke-width=\"1.8\"/>",
                    f(x),
                    f(y),
                    mark::dash(index)
                );
            }
            mark::draw(svg, index, x + 8.0, y, &colour, "");
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\">{}</text>",
                f(x + 21.0),
                f(y + 4.0),
                escape(&series.name)
            );
            x += width;
        }
        y + 14.0
    }
}

fn join(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(path, "{}{} {}", if i == 0 { 'M' } else { 'L' }, f(x), f(y));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;

    fn log_chart(points: &[(f64, f64)]) -> Chart {
        let axis = |label: &str| Axis {
            label: label.into(),
            scale: Scale::Log,
            range: None,
        };
        Chart {
            x: axis("steps"),
            y: axis("error"),
            series: vec![Series::line("a<b", points.iter().copied())],
            ..Chart::default()
        }
    }

    #[test]
    fn straight_lines_on_log_axes_stay_straight() {
        let svg = log_chart(&[(1.0, 1.0), (10.0, 0.1), (100.0, 0.01)])
            .to_svg()
            .unwrap();
        let centres: Vec<(f64, f64)> = svg
            .split("<circle cx=\"")
            .skip(1)
            .map(|rest| {
                let mut parts = rest.split('"');
                (
                    parts.next().unwrap().parse().unwrap(),
                    parts.nth(1).unwrap().parse().unwrap(),
                )
            })
            .collect();
        // Three points and the legend's marker.
        assert_eq!(centres.len(), 4);
        assert!(
            (centres[0].0 + centres[2].0 - 2.0 * centres[1].0).abs() < 0.25,
            "{centres:?}"
        );
        assert!(
            (centres[0].1 + centres[2].1 - 2.0 * centres[1].1).abs() < 0.25,
            "{centres:?}"
        );
        assert!(
            centres[0].1 < centres[2].1,
            "a greater value stands higher: {centres:?}"
        );
    }

    #[test]
    fn a_line_of_many_points_has_few_marks() {
        let points: Vec<_> = (1..=1000).map(|i| (f64::from(i), 1.0)).collect();
        let svg = log_chart(&points).to_svg().unwrap();
        // One of them is the legend's.
        assert_eq!(svg.matches("<circle").count(), 101);
    }

    #[test]
    fn names_are_escaped() {
        let svg = log_chart(&[(1.0, 1.0)]).to_svg().unwrap();
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
    }

    #[test]
    fn what_cannot_be_shown_is_counted_and_breaks_the_line() {
        let svg = log_chart(&[
            (1.0, 1.0),
            (2.0, 0.5),
            (3.0, 0.0),
            (4.0, 0.2),
            (5.0, f64::NAN),
        ])
        .to_svg()
        .unwrap();
        assert!(svg.contains("2 of 5 points cannot be shown"), "{svg}");
        // Two runs and the legend's sample.
        assert_eq!(svg.matches("stroke-width=\"1.8\"").count(), 3);
    }

    #[test]
    fn nothing_to_show_is_an_error() {
        let error = log_chart(&[(1.0, 0.0), (f64::NAN, 1.0)])
            .to_svg()
            .unwrap_err();
        assert!(
            matches!(
                error,
                VizError::Empty {
                    given: 2,
                    dropped: 2,
                    ..
                }
            ),
            "{error}"
        );
        assert!(Chart::default().to_svg().is_err());
    }

    #[test]
    fn spreads_are_drawn_both_ways() {
        let point = |x: f64| Point {
            x,
            y: 2.0 * x,
            spread: Some((x, 3.0 * x)),
        };
        let mut series = Series::line("s", []);
        series.points = vec![point(1.0), point(2.0)];
        let mut chart = Chart {
            series: vec![series],
            ..Chart::default()
        };
        assert_eq!(
            chart
                .to_svg()
                .unwrap()
                .matches("stroke-width=\"1.5\"")
                .count(),
            2
        );
        chart.series[0].spread = Spread::Band;
        assert!(chart.to_svg().unwrap().contains("opacity=\"0.2\""));
    }
}
