// `main.ts` and `plain.ts` differ in their last line alone.
import { EverSocket } from "everwire";
import { address } from "./address.ts";
import { show } from "./dashboard.ts";

show(new WebSocket(address));
