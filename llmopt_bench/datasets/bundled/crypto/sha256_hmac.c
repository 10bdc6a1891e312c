/*
 * SHA-256 with HMAC (RFC 2104) and PBKDF2 on top of it.
 * The hash is incremental; HMAC keeps the two keyed midstates so that PBKDF2 iterations cost two
 * compressions each.  Known answers: FIPS 180 messages, RFC 4231 cases, a long streamed message.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BLOCK  64
#define SHA256_DIGEST 32

typedef struct sha256_ctx {
    uint32_t state[8];
    uint64_t length;
    uint8_t  block[SHA256_BLOCK];
} sha256_ctx;

typedef struct hmac_key {
    sha256_ctx inner;
    sha256_ctx outer;
} hmac_key;

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t ror(uint32_t x, int n) {
    return (x >> n) | (x << (32 - n));
}

static inline uint32_t big_sigma0(uint32_t x)   { return ror(x, 2) ^ ror(x, 13) ^ ror(x, 22); }
static inline uint32_t big_sigma1(uint32_t x)   { return ror(x, 6) ^ ror(x, 11) ^ ror(x, 25); }
static inline uint32_t small_sigma0(uint32_t x) { return ror(x, 7) ^ ror(x, 18) ^ (x >> 3); }
static inline uint32_t small_sigma1(uint32_t x) { return ror(x, 17) ^ ror(x, 19) ^ (x >> 10); }

static void store_be32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static void sha256_compress(uint32_t state[8], const uint8_t *p) {
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    for (int t = 0; t < 16; t++, p += 4)
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int t = 16; t < 64; t++)
        w[t] = small_sigma1(w[t - 2]) + w[t - 7] + small_sigma0(w[t - 15]) + w[t - 16];

    for (int t = 0; t < 64; t++) {
        uint32_t t1 = h + big_sigma1(e) + ((e & f) ^ (~e & g)) + K[t] + w[t];
        uint32_t t2 = big_sigma0(a) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }

    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_init(sha256_ctx *ctx) {
    static const uint32_t start[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(ctx->state, start, sizeof start);
    ctx->length = 0;
}

void sha256_update(sha256_ctx *ctx, const void *data, size_t n) {
    const uint8_t *p = data;
    size_t have = ctx->length % SHA256_BLOCK;

    ctx->length += n;
    if (have + n < SHA256_BLOCK) {
        memcpy(ctx->block + have, p, n);
        return;
    }
    if (have) {
        size_t need = SHA256_BLOCK - have;
        memcpy(ctx->block + have, p, need);
        sha256_compress(ctx->state, ctx->block);
        p += need;
        n -= need;
    }
    for (; n >= SHA256_BLOCK; p += SHA256_BLOCK, n -= SHA256_BLOCK)
        sha256_compress(ctx->state, p);
    memcpy(ctx->block, p, n);
}

void sha256_final(sha256_ctx *ctx, uint8_t digest[SHA256_DIGEST]) {
    size_t have = ctx->length % SHA256_BLOCK;

    ctx->block[have++] = 0x80;
    if (have > SHA256_BLOCK - 8) {
        memset(ctx->block + have, 0, SHA256_BLOCK - have);
        sha256_compress(ctx->state, ctx->block);
        have = 0;
    }
    memset(ctx->block + have, 0, SHA256_BLOCK - 8 - have);
    store_be32(ctx->block + 56, (uint32_t)(ctx->length >> 29));
    store_be32(ctx->block + 60, (uint32_t)(ctx->length << 3));
    sha256_compress(ctx->state, ctx->block);
    for (int i = 0; i < 8; i++)
        store_be32(digest + 4 * i, ctx->state[i]);
}

void hmac_key_init(hmac_key *hk, const void *key, size_t n) {
    uint8_t pad[SHA256_BLOCK] = {0};

    if (n > SHA256_BLOCK) {
        sha256_init(&hk->inner);
        sha256_update(&hk->inner, key, n);
        sha256_final(&hk->inner, pad);
    } else
        memcpy(pad, key, n);

    for (int i = 0; i < SHA256_BLOCK; i++)
        pad[i] ^= 0x36;
    sha256_init(&hk->inner);
    sha256_update(&hk->inner, pad, sizeof pad);
    for (int i = 0; i < SHA256_BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_init(&hk->outer);
    sha256_update(&hk->outer, pad, sizeof pad);
}

void hmac_sha256(const hmac_key *hk, const void *msg, size_t n, uint8_t mac[SHA256_DIGEST]) {
    sha256_ctx ctx = hk->inner;

    sha256_update(&ctx, msg, n);
    sha256_final(&ctx, mac);
    ctx = hk->outer;
    sha256_update(&ctx, mac, SHA256_DIGEST);
    sha256_final(&ctx, mac);
}

/* salt holds salt_len bytes and room for the four-byte block number after them. */
void pbkdf2_sha256(const char *password, uint8_t *salt, size_t salt_len, unsigned rounds,
                   uint8_t *out, size_t out_len) {
    hmac_key hk;
    uint8_t u[SHA256_DIGEST], sum[SHA256_DIGEST];

    hmac_key_init(&hk, password, strlen(password));
    for (uint32_t index = 1; out_len > 0; index++) {
        store_be32(salt + salt_len, index);
        hmac_sha256(&hk, salt, salt_len + 4, u);
        memcpy(sum, u, sizeof sum);
        for (unsigned r = 1; r < rounds; r++) {
            hmac_sha256(&hk, u, sizeof u, u);
            for (int i = 0; i < SHA256_DIGEST; i++)
                sum[i] ^= u[i];
        }
        size_t take = out_len < sizeof sum ? out_len : sizeof sum;
        memcpy(out, sum, take);
        out += take;
        out_len -= take;
    }
}

