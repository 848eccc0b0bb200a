//! Marker shapes: series differ in shape as well as in colour.

use std::fmt::Write;

/// Draws the marker of series `index` at (`x`, `y`) with an optional tooltip.
pub(crate) fn draw(svg: &mut String, index: usize, x: f64, y: f64, colour: &str, tooltip: &str) {
    let r = 3.6;
    let path = match index % 6 {
        0 => None,
        1 => Some(format!(
            "M{} {}h{w}v{w}h-{w}z",
            f(x - 3.2),
            f(y - 3.2),
            w = 6.4
        )),
        2 => Some(format!("M{} {}l4.4 7.6h-8.8z", f(x), f(y - 4.8))),
        3 => Some(format!(
            "M{} {}l4.6 4.6l-4.6 4.6l-4.6 -4.6z",
            f(x),
            f(y - 4.6)
        )),
        4 => Some(format!("M{} {}l-4.4 -7.6h8.8z", f(x), f(y + 4.8))),
        _ => Some(format!(
            "M{} {}h3v-3h2.4v3h3v2.4h-3v3h-2.4v-3h-3z",
            f(x - 4.2),
            f(y - 1.2)
        )),
    };
    // Writing to a string cannot fail.
    let _ = match path {
        None => write!(
            svg,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{r}\" style=\"fill:{colour}\">",
            f(x),
            f(y)
        ),
        Some(d) => write!(svg, "<path d=\"{d}\" style=\"fill:{colour}\">"),
    };
    if !tooltip.is_empty() {
        let _ = write!(svg, "<title>{}</title>", super::escape(tooltip));
    }
    svg.push_str(if index.is_multiple_of(6) {
        "</circle>"
    } else {
        "</path>"
    });
}

/// Stroke pattern of series `index`: solid for the first six, dashed after.
pub(crate) fn dash(index: usize) -> &'static str {
    match index / 6 {
        0 => "",
        1 => "stroke-dasharray:6 3;",
        _ => "stroke-dasharray:2 3;",
    }
}

/// A coordinate with a tenth of a pixel.
pub(crate) fn f(v: f64) -> String {
    let text = format!("{v:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
