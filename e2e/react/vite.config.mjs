import { defineConfig } from "vite";

/** React as it is while developing: only there Strict Mode runs effects twice. */
export default defineConfig({
  define: { "process.env.NODE_ENV": '"development"' },
  build: { minify: false },
});
