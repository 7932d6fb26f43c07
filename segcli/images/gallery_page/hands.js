
// The hands: what keys, mouse and fingers do.
const pointers = new Map();
let swipe = null;

const isOpen = () => Boolean(document.querySelector("dialog[open]"));
const spot = (event) => { const box = $("frame").getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };

function toggleClasses() { $("frame").classList.toggle("hidden"); }
function nextOrder() { $("sort").selectedIndex = ($("sort").selectedIndex + 1) % $("sort").length; fill(true); }
function turnOrder() { $("turn").setAttribute("aria-pressed", String($("turn").getAttribute("aria-pressed") !== "true")); fill(true); }

const ACTIONS = {
  ArrowRight: () => show(current + 1), ArrowDown: () => show(current + 1), ArrowLeft: () => show(current - 1), ArrowUp: () => show(current - 1),
  Home: () => show(0), End: () => show(order.length - 1), PageDown: () => show(current + 10), PageUp: () => show(current - 10),
  n: showUnseen, w: toggleWrong, " ": toggleClasses, a: showAll, s: nextOrder, r: turnOrder, l: openList,
  b: () => { $("outlines").checked = !$("outlines").checked; if (view.colours) drawClasses(); },
  "[": () => strengthen(Number($("strength").value) - 10), "]": () => strengthen(Number($("strength").value) + 10),
  ",": () => cutAt(Number($("cut").value) - 5), ".": () => cutAt(Number($("cut").value) + 5),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, "?": () => $("help-box").showModal(),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event, kind = target.tagName;
  if (event.ctrlKey || event.metaKey || event.altKey || isOpen() || kind === "SELECT") return;
  if (kind === "INPUT" && (target.type === "range" ? /^(Arrow|Home|End|Page)/.test(key) : key === " ")) return;
  if ((kind === "BUTTON" || kind === "A") && (key === " " || key === "Enter")) return;
  const name = key.length === 1 ? key.toLowerCase() : key;
  const action = /^[1-9]$/.test(key) ? () => view.entry && switchClass(largest(view.entry)[key - 1]) : Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : null;
  if (action) { event.preventDefault(); action(); }
});

// After a click with the mouse the keys belong to the page again.
document.addEventListener("click", (event) => { const button = event.target.closest("button"); if (button && event.detail && !isOpen()) button.blur(); });

function press(id, action) { $(id).addEventListener("click", action); }
press("before", ACTIONS.ArrowLeft);
press("after", ACTIONS.ArrowRight);
press("wrong", toggleWrong);
press("closer", ACTIONS["+"]);
press("farther", ACTIONS["-"]);
press("fit", fit);
press("turn", turnOrder);
press("export", openList);
press("save", saveList);
press("copy", copyList);
press("help", ACTIONS["?"]);
press("photos", () => openSide(!document.body.classList.contains("listing")));
for (const id of ["sort", "filter", "present"]) $(id).addEventListener("change", () => { fill(id === "sort"); $(id).blur(); });
$("strength").addEventListener("input", () => strengthen($("strength").value));
$("cut").addEventListener("input", () => cutAt($("cut").value));
$("outlines").addEventListener("change", () => { if (view.colours) drawClasses(); });
$("list").addEventListener("scroll", drawRows, { passive: true });
new ResizeObserver(() => { place(); drawRows(); }).observe($("frame"));

$("frame").addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-Math.max(-50, Math.min(50, event.deltaY)) / (event.ctrlKey ? 60 : 200)), ...spot(event)); }, { passive: false });
$("frame").addEventListener("dblclick", (event) => { if (!event.target.closest("#zooming")) view.scale > 1 ? fit() : zoom(3, ...spot(event)); });
$("frame").addEventListener("pointerdown", (event) => {
  if (event.button || event.target.closest("#zooming")) return;
  $("frame").setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [...spot(event), event.target.id === "line"]);
  swipe = event.pointerType === "touch" && pointers.size === 1 && view.scale === 1 && event.target.id !== "line" ? spot(event) : null;
});
$("frame").addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId), now = spot(event);
  if (!before) return;
  const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
  pointers.set(event.pointerId, [...now, before[2]]);
  if (before[2]) cutAt(100 * (now[0] - view.x) / (view.width * view.scale));
  else if (other) {
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(1, Math.hypot(before[0] - other[0], before[1] - other[1])), ...middle);
    swipe = null;
  } else if (view.scale > 1) { view.x += now[0] - before[0]; view.y += now[1] - before[1]; place(); }
});
function release(event) {
  const at = spot(event);
  if (pointers.delete(event.pointerId) && swipe && event.type === "pointerup" && Math.abs(at[0] - swipe[0]) > 60 && Math.abs(at[1] - swipe[1]) < 50) {
    show(current + (at[0] < swipe[0] ? 1 : -1));
  }
  if (!pointers.size) swipe = null;
}
$("frame").addEventListener("pointerup", release);
$("frame").addEventListener("pointercancel", release);

strengthen(60);
cutAt(0);
recall();
takeArrived();
const arriving = setInterval(takeArrived, 200);
document.addEventListener("DOMContentLoaded", () => { clearInterval(arriving); takeArrived(); });
