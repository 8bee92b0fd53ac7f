// Draws a graph view as SVG: only what the window shows, with fewer details the further out.
// Every text comes out of a model and is set as textContent only.

const FAR = 0.18; // below this scale no text is readable: boxes are plain rectangles
const READABLE = 0.52; // from this scale on all names are 9 pixels high or more
const SVG = "http://www.w3.org/2000/svg";
const graphs = new WeakMap();

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let graph = graphs.get(parentElement);
  if (!graph) {
    graph = new GraphPicture(parentElement);
    graphs.set(parentElement, graph);
  }
  graph.select = (id) => setStateValue("selected", id);
  graph.ask = (request) => setTriggerValue("request", request);
  graph.update(data);
  return () => {
    graph.dispose();
    graphs.delete(parentElement);
  };
}

function svg(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.appendChild(element);
  return element;
}

function html(name, className, parent, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

const pencil = document.createElement("canvas").getContext("2d");

// Cut in the middle, because both ends of a node's name tell it from its neighbours; a list of ops is cut at its end.
function fitted(text, width, font, atEnd) {
  pencil.font = font;
  if (pencil.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  const cut = (kept) => atEnd ? `${text.slice(0, kept).replace(/[ +…]+$/, "")} …` : text.slice(0, Math.ceil(kept / 2)) + "…" + text.slice(text.length - Math.floor(kept / 2));
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pencil.measureText(cut(middle)).width <= width) low = middle;
    else high = middle - 1;
  }
  return low ? cut(low) : "";
}

function rounded(points) {
  // Vertical runs become S-curves, corners of detours become small arcs.
  let path = `M${points[0][0]},${points[0][1]}`;
  for (let at = 1; at < points.length; at += 1) {
    const [x0, y0] = points[at - 1];
    const [x1, y1] = points[at];
    if (x0 !== x1 && y0 !== y1) {
      const middle = (y0 + y1) / 2;
      path += `C${x0},${middle} ${x1},${middle} ${x1},${y1}`;
      continue;
    }
    const next = points[at + 1];
    const turns = next && (x0 === x1) !== (x1 === next[0]) && (x1 === next[0] || y1 === next[1]);
    if (!turns) {
      path += `L${x1},${y1}`;
      continue;
    }
    const radius = Math.min(7, Math.hypot(x1 - x0, y1 - y0) / 2, Math.hypot(next[0] - x1, next[1] - y1) / 2);
    const toward = ([fx, fy], [tx, ty]) => {
      const length = Math.hypot(tx - fx, ty - fy) || 1;
      return [fx + ((tx - fx) * radius) / length, fy + ((ty - fy) * radius) / length];
    };
    const [ax, ay] = toward([x1, y1], [x0, y0]);
    const [bx, by] = toward([x1, y1], next);
    path += `L${ax},${ay}Q${x1},${y1} ${bx},${by}`;
  }
  return path;
}

