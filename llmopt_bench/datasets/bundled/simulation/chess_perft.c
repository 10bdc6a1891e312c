/*
 * Legal chess move generation on a 0x88 mailbox, measured with perft (leaf counts of the move
 * tree).  Moves are made and taken back in place while a Zobrist key is kept up incrementally;
 * inner nodes recompute the key from scratch to check it.  Leaf counts are compared with
 * published figures.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { EMPTY, PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING };
enum { WHITE, BLACK };
enum { WHITE_SHORT = 1, WHITE_LONG = 2, BLACK_SHORT = 4, BLACK_LONG = 8 };
enum { DOUBLE_STEP = 1, EN_PASSANT = 2, CASTLING = 4 };

#define MAX_MOVES 256
#define NO_SQUARE 127
#define SQUARE(file, rank) (((rank) << 4) | (file))
#define ON_BOARD(sq) (((unsigned)(sq) & 0x88u) == 0)
#define PIECE(color, type) ((uint8_t)(((color) << 3) | (type)))
#define TYPE(piece) ((piece) & 7)
#define COLOR(piece) ((piece) >> 3)

typedef struct {
    uint8_t from, to, promotion, flags;
} move_t;

typedef struct {
    uint8_t board[128];
    int king[2];
    int side;
    int castling;
    int ep;
    uint64_t key;
} position_t;

typedef struct {
    uint8_t captured;
    int captured_at;
    int castling, ep;
    uint64_t key;
} undo_t;

typedef struct {
    move_t item[MAX_MOVES];
    int count;
} move_list;

static const int knight_steps[8] = {33, 31, 18, 14, -33, -31, -18, -14};
static const int royal_steps[8] = {16, -16, 1, -1, 17, 15, -17, -15};

static uint64_t zobrist_piece[16][128];
static uint64_t zobrist_castling[16];
static uint64_t zobrist_ep[128];
static uint64_t zobrist_black;
static uint8_t castling_kept[128];
static int key_errors;

static uint64_t next_random(void)
{
    static uint64_t state = UINT64_C(0x2545f4914f6cdd1d);
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void init_tables(void)
{
    for (int p = 0; p < 16; p++) {
        zobrist_castling[p] = next_random();
        for (int sq = 0; sq < 128; sq++)
            zobrist_piece[p][sq] = TYPE(p) == EMPTY ? 0 : next_random();
    }
    for (int sq = 0; sq < 128; sq++) {
        zobrist_ep[sq] = sq == NO_SQUARE ? 0 : next_random();
        castling_kept[sq] = 15;
    }
    zobrist_black = next_random();
    castling_kept[SQUARE(4, 0)] = 15 & ~(WHITE_SHORT | WHITE_LONG);
    castling_kept[SQUARE(0, 0)] = 15 & ~WHITE_LONG;
    castling_kept[SQUARE(7, 0)] = 15 & ~WHITE_SHORT;
    castling_kept[SQUARE(4, 7)] = 15 & ~(BLACK_SHORT | BLACK_LONG);
    castling_kept[SQUARE(0, 7)] = 15 & ~BLACK_LONG;
    castling_kept[SQUARE(7, 7)] = 15 & ~BLACK_SHORT;
}

uint64_t position_key(const position_t *pos)
{
    uint64_t key = zobrist_castling[pos->castling] ^ zobrist_ep[pos->ep];
    for (int sq = 0; sq < 128; sq++)
        if (ON_BOARD(sq))
            key ^= zobrist_piece[pos->board[sq]][sq];
    return pos->side == BLACK ? key ^ zobrist_black : key;
}

bool position_from_fen(position_t *pos, const char *fen)
{
    static const char letters[] = ".pnbrqk";
    int file = 0, rank = 7;
    memset(pos, 0, sizeof *pos);
    for (; *fen && *fen != ' '; fen++) {
        if (*fen == '/') {
            rank--;
            file = 0;
        } else if (isdigit((unsigned char)*fen)) {
            file += *fen - '0';
        } else {
            const char *hit = strchr(letters, tolower((unsigned char)*fen));
            if (!hit || file > 7 || rank < 0)
                return false;
            int color = isupper((unsigned char)*fen) ? WHITE : BLACK;
            int type = (int)(hit - letters);
            if (type == KING)
                pos->king[color] = SQUARE(file, rank);
            pos->board[SQUARE(file, rank)] = PIECE(color, type);
            file++;
        }
    }
    if (rank != 0 || *fen++ != ' ')
        return false;
    pos->side = *fen++ == 'w' ? WHITE : BLACK;
    for (fen++; *fen && *fen != ' '; fen++)
        switch (*fen) {
        case 'K': pos->castling |= WHITE_SHORT; break;
        case 'Q': pos->castling |= WHITE_LONG; break;
        case 'k': pos->castling |= BLACK_SHORT; break;
        case 'q': pos->castling |= BLACK_LONG; break;
        case '-': break;
        default: return false;
        }
    pos->ep = NO_SQUARE;
    if (*fen++ == ' ' && *fen >= 'a' && *fen <= 'h')
        pos->ep = SQUARE(fen[0] - 'a', fen[1] - '1');
    pos->key = position_key(pos);
    return true;
}

static bool leaper_hits(const position_t *pos, int sq, const int *steps, uint8_t piece)
{
    for (int i = 0; i < 8; i++)
        if (ON_BOARD(sq + steps[i]) && pos->board[sq + steps[i]] == piece)
            return true;
    return false;
}

bool square_attacked(const position_t *pos, int sq, int by)
{
    int back = by == WHITE ? -16 : 16;
    for (int side = -1; side <= 1; side += 2)
        if (ON_BOARD(sq + back + side) && pos->board[sq + back + side] == PIECE(by, PAWN))
            return true;
    if (leaper_hits(pos, sq, knight_steps, PIECE(by, KNIGHT)) ||
        leaper_hits(pos, sq, royal_steps, PIECE(by, KING)))
        return true;
    for (int i = 0; i < 8; i++) {
        int slider = i < 4 ? ROOK : BISHOP;
        int at = sq + royal_steps[i];
        while (ON_BOARD(at) && pos->board[at] == EMPTY)
            at += royal_steps[i];
        if (ON_BOARD(at) && (pos->board[at] == PIECE(by, slider) || pos->board[at] == PIECE(by, QUEEN)))
            return true;
    }
    return false;
}

bool in_check(const position_t *pos, int color)
{
    return square_attacked(pos, pos->king[color], color ^ 1);
}

static void push(move_list *list, int from, int to, int promotion, int flags)
{
    list->item[list->count++] =
        (move_t){(uint8_t)from, (uint8_t)to, (uint8_t)promotion, (uint8_t)flags};
}

static void push_pawn(move_list *list, int from, int to, int flags)
{
    if ((to >> 4) == 0 || (to >> 4) == 7)
        for (int p = QUEEN; p >= KNIGHT; p--)
            push(list, from, to, p, flags);
    else
        push(list, from, to, EMPTY, flags);
}

static void pawn_moves(const position_t *pos, int from, move_list *list)
{
    int ahead = pos->side == WHITE ? 16 : -16;
    int home = pos->side == WHITE ? 1 : 6;
    if (pos->board[from + ahead] == EMPTY) {
        push_pawn(list, from, from + ahead, 0);
        if ((from >> 4) == home && pos->board[from + 2 * ahead] == EMPTY)
            push(list, from, from + 2 * ahead, EMPTY, DOUBLE_STEP);
    }
    for (int side = -1; side <= 1; side += 2) {
        int to = from + ahead + side;
        if (!ON_BOARD(to))
            continue;
        if (pos->board[to] != EMPTY && COLOR(pos->board[to]) != pos->side)
            push_pawn(list, from, to, 0);
        else if (to == pos->ep)
            push(list, from, to, EMPTY, EN_PASSANT);
    }
}

static void step_moves(const position_t *pos, int from, const int *steps, int n, bool slide,
                       move_list *list)
{
    for (int i = 0; i < n; i++)
        for (int to = from + steps[i]; ON_BOARD(to); to += steps[i]) {
            uint8_t target = pos->board[to];
            if (target == EMPTY || COLOR(target) != pos->side)
                push(list, from, to, EMPTY, 0);
            if (target != EMPTY || !slide)
                break;
        }
}

static void castling_moves(const position_t *pos, move_list *list)
{
    int king = pos->king[pos->side], foe = pos->side ^ 1;
    int rights = pos->side == WHITE ? pos->castling : pos->castling >> 2;
    const uint8_t *b = pos->board;
    if (!(rights & (WHITE_SHORT | WHITE_LONG)) || square_attacked(pos, king, foe))
        return;
    if ((rights & WHITE_SHORT) && b[king + 1] == EMPTY && b[king + 2] == EMPTY &&
        !square_attacked(pos, king + 1, foe))
        push(list, king, king + 2, EMPTY, CASTLING);
    if ((rights & WHITE_LONG) && b[king - 1] == EMPTY && b[king - 2] == EMPTY &&
        b[king - 3] == EMPTY && !square_attacked(pos, king - 1, foe))
        push(list, king, king - 2, EMPTY, CASTLING);
}

/* Pseudo-legal: a move may still leave the own king attacked. */
void generate_moves(const position_t *pos, move_list *list)
{
    list->count = 0;
    for (int sq = 0; sq < 128; sq = (sq & 7) == 7 ? sq + 9 : sq + 1) {
        uint8_t piece = pos->board[sq];
        if (piece == EMPTY || COLOR(piece) != pos->side)
            continue;
        switch (TYPE(piece)) {
        case PAWN: pawn_moves(pos, sq, list); break;
        case KNIGHT: step_moves(pos, sq, knight_steps, 8, false, list); break;
        case BISHOP: step_moves(pos, sq, royal_steps + 4, 4, true, list); break;
        case ROOK: step_moves(pos, sq, royal_steps, 4, true, list); break;
        case QUEEN: step_moves(pos, sq, royal_steps, 8, true, list); break;
        case KING:
            step_moves(pos, sq, royal_steps, 8, false, list);
            castling_moves(pos, list);
            break;
        default: break;
        }
    }
}

