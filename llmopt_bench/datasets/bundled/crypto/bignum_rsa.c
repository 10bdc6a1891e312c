/*
 * Arbitrary-precision unsigned integers and a small RSA on top of them.
 * Schoolbook multiplication, long division (Knuth's algorithm D), Montgomery powers with a four-bit
 * window, Miller-Rabin, and key generation with Chinese-remainder decryption.
 * The keys are far too small to protect anything and the generator is seeded with a constant.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bn {
	uint32_t *limb; /* least significant first, no zero limb on top */
	int len, cap;
} bn;

#define BN_ZERO ((bn){ NULL, 0, 0 })

struct rsa_key {
	bn n, e, p, q;
	bn dp, dq, q_inverse;
};

static void *must_alloc(void *old, size_t count) {
	void *p = realloc(old, (count ? count : 1) * sizeof(uint32_t));
	if (p == NULL) {
		fprintf(stderr, "bignum_rsa: no memory for %zu limbs\n", count);
		exit(2);
	}
	return p;
}

static void bn_reserve(bn *a, int cap) {
	if (a->cap < cap) {
		a->limb = must_alloc(a->limb, (size_t)cap);
		a->cap = cap;
	}
}

static void bn_trim(bn *a) {
	while (a->len > 0 && a->limb[a->len - 1] == 0)
		a->len--;
}

void bn_free(bn *a) {
	free(a->limb);
	*a = BN_ZERO;
}

/* Frees every number up to a final null pointer. */
static void bn_free_all(bn *first, ...) {
	va_list rest;
	va_start(rest, first);
	for (bn *a = first; a != NULL; a = va_arg(rest, bn *))
		bn_free(a);
	va_end(rest);
}

/* Moves a fresh result into place; results are built apart so that operands may alias them. */
static void bn_replace(bn *dst, bn *fresh) {
	bn_trim(fresh);
	free(dst->limb);
	*dst = *fresh;
}

static bn bn_fresh(int len) {
	bn a = BN_ZERO;
	bn_reserve(&a, len);
	memset(a.limb, 0, (size_t)a.cap * sizeof *a.limb);
	a.len = len;
	return a;
}

void bn_set(bn *a, uint32_t value) {
	bn_reserve(a, 1);
	a->limb[0] = value;
	a->len = value != 0;
}

void bn_copy(bn *dst, const bn *src) {
	if (dst == src)
		return;
	bn_reserve(dst, src->len);
	if (src->len)
		memcpy(dst->limb, src->limb, (size_t)src->len * sizeof *src->limb);
	dst->len = src->len;
}

