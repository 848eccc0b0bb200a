//! Layers beside PyTorch: outputs, running averages, gradients in parameters and inputs (`fixtures/layers.py`).

#![expect(clippy::unwrap_used, reason = "a test may stop at any failure")]

use ansatz_autodiff::{
    Array, Convolution, ConvolutionTransposed, Graph, Options, Program, gradient,
};
use ansatz_core::Key;
use ansatz_nn::{
    Activation, Attention, BatchNorm, Conv, ConvTransposed, Data, DeepONet, Dense, Dropout, Fno,
    FnoOptions, FourierFeatures, GaussianFeatures, GraphConv, GroupNorm, Init, Layer, LayerNorm,
    Layout, MlpOptions, Mode, ModifiedMlp, MultiONet, MultiONetOptions, Objective, Parameters,
    Pass, Placement, ResidualMlp, RmsNorm, Scope, Siren, Splitting, Trained, TransformerBlock,
    TransformerOptions, UNet, UNetOptions,
};

/// A network on several inputs.
type Apply = Box<dyn for<'g> Fn(&Pass<'g>, &[Array<'g>]) -> Array<'g>>;

fn layer(layer: impl Layer + 'static) -> Apply {
    Box::new(move |pass, x| layer.apply(pass, x[0]))
}

fn network(name: &str, scope: &mut Scope<'_>) -> (Apply, Vec<Vec<usize>>) {
    let block = |scope: &mut Scope<'_>, placement, splitting| {
        let options = TransformerOptions {
            heads: 2,
            hidden: 8,
            activation: Activation::Gelu,
            placement,
            splitting,
            dropout: 0.0,
        };
        (
            layer(TransformerBlock::new(scope, 6, options)),
            vec![vec![2, 5, 6]],
        )
    };
    let unet = |scope: &mut Scope<'_>,
                options: &UNetOptions,
                shape: &[usize]|
     -> (Apply, Vec<Vec<usize>>) {
        let net = UNet::new(scope, options);
        (
            Box::new(move |pass, x| net.apply(pass, x[0], x[1])),
            vec![shape.to_vec(), vec![2, 1]],
        )
    };
    match name {
        "dense" => (layer(Dense::new(scope, 3, 4)), vec![vec![5, 3]]),
        "dense on tokens" => (layer(Dense::new(scope, 3, 4)), vec![vec![2, 5, 3]]),
        "conv 1d" => {
            let options = Convolution {
                stride: vec![2],
                padding: vec![(1, 1)],
                groups: 2,
                ..Convolution::default()
            };
            (
                layer(Conv::new(scope, (4, 6), &[3], options)),
                vec![vec![2, 4, 9]],
            )
        }
        "conv 2d" => (
            layer(Conv::same(scope, (2, 3), &[3, 3])),
            vec![vec![2, 2, 5, 4]],
        ),
        "conv 3d" => (
            layer(Conv::same(scope, (2, 3), &[3, 3, 3])),
            vec![vec![2, 2, 3, 4, 5]],
        ),
        "transposed 2d" => {
            let convolution = Convolution {
                stride: vec![2],
                padding: vec![(1, 1)],
                ..Convolution::default()
            };
            let options = ConvolutionTransposed {
                convolution,
                ..ConvolutionTransposed::default()
            };
            (
                layer(ConvTransposed::new(scope, (4, 3), &[4, 4], options)),
                vec![vec![2, 4, 3, 5]],
            )
        }
        "layer norm" => (layer(LayerNorm::new(scope, 6)), vec![vec![3, 4, 6]]),
        "rms norm" => (layer(RmsNorm::new(scope, 6)), vec![vec![3, 6]]),
        "group norm" => (layer(GroupNorm::new(scope, 2, 6)), vec![vec![3, 6, 4, 2]]),
        "batch norm" | "batch norm, averages" => {
            (layer(BatchNorm::new(scope, 3)), vec![vec![4, 3, 2, 5]])
        }
        "attention" => (layer(Attention::new(scope, (6, 6), 2)), vec![vec![2, 5, 6]]),
        "cross attention" => {
            let attention = Attention::new(scope, (6, 4), 3);
            (
                Box::new(move |pass, x| attention.attend(pass, x[0], x[1])),
                vec![vec![2, 5, 6], vec![2, 3, 4]],
            )
        }
        "transformer before" => block(scope, Placement::Before, Splitting::Transformer),
        "transformer after" => block(scope, Placement::After, Splitting::Transformer),
        "macaron before" => block(scope, Placement::Before, Splitting::Macaron),
        "macaron after" => block(scope, Placement::After, Splitting::Macaron),
        "u-net" => {
            let options = UNetOptions {
                width: 8,
                levels: vec![1, 2],
                blocks: 1,
                attention: vec![1],
                heads: 2,
                groups: 4,
                ..UNetOptions::default()
            };
            unet(scope, &options, &[2, 1, 6, 8])
        }
        "u-net, odd lengths" => {
            let options = UNetOptions {
                width: 4,
                levels: vec![1, 2, 2],
                blocks: 2,
                attention: vec![0, 2],
                heads: 1,
                groups: 2,
                ..UNetOptions::default()
            };
            unet(scope, &options, &[2, 1, 7, 5])
        }
        "fno 1d" | "fno 2d" | "fno 3d" => {
            let (channels, width, modes, blocks, shape) = match name {
                "fno 1d" => ((1, 1), 4, vec![3], 2, vec![2, 1, 9]),
                "fno 2d" => ((2, 1), 4, vec![3, 2], 2, vec![2, 2, 8, 7]),
                _ => ((1, 2), 3, vec![2, 2, 2], 1, vec![2, 1, 5, 4, 6]),
            };
            let options = FnoOptions {
                channels,
                width,
                modes,
                blocks,
                activation: Activation::Gelu,
            };
            (layer(Fno::new(scope, &options)), vec![shape])
        }
        "deeponet" | "mionet" => {
            let branches: &[&[usize]] = if name == "mionet" {
                &[&[4, 6, 5], &[3, 5]]
            } else {
                &[&[4, 6, 5]]
            };
            let net = DeepONet::new(scope, branches, &[2, 6, 5], &MlpOptions::default());
            let mut shapes: Vec<Vec<usize>> = branches.iter().map(|b| vec![3, b[0]]).collect();
            shapes.push(vec![7, 2]);
            (
                Box::new(move |pass, x| net.apply(pass, &x[..x.len() - 1], x[x.len() - 1])),
                shapes,
            )
        }
        "multionet" | "multionet, one product" | "multionet of channels" => {
            let (width, layers, channels, activation) = match name {
                "multionet" => (5, 3, 1, Activation::TanhSine),
                "multionet of channels" => (6, 2, 3, Activation::TanhSine),
                _ => (5, 1, 1, Activation::Tanh),
            };
            let options = MultiONetOptions {
                width,
                layers,
                channels,
                activation,
                ..MultiONetOptions::default()
            };
            let net = MultiONet::new(scope, (4, 2), &options);
            (
                Box::new(move |pass, x| net.apply(pass, x[0], x[1])),
                vec![vec![3, 4], vec![7, 2]],
            )
        }
        "residual mlp" => {
            let net = ResidualMlp::new(scope, (2, 3), (5, 2), &MlpOptions::default());
            (layer(net), vec![vec![6, 2]])
        }
        "modified mlp" => {
            let net = ModifiedMlp::new(scope, (2, 3), (5, 2), &MlpOptions::default());
            (layer(net), vec![vec![6, 2]])
        }
        "graph convolution" => {
            let edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)];
            let net = GraphConv::new(scope, (3, 2), 5, &edges).unwrap();
            (layer(net), vec![vec![5, 3]])
        }
        "siren" => (
            layer(Siren::new(scope, &[2, 4, 4, 1], 3.0)),
            vec![vec![6, 2]],
        ),
        "fourier features" => {
            let features = FourierFeatures::new(scope, 2, 4, (1.0, Trained::Trained));
            (layer(features), vec![vec![6, 2]])
        }
        "gaussian features" => (
            layer(GaussianFeatures::new(scope, 2, 4, 0.5)),
            vec![vec![6, 2]],
        ),
        other => panic!("{other}: no such case"),
    }
}

