//! Array programs.
#![forbid(unsafe_code)]
