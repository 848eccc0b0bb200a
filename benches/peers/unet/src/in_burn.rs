//! The training in burn: automatic differentiation over the processor backend Flex.

use std::collections::HashMap;

use burn::module::{Module, Param};
use burn::nn::GroupNorm;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::module::{conv2d, interpolate, linear};
use burn::tensor::ops::{ConvOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};

use partner::Failure;

use crate::Training;
use crate::network::{GROUPS, Layers, WIDTH, predict};
use crate::ours::Problem;

/// The parameters by their number of axes; matrices are transposed, `[in, out]`.
#[derive(Module, Debug)]
struct Weights {
    kernels: Vec<Param<Tensor<4>>>,
    matrices: Vec<Param<Tensor<2>>>,
    vectors: Vec<Param<Tensor<1>>>,
}

impl Weights {
    fn none() -> Self {
        Self {
            kernels: Vec::new(),
            matrices: Vec::new(),
            vectors: Vec::new(),
        }
    }
}

pub(crate) struct InBurn {
    /// In our order, with the number of axes and the place among those of as many.
    places: Vec<(String, usize, usize)>,
    by_name: HashMap<String, usize>,
    weights: Weights,
    images: Tensor<4>,
    times: Tensor<2>,
    noise: Tensor<4>,
    device: Device,
    optimizer: ModuleOptimizer,
    rate: f64,
    loss: f64,
    gradient: Option<GradientsParams>,
}

impl InBurn {
    pub(crate) fn new(problem: &Problem, rate: f64) -> Self {
        let device = Device::flex();
        let trained = device.clone().autodiff();
        let mut weights = Weights::none();
        let mut places = Vec::new();
        let narrow = |x: &[f64]| -> Vec<f32> { x.iter().map(|v| *v as f32).collect() };
        for p in &problem.parameters {
            let data = TensorData::new(narrow(&p.values), p.shape.clone());
            let place = match p.shape.len() {
                4 => {
                    weights.kernels.push(Param::from_data(data, &trained));
                    weights.kernels.len()
                }
                2 => {
                    let matrix = Tensor::<2>::from_data(data, &device)
                        .transpose()
                        .into_data();
                    weights.matrices.push(Param::from_data(matrix, &trained));
                    weights.matrices.len()
                }
                _ => {
                    weights.vectors.push(Param::from_data(data, &trained));
                    weights.vectors.len()
                }
            };
            places.push((p.name.clone(), p.shape.len(), place - 1));
        }
        let [n, c, h, w] = problem.images();
        let data = |i: usize, shape: &[usize]| TensorData::new(narrow(&problem.data[i]), shape);
        Self {
            by_name: places.iter().map(|(n, _, i)| (n.clone(), *i)).collect(),
            places,
            weights,
            images: Tensor::from_data(data(0, &[n, c, h, w]), &trained),
            times: Tensor::from_data(data(1, &[n, 1]), &trained),
            noise: Tensor::from_data(data(2, &[n, c, h, w]), &trained),
            device: trained,
            optimizer: AdamConfig::new().with_epsilon(1e-8).init(),
            rate,
            loss: f64::NAN,
            gradient: None,
        }
    }

    fn at(&self, layer: &str, name: &str) -> Result<usize, Failure> {
        let name = format!("{layer}.{name}");
        let place = self.by_name.get(&name).copied();
        Ok(place.ok_or_else(|| format!("no {name}"))?)
    }

    fn bias(&self, layer: &str) -> Result<Tensor<1>, Failure> {
        Ok(self.weights.vectors[self.at(layer, "bias")?].val())
    }

    fn linear<const N: usize>(&self, name: &str, x: Tensor<N>) -> Result<Tensor<N>, Failure> {
        let weight = self.weights.matrices[self.at(name, "weight")?].val();
        Ok(linear(x, weight, Some(self.bias(name)?)))
    }
}

impl Layers for InBurn {
    type Images = Tensor<4>;
    type Rows = Tensor<2>;

    fn waves(&self) -> Result<Tensor<2>, Failure> {
        let half = WIDTH / 2;
        let frequency = |i: usize| (-(1e4_f64.ln()) * i as f64 / half as f64).exp() as f32;
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let frequencies = TensorData::new(frequencies, [1, half]);
        let phases = self.times.clone() * Tensor::<2>::from_data(frequencies, &self.device);
        Ok(Tensor::cat(vec![phases.clone().cos(), phases.sin()], 1))
    }

