// The list of sessions. Lines come as a replica says them; those on the page are verified one by one.

import { body, el, fill, mark, row, table } from "./dom.js";
import { count, isLive, short } from "./words.js";

// Sessions on a page of this view, and on one of a replica's list.
const ROWS = 25;
const LINES = 100;
// Most pages of lines that are read, and those of one look.
const PAGES = 200;
const PAGES_AT_ONCE = 5;
const NAMES = ["No.", "Protocol", "State", "Id", "Checked"];
const STATUSES = ["joining", "running", "dispute", "finished", "aborted", "erased"];

export class Sessions {
  title = "Sessions";

  constructor({ reader, rerender }) {
    this.reader = reader;
    this.rerender = rerender;
    this.status = "all";
    this.page = 0;
    // What replicas say, and what was verified, by number.
    this.said = new Map();
    this.proven = new Map();
    this.unread = null;
    this.root = null;
    this.stale = [];
    this.#build();
  }

  #build() {
    this.heading = el("h1", {}, "Sessions");
    this.summary = el("p", { role: "status" });
    this.counts = new Map();
    const choices = ["all", ...STATUSES].map((status) => {
      const number = el("span", { class: "count" });
      this.counts.set(status, number);
      const input = el("input", {
        type: "radio",
        name: "status",
        value: status,
        checked: status === "all",
        change: () => this.#choose(status),
      });
      return el("label", { class: "choice" }, input, el("span", {}, status, " ", number));
    });
    this.choices = el("fieldset", { class: "choices" }, el("legend", {}, "State"), choices);
    this.which = el("input", { id: "which", inputmode: "text", autocomplete: "off", spellcheck: "false", size: "16" });
    this.wrong = el("span", { class: "trouble", role: "alert" });
    const go = el(
      "form",
      { class: "go", submit: (event) => this.#go(event) },
      el("label", { for: "which" }, "Number or id"),
      this.which,
      el("button", {}, "Show"),
      this.wrong,
    );
    this.rows = body();
    this.table = table("sessions", NAMES, this.rows);
    this.newer = el("button", { type: "button", click: () => this.#turn(-1) }, "Newer");
    this.older = el("button", { type: "button", click: () => this.#turn(1) }, "Older");
    this.place = el("span", { role: "status" });
    this.pages = el("p", { class: "pages" }, this.newer, this.place, this.older);
    this.empty = el("p", { class: "empty" });
    this.tools = el("div", { class: "tools" }, this.choices, go);
    this.node = el("section", {}, this.heading, this.summary, this.tools, this.table, this.empty, this.pages);
    this.#render(null);
  }

  #choose(status) {
    this.status = status;
    this.page = 0;
    this.rerender();
  }

  #turn(by) {
    this.page += by;
    this.rerender();
  }

  #go(event) {
    event.preventDefault();
    const which = this.which.value.trim().toLowerCase();
    if (/^[0-9]{1,15}$|^[0-9a-f]{64}$/.test(which)) {
      location.hash = `#/session/${which}`;
    } else {
      fill(this.wrong, "expected a number, or 64 hexadecimal digits");
    }
  }

  #status(number) {
    return this.proven.get(number)?.status ?? this.said.get(number)?.status ?? null;
  }

