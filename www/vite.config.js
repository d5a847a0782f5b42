import { defineConfig } from "vite";

/** The dashboard, the same with one line changed back to the browser's WebSocket, and a chat. */
export default defineConfig({
  build: { rolldownOptions: { input: ["index.html", "plain.html", "chat.html"] } },
  // The chat talks to the server that it came from.
  server: { proxy: { "/token": "http://127.0.0.1:9001", "/everwire": { target: "ws://127.0.0.1:9001", ws: true } } },
});
