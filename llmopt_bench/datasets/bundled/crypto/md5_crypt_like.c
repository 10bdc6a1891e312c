/* MD5 (RFC 1321) and the iterated password stretching known from "$1$" crypt strings.
 * The digest code works on a context that callers feed in pieces, as the stretching needs: a
 * thousand rounds, each of which hashes a different arrangement of password, salt and last digest.
 * main checks the RFC 1321 suite and crypt strings that the usual system tools agree with. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Md5 {
    uint32_t a, b, c, d;
    uint64_t total;
    unsigned char tail[64];
} Md5;

static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
    0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
    0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
    0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
    0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const unsigned char shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t mix_f(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
static uint32_t mix_g(uint32_t x, uint32_t y, uint32_t z) { return y ^ (z & (x ^ y)); }
static uint32_t mix_h(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }
static uint32_t mix_i(uint32_t x, uint32_t y, uint32_t z) { return y ^ (x | ~z); }

static const struct {
    uint32_t (*mix)(uint32_t, uint32_t, uint32_t);
    unsigned step, offset; /* word used in operation i: (i * step + offset) mod 16 */
} passes[4] = {{mix_f, 1, 0}, {mix_g, 5, 1}, {mix_h, 3, 5}, {mix_i, 7, 0}};

static void md5_block(Md5 *ctx, const unsigned char *p) {
    uint32_t x[16], a = ctx->a, b = ctx->b, c = ctx->c, d = ctx->d;
    for (int i = 0; i < 16; i++)
        x[i] = p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
               (uint32_t)p[4 * i + 3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned pass = i / 16, shift = shifts[pass][i % 4];
        uint32_t sum = a + passes[pass].mix(b, c, d) + sines[i] +
                       x[(i * passes[pass].step + passes[pass].offset) % 16];
        a = d;
        d = c;
        c = b;
        b += sum << shift | sum >> (32 - shift);
    }
    ctx->a += a;
    ctx->b += b;
    ctx->c += c;
    ctx->d += d;
}

void md5_begin(Md5 *ctx) {
    *ctx = (Md5){.a = 0x67452301, .b = 0xefcdab89, .c = 0x98badcfe, .d = 0x10325476};
}

void md5_add(Md5 *ctx, const void *data, size_t n) {
    const unsigned char *p = data;
    size_t used = ctx->total & 63;
    ctx->total += n;
    while (n) {
        size_t take = 64 - used < n ? 64 - used : n;
        memcpy(ctx->tail + used, p, take);
        used += take;
        p += take;
        n -= take;
        if (used == 64) {
            md5_block(ctx, ctx->tail);
            used = 0;
        }
    }
}

void md5_end(Md5 *ctx, unsigned char out[16]) {
    static const unsigned char padding[64] = {0x80};
    unsigned char bits[8];
    for (int i = 0; i < 8; i++)
        bits[i] = (unsigned char)(ctx->total * 8 >> 8 * i);
    md5_add(ctx, padding, 1 + ((119 - (ctx->total & 63)) & 63));
    md5_add(ctx, bits, sizeof bits);
    const uint32_t words[4] = {ctx->a, ctx->b, ctx->c, ctx->d};
    for (int i = 0; i < 16; i++)
        out[i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
}

static char *put64(char *s, uint32_t v, int digits) {
    static const char set[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while (digits-- > 0) {
        *s++ = set[v & 63];
        v >>= 6;
    }
    return s;
}

static void first_digest(const char *pw, size_t pn, const char *salt, size_t sn, unsigned char md[16]) {
    Md5 ctx;
    md5_begin(&ctx);
    md5_add(&ctx, pw, pn);
    md5_add(&ctx, salt, sn);
    md5_add(&ctx, pw, pn);
    md5_end(&ctx, md);

    md5_begin(&ctx);
    md5_add(&ctx, pw, pn);
    md5_add(&ctx, "$1$", 3);
    md5_add(&ctx, salt, sn);
    for (size_t left = pn; left; left -= left < 16 ? left : 16)
        md5_add(&ctx, md, left < 16 ? left : 16);
    for (size_t bits = pn; bits; bits >>= 1)
        md5_add(&ctx, bits & 1 ? "" : pw, 1); /* a zero byte or the first password byte */
    md5_end(&ctx, md);
}

/* out takes "$1$", up to eight salt characters, "$" and 22 digits; longer salts are cut. */
void md5_crypt(const char *pw, const char *salt, char out[36]) {
    size_t pn = strlen(pw), sn = strlen(salt) < 8 ? strlen(salt) : 8;
    unsigned char md[16];
    Md5 ctx;

    first_digest(pw, pn, salt, sn, md);
    for (unsigned round = 0; round < 1000; round++) {
        bool odd = round & 1;
        md5_begin(&ctx);
        md5_add(&ctx, odd ? (const void *)pw : md, odd ? pn : sizeof md);
        if (round % 3)
            md5_add(&ctx, salt, sn);
        if (round % 7)
            md5_add(&ctx, pw, pn);
        md5_add(&ctx, odd ? (const void *)md : pw, odd ? sizeof md : pn);
        md5_end(&ctx, md);
    }

    char *s = out + sprintf(out, "$1$%.*s$", (int)sn, salt);
    for (int i = 0; i < 5; i++) {
        int third = i == 4 ? 5 : i + 12;
        s = put64(s, (uint32_t)md[i] << 16 | (uint32_t)md[i + 6] << 8 | md[third], 4);
    }
    *put64(s, md[11], 2) = '\0';
}

static int check_digest(const char *text, const char *expected) {
    unsigned char md[16];
    char hex[33];
    Md5 ctx;
    md5_begin(&ctx);
    for (const char *p = text; *p; p++)
        md5_add(&ctx, p, 1);
    md5_end(&ctx, md);
    for (int i = 0; i < 16; i++)
        sprintf(hex + 2 * i, "%02x", md[i]);
    printf("md5 %s \"%.16s\"\n", hex, text);
    return strcmp(hex, expected) != 0;
}

static int check_crypt(const char *pw, const char *salt, const char *expected) {
    char got[36];
    md5_crypt(pw, salt, got);
    bool same = strcmp(got, expected) == 0;
    printf("%s %s\n", got, same ? "verified" : "MISMATCH");
    return !same;
}

int main(void) {
    int bad = 0;
    bad += check_digest("",
                        "d41d8cd98f00b204e9800998ecf8427e");
    bad += check_digest("a",
                        "0cc175b9c0f1b6a831c399e269772661");
    bad += check_digest("message digest",
                        "f96b697d7cb7938d525a2f31aaf161d0");
    bad += check_digest("abcdefghijklmnopqrstuvwxyz",
                        "c3fcd3d76192e4007dfb496cca67e13b");
    bad += check_digest("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                        "57edf4a22be3c955ac49da2e2107b67a");
    bad += check_crypt("correct horse", "Zk3.ab/9",
                       "$1$Zk3.ab/9$mJU/2ae1psiazmNWqb2B7/");
    bad += check_crypt("", "saltsalt",
                       "$1$saltsalt$5Jhcit4zN9UlGiA0txPkO0");
    bad += check_crypt("a rather long pass phrase, over sixteen", "x",
                       "$1$x$3wFtvWxhN4OwdWWWFEkss0");
    return bad ? 1 : 0;
}
