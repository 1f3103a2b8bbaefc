/*
 * A ring in head-tail-sync mode (DPDK rte_ring_hts_elem_pvt.h): head and tail of an end are one
 * 64-bit word, which is moved by compare-and-swap, and only while both are equal. So one at a time
 * uses an end, and one that is stopped blocks only those who come while it is at work.
 *
 * Compare-and-swap is relaxed. It leaves the tail as it is, and carries what the last store to the
 * tail carries, so to the other end it is that store still. So the list of stores is that of the
 * tail, and the head beside it is always the newest: with an older one the swap would fail.
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
#define WORDS 2
mtype = { CONSUMER_TAIL_WORD, PRODUCER_TAIL_WORD };
#define PRODUCER_TAIL 0
#define CONSUMER_TAIL 1

/* The ordering edges; -DS1=false takes one away. Compare-and-swap needs none. */
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
#ifndef T1 /* load of the producers' head and tail by a producer, until they are equal */
#define T1 true
#endif
#ifndef T2 /* load of the consumers' head and tail by a consumer, until they are equal */
#define T2 true
#endif

#include "memory.pml"
#include "slots.pml"

#define HAS_ROOM(tail) (FREE(head, tail) > 0)
#define HAS_SOME(tail) (USED(tail, head) > 0)

byte producer_head = FIRST, consumer_head = FIRST;

init {
  byte i;
  atomic {
    for (i : 0 .. WORDS - 1) { word[i].value[0] = FIRST }
    for (i : 0 .. PRODUCERS - 1) { run produce(i) }
    for (i : 1 .. CONSUMERS) { run consume() }
  }
}

/*
 * Whether the 64-bit word is what it was when it was loaded: nobody at work, and nobody has been
 * since.
 */
#define IS_SAME(HEAD, TAIL) (HEAD == head && NEWEST(TAIL) == head)

/* Enqueue, of all counts */
proctype produce(byte me) {
  VIEW;
  byte enqueued, head, tail, n, i;

  do
  :: enqueued == EACH -> break
  :: else ->
again:
    atomic {
      producer_head == NEWEST(PRODUCER_TAIL);
      load_newest(PRODUCER_TAIL, T1, head)
    }
    atomic {
      if
      CHOOSE(CONSUMER_TAIL, HAS_ROOM)
      :: !IS_SAME(producer_head, PRODUCER_TAIL) -> goto again
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
      if
      :: IS_SAME(producer_head, PRODUCER_TAIL) ->
        producer_head = MOVED(head, n);
        printf("%d: PRODUCER_HEAD = %d\n", _pid, producer_head)
      :: else -> n = 0; goto again
      fi;
      for (i : 0 .. n - 1) { write_slot(head + i, me * EACH + enqueued + i) }
      i = 0
    }
    atomic {
      store(PRODUCER_TAIL, MOVED(head, n), S1);
      enqueued = enqueued + n;
      head = 0;
      n = 0
    }
  od
}

/* Dequeue, of all counts, until all elements have been read */
proctype consume() {
  VIEW;
  byte head, tail, n, i, element;
  byte expected[PRODUCERS];

  do
  :: taken == ALL -> break
  :: else ->
again:
    atomic {
      if
      :: consumer_head == NEWEST(CONSUMER_TAIL)
      :: taken == ALL -> break
      fi;
      load_newest(CONSUMER_TAIL, T2, head)
    }
    atomic {
      if
      CHOOSE(PRODUCER_TAIL, HAS_SOME)
      :: !IS_SAME(consumer_head, CONSUMER_TAIL) -> goto again
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
      if
      :: IS_SAME(consumer_head, CONSUMER_TAIL) ->
        consumer_head = MOVED(head, n);
        printf("%d: CONSUMER_HEAD = %d\n", _pid, consumer_head)
      :: else -> n = 0; goto again
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
      store(CONSUMER_TAIL, MOVED(head, n), S2);
      head = 0;
      n = 0
    }
  od
}
