// Keccak-f[1600] sponge: SHA3-224/256/384/512 and SHAKE128/256 behind one absorb/squeeze interface.
// Round constants come from the degree-8 LFSR and rotation offsets from the triangular numbers, so
// that there is no table to mistype; main checks FIPS 202 digests and a streamed SHAKE.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct sponge {
  uint64_t lanes[25];
  unsigned rate, pos;
  uint8_t suffix;
  bool squeezing;
};

static uint64_t rotl(uint64_t x, unsigned n) {
  return n ? x << n | x >> (64 - n) : x;
}

static uint64_t round_constant(uint8_t *lfsr) {
  uint64_t rc = 0;
  for (unsigned j = 0; j < 7; j++) {
    if (*lfsr & 1)
      rc |= UINT64_C(1) << ((1u << j) - 1);
    *lfsr = (uint8_t)(*lfsr << 1 ^ (*lfsr >> 7) * 0x71);
  }
  return rc;
}

// lane (x, y) lives at index x + 5 * y
void keccak_f1600(uint64_t a[25]) {
  uint8_t lfsr = 1;
  for (int round = 0; round < 24; round++) {
    uint64_t c[5], row[5], moving;
    for (int x = 0; x < 5; x++)
      c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (int i = 0; i < 25; i++)
      a[i] ^= c[(i + 4) % 5] ^ rotl(c[(i + 1) % 5], 1);
    moving = a[1];
    for (unsigned t = 0, x = 1, y = 0; t < 24; t++) {  // rho and pi follow one 24-cycle of lanes
      unsigned next = (2 * x + 3 * y) % 5;
      x = y;
      y = next;
      uint64_t displaced = a[x + 5 * y];
      a[x + 5 * y] = rotl(moving, (t + 1) * (t + 2) / 2 % 64);
      moving = displaced;
    }
    for (int y = 0; y < 25; y += 5) {
      memcpy(row, a + y, sizeof row);
      for (int x = 0; x < 5; x++)
        a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
    a[0] ^= round_constant(&lfsr);
  }
}

static void next_block(struct sponge *s) {
  keccak_f1600(s->lanes);
  s->pos = 0;
}

static void xor_byte(struct sponge *s, unsigned at, uint8_t value) {
  s->lanes[at / 8] ^= (uint64_t)value << at % 8 * 8;
}

void sponge_init(struct sponge *s, unsigned security_bits, bool xof) {
  memset(s, 0, sizeof *s);
  s->rate = 200 - security_bits / 4;
  s->suffix = xof ? 0x1F : 0x06;
}

void sponge_absorb(struct sponge *s, const void *data, size_t n) {
  const uint8_t *p = data;
  while (n--) {
    xor_byte(s, s->pos++, *p++);
    if (s->pos == s->rate)
      next_block(s);
  }
}

void sponge_squeeze(struct sponge *s, uint8_t *out, size_t n) {
  if (!s->squeezing) {
    xor_byte(s, s->pos, s->suffix);
    xor_byte(s, s->rate - 1, 0x80);
    s->pos = s->rate;
    s->squeezing = true;
  }
  for (; n--; s->pos++) {
    if (s->pos == s->rate)
      next_block(s);
    *out++ = (uint8_t)(s->lanes[s->pos / 8] >> s->pos % 8 * 8);
  }
}

// squeezing 3 bytes at a time must give the stream that one call gives
static bool streams_alike(void) {
  struct sponge whole, parts;
  uint8_t one[600], many[600];
  sponge_init(&whole, 128, true);
  sponge_absorb(&whole, "stream", 6);
  parts = whole;
  sponge_squeeze(&whole, one, sizeof one);
  for (size_t i = 0; i < sizeof many; i += 3)
    sponge_squeeze(&parts, many + i, 3);
  printf("stream tail %02x%02x%02x%02x\n", many[596], many[597], many[598], many[599]);
  return memcmp(one, many, sizeof one) == 0;
}

int main(void) {
  static const struct {
    unsigned bits;
    bool xof;
    unsigned out;
    const char *input, *digest;
  } vectors[] = {
      {224, false, 28, "abc", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
      {256, false, 32, "", "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"},
      {384, false, 48, "abc",
       "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
       "98d88cea927ac7f539f1edf228376d25"},
      {512, false, 64, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "04a371e84ecfb5b8b77cb48610fca8182dd457ce6f326a0fd3d7ec2f1e91636d"
       "ee691fbe0c985302ba1b0d8dc78c086346b533b49c030d99a27daf1139d6e75e"},
      {128, true, 32, "", "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"},
      {256, true, 40, "The quick brown fox",
       "1dd0a51c9c3f25399947ace094f380a677a784d4831950702a0b7247f1505190"
       "e644b6e24f959065"},
  };
  int bad = 0;
  for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
    struct sponge s;
    uint8_t md[64];
    char hex[129] = "";
    sponge_init(&s, vectors[v].bits, vectors[v].xof);
    sponge_absorb(&s, vectors[v].input, strlen(vectors[v].input));
    sponge_squeeze(&s, md, vectors[v].out);
    for (unsigned i = 0; i < vectors[v].out; i++)
      sprintf(hex + 2 * i, "%02x", md[i]);
    bool same = strcmp(hex, vectors[v].digest) == 0;
    printf("%s-%u %s %s\n", vectors[v].xof ? "SHAKE" : "SHA3", vectors[v].bits, hex,
           same ? "ok" : "WRONG");
    bad |= !same;
  }
  return bad || !streams_alike();
}
