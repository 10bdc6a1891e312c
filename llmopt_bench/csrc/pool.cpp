#include "pool.h"

#include <unistd.h>

namespace llmopt {

Pool::Pool(size_t threads) : threadCount(threads) {}

Pool::~Pool() {
  if (owner != getpid()) {
    // The forked copies of thread objects stand for nothing; joining them would hang.
    for (std::thread &thread : threads)
      thread.detach();
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  work.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Pool::startThreads() {
  if (owner == getpid())
    return;
  for (std::thread &thread : threads)
    thread.detach();
  threads.clear();
  owner = getpid();
  // The caller works too.
  for (size_t i = 1; i < threadCount; ++i)
    threads.emplace_back([this] { serve(); });
}

void Pool::forEach(size_t jobs, const std::function<void(size_t)> &newJob) {
  std::lock_guard<std::mutex> caller(oneCaller);
  startThreads();
  std::unique_lock<std::mutex> lock(mutex);
  job = &newJob;
  next = 0;
  count = jobs;
  work.notify_all();
  drain(lock);
  finished.wait(lock, [this] { return next >= count && running == 0; });
  job = nullptr;
}

void Pool::serve() {
  std::unique_lock<std::mutex> lock(mutex);
  while (true) {
    work.wait(lock, [this] { return stopping || (job && next < count); });
    if (stopping)
      return;
    drain(lock);
    if (running == 0)
      finished.notify_all();
  }
}

void Pool::drain(std::unique_lock<std::mutex> &lock) {
  while (job && next < count) {
    const size_t mine = next++;
    const std::function<void(size_t)> &current = *job;
    ++running;
    lock.unlock();
    current(mine);
    lock.lock();
    --running;
  }
}

} // namespace llmopt
