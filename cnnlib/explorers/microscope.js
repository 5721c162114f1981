// The convolution microscope: the rules of cnnlib.sizes, padding, convolution and upsampling, on small arrays.
const { rank, most, start } = data;
const flat = rank === 1;
const CELL = 40, LARGEST = 10000;
class Refused extends Error {}
const refuse = (word, values) => { throw new Refused(fill(words[word], values)); };

// --- sizes ---
const padding = (n, f, s, mode) => {
  if (typeof mode === "number") return [mode, mode];
  if (mode === "full") return [f - 1, f - 1];
  if (mode === "causal") return [f - 1, 0];
  if (mode !== "same") return [0, 0];
  const total = Math.max((Math.ceil(n / s) - 1) * s + f - n, 0);
  return [total >> 1, total - (total >> 1)];
};
const crop = (f, s, mode) => {
  if (mode === "same") {
    const total = 2 * (f >> 1) - (s - (f % 2)), before = Math.max(total, 0) >> 1;
    return [before, total - before];
  }
  const [before, after] = padding(0, f, s, mode);
  return [before, after - (mode === "valid" ? Math.max(s - f, 0) : 0)];
};
const sizes = (axis, n, k, state) => {
  const s = state.stride, d = state.dilation, f = d * (k - 1) + 1;
  const [before, after] = state.transposed ? crop(f, s, state.padding) : padding(n, f, s, state.padding);
  const found = { axis, n, k, s, d, f, before, after, dropped: 0 };
  if (state.transposed) {
    found.cover = (n - 1) * s + f;
    found.out = found.cover - before - after;
    found.cells = found.cover + Math.max(-after, 0);
    if (found.out < 1) refuse("nothing", { ...found, more: Math.ceil((before + after - found.cover + 1) / s) });
    return found;
  }
  const room = n + before + after - f;
  if (room < 0) {
    const largest = Math.floor((n + before + after - 1) / d) + 1;
    refuse("unfit", {
      ...found,
      spread: d > 1 ? fill(words.unfit_spread, found) : "",
      padded: before || after ? fill(words.unfit_padded, found) : "",
      lacking: Math.ceil((f - n) / 2),
      smaller: largest > 0 ? fill(words.unfit_smaller, { largest }) : "",
    });
  }
  found.cells = n + before + after;
  found.out = Math.floor(room / s) + 1;
  found.dropped = found.cells - ((found.out - 1) * s + f);
  return found;
};
// Where the padded element i of an axis of n comes from; -1: from nowhere.
const origin = (i, n, mode) => {
  if (i >= 0 && i < n) return i;
  if (mode === "edge") return clamp(i, 0, n - 1);
  if (mode === "circular") return ((i % n) + n) % n;
  if (mode === "constant") return -1;
  const period = 2 * (n - 1) || 1, at = ((i % period) + period) % period;
  return n === 1 ? 0 : Math.min(at, period - at);
};

// --- all numbers of one example ---
const solve = (state) => {
  const ofRow = { n: 1, k: 1, s: 1, d: 1, f: 1, before: 0, after: 0, out: 1, dropped: 0, cells: 1 };
  const shape = (rows) => (flat ? [rows[0].length] : [rows.length, rows[0].length]);
  const kernel = shape(state.kernel);
  const axes = shape(state.inputs).map((n, axis) => sizes(axis, n, kernel[axis], state));
  for (const { axis, cells } of axes) if (cells > most) refuse("too_many", { axis, cells, most });
  const [down, across] = flat ? [ofRow, axes[0]] : axes;
  const steps = state.transposed ? down.n * across.n : down.out * across.out;
  return { ...state, axes, down, across, steps, columns: state.transposed ? across.n : across.out };
};
const padded = (m) => range(m.down.cells).map((i) => range(m.across.cells).map((j) => {
  const y = origin(i - m.down.before, m.down.n, m.pad_mode), x = origin(j - m.across.before, m.across.n, m.pad_mode);
  return y < 0 || x < 0 ? m.pad_value : m.inputs[y][x];
}));
const taken = (m, values, top, left) =>
  m.kernel.map((row, i) => row.map((_, j) => values[top + i * m.down.d][left + j * m.across.d]));
const weigh = (window, weights) =>
  window.reduce((sum, row, i) => row.reduce((part, x, j) => part + x * weights[i][j], sum), 0);
