// A worker: takes requests out of its box, one after the other, and puts the answers back.
#include "isolation/message.h"
#include "isolation/serve.h"
#include "module.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>

namespace llmopt {
namespace {

class Server {
public:
  explicit Server(Box &box) : box(box) {}

  void answer() {
    BoxHeader &header = box.header();
    const size_t requestSize = header.size;
    header.pass[0] = '\0'; // what an earlier request ran is not to blame
    header.size = guarded([&] { return respond(requestSize); });
  }

private:
  // Returns the size of the answer, or of the error.
  template <typename Action> size_t guarded(const Action &action) {
    try {
      return action();
    } catch (const CoreError &error) {
      return complain(error.kind, error.what());
    } catch (const std::exception &error) {
      return complain(ErrorKind::CompilerError, error.what());
    }
  }

  size_t complain(ErrorKind kind, std::string_view what) {
    Writer out(box.data(), Box::capacity());
    out.put(false);
    out.put(kind);
    out.put(what.substr(0, 1 << 16));
    return out.size();
  }

  size_t respond(size_t requestSize) {
    Reader in(box.data(), requestSize);
    for (;;) {
      const auto op = in.get<Op>();
      const auto handle = in.get<uint32_t>();
      if (op == Op::Drop)
        modules.erase(handle);
      else if (op == Op::DropAll)
        modules.clear();
      else if (op == Op::Clone) {
        const auto twin = in.get<uint32_t>();
        modules[twin] = find(handle).clone();
      } else
        return perform(op, handle, in);
    }
  }

  // The request is read to its end before the answer is written over it.
  size_t perform(Op op, uint32_t handle, Reader &in) {
    if (op == Op::Read) {
      const std::string name = in.text();
      modules[handle] = Module::read(in.view(), name);
      return reply();
    }
    Module &module = find(handle);
    switch (op) {
    case Op::Run: return reply(module.run(in.text()));
    case Op::RunClang: return reply(module.runClang(in.text()));
    case Op::Step: return step(module, in);
    case Op::Evaluate: {
      const std::string pipeline = in.text();
      return reply(module.evaluate(pipeline, in.get<bool>()));
    }
    case Op::EvaluateList: {
      const std::vector<std::string> pipelines = in.texts();
      return reply(module.evaluateList(pipelines, in.get<bool>()));
    }
    case Op::EvaluateHere: return evaluateHere(module, in);
    case Op::Reference: {
      const std::string level = in.text();
      return reply(module.reference(level, in.get<bool>()));
    }
    case Op::Bitcode: return reply(module.bitcode());
    case Op::Text: return reply(module.text());
    case Op::NormalizedText: return reply(module.normalizedText());
    case Op::ContentHash: return reply(module.contentHash());
    case Op::Verify: module.verify(); return reply();
    case Op::InstructionCount: return reply(module.instructionCount());
    case Op::TextSize: return reply(module.textSize());
    case Op::Object: return reply(module.object());
    case Op::Functions: return reply(module.functions());
    case Op::ExternalDefinitions: return reply(module.externalDefinitions());
    case Op::Autophase:
      return features(AutophaseSize, in.get<bool>(), [&](int64_t *out, bool native) {
        module.autophase(out, native);
      });
    case Op::Instcount: {
      const bool native = in.get<bool>();
      return features(instcountNames(native).size(), native,
                      [&](int64_t *out, bool native) { module.instcount(out, native); });
    }
    case Op::Graph: return graph(module.graph());
    default: throw CoreError(ErrorKind::CompilerError, "a request that no worker knows");
    }
  }

  // Runs a pipeline in a forked copy of this process, which has the analyses too: no copy of the IR
  // alone would go on as this module would.
  size_t evaluateHere(Module &module, Reader &in) {
    const std::string pipeline = in.text();
    const bool wantsTextSize = in.get<bool>();
    BoxHeader &header = box.header();
    header.size = 0;
    const pid_t self = getpid();
    const pid_t copy = fork();
    if (copy < 0)
      throw CoreError(ErrorKind::CompilerError,
                      std::string("expected a copy of the worker process, got: ") +
                          std::strerror(errno) + ". Raise the limit on processes.");
    if (copy == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != self)
        _exit(1);
      header.size = guarded([&] {
        module.run(pipeline);
        return reply(wantsTextSize ? module.textSize() : module.instructionCount());
      });
      _exit(0);
    }
    int status = 0;
    while (waitpid(copy, &status, 0) < 0 && errno == EINTR) {
    }
    if (header.size == 0)
      endLike(status);
    return header.size;
  }

  // What the copy could not survive ends this process in the same way, for the client to see.
  [[noreturn]] static void endLike(int status) {
    if (!WIFSIGNALED(status))
      _exit(WEXITSTATUS(status));
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(1);
  }

  size_t step(Module &module, Reader &in) {
    const std::string pipeline = in.text();
    const bool wantsFeatures = in.get<bool>();
    Autophase features;
    const StepResult result = module.step(pipeline, wantsFeatures ? features.data() : nullptr);
    Writer out = begin();
    out.put(result.changed);
    out.put(result.instructionCount);
    if (wantsFeatures)
      out.putBytes(features.data(), sizeof features);
    return out.size();
  }

  template <typename Compute> size_t features(size_t count, bool native, const Compute &compute) {
    std::vector<int64_t> values(count);
    compute(values.data(), native);
    Writer out = begin();
    out.putBytes(values.data(), count * sizeof(int64_t));
    return out.size();
  }

  size_t graph(const ProgramGraph &graph) {
    Writer out = begin();
    out.put(graph.kinds);
    out.put(graph.labels);
    out.put(graph.edges);
    out.put(graph.edgeKinds);
    out.put(graph.positions);
    return out.size();
  }

  Writer begin() {
    Writer out(box.data(), Box::capacity());
    out.put(true);
    return out;
  }
  size_t reply() { return begin().size(); }
  template <typename T> size_t reply(const T &value) {
    Writer out = begin();
    out.put(value);
    return out.size();
  }

  Module &find(uint32_t handle) {
    const auto found = modules.find(handle);
    if (found == modules.end())
      throw CoreError(ErrorKind::CompilerError, "a request for a module that is not there");
    return *found->second;
  }

  Box &box;
  std::unordered_map<uint32_t, std::unique_ptr<Module>> modules;
};

} // namespace

void serveRequests(Box &box) {
  static Server server(box);
  BoxHeader &header = box.header();
  notePassesIn(header.pass, sizeof header.pass);
  for (uint32_t done = 0;; ++done) {
    while (header.requests.load() == done)
      sleepOn(header.requests, done);
    server.answer();
    ++header.replies;
    wakeUp(header.replies);
  }
}

} // namespace llmopt
