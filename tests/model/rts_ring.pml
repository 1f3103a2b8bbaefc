/*
 * A ring in relaxed-tail-sync mode (DPDK rte_ring_rts_elem_pvt.h): head and tail of an end are two
 * 64-bit words, each a position and how often it was moved, which are moved by compare-and-swap.
 * Who finishes and thereby makes the tail's count equal to the head's moves the tail to the head.
 *
 * A compare-and-swap that fails is not there: an attempt that fails only adds to what was seen, and
 * loads that are older than the swap may as well be made with it. So a claim is one step, and to
 * finish is another. The two halves of a head are loaded one by one, each by itself as old as may
 * be: HEAD, COUNT. Of a tail the count is that of the stores to it.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef EACH /* elements from each producer */
#define EACH 2
#endif
#ifndef SIZE
#define SIZE 2
#endif
#ifndef FAR /* how far a head may be ahead of its tail when somebody claims: headTailMax */
#define FAR SIZE
#endif
#define ELEMENTS (PRODUCERS * EACH)
#define STORES ELEMENTS
#define WORDS 6
mtype = {
  CONSUMER_COUNT_WORD, PRODUCER_COUNT_WORD, CONSUMER_HEAD_WORD, PRODUCER_HEAD_WORD,
  CONSUMER_TAIL_WORD, PRODUCER_TAIL_WORD
};
#define PRODUCER_TAIL 0
#define CONSUMER_TAIL 1
#define PRODUCER_HEAD 2
#define CONSUMER_HEAD 3
#define PRODUCER_COUNT 4
#define CONSUMER_COUNT 5

/* The ordering edges, labelled as in the code; -DS1=false takes one away. */
#ifndef S1 /* compare-and-swap of the producers' tail */
#define S1 true
#endif
#ifndef L1 /* load of it by a consumer */
#define L1 true
#endif
#ifndef S2 /* compare-and-swap of the consumers' tail */
#define S2 true
#endif
#ifndef L2 /* load of it by a producer */
#define L2 true
#endif
#ifndef C1 /* compare-and-swap of the producers' head and count */
#define C1 true
#endif
#ifndef H1 /* load of the head by a producer that claims */
#define H1 true
#endif
#ifndef C2 /* compare-and-swap of the consumers' head and count */
#define C2 true
#endif
#ifndef H2 /* load of the head by a consumer that claims */
#define H2 true
#endif
#ifndef T1 /* load of the producers' tail by a producer that finishes */
#define T1 true
#endif
#ifndef T2 /* load of the consumers' tail by a consumer that finishes */
#define T2 true
#endif
#ifndef N1 /* load of the head by a producer that finishes, before that of its count */
#define N1 true
#endif
#ifndef N2 /* load of the head by a consumer that finishes, before that of its count */
#define N2 true
#endif

#include "memory.pml"
#include "slots.pml"

#define HAS_ROOM(tail) (FREE(head, tail) > 0)
#define HAS_SOME(tail) (USED(tail, head) > 0)
#define IS_NEAR(tail) (USED(head, tail) <= FAR)
#define ANY(value) true

init {
  byte i;
  atomic {
    for (i : 0 .. PRODUCER_COUNT - 1) { word[i].value[0] = FIRST }
    for (i : 0 .. PRODUCERS - 1) { run produce(i) }
    for (i : 1 .. CONSUMERS) { run consume() }
  }
}

/* Who loads the head sees that the count was moved with it: to the number of its store. */
#define CLAIM(HEAD, COUNT, RELEASES) \
  compare_and_swap(COUNT, NEWEST(COUNT), word[COUNT].newest, RELEASES, is_swapped); \
  compare_and_swap(HEAD, head, MOVED(head, n), RELEASES, is_swapped); \
  is_swapped = false

