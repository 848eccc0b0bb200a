//! Parameters: a tree of names over one flat vector.
//!
//! A network is written against a [`Layout`], which gives each parameter a name, a shape, an
//! [`Init`] and a place in the flat vector. Optimisers, second-order methods and files see the vector; layers see
//! arrays.

use std::fmt::Display;
use std::ops::Range;

use ansatz_autodiff::Shape;
use ansatz_core::{Key, Scalar};

use crate::{Init, NetworkError};

/// Names, shapes and places of all parameters of a network.
///
/// ```
/// use ansatz_nn::{Init, Layout, Parameters};
/// use ansatz_core::Key;
/// let mut layout = Layout::new();
/// let mut scope = layout.root();
/// let weight = scope.scope("first").parameter("weight", &[64, 2], Init::FanIn);
/// let parameters = Parameters::<f32>::new(&layout, Key::new(0));
/// assert_eq!(parameters.get("first.weight").unwrap().len(), 128);
/// # let _ = weight;
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    entries: Vec<Entry>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Names from the root on, joined by dots.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its values at the start.
    pub init: Init,
    /// Whether training changes it; statistics of a normalisation and fixed frequencies are not trained.
    pub trained: bool,
    start: usize,
}

impl Entry {
    /// Its place in the flat vector.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.shape.len()
    }
}

/// A parameter of a [`Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parameter(pub(crate) usize);

impl Layout {
    /// A layout without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where layers at the top put their parameters.
    pub fn root(&mut self) -> Scope<'_> {
        Scope {
            layout: self,
            prefix: String::new(),
        }
    }

    /// All parameters, in the order of the flat vector.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Length of the flat vector.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.last().map_or(0, |e| e.range().end)
    }

    /// Whether there is no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A parameter of this layout.
    ///
    /// # Panics
    /// When the parameter is another layout's and this one has less.
    #[must_use]
    pub fn entry(&self, parameter: Parameter) -> &Entry {
        &self.entries[parameter.0]
    }

    /// The parameter of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }
}

/// A place in the tree of names.
#[derive(Debug)]
pub struct Scope<'a> {
    layout: &'a mut Layout,
    prefix: String,
}

impl Scope<'_> {
    /// A branch.
    pub fn scope(&mut self, name: impl Display) -> Scope<'_> {
        Scope {
            prefix: self.path(name),
            layout: self.layout,
        }
    }

    /// Adds a parameter.
    ///
    /// # Panics
    /// When the name is there already.
    #[track_caller]
    pub fn parameter(&mut self, name: impl Display, shape: &[usize], init: Init) -> Parameter {
        self.add(name, shape, init, true)
    }

    /// Adds numbers that travel with the weights and are not trained.
    ///
    /// # Panics
    /// When the name is there already.
    #[track_caller]
    pub fn buffer(&mut self, name: impl Display, shape: &[usize], init: Init) -> Parameter {
        self.add(name, shape, init, false)
    }

    #[track_caller]
    fn add(&mut self, name: impl Display, shape: &[usize], init: Init, trained: bool) -> Parameter {
        let name = self.path(name);
        assert!(
            self.layout.get(&name).is_none(),
            "there are two parameters {name}"
        );
        let start = self.layout.len();
        self.layout.entries.push(Entry {
            name,
            shape: Shape::new(shape),
            init,
            trained,
            start,
        });
        Parameter(self.layout.entries.len() - 1)
    }

    fn path(&self, name: impl Display) -> String {
        if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }
}

/// The values of all parameters, in one vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters<T> {
    layout: Layout,
    values: Vec<T>,
}

impl<T: Scalar> Parameters<T> {
    /// Values at the start; each parameter draws from a key of its own, made from its name, so that a
    /// layer more or less changes no other one.
    #[must_use]
    pub fn new(layout: &Layout, key: Key) -> Self {
        let mut values = vec![T::zero(); layout.len()];
        for entry in layout.entries() {
            let name = entry.name.bytes();
            let key = name.fold(key, |key, byte| key.fold_in(byte.into()));
            let out = &mut values[entry.range()];
            entry.init.fill(key, &entry.shape, out);
            if let Init::Divided(_, by) = entry.init {
                let (before, own) = values.split_at_mut(entry.start);
                let by = &before[layout.entry(by).range()];
                let row = entry.shape.len() / by.len().max(1);
                for (row, s) in own[..entry.shape.len()].chunks_mut(row.max(1)).zip(by) {
                    for v in row {
                        *v = T::of(v.f64() / s.f64());
                    }
                }
            }
        }
        Self {
            layout: layout.clone(),
            values,
        }
    }

    /// Their names and shapes.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// All values, to change.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Names and shapes, and all values to change.
    pub(crate) fn parts_mut(&mut self) -> (&Layout, &mut [T]) {
        (&self.layout, &mut self.values)
    }

    /// The values of one parameter, row by row.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[T]> {
        let entry = self.layout.get(name)?;
        Some(&self.values[entry.range()])
    }

    /// The values of one parameter, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut [T]> {
        let range = self.layout.get(name)?.range();
        Some(&mut self.values[range])
    }

    /// Takes the values of a network whose parameters have the same shapes in the same order, whatever their names.
    ///
    /// # Errors
    /// [`NetworkError::Size`] for another number of parameters, [`NetworkError::Tensor`] for one of another shape; nothing
    /// is changed then.
    pub fn copy_in_order(&mut self, from: &Self) -> Result<(), NetworkError> {
        let (ours, theirs) = (self.layout.entries(), from.layout.entries());
        if ours.len() != theirs.len() {
            return Err(NetworkError::Size {
                what: "parameters",
                expected: ours.len(),
                got: theirs.len(),
            });
        }
        for (a, b) in ours.iter().zip(theirs) {
            if a.shape != b.shape {
                return Err(NetworkError::Tensor {
                    name: a.name.clone(),
                    expected: a.shape.to_string(),
                    got: format!("{} {}", b.name, b.shape),
                });
            }
        }
        self.values.copy_from_slice(&from.values);
        Ok(())
    }

    /// Each parameter with its values.
    pub fn iter(&self) -> impl Iterator<Item = (&Entry, &[T])> {
        let entries = self.layout.entries.iter();
        entries.map(|e| (e, &self.values[e.range()]))
    }
}
