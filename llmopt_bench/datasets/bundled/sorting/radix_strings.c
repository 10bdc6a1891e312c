/*
 * MSD radix sort of NUL-terminated strings: one counting pass per character position, buckets
 * visited recursively, small buckets finished by insertion sort on the remaining suffixes.
 * Sorts generated place names and checks the result against strcmp order.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTOFF 12
#define NBUCKET 257 /* one per byte value, and one more for the prefix sums */

static int suffix_cmp(const char *a, const char *b, size_t depth)
{
	return strcmp(a + depth, b + depth);
}

static void insertion_suffixes(const char **v, size_t n, size_t depth)
{
	for (size_t i = 1, j; i < n; i++) {
		const char *s = v[i];
		for (j = i; j > 0 && suffix_cmp(v[j - 1], s, depth) > 0; j--)
			v[j] = v[j - 1];
		v[j] = s;
	}
}

/* `spare` has room for n pointers. Returns the number of counting passes done. */
static unsigned msd(const char **v, const char **spare, size_t n, size_t depth)
{
	size_t start[NBUCKET] = {0};
	unsigned passes = 1;
	size_t i;

	if (n <= CUTOFF) {
		insertion_suffixes(v, n, depth);
		return 0;
	}
	for (i = 0; i < n; i++)
		start[(unsigned char)v[i][depth] + 1]++;
	for (i = 1; i < NBUCKET; i++)
		start[i] += start[i - 1];
	for (i = 0; i < n; i++)
		spare[start[(unsigned char)v[i][depth]]++] = v[i];
	memcpy(v, spare, n * sizeof *v);

	/* After distribution start[c] is the end of bucket c; bucket 0 holds finished strings. */
	for (i = 1; i < NBUCKET - 1; i++) {
		size_t len = start[i] - start[i - 1];
		if (len > 1)
			passes += msd(v + start[i - 1], spare, len, depth + 1);
	}
	return passes;
}

int radix_sort_strings(const char **v, size_t n, unsigned *passes)
{
	const char **spare = malloc((n ? n : 1) * sizeof *spare);

	if (!spare)
		return -1;
	*passes = msd(v, spare, n, 0);
	free(spare);
	return 0;
}

/* Drops duplicates of a sorted array in place; returns the new length. */
size_t unique_strings(const char **v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(v[kept - 1], v[i]) != 0)
			v[kept++] = v[i];
	return kept;
}

static char *make_name(char *out, uint32_t *seed)
{
	static const char *const head[] = {"north", "south", "upper ", "lower ", "st. ", "", "", "great "};
	static const char *const stem[] = {"wood", "stan", "had", "al\xc3\xb6", "br", "wes", "king's", "o"};
	static const char *const tail[] = {"ton", "ham", "by", "wick", "ley", "ford", "thorpe", "ness"};
	const char *const *part[3] = {head, stem, tail};

	for (int k = 0; k < 3; k++) {
		*seed = *seed * 22695477u + 1u;
		const char *s = part[k][(*seed >> 20) & 7];
		size_t len = strlen(s);
		memcpy(out, s, len);
		out += len;
	}
	*out = '\0';
	return out + 1;
}

int main(void)
{
	enum { N = 2000, ROOM = 24 };
	const char **names = malloc(N * sizeof *names);
	char *pool = malloc((size_t)N * ROOM), *p = pool;
	uint32_t seed = 2024, hash = 5381;
	unsigned passes = 0;
	size_t uniq, bad = 0;

	if (!names || !pool) {
		free(names);
		free(pool);
		return 1;
	}
	for (size_t i = 0; i < N; i++) {
		names[i] = p;
		p = make_name(p, &seed);
	}
	if (radix_sort_strings(names, N, &passes) != 0)
		bad = N;
	for (size_t i = 1; i < N; i++)
		bad += strcmp(names[i - 1], names[i]) > 0;
	uniq = unique_strings(names, N);
	for (size_t i = 0; i < uniq; i++)
		for (const char *c = names[i]; *c; c++)
			hash = hash * 33u ^ (unsigned char)*c;
	for (size_t i = 0; i < uniq; i += uniq / 6)
		printf("%3zu %s\n", i, names[i]);
	printf("unique %zu, passes %u, hash %08x, misordered %zu\n", uniq, passes,
	       (unsigned)hash, bad);
	free(names);
	free(pool);
	return bad != 0;
}