  // What is on the page, the newest first. Of a large board not even the numbers are gone through.
  #shown(total) {
    const is_all = this.status === "all";
    const some = is_all ? [] : this.#numbersOf(this.status);
    const found = is_all ? total : some.length;
    const pages = Math.max(1, Math.ceil(found / ROWS));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const first = this.page * ROWS;
    const end = Math.min(found, first + ROWS);
    const rows = is_all
      ? Array.from({ length: end - first }, (_, at) => total - 1 - first - at)
      : some.slice(first, end);
    return { found, pages, rows };
  }

  #numbersOf(status) {
    const numbers = [...new Set([...this.said.keys(), ...this.proven.keys()])];
    return numbers.filter((number) => this.#status(number) === status).sort((one, other) => other - one);
  }

  async refresh({ board }) {
    this.#render(board);
    if (board === null) {
      return;
    }
    const total = board.value.session_count;
    const is_changed = this.root !== board.value.root;
    this.root = board.value.root;
    this.#forgetOld(total, is_changed);
    await this.#readLines(total);
    this.#render(board);
    await this.#verify(this.#shown(total).rows);
    this.#render(board);
  }

  // The pages of lines that may have changed, the newest first: those not read yet, and those with sessions that live.
  #forgetOld(total, is_changed) {
    const last = Math.floor(Math.max(0, total - 1) / LINES);
    if (this.unread === null) {
      this.unread = last;
      this.oldest = Math.max(0, last - PAGES + 1);
    }
    if (!is_changed) {
      return;
    }
    const live = new Set([last]);
    for (const [number, { status }] of this.said) {
      if (isLive(status)) {
        live.add(Math.floor(number / LINES));
      }
    }
    this.stale = [...new Set([...this.stale, ...live])].filter((page) => page > this.unread);
    for (const [number, session] of this.proven) {
      if (isLive(session.status)) {
        this.proven.set(number, { ...session, is_old: true });
      }
    }
  }

  async #readLines(total) {
    const pages = this.stale.splice(0, PAGES_AT_ONCE);
    while (total > 0 && pages.length < PAGES_AT_ONCE && this.unread >= this.oldest) {
      pages.push(this.unread);
      this.unread -= 1;
    }
    for (const page of pages) {
      const read = await this.reader.call("read", { of: "sessions", from_number: page * LINES });
      for (const line of read.said?.sessions ?? []) {
        this.said.set(line.number, { ...line, by: read.by });
      }
    }
  }

  async #verify(numbers) {
    const old = numbers.filter((number) => this.proven.get(number)?.is_old !== false);
    await Promise.all(old.map((number) => this.#verifyOne(number)));
  }

  async #verifyOne(number) {
    const read = await this.reader.call("read", { of: "numbered", number });
    if (read.value === undefined) {
      return;
    }
    const before = this.proven.get(number);
    const session = { ...read.value, height: read.height, spec: before?.spec ?? null, is_old: false };
    if (session.spec === null && session.status !== "erased") {
      const spec = await this.reader.call("read", { of: "spec", session: session.session });
      session.spec = spec.value ?? null;
    }
    if (before === undefined || before.height <= session.height) {
      this.proven.set(number, session);
    }
  }

  #render(board) {
    const total = board?.value.session_count ?? 0;
    const { found, pages, rows } = this.#shown(total);
    fill(this.summary, this.#summary(board, total));
    fill(this.rows, rows.map((number) => this.#row(number)));
    this.table.hidden = rows.length === 0;
    this.tools.hidden = total === 0;
    fill(this.empty, board === null || rows.length > 0 ? [] : this.#nothing(total));
    const tally = new Map();
    for (const number of this.said.keys()) {
      const status = this.#status(number);
      tally.set(status, (tally.get(status) ?? 0) + 1);
    }
    for (const [status, node] of this.counts) {
      fill(node, String(status === "all" ? total : (tally.get(status) ?? 0)));
    }
    this.newer.disabled = this.page === 0;
    this.older.disabled = this.page + 1 >= pages;
    this.pages.hidden = found <= ROWS;
    fill(this.place, `${this.page * ROWS + 1} to ${Math.min(found, (this.page + 1) * ROWS)} of ${found}`);
  }

  #summary(board, total) {
    if (board === null) {
      return ["Asking the replicas …"];
    }
    const read = this.said.size;
    const by_state =
      read < total
        ? `states of ${count(read, "session", "sessions")} were read, the newest first`
        : "how many are in which state, replicas say, until a line is verified";
    return [count(total, "session was opened", "sessions were opened"), " ", mark("verified"), total > 0 ? ` · ${by_state}` : ""];
  }

  #nothing(total) {
    return total === 0 ? "The board is empty: nobody has opened a session yet." : `No session is ${this.status}.`;
  }

  #row(number) {
    const proven = this.proven.get(number);
    const said = this.said.get(number);
    const id = proven?.session ?? said?.session ?? "";
    const protocol = proven?.spec?.protocol ?? said?.protocol ?? "";
    const status = this.#status(number) ?? "…";
    const checked = proven ? [mark("verified", proven.is_old ? `as it was at height ${proven.height}` : undefined)] : said ? [mark("said", `by replica ${said.by}`)] : ["not read yet"];
    return row(NAMES, [
      el("a", { href: `#/session/${number}` }, String(number)),
      protocol,
      [el("span", { class: `status ${status}` }, status), " ", this.#detail(proven)],
      el("code", { title: id }, short(id)),
      checked,
    ]);
  }

  #detail(proven) {
    if (proven === undefined) {
      return "";
    }
    if (proven.end) {
      return proven.status === "finished" ? "" : (proven.cause_text ?? "");
    }
    return proven.status === "running" ? `round ${proven.open_round}` : "";
  }
}
