// How a worker that dies leaves word of the cause.
#include "isolation/serve.h"

#include "llvm/Support/ErrorHandling.h"

#include <csignal>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace llmopt {
namespace {

BoxHeader *header = nullptr;
// A fault so near to the stack pointer is of the stack itself.
constexpr uintptr_t StackGuard = 1 << 20;
constexpr size_t HandlerStack = 1 << 16;

[[noreturn]] void endOutOfMemory() {
  header->cause = Cause::OutOfMemory;
  _exit(1);
}

void onFault(int signal, siginfo_t *info, void *context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const auto stack = static_cast<uintptr_t>(
      static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RSP]);
  if (signal == SIGSEGV && address - stack + StackGuard < 2 * StackGuard)
    header->cause = Cause::StackOverflow;
  // The handler is gone (SA_RESETHAND), so the fault comes again and ends the process.
}

void onFatalError(void *, const char *reason, bool) {
  header->cause = Cause::FatalError;
  noteIn(header->words, reason, std::strlen(reason));
  _exit(1);
}

} // namespace

void reportCrashesTo(Box &box) {
  header = &box.header();
  void *const memory = mmap(nullptr, HandlerStack, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const stack_t stack{memory, 0, HandlerStack};
  sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
  std::set_new_handler(endOutOfMemory);
  llvm::install_bad_alloc_error_handler([](void *, const char *, bool) { endOutOfMemory(); });
  llvm::install_fatal_error_handler(onFatalError);
}

} // namespace llmopt
