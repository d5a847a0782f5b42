import { WebSocket } from "partysocket";

import { drive } from "./driver.js";

export const open = (url, ticks) => drive(new WebSocket(url), ticks);
