// Builds the graph in two walks over the module. The first gives the nodes of instructions their
// numbers, so that the second can draw edges to what comes later. Numbers follow the order of
// functions, blocks, instructions and operands, never that of addresses.
#include "graph.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Operator.h"

#include <algorithm>
#include <array>

using namespace llvm;

namespace llmopt {
namespace {

struct Edge {
  int32_t source, target, position;
};

// Where a function is in the graph. An external one is a single node, which is both.
struct Place {
  int32_t entry;
  SmallVector<int32_t, 1> returns;
};

// A type and the node that has it.
struct TypeUse {
  const Type *type;
  int32_t node, position;
};

// The positions of edges from types.
enum TypePosition : int32_t { OwnType, TypeBehindPointer };

// An intrinsic is an operation more than a function.
const Function *calleeOf(const CallBase &call) {
  const Function *callee = call.getCalledFunction();
  return callee && !callee->isIntrinsic() ? callee : nullptr;
}

// The type that an instruction or constant says to be behind a pointer, or null: opaque pointers
// do not say it.
const Type *typeBehind(const Value &value) {
  if (const auto *slot = dyn_cast<AllocaInst>(&value))
    return slot->getAllocatedType();
  if (const auto *element = dyn_cast<GEPOperator>(&value))
    return element->getSourceElementType();
  if (const auto *variable = dyn_cast<GlobalVariable>(&value))
    return variable->getValueType();
  return nullptr;
}

class Builder {
public:
  ProgramGraph build(const llvm::Module &module) {
    numberInstructions(module);
    for (const Function &function : module)
      if (!function.isDeclaration())
        this->function(function);
    // The operands of an expression may be new constants.
    for (size_t i = 0; i < constants.size(); ++i)
      constant(*constants[i]);
    const auto firstType = static_cast<int32_t>(labels.size());
    // The elements of a type may be new types.
    for (size_t i = 0; i < typeUses.size(); ++i)
      typeUse(typeUses[i]);
    return collect(firstType);
  }

private:
  int32_t nextNode() const { return static_cast<int32_t>(labels.size()); }

  void connect(EdgeKind kind, int32_t source, int32_t target, size_t position) {
    edges[static_cast<size_t>(kind)].push_back({source, target, static_cast<int32_t>(position)});
  }

  // Instructions, then the outside, then external functions; values and constants have their
  // places after these.
  void numberInstructions(const llvm::Module &module) {
    SmallVector<const Function *, 16> external;
    for (const Function &function : module)
      if (function.isDeclaration())
        external.push_back(&function);
      else
        numberInstructions(function);
    outside = nextNode();
    labels.push_back(labelOf(Role::Outside));
    for (const Function *function : external)
      if (called.contains(function)) {
        places[function] = {nextNode(), {nextNode()}};
        labels.push_back(labelOf(Role::ExternalFunction));
      }
    firstValue = nextNode();
    firstConstant = firstValue + valueCount;
  }

  void numberInstructions(const Function &function) {
    Place &place = places[&function];
    place.entry = nextNode();
    valueCount += static_cast<int32_t>(function.arg_size());
    for (const BasicBlock &block : function)
      for (const Instruction &instruction : block) {
        if (isa<ReturnInst>(instruction))
          place.returns.push_back(nextNode());
        if (const auto *call = dyn_cast<CallBase>(&instruction))
          if (const Function *callee = calleeOf(*call); callee && callee->isDeclaration())
            called.insert(callee);
        valueCount += !instruction.getType()->isVoidTy();
        labels.push_back(labelOf(instruction));
      }
  }

  void function(const Function &function) {
    const Place &place = places.find(&function)->second;
    numberValues(function, place.entry);
    if (!function.hasLocalLinkage() || function.hasAddressTaken())
      this->call(outside, place);
    int32_t node = place.entry;
    for (const BasicBlock &block : function)
      for (const Instruction &instruction : block)
        this->instruction(instruction, node++);
  }

  void numberValues(const Function &function, int32_t node) {
    values.clear();
    blocks.assign(function.getMaxBlockNumber(), node);
    for (const Argument &argument : function.args())
      addValue(argument, Role::Argument);
    for (const BasicBlock &block : function) {
      blocks[block.getNumber()] = node;
      for (const Instruction &instruction : block) {
        if (!instruction.getType()->isVoidTy()) {
          connect(EdgeKind::Data, node, nextNode(), 0);
          addValue(instruction, Role::Result);
        }
        ++node;
      }
    }
  }

  void addValue(const Value &value, Role role) {
    values[&value] = nextNode();
    typeUses.push_back({value.getType(), nextNode(), OwnType});
    labels.push_back(labelOf(role));
  }

