// One session: how it stands, the grid of its slots, its end, and what speaks against whom.

import { code, el, fill, list, mark, time } from "./dom.js";
import { Grid } from "./grid.js";
import { LEGEND, Slots } from "./slots.js";
import { OFFENCES, bytes, clock, count, duration, isLive, parties, short } from "./words.js";

// Rounds that are shown at once.
const COLUMNS = 64;
// Most entries whose signatures are checked without being asked.
const ENTRIES = 4_096;

const FILTERS = {
  all: ["all parties", () => true],
  awaited: ["awaited", (slots, index) => slots.awaited.has(index)],
  empty: ["an empty slot in the open round", (slots, index) => slots.members.has(index) && !slots.filled.has(index)],
  gone: ["left or out", (slots, index) => slots.left.has(index) || !slots.members.has(index)],
  culprits: ["culprits", (slots, index) => slots.culprits.has(index)],
};

export class Session {
  constructor({ reader, rerender, which }) {
    this.reader = reader;
    this.rerender = rerender;
    this.which = which;
    this.title = `Session ${short(which)}`;
    this.slots = new Slots();
    this.read = null;
    this.spec = null;
    this.evidence = null;
    this.evidence_of = "";
    this.is_asked = false;
    this.following = null;
    this.is_done = false;
    this.first = null;
    this.chosen = null;
    this.#build();
  }

