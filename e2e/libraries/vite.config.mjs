import { defineConfig } from "vite";

/** Five libraries in one page are large, and nobody waits for them. */
export default defineConfig({ build: { chunkSizeWarningLimit: 2000 } });
