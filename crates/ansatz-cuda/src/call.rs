//! A kernel launch as data.
//!
//! Launchers have two halves. `plan` turns shapes and views of memory into a [`Call`]: which kernel, how many threads, which
//! arguments; it touches no device and checks everything. The other half sends the call. What is planned can so be run
//! elsewhere: the tests run the very same calls on the processor.

use std::marker::PhantomData;

use crate::{Element, Family};

/// Words that the arguments of a call take at most, and how many arguments there are at most.
const WORDS: usize = 64;
const ARGUMENTS: usize = 24;

/// Pointers and numbers in a [`Call::table`].
pub(crate) const TABLE: usize = 16;

/// Where elements are that a kernel reads: those of a [`Buffer`](crate::Buffer), or a stand-in. An address alone: it can be
/// read by nobody but a kernel.
#[derive(Debug)]
pub struct View<'a, T> {
    address: u64,
    len: usize,
    stands_in: bool,
    life: PhantomData<&'a [T]>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

/// Where elements are that a kernel writes: those of a [`Buffer`](crate::Buffer), or a stand-in.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    address: u64,
    len: usize,
    stands_in: bool,
    life: PhantomData<&'a mut [T]>,
}

impl<T> View<'_, T> {
    /// The `len` elements from `address` on, which must be a buffer's.
    pub(crate) fn new(address: u64, len: usize) -> Self {
        Self {
            address,
            len,
            stands_in: false,
            life: PhantomData,
        }
    }

    /// `len` elements in no device's memory, for plans that run elsewhere: a device refuses a call with one
    /// ([`CudaError::StandIn`](crate::CudaError::StandIn)). The address says what the reader of the plan likes.
    #[must_use]
    pub fn stand_in(address: u64, len: usize) -> Self {
        Self {
            stands_in: true,
            ..Self::new(address, len)
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// `true` when there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address, for libraries.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Whether 16 bytes can be read at once.
    pub(crate) fn is_wide(&self) -> bool {
        self.address.is_multiple_of(16)
    }
}

impl<T> ViewMut<'_, T> {
    /// The `len` elements from `address` on, which must be a buffer's.
    pub(crate) fn new(address: u64, len: usize) -> Self {
        Self {
            address,
            len,
            stands_in: false,
            life: PhantomData,
        }
    }

    /// `len` elements in no device's memory, for plans that run elsewhere: a device refuses a call with one
    /// ([`CudaError::StandIn`](crate::CudaError::StandIn)). The address says what the reader of the plan likes.
    #[must_use]
    pub fn stand_in(address: u64, len: usize) -> Self {
        Self {
            stands_in: true,
            ..Self::new(address, len)
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// `true` when there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address, for libraries.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// The same elements, for reading.
    #[must_use]
    pub fn view(&self) -> View<'_, T> {
        View {
            stands_in: self.stands_in,
            ..View::new(self.address, self.len)
        }
    }
}

/// What a kernel's parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The address of elements that are read, by the name of their type.
    Read(&'static str),
    /// The address of elements that are written, by the name of their type.
    Write(&'static str),
    /// An address that is 0.
    Null,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `f64`
    F64,
    /// 16 addresses of elements that are read, by the name of their type, then 16 numbers.
    Table(&'static str),
}

impl Kind {
    /// Words of eight bytes that it takes.
    #[must_use]
    pub fn words(self) -> usize {
        match self {
            Self::Table(_) => 2 * TABLE,
            _ => 1,
        }
    }
}

/// One launch: a kernel, its threads and its arguments.
#[derive(Debug, Clone)]
pub struct Call {
    family: Family,
    entry: &'static str,
    grid: [u32; 3],
    block: u32,
    words: [u64; WORDS],
    used: usize,
    kinds: [Kind; ARGUMENTS],
    count: usize,
    stands_in: bool,
}

impl Call {
    pub(crate) fn new(family: Family, entry: &'static str, grid: [u32; 3], block: u32) -> Self {
        Self {
            family,
            entry,
            grid,
            block,
            words: [0; WORDS],
            used: 0,
            kinds: [Kind::U32; ARGUMENTS],
            count: 0,
            stands_in: false,
        }
    }

    fn push(mut self, kind: Kind, words: &[u64]) -> Self {
        self.words[self.used..self.used + words.len()].copy_from_slice(words);
        self.used += words.len();
        self.kinds[self.count] = kind;
        self.count += 1;
        self
    }

    pub(crate) fn read<T: Element>(mut self, view: View<'_, T>) -> Self {
        self.stands_in |= view.stands_in;
        self.push(Kind::Read(T::KIND), &[view.address])
    }

    pub(crate) fn write<T: Element>(mut self, view: &ViewMut<'_, T>) -> Self {
        self.stands_in |= view.stands_in;
        self.push(Kind::Write(T::KIND), &[view.address])
    }

    /// A pointer that the kernel finds to be null.
    pub(crate) fn nothing(self) -> Self {
        self.push(Kind::Null, &[0])
    }

    pub(crate) fn u32(self, value: usize) -> Self {
        self.push(Kind::U32, &[value as u64])
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        self.push(Kind::U64, &[value])
    }

    pub(crate) fn len(self, value: usize) -> Self {
        self.u64(value as u64)
    }

    pub(crate) fn f64(self, value: f64) -> Self {
        self.push(Kind::F64, &[value.to_bits()])
    }

    pub(crate) fn table<'a, T: Element>(
        mut self,
        terms: impl Iterator<Item = (f64, View<'a, T>)>,
    ) -> Self {
        let mut words = [0; 2 * TABLE];
        for (k, (c, x)) in terms.enumerate() {
            self.stands_in |= x.stands_in;
            words[k] = x.address;
            words[TABLE + k] = c.to_bits();
        }
        self.push(Kind::Table(T::KIND), &words)
    }

    /// The family that the kernel belongs to.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The kernel's name.
    #[must_use]
    pub fn entry(&self) -> &'static str {
        self.entry
    }

    /// Blocks along x, y and z.
    #[must_use]
    pub fn grid(&self) -> [u32; 3] {
        self.grid
    }

    /// Threads in a block.
    #[must_use]
    pub fn block(&self) -> u32 {
        self.block
    }

    /// Whether an address stands for memory that no device has.
    pub(crate) fn stands_in(&self) -> bool {
        self.stands_in
    }

    /// Parameters in order with their words: numbers as bits, addresses as they are.
    pub fn arguments(&self) -> impl Iterator<Item = (Kind, &[u64])> {
        let mut at = 0;
        self.kinds[..self.count].iter().map(move |kind| {
            let from = at;
            at += kind.words();
            (*kind, &self.words[from..at])
        })
    }
}

/// Blocks of `size` threads that have a thread for each of `n` things; at least one.
pub(crate) fn blocks(n: u64, size: u32) -> Option<u32> {
    u32::try_from(n.div_ceil(u64::from(size)).max(1))
        .ok()
        .filter(|b| i32::try_from(*b).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_back_in_order() {
        let x = View::<f32>::new(256, 3);
        let call = Call::new(Family::Lincomb, "lincomb_0_f32", [1, 2, 3], 64)
            .u32(7)
            .read(x)
            .table([(0.5, x), (2.0, x)].into_iter())
            .f64(-1.0);
        let arguments: Vec<_> = call.arguments().collect();
        assert_eq!(arguments[0], (Kind::U32, &[7][..]));
        assert_eq!(arguments[1], (Kind::Read("f32"), &[256][..]));
        assert_eq!(arguments[2].1[..3], [256, 256, 0]);
        assert_eq!(arguments[2].1[17], 2.0_f64.to_bits());
        assert_eq!(arguments[3], (Kind::F64, &[(-1.0_f64).to_bits()][..]));
        assert!(!call.stands_in());
    }

    /// However it gets into a call, a stand-in is remembered.
    #[test]
    fn stand_ins_mark_their_call() {
        let call = || Call::new(Family::Lincomb, "lincomb_0_f32", [1; 3], 64);
        let (x, y) = (
            View::<f32>::stand_in(256, 3),
            ViewMut::<f32>::stand_in(256, 3),
        );
        assert!(call().read(x).stands_in() && call().write(&y).stands_in());
        assert!(call().read(y.view()).stands_in());
        assert!(call().table([(1.0, x)].into_iter()).u32(1).stands_in());
    }
}
