//! What JavaScript calls.
//!
//! A core is known by its number. Every function takes and returns plain numbers, so that JavaScript calls it as it is: bindings
//! would check, wrap and count references on the path of each message, to guard against what cannot happen here.

#![allow(
    unsafe_code,
    reason = "to export a name is unsafe, since another function of that name would be replaced by it"
)]

use alloc::{boxed::Box, vec::Vec};

use spin::Mutex;

use crate::{Core, Knobs};

/// Never contended: a module has a single thread, and nothing here calls out.
static MODULE: Mutex<Module> = Mutex::new(Module { knobs: None, cores: Vec::new() });

struct Module {
    /// Of the core that is made next.
    knobs: Option<Knobs>,
    cores: Vec<Option<Box<Core>>>,
}

/// Turns a knob of the core that is made next.
#[unsafe(no_mangle)]
extern "C" fn turn(knob: u32, value: f64) {
    if let Some(mut module) = MODULE.try_lock() {
        module.knobs.get_or_insert_default().turn(knob, value);
    }
}

/// Makes a core with the knobs that were turned since the last one was made. Returns its number.
#[unsafe(no_mangle)]
extern "C" fn create(seed: f64) -> usize {
    let Some(mut module) = MODULE.try_lock() else { return usize::MAX };
    let core = Some(Box::new(Core::new(module.knobs.take().unwrap_or_default(), seed)));
    let free = module.cores.iter().position(Option::is_none);
    if let Some(place) = free.and_then(|number| module.cores.get_mut(number)) {
        *place = core;
    } else {
        module.cores.push(core);
    }
    free.unwrap_or(module.cores.len() - 1)
}

/// Gives a core's memory back; its number may be given to another.
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
extern "C" fn handle(core: usize, now: f64, input: u32, a: f64, b: f64, c: f64) -> u32 {
    ask(core, |core| core.handle(now, input, a, b, c))
}

/// [`Core::send`].
#[unsafe(no_mangle)]
extern "C" fn send(core: usize, now: f64, size: u32, ahead: bool, key: u32, time_to_live: f64, latest: u32) -> u32 {
    ask(core, |core| core.send(now, size, ahead, key, time_to_live, latest))
}

/// [`Core::poll`].
#[unsafe(no_mangle)]
extern "C" fn poll(core: usize) -> u32 {
    ask(core, Core::poll)
}

/// [`Core::operand`].
#[unsafe(no_mangle)]
extern "C" fn operand(core: usize, index: usize) -> f64 {
    ask(core, |core| core.operand(index))
}

/// [`Core::stat`].
#[unsafe(no_mangle)]
extern "C" fn stat(core: usize, stat: u32) -> f64 {
    ask(core, |core| core.stat(stat))
}

/// What a core answers; zero where there is none of that number.
fn ask<T: Default>(core: usize, question: impl FnOnce(&mut Core) -> T) -> T {
    let answer = MODULE.try_lock().and_then(|mut module| module.cores.get_mut(core)?.as_deref_mut().map(question));
    answer.unwrap_or_default()
}
