//! The report: one HTML file with its styles, plots and pictures inside.

use ansatz_viz::{Axis, Bar, BarChart, Chart, Point, Scale, Series, Spread, VizError, escape};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::collect::{Collected, Picture};
use super::compare;
use super::compare::Earlier;
use super::machine::Machine;
use super::record::Record;
use super::suite::{Better, Metric, Shape, Suite};
use super::table::{self, Table, case_name, distinct};
use crate::error::Error;
use crate::text::push;

/// All that the report and the summary show.
pub(crate) struct Page<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) suites: &'a [Suite],
    pub(crate) collected: &'a Collected,
    pub(crate) earlier: Option<&'a Earlier>,
    pub(crate) seconds: f64,
}

/// The whole file.
pub(crate) fn page(page: &Page<'_>) -> Result<String, Error> {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>ansatz benchmarks</title>\n<style>\n",
    );
    html.push_str(include_str!("report.css"));
    html.push_str("</style>\n</head>\n<body>\n");
    head(&mut html, page);
    for failure in &page.collected.failures {
        let (suite, status, tail) = (
            escape(&failure.suite),
            escape(&failure.status),
            lines(&failure.tail),
        );
        push(
            &mut html,
            format_args!(
                "<div class=\"failed\"><p><b>{suite} did not finish:</b> {status}</p><pre>{tail}</pre></div>\n"
            ),
        );
    }
    for suite in page.suites {
        section(&mut html, page, suite)?;
    }
    html.push_str("</body>\n</html>\n");
    Ok(html)
}

fn head(html: &mut String, page: &Page<'_>) {
    let m = page.machine;
    let kind = if m.quick {
        "quick run: fewer points and repetitions than a full one"
    } else {
        "full run"
    };
    html.push_str("<h1>ansatz benchmarks</h1>\n");
    push(
        html,
        format_args!(
            "<p class=\"soft\">Made by <code>cargo xtask bench</code>, a {kind}, in {:.0} s.</p>\n<dl>",
            page.seconds
        ),
    );
    let cores = format!("{} ({} cores, {})", m.cpu, m.cores, m.system);
    for (name, value) in [
        ("machine", &cores),
        ("compiler", &m.rustc),
        ("commit", &m.commit),
        ("date", &m.date),
    ] {
        push(
            html,
            format_args!("<dt>{name}</dt><dd>{}</dd>", escape(value)),
        );
    }
    html.push_str("</dl>\n<nav>");
    for suite in page.suites {
        push(
            html,
            format_args!(
                "<a href=\"#{}\">{}</a>",
                escape(&suite.name),
                escape(&suite.title)
            ),
        );
    }
    html.push_str("</nav>\n<p class=\"soft\">Times are medians; whiskers and ranges are the quartiles. Pointing at a mark shows its numbers.</p>\n");
}

fn section(html: &mut String, page: &Page<'_>, suite: &Suite) -> Result<(), Error> {
    let collected = page.collected;
    push(
        html,
        format_args!(
            "<section id=\"{}\">\n<h2>{}</h2>\n",
            escape(&suite.name),
            escape(&suite.title)
        ),
    );
    push(
        html,
        format_args!(
            "<p>{}</p>\n<p class=\"soft\">{}</p>\n",
            prose(&suite.shows),
            prose(&suite.read)
        ),
    );
    for note in collected.notes.iter().filter(|n| n.suite == suite.name) {
        push(
            html,
            format_args!("<p class=\"note\">{}</p>\n", prose(&note.text)),
        );
    }
    let records: Vec<&Record> = collected
        .records
        .iter()
        .filter(|r| r.suite == suite.name)
        .collect();
    if records.is_empty() {
        html.push_str("<p class=\"note\">This suite left no records.</p>\n");
    }
    // A row of figures for each metric: charts of one kind are of about one height.
    let mut groups = Vec::new();
    for metric in &suite.metrics {
        let mine: Vec<&Record> = records
            .iter()
            .copied()
            .filter(|r| r.metric == metric.name)
            .collect();
        let figures = plots(metric, &mine).map_err(|source| Error::Draw {
            what: format!("{} of {}", metric.name, suite.name),
            source,
        })?;
        groups.push(("figures", figures));
    }
    let pictures = collected.pictures.iter().filter(|p| p.suite == suite.name);
    let pictures = pictures.map(image).collect::<Result<Vec<_>, _>>()?;
    groups.push(("figures pictures", pictures));
    for (class, group) in groups.into_iter().filter(|(_, group)| !group.is_empty()) {
        let group = group.concat();
        push(
            html,
            format_args!("<div class=\"{class}\">\n{group}</div>\n"),
        );
    }
    let beside = page
        .earlier
        .and_then(|earlier| compare::table(suite, &collected.records, earlier));
    let mut tables = table::of_suite(suite, &collected.records);
    tables.extend(beside);
    let (findings, numbers): (Vec<_>, Vec<_>) = tables.iter().partition(|t| t.finding);
    html.extend(findings.into_iter().map(table_html));
    if !numbers.is_empty() {
        let folded: String = numbers.into_iter().map(table_html).collect();
        push(
            html,
            format_args!("<details><summary>All numbers</summary>\n{folded}</details>\n"),
        );
    }
    html.push_str("</section>\n");
    Ok(())
}

