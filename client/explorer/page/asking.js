// Reads the board: asks replicas, has their answers verified, and keeps count of who lies.

// Longest time for an answer with all that it takes to verify it, and tries until one question is given up.
const ANSWER_MS = 20_000;
const STEPS = 12;
// How long one replica is waited for before another one is asked: of those that were too slow the next time longer. And for all together.
const TURNS_MS = [1_000, 4_000, ANSWER_MS];
const ALL_TURNS_MS = 2 * ANSWER_MS;
// Time to wait for replicas that are late, when the board was seen before.
const PATIENCE_MS = 700;
// Blocks by which an answer may be older than the newest that was verified.
const BEHIND = 3;

// Why one replica gave nothing to use. `kind` is what it shows of it: unreachable, late, refuses, behind, lied, stranger; or alarm.
export class NoAnswer extends Error {
  constructor(kind, text, code) {
    super(text);
    this.kind = kind;
    this.code = code;
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Why nothing has come: too late, or for another reason.
function silent(replica, signal, reason) {
  if (!signal.aborted) {
    return new NoAnswer("unreachable", reason);
  }
  replica.stalled_ms = Date.now();
  return new NoAnswer("late", "no answer in time");
}

export class Reader {
  replicas = [];
  // The highest height that was verified.
  highest = 0;
  // Something worse than a lie of one replica: two histories, or rules that the verifier doesn't know.
  alarm = null;
  alarm_by = null;
  // Looks of a party so far, and the newest era with the number of its replicas that may be malicious.
  looks = 0;
  era = 0;
  faults = Infinity;
  turn = 0;
  following = null;

  // With this verifier, and with news told to this function.
  constructor(verifier, tell) {
    this.verifier = verifier;
    this.tell = tell;
  }

  async open(genesis) {
    const opened = this.verifier.openBoard(genesis);
    if (!opened.proven) {
      return { refused: opened.refused?.text ?? opened.usage };
    }
    const answer = await fetch("replicas.json");
    const { replicas } = await answer.json();
    this.highest = 0;
    this.alarm = null;
    this.alarm_by = null;
    this.following = null;
    this.replicas = replicas.map((name, at) => ({
      at,
      name,
      state: "connecting",
      text: "",
      height: 0,
      time_ms: 0,
      moved_ms: 0,
      lies: 0,
      lie: null,
      asking: null,
      // Transactions that are on their way to it.
      sending: new Set(),
      // When it last gave no answer in time.
      stalled_ms: 0,
      // The last look in which it has proven how far the board is, and the era of that.
      looked: 0,
      era: 0,
    }));
    return { network: opened.proven };
  }

  // Asks all replicas how far the board is.
  async look() {
    const asked = this.replicas.map(async (replica) => {
      try {
        return await this.#from(replica, { of: "status" });
      } catch (error) {
        this.#note(replica, error, "status");
        return null;
      }
    });
    const answers = (await Promise.all(asked)).filter((answer) => answer !== null);
    answers.sort((one, other) => other.height - one.height);
    await this.#compare(answers);
    const { replicas, highest, alarm } = this;
    return { replicas, highest, alarm, board: answers[0] ?? null };
  }

  // Whoever is ahead shows its block of the height that the slowest is at, too: the verifier finds two histories only where blocks are
  // neighbours, and replicas that show different ones need not be at the same height at any look.
  async #compare(answers) {
    const low = answers.at(-1)?.height ?? 0;
    const ahead = answers.filter(({ height }) => height > low + 1);
    const asked = ahead.map(async ({ by }) => {
      try {
        await this.#header(this.replicas[by], low);
      } catch (error) {
        // It may not keep such old ones.
        if (error.kind !== "unreachable") {
          this.#note(this.replicas[by], error, "header");
        }
      }
    });
    await Promise.all(asked);
  }

  // The first answer that is proven and not old, from one replica after the other; or the newest of those that are.
  async read(asked) {
    let newest = null;
    const reasons = [];
    for (const { replica, due } of this.#turns()) {
      try {
        const answer = await this.#from(replica, asked, due);
        if (!answer.height || answer.height + BEHIND >= this.highest) {
          return answer;
        }
        if (newest === null || newest.height < answer.height) {
          newest = answer;
        }
      } catch (error) {
        this.#note(replica, error, asked.of);
        reasons.push({ replica: replica.name, kind: error.kind, code: error.code, text: error.message });
      }
    }
    return newest ?? { reasons };
  }

  // The time of a block.
  async time(height) {
    for (const replica of this.#order()) {
      try {
        return (await this.#header(replica, height)).time_ms;
      } catch (error) {
        this.#note(replica, error, "header");
      }
    }
    return null;
  }

  // Reads the entries of rounds that were not read yet, up to the open one, which only shows them when the session has ended. Gives
  // the slots of all rounds but the first `had`.
  async follow(session, open_round, ended, had) {
    if (this.following?.session !== session) {
      this.following = { session, rounds: [], done: false };
    }
    const { following } = this;
    const { rounds } = following;
    while (!following.done && (rounds.length < open_round || ended)) {
      const round = rounds.length;
      const read = await this.#round(session, round);
      if (this.following !== following || read === null || read.slots === null) {
        break;
      }
      if (read.wants !== undefined) {
        // Another session was followed meanwhile.
        rounds.length = Math.min(rounds.length, read.wants);
        if (read.wants > round) {
          break;
        }
        continue;
      }
      rounds.push(read.slots);
      this.tell({ news: "round", session, round, slots: read.slots });
      following.done = ended && round === open_round;
    }
    return { slots: rounds.slice(had), done: following.done };
  }

  // Reads a session as one of its parties, from states as new as any that replicas prove now: all rounds that have closed, and how it
  // stands. Says whether it has come so far.
  async followAs(session, reader) {
    await this.#askAll();
    const floor = this.highest;
    if (this.following?.session !== session) {
      this.following = { session, round: 0 };
    }
    const { following } = this;
    for (;;) {
      const { round } = following;
      const read = this.alarm === null ? await this.#round(session, round, reader, floor) : null;
      if (this.alarm !== null) {
        throw new NoAnswer("alarm", this.alarm, this.alarm_by);
      }
      if (read === null) {
        return false;
      }
      if (read.ended || read.slots === null) {
        return true;
      }
      if (read.wants === round) {
        // Pages of two replicas don't go together: from the first one again, at the next look.
        return false;
      }
      following.round = read.wants ?? round + 1;
    }
  }

  // Whether so many replicas have proven in this look how far the board is that one of them is honest.
  get is_fresh() {
    const now = this.replicas.filter(({ looked, era }) => looked === this.looks && era === this.era);
    return now.length > this.faults;
  }

  // Hands a transaction to all replicas, and waits for a while until one has taken it or none has. What they say of it is a hint: the board
  // shows it or it doesn't.
  async send(tx) {
    const name = Array.from(tx).join();
    const sent = this.replicas.map(async (replica) => {
      if (replica.sending.has(name)) {
        throw new NoAnswer("unreachable", "it is on its way already");
      }
      replica.sending.add(name);
      try {
        const answer = await this.#fetch(replica, "txs", Date.now() + ANSWER_MS, tx);
        const { taken, text } = JSON.parse(new TextDecoder().decode(answer));
        if (!taken) {
          throw new NoAnswer("refuses", text);
        }
      } finally {
        replica.sending.delete(name);
      }
    });
    await Promise.race([Promise.any(sent).catch(() => null), pause(PATIENCE_MS)]);
  }

  // Asks all replicas how far the board is. Those that are late are waited for at first only, and have one question at a time.
  async #askAll() {
    this.looks += 1;
    const { looks } = this;
    const ask = async (replica) => {
      try {
        const { value } = await this.#from(replica, { of: "status" });
        replica.looked = looks;
        replica.era = value.era;
        if (value.newest_era >= this.era) {
          this.era = value.newest_era;
          this.faults = value.faults;
        }
      } catch (error) {
        this.#note(replica, error, "status");
      }
    };
    const free = this.replicas.filter(({ asking }) => asking === null);
    for (const replica of free) {
      replica.asking = ask(replica).finally(() => (replica.asking = null));
    }
    const is_first = this.highest === 0;
    const all = Promise.all((is_first ? this.replicas : free).map(({ asking }) => asking));
    await (is_first ? all : Promise.race([all, pause(PATIENCE_MS)]));
  }

  entry(round, index) {
    return this.verifier.entry(round, index).proven ?? null;
  }

  // All pages of a round, from one replica, as a party or as nobody, from this height on.
  async #round(session, round, reader = null, from_height = 0) {
    for (const { replica, due } of this.#turns()) {
      if (this.alarm !== null) {
        return null;
      }
      try {
        const last = Date.now() + ANSWER_MS;
        let from_index = 0;
        while (from_index !== null) {
          // Once it has begun, it has the time of an answer for all of it.
          const asked = { of: "inbox", session, round, from_index, reader, from_height };
          const page = await this.#from(replica, asked, from_index === 0 ? due : last);
          if (page.wants !== undefined) {
            return page;
          }
          if (page.value.next_index === null) {
            return page.value;
          }
          from_index = page.value.next_index;
        }
      } catch (error) {
        this.#note(replica, error, "inbox");
      }
    }
    return null;
  }

