#include "module.h"

#include <chrono>

namespace llmopt {

double bareLoop(Module &module, const std::vector<std::string> &pipelines) {
  std::lock_guard<std::mutex> lock(module.compiler->mutex);
  const auto start = std::chrono::steady_clock::now();
  for (const std::string &pipeline : pipelines) {
    const std::unique_ptr<AnalysisManagers> managers = module.compiler->makeManagers();
    llvm::ModulePassManager passes = module.compiler->parse(pipeline);
    passes.run(*module.ir, managers->modules);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace llmopt
