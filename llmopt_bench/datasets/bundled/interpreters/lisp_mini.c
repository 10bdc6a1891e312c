// A small Lisp: reader, tail-calling evaluator with lexical closures, and a mark-sweep collector
// over a fixed heap. C locals that hold objects are registered as roots. Each built-in script is
// read and run, and its printed result is compared with the expected text.
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct obj obj;
typedef obj *(*primitive)(obj *args);
// Special forms get unevaluated arguments. With *tail set, the result is an expression to go on
// with, in the environment left in *env.
typedef obj *(*special)(obj *args, obj **env, bool *tail);

enum type { FREE, NUMBER, SYMBOL, PAIR, PRIMITIVE, SPECIAL, CLOSURE };

struct obj {
    uint8_t type, marked;
    union {
        int64_t number;
        char name[24];
        struct { obj *car, *cdr; } pair;
        primitive call;
        special form;
        struct { obj *params, *body, *env; } closure;
        obj *next_free;
    } u;
};

enum { HEAP = 2400, ROOTS = 4000 };

static obj heap[HEAP], *free_list;
static obj nil_object = {.type = SYMBOL, .u.name = "nil"};
static obj *const nil = &nil_object;
static obj *symbols, *globals, *truth;
static obj **roots[ROOTS];
static int root_count;
static const char *error;
static unsigned collections;

#define KEEP(variable) (roots[root_count++] = &(variable))

static obj *fail(const char *why)
{
    if (!error)
        error = why;
    return nil;
}

// ---- memory ----

static void mark(obj *o)
{
    while (o && !o->marked) {
        o->marked = 1;
        if (o->type == PAIR) {
            mark(o->u.pair.car);
            o = o->u.pair.cdr;
        } else if (o->type == CLOSURE) {
            mark(o->u.closure.params);
            mark(o->u.closure.body);
            o = o->u.closure.env;
        }
    }
}

static void collect(void)
{
    collections++;
    mark(symbols);
    mark(globals);
    for (int i = 0; i < root_count; i++)
        mark(*roots[i]);
    free_list = NULL;
    for (obj *o = heap; o < heap + HEAP; o++) {
        if (!o->marked) {
            o->type = FREE;
            o->u.next_free = free_list;
            free_list = o;
        }
        o->marked = 0;
    }
    nil->marked = 0;
}

static obj *allocate(enum type type)
{
    if (!free_list)
        collect();
    if (!free_list) {
        fputs("lisp_mini: heap exhausted\n", stderr);
        exit(2);
    }
    obj *o = free_list;
    free_list = o->u.next_free;
    memset(o, 0, sizeof *o);
    o->type = (uint8_t)type;
    return o;
}

static obj *cons(obj *car, obj *cdr)
{
    int saved = root_count;
    KEEP(car);
    KEEP(cdr);
    obj *o = allocate(PAIR);
    o->u.pair.car = car;
    o->u.pair.cdr = cdr;
    root_count = saved;
    return o;
}

static obj *number(int64_t n)
{
    obj *o = allocate(NUMBER);
    o->u.number = n;
    return o;
}

static obj *intern(const char *name)
{
    if (strcmp(name, "nil") == 0)
        return nil;
    for (obj *s = symbols; s != nil; s = s->u.pair.cdr)
        if (strcmp(s->u.pair.car->u.name, name) == 0)
            return s->u.pair.car;
    obj *o = allocate(SYMBOL);
    strncpy(o->u.name, name, sizeof o->u.name - 1);
    symbols = cons(o, symbols);
    return o;
}

static obj *car(obj *o)
{
    return o->type == PAIR ? o->u.pair.car : o == nil ? nil : fail("not a pair");
}

static obj *cdr(obj *o)
{
    return o->type == PAIR ? o->u.pair.cdr : o == nil ? nil : fail("not a pair");
}

static obj *cadr(obj *o) { return car(cdr(o)); }
static obj *boolean(bool b) { return b ? truth : nil; }

// ---- reader ----

static void skip_blanks(const char **in)
{
    while (isspace((unsigned char)**in) || **in == ';') {
        if (**in == ';')
            *in += strcspn(*in, "\n");
        else
            ++*in;
    }
}

static obj *read_atom(const char **in)
{
    char word[24], *end;
    size_t n = strcspn(*in, "() ';\n\t");
    if (n >= sizeof word)
        return fail("name too long");
    memcpy(word, *in, n);
    word[n] = '\0';
    *in += n;
    long long value = strtoll(word, &end, 10);
    return *end == '\0' && end != word ? number(value) : intern(word);
}

static obj *read_expression(const char **in);

// What follows the dot of (a . b), with the closing parenthesis.
static obj *read_dotted_tail(const char **in)
{
    obj *last = read_expression(in);
    skip_blanks(in);
    if (**in != ')')
        return fail(") wanted after the tail");
    ++*in;
    return last;
}

