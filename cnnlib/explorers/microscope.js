// The convolution microscope: the rules of cnnlib.padding, convolution and upsampling, on small arrays.
const { rank, most } = data;
const flat = rank === 1;

// --- sizes ---
const crop = (f, s, mode) => {
  if (mode === "same") {
    const total = 2 * (f >> 1) - (s - (f % 2)), before = Math.max(total, 0) >> 1;
    return [before, total - before];
  }
  const [before, after] = padding(0, f, s, mode);
  return [before, after - (mode === "valid" ? Math.max(s - f, 0) : 0)];
};
const sizes = (axis, n, k, { dilation: d, padding: mode, transposed, ...state }) => {
  const where = fill(words.where, { axis }), s = state["stride" + axis];
  if (!transposed) return slid(where, n, k, s, d, mode);
  const f = d * (k - 1) + 1, [before, after] = crop(f, s, mode), cover = (n - 1) * s + f, out = cover - before - after;
  const found = { where, n, k, s, d, f, before, after, cover, out, cells: cover + Math.max(-after, 0) };
  if (out < 1) refuse("nothing", { ...found, more: Math.ceil((1 - out) / s) });
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
  const shape = (rows) => (flat ? [rows[0].length] : [rows.length, rows[0].length]);
  const kernel = shape(state.kernel);
  const axes = shape(state.inputs).map((n, axis) => sizes(axis, n, kernel[axis], state));
  checkDrawn(axes.map(({ cells }) => cells), most);
  const [down, across] = flat ? [OF_ROW, axes[0]] : axes;
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
const stamped = (m, source, last) => {
  const whole = range(m.down.cells).map(() => Array(m.across.cells).fill(0));
  source.forEach((row, i) => row.forEach((x, j) => {
    if (i * m.columns + j > last) return;
    m.kernel.forEach((line, a) => line.forEach((w, b) => {
      whole[i * m.down.s + a * m.down.d][j * m.across.s + b * m.across.d] += x * w;
    }));
  }));
  return whole;
};

// --- one step as HTML, letter for letter as Python writes the first ---
const tap = (m, i, j, top, left) => {
  const y = i - top, x = j - left, { down, across } = m;
  if (y < 0 || x < 0 || y >= down.f || x >= across.f || y % down.d || x % across.d) return undefined;
  return m.kernel[y / down.d][x / across.d];
};
// The class of a cell: `off` and `pd`, which are dashed, are padding or cut off.
const look = (kind, weight) => (weight === undefined ? kind || "pd" : kind ? "now" : "off");
const noted = (weight) => (weight === undefined ? "" : `×${factor(weight)}`);
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
      return cell(i, j, value, look(real(i, j) && "in", weight), noted(weight), lost);
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
// Backward: what the steps until now hand to the weights, where the gradient of every output is 1.
const handed = (m, at, top, left) => {
  const values = padded(m), window = taken(m, values, top, left);
  const totals = m.kernel.map((line, i) => line.map((_, j) => range(at + 1).reduce((total, step) =>
    total + taken(m, values, Math.floor(step / m.columns) * m.down.s, (step % m.columns) * m.across.s)[i][j], 0)));
  const panels = panel("kg", words.kernel_gradient, totals, (i, j, total) => cell(i, j, total, "k", `+${factor(window[i][j])}`));
  return [panels, listed(window)];
};
// Transposed, or backward: what one cell hands to all in its window.
const stamp = (m, at) => {
  const { down, across, backward, columns } = m, row = Math.floor(at / columns), column = at % columns;
  const source = backward ? range(down.out).map(() => Array(columns).fill(1)) : m.inputs;
  const top = row * down.s, left = column * across.s, whole = stamped(m, source, at), value = source[row][column];
  const side = backward ? "n" : "out", kinds = backward ? ["out", "in"] : ["in", "out"];
  const stays = (i, j) => inside(down, i, down[side]) && inside(across, j, across[side]);
  if (backward && m.pad_mode !== "constant")
    whole.forEach((line, i) => line.forEach((total, j) => {
      const y = origin(i - down.before, down.n, m.pad_mode), x = origin(j - across.before, across.n, m.pad_mode);
      if (!stays(i, j)) whole[y + down.before][x + across.before] += total;
    }));
  let count = 0;
  const title = backward ? "gradient" : down.cells * across.cells > down.out * across.out ? "cut" : "so_far";
  const framed = panel("win", words[title], whole, (i, j, total) => {
    const weight = tap(m, i, j, top, left);
    if (weight !== undefined && !stays(i, j)) count += 1;
    return cell(i, j, total, look(stays(i, j) && kinds[1], weight), noted(weight));
  }, [top, left, down.f, across.f]);
  const given = m.kernel.map((line) => line.map((w) => value * w)), toKernel = backward ? handed(m, at, top, left) : ["", ""];
  return {
    panels: panel("pl", words[backward ? "slopes" : "input"], source, (i, j, x) => cell(i, j, x, kinds[0]), [row, column, 1, 1]) +
      kernelPanel(m) + framed + toKernel[0],
    sum: `${factor(value)}·(${listed(m.kernel)}) = (${listed(given)})` +
      (backward ? `; ${factor(value)}·(${toKernel[1]}) = (${toKernel[1]})` : ""),
    say: fill(words[backward ? "hands" : "stamps"], {
      step: at + 1, steps: m.steps, index: index(at, columns), value: number(value), values: listed(given), count,
      taps: m.kernel.flat().length, inputs: toKernel[1],
    }),
  };
};
const regions = (m, at) => {
  const back = m.backward && m.axes.some((axis) => axis.before + axis.after);
  return {
    ...(m.transposed || m.backward ? stamp : slide)(m, at),
    facts: facts(m.axes, words[m.transposed ? "transposed_fact" : "fact"]) +
      (back ? `<div>${words[m.pad_mode === "constant" ? "lost_back" : "copied_back"]}</div>` : ""),
  };
};

// --- the page ---
let timer;
const pause = () => {
  clearInterval(timer);
  timer = undefined;
  control("play").textContent = words.play;
  region("say").setAttribute("aria-live", "polite");
};
const strides = (text) => whole(1)(text, "stride");
const { show, go } = explore({
  fields: {
    inputs: table, kernel: table, stride0: strides, ...(!flat && { stride1: strides }), dilation: whole(1),
    padding: (text) => (text === "amount" ? whole(0)(typed("amount"), "padding") : text),
    amount: asIs, pad_mode: asIs, pad_value: real, transposed: isOn,
    backward: (text) => isOn(text) && !isOn(typed("transposed")),
  },
  solve,
  bound: (m, { at }) => ({ at: clamp(at, 0, m.steps - 1) }),
  regions: (m, { at }) => regions(m, at),
  before: () => {
    const out = isOn(typed("transposed")), hide = (name, hidden) => { control(name).closest("label").hidden = hidden; };
    hide("amount", typed("padding") !== "amount");
    hide("pad_mode", out);
    hide("backward", out);
    hide("pad_value", out || typed("pad_mode") !== "constant");
  },
  after: (m, { at }) => {
    steered(m, at);
    control("back").disabled = at === 0;
    control("forward").disabled = at === m.steps - 1;
  },
  stop: pause,
});
const play = () => {
  if (timer) return pause();
  if (now.at === model.steps - 1) show({ at: 0 });
  control("play").textContent = words.pause;
  region("say").setAttribute("aria-live", "off");
  timer = setInterval(() => {
    if (!root.isConnected || now.at === model.steps - 1) return pause();
    show({ at: now.at + 1 });
  }, 900);
};
control("back").onclick = () => go({ at: now.at - 1 });
control("forward").onclick = () => go({ at: now.at + 1 });
control("play").onclick = play;
// What moves by itself is not offered to who asked for less motion.
control("play").hidden = matchMedia("(prefers-reduced-motion:reduce)").matches;
steer(go);
