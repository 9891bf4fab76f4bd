"""Stored receipts: the checksum of each, and everything that a ceremony claims, computed again from its parts."""

import base64
import datetime
import json

from . import ed25519
from . import layouts as w


def fields(data):
    """The fields of a protobuf message: number to a list of numbers and byte strings."""
    out, at = {}, 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        value = varint()
        if key & 7 == 2:
            assert at + value <= len(data)
            at, value = at + value, data[at : at + value]
        else:
            assert key & 7 == 0
        out.setdefault(key >> 3, []).append(value)
    return out


class Message:
    """A message whose fields are asked for by number."""

    def __init__(self, data):
        self.found = fields(data)

    def number(self, field):
        """A number; 0 where it is absent."""
        value = self.found.get(field, [0])[0]
        return value - (1 << 64) if value >> 63 else value

    def data(self, field, absent=b""):
        """Bytes."""
        return self.found.get(field, [absent])[0]

    def part(self, field):
        """A message within."""
        return Message(self.data(field))

    def parts(self, field):
        """Several of them."""
        return [Message(data) for data in self.found.get(field, [])]

    def hashes(self, field):
        """32-byte values in a row."""
        data = self.data(field)
        return [data[i : i + 32] for i in range(0, len(data), 32)]


def genesis(path):
    """A genesis file as the layouts take it."""
    text = json.loads(path.read_text())
    time = datetime.datetime.fromisoformat(text["genesis_time"].replace("Z", "+00:00"))
    keys = sorted(base64.b64decode(v["pub_key"]["value"]).hex() for v in text["validators"])
    assert keys == [r["validator"] for r in text["app_state"]["charter"]["replicas"]], "other validators than the charter's"
    found = {"chain_id": text["chain_id"], "genesis_s": int(time.timestamp()), "genesis_ns": 0}
    return found | {"initial_height": int(text["initial_height"])} | text["app_state"]


def spec_of(spec):
    """A spec as the layouts take it."""
    names = ["version", "m", "t", "max_rounds", "join_ms", "round_ms", "reveal_ms", "retention_ms"]
    found = {"protocol": spec.data(1).decode(), "roster": [key.hex() for key in spec.found[3]]}
    found |= dict(zip(names, map(spec.number, [2, 4, 5, 6, 7, 8, 9, 10])))
    found |= {"max_bcast": spec.number(11), "max_p2p": spec.number(12), "max_bytes": spec.number(13)}
    found |= {"input": spec.data(14).hex(), "prev_session": spec.data(15).hex()}
    return found | {"kem": spec.number(16)}


def bits(data):
    """The members of a bitmap."""
    return [8 * i + j for i, byte in enumerate(data) for j in range(8) if byte >> j & 1]


def check_anchor(anchor, leaf, g):
    """From a session's leaf to the header's data_hash."""
    state, proof = anchor.part(2), anchor.part(3)
    number, count, given = proof.number(1), state.number(1), iter(proof.hashes(3))
    node, empty = w.session_leaf(leaf), w.ZERO
    for level in range(w.DEPTH):
        has_sibling = ((number >> level) ^ 1) << level < count
        sibling = next(given) if has_sibling else empty
        node = w.node(sibling, node) if number >> level & 1 else w.node(node, sibling)
        empty = w.node(empty, empty)
    assert next(given, None) is None and node == state.data(2), "the session isn't in the state"
    root = {"network_id": w.network_id(g), "params_hash": w.params_hash(g["params"]), "n_sessions": count}
    root |= {"sessions_root": state.data(2), "n_openers": state.number(3), "openers_root": state.data(4)}
    root |= {"paused_ms": state.number(5), "protocol": state.number(10), "term": state.number(11)}
    root |= {"charter_hash": state.data(12), "term_height": state.number(13), "eras": state.number(14)}
    root |= {"era_height": state.number(15), "proven": bits(state.data(16)), "proposals_hash": state.data(17)}
    assert root["charter_hash"] == w.charter_hash(g["charter"]), "another charter than that of term 0"
    node = w.seal_leaf(w.seal(w.root(root), state.data(6), state.number(7), state.number(8)))
    for sibling in state.hashes(9):
        node = w.node(node, sibling)
    header = Message(anchor.data(1)).part(1)
    assert header.data(7) == node, "the header seals another state"


