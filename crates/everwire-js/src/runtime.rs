//! What a program without the standard library has to bring: without it, panics carry no formatting machinery.

use core::panic::PanicInfo;

use rlsf::SmallGlobalTlsf;

/// Two-level segregated fit: a few hundred instructions that find and give back a block in constant time and join what is free, so
/// that the memory of a page that reconnects for days stays as small as it was.
#[global_allocator]
static ALLOCATOR: SmallGlobalTlsf = SmallGlobalTlsf::new();

/// A trap, which JavaScript catches and reports.
#[panic_handler]
fn trap(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
