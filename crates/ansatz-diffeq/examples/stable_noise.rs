#![allow(missing_docs)]
#[path = "../tests/neural/series.rs"]
mod series;
#[path = "../tests/neural/stable.rs"]
mod stable;
use stable::{Kind, Model, Sees};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (kind, sees) in [
        (Kind::LinearNoise, Sees::Data),
        (Kind::Geometric, Sees::Data),
    ] {
        for missing in [0.5] {
            for seed in 0..2 {
                let t = std::time::Instant::now();
                let key = ansatz_core::Key::new(seed);
                let mut model = Model::new(kind, sees, seed);
                for _ in 0..2 {
                    model.train(300, missing, key)?;
                    println!(
                        "{kind:?} {sees:?} {missing} {seed}: {:.3} {:?}",
                        model.test(missing, key)?,
                        t.elapsed()
                    );
                }
            }
        }
    }
    Ok(())
}
