// The table of a track: sorting, filters, and the choice of two agents.
"use strict";
(() => {
  const { data, state, on, change } = llmoptBoard;
  const table = document.getElementById("board");
  const heads = [...table.querySelectorAll("thead th[data-column]")];
  const bodies = [...table.tBodies];
  const rowsOf = (body) => [...body.querySelectorAll("tr.standing")];
  const rises = new Set(["rank", "agent", "regressed", "spent", "seconds"]);

  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (first, second, sign) => {
    if (first === second) return 0;
    // What has no value comes last in both directions.
    if (first === "" || second === "") return first === "" ? 1 : -1;
    const [a, b] = [Number(first), Number(second)];
    return sign * (Number.isNaN(a) || Number.isNaN(b) ? collator.compare(first, second) : a - b);
  };
  const sort = (head, direction) => {
    const place = head.cellIndex;
    const sign = direction === "ascending" ? 1 : -1;
    for (const other of heads) other.setAttribute("aria-sort", other === head ? direction : "none");
    for (const body of bodies) {
      const value = (row) => row.cells[place].dataset.value;
      body.append(...rowsOf(body).sort((a, b) => compare(value(a), value(b), sign)));
    }
  };
  for (const head of heads) {
    const button = head.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => {
      const first = rises.has(head.dataset.column) ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      sort(head, head.getAttribute("aria-sort") === first ? second : first);
    });
  }

  const filter = () => {
    let shown = 0;
    let all = 0;
    for (const body of bodies) {
      const rows = rowsOf(body);
      const here = Number(body.dataset.track) === state.track;
      for (const row of rows) row.hidden = !state.kinds.has(row.dataset.kind);
      const left = rows.filter((row) => !row.hidden).length;
      body.hidden = !here || (rows.length > 0 && left === 0);
      shown += here ? left : 0;
      all += here ? rows.length : 0;
    }
    const status = document.getElementById("shown");
    status.textContent = `${shown} of ${all} agents in this track`;
  };
  for (const radio of document.querySelectorAll("input[name=track]")) {
    radio.checked = Number(radio.value) === state.track; // a reload may have kept another
    radio.addEventListener("change", () => change({ track: Number(radio.value) }));
  }
  const present = new Set(data.entries.map((entry) => entry.kind));
  for (const box of document.querySelectorAll("input[name=kind]")) {
    box.checked = true;
    box.parentElement.hidden = !present.has(box.value);
    box.addEventListener("change", () => {
      const boxes = [...document.querySelectorAll("input[name=kind]:checked")];
      change({ kinds: new Set(boxes.map((other) => other.value)) });
    });
  }

  const showPicks = () => {
    for (const row of table.querySelectorAll("tr.standing")) {
      row.querySelector(".compare input").checked = state.picks.includes(Number(row.dataset.entry));
    }
  };
  table.addEventListener("change", (event) => {
    const row = event.target.closest("tr.standing");
    if (!row) return;
    const entry = Number(row.dataset.entry);
    const others = state.picks.filter((other) => other !== entry);
    // A third one takes the place of the first.
    change({ picks: event.target.checked ? [...others, entry].slice(-2) : others });
  });

  on((changes) => {
    if (changes.track !== undefined || changes.kinds) filter();
    if (changes.picks) showPicks();
  });
  filter();
  showPicks();
})();