static obj *read_list(const char **in)
{
    skip_blanks(in);
    if (**in == '\0')
        return fail("unexpected end");
    if (**in == ')') {
        ++*in;
        return nil;
    }
    if (**in == '.' && isspace((unsigned char)(*in)[1])) {
        ++*in;
        return read_dotted_tail(in);
    }
    int saved = root_count;
    obj *head = read_expression(in);
    KEEP(head);
    obj *list = error ? nil : cons(head, read_list(in));
    root_count = saved;
    return list;
}

static obj *read_expression(const char **in)
{
    skip_blanks(in);
    switch (**in) {
    case '\0': return fail("unexpected end");
    case ')': return fail("unexpected )");
    case '(':
        ++*in;
        return read_list(in);
    case '\'': {
        ++*in;
        obj *quoted = cons(read_expression(in), nil);
        return cons(intern("quote"), quoted);
    }
    default: return read_atom(in);
    }
}

// ---- printer ----

struct text { char *at; size_t room; };

static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->room, format, args);
    va_end(args);
    size_t used = (size_t)n < t->room ? (size_t)n : t->room - 1;
    t->at += used;
    t->room -= used;
}

static void print(struct text *t, const obj *o)
{
    switch (o->type) {
    case NUMBER: put(t, "%lld", (long long)o->u.number); return;
    case SYMBOL: put(t, "%s", o->u.name); return;
    case CLOSURE: put(t, "#closure"); return;
    case PAIR: break;
    default: put(t, "#builtin"); return;
    }
    for (const char *gap = "("; o->type == PAIR; o = o->u.pair.cdr, gap = " ") {
        put(t, "%s", gap);
        print(t, o->u.pair.car);
    }
    if (o != nil) {
        put(t, " . ");
        print(t, o);
    }
    put(t, ")");
}

// ---- evaluator: an environment is a list of frames, a frame is a list of (name . value) ----

static obj *evaluate(obj *x, obj *env);

static obj *find_binding(obj *name, obj *env)
{
    for (; env != nil; env = cdr(env))
        for (obj *b = car(env); b != nil; b = cdr(b))
            if (car(car(b)) == name)
                return car(b);
    return nil;
}

static void bind(obj *name, obj *value, obj *env)
{
    int saved = root_count;
    KEEP(env);
    obj *frame = cons(cons(name, value), env->u.pair.car);
    env->u.pair.car = frame;
    root_count = saved;
}

static obj *evaluate_all(obj *list, obj *env)
{
    if (list == nil || error)
        return nil;
    int saved = root_count;
    KEEP(list);
    KEEP(env);
    obj *first = evaluate(car(list), env);
    KEEP(first);
    obj *all = cons(first, evaluate_all(cdr(list), env));
    root_count = saved;
    return all;
}

// Evaluates all but the last expression, which becomes the tail.
static obj *run_body(obj *body, obj **env, bool *tail)
{
    int saved = root_count;
    KEEP(body);
    for (; cdr(body) != nil && !error; body = cdr(body))
        evaluate(car(body), *env);
    root_count = saved;
    *tail = true;
    return car(body);
}

static obj *form_quote(obj *args, obj **env, bool *tail)
{
    (void)env, (void)tail;
    return car(args);
}

static obj *form_if(obj *args, obj **env, bool *tail)
{
    *tail = true;
    return evaluate(car(args), *env) != nil ? cadr(args) : cadr(cdr(args));
}

static obj *form_cond(obj *args, obj **env, bool *tail)
{
    for (; args != nil && !error; args = cdr(args))
        if (evaluate(car(car(args)), *env) != nil)
            return run_body(cdr(car(args)), env, tail);
    return nil;
}

static obj *form_and(obj *args, obj **env, bool *tail)
{
    for (; cdr(args) != nil && !error; args = cdr(args))
        if (evaluate(car(args), *env) == nil)
            return nil;
    *tail = true;
    return car(args);
}

static obj *form_lambda(obj *args, obj **env, bool *tail)
{
    (void)tail;
    obj *closure = allocate(CLOSURE);
    closure->u.closure.params = car(args);
    closure->u.closure.body = cdr(args);
    closure->u.closure.env = *env;
    return closure;
}

static obj *form_define(obj *args, obj **env, bool *tail)
{
    obj *name = car(args), *value;
    int saved = root_count;
    if (name->type == PAIR) {           // (define (f . params) body...)
        obj *lambda = cons(cdr(name), cdr(args));
        KEEP(lambda);
        name = car(name);
        value = form_lambda(lambda, env, tail);
    } else {
        value = evaluate(cadr(args), *env);
    }
    bind(name, value, *env);
    root_count = saved;
    return name;
}

