"""The cases of what the state commits to, of keys, and of sealing."""

from . import ed25519, hpke, ml_kem
from . import layouts as w
from .cases import KEMS, NETWORK, SESSION, case, charter, key, numbered, params, some


def terminals():
    """terminal_hash."""
    base = {"status": 4, "cause": 0, "height": 1000, "board_ms": 1_760_000_000_123, "by": None}
    base |= {"outcome": some("outcome").hex(), "n": 3, "members": [0, 1, 2], "filled": [0, 2]}
    aborted = base | {"status": 5, "outcome": w.ZERO.hex()}
    named = {"finished": base, "finished alone": base | {"n": 1, "members": [0], "filled": [0]}}
    for cause in range(1, 8):
        named[f"aborted, cause {cause}"] = aborted | {"cause": cause, "by": cause % 3 if cause % 2 else None}
    named["1 024 parties"] = aborted | {"cause": 1, "n": 1024, "members": list(range(0, 1024, 2)), "filled": [1022], "by": 0}
    named["nobody filled, nine parties"] = aborted | {"cause": 1, "n": 9, "members": list(range(9)), "filled": []}
    named["the largest numbers"] = base | {"height": 2**63 - 1, "board_ms": 2**64 - 1}
    return [case(name, t, terminal_hash=w.terminal_hash(t)) for name, t in named.items()]


def blame():
    """evidence_hash and left_hash."""
    low, high = sorted((some("a"), some("b")))
    one = {"index": 0, "kind": 1, "round": 1, "a": low.hex(), "b": high.hex()}
    bad = {"index": 2, "kind": 2, "round": 65_536, "a": some("complaint").hex(), "b": some("reveal").hex()}
    false = bad | {"index": 1023, "kind": 3, "round": 7}
    out = []
    for name, items in (("nobody", []), ("one that equivocated", [one]), ("three", [one, bad, false])):
        out.append(case(f"evidence against {name}", {"evidence": items}, evidence_hash=w.evidence_hash(items)))
    left = [{"index": 1, "digest": some("left 1").hex()}, {"index": 0, "digest": some("left 0").hex()}]
    for name, items in (("nobody", []), ("one", left[:1]), ("two, not sorted", left)):
        out.append(case(f"left: {name}", {"left": items}, left_hash=w.left_hash(items)))
    word = {"operator": 0, "sequence": 1, "board_ms": 1_760_000_000_000, "charter_hash": some("charter").hex()}
    withdrawn = {"operator": 255, "sequence": 2**32 - 1, "board_ms": 2**64 - 1, "charter_hash": w.ZERO.hex()}
    for name, items in (("nobody", []), ("one", [word]), ("one, and one that has withdrawn", [word, withdrawn])):
        out.append(case(f"words of {name}", {"proposals": items}, proposals_hash=w.proposals_hash(items)))
    return out


def session(**changes):
    """A session's leaf while joining."""
    zero = w.ZERO.hex()
    s = {"session_id": SESSION.hex(), "status": 1, "open_round": 0, "transcript": SESSION.hex()}
    s |= {"protocol": 2, "opener": 0, "reserved_bytes": 1_000_000, "n": 3, "members": [0, 1, 2]}
    s |= {"slots_root": w.tree_root([w.ZERO] * 3).hex(), "deadline_ms": 0, "call_blocks": 0, "callers": []}
    return s | {"dispute_hash": zero, "terminal_hash": zero, "evidence_hash": zero, "left_hash": zero} | changes


