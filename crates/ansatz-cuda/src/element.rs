//! Types that device memory is made of.

use ansatz_core::Scalar;
use cudarc::driver::{CudaSlice, DeviceRepr, ValidAsZeroBits};

use crate::pool::Shelf;
use crate::pool::Shelves;

mod sealed {
    /// Keeps the traits closed: kernels know the types that there are.
    pub trait Sealed {}
}

/// What a [`Buffer`](crate::Buffer) holds: `f32`, `f64`, `u8`, `u32`, `i32`, `u64`. Sealed.
pub trait Element:
    sealed::Sealed
    + DeviceRepr
    + ValidAsZeroBits
    + Copy
    + Default
    + PartialEq
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// The type's name.
    const KIND: &'static str;

    #[doc(hidden)]
    fn shelf(shelves: &Shelves) -> &Shelf<CudaSlice<Self>>;
}

macro_rules! elements {
    ($($type:ident)*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const KIND: &'static str = stringify!($type);

            fn shelf(shelves: &Shelves) -> &Shelf<CudaSlice<Self>> {
                &shelves.$type
            }
        }
    )*};
}

elements!(f32 f64 u8 u32 i32 u64);

/// The two types that states are made of.
pub trait DeviceScalar: Scalar + Element {
    #[doc(hidden)]
    fn pick<V>(f32: V, f64: V) -> V;
}

impl DeviceScalar for f32 {
    fn pick<V>(f32: V, _: V) -> V {
        f32
    }
}

impl DeviceScalar for f64 {
    fn pick<V>(_: V, f64: V) -> V {
        f64
    }
}
