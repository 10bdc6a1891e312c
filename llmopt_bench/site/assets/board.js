// What the parts of a task's page share: its data, what the reader has chosen, and small helpers.
// Texts of the data only ever become text nodes.
"use strict";
var llmoptBoard = (() => {
  const data = llmoptBoardData;
  const state = {
    track: data.tracks.length - 1,
    kinds: new Set(data.entries.map((entry) => entry.kind)),
    picks: [], // numbers of at most two entries
    order: data.programs.map((_, program) => program), // programs as the heat map shows them
  };
  const listeners = [];
  const on = (listener) => listeners.push(listener);
  const change = (changes) => {
    Object.assign(state, changes);
    for (const listener of listeners) listener(changes);
  };

  // The runs of the chosen track, ranked ones first, without the kinds that are filtered out.
  const runsShown = () => {
    const track = data.tracks[state.track];
    const all = [...track.ranked, ...track.apart].map((place) => data.runs[place]);
    return all.filter((run) => state.kinds.has(data.entries[run.entry].kind));
  };
  const runOf = (entry) => {
    const track = data.tracks[state.track];
    const places = [...track.ranked, ...track.apart];
    return data.runs[places.find((place) => data.runs[place].entry === entry)];
  };

  // The mean over the repetitions that have a value, or null if none has.
  const mean = (run, column, program) => {
    const known = repetitions(run, column, program).filter((value) => value !== null);
    return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  };
  const repetitions = (run, column, program) =>
    run[column].slice(program * run.repeats, (program + 1) * run.repeats);

  // For each program, (Oz - new) / Oz: above 0 is smaller than -Oz; NaN if there is no result.
  const gains = new Map();
  const gainsOf = (run) => {
    if (!gains.has(run)) {
      gains.set(run, Float64Array.from(data.programs, (_, program) => {
        const size = mean(run, "new", program);
        const reference = data.oz[program];
        return size === null ? NaN : (reference - size) / Math.max(reference, 1);
      }));
    }
    return gains.get(run);
  };

  const format = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
  const number = (value) => (value === null ? "–" : format.format(value));
  const percent = (fraction) => `${format.format(Math.abs(100 * fraction))}\u00a0%`;
  // Says the sign in words: nobody has to know which way is good.
  const versus = (size, reference) => {
    if (size === null) return "no result";
    if (size === reference) return "same";
    const word = size < reference ? "fewer" : "more";
    const share = (size - reference) / Math.max(reference, 1);
    return `${number(Math.abs(size - reference))} ${word} (${percent(share)})`;
  };
  const name = (run) => data.entries[run.entry].name;

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(key, value);
      else if (value !== null && value !== false) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };
  // Text that an entry brought, kept from turning the direction of its neighbours.
  const foreign = (text) => element("bdi", {}, text);
  // A heading is a text, or a text and the class of its column.
  const heading = (text, place) => {
    const [shown, more] = [text].flat();
    const kind = [place ? "n" : "", more ?? ""].join(" ").trim();
    return element("th", { scope: "col", class: kind || null }, foreign(shown));
  };
  const table = (caption, headings, rows) =>
    element("table", { class: "plain" },
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, element("tr", {}, ...headings.map(heading))),
      element("tbody", {}, ...rows));

  // What a colour of the style sheet is in today's theme.
  const colour = (property) => {
    const probe = element("span", { hidden: "" });
    probe.style.color = `var(--${property})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  // Returns a canvas's context in units of the page's pixels, cleared.
  const brush = (canvas) => {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return { context, width, height };
  };
  const onRedraw = (draw) => {
    window.addEventListener("board-theme", draw);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    window.addEventListener("resize", draw);
  };

  return {
    data, state, on, change, runsShown, runOf, mean, repetitions, gainsOf,
    number, percent, versus, name, element, foreign, table, colour, brush, onRedraw,
  };
})();
