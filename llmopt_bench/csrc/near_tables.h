// What the near-duplicate hash is fed with: numbers in place of types and globals, and tables that
// say what the numbers stand for.
#pragma once

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/GlobalValue.h"

#include <cstdint>

namespace llmopt {

// Where each item ends is known from what came before, so that no two sequences look the same.
class Stream {
public:
  void number(uint64_t value);
  void text(llvm::StringRef value);
  llvm::ArrayRef<uint8_t> view() const { return bytes; }
  void clear() { bytes.clear(); }

private:
  llvm::SmallVector<uint8_t, 0> bytes;
};

// Types by number of first use; equal numbers are equal structures, whatever the names.
class TypeTable {
public:
  unsigned number(const llvm::Type *type);
  llvm::ArrayRef<uint8_t> view() const { return structures.view(); }

private:
  void describe(const llvm::Type &type, Stream &out);

  llvm::DenseMap<const llvm::Type *, unsigned> known;
  llvm::StringMap<unsigned> numbers;
  Stream structures;
};

// Globals by number of first use.
class GlobalTable {
public:
  explicit GlobalTable(TypeTable &types) : types(types) {}
  unsigned number(const llvm::GlobalValue &global);
  llvm::ArrayRef<uint8_t> view() const { return kinds.view(); }

private:
  void describe(const llvm::GlobalValue &global);

  TypeTable &types;
  llvm::DenseMap<const llvm::GlobalValue *, unsigned> numbers;
  Stream kinds;
};

} // namespace llmopt
