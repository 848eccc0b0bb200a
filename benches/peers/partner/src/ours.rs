//! Our side: `ansatz-bench serve`, one request and one answer a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Failure;

/// Our program, running.
#[derive(Debug)]
pub struct Ours {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Ours {
    /// Starts it.
    ///
    /// # Errors
    /// If there is none at `path`.
    pub fn new(path: &str) -> Result<Self, Failure> {
        let mut child = Command::new(path)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no way to our program")?;
        let output = child.stdout.take().ok_or("no way from our program")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// If it is another than `T`, such as a line that tells an error.
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Value) -> Result<T, Failure> {
        writeln!(self.input, "{request}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|e| {
            let start: String = line.chars().take(200).collect();
            format!("our side answers {request} by {start}: {e}").into()
        })
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It ends by itself as well, when its input does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
