export { Echo as default } from "../echo.js";
