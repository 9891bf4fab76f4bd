// The page of a party: it makes a key with others, and signs with it. The session is behind the # of the address, so that a page that is
// opened again goes on with it. `?as=NAME` is another identity of the same browser.

import { code, el, fill, list } from "./dom.js";
import { Party } from "./party.js";
import { kept, keep } from "./start.js";

const KEYGEN = "white-city/eddsa-keygen";
const SIGN = "white-city/eddsa-sign";

const main = document.querySelector("main");
const alarms = document.querySelector("#alarms");
const pulse = document.querySelector("#pulse");
// Of bytes that somebody else has chosen: all of them are shown, or none as text.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const SHOWN_BYTES = 1_024;
const who = new URLSearchParams(location.search).get("as") ?? "me";

let party = null;
let running = null;

function trouble(error) {
  // Another session is looked at by now.
  if (error?.kind === "closed") {
    return;
  }
  fill(alarms, el("p", {}, String(error?.message ?? error)));
}

// Other children: `fill` keeps those that are alike, with what they did before.
const put = (parent, ...children) => parent.replaceChildren(...children.filter((child) => child !== null));
const entry = (attributes) => el("input", { spellcheck: "false", autocomplete: "off", ...attributes });
const field = (label, node) => el("p", {}, el("label", { for: node.id }, label), " ", node);

// Tells once in a while which replicas answer and who of them has lied.
function watch() {
  const { replicas } = party;
  const answer = replicas.filter(({ state }) => state === "answers").length;
  const old = party.is_fresh ? "" : ": too few to know how old what they show is";
  const kept = party.is_persistent ? "" : ". This browser may delete what is kept here when its disk is full";
  fill(pulse, `${answer} of ${replicas.length} replicas answer${old}${kept}`);
  const liars = replicas.filter(({ lies }) => lies > 0);
  const told = liars.map(({ at, name, lie }) => el("p", {}, `Replica ${at} (${name}) lies: ${lie.text}`));
  if (told.length > 0) {
    fill(alarms, ...told);
  }
}

// Asks for what opens this party.
function start() {
  const genesis = el("textarea", { id: "genesis", rows: "4", spellcheck: "false" }, kept() ?? "");
  const passphrase = entry({ id: "passphrase", type: "password" });
  const open = async () => {
    try {
      fill(alarms);
      party = await Party.open({ genesis: genesis.value, passphrase: passphrase.value, who });
      keep(genesis.value);
      await choose();
    } catch (error) {
      trouble(error);
    }
  };
  const words =
    "The genesis is all that this page trusts. The passphrase opens the identity and the shares that this browser keeps; the first time it " +
    "makes them. Use the page only where you serve it yourself: whoever serves it can have all that you have.";
  put(
    main,
    el("h1", {}, "Open"),
    el("p", {}, words),
    field("The genesis", genesis),
    field("Passphrase", passphrase),
    el("p", {}, el("button", { type: "button", id: "open", click: open }, "Open")),
  );
}

// Shows who this is, and asks which session.
async function choose() {
  const session = entry({ id: "session", size: "66", value: location.hash.slice(1) });
  const shown = el("section", { id: "shown" });
  const look = () => show(session.value.trim(), shown).catch(trouble);
  const shares = await party.shares();
  const listed = shares.map(({ public_key, signers_min }) => el("li", {}, code(public_key), ` (${signers_min} sign)`));
  put(
    main,
    el("h1", {}, "Party"),
    el("p", {}, "This party's key: ", el("code", { id: "identity" }, party.identity)),
    listed.length > 0 ? el("ul", { id: "shares" }, ...listed) : null,
    field("Session", session),
    el("p", {}, el("button", { type: "button", id: "look", click: look }, "Look at it")),
    shown,
  );
  if (session.value !== "") {
    await look();
  }
}

const unhex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16));

// Bytes as text, if they are; null if they aren't.
function text(hex) {
  try {
    return decoder.decode(unhex(hex));
  } catch {
    return null;
  }
}

// Whatever could look like something else: control characters, those that turn the direction, and all spaces but the plain one.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const printable = (shown) => shown.replace(HIDDEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);

// Bytes that somebody else has chosen: how many, as text if they are text, and in hex. What doesn't fit is counted.
function bytes(hex, most = SHOWN_BYTES) {
  const length = hex.length / 2;
  const shown = hex.slice(0, 2 * most);
  const more = length > most ? ` … (${length - most} bytes more)` : "";
  const whole = more === "" ? text(hex) : null;
  return [
    `${length} bytes`,
    whole === null ? null : [": ", el("bdi", { class: "text" }, `“${printable(whole)}”`)],
    el("br"),
    code(`${shown}${more}`),
  ].flat();
}