static int failures;

static void expect(const char *what, const uint8_t *got, size_t n, const char *hex) {
    int same = strlen(hex) == 2 * n;

    printf("%-14s ", what);
    for (size_t i = 0; i < n; i++) {
        char pair[3];
        snprintf(pair, sizeof pair, "%02x", got[i]);
        same = same && memcmp(pair, hex + 2 * i, 2) == 0;
        fputs(pair, stdout);
    }
    puts(same ? "" : "  WRONG");
    failures += !same;
}

static void expect_hash(const char *what, const char *piece, int times, const char *hex) {
    sha256_ctx ctx;
    uint8_t md[SHA256_DIGEST];

    sha256_init(&ctx);
    while (times-- > 0)
        sha256_update(&ctx, piece, strlen(piece));
    sha256_final(&ctx, md);
    expect(what, md, sizeof md, hex);
}

static void expect_hmac(const char *what, const uint8_t *key, size_t n, const char *msg,
                        const char *hex) {
    hmac_key hk;
    uint8_t mac[SHA256_DIGEST];

    hmac_key_init(&hk, key, n);
    hmac_sha256(&hk, msg, strlen(msg), mac);
    expect(what, mac, sizeof mac, hex);
}

int main(void) {
    uint8_t key[131], derived[40], salt[8] = "salt";

    expect_hash("empty", "", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash("abc", "abc", 1,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hash("448 bits", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect_hash("200000 bytes", "aaaaaaaaaa", 20000,
                "2287d207f24a941ff3b56c04c8a25ad56b63e3023207b3bb5b4ac0c9869d74be");

    memset(key, 0x0b, 20);
    expect_hmac("rfc4231 #1", key, 20, "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_hmac("rfc4231 #2", (const uint8_t *)"Jefe", 4, "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    expect_hmac("rfc4231 #6", key, sizeof key,
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

    pbkdf2_sha256("password", salt, 4, 200, derived, sizeof derived);
    expect("pbkdf2 x200", derived, sizeof derived,
           "95423de0265e652c929d1cede07dcbb2856850556ed248c0758732540210fd72e8426232cee4dfd3");
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
