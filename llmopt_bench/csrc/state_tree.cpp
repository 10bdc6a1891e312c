// Search asks for thousands of pass lists of one program. Most of them begin like others, most
// passes change nothing, and different lists meet in the same code. The tree has one state for each
// different module and knows where each pass leads from there; a list costs the passes that nobody
// has run from where it stands.
//
// A state is the IR with the order of its use lists (state_key.cpp) and the analyses that change
// what passes do (kept_analyses.cpp).
#include "state_tree.h"

#include "module.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace llmopt {
namespace {

// Values get no names, which no pass looks at and which cost time to make up.
class WithoutNames {
public:
  explicit WithoutNames(LLVMContext &context)
      : context(context), before(context.shouldDiscardValueNames()) {
    context.setDiscardValueNames(true);
  }
  ~WithoutNames() { context.setDiscardValueNames(before); }
  WithoutNames(const WithoutNames &) = delete;

private:
  LLVMContext &context;
  const bool before;
};

} // namespace

TreeLimits StateTree::limits;

StateTree::StateTree(std::shared_ptr<Compiler> compiler, const llvm::Module &root)
    : compiler(std::move(compiler)) {
  const WithoutNames unnamed(this->compiler->context);
  start(cloneExactly(root));
}

StateTree::~StateTree() = default;

void StateTree::start(std::unique_ptr<llvm::Module> ir) {
  states.clear();
  byKey.clear();
  State &root = states.emplace_back();
  root.code = codeOf(*ir);
  root.instructions = storedInstructions = ir->getInstructionCount();
  root.ir = std::move(ir);
  byKey[root.code] = 0;
}

uint64_t StateTree::evaluate(const std::vector<std::string> &list, bool wantsTextSize) {
  const WithoutNames unnamed(compiler->context);
  saveMemory();
  const Number at = follow(list);
  State &state = states[at];
  if (!wantsTextSize)
    return state.instructions;
  if (!state.textSize) {
    std::optional<Working> working = copyOf(at);
    state.textSize = textSizeOf(*working->ir, compiler->requireCodegenMachine());
    compiler->throwDiagnostics("generating code");
    release(working);
  }
  return *state.textSize;
}

StateTree::Number StateTree::numberOf(const std::string &pipeline) {
  const auto [found, isNew] = pipelineNumbers.try_emplace(pipeline, pipelines.size());
  if (isNew)
    pipelines.push_back(pipeline);
  return found->second;
}

// The state after a list.
StateTree::Number StateTree::follow(const std::vector<std::string> &list) {
  Number at = 0;
  // The module at that state, if the passes that led there were run just now.
  std::optional<Working> working;
  for (const std::string &text : list) {
    const Number pipeline = numberOf(text);
    if (const auto known = states[at].next.find(pipeline); known != states[at].next.end()) {
      if (known->second != at)
        release(working);
      at = known->second;
      continue;
    }
    if (const auto failure = states[at].failures.find(pipeline);
        failure != states[at].failures.end())
      throw CoreError(ErrorKind::CompilerError, failure->second);
    if (!working)
      working.emplace(copyOf(at));
    at = step(at, pipeline, *working);
  }
  release(working);
  return at;
}

void StateTree::release(std::optional<Working> &working) {
  if (!working)
    return;
  spareManagers = std::move(working->managers);
  // Loops and parts of the call graph belong to results of the larger units, so they go first.
  spareManagers->loops.clear();
  spareManagers->functions.clear();
  spareManagers->sccs.clear();
  spareManagers->modules.clear();
  working.reset();
}

StateTree::Number StateTree::step(Number from, Number pipeline, Working &working) {
  try {
    run(pipeline, working);
  } catch (const CoreError &error) {
    if (error.kind == ErrorKind::CompilerError)
      states[from].failures.emplace(pipeline, error.what());
    throw;
  }
  const Number to = enter(from, pipeline, working);
  states[from].next[pipeline] = to;
  return to;
}

void StateTree::run(Number pipeline, Working &working) {
  const std::string &text = pipelines[pipeline];
  compiler->parse(text).run(*working.ir, working.managers->modules);
  compiler->throwDiagnostics("running '" + text + "'");
}

// The state that a module is in after a pipeline; a new one if nobody has been there.
StateTree::Number StateTree::enter(Number from, Number pipeline, Working &working) {
  const StateKey code = codeOf(*working.ir);
  KeptAnalyses kept = KeptAnalyses::of(*working.managers, *working.ir);
  // Notes that come without a change say that nothing is left to do, which is known here anyway.
  const Number notes = code == states[from].code ? states[from].notes
                       : kept.lastRuns           ? pipeline + 1
                                                 : 0;
  StateKey key = code;
  key.first ^= (uint64_t(notes) << 2 | kept.globalAliases << 1 | kept.loops) *
               0x9E3779B97F4A7C15ull;
  const auto [found, isNew] = byKey.try_emplace(key, states.size());
  if (!isNew)
    return found->second;
  State &state = states.emplace_back();
  state.parent = from;
  state.pipeline = pipeline;
  state.code = code;
  state.notes = notes;
  state.instructions = working.ir->getInstructionCount();
  if (!notes)
    kept.lastRuns.reset();
  state.kept = std::move(kept);
  store(state, *working.ir);
  return found->second;
}

StateTree::Working StateTree::copyOf(Number state) {
  // From the nearest state on the way that still has its module the way is gone again.
  std::vector<Number> way;
  Number at = state;
  for (; !states[at].ir; at = states[at].parent)
    way.push_back(states[at].pipeline);
  states[at].used = true;
  Working working{cloneExactly(*states[at].ir),
                  spareManagers ? std::move(spareManagers) : compiler->makeManagers()};
  states[at].kept.restore(*working.managers, *working.ir);
  for (const Number pipeline : reverse(way))
    run(pipeline, working);
  if (!way.empty())
    store(states[state], *working.ir);
  return working;
}

void StateTree::store(State &state, const llvm::Module &ir) {
  state.ir = cloneExactly(ir);
  storedInstructions += state.instructions;
}

// Most states are seen once. What lists have started from since the last time is kept, unless that
// alone is too much.
void StateTree::saveMemory() {
  if (states.size() > limits.states)
    return start(std::move(states[0].ir));
  for (const bool keepsUsed : {true, false}) {
    if (storedInstructions <= (keepsUsed ? limits.instructions : limits.instructions / 2))
      return;
    for (State &state : drop_begin(states)) {
      if (!state.ir || (keepsUsed && std::exchange(state.used, false)))
        continue;
      state.ir.reset();
      storedInstructions -= state.instructions;
    }
  }
}

} // namespace llmopt
