// Draws a Plotly figure once the page has a moment: words come first. One Plotly serves all charts of a window.

const FULLSCREEN = { width: 24, height: 24, path: "M3 9V3h6v2H5v4zM15 3h6v6h-2V5h-4zM3 15h2v4h4v2H3zM19 15h2v6h-6v-2h4z" };
const SOON_MS = 1000; // the longest that a busy page puts a chart off
const whenIdle = window.requestIdleCallback ?? ((draw) => setTimeout(draw, 50)); // Safari has none
const notAnyMore = window.cancelIdleCallback ?? clearTimeout;

// Beside Streamlit's own scripts: the dashboard may be served under a path that only they know.
function plotly(name) {
  window.enginescopePlotly ??= new Promise((done, fail) => {
    const own = document.querySelector('script[src*="/static/js/"]');
    const script = document.createElement("script");
    script.src = new URL(`../../${name}`, own?.src ?? `${location.origin}/static/js/`);
    const lost = () => {
      window.enginescopePlotly = undefined; // the next chart asks again
      fail(new Error("its program did not come from the server."));
    };
    script.onload = () => (window.Plotly ? done(window.Plotly) : lost()); // a proxy may answer with a page
    script.onerror = lost;
    document.head.append(script);
  });
  return window.enginescopePlotly;
}

// Ink, ground and lines of the page, and room for labels; what a figure says itself stays.
function themed(layout, place) {
  const css = getComputedStyle(place);
  const ground = css.getPropertyValue("--st-background-color") || "#ffffff";
  const line = css.getPropertyValue("--st-border-color-light") || "rgba(128,128,128,0.2)";
  const axis = { gridcolor: line, zerolinecolor: line, tickcolor: line, automargin: true };
  const title = (standoff) => ({ font: { size: 14 }, standoff });
  const look = {
    font: { color: css.color, family: css.fontFamily, size: 12 },
    title: { xanchor: "left", x: 0, font: { size: 16 } },
    paper_bgcolor: ground,
    plot_bgcolor: ground,
    margin: { pad: 8 },
    hoverlabel: { bgcolor: ground, bordercolor: line, font: { color: css.color, size: 12 } },
    xaxis: { ...axis, showgrid: false, zeroline: false, title: title(20) },
    yaxis: { ...axis, title: title(24) },
    coloraxis: { colorbar: { thickness: 16, outlinewidth: 0, title: { font: { size: 14 } } } },
  };
  const template = { ...layout.template, layout: { ...look, ...layout.template?.layout } };
  return { ...layout, template };
}

// 64 characters of a digest, a line of words, the figure; see `packed` in chart.py.
const DIGEST = 64;
const text = (bytes, from, to) => new TextDecoder().decode(bytes.subarray(from, to));

// What was drawn and left is shown again as it was left: a reader goes to and fro between pages.
const KEPT = 8;
const left = (window.enginescopeCharts ??= new Map());

function leave(mark, plot) {
  left.set(mark, plot);
  window.Plotly.Fx.unhover(plot);
  if (left.size <= KEPT) return;
  const [oldest, unwanted] = left.entries().next().value;
  left.delete(oldest);
  window.Plotly.purge(unwanted);
}

// Made once: Plotly begins anew, and forgets what a reader moved, where its settings are others.
const BUTTONS = document.fullscreenEnabled
  ? [{ name: "fullscreen", title: "Fullscreen, or back", icon: FULLSCREEN, click: (plot) => plot.chart.turn() }]
  : [];

// What a reader moved or hid stays while the same is shown: the same result, on the same axes, in the same traces.
function revision(name, { data, layout }) {
  const axes = Object.keys(layout).filter((key) => /^[xy]axis/.test(key));
  const traces = data.filter((one) => one.showlegend !== false);
  return JSON.stringify([name, axes.map((key) => layout[key].title), traces.map((one) => one.name)]);
}

class Chart {
  constructor(place) {
    this.place = place;
    this.grown = new ResizeObserver(() => this.fit());
    this.grown.observe(place);
  }

