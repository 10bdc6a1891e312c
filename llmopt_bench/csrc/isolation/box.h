// The memory that a process shares with one worker: a header of one page, then one message.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace llmopt {

// Why a worker ended, where its exit status alone does not tell.
enum class Cause : uint32_t { Unknown, OutOfMemory, StackOverflow, FatalError, NoProcess };

// Lives in zeroed shared memory, of which every field is a valid start.
struct BoxHeader {
  // Both count up. The worker sleeps on the first, the client on the second.
  std::atomic<uint32_t> requests;
  std::atomic<uint32_t> replies;
  // Set by the fork server, after `waitStatus`, when the worker is gone.
  std::atomic<uint32_t> ended;
  int32_t waitStatus;
  std::atomic<int32_t> pid;
  std::atomic<Cause> cause;
  uint64_t size;     // of the message
  char pass[64];     // that ran last in this request
  char words[1024];  // of LLVM, on a fatal error
};

constexpr size_t BoxHeaderSize = 4096;
static_assert(sizeof(BoxHeader) <= BoxHeaderSize);
// Of address space. Memory is taken by what is written there, and given back after large messages.
constexpr size_t BoxSize = size_t(256) << 20;

class Box {
public:
  // Maps `size` bytes of a memory file: all of it, or the header alone. Throws CompilerError.
  explicit Box(int file, size_t size = BoxSize);
  ~Box();
  Box(const Box &) = delete;
  Box &operator=(const Box &) = delete;

  BoxHeader &header() const { return *static_cast<BoxHeader *>(memory); }
  char *data() const { return static_cast<char *>(memory) + BoxHeaderSize; }
  static constexpr size_t capacity() { return BoxSize - BoxHeaderSize; }
  // Gives the memory of a large message back.
  void shrink(size_t used);
  void keepFromChildren();

  // A file in memory that goes when the last process that knows it does. Throws CompilerError.
  static int makeFile();

private:
  void *memory;
  size_t size;
};

// Sleeps while `word` is `old`, at most `time`; may return early.
void sleepOn(std::atomic<uint32_t> &word, uint32_t old, std::chrono::nanoseconds time);
void sleepOn(std::atomic<uint32_t> &word, uint32_t old);
// The same of several, until one has changed.
struct WordValue {
  std::atomic<uint32_t> *word;
  uint32_t old;
};
void sleepOnAnyOf(const std::vector<WordValue> &words, std::chrono::nanoseconds time);
void wakeUp(std::atomic<uint32_t> &word);

// Copies text to a field of the header: cut where it ends, always with a final zero. Safe where
// nothing may be allocated.
template <size_t N> void noteIn(char (&field)[N], const char *text, size_t size) {
  const size_t length = size < N - 1 ? size : N - 1;
  for (size_t i = 0; i < length; ++i)
    field[i] = text[i];
  field[length] = 0;
}

} // namespace llmopt