def leaves():
    """session_leaf and opener_leaf."""
    ended = {"terminal_hash": some("terminal").hex(), "evidence_hash": some("evidence").hex(), "left_hash": some("left").hex()}
    late = {"deadline_ms": 1_760_000_300_000, "call_blocks": 2, "callers": [0, 3]}
    named = {
        "just opened": session(),
        "the largest opener of a thousand": session(opener=2**32 - 1, reserved_bytes=2**64 - 1, n=1024, members=[0, 1023]),
        "under later rules": session(protocol=3, n=9, members=[8]),
        "running, last call": session(status=2, open_round=3, transcript=some("T").hex(), **late),
        "a dispute": session(status=3, open_round=2, transcript=some("T").hex(), dispute_hash=some("dispute").hex()),
        "finished": session(status=4, open_round=4, transcript=some("T").hex(), deadline_ms=2**64 - 1, terminal_hash=ended["terminal_hash"]),
        "aborted": session(status=5, open_round=65_536, dispute_hash=some("dispute").hex(), **ended),
        "erased": session(status=6, open_round=4, **ended),
        "all 256 validators called": session(status=2, open_round=1, call_blocks=2**32 - 1, callers=list(range(256))),
    }
    out = [case(name, {"kind": "session"} | s, leaf=w.session_leaf(s)) for name, s in named.items()]
    fresh = {"key": key("opener 0").hex(), "listed": True, "max_live": 256, "max_bytes": 1 << 30, "live": 0, "live_bytes": 0}
    full = {"key": key("opener 1").hex(), "listed": True, "max_live": 2**32 - 1, "max_bytes": 2**64 - 1, "live": 2**32 - 1, "live_bytes": 2**64 - 1}
    stranger = fresh | {"listed": False, "max_live": 0, "max_bytes": 0, "live": 1, "live_bytes": 7}
    for name, o in (("a fresh opener", fresh), ("a full opener", full), ("a stranger", stranger)):
        out.append(case(name, {"kind": "opener"} | o, leaf=w.opener_leaf(o)))
    return out


