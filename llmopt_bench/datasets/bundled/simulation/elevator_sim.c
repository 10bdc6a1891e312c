/*
 * Discrete-event simulation of a bank of elevators.  A binary-heap event queue drives one state
 * machine per car (idle, moving, doors opening, open, closing); hall calls are given to a car by
 * an exchangeable dispatch policy.  The same passengers ride under every policy and the waiting
 * and riding times are compared.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOORS 14
#define CARS 3
#define CAPACITY 6
#define PASSENGERS 160
#define TRAVEL_TIME 4
#define DOOR_TIME 3
#define BOARD_TIME 2

enum direction { DOWN, UP };
enum car_state { IDLE, MOVING, OPENING, OPEN, CLOSING, STATE_COUNT };
enum event_kind { EV_ARRIVAL, EV_CAR };

struct event {
  long when;
  unsigned order; /* ties are served first come, first served */
  enum event_kind kind;
  int subject;
};

struct queue {
  struct event *heap;
  size_t count, room;
  unsigned next_order;
};

struct passenger {
  int from, to;
  long called, boarded, delivered;
  int next; /* chain of a floor's waiting line or of a car's riders */
};

struct car {
  enum car_state state;
  enum direction dir;
  int floor, load, riders;
  uint32_t stops, hall[2];
  long floors_travelled;
};

struct building;
typedef int (*dispatch_fn)(struct building *, int floor, enum direction dir);

struct building {
  struct queue events;
  struct car cars[CARS];
  struct passenger people[PASSENGERS];
  int line_head[FLOORS][2], line_tail[FLOORS][2];
  dispatch_fn dispatch;
  int rotor;
  long now;
  int delivered;
  unsigned transitions[STATE_COUNT];
};

static bool earlier(const struct event *a, const struct event *b)
{
  return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static bool queue_push(struct queue *q, long when, enum event_kind kind, int subject)
{
  if (q->count == q->room) {
    size_t room = q->room ? q->room * 2 : 32;
    struct event *grown = realloc(q->heap, room * sizeof *grown);
    if (!grown)
      return false;
    q->heap = grown;
    q->room = room;
  }
  struct event e = {when, q->next_order++, kind, subject};
  size_t i = q->count++;
  while (i > 0 && earlier(&e, &q->heap[(i - 1) / 2])) {
    q->heap[i] = q->heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  q->heap[i] = e;
  return true;
}

static bool queue_pop(struct queue *q, struct event *out)
{
  if (q->count == 0)
    return false;
  *out = q->heap[0];
  struct event last = q->heap[--q->count];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= q->count)
      break;
    if (child + 1 < q->count && earlier(&q->heap[child + 1], &q->heap[child]))
      child++;
    if (!earlier(&q->heap[child], &last))
      break;
    q->heap[i] = q->heap[child];
    i = child;
  }
  if (q->count)
    q->heap[i] = last;
  return true;
}

static uint32_t targets(const struct car *c)
{
  return c->stops | c->hall[UP] | c->hall[DOWN];
}

static uint32_t beyond(uint32_t mask, int floor, enum direction dir)
{
  return dir == UP ? mask >> (floor + 1) : mask & ((1u << floor) - 1);
}

/* ---- dispatch policies ---- */

int dispatch_round_robin(struct building *b, int floor, enum direction dir)
{
  (void)floor;
  (void)dir;
  return b->rotor++ % CARS;
}

int dispatch_nearest(struct building *b, int floor, enum direction dir)
{
  int best = 0, best_cost = INT32_MAX;
  for (int i = 0; i < CARS; i++) {
    const struct car *c = &b->cars[i];
    int cost = abs(c->floor - floor);
    if (c->state != IDLE) {
      bool ahead = c->dir == UP ? floor > c->floor : floor < c->floor;
      if (!ahead)
        cost += FLOORS;
      else if (c->dir != dir)
        cost += FLOORS / 2;
      cost += 2 * c->load;
    }
    if (cost < best_cost) {
      best_cost = cost;
      best = i;
    }
  }
  return best;
}

