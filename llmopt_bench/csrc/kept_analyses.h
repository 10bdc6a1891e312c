// What a copy of a module has to know beside the IR to go on as the original would: see
// kept_analyses.cpp.
#pragma once

#include "compiler.h"

#include "llvm/Analysis/LastRunTrackingAnalysis.h"
#include "llvm/IR/Module.h"

#include <optional>

namespace llmopt {

struct KeptAnalyses {
  bool globalAliases = false;
  bool loops = false;
  // Of a module with several definitions, that of the last one.
  std::optional<llvm::LastRunTrackingInfo> lastRuns;

  static KeptAnalyses of(AnalysisManagers &managers, llvm::Module &module);
  // Brings new managers of a copy to where those of the original are.
  void restore(AnalysisManagers &managers, llvm::Module &copy) const;
};

} // namespace llmopt
