//! Rules on every text file: no machine paths, no package-index hosts, no trailing spaces.

use super::Finding;

/// Hosts of package indexes; what a reader needs is a package's name. Split so that this file passes its own rule.
const HOSTS: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
];

/// Folders that exist on one machine only, when they begin an absolute path.
const FOLDERS: [&str; 6] = ["work", "tmp", "root", "farm", "home", "Users"];

pub(crate) fn check(path: &str, content: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    // The lock file is cargo's: it names the index of every package. Control characters mean data that only looks like text.
    let is_data = content
        .chars()
        .any(|c| c.is_control() && !"\n\r\t".contains(c));
    if path.ends_with("Cargo.lock") || is_data {
        return found;
    }
    for (index, line) in content.lines().enumerate() {
        let mut fail = |message: String| found.push(Finding::fail(path, index + 1, message));
        if line.ends_with([' ', '\t']) {
            fail("ends with a space".into());
        }
        if let Some(host) = HOSTS.iter().find(|host| line.contains(*host)) {
            fail(format!(
                "names the package index {host}: name the package alone"
            ));
        }
        if let Some(folder) = FOLDERS.iter().find(|folder| names_folder(line, folder)) {
            fail(format!(
                "holds a path under /{folder}, which is another machine's"
            ));
        }
    }
    found
}

/// Whether `/folder/` stands in `line` at the beginning of a path.
fn names_folder(line: &str, folder: &str) -> bool {
    let pattern = format!("/{folder}/");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        // `target/tmp/x`, `../root/` and `https://host/home/` go on from something; an absolute path begins here.
        before.is_none_or(|c| !(c.is_alphanumeric() || "_-./:}~*\\".contains(c)))
    })
}

/// Whether Markdown `text` has a heading that holds `word` as a whole word.
pub(crate) fn has_heading(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.lines()
        .filter(|l| l.starts_with('#'))
        .any(|l| l.split(|c| !is_part(c)).any(|w| w == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(line: &str) -> Vec<String> {
        check("a.md", line).into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        assert_eq!(messages(concat!("see /", "home/someone/x")).len(), 1);
        assert_eq!(messages(concat!("\"/", "tmp/x\"")).len(), 1);
        assert!(messages("crates/work/x, target/tmp/x, /usr/lib, https://a.b/home/x").is_empty());
    }

    #[test]
    fn hosts_and_trailing_spaces_are_found() {
        assert_eq!(messages(HOSTS[0]).len(), 1);
        assert_eq!(messages("text ").len(), 1);
        assert!(check("Cargo.lock", HOSTS[0]).is_empty());
        assert!(check("data.u8", "\0\u{8} \n").is_empty());
    }

    #[test]
    fn headings_match_whole_names() {
        let log = "## ansatz-core\n\n- ansatz-mesh\n### `ansatz-diffusion`\n";
        assert!(has_heading(log, "ansatz-core") && has_heading(log, "ansatz-diffusion"));
        assert!(!has_heading(log, "ansatz") && !has_heading(log, "ansatz-mesh"));
    }
}
