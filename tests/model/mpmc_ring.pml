/*
 * app/ring/mpmc_ring.ts: two steps, head and tail; an end with one user has no need to swap and to
 * wait. Each user remembers where it left the head, and has a copy of the opposite tail:
 * OppositeTail in app/ring/ring_end.ts.
 *
 * The model leaves out swaps that fail: they only add to what was seen, and loads that are older
 * than the swap may as well be made with it. So a claim is one step. At a ring that is full or
 * empty a process waits; in the program it returns 0, and its caller comes again.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef EACH /* elements from each producer */
#define EACH 3
#endif
#ifndef SIZE
#define SIZE 2
#endif
#define ELEMENTS (PRODUCERS * EACH)
#define STORES ELEMENTS
#define WORDS 4
#define LISTED 2
mtype = { CONSUMER_HEAD_WORD, PRODUCER_HEAD_WORD, CONSUMER_TAIL_WORD, PRODUCER_TAIL_WORD };
#define PRODUCER_TAIL 0
#define CONSUMER_TAIL 1
#define PRODUCER_HEAD 2
#define CONSUMER_HEAD 3

/*
 * Positions wrap where one is subtracted from another, and so soon that one that is old can look
 * possible; in the program that takes 2^32. They are compared whole: the model leaves out a head
 * that is the same again after exactly so many.
 */
#define POSITIONS (2 * SIZE)
#define MOVED(position, n) ((position) + (n))

/* The ordering edges, labelled as in the code; -DS1=false takes one away. */
#ifndef S1 /* store of the producers' tail */
#define S1 true
#endif
#ifndef L1 /* load of it by a consumer */
#define L1 true
#endif
#ifndef S2 /* store of the consumers' tail */
#define S2 true
#endif
#ifndef L2 /* load of it by a producer */
#define L2 true
#endif
#ifndef C1 /* compare-and-swap of the producers' head */
#define C1 true
#endif
#ifndef H1 /* load of it by a producer */
#define H1 true
#endif
#ifndef C2 /* compare-and-swap of the consumers' head */
#define C2 true
#endif
#ifndef H2 /* load of it by a consumer */
#define H2 true
#endif
#ifndef T1 /* load of the producers' tail by a producer that waits for its turn */
#define T1 true
#endif
#ifndef T2 /* load of the consumers' tail by a consumer that waits for its turn */
#define T2 true
#endif
/* Not orderings: whether an end loads the opposite tail again behind a head that others moved. */
#ifndef R1 /* by a producer */
#define R1 true
#endif
#ifndef R2 /* by a consumer */
#define R2 true
#endif

#include "memory.pml"
#include "slots.pml"

#define IS_POSSIBLE(available) ((available) > 0 && (available) <= SIZE)
#define HAS_ROOM(tail) IS_POSSIBLE(FREE(head, tail))
#define HAS_SOME(tail) IS_POSSIBLE(USED(tail, head))
#define IS_HEAD(tail) ((tail) == head)

init {
  byte i;
  atomic {
    for (i : 0 .. WORDS - 1) { word[i].value[0] = FIRST }
    for (i : 0 .. PRODUCERS - 1) { run produce(i) }
    for (i : 1 .. CONSUMERS) { run consume() }
  }
}

/* Step one: take slots, from the head on. */
#if PRODUCERS > 1
#define RELEASED_1 C1
#else
#define RELEASED_1 false
#endif
#if CONSUMERS > 1
#define RELEASED_2 C2
#else
#define RELEASED_2 false
#endif

/*
 * Step two: when all who claimed before are done, hand the slots to the other end. Load and store
 * are one step here, as nobody else stores to the tail meanwhile.
 */
#define FINISH(TAIL, SHARING, ACQUIRES, RELEASES) \
  if \
  CHOOSE(TAIL, IS_HEAD) \
  fi; \
  load_chosen(TAIL, (SHARING > 1 && ACQUIRES), head); \
  head = MOVED(head, n); \
  store(TAIL, head, RELEASES)

/* #enqueue(), of all counts */
proctype produce(byte me) {
  VIEW;
  byte enqueued, n, i;
  byte head = FIRST, tail = FIRST;

  do
  :: enqueued == EACH -> break
  :: else ->
again:
    atomic {
      if
      :: NEWEST(PRODUCER_HEAD) == head && HAS_ROOM(tail) -> goto claim
      :: NEWEST(PRODUCER_HEAD) == head
      :: NEWEST(PRODUCER_HEAD) != head ->
        load_newest(PRODUCER_HEAD, H1, head);
        if
        :: !R1 && HAS_ROOM(tail) -> goto claim
        :: else
        fi
      fi;
      if
      CHOOSE(CONSUMER_TAIL, HAS_ROOM)
      :: NEWEST(PRODUCER_HEAD) != head -> goto again
      fi;
      if /* others may have come while there was no room */
      :: NEWEST(PRODUCER_HEAD) != head -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(CONSUMER_TAIL, L2, tail);
claim:
      n = 1;
      do
      :: n < EACH - enqueued && n < FREE(head, tail) -> n++
      :: break
      od;
      store(PRODUCER_HEAD, MOVED(head, n), RELEASED_1);
      for (i : 0 .. n - 1) { write_slot(head + i, me * EACH + enqueued + i) }
      i = 0;
      enqueued = enqueued + n
    }
    atomic {
      FINISH(PRODUCER_TAIL, PRODUCERS, T1, S1);
      n = 0
    }
  od
}

/* #dequeue(), of all counts, until all elements have been read */
proctype consume() {
  VIEW;
  byte n, i, element;
  byte head = FIRST, tail = FIRST;
  byte expected[PRODUCERS];

  do
  :: taken == ALL -> break
  :: else ->
again:
    atomic {
      if
      :: NEWEST(CONSUMER_HEAD) == head && HAS_SOME(tail) -> goto claim
      :: NEWEST(CONSUMER_HEAD) == head
      :: NEWEST(CONSUMER_HEAD) != head ->
        load_newest(CONSUMER_HEAD, H2, head);
        if
        :: !R2 && HAS_SOME(tail) -> goto claim
        :: else
        fi
      fi;
      if
      CHOOSE(PRODUCER_TAIL, HAS_SOME)
      :: NEWEST(CONSUMER_HEAD) != head -> goto again
      :: taken == ALL -> break
      fi;
      if
      :: NEWEST(CONSUMER_HEAD) != head -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(PRODUCER_TAIL, L1, tail);
claim:
      n = 1;
      do
      :: n < SIZE && n < USED(tail, head) -> n++
      :: break
      od;
      store(CONSUMER_HEAD, MOVED(head, n), RELEASED_2);
      for (i : 0 .. n - 1) {
        read_slot(head + i, element);
        out_of_order = element % EACH < expected[element / EACH];
        assert(!out_of_order);
        expected[element / EACH] = element % EACH + 1
      }
      i = 0;
      element = 0
    }
    atomic {
      FINISH(CONSUMER_TAIL, CONSUMERS, T2, S2);
      n = 0
    }
  od
}
