//! The gradient of a deep chain: memory against operations, for several ways to cut it.
//!
//! 144 layers y ← tanh(y·W) on whole arrays keep 144 arrays for the way back; regions, and regions in regions, keep fewer
//! and are computed again. Run it with `cargo run --release -p ansatz-autodiff --example checkpoints`.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_autodiff::{Array, AutodiffError, Graph, Options, Program, gradient};

const LAYERS: usize = 144;

/// Layers in regions of `lengths[0]`, cut into regions of `lengths[1]`, and so on.
fn chain<'g>(x: Array<'g>, weights: &[Array<'g>], lengths: &[usize]) -> Array<'g> {
    let g = x.graph();
    match lengths {
        [] => weights.iter().fold(x, |x, w| x.matmul(*w).tanh()),
        [length, inner @ ..] => weights
            .chunks(*length)
            .fold(x, |x, part| g.checkpoint([x], |[x]| chain(x, part, inner))),
    }
}

fn main() -> Result<(), AutodiffError> {
    let points: Vec<f32> = (0..512 * 16).map(|i| (i as f32 * 0.37).sin()).collect();
    let matrix: Vec<f32> = (0..256)
        .map(|i| ((i * i * 7 + i * 37) % 101) as f32 / 101.0 - 0.5)
        .collect();
    let mut values: Vec<f32> = Vec::new();
    println!("regions of layers   arrays kept   operations   slope");
    for lengths in [&[][..], &[12], &[36, 6], &[48, 16, 4]] {
        let g = Graph::new();
        let x = g.input(&[512, 16]);
        let weights: Vec<Array<'_>> = (0..LAYERS).map(|_| g.input(&[16, 16])).collect();
        let y = chain(x, &weights, lengths);
        let slopes = gradient(y.square().mean(), &weights);
        // The first layer's, whose way back is the longest.
        let program = Program::<f32>::compile(&g.finish(&slopes[..1]), &Options::default())?;
        let mut inputs = vec![points.as_slice()];
        inputs.extend(std::iter::repeat_n(matrix.as_slice(), LAYERS));
        let mut slope = vec![0.0; 256];
        program.run(&inputs, &mut [&mut slope])?;
        println!(
            "{:17}   {:11.1}   {:8.1} M   {:.6e}",
            format!("{lengths:?}"),
            program.bytes() as f64 / f64::from(512 * 16 * 4),
            program.flops() as f64 / 1e6,
            slope[0]
        );
        values.push(slope[0]);
    }
    assert!(values.iter().all(|v| v.to_bits() == values[0].to_bits()));
    Ok(())
}
