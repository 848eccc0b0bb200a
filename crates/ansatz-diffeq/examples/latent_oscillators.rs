#![allow(missing_docs)]
#[path = "../tests/neural/oscillators.rs"]
mod oscillators;
use ansatz_core::Key;
use oscillators::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut model = Model::new(Key::new(0));
    println!("{:e}", model.gradient_error()?);
    let test: Vec<Oscillation> = (1_000_000..1_000_256).map(oscillation).collect();
    println!("lines {:?}", errors(&test, &straight_lines(&test)));
    let steps = std::env::args().nth(1).map_or(300, |a| a.parse().unwrap());
    let t = std::time::Instant::now();
    println!("{}", model.train(steps)?);
    println!(
        "{steps} {:?} {:?}",
        errors(&test, &model.curves(&test)?),
        t.elapsed()
    );
    Ok(())
}
