/** Packages are linked from outside the folder. */
export default { turbopack: { root: "/" }, devIndicators: false };
