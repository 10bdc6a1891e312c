// Autophase (56 features, Haj-Ali et al., MLSys 2020) and InstCount (70), with the definitions of
// LLVM 10 as CompilerGym computes them, so that results compare over LLVM versions; `native` gives
// what today's LLVM says under the same names.
//
// Where the two differ:
//   - the values of a switch's cases were operands in LLVM 10 and are not any more;
//   - freeze is a UnaryInstruction today and was none;
//   - ptrtoaddr did not exist; LLVM 10 would have had a ptrtoint there.
#include "module.h"

#include "llvm/IR/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Instructions.h"

#include <array>

using namespace llvm;

namespace llmopt {
namespace {

enum Feature : unsigned {
  BBNumArgsHi, BBNumArgsLo, onePred, onePredOneSuc, onePredTwoSuc, oneSuccessor, twoPred,
  twoPredOneSuc, twoEach, twoSuccessor, morePreds, BB03Phi, BBHiPhi, BBNoPhi, BeginPhi,
  BranchCount, returnInt, CriticalCount, NumEdges, const32Bit, const64Bit, numConstZeroes,
  numConstOnes, UncondBranches, binaryConstArg, NumAShrInst, NumAddInst, NumAllocaInst, NumAndInst,
  BlockMid, BlockLow, NumBitCastInst, NumBrInst, NumCallInst, NumGetElementPtrInst, NumICmpInst,
  NumLShrInst, NumLoadInst, NumMulInst, NumOrInst, NumPHIInst, NumRetInst, NumSExtInst,
  NumSelectInst, NumShlInst, NumStoreInst, NumSubInst, NumTruncInst, NumXorInst, NumZExtInst,
  TotalBlocks, TotalInsts, TotalMemInst, TotalFuncs, ArgsPhi, testUnary
};
static_assert(testUnary + 1 == AutophaseSize && TotalInsts == AutophaseTotalInsts);

constexpr const char *AutophaseNames[] = {
    "BBNumArgsHi", "BBNumArgsLo", "onePred", "onePredOneSuc", "onePredTwoSuc", "oneSuccessor",
    "twoPred", "twoPredOneSuc", "twoEach", "twoSuccessor", "morePreds", "BB03Phi", "BBHiPhi",
    "BBNoPhi", "BeginPhi", "BranchCount", "returnInt", "CriticalCount", "NumEdges", "const32Bit",
    "const64Bit", "numConstZeroes", "numConstOnes", "UncondBranches", "binaryConstArg",
    "NumAShrInst", "NumAddInst", "NumAllocaInst", "NumAndInst", "BlockMid", "BlockLow",
    "NumBitCastInst", "NumBrInst", "NumCallInst", "NumGetElementPtrInst", "NumICmpInst",
    "NumLShrInst", "NumLoadInst", "NumMulInst", "NumOrInst", "NumPHIInst", "NumRetInst",
    "NumSExtInst", "NumSelectInst", "NumShlInst", "NumStoreInst", "NumSubInst", "NumTruncInst",
    "NumXorInst", "NumZExtInst", "TotalBlocks", "TotalInsts", "TotalMemInst", "TotalFuncs",
    "ArgsPhi", "testUnary"};
static_assert(std::size(AutophaseNames) == AutophaseSize);

constexpr unsigned NoFeature = ~0U;

// The features that are the count of one opcode.
unsigned autophaseOf(unsigned opcode) {
  switch (opcode) {
  case Instruction::AShr: return NumAShrInst;
  case Instruction::Add: return NumAddInst;
  case Instruction::Alloca: return NumAllocaInst;
  case Instruction::And: return NumAndInst;
  case Instruction::BitCast: return NumBitCastInst;
  case Instruction::Br: return NumBrInst;
  case Instruction::Call: return NumCallInst;
  case Instruction::GetElementPtr: return NumGetElementPtrInst;
  case Instruction::ICmp: return NumICmpInst;
  case Instruction::LShr: return NumLShrInst;
  case Instruction::Load: return NumLoadInst;
  case Instruction::Mul: return NumMulInst;
  case Instruction::Or: return NumOrInst;
  case Instruction::PHI: return NumPHIInst;
  case Instruction::Ret: return NumRetInst;
  case Instruction::SExt: return NumSExtInst;
  case Instruction::Select: return NumSelectInst;
  case Instruction::Shl: return NumShlInst;
  case Instruction::Store: return NumStoreInst;
  case Instruction::Sub: return NumSubInst;
  case Instruction::Trunc: return NumTruncInst;
  case Instruction::Xor: return NumXorInst;
  case Instruction::ZExt: return NumZExtInst;
  default: return NoFeature;
  }
}

class AutophaseCounter {
public:
  AutophaseCounter(int64_t *out, bool native) : out(out), native(native) {}

