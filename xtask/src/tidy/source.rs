//! Rules on Rust files: module docs, size, unfinished code, `unsafe` with its reason.

use super::Finding;

/// Lines from which a file should be split, and above which it must be.
const LONG: usize = 500;
const TOO_LONG: usize = 800;

/// Macros for code that is not there; split so that this file passes its own rule.
const UNFINISHED: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];

pub(crate) fn check(path: &str, content: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let code = mask(content);
    found.extend(module_docs(path, content));
    found.extend(size(path, content));
    for (index, line) in code.lines().enumerate() {
        if let Some(name) = UNFINISHED.iter().find(|m| line.contains(*m)) {
            found.push(Finding::fail(
                path,
                index + 1,
                format!("{name}…) is unfinished code"),
            ));
        }
    }
    found.extend(unsafe_reasons(path, content, &code));
    found
}

/// A source file begins with `//!` docs (or `#![doc = include_str!(…)]`); only a shebang or plain comments may precede.
fn module_docs(path: &str, content: &str) -> Option<Finding> {
    let first = content
        .lines()
        .map(str::trim)
        .find(|l| !l.is_empty() && (!l.starts_with("//") || l.starts_with("//!")));
    let documented = first.is_some_and(|l| l.starts_with("//!") || l.starts_with("#![doc"));
    (!documented).then(|| {
        Finding::fail(
            path,
            1,
            "has no module docs: begin with `//!` and a sentence on what it holds",
        )
    })
}

/// Length of files under `src/`; a file whose first line begins with `//! Data` is a table and may be long.
fn size(path: &str, content: &str) -> Option<Finding> {
    let lines = content.lines().count();
    if !path.contains("/src/") || content.starts_with("//! Data") || lines <= LONG {
        return None;
    }
    if lines > TOO_LONG {
        let message = format!(
            "has {lines} lines, more than {TOO_LONG}: split it, or say `//! Data` if it is a table"
        );
        return Some(Finding::fail(path, 0, message));
    }
    Some(Finding::warn(
        path,
        0,
        format!("has {lines} lines; over {LONG} a file is hard to read at one sitting"),
    ))
}

/// Each `unsafe` block and impl has `// SAFETY:` on its line or in the comment above. An `unsafe fn` asks something of its
/// callers and does nothing unsafe by itself; clippy asks for its `# Safety`.
fn unsafe_reasons(path: &str, content: &str, code: &str) -> Vec<Finding> {
    let lines: Vec<&str> = content.lines().collect();
    let explained = |index: usize| {
        let above = lines[..index]
            .iter()
            .rev()
            .map(|l| l.trim())
            .take_while(|l| l.starts_with("//") || l.starts_with("#["));
        lines[index].contains("// SAFETY:") || above.into_iter().any(|l| l.contains("SAFETY:"))
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let asks = |line: &str| {
        let words = || line.split(|c| !is_part(c)).filter(|w| !w.is_empty());
        words()
            .zip(words().skip(1).chain([""]))
            .any(|(word, next)| word == "unsafe" && next != "fn")
    };
    code.lines()
        .enumerate()
        .filter(|(_, line)| asks(line))
        .filter(|(index, _)| !explained(*index))
        .map(|(index, _)| {
            Finding::fail(
                path,
                index + 1,
                "`unsafe` without a `// SAFETY:` comment right above",
            )
        })
        .collect()
}

/// The source with comments, strings and character literals blanked, so that rules see code only. Line numbers stay.
fn mask(content: &str) -> String {
    let bytes: Vec<char> = content.chars().collect();
    let mut out = String::with_capacity(content.len());
    let mut at = 0;
    let blank = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['r', '"' | '#', ..] if at == 0 || !bytes[at - 1].is_alphanumeric() => raw_string(rest),
            ['"', ..] => quoted(rest, '"'),
            ['\'', '\\', ..] => quoted(rest, '\''),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            out.push(bytes[at]);
            at += 1;
        } else {
            rest[..length].iter().for_each(|&c| blank(&mut out, c));
            at += length;
        }
    }
    out
}

/// Length of a block comment, which may be nested.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of `r"…"` or `r#"…"#`; 0 if it is a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let body = 2 + hashes;
    let closes = |at: usize| {
        rest[at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    (body..rest.len())
        .find(|&at| closes(at))
        .map_or(rest.len(), |at| at + 1 + hashes)
}

/// Length of a literal with escapes.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(content: &str) -> Vec<String> {
        check("crates/a/src/b.rs", content)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn docs_must_come_first() {
        assert!(messages("// data: x\n\n//! Docs.\nfn f() {}\n").is_empty());
        assert!(messages("#![doc = include_str!(\"x\")]\n").is_empty());
        assert_eq!(messages("use a::b;\n//! late\n").len(), 1);
        assert_eq!(messages("").len(), 1);
    }

    #[test]
    fn long_files_warn_then_fail_unless_data() {
        let lines = |n: usize| "//! Docs.\n".repeat(n);
        assert!(messages(&lines(500)).is_empty());
        assert!(messages(&lines(501))[0].starts_with("warn"));
        assert!(messages(&lines(801))[0].starts_with("fail"));
        assert!(messages(&format!("//! Data: nodes.\n{}", lines(900))).is_empty());
        assert!(check("crates/a/tests/b.rs", &lines(900)).is_empty());
    }

    #[test]
    fn unsafe_needs_its_reason() {
        let with = "//! D.\nfn f() {\n    // SAFETY: in bounds.\n    unsafe { g() }\n}\n";
        let without = "//! D.\nfn f() {\n    unsafe { g() }\n}\n";
        assert!(messages(with).is_empty());
        assert_eq!(
            messages(without),
            ["fail crates/a/src/b.rs:3: `unsafe` without a `// SAFETY:` comment right above"]
        );
        assert!(
            messages(
                "//! D.\n#![forbid(unsafe_code)]\n// unsafe words\nconst A: &str = \"unsafe\";\n"
            )
            .is_empty()
        );
        assert!(
            messages("//! D.\n// SAFETY: passes on.\n#[x]\nunsafe impl A for B {\n    unsafe fn f() {}\n}\n")
                .is_empty()
        );
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        assert_eq!(
            messages(&format!("//! D.\nfn f() {{ {}) }}\n", UNFINISHED[0])).len(),
            1
        );
        assert!(
            messages(&format!(
                "//! D.\n// {})\nconst A: &str = \"{})\";\n",
                UNFINISHED[0], UNFINISHED[1]
            ))
            .is_empty()
        );
    }

    #[test]
    fn masking_keeps_lines_and_code() {
        let source = "a /* x /* y */ z */ b // c\n'\"' d r#\"e\"f\"# g 'h \"i\\\"j\" k r#type";
        let masked = mask(source);
        assert_eq!(masked.lines().count(), 2);
        let words: Vec<&str> = masked.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "d", "g", "'h", "k", "r#type"]);
    }
}
