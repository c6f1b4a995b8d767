// The viewer of the page: volumes are NIfTI in the page itself, drawn by niivue where the page holds it, else on canvases.
(() => {
"use strict";
const TRUTH = [64, 214, 190], PREDICTION = [255, 122, 50];
const PLANES = [{name: "axial", across: 2, right: 0, down: 1}, {name: "coronal", across: 1, right: 0, down: 2},
  {name: "sagittal", across: 0, right: 1, down: 2}];
const ENDS = [["R", "L"], ["A", "P"], ["S", "I"]];
const TYPES = {2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 512: Uint16Array};
const root = document.getElementById("viewer");
if (!root) return;

// ---- volumes -------------------------------------------------------------------------------------------------------
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

function invert(m) {
  const [a, b, c, d, e, f, g, h, i] = [0, 1, 2].flatMap((row) => m[row].slice(0, 3));
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const n = [[e * i - f * h, c * h - b * i, b * f - c * e], [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d]].map((row) => row.map((x) => x / det));
  return n.map((row) => [...row, -row.reduce((sum, x, k) => sum + x * m[k][3], 0)]);
}
const apply = (m, p) => m.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3]);

class Volume {
  constructor(buffer) {
    const view = new DataView(buffer);
    this.shape = [1, 2, 3].map((n) => view.getInt16(40 + 2 * n, true));
    const size = this.shape[0] * this.shape[1] * this.shape[2];
    this.data = new TYPES[view.getInt16(70, true)](buffer, view.getFloat32(108, true), size);
    this.slope = view.getFloat32(112, true) || 1;
    this.affine = [0, 1, 2].map((row) => [0, 1, 2, 3].map((n) => view.getFloat32(280 + 16 * row + 4 * n, true)));
    this.inverse = invert(this.affine);
  }
  at(i, j, k) { return this.data[i + this.shape[0] * (j + this.shape[1] * k)] * this.slope; }
  sample(p) {  // linear between centres, the nearest value up to the rim of voxels, beyond none
    const [x, y, z] = p, [a, b, c] = this.shape;
    if (!(x >= -0.5 && y >= -0.5 && z >= -0.5 && x <= a - 0.5 && y <= b - 0.5 && z <= c - 0.5)) return NaN;
    const low = [], high = [], part = [];
    for (let n = 0; n < 3; n++) {
      const q = Math.min(Math.max(p[n], 0), this.shape[n] - 1);
      low[n] = Math.floor(q); high[n] = Math.min(low[n] + 1, this.shape[n] - 1); part[n] = q - low[n];
    }
    let sum = 0;
    for (let corner = 0; corner < 8; corner++) {
      const [u, v, w] = [corner & 1, corner & 2, corner & 4];
      const weight = (u ? part[0] : 1 - part[0]) * (v ? part[1] : 1 - part[1]) * (w ? part[2] : 1 - part[2]);
      if (weight) sum += weight * this.at(u ? high[0] : low[0], v ? high[1] : low[1], w ? high[2] : low[2]);
    }
    return sum;
  }
}

// The grid of the masks, with its axes named after those of the patient that they are nearest to.
class Frame {
  constructor(volume, unit) {
    this.volume = volume;
    this.unit = unit;
    const length = (axis) => Math.hypot(...volume.affine.map((row) => row[axis]));
    const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    const fit = (order) => order.reduce((sum, axis, world) => sum + (volume.affine[world][axis] / length(axis)) ** 2, 0);
    this.axes = orders.reduce((best, order) => (fit(order) > fit(best) + 1e-9 ? order : best));
    this.spacing = this.axes.map(length);
    this.shape = this.axes.map((axis) => volume.shape[axis]);
    this.flipped = this.axes.map((axis, world) => volume.affine[world][axis] < 0);
  }
  voxel(place) {  // of a place that counts from the patient's left, back and feet on
    const index = [0, 0, 0];
    this.axes.forEach((axis, world) => {
      index[axis] = this.flipped[world] ? this.shape[world] - 1 - place[world] : place[world];
    });
    return index;
  }
  place(index) {
    return this.axes.map((axis, world) => {
      const at = Math.min(Math.max(Math.round(index[axis]), 0), this.shape[world] - 1);
      return this.flipped[world] ? this.shape[world] - 1 - at : at;
    });
  }
  reader(volume) {  // values of a volume at voxels of this grid
    const [m, own] = [volume.affine, this.volume.affine];
    const same = volume.shape.every((n, axis) => n === this.volume.shape[axis])
      && m.every((row, r) => row.every((x, n) => Math.abs(x - own[r][n]) < 1e-3));
    if (same) return (index) => volume.at(...index);
    const to = volume.inverse.map((row) => [0, 1, 2, 3].map((n) => row[0] * own[0][n] + row[1] * own[1][n]
      + row[2] * own[2][n] + (n === 3 ? row[3] : 0)));
    const read = (index) => volume.sample(apply(to, index));
    read.between = true;
    return read;
  }
}

