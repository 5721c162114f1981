// The rules of cnnlib.sizes for a window along one axis; `where` names it in what is refused.
const padding = (n, f, s, mode) => {
  if (typeof mode === "number") return [mode, mode];
  if (mode === "full") return [f - 1, f - 1];
  if (mode === "causal") return [f - 1, 0];
  if (mode !== "same") return [0, 0];
  const total = Math.max((Math.ceil(n / s) - 1) * s + f - n, 0);
  return [total >> 1, total - (total >> 1)];
};
const slid = (where, n, k, s, d, mode) => {
  const f = d * (k - 1) + 1, [before, after] = padding(n, f, s, mode), cells = n + before + after, room = cells - f;
  const found = { where, n, k, s, d, f, before, after, cells };
  if (room < 0) {
    const largest = Math.floor((cells - 1) / d) + 1;
    refuse("unfit", {
      ...found,
      spread: d > 1 ? fill(words.unfit_spread, found) : "",
      padded: before || after ? fill(words.unfit_padded, found) : "",
      lacking: Math.ceil((f - n) / 2),
      smaller: largest > 0 ? fill(words.unfit_smaller, { largest }) : "",
    });
  }
  const out = Math.floor(room / s) + 1;
  return { ...found, out, dropped: cells - ((out - 1) * s + f) };
};
// A row is drawn as a picture of one row.
const OF_ROW = { n: 1, k: 1, s: 1, d: 1, f: 1, before: 0, after: 0, out: 1, dropped: 0, cells: 1 };
const checkDrawn = (all, most) => all.forEach((cells, axis) => {
  if (cells > most) refuse("too_many", { axis, cells, most });
});
const facts = (axes, template) => axes.map((axis, at) => {
  const values = { ...axis, axis: words[axes.length > 1 ? ["rows", "columns"][at] : "size"], after: factor(axis.after) };
  return `<div>${fill(template, values)}${axis.d > 1 ? " " + fill(words.spread, values) : ""}</div>`;
}).join("");
