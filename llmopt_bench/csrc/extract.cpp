// One function as a module of its own. What the optimizer could see of the rest and does not
// belong to the rest stays: private and internal constants (string literals, tables). All else
// that the function mentions becomes a declaration, and what it does not mention goes, with
// module-level assembly, lists such as llvm.used, and debug info.
//
// The cost is that of the function and of what it reaches, not that of the module: globals are
// made when the clone of the function asks for them, and put in the module's order afterwards.
// That order, and a copy without debug info, are made once for all functions.
#include "module.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace llmopt {
namespace {

bool isLocalConstant(const GlobalValue &value) {
  const auto *variable = dyn_cast<GlobalVariable>(&value);
  return variable && variable->isConstant() && variable->hasLocalLinkage();
}

// Module flags that the front end writes only with debug info.
bool isDebugFlag(const NamedMDNode &list, const MDNode &entry) {
  if (list.getName() != "llvm.module.flags" || entry.getNumOperands() < 2)
    return false;
  const auto *key = dyn_cast<MDString>(entry.getOperand(1));
  return key && (key->getString() == "Debug Info Version" || key->getString() == "Dwarf Version");
}

bool isUnused(GlobalValue &value) {
  value.removeDeadConstantUsers();
  return value.use_empty();
}

// Takes out what metadata alone mentions. Dropping one may free another, hence the repetition.
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

// Where a global stands in its module.
using Places = DenseMap<const GlobalValue *, unsigned>;

class Extraction final : public ValueMaterializer {
public:
  Extraction(const llvm::Module &module, const Function &function, const Places &places)
      : module(module), function(function), places(places) {}

  std::unique_ptr<llvm::Module> run() {
    cloneFunction();
    std::unique_ptr<llvm::Module> out = emptyModule();
    copyNamedMetadata(*out);
    // Completing one may reach another.
    for (size_t i = 0; i < reached.size(); ++i)
      complete(*reached[i]);
    adopt(*out);
    dropUnused(*out);
    return out;
  }

  // LLVM asks here for the copy of whatever it has not met before.
  Value *materialize(Value *value) override {
    if (const auto *address = dyn_cast<BlockAddress>(value))
      return address->getFunction() == &function ? nullptr : noBlock(*address);
    const auto *global = dyn_cast<GlobalValue>(value);
    return global ? declare(*global) : nullptr;
  }

private:
  // What LLVM puts for the address of a block that is gone.
  static Value *noBlock(const BlockAddress &address) {
    Constant *one = ConstantInt::get(Type::getInt32Ty(address.getContext()), 1);
    return ConstantExpr::getIntToPtr(one, address.getType());
  }

  GlobalValue *declare(const GlobalValue &original) {
    reached.push_back(&original);
    if (const auto *variable = dyn_cast<GlobalVariable>(&original))
      return declareVariable(*variable);
    if (const auto *callee = dyn_cast<Function>(&original))
      return declareFunction(*callee);
    return declareAlias(original);
  }

  static GlobalVariable *declareVariable(const GlobalVariable &original) {
    auto *copy = new GlobalVariable(original.getValueType(), original.isConstant(),
                                    original.getLinkage(), /*Initializer=*/nullptr,
                                    original.getName(), original.getThreadLocalMode(),
                                    original.getAddressSpace());
    copy->copyAttributesFrom(&original);
    if (!original.isDeclaration() && !isLocalConstant(original))
      copy->setLinkage(GlobalValue::ExternalLinkage);
    return copy;
  }

  static Function *declareFunction(const Function &original) {
    Function *copy = newFunction(original);
    if (!original.isDeclaration())
      copy->setLinkage(GlobalValue::ExternalLinkage);
    // These belong to a definition.
    copy->setPersonalityFn(nullptr);
    copy->setPrefixData(nullptr);
    copy->setPrologueData(nullptr);
    return copy;
  }

  // An alias, or an ifunc, cannot be an external reference, so it becomes what it stands for.
  static GlobalValue *declareAlias(const GlobalValue &original) {
    if (auto *type = dyn_cast<FunctionType>(original.getValueType()))
      return Function::Create(type, GlobalValue::ExternalLinkage, original.getAddressSpace(),
                              original.getName());
    return new GlobalVariable(original.getValueType(), /*isConstant=*/false,
                              GlobalValue::ExternalLinkage, /*Initializer=*/nullptr,
                              original.getName(), original.getThreadLocalMode(),
                              original.getAddressSpace());
  }

  static Function *newFunction(const Function &original) {
    Function *copy = Function::Create(original.getFunctionType(), original.getLinkage(),
                                      original.getAddressSpace(), original.getName());
    copy->copyAttributesFrom(&original);
    return copy;
  }

