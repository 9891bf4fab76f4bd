"""Ed25519 (RFC 8032) in plain Python: slow, variable time, only for test vectors."""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    """The sum of two points in extended coordinates."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    s, u = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = u - s, d - c, d + c, u + s
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    """scalar times point."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def equal(a, b):
    """Whether two points are the same point."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def recover_x(y, sign):
    """The x for a y, or None if there is none (or only a wrong sign of zero)."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P:
        return None
    if x == 0 and sign:
        return None
    return P - x if (x & 1) != sign else x


def encode(point):
    """32 bytes: y, and the parity of x in the highest bit."""
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    """The point, or None if the bytes aren't the canonical encoding of one."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def expand(seed):
    """The secret scalar and the prefix of a seed."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | (1 << 254), digest[32:]


def public_key(seed):
    """The public key of a 32-byte seed."""
    return encode(multiply(expand(seed)[0], BASE))


def sign(seed, message):
    """The 64-byte signature of a message."""
    scalar, prefix = expand(seed)
    key = public_key(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    point = encode(multiply(nonce, BASE))
    challenge = int.from_bytes(hashlib.sha512(point + key + message).digest(), "little") % L
    return point + ((nonce + challenge * scalar) % L).to_bytes(32, "little")


def acceptable(data):
    """The design's rule for a key: canonical, not weak, without torsion."""
    point = decode(data)
    if point is None or equal(multiply(8, point), IDENTITY):
        return False
    return equal(multiply(L, point), IDENTITY)


def verify(key, message, signature):
    """Whether a signature is a key's."""
    point, nonce = decode(key), decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or nonce is None or scalar >= L or len(signature) != 64:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return equal(multiply(scalar, BASE), add(nonce, multiply(challenge, point)))
