#include "isolation/box.h"

#include "compiler.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <cstring>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace llmopt {
namespace {

// What a box keeps of a large message's memory, so that ordinary ones cost no page faults.
constexpr size_t Kept = size_t(1) << 20;

[[noreturn]] void fail(const char *what) {
  throw CoreError(ErrorKind::CompilerError,
                  std::string("expected memory to share with a worker process, got: ") + what +
                      ": " + std::strerror(errno) +
                      ". Raise the limit (ulimit -n, -v, -f), or use isolation=None.");
}

// A memory file has to keep to the limit on files, which is meant for disks.
class NoFileLimit {
public:
  NoFileLimit() {
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit most{before.rlim_max, before.rlim_max};
    if (before.rlim_cur != before.rlim_max)
      setrlimit(RLIMIT_FSIZE, &most);
  }
  ~NoFileLimit() {
    if (before.rlim_cur != before.rlim_max)
      setrlimit(RLIMIT_FSIZE, &before);
  }

private:
  rlimit before;
};

void futex(std::atomic<uint32_t> &word, int operation, uint32_t value, const timespec *time) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), operation, value, time, nullptr, 0);
}

} // namespace

Box::Box(int file, size_t size) : size(size) {
  memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED)
    fail("mmap");
}

Box::~Box() { munmap(memory, size); }

void Box::shrink(size_t used) {
  if (used > Kept)
    madvise(data() - BoxHeaderSize + Kept, size - Kept, MADV_REMOVE);
}

void Box::keepFromChildren() { madvise(memory, size, MADV_DONTFORK); }

int Box::makeFile() {
  const int file = memfd_create("llmopt-worker", MFD_CLOEXEC);
  if (file < 0)
    fail("memfd_create");
  const NoFileLimit unlimited;
  if (ftruncate(file, BoxSize) != 0) {
    const int why = errno;
    close(file);
    errno = why;
    fail("ftruncate");
  }
  return file;
}

void sleepOn(std::atomic<uint32_t> &word, uint32_t old, std::chrono::nanoseconds time) {
  constexpr long Second = 1'000'000'000;
  const timespec limit{static_cast<time_t>(time.count() / Second), time.count() % Second};
  futex(word, FUTEX_WAIT, old, &limit);
}

void sleepOn(std::atomic<uint32_t> &word, uint32_t old) {
  futex(word, FUTEX_WAIT, old, nullptr);
}

void sleepOnAnyOf(const std::vector<WordValue> &words, std::chrono::nanoseconds time) {
  // Linux 5.16 and newer; an older one, or a sandbox without it, looks again soon.
  constexpr auto Soon = std::chrono::microseconds(200);
  std::vector<futex_waitv> waits;
  for (const WordValue &one : words)
    if (waits.size() < FUTEX_WAITV_MAX)
      waits.push_back({one.old, reinterpret_cast<uintptr_t>(one.word), FUTEX_32, 0});
  timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  const auto end =
      std::chrono::seconds(until.tv_sec) + std::chrono::nanoseconds(until.tv_nsec) + time;
  until.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(end).count();
  until.tv_nsec = (end - std::chrono::seconds(until.tv_sec)).count();
  if (syscall(SYS_futex_waitv, waits.data(), waits.size(), 0, &until, CLOCK_MONOTONIC) < 0 &&
      errno == ENOSYS)
    sleepOn(*words.front().word, words.front().old, std::min<std::chrono::nanoseconds>(time, Soon));
}

void wakeUp(std::atomic<uint32_t> &word) { futex(word, FUTEX_WAKE, 1, nullptr); }

} // namespace llmopt
