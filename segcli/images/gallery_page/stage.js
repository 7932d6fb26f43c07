
// The stage: a photo under the colours of its classes, at any size.
const hidden = new Set(); // the names of classes that are switched off, on all photos
const view = { entry: null, colours: null, width: 1, height: 1, scale: 1, x: 0, y: 0, turn: 0 };

async function showPictures(entry) {
  const { photo, classes } = entry.pictures(), turn = ++view.turn, picture = new Image();
  Object.assign(view, { entry, colours: null });
  $("photo").src = photo;
  $("photo").alt = titleOf(entry);
  $("classes").width = $("classes").height = 1;
  picture.src = classes;
  fit();
  try { await picture.decode(); } catch { note("The classes of this photo cannot be shown."); return; }
  if (turn === view.turn) { view.colours = colouredPixels(picture, entry); drawClasses(); drawLegend(); }
}

// The picture's pixels, one number each, and the classes of each colour. Pictures inside the page may be read again.
function colouredPixels(picture, entry) {
  const { naturalWidth: width, naturalHeight: height } = picture, canvas = make("canvas");
  Object.assign(canvas, { width, height });
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  paper.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(paper.getImageData(0, 0, width, height).data.buffer), classes = new Map();
  for (const name of entry.areas.keys()) {
    const colour = CLASSES.get(name)?.colour;
    if (!colour) continue;
    const key = colour[0] | colour[1] << 8 | colour[2] << 16;
    classes.set(key, [...(classes.get(key) ?? []), name]);
  }
  let coloured = 0, known = 0;
  for (const pixel of pixels) if (pixel >>> 24) { coloured++; known += classes.has(pixel & 0xffffff); }
  return { picture, pixels, classes, width, height, canSwitch: known >= 0.9 * coloured };
}

function drawClasses() {
  const { picture, pixels, classes, width, height, canSwitch } = view.colours, canvas = $("classes");
  Object.assign(canvas, { width, height });
  const paper = canvas.getContext("2d");
  note(canSwitch ? "" : "The classes of this photo cannot be switched one by one.");
  if (!canSwitch) { paper.drawImage(picture, 0, 0); return; }
  const off = new Set([...classes].filter(([, names]) => names.every((name) => hidden.has(name))).map(([key]) => key));
  const image = paper.createImageData(width, height), shown = new Uint32Array(image.data.buffer);
  const outlines = $("outlines").checked;
  for (let at = 0; at < pixels.length; at++) {
    const pixel = pixels[at];
    if (pixel >>> 24 && !off.has(pixel & 0xffffff) && (!outlines || isEdge(pixels, at, width, height))) shown[at] = pixel;
  }
  paper.putImageData(image, 0, 0);
}

// Whether a pixel is within two pixels of another class.
function isEdge(pixels, at, width, height) {
  const own = pixels[at], column = at % width, row = (at - column) / width;
  for (const step of [1, 2]) {
    if (column >= step && pixels[at - step] !== own || column + step < width && pixels[at + step] !== own) return true;
    if (row >= step && pixels[at - step * width] !== own || row + step < height && pixels[at + step * width] !== own) return true;
  }
  return false;
}

function note(text) { $("note").textContent = text; }

function drawLegend() {
  const entry = view.entry;
  const rows = largest(entry).map((name, index) => {
    const colour = CLASSES.get(name)?.colour, swatch = make("i"), digit = index < 9 ? `${index + 1} ` : "";
    const button = make("button", "", ...(colour ? [swatch] : []), titleOfClass(name), make("span", "", " " + percent(share(entry, name))));
    if (colour) swatch.style.background = `rgb(${colour})`;
    button.disabled = !colour || view.colours?.canSwitch === false;
    if (!button.disabled) button.setAttribute("aria-pressed", String(!hidden.has(name)));
    button.title = button.disabled ? "" : `Hide or show this class ${digit && `(${digit.trim()})`}`;
    button.addEventListener("click", (event) => { switchClass(name); if (event.detail === 0) $("legend").children[index]?.firstChild.focus(); });
    return make("li", "", button);
  });
  if (hidden.size) {
    const all = make("button", "", "Show all");
    all.addEventListener("click", showAll);
    rows.push(make("li", "", all));
  }
  $("legend").replaceChildren(...rows);
}

function switchClass(name) {
  if (!name || !CLASSES.get(name)?.colour || !view.colours?.canSwitch) return;
  if (!hidden.delete(name)) hidden.add(name);
  drawClasses();
  drawLegend();
}

function showAll() { hidden.clear(); if (view.colours) drawClasses(); if (view.entry) drawLegend(); }

// The whole photo, as large as the frame allows.
function fit() { Object.assign(view, { scale: 1 }); place(); }

function place() {
  if (!view.entry) return;
  const frame = $("frame"), room = [frame.clientWidth, frame.clientHeight], size = [view.entry.width, view.entry.height];
  const whole = Math.min(room[0] / size[0], room[1] / size[1]);
  view.width = size[0] * whole;
  view.height = size[1] * whole;
  view.x = within(view.x, view.width * view.scale, room[0]);
  view.y = within(view.y, view.height * view.scale, room[1]);
  Object.assign($("stage").style, { width: view.width + "px", height: view.height + "px", transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` });
  $("stage").style.setProperty("--zoom", view.scale);
  frame.classList.toggle("close", view.scale > 1);
}

// Where a side begins: in the middle where it fits, else so that no empty room is seen.
const within = (at, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));

function zoom(factor, x = $("frame").clientWidth / 2, y = $("frame").clientHeight / 2) {
  const scale = Math.min(16, Math.max(1, view.scale * factor)), by = scale / view.scale;
  Object.assign(view, { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by });
  place();
}

function cutAt(value) {
  $("cut").value = value;
  $("stage").style.setProperty("--cut", $("cut").value + "%");
  $("frame").classList.toggle("cut", Number($("cut").value) > 0);
}

function strengthen(value) {
  $("strength").value = value;
  $("stage").style.setProperty("--strength", $("strength").value / 100);
  $("frame").classList.remove("hidden");
}