static obj *form_set(obj *args, obj **env, bool *tail)
{
    (void)tail;
    obj *value = evaluate(cadr(args), *env), *binding = find_binding(car(args), *env);
    if (binding == nil)
        return fail("set! of an unbound name");
    binding->u.pair.cdr = value;
    return value;
}

static obj *form_let(obj *args, obj **env, bool *tail)
{
    obj *inner = cons(nil, *env);
    int saved = root_count;
    KEEP(inner);
    for (obj *b = car(args); b != nil && !error; b = cdr(b))
        bind(car(car(b)), evaluate(cadr(car(b)), *env), inner);
    *env = inner;
    root_count = saved;
    return run_body(cdr(args), env, tail);
}

static obj *apply_closure(obj *f, obj *args, obj **env, bool *tail)
{
    obj *params = f->u.closure.params, *inner = cons(nil, f->u.closure.env);
    int saved = root_count;
    KEEP(inner);
    for (; params->type == PAIR && args != nil; params = cdr(params), args = cdr(args))
        bind(car(params), car(args), inner);
    if (params->type == SYMBOL && params != nil)
        bind(params, args, inner);      // the rest of the arguments
    else if (params != nil || args != nil)
        fail("wrong number of arguments");
    *env = inner;
    root_count = saved;
    return error ? nil : run_body(f->u.closure.body, env, tail);
}

static obj *evaluate(obj *x, obj *env)
{
    int saved = root_count;
    obj *f = nil, *args = nil;
    bool tail = true;

    if (root_count > ROOTS - 64)
        return fail("recursion too deep");
    KEEP(x);
    KEEP(env);
    KEEP(f);
    KEEP(args);
    while (tail && !error) {
        tail = false;
        if (x->type == SYMBOL && x != nil) {
            obj *binding = find_binding(x, env);
            x = binding != nil ? cdr(binding) : fail("unbound name");
        } else if (x->type == PAIR) {
            f = evaluate(car(x), env);
            if (f->type == SPECIAL) {
                args = cdr(x);
                x = f->u.form(args, &env, &tail);
                continue;
            }
            args = evaluate_all(cdr(x), env);
            if (error)
                break;
            if (f->type == PRIMITIVE)
                x = f->u.call(args);
            else if (f->type == CLOSURE)
                x = apply_closure(f, args, &env, &tail);
            else
                x = fail("not a function");
        }
    }
    root_count = saved;
    return error ? nil : x;
}

// ---- primitives ----

static int64_t integer(obj *o)
{
    if (o->type != NUMBER)
        fail("not a number");
    return o->type == NUMBER ? o->u.number : 1;
}

static obj *fold(obj *args, int64_t start, int op)
{
    int64_t sum = start;
    bool overflow = false;
    for (; args != nil; args = cdr(args)) {
        int64_t n = integer(car(args));
        overflow |= op == '+' ? __builtin_add_overflow(sum, n, &sum)
                              : __builtin_mul_overflow(sum, n, &sum);
    }
    return overflow ? fail("overflow") : number(sum);
}

static obj *prim_add(obj *args) { return fold(args, 0, '+'); }
static obj *prim_multiply(obj *args) { return fold(args, 1, '*'); }

static obj *prim_subtract(obj *args)
{
    int64_t r;
    bool negate = cdr(args) == nil;
    int64_t a = negate ? 0 : integer(car(args)), b = integer(negate ? car(args) : cadr(args));
    return __builtin_sub_overflow(a, b, &r) ? fail("overflow") : number(r);
}

static obj *prim_equal(obj *args)
{
    obj *a = car(args), *b = cadr(args);
    return boolean(a == b || (a->type == NUMBER && b->type == NUMBER && integer(a) == integer(b)));
}

static obj *prim_less(obj *args) { return boolean(integer(car(args)) < integer(cadr(args))); }
static obj *prim_cons(obj *args) { return cons(car(args), cadr(args)); }
static obj *prim_car(obj *args) { return car(car(args)); }
static obj *prim_cdr(obj *args) { return cdr(car(args)); }
static obj *prim_list(obj *args) { return args; }
static obj *prim_null(obj *args) { return boolean(car(args) == nil); }

