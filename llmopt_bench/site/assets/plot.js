// Shows in the plot what the filters leave in the table.
"use strict";
(() => {
  const { data, state, on } = llmoptBoard;
  const marks = [...document.querySelectorAll(".plot .mark")];
  const lines = [...document.querySelectorAll(".plot .path")];
  const show = () => {
    const { limit } = data.tracks[state.track];
    for (const mark of marks) {
      const within = limit === null || Number(mark.dataset.most) <= limit;
      mark.classList.toggle("gone", !within || !state.kinds.has(mark.dataset.kind));
    }
    for (const line of lines) {
      const { kind } = data.entries[Number(line.dataset.entry)];
      line.classList.toggle("gone", limit !== null || !state.kinds.has(kind));
    }
  };
  on(show);
  show();
})();
