/*
 * A ring in head-tail-sync mode (DPDK rte_ring_hts_elem_pvt.h): head and tail of an end are one
 * 64-bit word, which is moved by compare-and-swap, and only while both are equal. So one at a time
 * uses an end, and one that is stopped blocks only those who come while it is at work.
 *
 * Compare-and-swap is relaxed. It leaves the tail as it is, and carries what the last store to the
 * tail carries, so to the other end it is that store still. So the list of stores is that of the
 * tail, and the head beside it is always the newest: with an older one the swap would fail.
 *
 * As in mpmc_ring.pml each user remembers where it left both, and has a copy of the opposite tail;
 * a claim is one step; and positions are compared whole, but soon wrap in subtraction.
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
#define WORDS 2
mtype = { CONSUMER_TAIL_WORD, PRODUCER_TAIL_WORD };
#define PRODUCER_TAIL 0
#define CONSUMER_TAIL 1

#define POSITIONS (2 * SIZE)
#define MOVED(position, n) ((position) + (n))

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
 * Whether the 64-bit word is what it was: nobody at work, and nobody has been since. If not, it is
 * waited for that nobody is.
 */
#define IS_SAME(HEAD, TAIL) (HEAD == head && NEWEST(TAIL) == head)
#define HAS_MOVED(HEAD, TAIL) (HEAD == NEWEST(TAIL) && HEAD != head)

/* Enqueue, of all counts */
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
      :: IS_SAME(producer_head, PRODUCER_TAIL) && HAS_ROOM(tail) -> goto claim
      :: IS_SAME(producer_head, PRODUCER_TAIL)
      :: HAS_MOVED(producer_head, PRODUCER_TAIL) ->
        load_newest(PRODUCER_TAIL, T1, head);
        if
        :: !R1 && HAS_ROOM(tail) -> goto claim
        :: else
        fi
      fi;
      if
      CHOOSE(CONSUMER_TAIL, HAS_ROOM)
      :: !IS_SAME(producer_head, PRODUCER_TAIL) -> goto again
      fi;
      if /* others may have come while there was no room */
      :: !IS_SAME(producer_head, PRODUCER_TAIL) -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(CONSUMER_TAIL, L2, tail);
claim:
      n = 1;
      do
      :: n < EACH - enqueued && n < FREE(head, tail) -> n++
      :: break
      od;
      producer_head = MOVED(head, n);
      printf("%d: PRODUCER_HEAD = %d\n", _pid, producer_head);
      for (i : 0 .. n - 1) { write_slot(head + i, me * EACH + enqueued + i) }
      i = 0;
      enqueued = enqueued + n
    }
    atomic {
      head = MOVED(head, n);
      store(PRODUCER_TAIL, head, S1);
      n = 0
    }
  od
}

/* Dequeue, of all counts, until all elements have been read */
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
      :: IS_SAME(consumer_head, CONSUMER_TAIL) && HAS_SOME(tail) -> goto claim
      :: IS_SAME(consumer_head, CONSUMER_TAIL)
      :: HAS_MOVED(consumer_head, CONSUMER_TAIL) ->
        load_newest(CONSUMER_TAIL, T2, head);
        if
        :: !R2 && HAS_SOME(tail) -> goto claim
        :: else
        fi
      :: taken == ALL -> break
      fi;
      if
      CHOOSE(PRODUCER_TAIL, HAS_SOME)
      :: !IS_SAME(consumer_head, CONSUMER_TAIL) -> goto again
      :: taken == ALL -> break
      fi;
      if
      :: !IS_SAME(consumer_head, CONSUMER_TAIL) -> chosen = 0; goto again
      :: else
      fi;
      load_chosen(PRODUCER_TAIL, L1, tail);
claim:
      n = 1;
      do
      :: n < SIZE && n < USED(tail, head) -> n++
      :: break
      od;
      consumer_head = MOVED(head, n);
      printf("%d: CONSUMER_HEAD = %d\n", _pid, consumer_head);
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
      head = MOVED(head, n);
      store(CONSUMER_TAIL, head, S2);
      n = 0
    }
  od
}
