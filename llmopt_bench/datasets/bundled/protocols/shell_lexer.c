/*
 * A small shell in one process: a lexer for words with quotes and operators, a recursive-descent
 * parser to a tree of pipelines, lists and subshells, parameter expansion with field splitting,
 * and built-in commands that read and write text buffers instead of file descriptors.
 * Scripts are shown as S-expressions, run, and their output is compared with what it must be.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 16

/* ---- growing text and an ownership list: everything a script allocates goes at once ---- */

typedef struct {
    char *s;
    size_t len, cap;
} text;

typedef struct chunk {
    struct chunk *next;
    max_align_t payload[];
} chunk;

typedef struct var {
    struct var *next;
    const char *name, *value;
} var;

typedef struct {
    chunk *owned;
    var *vars;
    int status;
    jmp_buf on_error;
    char message[80];
} shell;

static void fail(shell *sh, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sh->message, sizeof sh->message, fmt, ap);
    va_end(ap);
    longjmp(sh->on_error, 1);
}

static void *allocate(shell *sh, size_t n)
{
    chunk *c = malloc(sizeof *c + n);
    if (!c)
        fail(sh, "out of memory");
    c->next = sh->owned;
    sh->owned = c;
    return c->payload;
}

static void release_all(shell *sh)
{
    while (sh->owned) {
        chunk *next = sh->owned->next;
        free(sh->owned);
        sh->owned = next;
    }
}

static void append(shell *sh, text *t, const char *s, size_t n)
{
    if (t->len + n + 1 > t->cap) {
        size_t cap = (t->len + n + 16) * 2;
        char *grown = allocate(sh, cap); /* the old block stays on the list until the end */
        if (t->len)
            memcpy(grown, t->s, t->len);
        t->s = grown;
        t->cap = cap;
    }
    memcpy(t->s + t->len, s, n);
    t->len += n;
    t->s[t->len] = '\0';
}

static char *copy(shell *sh, const char *s, size_t n)
{
    char *out = allocate(sh, n + 1);
    memcpy(out, s, n);
    out[n] = '\0';
    return out;
}

/* ---- lexer ---- */

typedef enum {
    T_END, T_WORD, T_PIPE, T_OR, T_AND, T_SEMI, T_OPEN, T_CLOSE,
} token_kind;

static const char *const token_names[] = {
    "end of input", "word", "|", "||", "&&", ";", "(", ")",
};

typedef struct {
    shell *sh;
    const char *at;
    token_kind kind;
    const char *word; /* raw: quotes are removed at expansion */
} lexer;

static const char *skip_quoted(lexer *lx, const char *p, char closing)
{
    for (p++; *p != closing; p++) {
        if (*p == '\0')
            fail(lx->sh, "missing %c", closing);
        if (*p == '\\' && closing == '"' && p[1])
            p++;
    }
    return p + 1;
}

static void scan_word(lexer *lx)
{
    const char *start = lx->at, *p = start;
    while (*p && !strchr(" \t\n|&;()<>", *p)) {
        if (*p == '\'' || *p == '"')
            p = skip_quoted(lx, p, *p);
        else if (p[0] == '$' && p[1] == '{')
            p = skip_quoted(lx, p, '}');
        else
            p += *p == '\\' && p[1] ? 2 : 1;
    }
    lx->kind = T_WORD;
    lx->word = copy(lx->sh, start, (size_t)(p - start));
    lx->at = p;
}

static void next_token(lexer *lx)
{
    static const struct { const char *op; token_kind kind; } operators[] = {
        {"||", T_OR}, {"&&", T_AND}, {"|", T_PIPE}, {";", T_SEMI}, {"\n", T_SEMI},
        {"(", T_OPEN}, {")", T_CLOSE},
    };
    lx->at += strspn(lx->at, " \t");
    if (*lx->at == '#')
        lx->at += strcspn(lx->at, "\n");
    if (*lx->at == '\0') {
        lx->kind = T_END;
        return;
    }
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t n = strlen(operators[i].op);
        if (strncmp(lx->at, operators[i].op, n) == 0) {
            lx->kind = operators[i].kind;
            lx->at += n;
            return;
        }
    }
    if (strchr("&<>", *lx->at))
        fail(lx->sh, "%c is not supported", *lx->at);
    scan_word(lx);
}

/* ---- parser ---- */

typedef enum { N_COMMAND, N_PIPE, N_AND, N_OR, N_SEQ, N_SUBSHELL } node_kind;

typedef struct node {
    node_kind kind;
    struct node *left, *right;
    const char *words[MAX_WORDS];
    int word_count;
} node;

