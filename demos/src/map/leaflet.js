// What Rust cannot say to Leaflet by itself: how it is loaded, a subclass, and objects of options. The rest of the
// bindings is typed, in leaflet.rs. Leaflet is a classic script that defines the global `L`; it is loaded when the first
// map is shown, so that the other pages do without it.

/** Resolves to Leaflet's namespace. A browser loads a module once, however often it is asked. */
export async function load() {
  await import(new URL("vendor/leaflet.js", document.baseURI).href);
  return globalThis.L;
}

/** A map that can be panned around the Earth without end, but not beyond its poles. */
export function createMap(L, element) {
  const map = L.map(element, {
    attributionControl: false,
    maxBounds: [[-85.06, -Infinity], [85.06, Infinity]],
    maxBoundsViscosity: 1,
    maxZoom: 18,
    worldCopyJump: true,
    zoomControl: false,
  });
  L.control.zoom({ position: "topright" }).addTo(map);
  L.control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
  L.control.attribution({ prefix: '<a href="https://leafletjs.com">Leaflet</a>' }).addTo(map);

  // The world is never smaller than the map, or there would be nothing beyond the poles.
  const fillHeight = () => map.setMinZoom(Math.max(1, Math.ceil(Math.log2(map.getSize().y / 256))));
  const observer = new ResizeObserver(() => map.invalidateSize());
  map.on("resize", fillHeight);
  map.on("unload", () => observer.disconnect());
  fillHeight();
  observer.observe(element);
  return map;
}

/** A layer whose tiles are canvases that `paint(canvas, x, y, zoom)` fills. */
export function paintedLayer(L, side, attribution, paint) {
  const Painted = L.GridLayer.extend({
    createTile({ x, y, z }) {
      const canvas = document.createElement("canvas");
      paint(canvas, x, y, z);
      return canvas;
    },
  });
  return new Painted({ attribution, className: "map-painted", keepBuffer: 1, tileSize: side, zIndex: 0 });
}

/** A layer of images from a tile server. */
export function tileLayer(L, url, attribution) {
  return L.tileLayer(url, { attribution, className: "map-tiles", detectRetina: url.includes("{r}"), maxZoom: 18, zIndex: 1 });
}

/** A round marker with a few letters in it; `pick()` is called when it is clicked or entered. */
export function marker(L, at, letters, className, isOnTop, pick) {
  const html = document.createElement("span");
  html.textContent = letters;
  const icon = L.divIcon({ className: `pin ${className}`, html, iconSize: [30, 30] });
  const marker = L.marker(at, { icon, riseOnHover: true, zIndexOffset: isOnTop ? 1000 : 0 });
  marker.on("click", () => pick());
  marker.on("keypress", ({ originalEvent }) => originalEvent.key === "Enter" && pick());
  return marker;
}

/** Says what a marker is to the eye and to a screen reader. */
export function describe(marker, text) {
  const element = marker.getElement();
  element?.setAttribute("aria-label", text);
  element?.setAttribute("title", text);
}

/** A circle on the ground. */
export function circle(L, at, metres, className) {
  return L.circle(at, { radius: metres, className: `reach ${className}`, interactive: false });
}

/** A line, still without points. */
export function line(L, className) {
  return L.polyline([], { className: `trail ${className}`, interactive: false, smoothFactor: 0.5 });
}

/** Gives a line its points: latitude, longitude, latitude, … */
export function setPoints(line, degrees) {
  line.setLatLngs(Array.from({ length: degrees.length / 2 }, (_, index) => [degrees[2 * index], degrees[2 * index + 1]]));
}

/** Moves the view so that a box is in it, but no closer than `maxZoom`. */
export function showBox(map, south, west, north, east, maxZoom) {
  const box = [[south, west], [north, east]];
  flights.add(map);
  map.once("moveend", () => flights.delete(map));
  if (wantsNoMotion()) {
    map.fitBounds(box, { maxZoom, padding: [40, 40], animate: false });
  } else {
    map.flyToBounds(box, { maxZoom, padding: [40, 40], duration: 0.7 });
  }
}

/** Maps that `showBox` is moving: another move would end theirs half-way. */
const flights = new WeakSet();

/** Moves the middle of the view to a place. */
export function follow(map, at) {
  if (!flights.has(map)) {
    map.panTo(at, { animate: !wantsNoMotion() });
  }
}

/** Has zooming by wheel, fingers or double click keep the middle of the view, or what is under the pointer. */
export function setFollowing(map, isFollowing) {
  const zoom = isFollowing ? "center" : true;
  Object.assign(map.options, { doubleClickZoom: zoom, scrollWheelZoom: zoom, touchZoom: zoom });
}

/** Calls `moved()` when the visitor moves the view, with a pointer or by the arrow keys. */
export function onMovedByHand(map, moved) {
  map.on("dragstart", () => moved());
  map.on("keydown", ({ originalEvent }) => originalEvent.key.startsWith("Arrow") && moved());
}

function wantsNoMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Scrolls the page to the map if it is out of sight, as on a phone. */
export function reveal(map) {
  map.getContainer().scrollIntoView({ block: "nearest" });
}
