/*
 * A TCP-like transport over a simulated link: the connection state machine of RFC 9293, sequence
 * arithmetic that wraps, go-back-N retransmission with backoff, and a link that delays, drops
 * and duplicates segments from a fixed random stream.  Scenarios print a segment trace or a
 * summary, and each transfer must arrive intact.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSS 64
#define WINDOW 320
#define LINK_SLOTS 128
#define MAX_STREAM 4096
#define MAX_RETRIES 9
#define BASE_RTO 12
#define LINGER 60

enum tcp_state {
    CLOSED,
    LISTEN,
    SYN_SENT,
    SYN_RCVD,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
};

static const char *const state_names[] = {
    "CLOSED",     "LISTEN",     "SYN-SENT",   "SYN-RCVD", "ESTABLISHED", "FIN-WAIT-1",
    "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",    "LAST-ACK", "TIME-WAIT",
};

enum { FIN = 1, SYN = 2, RST = 4, ACK = 8 };

struct segment {
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags;
    uint8_t len;
    uint8_t data[MSS];
};

struct flight {
    bool used;
    int due, to;
    unsigned order;
    struct segment seg;
};

struct link {
    struct flight slot[LINK_SLOTS];
    unsigned next_order;
    uint32_t rng;
    int loss_percent, dup_percent, delay, jitter;
    int sent, lost, duplicated;
};

struct endpoint {
    enum tcp_state state;
    int id;
    uint32_t iss, irs;
    uint32_t snd_una, snd_nxt, snd_max, rcv_nxt;
    uint16_t peer_window;
    const uint8_t *tx;
    uint32_t tx_len;
    bool close_when_sent;
    uint8_t rx[MAX_STREAM];
    uint32_t rx_len;
    int rto, rto_at, retries, retransmitted, linger_until;
    bool refused;
};

struct network {
    struct link link;
    struct endpoint end[2];
    int now, trace_left;
};

/* ---- sequence arithmetic: a is before b when b - a is a small positive step ---- */

static bool before(uint32_t a, uint32_t b)
{
    return a != b && b - a < 0x80000000u;
}

static bool within(uint32_t low, uint32_t x, uint32_t high)
{
    return !before(x, low) && !before(high, x);
}

static uint32_t sequence_length(const struct segment *s)
{
    return s->len + (s->flags & SYN ? 1u : 0u) + (s->flags & FIN ? 1u : 0u);
}

/* ---- link ---- */

static uint32_t roll(struct link *l, uint32_t bound)
{
    l->rng ^= l->rng << 13;
    l->rng ^= l->rng >> 17;
    l->rng ^= l->rng << 5;
    return bound ? l->rng % bound : 0;
}

static void trace(struct network *n, const char *fmt, ...)
{
    va_list ap;
    if (n->trace_left <= 0)
        return;
    n->trace_left--;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

static void flag_text(uint8_t flags, char *out)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "ACK"};
    *out = '\0';
    for (int i = 0; i < 4; i++)
        if (flags >> i & 1) {
            if (*out)
                strcat(out, ",");
            strcat(out, names[i]);
        }
}

static void enqueue(struct network *n, int to, const struct segment *s)
{
    struct link *l = &n->link;
    for (int i = 0; i < LINK_SLOTS; i++)
        if (!l->slot[i].used) {
            int due = n->now + l->delay + (int)roll(l, (uint32_t)l->jitter + 1);
            l->slot[i] = (struct flight){true, due, to, l->next_order++, *s};
            return;
        }
    l->lost++; /* a full queue drops the tail */
}

static void transmit(struct network *n, struct endpoint *from, const struct segment *s)
{
    struct link *l = &n->link;
    char flags[20];
    bool lost = roll(l, 100) < (uint32_t)l->loss_percent;
    flag_text(s->flags, flags);
    trace(n, "  %4d %c %-8s seq=%-5u ack=%-5u len=%-3d %s%s\n", n->now, 'A' + from->id, flags,
          s->flags & (SYN | RST) ? 0u : s->seq - from->iss, s->flags & ACK ? s->ack - from->irs : 0u, s->len,
          state_names[from->state], lost ? " (lost)" : "");
    l->sent++;
    if (lost) {
        l->lost++;
        return;
    }
    enqueue(n, !from->id, s);
    if (roll(l, 100) < (uint32_t)l->dup_percent) {
        l->duplicated++;
        enqueue(n, !from->id, s);
    }
}

