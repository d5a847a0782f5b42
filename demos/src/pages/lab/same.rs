use std::ops::Deref;
use std::rc::Rc;

/// A thing as a property: it is the same as long as it is the one thing, whatever has changed within. Who shows it draws itself
/// again when there is something new to see.
#[derive(Debug, Default)]
pub(super) struct Same<T>(Rc<T>);

impl<T> Same<T> {
    pub(super) fn new(thing: T) -> Self {
        Self(Rc::new(thing))
    }
}

impl<T> Deref for Same<T> {
    type Target = Rc<T>;

    fn deref(&self) -> &Rc<T> {
        &self.0
    }
}

impl<T> Clone for Same<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
