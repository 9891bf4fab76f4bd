"""Transactions as they travel: canonical proto3 (fields in order, defaults left out), written from the schema."""

from . import hpke
from . import layouts as w
from .cases import NETWORK, SESSION, case, charter, key, opener, replicas, some, spec


def varint(number):
    """The shortest varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def message(*fields):
    """Fields of (number, value): numbers as varints, bytes and texts under their length, lists repeated."""
    out = b""
    for number, value in fields:
        if isinstance(value, list):
            for item in value:
                out += varint(number << 3 | 2) + varint(len(item)) + item
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value) if value else b""
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value if value else b""
    return out


def numbered_from(first, *values):
    """Values under rising field numbers."""
    return [(first + i, v) for i, v in enumerate(values)]


BODIES = {"open": 2, "join": 3, "decline": 4, "post": 5, "finish": 6, "abort": 7, "evidence": 8, "complain": 9, "reveal": 10, "approve": 11}


def tx(kind, *values):
    """A transaction of version 1; a body is there even if it is empty."""
    return message((1, 1), (BODIES[kind], [message(*numbered_from(1, *values))]))


def spec_message(s):
    """A spec."""
    roster = [bytes.fromhex(k) for k in s["roster"]]
    numbers = [s[k] for k in ("m", "t", "max_rounds", "join_ms", "round_ms", "reveal_ms", "retention_ms")]
    limits = [s["max_bcast"], s["max_p2p"], s["max_bytes"]]
    tail = [bytes.fromhex(s["input"]), bytes.fromhex(s["prev_session"])]
    return message(*numbered_from(1, s["protocol"], s["version"], roster, *numbers, *limits, *tail, s["kem"]))


def opened(name, s, stamp=0):
    """An Open."""
    nonce, by = some(f"nonce {name}"), 1_760_000_600_000
    digest = w.session_id(NETWORK, key("opener 0"), nonce, by, s)
    signature = w.sign(some("opener 0"), "open", NETWORK, digest)
    data = tx("open", [spec_message(s)], key("opener 0"), nonce, by, signature, stamp)
    inputs = {"kind": "open", "spec": s, "opener": key("opener 0"), "nonce": nonce, "open_by_ms": by, "stamp": stamp}
    return case(f"open: {name}", inputs | common(signature, "opener 0", len(s["roster"])), tx=data)


def common(signature, signer, parties=3):
    """What every transaction's case says."""
    return {"network_id": NETWORK, "signature": signature, "signer": key(signer), "parties": parties}


def joined(index, kem=1):
    """A Join."""
    enc = hpke.public_key(kem, some("enc"))
    signature = w.sign(some(f"party {index}"), "join", NETWORK, w.join_digest(SESSION, index, kem, enc))
    inputs = {"kind": "join", "session_id": SESSION, "index": index, "kem": kem, "enc_pk": enc}
    data = tx("join", SESSION, index, kem, enc, signature)
    return case(f"join: index {index}, kem {kem}", inputs | common(signature, f"party {index}"), tx=data)


def declined(index, reason):
    """A Decline."""
    signature = w.sign(some(f"party {index}"), "decline", NETWORK, w.decline_digest(SESSION, index, reason))
    inputs = {"kind": "decline", "session_id": SESSION, "index": index, "reason": reason}
    return case(f"decline: reason {reason}", inputs | common(signature, f"party {index}"), tx=tx("decline", SESSION, index, reason, signature))


def aborted(index, cause, about, detail):
    """An Abort."""
    signature = w.sign(some(f"party {index}"), "abort", NETWORK, w.abort_digest(SESSION, index, cause, about, detail))
    number = w.NOBODY if about is None else about
    inputs = {"kind": "abort", "session_id": SESSION, "index": index, "cause": cause, "about": about, "detail": detail}
    data = tx("abort", SESSION, index, cause, number, detail, signature)
    return case(f"abort: about {'nobody' if about is None else about}", inputs | common(signature, f"party {index}"), tx=data)


