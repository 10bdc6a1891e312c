// Draws the heat map, one canvas for each agent, and moves in it by keys and pointer.
"use strict";
(() => {
  const { data, state, on, change, runsShown, mean, number, versus, name } = llmoptBoard;
  const { element, foreign, colour, brush, onRedraw } = llmoptBoard;
  const LEAST_WIDTH = 3; // of a column, in pixels
  const MOST_FOUND = 12;
  const map = llmoptBoard.makeMap();
  const box = document.getElementById("map");
  const readout = document.getElementById("readout");
  const order = document.getElementById("order");
  let strips = [];
  let row = 0;
  let place = 0; // of the program under the cursor, in the order
  let active = false; // whether the cursor is shown

  const build = () => {
    strips = runsShown().map((run) => ({
      run,
      label: element("span", {}, foreign(name(run))),
      canvas: element("canvas"),
    }));
    box.replaceChildren(...strips.flatMap(({ label, canvas }) => [label, canvas]));
    row = Math.max(0, Math.min(row, strips.length - 1));
    draw();
  };
  const palette = () => {
    const steps = [1, 2, 3, 4, 5];
    return {
      up: [null, ...steps.map((step) => colour(`up-${step}`))],
      down: [null, ...steps.map((step) => colour(`down-${step}`))],
      rule: colour("rule"), ink: colour("focus"),
    };
  };
  const drawStrip = ({ run, canvas }, colours, marked) => {
    const { context, width, height } = brush(canvas);
    const { columns } = map.window();
    const half = height / 2;
    const edge = (column) => Math.round((column * width) / columns);
    const gap = width / columns >= 6 ? 1 : 0;
    context.fillStyle = colours.rule;
    context.fillRect(0, half - 0.5, width, 1);
    for (let column = 0; column < columns; column += 1) {
      const { up, down } = map.cell(run, column);
      const [left, right] = [edge(column), edge(column + 1) - gap];
      for (const [colourOf, share, top] of [["up", up, 0], ["down", down, half]]) {
        const step = map.step(share);
        if (!step) continue;
        context.fillStyle = colours[colourOf][step];
        context.fillRect(left, top, right - left, half);
      }
    }
    if (!marked) return;
    const column = map.columnOf(place);
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    const wide = Math.max(edge(column + 1) - edge(column), 4);
    context.strokeRect(Math.min(edge(column), width - wide) + 1, 1, wide - 2, height - 2);
  };
  const draw = () => {
    if (!strips.length) return;
    map.fit(Math.floor(strips[0].canvas.clientWidth / LEAST_WIDTH));
    const colours = palette();
    strips.forEach((strip, at) => {
      strip.label.classList.toggle("here", active && at === row);
      drawStrip(strip, colours, active && at === row);
    });
    const { start, count, columns } = map.window();
    const each = count > columns ? `, about ${number(count / columns)} in a column` : "";
    document.getElementById("map-range").textContent =
      `programs ${number(start + 1)} to ${number(start + count)} of ${number(data.programs.length)}${each}`;
  };

  const tell = () => {
    if (!strips.length) return;
    const { run } = strips[row];
    const program = state.order[place];
    const size = mean(run, "new", program);
    readout.replaceChildren(foreign(name(run)), " on ", foreign(data.programs[program]),
      `: ${number(size)} against ${number(data.oz[program])}, ${versus(size, data.oz[program])}`);
  };
  const go = (nextRow, nextPlace) => {
    row = Math.max(0, Math.min(nextRow, strips.length - 1));
    place = Math.max(0, Math.min(nextPlace, data.programs.length - 1));
    active = true;
    map.reveal(place);
    draw();
    tell();
  };
  const open = () => {
    if (strips.length) llmoptBoard.openProgram(state.order[place], strips[row].run.entry);
  };
  const zoom = (factor) => {
    map.look(map.window().count * factor, active ? place : map.window().start + map.window().count / 2);
    go(row, Math.max(place, map.window().start));
  };

  const keys = {
    ArrowLeft: () => go(row, place - 1),
    ArrowRight: () => go(row, place + 1),
    ArrowUp: () => go(row - 1, place),
    ArrowDown: () => go(row + 1, place),
    Home: () => go(row, 0),
    End: () => go(row, data.programs.length - 1),
    PageUp: () => go(row, place - Math.ceil(map.window().count / 10)),
    PageDown: () => go(row, place + Math.ceil(map.window().count / 10)),
    Enter: open,
    " ": open,
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
  };
  box.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  box.addEventListener("focus", () => go(row, place));
  const point = (event) => {
    const at = strips.findIndex(({ canvas }) => canvas === event.target);
    if (at < 0) return false;
    const { left, width } = event.target.getBoundingClientRect();
    const { columns } = map.window();
    const column = Math.floor(((event.clientX - left) / width) * columns);
    go(at, map.firstOf(Math.max(0, Math.min(column, columns - 1))));
    return true;
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("click", (event) => point(event) && open());
  document.getElementById("zoom-in").addEventListener("click", () => zoom(0.5));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(2));

  const find = (text) => {
    const wanted = text.trim().toLowerCase();
    const found = document.getElementById("found");
    if (!wanted) return found.replaceChildren();
    const hits = data.programs.flatMap((program, at) =>
      (program.toLowerCase().includes(wanted) ? [at] : []));
    const buttons = hits.slice(0, MOST_FOUND).map((program) =>
      element("li", {}, element("button", {
        type: "button", click: () => llmoptBoard.openProgram(program, null),
      }, foreign(data.programs[program]))));
    const more = hits.length > MOST_FOUND ? `, the first ${MOST_FOUND}` : "";
    const counted = `${number(hits.length)} ${hits.length === 1 ? "program" : "programs"}${more}`;
    return found.replaceChildren(element("p", { class: "quiet" }, counted), element("ul", {}, ...buttons));
  };
  document.getElementById("find").addEventListener("input", (event) => find(event.target.value));

  const sort = () => {
    change({ order: map.sorted(order.value) });
    draw();
  };
  order.value = "size";
  order.addEventListener("change", sort);
  on((changes) => {
    if (changes.track !== undefined || changes.kinds) {
      build();
      sort();
    }
  });
  onRedraw(draw);
  build();
  sort();
})();
