//! What JavaScript calls.
//!
//! A core is known by its number. Every function takes and returns plain numbers, so that JavaScript calls it as it is: bindings
//! would check, wrap and count references on the path of each message, to guard against what cannot happen here.

#![allow(unsafe_code, reason = "to export a name is unsafe, since another item of that name would be replaced by it")]

use alloc::{boxed::Box, vec::Vec};

use spin::Mutex;

#[cfg(feature = "client")]
use crate::Client as Core;
#[cfg(not(feature = "client"))]
use crate::Core;
use crate::Operands;

/// Never contended: a module has a single thread, and nothing here calls out.
static CORES: Mutex<Vec<Option<Box<Core>>>> = Mutex::new(Vec::new());

/// What JavaScript writes for an input and for a new core, and reads for an action.
#[unsafe(export_name = "operands")]
static OPERANDS: Operands = Operands::new();

/// Makes a core with the options that the operands say. Returns its number.
#[unsafe(no_mangle)]
extern "C" fn create(seed: f64) -> usize {
    let Some(mut cores) = CORES.try_lock() else { return usize::MAX };
    let core = Some(Box::new(Core::new(&OPERANDS, seed)));
    let free = cores.iter().position(Option::is_none);
    if let Some(place) = free.and_then(|number| cores.get_mut(number)) {
        *place = core;
    } else {
        cores.push(core);
    }
    free.unwrap_or(cores.len() - 1)
}

/// Frees a core's memory; its number may be given to another.
#[unsafe(no_mangle)]
extern "C" fn release(core: usize) {
    if let Some(mut cores) = CORES.try_lock()
        && let Some(place) = cores.get_mut(core)
    {
        *place = None;
    }
}

/// [`Core::handle`]. What JavaScript leaves out is not a number.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "JavaScript hands them over as they are")]
extern "C" fn handle(core: usize, now: f64, input: u32, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64) -> u32 {
    let arguments = [a, b, c, d, e, f];
    with(core, |core| core.handle(now, input, arguments, &OPERANDS))
}

/// [`Core::receive`].
#[unsafe(no_mangle)]
extern "C" fn receive(core: usize, at: f64, socket: u32, size: u32) -> u32 {
    with(core, |core| core.receive(at, socket, size))
}

/// [`Core::send_now`].
#[unsafe(no_mangle)]
extern "C" fn send_now(core: usize, size: u32, priority: bool) -> u32 {
    with(core, |core| core.send_now(size, priority))
}

/// [`Core::enqueue`].
#[unsafe(no_mangle)]
extern "C" fn enqueue(core: usize, now: f64, size: u32, time: f64, more: f64) -> f64 {
    with(core, |core| core.enqueue(now, size, time, more))
}

/// [`Core::poll`].
#[unsafe(no_mangle)]
extern "C" fn poll(core: usize) -> u32 {
    with(core, |core| core.poll(&OPERANDS))
}

/// [`Core::stats`].
#[unsafe(no_mangle)]
extern "C" fn stats(core: usize) {
    with(core, |core| core.stats(&OPERANDS));
}

/// What a core answers; zero where there is none of that number.
fn with<T: Default>(core: usize, call: impl FnOnce(&mut Core) -> T) -> T {
    let answer = CORES.try_lock().and_then(|mut cores| cores.get_mut(core)?.as_deref_mut().map(call));
    answer.unwrap_or_default()
}