/// The figures of one metric: a chart for each case, or one for all.
fn plots(metric: &Metric, records: &[&Record]) -> Result<Vec<String>, VizError> {
    if records.is_empty() || metric.chart == Shape::Table {
        return Ok(Vec::new());
    }
    let cases = distinct(records.iter().map(|r| r.case.as_str()));
    // Colours follow the implementation through all charts of the metric.
    let names = distinct(records.iter().map(|r| r.implementation.as_str()));
    let groups: Vec<(String, Vec<&Record>)> = if metric.together {
        vec![(metric.title.clone(), records.to_vec())]
    } else {
        let of = |case: &str| records.iter().copied().filter(|r| r.case == case).collect();
        cases
            .iter()
            .map(|case| (format!("{}: {case}", metric.title), of(case)))
            .collect()
    };
    // A curve with nothing to compare it with, in a metric that compares, tells nobody anything.
    let alone = |mine: &[&Record]| {
        metric.chart == Shape::Curve
            && names.len() > 1
            && distinct(mine.iter().map(|r| r.implementation.as_str())).len() < 2
    };
    groups
        .into_iter()
        .filter(|(_, mine)| !alone(mine))
        .map(|(title, mine)| plot(metric, &title, &names, &mine))
        .collect()
}

fn plot(
    metric: &Metric,
    title: &str,
    names: &[&str],
    records: &[&Record],
) -> Result<String, VizError> {
    let better = match metric.better {
        Better::Lower => "Lower is better.",
        Better::Higher => "Higher is better.",
    };
    if metric.chart == Shape::Curve {
        // More curves than colours in the metric: each chart numbers its own.
        let own = distinct(records.iter().map(|r| r.implementation.as_str()));
        let names = if names.len() > 6 { &own } else { names };
        let series = names.iter().map(|name| curve(name, records)).collect();
        let axis = |label: &str| Axis {
            label: label.to_owned(),
            scale: Scale::Log,
            range: None,
        };
        let chart = Chart {
            x: axis(&metric.x_title),
            y: axis(&with_unit(metric)),
            series,
            ..Chart::default()
        };
        // Titles of curves name their group and are long: as text of the page they wrap.
        let heading = format!("<p class=\"chart-title\">{}</p>", escape(title));
        return Ok(figure(&(heading + &chart.to_svg()?), better));
    }
    // Beside a peer the colour tells the side; else it tells the implementation.
    let peers = names.iter().any(|n| n.contains('/'));
    let bar = |r: &&Record| {
        let case = case_name(r, records);
        let what = table::shown_name(&r.implementation);
        let label = if metric.together {
            format!("{case}: {what}")
        } else {
            case.replace(&r.case, &what)
        };
        let colour = match r.implementation.split_once('/') {
            Some(_) => 1,
            // More bars than colours: each has its name beside it.
            None if peers || names.len() > 6 => 0,
            None => names
                .iter()
                .position(|n| *n == r.implementation)
                .unwrap_or(0),
        };
        Bar {
            label,
            value: r.value,
            spread: r.lo.zip(r.hi),
            colour,
        }
    };
    let scale = if metric.log {
        Scale::Log
    } else {
        Scale::Linear
    };
    let bars = records.iter().map(bar).collect();
    let chart = BarChart {
        title: title.to_owned(),
        unit: metric.unit.clone(),
        scale,
        bars,
        ..BarChart::default()
    };
    let scale_note = if metric.log {
        " The axis is logarithmic."
    } else {
        ""
    };
    Ok(figure(&chart.to_svg()?, &format!("{better}{scale_note}")))
}

