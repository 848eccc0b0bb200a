//! The training in candle, on its processor device.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Module, Tensor, Var};
use candle_nn::ops::softmax;
use candle_nn::{AdamW, GroupNorm, Optimizer, ParamsAdamW};

use partner::Failure;

use crate::Training;
use crate::network::{GROUPS, Layers, WIDTH, predict};
use crate::ours::Problem;

pub(crate) struct InCandle {
    /// In our order.
    names: Vec<String>,
    parameters: HashMap<String, Var>,
    images: Tensor,
    times: Tensor,
    noise: Tensor,
    optimizer: AdamW,
    loss: f64,
    gradient: Option<candle_core::backprop::GradStore>,
}

impl InCandle {
    pub(crate) fn new(problem: &Problem, rate: f64) -> Result<Self, Failure> {
        let device = Device::Cpu;
        let mut parameters = HashMap::new();
        for p in &problem.parameters {
            let values: Vec<f32> = p.values.iter().map(|v| *v as f32).collect();
            let tensor = Tensor::from_vec(values, p.shape.clone(), &device)?;
            parameters.insert(p.name.clone(), Var::from_tensor(&tensor)?);
        }
        let names: Vec<String> = problem.parameters.iter().map(|p| p.name.clone()).collect();
        let data = |i: usize, shape: &[usize]| {
            let values: Vec<f32> = problem.data[i].iter().map(|v| *v as f32).collect();
            Tensor::from_vec(values, shape, &device)
        };
        let images = problem.images();
        let options = ParamsAdamW {
            lr: rate,
            weight_decay: 0.0,
            ..ParamsAdamW::default()
        };
        let trained = names.iter().map(|n| parameters[n].clone()).collect();
        Ok(Self {
            optimizer: AdamW::new(trained, options)?,
            images: data(0, &images)?,
            times: data(1, &[images[0], 1])?,
            noise: data(2, &images)?,
            names,
            parameters,
            loss: f64::NAN,
            gradient: None,
        })
    }

    fn parameter(&self, layer: &str, name: &str) -> Result<&Tensor, Failure> {
        let name = format!("{layer}.{name}");
        let found = self.parameters.get(&name);
        Ok(found.ok_or_else(|| format!("no {name}"))?.as_tensor())
    }

    /// x·Wᵀ + b along the last axis.
    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor, Failure> {
        let weight = self.parameter(name, "weight")?.clone();
        let bias = self.parameter(name, "bias")?.clone();
        Ok(candle_nn::Linear::new(weight, Some(bias)).forward(x)?)
    }
}

impl Layers for InCandle {
    type Images = Tensor;
    type Rows = Tensor;

    fn waves(&self) -> Result<Tensor, Failure> {
        let half = WIDTH / 2;
        let steps = Tensor::arange(0, half as u32, &Device::Cpu)?.to_dtype(DType::F32)?;
        let frequencies = (steps * (-(1e4_f64.ln()) / half as f64))?.exp()?;
        let phases = self.times.broadcast_mul(&frequencies.unsqueeze(0)?)?;
        Ok(Tensor::cat(&[phases.cos()?, phases.sin()?], 1)?)
    }

    fn dense(&self, name: &str, x: &Tensor) -> Result<Tensor, Failure> {
        self.linear(name, x)
    }

    fn silu_rows(&self, x: &Tensor) -> Result<Tensor, Failure> {
        self.silu(x)
    }

    fn conv(&self, name: &str, x: &Tensor, stride: usize) -> Result<Tensor, Failure> {
        let weight = self.parameter(name, "weight")?;
        let padding = weight.dim(2)? / 2;
        let y = x.conv2d(weight, padding, stride, 1, 1)?;
        let bias = self.parameter(name, "bias")?;
        Ok(y.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)?)
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor, Failure> {
        let weight = self.parameter(name, "weight")?.clone();
        let bias = self.parameter(name, "bias")?.clone();
        let channels = x.dim(1)?;
        Ok(GroupNorm::new(weight, bias, channels, GROUPS, 1e-5)?.forward(x)?)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor, Failure> {
        Ok(x.silu()?)
    }

    fn add(&self, x: &Tensor, y: &Tensor) -> Result<Tensor, Failure> {
        Ok((x + y)?)
    }

    fn shift(&self, x: &Tensor, rows: &Tensor) -> Result<Tensor, Failure> {
        Ok(x.broadcast_add(&rows.unsqueeze(2)?.unsqueeze(3)?)?)
    }

    fn concatenate(&self, x: &Tensor, y: &Tensor) -> Result<Tensor, Failure> {
        Ok(Tensor::cat(&[x, y], 1)?)
    }

    fn double(&self, x: &Tensor) -> Result<Tensor, Failure> {
        let (_, _, h, w) = x.dims4()?;
        Ok(x.upsample_nearest2d(2 * h, 2 * w)?)
    }

    fn attend(&self, name: &str, x: &Tensor) -> Result<Tensor, Failure> {
        let (_, channels, _, _) = x.dims4()?;
        let tokens = x.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let part = |layer: &str| self.linear(&format!("{name}.{layer}"), &tokens);
        let (q, k, v) = (part("q")?, part("k")?, part("v")?);
        let scores = (q.matmul(&k.t()?)? * (channels as f64).sqrt().recip())?;
        let y = softmax(&scores, D::Minus1)?.matmul(&v)?;
        let y = self.linear(&format!("{name}.out"), &y)?;
        Ok(y.transpose(1, 2)?.reshape(x.shape())?)
    }

    fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }
}

impl Training for InCandle {
    fn gradient(&mut self) -> Result<(), Failure> {
        let loss = (predict(self, &self.images)? - &self.noise)?
            .sqr()?
            .mean_all()?;
        self.gradient = Some(loss.backward()?);
        self.loss = f64::from(loss.to_scalar::<f32>()?);
        Ok(())
    }

    fn optimise(&mut self) -> Result<(), Failure> {
        if let Some(gradient) = &self.gradient {
            self.optimizer.step(gradient)?;
        }
        Ok(())
    }

    fn values(&self) -> Result<Vec<f64>, Failure> {
        let gradient = self.gradient.as_ref().ok_or("no step yet")?;
        let mut values = vec![self.loss];
        for name in &self.names {
            let slopes = gradient.get(&self.parameters[name]).ok_or("no slope")?;
            let slopes = slopes.flatten_all()?.to_vec1::<f32>()?;
            values.extend(slopes.iter().map(|v| f64::from(*v)));
        }
        Ok(values)
    }
}
