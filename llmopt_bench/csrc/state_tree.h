// The states that pass lists bring a program to, each computed once: see state_tree.cpp.
#pragma once

#include "kept_analyses.h"
#include "state_key.h"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace llmopt {

// What a tree keeps at most, looked at before each list.
struct TreeLimits {
  uint64_t instructions = 500'000; // of modules: about 150 MiB
  size_t states = 200'000;
};

// The caller holds the lock of the compiler.
class StateTree {
public:
  StateTree(std::shared_ptr<Compiler> compiler, const llvm::Module &root);
  ~StateTree();
  StateTree(const StateTree &) = delete;

  // Of every tree in this process.
  static TreeLimits limits;

  // The metric of the root after a list of pipelines. Throws UnknownPass and CompilerError.
  uint64_t evaluate(const std::vector<std::string> &pipelines, bool textSize);

private:
  using Number = uint32_t;

  struct State {
    // How it was first reached: by a pipeline, from an earlier state.
    Number parent = 0, pipeline = 0;
    StateKey code;
    // Of the pipeline after which instcombine or vector-combine left notes; 0 for none.
    Number notes = 0;
    uint64_t instructions = 0;
    std::optional<uint64_t> textSize;
    KeptAnalyses kept;
    std::unique_ptr<llvm::Module> ir; // null when memory is short
    bool used = false;                // as the start of a list, since memory was last short
    llvm::DenseMap<Number, Number> next;
    std::map<Number, std::string> failures;
  };
  // A module under way; the managers point into the IR, so they go first.
  struct Working {
    std::unique_ptr<llvm::Module> ir;
    std::unique_ptr<AnalysisManagers> managers;
  };
  struct Hash {
    size_t operator()(const StateKey &key) const { return key.first; }
  };

  void start(std::unique_ptr<llvm::Module> ir);
  Number numberOf(const std::string &pipeline);
  Number follow(const std::vector<std::string> &list);
  Number step(Number from, Number pipeline, Working &working);
  void run(Number pipeline, Working &working);
  Number enter(Number from, Number pipeline, Working &working);
  Working copyOf(Number state);
  void release(std::optional<Working> &working);
  void store(State &state, const llvm::Module &ir);
  void saveMemory();

  std::shared_ptr<Compiler> compiler;
  StateKeyMaker codeOf;
  std::deque<State> states;
  std::unordered_map<StateKey, Number, Hash> byKey;
  std::vector<std::string> pipelines;
  std::unordered_map<std::string, Number> pipelineNumbers;
  // Not in use by a module under way; to register all analyses takes as long as many passes.
  std::unique_ptr<AnalysisManagers> spareManagers;
  uint64_t storedInstructions = 0;
};

} // namespace llmopt
