/* ChaCha20-Poly1305 authenticated encryption (RFC 8439) and its extended-nonce form, XChaCha20.
 * Poly1305 works on five 26-bit limbs with delayed carries; tags are compared in constant time.
 * main seals the RFC text under both nonce sizes, opens it again, and tries every kind of tampering. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { KEY_LEN = 32, TAG_LEN = 16, LIMBS = 5, LIMB_MASK = (1 << 26) - 1 };

struct poly1305 {
	uint32_t r[LIMBS], h[LIMBS], pad[4];
	uint8_t block[17]; /* sixteen bytes and the bit that marks their end */
	unsigned used;
};

static uint32_t load32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
#define STEP(x, y, z, n) (*x += *y, *z ^= *x, *z = *z << n | *z >> (32 - n))
	STEP(a, b, d, 16);
	STEP(c, d, b, 12);
	STEP(a, b, d, 8);
	STEP(c, d, b, 7);
#undef STEP
}

static void chacha_setup(uint32_t s[16], const uint8_t key[KEY_LEN])
{
	static const uint8_t sigma[] = "expand 32-byte k";
	for (int i = 0; i < 4; i++)
		s[i] = load32(sigma + 4 * i);
	for (int i = 0; i < 8; i++)
		s[4 + i] = load32(key + 4 * i);
}

static void chacha_rounds(uint32_t x[16])
{
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
		for (int i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
	}
}

void chacha20_xor(const uint8_t key[KEY_LEN], const uint8_t nonce[12], uint32_t counter, uint8_t *data,
		  size_t n)
{
	uint32_t state[16], x[16];
	uint8_t stream[64];

	chacha_setup(state, key);
	state[12] = counter;
	for (int i = 0; i < 3; i++)
		state[13 + i] = load32(nonce + 4 * i);
	for (size_t i = 0; i < n; i++) {
		if (i % 64 == 0) {
			memcpy(x, state, sizeof x);
			chacha_rounds(x);
			for (int w = 0; w < 16; w++)
				store32(stream + 4 * w, x[w] + state[w]);
			state[12]++;
		}
		data[i] ^= stream[i % 64];
	}
}

void hchacha20(const uint8_t key[KEY_LEN], const uint8_t nonce[16], uint8_t subkey[KEY_LEN])
{
	uint32_t x[16];

	chacha_setup(x, key);
	for (int i = 0; i < 4; i++)
		x[12 + i] = load32(nonce + 4 * i);
	chacha_rounds(x);
	for (int i = 0; i < 4; i++) {
		store32(subkey + 4 * i, x[i]);
		store32(subkey + 16 + 4 * i, x[12 + i]);
	}
}

/* Spreads 17 little-endian bytes over the limbs. */
static void to_limbs(const uint8_t p[17], uint32_t limb[LIMBS])
{
	limb[0] = load32(p) & LIMB_MASK;
	limb[1] = load32(p + 3) >> 2 & LIMB_MASK;
	limb[2] = load32(p + 6) >> 4 & LIMB_MASK;
	limb[3] = load32(p + 9) >> 6 & LIMB_MASK;
	limb[4] = load32(p + 12) >> 8 | (uint32_t)p[16] << 24;
}

void poly1305_init(struct poly1305 *st, const uint8_t key[KEY_LEN])
{
	static const uint8_t clamp[16] = { 255, 255, 255, 15, 252, 255, 255, 15,
					   252, 255, 255, 15, 252, 255, 255, 15 };
	memset(st, 0, sizeof *st);
	for (int i = 0; i < 16; i++)
		st->block[i] = key[i] & clamp[i];
	to_limbs(st->block, st->r);
	for (int i = 0; i < 4; i++)
		st->pad[i] = load32(key + 16 + 4 * i);
}

