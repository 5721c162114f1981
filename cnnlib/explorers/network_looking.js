// A network that looks at a drawing: the rules of cnnlib.layers for few maps, and of cnnlib.explorers.ink.
const { layers, digits } = data;
const { abs, ceil, exp, floor, max, min, round } = Math;
const SIDE = 28, BOX = 20, LEVELS = 15, LAST = layers.length - 1;
const sum = (values) => values.reduce((a, b) => a + b, 0);
const grid = (rows, columns, make) => {
  const made = [];
  for (let i = 0; i < rows; i += 1) for (let j = 0; j < columns; j += 1) (made[i] ??= [])[j] = make(i, j);
  return made;
};

// --- the weights: kernel[filter][channel][row][column] of each layer, one byte each ---
const codes = Int8Array.from(atob(data.weights), (letter) => letter.charCodeAt(0));
let taken = 0;
layers.forEach((layer, at) => {
  if (!layer.scales) return;
  const { k, maps, scales } = layer, depth = layers[at - 1].maps, start = taken;
  layer.kernel = range(maps).map((f) => range(depth).map((c) =>
    grid(k, k, (i, j) => codes[start + ((i * k + j) * depth + c) * maps + f] * scales[0])));
  taken += k * k * depth * maps;
  layer.flat = layer.kernel.map((weights) => weights.flat(2));
  layer.bias = range(maps).map((f) => codes[taken + f] * scales[1]);
  taken += maps;
});

// --- a drawing: its letters, and how MNIST would show it ---
const readInk = (text) => {
  const cells = [];
  for (const [, run, level] of text.matchAll(/(\d+)|([a-o])/gi))
    if (run > SIDE * SIDE) refuse("no_drawing", {});
    else if (run) cells.push(...Array(+run).fill(0));
    else cells.push(...Array(level < "a" ? 2 : 1).fill(parseInt(level, 36) - 9));
  return grid(SIDE, SIDE, (i, j) => cells[i * SIDE + j] ?? 0);
};
const letters = (ink) => ink.flat().map((level) => (level ? (level + 9).toString(36) : "0")).join("")
  .replace(/0+$/, "").replace(/0+/g, (run) => run.length).replace(/([a-o])\1/g, (two) => two[0].toUpperCase());
const reached = (ink) => {
  const rows = range(SIDE).filter((i) => ink[i].some(Boolean)), columns = range(SIDE).filter((j) => ink.some((row) => row[j]));
  return rows.length ? [rows[0], rows.at(-1), columns[0], columns.at(-1)] : null;
};
const overlap = (n, m) => grid(m, n, (i, k) =>
  (max(min(((i + 1) * n) / m, k + 1) - max((i * n) / m, k), 0) * m) / n);
const mixed = (weights, rows) => weights.map((line) => rows[0].map((_, j) => sum(line.map((w, i) => w * rows[i][j]))));
const turned = (rows) => rows[0].map((_, j) => rows.map((row) => row[j]));
const fitted = (greys, [top, bottom, left, right]) => {
  const box = greys.slice(top, bottom + 1).map((row) => row.slice(left, right + 1));
  const scale = BOX / max(box.length, box[0].length);
  const [tall, wide] = [box.length, box[0].length].map((n) => max(1, floor(n * scale + 0.5)));
  const small = turned(mixed(overlap(box[0].length, wide), turned(mixed(overlap(box.length, tall), box))));
  const [y, x] = [small, turned(small)].map((rows) => {
    const masses = rows.map(sum), centre = sum(masses.map((mass, i) => mass * i)) / sum(masses);
    // What lies half-way between two cells, but for rounding, goes the same way everywhere.
    return clamp(floor(SIDE / 2 - centre + 0.5 + 1e-9), 0, SIDE - rows.length);
  });
  return { scale, greys: grid(SIDE, SIDE, (i, j) => small[i - y]?.[j - x] ?? 0) };
};

// --- the network: maps[map][row][column] ---
const seenBy = (maps, { k, s, pad = 0 }, row, column) =>
  maps.map((map) => grid(k, k, (i, j) => map[row * s + i - pad]?.[column * s + j - pad] ?? 0));
