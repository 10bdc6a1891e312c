// An LLVM module with the compiler that works on it. All methods lock the compiler's context, so
// they may be called from any thread; modules that share a context simply wait for each other.
#pragma once

#include "compiler.h"
#include "graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Module.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llmopt {

constexpr size_t AutophaseSize = 56;
constexpr size_t AutophaseTotalInsts = 51;
using Autophase = std::array<int64_t, AutophaseSize>;

struct StepResult {
  bool changed;
  uint64_t instructionCount;
};

class FunctionExtractor;
class StateTree;

class Module {
public:
  // Reads bitcode or IR text into a context of its own. Throws BadProgram.
  static std::unique_ptr<Module> read(std::string_view data, const std::string &name);

  ~Module();

  // A copy in the same context, with the order of all use lists kept.
  std::unique_ptr<Module> clone();
  // The function alone, in a context of its own: see extract.cpp. Throws BadProgram.
  std::unique_ptr<Module> extract(const std::string &function);

  // Runs `opt -passes=PIPELINE` on this module. Returns false when no pass changed anything.
  // Throws UnknownPass before anything ran, CompilerError after.
  bool run(const std::string &pipeline);

  // Runs what `clang -O<level>` runs on it.
  bool runClang(const std::string &level);
  // run, then count, and with `autophase` not null write the 56 features there: what an
  // environment does at every step, in one call.
  StepResult step(const std::string &pipeline, int64_t *autophase);

  // The metric, instructions or bytes of machine code, of a copy on which a pipeline, or clang's
  // level, has run.
  uint64_t evaluate(const std::string &pipeline, bool textSize);
  uint64_t reference(const std::string &level, bool textSize);
  // evaluate of pipelines one after the other, which shares what it can with earlier calls.
  uint64_t evaluateList(const std::vector<std::string> &pipelines, bool textSize);

  std::string bitcode();
  std::string text();
  std::string normalizedText();
  // Hex SHA-256 of what the module means to the compiler: see content.cpp.
  std::string contentHash();
  // Hex SHA-256 of the code but for names and values of constants: see near_hash.cpp.
  std::string nearHash();
  // Throws InvalidModule with the verifier's words.
  void verify();

  uint64_t instructionCount();
  // Bytes of code in the object file that this module compiles to, and the file.
  uint64_t textSize();
  std::string object();
  std::vector<std::string> functions();
  // Names of definitions that other modules can see and count on, sorted.
  std::vector<std::string> externalDefinitions();
  void autophase(int64_t *out, bool native);
  void instcount(int64_t *out, bool native);
  ProgramGraph graph();

private:
  friend double bareClone(Module &module);
  friend double bareLoop(Module &module, const std::vector<std::string> &pipelines);
  Module(std::shared_ptr<Compiler> compiler, std::unique_ptr<llvm::Module> ir);
  // run, for a caller that holds the lock.
  bool runLocked(const std::string &pipeline);
  // Called when the IR changes: drops what was computed of it.
  void forget();

  // Features of the module as it is now, computed at most once between changes, as `count` is. In a
  // random walk most passes change nothing.
  const Autophase &autophaseLocked();

  // Order matters: managers point into the IR, the IR lives in the compiler's context.
  std::shared_ptr<Compiler> compiler;
  std::unique_ptr<llvm::Module> ir;
  std::unique_ptr<AnalysisManagers> managers;
  std::optional<Autophase> known;
  std::optional<uint64_t> count;
  std::unique_ptr<FunctionExtractor> extractor;
  std::unique_ptr<StateTree> tree;
};

// Seconds for one CloneModule.
double bareClone(Module &module);
// Seconds for one run of each pipeline with analysis managers built anew every time.
double bareLoop(Module &module, const std::vector<std::string> &pipelines);

// clone.cpp
std::unique_ptr<llvm::Module> cloneExactly(const llvm::Module &module);
// content.cpp
std::string contentHashOf(const llvm::Module &module);
// extract.cpp
class FunctionExtractor {
public:
  // The module must stay as it is while the extractor is in use.
  explicit FunctionExtractor(const llvm::Module &module);
  // Null where the module defines no such function.
  std::unique_ptr<llvm::Module> extract(llvm::StringRef name) const;

private:
  // A copy without debug info, of a module that has any: else every function would carry the debug
  // info of all that it can reach to where it is dropped.
  std::unique_ptr<llvm::Module> plain;
  const llvm::Module &module;
  llvm::DenseMap<const llvm::GlobalValue *, unsigned> places;
};
// near_hash.cpp
std::string nearHashOf(const llvm::Module &module);
// normalize.cpp
std::string normalize(const llvm::Module &module);
std::string withoutComments(std::string_view ir);
// codegen.cpp
uint64_t textSizeOf(const llvm::Module &module, llvm::TargetMachine &machine);
std::string objectOf(const llvm::Module &module, llvm::TargetMachine &machine);
// features.cpp
void computeAutophase(const llvm::Module &module, int64_t *out, bool native);
void computeInstcount(const llvm::Module &module, int64_t *out, bool native);
std::vector<std::string> autophaseNames();
std::vector<std::string> instcountNames(bool native);

} // namespace llmopt