fn values(text: &str) -> Vec<f64> {
    text.split_whitespace()
        .map(|v| v.parse().unwrap())
        .collect()
}

fn close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let scale = theirs.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() < 1e-11 * scale, "{what}: {a} and {b}");
    }
}

/// One case: its name and its lines (what, name, values).
fn check(name: &str, lines: &[&str]) {
    let mut layout = Layout::new();
    let (apply, shapes) = network(name, &mut layout.root());
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    for entry in layout.entries().iter().filter(|e| e.trained) {
        let c = f64::from(entry.name.bytes().map(u32::from).sum::<u32>() % 97);
        let fan = entry.shape.iter().skip(1).product::<usize>();
        let norm = entry.shape.rank() == 1 && entry.name.ends_with("weight");
        let place = parameters.get_mut(&entry.name).unwrap();
        for (i, v) in place.iter_mut().enumerate() {
            *v = (0.37 * i as f64 + c).sin() / (fan as f64).sqrt() + f64::from(u8::from(norm));
        }
    }
    let graph = Graph::new();
    let mode = if name.ends_with("averages") {
        Mode::Evaluate
    } else {
        Mode::Train
    };
    let pass = Pass::new(&graph, &layout, (mode, Some(shapes[0][0])));
    let inputs: Vec<Array<'_>> = shapes
        .iter()
        .map(|s| {
            if s[0] == shapes[0][0] && name != "graph convolution" {
                graph.batch(s)
            } else {
                graph.input(s)
            }
        })
        .collect();
    let y = apply(&pass, &inputs);
    let n = y.shape().len();
    let probe = |n: usize, w: f64| (0..n).map(|i| (w * i as f64).cos()).collect::<Vec<f64>>();
    let loss = (y * graph.constant(&y.shape(), probe(n, 0.11))).sum();
    let entries = layout.entries().iter().zip(pass.arrays());
    let (mut names, mut arrays): (Vec<String>, Vec<Array<'_>>) = entries
        .filter(|(e, _)| e.trained)
        .map(|(e, a)| (e.name.clone(), *a))
        .unzip();
    names.extend((0..inputs.len()).map(|k| k.to_string()));
    arrays.extend(&inputs);
    let mut outputs = vec![y];
    outputs.extend(gradient(loss, &arrays));
    let updates = pass.updates();
    outputs.extend(updates.iter().map(|(_, a)| *a));
    let program = Program::<f64>::compile(&graph.finish(&outputs), &Options::default()).unwrap();
    let data: Vec<Vec<f64>> = shapes
        .iter()
        .enumerate()
        .map(|(k, s)| {
            let n = s.iter().product();
            (0..n)
                .map(|i: usize| (0.23 * i as f64 + k as f64).cos())
                .collect()
        })
        .collect();
    let each = parameters.iter().map(|(_, v)| v);
    let ins: Vec<&[f64]> = each.chain(data.iter().map(|d| &d[..])).collect();
    let mut results: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
    let mut outs: Vec<&mut [f64]> = results.iter_mut().map(|r| &mut r[..]).collect();
    program.run(&ins, &mut outs).unwrap();
    let mut seen = 0;
    for line in lines {
        let (what, rest) = line.split_once(' ').unwrap();
        if what == "y" {
            close(name, &results[0], &values(rest));
            continue;
        }
        let (key, rest) = rest.split_once(' ').unwrap();
        if what == "slope" {
            let k = names.iter().position(|n| n == key);
            let k = k.unwrap_or_else(|| panic!("{name}: there is no {key}"));
            let slope = &results[1 + k];
            let along = slope
                .iter()
                .zip(probe(slope.len(), 0.61))
                .map(|(a, b)| a * b);
            close(&format!("{name}, {key}"), &[along.sum()], &values(rest));
            seen += 1;
        } else if mode == Mode::Train {
            let k = updates
                .iter()
                .position(|(p, _)| layout.entry(*p).name == key);
            close(key, &results[1 + names.len() + k.unwrap()], &values(rest));
        }
    }
    assert_eq!(seen, names.len(), "{name}: parameters of PyTorch and ours");
}

#[test]
fn beside_pytorch() {
    let text = include_str!("fixtures/layers.txt");
    let mut cases = 0;
    for case in text.split("case ").filter(|c| !c.is_empty()) {
        let mut lines = case.lines();
        let name = lines.next().unwrap();
        check(name, &lines.collect::<Vec<_>>());
        cases += 1;
    }
    assert_eq!(cases, 33);
}

/// The layer on three tokens with weights sin(1.3(i + 1)(j + 1) + s)/√inputs and no biases: first token of the result.
fn macaron(placement: Placement) -> Vec<f64> {
    let mut layout = Layout::new();
    let options = TransformerOptions {
        hidden: 16,
        activation: Activation::Relu,
        placement,
        splitting: Splitting::Macaron,
        ..TransformerOptions::default()
    };
    let block = TransformerBlock::new(&mut layout.root(), 4, options);
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let weights = [
        ("first.0", 0.0),
        ("first.1", 1.0),
        ("last.0", 2.0),
        ("last.1", 3.0),
        ("attention.q", 10.0),
        ("attention.k", 11.0),
        ("attention.v", 12.0),
        ("attention.out", 13.0),
    ];
    for (name, s) in weights {
        let shape = layout.get(&format!("{name}.weight")).unwrap().shape.clone();
        let weight = parameters.get_mut(&format!("{name}.weight")).unwrap();
        for (k, w) in weight.iter_mut().enumerate() {
            let (i, j) = ((k / shape[1] + 1) as f64, (k % shape[1] + 1) as f64);
            *w = (1.3 * i * j + s).sin() / (shape[1] as f64).sqrt();
        }
        parameters
            .get_mut(&format!("{name}.bias"))
            .unwrap()
            .fill(0.0);
    }
    let graph = Graph::new();
    let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
    let x = graph.input(&[1, 3, 4]);
    let y = block.apply(&pass, x);
    let program = Program::<f64>::compile(&graph.finish(&[y]), &Options::default()).unwrap();
    let tokens: Vec<f64> = (0..12)
        .map(|k| (0.5 * f64::from(k / 4) + f64::from(k % 4)).cos())
        .collect();
    let each = parameters.iter().map(|(_, v)| v);
    let inputs: Vec<&[f64]> = each.chain([&tokens[..]]).collect();
    let mut out = vec![0.0; 12];
    program.run(&inputs, &mut [&mut out]).unwrap();
    out[..4].to_vec()
}

#[test]
fn macaron_layer_in_numbers() {
    let before = [2.165_868_19, 1.121_833_55, -0.879_042_8, -2.209_016_17];
    let after = [1.233_130_68, 0.641_620_3, -0.543_460_82, -1.331_290_16];
    for (placement, known) in [(Placement::Before, before), (Placement::After, after)] {
        for (ours, known) in macaron(placement).iter().zip(known) {
            assert!(
                (ours - known).abs() < 1e-8,
                "{placement:?}: {ours} and {known}"
            );
        }
    }
}

#[test]
fn graphs_that_are_none() {
    for (edges, problem) in [
        (
            vec![(0, 1), (1, 3)],
            "edge 1, (1, 3) of 3 nodes: one of its ends is no node",
        ),
        (
            vec![(2, 2)],
            "edge 0, (2, 2) of 3 nodes: it joins a node to itself",
        ),
        (
            vec![(0, 1), (1, 2), (1, 0)],
            "edge 2, (1, 0) of 3 nodes: it is there twice",
        ),
    ] {
        let mut layout = Layout::new();
        let refused = GraphConv::new(&mut layout.root(), (2, 2), 3, &edges).unwrap_err();
        assert_eq!(refused.to_string(), problem);
        assert!(layout.is_empty());
    }
}

/// A share of `rate` is dropped, the rest keeps the mean; other keys drop others, evaluation drops nothing.
#[test]
fn dropout_drops_its_share() {
    let (n, rate) = (20_000, 0.3);
    let mut layout = Layout::new();
    let scale = layout
        .root()
        .parameter("scale", &[n, 1], Init::Constant(1.0));
    let parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let slopes = |mode, key| {
        let options = (mode, Options::default());
        let data = [Data::Batch(vec![n, 1])];
        let mut objective = Objective::with_options(&layout, &data, options, |pass, d| {
            Dropout { rate }.apply(pass, d[0] * pass[scale]).sum()
        })
        .unwrap();
        let mut slopes = vec![0.0; n];
        let ones = vec![1.0; n];
        objective
            .gradient(&parameters, &[&ones], Key::new(key), &mut slopes)
            .unwrap();
        slopes
    };
    let first = slopes(Mode::Train, 1);
    let kept = 1.0 / (1.0 - rate);
    assert!(first.iter().all(|s| *s == 0.0 || (s - kept).abs() < 1e-15));
    let dropped = first.iter().filter(|s| **s == 0.0).count() as f64 / n as f64;
    // Five standard errors.
    assert!(
        (dropped - rate).abs() < 5.0 * (rate * (1.0 - rate) / n as f64).sqrt(),
        "{dropped}"
    );
    assert_eq!(first, slopes(Mode::Train, 1));
    assert_ne!(first, slopes(Mode::Train, 2));
    assert!(
        slopes(Mode::Evaluate, 1)
            .iter()
            .all(|s| (s - 1.0).abs() < 1e-15)
    );
}