const dot = (a, b) => {
  let total = 0;
  for (let i = 0; i < a.length; i += 1) total += a[i] * b[i];
  return total;
};
const parts = (view, kernel) => view.map((plane, c) => dot(plane.flat(), kernel[c].flat()));
const handed = ({ kind, flat, bias, bends }, view, all, f) => {
  if (flat) return max(dot(all, flat[f]) + bias[f], bends ? 0 : -Infinity);
  return kind === "max" ? max(...view[f].flat()) : sum(view[f].flat()) / view[f].length ** 2;
};
const solve = (state) => {
  const { ink, fit, off } = state, box = reached(ink), greys = ink.map((row) => row.map((level) => level / LEVELS));
  const found = box ? fitted(greys, box) : { scale: 1, greys }, outputs = [[fit ? found.greys : greys]];
  layers.slice(1).forEach((layer, before) => {
    const made = range(layer.maps).map(() => grid(layer.rows, layer.columns, () => 0));
    const on = range(layer.maps).filter((f) => !off.includes(`${before + 1}.${f}`));
    grid(layer.rows, layer.columns, (i, j) => {
      const view = seenBy(outputs[before], layer, i, j), all = view.flat(2);
      for (const f of on) made[f][i][j] = handed(layer, view, all, f);
    });
    outputs.push(made);
  });
  const scores = outputs[LAST].map((map) => map[0][0]), most = max(...scores);
  const powers = scores.map((score) => exp(score - most)), shares = powers.map((power) => power / sum(powers));
  return { ...state, box, scale: found.scale, outputs, scores, shares };
};

// --- one drawing and one place as HTML, letter for letter as Python writes the first ---
const nearly = (share) => (/^[01]$/.test(number(share)) ? fill(words.nearly, { share: number(share) }) : number(share));
const across = (maps) => ceil(Math.sqrt(maps));
const top = ({ outputs }, of) => (of ? max(...outputs[of].flat(2)) : 1);
const drawn = ({ ink, box, fit, scale }) => {
  if (!box) return words.no_ink;
  const [first, bottom, left, right] = box, count = ink.flat().filter(Boolean).length;
  return `${fill(words.ink, { count, top: first, bottom, left, right })} ${fit ? fill(words.fit, { scale: number(scale) }) : words.no_fit}`;
};
const answer = ({ scores, shares, off }) => {
  const [first, second] = range(scores.length).sort((a, b) => scores[b] - scores[a] || a - b);
  const said = fill(words.answer, { first, p: nearly(shares[first]), second, q: nearly(shares[second]) });
  const names = off.map((one) => one.split(".")).map(([at, map]) => fill(words.off_map, { name: layers[at].name, map }));
  return names.length ? `${said} ${fill(words.off, { maps: names.join(", ") })}` : said;
};
const seen = ({ outputs }, { layer, row, column }) => seenBy(outputs[layer - 1], layers[layer], row, column);
const found = (m, place) => {
  const { layer: at, map, row, column } = place, layer = layers[at], view = seen(m, place);
  let total, how;
  if (layer.kernel) {
    const given = parts(view, layer.kernel[map]), bias = layer.bias[map], all = sum(given) + bias;
    how = fill(words.sums, {
      given: given.map((part, c) => fill(words.gives, { c, sum: number(part) })).join(", "), bias: number(bias), sum: number(all),
    });
    if (layer.bends) how += ` ${fill(words.bent, { value: number(max(all, 0)) })}`;
    total = given.length === 1 ? products(view[0], layer.kernel[map][0], given[0])
      : `${[...given, bias].map(factor).join(" + ")} = ${number(all)}`;
  } else {
    total = how = fill(words["pooled_" + layer.kind], {
      values: view[map].flat().map(number).join(", "), value: number(m.outputs[at][map][row][column]),
    });
  }
  return [total, fill(words[at === LAST ? "at_class" : "at_map"], { name: layer.name, map, row, column, found: how })];
};
const scored = ({ scores, shares }) => {
  const head = ["class", "score", "probability"].map((key) => `<th scope=col>${words[key]}`).join("");
  const best = scores.indexOf(max(...scores));
  return `<table><tr>${head}<td>${scores.map((score, c) =>
    `<tr${c === best ? " class=here" : ""}><th scope=row>${c}<td>${number(score)}<td>${nearly(shares[c])}` +
    `<td><i style=width:${floor(shares[c] * 100 + 0.5)}%></i>`).join("")}</table>`;
};
const corner = ({ maps, rows, columns }, map) => [(map % across(maps)) * columns, floor(map / across(maps)) * rows];
const frame = (shape, map, row, column, size) => {
  const [x, y] = corner(shape, map);
  return `<path class=fr d="M${x + column} ${y + row}h${size}v${size}h-${size}z"/>`;
};
const lines = ({ maps, rows, columns }) => {
  const wide = across(maps), tall = ceil(maps / wide);
  const drawn = range(wide).map((i) => `M${i * columns} 0v${tall * rows}`).concat(range(tall).map((i) => `M0 ${i * rows}h${wide * columns}`));
  return `<path d="${drawn.join("")}"/>`;
};
const frames = (of, { layer: at, map, row, column }) => {
  const { kernel, s, pad = 0, k } = layers[at], shape = layers[of], seen = kernel ? range(shape.maps) : [map];
  if (of === at) return frame(shape, map, row, column, 1);
  return of === at - 1 ? seen.map((c) => frame(shape, c, row * s - pad, column * s - pad, k)).join("") : "";
};
const largest = (kernel) => max(...kernel.flat(2).map(abs));
const regions = (m, place) => {
  const [total, how] = found(m, place), { kernel, k } = layers[place.layer];
  const written = { sum: total, say: `${drawn(m)} ${answer(m)} ${how}`, facts: scored(m) };
  layers.slice(0, LAST).forEach((layer, of) => {
    written["h" + of] = fill(words["kind_" + layer.kind], { ...layer, top: number(top(m, of)) });
    written["f" + of] = lines(layer) + frames(of, place);
  });
  written.hw = words.window;
  written.fw = written.fk = lines({ maps: kernel ? layers[place.layer - 1].maps : 1, rows: k, columns: k });
  written.hk = kernel ? fill(words.weights, { top: number(largest(kernel[place.map])) }) : words.no_weights;
  return written;
};

