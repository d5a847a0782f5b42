//! Pointers and bounds for values that are shared: native programs have threads, and everything in a browser lives on one.

use core::{future::Future, pin::Pin};
#[cfg(target_family = "wasm")]
pub(crate) use std::rc::Rc as Pointer;
#[cfg(not(target_family = "wasm"))]
pub(crate) use std::sync::Arc as Pointer;

/// `Send` in native programs; no requirement in a browser, which has one thread.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T> MaybeSend for T {}

/// `Send` and `Sync` in native programs; no requirement in a browser, which has one thread.
#[cfg(target_family = "wasm")]
pub trait MaybeSendSync {}
#[cfg(target_family = "wasm")]
impl<T> MaybeSendSync for T {}

/// `Send` in native programs; no requirement in a browser, which has one thread.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send> MaybeSend for T {}

/// `Send` and `Sync` in native programs; no requirement in a browser, which has one thread.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSendSync: Send + Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync> MaybeSendSync for T {}

/// A trait object with the bound [`MaybeSend`]. Only auto traits can be added to one, so that a macro has to choose them.
#[cfg(target_family = "wasm")]
macro_rules! send_dyn {
    ($($bounds:tt)+) => { dyn $($bounds)+ };
}
#[cfg(not(target_family = "wasm"))]
macro_rules! send_dyn {
    ($($bounds:tt)+) => { dyn $($bounds)+ + Send };
}

/// A trait object with the bound [`MaybeSendSync`].
#[cfg(target_family = "wasm")]
macro_rules! shared_dyn {
    ($($bounds:tt)+) => { dyn $($bounds)+ };
}
#[cfg(not(target_family = "wasm"))]
macro_rules! shared_dyn {
    ($($bounds:tt)+) => { dyn $($bounds)+ + Send + Sync };
}

pub(crate) use {send_dyn, shared_dyn};

/// A boxed future with the bound [`MaybeSend`].
pub(crate) type BoxFuture<T> = Pin<Box<send_dyn!(Future<Output = T>)>>;