def trees():
    """Roots and paths of both kinds of trees; leaf i is SHA-256 of i as a u32."""
    out = []
    for n in (1, 2, 3, 4, 5, 8, 9, 1000, 1024):
        rows = numbered(n)
        paths = [{"index": i, "path": [p.hex() for p in w.tree_path(rows, i)]} for i in sorted({0, n // 2, n - 1})]
        out.append(case(f"slots, {n}", {"kind": "slots", "n": n}, root=w.tree_root(rows), paths=paths))
    for n in (0, 1, 2, 3, 5, 300):
        rows = numbered(n)
        chosen = sorted({0, n // 2, n - 1}) if n else []
        paths = [{"index": i, "path": [p.hex() for p in w.deep_path(rows, i)]} for i in chosen]
        out.append(case(f"append-only, {n}", {"kind": "append", "n": n}, root=w.deep_root(rows), paths=paths))
    return out


def roots():
    """The whole state."""
    sessions = [w.session_leaf(session(session_id=some(f"session {i}").hex())) for i in range(3)]
    openers = [w.opener_leaf({"key": key("opener 0").hex(), "listed": True, "max_live": 1, "max_bytes": 2, "live": 0, "live_bytes": 0})]
    first = {"term": 0, "charter_hash": w.charter_hash(charter()), "term_height": 0, "eras": 0, "era_height": 0}
    first |= {"proven": [0, 1, 2, 3], "proposals_hash": w.ZERO}
    later = {"term": 2**32 - 1, "charter_hash": some("charter"), "term_height": 2**64 - 1, "eras": 7, "era_height": 2**63}
    later |= {"proven": [1, 255], "proposals_hash": some("proposals")}
    out = []
    for name, s, o, paused in (("empty", [], [], 0), ("three sessions, one opener", sessions, openers, 86_400_000), ("a long pause", [], openers, 2**64 - 1)):
        inputs = {"network_id": NETWORK, "protocol": 2, "params_hash": w.params_hash(params())}
        inputs |= (later if paused > 2**63 else first) | {"n_sessions": len(s), "sessions_root": w.deep_root(s)}
        inputs |= {"n_openers": len(o), "openers_root": w.deep_root(o), "paused_ms": paused}
        out.append(case(name, inputs, root=w.root(inputs)))
    return out


def seals():
    """The first transaction of each block and its leaf in data_hash."""
    out = []
    for name, parent, seconds, nanos in (
        ("the first block", w.ZERO, 1_760_000_000, 0),
        ("a later block", some("block hash"), 1_760_000_010, 999_999_999),
        ("a time before 1970", some("block hash"), -62_135_596_800, 1),
    ):
        data = w.seal(some("root"), parent, seconds, nanos)
        inputs = {"root": some("root"), "parent_block_hash": parent, "parent_time_s": seconds, "parent_time_ns": nanos}
        out.append(case(name, inputs, seal=data, data_leaf=w.seal_leaf(data)))
    return out


def sealing():
    """HPKE: keys, info, aad, ikmE, what is sent."""
    out = []
    places = (
        ("one byte in round 1", 1, 0, 2, b"\0"),
        ("a scalar", 2, 1, 0, some("scalar")),
        ("several blocks, the last indices", 65_536, 1023, 1022, some("text", 200)),
        ("exactly one block of the cipher", 3, 2, 1, some("text", 64)),
    )
    for kem, (name, rnd, sender, recipient, text) in [(kem, place) for kem in KEMS for place in places]:
        seeds = some(f"seed {sender}"), some(f"seed {recipient}")
        public = w.encryption_key(kem, seeds[1], SESSION, recipient)
        join = w.join_digest(SESSION, recipient, kem, public)
        info = w.hpke_info(NETWORK, SESSION)
        before = some(f"T {rnd - 1}")
        aad = w.hpke_aad(before, rnd, sender, recipient, key(f"party {sender}"), key(f"party {recipient}"), join)
        ikm = w.ephemeral(kem, seeds[0], aad, text)
        inputs = {"kem": kem, "network_id": NETWORK, "session_id": SESSION, "transcript": before, "round": rnd, "from": sender, "to": recipient}
        inputs |= {"from_key": key(f"party {sender}"), "to_key": key(f"party {recipient}")}
        inputs |= {"sender_seed": seeds[0], "recipient_seed": seeds[1], "plaintext": text}
        inputs |= {"info": info, "aad": aad}
        expected = {"recipient_public": public, "join_digest": join, "ikm_e": ikm}
        out.append(case(f"kem {kem}: {name}", inputs, **expected, sealed=w.sealed(kem, ikm, public, info, aad, text)))
    return out


def judging():
    """A complaint, a reveal, and who is the culprit: the leaf against Seal(ikmE, plaintext)."""
    return [judged for kem in KEMS for judged in _judging(kem)]


def _judging(kem):
    rnd, accused, index, before = 2, 2, 0, some("judged T")
    public = w.encryption_key(kem, some("judged recipient"), SESSION, index)
    other = w.encryption_key(kem, some("judged other"), SESSION, index)
    ikm, text = some("judged ikm"), some("judged plain", 40)

    def sealed(key_of=public, ikm_e=ikm, plaintext=text, r=rnd, t=before, sender=accused, recipient=index):
        aad = w.hpke_aad(t, r, sender, recipient, key(f"party {sender}"), key(f"party {recipient}"), w.join_digest(SESSION, recipient, kem, key_of))
        return w.sealed(kem, ikm_e, key_of, w.hpke_info(NETWORK, SESSION), aad, plaintext)

    right = sealed()
    named = {
        "what was sealed": (right, ikm, text),
        "other keying material": (right, some("other ikm"), text),
        "another plaintext": (right, ikm, text + b"\0"),
        "bytes that nobody sealed": (some("garbage", len(right)), ikm, text),
        "sealed to another key": (sealed(key_of=other), ikm, text),
        "sealed for another round": (sealed(r=1), ikm, text),
        "sealed after another transcript": (sealed(t=some("other T")), ikm, text),
        "sealed for another recipient": (sealed(recipient=1), ikm, text),
        "a byte of the tag changed": (right[:-1] + bytes([right[-1] ^ 1]), ikm, text),
        "a byte of the encapsulated key changed": (bytes([right[0] ^ 1]) + right[1:], ikm, text),
        "a byte of the ephemeral X25519 key changed": (right[:-57] + bytes([right[-57] ^ 1]) + right[-56:], ikm, text),
    }
    out = []
    for name, (ciphertext, ikm_e, plaintext) in named.items():
        leaf = w.p2p_leaf(ciphertext)
        leaves = [leaf, w.ZERO, w.ZERO]
        root = w.tree_root(leaves)
        post = w.post_digest(SESSION, rnd, accused, before, w.ZERO, 0, root, len(ciphertext))
        complaint = w.complain_digest(SESSION, rnd, index, accused, post, leaf)
        reveal = w.reveal_digest(complaint, accused, ikm_e, plaintext)
        inputs = {"network_id": NETWORK, "session_id": SESSION, "roster": [key(f"party {i}") for i in range(3)], "kem": kem, "enc_pk": public}
        inputs |= {"round": rnd, "accused": accused, "index": index, "transcript": before, "ciphertext": ciphertext}
        inputs |= {"ikm_e": ikm_e, "plaintext": plaintext}
        good = sealed(ikm_e=ikm_e, plaintext=plaintext) == ciphertext
        culprit, kind = (index, 3) if good else (accused, 2)
        out.append(case(f"kem {kem}: {name}", inputs, complain_digest=complaint, reveal_digest=reveal, culprit=culprit, kind=kind, cause=6 if good else 5))
    return out


def identity_keys():
    """Which Ed25519 and X25519 public keys are accepted."""
    p = ed25519.P
    good = ed25519.decode(key("party 0"))
    order_eight = next(q for q in (ed25519.multiply(ed25519.L, point) for point in _points()) if _order(q) == 8)
    tried = {"a good key": key("party 0"), "the base point": ed25519.encode(ed25519.BASE)}
    for times in range(8):
        tried[f"weak: {times} times a point of order 8"] = ed25519.encode(ed25519.multiply(times, order_eight))
    tried["a good key plus torsion"] = ed25519.encode(ed25519.add(good, order_eight))
    tried["not canonical: the neutral element with y = p + 1"] = (p + 1).to_bytes(32, "little")
    tried["not canonical: y = p"] = p.to_bytes(32, "little")
    tried["not canonical: minus zero"] = (1 | 1 << 255).to_bytes(32, "little")
    tried["not canonical: y = p + 3"] = (p + 3).to_bytes(32, "little")
    tried["y = 3, in the curve but with torsion or not on it"] = (3).to_bytes(32, "little")
    off = next(y for y in range(2, 100) if ed25519.recover_x(y, 0) is None)
    tried["not on the curve"] = off.to_bytes(32, "little")
    out = [case(name, {"kind": "identity", "key": data}, accepted=ed25519.acceptable(data)) for name, data in tried.items()]
    return out + _encryption_keys()


def _points():
    for y in range(2, 1000):
        x = ed25519.recover_x(y, 0)
        if x is not None:
            yield (x, y, 1, x * y % ed25519.P)


def _order(point):
    for order in (1, 2, 4, 8):
        if ed25519.equal(ed25519.multiply(order, point), ed25519.IDENTITY):
            return order
    return None


def _encryption_keys():
    p = hpke.P
    points = {"a good key": hpke.public_key(1, some("enc")), "the base point": hpke.BASE}
    for number in (0, 1, p - 1):
        points[f"low order: {'p - 1' if number > 1 else number}"] = number.to_bytes(32, "little")
    eight = 325606250916557431795983626356110631294008115727848805560023387167927233504
    other = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    points |= {"low order: 8, one": eight.to_bytes(32, "little"), "low order: 8, the other": other.to_bytes(32, "little")}
    points["not canonical: p"] = p.to_bytes(32, "little")
    points["not canonical: p + 1"] = (p + 1).to_bytes(32, "little")
    points["not canonical: p + 9"] = (p + 9).to_bytes(32, "little")
    points["not canonical: the base point with the highest bit"] = (9 | 1 << 255).to_bytes(32, "little")
    good = hpke.public_key(2, some("enc"))
    hybrid = {"a good key": good, "1 215 bytes": good[:-1], "1 217 bytes": good + b"\x01", "only the X25519 part": good[-32:]}
    hybrid |= {f"X25519 part, {name}": good[:-32] + point for name, point in points.items()}
    for place in (0, 1, 255, 256, 767):
        for value in (0, ml_kem.Q - 1, ml_kem.Q, 4095):
            hybrid[f"coefficient {place} is {value}"] = _with_coefficient(good, place, value)
    hybrid["any seed of the matrix"] = good[:1152] + bytes([255]) * 32 + good[1184:]
    tried = [(1, f"x25519 {name}", data) for name, data in points.items()]
    tried += [(2, f"x-wing {name}", data) for name, data in hybrid.items()]
    return [case(name, {"kind": "encryption", "kem": kem, "key": data}, accepted=hpke.acceptable(kem, data)) for kem, name, data in tried]


def _with_coefficient(good, place, value):
    number = int.from_bytes(good[:1152], "little")
    number += (value - (number >> 12 * place & 4095)) << 12 * place
    return number.to_bytes(1152, "little") + good[1152:]