static node *parse_list(lexer *lx);

static node *new_node(lexer *lx, node_kind kind, node *left, node *right)
{
    node *n = allocate(lx->sh, sizeof *n);
    *n = (node){.kind = kind, .left = left, .right = right};
    return n;
}

static node *parse_command(lexer *lx)
{
    node *n;
    if (lx->kind == T_OPEN) {
        next_token(lx);
        n = new_node(lx, N_SUBSHELL, parse_list(lx), NULL);
        if (lx->kind != T_CLOSE)
            fail(lx->sh, ") expected, found %s", token_names[lx->kind]);
        next_token(lx);
        return n;
    }
    n = new_node(lx, N_COMMAND, NULL, NULL);
    for (; lx->kind == T_WORD; next_token(lx)) {
        if (n->word_count == MAX_WORDS)
            fail(lx->sh, "more than %d words", MAX_WORDS);
        n->words[n->word_count++] = lx->word;
    }
    if (n->word_count == 0)
        fail(lx->sh, "command expected, found %s", token_names[lx->kind]);
    return n;
}

static node *parse_pipeline(lexer *lx)
{
    node *n = parse_command(lx);
    while (lx->kind == T_PIPE) {
        next_token(lx);
        n = new_node(lx, N_PIPE, n, parse_command(lx));
    }
    return n;
}

static node *parse_and_or(lexer *lx)
{
    node *n = parse_pipeline(lx);
    while (lx->kind == T_AND || lx->kind == T_OR) {
        node_kind kind = lx->kind == T_AND ? N_AND : N_OR;
        next_token(lx);
        n = new_node(lx, kind, n, parse_pipeline(lx));
    }
    return n;
}

static node *parse_list(lexer *lx)
{
    node *n = parse_and_or(lx);
    while (lx->kind == T_SEMI) {
        while (lx->kind == T_SEMI)
            next_token(lx);
        if (lx->kind == T_END || lx->kind == T_CLOSE)
            break;
        n = new_node(lx, N_SEQ, n, parse_and_or(lx));
    }
    return n;
}

static node *parse_script(shell *sh, const char *script)
{
    lexer lx = {.sh = sh, .at = script};
    next_token(&lx);
    node *n = parse_list(&lx);
    if (lx.kind != T_END)
        fail(sh, "unexpected %s", token_names[lx.kind]);
    return n;
}

static void print_tree(const node *n)
{
    static const char *const heads[] = {"", "pipe", "and", "or", "seq", "sub"};
    if (n->kind == N_COMMAND) {
        printf("[");
        for (int i = 0; i < n->word_count; i++)
            printf("%s%s", i ? " " : "", n->words[i]);
    } else {
        printf("(%s ", heads[n->kind]);
        print_tree(n->left);
        if (n->right) {
            putchar(' ');
            print_tree(n->right);
        }
    }
    putchar(n->kind == N_COMMAND ? ']' : ')');
}

/* ---- variables and expansion ---- */

