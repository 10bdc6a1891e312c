// The key of a state: two modules of one context have the same one when no pass can tell them
// apart. Unlike the content hash it holds what passes see and a reader of the code does not: the
// order of use lists, of which some passes make decisions, and the number of everything.
//
// Types, attributes, plain constants and metadata are unique in their context, so their address
// stands for them. Names of local values are left out: no pass looks at them.
#include "state_key.h"

#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace llmopt {
namespace {

enum Tag : uint64_t { Nothing = 1, Known, New, Unique, Text };

StateKey hashOf(const void *data, size_t size) {
  const XXH128_hash_t hash = xxh3_128bits(
      ArrayRef<uint8_t>(static_cast<const uint8_t *>(data), size));
  return {hash.low64, hash.high64};
}

// Nodes of debug info hold more than their operands, and code with debug info has records beside
// the instructions.
bool hasDebugInfo(const llvm::Module &module) {
  return module.getNamedMetadata("llvm.dbg.cu") != nullptr;
}

StateKey keyOfBitcode(const llvm::Module &module) {
  std::string bytes;
  raw_string_ostream stream(bytes);
  WriteBitcodeToFile(module, stream, /*ShouldPreserveUseListOrder=*/true);
  return hashOf(bytes.data(), bytes.size());
}

} // namespace

StateKey StateKeyMaker::operator()(const llvm::Module &module) {
  if (hasDebugInfo(module))
    return keyOfBitcode(module);
  numbers.clear();
  nodes.clear();
  words.clear();
  numberAll(module);
  for (const GlobalValue &global : module.global_values())
    putGlobal(global);
  for (const Function &function : module)
    putFunction(function);
  for (const NamedMDNode &named : module.named_metadata()) {
    putText(named.getName());
    for (const MDNode *node : named.operands())
      putMetadata(node);
  }
  for (const GlobalValue &global : module.global_values())
    putUses(global);
  return hashOf(words.data(), words.size() * sizeof words[0]);
}

// Before anything is written, since a value may be used before it is defined.
void StateKeyMaker::numberAll(const llvm::Module &module) {
  for (const GlobalValue &global : module.global_values())
    number(global);
  for (const Function &function : module) {
    for (const Argument &argument : function.args())
      number(argument);
    for (const BasicBlock &block : function) {
      number(block);
      for (const Instruction &instruction : block)
        number(instruction);
    }
  }
}

void StateKeyMaker::putText(StringRef text) {
  put(Text);
  put(xxh3_64bits(text));
  put(text.size());
}

void StateKeyMaker::putMaybe(const Value *value) {
  if (value)
    putValue(*value);
  else
    put(Nothing);
}

void StateKeyMaker::putValue(const Value &value) {
  if (const auto found = numbers.find(&value); found != numbers.end()) {
    put(Known);
    put(found->second);
  } else if (const auto *constant = dyn_cast<Constant>(&value)) {
    putConstant(*constant);
  } else if (const auto *metadata = dyn_cast<MetadataAsValue>(&value)) {
    putMetadata(metadata->getMetadata());
  } else { // inline assembly
    put(Unique);
    put(&value);
  }
}

void StateKeyMaker::putConstant(const Constant &constant) {
  if (isa<ConstantData>(constant)) {
    put(Unique);
    put(&constant);
    return;
  }
  put(New);
  number(constant);
  put(constant.getValueID());
  put(constant.getType());
  put(constant.getRawSubclassOptionalData());
  if (const auto *expression = dyn_cast<ConstantExpr>(&constant))
    put(expression->getOpcode());
  if (const auto *address = dyn_cast<GEPOperator>(&constant)) {
    put(address->getSourceElementType());
    if (const std::optional<ConstantRange> range = address->getInRange()) {
      put(hash_value(range->getLower()));
      put(hash_value(range->getUpper()));
    }
  }
  put(constant.getNumOperands());
  for (const Use &operand : constant.operands())
    putValue(*operand);
  putUses(constant);
}

