// A network as lines of text: the rules of cnnlib.sizes and cnnlib.receptive_field, layer by layer.
const { presets, kinds } = data;
const ACTIVATIONS = ["relu", "relu6", "tanh", "sigmoid", "softmax"];
const COUNTED = { stride: 1, pad: 0, dilation: 1, groups: 1 };
const MOST = 100000, MOST_LINES = 60;

// --- what a line says ---
const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
const counted = (line, what, word, least) => {
  if (!/^[0-9]{1,9}$/.test(word) || +word < least || +word > MOST) refuse("no_count", { line, what, least, most: MOST, word });
  return +word;
};
const readLine = (line, said) => {
  const [kind, ...rest] = said;
  if (!Object.hasOwn(kinds, kind)) refuse("no_kind", { line, word: kind, known: Object.keys(kinds).join(", ") });
  const [needed, options] = kinds[kind], allowed = options.split(" ").filter(Boolean), counts = {}, flags = {};
  const known = allowed.map((option) => (option === "act" ? ACTIVATIONS.join(" ") : option)).join(", ");
  let act = "";
  for (const what of needed) {
    if (!rest.length) refuse("needs", { line, kind, what });
    counts[what] = counted(line, what, rest.shift(), 1);
  }
  while (rest.length) {
    const word = rest.shift();
    if (word in COUNTED && allowed.includes(word)) {
      if (!rest.length) refuse("needs", { line, kind: word, what: word });
      counts[word] = counted(line, word, rest.shift(), COUNTED[word]);
    } else if (ACTIVATIONS.includes(word) && allowed.includes("act")) act = word;
    else if (["same", "nobias", "bn"].includes(word) && allowed.includes(word)) flags[word] = true;
    else refuse("no_option", { line, kind, word, known: known || words.no_options });
  }
  const { stride = 1, dilation = 1 } = counts;
  if (stride > 1 && dilation > 1) refuse("both", { line, stride, dilation });
  return { line, text: said.join(" "), kind, counts, act, ...flags };
};
const readLines = (text) => {
  const rows = text.split("\n").map((line, at) => [at + 1, line.split(/\s+/).filter(Boolean)]).filter(([, said]) => said.length);
  if (rows.length < 1 || rows.length > MOST_LINES) refuse("no_lines", { count: rows.length, most: MOST_LINES });
  return rows.map(([at, said]) => readLine(at, said));
};
const readInput = (text) => {
  const shape = text.split(/[\s,×]+/).filter(Boolean);
  if (shape.length !== 3 || !shape.every((n) => /^[0-9]{1,9}$/.test(n) && +n >= 1 && +n <= MOST)) refuse("no_input", {});
  return shape.map(Number);
};

// --- what it makes, and what it costs ---
const shapeAfter = ({ line, kind, counts, same }, shape) => {
  if (kind === "dense") {
    if (shape.length === 3) refuse("no_row", { line });
    return [counts.units];
  }
  if (shape.length === 1) refuse("no_picture", { line, kind });
  const [height, width, channels] = shape;
  if (kind === "globalpool") return [channels];
  if (kind === "flatten") return [height * width * channels];
  const { filters = channels, groups = 1, dilation = 1, kernel = counts.window, stride = counts.window ?? 1 } = counts;
  for (const [what, count] of [["channels", channels], ["filters", filters]])
    if (count % groups) refuse("unsplit", { line, count, what, groups });
  const sizes = [height, width].map((n, axis) => {
    const where = `${fill(words.at_line, { line })}, ${fill(words.where, { axis })}`;
    return slid(where, n, kernel, stride, dilation, same ? "same" : counts.pad ?? 0).out;
  });
  return [...sizes, filters];
};
const cost = ({ kind, counts, nobias, bn }, before, shape) => {
  const made = shape[shape.length - 1], places = shape.length === 3 ? shape[0] * shape[1] : 1, depth = before[before.length - 1];
  let weights = 0;
  if (kind === "dense") weights = depth * made;
  if (kind === "conv") weights = counts.kernel ** 2 * (depth / (counts.groups ?? 1)) * made;
  if (kind === "depthwise") weights = counts.kernel ** 2 * depth;
  return { parameters: weights + (weights && !nobias ? made : 0) + (bn ? 4 * made : 0), macs: weights * places };
};
const product = (shape) => shape.reduce((a, b) => a * b, 1);
const solve = ({ input, layers }) => {
  const lines = readLines(layers), text = fill(words.input, { sizes: input.join(" ") });
  const rows = [{ text, shape: input, parameters: 0, macs: 0, values: product(input), field: 1 }];
  let shape = input, r = 1, j = 1;
  for (const one of lines) {
    const before = shape, { dilation = 1, kernel = one.counts.window, stride = one.counts.window ?? 1 } = one.counts;
    shape = shapeAfter(one, before);
    const picture = shape.length === 3;
    if (picture) {
      r += (kernel - 1) * dilation * j;
      j *= stride;
    }
    const values = one.kind === "flatten" ? 0 : product(shape);
    rows.push({ text: one.text, shape, ...cost(one, before, shape), values, field: picture ? r : null });
  }
  return { input, lines, rows };
};

