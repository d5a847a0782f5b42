use std::collections::VecDeque;

/// Values by ids that ascend, searched by halving: tree maps took six kilobytes of a browser's download.
#[derive(Debug)]
pub(super) struct Table<I, V>(VecDeque<(I, V)>);

impl<I: Ord + Copy, V> Table<I, V> {
    /// Appends a value, whose id is greater than every other.
    pub(super) fn push(&mut self, id: I, value: V) {
        self.0.push_back((id, value));
    }

    pub(super) fn get(&self, id: I) -> Option<&V> {
        let place = self.place(id)?;
        self.0.get(place).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, id: I) -> Option<&mut V> {
        let place = self.place(id)?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, id: I) -> Option<V> {
        let place = self.place(id)?;
        self.0.remove(place).map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    fn place(&self, id: I) -> Option<usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}

impl<I, V> Default for Table<I, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}
