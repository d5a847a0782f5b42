import { defineConfig } from "vite";

/** Two pages: the dashboard, and the same with one line changed back to the browser's WebSocket. */
export default defineConfig({
  build: { rolldownOptions: { input: ["index.html", "plain.html"] } },
});
