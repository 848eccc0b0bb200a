#![allow(missing_docs)]
#[path = "../tests/neural/gan.rs"]
mod gan;
use ansatz_core::Key;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let get = |n: &str, d: f64| std::env::var(n).map_or(d, |v| v.parse().unwrap());
    let recipe = gan::Recipe {
        steps: get("STEPS", 2000.0) as u64,
        batch: 256,
        rates: [get("G", 1e-3), get("D", 4e-3)],
    };
    let t = std::time::Instant::now();
    let generator = gan::train(&recipe, Key::new(get("SEED", 0.0) as u64))?;
    let times: Vec<f64> = (0..16).map(f64::from).collect();
    let fake = generator.sample(&times, 8192, Key::new(77))?;
    let real = gan::data(&times, 8192, Key::new(78))?;
    let m = |x: &Vec<f64>| {
        let m = x.iter().sum::<f64>() / x.len() as f64;
        let v = x.iter().map(|a| (a - m).powi(2)).sum::<f64>() / x.len() as f64;
        (m, v.sqrt())
    };
    for i in [0, 4, 8, 12, 15] {
        println!("{i} fake {:.3?} real {:.3?}", m(&fake[i]), m(&real[i]));
    }
    println!("{:?}", t.elapsed());
    Ok(())
}
