/*
 * DNS message codec: builds messages with name compression, parses them defensively (pointer
 * loops, truncation, label limits) and prints them in a dig-like form.  A message is encoded,
 * decoded, encoded again and compared; then it is truncated and corrupted at every byte.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 256
#define MAX_MESSAGE 1024
#define MAX_RECORDS 16
#define MAX_TARGETS 64

enum rr_type { T_A = 1, T_NS = 2, T_CNAME = 5, T_SOA = 6, T_MX = 15, T_TXT = 16, T_AAAA = 28 };

enum dns_error {
    DNS_OK,
    DNS_SHORT,
    DNS_BAD_LABEL,
    DNS_BAD_POINTER,
    DNS_TOO_LONG,
    DNS_BAD_RDATA,
    DNS_NO_SPACE,
};

static const char *const error_names[] = {
    "ok", "message too short", "bad label", "bad pointer", "name too long", "bad record data", "no space",
};

typedef struct {
    char name[MAX_NAME];
    uint16_t type, class;
    uint32_t ttl;
    union {
        uint8_t addr[16];
        char host[MAX_NAME];
        struct {
            uint16_t preference;
            char exchange[MAX_NAME];
        } mx;
        struct {
            char text[MAX_NAME];
            uint8_t len;
        } txt;
        struct {
            char primary[MAX_NAME], contact[MAX_NAME];
            uint32_t numbers[5];
        } soa;
    } data;
} dns_record;

typedef struct {
    uint16_t id, flags;
    char qname[MAX_NAME];
    uint16_t qtype, qclass;
    int counts[3]; /* answer, authority, additional */
    dns_record rr[MAX_RECORDS];
} dns_message;

/* ---- writer ---- */

typedef struct {
    uint8_t *buf;
    size_t len, cap;
    enum dns_error error;
    uint16_t target[MAX_TARGETS]; /* offsets of names that later names may point at */
    int targets;
} writer;

static void put8(writer *w, unsigned v)
{
    if (w->len == w->cap)
        w->error = DNS_NO_SPACE;
    else
        w->buf[w->len++] = (uint8_t)v;
}

static void put16(writer *w, unsigned v)
{
    put8(w, v >> 8);
    put8(w, v & 0xff);
}

static void put32(writer *w, uint32_t v)
{
    put16(w, v >> 16);
    put16(w, v & 0xffff);
}

/* Does the name stored at the offset equal the text?  Case does not count. */
static bool stored_name_is(const uint8_t *buf, size_t at, const char *text)
{
    for (;;) {
        unsigned len = buf[at];
        if ((len & 0xc0) == 0xc0) {
            at = (len & 0x3f) << 8 | buf[at + 1];
            continue;
        }
        if (len == 0)
            return *text == '\0';
        for (unsigned i = 1; i <= len; i++, text++)
            if (tolower(buf[at + i]) != tolower((unsigned char)*text))
                return false;
        if (*text == '.')
            text++;
        else if (*text != '\0')
            return false;
        at += len + 1;
    }
}

static bool put_pointer_to(writer *w, const char *name)
{
    for (int i = 0; i < w->targets; i++)
        if (stored_name_is(w->buf, w->target[i], name)) {
            put16(w, 0xc000u | w->target[i]);
            return true;
        }
    return false;
}

static void put_name(writer *w, const char *name)
{
    int first_new = w->targets, fresh = 0;
    uint16_t pending[MAX_TARGETS];
    while (*name && w->error == DNS_OK) {
        if (put_pointer_to(w, name))
            break;
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63) {
            w->error = DNS_BAD_LABEL;
            return;
        }
        if (w->len < 0x4000 && first_new + fresh < MAX_TARGETS)
            pending[fresh++] = (uint16_t)w->len;
        put8(w, (unsigned)label);
        for (size_t i = 0; i < label; i++)
            put8(w, (unsigned char)name[i]);
        name += label;
        if (*name == '.')
            name++;
    }
    if (*name == '\0')
        put8(w, 0);
    /* Only now complete: a half-written name must not be a target. */
    memcpy(&w->target[first_new], pending, (size_t)fresh * sizeof pending[0]);
    w->targets += fresh;
}

