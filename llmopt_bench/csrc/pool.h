// Threads that step many modules at once, for the vector environment.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace llmopt {

class Pool {
public:
  explicit Pool(size_t threads);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  // Runs job(0) .. job(count - 1), each once, on the pool's threads and the calling one, and
  // returns when all are done. Jobs must not throw.
  void forEach(size_t count, const std::function<void(size_t)> &job);

private:
  struct Batch {
    const std::function<void(size_t)> *job;
    size_t count;
    std::unique_ptr<std::atomic<bool>[]> taken;
    std::atomic<size_t> done{0};
  };

  void startThreads();
  void forgetThreads();
  void serve(size_t thread);
  // A job goes to the same thread each time, whose cache still holds its module, unless that
  // thread is behind; then whoever is free takes it.
  void work(Batch &batch, size_t thread);

  const size_t threadCount;
  // Threads do not live on in a forked child; it starts its own.
  pid_t owner = 0;
  std::vector<std::thread> threads;

  std::mutex oneCaller;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  std::shared_ptr<Batch> current;
  std::atomic<uint64_t> round{0};
  bool stopping = false;
};

} // namespace llmopt