void StateKeyMaker::putMetadata(const Metadata *metadata) {
  if (!metadata) {
    put(Nothing);
  } else if (const auto *value = dyn_cast<ValueAsMetadata>(metadata)) {
    putValue(*value->getValue());
  } else if (const auto *node = dyn_cast<MDNode>(metadata)) {
    putNode(*node);
  } else { // a string, or a list of arguments
    put(Unique);
    put(metadata);
  }
}

void StateKeyMaker::putNode(const MDNode &node) {
  if (isClosed(node)) {
    put(Unique);
    put(&node);
    return;
  }
  const auto [found, isNew] = nodes.try_emplace(&node, nodes.size());
  put(isNew ? New : Known);
  put(found->second);
  if (!isNew)
    return;
  put(node.getMetadataID());
  put(node.isDistinct());
  put(node.getNumOperands());
  for (const MDOperand &operand : node.operands())
    putMetadata(operand.get());
}

bool StateKeyMaker::isClosed(const MDNode &node) {
  if (!node.isUniqued())
    return false;
  // A circle of nodes has a distinct one in it, so the value that is put first is never taken.
  const auto [found, isNew] = closed.try_emplace(&node, false);
  if (!isNew)
    return found->second;
  bool all = true;
  for (const MDOperand &operand : node.operands()) {
    const Metadata *part = operand.get();
    if (const auto *inner = dyn_cast_or_null<MDNode>(part))
      all = all && isClosed(*inner);
    else if (const auto *value = dyn_cast_or_null<ValueAsMetadata>(part))
      all = all && isa<ConstantData>(value->getValue());
  }
  return closed[&node] = all;
}

// Of an instruction, a function or a variable.
template <typename Holder> void StateKeyMaker::putAttachments(const Holder &holder) {
  if (!holder.hasMetadata())
    return;
  SmallVector<std::pair<unsigned, MDNode *>, 4> found;
  holder.getAllMetadata(found);
  for (const auto &[kind, node] : found) {
    put(kind);
    putMetadata(node);
  }
}

void StateKeyMaker::putGlobal(const GlobalValue &global) {
  putText(global.getName());
  put(global.getValueType());
  put(global.getLinkage() | global.getVisibility() << 8 | global.getDLLStorageClass() << 16 |
      uint64_t(global.getUnnamedAddr()) << 24 | uint64_t(global.getThreadLocalMode()) << 32 |
      uint64_t(global.isDSOLocal()) << 40 | uint64_t(global.getAddressSpace()) << 41);
  putText(global.getPartition());
  if (const auto *object = dyn_cast<GlobalObject>(&global)) {
    putText(object->getSection());
    putText(object->getComdat() ? object->getComdat()->getName() : "");
    putAttachments(*object);
  }
  if (const auto *variable = dyn_cast<GlobalVariable>(&global)) {
    put(variable->isConstant() | variable->isExternallyInitialized() << 1);
    putAlign(variable->getAlign());
    for (const Attribute attribute : variable->getAttributes())
      put(attribute.getRawPointer());
    putMaybe(variable->hasInitializer() ? variable->getInitializer() : nullptr);
  } else if (const auto *alias = dyn_cast<GlobalAlias>(&global)) {
    putMaybe(alias->getAliasee());
  } else if (const auto *indirect = dyn_cast<GlobalIFunc>(&global)) {
    putMaybe(indirect->getResolver());
  }
}

void StateKeyMaker::putFunction(const Function &function) {
  put(function.getAttributes().getRawPointer());
  put(function.getCallingConv());
  putAlign(function.getAlign());
  if (function.hasGC())
    putText(function.getGC());
  for (const Use &operand : function.operands()) // personality, prefix and prologue
    putValue(*operand);
  put(function.size());
  for (const BasicBlock &block : function) {
    put(block.size());
    for (const Instruction &instruction : block)
      putInstruction(instruction);
  }
  for (const Argument &argument : function.args())
    putUses(argument);
  for (const BasicBlock &block : function) {
    putUses(block);
    for (const Instruction &instruction : block)
      putUses(instruction);
  }
}

