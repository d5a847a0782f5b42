import { drive } from "./driver.js";

/** The browser's own class: what all others are compared with. */
export const open = (url, ticks) => drive(new WebSocket(url), ticks);
