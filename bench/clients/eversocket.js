import { EverSocket } from "everwire-dist";

import { drive } from "./driver.js";

export const open = (url, ticks) => drive(new EverSocket(url), ticks);
