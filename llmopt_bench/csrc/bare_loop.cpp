// Yardsticks for tests/bench: what LLVM itself takes, without anything of this library around it.
#include "module.h"

#include "llvm/Transforms/Utils/Cloning.h"

#include <chrono>

namespace llmopt {

double bareClone(Module &module) {
  std::lock_guard<std::mutex> lock(module.compiler->mutex);
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*module.ir);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

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