static void put(position_t *pos, int sq, uint8_t piece)
{
    pos->key ^= zobrist_piece[pos->board[sq]][sq] ^ zobrist_piece[piece][sq];
    pos->board[sq] = piece;
}

static void rook_squares(int king_to, int *from, int *to)
{
    bool is_short = (king_to & 7) == 6;
    *from = is_short ? king_to + 1 : king_to - 2;
    *to = is_short ? king_to - 1 : king_to + 1;
}

void make_move(position_t *pos, move_t m, undo_t *undo)
{
    uint8_t piece = pos->board[m.from];
    int ahead = pos->side == WHITE ? 16 : -16;

    undo->castling = pos->castling;
    undo->ep = pos->ep;
    undo->key = pos->key;
    undo->captured_at = m.flags & EN_PASSANT ? m.to - ahead : m.to;
    undo->captured = pos->board[undo->captured_at];

    put(pos, undo->captured_at, EMPTY);
    put(pos, m.from, EMPTY);
    put(pos, m.to, m.promotion ? PIECE(pos->side, m.promotion) : piece);
    if (TYPE(piece) == KING)
        pos->king[pos->side] = m.to;
    if (m.flags & CASTLING) {
        int from, to;
        rook_squares(m.to, &from, &to);
        put(pos, to, pos->board[from]);
        put(pos, from, EMPTY);
    }
    pos->key ^= zobrist_castling[pos->castling] ^ zobrist_ep[pos->ep] ^ zobrist_black;
    pos->castling &= castling_kept[m.from] & castling_kept[m.to];
    pos->ep = m.flags & DOUBLE_STEP ? m.from + ahead : NO_SQUARE;
    pos->key ^= zobrist_castling[pos->castling] ^ zobrist_ep[pos->ep];
    pos->side ^= 1;
}

