// Python's view of the core: types in, types out, errors mapped. No logic here.
#include "isolation/remote_module.h"
#include "isolation/serve.h"
#include "module.h"
#include "pool.h"
#include "state_tree.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <memory>
#include <optional>

namespace nb = nanobind;
using namespace nb::literals;
using llmopt::CoreError;
using llmopt::ErrorKind;
using llmopt::ForkServer;
using llmopt::Module;
using llmopt::Pool;
using llmopt::RemoteModule;
using llmopt::Worker;
using Matrix = nb::ndarray<int64_t, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<int64_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

const char *errorClass(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::BadProgram: return "BadProgram";
  case ErrorKind::UnknownPass: return "UnknownPass";
  case ErrorKind::CompilerError: return "CompilerError";
  case ErrorKind::InvalidModule: return "InvalidModule";
  case ErrorKind::CompilerCrashed: return "CompilerCrashed";
  case ErrorKind::CompilerKilled: return "CompilerKilled";
  case ErrorKind::CompilerTimeout: return "CompilerTimeout";
  case ErrorKind::CompilerOutOfMemory: return "CompilerOutOfMemory";
  }
  return "LlmoptError";
}

nb::object makeError(const CoreError &error) {
  const nb::object type = nb::module_::import_("llmopt_bench.errors").attr(errorClass(error.kind));
  // What LLVM quotes of its input need not be UTF-8.
  const std::string_view message(error.what());
  return type(nb::steal(PyUnicode_DecodeUTF8(message.data(), message.size(), "backslashreplace")));
}

void translate(const std::exception_ptr &pointer, void *) {
  try {
    std::rethrow_exception(pointer);
  } catch (const CoreError &error) {
    const nb::object value = makeError(error);
    PyErr_SetObject(reinterpret_cast<PyObject *>(Py_TYPE(value.ptr())), value.ptr());
  } catch (const llmopt::Interrupted &) {
    // What a signal handler raised is set already.
  }
}

// Lets Ctrl-C end the wait for a worker.
bool interrupted() {
  nb::gil_scoped_acquire acquire;
  return PyErr_CheckSignals() != 0;
}

std::unique_ptr<Module> readModule(nb::bytes data, const std::string &name) {
  // The bytes object is alive while the caller waits, so its memory stays where it is.
  const std::string_view view(data.c_str(), data.size());
  nb::gil_scoped_release release;
  return Module::read(view, name);
}

std::unique_ptr<RemoteModule> readRemote(std::shared_ptr<Worker> worker, nb::bytes data,
                                         const std::string &name, double deadline) {
  const std::string_view view(data.c_str(), data.size());
  nb::gil_scoped_release release;
  return RemoteModule::read(std::move(worker), view, name, deadline);
}

// What a method gives that returns bytes rather than text.
template <auto Method, typename M> nb::bytes bytesOf(M &module) {
  std::string data;
  {
    nb::gil_scoped_release release;
    data = (module.*Method)();
  }
  return nb::bytes(data.data(), data.size());
}

// An array that owns its values.
template <typename T, size_t Rank>
nb::object arrayOf(std::vector<T> values, const std::array<size_t, Rank> &shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T *const data = owned->data();
  const nb::capsule owner(owned.get(), [](void *pointer) noexcept {
    delete static_cast<std::vector<T> *>(pointer);
  });
  owned.release();
  return nb::cast(nb::ndarray<nb::numpy, T>(data, Rank, shape.data(), owner));
}

template <typename M> nb::tuple graph(M &module) {
  llmopt::ProgramGraph graph;
  {
    nb::gil_scoped_release release;
    graph = module.graph();
  }
  const std::array nodes{graph.kinds.size()};
  const std::array edges{graph.edgeKinds.size()};
  return nb::make_tuple(
      arrayOf(std::move(graph.kinds), nodes), arrayOf(std::move(graph.labels), nodes),
      arrayOf(std::move(graph.edges), std::array{size_t(2), edges[0]}),
      arrayOf(std::move(graph.edgeKinds), edges), arrayOf(std::move(graph.positions), edges));
}

