// Object code in memory, to learn how many bytes of machine instructions a module becomes.
#include "module.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace llmopt {

std::string objectOf(const llvm::Module &module, TargetMachine &machine) {
  // Code generation rewrites the IR (CodeGenPrepare and others), so it works on a copy.
  const std::unique_ptr<llvm::Module> copy = cloneExactly(module);
  SmallVector<char, 0> object;
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  passes.add(new TargetLibraryInfoWrapperPass(machine.getTargetTriple()));
  if (machine.addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::ObjectFile))
    throw CoreError(ErrorKind::CompilerError, "LLVM cannot write an object file for " +
                                                  machine.getTargetTriple().str());
  passes.run(*copy);
  return std::string(object.data(), object.size());
}

uint64_t textSizeOf(const llvm::Module &module, TargetMachine &machine) {
  const std::string object = objectOf(module, machine);
  auto parsed = object::ObjectFile::createObjectFile(
      MemoryBufferRef(object, "object"));
  if (!parsed)
    throw CoreError(ErrorKind::CompilerError, toString(parsed.takeError()));
  uint64_t size = 0;
  for (const object::SectionRef &section : (*parsed)->sections())
    if (section.isText())
      size += section.getSize();
  return size;
}

} // namespace llmopt
