//! What the visitor chose, kept by the browser between visits. Where storage is closed to the page nothing is kept, and
//! the defaults hold.

use web_sys::{Storage, window};

/// What was kept under a key.
pub(crate) fn read(key: &str) -> Option<String> {
    storage()?.get_item(&full(key)).ok()?
}

/// Keeps a value, or forgets it.
pub(crate) fn write(key: &str, value: Option<&str>) {
    let Some(storage) = storage() else { return };
    // A full storage refuses; the choice then lasts as long as the page.
    let _ = match value {
        Some(value) => storage.set_item(&full(key), value),
        None => storage.remove_item(&full(key)),
    };
}

fn storage() -> Option<Storage> {
    window()?.local_storage().ok()?
}

fn full(key: &str) -> String {
    format!("everwire.{key}")
}
