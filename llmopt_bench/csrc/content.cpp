// The content hash: two modules have the same one when they are the same code, whatever the names
// of their values, file and path. Names of globals stay in, since the linker sees them.
#include "module.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace llmopt {
namespace {

void dropValueNames(Function &function) {
  for (Argument &argument : function.args())
    argument.setName("");
  for (BasicBlock &block : function) {
    block.setName("");
    for (Instruction &instruction : block)
      instruction.setName("");
  }
}

// Passes add attributes to declarations of intrinsics, and a reader puts back those of the
// definition; what an intrinsic does is known by its name.
void resetIntrinsic(Function &function) {
  if (const Intrinsic::ID id = function.getIntrinsicID())
    function.setAttributes(
        Intrinsic::getAttributes(function.getContext(), id, function.getFunctionType()));
}

// Where it came from and who compiled it: !llvm.ident, !llvm.commandline.
void dropProvenance(llvm::Module &module) {
  StripDebugInfo(module);
  for (const char *name : {"llvm.ident", "llvm.commandline"})
    if (NamedMDNode *node = module.getNamedMetadata(name))
      module.eraseNamedMetadata(node);
  module.setModuleIdentifier("");
  module.setSourceFileName("");
}

} // namespace

std::string contentHashOf(const llvm::Module &module) {
  const std::unique_ptr<llvm::Module> copy = CloneModule(module);
  dropProvenance(*copy);
  for (Function &function : *copy) {
    dropValueNames(function);
    resetIntrinsic(function);
  }
  std::string text;
  raw_string_ostream stream(text);
  copy->print(stream, nullptr);
  // The printer's comments list predecessors in the order of use lists.
  const std::string plain = withoutComments(text);
  const auto digest = SHA256::hash(
      ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(plain.data()), plain.size()));
  return toHex(digest, /*LowerCase=*/true);
}

} // namespace llmopt
