//! Tables of results, shared by the summary and the report.

use std::collections::BTreeSet;

use ansatz_viz::number;

use super::record::Record;
use super::suite::{Better, Metric, Shape, Suite};

/// A table with a title, ready to be written as Markdown or HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// Whether it says what no plot says: such a table is never folded away.
    pub(crate) finding: bool,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// All tables of a suite: values of each metric, then comparisons with peers.
pub(crate) fn of_suite(suite: &Suite, records: &[Record]) -> Vec<Table> {
    let mut tables = Vec::new();
    for metric in &suite.metrics {
        let mine: Vec<&Record> = records
            .iter()
            .filter(|r| r.suite == suite.name && r.metric == metric.name)
            .collect();
        if mine.is_empty() {
            continue;
        }
        if metric.chart == Shape::Curve || mine.iter().any(|r| r.x.is_some()) {
            tables.extend(curves(metric, &mine));
        } else {
            tables.push(values(metric, &mine));
        }
        tables.extend(peers(metric, &mine));
    }
    tables
}

/// Distinct values in the order in which they first come.
pub(crate) fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    values.filter(|v| seen.insert(*v)).collect()
}

/// The case, with the number of threads if the metric was measured with several.
pub(crate) fn case_name(record: &Record, records: &[&Record]) -> String {
    let several = records.iter().any(|r| r.threads != record.threads);
    match (several, record.threads) {
        (false, _) => record.case.clone(),
        (true, 1) => format!("{}, 1 thread", record.case),
        (true, n) => format!("{}, {n} threads", record.case),
    }
}

/// One table per case: a row for each abscissa, a column for each implementation.
fn curves(metric: &Metric, records: &[&Record]) -> Vec<Table> {
    let cases = distinct(records.iter().map(|r| r.case.as_str()));
    let several = cases.len() > 1;
    let table = |case: &str| {
        let mine: Vec<&&Record> = records.iter().filter(|r| r.case == case).collect();
        let columns = distinct(mine.iter().map(|r| r.implementation.as_str()));
        let mut xs: Vec<f64> = mine
            .iter()
            .filter_map(|r| r.x.as_ref().map(|x| x.value))
            .collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let cell = |x: f64, column: &str| {
            let here = |r: &&&&Record| {
                r.implementation == column
                    && r.x
                        .as_ref()
                        .is_some_and(|at| at.value.total_cmp(&x).is_eq())
            };
            mine.iter()
                .find(here)
                .map_or(String::from("–"), |r| number::with_unit(r.value, &r.unit))
        };
        let rows = xs.iter().map(|&x| {
            std::iter::once(number::short(x))
                .chain(columns.iter().map(|c| cell(x, c)))
                .collect()
        });
        Table {
            finding: false,
            title: if several {
                format!("{}: {case}", metric.title)
            } else {
                metric.title.clone()
            },
            head: std::iter::once(metric.x_title.as_str())
                .chain(columns.iter().copied())
                .map(str::to_owned)
                .collect(),
            rows: rows.collect(),
        }
    };
    cases.into_iter().map(table).collect()
}

/// A row for each record; with a floor, the share of it that is reached. Columns that would say nothing are left out.
fn values(metric: &Metric, records: &[&Record]) -> Table {
    let repeated = records.iter().any(|r| r.lo.is_some());
    let mut head = vec!["case", "what", metric.title.as_str()];
    if repeated {
        head.extend(["quartiles", "runs"]);
    }
    let mut head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    head.extend(metric.floor.iter().map(|floor| format!("share of {floor}")));
    let row = |r: &&Record| {
        let value = |v| number::with_unit(v, &r.unit);
        let mut row = vec![
            case_name(r, records),
            shown_name(&r.implementation),
            value(r.value),
        ];
        if repeated {
            let spread =
                r.lo.zip(r.hi)
                    .map(|(lo, hi)| format!("{} … {}", value(lo), value(hi)));
            row.extend([spread.unwrap_or_else(|| "–".into()), r.runs.to_string()]);
        }
        if metric.floor.is_some() {
            row.push(match floor_share(metric, r, records) {
                _ if metric.floor.as_ref() == Some(&r.implementation) => "the floor".into(),
                Some(share) => format!("{:.0} %", 100.0 * share),
                None => "–".into(),
            });
        }
        row
    };
    Table {
        finding: metric.chart == Shape::Table,
        title: metric.title.clone(),
        head,
        rows: records.iter().map(row).collect(),
    }
}

/// How much of the floor of the same case and threads a record reaches: 1 is the floor itself.
fn floor_share(metric: &Metric, record: &Record, records: &[&Record]) -> Option<f64> {
    let floor = metric.floor.as_ref()?;
    let same = |r: &&&Record| {
        r.implementation == *floor && r.case == record.case && r.threads == record.threads
    };
    let floor = records.iter().find(same)?.value;
    Some(match metric.better {
        Better::Higher => record.value / floor,
        Better::Lower => floor / record.value,
    })
}

/// An implementation as a person says it: a peer's is recorded as `peer/method`.
pub(crate) fn shown_name(implementation: &str) -> String {
    match implementation.split_once('/') {
        Some((peer, method)) => format!("{method} in {peer}"),
        None => implementation.to_owned(),
    }
}