  take(told, tell) {
    this.tell = tell;
    const css = getComputedStyle(this.place);
    const mark = [text(told, 0, DIGEST), css.color, css.getPropertyValue("--st-background-color")].join();
    if (mark === this.mark) return;
    const line = told.indexOf(10, DIGEST);
    this.mark = mark;
    this.told = told.subarray(line + 1);
    this.data = JSON.parse(text(told, DIGEST, line));
    this.place.style.height = `${this.data.height}px`;
    this.place.dataset.chart = "waits";
    this.later();
  }

  show(plot) {
    this.plot = plot;
    this.shown = this.mark;
    plot.chart = this;
    if (plot.parentNode !== this.place) this.place.replaceChildren(plot);
    this.place.dataset.chart = "drawn";
  }

  later() {
    notAnyMore(this.next);
    this.next = whenIdle(() => this.draw(), { timeout: SOON_MS });
  }

  async draw() {
    const { data } = this;
    try {
      await this.put(await plotly(data.script), data);
    } catch (error) {
      if (data === this.data) this.fail(error);
    }
  }

  async put(Plotly, data) {
    const { place } = this;
    // Hidden by a tab: `fit` draws when it is shown.
    if (data !== this.data || !place.isConnected || !place.clientWidth) return;
    const again = left.get(this.mark);
    if (again) {
      left.delete(this.mark);
      this.drop();
      this.show(again);
      return this.fit();
    }
    const figure = JSON.parse(text(this.told));
    const layout = { ...themed(figure.layout, place), ...this.size(), autosize: false };
    layout.uirevision = revision(data.filename, figure);
    if (data.picks) {
      Object.assign(layout, { clickmode: layout.clickmode ?? "event", dragmode: "pan" });
      layout.hovermode ??= "closest";
    }
    const plot = this.plot ?? document.createElement("div");
    if (plot !== this.plot) place.replaceChildren(plot);
    this.plot = plot;
    this.shown = undefined;
    await Plotly.react(plot, figure.data, layout, { ...data.config, modeBarButtonsToAdd: BUTTONS });
    if (data !== this.data) return;
    plot.removeAllListeners("plotly_click");
    if (data.picks) plot.on("plotly_click", (event) => plot.chart.pick(event.points[0], data.filename));
    this.show(plot);
    this.fit();
  }

  // The next run asks again, whatever it brings.
  fail(error) {
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    words.textContent = `The chart could not be drawn: ${error.message} Reload the page.`;
    this.drop();
    this.place.replaceChildren(words);
    this.place.dataset.chart = "failed";
    this.mark = undefined;
  }

  drop() {
    if (this.shown) leave(this.shown, this.plot);
    else if (this.plot) window.Plotly?.purge(this.plot);
    this.plot = this.shown = undefined;
  }

  // Each click has its moment, for Streamlit hears a value only when it is new.
  pick(point, filename) {
    const custom = point?.customdata;
    if (custom === undefined || custom === null) return;
    const mark = ArrayBuffer.isView(custom) ? [...custom] : [custom].flat();
    this.tell("picked", { mark, filename, at: Date.now() });
  }

  size() {
    const full = document.fullscreenElement === this.place;
    return { width: Math.max(this.place.clientWidth, 150), height: full ? this.place.clientHeight : this.data.height };
  }

  fit() {
    if (!this.data || !this.place.clientWidth) return;
    if (this.place.dataset.chart === "waits") return this.later();
    if (this.place.dataset.chart !== "drawn") return;
    const { width, height } = this.size();
    const now = this.plot.layout;
    if (now.width !== width || now.height !== height) window.Plotly.relayout(this.plot, { width, height });
  }

  turn() {
    return document.fullscreenElement === this.place ? document.exitFullscreen() : this.place.requestFullscreen();
  }

  end() {
    notAnyMore(this.next);
    this.grown.disconnect();
    this.data = undefined;
    this.drop();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const place = parentElement.querySelector(".chart");
  const chart = (place.chart ??= new Chart(place));
  chart.take(data, setStateValue);
  // Streamlit also ends calls that another one overtook: only a place that has left the page is done with.
  return () => {
    if (place.isConnected || place.chart !== chart) return;
    chart.end();
    place.chart = undefined;
  };
}
