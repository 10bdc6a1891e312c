// What every module of one LLVMContext shares: the context, the target machine and the pass
// builder. LLVM lets one thread at a time work in a context, hence the mutex.
#pragma once

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/PassInstrumentation.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

namespace llmopt {

// Each kind becomes a class of llmopt_bench.errors in bindings.cpp.
enum class ErrorKind : uint32_t {
  BadProgram,
  UnknownPass,
  CompilerError,
  InvalidModule,
  CompilerCrashed,
  CompilerKilled,
  CompilerTimeout,
  CompilerOutOfMemory,
};

class CoreError : public std::runtime_error {
public:
  CoreError(ErrorKind kind, const std::string &what) : std::runtime_error(what), kind(kind) {}
  const ErrorKind kind;
};

// The analysis managers of one module. Kept from one pass list to the next: what a pass preserved
// need not be computed again, exactly as inside one run of `opt`.
struct AnalysisManagers {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
};

// From now on every new compiler writes the name of the pass that it starts, cut to `size` and with
// a final zero, to `where`.
void notePassesIn(char *where, size_t size);

class Compiler {
public:
  Compiler();
  ~Compiler();
  Compiler(const Compiler &) = delete;
  Compiler &operator=(const Compiler &) = delete;

  // Creates the target machine of the triple, when it is one that was built in, and the builder.
  void setTarget(const llvm::Triple &triple);

  std::unique_ptr<AnalysisManagers> makeManagers() { return makeManagers(*builder); }
  llvm::ModulePassManager parse(const std::string &pipeline);
  // Runs what `clang -O<level>` runs, level one of "1", "2", "3", "s", "z". It is not the same as
  // the pipeline `default<O...>`: clang also vectorizes straight-line code, and knows at this
  // stage that the code is to be position-independent.
  llvm::PreservedAnalyses runClang(llvm::Module &module, const std::string &level);

  // For object code: position-independent, as clang compiles for Debian. Null without a target.
  llvm::TargetMachine *codegenMachine();
  // The same; throws CompilerError without a target.
  llvm::TargetMachine &requireCodegenMachine();

  // Errors that LLVM reports by diagnostic rather than by return value; empties the list.
  std::string takeDiagnostics();
  // Throws CompilerError if there are any.
  void throwDiagnostics(const std::string &during);

  llvm::LLVMContext context;
  std::mutex mutex;

private:
  std::unique_ptr<AnalysisManagers> makeManagers(llvm::PassBuilder &from);
  std::unique_ptr<llvm::TargetMachine> makeMachine(std::optional<llvm::Reloc::Model> model);

  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::TargetMachine> codegen;
  std::string diagnostics;
  llvm::PassInstrumentationCallbacks callbacks;
  std::unique_ptr<llvm::PassBuilder> builder;
  llvm::Triple triple;
};

} // namespace llmopt
