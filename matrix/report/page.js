"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, values, results, findings, notes, cells } = data;
  const list = document.getElementById("cell-list");
  const status = document.getElementById("cell-status");
  const more = document.getElementById("cell-more");
  const form = document.getElementById("filters");
  const STEP = 60;
  let shown = [];
  let drawn = 0;
  let only = -1;

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  columns.forEach((name, column) => {
    const select = form.elements[name];
    if (!select) return;
    if (values[column].length < 2) {
      select.closest("label").hidden = true;
      return;
    }
    values[column].forEach((value, index) => {
      const option = make("option", value);
      option.value = index;
      select.append(option);
    });
  });

  const at = (cell, name) => {
    const column = columns.indexOf(name);
    return values[column][cell[column]];
  };
  const [FINDING, NOTE, DECISIVE, RESULTS, SECONDS] = [0, 1, 2, 3, 4].map((offset) => columns.length + offset);
  const reason = (cell) => (cell[DECISIVE] < 0 ? "no result in the journal" : results[cell[DECISIVE]].reason);
  const texts = new Map();
  const haystack = (cell) => {
    if (!texts.has(cell)) {
      const words = columns.map((_, column) => values[column][cell[column]]);
      texts.set(cell, `${words.join("/")} ${reason(cell)}`.toLowerCase());
    }
    return texts.get(cell);
  };

  const filter = () => {
    const wanted = [];
    columns.forEach((name, column) => {
      const select = form.elements[name];
      if (select && select.value !== "") wanted.push([column, Number(select.value)]);
    });
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = cells.filter(
      (cell) =>
        (only < 0 || cell[FINDING] === only) &&
        wanted.every(([column, value]) => cell[column] === value) &&
        (!words.length || words.every((word) => haystack(cell).includes(word))),
    );
    drawn = 0;
    list.replaceChildren();
    document.getElementById("cell-only").hidden = only < 0;
    if (only >= 0) document.getElementById("cell-only-text").textContent = findings[only];
    draw();
  };

  const draw = () => {
    const next = shown.slice(drawn, drawn + STEP).map(row);
    list.append(...next);
    drawn += next.length;
    more.hidden = drawn >= shown.length;
    more.textContent = `Show ${Math.min(STEP, shown.length - drawn)} more`;
    status.textContent = `${shown.length} of ${cells.length} cells` + (drawn < shown.length ? `, ${drawn} shown` : "");
    return next[0];
  };

  const row = (cell) => {
    const item = make("li");
    const details = make("details");
    const summary = make("summary");
    const line = make("span", undefined, "row");
    const verdict = at(cell, "verdict");
    line.append(make("span", undefined, "verdict"));
    line.firstChild.append(make("span", `${data.signs[verdict] || ""} ${verdict}`, `chip ${data.kinds[verdict] || "none"}`));
    line.append(
      " ",
      make("span", at(cell, "release"), "place"),
      " ",
      make("span", at(cell, "environment")),
      " ",
      make("span", ["backend", "activation", "gating", "routing", "role", "bias", "profile"].map((name) => at(cell, name)).join(" · "), "mono"),
      make("span", reason(cell), "why"),
    );
    summary.append(line);
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(inside(cell));
    });
    item.append(details);
    return item;
  };

  const inside = (cell) => {
    const block = make("div", undefined, "inside");
    const about = make("dl");
    const fact = (name, value) => value && about.append(make("dt", name), make("dd", value));
    fact("outcome", at(cell, "outcome"));
    fact("note", notes[cell[NOTE]]);
    block.append(about);
    cell[RESULTS].forEach((number, index) => {
      const result = results[number];
      const title = make("h5");
      title.append(
        `${result.stage} `,
        make("span", `${data.signs[result.verdict] || ""} ${result.verdict}`, `chip ${data.kinds[result.verdict] || "none"}`),
        cell[SECONDS][index] ? ` ${cell[SECONDS][index]} s` : "",
      );
      block.append(title);
      if (result.reason) block.append(make("p", result.reason, "mono"));
      if (result.remedy) block.append(make("p", `What to do: ${result.remedy}`));
      if (result.evidence === null) block.append(make("p", "Evidence: in report.json, left out here for size.", "soft"));
      else if (result.evidence) block.append(make("pre", result.evidence));
    });
    return block;
  };

  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => show(-1)));
  more.addEventListener("click", () => {
    const first = draw();
    if (first) first.querySelector("summary").focus();
  });
  const show = (finding) => {
    for (const field of form.querySelectorAll("input, select")) field.value = "";
    only = finding;
    filter();
  };
  document.getElementById("cell-all").addEventListener("click", () => {
    show(-1);
    form.elements.words.focus();
  });
  document.querySelectorAll("button[data-finding]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      show(Number(button.dataset.finding));
      document.getElementById("cells").scrollIntoView();
      list.querySelector("summary").focus({ preventScroll: true });
    });
  });
  document.querySelectorAll("input[data-rows]").forEach((input) => {
    const place = document.getElementById(input.dataset.rows);
    const told = document.getElementById(`${input.dataset.rows}-status`);
    const parts = place.matches("details") ? [place] : [...place.querySelectorAll("details")];
    input.form.hidden = false;
    input.form.addEventListener("submit", (event) => event.preventDefault());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let met = 0;
      let all = 0;
      parts.forEach((part) => {
        const before = met;
        part.querySelectorAll("tbody tr").forEach((line) => {
          const text = `${part.querySelector("summary").textContent} ${line.textContent}`.toLowerCase();
          line.hidden = !wanted.every((word) => text.includes(word));
          met += line.hidden ? 0 : 1;
          all += 1;
        });
        part.hidden = met === before && part !== place;
        part.open = wanted.length > 0 && met > before;
      });
      told.textContent = wanted.length ? `${met} of ${all}` : "";
    });
  });
  document.getElementById("explorer").hidden = false;
  filter();
})();
