// Threads that step many modules at once, for the vector environment.
#pragma once

#include <condition_variable>
#include <functional>
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
  void startThreads();
  void serve();
  void drain(std::unique_lock<std::mutex> &lock);

  const size_t threadCount;
  // Threads do not live on in a forked child; it starts its own.
  pid_t owner = 0;
  std::vector<std::thread> threads;

  std::mutex oneCaller;
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable finished;
  const std::function<void(size_t)> *job = nullptr;
  size_t next = 0;
  size_t count = 0;
  size_t running = 0;
  bool stopping = false;
};

} // namespace llmopt
