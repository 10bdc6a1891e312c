/* A small Forth: text interpreter, compiler to threaded code, return stack, control-flow words,
 * VARIABLE / CONSTANT / CREATE DOES>. Sources are built in and the collected output of each is
 * compared with the expected text. Cells are 32-bit and wrap. */
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t cell;
typedef struct forth forth;
typedef void (*code_fn)(forth *f, int self);

enum { MEM = 4096, WORDS = 192, DEPTH = 64, RDEPTH = 256, OUT = 512, FUEL = 500000 };

struct word {
    char name[16];
    code_fn code;
    cell body, does;        // address of the threaded code or data, and of the code behind DOES>
    int immediate;
};

struct forth {
    cell mem[MEM];
    struct word words[WORDS];
    cell stack[DEPTH], rstack[RDEPTH];
    int sp, rp, nwords, compiling;
    cell here, ip;
    const char *in, *error;
    char token[32], out[OUT];
    int out_len;
};

// ---- helpers ----

static cell to_cell(uint32_t u)
{
    return u <= INT32_MAX ? (cell)u : (cell)(u - 0x80000000u) + INT32_MIN;
}

static void fail(forth *f, const char *why)
{
    if (!f->error)
        f->error = why;
}

static void push(forth *f, cell v)
{
    if (f->sp == DEPTH)
        fail(f, "stack full");
    else
        f->stack[f->sp++] = v;
}

static cell pop(forth *f)
{
    if (f->sp > 0)
        return f->stack[--f->sp];
    fail(f, "stack empty");
    return 0;
}

static void rpush(forth *f, cell v)
{
    if (f->rp == RDEPTH)
        fail(f, "return stack full");
    else
        f->rstack[f->rp++] = v;
}

static cell rpop(forth *f)
{
    if (f->rp > 0)
        return f->rstack[--f->rp];
    fail(f, "return stack empty");
    return 0;
}

static cell *at(forth *f, cell address)
{
    if (address > 0 && address < MEM)
        return &f->mem[address];
    fail(f, "bad address");
    return &f->mem[MEM - 1];
}

static void comma(forth *f, cell v)
{
    *at(f, f->here) = v;
    f->here++;
}

static void out(forth *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(f->out + f->out_len, (size_t)(OUT - f->out_len), format, args);
    va_end(args);
    f->out_len = n < OUT - f->out_len ? f->out_len + n : OUT - 1;
}

static int next_token(forth *f)
{
    size_t n = 0;
    while (isspace((unsigned char)*f->in))
        f->in++;
    while (*f->in && !isspace((unsigned char)*f->in)) {
        if (n < sizeof f->token - 1)
            f->token[n++] = *f->in;
        f->in++;
    }
    f->token[n] = '\0';
    return n > 0;
}

static int find(const forth *f, const char *name)
{
    for (int i = f->nwords - 1; i >= 0; i--)
        if (strcmp(f->words[i].name, name) == 0)
            return i;
    return -1;
}

static int define(forth *f, const char *name, code_fn code, int immediate)
{
    if (f->nwords == WORDS || strlen(name) >= sizeof f->words[0].name) {
        fail(f, "cannot define");
        return 0;
    }
    struct word *w = &f->words[f->nwords];
    *w = (struct word){.code = code, .body = f->here, .immediate = immediate};
    strcpy(w->name, name);
    return f->nwords++;
}

static void compile_call(forth *f, const char *name) { comma(f, find(f, name)); }

// ---- what words do ----

static void do_colon(forth *f, int self)
{
    rpush(f, f->ip);
    f->ip = f->words[self].body;
}

static void do_data(forth *f, int self) { push(f, f->words[self].body); }
static void do_constant(forth *f, int self) { push(f, *at(f, f->words[self].body)); }

static void do_does(forth *f, int self)
{
    push(f, f->words[self].body);
    rpush(f, f->ip);
    f->ip = f->words[self].does;
}

