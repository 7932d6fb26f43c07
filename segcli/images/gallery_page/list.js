
// The list: the photos in an order, of which only the rows in view exist.
const ROW = 64, MORE = 6;
let order = [], current = -1, seeing = 0;
const rows = new Map(); // place in the order -> its row

const found = new Set();

// The choices, with the classes of photos that have come; what is chosen stays.
function fillChoices(photos) {
  const before = found.size;
  for (const entry of photos) for (const name of entry.areas.keys()) found.add(name);
  if ($("sort").length && found.size === before) return;
  const chosen = [$("sort").value || "name", $("present").value], group = make("optgroup");
  const orders = [["name", "name"], ...(LABELS.predicted ? [["uncertainty", "least certain first"]] : [])];
  const classes = () => [...found].sort((a, b) => a.localeCompare(b)).map((name) => new Option(titleOfClass(name), "class " + name));
  group.label = "largest share of";
  group.append(...classes());
  $("sort").replaceChildren(...orders.map(([value, text]) => new Option(text, value)), ...(found.size ? [group] : []));
  $("present").replaceChildren(new Option("any class", ""), ...classes());
  [$("sort").value, $("present").value] = chosen;
}

function takeArrived() {
  const photos = arrived();
  photos.forEach(recallOne);
  fillChoices(photos);
  if (photos.length || document.readyState !== "loading") { fill(false, false); tell(); }
}

const byName = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });
const TESTS = { all: () => true, unseen: (entry) => !entry.seen, wrong: (entry) => entry.wrong, right: (entry) => !entry.wrong };

function compare() {
  const by = $("sort").value, turned = $("turn").getAttribute("aria-pressed") === "true" ? -1 : 1;
  const value = by === "uncertainty" ? (entry) => entry.uncertainty ?? -1 : (entry) => share(entry, by.slice(6));
  return (a, b) => turned * (by === "name" ? byName(a, b) : value(b) - value(a) || byName(a, b));
}

// Order and choose anew; the photo in view stays where it can, and without `follow` in any case: the list stays too then.
function fill(first = false, follow = true) {
  const before = first ? null : order[current], present = $("present").value.slice(6);
  order = entries.filter((entry) => (!follow && entry === before)
    || (TESTS[$("filter").value](entry) && (!present || entry.areas.get(present) > 0))).sort(compare());
  $("rows").style.height = order.length * ROW + "px";
  current = -1;
  if (order.length) show(Math.max(0, order.indexOf(before)), follow);
  else showNothing();
  drawRows();
}

function showNothing() {
  clearTimeout(seeing);
  view.entry = null;
  view.turn++;
  $("photo").removeAttribute("src");
  $("photo").alt = "";
  $("classes").width = $("classes").height = 1;
  $("title").textContent = entries.length ? "No photo fits this choice" : "No photos";
  $("about").textContent = "";
  $("legend").replaceChildren();
  note("");
  drawMark();
}

// A name's folder and its last part, which tells photos apart where there is room for one of them.
function parted(title) {
  const end = title.lastIndexOf("/");
  return [title.slice(0, Math.max(0, end)), title.slice(end + 1)];
}

function row(place) {
  const entry = order[place], picture = make("img"), made = make("div", "row");
  picture.alt = "";
  picture.decoding = "async";
  picture.src = entry.pictures().photo;
  [made.folder, made.leaf] = parted(titleOf(entry));
  made.append(picture, make("b", "", made.leaf), make("span"));
  made.title = titleOf(entry);
  made.entry = entry;
  made.id = "row-" + place;
  made.style.top = place * ROW + "px";
  made.setAttribute("role", "option");
  made.setAttribute("aria-posinset", place + 1);
  made.addEventListener("click", () => { show(place); openSide(false); });
  return made;
}

// On narrow screens the list lies over the photo while it is open.
function openSide(open) {
  document.body.classList.toggle("listing", open);
  $("photos").setAttribute("aria-expanded", String(open));
  $("photos").textContent = open ? "Back" : "Photos";
  drawRows();
}

function drawRows() {
  const list = $("list"), first = Math.max(0, Math.floor(list.scrollTop / ROW) - MORE);
  const last = Math.min(order.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + MORE);
  const by = $("sort").value, ofClass = by.startsWith("class ") && by.slice(6);
  for (const [place, old] of rows) if (place < first || place >= last || old.entry !== order[place]) { old.remove(); rows.delete(place); }
  for (let place = first; place < last; place++) {
    if (!rows.has(place)) { rows.set(place, row(place)); $("rows").append(rows.get(place)); }
    const entry = order[place], here = rows.get(place);
    here.setAttribute("aria-selected", String(place === current));
    here.classList.toggle("seen", entry.seen);
    here.classList.toggle("wrong", entry.wrong);
    here.setAttribute("aria-setsize", order.length);
    const said = ofClass ? `${percent(share(entry, ofClass))} ${titleOfClass(ofClass)}` : certain(entry);
    here.lastChild.textContent = [entry.wrong ? "✗ wrong" : entry.seen ? "✓ seen" : "", said, here.folder].filter(Boolean).join(" · ");
  }
  if (rows.has(current)) list.setAttribute("aria-activedescendant", "row-" + current);
  else list.removeAttribute("aria-activedescendant");
}

function show(place, follow = true) {
  place = Math.max(0, Math.min(order.length - 1, place));
  if (!order.length || place === current) return;
  current = place;
  const entry = order[current];
  if (view.entry !== entry) $("title").textContent = titleOf(entry);
  $("about").replaceChildren([`${current + 1} of ${order.length}`, `${entry.width} × ${entry.height}`, certain(entry)].filter(Boolean).join(" · "));
  for (const [kind, path] of Object.entries(entry.files ?? {})) $("about").append(" · ", linkTo(kind, path));
  const list = $("list"), top = current * ROW;
  if (!follow) ; // stay where the list is
  else if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawMark();
  if (view.entry === entry) return;
  showPictures(entry);
  drawLegend();
  drawRows();
  clearTimeout(seeing); // who only passes by has not seen it
  seeing = setTimeout(() => { if (order[current] === entry) { mark(entry); drawRows(); } }, 400);
}

// A file of the whole size beside this page, in a tab of its own.
function linkTo(kind, path) {
  const link = make("a", "", kind);
  link.target = "_blank";
  link.rel = "noopener";
  try { link.href = "./" + path.split("/").map(encodeURIComponent).join("/"); } catch { return make("span", "", kind); }
  return link;
}

function drawMark() {
  const wrong = Boolean(order[current]?.wrong);
  $("wrong").setAttribute("aria-pressed", String(wrong));
  $("wrong").textContent = wrong ? "✗ Wrong" : "Mark wrong";
  $("wrong").disabled = !order.length;
}

function toggleWrong() {
  const entry = order[current];
  if (!entry) return;
  mark(entry, !entry.wrong);
  drawMark();
  drawRows();
}

function showUnseen() {
  const places = [...order.keys()], next = [...places.slice(current + 1), ...places.slice(0, current)].find((place) => !order[place].seen);
  if (next !== undefined) show(next);
}
