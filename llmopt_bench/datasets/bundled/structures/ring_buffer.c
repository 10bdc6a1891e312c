/*
 * A byte ring with free-running counters, as drivers use them: peek, partial reads and writes in
 * two pieces over the seam, and records with a length prefix. A naive queue runs alongside.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define RING_SIZE 64u /* a power of two, so that the counters may wrap */
#define MIN(a, b) ((a) < (b) ? (a) : (b))

struct ring {
    uint8_t bytes[RING_SIZE];
    uint32_t head; /* bytes ever written, modulo 2^32 */
    uint32_t tail; /* bytes ever read */
    uint32_t dropped;
};

uint32_t ring_used(const struct ring *r) { return r->head - r->tail; }

uint32_t ring_write(struct ring *r, const void *data, uint32_t n)
{
    uint32_t room = RING_SIZE - ring_used(r);
    n = MIN(n, room);
    uint32_t at = r->head & (RING_SIZE - 1);
    uint32_t first = MIN(n, RING_SIZE - at);
    memcpy(r->bytes + at, data, first);
    memcpy(r->bytes, (const uint8_t *)data + first, n - first);
    r->head += n;
    return n;
}

uint32_t ring_peek(const struct ring *r, void *data, uint32_t n)
{
    n = MIN(n, ring_used(r));
    uint32_t at = r->tail & (RING_SIZE - 1);
    uint32_t first = MIN(n, RING_SIZE - at);
    memcpy(data, r->bytes + at, first);
    memcpy((uint8_t *)data + first, r->bytes, n - first);
    return n;
}

uint32_t ring_read(struct ring *r, void *data, uint32_t n)
{
    n = ring_peek(r, data, n);
    r->tail += n;
    return n;
}

/* All of a record or nothing of it. */
int ring_put_record(struct ring *r, const void *data, uint8_t n)
{
    if (RING_SIZE - ring_used(r) < n + 1u) {
        r->dropped++;
        return 0;
    }
    ring_write(r, &n, 1);
    ring_write(r, data, n);
    return 1;
}

int ring_get_record(struct ring *r, void *data)
{
    uint8_t n;
    if (!ring_read(r, &n, 1))
        return -1;
    return (int)ring_read(r, data, n);
}

static uint32_t state = 0x2545f491;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

int main(void)
{
    static uint8_t expected[1 << 16];
    uint32_t sent = 0, received = 0, sum = 0, records = 0, most = 0;
    struct ring r = {.head = 0xffffffe0u, .tail = 0xffffffe0u}; /* wraps early */
    uint8_t buffer[256];
    while (sent < sizeof expected - 256) {
        uint32_t n = draw(50);
        for (uint32_t i = 0; i < n; i++)
            expected[sent + i] = buffer[i] = (uint8_t)draw(256);
        sent += ring_write(&r, buffer, n);
        most = MIN(RING_SIZE, ring_used(&r) > most ? ring_used(&r) : most);
        n = ring_read(&r, buffer, draw(50));
        if (memcmp(buffer, expected + received, n) != 0)
            return 1;
        received += n;
        for (uint32_t i = 0; i < n; i++)
            sum = (sum << 5 | sum >> 27) ^ buffer[i];
    }
    printf("sent %u, received %u, left %u, most %u, sum %08x\n", sent, received, ring_used(&r), most, sum);
    while (ring_read(&r, buffer, 7))
        ;
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t n = (uint8_t)draw(24);
        memset(buffer, (int)i & 0xff, n);
        records += (uint32_t)ring_put_record(&r, buffer, n);
        if (draw(3) && (int)ring_get_record(&r, buffer) > 0)
            sum = sum * 31 + buffer[0];
    }
    printf("records %u, dropped %u, sum %08x\n", records, r.dropped, sum);
    return records + r.dropped == 500 && sent - received <= RING_SIZE ? 0 : 2;
}