// --- the table as HTML, letter for letter as Python writes the first ---
const code = ({ input, lines }) => {
  const made = [`Input((${input.join(", ")}))`];
  for (const { kind, counts, same, nobias, bn, act } of lines) {
    const [needed, , theirs] = kinds[kind], options = needed.map((what) => counts[what]);
    const add = (word, key) => { if (key in counts) options.push(`${word}=${counts[key]}`); };
    add("strides", "stride");
    if (same) options.push(`padding="same"`);
    add("dilation_rate", "dilation");
    add("groups", "groups");
    if (nobias) options.push("use_bias=False");
    if (act && !bn) options.push(`activation="${act}"`);
    if (counts.pad) made.push(`ZeroPadding2D(${counts.pad})`);
    made.push(`${theirs}(${options.join(", ")})`);
    if (bn) made.push("BatchNormalization()");
    if (bn && act) made.push(`Activation("${act}")`);
  }
  return `from keras import Sequential, layers\n\nmodel = Sequential([\n${made.map((one) => `    layers.${one},\n`).join("")}])`;
};
const bar = (count, most) => `${grouped(count)}<i style="width:${most ? Math.floor((100 * count) / most) : 0}%"></i>`;
const sumOf = (rows, what) => rows.reduce((sum, row) => sum + row[what], 0);
const largest = (rows, what) => rows.reduce((best, row) => (row[what] > best[what] ? row : best));
const regions = (m) => {
  const { rows, lines, input } = m, heavy = largest(rows, "parameters"), wide = largest(rows, "values");
  const head = ["layer", "output", "parameters", "macs", "values", "field"].map((key) => `<th scope=col>${words[key]}</th>`).join("");
  const table = rows.map((row) => {
    const cells = [
      row.shape.join("×"), bar(row.parameters, heavy.parameters), grouped(row.macs), bar(row.values, wide.values),
      row.field === null ? words.everything : row.field,
    ];
    return `<tr><th scope=row>${row.text}</th>${cells.map((one) => `<td>${one}</td>`).join("")}</tr>`;
  }).join("");
  const [parameters, macs, values] = ["parameters", "macs", "values"].map((what) => grouped(sumOf(rows, what)));
  return {
    panels: `<table><tr>${head}</tr>${table}</table>`,
    sum: fill(words.total, { parameters, macs, values, memory: number((sumOf(rows, "values") * 4) / 2 ** 20) }),
    say: fill(words.most, {
      count: lines.length, heavy: heavy.text, parameters: grouped(heavy.parameters), wide: wide.text,
      values: grouped(wide.values), field: rows.filter((row) => row.field !== null).pop().field, size: input[0],
    }),
    facts: `<details><summary>${words.code}</summary><pre>${code(m)}</pre></details>`,
  };
};

// --- the page ---
let open = false;
const program = () => root.querySelector(".cx-facts details");
const { update } = explore({
  fields: { input: readInput, layers: asIs },
  solve,
  bound: () => ({}),
  regions,
  // The program stays unfolded while the network changes.
  before: () => { open = program().open; },
  after: () => { program().open = open; },
});
if (control("preset"))
  control("preset").oninput = () => {
    const [input, layers] = presets[control("preset").value];
    type("input", input);
    type("layers", layers);
    update();
  };