class GraphPicture {
  constructor(parent) {
    this.root = html("div", "graph", parent);
    this.bar = html("div", "bar", this.root);
    this.buildBar();
    this.stage = html("div", "stage", this.root);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-label", "Graph. Arrows move, plus and minus zoom, 0 shows all, Enter goes to a box.");
    this.view = svg("svg", { class: "view" }, this.stage);
    this.buildArrow();
    this.world = svg("g", {}, this.view);
    this.groupLayer = svg("g", {}, this.world);
    this.edgeLayer = svg("g", {}, this.world);
    this.boxLayer = svg("g", {}, this.world);
    this.map = html("canvas", "map", this.stage);
    this.tip = html("div", "tip", this.stage);
    this.tip.hidden = true;
    this.legend = html("div", "legend", this.root);
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitting = true; // the window follows the graph until the reader moves it
    this.whole = false; // the reader asked for all of it, however small
    [this.wide, this.high] = [1, 1];
    this.boxes = [];
    this.edges = [];
    this.drawn = new Map();
    this.lines = new Map();
    this.found = [];
    this.listen();
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.stage);
  }

  buildBar() {
    this.search = html("input", "", this.bar);
    this.search.type = "search";
    this.search.placeholder = "Find a node";
    this.search.setAttribute("aria-label", "Find a node by name or op");
    this.search.maxLength = 200;
    const button = (text, label, act) => {
      const made = html("button", "", this.bar, text);
      made.type = "button";
      made.title = label;
      made.setAttribute("aria-label", label);
      made.addEventListener("click", act);
    };
    button("−", "Zoom out (−)", () => this.zoom(1 / 1.3));
    button("+", "Zoom in (+)", () => this.zoom(1.3));
    button("Fit", "Show all (0)", () => this.fit());
    button("Reset groups", "Open and close groups as at first", () => this.ask({ do: "reset" }));
    this.note = html("span", "note", this.bar);
    this.note.setAttribute("aria-live", "polite");
  }

  buildArrow() {
    const marker = { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" };
    svg("path", { d: "M0,0.8L8,4L0,7.2Z", class: "arrow" }, svg("marker", marker, svg("defs", {}, this.view)));
  }

  dispose() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  update(data) {
    const before = this.data;
    this.data = data;
    this.root.style.height = `${data.height}px`;
    this.colours = new Map(data.colours.map(([key, colour, code, name]) => [key, { colour, code, name }]));
    this.root.classList.toggle("dim", data.dim);
    this.selected = data.selected;
    const held = this.focused()?.dataset?.id;
    if (!before || before.stamp !== data.stamp) this.load(before);
    else if (before.look !== data.look) this.restyle();
    if (held) this.focusAfter = held;
    this.drawLegend();
    if (data.focus && (!before || before.focus_stamp !== data.focus_stamp)) this.goTo(data.focus);
    this.announce();
    this.draw();
    // Boxes are made anew; the keyboard stays where it was.
    if (this.focusAfter) this.drawn.get(this.focusAfter)?.element.focus({ preventScroll: true });
    this.focusAfter = undefined;
  }

  load(before) {
    [this.wide, this.high] = this.data.span;
    const anchor = before && this.toggled ? this.byId.get(this.toggled) : undefined;
    this.boxes = this.data.boxes.map((row) => {
      const [id, label, detail, kind, x, y, w, h, state, key, shares, second, parent, lit] = row;
      return { id, label, detail, kind, x, y, w, h, state, key, shares, second, parent, lit };
    });
    this.byId = new Map(this.boxes.map((box) => [box.id, box]));
    this.edges = this.data.edges.map(([source, target, flat, text]) => {
      const points = [];
      for (let at = 0; at < flat.length; at += 2) points.push([flat[at], flat[at + 1]]);
      const xs = points.map((point) => point[0]);
      const ys = points.map((point) => point[1]);
      const bounds = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
      return { source, target, points, text, bounds };
    });
    this.clear();
    this.found = [];
    const now = this.toggled && this.byId.get(this.toggled);
    this.toggled = undefined;
    if (!before) {
      this.begin();
    } else if (now && anchor) {
      this.x += (anchor.x - now.x) * this.scale;
      this.y += (anchor.y - now.y) * this.scale;
      this.settle(now);
    } else if (this.fitting) {
      this.refit();
    }
  }

  // After opening a group: all of the graph where that stays readable, else the group.
  settle(box) {
    const { width, height } = this.window();
    if (this.fitting && Math.min(width / this.wide, height / this.high) > READABLE) this.refit();
    else if (box.state === 2) this.frameBox(box);
    else this.fitting = false;
  }

  // The group where its names stay readable, else its beginning: an opened group may be far larger than the window.
  frameBox(box) {
    const { width, height } = this.window();
    const scale = Math.min(1.1, Math.max(READABLE, Math.min((width - 60) / box.w, (height - 50) / box.h)));
    if (box.w * this.scale > width || box.h * this.scale > height || this.scale < READABLE) this.scale = scale;
    const inner = this.boxes.filter((one) => one.parent === box.id).sort((one, other) => one.y - other.y || one.x - other.x);
    const first = inner[0] ?? box;
    const [start, end] = [14 - box.x * this.scale, width - 14 - (box.x + box.w) * this.scale];
    const middle = width / 2 - (first.x + first.w / 2) * this.scale;
    this.x = start > end ? Math.min(start, Math.max(end, middle)) : width / 2 - (box.x + box.w / 2) * this.scale;
    this.y = box.h * this.scale > height ? 14 - box.y * this.scale : height / 2 - (box.y + box.h / 2) * this.scale;
    this.fitting = false;
  }

  window() {
    return { width: this.stage.clientWidth || 800, height: this.stage.clientHeight || 400 };
  }

  resized() {
    if (this.fitting) this.refit();
    else this.schedule();
  }

  // All of the graph where its names stay readable, else its beginning, from where the reader goes on.
  begin() {
    this.showAll();
    this.whole = false;
    if (this.scale >= READABLE) return;
    const { width, height } = this.window();
    this.scale = READABLE;
    const start = this.boxes.find((box) => box.kind === "input") ?? this.boxes[0];
    const right = start ? (start.x + start.w) * this.scale + 28 : 0;
    const slackX = width - 28 - this.wide * this.scale;
    const slackY = height - 28 - this.high * this.scale;
    this.x = slackX > 0 ? 14 + slackX / 2 : 14 + Math.max(slackX, Math.min(0, width - right));
    this.y = slackY > 0 ? 14 + slackY / 2 : 14;
  }

  fit() {
    this.showAll();
    this.whole = true;
  }

  refit() {
    if (this.whole) this.fit();
    else this.begin();
  }

  showAll() {
    const { width, height } = this.window();
    this.scale = Math.min(1.25, (width - 28) / Math.max(1, this.wide), (height - 28) / Math.max(1, this.high));
    this.x = (width - this.wide * this.scale) / 2;
    this.y = (height - this.high * this.scale) / 2;
    this.fitting = true;
    this.schedule();
  }

  zoom(factor, at) {
    const { width, height } = this.window();
    const [px, py] = at ?? [width / 2, height / 2];
    const scale = Math.min(3, Math.max(0.02, this.scale * factor));
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitting = false;
    this.schedule();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitting = false;
    this.schedule();
  }

  schedule() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  clear() {
    for (const { element } of this.drawn.values()) element.remove();
    for (const element of this.lines.values()) element.remove();
    this.drawn.clear();
    this.lines.clear();
  }

  restyle() {
    // The same boxes; colours, highlight or selection may differ.
    this.data.boxes.forEach((row, at) => {
      [this.boxes[at].key, this.boxes[at].shares, this.boxes[at].lit] = [row[9], row[10], row[13]];
    });
    this.clear();
  }

  draw() {
    if (!this.data) return;
    const { width, height } = this.window();
    this.world.setAttribute("transform", `translate(${this.x},${this.y}) scale(${this.scale})`);
    const margin = 80 / this.scale;
    const left = -this.x / this.scale - margin;
    const top = -this.y / this.scale - margin;
    const right = left + width / this.scale + 2 * margin;
    const bottom = top + height / this.scale + 2 * margin;
    const level = this.scale < FAR ? null : Math.round(Math.log(this.scale) / Math.log(1.2));
    const shown = new Set();
    const open = [];
    const closed = [];
    for (const box of this.boxes) {
      if (box.x > right || box.y > bottom || box.x + box.w < left || box.y + box.h < top) continue;
      if (Math.max(box.w, box.h) * this.scale < 3) continue;
      shown.add(box.id);
      let item = this.drawn.get(box.id);
      if (item && item.level !== level && item.element !== this.focused()) {
        item.element.remove();
        item = undefined;
      }
      if (!item) {
        item = { element: this.makeBox(box), level };
        this.drawn.set(box.id, item);
      }
      (box.state === 2 ? open : closed).push(item.element);
    }
    for (const [id, { element }] of this.drawn) {
      if (shown.has(id)) continue;
      element.remove();
      this.drawn.delete(id);
    }
    this.keepOrder(this.groupLayer, open);
    this.keepOrder(this.boxLayer, closed);
    this.drawEdges(left, top, right, bottom);
    this.mark();
    this.drawMap(width, height);
  }

  focused() {
    return this.stage.getRootNode().activeElement;
  }

  keepOrder(layer, elements) {
    let next = layer.firstChild;
    for (const element of elements) {
      if (element === next) next = next.nextSibling;
      else layer.insertBefore(element, next);
    }
  }

  drawEdges(left, top, right, bottom) {
    const hidden = this.scale < FAR / 2;
    this.edges.forEach((edge, at) => {
      const [x0, y0, x1, y1] = edge.bounds;
      const shown = !hidden && x0 < right && y0 < bottom && x1 > left && y1 > top;
      const element = this.lines.get(at);
      if (shown && !element) {
        const line = svg("path", { class: "edge", d: rounded(edge.points) }, this.edgeLayer);
        if (this.scale > 0.25) line.setAttribute("marker-end", "url(#arrow)");
        this.lines.set(at, line);
      } else if (!shown && element) {
        element.remove();
        this.lines.delete(at);
      }
    });
  }

  makeBox(box) {
    const { colour, code } = this.colours.get(box.key) ?? { colour: "var(--quiet)", code: "" };
    const kind = box.state === 2 ? " open" : box.kind === "input" || box.kind === "output" ? " end" : "";
    const element = svg("g", { class: `box${kind}`, transform: `translate(${box.x},${box.y})`, role: "button", tabindex: 0 });
    element.dataset.id = box.id;
    element.style.setProperty("--hue", colour);
    element.setAttribute("aria-label", `${box.label}, ${box.second}${box.state === 1 ? ", closed group" : box.state === 2 ? ", open group" : ""}`);
    if (box.lit) element.classList.add("lit");
    const radius = kind === " end" ? box.h / 2 : box.state === 2 ? 6 : 4;
    if (this.scale < FAR) {
      element.classList.add("far");
      svg("rect", { class: "body", width: box.w, height: box.h }, element);
      return element;
    }
    if (box.state === 1) svg("rect", { class: "pile", x: 4, y: 4, width: box.w, height: box.h, rx: radius }, element);
    svg("rect", { class: "body", width: box.w, height: box.h, rx: radius }, element);
    if (box.state === 2) this.fillOpen(box, element);
    else this.fillClosed(box, element, code, kind === " end");
    return element;
  }

  fillOpen(box, element) {
    svg("path", { class: "head", d: `M0,24V6Q0,0 6,0H${box.w - 6}Q${box.w},0 ${box.w},6V24Z` }, element);
    const size = Math.min(22, Math.max(12.5, 10.5 / this.scale));
    if (size * this.scale > 5) this.write(element, "name", 9, Math.max(16.5, size * 0.85), box.label, box.w - 42, size);
    this.knob(element, box.w - 14, 12, false);
  }

  fillClosed(box, element, code, isEnd) {
    if (!isEnd) svg("path", { class: "stripe", d: `M4,0H5V${box.h}H4Q0,${box.h} 0,${box.h - 4}V4Q0,0 4,0Z` }, element);
    if (box.shares.length > 1) this.strip(box, element);
    const knob = box.state === 1;
    if (knob) this.knob(element, box.w - 15, box.h / 2, true);
    const inner = box.w - 16 - (knob ? 24 : 4);
    const near = this.scale > 0.68;
    const size = near ? 13 : Math.min(box.h * 0.46, Math.max(13, 11 / this.scale));
    if (size * this.scale < 4.5) return;
    // The letters say what the colour says, at every size at which text is drawn.
    const codeSize = near ? 10 : size * 0.72;
    const codeWidth = code && !isEnd ? codeSize * 2.2 : 0;
    const start = isEnd ? 16 : 12;
    const beside = isEnd ? 14 : near && !knob ? 0 : codeWidth;
    const atEnd = box.kind === "block" || box.kind === "part";
    this.write(element, "name", start, near ? 18 : box.h / 2 + size * 0.35, box.label, inner - beside, size, atEnd);
    if (codeWidth) this.write(element, "code", box.w - (knob ? 29 : 6), near ? (knob ? 17 : 34) : box.h / 2 + codeSize * 0.35, code, 60, codeSize);
    if (near) this.write(element, "minor", start, 33, box.second, inner - (knob ? 0 : codeWidth) - (isEnd ? 10 : 0), 11);
  }

  write(element, className, x, y, text, width, size, atEnd) {
    const line = svg("text", { class: className, x, y, "font-size": size }, element);
    const weight = className === "minor" ? 400 : 600;
    this.font ??= getComputedStyle(this.root).fontFamily;
    line.textContent = fitted(text, width, `${weight} ${size}px ${this.font}`, atEnd);
  }

  strip(box, element) {
    const total = box.shares.reduce((sum, [, count]) => sum + count, 0);
    const width = box.w - 14;
    let x = 9;
    for (const [key, count] of box.shares) {
      const part = (width * count) / total;
      const bar = svg("rect", { x, y: box.h - 8, width: Math.max(0.6, part - 0.8), height: 4 }, element);
      bar.style.fill = this.colours.get(key)?.colour ?? "#999999";
      x += part;
    }
  }

  knob(element, x, y, plus) {
    const knob = svg("g", { class: "knob" }, element);
    svg("rect", { x: x - 9, y: y - 9, width: 18, height: 18, rx: 4 }, knob);
    svg("path", { d: `M${x - 4.5},${y}H${x + 4.5}${plus ? `M${x},${y - 4.5}V${y + 4.5}` : ""}` }, knob);
  }

  mark() {
    const found = new Set(this.found.map((box) => box.id));
    for (const [id, { element }] of this.drawn) {
      element.classList.toggle("selected", id === this.selected);
      element.classList.toggle("found", found.has(id));
    }
    for (const [at, line] of this.lines) {
      const edge = this.edges[at];
      line.classList.toggle("near", Boolean(this.selected) && (edge.source === this.selected || edge.target === this.selected));
    }
  }

  drawMap(width, height) {
    const covered = this.x >= -2 && this.y >= -2 && this.x + this.wide * this.scale <= width + 2 && this.y + this.high * this.scale <= height + 2;
    this.map.hidden = covered;
    if (covered) return;
    const ratio = Math.min(150 / this.wide, 100 / this.high);
    const dots = window.devicePixelRatio || 1;
    const [w, h] = [Math.max(24, this.wide * ratio), Math.max(24, this.high * ratio)];
    this.map.width = w * dots;
    this.map.height = h * dots;
    this.map.style.width = `${w}px`;
    this.map.style.height = `${h}px`;
    this.mapRatio = ratio;
    const ink = getComputedStyle(this.root).color;
    const brush = this.map.getContext("2d");
    brush.scale(dots * ratio, dots * ratio);
    for (const box of this.boxes) {
      brush.globalAlpha = box.state === 2 ? 0.1 : 0.8;
      brush.fillStyle = box.state === 2 ? ink : this.colours.get(box.key)?.colour ?? "#8a9490";
      brush.fillRect(box.x, box.y, box.w, box.h);
    }
    brush.globalAlpha = 1;
    brush.strokeStyle = ink;
    brush.lineWidth = 1.5 / ratio;
    brush.strokeRect(-this.x / this.scale, -this.y / this.scale, width / this.scale, height / this.scale);
  }

  drawLegend() {
    this.legend.replaceChildren();
    const present = new Set(this.boxes.flatMap((box) => box.shares.map(([key]) => key)));
    for (const [key, { colour, code, name }] of this.colours) {
      if (!present.has(key)) continue;
      const entry = html("span", "", this.legend);
      html("i", "", entry).style.background = colour;
      html("b", "", entry, code);
      entry.append(name);
    }
    this.legend.hidden = !this.legend.childElementCount;
  }

  announce(text) {
    const closed = this.boxes.filter((box) => box.state !== 2).length;
    this.note.textContent = text ?? `${closed} boxes of ${this.data.nodes} nodes`;
  }

  toggle(box) {
    if (!box.state) return;
    this.toggled = box.id;
    this.announce(box.state === 1 ? "Opening …" : "Closing …");
    this.ask({ do: "toggle", id: box.id });
  }

  choose(box) {
    this.selected = box ? box.id : null;
    this.mark();
    this.select(this.selected);
  }

  goTo(id) {
    this.focusOn(id, true);
    const box = this.byId.get(id);
    if (box && box.state !== 2 && this.selected !== id) this.choose(box);
  }

  focusOn(id, keyboard) {
    const box = this.byId.get(id);
    if (!box) return;
    const { width, height } = this.window();
    this.scale = Math.max(this.scale, 0.85);
    this.x = width / 2 - (box.x + box.w / 2) * this.scale;
    this.y = height / 2 - (box.y + Math.min(box.h, height) / 2) * this.scale;
    this.fitting = false;
    this.draw();
    if (!keyboard) this.drawn.get(id)?.element.focus({ preventScroll: true });
  }

  find(step) {
    const wanted = this.search.value.trim().toLowerCase();
    const matches = (box) => [box.label, box.detail].some((text) => text.toLowerCase().includes(wanted));
    this.found = wanted ? this.boxes.filter((box) => box.state !== 2 && matches(box)) : [];
    this.foundAt = step && this.found.length ? ((this.foundAt ?? -1) + 1) % this.found.length : -1;
    if (step && wanted && !this.found.length) this.ask({ do: "find", text: wanted });
    else if (this.foundAt >= 0) this.focusOn(this.found[this.foundAt].id, true);
    if (!wanted) this.announce();
    else if (this.found.length) this.announce(`${this.foundAt >= 0 ? `${this.foundAt + 1} of ` : ""}${this.found.length} shown; Enter goes to the next`);
    else this.announce(step ? "Looking inside the closed groups …" : "Not among the shown boxes; Enter looks inside the groups");
    this.mark();
  }

  boxAt(event) {
    const element = event.target.closest?.("[data-id]");
    return element ? this.byId.get(element.dataset.id) : undefined;
  }

  place(event) {
    const frame = this.stage.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  listen() {
    this.search.addEventListener("input", () => this.find(false));
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.find(true);
    });
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    this.stage.addEventListener("pointerup", (event) => this.release(event));
    this.stage.addEventListener("pointercancel", () => this.drop());
    this.stage.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("focusin", (event) => this.reveal(event));
  }

  wheel(event) {
    // An unused graph lets the page scroll past it.
    const active = this.stage.contains(this.focused()) || event.ctrlKey || event.metaKey;
    if (!active) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), this.place(event));
  }

  press(event) {
    if (event.button) return;
    this.tip.hidden = true;
    if (event.target === this.map) {
      this.mapping = true;
      this.mapTo(event);
      return;
    }
    this.grip = { x: event.clientX, y: event.clientY, box: this.boxAt(event), knob: Boolean(event.target.closest?.(".knob")), moved: false, head: Boolean(event.target.closest?.(".head")) };
  }

  move(event) {
    if (this.mapping) return this.mapTo(event);
    if (!this.grip) return this.hover(event);
    const [dx, dy] = [event.clientX - this.grip.x, event.clientY - this.grip.y];
    if (!this.grip.moved && Math.hypot(dx, dy) < 4) return undefined;
    if (!this.grip.moved) this.stage.setPointerCapture(event.pointerId);
    this.grip.moved = true;
    this.stage.classList.add("dragging");
    this.grip.x = event.clientX;
    this.grip.y = event.clientY;
    return this.pan(dx, dy);
  }

  release(event) {
    const grip = this.grip;
    this.drop();
    if (!grip || grip.moved) return;
    const box = this.boxAt(event);
    const twice = box && this.last?.id === box.id && event.timeStamp - this.last.at < 400;
    this.last = box && { id: box.id, at: event.timeStamp };
    if (box && (grip.knob || grip.head || (twice && box.state))) this.toggle(box);
    else if (box && box.state !== 2) this.choose(box);
    else if (this.selected) this.choose(null);
  }

  drop() {
    this.grip = undefined;
    this.mapping = false;
    this.stage.classList.remove("dragging");
  }

  mapTo(event) {
    const frame = this.map.getBoundingClientRect();
    const { width, height } = this.window();
    this.x = width / 2 - ((event.clientX - frame.left) / this.mapRatio) * this.scale;
    this.y = height / 2 - ((event.clientY - frame.top) / this.mapRatio) * this.scale;
    this.fitting = false;
    this.schedule();
  }

  hover(event) {
    const under = this.boxAt(event);
    const box = under?.state === 2 && !event.target.closest(".head, .knob") ? undefined : under;
    this.tip.hidden = !box;
    if (!box) return;
    if (this.tipped !== box) {
      this.tipped = box;
      this.tip.replaceChildren();
      for (const line of [box.label, box.detail, box.second === box.detail ? "" : box.second, this.shareText(box)]) if (line) html("div", "", this.tip, line).dir = "auto";
      if (box.state) html("div", "", this.tip, box.state === 1 ? "Double click or + opens the group." : "Click on the header closes the group.");
    }
    const [x, y] = this.place(event);
    const { width, height } = this.window();
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, width - this.tip.offsetWidth - 6))}px`;
    this.tip.style.top = `${y + 18 + this.tip.offsetHeight > height ? Math.max(4, y - this.tip.offsetHeight - 10) : y + 18}px`;
  }

  shareText(box) {
    return box.shares.map(([key, count]) => `${this.colours.get(key)?.name ?? key}${box.shares.length > 1 ? ` ×${count}` : ""}`).join(", ");
  }

  reveal(event) {
    const box = this.boxAt(event);
    if (!box || this.grip) return;
    const { width, height } = this.window();
    const [x, y] = [box.x * this.scale + this.x, box.y * this.scale + this.y];
    const dx = x < 8 ? 8 - x : Math.min(0, width - 8 - x - box.w * this.scale);
    const dy = y < 8 ? 8 - y : Math.min(0, height - 8 - y - box.h * this.scale);
    if ((dx || dy) && box.state !== 2) this.pan(dx, dy);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const box = this.boxAt(event);
    const steps = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = steps[event.key];
    if (step) {
      if (!box || !this.step(box, -step[0], -step[1])) this.pan(step[0] * 60, step[1] * 60);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.fit();
    else if (event.key === "Enter" && !box) this.enter();
    else if (event.key === "Enter") box.state === 2 || (box.state && this.selected === box.id) ? this.toggle(box) : this.choose(box);
    else if (event.key === " " && box) this.toggle(box);
    else if (event.key === "Escape" && box) this.stage.focus({ preventScroll: true });
    else return;
    event.preventDefault();
  }

  enter() {
    const first = this.boxes.find((box) => box.state !== 2 && this.drawn.has(box.id));
    const item = this.drawn.get(this.selected) ?? (first && this.drawn.get(first.id));
    item?.element.focus({ preventScroll: true });
  }

  // The nearest box in that direction, sideways distance counted double.
  step(from, dx, dy) {
    let best;
    let least = Infinity;
    const middle = (box) => [box.x + box.w / 2, box.y + (box.state === 2 ? 12 : box.h / 2)];
    const [fx, fy] = middle(from);
    for (const box of this.boxes) {
      if (box === from) continue;
      const [x, y] = middle(box);
      const ahead = (x - fx) * dx + (y - fy) * dy;
      const aside = Math.abs((x - fx) * dy) + Math.abs((y - fy) * dx);
      if (ahead > 4 && ahead + 2 * aside < least) [best, least] = [box, ahead + 2 * aside];
    }
    if (!best) return false;
    this.draw();
    const item = this.drawn.get(best.id);
    if (item) item.element.focus({ preventScroll: true });
    else this.focusOn(best.id, false);
    return true;
  }
}
