/*
 * Regular expressions by Thompson's construction: a recursive-descent parser builds a syntax
 * tree, a code generator turns it into a small instruction set, and a Pike machine runs all
 * threads in lockstep, carrying capture positions, in time proportional to program * text.
 * Syntax: . [a-z^] \d \w \s \b ^ $ ( ) (?: ) | and * + ? {m,n}, each also lazy with ?.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 256, MAX_CODE = 512, MAX_SETS = 16, MAX_SAVES = 20, MAX_REPEAT = 99, UNBOUNDED = -1 };

typedef struct { uint32_t bits[8]; } ByteSet;

typedef enum { N_EMPTY, N_SET, N_ASSERT, N_CAT, N_ALT, N_REPEAT, N_GROUP } NodeKind;

typedef struct Node {
	NodeKind kind;
	struct Node *left, *right;
	int lo, hi;	/* repeat counts */
	bool lazy;
	int value;	/* set index, assertion letter or group number */
} Node;

typedef enum { OP_SET, OP_ASSERT, OP_SPLIT, OP_JUMP, OP_SAVE, OP_MATCH } Op;

typedef struct {
	Op op;
	int x, y;	/* operands; a split prefers x */
} Inst;

typedef struct {
	Inst code[MAX_CODE];
	int ncode;
	ByteSet set[MAX_SETS];
	int nsets;
	int ngroups;
} Regex;

typedef struct {
	const char *p;
	Regex *re;
	Node pool[MAX_NODES];
	int nnodes;
	const char *error;
} Parser;

/* ---- byte sets ---- */

static void set_add(ByteSet *s, unsigned c) { s->bits[c >> 5] |= 1u << (c & 31); }
static bool set_has(const ByteSet *s, unsigned c) { return s->bits[c >> 5] >> (c & 31) & 1; }

static void set_range(ByteSet *s, unsigned lo, unsigned hi)
{
	for (unsigned c = lo; c <= hi; c++)
		set_add(s, c);
}

static void set_invert(ByteSet *s)
{
	for (int i = 0; i < 8; i++)
		s->bits[i] = ~s->bits[i];
}

