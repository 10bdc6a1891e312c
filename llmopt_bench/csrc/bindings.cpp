// Python's view of the core: types in, types out, errors mapped. No logic here.
#include "module.h"
#include "pool.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>

namespace nb = nanobind;
using namespace nb::literals;
using llmopt::CoreError;
using llmopt::ErrorKind;
using llmopt::Module;
using llmopt::Pool;
using Matrix = nb::ndarray<int64_t, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<int64_t, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

const char *errorClass(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::BadProgram: return "BadProgram";
  case ErrorKind::UnknownPass: return "UnknownPass";
  case ErrorKind::CompilerError: return "CompilerError";
  case ErrorKind::InvalidModule: return "InvalidModule";
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
  }
}

std::unique_ptr<Module> readModule(nb::bytes data, const std::string &name) {
  // The bytes object is alive while the caller waits, so its memory stays where it is.
  const std::string_view view(data.c_str(), data.size());
  nb::gil_scoped_release release;
  return Module::read(view, name);
}

nb::bytes bitcode(Module &module) {
  std::string data;
  {
    nb::gil_scoped_release release;
    data = module.bitcode();
  }
  return nb::bytes(data.data(), data.size());
}

void checkSize(const Vector &out, size_t size) {
  if (out.shape(0) != size)
    throw nb::value_error(("expected an int64 array of shape (" + std::to_string(size) +
                           ",), got (" + std::to_string(out.shape(0)) + ",)")
                              .c_str());
}

void autophase(Module &module, Vector out, bool native) {
  checkSize(out, llmopt::AutophaseSize);
  module.autophase(out.data(), native);
}

void instcount(Module &module, Vector out, bool native) {
  checkSize(out, llmopt::instcountNames(native).size());
  module.instcount(out.data(), native);
}

nb::tuple step(Module &module, const std::string &pipeline, std::optional<Vector> autophase) {
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
nb::list stepAll(Pool &pool, const std::vector<Module *> &modules,
                 const std::vector<std::string> &pipelines, std::optional<Matrix> autophase) {
  const size_t count = modules.size();
  if (pipelines.size() != count ||
      (autophase && (autophase->shape(0) != count || autophase->shape(1) != llmopt::AutophaseSize)))
    throw nb::value_error("expected one pipeline, and one row of 56 features, for each module");
  int64_t *const rows = autophase ? autophase->data() : nullptr;
  std::vector<llmopt::StepResult> results(count);
  std::vector<std::optional<CoreError>> errors(count);
  {
    nb::gil_scoped_release release;
    pool.forEach(count, [&](size_t i) {
      try {
        results[i] =
            modules[i]->step(pipelines[i], rows ? rows + i * llmopt::AutophaseSize : nullptr);
      } catch (const CoreError &error) {
        errors[i].emplace(error);
      }
    });
  }
  nb::list out;
  for (size_t i = 0; i < count; ++i)
    if (errors[i])
      out.append(makeError(*errors[i]));
    else
      out.append(nb::make_tuple(results[i].changed, results[i].instructionCount));
  return out;
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

} // namespace

NB_MODULE(_core, m) {
  m.doc() = "The C++ core: LLVM modules and the passes that run on them.";
  nb::register_exception_translator(translate);
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();

  nb::class_<Module>(m, "Module", "An LLVM module. Safe to use from any thread.")
      .def_static("read", &readModule, "data"_a, "name"_a)
      .def("clone", &Module::clone, unlocked)
      .def("extract", &Module::extract, "function"_a, unlocked)
      .def("run", &Module::run, "pipeline"_a, unlocked)
      .def("run_clang", &Module::runClang, "level"_a, unlocked)
      .def("step", &step, "pipeline"_a, "autophase"_a = nb::none())
      .def("bitcode", &bitcode)
      .def("text", &Module::text, unlocked)
      .def("normalized_text", &Module::normalizedText, unlocked)
      .def("content_hash", &Module::contentHash, unlocked)
      .def("verify", &Module::verify, unlocked)
      .def("instruction_count", &Module::instructionCount, unlocked)
      .def("text_size", &Module::textSize, unlocked)
      .def("functions", &Module::functions, unlocked)
      .def("external_definitions", &Module::externalDefinitions, unlocked)
      .def("autophase", &autophase, "out"_a, "native"_a = false)
      .def("instcount", &instcount, "out"_a, "native"_a = false);

  nb::class_<Pool>(m, "Pool", "Threads that run passes on many modules at once.")
      .def(nb::init<size_t>(), "threads"_a)
      .def("step_all", &stepAll, "modules"_a, "pipelines"_a, "autophase"_a = nb::none());

  m.def("autophase_names", &llmopt::autophaseNames);
  m.def("instcount_names", &llmopt::instcountNames, "native"_a = false);
  m.def("bare_clone", &llmopt::bareClone, "module"_a, unlocked);
  m.def("bare_loop", &llmopt::bareLoop, "module"_a, "pipelines"_a, unlocked);
  m.def("build_info", &buildInfo);
}
