//! Other packages on the same device in the same run: steps of training are written to a folder, a script does them again,
//! compares, times, and says what it found, a JSON object a line.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::report::Report;

/// How peers are run.
pub(crate) struct Peers {
    /// The script, `benches/peers/device_peer.py`.
    pub(crate) script: PathBuf,
    /// A Python that has the packages.
    pub(crate) python: OsString,
    /// `cuda`, or `cpu` to try the script without a device.
    pub(crate) on: String,
}

/// A step of training, with what our forms of it take.
pub(crate) struct Step {
    pub(crate) name: String,
    /// The script's name for what the step computes.
    pub(crate) kind: &'static str,
    /// Inputs and results of one step, with their shapes.
    pub(crate) inputs: Vec<(Vec<usize>, Vec<f32>)>,
    pub(crate) outputs: Vec<(Vec<usize>, Vec<f32>)>,
    /// Seconds of our fastest form, by the precision of its products.
    pub(crate) ours: Vec<(&'static str, f64)>,
}

/// What the script says.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Said {
    Peer {
        work: String,
        #[serde(rename = "impl")]
        who: String,
        precision: String,
        agreement: f64,
        seconds: f64,
        prepared: f64,
    },
    Note {
        text: String,
    },
}

fn store(
    folder: &Path,
    stem: &str,
    arrays: &[(Vec<usize>, Vec<f32>)],
) -> std::io::Result<serde_json::Value> {
    let mut list = Vec::new();
    for (k, (shape, values)) in arrays.iter().enumerate() {
        let file = format!("{stem}-{k}.f32");
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(folder.join(&file), bytes)?;
        list.push(json!({ "file": file, "shape": shape }));
    }
    Ok(list.into())
}

/// Writes the steps to `folder/peers`, runs the script on them and takes in what it says.
///
/// # Errors
/// Files that cannot be written, a script that cannot be started or fails.
pub(crate) fn run(
    peers: &Peers,
    steps: &[Step],
    folder: &Path,
    report: &mut Report,
) -> Result<(), Box<dyn Error>> {
    let folder = folder.join("peers");
    std::fs::create_dir_all(&folder)?;
    let mut list = Vec::new();
    for (k, step) in steps.iter().enumerate() {
        list.push(json!({
            "name": step.name,
            "kind": step.kind,
            "inputs": store(&folder, &format!("{k}-in"), &step.inputs)?,
            "outputs": store(&folder, &format!("{k}-out"), &step.outputs)?,
        }));
    }
    let mut file = std::fs::File::create(folder.join("steps.json"))?;
    file.write_all(serde_json::to_string(&list)?.as_bytes())?;
    drop(file);
    let done = Command::new(&peers.python)
        .arg(&peers.script)
        .arg(&folder)
        .arg(&peers.on)
        .stderr(Stdio::inherit())
        .output()?;
    for line in String::from_utf8_lossy(&done.stdout).lines() {
        match serde_json::from_str(line)? {
            Said::Note { text } => report.note(&text),
            Said::Peer {
                work,
                who,
                precision,
                agreement,
                seconds,
                prepared,
            } => {
                let step = steps.iter().find(|s| s.name == work);
                let ours = step.and_then(|s| s.ours.iter().find(|(p, _)| *p == precision));
                report.peer(
                    &work,
                    &who,
                    &precision,
                    ours.map(|o| o.1),
                    [seconds, agreement, prepared],
                );
            }
        }
    }
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {}", peers.script.display(), done.status).into())
    }
}
