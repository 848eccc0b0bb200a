//! Weights of modules as parameters, and back.

use ::dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut, ViewTensorName,
    ViewTensorRef,
};
use ::dfdx::shapes::{Dtype, HasShape as _, Shape};
use ::dfdx::tensor::{Cpu, Tensor};
use ::dfdx::tensor_ops::Device;
use ansatz_autodiff::Element;
use ansatz_core::Key;

use crate::{Init, Layout, NetworkError, Parameters};

/// The tensors of a module as parameters, in its order, under its names; those that are not trained are buffers.
///
/// # Errors
/// [`NetworkError::Tensor`] for two tensors of one name.
pub fn parameters<E, M>(module: &M) -> Result<Parameters<E>, NetworkError>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: TensorCollection<E, Cpu>,
{
    let mut layout = Layout::new();
    let mut reader = Reader {
        layout: &mut layout,
        values: Vec::new(),
    };
    M::iter_tensors(&mut RecursiveWalker {
        m: (module, String::new()),
        f: &mut reader,
    })?;
    let values = reader.values;
    let mut parameters = Parameters::new(&layout, Key::new(0));
    parameters.values_mut().copy_from_slice(&values);
    Ok(parameters)
}

/// Puts parameters into a module, tensor by tensor in order; names do not matter.
///
/// # Errors
/// [`NetworkError::Size`] for another number of tensors, [`NetworkError::Tensor`] for one of another shape; the module is
/// then unchanged.
pub fn assign<E, M>(module: &mut M, parameters: &Parameters<E>) -> Result<(), NetworkError>
where
    E: Element + Dtype,
    Cpu: Device<E>,
    M: TensorCollection<E, Cpu>,
{
    // All is compared before anything is written.
    let mut checked = self::parameters(&*module)?;
    checked.copy_in_order(parameters)?;
    let mut writer = Writer {
        rest: checked.values(),
    };
    M::iter_tensors(&mut RecursiveWalker {
        m: module,
        f: &mut writer,
    })?;
    Ok(())
}

struct Reader<'a, E> {
    layout: &'a mut Layout,
    values: Vec<E>,
}

impl<E: Element + Dtype> TensorVisitor<E, Cpu> for Reader<'_, E>
where
    Cpu: Device<E>,
{
    type Viewer = (ViewTensorRef, ViewTensorName);
    type Err = NetworkError;
    type E2 = E;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, Cpu>,
        (tensor, name): (&Tensor<S, E, Cpu>, String),
    ) -> Result<Option<Tensor<S, E, Cpu>>, NetworkError> {
        let shape: Vec<usize> = tensor.shape().concrete().into_iter().collect();
        if self.layout.get(&name).is_some() {
            return Err(NetworkError::Tensor {
                name,
                expected: "one tensor of a name".into(),
                got: "two".into(),
            });
        }
        let mut root = self.layout.root();
        if options.do_gradient_update {
            root.parameter(&name, &shape, Init::Constant(0.0));
        } else {
            root.buffer(&name, &shape, Init::Constant(0.0));
        }
        self.values.extend(tensor.as_vec());
        Ok(None)
    }
}

struct Writer<'a, E> {
    rest: &'a [E],
}

impl<E: Element + Dtype> TensorVisitor<E, Cpu> for Writer<'_, E>
where
    Cpu: Device<E>,
{
    type Viewer = ViewTensorMut;
    type Err = NetworkError;
    type E2 = E;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, Cpu>,
        tensor: &mut Tensor<S, E, Cpu>,
    ) -> Result<Option<Tensor<S, E, Cpu>>, NetworkError> {
        let (values, rest) = self.rest.split_at(tensor.shape().num_elements());
        tensor.copy_from(values);
        self.rest = rest;
        Ok(None)
    }
}
