//! The summary: the tables of the report as Markdown.

use super::report::Page;
use super::table::Table;
use super::{compare, table};
use crate::text::push;

pub(crate) fn page(page: &Page<'_>) -> String {
    let m = page.machine;
    let mut text = format!(
        "# Benchmarks\n\n{} run on {} ({} cores, {}), {}, commit {}, {}; {:.0} s.\n",
        m.kind(),
        m.cpu,
        m.cores,
        m.system,
        m.rustc,
        m.commit,
        m.date,
        page.seconds
    );
    for failure in &page.collected.failures {
        push(
            &mut text,
            format_args!(
                "\n**{} did not finish: {}**\n\n```text\n{}\n```\n",
                failure.suite, failure.status, failure.tail
            ),
        );
    }
    for suite in page.suites {
        push(
            &mut text,
            format_args!("\n## {}\n\n{} {}\n", suite.title, suite.shows, suite.read),
        );
        for note in page
            .collected
            .notes
            .iter()
            .filter(|n| n.suite == suite.name)
        {
            push(&mut text, format_args!("\n> {}\n", note.text));
        }
        let tables = table::of_suite(suite, &page.collected.records);
        let beside = page
            .earlier
            .and_then(|earlier| compare::table(suite, &page.collected.records, earlier));
        for table in tables.iter().chain(&beside) {
            text.push_str(&markdown(table));
        }
    }
    text
}

fn markdown(table: &Table) -> String {
    let row = |cells: &[String]| {
        format!(
            "| {} |\n",
            cells
                .iter()
                .map(|c| c.replace('|', "\\|"))
                .collect::<Vec<_>>()
                .join(" | ")
        )
    };
    let mut text = format!("\n### {}\n", table.title);
    // A title may say that there is nothing to list.
    if table.rows.is_empty() {
        return text;
    }
    push(&mut text, format_args!("\n{}|", row(&table.head)));
    text.push_str(&"---|".repeat(table.head.len()));
    text.push('\n');
    table
        .rows
        .iter()
        .for_each(|cells| text.push_str(&row(cells)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::collect::{Collected, Failure, Note};
    use crate::bench::machine::Machine;
    use crate::bench::suite::tests::demo;
    use crate::bench::table::tests::record;

    #[test]
    fn tables_notes_and_failures_are_written() {
        let collected = Collected {
            records: vec![record("time", "a|b", "ddim", 0.25)],
            notes: vec![Note {
                suite: "demo".into(),
                text: "peer is missing".into(),
            }],
            failures: vec![Failure {
                suite: "demo".into(),
                status: "exit status: 3".into(),
                tail: "broken".into(),
            }],
            pictures: Vec::new(),
        };
        let machine = Machine {
            cpu: "Fast 9000".into(),
            ..Machine::default()
        };
        let text = page(&Page {
            machine: &machine,
            suites: &[demo()],
            collected: &collected,
            earlier: None,
            seconds: 1.0,
        });
        for wanted in [
            "Fast 9000",
            "| a\\|b | ddim | 250 ms |",
            "> peer is missing",
            "did not finish: exit status: 3",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in\n{text}");
        }
    }
}