  // Whom to ask, and until when it has to answer: each one for a moment first, and who was too slow for that for longer.
  *#turns() {
    const end = Date.now() + ALL_TURNS_MS;
    let order = this.#order();
    for (const turn of TURNS_MS) {
      const slow = [];
      for (const replica of order) {
        const begun = Date.now();
        if (begun >= end) {
          return;
        }
        yield { replica, due: Math.min(begun + turn, end) };
        if (replica.stalled_ms >= begun) {
          slow.push(replica);
        }
      }
      order = slow;
    }
  }

  // Whoever has lied is asked after all others, and so is whoever can't be reached; of those that are alike, who was slow last.
  #order() {
    this.turn += 1;
    const count = this.replicas.length;
    const turned = this.replicas.map((_, at) => this.replicas[(at + this.turn) % count]);
    const is_late = ({ state, asking }) => state === "unreachable" || asking !== null;
    const rank = (one) => (one.lies > 0 || one.state === "stranger" ? 2 : is_late(one) ? 1 : 0);
    return turned.sort((one, other) => rank(one) - rank(other) || one.stalled_ms - other.stalled_ms);
  }

  #note(replica, error, of) {
    // How far the board is has all its time to be said; anything else is asked of another one first.
    const kind = error.kind === "late" && of === "status" ? "unreachable" : (error.kind ?? "failed");
    if (kind === "alarm") {
      this.alarm ??= error.message;
      this.alarm_by ??= error.code;
      return;
    }
    if (kind === "lied") {
      replica.lies += 1;
      replica.lie = { text: error.message, of, at_ms: Date.now() };
    }
    // A refusal is an answer, and so is one from a block ago.
    if (!["refuses", "behind", "late"].includes(kind)) {
      replica.state = kind;
      replica.text = error.message;
    }
  }

  // What one replica answers, once it is proven.
  async #from(replica, asked, due = Date.now() + ANSWER_MS) {
    const bytes = await this.#ask(replica, asked, due);
    for (let step = 0; step < STEPS; step += 1) {
      const taken = this.verifier.answer(asked, bytes);
      if (taken.proven !== undefined || taken.said !== undefined) {
        return this.#taken(replica, taken);
      }
      const { wants } = taken;
      if (wants?.round !== undefined) {
        return { wants: wants.round, ended: wants.ended };
      } else if (wants?.header !== undefined) {
        await this.#header(replica, wants.header, due);
      } else if (wants?.links !== undefined) {
        await this.#links(replica, wants, due);
      } else if (wants?.spec !== undefined) {
        await this.#from(replica, { of: "spec", session: wants.spec }, due);
      } else {
        throw await this.#refused(replica, taken);
      }
    }
    throw new NoAnswer("unreachable", "its answer leads nowhere");
  }

  #ask(replica, asked, due) {
    return this.#fetch(replica, "v1", due, this.verifier.question(asked));
  }

  #taken(replica, { proven, said }) {
    replica.state = "answers";
    replica.text = "";
    if (proven?.height !== undefined) {
      if (proven.height > replica.height) {
        replica.height = proven.height;
        replica.time_ms = proven.time_ms;
        replica.moved_ms = Date.now();
      }
      this.highest = Math.max(this.highest, proven.height);
      return { ...proven, by: replica.at };
    }
    return { said, by: replica.at, value: proven };
  }

  async #header(replica, height, due = Date.now() + ANSWER_MS) {
    const bytes = await this.#fetch(replica, `commit/${height}`, due);
    for (let step = 0; step < STEPS; step += 1) {
      const taken = this.verifier.header(bytes);
      if (taken.proven !== undefined) {
        if (taken.proven.height !== height) {
          throw new NoAnswer("lied", "the header of another height");
        }
        return taken.proven;
      }
      if (taken.wants?.links === undefined) {
        throw await this.#refused(null, taken);
      }
      await this.#links(replica, taken.wants, due);
    }
    throw new NoAnswer("unreachable", "its header leads nowhere");
  }

  // Learns who the validators of later eras are, as long as it learns anything.
  async #links(replica, { links, or }, due) {
    let from_era = links;
    let learned = 0;
    for (;;) {
      const asked = { of: "links", from_era };
      const bytes = await this.#ask(replica, asked, due);
      const taken = this.verifier.answer(asked, bytes);
      if (taken.proven === undefined) {
        throw await this.#refused(null, taken);
      }
      learned += taken.proven.learned;
      from_era += taken.proven.count;
      if (taken.proven.learned === 0) {
        break;
      }
    }
    if (learned === 0) {
      throw or === undefined
        ? new NoAnswer("unreachable", "the validators have handed over, and it doesn't show to whom")
        : new NoAnswer("stranger", or);
    }
  }

  // The error that a refusal is. Where an answer is refused, the replica's own header may tell of a second history.
  async #refused(replica, { refused, usage }) {
    if (refused === undefined) {
      return new NoAnswer("failed", usage ?? "the verifier says nothing");
    }
    const { by, reason } = refused;
    const text = refused.text.replace(/^(answer|header): /, "");
    if (by === "behind") {
      return new NoAnswer("behind", text);
    }
    if (by === "fork" || by === "rules") {
      return new NoAnswer("alarm", text, by);
    }
    if (by === "header" && reason === "Malformed") {
      return new NoAnswer("unreachable", text);
    }
    if (by === "header" && (reason === "Chain" || reason === "Validators")) {
      return new NoAnswer("stranger", `it serves another network than the genesis describes: ${text}`);
    }
    if (replica !== null) {
      try {
        await this.#header(replica, this.highest);
      } catch (error) {
        if (error.kind === "alarm") {
          return error;
        }
      }
    }
    return new NoAnswer("lied", text);
  }

  async #fetch(replica, path, due, body) {
    const signal = AbortSignal.timeout(Math.max(0, due - Date.now()));
    const how = { signal, cache: "no-store" };
    if (body !== undefined) {
      Object.assign(how, { method: "POST", body });
    }
    let answer;
    try {
      answer = await fetch(`r/${replica.at}/${path}`, how);
    } catch {
      throw silent(replica, signal, "the explorer itself doesn't answer");
    }
    if (answer.ok) {
      try {
        return new Uint8Array(await answer.arrayBuffer());
      } catch {
        throw silent(replica, signal, "an answer that was cut off");
      }
    }
    let said = {};
    try {
      said = await answer.json();
    } catch {
      // It says nothing more.
    }
    const text = typeof said.text === "string" ? said.text : `HTTP ${answer.status}`;
    throw new NoAnswer(answer.status === 422 ? "refuses" : "unreachable", text, said.code);
  }
}
