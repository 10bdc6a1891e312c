/*
 * Aho-Corasick dictionary matcher over lower-case letters. The trie's failure links are folded
 * into a complete transition table, so scanning is one lookup per byte; output links chain the
 * shorter patterns ending at the same place. Counts are checked against a naive search.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGMA = 26, MAX_STATES = 128, MAX_PATTERNS = 16 };

typedef struct {
    int next[SIGMA];
    int fail;
    int output; /* nearest state on the failure chain that ends a pattern, or 0 */
    int pattern; /* index of the pattern ending here, or -1 */
} State;

typedef struct {
    State st[MAX_STATES];
    int nstates, npatterns;
    size_t length[MAX_PATTERNS];
} Automaton;

typedef bool (*ac_report)(int pattern, size_t begin, void *arg);

static int new_state(Automaton *ac)
{
    if (ac->nstates == MAX_STATES)
        return -1;
    State *s = &ac->st[ac->nstates];
    memset(s, 0, sizeof *s);
    s->pattern = -1;
    return ac->nstates++;
}

void ac_init(Automaton *ac)
{
    ac->nstates = ac->npatterns = 0;
    (void)new_state(ac);
}

/* Returns the pattern's index, or -1 if it is empty, has other letters or does not fit. */
int ac_add(Automaton *ac, const char *word)
{
    int cur = 0;
    if (!*word || ac->npatterns == MAX_PATTERNS || word[strspn(word, "abcdefghijklmnopqrstuvwxyz")])
        return -1;
    for (const char *p = word; *p; p++) {
        int *slot = &ac->st[cur].next[*p - 'a'];
        if (*slot == 0 && (*slot = new_state(ac)) < 0) {
            *slot = 0;
            return -1;
        }
        cur = *slot;
    }
    if (ac->st[cur].pattern < 0) {
        ac->length[ac->npatterns] = strlen(word);
        ac->st[cur].pattern = ac->npatterns++;
    }
    return ac->st[cur].pattern;
}

/* Breadth-first, so that a state's failure target is complete before the state itself. */
void ac_compile(Automaton *ac)
{
    int queue[MAX_STATES], head = 0, tail = 0;
    for (int c = 0; c < SIGMA; c++)
        if (ac->st[0].next[c])
            queue[tail++] = ac->st[0].next[c];
    while (head < tail) {
        State *s = &ac->st[queue[head++]];
        const State *f = &ac->st[s->fail];
        s->output = f->pattern >= 0 ? s->fail : f->output;
        for (int c = 0; c < SIGMA; c++) {
            if (s->next[c]) {
                ac->st[s->next[c]].fail = f->next[c];
                queue[tail++] = s->next[c];
            } else {
                s->next[c] = f->next[c];
            }
        }
    }
}

size_t ac_scan(const Automaton *ac, const char *text, ac_report report, void *arg)
{
    size_t hits = 0;
    int cur = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] < 'a' || text[i] > 'z') {
            cur = 0;
            continue;
        }
        cur = ac->st[cur].next[text[i] - 'a'];
        for (int s = cur; s; s = ac->st[s].output) {
            int p = ac->st[s].pattern;
            if (p < 0)
                continue;
            hits++;
            if (report && !report(p, i + 1 - ac->length[p], arg))
                return hits;
        }
    }
    return hits;
}

struct tally { unsigned count[MAX_PATTERNS]; size_t last[MAX_PATTERNS]; };

static bool count_hit(int pattern, size_t begin, void *arg)
{
    struct tally *t = arg;
    t->count[pattern]++;
    t->last[pattern] = begin;
    return true;
}

static bool stop_at_first(int pattern, size_t begin, void *arg)
{
    (void)pattern;
    *(size_t *)arg = begin;
    return false;
}

int main(void)
{
    static const char *const words[] = {"he", "she", "his", "hers", "a", "aba", "abab",
                                        "bababb", "usher", "sh", "ers", "zzz"};
    enum { N = sizeof words / sizeof words[0], LEN = 6000 };
    static Automaton ac;
    static struct tally got;
    static char text[LEN + 1];
    unsigned bad = 0;
    uint32_t seed = 7;

    ac_init(&ac);
    for (int i = 0; i < N; i++)
        bad += ac_add(&ac, words[i]) != i;
    bad += ac_add(&ac, "") != -1 || ac_add(&ac, "No") != -1 || ac_add(&ac, "his") != 2;
    ac_compile(&ac);

    for (size_t i = 0; i < LEN; i++) {
        seed = seed * 134775813u + 1u;
        text[i] = "aabbsheru i"[(seed >> 20) % 11];
    }
    memcpy(text + 100, "ushers his zzzz", 15);
    size_t hits = ac_scan(&ac, text, count_hit, &got), first = LEN;
    (void)ac_scan(&ac, text, stop_at_first, &first);
    printf("%d states, %zu hits, first at %zu\n", ac.nstates, hits, first);
    for (int i = 0; i < N; i++) {
        unsigned naive = 0;
        for (const char *p = text; (p = strstr(p, words[i])) != NULL; p++)
            naive++;
        printf("%-7s %4u last at %zu\n", words[i], got.count[i], got.last[i]);
        bad += naive != got.count[i];
    }
    return bad != 0;
}
