//! `cargo xtask gallery`: runs the examples, checks the numbers they promise, collects their pictures.
//!
//! An example belongs to the gallery if its leading `//!` block has lines that begin with `gallery:`
//!
//! ```text
//! //! gallery: Sixteen digits in ten evaluations       (once: the title)
//! //! gallery: expect rms in 0..0.05                     (any number: a line "rms = 0.0123" or "rms: 0.0123" is printed)
//! //! gallery: picture sample_digits.png Samples         (any number of .png or .svg, written under target/gallery/)
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ansatz_viz::number;

use crate::error::{self, Error};
use crate::shell;
use crate::text::push;
use crate::workspace::{Package, Target, Workspace};

/// Pictures above this size slow every clone of the repository.
const MOST_BYTES: u64 = 100_000;

/// How the page begins.
const TITLE: &str = "# Gallery\n\nEvery picture here is written by an example and made anew by `cargo xtask gallery`.\n";

/// What the header of an example promises.
#[derive(Debug, Default, PartialEq)]
struct Header {
    title: String,
    expects: Vec<Expect>,
    pictures: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
struct Expect {
    name: String,
    least: f64,
    most: f64,
}

/// Runs all examples, or those named, and writes the page: what did not run, or failed, stays on it as it was.
pub(crate) fn run(only: &[String]) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let root = &workspace.workspace_root;
    let page = root.join("docs/gallery/README.md");
    let before = if page.exists() {
        error::read(&page)?
    } else {
        String::new()
    };
    let before = sections(&before);
    let mut text = String::from(TITLE);
    let (mut ran, mut failed) = (0, Vec::new());
    for package in workspace.members() {
        for target in package
            .targets
            .iter()
            .filter(|t| t.kind.iter().any(|k| k == "example"))
        {
            let source = workspace.relative(&target.src_path);
            let Some(header) = header(&error::read(&target.src_path)?)
                .map_err(|m| Error::Usage(format!("{source}: {m}")))?
            else {
                continue;
            };
            let known = before.get(&source).map_or("", String::as_str);
            if !(only.is_empty() || only.contains(&target.name)) {
                text.push_str(known);
                continue;
            }
            ran += 1;
            match show(root, package, target, &source, &header) {
                Ok(section) => text.push_str(&section),
                Err(e) => {
                    println!("{} failed: {e}", target.name);
                    failed.push(target.name.as_str());
                    text.push_str(known);
                }
            }
        }
    }
    if ran == 0 {
        return Err(Error::Usage(
            "no such example has a `//! gallery:` header; xtask/README.md says how to write one"
                .into(),
        ));
    }
    error::write(&page, text)?;
    println!("wrote docs/gallery/README.md, {ran} examples made anew");
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{} of {ran} examples failed: {}",
        failed.len(),
        failed.join(", ")
    )))
}

/// The sections of a page by the source that they link to.
fn sections(page: &str) -> BTreeMap<String, String> {
    let body = page.strip_prefix(TITLE).unwrap_or(page);
    let sections = body.split("\n## ").filter_map(|section| {
        let (_, link) = section.split_once("](../../")?;
        let (source, _) = link.split_once(')')?;
        let section = format!("\n## {}\n", section.trim_end());
        Some((source.to_owned(), section))
    });
    sections.collect()
}

/// Runs one example, checks its numbers, copies its pictures, and gives its section of the page.
fn show(
    root: &Path,
    package: &Package,
    target: &Target,
    source: &str,
    header: &Header,
) -> Result<String, Error> {
    let start = Instant::now();
    let mut command = shell::cargo();
    command.args([
        "run",
        "--quiet",
        "--release",
        "-p",
        &package.name,
        "--example",
        &target.name,
    ]);
    if !target.required_features.is_empty() {
        command
            .arg("--features")
            .arg(target.required_features.join(","));
    }
    let printed = shell::output(command.current_dir(root))?;
    let fail = |message: String| Error::Usage(format!("{source}: {message}"));
    let mut numbers = Vec::new();
    for expect in &header.expects {
        let name = &expect.name;
        let value = printed_number(&printed, name).ok_or_else(|| {
            fail(format!(
                "promises {name:?} and prints no line `{name} = NUMBER`"
            ))
        })?;
        if !(expect.least..=expect.most).contains(&value) {
            return Err(fail(format!(
                "prints {name} = {value}, outside {}..{}",
                expect.least, expect.most
            )));
        }
        numbers.push((name.clone(), value));
    }
    for (picture, _) in &header.pictures {
        let from = root.join("target/gallery").join(picture);
        let size = std::fs::metadata(&from)
            .map_err(|source| Error::Read {
                path: from.clone(),
                source,
            })?
            .len();
        if size > MOST_BYTES {
            return Err(fail(format!(
                "writes {picture} with {size} bytes, more than {MOST_BYTES}: draw it smaller"
            )));
        }
        let bytes = std::fs::read(&from).map_err(|source| Error::Read {
            path: from.clone(),
            source,
        })?;
        error::write(&root.join("docs/gallery").join(picture), bytes)?;
    }
    println!(
        "{} ran in {:.1} s, {} numbers in range",
        target.name,
        start.elapsed().as_secs_f64(),
        numbers.len()
    );
    Ok(section(
        &package.name,
        &target.name,
        source,
        header,
        &numbers,
    ))
}