const stamped = (m, last) => {
  const whole = range(m.down.cells).map(() => Array(m.across.cells).fill(0));
  m.inputs.forEach((row, i) => row.forEach((x, j) => {
    if (i * m.across.n + j > last) return;
    m.kernel.forEach((line, a) => line.forEach((w, b) => {
      whole[i * m.down.s + a * m.down.d][j * m.across.s + b * m.across.d] += x * w;
    }));
  }));
  return whole;
};

// --- one step as HTML, letter for letter as Python writes the first ---
const cell = (i, j, value, kind, weight, lost) => {
  const x = j * CELL, y = i * CELL, text = number(value);
  return `<rect class="${kind}" x=${x} y=${y} />` +
    (lost ? `<path class="lost" d="M${x} ${y}l${CELL} ${CELL}"/>` : "") +
    `<text${text.length > 4 ? " class=s" : ""} x=${x + 20} y=${y + (weight === undefined ? 26 : 18)}>${text}</text>` +
    (weight === undefined ? "" : `<text class=w x=${x + 20} y=${y + 35}>×${factor(weight)}</text>`);
};
const panel = (name, title, values, draw, frame) => {
  const height = values.length * CELL, width = values[0].length * CELL;
  const [top, left, rows, columns] = (frame ?? []).map((size) => size * CELL);
  return `<div><div>${title}</div>` +
    `<svg data-p=${name} viewBox="-3 -3 ${width + 6} ${height + 6}" role="img" ` +
    `aria-label="${title}: ${listed(values)}" style="width:${width + 6}px;min-width:${Math.floor((width * 17) / 20)}px">` +
    values.map((row, i) => row.map((value, j) => draw(i, j, value)).join("")).join("") +
    (frame ? `<path class="fr" d="M${left} ${top}h${columns}v${rows}h-${columns}z"/>` : "") + "</svg></div>";
};
const tap = (m, i, j, top, left) => {
  const y = i - top, x = j - left, { down, across } = m;
  if (y < 0 || x < 0 || y >= down.f || x >= across.f || y % down.d || x % across.d) return undefined;
  return m.kernel[y / down.d][x / across.d];
};
const inside = (axis, i, count) => i >= axis.before && i < axis.before + count;
const kernelPanel = (m) => panel("k", words.kernel, m.kernel, (i, j, w) => cell(i, j, w, "k"));
const index = (at, columns) => (flat ? at : `(${Math.floor(at / columns)}, ${at % columns})`);
const slide = (m, at) => {
  const { down, across } = m, values = padded(m);
  const row = Math.floor(at / across.out), column = at % across.out, top = row * down.s, left = column * across.s;
  const outputs = range(down.out).map((i) => range(across.out).map((j) =>
    weigh(taken(m, values, i * down.s, j * across.s), m.kernel)));
  const real = (i, j) => inside(down, i, down.n) && inside(across, j, across.n);
  const window = taken(m, values, top, left), total = outputs[row][column];
  const count = taken(m, values.map((line, i) => line.map((_, j) => (real(i, j) ? 0 : 1))), top, left).flat()
    .reduce((a, b) => a + b, 0);
  const around = down.before || down.after || across.before || across.after;
  return {
    panels: panel("win", around ? words.padded : words.input, values, (i, j, value) => {
      const weight = tap(m, i, j, top, left), lost = i >= down.cells - down.dropped || j >= across.cells - across.dropped;
      const kind = weight !== undefined ? "now" : real(i, j) ? "in" : "pd";
      return cell(i, j, value, kind + (real(i, j) ? "" : " da"), weight, lost);
    }, [top, left, down.f, across.f]) + kernelPanel(m) +
      panel("pl", words.output, outputs, (i, j, value) =>
        cell(i, j, value, i * across.out + j <= at ? "out" : "no"), [row, column, 1, 1]),
    sum: products(window, m.kernel, total),
    say: fill(words.covers, {
      step: at + 1, steps: m.steps, values: listed(window), count, taps: m.kernel.flat().length,
      sum: number(total), index: index(at, across.out),
    }),
  };
};
const stamp = (m, at) => {
  const { down, across } = m, row = Math.floor(at / across.n), column = at % across.n;
  const top = row * down.s, left = column * across.s, whole = stamped(m, at), value = m.inputs[row][column];
  const stays = (i, j) => inside(down, i, down.out) && inside(across, j, across.out);
  let count = 0;
  const framed = panel("win", down.cells * across.cells > down.out * across.out ? words.cut : words.so_far, whole,
    (i, j, total) => {
      const weight = tap(m, i, j, top, left);
      if (weight !== undefined && !stays(i, j)) count += 1;
      const kind = weight !== undefined ? "now" : stays(i, j) ? "out" : "pd";
      return cell(i, j, total, kind + (stays(i, j) ? "" : " da"), weight);
    }, [top, left, down.f, across.f]);
  const given = m.kernel.map((line) => line.map((w) => value * w));
  return {
    panels: panel("pl", words.input, m.inputs, (i, j, x) => cell(i, j, x, "in"), [row, column, 1, 1]) +
      kernelPanel(m) + framed,
    sum: `${factor(value)}·(${listed(m.kernel)}) = (${listed(given)})`,
    say: fill(words.stamps, {
      step: at + 1, steps: m.steps, index: index(at, across.n), value: number(value), values: listed(given), count,
      taps: m.kernel.flat().length,
    }),
  };
};
const regions = (m, at) => {
  const template = words[m.transposed ? "transposed_fact" : "fact"];
  const facts = m.axes.map((axis, i) => {
    const shown = { ...axis, axis: words[flat ? "size" : ["rows", "columns"][i]], after: factor(axis.after) };
    return `<div>${fill(template, shown)}${axis.d > 1 ? " " + fill(words.spread, shown) : ""}</div>`;
  }).join("");
  return { ...(m.transposed ? stamp : slide)(m, at), facts };
};