// ---- what is shown -------------------------------------------------------------------------------------------------
const scripts = [...root.querySelectorAll("script.case")];
const names = scripts.map((script) => script.dataset.name);
const state = {number: -1, part: 0, channel: 0, place: [0, 0, 0], plane: 0, truth: true, prediction: true, windows: {}};
let shown = null;  // the case, its part, volumes, frame and readers
let renderer = null;
let opening = 0;

async function open(number, partNumber, world) {
  const ticket = ++opening;
  root.dataset.state = "opening";
  const given = JSON.parse(scripts[number].textContent);
  const part = given.parts[Math.min(partNumber, given.parts.length - 1)];
  const [truth, prediction, ...images] = (await Promise.all(
    [part.truth, part.prediction, ...part.channels.map((channel) => channel.nifti)].map((text) => text && unpack(text))))
    .map((buffer) => buffer && new Volume(buffer));
  if (ticket !== opening) return;
  const frame = new Frame(prediction, given.unit);
  state.number = number;
  state.part = given.parts.indexOf(part);
  state.channel = Math.min(state.channel, Math.max(images.length - 1, 0));
  shown = {given, part, frame, compared: Boolean(truth), truth: truth ? frame.reader(truth) : () => 0,
    prediction: frame.reader(prediction), images: images.map((image) => frame.reader(image))};
  state.windows = part.channels.map((channel) => [...channel.window]);
  state.place = frame.place(apply(prediction.inverse, world || given.place));
  build();
  await renderer.load();
  if (ticket !== opening) return;
  update();
  root.dataset.state = "ready";
}

const window_ = () => state.windows[state.channel] || [0, 1];
const world = () => apply(shown.frame.volume.affine, shown.frame.voxel(state.place));
function move(across, place) {
  const top = shown.frame.shape[across] - 1;
  state.place[across] = Math.min(Math.max(Math.round(place), 0), top);
  update();
}

function read() {  // everything at the place that is shown
  const index = shown.frame.voxel(state.place);
  const {start, step, channels} = shown.part;
  return {
    mm: world(),
    voxel: index.map((n, axis) => start[axis] + n * step[axis] + (step[axis] - 1) / 2),
    values: shown.images.map((image, n) => ({name: channels[n].name, unit: channels[n].unit, value: image(index),
      between: Boolean(image.between)})),
    truth: shown.truth(index), prediction: shown.prediction(index),
  };
}

// ---- controls ------------------------------------------------------------------------------------------------------
function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...inside);
  return element;
}
const find = (name) => root.querySelector(`[data-is="${name}"]`);
const planes = () => (shown.given.unit === "px" ? PLANES.slice(0, 1) : PLANES);

function choose(label, options, chosen, act) {
  const buttons = options.map((name, n) => make("button", {type: "button", "aria-pressed": String(n === chosen),
    onclick: () => act(n)}, name));
  return make("div", {class: "choice", role: "group", "aria-label": label}, ...buttons);
}

function check(name, text) {
  const box = make("input", {type: "checkbox", onchange: () => { state[name] = box.checked; update(true); }});
  box.checked = state[name];
  return make("label", {class: name}, box, make("i"), text);
}

