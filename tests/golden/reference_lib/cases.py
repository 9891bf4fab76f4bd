"""The cases: inputs chosen by hand, expected values from the layouts."""

import hashlib

from . import ed25519, hpke
from . import layouts as w

KEMS = 1, 2


def some(label, length=32):
    """Bytes that look random and are the same in every run."""
    return hashlib.shake_256(b"white-city golden " + label.encode()).digest(length)


_KEYS = {}


def key(label):
    """The public key of a labelled seed."""
    if label not in _KEYS:
        _KEYS[label] = ed25519.public_key(some(label))
    return _KEYS[label]


def case(name, inputs, **expected):
    """One case: bytes become hex."""

    def plain(value):
        if isinstance(value, (bytes, bytearray)):
            return bytes(value).hex()
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return value

    return {"name": name, "in": {k: plain(v) for k, v in inputs.items()}, "out": {k: plain(v) for k, v in expected.items()}}


def params(**changes):
    """The test network's parameters."""
    p = {"random": some("board").hex(), "heartbeat_ms": 10_000, "cap_ms": 60_000}
    p |= {"max_n": 1024, "max_rounds": 65_536, "max_tx": 716_800, "full_block": 16 << 20, "max_work": 8_192}
    return p | {"max_duration_ms": 30 * 86_400_000, "max_open_ms": 600_000} | changes


def replicas(count):
    """So many replicas, ascending by validator."""
    keys = [{"validator": key(f"validator {i}").hex(), "operator": key(f"operator {i}").hex()} for i in range(count)]
    return sorted(keys, key=lambda r: r["validator"])


def charter(**changes):
    """The test network's charter of term 0."""
    c = {"term": 0, "previous": w.ZERO.hex(), "until_ms": 0, "protocol": 2}
    c |= {"max_session_bytes": 256 << 20, "max_board_bytes": 4 << 30, "anyone_may_open": True, "anyone_max_live": 256}
    return c | {"anyone_max_bytes": 1 << 30, "stamp_bits": 0, "replicas": replicas(4), "openers": []} | changes


def opener(label, live, size):
    """One listed opener."""
    return {"key": key(label).hex(), "max_live": live, "max_bytes": size}


def genesis(**changes):
    """A genesis of four replicas."""
    g = {"chain_id": "white-city-1", "genesis_s": 1_760_000_000, "genesis_ns": 0, "initial_height": 1}
    return g | {"params": params(), "charter": charter()} | changes


NETWORK = w.network_id(genesis())


def networks():
    """params_hash, charter_hash and network_id."""
    two_openers = sorted([opener("opener 1", 8, 1 << 20), opener("opener 0", 0, 0)], key=lambda o: o["key"])
    strict = charter(anyone_may_open=False, anyone_max_live=0, anyone_max_bytes=0, stamp_bits=40, openers=two_openers)
    small = params(random="00" * 32, max_work=2**32 - 1, heartbeat_ms=1, cap_ms=3, max_n=1, max_rounds=1, max_duration_ms=1, max_open_ms=1)
    named = {
        "four replicas": genesis(),
        "first height 0 counts as 1": genesis(initial_height=0),
        "a late first height": genesis(initial_height=2**40),
        "one replica": genesis(charter=charter(replicas=replicas(1))),
        "nine replicas": genesis(charter=charter(replicas=replicas(9))),
        "nanoseconds and a long name": genesis(genesis_ns=999_999_999, chain_id="c" * 50),
        "two openers, nobody else": genesis(params=params(max_work=4_609, max_tx=262_144), charter=strict),
        "the smallest limits": genesis(params=small, charter=charter(max_session_bytes=0, max_board_bytes=0)),
    }
    out = []
    for name, g in named.items():
        hashes = {"params_hash": w.params_hash(g["params"]), "charter_hash": w.charter_hash(g["charter"])}
        out.append(case(name, g, **hashes, network_id=w.network_id(g)))
    return out


def stamps():
    """Leading zero bits of stamps."""
    out = []
    for name, session in (("a session", SESSION), ("another session", some("session"))):
        best = max(range(2_000), key=lambda stamp: w.stamp_bits(session, stamp))
        for stamp in (0, best, 2**64 - 1):
            inputs = {"session_id": session, "stamp": stamp}
            out.append(case(f"{name}, {stamp}", inputs, bits=w.stamp_bits(session, stamp)))
    return out


