export default {
  build: { ssr: "bundled.js" },
  ssr: { noExternal: true },
};
