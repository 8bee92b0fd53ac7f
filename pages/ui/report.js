"use strict";
for (const source of document.querySelectorAll("script[data-plot]")) {
  const plot = JSON.parse(source.textContent);
  Plotly.newPlot(source.dataset.plot, plot.data, plot.layout, plot.config);
}
for (const head of document.querySelectorAll("th")) {
  head.tabIndex = 0;
  head.title = "Sort by this column";
  const sort = () => {
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "descending";
    const sign = down ? 1 : -1;
    const value = (row) => row.cells[head.cellIndex].dataset.order ?? row.cells[head.cellIndex].textContent;
    const order = (a, b) => {
      const difference = Number(a) - Number(b);
      return Number.isNaN(difference) ? a.localeCompare(b) : difference;
    };
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "ascending" : "descending");
    body.append(...[...body.rows].sort((a, b) => sign * order(value(a), value(b))));
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
}