// --- the pictures ---
const paint = (name, maps, grey) => {
  const columns = across(maps.length), height = maps[0].length, width = maps[0][0].length;
  const canvas = root.querySelector(`[data-i="${name}"]`), pen = canvas.getContext("2d");
  canvas.width = columns * width;
  canvas.height = ceil(maps.length / columns) * height;
  canvas.nextSibling.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
  const shades = new Uint32Array(canvas.width * canvas.height).map((_, at) => {
    const i = floor(at / canvas.width), j = at % canvas.width;
    const value = maps[floor(i / height) * columns + floor(j / width)]?.[i % height][j % width] ?? 0;
    return 0xff000000 + 0x10101 * round(clamp(grey(value), 0, 1) * 255);
  });
  pen.putImageData(new ImageData(new Uint8ClampedArray(shades.buffer), canvas.width), 0, 0);
};
const paintAll = (m, place) => {
  const { kernel } = layers[place.layer], view = seen(m, place), before = top(m, place.layer - 1) || 1;
  paint("pad", [m.ink], (level) => level / LEVELS);
  m.outputs.slice(0, LAST).forEach((maps, of) => {
    const white = top(m, of) || 1;
    paint(String(of), maps, (value) => value / white);
  });
  paint("w", kernel ? view : [view[place.map]], (value) => value / before);
  const weights = kernel ? kernel[place.map] : [[[0]]], most = largest(weights) || 1;
  paint("k", weights, (weight) => (weight / most + 1) / 2);
};