static void define_builtins(void)
{
    static const struct { const char *name; primitive call; } primitives[] = {
        {"+", prim_add}, {"-", prim_subtract}, {"*", prim_multiply}, {"=", prim_equal},
        {"<", prim_less}, {"cons", prim_cons}, {"car", prim_car}, {"cdr", prim_cdr},
        {"list", prim_list}, {"null?", prim_null}, {"not", prim_null},
    };
    static const struct { const char *name; special form; } forms[] = {
        {"quote", form_quote}, {"if", form_if}, {"cond", form_cond}, {"and", form_and},
        {"lambda", form_lambda}, {"define", form_define}, {"set!", form_set}, {"let", form_let},
        {"begin", run_body},
    };
    for (size_t i = 0; i < sizeof primitives / sizeof *primitives; i++) {
        obj *o = allocate(PRIMITIVE);
        o->u.call = primitives[i].call;
        bind(intern(primitives[i].name), o, globals);
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        obj *o = allocate(SPECIAL);
        o->u.form = forms[i].form;
        bind(intern(forms[i].name), o, globals);
    }
    truth = intern("t");
    bind(truth, truth, globals);
}

void lisp_reset(void)
{
    root_count = 0;
    error = NULL;
    symbols = nil;
    globals = NULL;
    collect();
    globals = cons(nil, nil);
    define_builtins();
}

// Runs every expression of the script; the last value (or the error) is printed to `out`.
void lisp_run(const char *script, char *out, size_t room)
{
    obj *value = nil;
    struct text text = {out, room};
    int saved = root_count;
    KEEP(value);
    for (skip_blanks(&script); *script && !error; skip_blanks(&script)) {
        value = read_expression(&script);
        if (!error)
            value = evaluate(value, globals);
    }
    root_count = saved;
    if (error)
        put(&text, "error: %s", error);
    else
        print(&text, value);
}

static const char queens[] =
    "(define (safe? q others d)"
    "  (cond ((null? others) t)"
    "        ((= (car others) q) nil)"
    "        ((= (car others) (+ q d)) nil)"
    "        ((= (car others) (- q d)) nil)"
    "        (t (safe? q (cdr others) (+ d 1)))))"
    "(define (place n row placed)"
    "  (if (= row 0) 1 (try n row placed n)))"
    "(define (try n row placed q)"
    "  (if (= q 0) 0"
    "      (+ (if (safe? q placed 1) (place n (- row 1) (cons q placed)) 0)"
    "         (try n row placed (- q 1)))))"
    "(place 6 6 nil)";

int main(void)
{
    static const struct { const char *script, *expect; } cases[] = {
        {"(define (fact n) (if (< n 2) 1 (* n (fact (- n 1))))) (fact 15)", "1307674368000"},
        {"(define (map f l) (if (null? l) nil (cons (f (car l)) (map f (cdr l)))))"
         "(map (lambda (x) (* x x)) '(1 2 3 -4))", "(1 4 9 16)"},
        {"(define (counter n) (lambda () (set! n (+ n 1)) n))"
         "(define a (counter 10)) (define b (counter 0)) (a) (b) (list (a) (b))", "(12 2)"},
        {"(define (loop n acc) (if (= n 0) acc (loop (- n 1) (+ acc n))))"
         "(loop 3000 0)", "4501500"},
        {"(define (filter p l) (cond ((null? l) nil)"
         "  ((p (car l)) (cons (car l) (filter p (cdr l)))) (t (filter p (cdr l)))))"
         "(define (append a b) (if (null? a) b (cons (car a) (append (cdr a) b))))"
         "(define (sort l) (if (null? l) nil (let ((p (car l)) (r (cdr l)))"
         "  (append (sort (filter (lambda (x) (< x p)) r))"
         "          (cons p (sort (filter (lambda (x) (not (< x p))) r)))))))"
         "(sort '(5 3 9 1 5 0 7))", "(0 1 3 5 5 7 9)"},
        {queens, "4"},
        {"(define (even? n) (if (= n 0) t (odd? (- n 1)))) ; mutual recursion\n"
         "(define (odd? n) (if (= n 0) nil (even? (- n 1)))) (even? 401)", "nil"},
        {"((lambda (first . rest) (cons rest first)) 1 2 3)", "((2 3) . 1)"},
        {"(define (deep n) (+ 1 (deep n))) (deep 1)", "error: recursion too deep"},
        {"(car 5)", "error: not a pair"}, {"(1 2)", "error: not a function"},
        {"(fact 3)", "error: unbound name"},
        {"((lambda (x) x))", "error: wrong number of arguments"},
        {"(* 4294967296 4294967296)", "error: overflow"},
        {"(list 1 (2 3)", "error: unexpected end"},
        {"'(1 . 2 3)", "error: ) wanted after the tail"},
        {"(and 1 nil (undefined))", "nil"}, {"(list car (lambda () 1))", "(#builtin #closure)"},
    };
    char out[128];
    int bad = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lisp_reset();
        lisp_run(cases[i].script, out, sizeof out);
        bool ok = strcmp(out, cases[i].expect) == 0;
        printf("%2zu %s%s\n", i + 1, out, ok ? "" : "   <- unexpected");
        bad += !ok;
    }
    printf("%u collections\n", collections);
    return bad != 0;
}
