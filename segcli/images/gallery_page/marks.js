
// The marks: which photos were seen, which are wrong. The browser keeps them where it may; the list is saved as a file.
const KEY = "segcli gallery " + location.pathname;
let kept = new Map(), keeps = true, unsaved = false, due = 0;

function recall() {
  try {
    kept = new Map(JSON.parse(localStorage.getItem(KEY) ?? "[]").map(([name, result, wrong]) => [name, { result, wrong }]));
  } catch { kept = new Map(); keeps = canKeep(); }
  entries.forEach(recallOne);
}

function recallOne(entry) {
  const mark = kept.get(entry.name), same = mark?.result === resultOf(entry);
  entry.seen = same;
  entry.wrong = same && Boolean(mark.wrong);
}

function canKeep() {
  try { localStorage.setItem(KEY + " ?", "1"); localStorage.removeItem(KEY + " ?"); return true; } catch { return false; }
}

function mark(entry, wrong = entry.wrong) {
  if (entry.seen && entry.wrong === wrong) return;
  if (entry.wrong !== wrong) unsaved = true;
  entry.seen = true;
  entry.wrong = wrong;
  kept.set(entry.name, { result: resultOf(entry), wrong: wrong ? 1 : 0 });
  clearTimeout(due);
  due = setTimeout(keep, 300);
  tell();
}

function keep() {
  clearTimeout(due);
  due = 0;
  try {
    localStorage.setItem(KEY, JSON.stringify([...kept].map(([name, { result, wrong }]) => [name, result, wrong])));
  } catch { keeps = false; tell(); }
}

function tell() {
  const seen = entries.filter((entry) => entry.seen).length, wrong = entries.filter((entry) => entry.wrong).length;
  $("progress").textContent = `${seen} of ${entries.length}${document.readyState === "loading" ? " so far" : ""} seen, ${wrong} wrong` + (keeps ? "" : " (not kept: save the list)");
  $("done").max = Math.max(1, entries.length);
  $("done").value = seen;
}

// The paths of the wrong photos, as `segcli predict --from-list` reads them: as they were given to the run, each once.
const wrongPaths = () => [...new Set(entries.filter((entry) => entry.wrong && entry.input).map((entry) => entry.input))];

// Line by line; a path that holds a line break needs NUL between the paths.
function listOf(paths) {
  const end = paths.some((path) => /[\n\r]/.test(path)) ? "\0" : "\n";
  return paths.map((path) => path + end).join("");
}

// UTF-8, but for the bytes of a file name that are none: Python hands them over as U+DC80 to U+DCFF.
function bytesOf(text) {
  const pieces = text.split(/([\udc80-\udcff])/u).map((piece, index) =>
    index % 2 ? Uint8Array.of(piece.charCodeAt(0) & 0xff) : new TextEncoder().encode(piece));
  return new Blob(pieces, { type: "text/plain" });
}

// The run's settings lie beside this page. On Windows a page's path is /C:/folder/gallery.html.
function runFile() {
  const path = location.protocol === "file:" ? decodeURIComponent(location.pathname) : "";
  return path.replace(/[^/]*$/, "run.toml").replace(/^\/(?=[A-Za-z]:\/)/, "");
}

// A word as shells take it: Windows knows double quotes alone.
const quoted = (word) => (/^[\w./:@%+-]+$/.test(word) ? word : /^[A-Za-z]:/.test(word) ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`);

function openList() {
  const paths = wrongPaths(), wrong = entries.filter((entry) => entry.wrong), text = listOf(paths);
  const lacking = wrong.filter((entry) => !entry.input).length;
  $("export-about").textContent = (wrong.length === 1 ? "1 photo is marked wrong." : `${wrong.length} photos are marked wrong.`)
    + (lacking ? ` Of ${lacking} this page does not know the path.` : "") + (wrong.length ? "" : " Mark a photo with W.");
  $("export-text").value = text.replaceAll("\0", "\n");
  $("export-next").hidden = !LABELS.predicted;
  $("export-command").textContent = `segcli predict --from ${quoted(runFile())} --from-list wrong.txt --save labelme -o relabel`;
  $("save").disabled = !paths.length;
  $("copy").disabled = !paths.length || text.includes("\0");
  $("copied").textContent = "";
  $("export-box").showModal();
}

function saveList() {
  const link = make("a");
  link.href = URL.createObjectURL(bytesOf(listOf(wrongPaths())));
  link.download = "wrong.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  unsaved = false;
  $("copied").textContent = "Your browser saves it in its folder for downloads.";
}

async function copyList() {
  try {
    await navigator.clipboard.writeText($("export-text").value);
    $("copied").textContent = "Copied.";
  } catch {
    $("export-text").select();
    $("copied").textContent = "Press Ctrl+C (Cmd+C on a Mac) to copy what is selected.";
  }
}

window.addEventListener("pagehide", () => { if (due) keep(); });
document.addEventListener("visibilitychange", () => { if (due) keep(); });
window.addEventListener("beforeunload", (event) => { if (!keeps && unsaved) event.preventDefault(); });
window.addEventListener("storage", (event) => { if (event.key === KEY) { recall(); tell(); drawRows(); } });