def header(rnd, index, bcast, p2p, parties=3):
    """A post's header fields behind the session."""
    leaves = [w.p2p_leaf(p2p.get(i)) for i in range(parties)]
    total = sum(len(c) for c in p2p.values())
    return rnd, index, some("T"), w.bcast_hash(bcast), len(bcast or b""), w.tree_root(leaves), total


def posted(name, rnd, index, bcast, p2p, parties=3):
    """A Post."""
    digest = w.post_digest(SESSION, *header(rnd, index, bcast, p2p, parties))
    signature = w.sign(some(f"party {index}"), "post", NETWORK, digest)
    sealed = [message((1, to), (2, p2p[to])) for to in sorted(p2p)]
    data = tx("post", SESSION, rnd, index, some("T"), bcast or b"", sealed, signature)
    listed = [{"index": to, "ciphertext": p2p[to].hex()} for to in sorted(p2p)]
    inputs = {"kind": "post", "session_id": SESSION, "round": rnd, "index": index, "transcript": some("T"), "bcast": bcast, "p2p": listed}
    return case(f"post: {name}", inputs | common(signature, f"party {index}", parties), tx=data, digest=digest)


def finished(rnd, index, outcome):
    """A Finish."""
    digest = w.finish_digest(SESSION, rnd, index, some("T"), outcome)
    signature = w.sign(some(f"party {index}"), "finish", NETWORK, digest)
    inputs = {"kind": "finish", "session_id": SESSION, "round": rnd, "index": index, "transcript": some("T"), "outcome": outcome}
    data = tx("finish", SESSION, rnd, index, some("T"), outcome, signature)
    return case(f"finish: round {rnd}", inputs | common(signature, f"party {index}"), tx=data, digest=digest)


def signed_entry(rnd, index, bcast=None, outcome=None):
    """(digest, message, what the case says) of one entry."""
    if outcome is None:
        fields, kind = header(rnd, index, bcast, {}), "post"
        digest, number = w.post_digest(SESSION, *fields), 1
        names = ("round", "index", "transcript", "bcast_hash", "bcast_len", "p2p_root", "p2p_bytes")
    else:
        fields, kind = (rnd, index, some("T"), outcome), "finish"
        digest, number = w.finish_digest(SESSION, *fields), 2
        names = ("round", "index", "transcript", "outcome")
    signature = w.sign(some(f"party {index}"), kind, NETWORK, digest)
    said = {"kind": kind, "session_id": SESSION.hex(), "signature": signature.hex()}
    said |= {n: v.hex() if isinstance(v, bytes) else v for n, v in zip(names, fields)}
    inner = message(*numbered_from(1, SESSION, *fields))
    return digest, message((number, [inner]), (3, signature)), said


def evidence(name, *entries):
    """An Evidence, the smaller digest first."""
    first, second = sorted(entries, key=lambda e: e[0])
    inputs = {"kind": "evidence", "first": first[2], "second": second[2]}
    data = tx("evidence", [first[1]], [second[1]])
    return case(f"evidence: {name}", inputs | common(bytes(64), "party 1"), tx=data)


def complained(name, rnd, index, accused, parties):
    """A Complain about a post with a payload for everybody else."""
    p2p = {i: some(f"c {i}", 49 + i % 3) for i in range(parties) if i != accused}
    leaves = [w.p2p_leaf(p2p.get(i)) for i in range(parties)]
    fields = header(rnd, accused, some("b", 3), p2p, parties)
    leaf, path = leaves[index], w.tree_path(leaves, index)
    digest = w.complain_digest(SESSION, rnd, index, accused, w.post_digest(SESSION, *fields), leaf)
    signature = w.sign(some(f"party {index}"), "complain", NETWORK, digest)
    names = ("round", "index", "transcript", "bcast_hash", "bcast_len", "p2p_root", "p2p_bytes")
    post = {"session_id": SESSION.hex()} | {n: v.hex() if isinstance(v, bytes) else v for n, v in zip(names, fields)}
    inputs = {"kind": "complain", "post": post, "index": index, "p2p_leaf": leaf, "p2p_path": path}
    data = tx("complain", [message(*numbered_from(1, SESSION, *fields))], index, leaf, b"".join(path), signature)
    return case(f"complain: {name}", inputs | common(signature, f"party {index}", parties), tx=data, digest=digest)