static bool is_word(unsigned c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Adds what the escape letter stands for; upper case letters mean the complement. */
static void set_escape(ByteSet *s, unsigned letter)
{
	ByteSet t = {{0}};
	switch (letter | 32) {
	case 'd': set_range(&t, '0', '9'); break;
	case 's': set_range(&t, '\t', '\r'); set_add(&t, ' '); break;
	case 'w':
		for (unsigned c = 0; c < 128; c++)
			if (is_word(c))
				set_add(&t, c);
		break;
	default:
		set_add(s, letter == 'n' ? '\n' : letter == 't' ? '\t' : letter);
		return;
	}
	if (letter < 'a')
		set_invert(&t);
	for (int i = 0; i < 8; i++)
		s->bits[i] |= t.bits[i];
}

/* ---- parser ---- */

/* Keeps the first error and ends the input, so that every caller runs out; the node is a dummy. */
static Node *give_up(Parser *ps, const char *why)
{
	if (!ps->error)
		ps->error = why;
	ps->p = "";
	return &ps->pool[0];
}

static Node *node(Parser *ps, NodeKind kind, Node *left, Node *right)
{
	if (ps->nnodes == MAX_NODES)
		return give_up(ps, "expression too long");
	Node *n = &ps->pool[ps->nnodes++];
	*n = (Node){.kind = kind, .left = left, .right = right};
	return n;
}

static Node *set_node(Parser *ps, const ByteSet *s)
{
	Regex *re = ps->re;
	int i = 0;
	while (i < re->nsets && memcmp(&re->set[i], s, sizeof *s) != 0)
		i++;
	if (i == MAX_SETS)
		return give_up(ps, "too many different sets");
	if (i == re->nsets)
		re->set[re->nsets++] = *s;
	Node *n = node(ps, N_SET, NULL, NULL);
	n->value = i;
	return n;
}

static Node *parse_class(Parser *ps)
{
	ByteSet s = {{0}};
	bool negate = *ps->p == '^', first = true;
	ps->p += negate;
	for (; *ps->p != ']' || first; first = false) {
		unsigned c = (unsigned char)*ps->p++;
		if (c == 0)
			return give_up(ps, "missing ]");
		if (c == '\\' && *ps->p) {
			set_escape(&s, (unsigned char)*ps->p++);
		} else if (ps->p[0] == '-' && ps->p[1] && ps->p[1] != ']') {
			unsigned hi = (unsigned char)ps->p[1];
			if (hi < c)
				return give_up(ps, "range out of order");
			set_range(&s, c, hi);
			ps->p += 2;
		} else {
			set_add(&s, c);
		}
	}
	ps->p++;
	if (negate)
		set_invert(&s);
	return set_node(ps, &s);
}

static Node *parse_alt(Parser *ps);

static Node *parse_group(Parser *ps)
{
	Node *n;
	if (ps->p[0] == '?' && ps->p[1] == ':') {
		ps->p += 2;
		n = parse_alt(ps);
	} else {
		int number = ++ps->re->ngroups;
		if (2 * number + 2 > MAX_SAVES)
			return give_up(ps, "too many groups");
		n = node(ps, N_GROUP, parse_alt(ps), NULL);
		n->value = number;
	}
	if (*ps->p != ')')
		return give_up(ps, "missing )");
	ps->p++;
	return n;
}

static Node *parse_atom(Parser *ps)
{
	ByteSet s = {{0}};
	unsigned c = (unsigned char)*ps->p++;
	switch (c) {
	case '(': return parse_group(ps);
	case '[': return parse_class(ps);
	case '*': case '+': case '?': case '{':
		return give_up(ps, "nothing to repeat");
	case '.':
		set_add(&s, '\n');
		set_invert(&s);
		return set_node(ps, &s);
	case '\\':
		c = (unsigned char)*ps->p;
		if (c == 0)
			return give_up(ps, "trailing backslash");
		ps->p++;
		if (c != 'b' && c != 'B') {
			set_escape(&s, c);
			return set_node(ps, &s);
		}
		/* fall through */
	case '^': case '$': {
		Node *n = node(ps, N_ASSERT, NULL, NULL);
		n->value = (int)c;
		return n;
	}
	default:
		set_add(&s, c);
		return set_node(ps, &s);
	}
}

static int parse_count(Parser *ps)
{
	int n = 0;
	if (*ps->p < '0' || *ps->p > '9')
		give_up(ps, "bad repeat count");
	while (*ps->p >= '0' && *ps->p <= '9' && n <= MAX_REPEAT)
		n = n * 10 + (*ps->p++ - '0');
	if (n > MAX_REPEAT)
		give_up(ps, "repeat count too big");
	return n;
}

static Node *parse_repeat(Parser *ps)
{
	Node *n = parse_atom(ps);
	while (*ps->p && strchr("*+?{", *ps->p)) {
		char c = *ps->p++;
		n = node(ps, N_REPEAT, n, NULL);
		n->lo = c == '+';
		n->hi = c == '?' ? 1 : UNBOUNDED;
		if (c == '{') {
			n->lo = n->hi = parse_count(ps);
			if (*ps->p == ',') {
				ps->p++;
				n->hi = *ps->p == '}' ? UNBOUNDED : parse_count(ps);
			}
			if (*ps->p != '}' || (n->hi != UNBOUNDED && n->hi < n->lo))
				return give_up(ps, "bad repeat");
			ps->p++;
		}
		n->lazy = *ps->p == '?';
		ps->p += n->lazy;
	}
	return n;
}

static Node *parse_cat(Parser *ps)
{
	Node *n = node(ps, N_EMPTY, NULL, NULL);
	while (*ps->p && *ps->p != '|' && *ps->p != ')')
		n = node(ps, N_CAT, n, parse_repeat(ps));
	return n;
}

static Node *parse_alt(Parser *ps)
{
	Node *n = parse_cat(ps);
	while (*ps->p == '|') {
		ps->p++;
		n = node(ps, N_ALT, n, parse_cat(ps));
	}
	return n;
}

/* ---- code generator ---- */

static int emit(Parser *ps, Op op, int x, int y)
{
	Regex *re = ps->re;
	if (re->ncode == MAX_CODE) {
		give_up(ps, "program too long");
		return 0;
	}
	re->code[re->ncode] = (Inst){op, x, y};
	return re->ncode++;
}

/* A split whose first way is the next instruction and whose second is patched in later. */
static int emit_split(Parser *ps)
{
	int at = emit(ps, OP_SPLIT, 0, 0);
	ps->re->code[at].x = at + 1;
	return at;
}

static void patch_split(Regex *re, int at, int target, bool lazy)
{
	Inst *i = &re->code[at];
	i->y = target;
	if (lazy) {
		int t = i->x;
		i->x = i->y;
		i->y = t;
	}
}

static void generate(Parser *ps, const Node *n);

static void generate_repeat(Parser *ps, const Node *n)
{
	Regex *re = ps->re;
	int splits[MAX_REPEAT], nsplits = 0;
	for (int i = 0; i < n->lo; i++)
		generate(ps, n->left);
	if (n->hi == UNBOUNDED) {
		int top = emit_split(ps);
		generate(ps, n->left);
		emit(ps, OP_JUMP, top, 0);
		patch_split(re, top, re->ncode, n->lazy);
		return;
	}
	for (int i = n->lo; i < n->hi; i++) {
		splits[nsplits++] = emit_split(ps);
		generate(ps, n->left);
	}
	while (nsplits > 0)
		patch_split(re, splits[--nsplits], re->ncode, n->lazy);
}

static void generate(Parser *ps, const Node *n)
{
	Regex *re = ps->re;
	int split, jump;
	if (ps->error)
		return;
	switch (n->kind) {
	case N_EMPTY:
		break;
	case N_SET:
		emit(ps, OP_SET, n->value, 0);
		break;
	case N_ASSERT:
		emit(ps, OP_ASSERT, n->value, 0);
		break;
	case N_CAT:
		generate(ps, n->left);
		generate(ps, n->right);
		break;
	case N_ALT:
		split = emit_split(ps);
		generate(ps, n->left);
		jump = emit(ps, OP_JUMP, 0, 0);
		patch_split(re, split, re->ncode, false);
		generate(ps, n->right);
		re->code[jump].x = re->ncode;
		break;
	case N_REPEAT:
		generate_repeat(ps, n);
		break;
	case N_GROUP:
		emit(ps, OP_SAVE, 2 * n->value, 0);
		generate(ps, n->left);
		emit(ps, OP_SAVE, 2 * n->value + 1, 0);
		break;
	}
}

/* Returns NULL on success, else what is wrong with the pattern. */
const char *regex_compile(Regex *re, const char *pattern)
{
	Parser ps = {.p = pattern, .re = re};
	memset(re, 0, sizeof *re);
	const Node *tree = parse_alt(&ps);
	if (*ps.p)
		give_up(&ps, "unmatched )");
	emit(&ps, OP_SAVE, 0, 0);
	generate(&ps, tree);
	emit(&ps, OP_SAVE, 1, 0);
	emit(&ps, OP_MATCH, 0, 0);
	return ps.error;
}

/* ---- Pike machine ---- */

typedef struct { int pc; int save[MAX_SAVES]; } Thread;

typedef struct {
	Thread thread[MAX_CODE];
	int count;
} List;

typedef struct {
	const Regex *re;
	const char *text;
	int at;
	int seen[MAX_CODE];	/* position (plus one) at which an instruction was last added */
	List a, b;
} Machine;

static bool holds(const Machine *m, int assertion)
{
	bool before = m->at > 0 && is_word((unsigned char)m->text[m->at - 1]);
	bool after = is_word((unsigned char)m->text[m->at]);
	switch (assertion) {
	case '^': return m->at == 0 || m->text[m->at - 1] == '\n';
	case '$': return m->text[m->at] == '\0' || m->text[m->at] == '\n';
	case 'b': return before != after;
	default: return before == after;
	}
}

/* Follows jumps in order of preference; each instruction joins the list at most once. */
static void add_thread(Machine *m, List *l, int pc, int *save)
{
	if (m->seen[pc] == m->at + 1)
		return;
	m->seen[pc] = m->at + 1;
	const Inst *i = &m->re->code[pc];
	switch (i->op) {
	case OP_JUMP:
		add_thread(m, l, i->x, save);
		break;
	case OP_SPLIT:
		add_thread(m, l, i->x, save);
		add_thread(m, l, i->y, save);
		break;
	case OP_ASSERT:
		if (holds(m, i->x))
			add_thread(m, l, pc + 1, save);
		break;
	case OP_SAVE: {
		int old = save[i->x];
		save[i->x] = m->at;
		add_thread(m, l, pc + 1, save);
		save[i->x] = old;
		break;
	}
	case OP_SET:
	case OP_MATCH:
		l->thread[l->count].pc = pc;
		memcpy(l->thread[l->count++].save, save, MAX_SAVES * sizeof *save);
		break;
	}
}

/* Leftmost match from `start` on; fills save[] with begin and end of each group, -1 if unset. */
bool regex_search(Machine *m, const Regex *re, const char *text, int start, int *save)
{
	List *now = &m->a, *next = &m->b;
	bool matched = false;
	int fresh[MAX_SAVES];

	memset(fresh, -1, sizeof fresh);
	memset(m->seen, 0, sizeof m->seen);
	m->re = re;
	m->text = text;
	m->at = start;
	now->count = 0;
	for (;;) {
		if (!matched)
			add_thread(m, now, 0, fresh);
		unsigned char c = (unsigned char)text[m->at++];
		next->count = 0;
		for (int t = 0; t < now->count; t++) {
			Thread *th = &now->thread[t];
			const Inst *i = &re->code[th->pc];
			if (i->op == OP_MATCH) { /* Threads of lower preference are cut off. */
				memcpy(save, th->save, sizeof th->save);
				matched = true;
				break;
			}
			if (c && set_has(&re->set[i->x], c))
				add_thread(m, next, th->pc + 1, th->save);
		}
		if (!c || (matched && next->count == 0))
			return matched;
		List *swap = now;
		now = next;
		next = swap;
	}
}

/* ---- self-exercise ---- */

static const struct { const char *pattern, *text, *want; } cases[] = {
	{"abc", "xxabcxx", "2-5"},
	{"a*", "baaa", "0-0"},
	{"a+?b", "caaab", "1-5"},
	{"(a|ab)(c|bcd)(d*)", "abcd", "0-4 0-1 1-4 4-4"},
	{"x(\\d{2,3})?y", "xy x1234y x12y", "0-2 -"},
	{"x(\\d{2,3})y", "xy x1234y x12y", "10-14 11-13"},
	{"<(.*?)>", "<b>bold</b>", "0-3 1-2"},
	{"<(.*)>", "<b>bold</b>", "0-11 1-10"},
	{"^(\\w+)\\s*=\\s*([^;\\s]+)$", "# no\nkey = v-1\n", "5-14 5-8 11-14"},
	{"\\bcat\\b", "concat cat", "7-10"},
	{"(?:ab|cd){2}(e)?", "abcdab", "0-4 -"},
	{"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaac", "no match"},
	{"(?:a?){20}a{20}", "aaaaaaaaaaaaaaaaaaaa", "0-20"},
	{"[]x-]+[^\\D5]", "a]-x57", "no match"},
	{"[]x-]+[^\\D5]", "a]-x75", "1-5"},
	{"(a", "", "missing )"},
	{"a)", "", "unmatched )"},
	{"*a", "", "nothing to repeat"},
	{"[b-a]", "", "range out of order"},
	{"a{3,2}", "", "bad repeat"},
	{"a{2", "", "bad repeat"},
	{"(a{,2})", "", "bad repeat count"},
	{"a{100}", "", "repeat count too big"},
	{"([a-", "", "missing ]"},
	{"(b\\", "", "trailing backslash"},
	{"((a{99}){99})", "", "program too long"},
};

static void describe(char *out, const int *save, int groups)
{
	for (int g = 0; g <= groups; g++) {
		const char *gap = g ? " " : "";
		if (save[2 * g + 1] < 0)
			out += sprintf(out, "%s-", gap);
		else
			out += sprintf(out, "%s%d-%d", gap, save[2 * g], save[2 * g + 1]);
	}
}

static int count_words(Machine *m, Regex *re, const char *text)
{
	int save[MAX_SAVES], n = 0;
	if (regex_compile(re, "(\\w+)(?:'\\w+)?") != NULL)
		return -1;
	for (int at = 0; regex_search(m, re, text, at, save); at = save[1]) {
		printf("%s%.*s", n ? "," : "", save[3] - save[2], text + save[2]);
		n++;
	}
	putchar('\n');
	return n;
}

int main(void)
{
	Regex *re = malloc(sizeof *re);
	Machine *m = malloc(sizeof *m);
	int bad = 0;

	if (!re || !m) {
		free(re);
		free(m);
		return 1;
	}
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char got[128] = "no match";
		int save[MAX_SAVES];
		const char *error = regex_compile(re, cases[i].pattern);
		if (error)
			strcpy(got, error);
		else if (regex_search(m, re, cases[i].text, 0, save))
			describe(got, save, re->ngroups);
		bool ok = strcmp(got, cases[i].want) == 0;
		printf("%-28s %3d ops  %s%s\n", cases[i].pattern, re->ncode, got, ok ? "" : "  WRONG");
		bad += !ok;
	}
	bad += count_words(m, re, "Don't panic; it's only 42 words... or 7?") != 8;
	free(re);
	free(m);
	return bad != 0;
}
