// The vocabulary of the graph: what is fixed here, then one label for each opcode in LLVM's order.
// Compares, branches and calls have several, since what they do differs most.
#include "graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

#include <array>
#include <iterator>

using namespace llvm;

namespace llmopt {
namespace {

enum Label : int32_t {
  // Those of Role come first.
  LastOfRoles = static_cast<int32_t>(Role::Result),
  IntegerZero, IntegerOne, IntegerMinusOne, IntegerSmall, IntegerOther, FloatZero, FloatOther, Null,
  Undef, Poison, ZeroAggregate, Aggregate, Expression, GlobalVar, GlobalConst, GlobalDeclared,
  GlobalFunction, Alias, Address, ConstantOther,
  Int1, Int8, Int16, Int32, Int64, Int128, IntOther, Float, Double, FloatOtherType, Pointer, Array,
  Struct, Vector, TypeOther,
  FixedLabels
};

constexpr const char *FixedNames[] = {
    "outside", "external function", "argument", "result",
    "constant int zero", "constant int one", "constant int minus one", "constant int small",
    "constant int other", "constant float zero", "constant float other", "constant null",
    "constant undef", "constant poison", "constant zero aggregate", "constant aggregate",
    "constant expression", "constant global variable", "constant global constant",
    "constant global declared", "constant function", "constant alias", "constant block address",
    "constant other",
    "type i1", "type i8", "type i16", "type i32", "type i64", "type i128", "type int other",
    "type float", "type double", "type float other", "type ptr", "type array", "type struct",
    "type vector", "type other"};
static_assert(std::size(FixedNames) == FixedLabels);

constexpr unsigned Opcodes[] = {
#define HANDLE_USER_INST(num, opcode, klass)
#define HANDLE_INST(num, opcode, klass) num,
#include "llvm/IR/Instruction.def"
};

// The intrinsics that are common in C and C++.
constexpr Intrinsic::ID Intrinsics[] = {
    Intrinsic::memcpy, Intrinsic::memmove, Intrinsic::memset, Intrinsic::lifetime_start,
    Intrinsic::lifetime_end, Intrinsic::assume, Intrinsic::abs, Intrinsic::smax, Intrinsic::smin,
    Intrinsic::umax, Intrinsic::umin, Intrinsic::bswap, Intrinsic::ctpop, Intrinsic::ctlz,
    Intrinsic::cttz, Intrinsic::fshl, Intrinsic::fshr, Intrinsic::fabs, Intrinsic::fmuladd,
    Intrinsic::floor, Intrinsic::ceil, Intrinsic::sqrt, Intrinsic::umul_with_overflow,
    Intrinsic::uadd_with_overflow, Intrinsic::usub_sat, Intrinsic::stacksave,
    Intrinsic::stackrestore, Intrinsic::trap, Intrinsic::vastart, Intrinsic::vaend,
    Intrinsic::eh_typeid_for, Intrinsic::expect, Intrinsic::threadlocal_address};

// The labels of calls, from the first one.
enum CallClass : int32_t { Direct, Indirect, Assembly, TargetIntrinsic, OtherIntrinsic, Known };

class Vocabulary {
public:
  Vocabulary() : names(std::begin(FixedNames), std::end(FixedNames)) {
    for (const unsigned opcode : Opcodes) {
      first[opcode] = static_cast<int32_t>(names.size());
      addOpcode(opcode, Instruction::getOpcodeName(opcode));
    }
    for (const Intrinsic::ID intrinsic : Intrinsics)
      known.insert({intrinsic, Known + static_cast<int32_t>(known.size())});
  }

  int32_t callClass(const CallInst &call) const {
    if (const Intrinsic::ID intrinsic = call.getIntrinsicID()) {
      if (const auto found = known.find(intrinsic); found != known.end())
        return found->second;
      return Intrinsic::isTargetIntrinsic(intrinsic) ? TargetIntrinsic : OtherIntrinsic;
    }
    return call.isInlineAsm() ? Assembly : call.getCalledFunction() ? Direct : Indirect;
  }

