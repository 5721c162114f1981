// What is typed is read as cnnlib.exercises.quiz_page.typed reads it.
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;
class Refused extends Error {}
const refuse = (text, values) => { throw new Refused(fill(text, values)); };
const written = (value) =>
  value && Math.abs(value) < 1e-4 ? value.toExponential().replace(/e-(\d)$/, "e-0$1") : String(value || 0);
const brief = (value, brackets) => {
  const text = Array.isArray(value)
    ? brackets[0] + value.map((one) => brief(one, brackets)).join(", ") + (brackets === "()" && value.length < 2 ? "," : "") + brackets[1]
    : written(value);
  return text.length > 60 ? text.slice(0, 59) + "…" : text;
};
const real = (text) => {
  const parts = text.split("/").map((part) => part.trim());
  if (parts.length > 2 || !parts.every((part) => NUMBER.test(part))) return NaN;
  return parts.length > 1 ? (+parts[1] ? parts[0] / parts[1] : NaN) : +text;
};
const small = (value) => {
  if (Math.abs(value) >= 1e15) refuse(data.told.huge, { digits: 15 });
  return value;
};
// For each form: what a text says, or a refusal; whether two values are the same; how one is written.
const FORMS = {};
