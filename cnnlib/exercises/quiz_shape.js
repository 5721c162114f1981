// A shape: whole numbers in an order.
FORMS.shape = {
  read: (text, said, { axes }) => {
    const entries = text.replace(/[()[\]]/g, " ").split(/[×x*,;\s]+/).filter(Boolean), count = axes.length;
    const given = entries.length, told = { given, count, axes: axes.join(", ") };
    const batch = given === count + 1 && entries[0] === "None";
    const numbers = entries.slice(batch).map(real);
    if (!numbers.length || numbers.some(Number.isNaN)) refuse(words.not_shape, { answer: said, ...told });
    if (given === 1 && count > 1) refuse(data.told["number-for-shape"], told);
    if (batch || (given === count + 1 && /^[+-]?\d+$/.test(entries[0]))) refuse(data.told.batch, told);
    if (given !== count) refuse(data.told.length, told);
    for (const value of numbers.map(small))
      if (!Number.isInteger(value) || value < 0) refuse(data.told["fraction-in-shape"], { value: written(value) });
    return numbers.map(Math.abs);
  },
  same: (a, b) => String(a) === String(b),
  show: (value) => brief(value, "()"),
};