function build() {
  const {given, part} = shown;
  const cases = make("select", {"aria-label": "case", onchange: () => open(cases.selectedIndex, state.part)},
    ...names.map((name) => make("option", {}, name)));
  cases.selectedIndex = state.number;
  const next = (step) => open((state.number + step + names.length) % names.length, state.part);
  const ends = ["black", "white"].map((name, n) => make("input", {type: "number", step: "any", "data-is": name,
    onchange: (event) => setWindow(n ? [window_()[0], +event.target.value] : [+event.target.value, window_()[1]])}));
  const bars = [
    [make("div", {class: "choice"}, make("button", {type: "button", "aria-label": "previous case",
      onclick: () => next(-1)}, "‹"), cases, make("button", {type: "button", "aria-label": "next case",
      onclick: () => next(1)}, "›")),
    ...(given.parts.length > 1 ? [choose("part", given.parts.map((one) => one.name), state.part,
      (n) => open(state.number, n, world()))] : []),
    ...(part.channels.length > 1 ? [choose("channel", part.channels.map((one) => one.name), state.channel,
      (n) => { state.channel = n; build(); renderer.load().then(() => update()); })] : [])],
    [...(shown.compared ? [check("truth", "truth")] : []), check("prediction", "prediction"),
      make("label", {}, "black ", ends[0]), make("label", {}, "white ", ends[1]),
      make("button", {type: "button", onclick: () => setWindow([...(part.channels[state.channel]
        || {window: [0, 1]}).window])}, "usual window")],
  ];
  find("bars").replaceChildren(...bars.map((bar) => make("div", {class: "bar"}, ...bar)));
  find("sliders").replaceChildren(...planes().map((plane, n) => {
    const slider = make("input", {type: "range", min: 0, max: shown.frame.shape[plane.across] - 1, step: 1,
      "data-plane": plane.name, oninput: () => { state.plane = n; move(plane.across, +slider.value); }});
    return make("label", {}, make("span", {"data-slice": plane.name}), slider);
  }));
  const around = shown.compared ? "A box around truth and prediction" : "A box around what was found";
  find("which").textContent = `${part.name === "box" ? around : "The whole scan"}: ${part.text}.`;
}

function setWindow([low, high]) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return update();
  state.windows[state.channel] = [low, Math.max(high, low + 1e-6)];
  update(true);
}

const short = (x) => (Math.abs(x) >= 1000 || Number.isInteger(x) ? x.toFixed(0) : String(+x.toPrecision(4)));

function update(repaint) {
  if (!shown) return;
  const at = read();
  const {labels, unit} = shown.given;
  const said = at.values.map(({name, value, unit: kind, between}) =>
    `${name} ${Number.isNaN(value) ? "–" : (between ? "≈ " : "") + short(value) + (kind ? ` ${kind}` : "")}`);
  const label = (value) => (value ? labels[value] || value : "–");
  find("readout").replaceChildren(...[
    ...said, ...(shown.compared ? [`truth ${label(at.truth)}`] : []), `prediction ${label(at.prediction)}`,
    `voxel ${at.voxel.map((n) => +n.toFixed(1)).join(", ")}`,
    ...(unit === "mm" ? [`R ${at.mm[0].toFixed(1)}, A ${at.mm[1].toFixed(1)}, S ${at.mm[2].toFixed(1)} mm`] : []),
  ].map((text) => make("span", {}, text)));
  planes().forEach((plane) => {
    root.querySelector(`[data-plane="${plane.name}"]`).value = state.place[plane.across];
    root.querySelector(`[data-slice="${plane.name}"]`).textContent =
      `${plane.name} ${state.place[plane.across] + 1} / ${shown.frame.shape[plane.across]}`;
  });
  const [low, high] = window_();
  if (document.activeElement !== find("black")) find("black").value = +low.toPrecision(4);
  if (document.activeElement !== find("white")) find("white").value = +high.toPrecision(4);
  renderer.draw(Boolean(repaint));
}

