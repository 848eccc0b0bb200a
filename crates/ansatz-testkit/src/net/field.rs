//! Networks as fields of differential equations.

use std::sync::{Mutex, PoisonError};

use ansatz_core::{
    ControlField, EvalError, NoiseKind, Sde, VectorField, VjpControlField, VjpField,
};

use super::{Net, Trace};

/// Working memory for calls through `&self`; grows to the number of calls that run at once.
#[derive(Debug, Default)]
struct Pool(Mutex<Vec<Work>>);

#[derive(Debug, Default)]
struct Work {
    trace: Trace,
    bars: Vec<f64>,
}

impl Pool {
    fn with<R>(&self, f: impl FnOnce(&mut Work) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lock().pop();
        let mut work = kept.unwrap_or_default();
        let result = f(&mut work);
        lock().push(work);
        result
    }
}

/// An error unless a quantity has `expected` elements.
fn length(what: &'static str, expected: usize, got: usize) -> Result<(), EvalError> {
    if expected == got {
        return Ok(());
    }
    Err(EvalError::Length {
        what,
        expected,
        got,
    })
}

/// Rows of width `width` in `len` numbers.
fn rows(len: usize, width: usize) -> Result<usize, EvalError> {
    let rows = len / width.max(1);
    length("state of the network", rows * width, len)?;
    Ok(rows)
}

/// The field f(t, x) of a network, row by row: states are `[batch, width]`.
#[derive(Debug)]
pub struct NetField {
    net: Net,
    /// The parameters, free to change between calls.
    pub params: Vec<f64>,
    pool: Pool,
}

impl NetField {
    /// Binds a network to parameters.
    ///
    /// # Errors
    /// [`EvalError::Length`] when the network does not end in as many numbers as it begins with, or has another
    /// number of parameters.
    pub fn new(net: Net, params: Vec<f64>) -> Result<Self, EvalError> {
        length("output of the network", net.inputs(), net.outputs())?;
        length("parameters", net.params(), params.len())?;
        Ok(Self {
            net,
            params,
            pool: Pool::default(),
        })
    }
}

impl VectorField<Vec<f64>> for NetField {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        rows(x.len(), self.net.inputs())?;
        length("slope", x.len(), dx.len())?;
        self.pool.with(|work| {
            dx.copy_from_slice(self.net.forward(&self.params, t, x, &mut work.trace));
        });
        Ok(())
    }
}

impl VjpField<Vec<f64>> for NetField {
    fn params(&self) -> usize {
        self.params.len()
    }

    fn vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        rows(x.len(), self.net.inputs())?;
        length("cotangent", x.len(), w.len())?;
        self.pool.with(|work| {
            self.net.forward(&self.params, t, x, &mut work.trace);
            self.net
                .backward(&self.params, t, w, &mut work.trace, x_bar, p_bar);
        });
        Ok(())
    }
}

/// The map G(t, x)·u where a network with `width·controls` outputs gives G `[width, controls]`, row by row:
/// states are `[batch, width]`, controls `[batch, controls]`.
#[derive(Debug)]
pub struct NetControl {
    net: Net,
    /// The parameters, free to change between calls.
    pub params: Vec<f64>,
    controls: usize,
    pool: Pool,
}

impl NetControl {
    /// Binds a network to parameters.
    ///
    /// # Errors
    /// [`EvalError::Length`] when the outputs are not inputs times controls, or the number of parameters is another.
    pub fn new(net: Net, params: Vec<f64>, controls: usize) -> Result<Self, EvalError> {
        let expected = net.inputs() * controls;
        length("output of the network", expected, net.outputs())?;
        length("parameters", net.params(), params.len())?;
        Ok(Self {
            net,
            params,
            controls,
            pool: Pool::default(),
        })
    }

    /// Checks the lengths.
    fn check(&self, x: &[f64], u: &[f64]) -> Result<(), EvalError> {
        let rows = rows(x.len(), self.net.inputs())?;
        length("control", rows * self.controls, u.len())
    }
}

impl ControlField<Vec<f64>> for NetControl {
    fn apply(
        &self,
        t: f64,
        x: &Vec<f64>,
        u: &Vec<f64>,
        out: &mut Vec<f64>,
    ) -> Result<(), EvalError> {
        self.check(x, u)?;
        length("slope", x.len(), out.len())?;
        self.pool.with(|work| {
            let g = self.net.forward(&self.params, t, x, &mut work.trace);
            let width = self.net.inputs();
            for ((out, g), u) in out
                .chunks_mut(width)
                .zip(g.chunks(width * self.controls))
                .zip(u.chunks(self.controls))
            {
                for (o, g) in out.iter_mut().zip(g.chunks(self.controls)) {
                    *o = g.iter().zip(u).map(|(g, u)| g * u).sum();
                }
            }
        });
        Ok(())
    }
}

impl VjpControlField<Vec<f64>> for NetControl {
    fn control_params(&self) -> usize {
        self.params.len()
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        u: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        u_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        self.check(x, u)?;
        length("cotangent", x.len(), w.len())?;
        let (width, controls) = (self.net.inputs(), self.controls);
        self.pool.with(|Work { trace, bars }| {
            let g = self.net.forward(&self.params, t, x, trace);
            u_bar.fill(0.0);
            bars.clear();
            for ((g, u), (w, u_bar)) in g
                .chunks(width * controls)
                .zip(u.chunks(controls))
                .zip(w.chunks(width).zip(u_bar.chunks_mut(controls)))
            {
                for (g, w) in g.chunks(controls).zip(w) {
                    bars.extend(u.iter().map(|u| w * u));
                    for (bar, g) in u_bar.iter_mut().zip(g) {
                        *bar += w * g;
                    }
                }
            }
            self.net
                .backward(&self.params, t, bars, trace, x_bar, p_bar);
        });
        Ok(())
    }
}

/// A stochastic equation of two networks, with general noise. Its parameters are those of the drift, then those of
/// the diffusion.
#[derive(Debug)]
pub struct NetSde {
    /// f(t, x).
    pub drift: NetField,
    /// G(t, x).
    pub diffusion: NetControl,
}

impl VectorField<Vec<f64>> for NetSde {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        self.drift.eval(t, x, dx)
    }
}

impl VjpField<Vec<f64>> for NetSde {
    fn params(&self) -> usize {
        self.drift.params.len() + self.diffusion.params.len()
    }

    fn vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let mine = &mut p_bar[..self.drift.params.len()];
        self.drift.vjp(t, x, w, x_bar, mine)
    }
}

impl ControlField<Vec<f64>> for NetSde {
    fn apply(
        &self,
        t: f64,
        x: &Vec<f64>,
        u: &Vec<f64>,
        out: &mut Vec<f64>,
    ) -> Result<(), EvalError> {
        self.diffusion.apply(t, x, u, out)
    }
}

impl VjpControlField<Vec<f64>> for NetSde {
    fn control_params(&self) -> usize {
        VjpField::params(self)
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        u: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        u_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let mine = &mut p_bar[self.drift.params.len()..];
        self.diffusion.control_vjp(t, x, u, w, x_bar, u_bar, mine)
    }
}

impl Sde<Vec<f64>> for NetSde {
    fn noise(&self) -> NoiseKind {
        NoiseKind::General
    }
}
