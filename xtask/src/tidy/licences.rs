//! Licences of third-party packages, from their SPDX expressions.

use super::Finding;
use crate::workspace::Package;

/// Licences that may be linked into permissively licensed work without conditions beyond attribution.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "zlib-acknowledgement",
];

pub(crate) fn check<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<Finding> {
    packages
        .filter(|p| !p.license.as_deref().is_some_and(allowed))
        .map(|p| {
            let licence = p.license.as_deref().unwrap_or("no SPDX licence");
            Finding::fail(
                "Cargo.lock",
                0,
                format!(
                    "{} {} has {licence}, which is not on the list",
                    p.name, p.version
                ),
            )
        })
        .collect()
}

/// Whether an SPDX expression can be met by allowed licences: `OR` asks for one side, `AND` for both. The old form
/// `MIT/Apache-2.0` means `OR`.
fn allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at);
    met && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut met = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at);
    }
    met
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut met = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at);
    }
    met
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(&word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if word == "(" {
        let met = either(words, at);
        *at += 1;
        return met && words.get(*at - 1) == Some(&")");
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return ALLOWED.contains(&format!("{word} WITH {exception}").as_str());
    }
    ALLOWED.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let good = [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ];
        let bad = [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND LGPL-2.1",
            "",
            "MIT MIT",
            "GPL-2.0 WITH LLVM-exception",
            "(MIT",
        ];
        for expression in good {
            assert!(allowed(expression), "{expression}");
        }
        for expression in bad {
            assert!(!allowed(expression), "{expression}");
        }
    }
}