/* ---- sending side ---- */

static struct segment blank(const struct endpoint *e, uint8_t flags)
{
    struct segment s;
    memset(&s, 0, sizeof s);
    s.seq = e->snd_nxt;
    s.ack = e->rcv_nxt;
    s.window = WINDOW;
    s.flags = flags;
    return s;
}

static void send_ack(struct network *n, struct endpoint *e)
{
    struct segment s = blank(e, ACK);
    s.seq = e->snd_max; /* even while going back, a bare ACK carries the newest number */
    transmit(n, e, &s);
}

static void arm_timer(struct network *n, struct endpoint *e)
{
    e->rto_at = e->snd_una == e->snd_max ? 0 : n->now + e->rto;
}

static void advance(struct network *n, struct endpoint *e, const struct segment *s)
{
    if (before(e->snd_nxt, e->snd_max))
        e->retransmitted++;
    e->snd_nxt += sequence_length(s);
    if (before(e->snd_max, e->snd_nxt))
        e->snd_max = e->snd_nxt;
    if (e->rto_at == 0)
        e->rto_at = n->now + e->rto;
    transmit(n, e, s);
}

static bool may_send_data(enum tcp_state s)
{
    return s == ESTABLISHED || s == CLOSE_WAIT || s == FIN_WAIT_1 || s == CLOSING || s == LAST_ACK;
}

/* Sends whatever the state and the peer's window allow, from snd_nxt onward.  SYN, data and FIN
 * share one sequence space, so retransmission only has to move snd_nxt back. */
static void output(struct network *n, struct endpoint *e)
{
    if ((e->state == SYN_SENT || e->state == SYN_RCVD) && e->snd_nxt == e->iss) {
        struct segment s = blank(e, e->state == SYN_SENT ? SYN : SYN | ACK);
        advance(n, e, &s);
        return;
    }
    while (may_send_data(e->state) && e->snd_nxt - e->snd_una < e->peer_window) {
        uint32_t at = e->snd_nxt - e->iss - 1;
        if (at < e->tx_len) {
            struct segment s = blank(e, ACK);
            uint32_t room = e->peer_window - (e->snd_nxt - e->snd_una);
            uint32_t chunk = e->tx_len - at < MSS ? e->tx_len - at : MSS;
            s.len = (uint8_t)(chunk < room ? chunk : room);
            memcpy(s.data, e->tx + at, s.len);
            advance(n, e, &s);
        } else if (at == e->tx_len && e->close_when_sent) {
            struct segment s = blank(e, FIN | ACK);
            if (e->state == ESTABLISHED)
                e->state = FIN_WAIT_1;
            else if (e->state == CLOSE_WAIT)
                e->state = LAST_ACK;
            advance(n, e, &s);
        } else {
            break;
        }
    }
}

/* ---- receiving side ---- */

static void become_closed(struct endpoint *e, bool refused)
{
    e->state = CLOSED;
    e->refused = refused;
    e->rto_at = 0;
}

static void linger(struct network *n, struct endpoint *e)
{
    e->state = TIME_WAIT;
    e->rto_at = 0;
    e->linger_until = n->now + LINGER;
}

static void reply_reset(struct network *n, struct endpoint *e, const struct segment *in)
{
    struct segment s;
    if (in->flags & RST)
        return;
    s = blank(e, in->flags & ACK ? RST : RST | ACK);
    s.seq = in->flags & ACK ? in->ack : 0;
    s.ack = in->seq + sequence_length(in);
    transmit(n, e, &s);
}

