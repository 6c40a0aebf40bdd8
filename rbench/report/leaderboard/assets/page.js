
// The page's own script: draws the tables from the JSON beside it. Every text of a record goes
// in as textContent or as a text node, never as markup.
const { tables, environments } = JSON.parse(document.getElementById("data").textContent);
const CONTROLS = ["learnable", "baseline"];
const narrow = matchMedia("(max-width: 640px)").matches;

function make(tag, fields = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function strip(seeds, low, high, unit) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const place = (value) => (high > low ? 4 + (112 * (value - low)) / (high - low) : 60);
  const draw = (tag, fields) => {
    const element = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(fields)) element.setAttribute(name, value);
    svg.append(element);
  };
  const values = seeds.map((pair) => pair[1]);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  svg.setAttribute("viewBox", "0 0 120 22");
  svg.setAttribute("class", "strip");
  svg.setAttribute("role", "img");
  const said = seeds.map(([seed, value]) => `seed ${seed}: ${+value.toPrecision(6)}`).join(", ");
  svg.setAttribute("aria-label", `${said}${unit ? " " + unit : ""}`);
  const title = document.createElementNS(space, "title");
  title.textContent = said;
  svg.append(title);
  draw("line", { x1: 4, x2: 116, y1: 11, y2: 11 });
  values.forEach((value) => draw("circle", { cx: place(value).toFixed(1), cy: 11, r: 3.5 }));
  draw("line", { class: "mean", x1: place(mean).toFixed(1), x2: place(mean).toFixed(1), y1: 3, y2: 19 });
  return svg;
}

function word(text) {
  const kind = text === "better" ? "good" : text === "worse" ? "bad" : "even";
  return make("span", { class: `word ${kind}` }, text);
}

// A metric's name as words, which may break after each.
const inWords = (name) => name.replaceAll("_", " ").replace("@", " @ ");

function pairs(list) {
  const found = make("dl");
  for (const [name, value] of list) found.append(make("dt", {}, name), make("dd", {}, value));
  return found;
}

function details(row, table) {
  const metric = table.metrics[table.primary];
  const part = (title, ...content) => make("div", {}, make("h4", {}, title), ...content);
  const links = make("div", { class: "links" });
  for (const [seed, path, address] of row.records) {
    const name = `seed ${seed}`;
    links.append(address ? make("a", { href: address }, name) : make("code", {}, path));
  }
  const pictures = make("div", { class: "links" });
  for (const [name, address] of row.pictures) pictures.append(make("a", { href: address }, name));
  const lines = environments[row.environment].split("\n").filter(Boolean);
  const split = (line) => {
    const place = line.indexOf(": ");
    return [line.slice(0, place), line.slice(place + 2)];
  };
  const columns = make("div", { class: "columns" });
  const seeds = metric ? valuesOf(row, table.primary) : [];
  if (seeds.length)
    columns.append(part(`Seeds, ${inWords(metric.name)}`,
      pairs(seeds.map(([seed, value]) => [`seed ${seed}`, String(value)]))));
  for (const [place, control] of CONTROLS.entries()) {
    const versus = row.versus[place];
    const shows = versus?.[4] ? ` (${versus[4]})` : "";
    if (versus) columns.append(part(`Against ${control}`, `${versus[1]}: ${versus[2]}${shows}; ${versus[3]}`));
  }
  if (row.own.length) columns.append(part("Options that differ within the table", pairs(row.own)));
  columns.append(part("Options that all rows share", pairs(table.common)));
  columns.append(part("Environment", pairs(lines.map(split))));
  const content = make("div", { class: "more" });
  if (row.commands.length) content.append(part("Command", ...row.commands.map((line) => make("pre", {}, line))));
  content.append(part("Records", links));
  if (row.pictures.length) content.append(part("Pictures", pictures));
  if (row.failed) content.append(part("Failed runs", `${row.failed}: ${row.error}`));
  content.append(columns);
  return content;
}

