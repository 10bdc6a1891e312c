/* The CRC family from one parametric engine (width 5 to 64, either bit order, table driven), with
 * CRC-32 combination by polynomial arithmetic, and the additive cousins Adler-32 and Fletcher.
 * Every model is checked against its published answer for "123456789". */
#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct crc_model {
    const char *name;
    uint64_t poly, init, xorout, check;
    uint8_t width;
    bool reflected;
};

static const struct crc_model models[] = {
    {"CRC-5/USB", 0x05, 0x1f, 0x1f, 0x19, 5, true},
    {"CRC-8/SMBUS", 0x07, 0, 0, 0xf4, 8, false},
    {"CRC-8/MAXIM", 0x31, 0, 0, 0xa1, 8, true},
    {"CRC-16/ARC", 0x8005, 0, 0, 0xbb3d, 16, true},
    {"CRC-16/MODBUS", 0x8005, 0xffff, 0, 0x4b37, 16, true},
    {"CRC-16/XMODEM", 0x1021, 0, 0, 0x31c3, 16, false},
    {"CRC-16/X-25", 0x1021, 0xffff, 0xffff, 0x906e, 16, true},
    {"CRC-24/OPENPGP", 0x864cfb, 0xb704ce, 0, 0x21cf02, 24, false},
    {"CRC-32", 0x04c11db7, 0xffffffff, 0xffffffff, 0xcbf43926, 32, true},
    {"CRC-32C", 0x1edc6f41, 0xffffffff, 0xffffffff, 0xe3069283, 32, true},
    {"CRC-32/MPEG-2", 0x04c11db7, 0xffffffff, 0, 0x0376e6e7, 32, false},
    {"CRC-64/ECMA", 0x42f0e1eba9ea3693, 0, 0, 0x6c40df5f0b497347, 64, false},
    {"CRC-64/XZ", 0x42f0e1eba9ea3693, UINT64_MAX, UINT64_MAX, 0x995dc9bbdf1939fa, 64, true},
};

static uint64_t reverse_bits(uint64_t v, int width) {
    uint64_t r = 0;
    for (int i = 0; i < width; i++, v >>= 1)
        r = r << 1 | (v & 1);
    return r;
}

/* A forward register is kept at the top of the word, so that widths under eight need no case. */
void crc_table(const struct crc_model *m, uint64_t table[256]) {
    uint64_t poly = m->reflected ? reverse_bits(m->poly, m->width) : m->poly << (64 - m->width);
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t c = m->reflected ? i : i << 56;
        for (int k = 0; k < 8; k++) {
            if (m->reflected)
                c = c >> 1 ^ (c & 1 ? poly : 0);
            else
                c = c << 1 ^ (c >> 63 ? poly : 0);
        }
        table[i] = c;
    }
}

uint64_t crc_compute(const struct crc_model *m, const uint64_t table[256], const uint8_t *p, size_t n) {
    if (m->reflected) {
        uint64_t c = reverse_bits(m->init, m->width);
        while (n--)
            c = table[(c ^ *p++) & 255] ^ c >> 8;
        return c ^ m->xorout;
    }
    uint64_t c = m->init << (64 - m->width);
    while (n--)
        c = table[c >> 56 ^ *p++] ^ c << 8;
    return c >> (64 - m->width) ^ m->xorout;
}

/* Product of two polynomials modulo the CRC-32 one; bit 31 holds the coefficient of x^0. */
static uint32_t crc32_multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? 0xedb88320u : 0);
    }
    return product;
}

/* CRC-32 of two pieces put together, from their own CRCs and the second one's length in bytes. */
uint32_t crc32_combine(uint32_t first, uint32_t second, uint64_t second_len) {
    uint32_t shift = 1u << 31, power = 1u << 23; /* x^0 and x^8 */
    for (; second_len; second_len >>= 1) {
        if (second_len & 1)
            shift = crc32_multiply(shift, power);
        power = crc32_multiply(power, power);
    }
    return crc32_multiply(shift, first) ^ second;
}

uint32_t adler32(const uint8_t *p, size_t n) {
    uint32_t a = 1, b = 0;
    while (n) {
        size_t chunk = n < 5552 ? n : 5552; /* the most before b can overflow */
        n -= chunk;
        while (chunk--)
            b += a += *p++;
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

uint32_t fletcher(const uint8_t *p, size_t n, size_t word_bytes) {
    uint32_t modulus = word_bytes == 1 ? 255 : 65535, lo = 0, hi = 0;
    for (size_t i = 0; i < n; i += word_bytes) {
        uint32_t word = p[i] | (word_bytes == 2 && i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0);
        lo = (lo + word) % modulus;
        hi = (hi + lo) % modulus;
    }
    return hi << (8 * word_bytes) | lo;
}

int main(void) {
    static uint8_t data[9000];
    uint64_t table[256];
    int wrong = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3 ^ i);
    for (const struct crc_model *m = models; m < models + sizeof models / sizeof *models; m++) {
        crc_table(m, table);
        uint64_t check = crc_compute(m, table, (const uint8_t *)"123456789", 9);
        uint64_t bulk = crc_compute(m, table, data, sizeof data);
        printf("%-15s %016" PRIx64 " %016" PRIx64 "%s\n", m->name, check, bulk,
               check == m->check ? "" : " WRONG");
        wrong += check != m->check;
        if (strcmp(m->name, "CRC-32") == 0) {
            uint32_t head = (uint32_t)crc_compute(m, table, data, 1234);
            uint32_t tail = (uint32_t)crc_compute(m, table, data + 1234, sizeof data - 1234);
            wrong += crc32_combine(head, tail, sizeof data - 1234) != bulk;
        }
    }
    wrong += adler32((const uint8_t *)"Wikipedia", 9) != 0x11e60398;
    wrong += fletcher((const uint8_t *)"abcde", 5, 1) != 0xc8f0;
    wrong += fletcher((const uint8_t *)"abcde", 5, 2) != 0xf04fc729;
    printf("adler %08" PRIx32 " fletcher %08" PRIx32 ", %d wrong\n", adler32(data, sizeof data),
           fletcher(data, sizeof data, 2), wrong);
    return wrong != 0;
}
