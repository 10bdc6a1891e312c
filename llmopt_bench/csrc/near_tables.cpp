#include "near_tables.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/Support/LEB128.h"

using namespace llvm;

namespace llmopt {

void Stream::number(uint64_t value) {
  uint8_t encoded[10];
  bytes.append(encoded, encoded + encodeULEB128(value, encoded));
}

void Stream::text(StringRef value) {
  number(value.size());
  bytes.append(value.bytes_begin(), value.bytes_end());
}

unsigned TypeTable::number(const Type *type) {
  if (const auto found = known.find(type); found != known.end())
    return found->second;
  Stream key;
  describe(*type, key);
  const auto [entry, isNew] = numbers.try_emplace(toStringRef(key.view()), numbers.size());
  if (isNew)
    structures.text(entry->getKey());
  return known[type] = entry->second;
}

// Ends, because pointers are opaque: no type contains itself.
void TypeTable::describe(const Type &type, Stream &out) {
  out.number(type.getTypeID());
  out.number(type.getNumContainedTypes());
  for (const Type *part : type.subtypes())
    out.number(number(part));
  if (const auto *integer = dyn_cast<IntegerType>(&type))
    out.number(integer->getBitWidth());
  else if (const auto *pointer = dyn_cast<PointerType>(&type))
    out.number(pointer->getAddressSpace());
  else if (const auto *structure = dyn_cast<StructType>(&type))
    out.number(structure->isOpaque() ? 2 : structure->isPacked());
  else if (const auto *function = dyn_cast<FunctionType>(&type))
    out.number(function->isVarArg());
  else if (const auto *array = dyn_cast<ArrayType>(&type))
    out.number(array->getNumElements());
  else if (const auto *vector = dyn_cast<VectorType>(&type))
    out.number(vector->getElementCount().getKnownMinValue());
  else if (const auto *target = dyn_cast<TargetExtType>(&type)) {
    out.text(target->getName());
    for (const unsigned parameter : target->int_params())
      out.number(parameter);
  }
}

namespace {

// Empty for a function that the compiler knows nothing of.
StringRef knownName(const Function &function) {
  // The library of one fixed target, so that the hash does not depend on the module's.
  static const TargetLibraryInfoImpl library{Triple("x86_64-unknown-linux-gnu")};
  if (const Intrinsic::ID id = function.getIntrinsicID())
    return Intrinsic::getBaseName(id);
  LibFunc ignored;
  const bool known = function.isIntrinsic() ||
                     (function.isDeclaration() && library.getLibFunc(function, ignored));
  return known ? function.getName() : "";
}

} // namespace

unsigned GlobalTable::number(const GlobalValue &global) {
  const auto [entry, isNew] = numbers.try_emplace(&global, numbers.size());
  const unsigned assigned = entry->second;
  if (isNew)
    describe(global);
  return assigned;
}

void GlobalTable::describe(const GlobalValue &global) {
  kinds.number(global.getValueID());
  kinds.number(types.number(global.getType()));
  if (const auto *function = dyn_cast<Function>(&global))
    kinds.text(knownName(*function));
  const auto *variable = dyn_cast<GlobalVariable>(&global);
  const bool isConstant = variable && variable->isConstant();
  kinds.number(isConstant);
  kinds.number(global.isThreadLocal());
  const Type *type = global.getValueType();
  // How long a string or a table is belongs to its value.
  const bool anyLength = isConstant && type->isArrayTy();
  kinds.number(anyLength);
  kinds.number(types.number(anyLength ? type->getArrayElementType() : type));
}

} // namespace llmopt
