//! Edits real digits: encodes each with the exact model of its own class and decodes with that of another.
//!
//! The latent keeps what the classes share: slant, weight, position. The strength is the part of the trajectory that is
//! walked, from the data towards the noise: little of it changes little, all of it forgets most of the image. The
//! controls decode with the class of the image: BDIA and EDICT give the image back, naive DDIM does not.
//! Run it with `cargo run --release -p ansatz-diffusion --example edit_digits`.
//!
//! gallery: One digit turned into another
//! gallery: expect read as the new digit at strength 0.4 with BDIA in 0.9..1
//! gallery: expect distance at strength 0.2 with BDIA in 4..5.5
//! gallery: expect distance of random images in 5.8..7
//! gallery: expect control change with BDIA in 0..1e-10
//! gallery: expect control change with EDICT in 0..1e-9
//! gallery: expect control change with DDIM in 0.5..3
//! gallery: picture edit_digits.png Rows: real digits; BDIA at strength 0.2, 0.4, 0.8; EDICT at 0.4; naive DDIM at 0.4; a random image of the new class

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{Key, Prediction, State};
use ansatz_diffusion::{
    Bdia, Ddim, Edict, ExactInversion, Plan, PlanError, SampleError, Solver, Spacing, TimeGrid,
    VpLinear,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::{Empirical, ModelError, measure};
use ansatz_viz::{GridOptions, Range, enlarge, image_grid};

/// From which classes, to which, and which images of the classes.
const FROM: [u8; 14] = [3, 1, 5, 4, 0, 7, 9, 8, 2, 6, 1, 5, 3, 0];
const TO: [u8; 14] = [8, 7, 6, 9, 6, 2, 3, 0, 3, 8, 4, 9, 5, 8];
const WHICH: [usize; 14] = [2, 4, 1, 3, 5, 2, 6, 7, 8, 9, 12, 11, 10, 13];
const STEPS: usize = 60;
const BLUR: f64 = 0.1;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let digits = data::digits();
    let model = |class: &u8| Empirical::new(&digits.of_class(*class), Digits::DIM)?.smoothed(BLUR);
    let from: Vec<_> = FROM.iter().map(model).collect::<Result<_, ModelError>>()?;
    let to: Vec<_> = TO.iter().map(model).collect::<Result<_, ModelError>>()?;
    let image = |m: &Empirical, i| m.data()[i * Digits::DIM..][..Digits::DIM].to_vec();
    let images = |of: &[Empirical], skip| -> Vec<f64> {
        let each = of.iter().zip(WHICH);
        each.flat_map(|(m, i)| image(m, skip + i)).collect()
    };
    // A typical sample of the model is an image with a little noise on it.
    let mut start = vec![0.0; FROM.len() * Digits::DIM];
    start.fill_normal(Key::new(4), 0);
    start.lincomb(BLUR, &[(1.0, &images(&from, 0))]);

    let mut rows = start.clone();
    let ways = ["BDIA", "BDIA", "BDIA", "EDICT", "DDIM"];
    for (name, strength) in ways.into_iter().zip([0.2, 0.4, 0.8, 0.4, 0.4]) {
        let schedule = VpLinear::default();
        let grid = TimeGrid::between(&schedule, Spacing::LogSnr, STEPS, strength, 1e-3)?;
        let exact = |s: &dyn ExactInversion| -> Result<_, PlanError> {
            Ok((s.encode(&schedule, &grid)?, s.pair(&schedule, &grid)?))
        };
        let (encode, decode) = match name {
            "BDIA" => exact(&Bdia::default())?,
            "EDICT" => exact(&Edict::default())?,
            _ => (naive(&grid)?, Ddim::default().plan(&schedule, &grid)?),
        };
        let walk = |i: usize, back: &Empirical| -> Result<Vec<f64>, SampleError> {
            let x = start[i * Digits::DIM..][..Digits::DIM].to_vec();
            let (latent, _) = encode.sample_all(&from[i], vec![x], Key::new(0), &mut ())?;
            let (mut x, _) = decode.sample_all(back, latent, Key::new(0), &mut ())?;
            Ok(x.swap_remove(0))
        };
        let (mut edited, mut control, mut read) = (Vec::new(), Vec::new(), 0.0);
        for (i, to) in to.iter().enumerate() {
            control.extend(walk(i, &from[i])?);
            let x = walk(i, to)?;
            read += f64::from(u8::from(nearest(&digits, &x) == Some(TO[i])));
            edited.extend(x);
        }
        let (read, distance) = (read / 14.0, measure::rms(&edited, &start, Digits::DIM));
        let control = measure::max_abs_diff(&control, &start);
        println!("read as the new digit at strength {strength} with {name} = {read:.2}");
        println!("distance at strength {strength} with {name} = {distance:.2}");
        println!("control change with {name} = {control:.1e}");
        rows.extend(edited);
    }
    let random = images(&to, 30);
    let distance = measure::rms(&random, &start, Digits::DIM);
    println!("distance of random images = {distance:.2}");
    rows.extend(random);

    let large = enlarge(&rows, Digits::SIDE, Digits::SIDE, 5)?;
    let options = GridOptions {
        columns: FROM.len(),
        zoom: 1,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    image_grid(&large, 40, 40, &options)?.save("target/gallery/edit_digits.png")?;
    Ok(())
}

/// DDIM with the ends swapped: the model is evaluated at the wrong end of each step.
fn naive(grid: &TimeGrid) -> Result<Plan, PlanError> {
    let mut p = Plan::builder();
    let mut x = p.input();
    for pair in grid.levels().windows(2).rev() {
        let (to, from) = (&pair[0], &pair[1]);
        let noise = p.eval(x, from, Prediction::Noise);
        x = p.combine(to.alpha * (x / from.alpha) + (to.sigma - to.alpha * from.rho()) * noise);
    }
    p.finish(&[x])
}

/// The class of the nearest real digit.
fn nearest(digits: &Digits, x: &[f64]) -> Option<u8> {
    let square = |(a, b): (&f64, &f32)| (a - f64::from(*b)).powi(2);
    let distance = |y: &[f32]| x.iter().zip(y).map(square).sum::<f64>();
    let all = digits.images.chunks_exact(Digits::DIM).zip(&digits.labels);
    all.min_by(|a, b| distance(a.0).total_cmp(&distance(b.0)))
        .map(|(_, label)| *label)
}