static void put_rdata(writer *w, const dns_record *r)
{
    switch (r->type) {
    case T_A:
    case T_AAAA:
        for (int i = 0; i < (r->type == T_A ? 4 : 16); i++)
            put8(w, r->data.addr[i]);
        break;
    case T_NS:
    case T_CNAME:
        put_name(w, r->data.host);
        break;
    case T_MX:
        put16(w, r->data.mx.preference);
        put_name(w, r->data.mx.exchange);
        break;
    case T_TXT:
        put8(w, r->data.txt.len);
        for (int i = 0; i < r->data.txt.len; i++)
            put8(w, (unsigned char)r->data.txt.text[i]);
        break;
    case T_SOA:
        put_name(w, r->data.soa.primary);
        put_name(w, r->data.soa.contact);
        for (int i = 0; i < 5; i++)
            put32(w, r->data.soa.numbers[i]);
        break;
    default:
        w->error = DNS_BAD_RDATA;
    }
}

enum dns_error dns_encode(const dns_message *m, uint8_t *buf, size_t cap, size_t *len)
{
    writer w = {.buf = buf, .cap = cap};
    int total = m->counts[0] + m->counts[1] + m->counts[2];
    put16(&w, m->id);
    put16(&w, m->flags);
    put16(&w, 1);
    for (int i = 0; i < 3; i++)
        put16(&w, (unsigned)m->counts[i]);
    put_name(&w, m->qname);
    put16(&w, m->qtype);
    put16(&w, m->qclass);
    for (int i = 0; i < total && w.error == DNS_OK; i++) {
        const dns_record *r = &m->rr[i];
        put_name(&w, r->name);
        put16(&w, r->type);
        put16(&w, r->class);
        put32(&w, r->ttl);
        size_t length_at = w.len;
        put16(&w, 0);
        put_rdata(&w, r);
        if (w.error == DNS_OK) {
            size_t n = w.len - length_at - 2;
            buf[length_at] = (uint8_t)(n >> 8);
            buf[length_at + 1] = (uint8_t)n;
        }
    }
    *len = w.len;
    return w.error;
}

/* ---- reader ---- */

typedef struct {
    const uint8_t *buf;
    size_t len, at;
    enum dns_error error;
} reader;

static unsigned get8(reader *r)
{
    if (r->at >= r->len) {
        r->error = DNS_SHORT;
        return 0;
    }
    return r->buf[r->at++];
}

static uint16_t get16(reader *r)
{
    unsigned hi = get8(r);
    return (uint16_t)(hi << 8 | get8(r));
}

static uint32_t get32(reader *r)
{
    uint32_t hi = get16(r);
    return hi << 16 | get16(r);
}

static void get_name(reader *r, char out[MAX_NAME])
{
    size_t used = 0, resume = 0, lowest = r->at;
    out[0] = '\0';
    while (r->error == DNS_OK) {
        unsigned len = get8(r);
        if (r->error != DNS_OK || len == 0)
            break;
        if ((len & 0xc0) == 0xc0) {
            size_t target = (size_t)(len & 0x3f) << 8 | get8(r);
            if (r->error != DNS_OK)
                break;
            if (resume == 0)
                resume = r->at;
            if (target >= lowest) { /* only ever backwards, so loops cannot happen */
                r->error = DNS_BAD_POINTER;
                break;
            }
            r->at = lowest = target;
            continue;
        }
        if (len & 0xc0) {
            r->error = DNS_BAD_LABEL;
            break;
        }
        if (used + len + 2 > MAX_NAME) {
            r->error = DNS_TOO_LONG;
            break;
        }
        if (used)
            out[used++] = '.';
        for (unsigned i = 0; i < len; i++) {
            unsigned c = get8(r);
            if (!isalnum((int)c) && c != '-' && c != '_')
                r->error = r->error == DNS_OK ? DNS_BAD_LABEL : r->error;
            out[used++] = (char)tolower((int)c);
        }
        out[used] = '\0';
    }
    if (resume)
        r->at = resume;
}