  void instruction(const Instruction &instruction, int32_t node) {
    control(instruction, node);
    for (const Use &use : instruction.operands())
      operand(use, node);
    // LLVM keeps the values of cases apart from the operands. Each goes by its successor.
    if (const auto *choice = dyn_cast<SwitchInst>(&instruction))
      for (const auto &option : choice->cases())
        connect(EdgeKind::Data, constantNode(*option.getCaseValue()), node,
                option.getSuccessorIndex());
    if (const auto *call = dyn_cast<CallBase>(&instruction))
      if (const Function *callee = calleeOf(*call))
        this->call(node, places.find(callee)->second);
    if (const Type *type = typeBehind(instruction))
      typeUses.push_back({type, node, TypeBehindPointer});
  }

  void control(const Instruction &instruction, int32_t node) {
    if (!instruction.isTerminator())
      return connect(EdgeKind::Control, node, node + 1, 0);
    for (unsigned i = 0; i < instruction.getNumSuccessors(); ++i)
      connect(EdgeKind::Control, node, blocks[instruction.getSuccessor(i)->getNumber()], i);
  }

  // What else there is says nothing of data: blocks, metadata, assembly, and the function called.
  void operand(const Use &use, int32_t node) {
    const Value *value = use.get();
    if (isa<Instruction, Argument>(value)) {
      connect(EdgeKind::Data, values.find(value)->second, node, use.getOperandNo());
    } else if (const auto *constant = dyn_cast<Constant>(value)) {
      const auto *call = dyn_cast<CallBase>(use.getUser());
      if (!call || !call->isCallee(&use) || !call->getCalledFunction())
        connect(EdgeKind::Data, constantNode(*constant), node, use.getOperandNo());
    }
  }

  void call(int32_t caller, const Place &callee) {
    connect(EdgeKind::Call, caller, callee.entry, 0);
    for (const int32_t end : callee.returns)
      connect(EdgeKind::Call, end, caller, 0);
  }

  int32_t constantNode(const Constant &constant) {
    const auto next = firstConstant + static_cast<int32_t>(constants.size());
    const auto [at, isNew] = constantNodes.insert({&constant, next});
    if (isNew)
      constants.push_back(&constant);
    return at->second;
  }

  // Initializers are left out: most are tables, of which passes see little.
  void constant(const Constant &constant) {
    const int32_t node = nextNode();
    labels.push_back(labelOf(constant));
    typeUses.push_back({constant.getType(), node, OwnType});
    if (const Type *type = typeBehind(constant))
      typeUses.push_back({type, node, TypeBehindPointer});
    if (isa<ConstantExpr>(constant))
      for (const Use &use : constant.operands())
        connect(EdgeKind::Data, constantNode(*cast<Constant>(use)), node, use.getOperandNo());
  }

  void typeUse(const TypeUse use) {
    const auto [at, isNew] = typeNodes.insert({use.type, nextNode()});
    connect(EdgeKind::Type, at->second, use.node, use.position);
    if (!isNew)
      return;
    const int32_t node = nextNode();
    labels.push_back(labelOf(*use.type));
    int32_t position = 0;
    for (const Type *element : use.type->subtypes())
      typeUses.push_back({element, node, position++});
  }

  ProgramGraph collect(int32_t firstType) {
    ProgramGraph graph;
    graph.kinds.assign(labels.size(), static_cast<uint8_t>(NodeKind::Type));
    const auto kinds = graph.kinds.begin();
    std::fill(kinds, kinds + firstValue, static_cast<uint8_t>(NodeKind::Instruction));
    std::fill(kinds + firstValue, kinds + firstConstant, static_cast<uint8_t>(NodeKind::Value));
    std::fill(kinds + firstConstant, kinds + firstType, static_cast<uint8_t>(NodeKind::Constant));
    graph.labels = std::move(labels);
    collectEdges(graph);
    return graph;
  }

  void collectEdges(ProgramGraph &graph) const {
    size_t count = 0;
    for (const std::vector<Edge> &some : edges)
      count += some.size();
    graph.edges.resize(2 * count);
    graph.edgeKinds.reserve(count);
    graph.positions.reserve(count);
    size_t next = 0;
    for (size_t kind = 0; kind < EdgeKinds; ++kind)
      for (const Edge &edge : edges[kind]) {
        graph.edges[next] = edge.source;
        graph.edges[count + next++] = edge.target;
        graph.edgeKinds.push_back(static_cast<uint8_t>(kind));
        graph.positions.push_back(edge.position);
      }
  }

  // One for each node that has its number for good.
  std::vector<int32_t> labels;
  std::array<std::vector<Edge>, EdgeKinds> edges;
  int32_t outside = 0, firstValue = 0, firstConstant = 0, valueCount = 0;
  DenseSet<const Function *> called;
  DenseMap<const Function *, Place> places;
  std::vector<const Constant *> constants;
  DenseMap<const Constant *, int32_t> constantNodes;
  std::vector<TypeUse> typeUses;
  DenseMap<const Type *, int32_t> typeNodes;
  // Of the function at hand: the nodes of its values, and the first of each block.
  DenseMap<const Value *, int32_t> values;
  std::vector<int32_t> blocks;
};

} // namespace

ProgramGraph graphOf(const llvm::Module &module) { return Builder().build(module); }

} // namespace llmopt
