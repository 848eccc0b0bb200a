//! Trainings one after the other, each from a file where it was finished before.

use std::path::{Path, PathBuf};

use ansatz_autodiff::Element;
use ansatz_core::Observer;
use ansatz_nn::{Archive, Checkpoint, NetworkError, Parameters};

use crate::train::all_finite;
use crate::{Moment, PdeError, Pinn, Problem, Solution};

/// Keys of legs, apart from those of a training.
const LEG: u64 = 1 << 48;

fn numbered(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The training of a number by `pinn` with a key and files of that number: from `start`, from its file where it was killed, or
/// what it ended with.
pub(crate) fn leg<T, O>(
    pinn: &Pinn,
    number: usize,
    (problem, start): (&Problem, Option<&Parameters<T>>),
    observer: &mut O,
) -> Result<Solution<T>, PdeError>
where
    T: Element,
    O: for<'a> Observer<Moment<'a, T>> + ?Sized,
{
    let key = pinn.key.fold_in(LEG + number as u64);
    let own = |c: &Checkpoint| Checkpoint {
        path: numbered(&c.path, &format!(".{number}")),
        every: c.every,
    };
    let checkpoint = pinn.checkpoint.as_ref().map(own);
    let finished = checkpoint.as_ref().map(|c| numbered(&c.path, ".finished"));
    let mut pinn = Pinn {
        key,
        checkpoint,
        ..pinn.clone()
    };
    let name = format!("{key:?}");
    if let Some(path) = finished.as_ref().filter(|path| path.exists()) {
        let archive = Archive::load(path)?;
        let got = archive.notes.get("key").cloned().unwrap_or_default();
        if got != name {
            return Err(PdeError::Network(NetworkError::Checkpoint {
                path: path.clone(),
                what: "key",
                needed: name,
                got,
            }));
        }
        // Without stages, for the report.
        pinn.stages.clear();
        pinn.refine = None;
        pinn.checkpoint = None;
        let take = |p: &mut Parameters<T>| {
            p.take(&archive)?;
            Ok(all_finite(p, path)?)
        };
        return pinn.solve_with(problem, take, observer);
    }
    let solution = match start {
        Some(start) => pinn.solve_from(problem, start, observer)?,
        None => pinn.solve(problem, observer)?,
    };
    if let (Some(path), false) = (finished, solution.report.stopped_early) {
        let mut archive = solution.parameters.to_archive();
        archive.notes.insert("key".into(), name);
        archive.save(&path)?;
    }
    Ok(solution)
}
