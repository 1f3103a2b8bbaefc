/*
 * app/ring/spsc_ring.ts: one producer, one consumer, each with a copy of the other's position.
 *
 * A ring that is full or empty is waited for: the program returns 0, and its caller comes again.
 */

#define ELEMENTS 6
#define STORES ELEMENTS
#define WORDS 2
mtype = { CONSUMER_WORD, PRODUCER_WORD }; /* names for trails: 2, 1 */
#define PRODUCER 0
#define CONSUMER 1

/* The ordering edges, labelled as in the code; -DS1=false takes one away. */
#ifndef S1
#define S1 true
#endif
#ifndef L1
#define L1 true
#endif
#ifndef S2
#define S2 true
#endif
#ifndef L2
#define L2 true
#endif

#include "memory.pml"
#include "slots.pml"

#define HAS_ROOM(position) (FREE(producer, position) > 0)
#define HAS_SOME(position) (USED(position, consumer) > 0)

bool impossible_position; /* one that the program counts as a violation */

init {
  word[PRODUCER].value[0] = FIRST;
  word[CONSUMER].value[0] = FIRST;
  atomic { run produce(); run consume() }
}

/* enqueueBurst(), of all counts */
proctype produce() {
  VIEW;
  byte enqueued, count, n, i;
  byte producer = FIRST, consumer = FIRST;

  do
  :: enqueued == ELEMENTS -> break
  :: else ->
    atomic {
      select(count : 1 .. ELEMENTS - enqueued);
      if
      :: FREE(producer, consumer) < count -> goto reload
      :: else -> goto write
      fi
    }
reload:
    atomic {
      if
      CHOOSE(CONSUMER, HAS_ROOM)
      fi;
      load_chosen(CONSUMER, L2, consumer);
      impossible_position = USED(producer, consumer) > SIZE;
      assert(!impossible_position)
    }
write:
    atomic {
      n = (count < FREE(producer, consumer) -> count : FREE(producer, consumer));
      for (i : 0 .. n - 1) { write_slot(producer + i, enqueued + i) }
      producer = MOVED(producer, n);
      enqueued = enqueued + n;
      n = 0;
      i = 0;
      count = 0
    }
    store(PRODUCER, producer, S1)
  od
}

/* dequeueBurst(), of all counts */
proctype consume() {
  VIEW;
  byte dequeued, max, n, i, element;
  byte producer = FIRST, consumer = FIRST;

  do
  :: dequeued == ELEMENTS -> break
  :: else ->
    atomic {
      select(max : 1 .. ELEMENTS - dequeued);
      if
      :: USED(producer, consumer) < max -> goto reload
      :: else -> goto read
      fi
    }
reload:
    atomic {
      if
      CHOOSE(PRODUCER, HAS_SOME)
      fi;
      load_chosen(PRODUCER, L1, producer);
      impossible_position = USED(producer, consumer) > SIZE;
      assert(!impossible_position)
    }
read:
    atomic {
      n = (max < USED(producer, consumer) -> max : USED(producer, consumer));
      for (i : 0 .. n - 1) {
        read_slot(consumer + i, element);
        out_of_order = element != dequeued + i;
        assert(!out_of_order)
      }
      consumer = MOVED(consumer, n);
      dequeued = dequeued + n;
      n = 0;
      i = 0;
      max = 0;
      element = 0
    }
    store(CONSUMER, consumer, S2)
  od
}
