// A module that lives in a worker. The methods are those of Module, which says what they do; each
// also throws what Worker::call throws.
#pragma once

#include "isolation/worker.h"
#include "module.h"

namespace llmopt {

class RemoteModule {
public:
  // `seconds`: the deadline of this and every later call; 0 for none.
  static std::unique_ptr<RemoteModule> read(std::shared_ptr<Worker> worker, std::string_view data,
                                            const std::string &name, double seconds);
  ~RemoteModule();

  // Happens with the next call.
  std::unique_ptr<RemoteModule> clone();
  bool run(const std::string &pipeline);
  bool runClang(const std::string &level);
  StepResult step(const std::string &pipeline, int64_t *autophase);
  uint64_t evaluate(const std::string &pipeline, bool textSize);
  uint64_t evaluateList(const std::vector<std::string> &pipelines, bool textSize);
  // evaluate, from the module as it is now, which stays so.
  uint64_t evaluateHere(const std::string &pipeline, bool textSize);
  uint64_t reference(const std::string &level, bool textSize);
  std::string bitcode();
  std::string text();
  std::string normalizedText();
  std::string contentHash();
  void verify();
  uint64_t instructionCount();
  uint64_t textSize();
  std::string object();
  std::vector<std::string> functions();
  std::vector<std::string> externalDefinitions();
  void autophase(int64_t *out, bool native);
  void instcount(int64_t *out, bool native);
  ProgramGraph graph();

  int workerPid() const { return worker->pid(); }

private:
  friend class StepAll;
  RemoteModule(std::shared_ptr<Worker> worker, uint32_t handle, double seconds)
      : worker(std::move(worker)), handle(handle), seconds(seconds) {}

  void call(Op op, const std::string &what, const Worker::Fill &fill, const Worker::Use &use) {
    worker->call(op, handle, fill, use, seconds, what);
  }
  template <typename T> T ask(Op op, const std::string &what, const Worker::Fill &fill = {});
  uint64_t askMetric(Op op, const std::string &what, const std::string &text, bool textSize);
  std::string askText(Op op, const std::string &what);
  void features(Op op, int64_t *out, size_t count, bool native);

  std::shared_ptr<Worker> worker;
  const uint32_t handle;
  const double seconds;
};

// What errors say of a pipeline.
std::string running(const std::string &pipeline);
// The request of a step and its answer.
Worker::Fill fillStep(const std::string &pipeline, bool wantsFeatures);
Worker::Use useStep(StepResult &result, int64_t *autophase);

// step_all.cpp: steps modules of different workers on `parallel` cores. Fills, for each, its result
// or its error, and its row of `autophase` unless that is null.
void stepAll(const std::vector<RemoteModule *> &modules, const std::vector<std::string> &pipelines,
             size_t parallel, int64_t *autophase, std::vector<StepResult> &results,
             std::vector<std::optional<CoreError>> &errors);

} // namespace llmopt