// ---- canvases of our own -------------------------------------------------------------------------------------------
class Slices {
  constructor(place) {
    this.views = PLANES.map((plane, n) => {
      const canvas = make("canvas", {tabindex: 0, "aria-label": `${plane.name} slice`, "data-view": plane.name});
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.drag(n, event);
      });
      canvas.addEventListener("pointermove", (event) => event.buttons && this.drag(n, event));
      canvas.addEventListener("contextmenu", (event) => event.preventDefault());
      canvas.addEventListener("focus", () => { state.plane = n; });
      canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        state.plane = n;
        move(plane.across, state.place[plane.across] - Math.sign(event.deltaY));
      }, {passive: false});
      return {plane, canvas, figure: make("div", {class: "view"}, canvas)};
    });
    place.replaceChildren(...this.views.map((view) => view.figure));
    new ResizeObserver(() => shown && this.draw()).observe(place);
  }
  async load() {}
  layout(view) {  // where the slice lies on its canvas
    const {frame} = shown, {plane, canvas} = view;
    const [wide, high] = [plane.right, plane.down].map((world) => frame.shape[world] * frame.spacing[world]);
    const scale = Math.min(canvas.width / wide, canvas.height / high);
    return {left: (canvas.width - wide * scale) / 2, top: (canvas.height - high * scale) / 2,
      x: frame.spacing[plane.right] * scale, y: frame.spacing[plane.down] * scale};
  }
  // The patient's right and front are on the left, front or head on top; pictures lie as they are stored.
  turn(world, n) { return shown.given.unit === "px" ? n : shown.frame.shape[world] - 1 - n; }
  drag(n, event) {
    const view = this.views[n], {plane, canvas} = view;
    state.plane = n;
    if (event.buttons & 2) {
      const [low, high] = window_(), step = Math.max(high - low, 1e-6) / 200;
      const [level, width] = [(low + high) / 2 + event.movementY * step, (high - low) + event.movementX * 2 * step];
      return setWindow([level - Math.max(width, step) / 2, level + Math.max(width, step) / 2]);
    }
    const box = canvas.getBoundingClientRect(), at = this.layout(view);
    const x = ((event.clientX - box.left) / box.width * canvas.width - at.left) / at.x;
    const y = ((event.clientY - box.top) / box.height * canvas.height - at.top) / at.y;
    const limit = (value, world) => Math.min(Math.max(Math.floor(value), 0), shown.frame.shape[world] - 1);
    state.place[plane.right] = this.turn(plane.right, limit(x, plane.right));
    state.place[plane.down] = this.turn(plane.down, limit(y, plane.down));
    update();
  }
  draw() {
    for (const view of this.views) {
      view.figure.hidden = !planes().includes(view.plane);
      if (!view.figure.hidden) this.paint(view);
    }
  }
  paint(view) {
    const {canvas, plane} = view, {frame} = shown, ratio = window.devicePixelRatio || 1;
    const [wide, high] = [frame.shape[plane.right], frame.shape[plane.down]];
    const size = [canvas.clientWidth, canvas.clientHeight].map((n) => Math.max(1, Math.round(n * ratio)));
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const flat = new ImageData(wide, high), masks = [];
    const image = shown.images[state.channel], [black, white] = window_();
    const place = [...state.place];
    const index = (x, y) => {
      place[plane.right] = this.turn(plane.right, x);
      place[plane.down] = this.turn(plane.down, y);
      return frame.voxel(place);
    };
    for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++) {
      const value = image ? (image(index(x, y)) - black) / (white - black) * 255 : 0, n = 4 * (x + wide * y);
      flat.data[n] = flat.data[n + 1] = flat.data[n + 2] = value;  // clamped, and black where there is none
      flat.data[n + 3] = 255;
    }
    for (const name of ["truth", "prediction"]) {
      const mask = new Uint16Array(wide * high);
      if (state[name]) for (let y = 0; y < high; y++) for (let x = 0; x < wide; x++) mask[x + wide * y] = shown[name](index(x, y));
      masks.push(mask);
    }
    const pen = canvas.getContext("2d"), at = this.layout(view);
    const sheet = this.sheet || (this.sheet = document.createElement("canvas"));
    [sheet.width, sheet.height] = [wide, high];
    sheet.getContext("2d").putImageData(flat, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingEnabled = at.x < 4 * ratio;
    pen.drawImage(sheet, at.left, at.top, wide * at.x, high * at.y);
    this.outline(pen, masks[0], wide, high, at, TRUTH, 3 * ratio);
    this.outline(pen, masks[1], wide, high, at, PREDICTION, 1.5 * ratio);
    this.cross(pen, plane, at, ratio);
  }
  outline(pen, mask, wide, high, at, colour, breadth) {  // along the edges of voxels
    const get = (x, y) => (x < 0 || y < 0 || x >= wide || y >= high ? 0 : mask[x + wide * y]);
    pen.beginPath();
    for (let y = 0; y <= high; y++) for (let x = 0; x <= wide; x++) {
      const [left, top] = [at.left + x * at.x, at.top + y * at.y];
      if (get(x, y) !== get(x - 1, y)) { pen.moveTo(left, top); pen.lineTo(left, top + at.y); }
      if (get(x, y) !== get(x, y - 1)) { pen.moveTo(left, top); pen.lineTo(left + at.x, top); }
    }
    pen.strokeStyle = `rgb(${colour})`;
    pen.lineWidth = breadth;
    pen.lineCap = "round";
    pen.stroke();
  }
  cross(pen, plane, at, ratio) {
    const {canvas} = pen;
    const x = at.left + (this.turn(plane.right, state.place[plane.right]) + 0.5) * at.x;
    const y = at.top + (this.turn(plane.down, state.place[plane.down]) + 0.5) * at.y;
    pen.strokeStyle = "rgba(102, 153, 217, .8)";
    pen.lineWidth = ratio;
    pen.beginPath();
    for (const [a, b, c, d] of [[0, y, x - 12 * ratio, y], [x + 12 * ratio, y, canvas.width, y],
      [x, 0, x, y - 12 * ratio], [x, y + 12 * ratio, x, canvas.height]]) { pen.moveTo(a, b); pen.lineTo(c, d); }
    pen.stroke();
    if (shown.given.unit === "px") return;
    pen.font = `${13 * ratio}px system-ui, sans-serif`;
    pen.fillStyle = "#cfd6de";
    pen.textBaseline = "middle";
    const [left, right] = ENDS[plane.right], [top] = ENDS[plane.down];
    pen.textAlign = "left";
    pen.fillText(left, 6 * ratio, canvas.height / 2);
    pen.textAlign = "right";
    pen.fillText(right, canvas.width - 6 * ratio, canvas.height / 2);
    pen.textAlign = "center";
    pen.fillText(top, canvas.width / 2, 11 * ratio);
  }
}

