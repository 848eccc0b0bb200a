//! What all adapters share: y(numbers, x, parameters) and its products, compiled.

use ansatz_core::EvalError;
use ansatz_core::denoiser::Scratch;

use super::Signature;
use crate::{Array, AutodiffError, Element, Graph, Program, jvp, vjp};

/// A function as it is traced: numbers, state, parameters.
pub(super) type Traced<'f> = &'f dyn for<'g> Fn(&[Array<'g>], Array<'g>, &[Array<'g>]) -> Array<'g>;

/// Slices that are passed to a program from the stack.
const MOST: usize = 32;

#[derive(Debug)]
pub(super) struct Map<T> {
    value: Program<T>,
    tangent: Program<T>,
    cotangent: Program<T>,
    /// Elements of the state, and of the result.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Elements of each parameter.
    lengths: Vec<usize>,
    pub(super) parameters: Vec<T>,
    /// Cotangents of the parameters.
    bars: Scratch<Vec<T>>,
}

/// The arrays that a function is written on.
pub(super) struct Inputs<'g> {
    pub(super) numbers: Vec<Array<'g>>,
    pub(super) x: Array<'g>,
    pub(super) parameters: Vec<Array<'g>>,
}

pub(super) fn inputs<'g>(g: &'g Graph, signature: &Signature<'_>, numbers: usize) -> Inputs<'g> {
    let numbers = (0..numbers).map(|_| g.input(&[])).collect();
    let x = match signature.state {
        [_, _, ..] => g.batch(signature.state),
        _ => g.input(signature.state),
    };
    let parameters = signature.parameters.iter().map(|s| g.input(s)).collect();
    Inputs {
        numbers,
        x,
        parameters,
    }
}

/// As many elements as the shapes say.
pub(super) fn fits(shapes: &[&[usize]], given: usize) -> Result<(), AutodiffError> {
    let expected = shapes.iter().map(|s| s.iter().product::<usize>()).sum();
    if given == expected {
        return Ok(());
    }
    Err(AutodiffError::Length {
        what: "the vector of parameters",
        index: 0,
        shape: format!("{shapes:?}"),
        expected,
        got: given,
    })
}

/// As many elements as the program's array has.
pub(super) fn fit(what: &'static str, expected: usize, got: usize) -> Result<(), EvalError> {
    if got == expected {
        return Ok(());
    }
    Err(EvalError::Length {
        what,
        expected,
        got,
    })
}

/// A result of the shape that is needed.
pub(super) fn shaped(
    what: &'static str,
    y: Array<'_>,
    shape: &[usize],
) -> Result<(), AutodiffError> {
    if y.shape()[..] == *shape {
        return Ok(());
    }
    Err(AutodiffError::Shape {
        what,
        expected: format!("{shape:?}"),
        got: y.shape().to_string(),
    })
}

