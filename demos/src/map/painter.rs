use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, CanvasWindingRule, HtmlCanvasElement, window};

use super::mercator::Point;
use super::palette::Palette;
use super::tile_art::{Label, TileArt};

/// Paints a tile on a canvas whose side is `side` pixels of the style sheet, as sharp as the screen can show it.
pub(super) fn paint(canvas: &HtmlCanvasElement, art: &TileArt, palette: &Palette, side: f64) {
    let density = window().map_or(1.0, |window| window.device_pixel_ratio());
    let pixels = (side * density).ceil() as u32;
    canvas.set_width(pixels);
    canvas.set_height(pixels);
    // A browser refuses a context only when it is out of memory; the tile then stays sea.
    let Some(context) = canvas.get_context("2d").ok().flatten() else { return };
    let Ok(context) = context.dyn_into::<CanvasRenderingContext2d>() else { return };
    // It fails for no finite factor.
    let _ = context.scale(density, density);
    context.set_line_join("round");
    fill_land(&context, art, palette);
    stroke(&context, &art.grid, &palette.grid, 1.0);
    stroke(&context, &art.borders, &palette.border, 1.0);
    context.set_text_align("left");
    write(
        &context,
        &art.grid_labels,
        &palette.grid_label,
        None,
        Style { palette, weight: 400, offset: Point::new(5.0, -5.0) },
    );
    context.set_text_align("center");
    context.set_text_baseline("middle");
    let style = Style { palette, weight: 500, offset: Point::new(0.0, 0.0) };
    write(&context, &art.names, &palette.name, Some(&palette.halo), style);
}

/// How to write labels.
#[derive(Clone, Copy)]
struct Style<'a> {
    palette: &'a Palette,
    weight: u32,
    offset: Point,
}

fn fill_land(context: &CanvasRenderingContext2d, art: &TileArt, palette: &Palette) {
    context.set_fill_style_str(&palette.land);
    context.set_stroke_style_str(&palette.shore);
    context.set_line_width(1.0);
    for rings in &art.land {
        context.begin_path();
        rings.iter().for_each(|ring| trace(context, ring));
        context.fill_with_canvas_winding_rule(CanvasWindingRule::Evenodd);
        context.stroke();
    }
}

fn stroke(context: &CanvasRenderingContext2d, lines: &[Vec<Point>], colour: &str, width: f64) {
    context.set_stroke_style_str(colour);
    context.set_line_width(width);
    context.begin_path();
    lines.iter().for_each(|line| trace(context, line));
    context.stroke();
}

fn trace(context: &CanvasRenderingContext2d, points: &[Point]) {
    for (index, point) in points.iter().enumerate() {
        if index == 0 {
            context.move_to(point.x, point.y);
        } else {
            context.line_to(point.x, point.y);
        }
    }
}

fn write(context: &CanvasRenderingContext2d, labels: &[Label], colour: &str, halo: Option<&str>, style: Style) {
    context.set_fill_style_str(colour);
    context.set_line_width(3.0);
    for Label { text, at, size } in labels {
        context.set_font(&format!("{} {size:.1}px {}", style.weight, style.palette.font));
        let (x, y) = (at.x + style.offset.x, at.y + style.offset.y);
        // Text that cannot be drawn, for lack of memory, is missing on the map and nothing else.
        if let Some(halo) = halo {
            context.set_stroke_style_str(halo);
            let _ = context.stroke_text(text, x, y);
        }
        let _ = context.fill_text(text, x, y);
    }
}
