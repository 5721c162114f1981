// The cone of what an output sees: the rule of cnnlib.receptive_field for a stack of sliding windows.
const { most, presets } = data;
const ACROSS = 28, UP = 56, ROOM = 16, BESIDE = 130;

// --- all numbers of one stack ---
const sources = ({ s, d, k, before }, unit) => range(k).map((t) => unit * s - before + t * d);
const middle = (row, unit) => 2 * row.a + row.r - 1 + 2 * unit * row.j;
const solve = (state) => {
  const rows = [{ count: state.size, r: 1, j: 1, a: 0, before: 0, after: 0 }];
  for (const l of range(state.depth)) {
    const below = rows[l], where = fill(words.where, { layer: l + 1 });
    const window = slid(where, below.count, state["kernel" + l], state["stride" + l], state["dilation" + l], state["padding" + l]);
    const { s, f, before, after } = window;
    Object.assign(below, { before, after });
    const row = { count: window.out, r: below.r + (f - 1) * below.j, j: below.j * s, a: below.a - before * below.j };
    rows.push({ ...row, window, before: 0, after: 0 });
  }
  const left = Math.min(...rows.map((row) => middle(row, -row.before)));
  const right = Math.max(...rows.map((row) => middle(row, row.count + row.after - 1)));
  const cells = Math.floor((right - left) / 2) + 1;
  if (cells > most[2]) refuse("too_wide", { cells, most: most[2] });
  return { rows, left, right, depth: state.depth, size: state.size };
};
const there = ({ rows }, layer, unit) => unit >= 0 && unit < rows[layer].count;
// For each layer up to this one the units that the output depends on, and the padding that it meets.
const wantedBy = (m, layer, output) => {
  const wanted = [];
  wanted[layer] = new Set([output]);
  for (let l = layer; l > 0; l -= 1) {
    const real = [...wanted[l]].filter((unit) => there(m, l, unit));
    wanted[l - 1] = new Set(real.flatMap((unit) => sources(m.rows[l].window, unit)));
  }
  return wanted;
};

// --- one output as HTML, letter for letter as Python writes the first ---
const draw = (m, layer, output, wanted) => {
  const { rows, left, right, depth, size } = m, reach = ((right - left) * ACROSS) / 2 + 2 * ROOM;
  const x = (l, unit) => ((middle(rows[l], unit) - left) * ACROSS) / 2 + ROOM, y = (l) => (depth - l) * UP + ROOM;
  const seen = (l, unit) => l <= layer && wanted[l].has(unit);
  const lines = ["", ""];
  for (const l of range(depth + 1).slice(1))
    for (const unit of range(rows[l].count))
      lines[+seen(l, unit)] += sources(rows[l].window, unit)
        .map((source) => `M${x(l, unit)} ${y(l)}L${x(l - 1, source)} ${y(l - 1)}`).join("");
  const units = rows.map((row, l) => range(row.before + row.count + row.after).map((at) => {
    const unit = at - row.before, inside = there(m, l, unit);
    const kind = inside ? (seen(l, unit) ? (l ? "out" : "in") : "no") : seen(l, unit) ? "off" : "pd";
    return `<circle class=${kind} cx=${x(l, unit)} cy=${y(l)} r=${inside ? 9 : 6} />`;
  }).join("")).join("");
  const beside = rows.map(({ r }, l) =>
    `<text class=t x=${reach + 4} y=${y(l) + 5}>${l ? fill(words.beside, { layer: l, r }) : fill(words.inputs, { size })}</text>`).join("");
  const width = reach + BESIDE;
  return `<div><svg data-p=cone viewBox="0 0 ${width} ${depth * UP + 2 * ROOM}" role="img" ` +
    `aria-label="${fill(words.drawing, { depth, size })}" style="width:${width}px;min-width:${Math.floor((width * 3) / 5)}px">` +
    `<path class=weak d="${lines[0]}"/><path class=strong d="${lines[1]}"/>${units}` +
    `<circle class=fr cx=${x(layer, output)} cy=${y(layer)} r=13 />${beside}</svg></div>`;
};
const regions = (m, { layer, output }) => {
  const { rows, size } = m, row = rows[layer], below = rows[layer - 1], { r, j } = row, wanted = wantedBy(m, layer, output);
  const first = row.a + output * j, last = first + r - 1, a = number(row.a);
  const beyond = clamp(-first, 0, r) + clamp(last - size + 1, 0, r);
  const read = [...wanted[0]].filter((unit) => there(m, 0, unit)).sort((one, other) => one - other);
  const head = ["layer", "outputs", "r", "j", "a"].map((key) => `<th scope=col>${words[key]}</th>`).join("");
  const lines = rows.map((one, l) =>
    `<tr${l === layer ? " class=here" : ""}><th scope=row>${l ? fill(words.layer_name, { layer: l }) : words.input}</th>` +
    [one.count, one.r, one.j, number(one.a)].map((value) => `<td>${value}</td>`).join("") + "</tr>").join("");
  return {
    panels: draw(m, layer, output, wanted),
    sum: fill(words.rule, {
      r0: below.r, j0: below.j, a0: number(below.a), f: row.window.f, s: row.window.s, before: below.before, r, j, a,
    }),
    say: fill(words.say, {
      layer, output, last_output: row.count - 1, r, j, first: number(first), last: number(last),
      outside: beyond ? fill(words.outside, { count: beyond }) : "", count: read.length, read: read.join(", ") || words.none,
    }),
    facts: `<table><tr>${head}</tr>${lines}</table>`,
  };
};

