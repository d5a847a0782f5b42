//! Files that the visitor saves: tables and images of charts.

use js_sys::{Array, Date};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, CanvasRenderingContext2d, Element, HtmlAnchorElement, HtmlCanvasElement, Url, window,
};

/// A table in the format of RFC 4180.
#[derive(Clone, Debug, Default)]
pub(super) struct Csv(String);

impl Csv {
    /// Adds a row. Cells with a comma, a quote or a line break are quoted.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            let cell = cell.as_ref();
            if cell.contains([',', '"', '\n', '\r']) {
                self.0.push('"');
                self.0.push_str(&cell.replace('"', "\"\""));
                self.0.push('"');
            } else {
                self.0.push_str(cell);
            }
        }
        self.0.push_str("\r\n");
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The height of the heading above a chart and the margin around it, in CSS pixels.
const HEADING: f64 = 76.0;
const MARGIN: f64 = 20.0;

/// Saves a table as a CSV file.
pub(super) fn save_csv(name: &str, text: &str) {
    let properties = BlobPropertyBag::new();
    properties.set_type("text/csv");
    let parts = Array::of1(&JsValue::from_str(text));
    // A browser that lacks these APIs cannot save a file.
    if let Ok(blob) = Blob::new_with_str_sequence_and_options(&parts, &properties)
        && let Ok(url) = Url::create_object_url_with_blob(&blob)
    {
        let _ = download(&url, &format!("everwire-lab-{name}-{}.csv", today()));
        // The download has started. An object URL that is not revoked keeps the file in memory.
        let _ = Url::revoke_object_url(&url);
    }
}

/// Saves the chart within an element as an image, with a heading.
pub(super) fn save_image(name: &str, within: &Element, title: &str, figures: &str) {
    if let Some(url) = render(within, title, figures) {
        let _ = download(&url, &format!("everwire-lab-{name}-{}.png", today()));
    }
}

/// Renders the chart with a heading. The chart's own canvas is transparent, so the colours of the page are added.
fn render(within: &Element, title: &str, figures: &str) -> Option<String> {
    let chart: HtmlCanvasElement = within.query_selector("canvas").ok()??.dyn_into().ok()?;
    let document = window()?.document()?;
    let canvas: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
    let scale = window()?.device_pixel_ratio();
    let (width, height) = (f64::from(chart.width()), f64::from(chart.height()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the size of an image")]
    let size = |length: f64| length.ceil() as u32;
    canvas.set_width(size(width + 2.0 * MARGIN * scale));
    canvas.set_height(size(height + (HEADING + MARGIN) * scale));
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    let style = window()?.get_computed_style(within).ok()??;
    let token = |name: &str| style.get_property_value(name).unwrap_or_default();
    context.set_fill_style_str(token("--surface").trim());
    context.fill_rect(0.0, 0.0, f64::from(canvas.width()), f64::from(canvas.height()));
    let font = style.get_property_value("font-family").unwrap_or_else(|_| "sans-serif".to_owned());
    let write = |text: &str, color: &str, size: f64, weight: u32, y: f64| {
        context.set_fill_style_str(token(color).trim());
        context.set_font(&format!("{weight} {}px {font}", size * scale));
        context.fill_text(text, MARGIN * scale, y * scale)
    };
    write(title, "--ink", 18.0, 600, 34.0).ok()?;
    write(figures, "--ink-soft", 13.0, 400, 58.0).ok()?;
    context.draw_image_with_html_canvas_element(&chart, MARGIN * scale, HEADING * scale).ok()?;
    canvas.to_data_url().ok()
}

fn download(url: &str, name: &str) -> Option<()> {
    let link: HtmlAnchorElement = window()?.document()?.create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(url);
    link.set_download(name);
    link.click();
    Some(())
}

/// The local date: `2026-11-21`.
fn today() -> String {
    let now = Date::new_0();
    format!("{:04}-{:02}-{:02}", now.get_full_year(), now.get_month() + 1, now.get_date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_would_break_a_row_are_quoted() {
        let mut csv = Csv::default();
        csv.row(["plain", "a,b", "say \"hi\"", "two\nlines", ""]);
        assert_eq!(csv.into_text(), "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n");
    }
}