static void get_rdata(reader *r, dns_record *rec, unsigned length)
{
    size_t end = r->at + length;
    switch (rec->type) {
    case T_A:
    case T_AAAA:
        for (int i = 0; i < (rec->type == T_A ? 4 : 16); i++)
            rec->data.addr[i] = (uint8_t)get8(r);
        break;
    case T_NS:
    case T_CNAME:
        get_name(r, rec->data.host);
        break;
    case T_MX:
        rec->data.mx.preference = get16(r);
        get_name(r, rec->data.mx.exchange);
        break;
    case T_TXT:
        rec->data.txt.len = (uint8_t)get8(r);
        for (int i = 0; i < rec->data.txt.len; i++)
            rec->data.txt.text[i] = (char)(get8(r) & 0x7f);
        rec->data.txt.text[rec->data.txt.len] = '\0';
        break;
    case T_SOA:
        get_name(r, rec->data.soa.primary);
        get_name(r, rec->data.soa.contact);
        for (int i = 0; i < 5; i++)
            rec->data.soa.numbers[i] = get32(r);
        break;
    default:
        r->error = r->error == DNS_OK ? DNS_BAD_RDATA : r->error;
    }
    if (r->error == DNS_OK && r->at != end)
        r->error = DNS_BAD_RDATA;
}

enum dns_error dns_decode(dns_message *m, const uint8_t *buf, size_t len)
{
    reader r = {.buf = buf, .len = len};
    int total = 0;
    memset(m, 0, sizeof *m);
    m->id = get16(&r);
    m->flags = get16(&r);
    if (get16(&r) != 1)
        return r.error == DNS_OK ? DNS_BAD_RDATA : r.error;
    for (int i = 0; i < 3; i++)
        total += m->counts[i] = get16(&r);
    if (total > MAX_RECORDS)
        return DNS_TOO_LONG;
    get_name(&r, m->qname);
    m->qtype = get16(&r);
    m->qclass = get16(&r);
    for (int i = 0; i < total && r.error == DNS_OK; i++) {
        dns_record *rec = &m->rr[i];
        get_name(&r, rec->name);
        rec->type = get16(&r);
        rec->class = get16(&r);
        rec->ttl = get32(&r);
        unsigned length = get16(&r);
        if (r.error == DNS_OK)
            get_rdata(&r, rec, length);
    }
    return r.error;
}

/* ---- printing ---- */

static void print_ipv6(const uint8_t a[16])
{
    int best = -1, best_len = 1;
    for (int i = 0, run = 0; i < 8; i++) { /* the longest run of zero groups becomes :: */
        run = a[2 * i] | a[2 * i + 1] ? 0 : run + 1;
        if (run > best_len) {
            best_len = run;
            best = i - run + 1;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            printf("::");
            i += best_len - 1;
        } else {
            printf("%s%x", i && i != best + best_len ? ":" : "", a[2 * i] << 8 | a[2 * i + 1]);
        }
    }
}

static void print_record(const dns_record *r)
{
    printf("%-22s %6u ", *r->name ? r->name : ".", (unsigned)r->ttl);
    switch (r->type) {
    case T_A:
        printf("A     %d.%d.%d.%d", r->data.addr[0], r->data.addr[1], r->data.addr[2], r->data.addr[3]);
        break;
    case T_AAAA:
        printf("AAAA  ");
        print_ipv6(r->data.addr);
        break;
    case T_NS: printf("NS    %s", r->data.host); break;
    case T_CNAME: printf("CNAME %s", r->data.host); break;
    case T_MX: printf("MX    %d %s", r->data.mx.preference, r->data.mx.exchange); break;
    case T_TXT: printf("TXT   \"%s\"", r->data.txt.text); break;
    case T_SOA:
        printf("SOA   %s %s", r->data.soa.primary, r->data.soa.contact);
        for (int i = 0; i < 5; i++)
            printf(" %u", (unsigned)r->data.soa.numbers[i]);
        break;
    default: break;
    }
    putchar('\n');
}

static void print_message(const dns_message *m)
{
    static const char *const sections[3] = {"answer", "authority", "additional"};
    const dns_record *r = m->rr;
    printf("id %u flags %04x question %s type %u\n", m->id, m->flags, m->qname, m->qtype);
    for (int s = 0; s < 3; s++) {
        if (m->counts[s])
            printf(";; %s\n", sections[s]);
        for (int i = 0; i < m->counts[s]; i++)
            print_record(r++);
    }
}

/* ---- exercise ---- */

