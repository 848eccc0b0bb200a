//! What the numbers were measured on.

use std::path::Path;
use std::process::Command;

use crate::date::Moment;
use crate::shell;

/// Facts that stand in every record and at the head of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) date: String,
    pub(crate) system: String,
    pub(crate) quick: bool,
}

impl Machine {
    pub(crate) fn ask(root: &Path, now: Moment, quick: bool) -> Self {
        let unknown = || String::from("unknown");
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: cores(),
            rustc: first_line(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
            commit: commit(root).unwrap_or_else(unknown),
            date: now.readable(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            quick,
        }
    }

    /// Whether the numbers come from a short or a full run.
    pub(crate) fn kind(&self) -> &'static str {
        if self.quick { "Quick" } else { "Full" }
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn first_line(command: &mut Command) -> Option<String> {
    let text = shell::output(command).ok()?;
    text.lines()
        .next()
        .map(|l| l.trim().to_owned())
        .filter(|l| !l.is_empty())
}

fn cpu() -> Option<String> {
    match std::fs::read_to_string("/proc/cpuinfo") {
        Ok(text) => model_name(&text),
        Err(_) => first_line(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])),
    }
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|l| l.starts_with("model name") || l.starts_with("Model"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// The commit, with `-dirty` if the tree had changes: such numbers cannot be made again.
fn commit(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        shell::output(Command::new("git").args(arguments).current_dir(root)).ok()
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?.trim().to_owned();
    let dirty = git(&["status", "--porcelain"]).is_some_and(|s| !s.trim().is_empty());
    Some(if dirty { format!("{hash}-dirty") } else { hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        assert_eq!(
            model_name("processor\t: 0\nmodel name\t: Fast 9000\n").as_deref(),
            Some("Fast 9000")
        );
        assert_eq!(model_name("nothing here\n"), None);
    }
}
