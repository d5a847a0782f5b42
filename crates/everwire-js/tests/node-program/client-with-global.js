import { EverClient } from "everwire/client";
import { talk } from "./client.js";

await talk(EverClient);
