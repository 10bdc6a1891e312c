/* Block-sorting compressor front end: Burrows-Wheeler transform, move-to-front, and zero-run coding
 * in bijective base 2, with the exact inverse of each stage.
 * Rotations are sorted with a three-way radix quicksort; the inverse follows the LF mapping. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX 3000
#define RUN_A 0
#define RUN_B 1
#define ALPHABET 258 /* two run digits, then MTF ranks 1..255 as 2..256, then the end mark */
#define END_MARK 257

struct block {
	int size;
	int primary;          /* row that holds the untransformed text */
	uint8_t last[BLOCK_MAX];
};

typedef struct SortFrame {
	const uint8_t *text;
	int n;
} SortFrame;

static inline int key_at(const SortFrame *f, int rotation, int depth)
{
	int i = rotation + depth;

	return f->text[i >= f->n ? i - f->n : i];
}

static void swap_range(int *a, int *b, int count)
{
	while (count-- > 0) {
		int t = *a;
		*a++ = *b;
		*b++ = t;
	}
}

static int median3(int a, int b, int c)
{
	if (a > b) {
		int t = a;
		a = b;
		b = t;
	}
	return c < a ? a : c > b ? b : c;
}

/* Equal keys go to the ends while partitioning and are swapped to the middle afterwards; the middle
 * part goes one byte deeper.  At depth n the rotations are identical and any order will do. */
static void sort_rotations(const SortFrame *f, int *rows, int count, int depth)
{
	while (count > 1 && depth < f->n) {
		int pivot = median3(key_at(f, rows[0], depth), key_at(f, rows[count / 2], depth),
				    key_at(f, rows[count - 1], depth));
		int eq_lo = 0, lo = 0, hi = count - 1, eq_hi = count - 1;

		for (;;) {
			int k;
			for (; lo <= hi && (k = key_at(f, rows[lo], depth)) <= pivot; lo++)
				if (k == pivot)
					swap_range(rows + eq_lo++, rows + lo, 1);
			for (; lo <= hi && (k = key_at(f, rows[hi], depth)) >= pivot; hi--)
				if (k == pivot)
					swap_range(rows + eq_hi--, rows + hi, 1);
			if (lo > hi)
				break;
			swap_range(rows + lo++, rows + hi--, 1);
		}
		int less = lo - eq_lo, more = eq_hi - hi;
		int edge = eq_lo < less ? eq_lo : less;
		swap_range(rows, rows + lo - edge, edge);
		int tail = count - 1 - eq_hi;
		edge = tail < more ? tail : more;
		swap_range(rows + lo, rows + count - edge, edge);

		sort_rotations(f, rows, less, depth);
		sort_rotations(f, rows + count - more, more, depth);
		rows += less;
		count -= less + more;
		depth++;
	}
}

int bwt_forward(const uint8_t *text, int n, struct block *out)
{
	SortFrame frame = { text, n };
	int *rows = malloc(sizeof *rows * (size_t)(n ? n : 1));

	if (!rows)
		return -1;
	for (int i = 0; i < n; i++)
		rows[i] = i;
	sort_rotations(&frame, rows, n, 0);
	out->size = n;
	out->primary = 0;
	for (int i = 0; i < n; i++) {
		if (rows[i] == 0)
			out->primary = i;
		out->last[i] = text[rows[i] ? rows[i] - 1 : n - 1];
	}
	free(rows);
	return 0;
}

int bwt_inverse(const struct block *in, uint8_t *text)
{
	int start[257] = { 0 };
	int *lf = malloc(sizeof *lf * (size_t)(in->size ? in->size : 1));

	if (!lf)
		return -1;
	for (int i = 0; i < in->size; i++)
		start[in->last[i] + 1]++;
	for (int c = 0; c < 256; c++)
		start[c + 1] += start[c];
	for (int i = 0; i < in->size; i++)
		lf[i] = start[in->last[i]]++;
	for (int i = in->size - 1, row = in->primary; i >= 0; i--, row = lf[row])
		text[i] = in->last[row];
	free(lf);
	return 0;
}

static int mtf_rank(uint8_t *order, uint8_t symbol)
{
	int rank = 0;

	while (order[rank] != symbol)
		rank++;
	memmove(order + 1, order, (size_t)rank);
	order[0] = symbol;
	return rank;
}

static uint8_t mtf_symbol(uint8_t *order, int rank)
{
	uint8_t symbol = order[rank];

	memmove(order + 1, order, (size_t)rank);
	order[0] = symbol;
	return symbol;
}

