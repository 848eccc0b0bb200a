//! A training step of a U-Net: the noise predictor of a diffusion model on images.
//!
//! All numbers are of `f32`, so that both types and every peer work on the same problem.

use std::time::Instant;

use ansatz_autodiff::{Array, Element, Graph, Trace, gradient};
use ansatz_core::Key;
use ansatz_nn::{
    Adam, Data, Layout, Mode, NetworkError, Objective, Optimizer, Parameters, Pass, UNet,
    UNetOptions,
};
use serde::Serialize;

/// Images of a batch, and their side.
pub const IMAGES: (usize, usize) = (32, 28);

/// Two levels of 32 and 64 channels, a block each, attention on the lower one: 701 345 parameters.
#[must_use]
pub fn options() -> UNetOptions {
    UNetOptions {
        blocks: 1,
        attention: vec![1],
        ..UNetOptions::default()
    }
}

/// The network with its numbers.
#[derive(Debug)]
pub struct Problem {
    layout: Layout,
    network: UNet,
    /// Noisy images, their times, and the noise to predict.
    pub data: [Vec<f64>; 3],
    /// All parameters.
    pub parameters: Parameters<f64>,
}

/// What a peer needs to build the same.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Noisy images, their times, and the noise.
    pub data: [Vec<f64>; 3],
    /// Names as PyTorch would give them, shapes and values.
    pub parameters: Vec<Named>,
}

/// A parameter of a [`Description`].
#[derive(Debug, Serialize)]
pub struct Named {
    /// Its path in the network.
    pub name: String,
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f64>,
}

impl Problem {
    /// A batch of this many images.
    #[must_use]
    pub fn new(images: usize) -> Self {
        let mut layout = Layout::new();
        let network = UNet::new(&mut layout.root(), &options());
        let key = Key::new(43);
        let round = |x: f64| f64::from(x as f32);
        let normal = |stream: u64| move |i: usize| round(Key::new(43).normal(stream, i as u64)[0]);
        let pixels = images * IMAGES.1 * IMAGES.1;
        let time = |i: usize| (1000.0 * key.uniform(1, i as u64)[0]).floor();
        // The usual start has zeros behind the last layer, where almost all slopes would be zero.
        let mut parameters = Parameters::<f64>::new(&layout, key);
        for (i, value) in parameters.values_mut().iter_mut().enumerate() {
            *value = round(*value + 0.02 * normal(3)(i));
        }
        Self {
            layout,
            network,
            data: [
                (0..pixels).map(normal(0)).collect(),
                (0..images).map(time).collect(),
                (0..pixels).map(normal(2)).collect(),
            ],
            parameters,
        }
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.data[1].len()
    }

    fn shapes(&self) -> [Vec<usize>; 3] {
        let n = self.images();
        let image = vec![n, 1, IMAGES.1, IMAGES.1];
        [image.clone(), vec![n, 1], image]
    }

    /// Loss and gradient as the graph that [`Training`] compiles.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let g = Graph::new();
        let pass = Pass::new(&g, &self.layout, (Mode::Train, Some(self.images())));
        let data = self.shapes().map(|shape| g.batch(&shape));
        let loss = loss(&self.network, &pass, &data);
        let mut outputs = vec![loss];
        outputs.extend(gradient(loss, pass.arrays()));
        g.finish(&outputs)
    }

    /// For a peer.
    #[must_use]
    pub fn describe(self) -> Description {
        let named = self.parameters.iter().map(|(entry, values)| Named {
            name: entry.name.clone(),
            shape: entry.shape.to_vec(),
            values: values.to_vec(),
        });
        Description {
            parameters: named.collect(),
            data: self.data,
        }
    }
}

/// The mean of |network(noisy, times) − noise|².
fn loss<'g>(network: &UNet, pass: &Pass<'g>, data: &[Array<'g>]) -> Array<'g> {
    (network.apply(pass, data[0], data[1]) - data[2])
        .square()
        .mean()
}

/// Seconds of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds {
    /// Loss and gradient.
    pub gradient: f64,
    /// What the optimiser makes of them.
    pub optimizer: f64,
}

/// A training in one type.
pub trait Training: Send {
    /// A step of Adam with a learning rate.
    ///
    /// # Errors
    /// Those of [`Objective::gradient`] and [`Optimizer::step`].
    fn step(&mut self, rate: f64) -> Result<Seconds, NetworkError>;

    /// The first `count` of the last step's loss and gradient.
    fn values(&self, count: usize) -> Vec<f64>;

    /// Bytes of memory that a gradient takes.
    fn bytes(&self) -> usize;
}

struct InType<T> {
    objective: Objective<T>,
    parameters: Parameters<T>,
    optimizer: Optimizer<T, Adam>,
    data: [Vec<T>; 3],
    loss: f64,
    slope: Vec<T>,
}

/// Compiles the training of a problem for `f32` or `f64`.
///
/// # Errors
/// Those of [`Objective::compile`].
pub fn training<T: Element>(problem: &Problem) -> Result<Box<dyn Training>, NetworkError> {
    let narrow = |x: &[f64]| -> Vec<T> { x.iter().map(|v| T::of(*v)).collect() };
    let shapes = problem.shapes().map(Data::Batch);
    let mut parameters = Parameters::<T>::new(&problem.layout, Key::new(0));
    let values = narrow(problem.parameters.values());
    parameters.values_mut().copy_from_slice(&values);
    Ok(Box::new(InType {
        objective: Objective::<T>::compile(&problem.layout, &shapes, |pass, data| {
            loss(&problem.network, pass, data)
        })?,
        parameters,
        optimizer: Optimizer::new(Adam::default(), values.len()),
        data: [0, 1, 2].map(|i: usize| narrow(&problem.data[i])),
        loss: f64::NAN,
        slope: vec![T::zero(); values.len()],
    }))
}

impl<T: Element> Training for InType<T> {
    fn step(&mut self, rate: f64) -> Result<Seconds, NetworkError> {
        let start = Instant::now();
        let [x, t, noise] = &self.data;
        let data: [&[T]; 3] = [x, t, noise];
        let slope = &mut self.slope;
        self.loss = self
            .objective
            .gradient(&self.parameters, &data, Key::new(0), slope)?;
        let between = Instant::now();
        let values = self.parameters.values_mut();
        self.optimizer.step(rate, &self.slope, values)?;
        Ok(Seconds {
            gradient: (between - start).as_secs_f64(),
            optimizer: between.elapsed().as_secs_f64(),
        })
    }

    fn values(&self, count: usize) -> Vec<f64> {
        let slopes = self.slope.iter().map(|v| v.f64());
        std::iter::once(self.loss)
            .chain(slopes)
            .take(count)
            .collect()
    }

    fn bytes(&self) -> usize {
        self.objective.program().bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The network has the size that the suite tells, a training goes downhill, and no parameter is idle.
    #[test]
    fn a_small_batch_is_trained() {
        let problem = Problem::new(2);
        assert_eq!(problem.parameters.values().len(), 701_345);
        let mut training = training::<f32>(&problem).unwrap();
        training.step(1e-3).unwrap();
        let first = training.values(1 << 30);
        assert!(first.iter().all(|v| v.is_finite()));
        assert!(problem.parameters.iter().all(|(entry, _)| {
            let slopes = &first[1..][entry.range()];
            // What keys add to all scores alike does not count in a softmax.
            entry.name.ends_with("k.bias") || slopes.iter().any(|v| *v != 0.0)
        }));
        for _ in 0..5 {
            training.step(1e-3).unwrap();
        }
        assert!(training.values(1)[0] < first[0]);
    }
}