  void module(const llvm::Module &m) {
    std::fill_n(out, AutophaseSize, 0);
    for (const Function &function : m) {
      ++out[TotalFuncs];
      countPredecessors(function);
      for (const BasicBlock &block : function)
        this->block(block);
    }
    out[BranchCount] = out[NumBrInst];
    out[TotalMemInst] += out[NumGetElementPtrInst] + out[NumLoadInst] + out[NumStoreInst] +
                         out[NumCallInst] + out[NumAllocaInst];
  }

private:
  // By walking the terminators once, not the use lists of every block twice.
  void countPredecessors(const Function &function) {
    predecessors.assign(function.getMaxBlockNumber(), 0);
    for (const BasicBlock &block : function)
      for (const BasicBlock *next : successors(&block))
        ++predecessors[next->getNumber()];
  }

  void block(const BasicBlock &block) {
    ++out[TotalBlocks];
    edges(block);
    unsigned phis = 0;
    unsigned incoming = 0;
    int64_t size = 0;
    for (const Instruction &i : block) {
      ++size;
      if (const auto *phi = dyn_cast<PHINode>(&i)) {
        ++phis;
        incoming += phi->getNumIncomingValues();
      }
      instruction(i);
    }
    out[TotalInsts] += size;
    phiNodes(block, phis, incoming);
    if (size < 15)
      ++out[BlockLow];
    else if (size <= 500)
      ++out[BlockMid];
  }

  void phiNodes(const BasicBlock &block, unsigned phis, unsigned incoming) {
    ++out[phis == 0 ? BBNoPhi : phis <= 3 ? BB03Phi : BBHiPhi];
    if (!block.empty() && isa<PHINode>(block.front()))
      ++out[BeginPhi];
    if (incoming > 5)
      ++out[BBNumArgsHi];
    else if (incoming > 0)
      ++out[BBNumArgsLo];
    out[ArgsPhi] += incoming;
  }

  // Edges count with multiplicity: two cases of a switch to one block are two.
  void edges(const BasicBlock &block) {
    const unsigned preds = predecessors[block.getNumber()];
    const Instruction *terminator = block.getTerminator();
    const unsigned succs = terminator ? terminator->getNumSuccessors() : 0;
    out[NumEdges] += succs;
    if (preds == 1) {
      ++out[onePred];
      out[onePredOneSuc] += succs == 1;
      out[onePredTwoSuc] += succs == 2;
    } else if (preds == 2) {
      ++out[twoPred];
      out[twoPredOneSuc] += succs == 1;
      out[twoEach] += succs == 2;
    } else if (preds > 2) {
      ++out[morePreds];
    }
    out[oneSuccessor] += succs == 1;
    out[twoSuccessor] += succs == 2;
    if (succs > 1)
      for (unsigned i = 0; i < succs; ++i)
        out[CriticalCount] += predecessors[terminator->getSuccessor(i)->getNumber()] > 1;
  }