static void poly1305_block(struct poly1305 *st)
{
	uint32_t m[LIMBS];
	uint64_t sum[LIMBS] = { 0 }, carry = 0;

	to_limbs(st->block, m);
	for (int i = 0; i < LIMBS; i++)
		st->h[i] += m[i];
	for (int i = 0; i < LIMBS; i++)
		for (int j = 0; j < LIMBS; j++) {
			uint64_t wrap = i + j < LIMBS ? 1 : 5; /* 2^130 is 5 in this field */
			sum[(i + j) % LIMBS] += wrap * st->h[i] * st->r[j];
		}
	for (int i = 0; i < LIMBS; i++) {
		carry += sum[i];
		st->h[i] = (uint32_t)carry & LIMB_MASK;
		carry >>= 26;
	}
	carry = st->h[0] + carry * 5;
	st->h[0] = (uint32_t)carry & LIMB_MASK;
	st->h[1] += (uint32_t)(carry >> 26);
	st->used = 0;
}

void poly1305_update(struct poly1305 *st, const uint8_t *p, size_t n)
{
	for (; n; n--) {
		st->block[st->used++] = *p++;
		if (st->used == 16) {
			st->block[16] = 1;
			poly1305_block(st);
		}
	}
}

void poly1305_final(struct poly1305 *st, uint8_t tag[TAG_LEN])
{
	uint32_t g[LIMBS], carry = 0, mask;
	uint64_t word = 0;

	if (st->used) {
		st->block[st->used] = 1;
		memset(st->block + st->used + 1, 0, 16 - st->used);
		poly1305_block(st);
	}
	for (int i = 1; i < 2 * LIMBS; i++) { /* two passes bring every limb under 2^26 */
		st->h[i % LIMBS] += carry;
		carry = st->h[i % LIMBS] >> 26;
		st->h[i % LIMBS] &= LIMB_MASK;
		carry *= i % LIMBS == 4 ? 5 : 1;
	}
	st->h[0] += carry;

	carry = 5;
	for (int i = 0; i < LIMBS; i++) { /* g = h + 5 - 2^130, negative when h is reduced */
		carry += st->h[i];
		g[i] = carry & LIMB_MASK;
		carry >>= 26;
	}
	mask = 0u - carry;
	for (int i = 0; i < LIMBS; i++)
		st->h[i] = (st->h[i] & ~mask) | (g[i] & mask);

	for (int i = 0; i < 4; i++) {
		uint32_t part = st->h[i] >> (6 * i) | st->h[i + 1] << (26 - 6 * i);
		word += (uint64_t)part + st->pad[i];
		store32(tag + 4 * i, (uint32_t)word);
		word >>= 32;
	}
}

static void compute_tag(const uint8_t key[KEY_LEN], const uint8_t nonce[12], const uint8_t *aad,
			size_t aad_len, const uint8_t *data, size_t n, uint8_t tag[TAG_LEN])
{
	static const uint8_t zeros[16];
	uint8_t one_time[KEY_LEN] = { 0 }, sizes[16] = { 0 };
	struct poly1305 st;

	chacha20_xor(key, nonce, 0, one_time, sizeof one_time);
	poly1305_init(&st, one_time);
	poly1305_update(&st, aad, aad_len);
	poly1305_update(&st, zeros, (16 - aad_len % 16) % 16);
	poly1305_update(&st, data, n);
	poly1305_update(&st, zeros, (16 - n % 16) % 16);
	store32(sizes, (uint32_t)aad_len);
	store32(sizes + 8, (uint32_t)n);
	poly1305_update(&st, sizes, sizeof sizes);
	poly1305_final(&st, tag);
}

void aead_seal(const uint8_t key[KEY_LEN], const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
	       uint8_t *data, size_t n, uint8_t tag[TAG_LEN])
{
	chacha20_xor(key, nonce, 1, data, n);
	compute_tag(key, nonce, aad, aad_len, data, n, tag);
}

