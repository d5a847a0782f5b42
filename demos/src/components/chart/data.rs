use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::plot::Plot;

/// What a chart draws, as columns: x first, then each series. A page sets it as often as it likes without rendering, and
/// keeps it whether the chart is in the page or not.
#[derive(Clone, Default)]
pub(crate) struct ChartData(Rc<Inner>);

#[derive(Default)]
struct Inner {
    columns: RefCell<Vec<Vec<f64>>>,
    plot: RefCell<Option<Plot>>,
}

impl ChartData {
    /// Draws other columns, all of one length. What is not a number is a gap.
    pub(crate) fn set(&self, columns: Vec<Vec<f64>>) {
        *self.0.columns.borrow_mut() = columns;
        if let Some(plot) = &*self.0.plot.borrow() {
            plot.draw(&self.columns());
        }
    }

    pub(super) fn columns(&self) -> Array {
        self.0.columns.borrow().iter().map(|column| column.iter().copied().map(value).collect::<Array>()).collect()
    }

    /// Puts a chart in the page, or takes it away.
    pub(super) fn show(&self, plot: Option<Plot>) {
        let before = self.0.plot.replace(plot);
        drop(before);
    }

    pub(super) fn fit(&self, width: i32) {
        if let Some(plot) = &*self.0.plot.borrow() {
            plot.fit(width);
        }
    }
}

fn value(number: f64) -> JsValue {
    if number.is_finite() { number.into() } else { JsValue::NULL }
}

/// The same data is the same, whatever it was set to.
impl PartialEq for ChartData {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for ChartData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ChartData").field(&self.0.columns.borrow().len()).finish()
    }
}
