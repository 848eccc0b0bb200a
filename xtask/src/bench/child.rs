//! A suite as a child process: its lines are read as they come, a bar shows how far it is.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::collect::{Collected, Failure};
use crate::shell;

/// What a child writes to its standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// A JSON line for each event.
    Events,
    /// Text for a person; each line that holds a time is a step.
    Text,
}

/// Runs `command` until it ends or `limit` is over. A failure is printed and kept in `collected`.
pub(crate) fn run(
    suite: &str,
    command: &mut Command,
    output: Output,
    limit: Duration,
    collected: &mut Collected,
) {
    let bar = bar(suite);
    let start = Instant::now();
    let before = collected.records.len();
    let ended = follow(command, output, limit, collected, |done, total, what| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(what.to_owned());
    });
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    match ended {
        Ok(()) if output == Output::Text => println!("{suite}: done in {seconds:.1} s"),
        Ok(()) => println!(
            "{suite}: {} records in {seconds:.1} s",
            collected.records.len() - before
        ),
        Err((status, tail)) => {
            eprintln!("{suite}: FAILED after {seconds:.1} s: {status}\n{tail}");
            collected.failures.push(Failure {
                suite: suite.to_owned(),
                status,
                tail,
            });
        }
    }
}

/// Feeds each line of standard output to `collected`; the error is how it ended and the end of standard error.
fn follow(
    command: &mut Command,
    output: Output,
    limit: Duration,
    collected: &mut Collected,
    mut progress: impl FnMut(u64, u64, &str),
) -> Result<(), (String, String)> {
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|e| {
        (
            format!("cannot start `{}`: {e}", shell::display(command)),
            String::new(),
        )
    })?;
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            // The receiver may be gone after the time limit: then the rest does not matter.
            let _ = BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line));
        });
    }
    let stderr = child.stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is still worth showing.
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    });
    let deadline = Instant::now() + limit;
    let mut unreadable = Vec::new();
    let mut late = false;
    let mut steps = 0;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if output == Output::Text => {
                if line.contains("time:") {
                    steps += 1;
                    progress(steps, steps + 1, line.trim());
                }
            }
            Ok(line) => match collected.line(&line) {
                Ok(Some((done, total, what))) => progress(done, total, &what),
                Ok(None) => {}
                Err(message) => unreadable.push(message),
            },
            Err(RecvTimeoutError::Timeout) => {
                late = true;
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = end(&mut child, late).map_err(|e| (e.to_string(), String::new()))?;
    let said = stderr.and_then(|s| s.join().ok()).unwrap_or_default();
    let tail = shell::tail(&said, 20);
    if late {
        return Err((
            format!("stopped after {} s, its time limit", limit.as_secs()),
            tail,
        ));
    }
    if !status.success() {
        return Err((status.to_string(), tail));
    }
    unreadable.first().map_or(Ok(()), |first| {
        Err((
            format!(
                "{} lines could not be read, the first: {first}",
                unreadable.len()
            ),
            tail,
        ))
    })
}

fn end(child: &mut Child, late: bool) -> std::io::Result<ExitStatus> {
    if late {
        child.kill()?;
    }
    child.wait()
}

fn bar(suite: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    // Without a terminal there is no bar: the line at the end of each suite says enough.
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    if let Ok(style) =
        ProgressStyle::with_template("{prefix:12} [{bar:24}] {pos}/{len} {elapsed} {msg}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(suite.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell_script(
        script: &str,
        limit: Duration,
    ) -> (Collected, Result<(), (String, String)>, Vec<u64>) {
        let (mut collected, mut seen) = (Collected::default(), Vec::new());
        let mut command = Command::new("sh");
        let ended = follow(
            command.args(["-c", script]),
            Output::Events,
            limit,
            &mut collected,
            |done, _, _| seen.push(done),
        );
        (collected, ended, seen)
    }

    const RECORD: &str =
        r#"echo '{"kind":"record","schema":1,"suite":"s","metric":"m","value":1}'"#;

    #[test]
    fn what_came_before_a_failure_is_kept_with_its_reason() {
        let script = format!(
            "{RECORD}; echo '{{\"kind\":\"progress\",\"done\":2,\"total\":3,\"what\":\"\"}}'; echo broken >&2; exit 3"
        );
        let (collected, ended, seen) = shell_script(&script, Duration::from_secs(20));
        let (status, tail) = ended.unwrap_err();
        assert!(status.contains('3') && tail == "broken", "{status} {tail}");
        assert_eq!((collected.records.len(), seen), (1, vec![2]));
    }

    #[test]
    fn a_suite_that_hangs_is_stopped() {
        let (collected, ended, _) = shell_script(
            &format!("{RECORD}; exec sleep 30"),
            Duration::from_millis(400),
        );
        assert!(ended.unwrap_err().0.contains("time limit"));
        assert_eq!(collected.records.len(), 1);
    }

    #[test]
    fn stray_output_is_a_failure_with_the_line() {
        let (collected, ended, _) =
            shell_script(&format!("echo hello; {RECORD}"), Duration::from_secs(20));
        assert!(ended.unwrap_err().0.contains("hello"));
        assert_eq!(collected.records.len(), 1);
    }
}
