// What the heat map shows, without a way to draw it: an order of programs, a window on that order,
// and columns, each of one program or of several.
"use strict";
llmoptBoard.makeMap = () => {
  const { data, state, runsShown, gainsOf } = llmoptBoard;
  const LEAST_PROGRAMS = 8;
  const STEPS = [0.01, 0.03, 0.1, 0.3];
  let start = 0;
  let count = data.programs.length;
  let columns = 1;

  const perProgram = (of) => Float64Array.from(data.programs, (_, program) => {
    const known = runsShown().map((run) => gainsOf(run)[program]);
    return of(known.filter((gain) => !Number.isNaN(gain)));
  });
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const keys = {
    size: () => data.oz,
    gain: () => perProgram((gains) => -average(gains)),
    spread: () => perProgram((gains) => (gains.length ? Math.min(...gains) - Math.max(...gains) : 0)),
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const byName = (a, b) => collator.compare(data.programs[a], data.programs[b]) || a - b;
  const sorted = (kind) => {
    const programs = data.programs.map((_, program) => program);
    if (kind === "name") return programs.sort(byName);
    const key = keys[kind]();
    return programs.sort((a, b) => key[a] - key[b] || byName(a, b));
  };

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  // Shows `wanted` programs with the one at `place` of the order in their middle.
  const look = (wanted, place) => {
    const all = data.programs.length;
    count = clamp(Math.round(wanted), Math.min(LEAST_PROGRAMS, all), all);
    start = clamp(place - Math.floor(count / 2), 0, all - count);
  };
  // Moves the window only as far as it takes to show a place.
  const reveal = (place) => {
    start = clamp(start, place - count + 1, place);
  };
  const fit = (most) => {
    columns = Math.max(1, Math.min(count, most));
  };
  const columnOf = (place) => Math.floor(((place - start) * columns) / count);
  const firstOf = (column) => start + Math.ceil((column * count) / columns);

  // The mean gain and the mean loss of a run over the programs of a column, both 0 or more.
  const cell = (run, column) => {
    const gains = gainsOf(run);
    const end = firstOf(column + 1);
    let [up, down, known] = [0, 0, 0];
    for (let place = firstOf(column); place < end; place += 1) {
      const gain = gains[state.order[place]];
      if (Number.isNaN(gain)) continue;
      known += 1;
      if (gain > 0) up += gain;
      else down -= gain;
    }
    return { up: up / (known || 1), down: down / (known || 1), known };
  };
  // The step of the scale: 0 for nothing, 5 for most.
  const step = (share) => (share > 0 ? 1 + STEPS.filter((limit) => share > limit).length : 0);

  return {
    sorted, look, reveal, fit, columnOf, firstOf, cell, step,
    window: () => ({ start, count, columns }),
  };
};
