//! All integration tests in one program: it links once.

mod common;
mod discrete;
mod edm;
mod inversion;
mod laws;
mod tb1;
