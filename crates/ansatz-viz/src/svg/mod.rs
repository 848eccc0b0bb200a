//! Charts as SVG text.
//!
//! Text and axes take `currentColor`; series take `--viz-1` … `--viz-6` and grid lines `--viz-grid`, each with a
//! fallback, so a chart stands alone and still follows the style sheet of a page that includes it. Sizes are in CSS
//! pixels of the view box; the picture fills the width it is given.

mod axis;
mod bars;
mod chart;
mod mark;

pub use axis::{Axis, Scale};
pub use bars::{Bar, BarChart, Reference};
pub use chart::{Chart, Point, Series, Spread};

/// Text made safe for SVG and HTML, attributes included.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are not allowed in XML at all.
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Opening tag of a picture with a label for screen readers.
fn open(width: f64, height: f64, label: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" \
         aria-label=\"{}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"currentColor\">",
        escape(label)
    )
}

/// About how wide `text` is at 12 px; there are no font metrics here, so this errs on the wide side.
fn text_width(text: &str) -> f64 {
    7.3 * text.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_leaves_no_markup() {
        assert_eq!(escape("a<b>&\"c'\n"), "a&lt;b&gt;&amp;&quot;c&#39; ");
    }
}