// The columns from left to right. Of those that do not fit the width, the ones with the highest
// `rank` go first; those without a rank stay.
function columnsOf(table, compare) {
  const metric = table.metrics[table.primary];
  const seedsOf = (row) => (metric ? valuesOf(row, table.primary) : []);
  const values = table.rows.flatMap((row) => seedsOf(row).map((pair) => pair[1]));
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const missing = -Infinity;
  const alike = (read) => table.rows.length > 1 && table.rows.every((row) => read(row) === read(table.rows[0]));
  // With the network, as without it rows look the same.
  const drawn = (row) => (row.init === "default" ? "" : `drawn by ${row.init}`);
  const numeric = (title, read, rank, hide) => ({
    title, rank, hide, class: "num",
    sort: (row) => read(row)?.[0] ?? missing,
    text: (row) => read(row)?.[1] ?? "–",
  });
  const found = [
    {
      title: "…", class: "first", width: narrow ? 24 : 52, fixed: true, text: () => "",
      show: (row) => make("span", { class: "tick" },
        make("button", {
          type: "button", class: "open", "aria-expanded": "false",
          "aria-label": `Record, command and environment of ${row.model}, ${row.freeze}`,
        }, "+"),
        table.rows.length > 1 && row.n ? make("input", {
          type: "checkbox", class: "chosen", title: "Compare two rows",
          "aria-label": `Compare ${row.model}, ${row.freeze}`,
          onchange: (event) => compare(row, event.target),
        }) : null),
    },
    {
      title: "#", class: "num", sort: (row) => row.rank ?? 1e9, text: (row) => String(row.rank ?? "–"),
      show: (row) => make("span", {}, String(row.rank ?? "–"),
        row.ranks && row.ranks[0] < row.ranks[1]
          ? make("span", { class: "note", title: "Ranks that the seeds leave possible" }, `${row.ranks[0]}–${row.ranks[1]}`) : null),
    },
    {
      title: "network", class: "net", width: narrow ? 120 : undefined, header: true, text: (row) => `${row.model} ${drawn(row)} ${row.note}`,
      show: (row) => {
        const name = make("bdi", { class: row.model.length > 30 ? "long" : "whole" }, row.model);
        const frozen = narrow && row.freeze !== "none" ? `frozen: ${row.freeze}` : "";
        const notes = [drawn(row), frozen, row.note, row.comparable ? "" : "not comparable"].filter(Boolean).join("; ");
        const mark = row.marked ? make("span", { class: "word bad" }, row.marked) : null;
        return notes || mark ? make("span", {}, name, mark, make("span", { class: "note" }, notes)) : name;
      },
    },
    { title: "init", class: "net", rank: 202, hide: true, text: (row) => row.init },
    { title: "frozen", class: "net", rank: narrow ? 1 : undefined, hide: alike((row) => row.freeze), text: (row) => row.freeze },
  ];
  table.metrics.forEach((one, place) => {
    const arrow = one.higher === null ? "" : one.higher ? " ↑" : " ↓";
    const unit = one.unit ? ` (${one.unit})` : "";
    const rank = place === table.primary ? undefined : 5 + place;
    found.push(numeric(`${inWords(one.name)}${unit}${arrow}`, (row) => row.values[place], rank, rank && Boolean(one.same)));
  });
  if (metric) {
    found.push({
      title: `seeds of ${inWords(metric.name)}`, class: "", width: narrow ? 84 : 120, rank: 4, hide: table.rows.every((row) => row.n < 2), sort: (row) => row.values[table.primary]?.[0] ?? missing,
      text: (row) => seedsOf(row).map((pair) => pair[1]).join(" "),
      show: (row) => (seedsOf(row).length ? strip(seedsOf(row), low, high, metric.unit) : "–"),
    });
  }
  for (const control of table.controls) {
    const place = CONTROLS.indexOf(control);
    found.push({
      title: `against ${control}`, class: "num versus", width: 170, rank: narrow ? 2 : undefined,
      sort: (row) => row.versus[place]?.[0] ?? missing,
      text: (row) => (row.versus[place] ? `${row.versus[place][1]} ${row.versus[place][2]}` : "–"),
      show: (row) => {
        const versus = row.versus[place];
        if (!versus) return "–";
        const [value, ...interval] = versus[1].split(" [");
        return make("span", { title: versus[3] }, value, word(versus[2]),
          interval.length ? make("span", { class: "note" }, `[${interval[0]}`) : null,
          versus[4] ? make("span", { class: "note shows" }, versus[4]) : null);
      },
    });
  }
  found.push(
    numeric("n", (row) => [row.n, String(row.n) + (row.failed ? ` (+${row.failed} failed)` : "")], narrow ? 3 : undefined),
    { ...numeric("learns", (row) => row.learns, 2, alike((row) => row.learns[1])), class: "num learns", width: 90 },
    numeric("fixed", (row) => row.fixed, 200, true),
    numeric("time a run", (row) => row.seconds, 100),
    numeric("images/s", (row) => row.rate, 201, true),
  );
  return found;
}

