/*
 * The slots of a ring, and elements that travel through them.
 *
 * Slots are plain memory, so what matters is that there is no data race: who reads an element has
 * seen that it was written, who overwrites it that it was read. Each element is written once and
 * read once: two events. A race is found whichever of the two comes first here, so a burst is one
 * step.
 */

#if STORES * LISTED + 2 * ELEMENTS > 32
#error What a process has seen is 32 events at most
#endif
#if STORES >= CHOICES
#error CHOOSE chooses from fewer stores
#endif

#ifndef SIZE
#define SIZE 2
#endif
#ifndef POSITIONS
#define POSITIONS (4 * SIZE) /* positions wrap, */
#endif
#define FIRST (POSITIONS - 2) /* and soon */
#ifndef MOVED
#define MOVED(position, n) (((position) + (n)) & (POSITIONS - 1))
#endif
#define USED(producer, consumer) (((producer) - (consumer)) & (POSITIONS - 1))
#define FREE(producer, consumer) ((SIZE + (consumer) - (producer)) & (POSITIONS - 1))

#define WRITTEN(e) (1 << (STORES * LISTED + (e)))
#define READ(e) (1 << (STORES * LISTED + ELEMENTS + (e)))
#define ALL ((1 << ELEMENTS) - 1)
#define NONE 255

byte slot[SIZE] = NONE; /* the element that was written there last */
int taken; /* elements that were read, a bit each */
bool overwritten_before_read, read_before_written, read_twice, out_of_order;

inline write_slot(position, e) {
  d_step {
    overwritten_before_read = slot[(position) & (SIZE - 1)] != NONE &&
      !(seen & READ(slot[(position) & (SIZE - 1)]));
    assert(!overwritten_before_read);
    slot[(position) & (SIZE - 1)] = e;
    seen = seen | WRITTEN(e);
    printf("%d: slot %d = element %d\n", _pid, (position) & (SIZE - 1), e)
  }
}

inline read_slot(position, e) {
  d_step {
    e = slot[(position) & (SIZE - 1)];
    printf("%d: reads slot %d: element %d\n", _pid, (position) & (SIZE - 1), e);
    read_before_written = e == NONE || !(seen & WRITTEN(e));
    assert(!read_before_written);
    read_twice = (taken & (1 << e)) != 0;
    assert(!read_twice);
    taken = taken | (1 << e);
    seen = seen | READ(e)
  }
}