#define PRIM(name) static void name(forth *f, int self)
#define BINARY(fn, expression)                                                                     \
    PRIM(fn)                                                                                       \
    {                                                                                              \
        (void)self;                                                                                \
        cell b = pop(f), a = pop(f);                                                               \
        uint32_t ua = (uint32_t)a, ub = (uint32_t)b;                                               \
        (void)ua, (void)ub;                                                                        \
        push(f, (expression));                                                                     \
    }

BINARY(p_add, to_cell(ua + ub))
BINARY(p_sub, to_cell(ua - ub))
BINARY(p_mul, to_cell(ua * ub))
BINARY(p_and, to_cell(ua & ub))
BINARY(p_xor, to_cell(ua ^ ub))
BINARY(p_less, a < b ? -1 : 0)
BINARY(p_equal, a == b ? -1 : 0)
BINARY(p_lshift, to_cell(ua << (ub & 31)))

PRIM(p_divmod)
{
    (void)self;
    cell b = pop(f), a = pop(f);
    if (b == 0 || (a == INT32_MIN && b == -1)) {
        fail(f, "bad division");
        return;
    }
    push(f, a % b);
    push(f, a / b);
}

PRIM(p_dup) { (void)self; cell a = pop(f); push(f, a); push(f, a); }
PRIM(p_drop) { (void)self; pop(f); }
PRIM(p_swap) { (void)self; cell b = pop(f), a = pop(f); push(f, b); push(f, a); }
PRIM(p_over) { (void)self; cell b = pop(f), a = pop(f); push(f, a); push(f, b); push(f, a); }

PRIM(p_rot)
{
    (void)self;
    cell c = pop(f), b = pop(f), a = pop(f);
    push(f, b);
    push(f, c);
    push(f, a);
}

PRIM(p_to_r) { (void)self; rpush(f, pop(f)); }
PRIM(p_from_r) { (void)self; push(f, rpop(f)); }
PRIM(p_fetch) { (void)self; push(f, *at(f, pop(f))); }
PRIM(p_store) { (void)self; cell a = pop(f); *at(f, a) = pop(f); }
PRIM(p_here) { (void)self; push(f, f->here); }
PRIM(p_comma) { (void)self; comma(f, pop(f)); }
PRIM(p_dot) { (void)self; out(f, "%d ", (int)pop(f)); }
PRIM(p_emit) { (void)self; out(f, "%c", (int)(pop(f) & 127)); }
PRIM(p_exit) { (void)self; f->ip = rpop(f); }
PRIM(p_halt) { (void)self; f->ip = 0; }
PRIM(p_lit) { (void)self; push(f, *at(f, f->ip++)); }
PRIM(p_branch) { (void)self; f->ip = *at(f, f->ip); }
PRIM(p_zbranch) { (void)self; f->ip = pop(f) == 0 ? *at(f, f->ip) : f->ip + 1; }

PRIM(p_allot)
{
    (void)self;
    cell n = pop(f);
    if (n < 0 || n > MEM - f->here)
        fail(f, "bad allot");
    else
        f->here += n;
}

PRIM(p_do)      // the limit lies below the index on the return stack
{
    (void)self;
    cell index = pop(f);
    rpush(f, pop(f));
    rpush(f, index);
}

PRIM(p_loop)
{
    (void)self;
    cell index = rpop(f) + 1, limit = rpop(f);
    if (index < limit) {
        rpush(f, limit);
        rpush(f, index);
        f->ip = *at(f, f->ip);
    } else {
        f->ip++;
    }
}

PRIM(p_i) { (void)self; cell i = rpop(f); rpush(f, i); push(f, i); }
PRIM(p_j) { (void)self; push(f, f->rp >= 3 ? f->rstack[f->rp - 3] : 0); }

PRIM(p_type)    // inline string: count, then one character per cell
{
    (void)self;
    for (cell n = *at(f, f->ip++); n > 0; n--)
        out(f, "%c", (int)*at(f, f->ip++));
}

PRIM(p_set_does)
{
    (void)self;
    struct word *w = &f->words[f->nwords - 1];
    w->code = do_does;
    w->does = f->ip;
    f->ip = rpop(f);
}

// ---- compiling words ----