static const char *get_var(const shell *sh, const char *name)
{
    for (const var *v = sh->vars; v; v = v->next)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

/* Always adds in front: a subshell's assignments are undone by restoring the list's head. */
static void set_var(shell *sh, const char *name, const char *value)
{
    var *v = allocate(sh, sizeof *v);
    *v = (var){sh->vars, name, value};
    sh->vars = v;
}

static size_t name_length(const char *s)
{
    size_t n = 0;
    if (isalpha((unsigned char)*s) || *s == '_')
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
            n++;
    return n;
}

typedef struct {
    shell *sh;
    const char **fields;
    int count, room;
    text current;
    bool open; /* quotes make even an empty field count */
} expansion;

static void close_field(expansion *ex)
{
    if (!ex->open)
        return;
    if (ex->count == ex->room)
        fail(ex->sh, "more than %d arguments", ex->room);
    ex->fields[ex->count++] = copy(ex->sh, ex->current.s ? ex->current.s : "", ex->current.len);
    ex->current.len = 0;
    ex->open = false;
}

static void add_char(expansion *ex, char c)
{
    append(ex->sh, &ex->current, &c, 1);
    ex->open = true;
}

static void add_value(expansion *ex, const char *value, bool quoted)
{
    for (; *value; value++) {
        if (!quoted && isspace((unsigned char)*value))
            close_field(ex);
        else
            add_char(ex, *value);
    }
}

/* ${name}, ${name:-word}, ${name:+word} and ${#name}; returns the end of the braces. */
static const char *expand_braced(expansion *ex, const char *p, bool quoted)
{
    bool want_length = p[2] == '#';
    const char *name = p + 2 + want_length;
    size_t n = name_length(name);
    const char *end = name + n;
    const char *value = get_var(ex->sh, copy(ex->sh, name, n));
    if (n == 0)
        fail(ex->sh, "bad substitution");
    if (want_length) {
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", value ? strlen(value) : 0);
        add_value(ex, digits, quoted);
    } else if (end[0] == ':' && (end[1] == '-' || end[1] == '+')) {
        size_t length = strcspn(end, "}");
        char *word = copy(ex->sh, end + 2, length - 2);
        bool set = value && *value;
        const char *chosen = end[1] == '+' ? word : value;
        add_value(ex, set ? chosen : end[1] == '-' ? word : "", quoted);
        end += length;
    } else if (value) {
        add_value(ex, value, quoted);
    }
    if (*end != '}')
        fail(ex->sh, "bad substitution");
    return end + 1;
}

static const char *expand_dollar(expansion *ex, const char *p, bool quoted)
{
    if (p[1] == '{')
        return expand_braced(ex, p, quoted);
    if (p[1] == '?') {
        char digits[16];
        snprintf(digits, sizeof digits, "%d", ex->sh->status);
        add_value(ex, digits, quoted);
        return p + 2;
    }
    size_t n = name_length(p + 1);
    if (n == 0) {
        add_char(ex, '$');
        return p + 1;
    }
    const char *value = get_var(ex->sh, copy(ex->sh, p + 1, n));
    if (value)
        add_value(ex, value, quoted);
    return p + 1 + n;
}

static void expand_word(expansion *ex, const char *p, bool split)
{
    bool in_double = false;
    while (*p) {
        if (*p == '\'' && !in_double) {
            ex->open = true;
            for (p++; *p != '\''; p++)
                add_char(ex, *p);
            p++;
        } else if (*p == '"') {
            ex->open = true;
            in_double = !in_double;
            p++;
        } else if (*p == '\\' && p[1] && (!in_double || strchr("\\\"$", p[1]))) {
            add_char(ex, p[1]);
            p += 2;
        } else if (*p == '$') {
            p = expand_dollar(ex, p, in_double || !split);
        } else {
            add_char(ex, *p++);
        }
    }
    if (!split)
        ex->open = true;
    close_field(ex);
}

static const char *expand_single(shell *sh, const char *word)
{
    const char *field[1] = {""};
    expansion ex = {.sh = sh, .fields = field, .room = 1};
    expand_word(&ex, word, false);
    return field[0];
}

/* ---- built-in commands: text in, text out ---- */

typedef int (*builtin)(shell *sh, int argc, const char **argv, const text *in, text *out);

/* "echo" separates its arguments with blanks, "args" shows where each begins and ends. */
static int do_echo(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    bool marked = strcmp(argv[0], "args") == 0;
    (void)in;
    for (int i = 1; i < argc; i++) {
        append(sh, out, marked ? "<" : " ", marked || i > 1);
        append(sh, out, argv[i], strlen(argv[i]));
        append(sh, out, ">", marked);
    }
    append(sh, out, "\n", 1);
    return 0;
}

static int do_true(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    (void)sh, (void)argc, (void)in, (void)out;
    return strcmp(argv[0], "true") != 0;
}

static int do_test(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    (void)sh, (void)in, (void)out;
    if (argc == 4 && strcmp(argv[2], "=") == 0)
        return strcmp(argv[1], argv[3]) != 0;
    if (argc == 3 && strcmp(argv[1], "-n") == 0)
        return *argv[2] == '\0';
    return 2;
}

static int do_cat(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    (void)argc, (void)argv;
    if (in->len)
        append(sh, out, in->s, in->len);
    return 0;
}

static int do_upper(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    size_t start = out->len;
    do_cat(sh, argc, argv, in, out);
    for (size_t i = start; i < out->len; i++)
        out->s[i] = (char)toupper((unsigned char)out->s[i]);
    return 0;
}

static int do_count(shell *sh, int argc, const char **argv, const text *in, text *out)
{
    size_t lines = 0, words = 0;
    char line[64];
    (void)argc, (void)argv;
    for (size_t i = 0; i < in->len; i++) {
        lines += in->s[i] == '\n';
        words += !isspace((unsigned char)in->s[i]) && (i == 0 || isspace((unsigned char)in->s[i - 1]));
    }
    int n = snprintf(line, sizeof line, "%zu %zu %zu\n", lines, words, in->len);
    append(sh, out, line, (size_t)n);
    return 0;
}

static const struct { const char *name; builtin run; } builtins[] = {
    {"echo", do_echo}, {"args", do_echo}, {"true", do_true}, {"false", do_true}, {"test", do_test},
    {"cat", do_cat}, {"upper", do_upper}, {"wc", do_count},
};

/* ---- execution ---- */

static int run_command(shell *sh, const node *n, const text *in, text *out)
{
    const char *argv[MAX_WORDS];
    int first = 0;
    while (first < n->word_count) { /* leading NAME=value words */
        const char *w = n->words[first];
        size_t len = name_length(w);
        if (len == 0 || w[len] != '=')
            break;
        const char *value = expand_single(sh, w + len + 1);
        set_var(sh, copy(sh, w, len), value);
        first++;
    }
    expansion ex = {.sh = sh, .fields = argv, .room = MAX_WORDS};
    for (int i = first; i < n->word_count; i++)
        expand_word(&ex, n->words[i], true);
    if (ex.count == 0)
        return 0;
    for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
        if (strcmp(builtins[i].name, argv[0]) == 0)
            return builtins[i].run(sh, ex.count, argv, in, out);
    append(sh, out, argv[0], strlen(argv[0]));
    append(sh, out, ": not found\n", 12);
    return 127;
}

static int run(shell *sh, const node *n, const text *in, text *out)
{
    text between = {0};
    switch (n->kind) {
    case N_PIPE:
        run(sh, n->left, in, &between);
        run(sh, n->right, &between, out);
        break;
    case N_AND:
        if (run(sh, n->left, in, out) == 0)
            run(sh, n->right, in, out);
        break;
    case N_OR:
        if (run(sh, n->left, in, out) != 0)
            run(sh, n->right, in, out);
        break;
    case N_SEQ:
        run(sh, n->left, in, out);
        run(sh, n->right, in, out);
        break;
    case N_SUBSHELL: {
        var *outer = sh->vars;
        run(sh, n->left, in, out);
        sh->vars = outer;
        break;
    }
    case N_COMMAND:
        sh->status = run_command(sh, n, in, out);
        break;
    }
    return sh->status;
}

static int check(const char *script, const char *expected)
{
    shell *sh = calloc(1, sizeof *sh);
    if (!sh)
        return 1;
    int bad = 0;
    if (setjmp(sh->on_error) == 0) {
        text out = {0}, none = {0};
        const node *tree = parse_script(sh, script);
        print_tree(tree);
        putchar('\n');
        run(sh, tree, &none, &out);
        const char *got = out.s ? out.s : "";
        printf("%s", got);
        if (strcmp(got, expected) != 0) {
            printf("  expected: %s", expected);
            bad = 1;
        }
    } else {
        printf("error: %s\n", sh->message);
        bad = strcmp(sh->message, expected) != 0;
    }
    release_all(sh);
    free(sh);
    return bad;
}

int main(void)
{
    static const char *const cases[][2] = {
        {"echo hello   world # comment", "hello world\n"},
        {"args 'a b' \"c\"d e\\ f '' \"\"", "<a b><cd><e f><><>\n"},
        {"X='one  two' Y=; args $X \"$X\" $Y \"$Y\" pre$X", "<one><two><one  two><><preone><two>\n"},
        {"args ${N:-none given} ${#N}; N=abc; args \"${N:-x}${N:+ set}\" ${#N} $N$ \\$N '$N'",
         "<none><given><0>\n<abc set><3><abc$><$N><$N>\n"},
        {"false || echo rescued && echo on; true || echo no; false && echo no; echo $?", "rescued\non\n1\n"},
        {"(V=in; echo $V; echo two words) | upper | wc; echo \"[$V]\"", "2 3 13\n[]\n"},
        {"nosuch arg; echo status $?", "nosuch: not found\nstatus 127\n"},
        {"echo one |\t(cat; (A=b; args $A) | upper; args \"$A\")\n\ntest a = a && test -n '' ; echo $?",
         "one\n<B>\n<>\n1\n"},
        {"echo 'open", "missing '"},
        {"echo a | | cat", "command expected, found |"},
        {"(echo a; echo b", ") expected, found end of input"},
        {"echo a >b", "> is not supported"},
        {"echo ${1x}", "bad substitution"},
        {"sleep 1 &", "& is not supported"},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        bad += check(cases[i][0], cases[i][1]);
    printf("%d of %zu cases wrong\n", bad, sizeof cases / sizeof cases[0]);
    return bad != 0;
}