void checkSize(const Vector &out, size_t size) {
  if (out.shape(0) != size)
    throw nb::value_error(("expected an int64 array of shape (" + std::to_string(size) +
                           ",), got (" + std::to_string(out.shape(0)) + ",)")
                              .c_str());
}

template <typename M> void autophase(M &module, Vector out, bool native) {
  checkSize(out, llmopt::AutophaseSize);
  nb::gil_scoped_release release;
  module.autophase(out.data(), native);
}

template <typename M> void instcount(M &module, Vector out, bool native) {
  checkSize(out, llmopt::instcountNames(native).size());
  nb::gil_scoped_release release;
  module.instcount(out.data(), native);
}

template <typename M>
nb::tuple step(M &module, const std::string &pipeline, std::optional<Vector> autophase) {
  if (autophase)
    checkSize(*autophase, llmopt::AutophaseSize);
  int64_t *const out = autophase ? autophase->data() : nullptr;
  llmopt::StepResult result;
  {
    nb::gil_scoped_release release;
    result = module.step(pipeline, out);
  }
  return nb::make_tuple(result.changed, result.instructionCount);
}

// One step of many modules at once. Gives, for each, what step gives, or the error it raises.
template <typename M, typename Run>
nb::list stepEach(const std::vector<M *> &modules, const std::vector<std::string> &pipelines,
                  std::optional<Matrix> autophase, const Run &run) {
  const size_t count = modules.size();
  if (pipelines.size() != count ||
      (autophase && (autophase->shape(0) != count || autophase->shape(1) != llmopt::AutophaseSize)))
    throw nb::value_error("expected one pipeline, and one row of 56 features, for each module");
  int64_t *const rows = autophase ? autophase->data() : nullptr;
  std::vector<llmopt::StepResult> results(count);
  std::vector<std::optional<CoreError>> errors(count);
  {
    nb::gil_scoped_release release;
    run(rows, results, errors);
  }
  nb::list out;
  for (size_t i = 0; i < count; ++i)
    if (errors[i])
      out.append(makeError(*errors[i]));
    else
      out.append(nb::make_tuple(results[i].changed, results[i].instructionCount));
  return out;
}

nb::list stepAll(Pool &pool, const std::vector<Module *> &modules,
                 const std::vector<std::string> &pipelines, std::optional<Matrix> autophase) {
  return stepEach(modules, pipelines, autophase, [&](int64_t *rows, auto &results, auto &errors) {
    pool.forEach(modules.size(), [&](size_t i) {
      try {
        results[i] =
            modules[i]->step(pipelines[i], rows ? rows + i * llmopt::AutophaseSize : nullptr);
      } catch (const CoreError &error) {
        errors[i].emplace(error);
      }
    });
  });
}

nb::list stepAllRemote(const std::vector<RemoteModule *> &modules,
                       const std::vector<std::string> &pipelines, size_t parallel,
                       std::optional<Matrix> autophase) {
  return stepEach(modules, pipelines, autophase, [&](int64_t *rows, auto &results, auto &errors) {
    llmopt::stepAll(modules, pipelines, parallel, rows, results, errors);
  });
}

nb::dict buildInfo() {
  nb::dict info;
  info["llvm_version"] = LLMOPT_LLVM_VERSION;
  info["llvm_assertions"] = nb::bool_(LLMOPT_LLVM_ASSERTIONS != 0);
  info["llvm_linkage"] = "static";
  info["target"] = "x86_64";
  info["build_type"] = LLMOPT_BUILD_TYPE;
  info["compiler"] = LLMOPT_COMPILER;
  return info;
}

