// IR text as "Large Language Models for Compiler Optimization" (arXiv 2309.07062, section II-B)
// feeds it to a model: no comments, no debug information, no metadata, no attributes, and white
// space reduced to single blanks and line ends. What comes out is still valid IR.
#include "module.h"

#include "llvm/IR/Attributes.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace llmopt {
namespace {

// Attributes that carry a type are part of the calling convention; without them IR is invalid.
AttributeSet onlyTypes(LLVMContext &context, const AttributeSet &attributes) {
  AttrBuilder kept(context);
  for (const Attribute &attribute : attributes)
    if (attribute.isTypeAttribute())
      kept.addAttribute(attribute);
  return AttributeSet::get(context, kept);
}

AttributeList onlyTypes(LLVMContext &context, const AttributeList &list, unsigned parameters) {
  SmallVector<AttributeSet, 8> kept;
  for (unsigned i = 0; i < parameters; ++i)
    kept.push_back(onlyTypes(context, list.getParamAttrs(i)));
  return AttributeList::get(context, AttributeSet(), AttributeSet(), kept);
}

void strip(Function &function) {
  LLVMContext &context = function.getContext();
  // Those of an intrinsic go too: whoever reads the text knows them by its name.
  function.setAttributes(onlyTypes(context, function.getAttributes(), function.arg_size()));
  function.clearMetadata();
  for (BasicBlock &block : function)
    for (Instruction &instruction : block) {
      instruction.dropUnknownNonDebugMetadata();
      if (auto *call = dyn_cast<CallBase>(&instruction))
        call->setAttributes(onlyTypes(context, call->getAttributes(), call->arg_size()));
    }
}

void strip(llvm::Module &module) {
  StripDebugInfo(module);
  for (NamedMDNode &node : make_early_inc_range(module.named_metadata()))
    module.eraseNamedMetadata(&node);
  for (GlobalVariable &variable : module.globals()) {
    variable.clearMetadata();
    variable.setAttributes(AttributeSet());
  }
  for (Function &function : module)
    strip(function);
}

// A reader of IR text that knows just enough: string literals, comments, white space.
class Lexer {
public:
  Lexer(std::string_view in, bool foldBlanks) : in(in), foldBlanks(foldBlanks) {}

  std::string run() {
    out.reserve(in.size());
    while (at < in.size())
      step();
    endLine();
    return std::move(out);
  }

private:
  void step() {
    const char c = in[at];
    if (c == '"')
      literal();
    else if (c == ';')
      at = std::min(in.find('\n', at), in.size());
    else if (c == '\n')
      ++at, endLine();
    else if (foldBlanks && (c == ' ' || c == '\t' || c == '\r'))
      ++at, blank = true;
    else
      ++at, put(c);
  }

  // In IR a quote inside a literal is written \22, so the next quote ends it.
  void literal() {
    const size_t end = std::min(in.find('"', at + 1), in.size() - 1);
    put(in[at++]);
    while (at <= end)
      out += in[at++];
  }

  void put(char c) {
    if (blank && lineHasText)
      out += ' ';
    blank = false;
    lineHasText = true;
    out += c;
  }

  void endLine() {
    while (lineHasText && out.back() == ' ')
      out.pop_back();
    if (lineHasText)
      out += '\n';
    lineHasText = blank = false;
  }

  std::string_view in;
  const bool foldBlanks;
  std::string out;
  size_t at = 0;
  bool blank = false;
  bool lineHasText = false;
};

// Printed for every module and the same in all of them.
bool isBoilerplate(StringRef line) {
  return line.starts_with("source_filename = ") || line.starts_with("target datalayout = ") ||
         line.starts_with("target triple = ");
}

} // namespace

std::string withoutComments(std::string_view ir) { return Lexer(ir, false).run(); }

std::string normalize(const llvm::Module &module) {
  const std::unique_ptr<llvm::Module> copy = CloneModule(module);
  strip(*copy);
  std::string text;
  raw_string_ostream stream(text);
  copy->print(stream, nullptr);
  const std::string folded = Lexer(text, true).run();
  std::string out;
  StringRef rest(folded);
  while (!rest.empty()) {
    auto [line, tail] = rest.split('\n');
    if (!isBoilerplate(line))
      out += (line + "\n").str();
    rest = tail;
  }
  return out;
}

} // namespace llmopt
