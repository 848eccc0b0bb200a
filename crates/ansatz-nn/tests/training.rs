//! Training that is killed, resumed, and fed with files and data it must refuse.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ansatz_nn::autodiff::Array;
use ansatz_nn::core::{Event, Key};
use ansatz_nn::{
    Adam, Archive, Checkpoint, Data, Decay, Init, Layer, Layout, Lookahead, Mlp, MlpOptions,
    NetworkError, Objective, Parameter, Parameters, Pass, Progress, Rule, Schedule, Sgd, Training,
    TrainingOptions,
};

/// A network with what layers may ask for: draws, fixed numbers and a running mean.
struct Network {
    net: Mlp,
    frequencies: Parameter,
    mean: Parameter,
}

impl Network {
    fn new(layout: &mut Layout) -> Self {
        let mut root = layout.root();
        Self {
            frequencies: root.buffer("frequencies", &[6], Init::Normal(1.0)),
            net: Mlp::new(&mut root.scope("net"), &[6, 8, 1], &MlpOptions::default()),
            mean: root.buffer("mean", &[1], Init::Constant(0.0)),
        }
    }

    fn loss<'g>(&self, pass: &Pass<'g>, data: &[Array<'g>]) -> Array<'g> {
        let features = (data[0] * pass[self.frequencies]).sin();
        // Dropout with probability ¼.
        let kept = pass.uniform(&[16, 6]);
        let mask = (kept.zeros() + 0.25).less(kept) / 0.75;
        let u = self.net.apply(pass, features * mask);
        let mean = u.mean().reshape(&[1]);
        pass.update(self.mean, pass[self.mean] * 0.9 + mean * 0.1);
        (u - data[1]).square().mean()
    }
}

fn batch(key: Key, data: &mut [Vec<f64>]) {
    for i in 0..16 {
        let x = 4.0 * key.uniform(0, i as u64)[0] - 2.0;
        data[0][i] = x;
        data[1][i] = (2.0 * x).sin();
    }
}

fn parts() -> (Layout, Objective<f64>) {
    let mut layout = Layout::new();
    let network = Network::new(&mut layout);
    let data = [Data::Batch(vec![16, 1]), Data::Batch(vec![16, 1])];
    let objective = Objective::compile(&layout, &data, |p, d| network.loss(p, d)).unwrap();
    (layout, objective)
}

fn start<R: Rule<f64> + Clone>(layout: &Layout, rule: R) -> Training<f64, R> {
    let parameters = Parameters::new(layout, Key::new(3));
    Training::new(parameters, rule, Key::new(4)).with_average(0.95)
}

fn options(steps: u64, path: Option<&Path>) -> TrainingOptions {
    TrainingOptions {
        steps,
        rate: Schedule::Warmup(
            5,
            Box::new(Schedule::Cosine {
                from: 1e-2,
                to: 1e-4,
                steps: 60,
            }),
        ),
        clip: Some(0.5),
        checkpoint: path.map(|path| Checkpoint {
            path: path.to_owned(),
            every: 7,
        }),
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn killed_and_resumed<R: Rule<f64> + Clone + PartialEq>(rule: &R) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (layout, mut objective) = parts();
    let mut whole = start(&layout, rule.clone());
    let frequencies = bits(whole.parameters.get("frequencies").unwrap());
    whole
        .run(&mut objective, &options(60, None), batch, &mut ())
        .unwrap();
    assert_eq!(
        frequencies,
        bits(whole.parameters.get("frequencies").unwrap())
    );
    assert!(whole.parameters.get("mean").unwrap()[0] != 0.0);

    for kill in [1, 6, 7, 8, 23, 59] {
        // Stopped by an observer, then saved or not: the file of a step before counts.
        let mut first = start(&layout, rule.clone());
        let mut stop = |e: &Event<'_, Progress<'_, f64>>| {
            if e.step == kill {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let _ = fs::remove_file(&path);
        let report = first
            .run(&mut objective, &options(60, Some(&path)), batch, &mut stop)
            .unwrap();
        assert!(report.stopped_early && report.steps == kill);
        let written = kill / 7 * 7;
        assert_eq!(path.exists(), written > 0);
        if written == 0 {
            first.save(&path).unwrap();
        }
        drop(first);

        // Another process: another program, other memory.
        let (layout, mut objective) = parts();
        let mut second = start(&layout, rule.clone());
        second.parameters.values_mut().fill(0.3);
        second.resume(&path).unwrap();
        let at = if written > 0 { written } else { kill };
        assert_eq!(second.optimizer.steps(), at as u64);
        second
            .run(&mut objective, &options(60, None), batch, &mut ())
            .unwrap();
        assert_eq!(
            bits(second.parameters.values()),
            bits(whole.parameters.values())
        );
        assert_eq!(
            bits(second.averaged().values()),
            bits(whole.averaged().values())
        );
        assert!(second == whole, "buffers and counts");
    }
}

#[test]
fn descent_resumes_to_the_bit() {
    killed_and_resumed(&Sgd {
        momentum: 0.9,
        lookahead: Lookahead::Nesterov,
        weight_decay: 0.01,
    });
}

#[test]
fn adam_resumes_to_the_bit() {
    killed_and_resumed(&Adam::default());
}

#[test]
fn adamw_resumes_to_the_bit() {
    killed_and_resumed(&Adam {
        decay: Decay::Decoupled(0.1),
        ..Adam::default()
    });
}

#[test]
fn weights_are_the_same_for_any_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let (layout, mut objective) = parts();
            let mut training = start(&layout, Adam::default());
            training
                .run(&mut objective, &options(20, None), batch, &mut ())
                .unwrap();
            bits(training.parameters.values())
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

#[test]
fn files_that_are_cut_off_or_of_others_are_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (layout, mut objective) = parts();
    let mut training = start(&layout, Adam::default());
    training
        .run(&mut objective, &options(9, None), batch, &mut ())
        .unwrap();
    training.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    training
        .run(&mut objective, &options(11, None), batch, &mut ())
        .unwrap();
    let kept = training.clone();

    // In the length, in the header, at its end, in the numbers, at the last byte; and one too many.
    let mut cuts = vec![0, 1, 7, 8, 9, header / 2, header - 1, header, header + 1];
    cuts.extend([
        usize::midpoint(header, bytes.len()),
        bytes.len() - 8,
        bytes.len() - 1,
    ]);
    let bad = folder.path().join("bad.safetensors");
    let mut files: Vec<Vec<u8>> = cuts.iter().map(|n| bytes[..*n].to_vec()).collect();
    files.push([&bytes[..], &[0]].concat());
    files.push((0..4096_u32).map(|i| (i * 37 % 251) as u8).collect());
    files.push(vec![0xff; 64]);
    files.push(b"{\"a\": 1}".to_vec());
    for file in &files {
        fs::write(&bad, file).unwrap();
        let error = training.resume(&bad).unwrap_err();
        assert!(matches!(error, NetworkError::Format { .. }), "{error}");
        assert!(training == kept);
        let mut parameters = kept.parameters.clone();
        let error = parameters.load(&bad).unwrap_err();
        assert!(matches!(error, NetworkError::Format { .. }), "{error}");
        assert!(parameters == kept.parameters);
        assert_eq!(&fs::read(&bad).unwrap(), file);
    }

    // Weights alone are no checkpoint; another network's checkpoint has other arrays.
    kept.parameters.save(&bad).unwrap();
    let error = training.resume(&bad).unwrap_err();
    assert!(matches!(error, NetworkError::Format { .. }), "{error}");
    let refused = |archive: &Archive<f64>, training: &mut Training<f64, Adam>| {
        archive.save(&bad).unwrap();
        let error = training.resume(&bad).unwrap_err();
        assert!(*training == kept, "{error}");
        error
    };
    let good = Archive::<f64>::load(&path).unwrap();
    for name in ["net.0.weight", "optimizer:first_moment", "average:values"] {
        let mut less = good.clone();
        less.tensors.retain(|(n, ..)| n != name);
        refused(&less, &mut training);
        let mut longer = good.clone();
        let tensor = longer.tensors.iter_mut().find(|(n, ..)| n == name).unwrap();
        let mut shape = vec![1];
        shape.append(&mut tensor.1);
        tensor.1 = shape;
        let error = refused_or_flat(&longer, &bad, &mut training, &kept);
        assert!(error || name != "net.0.weight");
    }
    let mut more = good.clone();
    more.tensors
        .push(("net.7.weight".into(), vec![1], vec![0.0]));
    let error = refused(&more, &mut training);
    assert!(matches!(error, NetworkError::Tensor { .. }), "{error}");

    // Another key, rule, decay of the mean, or type.
    let other = |mut other: Training<f64, Adam>| {
        let before = other.clone();
        let error = other.resume(&path).unwrap_err();
        assert!(other == before);
        match error {
            NetworkError::Checkpoint { what, .. } => what,
            error => panic!("{error}"),
        }
    };
    let fresh = || Parameters::new(&layout, Key::new(3));
    let rule = Adam::default();
    assert_eq!(
        other(Training::new(fresh(), rule, Key::new(5)).with_average(0.95)),
        "key"
    );
    assert_eq!(
        other(Training::new(fresh(), rule, Key::new(4)).with_average(0.9)),
        "running mean"
    );
    assert_eq!(
        other(Training::new(fresh(), rule, Key::new(4))),
        "running mean"
    );
    let epsilon = Adam {
        epsilon: 1e-7,
        ..rule
    };
    assert_eq!(
        other(Training::new(fresh(), epsilon, Key::new(4)).with_average(0.95)),
        "rule"
    );
    let mut descent = start(&layout, Sgd::default());
    assert!(matches!(
        descent.resume(&path),
        Err(NetworkError::Checkpoint { what: "rule", .. })
    ));
    let single = Parameters::<f32>::new(&layout, Key::new(3));
    let mut single = Training::new(single, rule, Key::new(4)).with_average(0.95);
    assert!(matches!(
        single.resume(&path),
        Err(NetworkError::Checkpoint {
            what: "elements",
            ..
        })
    ));
    assert!(matches!(
        training.resume(folder.path().join("none")),
        Err(NetworkError::File { .. })
    ));
    // Weights alone are read from a checkpoint too.
    let mut weights = fresh();
    weights.load(&path).unwrap();
    assert!(weights != fresh());
    // And the good one is still good.
    training.resume(&path).unwrap();
    assert_eq!(training.optimizer.steps(), 9);
    assert!(weights == training.parameters);
}

/// Runs in a process of its own, which is killed: see below.
#[test]
#[ignore = "run by killed_processes_end_with_the_same_bits"]
fn child() {
    let Ok(path) = std::env::var("ANSATZ_NN_CHECKPOINT") else {
        return;
    };
    let path = Path::new(&path);
    let (layout, mut objective) = parts();
    let mut training = start(&layout, Adam::default());
    if path.exists() {
        training.resume(path).unwrap();
    }
    let mut options = options(400, Some(path));
    if let Some(checkpoint) = &mut options.checkpoint {
        checkpoint.every = 1;
    }
    training
        .run(&mut objective, &options, batch, &mut ())
        .unwrap();
}

#[test]
fn killed_processes_end_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (layout, mut objective) = parts();
    let mut whole = start(&layout, Adam::default());
    whole
        .run(&mut objective, &options(400, None), batch, &mut ())
        .unwrap();

    let mut kills = 0;
    for attempt in 0..1000 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--quiet"])
            .env("ANSATZ_NN_CHECKPOINT", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Once there is something to resume, at any time: while it computes, writes or renames.
        // On a busy machine later attempts get more time.
        let u = Key::new(7).uniform(0, attempt)[0];
        let wait = (20.0 + 60.0 * u) * (1.0 + attempt as f64 / 4.0);
        let limit = if kills < 6 { wait } else { 60_000.0 };
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if began.elapsed().as_secs_f64() * 1e3 > limit {
                break None;
            }
            sleep(Duration::from_millis(1));
        };
        if let Some(status) = status {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if path.exists() {
            // The file is whole whenever the process ends.
            start(&layout, Adam::default()).resume(&path).unwrap();
            kills += 1;
        }
    }
    assert!(kills > 0);
    let mut last = start(&layout, Adam::default());
    last.resume(&path).unwrap();
    assert_eq!(last.optimizer.steps(), 400);
    assert!(last == whole);
}

fn refused_or_flat(
    archive: &Archive<f64>,
    path: &Path,
    training: &mut Training<f64, Adam>,
    kept: &Training<f64, Adam>,
) -> bool {
    archive.save(path).unwrap();
    let refused = training.resume(path).is_err();
    if refused {
        assert!(training == kept);
    } else {
        *training = kept.clone();
    }
    refused
}

#[test]
fn a_writing_that_fails_is_an_error_and_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, mut objective) = parts();
    let mut training = start(&layout, Adam::default());
    let missing = folder.path().join("missing/run.safetensors");
    let error = training
        .run(&mut objective, &options(9, Some(&missing)), batch, &mut ())
        .unwrap_err();
    assert!(matches!(error, NetworkError::File { .. }), "{error}");
    // The step was taken: the training goes on from there.
    assert_eq!(training.optimizer.steps(), 7);