// ---- niivue --------------------------------------------------------------------------------------------------------
function wrap(frame, data, code) {  // a NIfTI of the frame's voxels, in the order of the patient's axes
  const buffer = new ArrayBuffer(352 + data.byteLength), view = new DataView(buffer);
  const put16 = (at, value) => view.setInt16(at, value, true), put = (at, value) => view.setFloat32(at, value, true);
  view.setInt32(0, 348, true);
  [3, ...frame.shape, 1, 1, 1, 1].forEach((n, k) => put16(40 + 2 * k, n));
  put16(70, code);
  put16(72, code === 2 ? 8 : 32);
  [1, ...frame.spacing, 1, 1, 1, 1].forEach((n, k) => put(76 + 4 * k, n));
  put(108, 352);
  put(112, 1);
  view.setUint8(123, 2);
  put16(254, 1);
  const {affine} = frame.volume, origin = apply(affine, frame.voxel([0, 0, 0]));
  for (let row = 0; row < 3; row++) {
    for (let n = 0; n < 3; n++) put(280 + 16 * row + 4 * n, affine[row][frame.axes[n]] * (frame.flipped[n] ? -1 : 1));
    put(292 + 16 * row, origin[row]);
  }
  [0x6e, 0x2b, 0x31, 0].forEach((byte, k) => view.setUint8(344 + k, byte));
  new Uint8Array(buffer, 352).set(new Uint8Array(data.buffer));
  return buffer;
}

function fill(frame, reader, kind) {
  const [a, b, c] = frame.shape, data = new kind(a * b * c);
  let n = 0;
  for (let z = 0; z < c; z++) for (let y = 0; y < b; y++) for (let x = 0; x < a; x++) {
    const value = reader ? reader(frame.voxel([x, y, z])) : 0;
    data[n++] = Number.isNaN(value) ? -1e9 : value;
  }
  return data;
}

function outline(data, [a, b, c]) {  // 1 where a voxel of the mask has a neighbour outside of it
  const steps = [[1, a], [a, b], [a * b, c]], made = new Uint8Array(data.length);
  for (let n = 0; n < data.length; n++) {
    if (!data[n]) continue;
    made[n] = steps.some(([step, size]) => {
      const at = Math.floor(n / step) % size;
      return size > 1 && (at === 0 || at === size - 1 || !data[n - step] || !data[n + step]);
    });
  }
  return made;
}

