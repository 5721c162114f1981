// Pooling before and after a shift: the rules of cnnlib.pooling on small arrays.
const { rank, most } = data;

// --- all numbers of one example ---
const inner = (axis, o) => range(axis.k).map((t) => o * axis.s - axis.before + t).filter((i) => i >= 0 && i < axis.n);
const placesIn = (m, row, column) => inner(m.down, row).flatMap((i) => inner(m.across, column).map((j) => [i, j]));
const firstLargest = (places, values) => places.reduce((best, one) => (values[one[0]][one[1]] > values[best[0]][best[1]] ? one : best));
const overOutputs = (m, make) => range(m.down.out).map((i) => range(m.across.out).map((j) => make(i, j)));
const pooled = (m, values) => overOutputs(m, (row, column) => {
  const places = placesIn(m, row, column);
  if (m.kind === "average") return places.reduce((sum, [i, j]) => sum + values[i][j], 0) / places.length;
  const [i, j] = firstLargest(places, values);
  return values[i][j];
});
const solve = (state) => {
  const { inputs, kind, shift } = state, width = inputs[0].length, k = kind === "strided" ? 1 : state.pool_size;
  const shape = rank === 1 ? [width] : [inputs.length, width];
  const axes = shape.map((n, axis) => slid(fill(words.where, { axis }), n, k, state.strides, 1, state.padding));
  checkDrawn(shape, most[rank - 1]);
  if (Math.abs(shift) > width) refuse("too_far", { n: width, a: shift });
  const [down, across] = rank === 1 ? [OF_ROW, axes[0]] : axes;
  const m = { ...state, axes, down, across, steps: down.out * across.out, columns: across.out, over: [down.before, across.before] };
  m.moved = inputs.map((row) => row.map((_, j) =>
    (state.ring ? row[(((j - shift) % width) + width) % width] : row[j - shift] ?? 0)));
  m.outputs = pooled(m, inputs);
  m.others = pooled(m, m.moved);
  m.gradient = inputs.map((row) => row.map(() => 0));
  overOutputs(m, (row, column) => {
    const places = placesIn(m, row, column), given = kind === "average" ? places : [firstLargest(places, inputs)];
    for (const [i, j] of given) m.gradient[i][j] += 1 / given.length;
  });
  return m;
};

// --- one window as HTML, letter for letter as Python writes the first ---
const seen = (m, name, title, values, judged, row, column) => {
  const { down, across } = m, places = placesIn(m, row, column);
  const chosen = m.kind === "average" ? places : [firstLargest(places, judged)];
  return panel(name, title, values,
    (i, j, value) => cell(i, j, value, chosen.some(([y, x]) => y === i && x === j) ? "now" : "in"),
    [row * down.s - down.before, column * across.s - across.before, down.k, across.k],
    [down.before, across.before, down.after, across.after]);
};
// That an output was another, and which, if there is room.
const other = (value) => (number(value).length < 5 ? `≠${number(value)}` : "≠");
const along = ({ shift, outputs, others, across: { s, out } }) => {
  if (shift === 0) return words.no_shift;
  if (shift % s) return fill(words.not_along, { shift: number(shift), s });
  const places = shift / s, here = range(out).filter((j) => j - places >= 0 && j - places < out);
  const same = others.flatMap((row, i) => here.filter((j) => row[j] === outputs[i][j - places])).length;
  return fill(words.along, { places: number(places), same, count: others.length * here.length });
};
const regions = (m, { at }) => {
  const row = Math.floor(at / m.columns), column = at % m.columns, { inputs, moved, outputs, others, gradient, kind } = m;
  const result = number(outputs[row][column]), spot = [row, column, 1, 1];
  const covered = (values) => inner(m.down, row).map((i) => inner(m.across, column).map((j) => values[i][j]));
  const values = covered(inputs), flat = values.flat(), all = gradient.flat();
  const same = (i, j) => outputs[i][j] === others[i][j];
  const back = fill(words["back_" + kind], { none: all.filter((one) => one === 0).length, inputs: all.length });
  return {
    panels: seen(m, "w0", words.input, inputs, inputs, row, column) +
      panel("pl", words.output, outputs, (i, j, value) => cell(i, j, value, "out"), spot) +
      seen(m, "w1", fill(words.moved, { shift: number(m.shift) }), moved, moved, row, column) +
      panel("q", words.moved_output, others, (i, j, value) =>
        (same(i, j) ? cell(i, j, value, "out") : cell(i, j, value, "no", other(outputs[i][j]))), spot) +
      seen(m, "w2", words.gradient, gradient, inputs, row, column),
    sum: fill(words["sum_" + kind], {
      listed: flat.map(number).join(", "), added: flat.map(factor).join(" + "), count: flat.length, result,
    }),
    say: fill(words.one, {
      step: at + 1, steps: m.steps, values: listed(values), result, moved: listed(covered(moved)),
      other: number(others[row][column]), same: overOutputs(m, same).flat().filter(Boolean).length,
    }),
    facts: facts(m.axes, words.fact) + `<div>${along(m)}</div><div>${back}</div>`,
  };
};

// --- the page ---
const { go } = explore({
  fields: {
    shift: whole(-24), kind: asIs, inputs: table, pool_size: whole(1), strides: whole(1), padding: asIs, ring: isOn,
  },
  solve,
  bound: (m, { at }) => ({ at: clamp(at, 0, m.steps - 1) }),
  regions,
  after: (m, { at }) => steered(m, at),
});
steer(go);