    fn dense(&self, name: &str, x: &Tensor<2>) -> Result<Tensor<2>, Failure> {
        self.linear(name, x.clone())
    }

    fn silu_rows(&self, x: &Tensor<2>) -> Result<Tensor<2>, Failure> {
        Ok(silu(x.clone()))
    }

    fn conv(&self, name: &str, x: &Tensor<4>, stride: usize) -> Result<Tensor<4>, Failure> {
        let weight = self.weights.kernels[self.at(name, "weight")?].val();
        let padding = weight.dims()[2] / 2;
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        Ok(conv2d(x.clone(), weight, Some(self.bias(name)?), options))
    }

    fn norm(&self, name: &str, x: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        let norm = GroupNorm {
            gamma: Some(self.weights.vectors[self.at(name, "weight")?].clone()),
            beta: Some(self.weights.vectors[self.at(name, "bias")?].clone()),
            num_groups: GROUPS,
            num_channels: x.dims()[1],
            epsilon: 1e-5,
            affine: true,
        };
        Ok(norm.forward(x.clone()))
    }

    fn silu(&self, x: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        Ok(silu(x.clone()))
    }

    fn add(&self, x: &Tensor<4>, y: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        Ok(x.clone() + y.clone())
    }

    fn shift(&self, x: &Tensor<4>, rows: &Tensor<2>) -> Result<Tensor<4>, Failure> {
        let [n, c] = rows.dims();
        Ok(x.clone() + rows.clone().reshape([n, c, 1, 1]))
    }

    fn concatenate(&self, x: &Tensor<4>, y: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        Ok(Tensor::cat(vec![x.clone(), y.clone()], 1))
    }

    fn double(&self, x: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        let [_, _, h, w] = x.dims();
        let options = InterpolateOptions::new(InterpolateMode::Nearest);
        Ok(interpolate(
            x.clone(),
            options.with_output_size([2 * h, 2 * w]),
        ))
    }

    fn attend(&self, name: &str, x: &Tensor<4>) -> Result<Tensor<4>, Failure> {
        let [n, c, h, w] = x.dims();
        let tokens = x.clone().reshape([n, c, h * w]).swap_dims(1, 2);
        let part = |layer: &str| self.linear(&format!("{name}.{layer}"), tokens.clone());
        let (q, k, v) = (part("q")?, part("k")?, part("v")?);
        let scores = q.matmul(k.swap_dims(1, 2)) * (c as f64).sqrt().recip();
        let y = softmax(scores, 2).matmul(v);
        let y = self.linear(&format!("{name}.out"), y)?;
        Ok(y.swap_dims(1, 2).reshape([n, c, h, w]))
    }

    fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
}

impl Training for InBurn {
    fn gradient(&mut self) -> Result<(), Failure> {
        let difference = predict(self, &self.images)? - self.noise.clone();
        let loss = difference.square().mean();
        let gradient = loss.backward();
        self.loss = f64::from(loss.into_scalar::<f32>());
        self.gradient = Some(GradientsParams::from_grads(gradient, &self.weights));
        Ok(())
    }

    fn optimise(&mut self) -> Result<(), Failure> {
        if let Some(gradient) = self.gradient.take() {
            let weights = std::mem::replace(&mut self.weights, Weights::none());
            self.weights = self.optimizer.step(self.rate, weights, gradient);
        }
        Ok(())
    }

    fn values(&self) -> Result<Vec<f64>, Failure> {
        let gradient = self.gradient.as_ref().ok_or("no step yet")?;
        let mut values = vec![self.loss];
        for (name, axes, place) in &self.places {
            let slopes = match axes {
                4 => gradient
                    .get::<4>(self.weights.kernels[*place].id)
                    .map(Tensor::into_data),
                2 => gradient
                    .get::<2>(self.weights.matrices[*place].id)
                    .map(|g| g.transpose().into_data()),
                _ => gradient
                    .get::<1>(self.weights.vectors[*place].id)
                    .map(Tensor::into_data),
            };
            let slopes = slopes.ok_or_else(|| format!("no slope of {name}"))?;
            let slopes = slopes.try_to_vec::<f32>().map_err(|e| format!("{e:?}"))?;
            values.extend(slopes.iter().map(|v| f64::from(*v)));
        }
        Ok(values)
    }
}
