//! The SHA-256 of a file that is given in parts. A browser's own digest takes only a whole file in
//! memory.

use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::wasm_bindgen;

/// A digest under way.
#[wasm_bindgen]
pub struct Sha256Digest(Sha256);

/// Begins a digest.
#[wasm_bindgen(js_name = beginSha256)]
pub fn begin_sha256() -> Sha256Digest {
    Sha256Digest(Sha256::new())
}

#[wasm_bindgen]
impl Sha256Digest {
    /// Adds the next bytes of the file.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest in hexadecimal.
    pub fn end(&mut self) -> String {
        let digest = self.0.finalize_reset();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
