/* Radix trie (compressed prefix tree) from strings to integers. Edges carry substrings; children
 * form a sorted sibling chain. Offers exact and longest-prefix lookup, ordered prefix walks and
 * removal that merges chains again. Driven by a routing table and a dictionary of made-up words. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trie_node
{
    char *label;
    struct trie_node *child;
    struct trie_node *sibling;
    long value;
    bool terminal;
};

struct trie
{
    struct trie_node root;      /* has no label */
    size_t keys, nodes;
};

/* Return false to stop the walk. */
typedef bool trie_visitor(const char *key, long value, void *context);

static char *copy_span(const char *s, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL)
        exit(2);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

static struct trie_node *make_node(struct trie *t, const char *label, size_t n)
{
    struct trie_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        exit(2);
    node->label = copy_span(label, n);
    t->nodes++;
    return node;
}

static size_t common_length(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n])
        n++;
    return n;
}

/* The link that holds the child starting with `c`, or the link where such a child belongs. */
static struct trie_node **find_link(struct trie_node *parent, char c)
{
    struct trie_node **link = &parent->child;
    while (*link != NULL && (unsigned char)(*link)->label[0] < (unsigned char)c)
        link = &(*link)->sibling;
    return link;
}

static void split_node(struct trie *t, struct trie_node *node, size_t at)
{
    struct trie_node *tail = make_node(t, node->label + at, strlen(node->label + at));
    tail->child = node->child;
    tail->value = node->value;
    tail->terminal = node->terminal;
    node->label[at] = '\0';
    node->child = tail;
    node->terminal = false;
}

/* Returns true when the key is new. */
bool trie_put(struct trie *t, const char *key, long value)
{
    struct trie_node *node = &t->root;

    while (*key != '\0')
    {
        struct trie_node **link = find_link(node, *key);
        struct trie_node *next = *link;
        if (next == NULL || next->label[0] != *key)
        {
            struct trie_node *leaf = make_node(t, key, strlen(key));
            leaf->sibling = next;
            *link = leaf;
            node = leaf;
            break;
        }
        size_t shared = common_length(next->label, key);
        if (next->label[shared] != '\0')
            split_node(t, next, shared);
        node = next;
        key += shared;
    }
    bool fresh = !node->terminal;
    node->terminal = true;
    node->value = value;
    t->keys += fresh;
    return fresh;
}

const long *trie_get(struct trie *t, const char *key)
{
    struct trie_node *node = &t->root;

    while (*key != '\0')
    {
        node = *find_link(node, *key);
        if (node == NULL)
            return NULL;
        size_t n = strlen(node->label);
        if (strncmp(node->label, key, n) != 0)
            return NULL;
        key += n;
    }
    return node->terminal ? &node->value : NULL;
}

/* Value of the longest stored key that is a prefix of `text`; its length goes to *matched. */
const long *trie_longest_prefix(struct trie *t, const char *text, size_t *matched)
{
    struct trie_node *node = &t->root;
    const long *best = NULL;
    size_t depth = 0;

    *matched = 0;
    for (;;)
    {
        if (node->terminal)
        {
            best = &node->value;
            *matched = depth;
        }
        node = text[depth] == '\0' ? NULL : *find_link(node, text[depth]);
        if (node == NULL || strncmp(node->label, text + depth, strlen(node->label)) != 0)
            return best;
        depth += strlen(node->label);
    }
}

static bool walk(const struct trie_node *node, char *path, size_t depth, size_t room,
                 trie_visitor *visit, void *context)
{
    if (node->terminal && !visit(path, node->value, context))
        return false;
    for (const struct trie_node *c = node->child; c != NULL; c = c->sibling)
    {
        size_t n = strlen(c->label);
        if (depth + n + 1 > room)
            continue;
        memcpy(path + depth, c->label, n + 1);
        if (!walk(c, path, depth + n, room, visit, context))
            return false;
    }
    path[depth] = '\0';
    return true;
}

/* Visits, in byte order, every key that starts with `prefix`. */
bool trie_walk_prefix(struct trie *t, const char *prefix, trie_visitor *visit, void *context)
{
    char path[128] = "";
    const struct trie_node *node = &t->root;
    size_t depth = 0, want = strlen(prefix);

    while (depth < want)
    {
        node = *find_link((struct trie_node *)node, prefix[depth]);
        if (node == NULL)
            return true;
        size_t shared = common_length(node->label, prefix + depth);
        size_t n = strlen(node->label);
        if ((shared < n && depth + shared < want) || depth + n + 1 > sizeof path)
            return true;
        memcpy(path + depth, node->label, n + 1);
        depth += n;
    }
    return walk(node, path, depth, sizeof path, visit, context);
}