/// The points of one implementation, from small to large abscissa; absent ones keep their place in the palette.
fn curve(name: &str, records: &[&Record]) -> Series {
    let mut points: Vec<Point> = records
        .iter()
        .filter(|r| r.implementation == name)
        .filter_map(|r| {
            r.x.as_ref().map(|x| Point {
                x: x.value,
                y: r.value,
                spread: r.lo.zip(r.hi),
            })
        })
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    Series {
        name: name.to_owned(),
        points,
        joined: true,
        spread: Spread::Bars,
    }
}

fn with_unit(metric: &Metric) -> String {
    if metric.unit == "1" {
        metric.title.clone()
    } else {
        format!("{} ({})", metric.title, metric.unit)
    }
}

fn figure(svg: &str, caption: &str) -> String {
    format!(
        "<figure>{svg}<figcaption>{}</figcaption></figure>\n",
        escape(caption)
    )
}

fn image(picture: &Picture) -> Result<String, Error> {
    let bytes = std::fs::read(&picture.path).map_err(|source| Error::Read {
        path: picture.path.clone(),
        source,
    })?;
    let (data, caption) = (STANDARD.encode(bytes), escape(&picture.caption));
    Ok(format!(
        "<figure><img alt=\"{caption}\" src=\"data:image/png;base64,{data}\"><figcaption>{caption}</figcaption></figure>\n"
    ))
}

fn table_html(table: &Table) -> String {
    let mut html = format!("<h3>{}</h3>\n", escape(&table.title));
    // A title may say that there is nothing to list.
    if table.rows.is_empty() {
        return html;
    }
    html.push_str("<div class=\"scroll\"><table>\n");
    let head = std::iter::once(("th", &table.head));
    for (tag, cells) in head.chain(table.rows.iter().map(|row| ("td", row))) {
        html.push_str("<tr>");
        for cell in cells {
            push(&mut html, format_args!("<{tag}>{}</{tag}>", escape(cell)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

/// Escaped text with `names` between backticks set as code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            push(&mut html, format_args!("<code>{}</code>", escape(part)));
        } else {
            html.push_str(&escape(part));
        }
    }
    html
}

/// Escaped text that keeps its line breaks.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::collect::{Failure, Note};
    use crate::bench::suite::tests::demo;
    use crate::bench::table::tests::{at, record};

    fn render(collected: &Collected) -> String {
        let machine = Machine {
            cpu: "Fast <9000>".into(),
            quick: true,
            ..Machine::default()
        };
        page(&Page {
            machine: &machine,
            suites: &[demo()],
            collected,
            earlier: None,
            seconds: 1.0,
        })
        .unwrap()
    }

    #[test]
    fn the_page_stands_alone() {
        let picture =
            std::env::temp_dir().join(format!("ansatz-report-{}.png", std::process::id()));
        std::fs::write(&picture, b"not really a picture").unwrap();
        let collected = Collected {
            records: vec![
                at(5.0, record("rms", "tb1", "ddim", 0.5)),
                at(10.0, record("rms", "tb1", "ddim", 0.25)),
                record("time", "tb1", "ddim", 0.002),
            ],
            pictures: vec![Picture {
                suite: "demo".into(),
                caption: "Digits".into(),
                path: picture.clone(),
            }],
            notes: vec![Note {
                suite: "demo".into(),
                text: "a < b".into(),
            }],
            failures: vec![Failure {
                suite: "x".into(),
                status: "exit status: 3".into(),
                tail: "one\ntwo".into(),
            }],
        };
        let html = render(&collected);
        std::fs::remove_file(&picture).unwrap();
        assert_eq!(html.matches("<svg").count(), 2);
        for wanted in [
            "Fast &lt;9000&gt;",
            "data:image/png;base64,bm90",
            "a &lt; b",
            "one\ntwo",
            "quick run",
            "2 ms",
        ] {
            assert!(html.contains(wanted), "{wanted} is missing");
        }
        for outside in ["<script", "<link", "src=\"http", "url("] {
            assert!(!html.contains(outside), "the page refers to {outside}");
        }
    }

    #[test]
    fn a_run_without_records_still_gives_a_page() {
        assert!(render(&Collected::default()).contains("left no records"));
    }
}
