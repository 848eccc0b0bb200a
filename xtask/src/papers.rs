//! `cargo xtask papers`: writes `docs/papers.md` from `docs/papers.toml`.

use std::path::Path;

use serde::Deserialize;

use crate::error::{self, Error};
use crate::text::push;
use crate::workspace::Workspace;

/// `docs/papers.toml`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Papers {
    #[serde(default)]
    pub(crate) paper: Vec<Paper>,
}

/// One published method that works here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paper {
    /// As in `docs/systems.toml`.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) authors: String,
    pub(crate) year: u16,
    /// Where to read it: `arXiv:…` or `doi:…`.
    #[serde(default)]
    pub(crate) link: String,
    #[serde(rename = "crate")]
    pub(crate) krate: String,
    /// File of the module, from the root of the repository.
    pub(crate) module: String,
    pub(crate) example: String,
    pub(crate) test: String,
    /// The number that the test or the bench reaches, with the published one.
    pub(crate) number: String,
}

pub(crate) fn load(root: &Path) -> Result<Papers, Error> {
    error::read_toml(&root.join("docs/papers.toml"))
}

pub(crate) fn run(check: bool) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    let path = workspace.workspace_root.join("docs/papers.md");
    let page = page(&load(&workspace.workspace_root)?);
    if error::read(&path).is_ok_and(|now| now == page) {
        println!("docs/papers.md is up to date");
        return Ok(());
    }
    if check {
        return Err(Error::Findings {
            count: 1,
            what: "stale page (docs/papers.md)",
            remedy: "run `cargo xtask papers`",
        });
    }
    error::write(&path, page)?;
    println!("wrote docs/papers.md");
    Ok(())
}

/// The page as Markdown, in the order of the rows.
pub(crate) fn page(papers: &Papers) -> String {
    let mut page = String::from(
        "# Papers\n\n\
         Each row is a published method that works here: where its code is, a test that holds it to a published or exact\n\
         number, and an example. Written by `cargo xtask papers` from `papers.toml`.\n\n\
         | id | paper | crate | code | test | example | number reached |\n|---|---|---|---|---|---|---|\n",
    );
    for p in &papers.paper {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let link = |path: &str| format!("[{}](../{path})", path.rsplit('/').next().unwrap_or(path));
        let source = match p.link.split_once(':') {
            Some(("arXiv", id)) => format!(" [arXiv:{id}](https://arxiv.org/abs/{id})"),
            Some(("doi", id)) => format!(" [doi:{id}](https://doi.org/{id})"),
            _ => String::new(),
        };
        push(
            &mut page,
            format_args!(
                "| `{}` | {}, *{}*, {}.{source} | `{}` | {} | {} | {} | {} |\n",
                p.id,
                cell(&p.authors),
                cell(&p.title),
                p.year,
                p.krate,
                link(&p.module),
                link(&p.test),
                link(&p.example),
                cell(&p.number)
            ),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_links_and_bars_are_escaped() {
        let row = "[[paper]]\nid = 'a'\ntitle = 'T | U'\nauthors = 'X, Y'\nyear = 2020\nlink = 'arXiv:2010.02502'\n\
                   crate = 'ansatz-diffusion'\nmodule = 'crates/d/src/a.rs'\nexample = 'crates/d/examples/e.rs'\n\
                   test = 'crates/d/tests/t.rs'\nnumber = '0.5'\n";
        let page = page(&toml::from_str(row).unwrap());
        let last = page.lines().last().unwrap();
        assert_eq!(
            last,
            "| `a` | X, Y, *T \\| U*, 2020. [arXiv:2010.02502](https://arxiv.org/abs/2010.02502) | `ansatz-diffusion` | \
             [a.rs](../crates/d/src/a.rs) | [t.rs](../crates/d/tests/t.rs) | [e.rs](../crates/d/examples/e.rs) | 0.5 |"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(toml::from_str::<Papers>("[[paper]]\nid = 'a'\ntitel = 'T'\n").is_err());
    }
}
