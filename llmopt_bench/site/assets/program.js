// One program: what each agent of the track made of it, and with which passes.
"use strict";
(() => {
  const { data, state, on, runsShown, mean, repetitions, number, versus, name } = llmoptBoard;
  const { element, foreign, table } = llmoptBoard;
  const section = document.getElementById("program");
  const title = document.getElementById("program-title");
  const body = document.getElementById("program-body");
  let shown = null; // the program
  let opened = new Set(); // entries whose pass lists are open

  // Pass lists come with a script for each entry, when they are first wanted. The browser lets only
  // this policy name a script, and the policy knows only the names that the page brought.
  const pages = [...document.querySelectorAll("#board tr.standing")].map((row) => {
    const page = row.querySelector(".agent a").getAttribute("href");
    return [Number(row.dataset.entry), page.replace(/^agents\//, "passes/").replace(/html$/, "js")];
  });
  const addresses = new Map(pages);
  const known = new Set(addresses.values());
  const rules = {
    createScriptURL: (address) => {
      if (!known.has(address)) throw new TypeError("not a script of this board");
      return address;
    },
  };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("board", rules) : rules;
  const loads = new Map();
  const passesOf = (entry) => {
    if (!loads.has(entry)) {
      loads.set(entry, new Promise((resolve, reject) => {
        const script = element("script", {
          load: () => resolve(window[`llmoptPasses${entry}`]),
          error: () => reject(new Error("pass lists cannot be loaded")),
        });
        script.src = policy.createScriptURL(addresses.get(entry));
        document.head.append(script);
      }));
    }
    return loads.get(entry);
  };
  const placeOf = (run) =>
    data.runs.filter((other) => other.entry === run.entry).indexOf(run);
  const listText = (passes, place) => {
    if (place === null) return "no answer";
    const list = passes.lists[place];
    return list.length ? list.map((pass) => passes.names[pass]).join(", ") : "no pass at all";
  };
  const fill = async (cell, run, program) => {
    try {
      const passes = await passesOf(run.entry);
      const places = repetitions({ ...run, lists: passes.runs[placeOf(run)] }, "lists", program);
      const sizes = repetitions(run, "new", program);
      cell.replaceChildren(...places.map((place, at) => {
        const count = place === null ? 0 : passes.lists[place].length;
        const result = run.repeats > 1 ? `repetition ${at + 1}: ${number(sizes[at])}, ` : "";
        const what = `${result}${number(count)} ${count === 1 ? "pass" : "passes"}`;
        return element("div", {}, element("span", { class: "quiet" }, what),
          element("code", {}, foreign(listText(passes, place))));
      }));
    } catch (error) {
      cell.replaceChildren(error.message);
    }
  };

  const row = (run, program, here) => {
    const open = opened.has(run.entry);
    const size = mean(run, "new", program);
    const passes = element("tr", { class: "passes", id: `passes-${run.entry}` },
      element("td", { colspan: 5 }, "…"));
    passes.hidden = !open;
    if (open) fill(passes.firstChild, run, program);
    const toggle = (event) => {
      const now = !opened.delete(run.entry);
      if (now) opened.add(run.entry);
      event.currentTarget.setAttribute("aria-expanded", now);
      passes.hidden = !now;
      if (now) fill(passes.firstChild, run, program);
    };
    const button = element("button", {
      type: "button", class: "link", "aria-expanded": String(open), "aria-controls": passes.id,
      "aria-label": `passes of ${name(run)}`, click: toggle,
    }, "passes");
    return [
      element("tr", { class: here ? "here-row" : null },
        element("th", { scope: "row" }, foreign(name(run))),
        element("td", { class: "n" }, number(size)),
        element("td", { class: "n" }, versus(size, data.oz[program])),
        element("td", { class: "n level-2" }, number(mean(run, "spent", program))),
        element("td", { class: "n" }, button)),
      passes,
    ];
  };
  const step = (by) => {
    const place = state.order.indexOf(shown) + by;
    const next = state.order[(place + state.order.length) % state.order.length];
    show(next, null);
  };
  const show = (program, entry) => {
    shown = program;
    const headings = ["Agent", "Result", "Against -Oz", ["Spent", "level-2"], "Answer"];
    const rows = runsShown().flatMap((run) => row(run, program, run.entry === entry));
    const facts = [
      `${number(data.initial[program])} ${data.unit} before any pass, ${number(data.oz[program])} with `,
      element("code", {}, "-Oz"), `. SHA-256 of its bitcode: ${data.sha[program]}…`,
    ];
    title.replaceChildren(foreign(data.programs[program]));
    body.replaceChildren(
      element("p", { class: "quiet" }, ...facts),
      table("What each agent made of this program", headings, rows),
      element("p", { class: "buttons" },
        element("button", { type: "button", click: () => step(-1) }, "Previous program"),
        element("button", { type: "button", click: () => step(1) }, "Next program")));
    section.hidden = false;
  };

  // Opens a program, with the pass list of one entry, and moves there.
  llmoptBoard.openProgram = (program, entry) => {
    opened = new Set(entry === null ? [] : [entry]);
    show(program, entry);
    title.focus();
  };
  on((changes) => {
    if (shown !== null && (changes.track !== undefined || changes.kinds)) show(shown, null);
  });
})();
