/*
 * AES-128 in ECB, CBC (PKCS #7 padding) and CTR mode.
 * The S-boxes are computed at start-up from logarithms in GF(2^8), and rounds work on bytes.
 * Known answers are those of FIPS 197 and SP 800-38A.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 16
#define ROUNDS 10

typedef uint8_t block_t[BLOCK];

typedef struct {
  block_t round_key[ROUNDS + 1];
} aes_key;

static uint8_t sbox[256], inverse_sbox[256];

static uint8_t xtime(uint8_t v) {
  return (uint8_t)(v << 1 ^ (v >> 7) * 0x1b);
}

static uint8_t rotl8(uint8_t v, int n) {
  return (uint8_t)(v << n | v >> (8 - n));
}

/* Powers of the generator 3 give inverses by subtracting exponents from 255. */
static void init_sboxes(void) {
  uint8_t power[256], log[256] = {0}, value = 1;
  for (int e = 0; e < 255; e++) {
    power[e] = value;
    log[value] = (uint8_t)e;
    value ^= xtime(value);
  }
  power[255] = 1;
  for (int v = 0; v < 256; v++) {
    uint8_t inverse = v ? power[255 - log[v]] : 0, s = 0x63;
    for (int turn = 0; turn < 5; turn++)
      s ^= rotl8(inverse, turn);
    sbox[v] = s;
    inverse_sbox[s] = (uint8_t)v;
  }
}

void aes_expand(aes_key *key, const block_t secret) {
  uint8_t rcon = 1;
  memcpy(key->round_key[0], secret, BLOCK);
  for (int r = 1; r <= ROUNDS; r++, rcon = xtime(rcon)) {
    const uint8_t *prev = key->round_key[r - 1];
    uint8_t *next = key->round_key[r];
    for (int i = 0; i < 4; i++)
      next[i] = prev[i] ^ sbox[prev[12 + (i + 1) % 4]];
    next[0] ^= rcon;
    for (int i = 4; i < BLOCK; i++)
      next[i] = prev[i] ^ next[i - 4];
  }
}

static void xor_block(uint8_t *dst, const uint8_t *src) {
  for (int i = 0; i < BLOCK; i++)
    dst[i] ^= src[i];
}

/* Substitutes and shifts in one go: row r of the column-major state turns left by r * step. */
static void sub_shift(block_t s, const uint8_t box[256], int step) {
  block_t t;
  for (int i = 0; i < BLOCK; i++)
    t[i] = box[s[(i + 4 * step * (i % 4)) % BLOCK]];
  memcpy(s, t, BLOCK);
}

static void mix_columns(block_t s) {
  for (uint8_t *c = s; c < s + BLOCK; c += 4) {
    uint8_t all = c[0] ^ c[1] ^ c[2] ^ c[3], first = c[0];
    for (int i = 0; i < 4; i++)
      c[i] ^= all ^ xtime(c[i] ^ (i < 3 ? c[i + 1] : first));
  }
}

/* The inverse matrix is the forward one after a step that only mixes alternate rows. */
static void unmix_columns(block_t s) {
  for (uint8_t *c = s; c < s + BLOCK; c += 4) {
    uint8_t even = xtime(xtime(c[0] ^ c[2])), odd = xtime(xtime(c[1] ^ c[3]));
    c[0] ^= even;
    c[1] ^= odd;
    c[2] ^= even;
    c[3] ^= odd;
  }
  mix_columns(s);
}

void aes_encrypt_block(const aes_key *key, block_t s) {
  xor_block(s, key->round_key[0]);
  for (int r = 1; r <= ROUNDS; r++) {
    sub_shift(s, sbox, 1);
    if (r < ROUNDS)
      mix_columns(s);
    xor_block(s, key->round_key[r]);
  }
}

void aes_decrypt_block(const aes_key *key, block_t s) {
  for (int r = ROUNDS; r > 0; r--) {
    xor_block(s, key->round_key[r]);
    if (r < ROUNDS)
      unmix_columns(s);
    sub_shift(s, inverse_sbox, 3);
  }
  xor_block(s, key->round_key[0]);
}

void aes_ecb(const aes_key *key, uint8_t *data, size_t blocks, bool encrypt) {
  void (*const step)(const aes_key *, block_t) = encrypt ? aes_encrypt_block : aes_decrypt_block;
  for (; blocks; blocks--, data += BLOCK)
    step(key, data);
}

/* Encrypts in place and returns the padded size; data needs room for up to 16 bytes more. */
size_t aes_cbc_encrypt(const aes_key *key, const block_t iv, uint8_t *data, size_t n) {
  size_t padded = (n / BLOCK + 1) * BLOCK;
  memset(data + n, (int)(padded - n), padded - n);
  for (size_t i = 0; i < padded; i += BLOCK) {
    xor_block(data + i, i ? data + i - BLOCK : iv);
    aes_encrypt_block(key, data + i);
  }
  return padded;
}

