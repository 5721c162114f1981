// Channels in, filters out: the rules of grouped convolution and of cnnlib.sizes, on few channels.
const { all, most } = data;
const KINDS = ["plain", "grouped", "depthwise", "pointwise"];

// --- what is typed: so many blocks of rows, one below the other ---
const blocks = (count) => (text, name) => {
  const rows = table(text, name), tall = rows.length / count;
  if (!Number.isInteger(tall)) refuse("uneven", { name, rows: rows.length, count });
  return range(count).map((block) => rows.slice(block * tall, (block + 1) * tall));
};
const readKernel = (text, name) => {
  const [channels, filters] = all, found = blocks(channels * filters)(text, name);
  return range(filters).map((f) => found.slice(f * channels, (f + 1) * channels));
};
const readBias = (text, name) => {
  const found = table(text, name).flat();
  if (found.length !== all[1]) refuse("miscounted", { name, count: found.length, wanted: all[1] });
  return found;
};

// --- all numbers of one layer: inputs[channel], kernel[filter][channel] ---
const windowOf = ({ kernel }, kind) => (kind === "pointwise" ? [1, 1] : [kernel[0][0].length, kernel[0][0][0].length]);
const groupsOf = ({ kind, groups, channels }) => (kind === "grouped" ? groups : kind === "depthwise" ? channels : 1);
const solve = (state) => {
  const { kind, channels, filters, inputs } = state, groups = groupsOf(state), size = windowOf(state, kind);
  const shape = [inputs[0].length, inputs[0][0].length];
  for (const [what, count] of [[words.channels, channels], [words.filters, filters]])
    if (count % groups) refuse("unsplit", { count, what, groups });
  const [down, across] = shape.map((n, axis) => slid(fill(words.where, { axis }), n, size[axis], 1, 1, "valid"));
  checkDrawn(shape, most);
  return { ...state, split: groups, down, across, steps: down.out * across.out, columns: across.out };
};
const reads = ({ channels, filters, split }, f) => {
  const each = channels / split, first = Math.floor(f / (filters / split)) * each;
  return range(each).map((c) => first + c);
};
const weightsOf = ({ kind, kernel }, c, f) => {
  const weights = kernel[f][c];
  return kind === "pointwise" ? [[weights[weights.length >> 1][weights[0].length >> 1]]] : weights;
};
const slide = ({ down, across }, picture, weights) => range(down.out).map((y) => range(across.out).map((x) =>
  weights.reduce((sum, line, i) => line.reduce((part, w, j) => part + w * picture[y + i][x + j], sum), 0)));

// --- one filter at one place as HTML, letter for letter as Python writes the first ---
const plain = (name, title, values, kind, frame) => panel(name, title, values, (i, j, value) => cell(i, j, value, kind), frame);
const drawBank = (m, f) => {
  const small = CELL / 2, width = m.channels * small, height = m.filters * small;
  const cells = range(m.filters).map((g) => range(m.channels).map((c) =>
    `<rect class=${reads(m, g).includes(c) ? "k" : "no"} x=${c * small} y=${g * small} />`)
    .join("")).join("");
  const rows = range(m.filters).map((g) => `${g}: ${reads(m, g).join(", ")}`).join("; ");
  return `<div><div>${words.bank}</div><svg data-p=m viewBox="-3 -3 ${width + 6} ${height + 6}" role="img" ` +
    `aria-label="${words.bank}: ${rows}" style="width:${width + 6}px">${cells}` +
    `<path class=fr d="M0 ${f * small}h${width}v${small}h-${width}z"/></svg></div>`;
};
const counts = (m) => {
  const { channels, filters, inputs } = m, biases = m.use_bias ? filters : 0;
  const lines = [...KINDS, "separable"].map((kind) => {
    const [tall, wide] = windowOf(m, kind), groups = groupsOf({ ...m, kind });
    const places = (inputs[0].length - tall + 1) * (inputs[0][0].length - wide + 1), each = tall * wide;
    let found = ["—", "—", "—"];
    if (kind === "separable") {
      const all = each * channels + channels * filters;
      found = [`${tall}×${wide}×1×${channels}, 1×1×${channels}×${filters}`, all + biases, all * places];
    } else if (channels % groups === 0 && filters % groups === 0) {
      const all = (each * channels * filters) / groups;
      found = [`${tall}×${wide}×${channels / groups}×${filters}`, all + biases, all * places];
    }
    return `<tr${kind === m.kind ? " class=here" : ""}><th scope=row>${words[kind]}</th>` +
      found.map((one) => `<td>${one}</td>`).join("") + "</tr>";
  });
  const head = ["kind", "weights", "parameters", "macs"].map((key) => `<th scope=col>${words[key]}</th>`).join("");
  return `<table><tr>${head}</tr>${lines.join("")}</table>`;
};
const regions = (m, { filter: f, at }) => {
  const row = Math.floor(at / m.columns), column = at % m.columns, spot = [row, column, 1, 1], own = reads(m, f);
  const sums = Object.fromEntries(own.map((c) => [c, slide(m, m.inputs[c], weightsOf(m, c, f))]));
  const offset = m.use_bias ? [m.bias[f]] : [];
  const outputs = range(m.down.out).map((i) => range(m.across.out).map((j) =>
    own.map((c) => sums[c][i][j]).concat(offset).reduce((a, b) => a + b, 0)));
  const given = own.map((c) => sums[c][row][column]), result = number(outputs[row][column]);
  const lines = range(m.channels).map((c) => {
    const line = own.includes(c)
      ? plain("w" + c, fill(words.channel, { c }), m.inputs[c], "in", [row, column, m.down.k, m.across.k]) +
        `<b>⋆</b>${plain("k" + c, words.kernel, weightsOf(m, c, f), "k")}<b>=</b>${plain("s" + c, words.partial, sums[c], "so", spot)}`
      : plain("u" + c, fill(words.unread, { c }), m.inputs[c], "pd");
    return `<div class=ln>${line}</div>`;
  });
  const map = plain("pl", fill(words.feature_map, { f }), outputs, "out", spot);
  return {
    panels: `${lines.join("")}<div class=ln>${map}${drawBank(m, f)}</div>`,
    sum: `${given.concat(offset).map(factor).join(" + ")} = ${result}`,
    say: fill(words.filter_at, {
      f, last: m.filters - 1, row, column, total: fill(words[m.use_bias ? "with_bias" : "no_bias"], { bias: number(m.bias[f]), result }),
      given: own.map((c, at) => fill(words.gives, { c, sum: number(given[at]) })).join(", "),
    }),
    facts: counts(m),
  };
};

// --- the page ---
const { go } = explore({
  fields: {
    kind: asIs, groups: whole(1), channels: whole(1, all[0]), filters: whole(1, all[1]), use_bias: isOn,
    inputs: blocks(all[0]), kernel: readKernel, bias: readBias,
  },
  solve,
  bound: (m, place) => ({ filter: clamp(place.filter, 0, m.filters - 1), at: clamp(place.at, 0, m.steps - 1) }),
  regions,
  before: () => { control("groups").closest("label").hidden = typed("kind") !== "grouped"; },
  after: (m, { filter, at }) => {
    steered(m, at);
    control("filter").max = m.filters - 1;
    control("filter").value = filter;
  },
});
steer(go);
control("filter").oninput = () => go({ filter: +control("filter").value });
stage.addEventListener("click", (event) => {
  const drawing = event.target.closest("svg[data-p=m]");
  if (!drawing) return;
  const box = drawing.getBoundingClientRect();
  go({ filter: clamp(Math.floor(((event.clientY - box.top) / box.height) * model.filters), 0, model.filters - 1) });
});