  #build() {
    this.heading = el("h1", {}, `Session ${short(this.which)}`);
    this.head = el("p", { class: "head" }, "Asking the replicas …");
    // What changes with the session is read out; what changes with each second isn't.
    this.standing = el("div", { role: "status" });
    this.times = el("div");
    this.now = el("div", { class: "card now" }, this.standing, this.times);
    this.grid = new Grid((index, round) => this.#choose(index, round));
    this.filter = el("select", { id: "filter", change: () => this.#render() });
    this.filter.append(...Object.entries(FILTERS).map(([value, [text]]) => el("option", { value }, text)));
    this.earlier = el("button", { type: "button", click: () => this.#turn(-1) }, "Earlier rounds");
    this.later = el("button", { type: "button", click: () => this.#turn(1) }, "Later rounds");
    this.columns = el("span", { role: "status" });
    this.pages = el("p", { class: "pages" }, this.earlier, this.columns, this.later);
    this.check = el("button", { type: "button", click: () => this.#ask() }, "Check every signature");
    this.checked = el("p", { role: "status", class: "checked" });
    this.detail = el("p", { class: "detail", role: "status" }, "Choose a slot to see what it holds.");
    const legend = LEGEND.map(([sign, cls, words]) =>
      el("li", {}, el("span", { class: `grid-cell ${cls}`, "aria-hidden": "true" }, sign), ` ${words}`),
    );
    this.rounds = el(
      "section",
      { "aria-labelledby": "rounds" },
      el("h2", { id: "rounds" }, "Rounds"),
      el("p", { class: "tools" }, el("label", { for: "filter" }, "Show"), this.filter, this.check),
      this.checked,
      this.grid.node,
      this.pages,
      this.detail,
      el("details", {}, el("summary", {}, "Signs"), el("ul", { class: "legend" }, legend)),
    );
    this.against = el("section");
    this.terms = el("section");
    this.node = el("section", {}, this.heading, this.head, this.now, this.rounds, this.against, this.terms);
    this.rounds.hidden = true;
    this.now.hidden = true;
  }

  stop() {
    this.is_stopped = true;
  }

  #turn(by) {
    const last = this.#lastFirst();
    this.first = Math.min(Math.max(0, (this.first ?? last) + by * COLUMNS), last);
    // The last page follows the session.
    if (this.first === last) {
      this.first = null;
    }
    this.#render();
    this.rerender();
  }

  #ask() {
    this.is_asked = true;
    this.#render();
    this.rerender();
  }

  // The first round of the last page of columns.
  #lastFirst() {
    return Math.floor((this.slots.state?.open_round ?? 0) / COLUMNS) * COLUMNS;
  }

  #shownRounds() {
    const first = this.first ?? this.#lastFirst();
    const end = Math.min(this.slots.state.open_round + 1, first + COLUMNS);
    return Array.from({ length: end - first }, (_, at) => first + at);
  }

  async #choose(index, round) {
    this.chosen = [index, round];
    const { words } = this.slots.cell(index, round);
    const parts = [words];
    const key = this.spec?.value.roster[index];
    if (this.slots.signed.has(round)) {
      const entry = await this.reader.call("entry", round, index);
      if (this.chosen[0] !== index || this.chosen[1] !== round) {
        return;
      }
      if (entry !== null) {
        const sizes =
          entry.kind === "post"
            ? ` Broadcast ${bytes(entry.broadcast_bytes)}, sealed payloads ${bytes(entry.p2p_bytes)}.`
            : entry.kind === "finish"
              ? [" Outcome ", code(short(entry.outcome), entry.outcome), "."]
              : "";
        parts.push(". ", "Digest ", code(short(entry.digest), entry.digest), ".", sizes, " ", mark("signed"));
      }
    }
    fill(this.detail, parts.flat(), key ? [" Key ", code(key)] : []);
  }

  async refresh({ board }) {
    this.board = board ?? this.board;
    const read = await this.#readState();
    if (read === null) {
      return;
    }
    if (this.read === null || read.height >= this.read.height) {
      this.read = read;
    }
    if (read.value.status !== "erased") {
      this.slots.takeState(this.read.value);
      await this.#readRounds();
      await this.#readEvidence();
    }
    await this.#readEnd();
    this.#render();
  }

  // The id and the spec first, which stay; then how it stands.
  async #readState() {
    if (this.id === undefined) {
      const asked = /^[0-9a-f]{64}$/.test(this.which)
        ? { of: "leaf", session: this.which }
        : { of: "numbered", number: Number(this.which) };
      const leaf = await this.reader.call("read", asked);
      if (leaf.value === undefined) {
        fill(this.head, ...this.#missing(leaf));
        return null;
      }
      this.id = leaf.value.session;
      this.read = leaf;
      fill(this.heading, `Session ${leaf.value.number}`);
      this.title = `Session ${leaf.value.number}`;
    }
    if (this.spec === null && this.read.value.status !== "erased") {
      const spec = await this.reader.call("read", { of: "spec", session: this.id });
      this.spec = spec.value === undefined ? null : spec;
      if (this.spec === null) {
        // It may have been erased since.
        this.read = (await this.reader.call("read", { of: "leaf", session: this.id })) ?? this.read;
      }
    }
    const of = this.spec === null ? "leaf" : "session";
    const read = await this.reader.call("read", { of, session: this.id });
    if (read.value === undefined) {
      fill(this.head, ...this.#missing(read));
      return null;
    }
    return this.spec === null && read.value.status !== "erased" ? null : read;
  }

  #missing({ reasons }) {
    const total = this.board?.value.session_count;
    if (total !== undefined && /^[0-9]{1,15}$/.test(this.which) && Number(this.which) >= total) {
      return [`The board has no session ${this.which}: ${count(total, "was", "were")} opened. `, mark("verified")];
    }
    const refusals = (reasons ?? []).filter(({ kind }) => kind === "refuses");
    if (refusals.length > 0) {
      const { replica, text } = refusals[0];
      return [`No answer: ${text} `, mark("said", `by ${replica}`)];
    }
    return ["No replica gives an answer that can be verified. Trying again."];
  }

  async #readRounds() {
    const { open_round, status } = this.slots.state;
    const is_ended = !isLive(status);
    const entries = this.spec.value.roster.length * (open_round + 1);
    if (status === "joining") {
      const joins = await this.reader.call("read", { of: "joins", session: this.id });
      if (joins.value !== undefined) {
        this.slots.takeRound(0, joins.value.slots, false);
      }
    }
    if ((this.is_asked || entries <= ENTRIES) && this.following === null && !this.is_done) {
      // It may take long: how the session stands is shown meanwhile.
      const had = this.slots.signed.size;
      this.following = this.reader.call("follow", this.id, open_round, is_ended, had).then(({ slots, done }) => {
        this.following = null;
        this.is_done = done;
        slots.forEach((one, at) => this.slots.takeRound(had + at, one, true));
        this.#render();
      });
      await Promise.race([this.following, new Promise((resolve) => setTimeout(resolve, 500))]);
    }
    for (const round of this.#shownRounds()) {
      if (this.is_stopped || round >= open_round) {
        break;
      }
      if (!this.slots.rounds.has(round) && entries > ENTRIES) {
        const read = await this.reader.call("read", { of: "round", session: this.id, round });
        if (read.value?.closed) {
          this.slots.takeRound(round, read.value.slots, false);
        }
      }
    }
  }

  // A round whose signatures the reader has checked.
  news({ session, round, slots }) {
    if (session === this.id && this.slots.state !== null) {
      this.slots.takeRound(round, slots, true);
      this.#render();
    }
  }

  async #readEvidence() {
    const { has_dispute, has_evidence, left, status, offences } = this.slots.state;
    if (!has_dispute && !has_evidence && left.length === 0) {
      return;
    }
    // Again where it is more, or can be judged.
    const of = JSON.stringify([status, offences, left, this.slots.signed.size, this.is_done]);
    if (of === this.evidence_of) {
      return;
    }
    const read = await this.reader.call("read", { of: "evidence", session: this.id });
    if (read.value !== undefined) {
      this.evidence = read;
      this.evidence_of = of;
      this.slots.takeOffences(read.value.offences);
      if (status === "dispute" && read.value.dispute) {
        this.slots.awaited = new Set([read.value.dispute.accused]);
      }
    }
  }

  async #readEnd() {
    const { end } = this.read.value;
    if (end && this.ended_ms === undefined) {
      this.ended_ms = (await this.reader.call("time", end.height)) ?? undefined;
    }
  }

