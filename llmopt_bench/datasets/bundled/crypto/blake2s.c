/*
 * BLAKE2s (RFC 7693): keyed and unkeyed hashing with any digest length up to 32 bytes, incremental.
 * main hashes "abc" and then runs the grand self-test of the RFC: one digest over the digests of
 * inputs of six lengths at four digest sizes, with and without a key.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

typedef struct {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t buf[64];
    size_t used, outlen;
} blake2s_state;

static const uint32_t IV[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                               0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* Columns of the 4x4 state, then its diagonals. */
static const uint8_t LANES[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};

static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static void mix(uint32_t *v, const uint8_t *lane, uint32_t x, uint32_t y) {
    uint32_t *a = v + lane[0], *b = v + lane[1], *c = v + lane[2], *d = v + lane[3];
    *a += *b + x, *d = ROTR(*d ^ *a, 16);
    *c += *d, *b = ROTR(*b ^ *c, 12);
    *a += *b + y, *d = ROTR(*d ^ *a, 8);
    *c += *d, *b = ROTR(*b ^ *c, 7);
}

static void compress(blake2s_state *s, int final) {
    uint32_t v[16], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = s->buf[4 * i] | (uint32_t)s->buf[4 * i + 1] << 8 |
               (uint32_t)s->buf[4 * i + 2] << 16 | (uint32_t)s->buf[4 * i + 3] << 24;
    memcpy(v, s->h, sizeof s->h);
    memcpy(v + 8, IV, sizeof IV);
    v[12] ^= (uint32_t)s->bytes;
    v[13] ^= (uint32_t)(s->bytes >> 32);
    v[14] ^= final ? 0xFFFFFFFFu : 0u;
    for (int r = 0; r < 10; r++)
        for (int i = 0; i < 8; i++)
            mix(v, LANES[i], m[SIGMA[r][2 * i]], m[SIGMA[r][2 * i + 1]]);
    for (int i = 0; i < 8; i++)
        s->h[i] ^= v[i] ^ v[i + 8];
    s->used = 0;
}

void blake2s_update(blake2s_state *s, const void *data, size_t n) {
    for (const uint8_t *p = data; n > 0;) {
        if (s->used == sizeof s->buf) { /* only now is it known not to be the last block */
            s->bytes += sizeof s->buf;
            compress(s, 0);
        }
        size_t take = sizeof s->buf - s->used < n ? sizeof s->buf - s->used : n;
        memcpy(s->buf + s->used, p, take);
        s->used += take;
        p += take;
        n -= take;
    }
}

void blake2s_init(blake2s_state *s, size_t outlen, const void *key, size_t keylen) {
    memset(s, 0, sizeof *s);
    memcpy(s->h, IV, sizeof IV);
    s->h[0] ^= 0x01010000u ^ (uint32_t)keylen << 8 ^ (uint32_t)outlen;
    s->outlen = outlen;
    if (keylen > 0) {
        memcpy(s->buf, key, keylen);
        s->used = sizeof s->buf;
    }
}

void blake2s_final(blake2s_state *s, uint8_t *out) {
    s->bytes += s->used;
    memset(s->buf + s->used, 0, sizeof s->buf - s->used);
    compress(s, 1);
    for (size_t i = 0; i < s->outlen; i++)
        out[i] = (uint8_t)(s->h[i / 4] >> (8 * (i % 4)));
}

static void selftest_bytes(uint8_t *out, size_t n) {
    uint32_t a = 0xDEAD4BADu * (uint32_t)n, b = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t t = a + b;
        a = b;
        b = t;
        out[i] = (uint8_t)(t >> 24);
    }
}

static int report(const char *label, const uint8_t digest[32], const char *expected) {
    char hex[65];
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    printf("%-6s %s\n", label, hex);
    return strcmp(hex, expected) != 0;
}

int main(void) {
    static const size_t md_len[4] = {16, 20, 28, 32}, in_len[6] = {0, 3, 64, 65, 255, 1024};
    uint8_t in[1024], key[32], md[32];
    blake2s_state s, grand;

    blake2s_init(&s, 32, NULL, 0);
    blake2s_update(&s, "abc", 3);
    blake2s_final(&s, md);
    int wrong = report("abc", md, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");

    blake2s_init(&grand, 32, NULL, 0);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 12; j++) {
            size_t n = in_len[j / 2], keylen = j % 2 ? md_len[i] : 0;
            selftest_bytes(in, n);
            selftest_bytes(key, keylen);
            blake2s_init(&s, md_len[i], key, keylen);
            blake2s_update(&s, in, n / 3);
            blake2s_update(&s, in + n / 3, n - n / 3);
            blake2s_final(&s, md);
            blake2s_update(&grand, md, md_len[i]);
        }
    }
    blake2s_final(&grand, md);
    return wrong | report("grand", md,
                          "6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe");
}