/* Returns the size without padding, or SIZE_MAX if the size or the padding is not valid. */
size_t aes_cbc_decrypt(const aes_key *key, const block_t iv, uint8_t *data, size_t n) {
  if (n == 0 || n % BLOCK)
    return SIZE_MAX;
  for (size_t i = n; i; i -= BLOCK) {
    uint8_t *block = data + i - BLOCK;
    aes_decrypt_block(key, block);
    xor_block(block, i > BLOCK ? block - BLOCK : iv);
  }
  uint8_t pad = data[n - 1];
  if (pad == 0 || pad > BLOCK)
    return SIZE_MAX;
  for (size_t i = n - pad; i < n; i++)
    if (data[i] != pad)
      return SIZE_MAX;
  return n - pad;
}

void aes_ctr(const aes_key *key, block_t counter, uint8_t *data, size_t n) {
  block_t stream;
  for (size_t i = 0; i < n; i++) {
    if (i % BLOCK == 0) {
      memcpy(stream, counter, BLOCK);
      aes_encrypt_block(key, stream);
      for (int k = BLOCK - 1; k >= 0 && ++counter[k] == 0; k--)
        continue;
    }
    data[i] ^= stream[i % BLOCK];
  }
}

static void from_hex(const char *hex, uint8_t *out) {
  for (; *hex; hex += 2) {
    char pair[3] = {hex[0], hex[1], 0};
    *out++ = (uint8_t)strtoul(pair, NULL, 16);
  }
}

static bool matches(const char *label, const uint8_t *got, const char *hex) {
  uint8_t want[64];
  size_t n = strlen(hex) / 2;
  from_hex(hex, want);
  bool same = memcmp(got, want, n) == 0;
  printf("%-12s ", label);
  for (size_t i = 0; i < n; i++)
    printf("%02x", got[i]);
  printf(" %s\n", same ? "ok" : "WRONG");
  return same;
}

static bool bulk_roundtrip(const aes_key *key, const block_t iv) {
  enum { N = 1000 };
  uint8_t data[N + BLOCK], copy[N + BLOCK];
  block_t counter, again;
  bool good = true;
  for (size_t i = 0; i < N; i++)
    copy[i] = data[i] = (uint8_t)(i * 7 ^ i >> 4);
  for (size_t n = N - 20; n <= N; n++) {
    size_t padded = aes_cbc_encrypt(key, iv, data, n);
    good = good && aes_cbc_decrypt(key, iv, data, padded) == n && memcmp(data, copy, n) == 0;
    memcpy(data, copy, N);
  }
  memset(counter, 0xff, BLOCK); /* wraps at the second block */
  memcpy(again, counter, BLOCK);
  aes_ctr(key, counter, data, N);
  good = good && memcmp(data, copy, N) != 0;
  aes_ctr(key, again, data, N);
  good = good && memcmp(data, copy, N) == 0;
  good = good && aes_cbc_decrypt(key, iv, data, N - 1) == SIZE_MAX;
  return good;
}

int main(void) {
  static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
  block_t secret, iv, counter;
  uint8_t data[64];
  aes_key key;
  bool good = true;

  init_sboxes();
  from_hex("000102030405060708090a0b0c0d0e0f", secret);
  from_hex("00112233445566778899aabbccddeeff", data);
  aes_expand(&key, secret);
  aes_encrypt_block(&key, data);
  good &= matches("fips-197", data, "69c4e0d86a7b0430d8cdb78070b4c55a");

  memcpy(iv, secret, BLOCK);
  from_hex("2b7e151628aed2a6abf7158809cf4f3c", secret);
  aes_expand(&key, secret);

  from_hex(plain, data);
  aes_ecb(&key, data, 2, true);
  good &= matches("ecb", data, "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
  aes_ecb(&key, data, 2, false);
  good &= matches("ecb back", data, plain);

  size_t padded = aes_cbc_encrypt(&key, iv, data, 32);
  good &= matches("cbc", data, "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
  good &= aes_cbc_decrypt(&key, iv, data, padded) == 32;
  good &= matches("cbc back", data, plain);

  from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", counter);
  aes_ctr(&key, counter, data, 32);
  good &= matches("ctr", data, "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
  good &= matches("counter", counter, "f0f1f2f3f4f5f6f7f8f9fafbfcfdff01");

  bool bulk = bulk_roundtrip(&key, iv);
  printf("bulk round trips %s\n", bulk ? "ok" : "FAILED");
  return good && bulk ? 0 : 1;
}
