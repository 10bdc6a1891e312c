#include "module.h"
#include "state_tree.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace llmopt {
namespace {

using Lock = std::lock_guard<std::mutex>;

// As opt does: a module without a data layout gets the one of its target.
std::optional<std::string> dataLayoutFor(StringRef triple, StringRef layout) {
  if (!layout.empty() || triple.empty())
    return std::nullopt;
  std::string ignored;
  const Triple parsed(triple);
  const Target *target = TargetRegistry::lookupTarget(parsed, ignored);
  if (!target)
    return std::nullopt;
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(parsed, "", "", TargetOptions(), std::nullopt));
  return machine->createDataLayout().getStringRepresentation();
}

std::string badProgram(const std::string &name, const std::string &why) {
  return "expected LLVM bitcode or IR text that LLVM " LLMOPT_LLVM_VERSION " reads, got " + name +
         ": " + why;
}

std::unique_ptr<llvm::Module> readBitcode(MemoryBufferRef buffer, LLVMContext &context,
                                          const std::string &name) {
  Expected<std::unique_ptr<llvm::Module>> module =
      parseBitcodeFile(buffer, context, ParserCallbacks(dataLayoutFor));
  if (!module)
    throw CoreError(ErrorKind::BadProgram, badProgram(name, toString(module.takeError())));
  return std::move(*module);
}

std::unique_ptr<llvm::Module> readText(MemoryBufferRef buffer, LLVMContext &context,
                                       const std::string &name) {
  SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> module =
      parseAssembly(buffer, diagnostic, context, nullptr, dataLayoutFor);
  if (module)
    return module;
  throw CoreError(ErrorKind::BadProgram,
                  badProgram(name, "line " + std::to_string(diagnostic.getLineNo()) + ", column " +
                                       std::to_string(diagnostic.getColumnNo() + 1) + ": " +
                                       diagnostic.getMessage().str() + ": " +
                                       diagnostic.getLineContents().trim().take_front(200).str()));
}

} // namespace

Module::Module(std::shared_ptr<Compiler> compiler, std::unique_ptr<llvm::Module> ir)
    : compiler(std::move(compiler)), ir(std::move(ir)) {}

Module::~Module() {
  // Another module of the same context may be at work in another thread.
  std::shared_ptr<Compiler> keep = compiler;
  Lock lock(keep->mutex);
  managers.reset();
  extractor.reset();
  tree.reset();
  ir.reset();
}

std::unique_ptr<Module> Module::read(std::string_view data, const std::string &name) {
  auto compiler = std::make_shared<Compiler>();
  // A copy, because the parser needs a terminating zero byte, which the caller's buffer may lack.
  const auto buffer = MemoryBuffer::getMemBufferCopy(StringRef(data.data(), data.size()), name);
  const auto *bytes = reinterpret_cast<const unsigned char *>(buffer->getBufferStart());
  if (data.empty())
    throw CoreError(ErrorKind::BadProgram, badProgram(name, "the file is empty"));
  std::unique_ptr<llvm::Module> ir =
      isBitcode(bytes, bytes + data.size())
          ? readBitcode(buffer->getMemBufferRef(), compiler->context, name)
          : readText(buffer->getMemBufferRef(), compiler->context, name);
  std::string complaint;
  raw_string_ostream stream(complaint);
  if (verifyModule(*ir, &stream))
    throw CoreError(ErrorKind::BadProgram, badProgram(name, "it is not valid IR: " + complaint));
  compiler->setTarget(ir->getTargetTriple());
  compiler->takeDiagnostics();
  return std::unique_ptr<Module>(new Module(std::move(compiler), std::move(ir)));
}

std::unique_ptr<Module> Module::clone() {
  Lock lock(compiler->mutex);
  return std::unique_ptr<Module>(new Module(compiler, cloneExactly(*ir)));
}

std::unique_ptr<Module> Module::extract(const std::string &name) {
  std::string data;
  {
    Lock lock(compiler->mutex);
    if (!extractor)
      extractor = std::make_unique<FunctionExtractor>(*ir);
    const std::unique_ptr<llvm::Module> alone = extractor->extract(name);
    if (!alone)
      throw CoreError(ErrorKind::BadProgram, "expected the name of a function that " +
                                                 ir->getModuleIdentifier() + " defines, got '" +
                                                 name + "'. functions() lists them.");
    raw_string_ostream stream(data);
    WriteBitcodeToFile(*alone, stream);
  }
  return read(data, name);
}

bool Module::run(const std::string &pipeline) {
  Lock lock(compiler->mutex);
  return runLocked(pipeline);
}

StepResult Module::step(const std::string &pipeline, int64_t *autophase) {
  Lock lock(compiler->mutex);
  const bool changed = runLocked(pipeline);
  if (!autophase) {
    if (!count)
      count = ir->getInstructionCount();
    return {changed, *count};
  }
  const Autophase &features = autophaseLocked();
  std::copy(features.begin(), features.end(), autophase);
  return {changed, static_cast<uint64_t>(features[AutophaseTotalInsts])};
}