// --- the page ---
const LAYERS = range(most[1]);
// What is typed of a layer that is not there is not read.
const ofLayer = (l, word, take) => (text) => (l < +typed("depth") ? take(text, fill(words[word], { layer: l + 1 })) : 0);
const fields = { size: whole(1, most[0]), depth: whole(1, most[1]) };
for (const l of LAYERS) {
  fields["kernel" + l] = ofLayer(l, "layer_kernel", whole(1));
  fields["stride" + l] = ofLayer(l, "layer_stride", whole(1));
  fields["dilation" + l] = ofLayer(l, "layer_dilation", whole(1));
  fields["padding" + l] = (text) => (/^\d+$/.test(text) ? +text : text);
}
const { update, go } = explore({
  fields,
  solve,
  bound: (m, place) => {
    const layer = clamp(place.layer, 1, m.depth);
    return { layer, output: clamp(place.output, 0, m.rows[layer].count - 1) };
  },
  regions,
  before: () => {
    for (const l of LAYERS) root.querySelector(`[data-f=layer${l}]`).hidden = l >= +typed("depth");
  },
  after: (m, place) => {
    control("layer").max = m.depth;
    control("output").max = m.rows[place.layer].count - 1;
    for (const name of ["layer", "output"]) control(name).value = place[name];
    seek();
  },
});
// The output of a layer whose view has the same middle as that of the chosen one.
const over = (layer) => {
  const row = model.rows[layer];
  const output = Math.round((middle(model.rows[now.layer], now.output) - middle(row, 0)) / (2 * row.j));
  return { layer, output: clamp(output, 0, row.count - 1) };
};
for (const name of ["layer", "output"])
  control(name).oninput = () => go(name === "layer" ? over(+control(name).value) : { output: +control(name).value });
if (control("preset"))
  control("preset").oninput = () => {
    const stack = presets[control("preset").value];
    type("depth", stack.length);
    stack.forEach((numbers, l) =>
      ["kernel", "stride", "padding", "dilation"].forEach((name, at) => type(name + l, numbers[at])));
    update({ layer: stack.length, output: 0 });
    go({ output: model.rows[model.depth].count >> 1 });
  };
keys(stage, () => ({
  ArrowLeft: { output: Math.max(now.output - 1, 0) },
  ArrowRight: { output: now.output + 1 },
  ArrowUp: over(Math.min(now.layer + 1, model.depth)),
  ArrowDown: over(Math.max(now.layer - 1, 1)),
  Home: { output: 0 },
  End: { output: model.rows[now.layer].count - 1 },
}), go);
draggable(stage, (target) => target.closest("svg")?.dataset.p, () => true, (name, x, y, held) => {
  const layer = held ? now.layer : clamp(model.depth - Math.round((y - ROOM) / UP), 1, model.depth), row = model.rows[layer];
  const at = ((x - ROOM) * 2) / ACROSS + model.left;
  go({ layer, output: clamp(Math.round((at - middle(row, 0)) / (2 * row.j)), 0, row.count - 1) });
});
