// Numbers in a row, or in rows.
FORMS.array = {
  read: (text, said, { ndim }) => {
    const lines = text.replace(/\]\s*,?\s*\[/g, ";").replace(/[()[\]]/g, " ").split(";");
    const rows = lines.map((line) => line.split(/[,\s]+/).filter(Boolean).map(real));
    if (rows.some((row) => !row.length || row.some(Number.isNaN))) refuse(words.not_array, { answer: said });
    rows.flat().map(small);
    const axes = rows.length > 1 || ndim === 2 ? 2 : 1;
    if (rows.some((row) => row.length !== rows[0].length)) refuse(data.told.ragged);
    const shape = axes > 1 ? [rows.length, rows[0].length] : [rows[0].length];
    if (axes !== ndim)
      refuse(data.told.axes, { given: fill(axes > 1 ? words.axes_of : words.axis, { count: axes }), shape: brief(shape, "()"), count: ndim });
    return axes > 1 ? rows : rows[0];
  },
  same: (a, b) => {
    const [first, second] = [a, b].map((one) => one.flat());
    return a.length === b.length && first.length === second.length
      && first.every((x, i) => Math.abs(x - second[i]) <= 1e-5 + 1e-5 * Math.abs(second[i]));
  },
  show: (value) => {
    const shape = Array.isArray(value[0]) ? [value.length, value[0].length] : [value.length];
    return value.flat().length > 12 ? fill(words.array_shape, { shape: brief(shape, "()") }) : brief(value, "[]");
  },
};
