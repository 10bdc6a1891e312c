/* Suffix array by prefix doubling with radix passes, longest common prefixes by Kasai's method.
 * Answers: longest repeated substring, number of distinct substrings, occurrences of a pattern. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sa {
	const unsigned char *text;
	int n;
	int *pos;	/* pos[i]: where the i-th smallest suffix starts */
	int *rank;	/* inverse of pos */
	int *lcp;	/* lcp[i]: shared prefix of the suffixes pos[i-1] and pos[i] */
};

static void counting_pass(const int *in, int *out, const int *key, int *count, int n, int classes)
{
	memset(count, 0, ((size_t)classes + 1) * sizeof *count);
	for (int i = 0; i < n; i++)
		count[key[i] + 1]++;
	for (int c = 0; c < classes; c++)
		count[c + 1] += count[c];
	for (int i = 0; i < n; i++)
		out[count[key[in[i]]]++] = in[i];
}

static int same_class(const int *rank, int n, int a, int b, int k)
{
	int ra = a + k < n ? rank[a + k] : -1, rb = b + k < n ? rank[b + k] : -1;
	return rank[a] == rank[b] && ra == rb;
}

static void double_prefixes(struct sa *s, int *order, int *fresh, int *count)
{
	int n = s->n, classes = 256;

	for (int i = 0; i < n; i++) {
		order[i] = i;
		s->rank[i] = s->text[i];
	}
	counting_pass(order, s->pos, s->rank, count, n, classes);
	for (int k = 1; ; k *= 2) {
		int m = 0;
		/* Suffixes too short to have a second half come first, the rest in order of it. */
		for (int i = n > k ? n - k : 0; i < n; i++)
			order[m++] = i;
		for (int i = 0; i < n; i++)
			if (s->pos[i] >= k)
				order[m++] = s->pos[i] - k;
		counting_pass(order, s->pos, s->rank, count, n, classes);
		classes = 0;
		for (int i = 0; i < n; i++) {
			if (i == 0 || !same_class(s->rank, n, s->pos[i - 1], s->pos[i], k))
				classes++;
			fresh[s->pos[i]] = classes - 1;
		}
		memcpy(s->rank, fresh, (size_t)n * sizeof *fresh);
		if (classes >= n)
			return;
	}
}

static void fill_lcp(struct sa *s)
{
	int h = 0;
	for (int i = 0; i < s->n; i++) {
		if (s->rank[i] == 0) {
			s->lcp[0] = h = 0;
			continue;
		}
		int j = s->pos[s->rank[i] - 1];
		while (i + h < s->n && j + h < s->n && s->text[i + h] == s->text[j + h])
			h++;
		s->lcp[s->rank[i]] = h;
		if (h > 0)
			h--;
	}
}

int sa_build(struct sa *s, const char *text)
{
	size_t n = strlen(text), span = n > 256 ? n : 256;
	int *block = malloc((5 * n + span + 1) * sizeof *block);

	if (!block)
		return -1;
	*s = (struct sa){(const unsigned char *)text, (int)n, block, block + n, block + 2 * n};
	double_prefixes(s, block + 3 * n, block + 4 * n, block + 5 * n);
	fill_lcp(s);
	return 0;
}

/* First suffix that is >= the pattern (or, with past set, > every suffix starting with it). */
static int bound(const struct sa *s, const char *pattern, int past)
{
	int lo = 0, hi = s->n;
	size_t len = strlen(pattern);
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		int c = strncmp((const char *)s->text + s->pos[mid], pattern, len);
		if (c < 0 || (past && c == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int sa_count(const struct sa *s, const char *pattern)
{
	return bound(s, pattern, 1) - bound(s, pattern, 0);
}

static unsigned report(const char *name, const char *text, const char *pattern)
{
	struct sa s;
	unsigned bad = 0;
	int best = 0;
	uint64_t distinct = 0;

	if (sa_build(&s, text) != 0)
		return 1;
	for (int i = 0; i < s.n; i++) {
		distinct += (uint64_t)(s.n - s.pos[i] - s.lcp[i]);
		if (s.lcp[i] > s.lcp[best])
			best = i;
		bad += i > 0 && strcmp(text + s.pos[i - 1], text + s.pos[i]) >= 0;
	}
	printf("%s: n=%d distinct=%llu longest repeat=%d '%.*s' count('%s')=%d\n", name, s.n,
	       (unsigned long long)distinct, s.lcp[best], s.lcp[best] < 30 ? s.lcp[best] : 30,
	       text + s.pos[best], pattern, sa_count(&s, pattern));
	free(s.pos);
	return bad;
}

int main(void)
{
	static char fib[988] = "a", dna[1501];
	size_t len = 1, prev = 0;
	uint32_t seed = 31;
	unsigned bad = 0;

	fib[1] = 'b';
	for (len = 2, prev = 1; len + prev < sizeof fib; ) {	/* F(n+1) = F(n) F(n-1) */
		memmove(fib + len, fib, prev);
		size_t t = len;
		len += prev;
		prev = t;
	}
	for (size_t i = 0; i + 1 < sizeof dna; i++) {
		seed = seed * 69069u + 5u;
		dna[i] = "acgt"[seed >> 30];
	}
	bad += report("classic", "mississippi", "ssi");
	bad += report("sentence", "how much wood would a woodchuck chuck", "chuck");
	bad += report("fibonacci", fib, "abaab");
	bad += report("dna", dna, "gat");
	return bad != 0;
}
