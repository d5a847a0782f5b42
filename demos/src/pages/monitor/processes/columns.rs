use std::cmp::Ordering;

use everwire_companion_api::monitor::Process;

/// A column that processes can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Pid,
    Name,
    User,
    State,
    Cpu,
    Memory,
    Time,
}

impl Column {
    pub(super) const ALL: [Self; 7] =
        [Self::Pid, Self::Name, Self::User, Self::State, Self::Cpu, Self::Memory, Self::Time];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pid => "PID",
            Self::Name => "Name",
            Self::User => "User",
            Self::State => "State",
            Self::Cpu => "CPU %",
            Self::Memory => "Memory",
            Self::Time => "Time",
        }
    }

    /// What its cells are called in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Pid => "pid-cell",
            Self::Name => "name-cell",
            Self::User => "user-cell",
            Self::State => "state-cell",
            Self::Cpu => "cpu-cell",
            Self::Memory => "memory-cell",
            Self::Time => "time-cell",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Whether it is read from its least: words and numbers that name, unlike numbers that measure.
    fn begins_with_the_least(self) -> bool {
        matches!(self, Self::Pid | Self::Name | Self::User | Self::State)
    }

    fn compare(self, one: &Process, other: &Process) -> Ordering {
        match self {
            Self::Pid => one.pid.cmp(&other.pid),
            Self::Name => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
            Self::User => one.user.cmp(&other.user),
            Self::State => one.state.cmp(&other.state),
            Self::Cpu => one.cpu.total_cmp(&other.cpu),
            Self::Memory => one.memory.cmp(&other.memory),
            Self::Time => one.time.cmp(&other.time),
        }
    }
}

/// By what the processes are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sorting {
    column: Column,
    is_reversed: bool,
}

impl Default for Sorting {
    /// As `top` does.
    fn default() -> Self {
        Self::by(Column::Cpu)
    }
}

impl Sorting {
    /// By a column, from its usual end.
    pub(super) fn by(column: Column) -> Self {
        Self { column, is_reversed: false }
    }

    /// What a press on the head of a column leads to: that column, or its other end.
    pub(super) fn pressed(self, column: Column) -> Self {
        Self { column, is_reversed: self.column == column && !self.is_reversed }
    }

    pub(super) fn column(self) -> Column {
        self.column
    }

    /// The value of `aria-sort` of a column's head.
    pub(super) fn aria(self, column: Column) -> &'static str {
        match column {
            column if column != self.column => "none",
            column if column.begins_with_the_least() != self.is_reversed => "ascending",
            _ => "descending",
        }
    }

    pub(super) fn sort(self, processes: &mut [Process]) {
        let is_ascending = self.aria(self.column) == "ascending";
        processes.sort_by(|one, other| {
            let order = self.column.compare(one, other);
            // Equals keep an order of their own, or they would change places each second.
            let order = if is_ascending { order } else { order.reverse() };
            order.then_with(|| one.pid.cmp(&other.pid))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, cpu: f64) -> Process {
        let (name, state) = (name.to_owned(), "sleeping".to_owned());
        Process { pid, name, cpu, memory: 0, state, user: None, time: 0 }
    }

    fn sorted(sorting: Sorting) -> Vec<u32> {
        let mut processes = vec![process(3, "b", 0.0), process(1, "A", 9.5), process(2, "c", 0.0)];
        sorting.sort(&mut processes);
        processes.iter().map(|process| process.pid).collect()
    }

    #[test]
    fn the_busiest_come_first_and_equals_keep_their_places() {
        assert_eq!(sorted(Sorting::default()), [1, 2, 3]);
        assert_eq!(sorted(Sorting::default().pressed(Column::Cpu)), [2, 3, 1]);
    }

    #[test]
    fn a_second_press_turns_the_order_and_another_column_begins_at_its_usual_end() {
        let by_name = Sorting::default().pressed(Column::Name);
        assert_eq!((sorted(by_name), by_name.aria(Column::Name)), (vec![1, 3, 2], "ascending"));
        let turned = by_name.pressed(Column::Name);
        assert_eq!((sorted(turned), turned.aria(Column::Name)), (vec![2, 3, 1], "descending"));
        assert_eq!(turned.pressed(Column::Name), by_name);
        assert_eq!(turned.pressed(Column::Cpu), Sorting::default());
        assert_eq!(turned.aria(Column::Cpu), "none");
    }

    #[test]
    fn every_column_is_found_by_its_name() {
        assert!(Column::ALL.into_iter().all(|column| Column::from_name(column.name()) == Some(column)));
    }
}