/* Each car owns a band of floors. */
int dispatch_zones(struct building *b, int floor, enum direction dir)
{
  (void)b;
  (void)dir;
  return floor * CARS / FLOORS;
}

/* ---- car state machine ---- */

static void enter(struct building *b, int id, enum car_state next, int delay)
{
  b->cars[id].state = next;
  b->transitions[next]++;
  if (next != IDLE)
    queue_push(&b->events, b->now + delay, EV_CAR, id);
}

static bool must_stop(const struct car *c)
{
  uint32_t here = 1u << c->floor;
  if (c->load == CAPACITY) /* a full car passes hall calls */
    return c->stops & here;
  if ((c->stops | c->hall[c->dir]) & here)
    return true;
  return (c->hall[!c->dir] & here) && !beyond(targets(c), c->floor, c->dir);
}

static void depart(struct building *b, int id)
{
  struct car *c = &b->cars[id];
  uint32_t want = targets(c);
  if (want == 0) {
    enter(b, id, IDLE, 0);
    return;
  }
  if (!beyond(want, c->floor, c->dir) && !must_stop(c))
    c->dir = !c->dir;
  if (must_stop(c))
    enter(b, id, OPENING, DOOR_TIME);
  else
    enter(b, id, MOVING, TRAVEL_TIME);
}

static int unload(struct building *b, struct car *c)
{
  int moved = 0;
  for (int *link = &c->riders; *link >= 0;) {
    struct passenger *p = &b->people[*link];
    if (p->to == c->floor) {
      *link = p->next;
      p->delivered = b->now;
      b->delivered++;
      c->load--;
      moved++;
    } else {
      link = &p->next;
    }
  }
  c->stops &= ~(1u << c->floor);
  return moved;
}

static int load(struct building *b, struct car *c)
{
  int moved = 0;
  int *head = &b->line_head[c->floor][c->dir];
  while (*head >= 0 && c->load < CAPACITY) {
    int who = *head;
    struct passenger *p = &b->people[who];
    *head = p->next;
    p->next = c->riders;
    c->riders = who;
    p->boarded = b->now;
    c->stops |= 1u << p->to;
    c->load++;
    moved++;
  }
  c->hall[c->dir] &= ~(1u << c->floor);
  if (*head < 0)
    b->line_tail[c->floor][c->dir] = -1;
  return moved;
}

static void on_moving(struct building *b, int id)
{
  struct car *c = &b->cars[id];
  c->floor += c->dir == UP ? 1 : -1;
  c->floors_travelled++;
  depart(b, id);
}

static void on_opening(struct building *b, int id)
{
  struct car *c = &b->cars[id];
  int moved = unload(b, c);
  if (!beyond(targets(c), c->floor, c->dir) && b->line_head[c->floor][c->dir] < 0)
    c->dir = !c->dir;
  moved += load(b, c);
  enter(b, id, OPEN, BOARD_TIME * (moved ? moved : 1));
}

static void on_open(struct building *b, int id)
{
  enter(b, id, CLOSING, DOOR_TIME);
}

static void press(struct building *b, int floor, enum direction dir)
{
  for (int i = 0; i < CARS; i++)
    if (b->cars[i].hall[dir] >> floor & 1)
      return;
  int id = b->dispatch(b, floor, dir);
  b->cars[id].hall[dir] |= 1u << floor;
  if (b->cars[id].state == IDLE)
    depart(b, id);
}

static void on_closing(struct building *b, int id)
{
  int floor = b->cars[id].floor;
  depart(b, id);
  /* Those the full car left behind press the button again. */
  for (int dir = DOWN; dir <= UP; dir++)
    if (b->line_head[floor][dir] >= 0)
      press(b, floor, (enum direction)dir);
}

