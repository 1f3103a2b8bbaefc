/* Several reads or writes by one system call: where these are dear, that is most of the time that
 * a TAP's frames take. They are requests of Linux's asynchronous I/O, which a TAP completes before
 * io_submit() returns. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Threads that may be at it at the same time; others make a system call for each request. */
enum { CONTEXTS = 16 };

/* Where the kernel tells of completed requests: at the context's address, as fs/aio.c has it. Head
 * and tail are numbers of events. */
struct completions {
  uint32_t id, size, head, tail, magic, features[3];
  struct io_event events[];
};
enum { COMPLETIONS_MAGIC = 0xa10a10a1 };

static aio_context_t contexts[CONTEXTS];
static uint8_t is_busy[CONTEXTS];
static uint8_t is_missing; /* the machine has no other context, or no asynchronous I/O */

/* Take a context for this thread alone. Returns its number, or -1 if there is none. */
static int take(void) {
  for (int i = 0; i < CONTEXTS; i++) {
    if (__atomic_exchange_n(&is_busy[i], 1, __ATOMIC_ACQUIRE)) continue;
    if (contexts[i]) return i;
    if (!__atomic_load_n(&is_missing, __ATOMIC_RELAXED) &&
        syscall(SYS_io_setup, AIO_MAX, &contexts[i]) == 0) {
      const struct completions *there = (void *)(uintptr_t)contexts[i];
      if (there->magic == COMPLETIONS_MAGIC) return i;
    }
    contexts[i] = 0;
    __atomic_store_n(&is_missing, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&is_busy[i], 0, __ATOMIC_RELEASE);
    return -1;
  }
  return -1;
}

/* Take the results of `count` requests that were submitted. Returns how many there are. */
static long reap(struct completions *there, long count, int32_t *results) {
  uint32_t head = there->head, tail = __atomic_load_n(&there->tail, __ATOMIC_ACQUIRE);
  long n = 0;
  for (; head != tail && n < count; n++, head = (head + 1) % there->size)
    results[there->events[head].data] = (int32_t)there->events[head].res;
  __atomic_store_n(&there->head, head, __ATOMIC_RELEASE);
  return n;
}

static int submit(int own, int32_t fd, int writes, struct iovec (*vectors)[AIO_VECTORS],
                  const uint8_t *lengths, uint32_t count, int32_t *results) {
  struct iocb requests[AIO_MAX], *list[AIO_MAX];
  for (uint32_t i = 0; i < count; i++) {
    requests[i] = (struct iocb){.aio_data = i, .aio_fildes = (uint32_t)fd,
                                .aio_lio_opcode = writes ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV,
                                .aio_buf = (uintptr_t)vectors[i], .aio_nbytes = lengths[i]};
    list[i] = &requests[i];
  }
  long submitted = syscall(SYS_io_submit, contexts[own], (long)count, list);
  if (submitted < 0) submitted = 0;
  /* A file that is not done yet would tell later, perhaps another call: no context to use again. */
  if (reap((void *)(uintptr_t)contexts[own], submitted, results) == submitted)
    __atomic_store_n(&is_busy[own], 0, __ATOMIC_RELEASE);
  return (int)submitted;
}

/* Read or write `count` times, AIO_MAX at most, in order, a file that does it at once; request `i`
 * has `lengths[i]` of the vectors[i]. `results[i]` becomes the bytes, or -errno; where a read by a
 * call of its own has failed, those behind it are not tried, and have -EAGAIN. */
void aio_run(int32_t fd, int writes, struct iovec (*vectors)[AIO_VECTORS], const uint8_t *lengths,
             uint32_t count, int32_t *results) {
  int own = count > 1 ? take() : -1;
  uint32_t done = 0;
  for (uint32_t i = 0; i < count; i++) results[i] = -EAGAIN;
  if (own >= 0) done = (uint32_t)submit(own, fd, writes, vectors, lengths, count, results);
  for (; done < count; done++) {
    ssize_t n = writes ? writev(fd, vectors[done], lengths[done])
                       : readv(fd, vectors[done], lengths[done]);
    results[done] = n < 0 ? -errno : (int32_t)n;
    if (n < 0 && !writes) break; /* nothing waits any more */
  }
}
