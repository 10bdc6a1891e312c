// One function as a module of its own. What the optimizer could see of the rest and does not
// belong to the rest stays: private and internal constants (string literals, tables). All else
// that the function mentions becomes a declaration, and what it does not mention goes.
#include "module.h"

#include "llvm/IR/Constants.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace llmopt {
namespace {

bool isLocalConstant(const GlobalValue &value) {
  const auto *variable = dyn_cast<GlobalVariable>(&value);
  return variable && variable->isConstant() && variable->hasLocalLinkage();
}

bool isUnused(GlobalValue &value) {
  value.removeDeadConstantUsers();
  return value.use_empty();
}

// Dropping one may free another, hence the repetition.
void dropUnused(llvm::Module &module) {
  bool again = true;
  while (again) {
    again = false;
    for (GlobalVariable &variable : make_early_inc_range(module.globals()))
      if (isUnused(variable)) {
        variable.eraseFromParent();
        again = true;
      }
    for (Function &function : make_early_inc_range(module))
      if (function.isDeclaration() && isUnused(function)) {
        function.eraseFromParent();
        again = true;
      }
  }
}

} // namespace

std::unique_ptr<llvm::Module> extractFunction(const llvm::Module &module, Function &function) {
  ValueToValueMapTy copies;
  std::unique_ptr<llvm::Module> out =
      CloneModule(module, copies, [&](const GlobalValue *value) {
        return value == &function || isLocalConstant(*value);
      });
  auto *copy = cast<Function>(copies[&function]);
  // A local function would be dead code in its own module.
  copy->setLinkage(GlobalValue::ExternalLinkage);
  copy->setComdat(nullptr);
  for (const char *name : {"llvm.used", "llvm.compiler.used", "llvm.global_ctors"})
    if (GlobalVariable *list = out->getNamedGlobal(name))
      list->eraseFromParent();
  dropUnused(*out);
  return out;
}

} // namespace llmopt
