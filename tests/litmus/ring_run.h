/*
 * Producers and consumers at a ring for several: to be included behind its enqueue() and dequeue(), which
 * return how many elements they moved, and set_positions().
 */

static uint32_t sent[PRODUCERS], received[CONSUMERS];

static void *produce(void *number) {
  uint32_t me = (uint32_t)(long)number, random = me + 1, elements[BURST];
  for (uint64_t turn = 1; turn % 64 != 0 || seconds_now() < deadline; turn++) {
    uint32_t count = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    for (uint32_t i = 0; i < count; i++) elements[i] = me << 28 | ((sent[me] + i) & 0xfffffff);
    uint32_t n = enqueue(elements, count);
    if (n == 0) rest((uint32_t)turn);
    sent[me] += n;
  }
  shim_fetch_add(map, DONE, 1);
  return 0;
}

/* The elements of one producer come in its order: what is lost or doubled is missed in the sums. */
static void *consume(void *number) {
  uint32_t me = (uint32_t)(long)number, random = me + 9, elements[BURST], next[PRODUCERS] = {0};
  for (uint32_t tries = 0;; tries++) {
    uint32_t max = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    uint32_t are_done = shim_load_acquire(map, DONE) == PRODUCERS;
    uint32_t n = dequeue(elements, max);
    if (n == 0 && are_done) break;
    if (n == 0) rest(tries);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t from = elements[i] >> 28, sequence = elements[i] & 0xfffffff;
      count_wrong(from >= PRODUCERS || ((sequence - next[from % PRODUCERS]) & 0xfffffff) > 0x7ffffff);
      next[from % PRODUCERS] = sequence + 1;
    }
    received[me] += n;
  }
  return 0;
}

static void *end(void *number) {
  long me = (long)number;
  return me < PRODUCERS ? produce(number) : consume((void *)(me - PRODUCERS));
}

int main(int count, char **arguments) {
  deadline = seconds_now() + (count == 2 ? atof(arguments[1]) : 1);
  share(WORDS);
  set_positions(0u - 1000); /* soon past 2^32 */
  run_threads(PRODUCERS + CONSUMERS, end);
  count_wrong(sent[0] + sent[1] != received[0] + received[1]);
  return report(received[0] + received[1]);
}
