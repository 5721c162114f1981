// What the scripts of all pieces of a page share; `data` is what Python hands over.
const { id, words } = data;
const root = document.getElementById(id);
const region = (name) => root.querySelector(`[data-r="${name}"]`);
const control = (name) => root.querySelector(`[data-c="${name}"]`);
const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, key) => values[key]);
// JupyterLab has commands for single keys, and asks the very element that has the focus whether to keep out.
for (const part of root.querySelectorAll("a,button,input,select,summary,textarea,[tabindex]"))
  part.dataset.lmSuppressShortcuts = "true";
// Write into the page only what changed: a screen reader speaks of every change.
const write = (parts) => {
  for (const [name, content] of Object.entries(parts)) {
    const part = region(name);
    if (part.written !== content) part.innerHTML = part.written = content;
  }
};
const inBook = !document.querySelector(".jp-LabShell,.jp-Notebook");