static void (*const car_handlers[STATE_COUNT])(struct building *, int) = {
    [MOVING] = on_moving,
    [OPENING] = on_opening,
    [OPEN] = on_open,
    [CLOSING] = on_closing,
};

static void join_line(struct building *b, int who)
{
  struct passenger *p = &b->people[who];
  enum direction dir = p->to > p->from ? UP : DOWN;
  p->next = -1;
  if (b->line_tail[p->from][dir] < 0)
    b->line_head[p->from][dir] = who;
  else
    b->people[b->line_tail[p->from][dir]].next = who;
  b->line_tail[p->from][dir] = who;
  press(b, p->from, dir);
}

static uint32_t draw(uint32_t *seed, uint32_t bound)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % bound;
}

/* Morning traffic: half of the passengers start in the lobby. */
static void populate(struct building *b, uint32_t seed)
{
  long t = 0;
  for (int i = 0; i < PASSENGERS; i++) {
    struct passenger *p = &b->people[i];
    t += 1 + draw(&seed, 11);
    p->from = draw(&seed, 2) ? 0 : (int)draw(&seed, FLOORS);
    p->to = (p->from + 1 + (int)draw(&seed, FLOORS - 1)) % FLOORS;
    p->called = t;
    queue_push(&b->events, t, EV_ARRIVAL, i);
  }
}

bool building_run(struct building *b, dispatch_fn policy, uint32_t seed)
{
  struct event e;
  int budget = 100000;
  memset(b, 0, sizeof *b);
  memset(b->line_head, -1, sizeof b->line_head);
  memset(b->line_tail, -1, sizeof b->line_tail);
  for (int i = 0; i < CARS; i++)
    b->cars[i].riders = -1;
  b->dispatch = policy;
  populate(b, seed);
  while (queue_pop(&b->events, &e) && --budget) {
    b->now = e.when;
    switch (e.kind) {
    case EV_ARRIVAL: join_line(b, e.subject); break;
    case EV_CAR: car_handlers[b->cars[e.subject].state](b, e.subject); break;
    }
  }
  free(b->events.heap);
  return b->delivered == PASSENGERS;
}

static int compare_long(const void *a, const void *b)
{
  long x = *(const long *)a, y = *(const long *)b;
  return (x > y) - (x < y);
}

static void report(const char *name, const struct building *b)
{
  long wait[PASSENGERS], wait_sum = 0, ride_sum = 0, travelled = 0;
  for (int i = 0; i < PASSENGERS; i++) {
    const struct passenger *p = &b->people[i];
    wait[i] = p->boarded - p->called;
    wait_sum += wait[i];
    ride_sum += p->delivered - p->boarded;
  }
  for (int i = 0; i < CARS; i++)
    travelled += b->cars[i].floors_travelled;
  qsort(wait, PASSENGERS, sizeof wait[0], compare_long);
  printf("%-12s end %5ld  wait mean %4ld median %4ld p95 %4ld  ride mean %3ld  floors %4ld  stops %u\n",
         name, b->now, wait_sum / PASSENGERS, wait[PASSENGERS / 2], wait[PASSENGERS * 95 / 100],
         ride_sum / PASSENGERS, travelled, b->transitions[OPENING]);
}

int main(void)
{
  static const struct {
    const char *name;
    dispatch_fn policy;
  } policies[] = {
      {"round-robin", dispatch_round_robin},
      {"nearest", dispatch_nearest},
      {"zones", dispatch_zones},
  };
  static struct building b;
  for (uint32_t seed = 1; seed <= 3; seed++) {
    printf("traffic %u\n", seed);
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
      if (!building_run(&b, policies[i].policy, seed * 7919u)) {
        printf("%s: only %d of %d delivered\n", policies[i].name, b.delivered, PASSENGERS);
        return 1;
      }
      report(policies[i].name, &b);
    }
  }
  return 0;
}
