// The near end of isolation: the fork server that a process has, and its workers.
#pragma once

#include "compiler.h"
#include "isolation/box.h"
#include "isolation/message.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <sched.h>
#include <vector>

namespace llmopt {

class Worker;

// How many times this process, or an ancestor since the library was loaded, was forked.
uint32_t forkGeneration();

// Thrown out of a wait when the caller's hook says so; the hook has noted why.
struct Interrupted {};
// Asked some times a second while a worker is busy; true ends the wait and the worker.
extern bool (*interruptionHook)();

// The process that workers are forked from. It runs serveForks at the other end of a socket.
class ForkServer : public std::enable_shared_from_this<ForkServer> {
public:
  explicit ForkServer(int socket);
  ~ForkServer();
  ForkServer(const ForkServer &) = delete;
  ForkServer &operator=(const ForkServer &) = delete;

  // A worker that is not in use, or a new one. Goes back when the last owner drops it.
  std::shared_ptr<Worker> take(uint64_t memory);
  // Whether the server process runs and belongs to this process rather than to its parent.
  bool alive() const;
  // Whether it belongs to the process that this one was forked from.
  bool isForeign() const { return generation != forkGeneration(); }
  // Ends the server process and with it the workers.
  void close();

private:
  friend class Worker;
  // False when the server is gone.
  bool order(uint32_t kind, uint64_t id, uint64_t memory, int file);
  void giveBack(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> takeIdle(uint64_t memory);

  std::atomic<int> socket;
  // How many forks this process is away from the one that started the server.
  const uint32_t generation;
  std::atomic<uint64_t> lastId{0};
  std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> idle;
};

// One worker process. Calls wait for each other; a call on a worker that has ended throws.
class Worker {
public:
  Worker(ForkServer &server, uint64_t id, uint64_t memory);
  ~Worker();

  uint32_t newHandle() { return ++lastHandle; }
  // Drop or clone before the next request; never waits, never fails.
  void later(Op op, uint32_t handle, uint32_t twin = 0);

  using Fill = std::function<void(Writer &)>;
  using Use = std::function<void(Reader &)>;
  // Sends a request and reads its answer. `seconds` is the deadline, 0 for none; `what` is for
  // messages. Throws what the worker threw, CompilerCrashed, CompilerTimeout, CompilerOutOfMemory
  // or CompilerKilled, and Interrupted.
  void call(Op op, uint32_t handle, const Fill &fill, const Use &use, double seconds,
            const std::string &what);

  // Throws CompilerKilled in a forked child, where no lock may be taken.
  void requireOwn() const;

  // The same in parts, for many workers at once; the caller holds `mutex` from post to use.
  void post(Op op, uint32_t handle, const Fill &fill);
  void await(double seconds, const std::string &what);
  void useAnswer(const Use &use);
  void kill();
  // Keeps the worker on one core.
  void moveToCore(int core);
  // While there is no answer and no end.
  bool pending() const;
  // Throws, and ends the worker, when the deadline has passed or the user wants an end.
  void checkLimits(double seconds, const std::string &what);
  // How long to sleep before the next checkLimits.
  std::chrono::nanoseconds untilLook(double seconds) const;
  // Sleeps until one of the workers has an answer or has ended, at most `time`.
  static void sleepOnAny(const std::vector<Worker *> &workers, std::chrono::nanoseconds time);

  bool alive() const;
  bool serverAlive() const { return server.alive(); }
  // Has read so many programs that its memory may be in pieces.
  bool wornOut() const { return reads >= MaxReads; }
  int pid() const { return box->header().pid; }

  std::mutex mutex;
  const uint64_t memory;

private:
  using Clock = std::chrono::steady_clock;
  static constexpr uint32_t MaxReads = 500;

  class Pin;
  BoxHeader &header() const { return box->header(); }
  bool answered() const { return header().replies.load() == posted; }
  void moveTo(const cpu_set_t &cores);
  // Waits at most `time`; true while there is no answer but one may come.
  bool sleep(std::chrono::nanoseconds time);
  [[noreturn]] void throwKilled(const std::string &what) const;
  [[noreturn]] void throwTimeout(double seconds, const std::string &what);
  [[noreturn]] void throwEnd(const std::string &what);

  ForkServer &server;
  const uint64_t id;
  std::optional<Box> box;
  uint32_t posted = 0;
  uint32_t reads = 0;
  size_t requestSize = 0;
  bool killed = false;
  Clock::time_point postedAt;
  // The core that it shares with its caller, if any.
  int core = -1;
  std::atomic<uint32_t> lastHandle{0};

  struct Later {
    Op op;
    uint32_t handle, twin;
  };
  std::mutex laterMutex;
  std::vector<Later> waiting;
};

} // namespace llmopt
