"""ML-KEM-768 (FIPS 203): keys and encapsulation, in plain Python."""

import hashlib

Q, RANK, D_U, D_V = 3329, 3, 10, 4
ROOTS = [pow(17, int(f"{i:07b}"[::-1], 2), Q) for i in range(128)]
KEY_BYTES = 384 * RANK + 32


def ntt(poly):
    """Algorithm 9."""
    f, i, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = ROOTS[i] * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
            i += 1
        length //= 2
    return f


def inverse_ntt(poly):
    """Algorithm 10."""
    f, i, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, ROOTS[i] * (f[j + length] - t) % Q
            i -= 1
        length *= 2
    return [x * 3303 % Q for x in f]


def multiply(f, g):
    """Algorithm 11: 128 products of polynomials of degree one."""
    out = []
    for i in range(128):
        a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a * c + b * d * (ROOTS[i] ** 2 * 17)) % Q, (a * d + b * c) % Q]
    return out


def plus(f, g):
    """The sum of two polynomials."""
    return [(a + b) % Q for a, b in zip(f, g)]


def dot(row, column):
    """The sum of products, transformed."""
    total = [0] * 256
    for f, g in zip(row, column):
        total = plus(total, multiply(f, g))
    return total


def encode(poly, bits):
    """Algorithm 5."""
    return sum(x << bits * i for i, x in enumerate(poly)).to_bytes(32 * bits, "little")


def decode(data, bits):
    """Algorithm 6, without the reduction: a key whose coefficients aren't below Q is none."""
    number = int.from_bytes(data, "little")
    return [number >> bits * i & ((1 << bits) - 1) for i in range(256)]


def compress(poly, bits):
    """To so many bits each, rounded half up."""
    return [((x << bits + 1) + Q) // (2 * Q) % (1 << bits) for x in poly]


def sample_uniform(seed, column, row):
    """Algorithm 7: rejection sampling."""
    stream = hashlib.shake_128(seed + bytes([column, row])).digest(3 * 1024)
    out = []
    for at in range(0, len(stream), 3):
        a, b, c = stream[at : at + 3]
        out += [x for x in (a | (b & 15) << 8, b >> 4 | c << 4) if x < Q]
    assert len(out) >= 256
    return out[:256]


def sample_noise(seed, counter):
    """Algorithm 8 with eta = 2."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([counter])).digest(128), "little")
    pairs = [(bits >> 2 * i & 1) + (bits >> 2 * i + 1 & 1) for i in range(512)]
    return [(pairs[2 * i] - pairs[2 * i + 1]) % Q for i in range(256)]


def matrix(seed):
    """The public matrix, transformed: row by row."""
    return [[sample_uniform(seed, column, row) for column in range(RANK)] for row in range(RANK)]


def public_key(d):
    """Algorithm 16's encapsulation key; what stays secret isn't needed here."""
    seeds = hashlib.sha3_512(d + bytes([RANK])).digest()
    rho, sigma = seeds[:32], seeds[32:]
    secret = [ntt(sample_noise(sigma, i)) for i in range(RANK)]
    noise = [ntt(sample_noise(sigma, RANK + i)) for i in range(RANK)]
    lines = [plus(dot(row, secret), e) for row, e in zip(matrix(rho), noise)]
    return b"".join(encode(line, 12) for line in lines) + rho


def acceptable(key):
    """The checks of section 7.2: length and modulus."""
    return len(key) == KEY_BYTES and all(x < Q for i in range(RANK) for x in decode(key[384 * i : 384 * (i + 1)], 12))


def encapsulate(key, message):
    """Algorithm 17: (shared secret, ciphertext)."""
    seeds = hashlib.sha3_512(message + hashlib.sha3_256(key).digest()).digest()
    shared, coins = seeds[:32], seeds[32:]
    lines = [decode(key[384 * i : 384 * (i + 1)], 12) for i in range(RANK)]
    columns = list(zip(*matrix(key[384 * RANK :])))
    once = [ntt(sample_noise(coins, i)) for i in range(RANK)]
    noise = [sample_noise(coins, RANK + i) for i in range(RANK)]
    u = [plus(inverse_ntt(dot(column, once)), e) for column, e in zip(columns, noise)]
    bits = [(bit * Q + 1) // 2 for bit in decode(message, 1)]
    v = plus(plus(inverse_ntt(dot(lines, once)), sample_noise(coins, 2 * RANK)), bits)
    return shared, b"".join(encode(compress(f, D_U), D_U) for f in u) + encode(compress(v, D_V), D_V)
