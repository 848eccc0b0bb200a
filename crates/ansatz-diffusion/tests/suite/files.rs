//! The readers of the examples: what they read, and that a file cut short is an error wherever it ends.

#[path = "../../examples/state_from_npy.rs"]
#[expect(dead_code, reason = "a program, of which the reader is tested")]
mod npy;
#[path = "../../examples/state_from_safetensors.rs"]
#[expect(dead_code, reason = "a program, of which the reader is tested")]
mod tensors;

/// As numpy 2 writes them: version 1.0, header padded to 64 bytes.
fn npy_file(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{header:117}\n").into_bytes());
    file.extend(data);
    file
}

#[test]
fn npy() {
    let x = [1.5_f32, -2.0, 0.25, 3.0, 0.0, -1.0];
    let data: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    let file = npy_file("<f4", "(2, 3)", &data);
    assert_eq!(npy::parse(&file).unwrap(), (vec![2, 3], x.to_vec()));
    for end in 0..file.len() {
        assert!(npy::parse(&file[..end]).is_err(), "cut at {end}");
    }
    let wide: Vec<u8> = x.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let flat = npy::parse(&npy_file("<f8", "(6,)", &wide)).unwrap();
    assert_eq!(flat, (vec![6], x.to_vec()));
    assert!(npy::parse(&npy_file("<i4", "(6,)", &data)).is_err());
}

#[test]
fn safetensors() {
    use safetensors::{Dtype, tensor::TensorView};
    let x = [1.5_f32, -2.0, 0.25, 3.0];
    let data: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![2, 2], &data).unwrap();
    let file = safetensors::serialize([("latents", view)], None).unwrap();
    let read = tensors::parse(&file, "latents").unwrap();
    assert_eq!(read, (vec![2, 2], x.to_vec()));
    assert!(tensors::parse(&file, "other").is_err());
    for end in 0..file.len() {
        assert!(
            tensors::parse(&file[..end], "latents").is_err(),
            "cut at {end}"
        );
    }
}