static void take_ack(struct network *n, struct endpoint *e, const struct segment *in)
{
    if (!(in->flags & ACK) || !within(e->snd_una, in->ack, e->snd_max))
        return;
    e->peer_window = in->window;
    if (in->ack == e->snd_una)
        return;
    e->snd_una = in->ack;
    if (before(e->snd_nxt, e->snd_una))
        e->snd_nxt = e->snd_una;
    e->retries = 0;
    e->rto = BASE_RTO;
    arm_timer(n, e);
    if (e->state == SYN_RCVD)
        e->state = ESTABLISHED;
    if (e->snd_una != e->iss + e->tx_len + 2)
        return;
    switch (e->state) { /* our FIN has been acknowledged */
    case FIN_WAIT_1: e->state = FIN_WAIT_2; break;
    case CLOSING: linger(n, e); break;
    case LAST_ACK: become_closed(e, false); break;
    default: break;
    }
}

static void take_fin(struct network *n, struct endpoint *e)
{
    e->rcv_nxt++;
    switch (e->state) {
    case ESTABLISHED:
        e->state = CLOSE_WAIT;
        e->close_when_sent = true;
        break;
    case FIN_WAIT_1: e->state = CLOSING; break;
    case FIN_WAIT_2: linger(n, e); break;
    default: break;
    }
}

static void on_syn_sent(struct network *n, struct endpoint *e, const struct segment *in)
{
    bool acceptable = (in->flags & ACK) && in->ack == e->iss + 1;
    if ((in->flags & ACK) && !acceptable) {
        reply_reset(n, e, in);
        return;
    }
    if (in->flags & RST) {
        if (acceptable)
            become_closed(e, true);
        return;
    }
    if (!(in->flags & SYN))
        return;
    e->irs = in->seq;
    e->rcv_nxt = in->seq + 1;
    if (acceptable) {
        e->state = ESTABLISHED;
        take_ack(n, e, in);
        send_ack(n, e);
    } else { /* both sides opened at once */
        e->state = SYN_RCVD;
        e->snd_nxt = e->iss;
    }
}

static void on_synchronised(struct network *n, struct endpoint *e, const struct segment *in)
{
    uint32_t length = sequence_length(in);
    if (in->seq != e->rcv_nxt) {
        /* Old or early: say again what is expected.  Early data is not kept (go-back-N). */
        if (!(in->flags & RST)) {
            if (length)
                send_ack(n, e);
            if (before(in->seq, e->rcv_nxt) || !length)
                take_ack(n, e, in);
        }
        return;
    }
    if (in->flags & RST) {
        become_closed(e, true);
        return;
    }
    take_ack(n, e, in);
    if (e->state == SYN_RCVD || e->state == CLOSED)
        return;
    if (in->len && e->rx_len + in->len <= MAX_STREAM) {
        memcpy(e->rx + e->rx_len, in->data, in->len);
        e->rx_len += in->len;
        e->rcv_nxt += in->len;
    }
    if (in->flags & FIN)
        take_fin(n, e);
    if (length)
        send_ack(n, e);
}

static void receive(struct network *n, struct endpoint *e, const struct segment *in)
{
    switch (e->state) {
    case CLOSED:
        reply_reset(n, e, in);
        break;
    case LISTEN:
        if (in->flags & (RST | ACK)) {
            reply_reset(n, e, in);
        } else if (in->flags & SYN) {
            e->irs = in->seq;
            e->rcv_nxt = in->seq + 1;
            e->state = SYN_RCVD;
        }
        break;
    case SYN_SENT:
        on_syn_sent(n, e, in);
        break;
    default:
        on_synchronised(n, e, in);
        break;
    }
    output(n, e);
}

static void on_timers(struct network *n, struct endpoint *e)
{
    if (e->state == TIME_WAIT && n->now >= e->linger_until)
        become_closed(e, false);
    if (e->rto_at == 0 || n->now < e->rto_at)
        return;
    if (++e->retries > MAX_RETRIES) {
        become_closed(e, true);
        return;
    }
    e->snd_nxt = e->snd_una;
    e->rto = e->rto < 8 * BASE_RTO ? e->rto * 2 : e->rto;
    e->rto_at = n->now + e->rto;
    output(n, e);
}

/* ---- driving ---- */

static void deliver_due(struct network *n)
{
    for (;;) {
        struct flight *next = NULL;
        for (int i = 0; i < LINK_SLOTS; i++) {
            struct flight *f = &n->link.slot[i];
            if (f->used && f->due <= n->now &&
                (!next || f->due < next->due || (f->due == next->due && f->order < next->order)))
                next = f;
        }
        if (!next)
            return;
        struct segment s = next->seg;
        next->used = false;
        receive(n, &n->end[next->to], &s);
    }
}

