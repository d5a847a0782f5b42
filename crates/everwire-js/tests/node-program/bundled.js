import { EverSocket } from "everwire";
import { useEverSocket } from "everwire/react";
import { echo } from "./echo.js";

// Not awaited: CommonJS has no await at the top level.
echo(EverSocket).then(() => console.log(typeof useEverSocket));
