// Two rows of a table against each other, as `rbench diff` has it.

function round(value) {
  const sizes = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]];
  const [suffix, size] = Math.abs(value) < 1e4 ? ["", 1] : sizes.find((one) => Math.abs(value) >= 0.9995 * one[1]);
  return `${+(value / size).toPrecision(size > 1 ? 3 : 4)}${suffix && " " + suffix}`.replace("-", "−");
}
const signed = (value) => (value > 0 ? "+" : "") + round(value);

function compareMetric(a, b, metric, place) {
  const gap = differenceOf(a, b, place);
  const shown = (row) => row.values[place]?.[1] ?? "–";
  const cells = [metric.name, shown(a), shown(b)];
  if (!gap) return { cells: [...cells, "–", "–", "–"], word: "no value in one of them" };
  // What is the same for every seed, such as a count of parameters, has no interval.
  const varies = gap.low !== null && gap.low < gap.high;
  const interval = varies ? ` [${round(gap.low)}, ${round(gap.high)}]` : "";
  const test = `${gap.paired ? "paired" : "Welch"}, n = ${gap.n}, p = ${+gap.p?.toPrecision(2)}`;
  const how = varies ? test : gap.low === null ? `n = ${gap.n}` : "the same for every seed";
  const noise = wordOf(gap, metric.higher) === "within the noise";
  return {
    gap,
    cells: [...cells, signed(gap.value) + interval, how, noise ? round(gap.smallest) : "–"],
    word: wordOf(gap, metric.higher),
  };
}

function comparison(a, b, table, close) {
  const heads = ["metric", "A", "B", "B − A, 95 % interval", "test", "smallest difference this n shows", ""];
  const body = make("tbody");
  table.metrics.forEach((metric, place) => {
    if (!a.values[place] && !b.values[place]) return;
    const { cells, word: said, gap } = compareMetric(a, b, metric, place);
    const [name, ...rest] = cells;
    const unit = metric.unit ? ` (${metric.unit})` : "";
    // All digits, for whoever reads the page by a program.
    body.append(make("tr", { "data-gap": gap && JSON.stringify(gap) }, make("th", { scope: "row" }, make("bdi", {}, inWords(name) + unit)),
      ...rest.map((cell) => make("td", { class: "num" }, cell)), make("td", {}, word(said))));
  });
  const own = [new Map(a.own), new Map(b.own)];
  const names = [...new Set([...own[0].keys(), ...own[1].keys()])];
  const fields = names.filter((name) => own[0].get(name) !== own[1].get(name));
  const describe = (row) => [row.model, row.init === "default" ? "" : row.init, row.freeze, row.note].filter(Boolean).join(", ");
  const slug = (row) => (row.records[0]?.[1] ?? "").replace(/^.*\//, "").replace(/\.json$/, "");
  const chance = (0.05 * table.pairs).toPrecision(2);
  return make("div", { class: "comparison card", role: "region", "aria-label": "Two rows compared", "aria-live": "polite" },
    make("div", { class: "bar" }, make("h4", {}, "Two rows compared"),
      make("button", { type: "button", onclick: close }, "Close")),
    pairs([["A", describe(a)], ["B", describe(b)]]),
    make("h4", {}, fields.length ? "Fields in which they differ" : "They differ in no field"),
    pairs(fields.map((name) => [name, `${own[0].get(name) ?? "–"} → ${own[1].get(name) ?? "–"}`])),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences by metric" },
      make("table", { class: "plain" },
        make("thead", {}, make("tr", {}, ...heads.map((head, place) => make("th", { scope: "col", class: place && place < 6 ? "num" : null }, head)))), body)),
    make("p", { class: "quiet" }, `This is one of ${table.pairs} pairs of the table's rows: chance alone would put ${+chance} of them beyond the noise. `,
      "Where predictions were kept, this command adds McNemar's test over the images:"),
    make("pre", {}, `rbench diff ${slug(a)} ${slug(b)} RECORDS`));
}

// Keeps the two rows that were chosen last, and shows them below the table's tools.
function comparer(table, place) {
  const chosen = [];
  const clear = () => {
    for (const { box } of chosen.splice(0)) box.checked = false;
    place.replaceChildren();
  };
  return (row, box) => {
    const known = chosen.findIndex((one) => one.row === row);
    if (known >= 0) chosen.splice(known, 1);
    if (box.checked) chosen.push({ row, box });
    if (chosen.length > 2) chosen.shift().box.checked = false;
    place.replaceChildren(...(chosen.length === 2 ? [comparison(chosen[0].row, chosen[1].row, table, clear)]
      : chosen.length ? [make("p", { class: "quiet" }, "Choose a second row to compare it with.")] : []));
  };
}
