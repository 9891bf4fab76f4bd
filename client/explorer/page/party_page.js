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
const decoder = new TextDecoder();
const who = new URLSearchParams(location.search).get("as") ?? "me";

let party = null;
let running = null;

function trouble(error) {
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
  fill(pulse, `${answer} of ${replicas.length} replicas answer${old}`);
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

const text = (hex) => decoder.decode(Uint8Array.from(hex.match(/../g) ?? [], (digits) => parseInt(digits, 16)));

// The input of a session of the EdDSA.
const inputOf = ({ protocol, input }) => ([KEYGEN, SIGN].includes(protocol) ? JSON.parse(text(input)) : {});

// What a session is about: what whoever joins consents to.
function about(spec) {
  const wanted = inputOf(spec);
  return list([
    ["Protocol", spec.protocol],
    spec.protocol === KEYGEN ? ["Signers that it takes", String(wanted.threshold)] : null,
    spec.protocol === SIGN ? ["Key", code(wanted.public_key)] : null,
    spec.protocol === SIGN ? ["Message", JSON.stringify(text(wanted.message_hex ?? ""))] : null,
    ["Opened by", code(spec.opener)],
    ["Parties", el("ol", { start: "0" }, ...spec.roster.map((key) => el("li", {}, code(key))))],
  ].filter((row) => row !== null));
}

async function show(session, shown) {
  fill(alarms);
  const spec = await party.spec(session);
  location.hash = session;
  const seat = await party.enter(session);
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
  const made = (await party.shares()).find(({ share }) => share.session === session);
  let asks = null;
  // Who has joined has said yes.
  if (standing.joined) {
    run();
  } else if (made !== undefined) {
    fill(state, "made: ", el("code", { id: "made" }, made.public_key));
  } else {
    asks = el("p", {}, el("button", { type: "button", id: "join", click: run }, "Join, and run my part"));
  }
  put(shown, el("h2", {}, "Session ", code(session)), about(spec), asks, state);
}

async function go(seat, spec, state) {
  const { public_key } = inputOf(spec);
  const shares = await party.shares();
  const share = spec.protocol === SIGN ? (shares.find((one) => one.public_key === public_key)?.share ?? null) : null;
  const tell = (standing) => {
    watch();
    const awaited = (standing.waiting_for ?? []).join(", ");
    fill(state, `round ${standing.open_round} is open, and waits for parties ${awaited}`);
  };
  const made = await seat.run({ share, tell });
  await seat.forget();
  const what = made.kind === "share" ? "public key" : "signature";
  fill(state, `finished: the ${what} is `, el("code", { id: "made" }, made.kind === "share" ? made.public_key : made.signature));
}

start();