void StateKeyMaker::putInstruction(const Instruction &instruction) {
  put(instruction.getOpcode() | uint64_t(instruction.getRawSubclassOptionalData()) << 16 |
      uint64_t(instruction.getNumOperands()) << 32);
  put(instruction.getType());
  putDetails(instruction);
  for (const Use &operand : instruction.operands())
    putValue(*operand);
  putAttachments(instruction);
}

// What an instruction does beyond its opcode, flags and operands.
void StateKeyMaker::putDetails(const Instruction &instruction) {
  if (const auto *call = dyn_cast<CallBase>(&instruction))
    putCall(*call);
  else if (const auto *compare = dyn_cast<CmpInst>(&instruction))
    put(compare->getPredicate());
  else if (const auto *address = dyn_cast<GetElementPtrInst>(&instruction))
    put(address->getSourceElementType());
  else if (const auto *phi = dyn_cast<PHINode>(&instruction))
    for (const BasicBlock *block : phi->blocks())
      putValue(*block);
  else if (const auto *shuffle = dyn_cast<ShuffleVectorInst>(&instruction))
    for (const int index : shuffle->getShuffleMask())
      put(static_cast<uint64_t>(index));
  else if (const auto *extract = dyn_cast<ExtractValueInst>(&instruction))
    for (const unsigned index : extract->indices())
      put(index);
  else if (const auto *insert = dyn_cast<InsertValueInst>(&instruction))
    for (const unsigned index : insert->indices())
      put(index);
  else if (const auto *landing = dyn_cast<LandingPadInst>(&instruction))
    put(landing->isCleanup());
  else
    putMemory(instruction);
}

void StateKeyMaker::putMemory(const Instruction &instruction) {
  const auto ordered = [this](AtomicOrdering ordering, SyncScope::ID scope) {
    put(uint64_t(ordering) | uint64_t(scope) << 8);
  };
  if (const auto *slot = dyn_cast<AllocaInst>(&instruction)) {
    put(slot->getAllocatedType());
    put(slot->getAlign().value() | uint64_t(slot->isUsedWithInAlloca()) << 40 |
        uint64_t(slot->isSwiftError()) << 41);
  } else if (const auto *load = dyn_cast<LoadInst>(&instruction)) {
    put(load->getAlign().value() | uint64_t(load->isVolatile()) << 40);
    ordered(load->getOrdering(), load->getSyncScopeID());
  } else if (const auto *store = dyn_cast<StoreInst>(&instruction)) {
    put(store->getAlign().value() | uint64_t(store->isVolatile()) << 40);
    ordered(store->getOrdering(), store->getSyncScopeID());
  } else if (const auto *fence = dyn_cast<FenceInst>(&instruction)) {
    ordered(fence->getOrdering(), fence->getSyncScopeID());
  } else if (const auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
    put(update->getAlign().value() | uint64_t(update->isVolatile()) << 40);
    put(update->getOperation());
    ordered(update->getOrdering(), update->getSyncScopeID());
  } else if (const auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
    put(exchange->getAlign().value() | uint64_t(exchange->isVolatile()) << 40 |
        uint64_t(exchange->isWeak()) << 41);
    ordered(exchange->getSuccessOrdering(), exchange->getSyncScopeID());
    ordered(exchange->getFailureOrdering(), exchange->getSyncScopeID());
  }
}

void StateKeyMaker::putCall(const CallBase &call) {
  put(call.getAttributes().getRawPointer());
  put(call.getFunctionType());
  put(call.getCallingConv());
  if (const auto *plain = dyn_cast<CallInst>(&call))
    put(plain->getTailCallKind());
  for (unsigned bundle = 0; bundle < call.getNumOperandBundles(); ++bundle) {
    const OperandBundleUse part = call.getOperandBundleAt(bundle);
    put(part.getTagID());
    put(part.Inputs.size());
  }
}

void StateKeyMaker::putUses(const Value &value) {
  if (!value.hasNUsesOrMore(2))
    return;
  for (const Use &use : value.uses()) {
    // A constant that no code refers to any more may still be a user.
    const auto found = numbers.find(use.getUser());
    if (found != numbers.end())
      put(found->second << 20 | use.getOperandNo());
  }
}

} // namespace llmopt
