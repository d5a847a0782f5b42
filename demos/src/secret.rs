use web_sys::window;

/// 128 random bits as hexadecimal digits, for what only this browser may know.
pub(crate) fn random() -> String {
    let mut bytes = [0_u8; 16];
    let is_random = window()
        .and_then(|window| window.crypto().ok())
        .is_some_and(|crypto| crypto.get_random_values_with_u8_array(&mut bytes).is_ok());
    // Every browser that runs WebAssembly has random values; without them the secret would still be good for this page.
    if !is_random {
        bytes.fill_with(|| (js_sys::Math::random() * 256.0) as u8);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
