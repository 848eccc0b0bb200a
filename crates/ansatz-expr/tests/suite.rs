//! Integration tests, one binary.

mod suite {
    mod canonical;
    mod code;
    mod errors;
    mod jacobian;
    mod networks;
    mod pde;
    mod random;
    mod rules;
}
