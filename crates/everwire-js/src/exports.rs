//! What JavaScript calls.
//!
//! A core is known by its number. Every function takes and returns plain numbers, so that JavaScript calls it as it is: bindings
//! would check, wrap and count references on the path of each message, to guard against what cannot happen here.

#![allow(unsafe_code, reason = "to export a name is unsafe, since another item of that name would be replaced by it")]

use alloc::{boxed::Box, vec::Vec};

use spin::Mutex;

use crate::{Core, Operands, Options};

/// Never contended: a module has a single thread, and nothing here calls out.
static MODULE: Mutex<Module> = Mutex::new(Module { options: None, cores: Vec::new() });

/// The operands of an input, which JavaScript writes, and of an action, which it reads.
#[unsafe(export_name = "operands")]
static OPERANDS: Operands = Operands::new();

struct Module {
    /// Of the core that is made next.
    options: Option<Options>,
    cores: Vec<Option<Box<Core>>>,
}

/// Sets an option of the core that is made next.
#[unsafe(no_mangle)]
extern "C" fn set_option(option: u32, value: f64) {
    if let Some(mut module) = MODULE.try_lock() {
        module.options.get_or_insert_default().set(option, value);
    }
}

/// Makes a core with the options that were set since the last one was made. Returns its number.
#[unsafe(no_mangle)]
extern "C" fn create(seed: f64) -> usize {
    let Some(mut module) = MODULE.try_lock() else { return usize::MAX };
    let core = Some(Box::new(Core::new(module.options.take().unwrap_or_default(), seed)));
    let free = module.cores.iter().position(Option::is_none);
    if let Some(place) = free.and_then(|number| module.cores.get_mut(number)) {
        *place = core;
    } else {
        module.cores.push(core);
    }
    free.unwrap_or(module.cores.len() - 1)
}

/// Frees a core's memory; its number may be given to another.
#[unsafe(no_mangle)]
extern "C" fn release(core: usize) {
    if let Some(mut module) = MODULE.try_lock()
        && let Some(place) = module.cores.get_mut(core)
    {
        *place = None;
    }
}

/// [`Core::handle`].
#[unsafe(no_mangle)]
extern "C" fn handle(core: usize, now: f64, input: u32) -> u32 {
    with(core, |core| core.handle(now, input, &OPERANDS))
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
extern "C" fn enqueue(core: usize, now: f64, size: u32, time_to_live: f64, replaces: f64) -> f64 {
    with(core, |core| core.enqueue(now, size, time_to_live, replaces))
}

/// [`Core::poll`].
#[unsafe(no_mangle)]
extern "C" fn poll(core: usize) -> u32 {
    with(core, |core| core.poll(&OPERANDS))
}

/// [`Core::is_ready`].
#[unsafe(no_mangle)]
extern "C" fn is_ready(core: usize) -> bool {
    with(core, |core| core.is_ready())
}

/// [`Core::stats`].
#[unsafe(no_mangle)]
extern "C" fn stats(core: usize) {
    with(core, |core| core.stats(&OPERANDS));
}

/// What a core answers; zero where there is none of that number.
fn with<T: Default>(core: usize, call: impl FnOnce(&mut Core) -> T) -> T {
    let answer = MODULE.try_lock().and_then(|mut module| module.cores.get_mut(core)?.as_deref_mut().map(call));
    answer.unwrap_or_default()
}
