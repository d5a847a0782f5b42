use alloc::vec::Vec;

/// The actions that a driver has to take. All of them are taken after each input, so that a vector needs no more than a place to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Actions<T> {
    all: Vec<Option<T>>,
    taken: usize,
}

impl<T> Actions<T> {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new(), taken: 0 }
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, action: T) {
        self.all.push(Some(action));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let action = self.all.get_mut(self.taken).and_then(Option::take);
        self.taken += 1;
        if self.taken >= self.all.len() {
            self.all.clear();
            self.taken = 0;
        }
        action
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_taken_in_their_order_also_when_others_come_meanwhile() {
        let mut actions = Actions::new();
        actions.push(1);
        actions.push(2);
        assert_eq!(actions.pop(), Some(1));
        actions.push(3);
        assert!(!actions.is_empty());
        assert_eq!([actions.pop(), actions.pop(), actions.pop()], [Some(2), Some(3), None]);
        assert!(actions.is_empty());
        actions.push(4);
        assert_eq!(actions.pop(), Some(4));
    }
}