  std::vector<std::string> names;
  // The first, or only, label of each opcode.
  std::array<int32_t, 128> first{};

private:
  void addOpcode(unsigned opcode, const std::string &name) {
    switch (opcode) {
    case Instruction::ICmp:
      return addPredicates(name, CmpInst::FIRST_ICMP_PREDICATE, CmpInst::LAST_ICMP_PREDICATE);
    case Instruction::FCmp:
      return addPredicates(name, CmpInst::FIRST_FCMP_PREDICATE, CmpInst::LAST_FCMP_PREDICATE);
    case Instruction::Br: return add({name, name + " conditional"});
    case Instruction::Call:
      add({name, name + " indirect", name + " asm", name + " target intrinsic",
           name + " other intrinsic"});
      for (const Intrinsic::ID intrinsic : Intrinsics)
        names.push_back(name + " " + Intrinsic::getBaseName(intrinsic).str());
      return;
    default: names.push_back(name);
    }
  }

  void addPredicates(const std::string &name, unsigned from, unsigned last) {
    for (unsigned predicate = from; predicate <= last; ++predicate)
      names.push_back(
          name + " " +
          CmpInst::getPredicateName(static_cast<CmpInst::Predicate>(predicate)).str());
  }

  void add(std::initializer_list<std::string> more) {
    names.insert(names.end(), more.begin(), more.end());
  }

  DenseMap<unsigned, int32_t> known;
};

const Vocabulary &vocabulary() {
  static const Vocabulary vocabulary;
  return vocabulary;
}

int32_t labelOfInteger(const APInt &value) {
  if (value.isZero())
    return IntegerZero;
  // Before minus one: of one bit, they are the same.
  if (value.isOne())
    return IntegerOne;
  if (value.isAllOnes())
    return IntegerMinusOne;
  return value.isSignedIntN(8) ? IntegerSmall : IntegerOther;
}

int32_t labelOfGlobal(const GlobalValue &global) {
  if (const auto *variable = dyn_cast<GlobalVariable>(&global))
    return variable->isDeclaration() ? GlobalDeclared
           : variable->isConstant()  ? GlobalConst
                                     : GlobalVar;
  return isa<Function>(global) ? GlobalFunction : Alias;
}

int32_t labelOfIntegerType(unsigned bits) {
  switch (bits) {
  case 1: return Int1;
  case 8: return Int8;
  case 16: return Int16;
  case 32: return Int32;
  case 64: return Int64;
  case 128: return Int128;
  default: return IntOther;
  }
}

} // namespace

std::vector<std::string> graphVocabulary() { return vocabulary().names; }

int32_t labelOf(const Instruction &instruction) {
  const int32_t first = vocabulary().first[instruction.getOpcode()];
  switch (instruction.getOpcode()) {
  case Instruction::ICmp:
    return first + cast<CmpInst>(instruction).getPredicate() - CmpInst::FIRST_ICMP_PREDICATE;
  case Instruction::FCmp:
    return first + cast<CmpInst>(instruction).getPredicate() - CmpInst::FIRST_FCMP_PREDICATE;
  case Instruction::Br: return first + cast<BranchInst>(instruction).isConditional();
  case Instruction::Call: return first + vocabulary().callClass(cast<CallInst>(instruction));
  default: return first;
  }
}

int32_t labelOf(const Constant &constant) {
  if (const auto *number = dyn_cast<ConstantInt>(&constant))
    return labelOfInteger(number->getValue());
  if (const auto *number = dyn_cast<ConstantFP>(&constant))
    return number->isZero() ? FloatZero : FloatOther;
  if (const auto *global = dyn_cast<GlobalValue>(&constant))
    return labelOfGlobal(*global);
  if (isa<ConstantPointerNull>(constant))
    return Null;
  if (isa<UndefValue>(constant))
    return isa<PoisonValue>(constant) ? Poison : Undef;
  if (isa<ConstantAggregateZero>(constant))
    return ZeroAggregate;
  if (isa<ConstantAggregate, ConstantDataSequential>(constant))
    return Aggregate;
  if (isa<ConstantExpr>(constant))
    return Expression;
  return isa<BlockAddress>(constant) ? Address : ConstantOther;
}

int32_t labelOf(const Type &type) {
  switch (type.getTypeID()) {
  case Type::IntegerTyID: return labelOfIntegerType(type.getIntegerBitWidth());
  case Type::FloatTyID: return Float;
  case Type::DoubleTyID: return Double;
  case Type::PointerTyID: return Pointer;
  case Type::ArrayTyID: return Array;
  case Type::StructTyID: return Struct;
  case Type::FixedVectorTyID:
  case Type::ScalableVectorTyID: return Vector;
  default: return type.isFloatingPointTy() ? FloatOtherType : TypeOther;
  }
}

} // namespace llmopt