// --- what the reader typed ---
const shown = (text) => (text !== "" && Number.isFinite(+text) ? String(+text) : `'${text}'`);
const whole = (text, name, least) => {
  const value = +text;
  if (text === "" || !Number.isInteger(value) || value < least) refuse("whole", { name, least, value: shown(text) });
  return value;
};
const real = (text, name) => {
  const value = +text.replace("−", "-");
  if (text === "" || !(value >= -LARGEST && value < LARGEST))
    refuse("no_number", { name, least: -LARGEST, below: LARGEST, value: shown(text) });
  return value;
};
const table = (text, name) => {
  const rows = text.split(/[\n;]/).map((line) => line.split(/[\s,]+/).filter(Boolean)).filter((row) => row.length);
  if (!rows.length) refuse("empty", { name });
  if (rows.some((row) => row.length !== rows[0].length)) refuse("ragged", { name });
  return rows.map((row) => row.map((word) => real(word, name)));
};
const FIELDS = ["inputs", "kernel", "stride", "dilation", "padding", "amount", "pad_mode", "pad_value", "transposed"];
const read = () => {
  const typed = Object.fromEntries(FIELDS.map((name) => [name, control(name).value.trim()]));
  return {
    inputs: table(typed.inputs, "inputs"),
    kernel: table(typed.kernel, "kernel"),
    stride: whole(typed.stride, "stride", 1),
    dilation: whole(typed.dilation, "dilation", 1),
    padding: typed.padding === "amount" ? whole(typed.amount, "padding", 0) : typed.padding,
    pad_mode: typed.pad_mode,
    pad_value: real(typed.pad_value, "pad_value"),
    transposed: control("transposed").checked,
  };
};
const lines = (rows) => rows.map((row) => row.join(" ")).join("\n");
const type = (state) => {
  for (const name of FIELDS) if (name in state) control(name).value = state[name];
  control("inputs").value = lines(state.inputs);
  control("kernel").value = lines(state.kernel);
  const amount = typeof state.padding === "number";
  control("padding").value = amount ? "amount" : state.padding;
  if (amount) control("amount").value = state.padding;
  control("transposed").checked = state.transposed;
};

