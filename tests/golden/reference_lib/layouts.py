"""Every byte that is signed, hashed or stored, as the design's text says it."""

import hashlib

from . import ed25519, hpke

ZERO = bytes(32)
NOBODY = 0xFFFF
PURPOSES = ["open", "join", "post", "finish", "abort", "complain", "reveal", "decline", "approve", "operate",
            "card", "genesis"]


def h(*parts):
    """H: SHA-256 of the parts in a row."""
    return hashlib.sha256(b"".join(parts)).digest()


def u(bits, number):
    """An unsigned big-endian integer."""
    return number.to_bytes(bits // 8, "big")


def i64(number):
    """A signed big-endian integer."""
    return number.to_bytes(8, "big", signed=True)


def lp(data):
    """A u32 length, then the bytes."""
    data = data.encode() if isinstance(data, str) else data
    return u(32, len(data)) + data


def bitmap(n, members):
    """Bit i of byte i/8, lowest bit first, spare bits zero."""
    out = bytearray((n + 7) // 8)
    for index in members:
        out[index // 8] |= 1 << index % 8
    return bytes(out)


# Network and session


def params_hash(p):
    """The board's parameters."""
    parts = [lp("white-city/params/2"), bytes.fromhex(p["random"])]
    parts += [u(32, p["heartbeat_ms"]), u(32, p["cap_ms"]), u(16, p["max_n"]), u(32, p["max_rounds"])]
    parts += [u(32, p["max_tx"]), u(32, p["full_block"]), u(32, p["max_work"])]
    return h(*parts, u(64, p["max_duration_ms"]), u(64, p["max_open_ms"]), ZERO)


def charter_hash(c):
    """The rules of one term."""
    parts = [lp("white-city/charter/2"), u(32, c["term"]), bytes.fromhex(c["previous"]), u(64, c["until_ms"])]
    parts += [u(32, c["protocol"]), u(64, c["max_session_bytes"]), u(64, c["max_board_bytes"])]
    parts += [u(8, int(c["anyone_may_open"])), u(32, c["anyone_max_live"]), u(64, c["anyone_max_bytes"])]
    parts += [u(8, c["stamp_bits"]), u(32, len(c["replicas"]))]
    parts += [bytes.fromhex(r["validator"] + r["operator"]) for r in c["replicas"]]
    parts += [u(32, len(c["openers"]))]
    parts += [bytes.fromhex(o["key"]) + u(32, o["max_live"]) + u(64, o["max_bytes"]) for o in c["openers"]]
    return h(*parts, ZERO)


def network_id(g):
    """The network: chain, genesis time, first height, parameters, charter of term 0."""
    parts = [lp("white-city/network/2"), lp(g["chain_id"]), i64(g["genesis_s"]), u(32, g["genesis_ns"])]
    return h(*parts, i64(g["initial_height"] or 1), params_hash(g["params"]), charter_hash(g["charter"]))


def spec_preimage(s):
    """What spec_hash is taken over; its length is the spec's own size."""
    parts = [lp("white-city/spec/2"), lp(s["protocol"]), u(32, s["version"]), u(8, s["kem"]), u(16, len(s["roster"]))]
    parts += [bytes.fromhex(key) for key in s["roster"]]
    parts += [u(16, s["m"]), u(16, s["t"]), u(32, s["max_rounds"]), u(64, s["join_ms"])]
    parts += [u(64, s["round_ms"]), u(64, s["reveal_ms"]), u(64, s["retention_ms"])]
    parts += [u(32, s["max_bcast"]), u(32, s["max_p2p"]), u(64, s["max_bytes"])]
    return b"".join(parts + [lp(bytes.fromhex(s["input"])), bytes.fromhex(s["prev_session"]), ZERO])


def reserved_bytes(s):
    """What Open reserves: all that the spec allows, with evidence, a reveal and every round. Sums saturate."""
    n = len(s["roster"])
    plaintext = min(s["max_p2p"], s["max_bytes"] // n)
    party = {1: 512, 2: 1_792}[s["kem"]] + 512
    total = s["max_bytes"] + plaintext + 1_024 + len(spec_preimage(s)) + party * n
    return min(total + (s["max_rounds"] + 1) * (128 + 80 * n), 2**64 - 1)


def session_id(network, opener, nonce, open_by_ms, spec):
    """The session: who opens what, where, until when."""
    return h(lp("white-city/session/2"), network, opener, nonce, u(64, open_by_ms), h(spec_preimage(spec)))


# What parties sign


def signed_bytes(purpose, network, digest):
    """The message under an Ed25519 signature; the tag is raw."""
    return b"white-city sig v1\0" + u(8, PURPOSES.index(purpose) + 1) + network + digest


def join_digest(session, index, kem, enc_pk):
    """Consent and an encryption key."""
    return h(lp("white-city/join/1"), session, u(16, index), u(8, kem), lp(enc_pk))


def post_digest(session, rnd, index, before, bcast, bcast_len, root, p2p_bytes):
    """A post's header."""
    head = [lp("white-city/post/1"), session, u(32, rnd), u(16, index), before]
    return h(*head, bcast, u(32, bcast_len), root, u(32, p2p_bytes))


def finish_digest(session, rnd, index, before, outcome):
    """An outcome."""
    return h(lp("white-city/finish/1"), session, u(32, rnd), u(16, index), before, outcome)


def decline_digest(session, index, reason):
    """Leaving while joining."""
    return h(lp("white-city/decline/1"), session, u(16, index), u(16, reason))


def abort_digest(session, index, cause, about, detail):
    """Leaving later; `about` may be nobody."""
    about = NOBODY if about is None else about
    return h(lp("white-city/abort/1"), session, u(16, index), u(16, cause), u(16, about), detail)


def complain_digest(session, rnd, index, accused, post, leaf):
    """A payload can't be opened."""
    head = [lp("white-city/complain/1"), session, u(32, rnd), u(16, index), u(16, accused)]
    return h(*head, post, leaf)


def reveal_digest(complaint, index, ikm_e, plaintext):
    """The accused shows one payload."""
    return h(lp("white-city/reveal/1"), complaint, u(16, index), ikm_e, h(plaintext))


def approve_digest(term, operator, sequence, charter):
    """An operator's word; the hash is zeros where it withdraws."""
    return h(lp("white-city/approve/2"), u(32, term), u(16, operator), u(32, sequence), charter)


def proposals_hash(items):
    """The words that stand, ascending by operator."""
    if not items:
        return ZERO
    parts = [u(16, i["operator"]) + u(32, i["sequence"]) + u(64, i["board_ms"]) + bytes.fromhex(i["charter_hash"]) for i in items]
    return h(lp("white-city/proposals/2"), u(16, len(items)), *parts)


def bcast_hash(payload):
    """A broadcast; None is absent."""
    return ZERO if payload is None else h(lp("white-city/bcast/1"), payload)


def p2p_leaf(ciphertext):
    """One recipient's ciphertext; None is absent."""
    return ZERO if ciphertext is None else h(b"\0", lp("white-city/p2p/1"), ciphertext)


# Trees


def node(left, right):
    """An inner node."""
    return h(b"\1", left, right)


def levels(leaves):
    """A padded tree's levels, from the leaves up to the root."""
    width = 1
    while width < len(leaves):
        width *= 2
    rows = [leaves + [ZERO] * (width - len(leaves))]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([node(row[i], row[i + 1]) for i in range(0, len(row), 2)])
    return rows


def tree_root(leaves):
    """The root over 2^ceil(log2 n) leaves."""
    return levels(leaves)[-1][0]


def tree_path(leaves, index):
    """The siblings from the leaf up."""
    out = []
    for row in levels(leaves)[:-1]:
        out.append(row[index ^ 1])
        index >>= 1
    return out


DEPTH = 32


def deep_levels(leaves):
    """The rows of a tree of depth 32 with only as many nodes as it needs, and what empty is in each."""
    rows, empty = [list(leaves)], [ZERO]
    for _ in range(DEPTH):
        row = rows[-1] + ([empty[-1]] if len(rows[-1]) % 2 else [])
        rows.append([node(row[i], row[i + 1]) for i in range(0, len(row), 2)])
        empty.append(node(empty[-1], empty[-1]))
    return rows, empty


def deep_root(leaves):
    """The root of a tree of depth 32."""
    rows, empty = deep_levels(leaves)
    return rows[-1][0] if rows[-1] else empty[-1]


def deep_path(leaves, index):
    """32 siblings from the leaf up."""
    rows, empty = deep_levels(leaves)
    out = []
    for level in range(DEPTH):
        sibling = index ^ 1
        out.append(rows[level][sibling] if sibling < len(rows[level]) else empty[level])
        index >>= 1
    return out


# The state's commitments


def slot_leaf(digest):
    """A slot; None is empty."""
    return ZERO if digest is None else h(b"\0", lp("white-city/slot/1"), digest)


def transcript(before, rnd, slots):
    """T_r from T_{r-1} (T_0 from the session's id) and the digests in the round's slots."""
    return h(lp("white-city/tr/1"), before, u(32, rnd), tree_root([slot_leaf(s) for s in slots]))


def terminal_hash(t):
    """How a session ended; None while it is live."""
    if t is None:
        return ZERO
    by = NOBODY if t["by"] is None else t["by"]
    parts = [lp("white-city/terminal/1"), u(8, t["status"]), u(16, t["cause"]), u(64, t["height"])]
    parts += [u(64, t["board_ms"]), u(16, by), bytes.fromhex(t["outcome"]), u(16, t["n"])]
    return h(*parts, bitmap(t["n"], t["members"]), bitmap(t["n"], t["filled"]))


def evidence_hash(items):
    """The evidence against culprits, in ascending index."""
    if not items:
        return ZERO
    parts = [u(16, e["index"]) + u(8, e["kind"]) + u(32, e["round"]) + bytes.fromhex(e["a"] + e["b"]) for e in items]
    return h(lp("white-city/evidence/1"), u(16, len(items)), *parts)


def left_hash(items):
    """Who left, in the order of leaving."""
    if not items:
        return ZERO
    parts = [u(16, e["index"]) + bytes.fromhex(e["digest"]) for e in items]
    return h(lp("white-city/left/1"), u(16, len(items)), *parts)


def session_leaf(s):
    """One session in the root."""
    x = {k: bytes.fromhex(v) for k, v in s.items() if isinstance(v, str)}
    head = [b"\0", lp("white-city/leaf/2"), x["session_id"], u(8, s["status"]), u(32, s["open_round"])]
    head += [u(32, s["protocol"]), u(32, s["opener"]), u(64, s["reserved_bytes"]), u(16, s["n"]), bitmap(s["n"], s["members"])]
    head += [x["transcript"], x["slots_root"], u(64, s["deadline_ms"]), u(32, s["call_blocks"])]
    head += [bitmap(256, s["callers"]), x["dispute_hash"], x["terminal_hash"], x["evidence_hash"]]
    return h(*head, x["left_hash"], ZERO)


def opener_leaf(o):
    """One opener in the root."""
    quota = u(8, int(o["listed"])) + u(32, o["max_live"]) + u(64, o["max_bytes"]) + u(32, o["live"]) + u(64, o["live_bytes"])
    return h(b"\0", lp("white-city/opener/2"), bytes.fromhex(o["key"]), quota, ZERO)


def root(r):
    """The whole state."""
    head = [lp("white-city/root/2"), r["network_id"], u(32, r["protocol"]), r["params_hash"], u(32, r["term"])]
    head += [r["charter_hash"], u(64, r["term_height"]), u(32, r["eras"]), u(64, r["era_height"])]
    head += [bitmap(256, r["proven"]), r["proposals_hash"], u(64, r["n_sessions"]), r["sessions_root"]]
    return h(*head, u(64, r["n_openers"]), r["openers_root"], u(64, r["paused_ms"]), ZERO)


def card_digest(c):
    """What an operator signs of its card."""
    text = b"".join(lp(c[name]) for name in ("name", "p2p", "rpc"))
    keys = bytes.fromhex(c["validator"]) + bytes.fromhex(c["node"]) + bytes.fromhex(c["operator"])
    return h(lp("white-city/card/1"), text, keys, u(64, c["issued"]))


def stamp_bits(session, stamp):
    """How many leading zero bits a stamp has."""
    return 256 - int.from_bytes(h(lp("white-city/stamp/2"), session, u(64, stamp)), "big").bit_length()


def seal(state_root, parent_hash, parent_s, parent_ns):
    """The first transaction of each block."""
    return b"\0WCSEAL1" + state_root + parent_hash + i64(parent_s) + u(32, parent_ns)


def seal_leaf(data):
    """The seal's leaf in data_hash."""
    return h(b"\0", h(data))


# p2p sealing


def hpke_info(network, session):
    """HPKE's info."""
    return lp("white-city/hpke/1") + network + session


def hpke_aad(before, rnd, from_index, to_index, from_key, to_key, join):
    """What a sealed payload is bound to."""
    return before + u(32, rnd) + u(16, from_index) + u(16, to_index) + from_key + to_key + join


def encryption_key(kem, seed, session, index):
    """The public encryption key of a party in one session."""
    ikm = hpke.hkdf(seed, lp("white-city/kem/1") + session + u(16, index), 32)
    return hpke.public_key(kem, ikm)


def ephemeral(kem, seed, aad, plaintext):
    """ikmE: the same for the same payload in the same place."""
    return hpke.hkdf(seed, lp(f"white-city/eph/{kem}") + aad + h(plaintext), 32)


def sealed(kem, ikm_e, recipient, info, aad, plaintext):
    """Seal(ikmE, plaintext)."""
    randomness = ikm_e if kem == 1 else hpke.hkdf(ikm_e, lp("white-city/xwing/2"), 64)
    return hpke.seal(kem, randomness, recipient, info, aad, plaintext)


def sign(seed, purpose, network, digest):
    """A party's signature."""
    return ed25519.sign(seed, signed_bytes(purpose, network, digest))
