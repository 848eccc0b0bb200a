//! Reads bytes as cross-sections: what comes back must be sound, and the same after writing.
#![no_main]

use ansatz_mesh::io::csl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(sections) = csl::read(bytes) {
        let mut out = Vec::new();
        csl::write(&sections, &mut out).expect("memory takes everything");
        assert_eq!(csl::read(&out).expect("our own file"), sections);
    }
});
