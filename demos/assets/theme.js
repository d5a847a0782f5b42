// Runs before the first paint, so that a visitor who chose dark sees no flash of light.
try {
  const theme = localStorage.getItem("everwire.theme");
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  }
} catch {
  // Storage is closed to this page; the system's preference holds.
}