void unmake_move(position_t *pos, move_t m, const undo_t *undo)
{
    pos->side ^= 1;
    uint8_t piece = m.promotion ? PIECE(pos->side, PAWN) : pos->board[m.to];
    if (m.flags & CASTLING) {
        int from, to;
        rook_squares(m.to, &from, &to);
        pos->board[from] = pos->board[to];
        pos->board[to] = EMPTY;
    }
    pos->board[m.to] = EMPTY;
    pos->board[undo->captured_at] = undo->captured;
    pos->board[m.from] = piece;
    if (TYPE(piece) == KING)
        pos->king[pos->side] = m.from;
    pos->castling = undo->castling;
    pos->ep = undo->ep;
    pos->key = undo->key;
}

long perft(position_t *pos, int depth)
{
    move_list list;
    undo_t undo;
    long nodes = 0;
    if (depth == 0)
        return 1;
    if (position_key(pos) != pos->key)
        key_errors++;
    generate_moves(pos, &list);
    for (int i = 0; i < list.count; i++) {
        make_move(pos, list.item[i], &undo);
        if (!in_check(pos, pos->side ^ 1))
            nodes += perft(pos, depth - 1);
        unmake_move(pos, list.item[i], &undo);
    }
    return nodes;
}

static void move_name(move_t m, char out[6])
{
    out[0] = (char)('a' + (m.from & 7));
    out[1] = (char)('1' + (m.from >> 4));
    out[2] = (char)('a' + (m.to & 7));
    out[3] = (char)('1' + (m.to >> 4));
    out[4] = m.promotion ? "..nbrq."[m.promotion] : '\0';
    out[5] = '\0';
}