  void instruction(const Instruction &i) {
    if (const unsigned feature = autophaseOf(i.getOpcode()); feature != NoFeature)
      ++out[feature];
    if (const auto *call = dyn_cast<CallInst>(&i)) {
      const Function *callee = call->getCalledFunction();
      out[returnInt] += callee && callee->getReturnType()->isIntegerTy();
    } else if (const auto *branch = dyn_cast<BranchInst>(&i)) {
      out[UncondBranches] += branch->isUnconditional();
    } else if (isa<BinaryOperator>(i)) {
      out[binaryConstArg] += isa<Constant>(i.getOperand(0)) || isa<Constant>(i.getOperand(1));
    } else if (isa<InvokeInst>(i)) {
      ++out[TotalMemInst];
    }
    out[testUnary] += isa<UnaryInstruction>(i) && (native || !isa<FreezeInst>(i));
    constants(i);
  }

  void constants(const Instruction &i) {
    for (const Use &use : i.operands())
      if (const auto *number = dyn_cast<ConstantInt>(use.get()))
        constant(*number);
    if (native)
      return;
    if (const auto *choice = dyn_cast<SwitchInst>(&i))
      for (const auto &option : choice->cases())
        constant(*option.getCaseValue());
  }

  void constant(const ConstantInt &number) {
    out[const32Bit] += number.getBitWidth() == 32;
    out[const64Bit] += number.getBitWidth() == 64;
    if (number.isOne())
      ++out[numConstOnes];
    else if (number.isZero())
      ++out[numConstZeroes];
  }

  int64_t *out;
  const bool native;
  // Edges into each block of the function at hand, by block number.
  SmallVector<unsigned, 64> predecessors;
};

struct Opcode {
  unsigned number;
  const char *name;
};

// By name, in today's order.
constexpr Opcode NativeOpcodes[] = {
#define HANDLE_INST(num, opcode, klass) {num, #opcode},
#include "llvm/IR/Instruction.def"
};

// The opcodes that LLVM 10 did not have.
bool isNew(StringRef name) { return name == "PtrToAddr"; }

// The opcodes of LLVM 10 in its order, which is today's without the new ones.
const std::vector<const char *> &llvm10Opcodes() {
  static const std::vector<const char *> names = [] {
    std::vector<const char *> out;
    for (const Opcode &opcode : NativeOpcodes)
      if (!isNew(opcode.name))
        out.push_back(opcode.name);
    return out;
  }();
  return names;
}

constexpr size_t MaxOpcode = 128;
using Slots = std::array<unsigned, MaxOpcode>;

Slots makeSlots(bool native) {
  Slots slots{};
  unsigned next = 3; // after the three totals
  for (const Opcode &opcode : NativeOpcodes)
    if (native || !isNew(opcode.name))
      slots[opcode.number] = next++;
  if (!native)
    slots[Instruction::PtrToAddr] = slots[Instruction::PtrToInt];
  return slots;
}

} // namespace

void computeAutophase(const llvm::Module &module, int64_t *out, bool native) {
  AutophaseCounter(out, native).module(module);
}

void computeInstcount(const llvm::Module &module, int64_t *out, bool native) {
  static const Slots slots[] = {makeSlots(false), makeSlots(true)};
  std::fill_n(out, instcountNames(native).size(), 0);
  for (const Function &function : module) {
    ++out[2];
    for (const BasicBlock &block : function) {
      ++out[1];
      for (const Instruction &instruction : block) {
        ++out[0];
        ++out[slots[native][instruction.getOpcode()]];
      }
    }
  }
}

std::vector<std::string> autophaseNames() {
  return {std::begin(AutophaseNames), std::end(AutophaseNames)};
}

std::vector<std::string> instcountNames(bool native) {
  std::vector<std::string> names = {"TotalInsts", "TotalBlocks", "TotalFuncs"};
  if (native)
    for (const Opcode &opcode : NativeOpcodes)
      names.emplace_back(opcode.name);
  else
    for (const char *name : llvm10Opcodes())
      names.emplace_back(name);
  return names;
}

} // namespace llmopt
