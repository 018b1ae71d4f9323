"use strict";
// A click on a column's name sorts its table: numbers by their value, texts as texts.
document.querySelectorAll("table.sortable").forEach(function (table) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach(function (head, column) {
    head.querySelector("button").addEventListener("click", function () {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = function (row) {
        const cell = row.cells[column];
        return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
      };
      const order = function (a, b) {
        const x = key(a), y = key(b);
        return typeof x === "number" && typeof y === "number"
          ? (x < y ? -1 : x > y ? 1 : 0)
          : String(x).localeCompare(String(y), undefined, { numeric: true });
      };
      const rows = Array.from(body.rows).sort(order);
      if (falling) { rows.reverse(); }
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
});
// Charts were drawn before the page knew whether it needs scroll bars.
document.querySelectorAll(".plotly-graph-div").forEach(function (chart) {
  window.Plotly.Plots.resize(chart);
});
// Charts take the width of the paper while the page is printed.
(function () {
  const charts = function () { return Array.from(document.querySelectorAll(".plotly-graph-div")); };
  window.addEventListener("beforeprint", function () {
    charts().forEach(function (chart) { window.Plotly.relayout(chart, { width: 700 }); });
  });
  window.addEventListener("afterprint", function () {
    charts().forEach(function (chart) { window.Plotly.relayout(chart, { autosize: true, width: null }); });
  });
})();
