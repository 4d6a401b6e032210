import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.AFLOW_URL ?? "http://127.0.0.1:8000";

// Django serves the build under /static/ and finds the files of each entry in the manifest.
export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/" : "/",
  plugins: [react()],
  resolve: { alias: { "@": resolve(import.meta.dirname, "src") } },
  build: {
    manifest: true,
    sourcemap: false,
    chunkSizeWarningLimit: 1600,
    rolldownOptions: { input: ["src/main.tsx", "src/theme/pages.css"] },
  },
  worker: { format: "es" as const },
  server: {
    host: "127.0.0.1",
    proxy: {
      // The Host stays the page's own: Django compares it with the Origin of what is posted.
      "^/(api|docs|login|logout|static)/": { target: server, changeOrigin: false },
      "/ws": { target: server, ws: true, changeOrigin: false },
    },
  },
  test: {
    environment: "jsdom",
    setupFiles: ["src/testing/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    css: false,
    testTimeout: 30_000,
    // It imports dayjs's plugins without their extension, which Node refuses.
    server: { deps: { inline: ["@rjsf/mantine"] } },
  },
}));
