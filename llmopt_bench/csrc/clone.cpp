// CloneModule gives a copy whose use lists are in another order than the original's, and some
// passes (loop-reduce is one) look at users in that order. A copy must behave as its original
// does, so the order is put back.
#include "module.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace llmopt {
namespace {

class UseOrder {
public:
  explicit UseOrder(const ValueToValueMapTy &copies) : copies(copies) {}

  void restore(const Value &original) {
    if (original.hasNUsesOrMore(2))
      sortLike(original);
  }

  // Constants that hold a global (casts, aggregates) are users with use lists of their own.
  void restoreConstantUsers(const Value &original) {
    for (const User *user : original.users())
      if (const auto *constant = dyn_cast<Constant>(user); constant && !isa<GlobalValue>(user))
        if (seen.insert({constant, 0}).second) {
          restore(*constant);
          restoreConstantUsers(*constant);
        }
  }

private:
  // A place where the copy of a value is used, as a number that orders like the original's list.
  using Rank = DenseMap<const Use *, unsigned>;

  const Value *copyOf(const Value &original) const {
    const auto found = copies.find(&original);
    return found == copies.end() ? nullptr : static_cast<const Value *>(found->second);
  }

  void sortLike(const Value &original) {
    const Value *copy = copyOf(original);
    if (!copy || copy == &original)
      return;
    if (inOrder(original, *copy))
      return;
    Rank rank;
    unsigned next = 0;
    for (const Use &use : original.uses())
      if (const auto *user = cast_or_null<User>(copyOf(*use.getUser())))
        rank[&user->getOperandUse(use.getOperandNo())] = next++;
    const_cast<Value *>(copy)->sortUseList([&](const Use &left, const Use &right) {
      return rank.lookup(&left) < rank.lookup(&right);
    });
  }

  bool inOrder(const Value &original, const Value &copy) const {
    auto place = copy.use_begin();
    for (const Use &use : original.uses()) {
      if (place == copy.use_end() || place->getOperandNo() != use.getOperandNo() ||
          place->getUser() != copyOf(*use.getUser()))
        return false;
      ++place;
    }
    return true;
  }

  const ValueToValueMapTy &copies;
  DenseMap<const Constant *, char> seen;
};

} // namespace

std::unique_ptr<llvm::Module> cloneExactly(const llvm::Module &module) {
  ValueToValueMapTy copies;
  std::unique_ptr<llvm::Module> copy = CloneModule(module, copies);
  UseOrder order(copies);
  for (const GlobalValue &value : module.global_values()) {
    order.restore(value);
    order.restoreConstantUsers(value);
  }
  for (const Function &function : module) {
    for (const Argument &argument : function.args())
      order.restore(argument);
    for (const BasicBlock &block : function) {
      order.restore(block);
      for (const Instruction &instruction : block)
        order.restore(instruction);
    }
  }
  return copy;
}

} // namespace llmopt
