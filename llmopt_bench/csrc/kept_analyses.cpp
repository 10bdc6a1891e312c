// Passes share analyses, and a few ask for one only if somebody else has computed it: what they do
// then depends on what ran before, not on the IR alone. A copy of the IR goes on as its original
// would when it is given these too:
//
// - GlobalsAA, which the default pipelines compute and every alias query then uses;
// - LoopAnalysis, by which break-crit-edges, gvn and instcombine keep loops in form;
// - the notes of instcombine and vector-combine that they have just run and need not again.
//
// Found by continuing copies of 9,000 random lists and comparing; what is computed anew on demand
// needs no place here. Where it would say nothing (no loops, no function or variable whose every
// use is known) an analysis is left out, since the fewer there are the more states are the same.
#include "kept_analyses.h"

#include "llvm/Analysis/GlobalsModRef.h"
#include "llvm/Analysis/LoopInfo.h"

using namespace llvm;

namespace llmopt {
namespace {

// GlobalsAA speaks of variables that no other module sees and of calls to functions defined here.
bool hasGlobalsToAnalyse(const llvm::Module &module) {
  return any_of(module.globals(),
                [](const GlobalVariable &variable) { return variable.hasLocalLinkage(); }) ||
         any_of(module, [](const Function &function) {
           return !function.isDeclaration() && !function.use_empty();
         });
}

} // namespace

KeptAnalyses KeptAnalyses::of(AnalysisManagers &managers, llvm::Module &module) {
  KeptAnalyses kept;
  kept.globalAliases =
      managers.modules.getCachedResult<GlobalsAA>(module) && hasGlobalsToAnalyse(module);
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    const LoopInfo *loops = managers.functions.getCachedResult<LoopAnalysis>(function);
    kept.loops |= loops && !loops->empty();
    if (const auto *runs = managers.functions.getCachedResult<LastRunTrackingAnalysis>(function))
      kept.lastRuns = *runs;
  }
  return kept;
}

void KeptAnalyses::restore(AnalysisManagers &managers, llvm::Module &copy) const {
  // Else a pass on the module would not tell the functions' analyses that it changed something.
  managers.modules.getResult<FunctionAnalysisManagerModuleProxy>(copy);
  if (globalAliases)
    managers.modules.getResult<GlobalsAA>(copy);
  for (Function &function : copy) {
    if (function.isDeclaration())
      continue;
    if (loops)
      managers.functions.getResult<LoopAnalysis>(function);
    if (lastRuns)
      managers.functions.getResult<LastRunTrackingAnalysis>(function) = *lastRuns;
  }
}

} // namespace llmopt
