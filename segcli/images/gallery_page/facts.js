
"use strict";
// The facts: what Python put into the page. Names are foreign text: they enter the page as text alone.
const $ = (id) => document.getElementById(id);
const LABELS = JSON.parse($("labels").textContent);
const CLASSES = new Map(LABELS.classes.map(([name, title, colour]) => [name, { title, colour }]));

function make(tag, className, ...inside) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...inside);
  return made;
}

// The photos follow this script in the file, so that the first is shown while the others are still read. A photo's
// pictures are in the element after its facts; they are read when they are shown, and only then.
const entries = [], nodes = document.getElementsByClassName("entry");

// The photos that have come since the last time; the last one's pictures may still be on their way.
function arrived() {
  const whole = document.readyState === "loading" ? nodes.length - 1 : nodes.length, before = entries.length;
  for (let index = before; index < whole; index++) {
    const node = nodes[index], facts = JSON.parse(node.textContent);
    const areas = new Map(Object.entries(facts.areas)), pictures = () => JSON.parse(node.nextElementSibling.textContent);
    entries.push({ ...facts, areas, pictures, seen: false, wrong: false });
  }
  return entries.slice(before);
}

const titleOf = (entry) => entry.title ?? entry.name;
const titleOfClass = (name) => CLASSES.get(name)?.title ?? name;
const pixelsOf = (entry) => entry.width * entry.height - (entry.no_data ?? 0);
const share = (entry, name) => (pixelsOf(entry) ? 100 * (entry.areas.get(name) ?? 0) / pixelsOf(entry) : 0);
const percent = (value) => (value > 0 && value < 0.05 ? "< 0.1" : value.toFixed(1)) + " %";
const largest = (entry) => [...entry.areas.keys()].sort((a, b) => entry.areas.get(b) - entry.areas.get(a));
const certain = (entry) => (entry.uncertainty == null ? "" : "uncertainty " + entry.uncertainty.toFixed(3));

// One text for one result: a photo that is done anew with another result has another.
function resultOf(entry) {
  let hash = 2166136261;
  for (const letter of JSON.stringify([[...entry.areas], entry.uncertainty ?? null, entry.width, entry.height])) {
    hash = Math.imul(hash ^ letter.codePointAt(0), 16777619) >>> 0;
  }
  return hash.toString(36);
}
