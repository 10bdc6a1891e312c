#include "isolation/worker.h"

#include "isolation/serve.h"

#include <cmath>
#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace llmopt {
namespace {

using namespace std::chrono_literals;

// After that long, a pass is better off with a core of its own than next to its caller.
constexpr auto SharedCore = 2ms;
// Between two looks at the deadline, at Ctrl-C and at the fork server.
constexpr auto Look = 50ms;

cpu_set_t only(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return set;
}

cpu_set_t coresOfCaller() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  return set;
}

bool isFromOutside(int signal) {
  return signal == SIGKILL || signal == SIGTERM || signal == SIGHUP || signal == SIGINT ||
         signal == SIGQUIT;
}

} // namespace

bool (*interruptionHook)() = [] { return false; };

// Caller and worker never run at the same time, so they are quickest on one core: waking a process
// on another one takes 30 microseconds and more, where a pass takes 90. Short of that the kernel
// would move one of the two away at every call.
class Worker::Pin {
public:
  explicit Pin(Worker &worker) : worker(worker) {
    const int here = sched_getcpu();
    const cpu_set_t core = only(here);
    worker.moveToCore(here);
    sched_setaffinity(0, sizeof core, &core);
  }
  ~Pin() { sched_setaffinity(0, sizeof before, &before); }
  Pin(const Pin &) = delete;

  // The worker may leave its caller, who sleeps.
  void part() {
    worker.moveTo(before);
    worker.core = -1;
  }

private:
  Worker &worker;
  const cpu_set_t before = coresOfCaller();
};

Worker::Worker(ForkServer &server, uint64_t id, uint64_t memory)
    : memory(memory), server(server), id(id) {
  const int file = Box::makeFile();
  try {
    box.emplace(file);
  } catch (...) {
    ::close(file);
    throw;
  }
  server.order(Order::Spawn, id, memory, file);
  ::close(file);
}

// Idle or not, it holds nothing that is still wanted.
Worker::~Worker() {
  if (alive())
    kill();
}

void Worker::requireOwn() const {
  if (server.isForeign())
    throwKilled("this process, forked from the one that has it, used it");
}

bool Worker::alive() const { return !killed && !header().ended && server.alive(); }

void Worker::kill() {
  killed = true;
  server.order(Order::Kill, id, 0, -1);
}

void Worker::moveTo(const cpu_set_t &cores) {
  // A new process says its number as soon as it runs; until then it goes where it likes.
  if (const pid_t process = header().pid)
    sched_setaffinity(process, sizeof cores, &cores);
}

void Worker::moveToCore(int newCore) {
  if (newCore != core)
    moveTo(only(newCore));
  core = newCore;
}

void Worker::later(Op op, uint32_t handle, uint32_t twin) {
  // In a forked child, the lock may be held by a thread that is not there.
  if (server.isForeign())
    return;
  std::lock_guard<std::mutex> lock(laterMutex);
  waiting.push_back({op, handle, twin});
}

void Worker::post(Op op, uint32_t handle, const Fill &fill) {
  // A server that is gone shows while waiting; to ask here would cost a call of the kernel.
  if (killed || header().ended)
    throwKilled("waiting for work");
  Writer out(box->data(), Box::capacity());
  {
    std::lock_guard<std::mutex> lock(laterMutex);
    for (const Later &one : waiting) {
      out.put(one.op);
      out.put(one.handle);
      if (one.op == Op::Clone)
        out.put(one.twin);
    }
    out.put(op);
    out.put(handle);
    if (fill)
      fill(out);
    waiting.clear();
  }
  reads += op == Op::Read;
  header().size = requestSize = out.size();
  ++posted;
  postedAt = Clock::now();
  ++header().requests;
  wakeUp(header().requests);
}

bool Worker::pending() const { return !answered() && !header().ended; }

bool Worker::sleep(std::chrono::nanoseconds time) {
  const uint32_t seen = header().replies.load();
  if (seen != posted && !header().ended)
    sleepOn(header().replies, seen, time);
  return pending() && server.alive();
}

void Worker::checkLimits(double seconds, const std::string &what) {
  const std::chrono::duration<double> passed = Clock::now() - postedAt;
  if (seconds > 0 && passed.count() >= seconds) {
    kill();
    throwTimeout(seconds, what);
  }
  if (interruptionHook()) {
    kill();
    throw Interrupted();
  }
}