const Autophase &Module::autophaseLocked() {
  if (!known)
    computeAutophase(*ir, known.emplace().data(), false);
  return *known;
}

bool Module::runLocked(const std::string &pipeline) {
  ModulePassManager passes = compiler->parse(pipeline);
  if (!managers)
    managers = compiler->makeManagers();
  const PreservedAnalyses preserved = passes.run(*ir, managers->modules);
  const bool changed = !preserved.areAllPreserved();
  if (changed)
    forget();
  compiler->throwDiagnostics("running '" + pipeline + "'");
  return changed;
}

void Module::forget() {
  known.reset();
  count.reset();
  extractor.reset();
  tree.reset();
}

bool Module::runClang(const std::string &level) {
  Lock lock(compiler->mutex);
  managers.reset();
  forget();
  const PreservedAnalyses preserved = compiler->runClang(*ir, level);
  compiler->throwDiagnostics("running clang's -O" + level);
  return !preserved.areAllPreserved();
}

uint64_t Module::evaluate(const std::string &pipeline, bool wantsTextSize) {
  const std::unique_ptr<Module> copy = clone();
  copy->run(pipeline);
  return wantsTextSize ? copy->textSize() : copy->instructionCount();
}

uint64_t Module::evaluateList(const std::vector<std::string> &pipelines, bool wantsTextSize) {
  Lock lock(compiler->mutex);
  if (!tree)
    tree = std::make_unique<StateTree>(compiler, *ir);
  return tree->evaluate(pipelines, wantsTextSize);
}

uint64_t Module::reference(const std::string &level, bool wantsTextSize) {
  const std::unique_ptr<Module> copy = clone();
  copy->runClang(level);
  return wantsTextSize ? copy->textSize() : copy->instructionCount();
}

std::string Module::bitcode() {
  Lock lock(compiler->mutex);
  std::string out;
  raw_string_ostream stream(out);
  // With use-list order, so that a reader continues exactly where this module stands.
  WriteBitcodeToFile(*ir, stream, /*ShouldPreserveUseListOrder=*/true);
  return out;
}

std::string Module::text() {
  Lock lock(compiler->mutex);
  std::string out;
  raw_string_ostream stream(out);
  ir->print(stream, nullptr);
  return out;
}

std::string Module::normalizedText() {
  Lock lock(compiler->mutex);
  return normalize(*ir);
}

std::string Module::contentHash() {
  Lock lock(compiler->mutex);
  return contentHashOf(*ir);
}

std::string Module::nearHash() {
  Lock lock(compiler->mutex);
  return nearHashOf(*ir);
}

void Module::verify() {
  Lock lock(compiler->mutex);
  std::string complaint;
  raw_string_ostream stream(complaint);
  if (verifyModule(*ir, &stream))
    throw CoreError(ErrorKind::InvalidModule,
                    "expected a module that passes LLVM's verifier, got: " + complaint);
}

uint64_t Module::instructionCount() {
  Lock lock(compiler->mutex);
  return ir->getInstructionCount();
}

std::string Module::object() {
  Lock lock(compiler->mutex);
  std::string object = objectOf(*ir, compiler->requireCodegenMachine());
  compiler->throwDiagnostics("generating code");
  return object;
}

uint64_t Module::textSize() {
  Lock lock(compiler->mutex);
  const uint64_t size = textSizeOf(*ir, compiler->requireCodegenMachine());
  compiler->throwDiagnostics("generating code");
  return size;
}

std::vector<std::string> Module::functions() {
  Lock lock(compiler->mutex);
  std::vector<std::string> names;
  for (const Function &function : *ir)
    if (!function.isDeclaration())
      names.push_back(function.getName().str());
  return names;
}

std::vector<std::string> Module::externalDefinitions() {
  Lock lock(compiler->mutex);
  std::vector<std::string> names;
  for (const GlobalValue &value : ir->global_values())
    // What the linker may take from elsewhere (linkonce, available_externally) may go.
    if (!value.isDeclaration() && !value.hasLocalLinkage() && !value.isDiscardableIfUnused())
      names.push_back(value.getName().str());
  std::sort(names.begin(), names.end());
  return names;
}

void Module::autophase(int64_t *out, bool native) {
  Lock lock(compiler->mutex);
  // Computed anew, so that a test can hold what is kept against it.
  computeAutophase(*ir, out, native);
}

void Module::instcount(int64_t *out, bool native) {
  Lock lock(compiler->mutex);
  computeInstcount(*ir, out, native);
}

ProgramGraph Module::graph() {
  Lock lock(compiler->mutex);
  return graphOf(*ir);
}

} // namespace llmopt
