#include "isolation/remote_module.h"

namespace llmopt {

std::string running(const std::string &pipeline) {
  constexpr size_t Longest = 400;
  return pipeline.size() <= Longest ? "running '" + pipeline + "'"
                                    : "running '" + pipeline.substr(0, Longest) + "...'";
}

Worker::Fill fillStep(const std::string &pipeline, bool wantsFeatures) {
  return [&pipeline, wantsFeatures](Writer &out) {
    out.put(pipeline);
    out.put(wantsFeatures);
  };
}

Worker::Use useStep(StepResult &result, int64_t *autophase) {
  return [&result, autophase](Reader &in) {
    result.changed = in.get<bool>();
    result.instructionCount = in.get<uint64_t>();
    if (autophase)
      in.copyTo(autophase, sizeof(Autophase));
  };
}

std::unique_ptr<RemoteModule> RemoteModule::read(std::shared_ptr<Worker> worker,
                                                 std::string_view data, const std::string &name,
                                                 double seconds) {
  const uint32_t handle = worker->newHandle();
  const auto fill = [&](Writer &out) {
    out.put(name);
    out.put(data);
  };
  worker->call(Op::Read, handle, fill, {}, seconds, "reading " + name);
  return std::unique_ptr<RemoteModule>(new RemoteModule(std::move(worker), handle, seconds));
}

RemoteModule::~RemoteModule() { worker->later(Op::Drop, handle); }

std::unique_ptr<RemoteModule> RemoteModule::clone() {
  const uint32_t twin = worker->newHandle();
  worker->later(Op::Clone, handle, twin);
  return std::unique_ptr<RemoteModule>(new RemoteModule(worker, twin, seconds));
}

template <typename T>
T RemoteModule::ask(Op op, const std::string &what, const Worker::Fill &fill) {
  T answer{};
  call(op, what, fill, [&](Reader &in) { answer = in.get<T>(); });
  return answer;
}

std::string RemoteModule::askText(Op op, const std::string &what) {
  std::string answer;
  call(op, what, {}, [&](Reader &in) { answer = in.text(); });
  return answer;
}

uint64_t RemoteModule::askMetric(Op op, const std::string &what, const std::string &text,
                                 bool textSize) {
  return ask<uint64_t>(op, what, [&](Writer &out) {
    out.put(text);
    out.put(textSize);
  });
}

bool RemoteModule::run(const std::string &pipeline) {
  return ask<bool>(Op::Run, running(pipeline), [&](Writer &out) { out.put(pipeline); });
}

bool RemoteModule::runClang(const std::string &level) {
  return ask<bool>(Op::RunClang, "running clang's -O" + level,
                   [&](Writer &out) { out.put(level); });
}

StepResult RemoteModule::step(const std::string &pipeline, int64_t *autophase) {
  StepResult result{};
  call(Op::Step, running(pipeline), fillStep(pipeline, autophase != nullptr),
       useStep(result, autophase));
  return result;
}

uint64_t RemoteModule::evaluate(const std::string &pipeline, bool textSize) {
  return askMetric(Op::Evaluate, running(pipeline), pipeline, textSize);
}

uint64_t RemoteModule::evaluateList(const std::vector<std::string> &pipelines, bool textSize) {
  std::string what;
  for (const std::string &pipeline : pipelines)
    what += (what.empty() ? "" : ",") + pipeline;
  return ask<uint64_t>(Op::EvaluateList, running(what), [&](Writer &out) {
    out.put(pipelines);
    out.put(textSize);
  });
}

uint64_t RemoteModule::evaluateHere(const std::string &pipeline, bool textSize) {
  return askMetric(Op::EvaluateHere, running(pipeline), pipeline, textSize);
}

uint64_t RemoteModule::reference(const std::string &level, bool textSize) {
  return askMetric(Op::Reference, "running clang's -O" + level, level, textSize);
}

std::string RemoteModule::bitcode() { return askText(Op::Bitcode, "writing bitcode"); }
std::string RemoteModule::text() { return askText(Op::Text, "printing"); }
std::string RemoteModule::normalizedText() { return askText(Op::NormalizedText, "printing"); }
std::string RemoteModule::contentHash() { return askText(Op::ContentHash, "hashing"); }
void RemoteModule::verify() { call(Op::Verify, "verifying", {}, {}); }

uint64_t RemoteModule::instructionCount() {
  return ask<uint64_t>(Op::InstructionCount, "counting");
}

uint64_t RemoteModule::textSize() { return ask<uint64_t>(Op::TextSize, "generating code"); }

std::string RemoteModule::object() { return askText(Op::Object, "generating code"); }

std::vector<std::string> RemoteModule::functions() {
  std::vector<std::string> names;
  call(Op::Functions, "listing", {}, [&](Reader &in) { names = in.texts(); });
  return names;
}

std::vector<std::string> RemoteModule::externalDefinitions() {
  std::vector<std::string> names;
  call(Op::ExternalDefinitions, "listing", {}, [&](Reader &in) { names = in.texts(); });
  return names;
}

void RemoteModule::features(Op op, int64_t *out, size_t count, bool native) {
  call(
      op, "counting", [&](Writer &request) { request.put(native); },
      [&](Reader &in) { in.copyTo(out, count * sizeof(int64_t)); });
}

void RemoteModule::autophase(int64_t *out, bool native) {
  features(Op::Autophase, out, AutophaseSize, native);
}

void RemoteModule::instcount(int64_t *out, bool native) {
  features(Op::Instcount, out, instcountNames(native).size(), native);
}

ProgramGraph RemoteModule::graph() {
  ProgramGraph graph;
  call(Op::Graph, "drawing the graph", {}, [&](Reader &in) {
    graph.kinds = in.values<uint8_t>();
    graph.labels = in.values<int32_t>();
    graph.edges = in.values<int32_t>();
    graph.edgeKinds = in.values<uint8_t>();
    graph.positions = in.values<int32_t>();
  });
  return graph;
}

} // namespace llmopt
