#include "compiler.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/Module.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LazyCallGraph.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetOptions.h"

#include <algorithm>
#include <map>

using namespace llvm;

namespace llmopt {
namespace {

void initializeTargetOnce() {
  static const bool done = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmParser();
    LLVMInitializeX86AsmPrinter();
    return true;
  }();
  (void)done;
}

// Without a handler of ours LLVM prints to the user's terminal, and exits on an error.
class CollectErrors : public DiagnosticHandler {
public:
  explicit CollectErrors(std::string &out) : out(out) {}
  bool handleDiagnostics(const DiagnosticInfo &info) override {
    if (info.getSeverity() == DS_Error) {
      raw_string_ostream stream(out);
      DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
      stream << '\n';
    }
    return true;
  }

private:
  std::string &out;
};

// The part of opt's instrumentation that changes results: optional passes leave a function with
// `optnone` alone. Taken alone because the rest (timers, printers) costs time at every pass.
bool mayRunOn(const Any &ir) {
  const Function *function = nullptr;
  if (const auto *const *f = any_cast<const Function *>(&ir))
    function = *f;
  else if (const auto *const *loop = any_cast<const Loop *>(&ir))
    function = (*loop)->getHeader()->getParent();
  return !function || !function->hasOptNone();
}

// `instcombine` in pipeline text, unlike in the default pipelines, ends the process when one
// iteration does not reach a fixpoint: a check for LLVM's own tests. This asks for the same pass
// without the check.
std::string withoutFixpointCheck(const std::string &pipeline) {
  constexpr std::string_view name = "instcombine";
  std::string out;
  size_t copied = 0;
  for (size_t at = pipeline.find(name); at != std::string::npos; at = pipeline.find(name, at)) {
    const bool starts = at == 0 || pipeline[at - 1] == '(' || pipeline[at - 1] == ',';
    at += name.size();
    const char next = at < pipeline.size() ? pipeline[at] : ',';
    if (!starts || (next != '<' && next != ',' && next != ')'))
      continue; // aggressive-instcombine, or a pass that does not exist
    const size_t close = next == '<' ? pipeline.find('>', at) : std::string::npos;
    out.append(pipeline, copied, (close == std::string::npos ? at : close) - copied);
    if (next != '<')
      out += "<no-verify-fixpoint>";
    else if (close != std::string::npos)
      out += at + 1 == close ? "no-verify-fixpoint" : ";no-verify-fixpoint";
    copied = close == std::string::npos ? at : close;
  }
  return out.append(pipeline, copied);
}

char *passNote = nullptr;
size_t passNoteSize = 0;

} // namespace

void notePassesIn(char *where, size_t size) {
  passNote = where;
  passNoteSize = size;
}

Compiler::Compiler() {
  initializeTargetOnce();
  context.setDiagnosticHandler(std::make_unique<CollectErrors>(diagnostics), true);
  callbacks.registerShouldRunOptionalPassCallback(
      [](StringRef, Any ir) { return mayRunOn(ir); });
  if (passNote)
    callbacks.registerBeforeNonSkippedPassCallback([](StringRef name, Any) {
      const size_t size = std::min(name.size(), passNoteSize - 1);
      std::copy_n(name.data(), size, passNote);
      passNote[size] = 0;
    });
}

Compiler::~Compiler() = default;

void Compiler::setTarget(const Triple &newTriple) {
  triple = newTriple;
  // As opt does it: nothing but the triple here, and the rest from the functions' target-cpu and
  // target-features attributes.
  machine = makeMachine(std::nullopt);
  builder = std::make_unique<PassBuilder>(machine.get(), PipelineTuningOptions(), std::nullopt,
                                          &callbacks);
}

std::unique_ptr<TargetMachine> Compiler::makeMachine(std::optional<Reloc::Model> model) {
  std::string ignored;
  const Target *target = TargetRegistry::lookupTarget(triple, ignored);
  if (!target)
    return nullptr;
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, "", "", TargetOptions(), model));
}

TargetMachine *Compiler::codegenMachine() {
  if (!codegen)
    codegen = makeMachine(Reloc::PIC_);
  return codegen.get();
}

TargetMachine &Compiler::requireCodegenMachine() {
  if (TargetMachine *found = codegenMachine())
    return *found;
  throw CoreError(ErrorKind::CompilerError,
                  "expected a module for x86-64, the target that is built in, got triple '" +
                      triple.str() +
                      "'. Compile the program for x86-64, or count instructions.");
}

std::unique_ptr<AnalysisManagers> Compiler::makeManagers(PassBuilder &from) {
  auto managers = std::make_unique<AnalysisManagers>();
  const TargetLibraryInfoImpl libraryInfo(triple);
  managers->functions.registerPass([&] { return TargetLibraryAnalysis(libraryInfo); });
  from.registerModuleAnalyses(managers->modules);
  from.registerCGSCCAnalyses(managers->sccs);
  from.registerFunctionAnalyses(managers->functions);
  from.registerLoopAnalyses(managers->loops);
  from.crossRegisterProxies(managers->loops, managers->functions, managers->sccs,
                                managers->modules);
  return managers;
}

ModulePassManager Compiler::parse(const std::string &pipeline) {
  ModulePassManager passes;
  if (pipeline.empty())
    return passes;
  if (Error error = builder->parsePassPipeline(passes, withoutFixpointCheck(pipeline)))
    throw CoreError(ErrorKind::UnknownPass,
                    "expected a pass pipeline as `opt -passes=` takes it, got '" + pipeline +
                        "': " + toString(std::move(error)) +
                        ". `llmopt-bench passes` lists the actions of passes-v1.");
  return passes;
}

PreservedAnalyses Compiler::runClang(llvm::Module &module, const std::string &level) {
  static const std::map<std::string, OptimizationLevel> levels = {{"1", OptimizationLevel::O1},
                                                                  {"2", OptimizationLevel::O2},
                                                                  {"3", OptimizationLevel::O3},
                                                                  {"s", OptimizationLevel::Os},
                                                                  {"z", OptimizationLevel::Oz}};
  const auto found = levels.find(level);
  if (found == levels.end())
    throw CoreError(ErrorKind::UnknownPass,
                    "expected one of the levels 1, 2, 3, s, z, got '" + level + "'");
  // As clang's driver and front end set them: -O1 neither vectorizes nor unrolls, and -Oz
  // vectorizes no loops.
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = level != "1" && level != "z";
  tuning.SLPVectorization = tuning.LoopUnrolling = tuning.LoopInterleaving = level != "1";
  PassBuilder clang(codegenMachine(), tuning, std::nullopt, &callbacks);
  const std::unique_ptr<AnalysisManagers> managers = makeManagers(clang);
  return clang.buildPerModuleDefaultPipeline(found->second).run(module, managers->modules);
}

std::string Compiler::takeDiagnostics() {
  std::string out;
  std::swap(out, diagnostics);
  return out;
}

void Compiler::throwDiagnostics(const std::string &during) {
  const std::string errors = takeDiagnostics();
  if (!errors.empty())
    throw CoreError(ErrorKind::CompilerError,
                    "LLVM reported while " + during + ": " + StringRef(errors).trim().str());
}

} // namespace llmopt