def cards():
    """Operators' cards, signed."""
    out = []
    for name, p2p, rpc, issued in (
        ("all parts", "alice.example:26656", "https://alice.example/board", 1_800_000_000),
        ("no RPC, the least of numbers", "[2001:db8::1]:1", "", 0),
        ("the longest name, the largest number", "192.0.2.1:65535", "http://192.0.2.1:26657", 2**64 - 1),
    ):
        seed = some(f"operator of {name}")
        card = {"name": "a" * 50 if "longest" in name else "alice", "p2p": p2p, "rpc": rpc}
        card |= {"validator": some(f"validator of {name}").hex(), "node": some(f"node of {name}", 20).hex()}
        card |= {"operator": ed25519.public_key(seed).hex(), "issued": issued}
        message = w.signed_bytes("card", w.ZERO, w.card_digest(card))
        out.append(case(name, {"card": card, "seed": seed}, signature=ed25519.sign(seed, message)))
    return out


def spec(n, **changes):
    """A spec for n parties."""
    s = {"protocol": "eddsa-sign", "version": 1, "kem": 1, "roster": [key(f"party {i}").hex() for i in range(n)]}
    s |= {"m": n // 2 + 1, "t": 0, "max_rounds": 4, "join_ms": 600_000, "round_ms": 300_000, "reveal_ms": 300_000}
    s |= {"retention_ms": 86_400_000, "max_bcast": 1024, "max_p2p": 49, "max_bytes": 1 << 20}
    return s | {"input": some("message", 32).hex(), "prev_session": w.ZERO.hex()} | changes


def specs():
    """spec_hash, the spec's own size, session_id."""
    longest = {"protocol": " " * 63 + "~", "input": some("long input", 16_384).hex()}
    largest = {"version": 2**32 - 1, "max_rounds": 65_536, "max_bcast": 2**32 - 1, "max_p2p": 2**32 - 1, "max_bytes": 2**64 - 1}
    named = {
        "three parties": spec(3),
        "one party, empty input": spec(1, input=""),
        "everyone of 1 024 parties": spec(1024, m=1024, t=1023),
        "after another session": spec(3, prev_session=some("previous").hex()),
        "the longest name and input": spec(2, **longest),
        "the largest numbers": spec(2, m=2, t=1, **largest),
        "kem 2": spec(3, kem=2, max_p2p=1137),
        "everyone of 1 024 parties, kem 2": spec(1024, m=1024, t=1023, kem=2),
        "the shortest durations": spec(2, protocol="x", join_ms=1, round_ms=2, reveal_ms=3, retention_ms=4, max_rounds=1),
        "the roster's order matters": spec(3, roster=[key(f"party {i}").hex() for i in (2, 0, 1)]),
    }
    out = []
    for number, (name, s) in enumerate(named.items()):
        opened = {"network_id": NETWORK, "opener": key("opener 0"), "nonce": some(name), "open_by_ms": [0, 1_760_000_600_000, 2**64 - 1][number % 3]}
        preimage = w.spec_preimage(s)
        session = w.session_id(*opened.values(), s)
        out.append(case(name, opened | {"spec": s}, spec_hash=w.h(preimage), own_bytes=len(preimage), reserved_bytes=w.reserved_bytes(s), session_id=session))
    return out


def signatures():
    """signed_bytes and signatures, one for each purpose."""
    out = []
    for network in (NETWORK, w.ZERO):
        for purpose in w.PURPOSES:
            seed, digest = some(f"signer {purpose}"), some(f"digest {purpose}")
            message = w.signed_bytes(purpose, network, digest)
            name = f"{purpose} on {'the zero network' if network == w.ZERO else 'a network'}"
            inputs = {"purpose": purpose, "network_id": network, "digest": digest, "seed": seed}
            out.append(case(name, inputs, signed_bytes=message, public_key=ed25519.public_key(seed), signature=ed25519.sign(seed, message)))
    return out


SESSION = w.session_id(NETWORK, key("opener 0"), some("nonce"), 1_760_000_600_000, spec(3))


def digests():
    """Join, post, finish, decline, abort, complain, reveal."""
    out = []

    def put(kind, name, function, **inputs):
        out.append(case(f"{kind}: {name}", {"kind": kind, "session_id": SESSION} | inputs, digest=function(SESSION, *inputs.values())))

    for kem in KEMS:
        enc = hpke.public_key(kem, some("enc"))
        put("join", f"index 0, kem {kem}", w.join_digest, index=0, kem=kem, enc_pk=enc)
        put("join", f"the last index, kem {kem}", w.join_digest, index=1023, kem=kem, enc_pk=enc)
    t, b, r = some("before"), w.bcast_hash(some("payload", 5)), some("p2p root")
    zeros = w.tree_root([w.ZERO] * 3)
    put("post", "nothing in it", w.post_digest, round=1, index=2, transcript=t, bcast_hash=w.ZERO, bcast_len=0, p2p_root=zeros, p2p_bytes=0)
    put("post", "a broadcast", w.post_digest, round=2, index=0, transcript=t, bcast_hash=b, bcast_len=5, p2p_root=zeros, p2p_bytes=0)
    put("post", "both, the last round", w.post_digest, round=65_536, index=1023, transcript=t, bcast_hash=b, bcast_len=2**32 - 1, p2p_root=r, p2p_bytes=2**32 - 1)
    put("finish", "an outcome", w.finish_digest, round=3, index=1, transcript=t, outcome=some("outcome"))
    put("finish", "the zero outcome", w.finish_digest, round=1, index=0, transcript=t, outcome=w.ZERO)
    put("decline", "no reason", w.decline_digest, index=0, reason=0)
    put("decline", "the largest numbers", w.decline_digest, index=1023, reason=0xFFFF)
    put("abort", "about nobody", w.abort_digest, index=1, cause=0, about=None, detail=w.ZERO)
    put("abort", "about somebody", w.abort_digest, index=1, cause=0xFFFF, about=2, detail=some("detail"))
    put("abort", "about index 0", w.abort_digest, index=1, cause=7, about=0, detail=some("detail"))
    put("complain", "about a post", w.complain_digest, round=1, index=0, accused=2, accused_post_digest=some("post"), p2p_leaf=some("leaf"))
    put("complain", "the largest numbers", w.complain_digest, round=65_536, index=1023, accused=1022, accused_post_digest=some("post"), p2p_leaf=some("leaf"))
    for name, text in (("one byte", b"\0"), ("many bytes", some("plain", 100))):
        inputs = {"kind": "reveal", "complain_digest": some("complaint"), "index": 2, "ikm_e": some("ikm"), "plaintext": text}
        out.append(case(f"reveal: {name}", inputs, digest=w.reveal_digest(some("complaint"), 2, some("ikm"), text)))
    return out


def payloads():
    """bcast_hash, p2p_leaf, p2p_root."""
    out = []
    for name, n, lengths, bcast in (
        ("nothing for two parties", 2, {}, None),
        ("one party has nobody to write to", 1, {}, some("b", 1)),
        ("one of three", 3, {2: 49}, some("b", 32)),
        ("everyone but the author", 5, {0: 49, 1: 50, 3: 64, 4: 1000}, None),
        ("a broadcast only, five parties", 5, {}, some("b", 4096)),
        ("the last of 1 024", 1024, {1023: 49}, None),
    ):
        texts = [some(f"c {i}", lengths[i]) if i in lengths else None for i in range(n)]
        leaves = [w.p2p_leaf(c) for c in texts]
        listed = [{"index": i, "ciphertext": c.hex()} for i, c in enumerate(texts) if c]
        total = sum(lengths.values())
        expected = {"bcast_hash": w.bcast_hash(bcast), "leaves": [w.p2p_leaf(c) for c in texts if c], "p2p_root": w.tree_root(leaves), "p2p_bytes": total}
        out.append(case(name, {"n": n, "bcast": bcast, "p2p": listed}, **expected))
    return out


def cut(room, broadcast, p2p):
    """A post in parts, as pairs of a broadcast on the board and payloads."""
    at, done, out = 0, {to: 0 for to in p2p}, []
    while not out or at < len(broadcast) or any(done[to] < len(p2p[to]) for to in p2p):
        left = room["max_tx"] - 256 - 2
        own = broadcast[at : at + min(room["max_bcast"] - 2, left)]
        at, left, payloads = at + len(own), left - len(own), []
        for to in sorted(p2p):
            most = min(room["max_p2p"] - room["sealing"], left - room["sealing"] - 12)
            if done[to] == len(p2p[to]):
                continue
            if most <= 0:
                break
            piece = p2p[to][done[to] : done[to] + most]
            done[to], left = done[to] + len(piece), left - len(piece) - room["sealing"] - 12
            payloads.append((to, piece))
        out.append((own, payloads))
    numbers = range(len(out) - 1, -1, -1)
    return [(w.u(16, k) + own if k or own else b"", payloads) for k, (own, payloads) in zip(numbers, out)]


def parts():
    """Posts in parts, above the board."""
    out = []
    tight = {"max_bcast": 34, "max_p2p": 48 + 20, "max_tx": 256 + 2 + 150, "sealing": 48}
    wide = {"max_bcast": 66, "max_p2p": 1_136 + 64, "max_tx": 716_800, "sealing": 1_136}
    for name, room, length, lengths in (
        ("nothing", wide, 0, {}),
        ("a broadcast of one part", wide, 64, {}),
        ("a byte more", wide, 65, {}),
        ("payloads only", wide, 0, {0: 1, 2: 65}),
        ("parts that are full before all recipients had their turn", tight, 70, {1: 20, 2: 41, 3: 1, 5: 33}),
        ("recipients in another order", tight, 30, {5: 33, 2: 41, 1: 20}),
        ("a last part without a broadcast", tight, 32, {1: 41}),
        ("257 parts", {**tight, "max_bcast": 3}, 257, {1: 3}),
    ):
        broadcast, p2p = some(f"parts {name}", length), {to: some(f"parts {name} {to}", k) for to, k in lengths.items()}
        expected = cut(room, broadcast, p2p)
        listed = [{"to": to, "bytes": b.hex()} for to, b in p2p.items()]
        shown = [{"broadcast": b.hex(), "p2p": [{"to": to, "bytes": c.hex()} for to, c in payloads]} for b, payloads in expected]
        inputs = {**room, "protocol": "cggmp24-aux", "broadcast": broadcast, "p2p": listed}
        out.append(case(name, inputs, spec_protocol=f"cggmp24-aux+parts/1:{len(expected)}", parts=shown))
    return out


def numbered(n):
    """SHA-256 of each index as a u32: digests that need no listing."""
    return [w.h(w.u(32, i)) for i in range(n)]


def transcripts():
    """Slot leaves, T_0, T_r; rounds whose slots aren't listed hold SHA-256 of each index as a u32."""
    out = []
    for n in (1, 2, 3, 4, 5, 1024):
        before, rounds = SESSION, []
        for r in range(4):
            listed = [None if (i + r) % 3 == 2 or r == 3 else some(f"slot {n} {r} {i}") for i in range(n)]
            slots = listed if n <= 5 else numbered(n)
            before = w.transcript(before, r, slots)
            root = w.tree_root([w.slot_leaf(s) for s in slots])
            shown = [s.hex() if s else None for s in slots] if n <= 5 else None
            rounds.append({"slots": shown, "root": root.hex(), "transcript": before.hex()})
        out.append(case(f"{n} parties", {"session_id": SESSION, "n": n}, rounds=rounds))
    for name, digest in (("empty", None), ("filled", some("slot"))):
        out.append(case(f"one {name} slot", {"digest": digest}, slot_leaf=w.slot_leaf(digest)))
    return out


def bitmaps():
    """Members as bits."""
    sets = [(1, []), (1, [0]), (7, [6]), (8, [0, 7]), (9, [8]), (9, list(range(9))), (256, [255]), (1024, [0, 1, 511, 1023])]
    return [case(f"{n}: {m}", {"n": n, "members": m}, bytes=w.bitmap(n, m)) for n, m in sets]
