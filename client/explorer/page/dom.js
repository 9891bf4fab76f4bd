// Elements. Values go in as text only, so that nothing that a replica says is ever markup.

import { ago, clock } from "./words.js";

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      node.addEventListener(key, value);
    } else if (value === true) {
      node.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(key, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Puts other children in, and leaves those that are the same: what has the focus keeps it, and nothing is read out twice.
export function fill(parent, ...children) {
  const next = children.flat().filter((child) => child !== null && child !== undefined);
  const nodes = next.map((child) => (child instanceof Node ? child : document.createTextNode(child)));
  nodes.forEach((node, at) => {
    const old = parent.childNodes[at];
    if (old === undefined) {
      parent.append(node);
    } else if (!old.isEqualNode(node)) {
      merge(parent, old, node);
    }
  });
  while (parent.childNodes.length > nodes.length) {
    parent.lastChild.remove();
  }
}

function merge(parent, old, node) {
  const is_alike =
    old.nodeType === Node.ELEMENT_NODE &&
    node.nodeType === Node.ELEMENT_NODE &&
    old.tagName === node.tagName &&
    !node.hasAttribute("data-own");
  if (!is_alike) {
    parent.replaceChild(node, old);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name)) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  fill(old, [...node.childNodes]);
}

const MARKS = { verified: "✓ verified", signed: "✓✓ signed", said: "~ said", bad: "✗" };

// The word that says what stands behind a value.
export function mark(kind, more = "") {
  const text = more === "" ? MARKS[kind] : `${MARKS[kind]} ${more}`;
  return el("span", { class: `mark ${kind}` }, text);
}

// A time, both ways; the first goes on by itself.
export function time(ms) {
  const both = `${ago(ms)}, ${clock(ms)}`;
  return el("time", { datetime: new Date(ms).toISOString(), "data-ms": String(ms) }, both);
}

export function tick(root) {
  for (const node of root.querySelectorAll("time[data-ms]")) {
    const ms = Number(node.dataset.ms);
    const text = `${ago(ms)}, ${clock(ms)}`;
    if (node.textContent !== text) {
      node.textContent = text;
    }
  }
}

export function list(pairs) {
  const rows = pairs.filter((pair) => pair !== null);
  return el("dl", {}, rows.map(([name, ...values]) => [el("dt", {}, name), el("dd", {}, values)]).flat());
}

// A table whose cells say what they are also where they stand below one another. The roles stay when it is no table to look at.
export function table(cls, names, body) {
  const head = names.map((name) => el("th", { scope: "col", role: "columnheader" }, name));
  return el(
    "table",
    { class: cls, role: "table" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    body,
  );
}

export function row(names, [first, ...cells]) {
  return el(
    "tr",
    { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, first),
    cells.map((cell, at) => el("td", { role: "cell", "data-name": names[at + 1] }, el("span", {}, cell))),
  );
}

export const body = (...rows) => el("tbody", { role: "rowgroup" }, ...rows);

export function code(text, whole = text) {
  return el("code", { title: whole === text ? null : whole }, text);
}