/// Ours beside each peer, a table for each version that took part.
fn peers(metric: &Metric, records: &[&Record]) -> Vec<Table> {
    let foreign = records.iter().filter(|r| r.implementation.contains('/'));
    let table = |version: &str| {
        let rows = records
            .iter()
            .filter(|r| r.version == version)
            .filter_map(|r| beside(metric, r, records));
        let rows: Vec<_> = rows.collect();
        let head = ["case", "method", "ours", "peer", "peer ÷ ours", "in words"]
            .map(str::to_owned)
            .to_vec();
        let title = format!("{}: ours beside {version}", metric.title);
        (!rows.is_empty()).then_some(Table {
            title,
            finding: true,
            head,
            rows,
        })
    };
    distinct(foreign.map(|r| r.version.as_str()))
        .into_iter()
        .filter_map(table)
        .collect()
}

/// A peer's record in a row with ours of the same thing, if there is one.
fn beside(metric: &Metric, theirs: &Record, records: &[&Record]) -> Option<Vec<String>> {
    let (_, method) = theirs.implementation.split_once('/')?;
    let same = |r: &&&Record| {
        r.implementation == method
            && r.case == theirs.case
            && r.threads == theirs.threads
            && r.x == theirs.x
    };
    let ours = records.iter().find(same)?;
    let x = theirs.x.as_ref().map_or(String::new(), |x| {
        format!(", {} {}", x.name, number::short(x.value))
    });
    Some(vec![
        format!("{}{x}", case_name(theirs, records)),
        method.to_owned(),
        number::with_unit(ours.value, &ours.unit),
        number::with_unit(theirs.value, &theirs.unit),
        number::short(theirs.value / ours.value),
        verdict(metric, ours, theirs),
    ])
}

/// Whether two records differ by more than their quartiles, and by more than rounding.
pub(crate) fn differs(a: &Record, b: &Record) -> bool {
    let ((a_lo, a_hi), (b_lo, b_hi)) = (ends(a), ends(b));
    (a_lo > b_hi || b_lo > a_hi) && (a.value / b.value - 1.0).abs() > 0.005
}

fn ends(r: &Record) -> (f64, f64) {
    (r.lo.unwrap_or(r.value), r.hi.unwrap_or(r.value))
}

/// Which of two records is better, in words; quartiles that overlap decide nothing.
pub(crate) fn verdict(metric: &Metric, ours: &Record, theirs: &Record) -> String {
    if !differs(ours, theirs) {
        return "no clear difference".into();
    }
    let ours_less = ours.value < theirs.value;
    let ratio = if ours_less {
        theirs.value / ours.value
    } else {
        ours.value / theirs.value
    };
    let won = ours_less == (metric.better == Better::Lower);
    let word = match (metric.unit.as_str(), won, ours_less) {
        ("s", true, _) => "faster",
        ("s", false, _) => "slower",
        (_, _, true) => "lower",
        (_, _, false) => "higher",
    };
    let mark = if won { "ours is" } else { "ours loses:" };
    // Quartiles this far apart mean that something else was running.
    let noisy = [ours, theirs]
        .iter()
        .any(|r| ends(r).1 - ends(r).0 > 0.4 * r.value);
    let doubt = if noisy { " (disturbed)" } else { "" };
    format!("{mark} {}× {word}{doubt}", number::short(ratio))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::record::Abscissa;
    use crate::bench::suite::tests::demo;

    pub(crate) fn record(metric: &str, case: &str, implementation: &str, value: f64) -> Record {
        let unit = match metric {
            "time" => "s",
            "bandwidth" => "GB/s",
            _ => "1",
        };
        Record {
            suite: "demo".into(),
            case: case.into(),
            implementation: implementation.into(),
            metric: metric.into(),
            value,
            unit: unit.into(),
            runs: 10,
            threads: 1,
            ..Record::default()
        }
    }

    pub(crate) fn at(x: f64, record: Record) -> Record {
        Record {
            x: Some(Abscissa {
                name: "nfe".into(),
                value: x,
            }),
            ..record
        }
    }

    #[test]
    fn curves_become_a_column_each() {
        let records = [
            at(10.0, record("rms", "tb1", "ddim", 0.5)),
            at(5.0, record("rms", "tb1", "ddim", 1.0)),
            at(5.0, record("rms", "tb1", "heun", 0.25)),
        ];
        let tables = of_suite(&demo(), &records);
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].head, ["NFE", "ddim", "heun"]);
        assert_eq!(tables[0].rows, [["5", "1", "0.25"], ["10", "0.5", "–"]]);
    }

    #[test]
    fn floors_become_shares() {
        let records = [
            record("bandwidth", "16 Mi", "copy", 20.0),
            record("bandwidth", "16 Mi", "lincomb", 15.0),
        ];
        let tables = of_suite(&demo(), &records);
        assert_eq!(tables[0].rows[1].last().map(String::as_str), Some("75 %"));
    }

    #[test]
    fn wins_losses_and_ties_are_said_alike() {
        let spread = |r: Record, lo, hi| Record {
            lo: Some(lo),
            hi: Some(hi),
            ..r
        };
        let peer = |case: &str, value| Record {
            version: "1.0".into(),
            ..record("time", case, "p/ddim", value)
        };
        let records = [
            record("time", "win", "ddim", 0.001),
            peer("win", 0.002),
            record("time", "loss", "ddim", 0.003),
            peer("loss", 0.001),
            spread(record("time", "tie", "ddim", 0.001), 0.0009, 0.0012),
            spread(peer("tie", 0.0011), 0.001, 0.0013),
        ];
        let tables = of_suite(&demo(), &records);
        let words: Vec<&str> = tables[1].rows.iter().map(|r| r[5].as_str()).collect();
        assert_eq!(
            words,
            [
                "ours is 2× faster",
                "ours loses: 3× slower",
                "no clear difference"
            ]
        );
    }
}