static void release(struct trie *t, struct trie_node *node)
{
    free(node->label);
    free(node);
    t->nodes--;
}

/* A node without a key and with a single child is pointless: glue the two together. */
static void merge_with_child(struct trie *t, struct trie_node *node)
{
    struct trie_node *only = node->child;
    if (node->terminal || only == NULL || only->sibling != NULL)
        return;
    size_t a = strlen(node->label), b = strlen(only->label);
    char *joined = realloc(node->label, a + b + 1);
    if (joined == NULL)
        exit(2);
    memcpy(joined + a, only->label, b + 1);
    node->label = joined;
    node->child = only->child;
    node->terminal = only->terminal;
    node->value = only->value;
    release(t, only);
}

static bool remove_below(struct trie *t, struct trie_node *node, const char *key)
{
    if (*key == '\0')
    {
        bool had = node->terminal;
        node->terminal = false;
        return had;
    }
    struct trie_node **link = find_link(node, *key), *next = *link;
    if (next == NULL || strncmp(next->label, key, strlen(next->label)) != 0)
        return false;
    if (!remove_below(t, next, key + strlen(next->label)))
        return false;
    if (!next->terminal && next->child == NULL)
    {
        *link = next->sibling;
        release(t, next);
    }
    else
        merge_with_child(t, next);
    return true;
}

bool trie_remove(struct trie *t, const char *key)
{
    bool removed = remove_below(t, &t->root, key);
    t->keys -= removed;
    return removed;
}

void trie_clear(struct trie *t, struct trie_node *node)
{
    while (node->child != NULL)
    {
        struct trie_node *c = node->child;
        node->child = c->sibling;
        trie_clear(t, c);
        release(t, c);
    }
}

static bool print_some(const char *key, long value, void *context)
{
    int *left = context;
    printf("    %s -> %ld\n", key, value);
    return --*left > 0;
}

static bool digest_key(const char *key, long value, void *context)
{
    uint32_t *h = context;
    for (; *key != '\0'; key++)
        *h = (*h ^ (unsigned char)*key) * 16777619u;
    *h ^= (uint32_t)value;
    return true;
}

static const char *made_up_word(unsigned n, char out[16])
{
    static const char *const parts[] = {"ra", "to", "lin", "ve", "s",
                                        "mor", "an", "qu", "ix", "del"};
    out[0] = '\0';
    for (int i = 0; i < 4; i++, n /= 10)
        strcat(out, parts[n % 10]);
    return out;
}

int main(void)
{
    static const char *const routes[] = {"/", "/api/", "/api/users",
                                         "/api/users/me", "/app.js", "/static/"};
    static const char *const urls[] = {"/api/users/17", "/api/use", "/static/x.png",
                                       "/apx", "none"};
    struct trie t = {.keys = 0};
    char word[16];
    int left = 4, wrong = 0;
    uint32_t digest = 2166136261u;

    for (long i = 0; i < 6; i++)
        trie_put(&t, routes[i], i);
    for (int i = 0; i < 5; i++)
    {
        size_t n;
        const long *hit = trie_longest_prefix(&t, urls[i], &n);
        printf("%-14s route %ld, %zu bytes\n", urls[i], hit ? *hit : -1L, n);
    }
    for (int i = 0; i < 6; i++)
        wrong += !trie_remove(&t, routes[i]);
    wrong += t.nodes != 0;

    for (unsigned i = 0; i < 1500; i++)
        trie_put(&t, made_up_word(i * 7, word), (long)i);
    for (unsigned i = 0; i < 1500; i++)
        wrong += trie_get(&t, made_up_word(i * 7, word)) == NULL;
    printf("%zu keys in %zu nodes; first with prefix 'tor':\n", t.keys, t.nodes);
    trie_walk_prefix(&t, "tor", print_some, &left);
    for (unsigned i = 0; i < 1500; i += 2)
        trie_remove(&t, made_up_word(i * 7, word));
    trie_walk_prefix(&t, "", digest_key, &digest);
    printf("%zu keys in %zu nodes, digest %08x, wrong %d\n", t.keys, t.nodes,
           (unsigned)digest, wrong);
    trie_clear(&t, &t.root);
    return wrong || t.nodes;
}