static int put_run(uint16_t *out, unsigned run)
{
	int n = 0;

	for (; run; run = (run - 1) / 2)
		out[n++] = run % 2 ? RUN_A : RUN_B;
	return n;
}

/* Writes at most n + 1 codes and returns how many. */
int mtf_rle_encode(const uint8_t *src, int n, uint16_t *out)
{
	uint8_t order[256];
	unsigned run = 0;
	int len = 0;

	for (int i = 0; i < 256; i++)
		order[i] = (uint8_t)i;
	for (int i = 0; i < n; i++) {
		int rank = mtf_rank(order, src[i]);
		if (rank == 0) {
			run++;
			continue;
		}
		len += put_run(out + len, run);
		run = 0;
		out[len++] = (uint16_t)(rank + 1);
	}
	len += put_run(out + len, run);
	out[len++] = END_MARK;
	return len;
}

/* Returns the bytes written, or -1 on a bad code, an overflow, or a missing end mark. */
int mtf_rle_decode(const uint16_t *codes, int count, uint8_t *dst, int room)
{
	uint8_t order[256];
	int len = 0, run = 0, weight = 1;

	for (int i = 0; i < 256; i++)
		order[i] = (uint8_t)i;
	for (int i = 0; i < count; i++) {
		if (codes[i] <= RUN_B) {
			run += codes[i] == RUN_A ? weight : 2 * weight;
			weight *= 2;
			if (run > room - len)
				return -1;
			continue;
		}
		memset(dst + len, order[0], (size_t)run);
		len += run;
		run = 0;
		weight = 1;
		if (codes[i] == END_MARK)
			return len;
		if (codes[i] >= ALPHABET || len == room)
			return -1;
		dst[len++] = mtf_symbol(order, codes[i] - 1);
	}
	return -1;
}

static int gen_prose(uint8_t *buf)
{
	static const char *const words[] = { "the ", "pass ", "moves ", "code ", "out of ", "loops ", "and ",
					     "into ", "blocks ", "then ", "it " };
	uint32_t s = 12345;
	int n = 0;

	for (;;) {
		s = s * 1103515245u + 12345u;
		const char *w = words[(s >> 16) % (sizeof words / sizeof *words)];
		int len = (int)strlen(w);
		if (n + len > BLOCK_MAX)
			return n;
		memcpy(buf + n, w, (size_t)len);
		n += len;
	}
}

static int gen_dna(uint8_t *buf)
{
	uint32_t s = 1;

	for (int i = 0; i < BLOCK_MAX; i++) {
		s = (s >> 1) ^ ((0u - (s & 1u)) & 0xA3000000u);
		buf[i] = (uint8_t)"ACGT"[(s ^ s >> 5) & 3];
	}
	return BLOCK_MAX;
}

static int gen_periodic(uint8_t *buf)
{
	for (int i = 0; i < 600; i++)
		buf[i] = (uint8_t)(i % 6 * 40);
	return 600;
}

static int gen_single(uint8_t *buf)
{
	buf[0] = 0xFF;
	return 1;
}

int main(void)
{
	static struct block blk, back;
	static uint8_t text[BLOCK_MAX], restored[BLOCK_MAX];
	static uint16_t codes[BLOCK_MAX + 1];
	int (*const makers[])(uint8_t *) = { gen_prose, gen_dna, gen_periodic, gen_single };
	int failed = 0;

	if (bwt_forward((const uint8_t *)"bananas", 7, &blk) != 0)
		return 2;
	printf("bananas -> %.7s @%d\n", (const char *)blk.last, blk.primary);
	failed |= memcmp(blk.last, "bnnsaaa", 7) != 0 || blk.primary != 3;

	for (size_t t = 0; t < sizeof makers / sizeof *makers; t++) {
		int n = makers[t](text), zero_digits = 0;
		if (bwt_forward(text, n, &blk) != 0)
			return 2;
		int count = mtf_rle_encode(blk.last, n, codes);
		for (int i = 0; i < count; i++)
			zero_digits += codes[i] <= RUN_B;
		back.size = mtf_rle_decode(codes, count, back.last, BLOCK_MAX);
		back.primary = blk.primary;
		int ok = back.size == n && bwt_inverse(&back, restored) == 0 &&
			 memcmp(text, restored, (size_t)n) == 0;
		ok = ok && mtf_rle_decode(codes, count - 1, back.last, BLOCK_MAX) == -1;
		printf("case %zu: %d bytes, primary %d, %d codes (%d run digits) %s\n", t, n, blk.primary,
		       count, zero_digits, ok ? "ok" : "FAILED");
		failed |= !ok;
	}
	return failed;
}