def signed(key, purpose, network, digest, signature):
    """Whether a party has signed."""
    message = w.signed_bytes(purpose, network, digest)
    assert ed25519.verify(key, message, signature), f"a {purpose} isn't signed"


def check_ceremony(receipt, g):
    """Everything but the validators' signatures."""
    network, anchor, opened = w.network_id(g), receipt.part(1), receipt.part(2)
    spec = spec_of(opened.part(1))
    session = w.session_id(network, opened.data(2), opened.data(3), opened.number(4), spec)
    signed(opened.data(2), "open", network, session, opened.data(5))
    roster = [bytes.fromhex(key) for key in spec["roster"]]
    slots = [None] * len(roster)
    for join in receipt.parts(3):
        index = join.number(2)
        slots[index] = w.join_digest(session, index, join.number(3), join.data(4))
        signed(roster[index], "join", network, slots[index], join.data(5))
    before, number = session, 0
    for round_ in receipt.parts(4):
        before, number = w.transcript(before, number, slots), number + 1
        slots = [None] * len(roster)
        for entry in round_.parts(1):
            index, post = entry.number(1), entry.part(3)
            if 3 in entry.found:
                content = [post.data(1, w.ZERO), post.number(2), post.data(3), post.number(4)]
                slots[index] = w.post_digest(session, number, index, before, *content)
            else:
                slots[index] = w.finish_digest(session, number, index, before, entry.data(4))
            signed(roster[index], "post" if 3 in entry.found else "finish", network, slots[index], entry.data(2))
    end, said = receipt.part(5), anchor.part(3).part(2)
    by = end.number(5)
    terminal = {"status": end.number(1), "cause": end.number(2), "height": end.number(3), "board_ms": end.number(4)}
    terminal |= {"by": None if by == w.NOBODY else by, "outcome": end.data(6).hex(), "n": end.number(7)}
    terminal |= {"members": bits(end.data(8)), "filled": bits(end.data(9))}
    culprits = [
        {"index": c.number(1), "kind": c.number(2), "round": c.number(3), "a": c.data(4).hex(), "b": c.data(5).hex()}
        for c in receipt.parts(6)
    ]
    left = [{"index": party.number(1), "digest": party.data(2).hex()} for party in receipt.parts(7)]
    leaf = {"session_id": session, "status": said.number(2), "open_round": number, "transcript": before}
    leaf |= {"slots_root": w.tree_root([w.slot_leaf(s) for s in slots]), "deadline_ms": said.number(6)}
    leaf |= {"call_blocks": said.number(7), "callers": bits(said.data(8)), "dispute_hash": said.data(9)}
    leaf |= {"terminal_hash": w.terminal_hash(terminal), "evidence_hash": w.evidence_hash(culprits)}
    leaf |= {"left_hash": w.left_hash(left), "protocol": said.number(13), "opener": said.number(14)}
    leaf |= {"reserved_bytes": said.number(15), "n": len(roster), "members": terminal["members"]}
    leaf = {name: value.hex() if isinstance(value, bytes) else value for name, value in leaf.items()}
    check_anchor(anchor, leaf, g)


def check(folder):
    """How many receipts there are, and which of them aren't what they should be."""
    g, bad = genesis(folder / "genesis.json"), []
    files, ceremonies = sorted(folder.glob("*.receipt")), 0
    for path in files:
        data = path.read_bytes()
        message, checksum = data[:-32], data[-32:]
        try:
            assert w.h(w.lp("white-city/receipt/1"), message) == checksum, "the checksum is wrong"
            receipt = Message(message)
            assert receipt.number(1) == 1 and receipt.data(2) == w.network_id(g), "another version or network"
            if 5 in receipt.found:
                check_ceremony(receipt.part(5), g)
                ceremonies += 1
        except AssertionError as reason:
            bad.append(f"{path.name}: {reason}")
    if ceremonies < 3:
        bad.append(f"only {ceremonies} ceremonies in {folder.name}")
    return len(files), bad
