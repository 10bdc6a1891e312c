// Steps of many workers at once. Each core has one that works and one that waits for its turn, so
// that no core idles while word of an end gets round; a core that is left with none takes one over.
#include "isolation/remote_module.h"

#include <algorithm>
#include <set>

namespace llmopt {
namespace {

std::vector<int> coresOf(size_t most) {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE && cores.size() < most; ++core)
    if (CPU_ISSET(core, &set))
      cores.push_back(core);
  return cores;
}

} // namespace

class StepAll {
public:
  StepAll(const std::vector<RemoteModule *> &modules, const std::vector<std::string> &pipelines,
          int64_t *autophase, std::vector<StepResult> &results,
          std::vector<std::optional<CoreError>> &errors)
      : modules(modules), pipelines(pipelines), autophase(autophase), results(results),
        errors(errors) {
    std::set<Worker *> workers;
    for (const RemoteModule *module : modules)
      if (!workers.insert(module->worker.get()).second)
        throw std::invalid_argument("expected modules of different workers, got two of one");
    // In the order of addresses, so that no two callers wait for each other.
    for (Worker *worker : workers)
      locks.emplace_back(worker->mutex);
  }

  // Whether all workers are those of this process; for the others there is an error.
  static bool areOwn(const std::vector<RemoteModule *> &modules,
                     std::vector<std::optional<CoreError>> &errors) {
    for (size_t i = 0; i < modules.size(); ++i)
      try {
        modules[i]->worker->requireOwn();
      } catch (const CoreError &error) {
        errors[i].emplace(error);
      }
    return std::none_of(errors.begin(), errors.end(),
                        [](const auto &error) { return error.has_value(); });
  }

  void run(size_t parallel) {
    for (const int core : coresOf(parallel))
      loads.push_back({core, 0});
    size_t next = 0;
    while (next < modules.size() || !running.empty()) {
      while (next < modules.size() && !interrupted && leastLoaded().jobs < PerCore)
        start(next++, leastLoaded());
      if (interrupted)
        endAll();
      balance();
      waitForOne();
      const size_t before = running.size();
      collect([&](size_t job) { return finish(job); });
      if (running.size() == before)
        collect([&](size_t job) { return !isWithinLimits(job); });
    }
  }

private:
  static constexpr size_t PerCore = 2;
  struct Load {
    int core;
    size_t jobs;
  };
  struct Running {
    size_t job;
    Load *load;
  };

  static bool isLess(const Load &one, const Load &other) { return one.jobs < other.jobs; }
  Load &leastLoaded() { return *std::min_element(loads.begin(), loads.end(), isLess); }

  Worker &workerOf(size_t job) const { return *modules[job]->worker; }

  // Does something that may fail on behalf of a job; false if it did.
  template <typename Action> bool attempt(size_t job, const Action &action) {
    try {
      action();
      return true;
    } catch (const CoreError &error) {
      errors[job].emplace(error);
    } catch (const Interrupted &) {
      interrupted = true;
    }
    return false;
  }

  void start(size_t job, Load &load) {
    attempt(job, [&] {
      Worker &worker = workerOf(job);
      worker.moveToCore(load.core);
      worker.post(Op::Step, modules[job]->handle, fillStep(pipelines[job], autophase != nullptr));
      running.push_back({job, &load});
      ++load.jobs;
    });
  }

  void balance() {
    Load &idle = leastLoaded();
    for (Running &one : running)
      if (idle.jobs == 0 && one.load->jobs == PerCore) {
        workerOf(one.job).moveToCore(idle.core);
        --one.load->jobs;
        one.load = &idle;
        ++idle.jobs;
      }
  }

  void waitForOne() {
    std::vector<Worker *> workers;
    std::chrono::nanoseconds time = std::chrono::nanoseconds::max();
    for (const Running &one : running) {
      workers.push_back(&workerOf(one.job));
      time = std::min(time, workers.back()->untilLook(modules[one.job]->seconds));
    }
    if (!workers.empty())
      Worker::sleepOnAny(workers, time);
  }

  // Forgets the jobs that are over.
  template <typename IsOver> void collect(const IsOver &isOver) {
    for (size_t i = running.size(); i-- > 0;)
      if (isOver(running[i].job)) {
        --running[i].load->jobs;
        running.erase(running.begin() + i);
      }
  }

  bool isWithinLimits(size_t job) {
    return attempt(job, [&] {
      workerOf(job).checkLimits(modules[job]->seconds, llmopt::running(pipelines[job]));
    });
  }

  // Takes the result or the error of a job, if there is one.
  bool finish(size_t job) {
    Worker &worker = workerOf(job);
    if (worker.pending() && worker.serverAlive())
      return false;
    attempt(job, [&] {
      worker.await(modules[job]->seconds, llmopt::running(pipelines[job]));
      int64_t *const row = autophase ? autophase + job * AutophaseSize : nullptr;
      worker.useAnswer(useStep(results[job], row));
    });
    return true;
  }

  [[noreturn]] void endAll() {
    for (const Running &one : running)
      workerOf(one.job).kill();
    throw Interrupted();
  }

  const std::vector<RemoteModule *> &modules;
  const std::vector<std::string> &pipelines;
  int64_t *const autophase;
  std::vector<StepResult> &results;
  std::vector<std::optional<CoreError>> &errors;
  std::vector<std::unique_lock<std::mutex>> locks;
  std::vector<Load> loads;
  std::vector<Running> running;
  bool interrupted = false;
};

void stepAll(const std::vector<RemoteModule *> &modules, const std::vector<std::string> &pipelines,
             size_t parallel, int64_t *autophase, std::vector<StepResult> &results,
             std::vector<std::optional<CoreError>> &errors) {
  if (StepAll::areOwn(modules, errors))
    StepAll(modules, pipelines, autophase, results, errors).run(parallel);
}

} // namespace llmopt
