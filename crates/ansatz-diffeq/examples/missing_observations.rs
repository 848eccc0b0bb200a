#![allow(missing_docs)]
#[path = "../tests/neural/controlled.rs"]
mod controlled;
#[path = "../tests/neural/series.rs"]
mod series;
use ansatz_core::Key;
use ansatz_testkit::net::{Adam, accuracy};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for missing in [0.0, 0.3, 0.5, 0.7] {
        let t = std::time::Instant::now();
        let key = Key::new(0);
        let mut model = controlled::Classifier::new(3, 2, key);
        let mut adam = Adam::new(model.params.len(), 3e-3);
        let test: Vec<usize> = (10_000..10_512).collect();
        let test_path = series::path(&test, missing)?;
        let labels: Vec<usize> = test.iter().map(|k| series::label(*k)).collect();
        for step in 0..600 {
            let draw = key.fold_in(100 + step);
            let numbers: Vec<usize> = (0..64)
                .map(|i| (512.0 * draw.uniform(0, i)[0]) as usize)
                .collect();
            let l: Vec<usize> = numbers.iter().map(|k| series::label(*k)).collect();
            let (loss, g) = model.loss(&series::path(&numbers, missing)?, 40, &l)?;
            adam.step(&mut model.params, &g);
            if step % 150 == 149 {
                println!(
                    "{missing} {step} {loss} {:.3} {:?}",
                    accuracy(&model.logits(&test_path, 40)?, &labels),
                    t.elapsed()
                );
            }
        }
    }
    Ok(())
}
