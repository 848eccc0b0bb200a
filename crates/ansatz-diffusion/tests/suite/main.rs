//! All integration tests in one program: it links once.

mod common;
mod deis;
mod discrete;
mod edm;
mod tb1;
