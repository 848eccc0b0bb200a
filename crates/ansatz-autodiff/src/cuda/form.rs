//! What primitives are to a device.

use std::any::Any;

use ansatz_cuda::program::Function;

use super::DeviceError;
use crate::op::{
    Binary, Broadcast, Comparison, Concatenate, Contract, Correlation, CumulativeSum, Gather,
    Largest, Lowering, MatMul, Pad, Pair, Primitive, ReduceMax, ScatterAdd, ScatterAddAt,
    Separable, Slice, Take, Transpose, Unary,
};

/// A primitive as the device's compiler sees it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form<'t> {
    Input,
    Constant(&'t [f64]),
    /// The elements of the first input in order. Other inputs must be there before.
    View,
    /// A function of each element.
    Point(Point),
    Move(Move<'t>),
    /// A part of max pooling, tap by tap.
    Windows(&'t Largest),
    /// What has kernels of its own.
    Heavy(Heavy<'t>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Point {
    Unary(Unary),
    /// A function of the inputs as they come.
    Call(Function),
}

/// Elements in other places: pulled from there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move<'t> {
    Broadcast,
    Transpose(&'t Transpose),
    Slice(&'t Slice),
    Pad(&'t Pad),
    Concatenate(&'t Concatenate),
    Take(&'t Take),
    Gather(&'t Gather),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Heavy<'t> {
    Sum(&'t [usize]),
    Largest(&'t ReduceMax),
    MatMul(MatMul),
    Contract(&'t Contract),
    Correlation(&'t Correlation),
    ScatterAdd(&'t ScatterAdd),
    ScatterAddAt(&'t ScatterAddAt),
    CumulativeSum(&'t CumulativeSum),
    Separable(&'t Separable),
}

/// The form of a primitive.
pub(super) fn form(primitive: &dyn Primitive) -> Result<Form<'_>, DeviceError> {
    let call = |function| Ok(Form::Point(Point::Call(function)));
    match primitive.lowering() {
        Lowering::Input { .. } => return Ok(Form::Input),
        Lowering::Constant(values) => return Ok(Form::Constant(values)),
        Lowering::Reshape | Lowering::Link => return Ok(Form::View),
        Lowering::Unary(f) => return Ok(Form::Point(Point::Unary(f))),
        Lowering::Binary(f) => {
            return call(match f {
                Binary::Add => Function::Add,
                Binary::Sub => Function::Sub,
                Binary::Mul => Function::Mul,
            });
        }
        Lowering::Compare(c) => {
            return call(match c {
                Comparison::Less => Function::Less,
                Comparison::LessOrEqual => Function::LessOrEqual,
                Comparison::Equal => Function::Equal,
            });
        }
        Lowering::Select => return call(Function::Select),
        Lowering::Sum(axes) => return Ok(Form::Heavy(Heavy::Sum(axes))),
        Lowering::MatMul(m) => return Ok(Form::Heavy(Heavy::MatMul(m))),
        Lowering::Broadcast | Lowering::Other => {}
    }
    let any: &dyn Any = primitive;
    if any.is::<Broadcast>() {
        return Ok(Form::Move(Move::Broadcast));
    }
    if let Some(pair) = any.downcast_ref::<Pair>() {
        return call(match pair {
            Pair::Pow => Function::Pow,
            Pair::Atan2 => Function::Atan2,
        });
    }
    if let Some(op) = any.downcast_ref::<Largest>() {
        return Ok(Form::Windows(op));
    }
    macro_rules! find {
        ($($kind:ident => $form:expr),* $(,)?) => {
            $(if let Some(op) = any.downcast_ref::<$kind>() {
                return Ok($form(op));
            })*
        };
    }
    find! {
        Transpose => |op| Form::Move(Move::Transpose(op)),
        Slice => |op| Form::Move(Move::Slice(op)),
        Pad => |op| Form::Move(Move::Pad(op)),
        Concatenate => |op| Form::Move(Move::Concatenate(op)),
        Take => |op| Form::Move(Move::Take(op)),
        Gather => |op| Form::Move(Move::Gather(op)),
        ReduceMax => |op| Form::Heavy(Heavy::Largest(op)),
        Contract => |op| Form::Heavy(Heavy::Contract(op)),
        Correlation => |op| Form::Heavy(Heavy::Correlation(op)),
        ScatterAdd => |op| Form::Heavy(Heavy::ScatterAdd(op)),
        ScatterAddAt => |op| Form::Heavy(Heavy::ScatterAddAt(op)),
        CumulativeSum => |op| Form::Heavy(Heavy::CumulativeSum(op)),
        Separable => |op| Form::Heavy(Heavy::Separable(op)),
    }
    Err(DeviceError::Unsupported {
        op: primitive.name(),
        remedy: "compile this program, or the part of it with this operation, with `Program` for the processor",
    })
}

/// The device's function of one number, where it is one call.
pub(super) fn function(f: Unary) -> Option<Function> {
    Some(match f {
        Unary::Neg => Function::Neg,
        Unary::Recip => Function::Recip,
        Unary::Sqrt => Function::Sqrt,
        Unary::Exp => Function::Exp,
        Unary::Ln => Function::Ln,
        Unary::Sin => Function::Sin,
        Unary::Cos => Function::Cos,
        Unary::Tanh => Function::Tanh,
        Unary::Sigmoid => Function::Sigmoid,
        Unary::Softplus => Function::Softplus,
        Unary::Silu => Function::Silu,
        Unary::Gelu => Function::Gelu,
        Unary::Expm1 => Function::Expm1,
        Unary::Ln1p => Function::Ln1p,
        Unary::Rsqrt => Function::Rsqrt,
        Unary::Tan => Function::Tan,
        Unary::Asin => Function::Asin,
        Unary::Acos => Function::Acos,
        Unary::Atan => Function::Atan,
        Unary::Sinh => Function::Sinh,
        Unary::Cosh => Function::Cosh,
        Unary::Asinh => Function::Asinh,
        Unary::Acosh => Function::Acosh,
        Unary::Atanh => Function::Atanh,
        Unary::Exp2 => Function::Exp2,
        Unary::Log2 => Function::Log2,
        Unary::Log10 => Function::Log10,
        Unary::Erf => Function::Erf,
        Unary::Abs => Function::Abs,
        Unary::Sign => Function::Sign,
        Unary::Scale(_) | Unary::Shift(_) | Unary::Powi(_) | Unary::Powf(_) => return None,
    })
}
