use std::cmp::Ordering;

use super::quote::Quote;

/// A column that rows can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Company,
    Symbol,
    Price,
    Change,
    Open,
    Low,
    High,
}

impl Column {
    pub(super) const ALL: [Self; 7] =
        [Self::Company, Self::Symbol, Self::Price, Self::Change, Self::Open, Self::Low, Self::High];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Company => "Company",
            Self::Symbol => "Symbol",
            Self::Price => "Price",
            Self::Change => "Change",
            Self::Open => "Open",
            Self::Low => "Low",
            Self::High => "High",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Words are sorted from A, and numbers from the greatest: those are the ends that people look for.
    fn first_direction(self) -> Direction {
        match self {
            Self::Company | Self::Symbol => Direction::Ascending,
            _ => Direction::Descending,
        }
    }

    fn compare(self, one: &Quote, other: &Quote) -> Ordering {
        match self {
            Self::Company => one.company.cmp(&other.company),
            Self::Symbol => one.symbol.cmp(&other.symbol),
            Self::Price => one.price.total_cmp(&other.price),
            // In percent, as investors compare.
            Self::Change => one.change_in_percent().total_cmp(&other.change_in_percent()),
            Self::Open => one.open.total_cmp(&other.open),
            Self::Low => one.low.total_cmp(&other.low),
            Self::High => one.high.total_cmp(&other.high),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// By what the rows are sorted; nothing is the order of the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sorting(Option<(Column, Direction)>);

impl Sorting {
    /// By a column, from its usual end.
    pub(super) fn by(column: Column) -> Self {
        Self(Some((column, column.first_direction())))
    }

    /// What a press on the head of a column leads to: that column, then its other direction, then the order of the book.
    pub(super) fn pressed(self, column: Column) -> Self {
        match self.0 {
            Some((current, direction)) if current == column && direction == column.first_direction() => {
                Self(Some((column, direction.other())))
            }
            Some((current, _)) if current == column => Self(None),
            _ => Self::by(column),
        }
    }

    pub(super) fn column(self) -> Option<Column> {
        self.0.map(|(column, _)| column)
    }

    /// The direction of a column, if the rows are sorted by it.
    pub(super) fn direction_of(self, column: Column) -> Option<Direction> {
        self.0.filter(|(current, _)| *current == column).map(|(_, direction)| direction)
    }

    /// The places of the quotes that the filter leaves, in order.
    pub(super) fn order(self, quotes: &[Quote], filter: &str) -> Vec<usize> {
        let filter = filter.trim().to_lowercase();
        let is_wanted = |quote: &Quote| {
            filter.is_empty()
                || quote.symbol.to_lowercase().contains(&filter)
                || quote.company.to_lowercase().contains(&filter)
        };
        let mut places: Vec<usize> = (0..quotes.len()).filter(|place| is_wanted(&quotes[*place])).collect();
        if let Some((column, direction)) = self.0 {
            places.sort_by(|one, other| {
                let order = column.compare(&quotes[*one], &quotes[*other]);
                if direction == Direction::Descending { order.reverse() } else { order }
            });
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use everwire_companion_api::ticker as api;

    use super::*;

    fn quotes() -> Vec<Quote> {
        [("XOM", "Exxon", 3.0, 3.0), ("DIS", "Disney", 1.0, 2.0), ("ALL", "Allstate", 2.0, 1.0)]
            .into_iter()
            .map(|(symbol, company, price, open)| {
                let company = company.to_owned();
                Quote::new(symbol, api::Quote { company, price, open, low: price, high: price, seq: 0, time: 0.0 })
            })
            .collect()
    }

    #[test]
    fn three_presses_lead_back_to_the_order_of_the_book() {
        let first = Sorting::default().pressed(Column::Price);
        assert_eq!(first.order(&quotes(), ""), [0, 2, 1]);
        let second = first.pressed(Column::Price);
        assert_eq!(second.order(&quotes(), ""), [1, 2, 0]);
        assert_eq!(second.pressed(Column::Price), Sorting::default());
        assert_eq!(Sorting::default().order(&quotes(), ""), [0, 1, 2]);
    }

    #[test]
    fn changes_are_compared_in_percent() {
        assert_eq!(Sorting::by(Column::Change).order(&quotes(), ""), [2, 0, 1]);
    }

    #[test]
    fn the_filter_finds_symbols_and_companies_in_any_case() {
        assert_eq!(Sorting::default().order(&quotes(), " dis "), [1]);
        assert_eq!(Sorting::by(Column::Symbol).order(&quotes(), "a"), [2]);
        assert!(Sorting::default().order(&quotes(), "nope").is_empty());
    }
}