impl<T: Element> Map<T> {
    /// Traces `f`, whose result must have the shape `result` if one is given, and compiles it with its products.
    pub(super) fn new(
        signature: &Signature<'_>,
        numbers: usize,
        result: Option<&[usize]>,
        values: Vec<T>,
        f: Traced<'_>,
    ) -> Result<Self, AutodiffError> {
        fits(signature.parameters, values.len())?;
        let g = Graph::new();
        let Inputs {
            numbers,
            x,
            parameters,
        } = inputs(&g, signature, numbers);
        let y = f(&numbers, x, &parameters);
        if let Some(result) = result {
            shaped("the function's result", y, result)?;
        }
        let compile =
            |outputs: &[Array<'_>]| Program::compile(&g.finish(outputs), &signature.options);
        let value = compile(&[y])?;
        // Inputs that come later are no inputs of what was finished before.
        let w = g.input(&y.shape());
        let all: Vec<Array<'_>> = std::iter::once(x)
            .chain(parameters.iter().copied())
            .collect();
        let cotangent = compile(&vjp(&[(y, w)], &all))?;
        let g = Graph::new();
        let again = inputs(&g, signature, numbers.len());
        let y = f(&again.numbers, again.x, &again.parameters);
        let v = g.input(signature.state);
        let tangent = Program::compile(&g.finish(&jvp(&[y], &[(again.x, v)])), &signature.options)?;
        Ok(Self {
            value,
            tangent,
            cotangent,
            from: x.shape().len(),
            to: y.shape().len(),
            lengths: parameters.iter().map(|p| p.shape().len()).collect(),
            parameters: values,
            bars: Scratch::default(),
        })
    }

    /// `y ← y(x)`.
    pub(super) fn eval(&self, numbers: &[T], x: &[T], y: &mut [T]) -> Result<(), EvalError> {
        fit("state", self.from, x.len())?;
        fit("result", self.to, y.len())?;
        self.run(&self.value, numbers, x, None, &mut [y])
    }

    /// `out ← (∂y/∂x)·v`.
    pub(super) fn jvp(
        &self,
        numbers: &[T],
        x: &[T],
        v: &[T],
        out: &mut [T],
    ) -> Result<(), EvalError> {
        fit("state", self.from, x.len())?;
        fit("direction", self.from, v.len())?;
        fit("result", self.to, out.len())?;
        self.run(&self.tangent, numbers, x, Some(v), &mut [out])
    }

    /// `x_bar ← (∂y/∂x)ᵀ·w`, and `add(p_bar)` with p_bar = (∂y/∂p)ᵀ·w.
    pub(super) fn vjp(
        &self,
        numbers: &[T],
        x: &[T],
        w: &[T],
        x_bar: &mut [T],
        add: impl FnOnce(&[T]),
    ) -> Result<(), EvalError> {
        fit("state", self.from, x.len())?;
        fit("cotangent", self.to, w.len())?;
        fit("result", self.from, x_bar.len())?;
        self.bars.with(&self.parameters, |bars| {
            let count = 1 + self.lengths.len();
            let mut few: [&mut [T]; MOST] = std::array::from_fn(|_| &mut [][..]);
            let mut many: Vec<&mut [T]> = Vec::new();
            let outputs = if count <= MOST {
                &mut few[..count]
            } else {
                many.resize_with(count, || &mut []);
                &mut many[..]
            };
            outputs[0] = x_bar;
            let mut rest = bars.as_mut_slice();
            for (out, length) in outputs[1..].iter_mut().zip(&self.lengths) {
                (*out, rest) = rest.split_at_mut(*length);
            }
            self.run(&self.cotangent, numbers, x, Some(w), outputs)?;
            add(bars);
            Ok(())
        })
    }

    /// `p_bar += p̄`, in double precision; the argument is checked before anything is computed.
    pub(super) fn vjp_into(
        &self,
        numbers: &[T],
        (x, w): (&[T], &[T]),
        x_bar: &mut [T],
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let count = self.parameters.len();
        fit("cotangent of the parameters", count, p_bar.len())?;
        self.vjp(numbers, x, w, x_bar, |bars| {
            for (p, bar) in p_bar.iter_mut().zip(bars) {
                *p += bar.f64();
            }
        })
    }

    /// Runs a program on numbers, state, parameters and one array more.
    pub(super) fn run(
        &self,
        program: &Program<T>,
        numbers: &[T],
        x: &[T],
        more: Option<&[T]>,
        outputs: &mut [&mut [T]],
    ) -> Result<(), EvalError> {
        let mut start = 0;
        let parameters = self.lengths.iter().map(|n| {
            start += n;
            &self.parameters[start - n..start]
        });
        let slices = numbers.chunks(1).chain([x]).chain(parameters).chain(more);
        let mut few: [&[T]; MOST] = [&[]; MOST];
        let mut count = 0;
        let mut many = Vec::new();
        for slice in slices {
            if count < MOST {
                few[count] = slice;
            } else {
                if count == MOST {
                    many.extend(few);
                }
                many.push(slice);
            }
            count += 1;
        }
        let inputs = if count <= MOST { &few[..count] } else { &many };
        program.run(inputs, outputs).map_err(EvalError::model)
    }
}
