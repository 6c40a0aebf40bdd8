
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
  if (row.seeds.length)
    columns.append(part(`Seeds${metric ? ", " + metric.name : ""}`,
      pairs(row.seeds.map(([seed, value]) => [`seed ${seed}`, String(value)]))));
  for (const [place, control] of CONTROLS.entries()) {
    const versus = row.versus[place];
    if (versus) columns.append(part(`Against ${control}`, `${versus[1]}, ${versus[2]} (${versus[3]})`));
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

function columnsOf(table) {
  const metric = table.metrics[table.primary];
  const values = table.rows.flatMap((row) => row.seeds.map((pair) => pair[1]));
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const missing = -Infinity;
  const numeric = (title, read, hide) => ({
    title, hide, class: "num",
    sort: (row) => read(row)?.[0] ?? missing,
    text: (row) => read(row)?.[1] ?? "–",
  });
  const found = [
    {
      title: "…", class: "", fixed: true, text: () => "",
      show: (row) => make("button", {
        type: "button", class: "open", "aria-expanded": "false",
        "aria-label": `Record, command and environment of ${row.model}, ${row.freeze}`,
      }, "+"),
    },
    { title: "#", class: "num", sort: (row) => row.rank ?? 1e9, text: (row) => String(row.rank ?? "–") },
    {
      title: "network", class: "net", header: true, text: (row) => `${row.model} ${row.note}`,
      show: (row) => {
        const name = make("bdi", { class: row.model.length > 30 ? "long" : "whole" }, row.model);
        const notes = [row.note, row.comparable ? "" : "not comparable"].filter(Boolean).join("; ");
        return notes ? make("span", {}, name, make("span", { class: "note" }, notes)) : name;
      },
    },
    { title: "init", class: "net", hide: !table.inits || narrow, text: (row) => row.init },
    { title: "frozen", class: "net", hide: table.rows.every((row) => row.freeze === "none"), text: (row) => row.freeze },
  ];
  table.metrics.forEach((one, place) => {
    const arrow = one.higher === null ? "" : one.higher ? " ↑" : " ↓";
    const unit = one.unit ? ` (${one.unit})` : "";
    const hide = place !== table.primary && (narrow || place > 3);
    found.push(numeric(`${one.name}${unit}${arrow}`, (row) => row.values[place], hide));
  });
  if (metric) {
    found.push({
      title: `seeds of ${metric.name}`, class: "", hide: narrow || table.rows.every((row) => row.n < 2), sort: (row) => row.values[table.primary]?.[0] ?? missing,
      text: (row) => row.seeds.map((pair) => pair[1]).join(" "),
      show: (row) => (row.seeds.length ? strip(row.seeds, low, high, metric.unit) : "–"),
    });
  }
  for (const control of table.controls) {
    const place = CONTROLS.indexOf(control);
    found.push({
      title: `against ${control}`, class: "num versus",
      sort: (row) => row.versus[place]?.[0] ?? missing,
      text: (row) => (row.versus[place] ? `${row.versus[place][1]} ${row.versus[place][2]}` : "–"),
      show: (row) => {
        const versus = row.versus[place];
        if (!versus) return "–";
        const [value, ...interval] = versus[1].split(" [");
        return make("span", { title: versus[3] }, value, word(versus[2]),
          interval.length ? make("span", { class: "note" }, `[${interval[0]}`) : null);
      },
    });
  }
  found.push(
    numeric("n", (row) => [row.n, String(row.n) + (row.failed ? ` (+${row.failed} failed)` : "")], false),
    numeric("learns", (row) => row.learns, narrow),
    numeric("fixed", (row) => row.fixed, true),
    numeric("time a run", (row) => row.seconds, narrow),
    numeric("images/s", (row) => row.rate, true),
  );
  return found;
}

function chooser(board, columns) {
  const set = make("fieldset", {}, make("legend", {}, "Columns to show"));
  columns.forEach((column, place) => {
    if (column.fixed) return;
    const box = make("input", {
      type: "checkbox", checked: !column.hide,
      onchange: (event) => board.column(place).visible(event.target.checked),
    });
    set.append(make("label", {}, box, make("bdi", {}, column.title)));
  });
  const choice = make("details", { class: "choice" }, make("summary", {}, "Columns"), set);
  choice.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { choice.open = false; choice.firstChild.focus(); }
  });
  document.addEventListener("click", (event) => { if (!choice.contains(event.target)) choice.open = false; });
  return choice;
}

function build(table, holder) {
  const columns = columnsOf(table);
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
  const tools = make("div", { class: "tools" }, chooser(board, columns));
  holder.prepend(tools);
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
  return board;
}

const started = performance.now();
for (const holder of document.querySelectorAll(".board")) {
  const table = tables.find((one) => one.slug === holder.dataset.table);
  if (table) build(table, holder);
}
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
