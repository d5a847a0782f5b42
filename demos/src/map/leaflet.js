// What Rust cannot say to Leaflet by itself: how it is loaded, a subclass, and what a map does by itself. The rest of the
// bindings is typed, in leaflet.rs. Leaflet is a classic script that defines the global `L`; it is loaded when the first
// map is shown, so that the other pages do without it.

/** Resolves to Leaflet's namespace. A browser loads a module once, however often it is asked. */
export async function load() {
  await import(new URL("vendor/leaflet.js", document.baseURI).href);
  return globalThis.L;
}

/** Keeps a map as large as its element, and the world never smaller than the map: there is nothing beyond the poles. */
export function keepFilled(map) {
  const fillHeight = () => map.setMinZoom(Math.max(1, Math.ceil(Math.log2(map.getSize().y / 256))));
  const observer = new ResizeObserver(() => map.invalidateSize());
  map.on("resize", fillHeight);
  map.on("unload", () => observer.disconnect());
  fillHeight();
  observer.observe(map.getContainer());
}

/** A layer whose tiles are canvases that `paint(canvas, x, y, zoom)` fills. */
export function paintedLayer(L, options, paint) {
  const Painted = L.GridLayer.extend({
    createTile({ x, y, z }) {
      const canvas = document.createElement("canvas");
      paint(canvas, x, y, z);
      return canvas;
    },
  });
  return new Painted(options);
}

/** Calls `pick()` when a marker is clicked or entered. */
export function onPicked(marker, pick) {
  marker.on("click", () => pick());
  marker.on("keypress", ({ originalEvent }) => originalEvent.key === "Enter" && pick());
}

/** Says what a marker is to the eye and to a screen reader. */
export function describe(marker, text) {
  const element = marker.getElement();
  element?.setAttribute("aria-label", text);
  element?.setAttribute("title", text);
}

/** Gives a line its points: latitude, longitude, latitude, … */
export function setPoints(line, degrees) {
  line.setLatLngs(Array.from({ length: degrees.length / 2 }, (_, index) => [degrees[2 * index], degrees[2 * index + 1]]));
}

/** Moves the view so that a box is in it. */
export function showBox(map, south, west, north, east, options) {
  flights.add(map);
  map.once("moveend", () => flights.delete(map));
  map.flyToBounds([[south, west], [north, east]], options);
}

/** Maps that `showBox` is moving: another move would end theirs half-way. */
const flights = new WeakSet();

/** Moves the middle of the view to a place. */
export function follow(map, at, options) {
  if (!flights.has(map)) {
    map.panTo(at, options);
  }
}

/** Calls `moved()` when the visitor moves the view, with a pointer or by the arrow keys. */
export function onMovedByHand(map, moved) {
  map.on("dragstart", () => moved());
  map.on("keydown", ({ originalEvent }) => originalEvent.key.startsWith("Arrow") && moved());
}

/** Scrolls the page to the map if it is out of sight, as on a phone. */
export function reveal(map) {
  map.getContainer().scrollIntoView({ block: "nearest" });
}