const isHex = (value) => typeof value === "string" && /^([0-9a-f]{2})*$/i.test(value);

// The input of a session of the EdDSA; null for any other.
function inputOf({ protocol, version, input }) {
  if (![KEYGEN, SIGN].includes(protocol) || version !== 1) {
    return null;
  }
  try {
    const { threshold, public_key, message_hex } = JSON.parse(text(input));
    const is_good = protocol === KEYGEN ? Number.isInteger(threshold) : isHex(public_key) && isHex(message_hex);
    return is_good ? { threshold, public_key, message_hex } : null;
  } catch {
    return null;
  }
}

const seconds = (ms) => `${Math.floor(ms / 1_000)} s`;

// What a session is about: what whoever joins consents to.
function about(spec) {
  const { roster } = spec;
  const wanted = inputOf(spec);
  const by = roster.indexOf(spec.opener);
  const fork = spec.fork_safe ? "" : ", not fork-safe";
  const mine = (key) => (key === party.identity ? " (you)" : "");
  return list([
    ["Protocol", el("bdi", {}, printable(spec.protocol)), ` version ${spec.version}`],
    wanted && spec.protocol === KEYGEN ? ["Threshold", `${wanted.threshold} of ${roster.length} can sign with the key`] : null,
    wanted && spec.protocol === SIGN ? ["Signed by the key", code(wanted.public_key)] : null,
    wanted && spec.protocol === SIGN ? ["Message", ...bytes(wanted.message_hex, Infinity)] : null,
    ["Input", ...bytes(spec.input)],
    ["Opened by", code(spec.opener), by < 0 ? ", not in the roster" : `, party ${by}`],
    ["Quorum", `${spec.quorum} of ${roster.length}, up to ${spec.corrupt} corrupt${fork}`],
    ["Time", `${seconds(spec.join_ms)} to join, ${seconds(spec.round_ms)} a round, kept for ${seconds(spec.retention_ms)}`],
    /^0*$/.test(spec.prev_session ?? "") ? null : ["Continues", code(spec.prev_session)],
    ["Parties", el("ol", { start: "0" }, ...roster.map((key) => el("li", {}, code(key), mine(key))))],
  ].filter((row) => row !== null));
}

// What was made, in a word.
function told(state, { kind, public_key, signature }) {
  const what = kind === "share" ? "public key" : "signature";
  fill(state, `finished: the ${what} is `, el("code", { id: "made" }, kind === "share" ? public_key : signature));
}

async function show(session, shown) {
  fill(alarms);
  const spec = await party.spec(session);
  location.hash = session;
  const before = running;
  // From here on the part in another session acts no more.
  const seat = await party.enter(session);
  await before;
  const standing = await seat.look();
  watch();
  const state = el("p", { id: "state" }, "");
  const run = () => {
    const stopped = (error) => {
      trouble(error);
      fill(state, `stopped: ${error.message}`);
    };
    running ??= go(seat, spec, state)
      .catch(stopped)
      .finally(() => (running = null));
  };
  // The journal of a session that has ended is gone, but what was made in it isn't.
  const made = await party.made(session);
  let asks = null;
  // Who has joined has said yes.
  if (standing.joined) {
    run();
  } else if (made !== null) {
    told(state, made);
  } else if (standing.end !== null) {
    fill(state, `it has ended: ${standing.end.text ?? standing.end.how}`);
  } else {
    asks = el("p", {}, el("button", { type: "button", id: "join", click: run }, "Join, and run my part"));
  }
  put(shown, el("h2", {}, "Session ", code(session)), about(spec), asks, state);
}

async function go(seat, spec, state) {
  const public_key = inputOf(spec)?.public_key;
  const shares = await party.shares();
  const share = spec.protocol === SIGN ? (shares.find((one) => one.public_key === public_key)?.share ?? null) : null;
  const tell = (standing) => {
    watch();
    if (standing === null) {
      fill(state, "no replica says how the session stands");
      return;
    }
    const awaited = (standing.waiting_for ?? []).join(", ");
    fill(state, `round ${standing.open_round} is open, and waits for parties ${awaited}`);
  };
  const made = await seat.run({ share, tell });
  await seat.forget();
  told(state, made);
}

start();