// --- the page ---
const switched = (text) => (text.match(/\d+\.\d+/g) ?? []).filter((one) => {
  const [at, map] = one.split(".");
  return at > 0 && at < LAST && map < layers[at].maps;
});
const { update, go } = explore({
  fields: { ink: readInk, fit: isOn, off: switched },
  solve,
  bound: (_, place) => {
    const layer = clamp(place.layer, 1, LAST), { maps, rows, columns } = layers[layer];
    return {
      layer, map: clamp(place.map, 0, maps - 1), row: clamp(place.row, 0, rows - 1), column: clamp(place.column, 0, columns - 1),
    };
  },
  regions,
  after: (m, place) => {
    const { maps, rows, columns } = layers[place.layer], toggle = control("toggle");
    for (const [name, count] of [["map", maps], ["row", rows], ["column", columns], ["layer", 0]]) {
      if (count) control(name).max = count - 1;
      control(name).value = place[name];
    }
    toggle.disabled = place.layer === LAST;
    toggle.setAttribute("aria-pressed", m.off.includes(`${place.layer}.${place.map}`));
    paintAll(m, place);
  },
});
root.explorer.outputs = (state) => solve(state).outputs;
for (const name of ["layer", "map", "row", "column"]) control(name).oninput = () => go({ [name]: +control(name).value });
keys(stage, () => ({
  ArrowLeft: { column: now.column - 1 }, ArrowRight: { column: now.column + 1 }, ArrowUp: { row: now.row - 1 },
  ArrowDown: { row: now.row + 1 },
}), go);
draggable(stage, (target) => {
  const name = target.closest("svg")?.dataset.p;
  return /^p[1-9]/.test(name) ? name : null;
}, () => null, (name, x, y) => {
  const layer = +name.slice(1), { maps, rows, columns } = layers[layer], wide = across(maps);
  const map = floor(y / rows) * wide + clamp(floor(x / columns), 0, wide - 1);
  if (map < maps && map >= 0) go({ layer, map, row: floor(y % rows), column: floor(x % columns) });
});
control("toggle").onclick = () => {
  const one = `${now.layer}.${now.map}`, off = model.off.filter((other) => other !== one);
  if (off.length === model.off.length) off.push(one);
  type("off", off.sort().join(" "));
  update();
};

// --- the pen ---
const pad = control("pad");
let pen = { row: 14, column: 14, down: false };
const ink = (rows) => {
  type("ink", letters(rows));
  update();
};
// A stroke from a place to another, in cells: all ink within a cell of it, less where the pen's edge cuts a cell.
const stroke = (from, to) => {
  const [dY, dX] = [to[0] - from[0], to[1] - from[1]], length = dX * dX + dY * dY || 1;
  const rubbed = control("rubber").checked;
  ink(model.ink.map((line, i) => line.map((level, j) => {
    const along = clamp(((i - from[0]) * dY + (j - from[1]) * dX) / length, 0, 1);
    const away = Math.hypot(i - from[0] - along * dY, j - from[1] - along * dX);
    const covered = round(clamp(1.6 - away, 0, 1) * LEVELS);
    return rubbed ? min(level, LEVELS - covered) : max(level, covered);
  })));
};
let last;
draggable(pad, () => "ppad", (_, x, y) => {
  last = [y - 0.5, x - 0.5];
  stroke(last, last);
}, (_, x, y) => {
  const next = [y - 0.5, x - 0.5];
  stroke(last, next);
  last = next;
});
const say = () => {
  region("fpad").innerHTML = frame(layers[0], 0, pen.row, pen.column, 1);
  region("pen").textContent = fill(words[pen.down ? "pen_down" : "pen_up"], pen);
};
pad.addEventListener("focus", say);
pad.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], " ": [0, 0] }[event.key];
  if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  const from = [pen.row, pen.column];
  pen = {
    row: clamp(pen.row + way[0], 0, SIDE - 1), column: clamp(pen.column + way[1], 0, SIDE - 1), down: pen.down !== (event.key === " "),
  };
  region("say").setAttribute("aria-live", pen.down ? "off" : "polite");
  if (pen.down) stroke(from, [pen.row, pen.column]);
  say();
  if (event.key === " " && !pen.down) region("pen").textContent += ` ${answer(model)}`;
});
digits.forEach((text, at) => {
  control("digit" + at).onclick = () => ink(readInk(text));
});
control("clear").onclick = () => ink(readInk(""));
for (const [name, [dY, dX]] of Object.entries({ up: [1, 0], down: [-1, 0], left: [0, 1], right: [0, -1] }))
  control(name).onclick = () => ink(grid(SIDE, SIDE, (i, j) => model.ink[i + dY]?.[j + dX] ?? 0));
