// What carries a party in a page, with replicas, a verifier and a disk that do what a test says. Beside the page's scripts; prints `all hold`.

import assert from "node:assert";

import { NoAnswer, Reader } from "./asking.js";
import { Keep } from "./keep.js";
import { Party, Seat } from "./party.js";
import { Verifier } from "./verifier.js";

// Node doesn't wait for the time limits of questions alone.
setInterval(() => {}, 1_000);

const never = () => new Promise(() => {});
const text = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const answer = (value) => new Response(JSON.stringify(value));

// A verifier that takes every question as its JSON, and says of an answer what the answer says.
const believing = {
  openBoard: () => ({ proven: { network: "" } }),
  question: (asked) => new TextEncoder().encode(JSON.stringify(asked)),
  answer: (_, bytes) => text(bytes),
  header: (bytes) => text(bytes),
};

const status = (height, more = {}) => ({ proven: { height, time_ms: 1, value: { era: 0, newest_era: 0, faults: 1, ...more } } });
const open = (round) => ({ proven: { height: 5, value: { round, next_index: null, slots: null, ended: false } } });

// A reader of so many replicas; `replies(at, path, body)` is what a replica says, once it does.
async function reader(count, replies) {
  globalThis.fetch = (path, { signal, body } = {}) => {
    if (path === "replicas.json") {
      return Promise.resolve(answer({ replicas: Array.from({ length: count }, (_, at) => `replica ${at}`) }));
    }
    const [, at, rest] = path.match(/^r\/(\d+)\/(.*)$/);
    const late = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return Promise.race([Promise.resolve(replies(Number(at), rest, body)), late]);
  };
  const made = new Reader(believing, () => {});
  await made.open("{}");
  return made;
}

const tests = {
  async a_transaction_goes_to_replicas_whose_answers_are_late() {
    const got = [];
    const to = await reader(3, (at, path) => {
      if (path === "txs") {
        got.push(at);
        return at === 0 ? never() : answer({ taken: true });
      }
      return never();
    });
    to.followAs("aa", 0).catch(() => {});
    assert.ok(to.replicas.every(({ asking }) => asking !== null));
    await to.send(Uint8Array.of(1));
    assert.deepEqual(got, [0, 1, 2]);
    // The one that hasn't answered has it on its way; another transaction goes to it all the same.
    await to.send(Uint8Array.of(1));
    assert.deepEqual(got, [0, 1, 2, 1, 2]);
    await to.send(Uint8Array.of(2));
    assert.deepEqual(got.slice(5), [0, 1, 2]);
  },

  async links_that_teach_nothing_end() {
    let asked = 0;
    const to = await reader(1, (_, path, body) => {
      if (path.startsWith("commit")) {
        return answer({ wants: { links: 0, or: "validators of no era" } });
      }
      if (text(body).of === "links") {
        asked += 1;
        return answer({ proven: { count: 5, learned: 0 } });
      }
      return answer({ wants: { header: 9 } });
    });
    await to.read({ of: "status" });
    assert.equal(asked, 1);
    assert.equal(to.replicas[0].state, "stranger");
  },

  async who_says_nothing_costs_a_moment_and_is_asked_last_then() {
    const asked = [];
    const to = await reader(2, (at, _, body) => {
      const { of } = text(body);
      if (of === "status") {
        return answer(status(5));
      }
      asked.push(at);
      return at === asked[0] ? never() : answer(open(0));
    });
    const begun = Date.now();
    assert.equal(await to.followAs("aa", 0), true);
    assert.ok(Date.now() - begun < 5_000);
    const [silent, other] = asked;
    assert.equal(to.replicas[silent].state, "answers");
    for (let look = 0; look < 4; look += 1) {
      assert.equal(await to.followAs("aa", 0), true);
    }
    assert.deepEqual(asked.slice(2), [other, other, other, other]);
  },

  async one_that_is_a_block_late_still_answers() {
    const to = await reader(2, (_, __, body) =>
      answer(text(body).of === "status" ? status(5) : { refused: { by: "behind", text: "height 4" } }),
    );
    assert.equal(await to.followAs("aa", 0), false);
    assert.deepEqual(to.replicas.map(({ state, lies }) => [state, lies]), [["answers", 0], ["answers", 0]]);
  },

  async two_histories_stop_a_party_for_good() {
    let forks = true;
    const to = await reader(2, (_, __, body) => {
      const fork = { refused: { by: "fork", text: "two histories" } };
      return answer(text(body).of === "status" ? status(5) : forks ? fork : open(0));
    });
    await assert.rejects(to.followAs("aa", 0), ({ kind, code }) => kind === "alarm" && code === "fork");
    forks = false;
    await assert.rejects(to.followAs("aa", 0), NoAnswer);
  },

  async fresh_is_what_more_than_the_faulty_of_the_newest_era_say_in_one_look() {
    let silent = [];
    const eras = [1, 1, 1, 0];
    const to = await reader(4, (at, _, body) => {
      if (text(body).of !== "status") {
        return answer(open(0));
      }
      return silent.includes(at) ? never() : answer(status(5, { era: eras[at], newest_era: 1 }));
    });
    assert.equal(to.is_fresh, false);
    await to.followAs("aa", 0);
    assert.equal(to.is_fresh, true);
    silent = [0, 1];
    await to.followAs("aa", 0);
    assert.equal(to.is_fresh, false);
  },

  async a_party_acts_in_one_session_at_a_time_and_in_none_once_it_is_closed() {
    const { party: one, seen } = await party();
    const closed = ({ kind }) => kind === "closed";
    const first = await one.enter("aa");
    const waits = assert.rejects(first.until(1), closed);
    const second = await one.enter("cc");
    await waits;
    await assert.rejects(first.join(), closed);
    await second.join();
    assert.deepEqual(seen.joined, ["cc"]);
    one.close();
    await assert.rejects(second.join(), closed);
    await assert.rejects(one.enter("aa"), closed);
    assert.deepEqual([seen.joined, seen.released], [["cc"], true]);
    assert.ok(seen.calls.includes("party_close"));
  },

  async a_module_that_has_stopped_is_not_called_again() {
    let calls = 0;
    const header = () => {
      calls += 1;
      throw new WebAssembly.RuntimeError("unreachable");
    };
    const memory = new WebAssembly.Memory({ initial: 1 });
    const verifier = new Verifier({ memory, header, give: () => 0, result: () => 0 });
    for (let call = 0; call < 2; call += 1) {
      assert.throws(() => verifier.header("{}"), /has stopped/);
    }
    assert.equal(calls, 1);
  },

  async a_share_is_kept_before_it_is_told_and_the_journal_is_not_deleted_before() {
    const { seat, disk, hold } = seated({
      party_standing: () => ({ send: [], shown: false, end: { how: "finished" } }),
      eddsa_next: () => ({ finished: true, made: { kind: "share", public_key: "ab", share: { session: "aa" } } }),
      party_forget: () => ({}),
    });
    await assert.rejects(seat.forget(), ({ kind }) => kind === "usage");
    assert.equal(disk.forgotten, 0);
    const { public_key } = await seat.run();
    assert.equal(public_key, "ab");
    assert.equal(text(disk.secrets.get("share/aa")).public_key, "ab");
    await seat.forget();
    assert.equal(disk.forgotten, 1);
    assert.equal(hold.left, true);
  },

  async a_session_that_aborts_leaves_no_journal_and_one_whose_end_is_unknown_does() {
    for (const [how, forgotten] of [["aborted", 1], ["unknown", 0]]) {
      const { seat, disk } = seated({
        party_standing: () => ({ send: [], shown: true, end: { how, text: how } }),
        party_forget: () => ({}),
      });
      await assert.rejects(seat.run(), ({ kind }) => kind === how);
      assert.equal(disk.forgotten, forgotten);
    }
  },

  async a_row_that_is_not_kept_stops_the_party_and_nothing_is_sent() {
    const { seat, disk, hold } = seated({ party_join: () => ({ keep: "00" }) });
    disk.full = true;
    await assert.rejects(seat.join(), ({ kind }) => kind === "journal");
    assert.equal(hold.died.kind, "journal");
    assert.deepEqual(disk.sent, []);
  },

  async nothing_is_acted_on_where_nobody_answers_or_two_histories_were_seen() {
    const { seat, hold } = seated({ party_standing: () => assert.fail("acted") });
    hold.reader.follows = false;
    let told = 0;
    const tell = (standing) => {
      assert.equal(standing, null);
      told += 1;
      hold.reader.alarm = "two histories";
    };
    await assert.rejects(seat.run({ tell }), ({ kind }) => kind === "fork");
    assert.equal(told, 1);
    await assert.rejects(seat.join(), (error) => error.message !== "acted");
  },
};

