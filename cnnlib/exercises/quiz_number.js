// One number, as it is typed in several countries.
FORMS.number = {
  read: (text, said) => {
    if (/^[+-]?[1-9]\d{0,2}([ ,]\d{3})+(\.\d+)?$/.test(text)) text = text.replace(/[ ,]/g, "");
    else if (/^[+-]?\d+,\d+$/.test(text)) text = text.replace(",", ".");
    const value = real(text);
    return Number.isNaN(value) ? refuse(words.not_number, { answer: said }) : small(value);
  },
  same: (a, b) => (Number.isInteger(a) || Number.isInteger(b) ? a === b : Math.abs(a - b) < 0.01),
  show: written,
};
