//! What a program without the standard library has to bring: without it, panics carry no formatting machinery.

use core::panic::PanicInfo;

use lol_alloc::{FreeListAllocator, LockedAllocator};

/// A list of free blocks, which are joined where they touch, so that the memory of a page that reconnects for days stays as small as it
/// was. There are never more than a few dozen blocks: a core has half a dozen vectors, whatever waits in them.
#[global_allocator]
static ALLOCATOR: LockedAllocator<FreeListAllocator> = LockedAllocator::new(FreeListAllocator::new());

/// A trap, which JavaScript catches and reports.
#[panic_handler]
fn trap(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