/* Leaves data alone and returns false if the tag does not fit. */
bool aead_open(const uint8_t key[KEY_LEN], const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
	       uint8_t *data, size_t n, const uint8_t tag[TAG_LEN])
{
	uint8_t expected[TAG_LEN], difference = 0;

	compute_tag(key, nonce, aad, aad_len, data, n, expected);
	for (int i = 0; i < TAG_LEN; i++)
		difference |= expected[i] ^ tag[i];
	if (difference)
		return false;
	chacha20_xor(key, nonce, 1, data, n);
	return true;
}

static bool same_hex(const char *label, const uint8_t *got, size_t n, const char *expected)
{
	char hex[2 * KEY_LEN + 1];

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	printf("%-10s %s\n", label, hex);
	return strcmp(hex, expected) == 0;
}

int main(void)
{
	static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one "
				   "tip for the future, sunscreen would be it.";
	static const uint8_t poly_key[KEY_LEN] = { 0x85, 0xd6, 0xbe, 0x78, 0x57, 0x55, 0x6d, 0x33,
						   0x7f, 0x44, 0x52, 0xfe, 0x42, 0xd5, 0x06, 0xa8,
						   0x01, 0x03, 0x80, 0x8a, 0xfb, 0x0d, 0xb2, 0xfd,
						   0x4a, 0xbf, 0xf6, 0xaf, 0x41, 0x49, 0xf5, 0x1b };
	static const uint8_t aad[12] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
					 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };
	static const uint8_t hnonce[16] = { 0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0, 0x31, 0x41, 0x59, 0x27 };
	enum { N = sizeof text - 1 };
	uint8_t key[KEY_LEN], subkey[KEY_LEN], nonce[12] = { 7 }, long_nonce[24], tag[TAG_LEN], data[N];
	struct poly1305 st;
	bool good = true;

	poly1305_init(&st, poly_key);
	poly1305_update(&st, (const uint8_t *)"Cryptographic Forum Research Group", 34);
	poly1305_final(&st, tag);
	good &= same_hex("poly1305", tag, TAG_LEN, "a8061dc1305136c6c22b8baf0c0127a9");

	for (int i = 0; i < KEY_LEN; i++)
		key[i] = (uint8_t)i;
	hchacha20(key, hnonce, subkey);
	good &= same_hex("hchacha20", subkey, KEY_LEN,
			 "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");

	for (int i = 0; i < KEY_LEN; i++)
		key[i] = (uint8_t)(0x80 + i);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(0x40 + i);
	memcpy(data, text, N);
	aead_seal(key, nonce, aad, sizeof aad, data, N, tag);
	good &= same_hex("seal tag", tag, TAG_LEN, "1ae10b594f09e26a7e902ecbd0600691");
	good &= same_hex("ciphertext", data, 16, "d31a8d34648e60db7b86afbc53ef7ec2");

	unsigned refused = 0;
	for (unsigned i = 0; i < N + TAG_LEN; i++) {
		uint8_t *byte = i < N ? data + i : tag + (i - N), bit = (uint8_t)(1u << i % 8);
		*byte ^= bit;
		refused += !aead_open(key, nonce, aad, sizeof aad, data, N, tag);
		*byte ^= bit;
	}
	refused += !aead_open(key, nonce, aad, sizeof aad - 1, data, N, tag);
	good &= refused == N + TAG_LEN + 1;
	good &= aead_open(key, nonce, aad, sizeof aad, data, N, tag) && memcmp(data, text, N) == 0;

	for (int i = 0; i < 24; i++)
		long_nonce[i] = (uint8_t)(0x40 + i);
	hchacha20(key, long_nonce, subkey);
	memset(nonce, 0, 4);
	memcpy(nonce + 4, long_nonce + 16, 8);
	aead_seal(subkey, nonce, aad, sizeof aad, data, N, tag);
	good &= same_hex("xchacha", tag, TAG_LEN, "c0875924c1c7987947deafd8780acf49");
	printf("%u forgeries refused, %s\n", refused, good ? "all answers known" : "WRONG ANSWER");
	return good ? 0 : 1;
}
