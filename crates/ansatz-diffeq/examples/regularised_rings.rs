#[path = "../tests/neural/rings.rs"]
mod rings;
use rings::{Rings, Training};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for seed in 0..8 {
        for training in [
            Training::Plain,
            Training::Error(1.0, 0.1),
            Training::Error(2.0, 0.2),
        ] {
            let mut rings = Rings::new(seed);
            let mut s = String::new();
            rings.train(seed, 250, training)?;
            let (accuracy, nfe) = rings.judge()?;
            s += &format!(" {nfe}");
            println!("{seed} {training:?}: accuracy {accuracy:.3}, {s} evaluations");
        }
    }
    Ok(())
}