def revealed(name, index, plaintext):
    """A Reveal."""
    complaint, ikm_e = some("complaint"), some("ikm")
    digest = w.reveal_digest(complaint, index, ikm_e, plaintext)
    signature = w.sign(some(f"party {index}"), "reveal", NETWORK, digest)
    inputs = {"kind": "reveal", "session_id": SESSION, "complaint": complaint, "index": index, "ikm_e": ikm_e, "plaintext": plaintext}
    data = tx("reveal", SESSION, complaint, index, ikm_e, plaintext, signature)
    return case(f"reveal: {name}", inputs | common(signature, f"party {index}"), tx=data, digest=digest)


def charter_message(c):
    """A charter."""
    replicas = [message((1, bytes.fromhex(r["validator"])), (2, bytes.fromhex(r["operator"]))) for r in c["replicas"]]
    openers = [message((1, bytes.fromhex(o["key"])), (2, o["max_live"]), (3, o["max_bytes"])) for o in c["openers"]]
    head = [c["term"], bytes.fromhex(c["previous"]), c["until_ms"], c["protocol"], c["max_session_bytes"], c["max_board_bytes"]]
    head += [int(c["anyone_may_open"]), c["anyone_max_live"], c["anyone_max_bytes"], c["stamp_bits"]]
    return message(*numbered_from(1, *head, replicas, openers))


def approved(name, operator, sequence, c, newcomers=()):
    """An Approve, or a withdrawal where there is no charter."""
    digest = w.approve_digest(2, operator, sequence, w.charter_hash(c) if c else w.ZERO)
    signature = w.sign(some(f"operator {operator}"), "approve", NETWORK, digest)
    signed = [w.sign(some(label), "operate", NETWORK, w.charter_hash(c)) for label in newcomers]
    inputs = {"kind": "approve", "term": 2, "operator": operator, "sequence": sequence, "charter": c, "newcomers": signed}
    data = tx("approve", 2, operator, sequence, [charter_message(c)] if c else [], b"".join(signed), signature)
    return case(f"approve: {name}", inputs | common(signature, f"operator {operator}"), tx=data, digest=digest)


def transactions():
    """Each kind, its values and its one encoding."""
    out = [opened("three parties", spec(3)), opened("one party, empty input", spec(1, input="", version=0, max_bytes=0, max_bcast=0))]
    out += [opened("a stamp", spec(2), 2**64 - 1), opened("kem 2", spec(2, kem=2))]
    out += [opened("the largest", spec(3, m=3, t=2, max_rounds=65_536, max_bytes=2**64 - 1, retention_ms=2**64 - 1))]
    out += [joined(0), joined(2), joined(1, kem=2), declined(0, 0), declined(1, 0xFFFF)]
    out += [aborted(1, 0, None, w.ZERO), aborted(0, 0xFFFF, 2, some("detail")), aborted(1, 7, 0, some("detail"))]
    out += [
        posted("nothing in it", 1, 0, None, {}),
        posted("a broadcast", 2, 1, some("b", 300), {}),
        posted("one p2p payload for index 0", 2, 1, None, {0: some("c", 49)}),
        posted("both, two recipients", 65_536, 1, some("b", 1), {0: some("c", 49), 2: some("d", 5000)}),
        posted("a roster of 1 024", 3, 0, None, {i: some(f"c {i}", 49) for i in (1, 511, 1023)}, 1024),
    ]
    out += [finished(1, 0, some("outcome")), finished(65_536, 2, w.ZERO)]
    out += [complained("the first about the last", 1, 0, 2, 3), complained("the last of 1 024 about the first", 65_536, 1023, 0, 1024)]
    out += [revealed("one byte", 0, b"\0"), revealed("many bytes", 2, some("plain", 5000))]
    draft = charter(term=3, previous=some("charter").hex(), until_ms=1_760_000_000_000, openers=[opener("opener 0", 8, 1 << 20)])
    closed = draft | {"anyone_may_open": False, "anyone_max_live": 0, "anyone_max_bytes": 0, "replicas": replicas(9), "openers": []}
    out += [approved("a charter", 0, 1, draft), approved("with newcomers", 3, 2**32 - 1, closed, ["operator 7", "operator 8"])]
    out += [approved("a withdrawal", 255, 2, None)]
    first, other = signed_entry(1, 1, bcast=some("b", 5)), signed_entry(1, 1, bcast=some("c", 5))
    return out + [evidence("two posts", first, other), evidence("a post and a finish", first, signed_entry(1, 1, outcome=some("outcome")))]


