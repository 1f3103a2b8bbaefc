/*
 * app/ring/mpmc_ring.ts: two steps, head and tail; an end with one user has no need to swap and to
 * wait.
 *
 * A ring that is full or empty is waited for: the program returns 0, and its caller comes again.
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
#define ELEMENTS (PRODUCERS * EACH)
#define STORES ELEMENTS
#define WORDS 4
#define LISTED 2
mtype = { CONSUMER_HEAD_WORD, PRODUCER_HEAD_WORD, CONSUMER_TAIL_WORD, PRODUCER_TAIL_WORD };
#define PRODUCER_TAIL 0
#define CONSUMER_TAIL 1
#define PRODUCER_HEAD 2
#define CONSUMER_HEAD 3

/* The ordering edges, S and L labelled as in the code; -DS1=false takes one away. */
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

#include "memory.pml"
#include "slots.pml"

#define HAS_ROOM(tail) (FREE(head, tail) > 0)
#define HAS_SOME(tail) (USED(tail, head) > 0)
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
#define CLAIM(HEAD, RELEASES) compare_and_swap(HEAD, head, MOVED(head, n), RELEASES, claimed)
#define CLAIM_ALONE(HEAD, RELEASES) store(HEAD, MOVED(head, n), false); claimed = true
#if PRODUCERS > 1
#define CLAIM_ROOM CLAIM
#else
#define CLAIM_ROOM CLAIM_ALONE
#endif
#if CONSUMERS > 1
#define CLAIM_SOME CLAIM
#else
#define CLAIM_SOME CLAIM_ALONE
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
  store(TAIL, MOVED(head, n), RELEASES)

/* #enqueue(), of all counts */
proctype produce(byte me) {
  VIEW;
  byte enqueued, head, tail, n, i;
  bool claimed;

  do
  :: enqueued == EACH -> break
  :: else ->
again:
    load_newest(PRODUCER_HEAD, H1, head);
    atomic {
      if
      CHOOSE(CONSUMER_TAIL, HAS_ROOM)
      :: NEWEST(PRODUCER_HEAD) != head -> goto again
      fi;
      load_chosen(CONSUMER_TAIL, L2, tail);
      n = 1;
      do
      :: n < EACH - enqueued && n < FREE(head, tail) -> n++
      :: break
      od;
      tail = 0
    }
    atomic {
      CLAIM_ROOM(PRODUCER_HEAD, C1);
      if
      :: !claimed -> n = 0; goto again
      :: else -> claimed = false
      fi;
      for (i : 0 .. n - 1) { write_slot(head + i, me * EACH + enqueued + i) }
      i = 0
    }
    atomic {
      FINISH(PRODUCER_TAIL, PRODUCERS, T1, S1);
      enqueued = enqueued + n;
      head = 0;
      n = 0
    }
  od
}

/* #dequeue(), of all counts, until all elements have been read */
proctype consume() {
  VIEW;
  byte head, tail, n, i, element;
  byte expected[PRODUCERS];
  bool claimed;

  do
  :: taken == ALL -> break
  :: else ->
again:
    load_newest(CONSUMER_HEAD, H2, head);
    atomic {
      if
      CHOOSE(PRODUCER_TAIL, HAS_SOME)
      :: NEWEST(CONSUMER_HEAD) != head -> goto again
      :: taken == ALL -> break
      fi;
      load_chosen(PRODUCER_TAIL, L1, tail);
      n = 1;
      do
      :: n < SIZE && n < USED(tail, head) -> n++
      :: break
      od;
      tail = 0
    }
    atomic {
      CLAIM_SOME(CONSUMER_HEAD, C2);
      if
      :: !claimed -> n = 0; goto again
      :: else -> claimed = false
      fi;
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
      head = 0;
      n = 0
    }
  od
}
