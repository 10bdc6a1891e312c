// The graph of a module, for graph neural networks. llmopt_bench/graph.py says what it holds.
#pragma once

#include "llvm/IR/Constant.h"
#include "llvm/IR/Instruction.h"
#include "llvm/IR/Module.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llmopt {

enum class NodeKind : uint8_t { Instruction, Value, Constant, Type };
enum class EdgeKind : uint8_t { Control, Data, Call, Type };
constexpr size_t EdgeKinds = 4;

struct ProgramGraph {
  // Of the nodes.
  std::vector<uint8_t> kinds;
  std::vector<int32_t> labels;
  // All sources, then all targets.
  std::vector<int32_t> edges;
  // Of the edges.
  std::vector<uint8_t> edgeKinds;
  std::vector<int32_t> positions;
};

// graph.cpp
ProgramGraph graphOf(const llvm::Module &module);

// graph_labels.cpp: the names of all labels in order, and the label of what a node stands for.
std::vector<std::string> graphVocabulary();
int32_t labelOf(const llvm::Instruction &instruction);
int32_t labelOf(const llvm::Constant &constant);
int32_t labelOf(const llvm::Type &type);
// Of nodes that stand for no single instruction, constant or type.
enum class Role : int32_t { Outside, ExternalFunction, Argument, Result };
inline int32_t labelOf(Role role) { return static_cast<int32_t>(role); }

} // namespace llmopt