/// The gallery lines of the leading `//!` block; `None` if there are none.
fn header(source: &str) -> Result<Option<Header>, String> {
    let docs = source
        .lines()
        .take_while(|l| l.starts_with("//!"))
        .filter_map(|l| l[3..].trim().strip_prefix("gallery:"));
    let mut header = Header::default();
    let mut any = false;
    for line in docs.map(str::trim) {
        any = true;
        if let Some(rest) = line.strip_prefix("expect ") {
            header.expects.push(expect(rest).ok_or_else(|| {
                format!("cannot read {line:?}: write `expect NAME in LEAST..MOST`")
            })?);
        } else if let Some(rest) = line.strip_prefix("picture ") {
            let (file, caption) = rest.split_once(' ').unwrap_or((rest, ""));
            let shown = Path::new(file)
                .extension()
                .is_some_and(|e| e == "png" || e == "svg");
            if file.contains(['/', '\\']) || !shown {
                return Err(format!(
                    "picture {file:?} must be the name of a .png or .svg file under target/gallery"
                ));
            }
            header
                .pictures
                .push((file.to_owned(), caption.trim().to_owned()));
        } else if header.title.is_empty() {
            line.clone_into(&mut header.title);
        } else {
            return Err(format!("has two titles, {:?} and {line:?}", header.title));
        }
    }
    if any && header.title.is_empty() {
        return Err("has no title: add `//! gallery: What one sees`".into());
    }
    Ok(any.then_some(header))
}

fn expect(text: &str) -> Option<Expect> {
    let (name, range) = text.split_once(" in ")?;
    let (least, most) = range.split_once("..")?;
    let (least, most) = (least.trim().parse().ok()?, most.trim().parse().ok()?);
    (least <= most).then(|| Expect {
        name: name.trim().to_owned(),
        least,
        most,
    })
}

/// The number in the last line `name = 1.5 unit` or `name: 1.5`.
fn printed_number(printed: &str, name: &str) -> Option<f64> {
    printed.lines().rev().find_map(|line| {
        let rest = line.trim().strip_prefix(name)?.trim_start();
        rest.strip_prefix(['=', ':'])?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })
}

fn section(
    krate: &str,
    name: &str,
    source: &str,
    header: &Header,
    numbers: &[(String, f64)],
) -> String {
    let mut section = format!("\n## {}\n\n", header.title);
    for (file, caption) in &header.pictures {
        push(&mut section, format_args!("![{caption}]({file})\n"));
    }
    if !header.pictures.is_empty() {
        section.push('\n');
    }
    let numbers: Vec<String> = numbers
        .iter()
        .map(|(n, v)| format!("{n} = {}", number::short(*v)))
        .collect();
    let numbers = if numbers.is_empty() {
        String::new()
    } else {
        format!(" It prints {}.", numbers.join(", "))
    };
    push(
        &mut section,
        format_args!(
            "[{source}](../../{source}): `cargo run --release -p {krate} --example {name}`.{numbers}\n"
        ),
    );
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! Samples digits.\n//! gallery: Digits in ten steps\n//! gallery: expect rms in 0..0.05\n\
                          //! gallery: picture digits.png Samples\nfn main() {}\n//! gallery: expect late in 0..1\n";

    #[test]
    fn headers_are_read_from_the_leading_block() {
        let header = header(SOURCE).unwrap().unwrap();
        assert_eq!(header.title, "Digits in ten steps");
        assert_eq!(
            header.expects,
            [Expect {
                name: "rms".into(),
                least: 0.0,
                most: 0.05
            }]
        );
        assert_eq!(header.pictures, [("digits.png".into(), "Samples".into())]);
    }

    #[test]
    fn other_examples_are_left_alone_and_slips_are_said() {
        assert_eq!(header("//! An example.\nfn main() {}\n").unwrap(), None);
        for slip in [
            "expect rms 0..1",
            "expect rms in 2..1",
            "picture ../x.png",
            "picture x.jpg",
            "expect a in 0..1",
        ] {
            assert!(header(&format!("//! gallery: {slip}\n")).is_err(), "{slip}");
        }
    }

    /// A run of some examples keeps what the page says of the others, to the letter.
    #[test]
    fn sections_of_a_page_are_found_again() {
        let header = header(SOURCE).unwrap().unwrap();
        let numbers = [("rms".to_owned(), 0.012)];
        let first = section("one", "a", "crates/one/examples/a.rs", &header, &numbers);
        let second = section("two", "b", "crates/two/examples/b.rs", &header, &[]);
        let page = format!("{TITLE}{first}{second}");
        let found = sections(&page);
        assert_eq!(found.len(), 2);
        assert_eq!(found["crates/one/examples/a.rs"], first);
        assert_eq!(found["crates/two/examples/b.rs"], second);
    }

    #[test]
    fn numbers_are_found_by_name() {
        let printed = "rms = 0.5\nrms of all: 3\n  rms: 0.0123 (exact)\nnfe = 10\n";
        assert_eq!(printed_number(printed, "rms"), Some(0.0123));
        assert_eq!(printed_number(printed, "nfe"), Some(10.0));
        assert_eq!(printed_number(printed, "rms of all"), Some(3.0));
        assert_eq!(printed_number(printed, "missing"), None);
    }
}