def refused():
    """Other bytes with the meaning of a good transaction, or nearly; and the code of the refusal."""
    fields = SESSION, 1, 2, some("T"), some("outcome"), some("signature", 64)
    good = tx("finish", *fields)
    body = message(*numbered_from(1, *fields))

    def outer(inner, version=1):
        return message((1, version), (6, [inner]))

    # 16 too large, 17 malformed, 18 version, 19 field, 20 seal, 35 key
    named = {
        "nothing": (b"", 18),
        "a version and no body": (message((1, 1)), 17),
        "an empty body": (outer(b""), 19),
        "version 0, left out": (outer(body, 0), 18),
        "version 2": (outer(body, 2), 18),
        "the version behind the body": (message((6, [body]), (1, 1)), 17),
        "the version twice": (b"\x08\x01" + good, 17),
        "the version as a long varint": (b"\x08\x81\x00" + good[2:], 17),
        "a version above 32 bits that wraps to 1": (b"\x08\x81\x80\x80\x80\x10" + good[2:], 17),
        "an unknown field": (good + message((9, 7)), 17),
        "an unknown field inside": (outer(body + message((7, 1))), 17),
        "a default spelled out": (outer(body[:34] + b"\x10\x00" + body[34:]), 17),
        "the body twice": (good + good[2:], 17),
        "two bodies": (good + message((4, [message((1, SESSION))])), 17),
        "fields out of order": (outer(message((2, 1), (1, SESSION)) + body[36:]), 17),
        "a group": (b"\x08\x01\x33\x34", 17),
        "cut off": (good[:-1], 17),
        "a byte too many": (good + b"\x00", 17),
        "a seal": (w.seal(some("root"), w.ZERO, 0, 0), 20),
        "one zero byte": (b"\0", 20),
        "a length past the end": (b"\x08\x01\x32\xff\xff\xff\xff\x0f", 17),
        "round 0": (tx("finish", SESSION, 0, *fields[2:]), 19),
        "index 1 024": (tx("finish", SESSION, 1, 1024, *fields[3:]), 19),
        "a session of 31 bytes": (tx("finish", SESSION[:31], *fields[1:]), 19),
        "a signature of 63 bytes": (tx("finish", *fields[:5], some("s", 63)), 19),
        "an X25519 key of low order": (_join(1, w.ZERO), 35),
        "kem 0": (_join(0, key("party 0")), 19),
        "kem 2 with a key of kem 1": (_join(2, hpke.public_key(1, some("enc"))), 35),
        "kem 1 with a key of kem 2": (_join(1, hpke.public_key(2, some("enc"))), 35),
        "an X-Wing key of 1 215 bytes": (_join(2, hpke.public_key(2, some("enc"))[:-1]), 35),
        "an X-Wing key of 1 217 bytes": (_join(2, hpke.public_key(2, some("enc")) + b"\1"), 35),
        "an X-Wing key that isn't reduced": (_join(2, b"\xff\xff\xff" + hpke.public_key(2, some("enc"))[3:]), 35),
        "an X-Wing key of low order": (_join(2, hpke.public_key(2, some("enc"))[:-32] + w.ZERO), 35),
        "kem 3": (_join(3, hpke.public_key(2, some("enc"))), 19),
        "kem 258": (_join(258, hpke.public_key(2, some("enc"))), 19),
        "a reason of 65 536": (tx("decline", SESSION, 1, 65_536, some("s", 64)), 19),
        "about 1 024": (tx("abort", SESSION, 1, 1, 1024, w.ZERO, some("s", 64)), 19),
        "a complaint without a post": (tx("complain", b"", 1, some("leaf"), b"", some("s", 64)), 17),
        "a complaint about one's own post": (_complain(accused=1), 19),
        "a complaint about an absent payload": (_complain(leaf=w.ZERO), 19),
        "a complaint with 11 siblings": (_complain(path=some("path", 352)), 19),
        "a complaint with half a sibling": (_complain(path=some("path", 48)), 19),
        "a complaint about round 0": (_complain(rnd=0), 19),
        "a reveal of nothing": (tx("reveal", SESSION, some("c"), 1, some("ikm"), b"", some("s", 64)), 19),
        "a reveal with 31 bytes of keying material": (tx("reveal", SESSION, some("c"), 1, some("ikm", 31), b"p", some("s", 64)), 19),
        "p2p to oneself": (_post([(1, 49)]), 19),
        "p2p of 48 bytes": (_post([(0, 48)]), 19),
        "p2p twice to one": (_post([(0, 49), (0, 49)]), 19),
        "p2p descending": (_post([(2, 49), (0, 49)]), 19),
        "a spec without a roster": (_open(roster=[]), 19),
        "a quorum of half": (_open(2, m=1), 19),
        "a quorum of more than all": (_open(2, m=3), 19),
        "everyone corrupt": (_open(2, t=2), 19),
        "a key twice": (_open(2, roster=[key("party 0").hex()] * 2), 19),
        "a weak key": (_open(2, roster=[key("party 0").hex(), "01" + "00" * 31]), 35),
        "no name": (_open(protocol=""), 19),
        "a name of 65 bytes": (_open(protocol="x" * 65), 19),
        "a line feed in the name": (_open(protocol="a\nb"), 19),
        "no rounds": (_open(max_rounds=0), 19),
        "65 537 rounds": (_open(max_rounds=65_537), 19),
        "no time to join": (_open(join_ms=0), 19),
        "no time for rounds": (_open(round_ms=0), 19),
        "no time to reveal": (_open(reveal_ms=0), 19),
        "no retention": (_open(retention_ms=0), 19),
        "an input of 16 385 bytes": (_open(input="00" * 16_385), 16),
        "a spec with kem 0": (_open(kem=0), 19),
        "a spec with kem 3": (_open(kem=3), 19),
        "a spec with kem 258": (_open(kem=258), 19),
        "a word without a number": (_approve(sequence=0), 19),
        "a word of operator 256": (_approve(operator=256), 19),
        "half a newcomer": (_approve(newcomers=some("s", 32)), 19),
        "newcomers to no charter": (_approve(charters=[], newcomers=some("s", 64)), 19),
        "256 zero bits": (_approve(stamp_bits=256), 19),
        "257 replicas": (_approve(replicas=replicas(1) * 257), 19),
        "4 097 openers": (_approve(openers=[opener("opener 0", 1, 1)] * 4_097), 19),
        "half a validator's key": (_approve(replicas=[{"validator": "01" * 16, "operator": "01" * 32}]), 19),
        "1 025 parties": (_open(roster=["01" * 32] * 1025), 19),
    }
    out = [case(name, {"tx": data}, code=code) for name, (data, code) in named.items()]
    return out + [case("the good one that these were made of", {"tx": good}, code=0)]


def _join(kem, enc):
    return tx("join", SESSION, 1, kem, enc, some("s", 64))


def _post(p2p):
    sealed = [message((1, to), (2, some("c", size))) for to, size in p2p]
    return tx("post", SESSION, 1, 1, some("T"), b"", sealed, some("s", 64))


def _complain(rnd=1, accused=2, leaf=some("leaf"), path=some("path", 64)):
    post = message(*numbered_from(1, SESSION, rnd, accused, some("T"), w.ZERO, 0, some("root"), 49))
    return tx("complain", [post], 1, leaf, path, some("s", 64))


def _approve(operator=0, sequence=1, charters=None, newcomers=b"", **changes):
    charters = [charter_message(charter(**changes))] if charters is None else charters
    return tx("approve", 0, operator, sequence, charters, newcomers, some("s", 64))


def _open(n=3, **changes):
    return tx("open", [spec_message(spec(n, **changes))], key("opener 0"), some("nonce"), 1, some("s", 64))