// The places of columns to hide, so that a table becomes narrower by `over` pixels.
function surplus(columns, widths, over) {
  const order = columns.map((column, place) => ({ rank: column.rank, place }));
  order.sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
  const found = [];
  for (const { rank, place } of order) {
    if (over <= 0 || rank === undefined) break;
    if (!widths[place]) continue;
    found.push(place);
    over -= widths[place];
  }
  return found;
}

// Hides what will not fit before the table is drawn, by the widths of the texts: what is drawn
// and hidden again takes longer than all the rest.
const ink = document.createElement("canvas").getContext("2d");
function foresee(table, columns, room) {
  const { fontFamily, fontSize } = getComputedStyle(document.body);
  ink.font = `${0.92 * parseFloat(fontSize)}px ${fontFamily}`;
  const wide = (text) => ink.measureText(text).width;
  const rows = table.rows.slice(0, 50);
  const widths = columns.map((column) => {
    if (column.hide) return 0;
    const words = column.title.split(" ").map(wide);
    const texts = column.width ?? Math.max(0, ...rows.map((row) => wide(column.text(row))));
    return Math.max(...words, Math.min(texts, 270)) + (narrow ? 16 : 24);
  });
  const sum = widths.reduce((total, width) => total + width, 0);
  for (const place of surplus(columns, widths, sum - room)) columns[place].hide = true;
}

// Hides what does not fit though it was foreseen to.
function fit(board, columns, wrapper) {
  const over = wrapper.scrollWidth - wrapper.clientWidth;
  if (over <= 0) return;
  const widths = columns.map((_, place) => (board.column(place).visible() ? board.column(place).header().offsetWidth : 0));
  for (const place of surplus(columns, widths, over)) {
    board.column(place).visible(false, false);
    columns[place].hide = true;
  }
  board.columns.adjust();
}

// How many columns are shown, with a button for the others.
function counter(board, columns, boxes) {
  const words = make("span", { class: "quiet" });
  const all = make("button", { type: "button", onclick: () => {
    boxes.forEach((box) => { if (!box.checked) box.click(); });
  } }, "Show all columns");
  const say = () => {
    const shown = columns.filter((column, place) => board.column(place).visible()).length;
    words.textContent = shown < columns.length ? `${shown} of ${columns.length} columns shown` : "";
    all.hidden = shown === columns.length;
  };
  say();
  return { element: make("span", { class: "counter" }, words, all), say };
}

function chooser(board, columns) {
  const boxes = [];
  const set = make("fieldset", {}, make("legend", {}, "Columns to show"));
  columns.forEach((column, place) => {
    if (column.fixed) return;
    const box = make("input", {
      type: "checkbox", checked: !column.hide,
      onchange: (event) => { board.column(place).visible(event.target.checked); count.say(); },
    });
    boxes.push(box);
    set.append(make("label", {}, box, make("bdi", {}, column.title)));
  });
  const choice = make("details", { class: "choice" }, make("summary", {}, "Columns"), set);
  choice.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { choice.open = false; choice.firstChild.focus(); }
  });
  document.addEventListener("click", (event) => { if (!choice.contains(event.target)) choice.open = false; });
  const count = counter(board, columns, boxes);
  return [choice, count.element];
}

