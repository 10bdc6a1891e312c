// What makes two states of a module the same: see state_key.cpp.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"

#include <cstdint>
#include <utility>

namespace llmopt {

using StateKey = std::pair<uint64_t, uint64_t>;

// Makes keys of modules of one context; no key means anything in another.
class StateKeyMaker {
public:
  StateKey operator()(const llvm::Module &module);

private:
  using Number = uint64_t;

  void number(const llvm::Value &value) { numbers.try_emplace(&value, numbers.size()); }
  void numberAll(const llvm::Module &module);
  void put(uint64_t word) { words.push_back(word); }
  void put(const void *unique) { put(reinterpret_cast<uintptr_t>(unique)); }
  void putAlign(llvm::MaybeAlign align) { put(align ? align->value() : 0); }
  void putText(llvm::StringRef text);
  void putMaybe(const llvm::Value *value);
  void putValue(const llvm::Value &value);
  void putConstant(const llvm::Constant &constant);
  void putMetadata(const llvm::Metadata *metadata);
  void putNode(const llvm::MDNode &node);
  template <typename Holder> void putAttachments(const Holder &holder);
  void putGlobal(const llvm::GlobalValue &global);
  void putFunction(const llvm::Function &function);
  void putInstruction(const llvm::Instruction &instruction);
  void putDetails(const llvm::Instruction &instruction);
  void putCall(const llvm::CallBase &call);
  void putMemory(const llvm::Instruction &instruction);
  void putUses(const llvm::Value &value);
  // Whether a node says the same in every module of the context.
  bool isClosed(const llvm::MDNode &node);

  llvm::DenseMap<const llvm::Value *, Number> numbers;
  llvm::DenseMap<const llvm::Metadata *, Number> nodes;
  llvm::DenseMap<const llvm::MDNode *, bool> closed;
  llvm::SmallVector<uint64_t, 0> words;
};

} // namespace llmopt
