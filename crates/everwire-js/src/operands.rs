use core::sync::atomic::{AtomicU64, Ordering};

use everwire_core::protocol::Cursor;

/// The block of numbers in which operands cross the border: JavaScript writes those of an input and reads those of an action.
///
/// Both sides write to it, so that it has to be a static of atomics, which cost nothing where there is one thread.
#[derive(Debug)]
pub struct Operands([AtomicU64; Operands::COUNT]);

impl Operands {
    /// How many there are: as many as the longest list has, which is that of the options.
    pub const COUNT: usize = 25;

    /// All zero.
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; Self::COUNT])
    }

    /// The one at this place; zero where there is no such place.
    pub fn get(&self, place: usize) -> f64 {
        f64::from_bits(self.bits(place))
    }

    /// Sets the one at this place.
    pub fn set(&self, place: usize, value: f64) {
        if let Some(operand) = self.0.get(place) {
            operand.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// The place of a cursor, after all other operands: the bits of its epoch and of its offset, which may be too large for a number of
    /// JavaScript, of its time, and of the offset before it.
    pub const CURSOR: usize = 20;

    /// The cursor in these operands.
    pub fn cursor(&self) -> Cursor {
        let bits = |place| self.bits(Self::CURSOR + place);
        Cursor { epoch: bits(0), offset: bits(1), time: bits(2) }
    }

    /// Sets the cursor.
    pub(crate) fn set_cursor(&self, cursor: Cursor) {
        let set = |place, bits| self.set(Self::CURSOR + place, f64::from_bits(bits));
        set(0, cursor.epoch);
        set(1, cursor.offset);
        set(2, cursor.time);
    }

    /// The one at this place as an integer of 64 bits, which JavaScript writes as a big integer.
    pub fn bits(&self, place: usize) -> u64 {
        self.0.get(place).map_or(0, |operand| operand.load(Ordering::Relaxed))
    }

    /// Sets the first ones.
    #[inline(never)]
    pub(crate) fn write(&self, values: &[f64]) {
        for (place, value) in values.iter().enumerate() {
            self.set(place, *value);
        }
    }
}

impl Default for Operands {
    fn default() -> Self {
        Self::new()
    }
}
