// Parties by rounds, as a grid. Only the rows that can be seen are there, so that a thousand parties cost no more than thirty.

import { el } from "./dom.js";

// Height of a row, which page.css has, too, and rows beyond what can be seen.
const ROW_PX = 28;
const BEYOND = 6;

export class Grid {
  #rows = new Map();
  #model = { parties: [], rounds: [], cell: () => ({}), label: () => ({}) };
  #at = { row: 0, column: 0 };

  // `chosen` is told the party and the round of the cell that has the focus.
  constructor(chosen) {
    this.chosen = chosen;
    this.head = el("div", { class: "grid-row grid-head", role: "row", "aria-rowindex": "1" });
    this.body = el("div", { class: "grid-body", role: "rowgroup" });
    this.node = el(
      "div",
      {
        class: "grid",
        role: "grid",
        "aria-label": "Slots: parties by rounds. Arrow keys go from slot to slot.",
        scroll: () => this.#render(),
        keydown: (event) => this.#key(event),
        focusin: (event) => this.#focused(event),
      },
      this.head,
      this.body,
    );
    new ResizeObserver(() => this.#render()).observe(this.node);
  }

  show(model) {
    this.#model = model;
    const { parties, rounds } = model;
    this.#at.row = Math.min(this.#at.row, Math.max(0, parties.length - 1));
    this.#at.column = Math.min(this.#at.column, Math.max(0, rounds.length - 1));
    this.node.setAttribute("aria-rowcount", String(parties.length + 1));
    this.node.setAttribute("aria-colcount", String(rounds.length + 1));
    const height = `${parties.length * ROW_PX}px`;
    if (this.body.style.height !== height) {
      this.body.style.height = height;
    }
    this.#headers();
    this.#render();
  }

  #headers() {
    const names = ["Party", ...this.#model.rounds.map(String)];
    while (this.head.childNodes.length > names.length) {
      this.head.lastChild.remove();
    }
    names.forEach((name, at) => {
      const cell = this.head.childNodes[at] ?? this.head.appendChild(el("div", { role: "columnheader" }));
      const round = this.#model.rounds[at - 1];
      put(cell, {
        text: name,
        cls: at === 0 ? "grid-label" : round === this.#model.open ? "grid-cell open" : "grid-cell",
        words: at === 0 ? null : round === 0 ? "round 0, joining" : `round ${round}`,
      });
    });
  }

  #window() {
    const { scrollTop, clientHeight } = this.node;
    const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - BEYOND);
    const last = Math.min(this.#model.parties.length, Math.ceil((scrollTop + clientHeight) / ROW_PX) + BEYOND);
    return { first, last };
  }

  #render() {
    const { first, last } = this.#window();
    const wanted = new Set();
    for (let row = first; row < last; row += 1) {
      wanted.add(row);
    }
    // The cell that has the focus, or would get it, stays.
    if (this.#model.parties.length > 0) {
      wanted.add(this.#at.row);
    }
    for (const [row, node] of this.#rows) {
      if (!wanted.has(row)) {
        node.remove();
        this.#rows.delete(row);
      }
    }
    for (const row of wanted) {
      this.#row(row);
    }
  }

  #row(row) {
    const party = this.#model.parties[row];
    let node = this.#rows.get(row);
    if (node === undefined) {
      node = el("div", { class: "grid-row", role: "row", "aria-rowindex": String(row + 2) });
      node.style.top = `${row * ROW_PX}px`;
      node.append(el("div", { role: "rowheader" }));
      this.#rows.set(row, node);
      this.body.append(node);
    }
    const label = this.#model.label(party);
    put(node.firstChild, { ...label, cls: `grid-label ${label.cls}` });
    const { rounds } = this.#model;
    while (node.childNodes.length > rounds.length + 1) {
      node.lastChild.remove();
    }
    rounds.forEach((round, column) => {
      const cell = node.childNodes[column + 1] ?? node.appendChild(el("div", { role: "gridcell" }));
      const content = this.#model.cell(party, round);
      put(cell, { ...content, cls: `grid-cell ${content.cls}` });
      const is_here = row === this.#at.row && column === this.#at.column;
      const tabindex = is_here ? "0" : "-1";
      if (cell.getAttribute("tabindex") !== tabindex) {
        cell.setAttribute("tabindex", tabindex);
      }
    });
  }

  #key(event) {
    const { parties, rounds } = this.#model;
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_PX) - 2);
    const { row, column } = this.#at;
    const to = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      PageUp: [row - page, column],
      PageDown: [row + page, column],
      Home: [event.ctrlKey ? 0 : row, 0],
      End: [event.ctrlKey ? parties.length - 1 : row, rounds.length - 1],
    }[event.key];
    if (to === undefined || parties.length === 0 || event.altKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    this.#go(
      Math.min(Math.max(0, to[0]), parties.length - 1),
      Math.min(Math.max(0, to[1]), rounds.length - 1),
    );
  }

  #go(row, column) {
    this.#at = { row, column };
    const top = row * ROW_PX;
    const room = this.node.clientHeight - 2 * ROW_PX;
    if (top < this.node.scrollTop) {
      this.node.scrollTop = top;
    } else if (top > this.node.scrollTop + room) {
      this.node.scrollTop = top - room;
    }
    this.#render();
    const cell = this.#rows.get(row)?.childNodes[column + 1];
    cell?.focus({ preventScroll: true });
    cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #focused({ target }) {
    const node = target.closest(".grid-row");
    const column = [...(node?.childNodes ?? [])].indexOf(target) - 1;
    const row = [...this.#rows].find(([, one]) => one === node)?.[0];
    if (row === undefined || column < 0) {
      return;
    }
    this.#at = { row, column };
    this.#render();
    this.chosen(this.#model.parties[row], this.#model.rounds[column]);
  }
}

function put(node, { text = "", cls, words = null, title = null }) {
  const named = cls.trim();
  if (node.textContent !== text) {
    node.textContent = text;
  }
  if (node.className !== named) {
    node.className = named;
  }
  for (const [name, value] of [["aria-label", words], ["title", title]]) {
    if (value === null) {
      node.removeAttribute(name);
    } else if (node.getAttribute(name) !== value) {
      node.setAttribute(name, value);
    }
  }
}
