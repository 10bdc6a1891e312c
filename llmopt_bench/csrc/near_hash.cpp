// The near-duplicate hash: two modules have the same one when they are the same code but for names
// and for the values of constants. It tells that a function is a copy of another (a vendored
// library, a renamed helper), so that no copy of what was trained on is tested on.
//
// Left out: names of values, symbols and types; linkage, visibility, sections, groups; values of
// integers, floats, strings and initializers, and so the indices of a getelementptr and the cases
// of a switch; how long a constant array is that a global holds; metadata and debug info;
// attributes; alignments; what a flag promises of an operation (nuw, nsw, exact, inbounds, fast
// math, tail); prefix and prologue data; target, data layout, file name; globals that no function
// mentions.
//
// Kept, in the order of the module: operations with their types (named structs by structure),
// predicates, volatile, orderings and synchronization scopes, calling conventions, operand bundles,
// inline assembly, indices of extractvalue and shufflevector, strings that are operands (rounding
// modes); which argument, instruction, block or global an operand is, by position, globals by first
// use; of a constant, that it is one, its type, and what it holds of globals and expressions.
// Callees that the compiler itself knows, intrinsics and declared library functions, go by name,
// since what they do is part of the code.
//
// Numbers of LLVM's enumerations go in as they are: hashes compare within one LLVM major.
#include "module.h"
#include "near_tables.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace llmopt {
namespace {

// A value that is known here, and left out. Null is one; the address of a global is not.
bool isLiteral(const Constant &constant) {
  if (isa<ConstantAggregate>(constant))
    return all_of(constant.operands(),
                  [](const Use &part) { return isLiteral(*cast<Constant>(part)); });
  return isa<ConstantData>(constant) && !isa<UndefValue>(constant);
}

class NearHasher {
public:
  std::string run(const llvm::Module &module) {
    for (const Function &function : module)
      if (!function.isDeclaration())
        addFunction(function);
    // The code above has numbers of types and globals; here is what they stand for.
    hash.update(globals.view());
    hash.update(types.view());
    return toHex(hash.final(), /*LowerCase=*/true);
  }

private:
  enum class Tag { Local, Global, Literal, Undef, Poison, Composite, Label, Assembly, Metadata };

  void put(Tag tag) { code.number(static_cast<uint64_t>(tag)); }
  void put(const Type *type) { code.number(types.number(type)); }

  void addFunction(const Function &function) {
    assignNumbers(function);
    code.number(globals.number(function));
    code.number(function.getCallingConv());
    code.number(function.hasPersonalityFn());
    if (function.hasPersonalityFn())
      addOperand(*function.getPersonalityFn());
    code.number(function.size());
    for (const BasicBlock &block : function) {
      for (const Instruction &instruction : block)
        if (!instruction.isDebugOrPseudoInst())
          addInstruction(instruction);
      code.number(0); // no instruction has this opcode
    }
    hash.update(code.view());
    code.clear();
  }

  // An operand may be defined after its use.
  void assignNumbers(const Function &function) {
    locals.clear();
    for (const Argument &argument : function.args())
      locals.try_emplace(&argument, locals.size());
    for (const BasicBlock &block : function) {
      locals.try_emplace(&block, locals.size());
      for (const Instruction &instruction : block)
        if (!instruction.isDebugOrPseudoInst())
          locals.try_emplace(&instruction, locals.size());
    }
  }

  void addInstruction(const Instruction &instruction) {
    code.number(instruction.getOpcode());
    put(instruction.getType());
    addDetails(instruction);
    code.number(instruction.getNumOperands());
    for (const Use &operand : instruction.operands())
      addOperand(*operand);
  }

  // What an instruction does beyond its opcode and operands.
  void addDetails(const Instruction &instruction) {
    if (const auto *call = dyn_cast<CallBase>(&instruction))
      addCall(*call);
    else if (const auto *compare = dyn_cast<CmpInst>(&instruction))
      code.number(compare->getPredicate());
    else if (const auto *address = dyn_cast<GetElementPtrInst>(&instruction))
      put(address->getSourceElementType());
    else if (const auto *slot = dyn_cast<AllocaInst>(&instruction))
      put(slot->getAllocatedType());
    else if (const auto *phi = dyn_cast<PHINode>(&instruction))
      for (const BasicBlock *block : phi->blocks())
        code.number(locals.lookup(block));
    else if (const auto *shuffle = dyn_cast<ShuffleVectorInst>(&instruction))
      addIndices(shuffle->getShuffleMask());
    else if (const auto *extract = dyn_cast<ExtractValueInst>(&instruction))
      addIndices(extract->getIndices());
    else if (const auto *insert = dyn_cast<InsertValueInst>(&instruction))
      addIndices(insert->getIndices());
    else if (const auto *pad = dyn_cast<LandingPadInst>(&instruction))
      code.number(pad->isCleanup()); // the types of the operands tell the clauses
    else
      addMemoryDetails(instruction);
  }

