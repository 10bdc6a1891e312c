#include "pool.h"

#include <chrono>

#include <unistd.h>

namespace llmopt {
namespace {

// To be woken costs about as much as a small pass takes, and the next step is rarely far.
constexpr std::chrono::microseconds SpinTime(100);

template <typename Condition> void spinUntil(const Condition &condition) {
  const auto end = std::chrono::steady_clock::now() + SpinTime;
  while (!condition() && std::chrono::steady_clock::now() < end)
    __builtin_ia32_pause();
}

} // namespace

Pool::Pool(size_t threads) : threadCount(threads > 0 ? threads : 1) {}

Pool::~Pool() {
  if (owner != getpid()) {
    forgetThreads();
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

// The copies of thread objects in a forked child stand for nothing; joining them would hang.
void Pool::forgetThreads() {
  for (std::thread &thread : threads)
    thread.detach();
  threads.clear();
}

void Pool::startThreads() {
  if (owner == getpid())
    return;
  forgetThreads();
  owner = getpid();
  for (size_t i = 1; i < threadCount; ++i)
    threads.emplace_back([this, i] { serve(i); });
}

void Pool::forEach(size_t count, const std::function<void(size_t)> &job) {
  std::lock_guard<std::mutex> caller(oneCaller);
  startThreads();
  auto batch = std::make_shared<Batch>();
  batch->job = &job;
  batch->count = count;
  batch->taken = std::make_unique<std::atomic<bool>[]>(count);
  if (count > 1 && !threads.empty()) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      current = batch;
      ++round;
    }
    wake.notify_all();
  }
  work(*batch, 0);
  spinUntil([&] { return batch->done.load() == count; });
  std::unique_lock<std::mutex> lock(mutex);
  finished.wait(lock, [&] { return batch->done.load() == count; });
}

void Pool::serve(size_t thread) {
  uint64_t seen = 0;
  while (true) {
    std::shared_ptr<Batch> batch;
    spinUntil([&] { return round.load() != seen; });
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return stopping || round != seen; });
      if (stopping)
        return;
      seen = round;
      batch = current;
    }
    work(*batch, thread);
  }
}

void Pool::work(Batch &batch, size_t thread) {
  const auto take = [&](size_t i) {
    if (batch.taken[i].exchange(true))
      return;
    (*batch.job)(i);
    if (batch.done.fetch_add(1) + 1 == batch.count) {
      // Under the lock, or the caller could miss it between its test and its sleep.
      std::lock_guard<std::mutex> lock(mutex);
      finished.notify_all();
    }
  };
  for (size_t i = thread; i < batch.count; i += threadCount)
    take(i);
  // The last ones of the others first: they work from the front.
  for (size_t i = batch.count; i-- > 0;)
    take(i);
}

} // namespace llmopt
