#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod emit;
pub mod record;
pub mod suites;
pub mod timing;
