"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Light or dark: as the system has it, until the button is pressed.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null, printing = false, coordinates = null;
  const drawn = new Set();
  const applyTheme = () => {
    root.dataset.theme = printing ? "light" : chosen ?? (dark.matches ? "dark" : "light");
    for (const plot of drawn) Plotly.relayout(plot, themed(plot.layout));
    coordinates?.paint();
  };
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const themed = (layout) => {
    const found = { "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "font.color": css("--text"),
      "font.family": getComputedStyle(document.body).fontFamily, "font.size": 12,
      "hoverlabel.bgcolor": css("--card"), "hoverlabel.font.color": css("--text") };
    for (const axis of ["xaxis", "yaxis"]) if (layout[axis]) {
      found[`${axis}.gridcolor`] = css("--grid");
      found[`${axis}.linecolor`] = css("--line");
      found[`${axis}.title.font.color`] = css("--soft");
      found[`${axis}.title.font.size`] = 12;
    }
    return found;
  };

  // A chart is drawn when it comes into sight: the page opens at once, however many there are. All of it is there when
  // the call returns, for a printer does not wait.
  const put = (tree, path, value) => {
    const keys = path.split("."), last = keys.pop();
    for (const key of keys) tree = tree[key] ??= {};
    tree[last] = value;
  };
  const NARROW = 520; // pixels: a phone's names stand in two lines
  const halved = (name) => {
    if (name.length < 20) return name;
    const ends = [...name.matchAll(/[._,] ?| (?=\()/g)].map((each) => each.index + each[0].length);
    const end = ends.sort((a, b) => Math.abs(a - name.length / 2) - Math.abs(b - name.length / 2))[0];
    return end ? `${name.slice(0, end)}<br>${name.slice(end)}` : name;
  };
  const draw = (plot) => {
    plot.dataset.asked = "";
    if (data[plot.dataset.chart].trials) {
      plot.style.minHeight = "0";
      coordinates = parallelCoordinates(plot, data[plot.dataset.chart], css, (trials) => { kept = trials && new Set(trials); show(); });
      plot.dataset.drawn = "";
      return;
    }
    const { data: traces, layout } = structuredClone(data[plot.dataset.chart]);
    layout.height = plot.closest(".slices") ? 260 : layout.height;
    if (plot.closest(".slices")) { layout.showlegend = false; layout.xaxis.title.text = ""; }
    if (plot.clientWidth < NARROW) {
      if (layout.yaxis.ticktext) layout.yaxis.ticktext = layout.yaxis.ticktext.map(halved);
      layout.yaxis.title.text = layout.yaxis.title.text.replace(/ in \S+/, ""); // what it is measured in is in the page's last line
    }
    for (const [path, value] of Object.entries(themed(layout))) put(layout, path, value);
    drawn.add(plot);
    const ready = Plotly.newPlot(plot, traces, layout, { responsive: true, displaylogo: false, displayModeBar: "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], scrollZoom: false });
    plot.style.minHeight = "0"; // what was kept free until it was drawn
    return ready.then(() => { plot.dataset.drawn = ""; });
  };
  const sight = new IntersectionObserver((seen) => {
    for (const each of seen) if (each.isIntersecting) { sight.unobserve(each.target); draw(each.target); }
  }, { rootMargin: "600px" });
  // A printer sees the whole page: every chart is drawn for it, and on white.
  addEventListener("beforeprint", () => {
    printing = true; applyTheme();
    for (const plot of all(".plot:not([data-asked])")) { sight.unobserve(plot); draw(plot); }
  });
  addEventListener("afterprint", () => { printing = false; applyTheme(); });
  all(".plot").forEach((plot) => {
    if (data[plot.dataset.chart].trials) {
      const scroll = document.createElement("div");
      scroll.className = "scroll"; scroll.tabIndex = 0; scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", "Parallel coordinates");
      plot.replaceWith(scroll); scroll.append(plot);
    }
    sight.observe(plot);
  });

  // The table: what is brushed, how it is sorted, and how many rows are seen.
  const board = document.getElementById("board");
  let kept = null, whole = false;
  const show = () => {
    if (!board) return;
    let seen = 0;
    for (const row of all("tbody tr", board)) {
      const inside = kept === null || kept.has(Number(row.dataset.trial));
      row.hidden = !inside || (!whole && seen >= Number(board.dataset.shown));
      seen += inside && !row.hidden;
    }
    const note = document.getElementById("brushed");
    note.hidden = kept === null;
    if (kept !== null) note.firstElementChild.textContent = `${kept.size} of ${all("tbody tr", board).length} trials are in the ranges that are kept.`;
  };
  document.getElementById("unbrush")?.addEventListener("click", () => { kept = null; coordinates.clear(); show(); });
  document.getElementById("more")?.addEventListener("click", (event) => { whole = true; event.target.hidden = true; show(); });
  all("thead button", board ?? document.createElement("div")).forEach((button) => button.addEventListener("click", () => {
    const head = button.closest("th"), down = head.getAttribute("aria-sort") === "ascending";
    all("thead th[aria-sort]", board).forEach((each) => each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const at = head.cellIndex, body = board.tBodies[0];
    const key = (row) => row.cells[at].dataset.key;
    const missing = (row) => key(row) === "" || key(row) === "inf";
    const order = (a, b) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b); // what is not there stays below, either way
      const x = Number(key(a)), y = Number(key(b));
      const by = Number.isNaN(x) || Number.isNaN(y) ? key(a).localeCompare(key(b)) : x - y;
      return down ? -by : by;
    };
    body.append(...[...body.rows].sort(order));
    show();
  }));

  // The slider: each finalist's picture nearest to that share of its own training.
  const through = document.getElementById("through");
  through?.addEventListener("input", () => {
    const share = Number(through.value) / 100;
    document.getElementById("through-said").textContent = share === 1 ? "at the end" : `at ${through.value}% of the pictures`;
    for (const strip of all("[data-strip]")) {
      const frames = all("img", strip), now = Math.round(share * (frames.length - 1));
      frames.forEach((frame, at) => { frame.hidden = at !== now; });
      strip.querySelector(".at").textContent = `${Number(frames[now].dataset.images).toLocaleString("en")} images`;
    }
  });

  all(".copy").forEach((button) => button.addEventListener("click", async () => {
    const before = button.textContent;
    try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "copied"; }
    catch { button.textContent = "select it by hand"; }
    setTimeout(() => { button.textContent = before; }, 1500);
  }));
  document.getElementById("theme").addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; applyTheme(); });
  dark.addEventListener("change", applyTheme);
  applyTheme();
})();