static dns_record *add(dns_message *m, int section, const char *name, enum rr_type type, uint32_t ttl, ...)
{
    dns_record *r = &m->rr[m->counts[0] + m->counts[1] + m->counts[2]];
    va_list ap;
    va_start(ap, ttl);
    m->counts[section]++;
    strcpy(r->name, name);
    r->type = (uint16_t)type;
    r->class = 1;
    r->ttl = ttl;
    switch (type) {
    case T_A:
    case T_AAAA:
        for (int i = 0; i < (type == T_A ? 4 : 16); i++)
            r->data.addr[i] = (uint8_t)va_arg(ap, int);
        break;
    case T_MX:
        r->data.mx.preference = (uint16_t)va_arg(ap, int);
        strcpy(r->data.mx.exchange, va_arg(ap, const char *));
        break;
    case T_TXT:
        strcpy(r->data.txt.text, va_arg(ap, const char *));
        r->data.txt.len = (uint8_t)strlen(r->data.txt.text);
        break;
    case T_SOA:
        strcpy(r->data.soa.primary, va_arg(ap, const char *));
        strcpy(r->data.soa.contact, va_arg(ap, const char *));
        for (int i = 0; i < 5; i++)
            r->data.soa.numbers[i] = (uint32_t)va_arg(ap, int);
        break;
    default:
        strcpy(r->data.host, va_arg(ap, const char *));
    }
    va_end(ap);
    return r;
}

static void compose(dns_message *m)
{
    memset(m, 0, sizeof *m);
    m->id = 4242;
    m->flags = 0x8580;
    strcpy(m->qname, "www.shop.example.org");
    m->qtype = T_A;
    m->qclass = 1;
    add(m, 0, "www.shop.example.org", T_CNAME, 300, "edge7.example.org");
    add(m, 0, "edge7.example.org", T_A, 60, 192, 0, 2, 17);
    add(m, 0, "edge7.example.org", T_AAAA, 60, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1);
    add(m, 0, "shop.example.org", T_MX, 3600, 10, "mail.shop.example.org");
    add(m, 0, "shop.example.org", T_TXT, 3600, "v=spf1 mx -all");
    add(m, 1, "example.org", T_NS, 86400, "ns1.example.org");
    add(m, 1, "example.org", T_NS, 86400, "ns2.example.net");
    add(m, 1, "example.org", T_SOA, 900, "ns1.example.org", "admin.example.org", 2024, 7200, 3600, 604800, 60);
    add(m, 2, "ns1.example.org", T_A, 86400, 198, 51, 100, 1);
}

int main(void)
{
    static const uint8_t self_pointer[] = {0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1};
    static dns_message sent, parsed;
    static uint8_t wire[MAX_MESSAGE], again[MAX_MESSAGE];
    size_t len = 0, len2 = 0;
    int tally[sizeof error_names / sizeof error_names[0]] = {0};

    compose(&sent);
    enum dns_error e = dns_encode(&sent, wire, sizeof wire, &len);
    if (e == DNS_OK)
        e = dns_decode(&parsed, wire, len);
    if (e == DNS_OK)
        e = dns_encode(&parsed, again, sizeof again, &len2);
    if (e != DNS_OK) {
        printf("codec failed: %s\n", error_names[e]);
        return 1;
    }
    print_message(&parsed);
    bool same = len == len2 && memcmp(wire, again, len) == 0;
    printf("%zu bytes, round trip %s\n", len, same ? "identical" : "DIFFERS");

    bool strict = dns_decode(&parsed, self_pointer, sizeof self_pointer) == DNS_BAD_POINTER;
    for (size_t cut = 0; cut < len; cut++)
        strict &= dns_decode(&parsed, wire, cut) != DNS_OK;
    strict &= dns_encode(&sent, again, len - 1, &len2) == DNS_NO_SPACE;
    for (size_t i = 0; i < len; i++) {
        wire[i] ^= 0xc1;
        tally[dns_decode(&parsed, wire, len)]++;
        wire[i] ^= 0xc1;
    }
    printf("truncation and loops refused: %s\n", strict ? "yes" : "no");
    for (size_t i = 0; i < sizeof tally / sizeof tally[0]; i++)
        printf("%s%s: %d", i ? ", " : "corrupted -> ", error_names[i], tally[i]);
    putchar('\n');
    return same && strict ? 0 : 1;
}
