//! Files that the visitor saves.

use js_sys::{Array, Date};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, CanvasRenderingContext2d, Element, HtmlAnchorElement, HtmlCanvasElement, Url, window,
};

/// The room above a chart for its heading, and beside it, in CSS pixels.
const HEAD: f64 = 76.0;
const EDGE: f64 = 20.0;

/// Offers a table as a file.
pub(super) fn csv(name: &str, text: &str) {
    let properties = BlobPropertyBag::new();
    properties.set_type("text/csv");
    let parts = Array::of1(&JsValue::from_str(text));
    // A browser without these has no way to save a file; there is nothing else to try.
    if let Ok(blob) = Blob::new_with_str_sequence_and_options(&parts, &properties)
        && let Ok(url) = Url::create_object_url_with_blob(&blob)
    {
        let _ = offer(&url, &format!("everwire-lab-{name}-{}.csv", today()));
        // The click has taken the address in; kept, it would keep the file in memory.
        let _ = Url::revoke_object_url(&url);
    }
}

/// Offers the chart within an element as a picture, with a heading.
pub(super) fn picture(name: &str, within: &Element, title: &str, figures: &str) {
    if let Some(url) = draw(within, title, figures) {
        let _ = offer(&url, &format!("everwire-lab-{name}-{}.png", today()));
    }
}

/// The chart is a canvas without a ground, whose colours are those of the page.
fn draw(within: &Element, title: &str, figures: &str) -> Option<String> {
    let chart: HtmlCanvasElement = within.query_selector("canvas").ok()??.dyn_into().ok()?;
    let document = window()?.document()?;
    let canvas: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
    let scale = window()?.device_pixel_ratio();
    let (width, height) = (f64::from(chart.width()), f64::from(chart.height()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the size of a picture")]
    let size = |length: f64| length.ceil() as u32;
    canvas.set_width(size(width + 2.0 * EDGE * scale));
    canvas.set_height(size(height + (HEAD + EDGE) * scale));
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    let style = window()?.get_computed_style(within).ok()??;
    let token = |name: &str| style.get_property_value(name).unwrap_or_default();
    context.set_fill_style_str(token("--surface").trim());
    context.fill_rect(0.0, 0.0, f64::from(canvas.width()), f64::from(canvas.height()));
    let font = style.get_property_value("font-family").unwrap_or_else(|_| "sans-serif".to_owned());
    let write = |text: &str, color: &str, size: f64, weight: u32, y: f64| {
        context.set_fill_style_str(token(color).trim());
        context.set_font(&format!("{weight} {}px {font}", size * scale));
        context.fill_text(text, EDGE * scale, y * scale)
    };
    write(title, "--ink", 18.0, 600, 34.0).ok()?;
    write(figures, "--ink-soft", 13.0, 400, 58.0).ok()?;
    context.draw_image_with_html_canvas_element(&chart, EDGE * scale, HEAD * scale).ok()?;
    canvas.to_data_url().ok()
}

fn offer(url: &str, name: &str) -> Option<()> {
    let link: HtmlAnchorElement = window()?.document()?.create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(url);
    link.set_download(name);
    link.click();
    Some(())
}

/// The date where the visitor is: `2026-11-21`.
fn today() -> String {
    let now = Date::new_0();
    format!("{:04}-{:02}-{:02}", now.get_full_year(), now.get_month() + 1, now.get_date())
}
