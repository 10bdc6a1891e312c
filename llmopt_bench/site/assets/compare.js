// Two agents on the same programs: who made which smaller, and by how much.
"use strict";
(() => {
  const { data, state, on, runOf, mean, number, name } = llmoptBoard;
  const { element, foreign, table, colour, brush, onRedraw } = llmoptBoard;
  const body = document.getElementById("compare-body");
  const MOST_SHOWN = 8;
  let draw = () => {};

  // For each program that both have a result for: what the second needs more than the first.
  const differencesOf = (first, second) => data.programs.flatMap((_, program) => {
    const [a, b] = [mean(first, "new", program), mean(second, "new", program)];
    if (a === null || b === null) return [];
    return [{ program, a, b, by: b - a, share: (b - a) / Math.max(data.oz[program], 1) }];
  });
  const programRow = ({ program, a, b, by }) =>
    element("tr", {},
      element("th", { scope: "row" }, element("button", {
        type: "button", class: "link", click: () => llmoptBoard.openProgram(program, null),
      }, foreign(data.programs[program]))),
      element("td", { class: "n" }, number(a)),
      element("td", { class: "n" }, number(b)),
      element("td", { class: "n" }, number(Math.abs(by))));
  const half = (title, first, second, list) =>
    element("div", {},
      element("h3", {}, title),
      list.length
        ? table(title, ["Program", name(first), name(second), "By"],
          list.slice(0, MOST_SHOWN).map(programRow))
        : element("p", { class: "quiet" }, "None."),
      list.length > MOST_SHOWN
        ? element("p", { class: "quiet" }, `The largest ${MOST_SHOWN} of ${number(list.length)}.`)
        : "");

  // Bars of the programs, those of the first on the left and upwards.
  const drawDifferences = (canvas, shares) => {
    const { context, width, height } = brush(canvas);
    const most = Math.max(...shares.map(Math.abs), 1e-9);
    const middle = height / 2;
    const colours = [colour("up-4"), colour("down-4"), colour("rule")];
    context.fillStyle = colours[2];
    context.fillRect(0, middle - 0.5, width, 1);
    shares.forEach((share, at) => {
      const [left, right] = [(at * width) / shares.length, ((at + 1) * width) / shares.length];
      // The square root lets small differences be seen beside large ones.
      const tall = Math.sqrt(Math.abs(share) / most) * (middle - 2);
      context.fillStyle = colours[share > 0 ? 0 : 1];
      context.fillRect(left, share > 0 ? middle - tall : middle, Math.max(right - left, 0.5), tall);
    });
  };
  const bar = (wins, ties, losses) => {
    const parts = [["first", wins], ["same", ties], ["second", losses]];
    const spans = parts.filter(([, count]) => count).map(([kind, count]) => {
      const part = element("span", { class: kind });
      part.style.flex = `${count} 1 0`;
      return part;
    });
    return element("div", { class: "versus", "aria-hidden": "true" }, ...spans);
  };
  const outcome = (count, ...text) =>
    element("li", {}, element("b", {}, number(count)), " ", ...text);
  const sum = (list, key) => list.reduce((total, item) => total + item[key], 0);

  const compare = (first, second) => {
    const all = differencesOf(first, second).sort((x, y) => y.share - x.share || x.program - y.program);
    const wins = all.filter(({ by }) => by > 0);
    const losses = all.filter(({ by }) => by < 0).reverse();
    const ties = all.length - wins.length - losses.length;
    const saved = sum(all, "b") - sum(all, "a");
    const winner = saved >= 0 ? first : second;
    const total = saved === 0
      ? `Over all programs both need ${number(sum(all, "a"))} ${data.unit}.`
      : ` needs ${number(Math.abs(saved))} fewer ${data.unit} over all ${number(all.length)} programs: `
        + `${number(Math.min(sum(all, "a"), sum(all, "b")))} against ${number(Math.max(sum(all, "a"), sum(all, "b")))}.`;
    const canvas = element("canvas", { id: "differences", role: "img",
      "aria-label": `Difference on each program, sorted: ${wins.length} bars up, ${losses.length} down` });
    body.replaceChildren(
      element("ul", { class: "outcome" },
        outcome(wins.length, "smaller with ", foreign(name(first))),
        outcome(ties, "the same"),
        outcome(losses.length, "smaller with ", foreign(name(second)))),
      bar(wins.length, ties, losses.length),
      element("p", {}, ...(saved === 0 ? [total] : [foreign(name(winner)), total])),
      canvas,
      element("p", { class: "quiet" },
        "Each bar is a program, by its difference as a share of -Oz; heights on a square-root scale. Up: ",
        foreign(name(first)), " is smaller."),
      element("div", { class: "halves" },
        half(`Smaller with ${name(first)}`, first, second, wins),
        half(`Smaller with ${name(second)}`, first, second, losses)));
    draw = () => drawDifferences(canvas, all.map(({ share }) => share));
    draw();
  };
  const show = () => {
    const runs = state.picks.map(runOf);
    if (runs.length === 2 && runs.every(Boolean)) return compare(...runs);
    draw = () => {};
    const reason = runs.length === 2
      ? "One of the two has no run in this track."
      : runs.length === 1 ? "Tick a second agent in the table." : "Tick two agents in the table.";
    return body.replaceChildren(element("p", { class: "quiet" }, reason));
  };
  on((changes) => {
    if (changes.picks || changes.track !== undefined) show();
  });
  onRedraw(() => draw());
})();