// A party whose module says yes to everything and notes who joins where, on a board on which every session waits for others to join.
async function party() {
  const seen = { joined: [], calls: [], released: false };
  const says = {
    open_board: () => believing.openBoard(),
    question: (asked) => ({ proven: Buffer.from(asked).toString("hex") }),
    answer: (_, bytes) => text(bytes),
    party_key: () => ({ done: { identity: "bb" } }),
    party_standing: () => ({ done: { send: [], open_round: 0, end: null } }),
    party_join: (of) => {
      seen.joined.push(JSON.parse(of).session);
      return { done: {} };
    },
  };
  Verifier.load = async function () {
    const module = new this({});
    module.run = (name, ...inputs) => {
      seen.calls.push(name);
      return says[name]?.(...inputs) ?? { done: {} };
    };
    return module;
  };
  Keep.open = async () => ({ secret: async () => new Uint8Array(32), journal: async () => ({ bytes: new Uint8Array(), rows: 0 }) });
  const request = (_, __, held) => held().then(() => (seen.released = true));
  Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
  const value = { protocol: "another", roster: ["bb"] };
  const replies = { status: status(5), spec: { proven: { height: 5, value } }, inbox: open(0) };
  await reader(1, (_, __, body) => answer(replies[text(body).of]));
  return { party: await Party.open({ genesis: "{}", passphrase: "a" }), seen };
}

// A part in session aa, whose module says what it is told to say.
function seated(says) {
  const disk = { secrets: new Map(), sent: [], forgotten: 0, full: false };
  const keep = {
    secret: async (name) => disk.secrets.get(name) ?? null,
    keepSecret: async (name, bytes) => disk.secrets.set(name, bytes),
    append: async () => {
      assert.ok(!disk.full, "full");
    },
    forget: async () => (disk.forgotten += 1),
  };
  const hold = {
    module: {
      act: (name, of) => {
        assert.deepEqual(of, { session: "aa" });
        return says[name]();
      },
    },
    reader: {
      alarm: null,
      alarm_by: "fork",
      follows: true,
      followAs: async () => hold.reader.follows,
      send: async (tx) => disk.sent.push(tx),
    },
    keep,
    queue: { turn: async (act) => act() },
    check: () => {},
    leave: () => (hold.left = true),
    die: (error) => (hold.died = error),
  };
  const spec = { protocol: "white-city/eddsa-keygen" };
  return { seat: new Seat(hold, { session: "aa", spec, index: 0, identity: "bb" }), disk, hold };
}

for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
  } catch (error) {
    throw new Error(name, { cause: error });
  }
}
console.log("all hold");
process.exit(0);
