"use strict";
// Parallel coordinates on a canvas: a line a trial. Plotly's own are drawn by WebGL, which is missing or slow on many a
// machine without a GPU, and have no keys. A range of an axis is dragged by mouse or finger, or set by keys.
const parallelCoordinates = (() => {
  const HEIGHT = 460, TOP = 84, BELOW = 18, LEFT = 34, RIGHT = 74, APART = 84, NEAR = 7, STEP = 0.05, SHADES = 12, WITHIN = 0.25;
  const FOLLOWS = 120; // ms that the table is behind a moving range
  const element = (name, type, within) => { const made = document.createElement(type); made.className = name; within?.append(made); return made; };
  const colour = (text) => { const pen = document.createElement("canvas").getContext("2d"); pen.fillStyle = text; const hex = pen.fillStyle;
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)); };
  const between = (one, other, share) => `rgb(${one.map((each, at) => Math.round(each + (other[at] - each) * share)).join(" ")})`;

  return (plot, chart, css, changed) => {
    const { trials, shade, dimensions } = chart, count = dimensions.length;
    const area = element("parallel", "div", plot), scene = element("", "canvas", area), marked = element("", "canvas", area);
    const said = element("parallel-said", "p", area);
    said.hidden = true;
    area.style.height = `${HEIGHT}px`;
    const ranges = dimensions.map(() => null); // of each axis the kept part, in its own units
    const order = trials.map((_, at) => at).sort((a, b) => shade[a] - shade[b]); // the best ones are drawn last
    const all = document.createElement("canvas"); // every line, faded: under those that are kept
    let width = 0, apart = APART, shared = null, later = null;
    const x = (at) => LEFT + at * apart;
    const y = (at, value) => { const [low, high] = dimensions[at].range;
      return TOP + (HEIGHT - TOP - BELOW) * (high > low ? (high - value) / (high - low) : 0.5); };
    const value = (at, height) => { const [low, high] = dimensions[at].range;
      return Math.min(high, Math.max(low, high - (high - low) * (height - TOP) / (HEIGHT - TOP - BELOW))); };
    const inside = (trial) => ranges.every((range, at) => !range || (dimensions[at].values[trial] >= range[0] && dimensions[at].values[trial] <= range[1]));
    const written = (at, number) => { const each = dimensions[at];
      if (each.choice) return each.ticks[Math.min(each.ticks.length - 1, Math.max(0, Math.round(number) - each.ticks[0][0]))]?.[1] ?? "";
      return Number((each.log ? 10 ** number : number).toPrecision(3)).toString(); };

    // Lines. One by one: a path of many crossing lines is slow to stroke.
    const pen = (canvas) => { const scale = devicePixelRatio || 1, drawing = canvas.getContext("2d");
      if (canvas.width !== Math.round(width * scale)) { canvas.width = Math.round(width * scale); canvas.height = Math.round(HEIGHT * scale); canvas.style.width = `${width}px`; canvas.style.height = `${HEIGHT}px`; }
      drawing.setTransform(scale, 0, 0, scale, 0, 0); drawing.clearRect(0, 0, width, HEIGHT); return drawing; };
    const line = (drawing, trial) => { drawing.beginPath();
      for (let at = 0; at < count; at++) drawing.lineTo(x(at), y(at, dimensions[at].values[trial]));
      drawing.stroke(); };
    const paint = () => {
      shared = null;
      const drawing = pen(scene), worst = colour(css("--worst")), best = colour(css("--best")), failed = css("--failed");
      const some = ranges.some((range) => range);
      if (some) drawing.drawImage(all, 0, 0, width, HEIGHT);
      for (const trial of order) if (!some || inside(trial)) {
        drawing.strokeStyle = shade[trial] < 0 ? failed : between(worst, best, Math.round(shade[trial] * SHADES) / SHADES);
        drawing.lineWidth = shade[trial] > 0.95 ? 2 : 1;
        line(drawing, trial);
      }
      axes.forEach(({ band, axis }, at) => {
        band.hidden = !ranges[at];
        if (ranges[at]) { const [low, high] = ranges[at]; band.style.top = `${y(at, high) - TOP}px`; band.style.height = `${Math.max(2, y(at, low) - y(at, high))}px`; }
        axis.setAttribute("aria-valuenow", ranges[at] ? ranges[at][0] : dimensions[at].range[0]);
        axis.setAttribute("aria-valuetext", ranges[at] ? `${written(at, ranges[at][0])} to ${written(at, ranges[at][1])} kept` : "all kept");
      });
    };
    const fade = () => { const drawing = pen(all); drawing.strokeStyle = css("--faded"); drawing.lineWidth = 1; for (const trial of order) line(drawing, trial); };
    const tell = () => { later = null; changed(ranges.some((range) => range) ? trials.filter((_, at) => inside(at)) : null); };
    const soon = () => { shared ??= requestAnimationFrame(paint); later ??= setTimeout(tell, FOLLOWS); };

    // Of a choice whole options are kept, and what is outside the axis is cut off.
    const keep = (at, low, high) => {
      const [least, most] = dimensions[at].range;
      let range = [Math.max(least, Math.min(low, high)), Math.min(most, Math.max(low, high))];
      if (dimensions[at].choice) { range = [Math.ceil(range[0] - 0.5), Math.floor(range[1] + 0.5)]; range = [range[0] - WITHIN, Math.max(...range) + WITHIN]; }
      ranges[at] = range; soon();
    };
    const drop = (at) => { ranges[at] = null; soon(); };

    const axes = dimensions.map((each, at) => {
      const axis = element("parallel-axis", "div", area), band = element("parallel-band", "i", axis), title = element("parallel-title", "span", area);
      title.append(...each.title.split(/(?<=[._])/).flatMap((part) => [part, document.createElement("wbr")]));
      axis.tabIndex = 0;
      axis.style.top = `${TOP}px`; axis.style.height = `${HEIGHT - TOP - BELOW}px`;
      for (const [name, text] of [["role", "slider"], ["aria-orientation", "vertical"], ["aria-label", `${each.title}, kept range`],
        ["aria-valuemin", each.range[0]], ["aria-valuemax", each.range[1]]]) axis.setAttribute(name, text);
      const ticks = each.ticks.map(([place, text]) => { const tick = element("parallel-tick", "span", axis); tick.textContent = text; tick.style.top = `${y(at, place) - TOP}px`; return tick; });
      let held = null;
      axis.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        axis.setPointerCapture(event.pointerId); axis.focus({ preventScroll: true }); event.preventDefault();
        const height = event.clientY - area.getBoundingClientRect().top, range = ranges[at];
        const ends = range && range.map((end) => y(at, end)); // low, high: from below to above
        held = { from: height, moved: false, range, how: !range ? "new" : Math.abs(height - ends[0]) < NEAR ? "low" : Math.abs(height - ends[1]) < NEAR ? "high"
          : height < ends[0] && height > ends[1] ? "move" : "new" };
      });
      axis.addEventListener("pointermove", (event) => {
        if (!held) return;
        const height = event.clientY - area.getBoundingClientRect().top;
        held.moved ||= Math.abs(height - held.from) > 3;
        if (!held.moved) return;
        const now = value(at, height), was = value(at, held.from);
        if (held.how === "new") keep(at, was, now);
        else if (held.how === "low") keep(at, now, held.range[1]);
        else if (held.how === "high") keep(at, held.range[0], now);
        else keep(at, held.range[0] + now - was, held.range[1] + now - was);
      });
      const released = () => { if (held && !held.moved) drop(at); held = null; };
      axis.addEventListener("pointerup", released);
      axis.addEventListener("pointercancel", () => { held = null; });
      axis.addEventListener("keydown", (event) => {
        const [low, high] = each.range, step = each.choice ? 1 : (high - low) * STEP, [from, to] = !ranges[at] ? [each.choice ? high : high - (high - low) / 4, high]
          : each.choice ? [ranges[at][0] + WITHIN, ranges[at][1] - WITHIN] : ranges[at];
        const moves = { ArrowUp: [step, step], ArrowDown: [-step, -step], PageUp: [5 * step, 5 * step], PageDown: [-5 * step, -5 * step], "+": [-step, step], "-": [step, -step] };
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Escape" || event.key === "Delete") drop(at);
        else if (!moves[event.key]) return;
        else if (!ranges[at]) keep(at, from, to);
        else {
          let [a, b] = [from + moves[event.key][0], to + moves[event.key][1]];
          if (b < a) [a, b] = [(a + b) / 2, (a + b) / 2];
          if (event.key !== "+" && event.key !== "-") { if (b > high) [a, b] = [high - (to - from), high]; if (a < low) [a, b] = [low, low + (to - from)]; }
          keep(at, a, b);
        }
        event.preventDefault();
      });
      return { axis, band, title, ticks };
    });

    // The line under the mouse says whose it is.
    const nearest = (left, height) => {
      const at = Math.min(count - 2, Math.max(0, Math.floor((left - LEFT) / apart))), share = (left - x(at)) / apart;
      let found = null, least = NEAR;
      for (const trial of order) if (inside(trial)) {
        const there = y(at, dimensions[at].values[trial]) * (1 - share) + y(at + 1, dimensions[at + 1].values[trial]) * share;
        if (Math.abs(there - height) <= least) { least = Math.abs(there - height); found = trial; }
      }
      return found;
    };
    const mark = (trial, left = 0, height = 0) => {
      const drawing = pen(marked);
      said.hidden = trial === null;
      if (trial === null) return;
      drawing.strokeStyle = css("--text"); drawing.lineWidth = 2; line(drawing, trial);
      const last = dimensions[count - 1];
      said.textContent = `trial ${trials[trial]}: ${last.title} ${written(count - 1, last.values[trial])}${shade[trial] < 0 ? ", failed" : ""}`;
      said.style.left = `${Math.min(left + 12, width - 200)}px`; said.style.top = `${Math.max(TOP, height - 34)}px`;
    };
    if (count > 1) area.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons) return;
      const { left, top } = area.getBoundingClientRect(), [a, b] = [event.clientX - left, event.clientY - top];
      mark(b > TOP - NEAR && a >= LEFT && a <= x(count - 1) ? nearest(a, b) : null, a, b);
    });
    area.addEventListener("pointerleave", () => mark(null));

    const fit = () => {
      const room = plot.parentElement.clientWidth || 800;
      width = Math.max(room, LEFT + RIGHT + APART * (count - 1));
      apart = count > 1 ? (width - LEFT - RIGHT) / (count - 1) : 0;
      area.style.width = `${width}px`;
      axes.forEach(({ axis, title }, at) => { axis.style.left = `${x(at)}px`; title.style.left = `${x(at)}px`; title.style.width = `${Math.max(apart, APART) - 8}px`; });
      pen(marked); fade(); paint();
    };
    new ResizeObserver(fit).observe(plot.parentElement);
    fit();
    return { paint: () => { fade(); paint(); }, clear: () => { ranges.fill(null); soon(); } };
  };
})();