  void cloneFunction() {
    Function *copy = newFunction(function);
    copies[&function] = copy;
    reached.push_back(&function);
    for (const auto &[from, to] : zip(function.args(), copy->args())) {
      to.setName(from.getName());
      copies[&from] = &to;
    }
    SmallVector<ReturnInst *, 8> returns;
    CloneFunctionInto(copy, &function, copies, CloneFunctionChangeType::ClonedModule, returns, "",
                      /*CodeInfo=*/nullptr, /*TypeMapper=*/nullptr, this);
    // A local function would be dead code in its own module.
    copy->setLinkage(GlobalValue::ExternalLinkage);
  }

  std::unique_ptr<llvm::Module> emptyModule() const {
    auto out = std::make_unique<llvm::Module>(module.getModuleIdentifier(), module.getContext());
    out->setSourceFileName(module.getSourceFileName());
    out->setDataLayout(module.getDataLayout());
    out->setTargetTriple(module.getTargetTriple());
    return out;
  }

  void copyNamedMetadata(llvm::Module &out) {
    for (const NamedMDNode &list : module.named_metadata()) {
      NamedMDNode *copy = out.getOrInsertNamedMetadata(list.getName());
      for (const MDNode *entry : list.operands())
        if (!isDebugFlag(list, *entry))
          copy->addOperand(mapped(entry));
    }
  }

  MDNode *mapped(const MDNode *node) {
    return MapMetadata(node, copies, RF_None, /*TypeMapper=*/nullptr, this);
  }

  void complete(const GlobalValue &original) {
    auto *copy = cast<GlobalObject>(copies[&original]);
    const auto *variable = dyn_cast<GlobalVariable>(&original);
    if (variable || (isa<Function>(original) && original.isDeclaration()))
      copyMetadata(cast<GlobalObject>(original), *copy);
    if (isLocalConstant(original))
      cast<GlobalVariable>(copy)->setInitializer(
          MapValue(variable->getInitializer(), copies, RF_None, /*TypeMapper=*/nullptr, this));
  }

  void copyMetadata(const GlobalObject &original, GlobalObject &copy) {
    SmallVector<std::pair<unsigned, MDNode *>, 4> attached;
    original.getAllMetadata(attached);
    for (const auto &[kind, node] : attached)
      copy.addMetadata(kind, *mapped(node));
  }

  // Puts what was reached into the module, in the order of the originals.
  void adopt(llvm::Module &out) {
    llvm::sort(reached, [&](const GlobalValue *left, const GlobalValue *right) {
      return places.lookup(left) < places.lookup(right);
    });
    for (const GlobalValue *original : reached) {
      Value *copy = copies.lookup(original);
      if (auto *variable = dyn_cast<GlobalVariable>(copy))
        out.insertGlobalVariable(variable);
      else
        out.getFunctionList().push_back(cast<Function>(copy));
      if (isLocalConstant(*original))
        copyComdat(*original, *cast<GlobalVariable>(copy));
    }
  }

  static void copyComdat(const GlobalValue &original, GlobalVariable &copy) {
    if (const Comdat *group = original.getComdat()) {
      Comdat *counterpart = copy.getParent()->getOrInsertComdat(group->getName());
      counterpart->setSelectionKind(group->getSelectionKind());
      copy.setComdat(counterpart);
    }
  }

  const llvm::Module &module;
  const Function &function;
  const Places &places;
  ValueToValueMapTy copies;
  std::vector<const GlobalValue *> reached;
};

std::unique_ptr<llvm::Module> cloneWithoutDebugInfo(const llvm::Module &module) {
  if (module.debug_compile_units().empty())
    return nullptr;
  std::unique_ptr<llvm::Module> copy = CloneModule(module);
  StripDebugInfo(*copy);
  return copy;
}

} // namespace

FunctionExtractor::FunctionExtractor(const llvm::Module &original)
    : plain(cloneWithoutDebugInfo(original)), module(plain ? *plain : original) {
  for (const GlobalVariable &variable : module.globals())
    places.try_emplace(&variable, places.size());
  for (const Function &function : module)
    places.try_emplace(&function, places.size());
  for (const GlobalAlias &alias : module.aliases())
    places.try_emplace(&alias, places.size());
  for (const GlobalIFunc &ifunc : module.ifuncs())
    places.try_emplace(&ifunc, places.size());
}

std::unique_ptr<llvm::Module> FunctionExtractor::extract(StringRef name) const {
  const Function *function = module.getFunction(name);
  if (!function || function->isDeclaration())
    return nullptr;
  return Extraction(module, *function, places).run();
}

} // namespace llmopt
