import ReconnectingWebSocket from "reconnecting-websocket";

import { drive } from "./driver.js";

export const open = (url, ticks) => drive(new ReconnectingWebSocket(url), ticks);