std::chrono::nanoseconds Worker::untilLook(double seconds) const {
  const std::chrono::duration<double> passed = Clock::now() - postedAt;
  const double left = seconds - passed.count();
  const auto look = std::chrono::nanoseconds(Look);
  return seconds > 0 && left < 1 ? std::min(look, std::chrono::nanoseconds(std::llround(
                                                      std::max(left, 0.0) * 1e9)))
                                 : look;
}

void Worker::await(double seconds, const std::string &what) {
  while (sleep(untilLook(seconds)))
    checkLimits(seconds, what);
  if (header().ended || !answered())
    throwEnd(what);
}

void Worker::sleepOnAny(const std::vector<Worker *> &workers, std::chrono::nanoseconds time) {
  std::vector<WordValue> words;
  for (const Worker *worker : workers) {
    words.push_back({&worker->header().replies, worker->header().replies.load()});
    if (!worker->pending())
      return;
  }
  sleepOnAnyOf(words, time);
}

void Worker::useAnswer(const Use &use) {
  const uint64_t size = header().size;
  Reader in(box->data(), size);
  const bool good = in.get<bool>();
  std::optional<CoreError> error;
  if (good) {
    if (use)
      use(in);
  } else {
    const auto kind = in.get<ErrorKind>();
    error.emplace(kind, in.text());
  }
  box->shrink(std::max(size, requestSize));
  if (error)
    throw *error;
}

void Worker::call(Op op, uint32_t handle, const Fill &fill, const Use &use, double seconds,
                  const std::string &what) {
  requireOwn();
  std::lock_guard<std::mutex> lock(mutex);
  {
    Pin pin(*this);
    post(op, handle, fill);
    if (sleep(SharedCore))
      pin.part();
    await(seconds, what);
  }
  useAnswer(use);
}

void Worker::throwTimeout(double seconds, const std::string &what) {
  char limit[32];
  std::snprintf(limit, sizeof limit, "%g", seconds);
  throw CoreError(ErrorKind::CompilerTimeout,
                  "expected LLVM to be done within the deadline of " + std::string(limit) +
                      " s while " + what + ", got no end. Leave that pass out, or give it a "
                      "longer deadline: isolation=Isolation(deadline=...).");
}

// Also where it ended earlier, for another module's sake: this one is not to blame.
void Worker::throwKilled(const std::string &what) const {
  throw CoreError(ErrorKind::CompilerKilled,
                  "expected the worker process to live on while " + what +
                      ", but it was killed from outside, again and again. Is the machine out of "
                      "memory?");
}

void Worker::throwEnd(const std::string &what) {
  const BoxHeader &last = header();
  const int status = last.waitStatus;
  if (!last.ended || (WIFSIGNALED(status) && isFromOutside(WTERMSIG(status))))
    throwKilled(what);
  if (last.cause == Cause::NoProcess)
    throw CoreError(ErrorKind::CompilerCrashed,
                    std::string("expected a new worker process, got: ") + std::strerror(status) +
                        ". Raise the limit on processes or memory, or use isolation=None.");
  if (last.cause == Cause::OutOfMemory)
    throw CoreError(ErrorKind::CompilerOutOfMemory,
                    "expected LLVM to stay within the memory limit of " +
                        std::to_string(memory >> 20) + " MiB while " + what +
                        ", got a request for more. Leave that pass out, or raise the limit: "
                        "isolation=Isolation(memory_mib=...).");
  std::string how;
  if (last.cause == Cause::FatalError)
    how = std::string("LLVM gave up: ") + last.words;
  else if (last.cause == Cause::StackOverflow)
    how = "LLVM overflowed its stack";
  else if (WIFSIGNALED(status))
    how = std::string("LLVM crashed (") + strsignal(WTERMSIG(status)) + ")";
  else
    how = "LLVM ended its process with exit code " + std::to_string(WEXITSTATUS(status));
  const std::string pass = last.pass[0] ? std::string(" in ") + last.pass : "";
  throw CoreError(ErrorKind::CompilerCrashed, how + pass + " while " + what + ".");
}

} // namespace llmopt