int bn_cmp(const bn *a, const bn *b) {
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	for (int i = a->len - 1; i >= 0; i--)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

static bool bn_is_one(const bn *a) {
	return a->len == 1 && a->limb[0] == 1;
}

static bool bn_is_odd(const bn *a) {
	return a->len && (a->limb[0] & 1);
}

static int bn_bits(const bn *a) {
	int bits = 32 * a->len;
	if (a->len)
		for (uint32_t top = a->limb[a->len - 1]; !(top >> 31); top <<= 1)
			bits--;
	return bits;
}

void bn_add(bn *r, const bn *a, const bn *b) {
	const bn *longer = a->len >= b->len ? a : b, *shorter = longer == a ? b : a;
	bn sum = bn_fresh(longer->len + 1);
	uint64_t carry = 0;
	for (int i = 0; i < longer->len; i++) {
		carry += (uint64_t)longer->limb[i] + (i < shorter->len ? shorter->limb[i] : 0);
		sum.limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	sum.limb[longer->len] = (uint32_t)carry;
	bn_replace(r, &sum);
}

/* a must not be less than b. */
void bn_sub(bn *r, const bn *a, const bn *b) {
	bn diff = bn_fresh(a->len);
	uint64_t borrow = 0;
	for (int i = 0; i < a->len; i++) {
		uint64_t d = (uint64_t)a->limb[i] - (i < b->len ? b->limb[i] : 0) - borrow;
		diff.limb[i] = (uint32_t)d;
		borrow = d >> 63;
	}
	bn_replace(r, &diff);
}

void bn_mul(bn *r, const bn *a, const bn *b) {
	bn product = bn_fresh(a->len + b->len);
	for (int i = 0; i < a->len; i++) {
		uint64_t carry = 0;
		for (int j = 0; j < b->len; j++) {
			carry += (uint64_t)a->limb[i] * b->limb[j] + product.limb[i + j];
			product.limb[i + j] = (uint32_t)carry;
			carry >>= 32;
		}
		product.limb[i + b->len] = (uint32_t)carry;
	}
	bn_replace(r, &product);
}

/* a = a * m + add, in place. */
static void bn_mul_add(bn *a, uint32_t m, uint32_t add) {
	uint64_t carry = add;
	bn_reserve(a, a->len + 1);
	for (int i = 0; i < a->len; i++) {
		carry += (uint64_t)a->limb[i] * m;
		a->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	a->limb[a->len++] = (uint32_t)carry;
	bn_trim(a);
}

/* a = a / d in place; returns the remainder. */
static uint32_t bn_div_small(bn *a, uint32_t d) {
	uint64_t rest = 0;
	for (int i = a->len - 1; i >= 0; i--) {
		rest = rest << 32 | a->limb[i];
		a->limb[i] = (uint32_t)(rest / d);
		rest %= d;
	}
	bn_trim(a);
	return (uint32_t)rest;
}

static uint32_t bn_mod_small(const bn *a, uint32_t d) {
	uint64_t rest = 0;
	for (int i = a->len - 1; i >= 0; i--)
		rest = (rest << 32 | a->limb[i]) % d;
	return (uint32_t)rest;
}

void bn_shift_left(bn *r, const bn *a, int bits) {
	int limbs = bits / 32, part = bits % 32;
	bn out = bn_fresh(a->len + limbs + 1);
	for (int i = 0; i < a->len; i++) {
		uint64_t wide = (uint64_t)a->limb[i] << part;
		out.limb[i + limbs] |= (uint32_t)wide;
		out.limb[i + limbs + 1] = (uint32_t)(wide >> 32);
	}
	bn_replace(r, &out);
}

void bn_shift_right(bn *r, const bn *a, int bits) {
	int limbs = bits / 32, part = bits % 32;
	bn out = bn_fresh(a->len > limbs ? a->len - limbs : 0);
	for (int i = 0; i < out.len; i++) {
		uint64_t wide = a->limb[i + limbs];
		if (i + limbs + 1 < a->len)
			wide |= (uint64_t)a->limb[i + limbs + 1] << 32;
		out.limb[i] = (uint32_t)(wide >> part);
	}
	bn_replace(r, &out);
}

/* One digit of the quotient: guesses it from the top limbs, then corrects the guess. */
static uint32_t quotient_digit(uint32_t *u, const uint32_t *v, int n) {
	uint64_t top = (uint64_t)u[n] << 32 | u[n - 1], guess = top / v[n - 1], rest = top % v[n - 1];
	while (guess >> 32 || guess * v[n - 2] > (rest << 32 | u[n - 2])) {
		guess--;
		rest += v[n - 1];
		if (rest >> 32)
			break;
	}
	uint64_t carry = 0, borrow = 0;
	for (int i = 0; i <= n; i++) {
		carry += i < n ? guess * v[i] : 0;
		uint64_t d = (uint64_t)u[i] - (uint32_t)carry - borrow;
		u[i] = (uint32_t)d;
		borrow = d >> 63;
		carry >>= 32;
	}
	if (borrow) {
		guess--;
		carry = 0;
		for (int i = 0; i <= n; i++) {
			carry += (uint64_t)u[i] + (i < n ? v[i] : 0);
			u[i] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	return (uint32_t)guess;
}

/* q and r may be NULL; b must not be zero. */
void bn_divmod(bn *q, bn *r, const bn *a, const bn *b) {
	bn quotient = BN_ZERO, rest = BN_ZERO, divisor = BN_ZERO;
	if (bn_cmp(a, b) < 0) {
		bn_copy(&rest, a);
	} else if (b->len == 1) {
		bn_copy(&quotient, a);
		bn_set(&rest, bn_div_small(&quotient, b->limb[0]));
	} else {
		int shift = 32 * b->len - bn_bits(b), digits = a->len - b->len + 1;
		bn_shift_left(&divisor, b, shift);
		bn_shift_left(&rest, a, shift);
		bn_reserve(&rest, a->len + 1);
		if (rest.len == a->len)
			rest.limb[rest.len++] = 0;
		quotient = bn_fresh(digits);
		for (int j = digits - 1; j >= 0; j--)
			quotient.limb[j] = quotient_digit(rest.limb + j, divisor.limb, b->len);
		bn_trim(&rest);
		bn_shift_right(&rest, &rest, shift);
	}
	if (q)
		bn_replace(q, &quotient);
	else
		bn_free(&quotient);
	if (r)
		bn_replace(r, &rest);
	else
		bn_free(&rest);
	bn_free(&divisor);
}

static void bn_mod(bn *r, const bn *a, const bn *m) {
	bn_divmod(NULL, r, a, m);
}

void bn_from_hex(bn *a, const char *hex) {
	bn_set(a, 0);
	for (; isxdigit((unsigned char)*hex); hex++)
		bn_mul_add(a, 16, (uint32_t)(isdigit((unsigned char)*hex) ? *hex - '0' : (*hex | 32) - 'a' + 10));
}

/* The caller frees the string. */
char *bn_to_decimal(const bn *a) {
	size_t room = (size_t)a->len * 10 + 2, at = room - 1;
	char *text = must_alloc(NULL, room);
	bn rest = BN_ZERO;
	bn_copy(&rest, a);
	text[at] = '\0';
	do
		text[--at] = (char)('0' + bn_div_small(&rest, 10));
	while (rest.len);
	memmove(text, text + at, room - at);
	bn_free(&rest);
	return text;
}

struct montgomery {
	const uint32_t *m;
	uint32_t *scratch; /* n + 2 limbs */
	uint32_t negative_inverse;
	int n;
};

/* out = a * b / 2^(32n) mod m, interleaving products with reductions. */
static void mont_mul(const struct montgomery *ctx, uint32_t *out, const uint32_t *a, const uint32_t *b) {
	uint32_t *t = ctx->scratch;
	int n = ctx->n;
	memset(t, 0, (size_t)(n + 2) * sizeof *t);
	for (int i = 0; i < n; i++) {
		uint64_t carry = 0;
		for (int j = 0; j < n; j++) {
			carry += (uint64_t)a[i] * b[j] + t[j];
			t[j] = (uint32_t)carry;
			carry >>= 32;
		}
		carry += t[n];
		t[n] = (uint32_t)carry;
		t[n + 1] = (uint32_t)(carry >> 32);

		uint64_t factor = t[0] * ctx->negative_inverse;
		carry = (factor * ctx->m[0] + t[0]) >> 32;
		for (int j = 1; j < n; j++) {
			carry += factor * ctx->m[j] + t[j];
			t[j - 1] = (uint32_t)carry;
			carry >>= 32;
		}
		carry += t[n];
		t[n - 1] = (uint32_t)carry;
		t[n] = t[n + 1] + (uint32_t)(carry >> 32);
	}
	uint64_t borrow = 0;
	for (int i = 0; i < n; i++) {
		uint64_t d = (uint64_t)t[i] - ctx->m[i] - borrow;
		out[i] = (uint32_t)d;
		borrow = d >> 63;
	}
	if (borrow > t[n])
		memcpy(out, t, (size_t)n * sizeof *out);
}

/* r = base^exponent mod m for odd m > 1. */
void bn_mod_exp(bn *r, const bn *base, const bn *exponent, const bn *m) {
	int n = m->len;
	uint32_t inverse = 1;
	for (int i = 0; i < 5; i++) /* Newton: each step doubles the correct low bits */
		inverse *= 2 - m->limb[0] * inverse;
	struct montgomery ctx = { m->limb, must_alloc(NULL, (size_t)n + 2), 0 - inverse, n };
	uint32_t *power = must_alloc(NULL, 16 * (size_t)n);
	bn acc = BN_ZERO, scaled = BN_ZERO;
	bn_set(&acc, 1);
	bn_shift_left(&acc, &acc, 32 * n);
	bn_mod(&acc, &acc, m);
	bn_mod(&scaled, base, m);
	bn_shift_left(&scaled, &scaled, 32 * n);
	bn_mod(&scaled, &scaled, m);
	memset(power, 0, 16 * (size_t)n * sizeof *power);
	if (acc.len)
		memcpy(power, acc.limb, (size_t)acc.len * sizeof *power);
	if (scaled.len)
		memcpy(power + n, scaled.limb, (size_t)scaled.len * sizeof *power);
	for (int i = 2; i < 16; i++)
		mont_mul(&ctx, power + i * n, power + (i - 1) * n, power + n);

	bn result = bn_fresh(n);
	memcpy(result.limb, power, (size_t)n * sizeof *power);
	for (int nibble = exponent->len * 8 - 1; nibble >= 0; nibble--) {
		for (int i = 0; i < 4; i++)
			mont_mul(&ctx, result.limb, result.limb, result.limb);
		uint32_t digit = exponent->limb[nibble / 8] >> nibble % 8 * 4 & 15;
		mont_mul(&ctx, result.limb, result.limb, power + (int)digit * n);
	}
	memset(power, 0, (size_t)n * sizeof *power);
	power[0] = 1;
	mont_mul(&ctx, result.limb, result.limb, power);
	bn_replace(r, &result);

	free(ctx.scratch);
	free(power);
	bn_free_all(&acc, &scaled, (bn *)NULL);
}

/* r = 1 / a mod m; false if they share a factor. */
bool bn_mod_inverse(bn *r, const bn *a, const bn *m) {
	bn old = BN_ZERO, now = BN_ZERO, x = BN_ZERO, next_x = BN_ZERO, q = BN_ZERO, t = BN_ZERO;
	bn_copy(&old, m);
	bn_mod(&now, a, m);
	bn_set(&next_x, 1);
	while (now.len) {
		bn_divmod(&q, &t, &old, &now);
		bn_copy(&old, &now);
		bn_copy(&now, &t);
		bn_mul(&t, &q, &next_x);
		bn_mod(&t, &t, m);
		if (bn_cmp(&x, &t) < 0)
			bn_add(&x, &x, m);
		bn_sub(&t, &x, &t);
		bn_copy(&x, &next_x);
		bn_copy(&next_x, &t);
	}
	bool found = bn_is_one(&old);
	if (found)
		bn_copy(r, &x);
	bn_free_all(&old, &now, &x, &next_x, &q, &t, (bn *)NULL);
	return found;
}

bool bn_is_probable_prime(const bn *a) {
	static const uint8_t witness[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37 };
	bn minus_one = BN_ZERO, odd = BN_ZERO, x = BN_ZERO, base = BN_ZERO, one = BN_ZERO;
	int twos = 0;
	bool prime = true;
	if (a->len == 0 || bn_is_one(a))
		return false;
	for (size_t i = 0; i < sizeof witness; i++)
		if (bn_mod_small(a, witness[i]) == 0)
			return a->len == 1 && a->limb[0] == witness[i];

	bn_set(&one, 1);
	bn_sub(&minus_one, a, &one);
	bn_copy(&odd, &minus_one);
	for (; !bn_is_odd(&odd); twos++)
		bn_shift_right(&odd, &odd, 1);
	for (size_t i = 0; prime && i < sizeof witness; i++) {
		bn_set(&base, witness[i]);
		bn_mod_exp(&x, &base, &odd, a);
		if (bn_is_one(&x))
			continue;
		int squarings = 0;
		while (bn_cmp(&x, &minus_one) != 0 && ++squarings < twos) {
			bn_mul(&x, &x, &x);
			bn_mod(&x, &x, a);
		}
		prime = squarings < twos;
	}
	bn_free_all(&minus_one, &odd, &x, &base, &one, (bn *)NULL);
	return prime;
}

static uint32_t next_random(uint64_t *state) {
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 32);
}

/* The two top bits are set, so that a product of two such primes has full length. */
static void random_prime(bn *a, int limbs, uint64_t *state) {
	bn two = BN_ZERO;
	bn_set(&two, 2);
	bn_reserve(a, limbs);
	for (a->len = 0; a->len < limbs; a->len++)
		a->limb[a->len] = next_random(state);
	a->limb[limbs - 1] |= 3u << 30;
	a->limb[0] |= 1;
	while (!bn_is_probable_prime(a))
		bn_add(a, a, &two);
	bn_free(&two);
}

void rsa_generate(struct rsa_key *key, int prime_limbs, uint64_t seed) {
	bn one = BN_ZERO, p1 = BN_ZERO, q1 = BN_ZERO;
	bn_set(&one, 1);
	bn_set(&key->e, 65537);
	do {
		random_prime(&key->p, prime_limbs, &seed);
		random_prime(&key->q, prime_limbs, &seed);
		bn_sub(&p1, &key->p, &one);
		bn_sub(&q1, &key->q, &one);
	} while (!bn_mod_inverse(&key->dp, &key->e, &p1) || !bn_mod_inverse(&key->dq, &key->e, &q1) ||
		 !bn_mod_inverse(&key->q_inverse, &key->q, &key->p));
	bn_mul(&key->n, &key->p, &key->q);
	bn_free_all(&one, &p1, &q1, (bn *)NULL);
}

/* Works modulo each prime and joins the halves: m = mq + q * ((mp - mq) / q mod p). */
void rsa_decrypt(bn *message, const bn *cipher, const struct rsa_key *key) {
	bn mp = BN_ZERO, mq = BN_ZERO, t = BN_ZERO;
	bn_mod_exp(&mp, cipher, &key->dp, &key->p);
	bn_mod_exp(&mq, cipher, &key->dq, &key->q);
	bn_mod(&t, &mq, &key->p);
	bn_add(&mp, &mp, &key->p);
	bn_sub(&mp, &mp, &t);
	bn_mul(&mp, &mp, &key->q_inverse);
	bn_mod(&mp, &mp, &key->p);
	bn_mul(&mp, &mp, &key->q);
	bn_add(message, &mp, &mq);
	bn_free_all(&mp, &mq, &t, (bn *)NULL);
}

static bool show(const char *label, const bn *a, const char *expected) {
	char *text = bn_to_decimal(a);
	bool same = expected == NULL || strcmp(text, expected) == 0;
	printf("%s = %s%s\n", label, text, same ? "" : "  WRONG");
	free(text);
	return same;
}

static bool check_arithmetic(void) {
	bn a = BN_ZERO, b = BN_ZERO, q = BN_ZERO, r = BN_ZERO;
	bool good;
	bn_set(&a, 1);
	for (uint32_t i = 2; i <= 40; i++)
		bn_mul_add(&a, i, 0);
	good = show("40!", &a, "815915283247897734345611269596115894272000000000");
	bn_from_hex(&b, "123456789abcdef0fedcba9876543210f");
	bn_divmod(&q, &r, &a, &b);
	good &= show("40! div b", &q, "2107405824");
	good &= show("40! mod b", &r, "72143031698141496475316842321604974080");
	bn_mul(&q, &q, &b);
	bn_add(&q, &q, &r);
	good &= bn_cmp(&q, &a) == 0;
	/* quotient digits that are guessed one too high */
	bn_from_hex(&a, "7fffffff800000010000000000000000");
	bn_from_hex(&b, "800000008000000200000005");
	bn_divmod(&q, &r, &a, &b);
	good &= show("q", &q, "4294967293");
	good &= show("r", &r, "39614081266355540837921718287");
	bn_from_hex(&b, "fedcba987654321fedcba987654321");
	bn_from_hex(&q, "3039");
	bn_mod_exp(&r, &a, &q, &b);
	good &= show("a^12345 mod b", &r, "369760974981177868441784706602189611");
	good &= bn_mod_inverse(&q, &r, &b);
	bn_mul(&q, &q, &r);
	bn_mod(&q, &q, &b);
	good &= bn_is_one(&q);
	bn_free_all(&a, &b, &q, &r, (bn *)NULL);
	return good;
}

static bool check_primes(void) {
	static const int exponents[] = { 61, 67, 89, 107, 113, 127 };
	bn a = BN_ZERO, one = BN_ZERO;
	unsigned found = 0;
	int below = 0;
	bn_set(&one, 1);
	for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
		bn_shift_left(&a, &one, exponents[i]);
		bn_sub(&a, &a, &one);
		found = found << 1 | bn_is_probable_prime(&a);
	}
	for (uint32_t i = 0; i < 600; i++) { /* 561 is the Carmichael number among these */
		bn_set(&a, i);
		below += bn_is_probable_prime(&a);
	}
	printf("Mersenne mask %x, %d primes below 600\n", found, below);
	bn_free_all(&a, &one, (bn *)NULL);
	return found == 0x2d && below == 109;
}

static bool check_rsa(void) {
	struct rsa_key key = { 0 };
	bn message = BN_ZERO, cipher = BN_ZERO, back = BN_ZERO;
	bool good = true;
	rsa_generate(&key, 4, 20240229);
	show("n", &key.n, NULL);
	for (const char *s = "attack at dawn, bring tea"; *s; s++)
		bn_mul_add(&message, 256, (unsigned char)*s);
	for (int round = 0; round < 3; round++) {
		bn_mod_exp(&cipher, &message, &key.e, &key.n);
		rsa_decrypt(&back, &cipher, &key);
		good &= bn_cmp(&back, &message) == 0 && bn_cmp(&cipher, &message) != 0;
		bn_copy(&message, &cipher);
	}
	show("cipher", &cipher, NULL);
	bn_free_all(&key.n, &key.e, &key.p, &key.q, &key.dp,
		    &key.dq, &key.q_inverse, &message, &cipher, &back, (bn *)NULL);
	return good;
}

int main(void) {
	bool arithmetic = check_arithmetic(), primes = check_primes(), rsa = check_rsa();
	printf("arithmetic %s, primes %s, rsa %s\n", arithmetic ? "ok" : "WRONG", primes ? "ok" : "WRONG",
	       rsa ? "ok" : "WRONG");
	return arithmetic && primes && rsa ? 0 : 1;
}
