// Boxes that scroll sideways can be scrolled by keyboard: tables, formulas, outputs.
(() => {
  const boxes = ".bd-article .table-wrap, .bd-article mjx-container, .bd-article pre";
  const mark = () => {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("load", () => {
    mark();
    new ResizeObserver(mark).observe(document.body);
    document.fonts.ready.then(mark);
    window.MathJax?.startup?.promise?.then(() => document.fonts.ready).then(mark);
  });
})();