    // A folder stands where the new file is written first.
    let path = folder.path().join("run.safetensors");
    training.save(&path).unwrap();
    let old = fs::read(&path).unwrap();
    fs::create_dir(folder.path().join("run.safetensors.partial")).unwrap();
    let error = training
        .run(&mut objective, &options(14, Some(&path)), batch, &mut ())
        .unwrap_err();
    assert!(matches!(error, NetworkError::File { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), old);

    // An archive that lies about a shape is no file.
    let archive = Archive {
        tensors: vec![("a".into(), vec![3], vec![1.0, 2.0])],
        notes: std::collections::BTreeMap::default(),
    };
    assert!(matches!(
        archive.save(&path),
        Err(NetworkError::Format { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), old);
}

#[test]
fn numbers_that_are_not_finite_leave_the_step_before() {
    let (layout, mut objective) = parts();
    let mut training = start(&layout, Adam::default());
    training
        .run(&mut objective, &options(5, None), batch, &mut ())
        .unwrap();
    let before = training.clone();
    for bad in [f64::NAN, f64::INFINITY] {
        let stained = |key: Key, data: &mut [Vec<f64>]| {
            batch(key, data);
            data[1][3] = bad;
        };
        let error = training
            .run(&mut objective, &options(9, None), stained, &mut ())
            .unwrap_err();
        assert!(
            matches!(error, NetworkError::NotFinite { step: 5, .. }),
            "{error}"
        );
        assert!(training == before);
    }
    // A step beyond the largest number: no NaN is success.
    let mut wild = options(6, None);
    wild.rate = Schedule::Constant(f64::MAX);
    wild.clip = None;
    let mut descent = start(
        &layout,
        Sgd {
            momentum: 0.9,
            ..Sgd::default()
        },
    );
    let result = descent.run(
        &mut objective,
        &wild,
        |key, data: &mut [Vec<f64>]| {
            batch(key, data);
            data[1][0] = 1e6;
        },
        &mut (),
    );
    assert!(
        matches!(result, Err(NetworkError::NotFinite { .. })),
        "{result:?}"
    );
    assert!(descent.parameters.values().iter().all(|v| v.is_finite()));
}

#[test]
fn options_and_batches_out_of_range_are_named() {
    let (layout, mut objective) = parts();
    let mut training = start(&layout, Adam::default());
    let before = training.clone();
    let mut named = |options: &TrainingOptions| match training
        .run(&mut objective, options, batch, &mut ())
        .unwrap_err()
    {
        NetworkError::Option { name, .. } => name,
        error => panic!("{error}"),
    };
    for rate in [f64::NAN, -1e-3, f64::INFINITY] {
        let rate = Schedule::Constant(rate);
        let options = TrainingOptions {
            rate,
            ..TrainingOptions::default()
        };
        assert_eq!(named(&options), "learning rate");
    }
    for clip in [f64::NAN, 0.0, -1.0] {
        let options = TrainingOptions {
            clip: Some(clip),
            ..TrainingOptions::default()
        };
        assert_eq!(named(&options), "clip");
    }
    let mut never = options(9, Some(Path::new("unused")));
    if let Some(checkpoint) = &mut never.checkpoint {
        checkpoint.every = 0;
    }
    assert_eq!(named(&never), "checkpoint.every");
    assert!(training == before);

    for length in [0, 15, 17] {
        let resized = |key: Key, data: &mut [Vec<f64>]| {
            batch(key, data);
            data[1].resize(length, 0.0);
        };
        let error = training
            .run(&mut objective, &options(9, None), resized, &mut ())
            .unwrap_err();
        assert!(
            matches!(error, NetworkError::Size { expected: 16, got, .. } if got == length),
            "{error}"
        );
        assert!(training == before);
    }
    let rules = [
        Adam {
            betas: (1.0, 0.9),
            ..Adam::default()
        },
        Adam {
            epsilon: f64::NAN,
            ..Adam::default()
        },
        Adam {
            decay: Decay::Penalty(-1.0),
            ..Adam::default()
        },
    ];
    for rule in rules {
        let result = start(&layout, rule).run(&mut objective, &options(1, None), batch, &mut ());
        assert!(matches!(result, Err(NetworkError::Option { .. })));
    }
    let empty = [Data::Batch(vec![0, 1]), Data::Batch(vec![0, 1])];
    let result = Objective::<f64>::compile(&layout, &empty, |_, data| data[0].sum());
    assert!(matches!(result, Err(NetworkError::Size { got: 0, .. })));

    // A network of another size.
    let mut other = Layout::new();
    let _ = Mlp::new(&mut other.root(), &[1, 3, 1], &MlpOptions::default());
    let mut training = start(&other, Sgd::default());
    let result = training.run(&mut objective, &options(1, None), batch, &mut ());
    assert!(matches!(result, Err(NetworkError::Size { .. })));
}

#[test]
fn the_running_mean_is_the_sum_that_it_says() {
    // Three plain steps with slope 1: θ = 1, 0, −1, −2 from the start 1.
    let mut layout = Layout::new();
    let x = layout.root().parameter("x", &[1], Init::Constant(1.0));
    let mut objective = Objective::<f64>::compile(&layout, &[], |pass, _| pass[x].sum()).unwrap();
    let parameters = Parameters::new(&layout, Key::new(0));
    let mut training = Training::new(parameters, Sgd::default(), Key::new(0)).with_average(0.2);
    let options = TrainingOptions {
        steps: 3,
        rate: Schedule::Constant(1.0),
        ..TrainingOptions::default()
    };
    training
        .run(&mut objective, &options, |_, _| {}, &mut ())
        .unwrap();
    // Decays 1/10, 2/11 and, at its limit, 2/10.
    let a = 0.1 * 1.0 + 0.9 * 0.0;
    let b = 2.0 / 11.0 * a - 9.0 / 11.0;
    let c = 0.2 * b + 0.8 * -2.0;
    assert!((training.averaged().values()[0] - c).abs() < 1e-15);
    assert!((training.parameters.values()[0] + 2.0).abs() < 1e-15);
}