// What a module in this process and one in a worker have in common.
template <typename M> void defineMethods(nb::class_<M> &type) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  type.def("clone", &M::clone, unlocked)
      .def("run", &M::run, "pipeline"_a, unlocked)
      .def("run_clang", &M::runClang, "level"_a, unlocked)
      .def("step", &step<M>, "pipeline"_a, "autophase"_a = nb::none())
      .def("evaluate", &M::evaluate, "pipeline"_a, "text_size"_a = false, unlocked)
      .def("evaluate_list", &M::evaluateList, "pipelines"_a, "text_size"_a = false, unlocked)
      .def("reference", &M::reference, "level"_a, "text_size"_a = false, unlocked)
      .def("bitcode", &bytesOf<&M::bitcode, M>)
      .def("object", &bytesOf<&M::object, M>)
      .def("text", &M::text, unlocked)
      .def("normalized_text", &M::normalizedText, unlocked)
      .def("content_hash", &M::contentHash, unlocked)
      .def("verify", &M::verify, unlocked)
      .def("instruction_count", &M::instructionCount, unlocked)
      .def("text_size", &M::textSize, unlocked)
      .def("functions", &M::functions, unlocked)
      .def("external_definitions", &M::externalDefinitions, unlocked)
      .def("autophase", &autophase<M>, "out"_a, "native"_a = false)
      .def("instcount", &instcount<M>, "out"_a, "native"_a = false)
      .def("graph", &graph<M>);
}

void defineIsolation(nb::module_ &m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  llmopt::interruptionHook = interrupted;

  nb::class_<ForkServer>(m, "ForkServer", "The process that workers are forked from.")
      .def_static("connect", [](int socket) { return std::make_shared<ForkServer>(socket); },
                  "socket"_a)
      .def("take", &ForkServer::take, "memory"_a, unlocked)
      .def("alive", &ForkServer::alive)
      .def("close", &ForkServer::close);
  nb::class_<Worker>(m, "Worker", "A process that holds modules and runs passes on them.")
      .def("alive", &Worker::alive)
      .def("worn_out", &Worker::wornOut)
      .def_prop_ro("pid", &Worker::pid);
  nb::class_<RemoteModule> remote(m, "RemoteModule", "An LLVM module that lives in a worker.");
  remote.def_static("read", &readRemote, "worker"_a, "data"_a, "name"_a, "deadline"_a)
      .def("evaluate_here", &RemoteModule::evaluateHere, "pipeline"_a, "text_size"_a = false,
           unlocked);
  defineMethods(remote);

  m.def("step_all", &stepAllRemote, "modules"_a, "pipelines"_a, "parallel"_a,
        "autophase"_a = nb::none());
  m.def("serve_forks", &llmopt::serveForks, "socket"_a, "parent"_a);
}

} // namespace

NB_MODULE(_core, m) {
  m.doc() = "The C++ core: LLVM modules and the passes that run on them.";
  // A script may end with sessions in its globals, which is no error of its own.
  nb::set_leak_warnings(false);
  nb::register_exception_translator(translate);
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();

  m.def(
      "limit_shared_states",
      [](uint64_t instructions, size_t states) {
        llmopt::StateTree::limits = {instructions, states};
      },
      "instructions"_a = llmopt::TreeLimits().instructions,
      "states"_a = llmopt::TreeLimits().states);
  nb::class_<Module> module(m, "Module", "An LLVM module. Safe to use from any thread.");
  module.def_static("read", &readModule, "data"_a, "name"_a)
      .def("extract", &Module::extract, "function"_a, unlocked)
      .def("near_hash", &Module::nearHash, unlocked);
  defineMethods(module);

  nb::class_<Pool>(m, "Pool", "Threads that run passes on many modules at once.")
      .def(nb::init<size_t>(), "threads"_a)
      .def("step_all", &stepAll, "modules"_a, "pipelines"_a, "autophase"_a = nb::none());

  defineIsolation(m);

  m.def("autophase_names", &llmopt::autophaseNames);
  m.def("instcount_names", &llmopt::instcountNames, "native"_a = false);
  m.def("graph_vocabulary", &llmopt::graphVocabulary);
  m.def("bare_clone", &llmopt::bareClone, "module"_a, unlocked);
  m.def("bare_loop", &llmopt::bareLoop, "module"_a, "pipelines"_a, unlocked);
  m.def("build_info", &buildInfo);
}
