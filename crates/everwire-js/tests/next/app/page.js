import { Echo } from "../echo.js";

export default function Page() {
  return <Echo />;
}
