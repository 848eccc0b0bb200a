//! Named arrays in `safetensors` files.
//!
//! A file is written beside its place and then renamed, so that a crash leaves the old one whole; it is read and
//! checked completely before anything is changed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;

use ansatz_core::Scalar;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::{NetworkError, Parameters};

/// Named arrays, and notes about them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Archive<T> {
    /// Name, shape and elements.
    pub tensors: Vec<(String, Vec<usize>, Vec<T>)>,
    /// The file's metadata.
    pub notes: BTreeMap<String, String>,
}

impl<T: Scalar> Archive<T> {
    /// The arrays as the bytes of a file, in the type `T`.
    ///
    /// # Errors
    /// What cannot be written: an array whose elements are not as many as its shape says, or two of one name.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let single = size_of::<T>() == 4;
        let bytes = |values: &[T]| -> Vec<u8> {
            let each = values.iter();
            if single {
                each.flat_map(|v| (v.f64() as f32).to_le_bytes()).collect()
            } else {
                each.flat_map(|v| v.f64().to_le_bytes()).collect()
            }
        };
        let data: Vec<Vec<u8>> = self.tensors.iter().map(|(_, _, v)| bytes(v)).collect();
        let dtype = if single { Dtype::F32 } else { Dtype::F64 };
        let mut views = BTreeMap::new();
        for ((name, shape, _), data) in self.tensors.iter().zip(&data) {
            let view = TensorView::new(dtype, shape.clone(), data)
                .map_err(|problem| format!("{name}: {problem}"))?;
            if views.insert(name, view).is_some() {
                return Err(format!("there are two arrays {name}"));
            }
        }
        let notes: HashMap<String, String> = self.notes.clone().into_iter().collect();
        safetensors::serialize(views, (!notes.is_empty()).then_some(notes))
            .map_err(|problem| problem.to_string())
    }

    /// The arrays of a file of `F32` or `F64` elements, rounded to `T`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            let data = view.data();
            let values: Vec<T> = match view.dtype() {
                Dtype::F32 => data
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| T::of(f32::from_le_bytes(*b).into()))
                    .collect(),
                Dtype::F64 => data
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| T::of(f64::from_le_bytes(*b)))
                    .collect(),
                other => {
                    return Err(format!(
                        "{name} has elements {other:?}, F32 or F64 are read"
                    ));
                }
            };
            tensors.push((name.to_owned(), view.shape().to_vec(), values));
        }
        let notes = header.metadata().clone().unwrap_or_default();
        Ok(Self {
            tensors,
            notes: notes.into_iter().collect(),
        })
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`NetworkError::File`], [`NetworkError::Format`] for what [`Archive::to_bytes`] refuses; a file that was there
    /// is unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), NetworkError> {
        let path = path.as_ref();
        let bytes = self.to_bytes().map_err(|problem| NetworkError::Format {
            path: path.to_owned(),
            problem,
        })?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let write = || {
            let mut file = fs::File::create(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&partial, path)
        };
        write().map_err(|source| {
            // What is left of a failed writing is of no use, and may not be there.
            let _ = fs::remove_file(&partial);
            NetworkError::File {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`NetworkError::File`], [`NetworkError::Format`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NetworkError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| NetworkError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|problem| NetworkError::Format {
            path: path.to_owned(),
            problem,
        })
    }
}

/// Whether an array of a checkpoint belongs to the training and not to the network.
pub(crate) fn of_training(name: &str) -> bool {
    name.starts_with("optimizer:") || name.starts_with("average:")
}

impl<T: Scalar> Parameters<T> {
    /// The parameters as named arrays, in the layout's order.
    #[must_use]
    pub fn to_archive(&self) -> Archive<T> {
        let tensors = self
            .iter()
            .map(|(e, v)| (e.name.clone(), e.shape.to_vec(), v.to_vec()));
        Archive {
            tensors: tensors.collect(),
            notes: BTreeMap::new(),
        }
    }

    /// Takes the values of an archive, which must hold these very parameters.
    ///
    /// # Errors
    /// [`NetworkError::Tensor`] for a parameter that is missing, of another shape, or unknown. Nothing is changed
    /// then.
    pub fn take(&mut self, archive: &Archive<T>) -> Result<(), NetworkError> {
        let shape = |s: &[usize]| format!("the shape {s:?}");
        let missing = || "nothing of this name".to_owned();
        for entry in self.layout().entries() {
            let found = archive
                .tensors
                .iter()
                .find(|(name, ..)| *name == entry.name);
            let got = found.map(|(_, s, _)| &s[..]);
            if got != Some(&entry.shape[..]) {
                return Err(NetworkError::Tensor {
                    name: entry.name.clone(),
                    expected: shape(&entry.shape),
                    got: got.map_or_else(missing, shape),
                });
            }
        }
        for (name, s, _) in &archive.tensors {
            if self.layout().get(name).is_none() {
                return Err(NetworkError::Tensor {
                    name: name.clone(),
                    expected: missing(),
                    got: shape(s),
                });
            }
        }
        for (name, _, values) in &archive.tensors {
            if let Some(place) = self.get_mut(name) {
                place.copy_from_slice(values);
            }
        }
        Ok(())
    }

    /// Writes a `safetensors` file, whole or not at all.
    ///
    /// # Errors
    /// [`NetworkError::File`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), NetworkError> {
        self.to_archive().save(path)
    }

    /// Reads a `safetensors` file that holds these very parameters, in `F32` or `F64`. What a checkpoint of
    /// [`Training::save`](crate::Training::save) holds beside them is left aside.
    ///
    /// # Errors
    /// [`NetworkError::File`], [`NetworkError::Format`], [`NetworkError::Tensor`]; the parameters are unchanged then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), NetworkError> {
        let mut archive = Archive::load(path)?;
        archive.tensors.retain(|(name, ..)| !of_training(name));
        self.take(&archive)
    }
}