  tick() {
    if (this.read !== null) {
      this.#renderNow();
    }
  }

  #render() {
    if (this.is_stopped || this.read === null) {
      return;
    }
    const { value, height } = this.read;
    fill(
      this.head,
      el("span", { class: `status ${value.status}` }, value.status),
      ` ${this.spec === null ? "" : this.spec.value.protocol} · `,
      code(short(value.session), value.session),
      ` · at height ${height} `,
      mark("verified"),
    );
    this.#renderNow();
    this.#renderGrid();
    this.#renderAgainst();
    this.#renderTerms();
  }

  #renderGrid() {
    const { state } = this.slots;
    this.rounds.hidden = state === null || this.spec === null || state.status === "erased";
    if (this.rounds.hidden) {
      return;
    }
    const { roster } = this.spec.value;
    const [, is_shown] = FILTERS[this.filter.value];
    const indices = roster.map((_, index) => index).filter((index) => is_shown(this.slots, index));
    const rounds = this.#shownRounds();
    this.grid.show({
      parties: indices,
      rounds,
      open: isLive(state.status) ? state.open_round : null,
      cell: (index, round) => this.slots.cell(index, round),
      label: (index) => this.slots.label(index, roster[index]),
    });
    this.pages.hidden = state.open_round < COLUMNS;
    this.earlier.disabled = rounds[0] === 0;
    this.later.disabled = rounds[0] === this.#lastFirst();
    fill(this.columns, `rounds ${rounds[0]} to ${rounds.at(-1)} of ${state.open_round}`);
    const entries = roster.length * (state.open_round + 1);
    this.check.hidden = this.is_asked || entries <= ENTRIES;
    fill(this.checked, this.#checkedText(indices.length, roster.length));
  }

  #checkedText(shown, all) {
    const { size } = this.slots.signed;
    const which = shown < all ? `${shown.toLocaleString("en")} of ${count(all, "party", "parties")} shown. ` : "";
    if (size === 0) {
      return [which, "Which slots are filled is verified; no round's signatures were checked yet."];
    }
    return [which, `Every entry of ${count(size, "round", "rounds")} was read and its signature checked `, mark("signed")];
  }

  // The board's clock goes with this machine's as long as blocks come.
  #boardMs() {
    const board = this.board;
    if (!board) {
      return this.read.board_ms;
    }
    return Math.max(this.read.board_ms, Date.now() - board.value.paused_ms);
  }

  #wallMs(board_ms) {
    return board_ms + (this.board?.value.paused_ms ?? 0);
  }

  #renderNow() {
    const { value } = this.read;
    this.now.hidden = false;
    const is_known = value.end !== null || this.slots.members !== undefined;
    const { standing, times } = !is_known
      ? { standing: ["Reading …"], times: [] }
      : value.end
        ? this.#ended(value)
        : this.#live(value);
    fill(this.standing, standing.map((line) => el("p", {}, line)));
    fill(this.times, times.map((line) => el("p", {}, line)));
  }

  #live(value) {
    const { awaited, members, filled } = this.slots;
    const standing = [];
    const place = value.status === "joining" ? "Joining (round 0)" : `Round ${value.open_round}`;
    if (value.status === "dispute") {
      const dispute = this.evidence?.value.dispute;
      standing.push(
        dispute
          ? `Dispute: party ${dispute.by} complained about the payload that party ${dispute.accused} sent it in round ${dispute.round}.`
          : "Dispute: a complaint waits for its answer.",
      );
    } else {
      standing.push(`${place} is open: ${filled.size} of ${members.size} slots are filled.`);
    }
    standing.push(awaited.size > 0 ? [el("strong", {}, `Awaited: ${parties([...awaited])}`)] : "Nobody is awaited.");
    if (value.call_blocks > 0) {
      standing.push(`Last call: ${count(value.call_blocks, "block", "blocks")} so far. Entries are still welcome.`);
    }
    return { standing, times: [this.#waiting(value)] };
  }

  // For how long the session has waited, and for how long it will.
  #waiting({ status, deadline_ms }) {
    const { length_ms, what } = this.#limit(status);
    if (deadline_ms === 0) {
      return `The clock starts with the next block (${what}).`;
    }
    const board_ms = this.#boardMs();
    const left_ms = deadline_ms - board_ms;
    const until = clock(this.#wallMs(deadline_ms));
    const waited = `Waiting for ${duration(board_ms - (deadline_ms - length_ms))}.`;
    return left_ms > 0
      ? `${waited} ${duration(left_ms)} left (until ${until}, ${what}).`
      : `${waited} The time was over ${duration(-left_ms)} ago (at ${until}, ${what}).`;
  }

  #limit(status) {
    const { join_ms, round_ms, reveal_ms } = this.spec.value;
    const [length_ms, name] = {
      joining: [join_ms, "to join"],
      running: [round_ms, "a round"],
      dispute: [reveal_ms, "for the answer"],
    }[status];
    return { length_ms, what: `${duration(length_ms)} ${name}` };
  }

  #ended({ end, cause_text, status, deadline_ms }) {
    const by = end.by === null ? "" : `, by party ${end.by}`;
    const what = end.status === "finished" ? "Finished" : `Aborted: ${cause_text}${by}`;
    const standing = [[el("strong", {}, what), ` in block ${end.height} `, mark("verified")]];
    if (end.outcome !== null) {
      const is_signed = this.is_done;
      standing.push([
        "Outcome ",
        code(end.outcome),
        " ",
        is_signed ? mark("signed", "by a quorum of the parties") : mark("verified"),
      ]);
    } else {
      const missing = end.members.filter((index) => !end.filled.includes(index));
      const round = this.read.value.open_round;
      if (missing.length > 0) {
        standing.push(`Empty when it ended, in round ${round}: ${parties(missing)}.`);
      }
    }
    const ended = this.ended_ms === undefined ? ["about ", time(this.#wallMs(end.board_ms))] : [time(this.ended_ms)];
    const kept =
      status === "erased"
        ? "Its payloads, entries and spec are erased; this record stays."
        : ["Payloads are erased ", time(this.#wallMs(deadline_ms)), "."];
    return { standing, times: [["It ended ", ...ended, "."], kept] };
  }

  #renderAgainst() {
    const { state } = this.slots;
    if (state === null || this.read.value.status === "erased") {
      fill(this.against);
      return;
    }
    const nothing = !state.has_dispute && !state.has_evidence && state.left.length === 0;
    fill(
      this.against,
      el("h2", {}, "What speaks against whom"),
      nothing
        ? el("p", {}, "Nothing: no signed evidence, no complaint, nobody left. ", mark("verified"))
        : this.evidence === null
          ? el("p", {}, "Reading …")
          : el("ul", {}, this.#againstLines(this.evidence.value).map((line) => el("li", {}, line))),
    );
  }

  #againstLines({ offences, left, dispute, judged }) {
    const lines = offences.map(({ offence: { index, offence, round }, convicted }) => [
      `Party ${index} ${OFFENCES[offence] ?? offence}, in round ${round}. `,
      convicted ? mark("signed", "· evidence checked") : mark("verified"),
    ]);
    if (dispute) {
      const answer = dispute.reveal === undefined ? "It was not answered." : "It was answered.";
      lines.push([
        `Party ${dispute.by} complained about the payload that party ${dispute.accused} sent it in round ${dispute.round}. ${answer} `,
        judged ? mark("signed", "· judged here") : mark("verified"),
      ]);
    }
    for (const { index, word, reason, about } of left) {
      const whom = about === null || about === undefined ? "" : `, about party ${about} (a claim, not evidence)`;
      lines.push([`Party ${index} left: ${word}, reason ${reason}${whom}. `, mark("signed")]);
    }
    return lines;
  }

  #renderTerms() {
    if (this.spec === null) {
      fill(this.terms);
      return;
    }
    const spec = this.spec.value;
    const opener = spec.roster.indexOf(spec.opener);
    fill(
      this.terms,
      el("h2", {}, "Spec ", mark("signed", "by its opener")),
      list([
        ["Protocol", `${spec.protocol}, version ${spec.version}`],
        ["Session", code(this.id)],
        ["Opener", code(spec.opener), opener < 0 ? ", not in the roster" : `, party ${opener}`],
        ["Parties", String(spec.roster.length)],
        ["Quorum", `${spec.quorum}, up to ${spec.corrupt} corrupt, ${spec.fork_safe ? "fork-safe" : "not fork-safe"}`],
        ["Rounds", `at most ${spec.max_rounds}`],
        ["Time", `${duration(spec.join_ms)} to join, ${duration(spec.round_ms)} a round, ${duration(spec.reveal_ms)} for an answer`],
        ["Kept", `${duration(spec.retention_ms)} after the end`],
        ["Sizes", `broadcast ${bytes(spec.max_bcast)}, sealed payload ${bytes(spec.max_p2p)}, all ${bytes(spec.max_bytes)}`],
        spec.input === "" ? null : ["Input", code(spec.input_text ?? short(spec.input), spec.input_text ?? spec.input)],
        spec.prev_session === null
          ? null
          : ["Continues", el("a", { href: `#/session/${spec.prev_session}` }, code(short(spec.prev_session)))],
      ]),
    );
  }
}