// --- the page ---
let model, at = 0, timer;
const show = (place) => {
  at = clamp(place, 0, model.steps - 1);
  write(regions(model, at));
  // On a phone a long row scrolls with its window.
  const frame = stage.querySelector(".fr").getBoundingClientRect(), box = stage.getBoundingClientRect();
  if (frame.left < box.left || frame.right > box.right) stage.scrollLeft += frame.left - box.left - 20;
  const row = Math.floor(at / model.columns), rows = model.steps / model.columns;
  const move = (name, value, count) => {
    const slider = control(name);
    slider.max = count - 1;
    slider.value = value;
  };
  if (!flat) move("row", row, rows);
  move("column", at % model.columns, model.columns);
  control("back").disabled = at === 0;
  control("forward").disabled = at === model.steps - 1;
  link(saved());
};
const saved = () => ({
  i: lines(model.inputs).replaceAll("\n", ";"), k: lines(model.kernel).replaceAll("\n", ";"), s: model.stride,
  d: model.dilation, p: model.padding, m: model.pad_mode, v: model.pad_value, t: +model.transposed, at,
});
const update = (place) => {
  const error = region("error");
  control("amount").closest("label").hidden = control("padding").value !== "amount";
  for (const name of ["pad_mode", "pad_value"]) control(name).closest("label").hidden = control("transposed").checked;
  if (control("pad_mode").value !== "constant") control("pad_value").closest("label").hidden = true;
  try {
    model = solve(read());
    error.hidden = true;
    error.textContent = "";
    root.classList.remove("cx-stale");
    show(place);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    pause();
    error.textContent = problem.message;
    error.hidden = false;
    root.classList.add("cx-stale");
  }
};
const pause = () => {
  clearInterval(timer);
  timer = undefined;
  control("play").textContent = words.play;
  region("say").setAttribute("aria-live", "polite");
};
const play = () => {
  if (timer) return pause();
  if (at === model.steps - 1) show(0);
  control("play").textContent = words.pause;
  region("say").setAttribute("aria-live", "off");
  timer = setInterval(() => {
    if (!root.isConnected || at === model.steps - 1) return pause();
    show(at + 1);
  }, 900);
};
const go = (place) => { pause(); show(place); };

control("back").onclick = () => go(at - 1);
control("forward").onclick = () => go(at + 1);
control("play").onclick = play;
// What moves by itself is not offered to who asked for less motion.
control("play").hidden = matchMedia("(prefers-reduced-motion:reduce)").matches;
control("reset").onclick = () => { pause(); type(start); update(start.at); };
const slid = () => go((flat ? 0 : +control("row").value * model.columns) + +control("column").value);
for (const name of flat ? ["column"] : ["row", "column"]) control(name).oninput = slid;
for (const name of FIELDS) control(name).oninput = () => { pause(); update(at); };
const stage = region("panels");
stage.onkeydown = (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const columns = model.columns, column = at % columns;
  const goal = {
    ArrowLeft: column ? at - 1 : at, ArrowRight: column < columns - 1 ? at + 1 : at, Home: 0, End: model.steps - 1,
    ArrowUp: at - columns, ArrowDown: at + columns,
  }[event.key];
  if (goal === undefined || (flat && /Up|Down/.test(event.key))) return;
  event.preventDefault();
  if (goal >= 0 && goal < model.steps) go(goal);
};
const corner = () => [(at % model.columns) * model.across.s, Math.floor(at / model.columns) * model.down.s];
draggable(stage, (target) => {
  const name = target.closest("svg")?.dataset.p;
  return name === "k" ? null : name;
}, (name, x, y) => {
  const [left, top] = corner(), grip = [x / CELL - left, y / CELL - top];
  const { f: width } = model.across, { f: height } = model.down;
  return grip[0] >= 0 && grip[0] <= width && grip[1] >= 0 && grip[1] <= height ? grip : null;
}, (name, x, y, grip) => {
  const { down, across, columns, steps } = model;
  const [width, height] = name === "pl" ? [1, 1] : [across.s, down.s];
  const [inX, inY] = name === "pl" ? [0.5, 0.5] : grip ?? [across.f / 2, down.f / 2];
  const column = clamp(Math.round((x / CELL - inX) / width), 0, columns - 1);
  const row = clamp(Math.round((y / CELL - inY) / height), 0, steps / columns - 1);
  go(row * columns + column);
});
root.querySelector(".cx-controls").hidden = false;
type(start);
update(start.at);
followLinks((given) => {
  const padding = given.get("p");
  pause();
  for (const [name, key] of Object.entries({ inputs: "i", kernel: "k", stride: "s", dilation: "d", pad_mode: "m", pad_value: "v" }))
    if (given.has(key)) control(name).value = given.get(key).replaceAll(";", "\n");
  if (padding !== null) {
    control("padding").value = /^\d+$/.test(padding) ? "amount" : padding;
    if (control("padding").value === "amount") control("amount").value = padding;
  }
  control("transposed").checked = given.get("t") === "1";
  update(+(given.get("at") ?? 0));
});
root.explorer = { regions: (state, place) => regions(solve(state), place) };
