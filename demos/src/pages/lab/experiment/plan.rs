use crate::pages::lab::transport::Transport;

/// So many calls a set, so many sets for each transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pages::lab) struct Plan {
    pub(in crate::pages::lab) calls: usize,
    pub(in crate::pages::lab) sets: usize,
    pub(in crate::pages::lab) transports: Vec<Transport>,
}

impl Plan {
    pub(in crate::pages::lab) const CALLS: [usize; 4] = [10, 30, 100, 1000];
    pub(in crate::pages::lab) const SETS: [usize; 5] = [10, 20, 30, 50, 100];

    pub(in crate::pages::lab) fn total(&self) -> usize {
        self.calls * self.sets * self.transports.len()
    }

    /// The transports in the order of a set. Each set begins with another one, so that none is always the one that runs when the
    /// machine is quiet, or behind the one that heats it.
    pub(in crate::pages::lab) fn order(&self, set: usize) -> Vec<Transport> {
        let mut order = self.transports.clone();
        if !order.is_empty() {
            let first = set % order.len();
            order.rotate_left(first);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_at_each_place_equally_often() {
        let plan = Plan { calls: 1, sets: 10, transports: Transport::ALL.to_vec() };
        for place in 0..5 {
            let mut there: Vec<_> = (0..plan.sets).map(|set| plan.order(set)[place]).collect();
            there.sort();
            there.dedup();
            assert_eq!(there.len(), 5, "place {place}");
        }
        assert_eq!(plan.total(), 50);
    }
}