static void patch(forth *f, cell where) { *at(f, where) = f->here; }

static void forward(forth *f, const char *branch)
{
    compile_call(f, branch);
    push(f, f->here);
    comma(f, 0);
}

static void backward(forth *f, const char *branch)
{
    compile_call(f, branch);
    comma(f, pop(f));
}

PRIM(c_if) { (void)self; forward(f, "(0branch)"); }
PRIM(c_then) { (void)self; patch(f, pop(f)); }
PRIM(c_begin) { (void)self; push(f, f->here); }
PRIM(c_until) { (void)self; backward(f, "(0branch)"); }
PRIM(c_do) { (void)self; compile_call(f, "(do)"); push(f, f->here); }
PRIM(c_loop) { (void)self; backward(f, "(loop)"); }
PRIM(c_does) { (void)self; compile_call(f, "(does)"); }
PRIM(c_recurse) { (void)self; comma(f, f->nwords - 1); }
PRIM(c_semicolon) { (void)self; compile_call(f, "exit"); f->compiling = 0; }

PRIM(c_else)
{
    cell from = pop(f);
    forward(f, "(branch)");
    push(f, from);
    c_then(f, self);
}

PRIM(c_repeat)  // ( begin while -- )
{
    cell out_of_loop = pop(f);
    backward(f, "(branch)");
    push(f, out_of_loop);
    c_then(f, self);
}

PRIM(c_string)
{
    (void)self;
    f->in += *f->in == ' ';
    size_t n = strcspn(f->in, "\"");
    compile_call(f, "(type)");
    comma(f, (cell)n);
    for (; n > 0; n--)
        comma(f, (unsigned char)*f->in++);
    f->in += *f->in == '"';
}

PRIM(c_comment) { (void)self; f->in += strcspn(f->in, ")"); f->in += *f->in == ')'; }

static void define_next(forth *f, code_fn code)
{
    if (next_token(f))
        define(f, f->token, code, 0);
    else
        fail(f, "name wanted");
}

PRIM(p_colon) { (void)self; define_next(f, do_colon); f->compiling = 1; }
PRIM(p_create) { (void)self; define_next(f, do_data); }
PRIM(p_variable) { (void)self; define_next(f, do_data); comma(f, 0); }
PRIM(p_constant) { (void)self; cell v = pop(f); define_next(f, do_constant); comma(f, v); }

static const struct { const char *name; code_fn code; int immediate; } builtins[] = {
    {"(halt)", p_halt, 0}, {"(lit)", p_lit, 0}, {"(branch)", p_branch, 0},
    {"(0branch)", p_zbranch, 0}, {"(do)", p_do, 0}, {"(loop)", p_loop, 0}, {"(type)", p_type, 0},
    {"(does)", p_set_does, 0}, {"exit", p_exit, 0}, {"+", p_add, 0}, {"-", p_sub, 0},
    {"*", p_mul, 0}, {"/mod", p_divmod, 0}, {"and", p_and, 0}, {"xor", p_xor, 0},
    {"<", p_less, 0}, {"=", p_equal, 0}, {"lshift", p_lshift, 0}, {"dup", p_dup, 0},
    {"drop", p_drop, 0}, {"swap", p_swap, 0}, {"over", p_over, 0}, {"rot", p_rot, 0},
    {">r", p_to_r, 0}, {"r>", p_from_r, 0}, {"@", p_fetch, 0}, {"!", p_store, 0},
    {"here", p_here, 0}, {",", p_comma, 0}, {"allot", p_allot, 0}, {".", p_dot, 0},
    {"emit", p_emit, 0}, {"i", p_i, 0}, {"j", p_j, 0}, {":", p_colon, 0},
    {"create", p_create, 0}, {"variable", p_variable, 0}, {"constant", p_constant, 0},
    {";", c_semicolon, 1}, {"if", c_if, 1}, {"else", c_else, 1}, {"then", c_then, 1},
    {"begin", c_begin, 1}, {"until", c_until, 1}, {"while", c_if, 1}, {"repeat", c_repeat, 1},
    {"do", c_do, 1}, {"loop", c_loop, 1}, {"recurse", c_recurse, 1}, {"does>", c_does, 1},
    {".\"", c_string, 1}, {"(", c_comment, 1},
};