/* To the head if all who have begun have finished, with this one: else only the count is moved. */
#define FINISH(TAIL, HEAD, COUNT, ACQUIRES, NEXT, RELEASES) \
  load_newest(TAIL, ACQUIRES, tail); \
  if \
  CHOOSE(HEAD, ANY) \
  fi; \
  load_chosen(HEAD, NEXT, head); \
  if \
  CHOOSE(COUNT, ANY) \
  fi; \
  load_chosen(COUNT, false, begun); \
  if \
  :: word[TAIL].newest + 1 == begun -> tail = head \
  :: else \
  fi; \
  compare_and_swap(TAIL, NEWEST(TAIL), tail, RELEASES, is_swapped); \
  is_swapped = false; \
  begun = 0; \
  head = 0; \
  tail = 0

/* Enqueue, of all counts */
proctype produce(byte me) {
  VIEW;
  byte enqueued, head, tail, begun, n, i;
  bool is_swapped;

  do
  :: enqueued == EACH -> break
  :: else ->
again:
    atomic {
      load_newest(PRODUCER_HEAD, H1, head);
      begun = NEWEST(PRODUCER_COUNT);
#if FAR < SIZE
      if
      CHOOSE(PRODUCER_TAIL, IS_NEAR)
      :: NEWEST(PRODUCER_COUNT) != begun -> goto again
      fi;
      load_chosen(PRODUCER_TAIL, false, tail);
#endif
      if
      CHOOSE(CONSUMER_TAIL, HAS_ROOM)
      :: NEWEST(PRODUCER_COUNT) != begun -> goto again
      fi;
      if /* others may have come while there was no room */
      :: NEWEST(PRODUCER_COUNT) != begun -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(CONSUMER_TAIL, L2, tail);
      n = 1;
      do
      :: n < EACH - enqueued && n < FREE(head, tail) -> n++
      :: break
      od;
      CLAIM(PRODUCER_HEAD, PRODUCER_COUNT, C1);
      for (i : 0 .. n - 1) { write_slot(head + i, me * EACH + enqueued + i) }
      i = 0;
      enqueued = enqueued + n;
      n = 0;
      head = 0;
      tail = 0;
      begun = 0
    }
    atomic { FINISH(PRODUCER_TAIL, PRODUCER_HEAD, PRODUCER_COUNT, T1, N1, S1) }
  od
}

/* Dequeue, of all counts, until all elements have been read */
proctype consume() {
  VIEW;
  byte head, tail, begun, n, i, element;
  byte expected[PRODUCERS];
  bool is_swapped;

  do
  :: taken == ALL -> break
  :: else ->
again:
    atomic {
      load_newest(CONSUMER_HEAD, H2, head);
      begun = NEWEST(CONSUMER_COUNT);
#if FAR < SIZE
      if
      CHOOSE(CONSUMER_TAIL, IS_NEAR)
      :: NEWEST(CONSUMER_COUNT) != begun -> goto again
      :: taken == ALL -> break
      fi;
      load_chosen(CONSUMER_TAIL, false, tail);
#endif
      if
      CHOOSE(PRODUCER_TAIL, HAS_SOME)
      :: NEWEST(CONSUMER_COUNT) != begun -> goto again
      :: taken == ALL -> break
      fi;
      if
      :: NEWEST(CONSUMER_COUNT) != begun -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(PRODUCER_TAIL, L1, tail);
      n = 1;
      do
      :: n < SIZE && n < USED(tail, head) -> n++
      :: break
      od;
      CLAIM(CONSUMER_HEAD, CONSUMER_COUNT, C2);
      for (i : 0 .. n - 1) {
        read_slot(head + i, element);
        out_of_order = element % EACH < expected[element / EACH];
        assert(!out_of_order);
        expected[element / EACH] = element % EACH + 1
      }
      i = 0;
      element = 0;
      head = 0;
      tail = 0;
      begun = 0;
      n = 0
    }
    atomic { FINISH(CONSUMER_TAIL, CONSUMER_HEAD, CONSUMER_COUNT, T2, N2, S2) }
  od
}