function build(table, holder, room) {
  const compared = make("div", { class: "compared" });
  const columns = columnsOf(table, comparer(table, compared));
  foresee(table, columns, room);
  const element = make("table", {}, make("caption", { class: "skip" }, table.name),
    make("thead", {}, make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column.title)))));
  holder.append(element);
  const many = table.rows.length > 50;
  const board = new globalThis.rbenchDataTable(element, {
    data: table.rows,
    order: [],
    autoWidth: false,
    paging: many,
    info: many,
    pageLength: 50,
    lengthMenu: [25, 50, 100, 500],
    language: { search: "Search", lengthMenu: "_MENU_ rows a page", info: "_START_–_END_ of _TOTAL_", infoEmpty: "No row", infoFiltered: "(of _MAX_)", zeroRecords: "No row fits the search", emptyTable: "No row", decimal: "." },
    layout: { topStart: "search", topEnd: many ? "pageLength" : null, bottomStart: many ? "info" : null, bottomEnd: many ? "paging" : null },
    columnDefs: [{ targets: "_all", orderSequence: ["desc", "asc", ""] }],
    columns: columns.map((column) => ({
      title: undefined,
      className: column.class,
      cellType: column.header ? "th" : "td",
      visible: !column.hide,
      orderable: !column.fixed,
      searchable: !column.fixed,
      type: column.sort ? "num" : "string",
      orderSequence: column.sort && column.title !== "#" ? ["desc", "asc", ""] : ["asc", "desc", ""],
      data: (row, type) => (type === "sort" || type === "type") && column.sort ? column.sort(row) : type === "display" ? "" : column.text(row),
      createdCell: (cell, _, row) => {
        if (column.header) cell.scope = "row";
        const content = column.show ? column.show(row) : make("bdi", {}, column.text(row));
        cell.replaceChildren(content);
      },
    })),
  });
  const wrapper = holder.querySelector(".dt-layout-table .dt-layout-cell") || element.parentElement;
  wrapper.classList.add("scroll");
  wrapper.tabIndex = 0;
  wrapper.setAttribute("role", "region");
  wrapper.setAttribute("aria-label", `Table: ${table.name}`);
  const tools = make("div", { class: "tools" });
  holder.prepend(tools, compared);
  const same = table.metrics.filter((one) => one.same).map((one) => `${inWords(one.name)} ${one.same}`);
  for (const column of columns.filter((one) => ["frozen", "learns"].includes(one.title)))
    if (column.hide && new Set(table.rows.map(column.text)).size === 1) same.push(`${column.title} ${column.text(table.rows[0])}`);
  if (same.length) holder.append(make("p", { class: "quiet" }, `The same in all rows: ${same.join("; ")}.`));
  const search = holder.querySelector(".dt-search");
  if (search) tools.prepend(search);
  element.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (!button) return;
    const row = board.row(button.closest("tr"));
    const shown = row.child.isShown();
    if (shown) row.child.hide();
    else row.child(details(row.data(), table)).show();
    button.setAttribute("aria-expanded", String(!shown));
    button.textContent = shown ? "+" : "−";
  });
  return () => {
    fit(board, columns, wrapper);
    tools.append(...chooser(board, columns));
  };
}

const started = performance.now();
// The page is laid out twice in all: before the tables, and with all of them.
const holders = [...document.querySelectorAll(".board")];
const rooms = holders.map((holder) => holder.clientWidth);
const finish = holders.map((holder, place) => {
  const table = tables.find((one) => one.slug === holder.dataset.table);
  return table && build(table, holder, rooms[place]);
});
finish.filter(Boolean).forEach((done) => done());
document.documentElement.dataset.ready = (performance.now() - started).toFixed(0);

const theme = document.getElementById("theme");
const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
const say = () => {
  theme.textContent = dark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", dark() ? "Switch to the light colours" : "Switch to the dark colours");
};
theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  say();
});
say();