static void endpoint_init(struct endpoint *e, int id, uint32_t iss, const uint8_t *tx, uint32_t len)
{
    memset(e, 0, sizeof *e);
    e->id = id;
    e->iss = e->snd_una = e->snd_nxt = e->snd_max = iss;
    e->tx = tx;
    e->tx_len = len;
    e->rto = BASE_RTO;
    e->peer_window = WINDOW;
}

static void open_active(struct network *n, struct endpoint *e, bool close_when_sent)
{
    e->state = SYN_SENT;
    e->close_when_sent = close_when_sent;
    output(n, e);
}

static bool network_run(struct network *n, int limit)
{
    for (; n->now < limit; n->now++) {
        deliver_due(n);
        on_timers(n, &n->end[0]);
        on_timers(n, &n->end[1]);
        if (n->end[0].state == CLOSED && (n->end[1].state == CLOSED || n->end[1].state == LISTEN))
            return true;
    }
    return false;
}

struct scenario {
    const char *name;
    uint32_t a_bytes, b_bytes;
    int loss, dup, jitter, trace;
    bool b_listens, b_opens, b_closes;
};

static bool arrived(const struct endpoint *to, const struct endpoint *from)
{
    return to->rx_len == from->tx_len && memcmp(to->rx, from->tx, to->rx_len) == 0;
}

static bool play(const struct scenario *sc, const uint8_t *text)
{
    struct network *n = calloc(1, sizeof *n);
    if (!n)
        return false;
    n->link.rng = 0x1234567u;
    n->link.loss_percent = sc->loss;
    n->link.dup_percent = sc->dup;
    n->link.delay = 3;
    n->link.jitter = sc->jitter;
    n->trace_left = sc->trace;
    endpoint_init(&n->end[0], 0, 0xffffff00u, text, sc->a_bytes);
    endpoint_init(&n->end[1], 1, 0x7fffffe0u, text + 100, sc->b_bytes);
    printf("%s\n", sc->name);
    if (sc->b_listens)
        n->end[1].state = LISTEN;
    open_active(n, &n->end[0], true);
    if (sc->b_opens)
        open_active(n, &n->end[1], true);
    n->end[1].close_when_sent |= sc->b_closes;

    bool done = network_run(n, 20000);
    bool ok = done;
    if (sc->b_listens || sc->b_opens)
        ok = ok && arrived(&n->end[1], &n->end[0]) && arrived(&n->end[0], &n->end[1]);
    else
        ok = ok && n->end[0].refused;
    printf("  end t=%d A %s%s, B %s; sent %d lost %d dup %d; again %d+%d; got %u+%u: %s\n", n->now,
           state_names[n->end[0].state], n->end[0].refused ? " (refused)" : "",
           state_names[n->end[1].state], n->link.sent, n->link.lost, n->link.duplicated,
           n->end[0].retransmitted, n->end[1].retransmitted, (unsigned)n->end[1].rx_len,
           (unsigned)n->end[0].rx_len, ok ? "ok" : "FAILED");
    free(n);
    return ok;
}

int main(void)
{
    static const struct scenario scenarios[] = {
        {"short exchange", 100, 30, 0, 0, 0, 40, true, false, false},
        {"refused", 10, 0, 0, 0, 0, 10, false, false, false},
        {"simultaneous open and close", 0, 0, 0, 0, 0, 40, false, true, true},
        {"bulk, clean link", 3500, 200, 0, 0, 0, 0, true, false, true},
        {"bulk, 10% loss", 3500, 1200, 10, 0, 2, 0, true, false, false},
        {"bulk, 25% loss, duplicates, reordering", 2500, 900, 25, 15, 6, 0, true, false, true},
    };
    static uint8_t text[MAX_STREAM];
    int failures = 0;

    for (unsigned i = 0; i < MAX_STREAM; i++)
        text[i] = (uint8_t)(i * 31u + (i >> 5));
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        failures += !play(&scenarios[i], text);
    return failures ? 1 : 0;
}
