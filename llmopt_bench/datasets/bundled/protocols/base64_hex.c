/*
 * Base64 (RFC 4648) and hexadecimal codecs. The decoder is strict: padding has to be there, and
 * the bits that padding leaves over have to be zero. Checked with the vectors of the RFC.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const uint8_t *in, size_t n, char *out)
{
    char *p = out;
    while (n > 0) {
        uint32_t v = (uint32_t)in[0] << 16;
        if (n > 1)
            v |= (uint32_t)in[1] << 8;
        if (n > 2)
            v |= in[2];
        *p++ = alphabet[v >> 18];
        *p++ = alphabet[v >> 12 & 63];
        *p++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
        *p++ = n > 2 ? alphabet[v & 63] : '=';
        if (n < 3)
            break;
        in += 3;
        n -= 3;
    }
    *p = '\0';
    return (size_t)(p - out);
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the number of bytes, or -1 if the text is not what an encoder writes. */
long base64_decode(const char *in, size_t n, uint8_t *out)
{
    uint8_t *p = out;
    if (n % 4 != 0)
        return -1;
    for (size_t i = 0; i < n; i += 4) {
        int pad = 0;
        uint32_t v = 0;
        for (int k = 0; k < 4; k++) {
            int s = sextet(in[i + k]);
            if (in[i + k] == '=' && i + 4 == n && k >= 2)
                pad++, s = 0;
            else if (s < 0 || pad)
                return -1;
            v = v << 6 | (uint32_t)s;
        }
        if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
            return -1;
        *p++ = (uint8_t)(v >> 16);
        if (pad < 2)
            *p++ = (uint8_t)(v >> 8);
        if (pad < 1)
            *p++ = (uint8_t)v;
    }
    return p - out;
}

void hex_encode(const uint8_t *in, size_t n, char *out)
{
    for (; n--; in++) {
        *out++ = "0123456789abcdef"[*in >> 4];
        *out++ = "0123456789abcdef"[*in & 15];
    }
    *out = '\0';
}

static int check(const char *plain, const char *coded)
{
    char text[64];
    uint8_t back[64];
    size_t n = base64_encode((const uint8_t *)plain, strlen(plain), text);
    long m = base64_decode(coded, strlen(coded), back);
    return n == strlen(coded) && !strcmp(text, coded) && m == (long)strlen(plain) &&
           !memcmp(back, plain, (size_t)m);
}

int main(void)
{
    static const char *const vectors[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const broken[] = {"Zg=", "Zh==", "Zm9=", "Z===", "Zg==Zg==", "Z*8="};
    uint8_t data[48], back[64];
    char text[128], hex[128];
    int good = 0, refused = 0;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        good += check(vectors[i][0], vectors[i][1]);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        refused += base64_decode(broken[i], strlen(broken[i]), back) < 0;
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i * 7 + 200);
    size_t n = base64_encode(data, sizeof data, text);
    long m = base64_decode(text, n, back);
    hex_encode(back, 16, hex);
    printf("vectors %d, refused %d\n%s\n%s\n", good, refused, text, hex);
    return good == 7 && refused == 6 && m == 48 && !memcmp(data, back, 48) ? 0 : 1;
}
