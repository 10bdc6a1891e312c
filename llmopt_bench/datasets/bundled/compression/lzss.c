/* LZSS with a 4 KiB window: hash chains find matches, a one-step lazy rule picks them, and each
 * flag byte describes eight items (literal, or 12-bit distance with 4-bit length).
 * The decoder checks every length and distance, so that damaged streams are refused. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 4096
#define MIN_MATCH 3
#define MAX_MATCH (MIN_MATCH + 15)
#define HASH_BITS 11
#define CHAIN_LIMIT 32
#define NIL (-1)

struct matcher
{
    const uint8_t *text;
    int32_t size;
    int32_t head[1 << HASH_BITS];
    int32_t prev[WINDOW];
};

struct match
{
    int32_t length;
    int32_t distance;
};

static unsigned hash3(const uint8_t *p)
{
    uint32_t key = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    return key * 2654435761u >> (32 - HASH_BITS);
}

static void matcher_insert(struct matcher *m, int32_t at)
{
    if (at + MIN_MATCH > m->size)
        return;
    unsigned h = hash3(m->text + at);
    m->prev[at % WINDOW] = m->head[h];
    m->head[h] = at;
}

static struct match matcher_find(const struct matcher *m, int32_t at)
{
    struct match best = {0, 0};
    int32_t limit = m->size - at < MAX_MATCH ? m->size - at : MAX_MATCH;
    if (limit < MIN_MATCH)
        return best;
    int32_t cand = m->head[hash3(m->text + at)];
    for (int tries = CHAIN_LIMIT; cand != NIL && at - cand < WINDOW && tries > 0; tries--) {
        int32_t len = 0;
        while (len < limit && m->text[cand + len] == m->text[at + len])
            len++;
        if (len > best.length)
            best = (struct match){len, at - cand};
        if (len == limit)
            break;
        cand = m->prev[cand % WINDOW];
    }
    return best.length < MIN_MATCH ? (struct match){0, 0} : best;
}

/* dst must hold n + n / 8 + 2 bytes, the size of a stream of literals alone. */
size_t lzss_pack(const uint8_t *src, int32_t n, uint8_t *dst)
{
    struct matcher *m = malloc(sizeof *m);
    if (!m)
        return 0;
    m->text = src;
    m->size = n;
    for (size_t i = 0; i < sizeof m->head / sizeof m->head[0]; i++)
        m->head[i] = NIL;

    size_t out = 0, flag_at = 0;
    unsigned item = 0;
    for (int32_t at = 0; at < n; item++) {
        if (item % 8 == 0) {
            flag_at = out;
            dst[out++] = 0;
        }
        struct match here = matcher_find(m, at);
        matcher_insert(m, at);
        if (here.length && at + 1 < n && matcher_find(m, at + 1).length > here.length)
            here.length = 0; /* a literal now buys a longer match at the next byte */
        if (here.length == 0) {
            dst[out++] = src[at++];
            continue;
        }
        dst[flag_at] |= (uint8_t)(1u << item % 8);
        dst[out++] = (uint8_t)here.distance;
        dst[out++] = (uint8_t)(here.distance >> 8 << 4 | (here.length - MIN_MATCH));
        for (int32_t i = 1; i < here.length; i++)
            matcher_insert(m, at + i);
        at += here.length;
    }
    free(m);
    return out;
}

/* Returns the number of bytes written, or -1 for a stream that is cut or points outside. */
long lzss_unpack(const uint8_t *src, size_t n, uint8_t *dst, size_t room)
{
    size_t in = 0, out = 0;
    while (in < n) {
        unsigned flags = src[in++];
        for (int bit = 0; bit < 8 && in < n; bit++, flags >>= 1) {
            if (!(flags & 1)) {
                if (out == room)
                    return -1;
                dst[out++] = src[in++];
                continue;
            }
            if (n - in < 2)
                return -1;
            size_t distance = src[in] | (size_t)(src[in + 1] >> 4) << 8;
            size_t length = (src[in + 1] & 15u) + MIN_MATCH;
            in += 2;
            if (distance == 0 || distance > out || length > room - out)
                return -1;
            for (; length; length--, out++)
                dst[out] = dst[out - distance]; /* overlap repeats, so no memcpy */
        }
    }
    return (long)out;
}

static int32_t fill_log(uint8_t *buf, int32_t n)
{
    static const char *const verb[] = {"opened", "closed", "renamed", "linked"};
    int32_t len = 0;
    uint32_t s = 7;
    while (len + 64 < n) {
        s = s * 69069u + 1u;
        len += sprintf((char *)buf + len, "%05u user%u %s /srv/data/%u.log\n", (unsigned)len,
                       (unsigned)(s >> 28), verb[s >> 20 & 3], (unsigned)(s >> 24 & 63));
    }
    return len;
}

int main(void)
{
    enum { ROOM = 24000 };
    static uint8_t plain[ROOM], packed[ROOM + ROOM / 8 + 2], back[ROOM];
    static const uint8_t too_far[] = {0x02, 'x', 0x05, 0x01}, cut[] = {0x01, 0x01};
    int bad = 0;

    for (int round = 0; round < 3; round++) {
        int32_t n = fill_log(plain, ROOM);
        for (int32_t i = 0; round > 0 && i < n; i++)
            plain[i] = round == 1 ? (uint8_t)((i * (i >> 7)) >> 3) : (uint8_t)(plain[i] & 1);
        size_t size = lzss_pack(plain, n, packed);
        long got = lzss_unpack(packed, size, back, ROOM);
        int same = got == n && memcmp(plain, back, (size_t)n) == 0;
        printf("input %d: %d -> %zu (%zu permille) %s\n", round, (int)n, size,
               size * 1000 / (size_t)n, same ? "ok" : "DIFFERS");
        bad |= !same;
        bad |= lzss_unpack(packed, size, back, (size_t)n - 1) != -1;
    }
    bad |= lzss_unpack(too_far, sizeof too_far, back, ROOM) != -1;
    bad |= lzss_unpack(cut, sizeof cut, back, ROOM) != -1;
    printf("damaged streams %s\n", bad ? "NOT refused" : "refused");
    return bad;
}
