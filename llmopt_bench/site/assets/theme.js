// Runs before the page is painted: the chosen theme must not come after a flash of the other.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  // A browser may refuse storage to a page that was opened from a file.
  const stored = (action) => {
    try { return action(window.localStorage); } catch { return null; }
  };
  const choose = (theme) => {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
    window.dispatchEvent(new Event("board-theme"));
  };
  root.classList.add("scripted");
  const before = stored((storage) => storage.getItem("llmopt-bench-theme"));
  choose(themes.includes(before) ? before : "system");
  document.addEventListener("DOMContentLoaded", () => {
    choose(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
      stored((storage) => storage.setItem("llmopt-bench-theme", next));
      choose(next);
    });
  });
})();