  template <typename Index> void addIndices(ArrayRef<Index> indices) {
    code.number(indices.size());
    for (const Index index : indices)
      code.number(static_cast<uint32_t>(index)); // a mask has -1 for any element
  }

  void addMemoryDetails(const Instruction &instruction) {
    code.number(instruction.isVolatile());
    if (!instruction.isAtomic())
      return;
    const SyncScope::ID scope = *getAtomicSyncScopeID(&instruction);
    code.text(instruction.getContext().getSyncScopeName(scope).value_or(""));
    if (const auto *load = dyn_cast<LoadInst>(&instruction))
      put(load->getOrdering());
    else if (const auto *store = dyn_cast<StoreInst>(&instruction))
      put(store->getOrdering());
    else if (const auto *fence = dyn_cast<FenceInst>(&instruction))
      put(fence->getOrdering());
    else if (const auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
      code.number(update->getOperation());
      put(update->getOrdering());
    } else if (const auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
      code.number(exchange->isWeak());
      put(exchange->getSuccessOrdering());
      put(exchange->getFailureOrdering());
    }
  }

  void put(AtomicOrdering ordering) { code.number(static_cast<uint64_t>(ordering)); }

  void addCall(const CallBase &call) {
    code.number(call.getCallingConv());
    put(call.getFunctionType());
    const auto *plain = dyn_cast<CallInst>(&call);
    code.number(plain && plain->isMustTailCall());
    code.number(plain && plain->isNoTailCall());
    code.number(call.getNumOperandBundles());
    for (unsigned i = 0; i < call.getNumOperandBundles(); ++i) {
      const OperandBundleUse bundle = call.getOperandBundleAt(i);
      code.text(bundle.getTagName());
      code.number(bundle.Inputs.size());
    }
  }

  void addOperand(const Value &operand) {
    if (const auto found = locals.find(&operand); found != locals.end()) {
      put(Tag::Local);
      code.number(found->second);
    } else if (const auto *constant = dyn_cast<Constant>(&operand)) {
      addConstant(*constant);
    } else if (const auto *assembly = dyn_cast<InlineAsm>(&operand)) {
      addAssembly(*assembly);
    } else if (const auto *metadata = dyn_cast<MetadataAsValue>(&operand)) {
      put(Tag::Metadata);
      const auto *string = dyn_cast<MDString>(metadata->getMetadata());
      code.text(string ? string->getString() : "");
    } else {
      put(Tag::Label); // a block of another function, in a blockaddress
    }
  }

  void addConstant(const Constant &constant) {
    if (const auto *global = dyn_cast<GlobalValue>(&constant)) {
      put(Tag::Global);
      code.number(globals.number(*global));
    } else if (isLiteral(constant)) {
      put(Tag::Literal);
      put(constant.getType());
    } else if (isa<UndefValue>(constant)) {
      put(isa<PoisonValue>(constant) ? Tag::Poison : Tag::Undef);
      put(constant.getType());
    } else {
      addComposite(constant);
    }
  }

  void addComposite(const Constant &constant) {
    put(Tag::Composite);
    code.number(constant.getValueID());
    put(constant.getType());
    if (const auto *expression = dyn_cast<ConstantExpr>(&constant))
      code.number(expression->getOpcode());
    if (const auto *address = dyn_cast<GEPOperator>(&constant))
      put(address->getSourceElementType());
    code.number(constant.getNumOperands());
    for (const Use &operand : constant.operands())
      addOperand(*operand);
  }

  void addAssembly(const InlineAsm &assembly) {
    put(Tag::Assembly);
    code.text(assembly.getAsmString());
    code.text(assembly.getConstraintString());
    code.number(assembly.hasSideEffects());
    code.number(assembly.isAlignStack());
    code.number(assembly.getDialect());
    code.number(assembly.canThrow());
  }

  SHA256 hash;
  Stream code;
  TypeTable types;
  GlobalTable globals{types};
  DenseMap<const Value *, unsigned> locals;
};

} // namespace

std::string nearHashOf(const llvm::Module &module) { return NearHasher().run(module); }

} // namespace llmopt