class Niivue {
  static async start(place, text) {
    const code = new Blob([await unpack(text)], {type: "text/javascript"});
    const url = URL.createObjectURL(code);
    const {MedunetNiivue} = await import(url);
    URL.revokeObjectURL(url);
    const own = new Niivue();
    const canvas = make("canvas", {tabindex: 0, "aria-label": "slices", "data-view": "niivue"});
    if (!canvas.getContext("webgl2")) throw new Error("this browser has no WebGL 2");
    place.replaceChildren(make("div", {class: "view wide"}, canvas));
    const nv = own.nv = new MedunetNiivue({backColor: [0, 0, 0, 1], crosshairColor: [0.4, 0.6, 0.85, 1], crosshairWidth: 0.3,
      crosshairGap: 6, isRadiologicalConvention: true, sagittalNoseLeft: true, multiplanarShowRender: 0, tileMargin: 4,
      multiplanarEqualSize: true, dragAndDropEnabled: false, loadingText: "", logLevel: "error", show3Dcrosshair: false, isCornerOrientationText: true,
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "", isNearestInterpolation: false, fontColor: [0.81, 0.84, 0.87, 1]});
    await nv.attachToCanvas(canvas, false);
    nv.setSliceType(nv.sliceTypeMultiplanar);
    nv.setMultiplanarLayout(3);
    nv.onLocationChange = () => own.hear();
    nv.onIntensityChange = (volume) => setWindow([volume.cal_min, volume.cal_max]);
    new ResizeObserver(() => { nv.setMultiplanarLayout(place.clientWidth < 640 ? 1 : 3); }).observe(place);
    return own;
  }
  hear() {  // niivue moved the cross
    if (!shown || this.busy) return;
    const place = [...this.nv.scene.crosshairPos].map((part, world) =>
      Math.min(Math.max(Math.floor(part * shown.frame.shape[world] + 1e-4), 0), shown.frame.shape[world] - 1));
    if (place.every((n, world) => n === state.place[world])) return;
    state.place = place;
    update();
  }
  async load() {
    const {nv} = this, {frame} = shown;
    this.busy = true;
    while (nv.volumes.length) nv.removeVolume(nv.volumes[0]);
    await nv.loadFromArrayBuffer(wrap(frame, fill(frame, shown.images[state.channel], Float32Array), 16), "image.nii");
    for (const [name, colour] of [["truth", TRUTH], ["prediction", PREDICTION]]) {
      const data = outline(fill(frame, (index) => (shown[name](index) ? 1 : 0), Uint8Array), frame.shape);
      await nv.loadFromArrayBuffer(wrap(frame, data, 2), `${name}.nii`);
      const [R, G, B] = colour.map((value) => [0, value]);
      nv.volumes[nv.volumes.length - 1].setColormapLabel({R, G, B, A: [0, 255], I: [0, 1], labels: ["", name]});
    }
    this.busy = false;
    this.draw(true);
  }
  draw(repaint) {
    const {nv} = this, {frame} = shown;
    if (this.busy || nv.volumes.length < 3) return;
    if (repaint) {
      [nv.volumes[0].cal_min, nv.volumes[0].cal_max] = window_();
      nv.volumes[1].opacity = state.truth ? 0.9 : 0;
      nv.volumes[2].opacity = state.prediction ? 0.9 : 0;
      nv.updateGLVolume();
    }
    nv.scene.crosshairPos = state.place.map((n, world) => (n + 0.5) / frame.shape[world]);
    nv.drawScene();
  }
}

// ---- start ---------------------------------------------------------------------------------------------------------
async function start() {
  const place = find("planes"), text = document.getElementById("niivue");
  const picture = JSON.parse(scripts[0].textContent).unit === "px";
  if (text && !picture) {
    try {
      renderer = await Niivue.start(place, text.textContent);
      root.dataset.renderer = "niivue";
    } catch (error) {
      find("note").textContent = `niivue doesn't run here (${error.message}), so that slices are drawn plainly.`;
    }
  }
  if (!renderer) {
    renderer = new Slices(place);
    root.dataset.renderer = "plain";
  }
  await open(0, 0);
}

const KEYS = {
  ArrowUp: () => move(PLANES[state.plane].across, state.place[PLANES[state.plane].across] + 1),
  ArrowDown: () => move(PLANES[state.plane].across, state.place[PLANES[state.plane].across] - 1),
  ArrowLeft: () => open((state.number + names.length - 1) % names.length, state.part),
  ArrowRight: () => open((state.number + 1) % names.length, state.part),
  1: () => { state.plane = 0; }, 2: () => { state.plane = 1; }, 3: () => { state.plane = 2; },
  b: () => open(state.number, (state.part + 1) % shown.given.parts.length, world()),
  c: () => { state.channel = (state.channel + 1) % Math.max(shown.images.length, 1); build(); renderer.load().then(() => update()); },
  t: () => { state.truth = !state.truth; build(); update(true); },
  p: () => { state.prediction = !state.prediction; build(); update(true); },
};
root.addEventListener("keydown", (event) => {
  if (!shown || /^(INPUT|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-case]");
  const number = link ? names.indexOf(link.dataset.case) : -1;
  if (number < 0) return;
  event.preventDefault();
  open(number, 0);
  root.scrollIntoView({behavior: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
});
root.viewer = {open, read, box: () => ({start: shown.part.start, shape: shown.frame.volume.shape}), place: (mm) => {
  state.place = shown.frame.place(apply(shown.frame.volume.inverse, mm));
  update();
}};
start();
})();