long perft_divide(position_t *pos, int depth)
{
    move_list list;
    undo_t undo;
    long total = 0;
    int shown = 0;
    generate_moves(pos, &list);
    for (int i = 0; i < list.count; i++) {
        char name[6];
        make_move(pos, list.item[i], &undo);
        if (!in_check(pos, pos->side ^ 1)) {
            long nodes = perft(pos, depth - 1);
            move_name(list.item[i], name);
            printf("%s %-5ld%s", name, nodes, ++shown % 6 ? " " : "\n");
            total += nodes;
        }
        unmake_move(pos, list.item[i], &undo);
    }
    printf("%s%d moves, %ld leaves\n", shown % 6 ? "\n" : "", shown, total);
    return total;
}

int main(void)
{
    static const struct {
        const char *fen;
        int depth;
        long leaves;
    } cases[] = {
        {"rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1", 3, 8902},
        {"r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1", 2, 2039},
        {"8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", 4, 43238},
        {"r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1", 3, 9467},
        {"rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8", 2, 1486},
    };
    position_t pos;
    int wrong = 0;

    init_tables();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!position_from_fen(&pos, cases[i].fen)) {
            printf("bad FEN: %s\n", cases[i].fen);
            return 2;
        }
        position_t before = pos;
        long leaves = perft(&pos, cases[i].depth);
        bool same = memcmp(before.board, pos.board, sizeof pos.board) == 0 && before.key == pos.key;
        printf("perft(%d) = %ld%s\n", cases[i].depth, leaves, same ? "" : " (position damaged)");
        wrong += leaves != cases[i].leaves || !same;
    }
    if (position_from_fen(&pos, cases[0].fen))
        wrong += perft_divide(&pos, 3) != 8902;
    printf("key errors: %d\n", key_errors);
    return wrong || key_errors ? 1 : 0;
}