// ---- outer interpreter ----

static void run_word(forth *f, int w)
{
    int fuel = FUEL;
    f->ip = 1;                          // mem[1] holds (halt): where the outermost word returns to
    f->words[w].code(f, w);
    while (f->ip != 0 && !f->error) {
        cell next = *at(f, f->ip++);
        if (next < 0 || next >= f->nwords)
            fail(f, "bad code");
        else if (fuel-- == 0)
            fail(f, "out of fuel");
        else
            f->words[next].code(f, next);
    }
}

static void handle_token(forth *f)
{
    int w = find(f, f->token);
    if (w >= 0) {
        if (f->compiling && !f->words[w].immediate)
            comma(f, w);
        else
            run_word(f, w);
        return;
    }
    char *end;
    long n = strtol(f->token, &end, 10);
    if (*end || n > INT32_MAX || n < INT32_MIN) {
        fail(f, "unknown word");
    } else if (f->compiling) {
        compile_call(f, "(lit)");
        comma(f, (cell)n);
    } else {
        push(f, (cell)n);
    }
}

void forth_load(forth *f, const char *source)
{
    f->in = source;
    while (!f->error && next_token(f))
        handle_token(f);
}

void forth_reset(forth *f)
{
    static const char prelude[] =
        ": / /mod swap drop ; : mod /mod drop ; : 0= 0 = ; : not 0= ; : > swap < ; : 1+ 1 + ; "
        ": cr 10 emit ; : +! dup @ rot + swap ! ; : max over over < if swap then drop ;";
    memset(f, 0, sizeof *f);
    f->here = 2;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        define(f, builtins[i].name, builtins[i].code, builtins[i].immediate);
    f->mem[1] = find(f, "(halt)");
    forth_load(f, prelude);
}

int main(void)
{
    static const struct { const char *source, *expect; } tests[] = {
        {": sq dup * ; 12 sq . -7 3 /mod . . 1 31 lshift .", "144 -2 -1 -2147483648 "},
        {": fib dup 2 < if exit then dup 1 - recurse swap 2 - recurse + ; 15 fib .", "610 "},
        {": gcd begin dup while swap over mod repeat drop ; 1071 462 gcd .", "21 "},
        {": table 4 1 do 4 1 do i j * . loop cr loop ; table", "1 2 3 \n2 4 6 \n3 6 9 \n"},
        {"( cells past 1 hold 1 for composites ) create flags 200 allot variable primes\n"
         ": strike dup begin over + dup 200 < while 1 over flags + ! repeat drop drop ;\n"
         ": sieve 200 2 do flags i + @ 0= if 1 primes +! i strike then loop ;\n"
         "sieve primes @ .", "46 "},
        {": array create allot does> + ; 10 array squares\n"
         ": fill 10 0 do i i * i squares ! loop ; fill 7 squares @ . 9 squares @ .", "49 81 "},
        {": under >r dup r> ; 3 4 under . . . r>", "4 3 3 "},
        {": hop dup 2 mod if 3 * 1 + else 2 / then ; : steps 0 swap begin dup 1 = not while hop\n"
         "swap 1+ swap repeat drop ; : best 0 30 1 do i steps max loop ; best .", "111 "},
        {": greet .\" hello, \" .\" forth\" ; greet 1 0 /mod", "hello, forth"},
        {": spin begin 0 until ; spin", ""},
        {"77 constant lucky lucky lucky xor . 1 2 3 rot . . . .", "0 1 3 2 0 "},
    };
    static forth f;
    int bad = 0;

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        forth_reset(&f);
        forth_load(&f, tests[i].source);
        int ok = strcmp(f.out, tests[i].expect) == 0;
        printf("%2zu: %s, %d cells used, %s\n", i + 1, f.error ? f.error : "done", (int)f.here,
               ok ? "as expected" : f.out);
        bad += !ok;
    }
    return bad != 0;
}
